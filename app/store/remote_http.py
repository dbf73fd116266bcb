"""Speaks the SPARQL 1.1 protocols with an external engine. Knows neither revisions nor what the data mean.

Whatever is not a whole, well-formed answer becomes an error here: a time limit `QueryTimeout`, a request that the
engine cannot read `EngineRefusal`, everything else `EngineUnavailable`. Reads are tried again after a failure of the
line; writes only when the engine says that it undid them because of a deadlock. So many requests run at a time and no
more; who waits too long for a connection is told that all are busy.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import httpx
import pyoxigraph as ox
import stamina

from app.errors import AppError, EngineUnavailable, QueryRefused, QueryTimeout, TooBusy
from app.model.rdf import XSD, Triple

ROWS = "application/sparql-results+json"
TRIPLES = "application/n-triples"
_BATCH = 20_000
"""Triples in one request of the graph store protocol."""
_LONG = 20_000
"""Characters from which on a text goes by INSERT DATA: Virtuoso's graph store protocol refuses one of 100,000."""
_DIGITS = 9
"""Digits up to which an integer may go by the graph store protocol: Virtuoso makes larger ones decimals there."""
_CONNECTIONS = 32
"""Requests at a time. Virtuoso's ServerThreads should be more."""
_WAIT = 5.0
"""Seconds that a request waits for one of these."""
_LEAST_SECONDS = 0.01
_LONG_WAIT = 1.0
"""Seconds of a vain wait for an engine after which others do not wait in their turn."""
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
    `statement`: triples in one INSERT DATA (Virtuoso limits its length). `tells_seconds`: the engine is told how long a
    query may take, in the parameter `timeout` of Virtuoso.
    """

    query: str
    update: str
    graphs: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    scheme: Literal["basic", "digest"] = "basic"
    seconds: float = 60.0
    write_seconds: float = 900.0
    max_bytes: int = 1_000_000_000
    decimal_places: int | None = None
    checks_here: bool = False
    statement: int = 200
    tells_seconds: bool = False
    kind: str = "standard"

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


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one answer may cost: seconds until it is there, and its bytes. None is for the engine's address to say."""

    seconds: float | None = None
    max_bytes: int | None = None


FREE = Bounds()


