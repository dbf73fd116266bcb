"""Speaks the SPARQL 1.1 protocols with an external engine. Knows neither revisions nor what the data mean.

Whatever is not a whole, well-formed answer becomes an error here: a time limit `QueryTimeout`, a request that the
engine cannot read `EngineRefusal`, everything else `EngineUnavailable`. Reads are tried again after a failure of the
line; writes only when the engine says that it undid them because of a deadlock.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import httpx
import pyoxigraph as ox
import stamina

from app.errors import EngineUnavailable, QueryRefused, QueryTimeout
from app.model.rdf import XSD, Triple

ROWS = "application/sparql-results+json"
TRIPLES = "application/n-triples"
_BATCH = 20_000
"""Triples in one request of the graph store protocol."""
_STATEMENT = 200
"""Triples in one INSERT DATA, for engines without that protocol. Virtuoso limits the length of a statement."""
_LONG = 20_000
"""Characters from which on a text goes by INSERT DATA: Virtuoso's graph store protocol refuses one of 100,000."""
_DIGITS = 9
"""Digits up to which an integer may go by the graph store protocol: Virtuoso makes larger ones decimals there."""
_ATTEMPTS = 3
_ATTEMPTS_AFTER_DEADLOCK = 8
_DEADLOCK = "40001"
"""SQL's state for a transaction that was undone for the sake of another."""
_CUT = "X-SPARQL-MaxRows"
"""Virtuoso sends this header with an answer that it cut at its ResultSetMaxRows."""
_STOPPED = "X-SQL-State"
"""Virtuoso sends this header with the part of an answer that it had when its time was over."""
_TAG = re.compile(r"<[^<>]*>")
_WORDS_OF_TIMEOUT = ("cancelled", "S1T00", "timeout", "timed out", "estimated execution time")


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine listens and how it is spoken to.

    `query` may be an address that needs no password and has no right to write. Without `graphs`, large writes go as
    INSERT DATA. `decimal_places`: decimals are rounded to so many before they are written (Virtuoso keeps 15).
    `checks_here`: candidates are copied into our own engine for their check, because this one gets some queries wrong.
    """

    query: str
    update: str
    graphs: str | None = None
    user: str | None = None
    password: str | None = None
    scheme: Literal["basic", "digest"] = "basic"
    seconds: float = 60.0
    write_seconds: float = 900.0
    max_bytes: int = 1_000_000_000
    decimal_places: int | None = None
    checks_here: bool = False

    def auth(self) -> httpx.Auth | None:
        """The credentials, in the engine's scheme."""
        if self.user is None:
            return None
        kind = httpx.DigestAuth if self.scheme == "digest" else httpx.BasicAuth
        return kind(self.user, self.password or "")


class EngineRefusal(Exception):
    """The engine answered 400: it cannot read the request. Carries its words."""


class _LineFailure(EngineUnavailable):
    """A failure that may be gone at the next attempt."""


class _Undone(EngineUnavailable):
    """The engine gave up a write because of a deadlock, and nothing of it is there."""


