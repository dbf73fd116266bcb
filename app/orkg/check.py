"""Does ORKG still answer as it used to? Five requests that only read, and what is different in the answers.

Meant for people whose machine reaches the internet; our own tests run it against a double. Nothing is kept, and a
difference is no error: it is broken only where our client could not go on, by the client's own judgement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from app.errors import OrkgChanged, OrkgRefused
from app.orkg import contract, reading
from app.orkg.forms import Form, Keyed, Many, differences
from app.orkg.reading import Shape

T = TypeVar("T")

COMPARISON_TYPE: Final = "application/vnd.orkg.comparison.v3+json"
PAPER_TYPE: Final = "application/vnd.orkg.paper.v2+json"
PLAIN_TYPE: Final = "application/json"


class Weight(StrEnum):
    """How much a finding matters."""

    BROKEN = "broken"
    """Our client cannot work with it."""
    DOUBTFUL = "doubtful"
    """The service's description of itself says so; only a write would tell."""
    DIFFERENT = "different"
    """It is not as it was, and our client can do without."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was. `place` is a JSON pointer with `*` for any key or index; `times` how often."""

    weight: Weight
    request: str
    place: str
    problem: str
    times: int = 1

    def __str__(self) -> str:
        often = f" ({self.times} times)" if self.times > 1 else ""
        where = f" at {self.place}" if self.place else ""
        return f"{self.weight.value}: {self.request}{where}: {self.problem}{often}"


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found: what was asked, in order, what is different, and the version that the backend names."""

    base: str
    comparison: str
    requests: tuple[str, ...]
    backend: str | None
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether our client can work with this ORKG."""
        return not any(one.weight is Weight.BROKEN for one in self.findings)