class Engine:
    """One external engine. May be used by several threads at once.

    Its address is given, or is found out at the first request, and again at the next one where that failed.
    """

    def __init__(self, address: Address | Callable[[], Address]) -> None:
        self._wanted = address
        self._found: tuple[Address, httpx.Client] | None = None
        self._finding = threading.Lock()
        self._failed: tuple[float, AppError] | None = None

    @property
    def address(self) -> Address:
        """Where the engine listens and what it needs; EngineUnavailable when it does not say."""
        return self._known()[0]

    def _known(self) -> tuple[Address, httpx.Client]:
        with self._finding:
            if self._found is None:
                address = self._wanted if isinstance(self._wanted, Address) else self._ask(self._wanted)
                client = httpx.Client(
                    auth=address.auth(),
                    limits=httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS),
                    follow_redirects=False,
                )
                self._found = address, client
            return self._found

    def _ask(self, wanted: Callable[[], Address]) -> Address:
        """Find the address out. After a long wait for nothing, those who wait behind hear of it at once."""
        started = time.monotonic()
        if self._failed is not None and started < self._failed[0]:
            raise self._failed[1]
        try:
            return wanted()
        except AppError as error:
            took = time.monotonic() - started
            if took > _LONG_WAIT:
                self._failed = started + 2 * took, error
            raise

    def rows(self, query: str, default: Sequence[str] = (), named: Sequence[str] = (), bounds: Bounds = FREE) -> bytes:
        """The answer of a SELECT or ASK query as SPARQL JSON; not yet parsed."""
        return self._read(query, default, named, ROWS, bounds)

    def own_rows(self, query: str) -> bytes:
        """The answer of one of the store's own queries, which every engine must be able to read."""
        try:
            return self.rows(query)
        except EngineRefusal as error:
            raise EngineUnavailable(
                f"the engine cannot read our own query: {error}", advice="Check that it is a SPARQL 1.1 engine."
            ) from error

    def triples(
        self, query: str, default: Sequence[str] = (), named: Sequence[str] = (), bounds: Bounds = FREE
    ) -> bytes:
        """The answer of a CONSTRUCT or DESCRIBE query as N-Triples; not yet parsed."""
        return self._read(query, default, named, TRIPLES, bounds)

    def update(self, text: str) -> None:
        """Run one update request."""
        self._send(self.address.update, data={"update": text})

    def add(self, graph: str, triples: Iterable[Triple]) -> None:
        """Add triples to a named graph, in as many requests as it takes."""
        rest = iter(triples)
        address = self.address
        while batch := list(islice(rest, _BATCH if address.graphs else address.statement)):
            plain = [triple for triple in batch if not _is_long(triple) and not _is_large(triple)]
            if address.graphs and plain:
                self.post(address.graphs, graph, plain)
                plain = []
            rest_of_batch = plain + [triple for triple in batch if _is_large(triple)]
            for start in range(0, len(rest_of_batch), address.statement):
                self._insert(graph, rest_of_batch[start : start + address.statement])
            for triple in batch:
                if _is_long(triple):
                    self._insert(graph, [triple])

    def _insert(self, graph: str, triples: list[Triple]) -> None:
        self.update(f"INSERT DATA {{ GRAPH <{graph}> {{\n{_lines(triples)}}} }}")

    def post(self, url: str, graph: str, triples: list[Triple]) -> None:
        """Add triples to a named graph by the graph store protocol, in one request."""
        self._send(url, params={"graph": graph}, content=_lines(triples).encode(), headers={"Content-Type": TRIPLES})

    def close(self) -> None:
        """Close the connections. The next request opens new ones."""
        with self._finding:
            if self._found is not None:
                self._found[1].close()
                self._wanted, self._found = self._found[0], None

    def _read(self, query: str, default: Sequence[str], named: Sequence[str], wanted: str, bounds: Bounds) -> bytes:
        address = self.address
        seconds = min(address.seconds, bounds.seconds or address.seconds)
        end = time.monotonic() + seconds
        limit = min(address.max_bytes, bounds.max_bytes or address.max_bytes)
        form: dict[str, str | list[str]] = {
            "query": query,
            "default-graph-uri": list(default),
            "named-graph-uri": list(named),
        }
        if address.tells_seconds:
            form["timeout"] = str(int(seconds * 1000))
        for attempt in stamina.retry_context(
            on=_LineFailure, attempts=_ATTEMPTS, timeout=seconds, wait_initial=0.05, wait_max=1.0
        ):
            with attempt:
                return self._read_once(form, wanted, seconds, end, limit)
        raise AssertionError  # pragma: no cover - retry_context returns or raises

    def _read_once(
        self, form: dict[str, str | list[str]], wanted: str, seconds: float, end: float, limit: int
    ) -> bytes:
        address, client = self._known()
        left = max(end - time.monotonic(), _LEAST_SECONDS)
        body = bytearray()
        try:
            with client.stream(
                "POST", address.query, data=form, headers={"Accept": wanted}, timeout=_timeout(left)
            ) as response:
                for part in response.iter_bytes():
                    body += part
                    if len(body) > limit:
                        raise QueryRefused(f"the answer is longer than {limit} bytes", advice="Ask for less.")
                    if time.monotonic() > end:
                        raise QueryTimeout(f"the engine had not finished after {seconds:g} seconds")
        except httpx.PoolTimeout as error:
            raise _crowded() from error
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
        address, client = self._known()
        request = client.build_request(
            "POST",
            url,
            data=data,
            params=params,
            content=content,
            headers=headers,
            timeout=_timeout(address.write_seconds),
        )
        for attempt in stamina.retry_context(
            on=_Undone, attempts=_ATTEMPTS_AFTER_DEADLOCK, wait_initial=0.05, wait_max=0.5
        ):
            with attempt:
                self._send_once(client, request)

    def _send_once(self, client: httpx.Client, request: httpx.Request) -> None:
        try:
            response = client.send(request)
        except httpx.PoolTimeout as error:
            raise _crowded() from error
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


def _timeout(seconds: float) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=min(5.0, seconds), pool=min(_WAIT, seconds))


def _crowded() -> TooBusy:
    return TooBusy("all connections to the engine are busy", retry_after=5)


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
