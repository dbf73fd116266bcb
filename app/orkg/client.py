"""A client of the ORKG's REST API: values in, values out. It knows nothing of our graph and keeps no state but a token.

Reading needs no account. Every write is one request; what several of them mean together is `app.orkg.push`'s. Writes
that may not be carried out twice raise OrkgUncertain when their answer is lost; look (by DOI, IRI or triple) before
you send them again. Only `create_statement` may be sent again: the same triple gives the same identifier.

    with Orkg("https://orkg.org") as orkg:
        table = orkg.contents("R753434")
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from itertools import count
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from app.errors import OrkgChanged, OrkgMissing, OrkgUnavailable
from app.orkg import reading, wire
from app.orkg.http import Exchange, Http
from app.orkg.pace import Pace
from app.orkg.reading import Shape
from app.orkg.sign_in import Account
from app.orkg.values import (
    Author,
    Bundle,
    Comparison,
    Contents,
    Contribution,
    Contributor,
    Method,
    NewComparison,
    NewContribution,
    NewLiteral,
    NewPaper,
    NewParts,
    Page,
    Paper,
    Path,
    SourceRef,
    Statement,
    TablePath,
    Thing,
    TimelineEntry,
    User,
)

T = TypeVar("T")

PRODUCTION = "https://orkg.org"
SANDBOX = "https://sandbox.orkg.org"
ACCOUNTS = "https://accounts.orkg.org"

PLAIN = "application/json"
COMPARISON = "application/vnd.orkg.comparison.v3+json"
PAPER = "application/vnd.orkg.paper.v2+json"
CONTRIBUTION = "application/vnd.orkg.contribution.v2+json"

PAGE = 2500
"""The largest page; a larger size is silently lowered to it."""
_MOST_PAGES = 400
_MORE_PAGES = 3
"""Pages by which a list may grow while it is read."""
_READINGS = 4
"""How often a list of several pages is read to see it twice in a row unchanged."""


class Orkg:
    """Asks one ORKG at `base_url`. Use as a context manager, or call `close`.

    `contact` (an address of a person) goes into the User-Agent. `account` is needed for writes; `accounts_url` is the
    identity service. `cache` is a file in which answers on predicates, classes and people are kept for a while: nothing
    else is. `heard` gets every answer that is not about signing in, as it came. `clock` counts seconds for tokens;
    `transport` sends requests in place of the network.
    """

    def __init__(
        self,
        base_url: str = PRODUCTION,
        *,
        contact: str | None = None,
        account: Account | None = None,
        accounts_url: str = ACCOUNTS,
        pace: Pace | None = None,
        cache: FilePath | None = None,
        heard: Callable[[Exchange], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Http(
            base_url,
            contact=contact,
            account=account,
            accounts_url=accounts_url,
            pace=pace or Pace(),
            cache=cache,
            heard=heard,
            clock=clock,
            transport=transport,
        )

    @property
    def base(self) -> str:
        """The address of the service."""
        return self._http.base

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, path: str, accept: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """The body of an answer as it came, for those who look at its form; OrkgError."""
        return self._http.get(path, accept, parameters)[0]

    # Comparisons

    def comparison(self, comparison: str) -> Comparison:
        """A comparison, head or frozen version; OrkgMissing."""
        return self._one(reading.COMPARISON, f"/api/comparisons/{comparison}", COMPARISON)

    def comparisons(self, **filters: str) -> tuple[Comparison, ...]:
        """Comparisons that fit the API's own filters, such as `title`, `doi`, `created_by`, `visibility`."""
        return self._all(reading.COMPARISONS, "/api/comparisons", COMPARISON, filters, key=lambda one: one.id)

    def contents(self, comparison: str) -> Contents:
        """The table of a comparison: computed now for a head, as stored for a frozen version. It may be empty."""
        return self._one(reading.CONTENTS, f"/api/comparisons/{comparison}/contents", COMPARISON)

    def table_paths(self, comparison: str) -> tuple[TablePath, ...]:
        """All paths that lead on from the sources of a head, with how many sources have each."""
        return self._one(reading.TABLE_PATHS, f"/api/comparisons/{comparison}/table-paths", COMPARISON)

    # Papers and contributions

    def paper(self, paper: str) -> Paper:
        """A paper; OrkgMissing."""
        return self._one(reading.PAPER, f"/api/papers/{paper}", PAPER)

    def paper_with_doi(self, doi: str) -> Paper | None:
        """The paper with this DOI, in whatever case it is written; None when there is none."""
        found = self._http.found("/api/papers", PAPER, {"doi": doi})
        return None if found is None else self.paper(found)

    def papers_titled(self, title: str) -> tuple[Paper, ...]:
        """All papers of exactly this title."""
        filters = {"title": title, "exact": "true"}
        return self._all(reading.PAPERS, "/api/papers", PAPER, filters, key=lambda one: one.id)

    def contribution(self, contribution: str) -> Contribution:
        """The first level of a contribution; OrkgMissing."""
        return self._one(reading.CONTRIBUTION, f"/api/contributions/{contribution}", CONTRIBUTION)

    # Statements and things

    def statements(
        self,
        *,
        subject: str | None = None,
        predicate: str | None = None,
        object: str | None = None,
        created_since: str | None = None,
    ) -> tuple[Statement, ...]:
        """All statements that fit, each with its whole subject, predicate and object. Deletions leave no trace."""
        filters = {
            "subject_id": subject,
            "predicate_id": predicate,
            "object_id": object,
            "created_at_start": created_since,
        }
        given = {name: value for name, value in filters.items() if value is not None}
        if not given:
            raise ValueError("statements of the whole ORKG are not asked for: name a subject, predicate or object")
        return self._all(reading.STATEMENTS, "/api/statements", PLAIN, given, key=lambda one: one.id)

    def statement(self, statement: str) -> Statement:
        """One statement; OrkgMissing."""
        return self._one(reading.STATEMENT, f"/api/statements/{statement}", PLAIN)

    def subgraph(self, thing: str, *, max_hops: int) -> tuple[Statement, ...]:
        """All statements up to 10 steps away from a thing; OrkgMissing."""
        filters = {"max_hops": str(min(max(max_hops, 1), 10))}
        path = f"/api/things/{thing}/subgraph"
        return self._all(reading.STATEMENTS, path, PLAIN, filters, key=lambda one: one.id, sort=False)

    def bundle(self, thing: str, *, max_level: int) -> Bundle:
        """The same from the older endpoint, which is on its way out."""
        parameters = {"max_level": str(max_level)}
        return self._one(reading.BUNDLE, f"/api/statements/{thing}/bundle", PLAIN, parameters)

    def thing(self, thing: str) -> Thing:
        """Anything that has an identifier; OrkgMissing."""
        return self._one(reading.THING, f"/api/things/{thing}", PLAIN)

    def things_with_uri(self, uri: str) -> tuple[Thing, ...]:
        """The things with this absolute IRI: none or one, as the service means it."""
        return self._all(reading.THINGS, "/api/things", PLAIN, {"uri": uri}, key=lambda one: one.id, sort=False)

    def predicate(self, predicate: str) -> Thing:
        """A predicate; OrkgMissing. The answer may be one that was kept for a while."""
        return self._one(reading.THING, f"/api/predicates/{predicate}", PLAIN, keep=True)

    def class_(self, name: str) -> Thing:
        """A class; OrkgMissing. The answer may be one that was kept for a while."""
        return self._one(reading.THING, f"/api/classes/{name}", PLAIN, keep=True)

    def resources_labelled(self, label: str) -> tuple[Thing, ...]:
        """All resources with exactly this label: labels are not unique."""
        return self._all(reading.THINGS, "/api/resources", PLAIN, {"q": label, "exact": "true"}, key=lambda one: one.id)

    def predicates_labelled(self, label: str) -> tuple[Thing, ...]:
        """All predicates with exactly this label: labels are not unique."""
        return self._all(
            reading.THINGS, "/api/predicates", PLAIN, {"q": label, "exact": "true"}, key=lambda one: one.id
        )

    def literals_labelled(self, label: str) -> tuple[Thing, ...]:
        """All literals of exactly these characters, of whatever datatype."""
        return self._all(reading.THINGS, "/api/literals", PLAIN, {"q": label, "exact": "true"}, key=lambda one: one.id)

    def timeline(self, resource: str) -> tuple[TimelineEntry, ...]:
        """Who changed something of a resource, and when; not what."""
        path = f"/api/resources/{resource}/timeline"
        return self._all(
            reading.TIMELINE, path, PLAIN, {}, key=lambda one: f"{one.created_by} {one.created_at}", sort=False
        )

    def contributor(self, contributor: str) -> Contributor:
        """Somebody with an account, as all may see them. The answer may be one that was kept for a while."""
        return self._one(reading.CONTRIBUTOR, f"/api/contributors/{contributor}", PLAIN, keep=True)

    def user(self) -> User:
        """The account that is signed in; OrkgSignIn, OrkgRefused without one."""
        body, address = self._http.get("/api/user", PLAIN, signed=True)
        return reading.USER.read(body, address)

    # Writes

    def create_paper(self, paper: NewPaper, method: Method) -> str:
        """Make a paper; its identifier. OrkgRefused of kind `paper_already_exists` for a DOI or title that is there."""
        return self._http.created("/api/papers", wire.paper(paper, method), media=PAPER)

    def create_contribution(self, paper: str, contribution: NewContribution, parts: NewParts, method: Method) -> str:
        """Make a contribution of a paper; its identifier."""
        body = wire.contribution(contribution, parts, method)
        return self._http.created(f"/api/papers/{paper}/contributions", body, media=CONTRIBUTION)

    def create_comparison(self, comparison: NewComparison, method: Method) -> str:
        """Make a draft; its identifier. It has no rows until `set_contents`."""
        return self._http.created("/api/comparisons", wire.comparison(comparison, method), media=COMPARISON)

    def set_sources(self, comparison: str, sources: Iterable[SourceRef], method: Method) -> None:
        """Replace the whole list of columns of a head. What is left out is removed; a new order renews statements."""
        body = {"sources": wire.sources(sources), "extraction_method": method.value}
        self._http.write("PUT", f"/api/comparisons/{comparison}", body, media=COMPARISON, again=True)

    def set_references(self, comparison: str, references: Sequence[str], method: Method) -> None:
        """Replace the references of a head."""
        body = {"references": list(references), "extraction_method": method.value}
        self._http.write("PUT", f"/api/comparisons/{comparison}", body, media=COMPARISON, again=True)

    def set_contents(self, comparison: str, paths: Iterable[Path]) -> None:
        """Replace the chosen rows of a head. Set its sources first."""
        body = {"selected_paths": wire.paths(paths)}
        self._http.write("PUT", f"/api/comparisons/{comparison}/contents", body, media=COMPARISON, again=True)

    def publish(
        self, comparison: str, *, subject: str, description: str, authors: Sequence[Author], assign_doi: bool
    ) -> str:
        """Freeze a head as a version; the version's identifier. `assign_doi` registers a **permanent** DOI.

        OrkgUncertain also when the registration of the DOI failed: the version may be there all the same.
        """
        body = {
            "subject": subject,
            "description": description,
            "authors": wire.authors(authors),
            "assign_doi": assign_doi,
        }
        return self._http.created(f"/api/comparisons/{comparison}/publish", body)

    def delete_draft(self, comparison: str) -> None:
        """Delete a comparison that was never published. One that is gone already counts as deleted."""
        self._delete(f"/api/comparisons/{comparison}", media=COMPARISON)

    def create_resource(self, label: str, classes: Sequence[str], method: Method) -> str:
        """Make a resource; its identifier. An IRI is lost on the way: `set_uri` afterwards, and look."""
        body = {"label": label, "classes": list(classes), "extraction_method": method.value}
        return self._http.created("/api/resources", body)

    def set_uri(self, resource: str, uri: str) -> None:
        """Give a resource its IRI: once, absolute, and taken by nobody else. OrkgRefused otherwise."""
        self._http.write("PUT", f"/api/resources/{resource}", {"uri": uri}, again=True)

    def set_predicate_uri(self, predicate: str, uri: str) -> None:
        """Give a predicate its IRI: once, absolute, and taken by nobody else. OrkgRefused otherwise."""
        self._http.write("PUT", f"/api/predicates/{predicate}", {"uri": uri}, again=True)

    def create_predicate(self, label: str, method: Method) -> str:
        """Make a predicate; its identifier. Its description is a statement of its own."""
        return self._http.created("/api/predicates", {"label": label, "extraction_method": method.value})

    def create_literal(self, literal: NewLiteral, method: Method) -> str:
        """Make a literal; its identifier. OrkgRefused when the label does not fit the datatype."""
        return self._http.created("/api/literals", wire.literal(literal, method))

    def update_literal(self, literal: str, new: NewLiteral, method: Method) -> None:
        """Change the characters of a literal, wherever it is used."""
        self._http.write("PUT", f"/api/literals/{literal}", wire.literal(new, method), again=True)

    def create_statement(self, subject: str, predicate: str, object: str, method: Method) -> str:
        """Make a statement; its identifier, which is the old one if the triple is there already."""
        body = {
            "subject_id": subject,
            "predicate_id": predicate,
            "object_id": object,
            "extraction_method": method.value,
        }
        return self._http.created("/api/statements", body, again=True)

    def update_statement(self, statement: str, object: str, method: Method) -> None:
        """Point a statement at another object. Who made it and when stays; a literal that nobody uses then is gone."""
        body = {"object_id": object, "extraction_method": method.value}
        self._http.write("PUT", f"/api/statements/{statement}", body, again=True)

    def delete_statement(self, statement: str) -> None:
        """Delete a statement, and its literal if nobody else uses it. One that is gone already counts as deleted."""
        self._delete(f"/api/statements/{statement}")

    def _delete(self, path: str, *, media: str = PLAIN) -> None:
        try:
            self._http.write("DELETE", path, media=media, accept=PLAIN, again=True)
        except OrkgMissing:
            return

    def _one(
        self, shape: Shape[T], path: str, accept: str, parameters: dict[str, str] | None = None, *, keep: bool = False
    ) -> T:
        body, address = self._http.get(path, accept, parameters, keep=keep)
        return shape.read(body, address)

    def _all(
        self,
        shape: Shape[Page[T]],
        path: str,
        accept: str,
        parameters: dict[str, str],
        *,
        key: Callable[[T], str],
        sort: bool = True,
    ) -> tuple[T, ...]:
        """A whole list. Of several pages it is read until two readings in a row agree, since it moves meanwhile."""
        before: frozenset[str] | None = None
        for _ in range(_READINGS):
            found, reading = self._pages(shape, path, accept, parameters, key, sort)
            if reading is _Reading.ONE_PAGE or (reading is _Reading.STILL and found.keys() == before):
                return tuple(found.values())
            before = frozenset(found) if reading is _Reading.STILL else None
        raise OrkgUnavailable(f"{self.base}{path}: the list changed each time it was read")

    def _pages(
        self,
        shape: Shape[Page[T]],
        path: str,
        accept: str,
        parameters: dict[str, str],
        key: Callable[[T], str],
        sort: bool,
    ) -> tuple[dict[str, T], _Reading]:
        """All pages of one reading, and whether the list seemed to stand still meanwhile."""
        found: dict[str, T] = {}
        order = {"sort": "created_at,asc"} if sort else {}
        totals: set[int] = set()
        last = 0
        for number in count():
            asked: dict[str, Any] = {**parameters, **order, "page": number, "size": PAGE}
            body, address = self._http.get(path, accept, asked)
            page = shape.read(body, address)
            if page.page.number != number:
                raise OrkgChanged(address, f"page {page.page.number} came instead", pointer="/page/number")
            if len(page.content) > PAGE:
                problem = f"{len(page.content)} came for a page of {PAGE}"
                raise OrkgChanged(address, problem, pointer="/content")
            found.update({key(one): one for one in page.content})
            totals.add(page.page.total_elements)
            if number == 0:
                last = min(page.page.total_pages + _MORE_PAGES, _MOST_PAGES)
            if number + 1 >= page.page.total_pages:
                if number == 0 and len(page.content) != page.page.total_elements:
                    raise OrkgChanged(address, "the only page does not hold all that it counts", pointer="/page")
                still = _Reading.STILL if totals == {len(found)} else _Reading.MOVED
                return found, _Reading.ONE_PAGE if number == 0 else still
            if not page.content or number >= last:
                problem = f"page {number} of {page.page.total_pages} is no page of a list that ends"
                raise OrkgChanged(address, problem, pointer="/page/total_pages")
        raise AssertionError("the pages end with an answer or an error")


class _Reading(Enum):
    """How one reading of a list went. One page is whole by itself; several may have moved under our hands."""

    ONE_PAGE = "one page"
    STILL = "still"
    MOVED = "moved"