class Asks(Protocol):
    """What a check needs of the client."""

    @property
    def base(self) -> str:
        """The address of the service."""

    def answer(self, path: str, accept: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """The body of an answer as it came; OrkgError."""


def check(orkg: Asks, comparison: str) -> Report:
    """Ask five times and compare with what is known. OrkgUnavailable; OrkgMissing where there is no such comparison."""
    seen = _Seen(orkg)
    head = seen.ask(f"/api/comparisons/{comparison}", COMPARISON_TYPE)
    seen.compare(contract.COMPARISON, head, reading.COMPARISON)
    table = seen.ask(f"/api/comparisons/{comparison}/contents", COMPARISON_TYPE)
    seen.compare(contract.CONTENTS, table, reading.CONTENTS)
    seen.note(_about_table(_json(head), _json(table)))
    source = next(iter(_ids(_member(_json(head), "sources"))), comparison)
    asked = {"max_hops": "1", "size": str(2 * contract.LARGEST_PAGE)}
    statements = seen.ask(f"/api/things/{source}/subgraph", PLAIN_TYPE, asked)
    seen.compare(contract.STATEMENTS, statements, reading.STATEMENTS)
    seen.note(_about_page(_json(statements)))
    titles = _list(_member(_json(table), "titles"))
    papers = [*_ids([one for one in titles if "Paper" in _list(_member(one, "classes"))])]
    if papers:
        paper = seen.ask(f"/api/papers/{papers[0]}", PAPER_TYPE)
        seen.compare(contract.PAPER, paper, reading.PAPER)
    else:
        page = seen.ask("/api/papers", PAPER_TYPE, {"size": "1"})
        seen.compare({"content": Many(contract.PAPER), "page": Keyed("number")}, page, reading.PAPERS)
    described = _json(seen.ask("/api", PLAIN_TYPE, weight=Weight.DIFFERENT))
    seen.note(_about_calls(described))
    version = _member(_member(described, "info"), "version")
    return Report(
        orkg.base, comparison, tuple(seen.requests), version if isinstance(version, str) else None, seen.findings()
    )


class _Seen:
    """What was asked and what was found so far."""

    def __init__(self, orkg: Asks) -> None:
        self._orkg = orkg
        self.requests: list[str] = []
        self._found: dict[tuple[Weight, str, str, str], int] = {}

    def ask(
        self,
        path: str,
        accept: str,
        parameters: Mapping[str, str] | None = None,
        *,
        weight: Weight = Weight.BROKEN,
    ) -> bytes | None:
        """One request; None, and a finding, when it has no good answer. OrkgRefused if it is the first."""
        query = "&".join(f"{name}={value}" for name, value in (parameters or {}).items())
        self.requests.append(f"GET {path}{'?' + query if query else ''}")
        try:
            return self._orkg.answer(path, accept, parameters)
        except OrkgChanged as error:
            self.note([(weight, error.pointer or "", error.problem)])
        except OrkgRefused as error:
            if len(self.requests) == 1:
                raise
            self.note([(weight, "", f"{error.detail or error.kind or 'refused'} ({error.status})")])
        return None

    def note(self, found: Sequence[tuple[Weight, str, str]]) -> None:
        """Add findings about the last request."""
        for weight, place, problem in found:
            key = (weight, self.requests[-1], place, problem)
            self._found[key] = self._found.get(key, 0) + 1

    def compare(self, form: Form, body: bytes | None, shape: Shape[T]) -> None:
        """Add what is different in an answer, and whether our client can read it."""
        if body is None:
            return
        value = _json(body)
        if value is _NO_JSON:
            self.note([(Weight.BROKEN, "", "the answer is no JSON")])
            return
        self.note([(Weight.DIFFERENT, place, problem) for place, problem in differences(form, value)])
        try:
            shape.read(body, self.requests[-1])
        except OrkgChanged as error:
            place = re.sub(r"/\d+(?=/|$)", "/*", error.pointer or "")
            self.note([(Weight.BROKEN, place, f"our client cannot read it: {error.problem}")])

    def findings(self) -> tuple[Finding, ...]:
        """All findings, the worst first, otherwise in the order of the requests."""
        found = [Finding(*key, times) for key, times in self._found.items()]
        return tuple(sorted(found, key=lambda one: [*Weight].index(one.weight)))


def _about_table(head: Any, table: Any) -> list[tuple[Weight, str, str]]:
    """What the table should keep to, beyond its form."""
    found: list[tuple[Weight, str, str]] = []
    sources, titles = _list(_member(head, "sources")), _list(_member(table, "titles"))
    values, rows = _member(table, "values"), _list(_member(table, "selected_paths"))
    if table is _NO_JSON:
        return found
    if sources and not rows and not values:
        found.append((Weight.DIFFERENT, "", f"the table is empty although there are {len(sources)} sources"))
    elif sources and len(sources) != len(titles):
        found.append((Weight.BROKEN, "/titles", f"{len(titles)} columns for {len(sources)} sources"))
    subtitles = _list(_member(table, "subtitles"))
    if len(subtitles) != len(titles):
        found.append((Weight.BROKEN, "/subtitles", f"{len(subtitles)} for {len(titles)} titles"))
    for row in _rows(values):
        cells = _list(_member(row, "values"))
        if len(cells) != len(titles):
            found.append((Weight.BROKEN, "/values/*/*/values", f"{len(cells)} cells for {len(titles)} columns"))
        if any(_member(one, "_class") == "literal_ref" and _member(one, "id") is not None for one in cells):
            found.append((Weight.DIFFERENT, "/values/*/*/values/*/id", "literals have identifiers now"))
    return found


def _rows(values: Any) -> Iterator[Any]:
    for rows in values.values() if isinstance(values, dict) else ():
        for row in _list(rows):
            yield row
            yield from _rows(_member(row, "children"))


def _about_page(page: Any) -> list[tuple[Weight, str, str]]:
    size = _member(_member(page, "page"), "size")
    if isinstance(size, int) and size != contract.LARGEST_PAGE:
        return [(Weight.DIFFERENT, "/page/size", f"pages are lowered to {size} rows, not to {contract.LARGEST_PAGE}")]
    return []


def _about_calls(described: Any) -> list[tuple[Weight, str, str]]:
    """Whether the service's description of itself has everything that our client calls."""
    if described is _NO_JSON:
        return []
    found: list[tuple[Weight, str, str]] = []
    paths = _member(described, "paths")
    if not isinstance(paths, dict):
        return [(Weight.DIFFERENT, "/paths", "the description names no addresses")]
    known = {re.sub(r"\{[^}]*\}", "{}", path): one for path, one in paths.items()}
    for method, path, media in contract.CALLS:
        operation = _member(known.get(path, known.get(path.removeprefix("/api"))), method)
        if not isinstance(operation, dict):
            found.append((Weight.DOUBTFUL, "/paths", f"{method.upper()} {path} is not described any more"))
        elif media is not None and (named := set(_media_of(operation))) and media not in named:
            told = ", ".join(sorted(named))
            found.append((Weight.DOUBTFUL, "/paths", f"{method.upper()} {path} has the type {told}, not {media}"))
    version = str(_member(_member(described, "info"), "version"))
    if not re.match(rf"{re.escape(contract.BACKEND)}(?:\.|$)", version):
        found.append(
            (Weight.DIFFERENT, "/info/version", f"the backend is {version}; what is known here is {contract.BACKEND}")
        )
    return found


def _media_of(operation: dict[str, Any]) -> Iterator[str]:
    """The media types that an operation takes, or if it takes nothing, gives."""
    taken = _member(_member(operation, "requestBody"), "content")
    if isinstance(taken, dict):
        yield from taken
        return
    responses = _member(operation, "responses")
    for status, answer in responses.items() if isinstance(responses, dict) else ():
        content = _member(answer, "content")
        if str(status).startswith("2") and isinstance(content, dict):
            yield from (one.partition(";")[0] for one in content)


_NO_JSON: Final = object()


def _json(body: bytes | None) -> Any:
    if body is None:
        return _NO_JSON
    try:
        return json.loads(body)
    except ValueError:
        return _NO_JSON


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _ids(values: Any) -> Iterator[str]:
    for one in _list(values):
        identity = _member(one, "id")
        if isinstance(identity, str) and re.fullmatch(r"[a-zA-Z0-9:_-]+", identity):
            yield identity