class Engine:
    """One external engine. May be used by several threads at once."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client = httpx.Client(
            auth=address.auth(),
            timeout=httpx.Timeout(address.seconds, connect=5.0),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
            follow_redirects=False,
        )

    def rows(self, query: str, default: Sequence[str] = (), named: Sequence[str] = ()) -> bytes:
        """The answer of a SELECT or ASK query as SPARQL JSON; not yet parsed."""
        return self._read(query, default, named, ROWS)

    def own_rows(self, query: str) -> bytes:
        """The answer of one of the store's own queries, which every engine must be able to read."""
        try:
            return self.rows(query)
        except EngineRefusal as error:
            raise EngineUnavailable(
                f"the engine cannot read our own query: {error}", advice="Check that it is a SPARQL 1.1 engine."
            ) from error

    def triples(self, query: str, default: Sequence[str] = (), named: Sequence[str] = ()) -> bytes:
        """The answer of a CONSTRUCT or DESCRIBE query as N-Triples; not yet parsed."""
        return self._read(query, default, named, TRIPLES)

    def update(self, text: str) -> None:
        """Run one update request."""
        self._send(self._address.update, data={"update": text})

    def add(self, graph: str, triples: Iterable[Triple]) -> None:
        """Add triples to a named graph, in as many requests as it takes."""
        rest = iter(triples)
        while batch := list(islice(rest, _BATCH if self._address.graphs else _STATEMENT)):
            plain = [triple for triple in batch if not _is_long(triple) and not _is_large(triple)]
            if self._address.graphs and plain:
                self._post(self._address.graphs, graph, plain)
                plain = []
            rest_of_batch = plain + [triple for triple in batch if _is_large(triple)]
            for start in range(0, len(rest_of_batch), _STATEMENT):
                self._insert(graph, rest_of_batch[start : start + _STATEMENT])
            for triple in batch:
                if _is_long(triple):
                    self._insert(graph, [triple])

    def _insert(self, graph: str, triples: list[Triple]) -> None:
        self.update(f"INSERT DATA {{ GRAPH <{graph}> {{\n{_lines(triples)}}} }}")

    def _post(self, url: str, graph: str, triples: list[Triple]) -> None:
        self._send(url, params={"graph": graph}, content=_lines(triples).encode(), headers={"Content-Type": TRIPLES})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _read(self, query: str, default: Sequence[str], named: Sequence[str], wanted: str) -> bytes:
        form: dict[str, str | list[str]] = {
            "query": query,
            "default-graph-uri": list(default),
            "named-graph-uri": list(named),
        }
        for attempt in stamina.retry_context(
            on=_LineFailure, attempts=_ATTEMPTS, timeout=self._address.seconds, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                return self._read_once(form, wanted)
        raise AssertionError  # pragma: no cover - retry_context returns or raises

    def _read_once(self, form: dict[str, str | list[str]], wanted: str) -> bytes:
        limit, seconds = self._address.max_bytes, self._address.seconds
        end = time.monotonic() + seconds
        body = bytearray()
        try:
            with self._client.stream("POST", self._address.query, data=form, headers={"Accept": wanted}) as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > limit:
                        raise QueryRefused(f"the answer is longer than {limit} bytes", advice="Ask for less.")
                    if time.monotonic() > end:
                        raise QueryTimeout(f"the engine had not finished after {seconds:g} seconds")
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                raise _unreachable(error) from error
            raise QueryTimeout(f"the engine did not answer within {seconds:g} seconds") from error
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        _raise_for_status(response, bytes(body))
        _raise_for_cut(response, wanted, bytes(body))
        return bytes(body)

    def _send(
        self,
        url: str,
        *,
        data: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        request = self._client.build_request(
            "POST",
            url,
            data=data,
            params=params,
            content=content,
            headers=headers,
            timeout=httpx.Timeout(self._address.write_seconds, connect=5.0),
        )
        for attempt in stamina.retry_context(
            on=_Undone, attempts=_ATTEMPTS_AFTER_DEADLOCK, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                self._send_once(request)

    def _send_once(self, request: httpx.Request) -> None:
        try:
            response = self._client.send(request)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if _DEADLOCK in response.text and not response.is_success:
            raise _Undone("the engine gave up a write because of a deadlock", advice="Try again.")
        try:
            _raise_for_status(response, response.content)
        except (EngineRefusal, QueryTimeout) as error:
            raise EngineUnavailable(
                f"the engine refused a write: {error}", advice="See the engine's log and docs/reference/engines.md."
            ) from error


def _is_long(triple: Triple) -> bool:
    return isinstance(triple.object, ox.Literal) and len(triple.object.value) >= _LONG


def _is_large(triple: Triple) -> bool:
    value = triple.object
    return isinstance(value, ox.Literal) and value.datatype.value == XSD + "integer" and len(value.value) > _DIGITS


def _lines(triples: list[Triple]) -> str:
    written = ox.serialize(triples, format=ox.RdfFormat.N_TRIPLES)
    return written.decode() if written else ""


def _unreachable(error: httpx.HTTPError) -> _LineFailure:
    return _LineFailure(
        f"the engine cannot be reached or broke off: {error or type(error).__name__}",
        advice="Check that the engine runs and that the store's address is right.",
    )


def _raise_for_status(response: httpx.Response, body: bytes) -> None:
    """Raise unless the engine says that all went well."""
    status = response.status_code
    if 200 <= status < 300:
        return
    words = _words(body)
    if any(word in words for word in _WORDS_OF_TIMEOUT) and status in {400, 408, 500, 503, 504}:
        raise QueryTimeout(f"the engine stopped the query: {words}")
    if status == 400:
        raise EngineRefusal(words)
    if status in {401, 403}:
        raise EngineUnavailable(
            f"the engine does not let us in (HTTP {status}): {words}",
            advice="Check user, password and scheme, and that the user may update.",
        )
    kind = _LineFailure if status in {429, 502, 503, 504} else EngineUnavailable
    raise kind(f"the engine answered HTTP {status}: {words}", advice="See the engine's log.")


def _raise_for_cut(response: httpx.Response, wanted: str, body: bytes) -> None:
    """Raise when the answer is not of the kind that was asked for, or says itself that it is only a part."""
    if _STOPPED in response.headers:
        raise QueryTimeout("the engine stopped the query and sent a part of the answer")
    if _CUT in response.headers:
        raise EngineUnavailable(
            f"the engine cut the answer at {response.headers[_CUT]} rows",
            advice="Ask for less, or raise ResultSetMaxRows in the engine's settings.",
        )
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != wanted:
        raise EngineUnavailable(
            f"the engine sent {kind or 'an answer without a type'} instead of {wanted}: {_words(body)}",
            advice="Check that the address is the one of a SPARQL 1.1 query service.",
        )
    if not {"Content-Length", "Transfer-Encoding"} & set(map(str.title, response.headers)):
        raise EngineUnavailable(
            "the engine does not say how long its answer is, so that a cut would not be seen",
            advice="Let the engine, or the proxy before it, speak HTTP/1.1.",
        )


def _words(body: bytes) -> str:
    """What the engine said, short and on one line."""
    return " ".join(_TAG.sub(" ", body[:2000].decode(errors="replace")).split())[:300]
