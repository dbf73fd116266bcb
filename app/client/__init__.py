"""A client of the service: questions as methods, typed answers, typed errors.

    with Client("http://127.0.0.1:8000") as slmkg:
        table = slmkg.compare(where="parameters:..1B", properties=["parameters", "license"])
        table.to_pandas()

It knows the service by its addresses only: nothing of the server is imported. Answers are checked by shape when they
arrive and keep members that this version does not know. A client may be shared between threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from app.client.answers import (
    Answer,
    Comparison,
    ExampleQueries,
    ExampleQuery,
    Facets,
    Fit,
    Leaderboard,
    ModelPage,
    Models,
    Observations,
    Properties,
    Question,
    Solutions,
    solutions,
)
from app.client.errors import BadAnswer
from app.client.http import Http

Names: TypeAlias = str | Sequence[str]
"""A list as an address has it, or its members."""

_IN_ADDRESS = 1_500
"""Characters up to which a SPARQL query stands in the address, where answers have tags."""

A = TypeVar("A", bound=Answer)
S = TypeVar("S", bound=BaseModel)


class Client:
    """Asks one service.

    `key` is sent as `Authorization: Bearer`. `attempts` is how often an idempotent request is tried in all, when the
    service is busy or cannot be reached, within `patience` seconds; an answer's Retry-After is kept to. `timeout` is
    for each request, in seconds. `cache_bytes` bounds the answers that are kept: those of a fixed revision are given
    again as they are, all others only when the service says that they are still right. `max_bytes` bounds one answer.
    `transport` replaces the network, as httpx has it.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        timeout: float = 30,
        attempts: int = 5,
        patience: float = 60,
        cache_bytes: int = 32 * 2**20,
        max_bytes: int = 256 * 2**20,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = Http(
            base_url,
            key,
            timeout=timeout,
            attempts=attempts,
            patience=patience,
            cache_bytes=cache_bytes,
            max_bytes=max_bytes,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def compare(
        self,
        models: Names = (),
        properties: Names = (),
        *,
        where: Names = (),
        search: str = "",
        baselines: bool = False,
        sort: Names = (),
        group: str = "",
        units: Names = (),
        transpose: bool = False,
        different: bool = False,
        limit: int | None = None,
        revision: int | None = None,
        evidence: bool = False,
        history: bool = False,
    ) -> Comparison:
        """Models by properties and metrics; parameters are written as in addresses of comparisons.

        With `evidence` each claim that a cell names is told in `evidence`, with `history` the revisions in which each
        cell changed in `history`. `pages` has the further models.
        """
        given = {
            "models": models,
            "properties": properties,
            "where": where,
            "search": search,
            "baselines": baselines,
            "sort": sort,
            "group": group,
            "units": units,
            "transpose": transpose,
            "different": different,
            "limit": limit,
            "_extra": [name for name, wanted in (("evidence", evidence), ("history", history)) if wanted],
        }
        return self._ask(Comparison, "/api/v1/compare", given, revision)

    def observations(
        self, *, where: Names = (), sort: Names = (), limit: int | None = None, revision: int | None = None
    ) -> Observations:
        """Observations with all their conditions; `pages` has the further ones."""
        return self._ask(Observations, "/api/v1/observations", {"where": where, "sort": sort, "limit": limit}, revision)

    def leaderboard(
        self,
        benchmark: str,
        *,
        metric: str = "",
        conditions: Names = (),
        where: Names = (),
        search: str = "",
        baselines: bool = False,
        revision: int | None = None,
    ) -> Leaderboard:
        """The rankings of a benchmark, one for each setting. `conditions` are those on observations: `shots:5`."""
        given = {"metric": metric, "with": conditions, "where": where, "search": search, "baselines": baselines}
        return self._ask(Leaderboard, f"/api/v1/leaderboards/{quote(benchmark, safe='')}", given, revision)

    def fit(
        self,
        memory: str,
        *,
        context: str | int = "",
        bits: float | None = None,
        quantisation: str = "",
        best: str = "",
        where: Names = (),
        search: str = "",
        limit: int | None = None,
        revision: int | None = None,
    ) -> Fit:
        """The models that fit into a memory (`2GB`) with a context (`4k` tokens), the best first."""
        given = {
            "memory": memory,
            "context": str(context),
            "bits": bits,
            "quantisation": quantisation,
            "best": best,
            "where": where,
            "search": search,
            "limit": limit,
        }
        return self._ask(Fit, "/api/v1/fit", given, revision)

    def facets(
        self,
        properties: Names = (),
        *,
        where: Names = (),
        search: str = "",
        baselines: bool = False,
        revision: int | None = None,
    ) -> Facets:
        """How many models have which value; each column is counted under the filters of all others."""
        given = {"properties": properties, "where": where, "search": search, "baselines": baselines}
        return self._ask(Facets, "/api/v1/facets", given, revision)

    def model(self, slug: str, *, revision: int | None = None) -> ModelPage:
        """One model with every claim, its source, and how disagreements were settled."""
        return self._ask(ModelPage, f"/api/v1/models/{quote(slug, safe='')}", {}, revision)

    def models(
        self, search: str = "", *, baselines: bool = False, limit: int = 50, page: int = 1, revision: int | None = None
    ) -> Models:
        """One page of the models in whose names all the words stand, by label."""
        given = {
            "search": search,
            "include_baselines": "true" if baselines else "",
            "limit": limit,
            "page": page,
        }
        return self._ask(Models, "/api/v1/models", given, revision)

    def queries(self) -> list[ExampleQuery]:
        """Example queries in SPARQL."""
        return self._read(ExampleQueries, Question("/api/v1/queries", (), None)).queries

    def properties(self, *, revision: int | None = None) -> Properties:
        """Every property that can be compared."""
        return self._ask(Properties, "/api/v1/properties", {}, revision)

    def sparql(self, query: str, *, revision: int | None = None) -> Solutions:
        """Answer a SPARQL query. Short queries are asked by address, so that unchanged answers are kept."""
        question = Question("/sparql", (("query", query),), revision)
        accept = "application/sparql-results+json, text/turtle;q=0.5"
        if len(query) <= _IN_ADDRESS:
            received = self._http.get(question.address(), accept)
        else:
            address = Question("/sparql", (), revision).address()
            kind = {"Content-Type": "application/sparql-query"}
            received = self._http.send("POST", address, accept, headers=kind, content=query.encode())
        number = int(received.headers.get("x-revision", 0))
        found = solutions(received.body, received.headers.get("content-type", ""), number)
        return found.bound(question, self._http.base)

    def pages(self, first: A) -> Iterator[A]:
        """This page and all that follow it, of the revision of the first one, whatever is committed meanwhile."""
        page = first
        while True:
            yield page
            following, question = getattr(page, "next", None), page.question
            if following is None or question is None:
                return
            kept = tuple(one for one in question.parameters if one[0] != "after")
            page = self._answer(type(first), Question(question.path, (*kept, ("after", following)), first.revision))

    def _ask(self, kind: type[A], path: str, given: Mapping[str, Any], revision: int | None) -> A:
        parameters = tuple((name, text) for name, value in given.items() if (text := _written(value)))
        return self._answer(kind, Question(path, parameters, revision))

    def _answer(self, kind: type[A], question: Question) -> A:
        return self._read(kind, question).bound(question, self._http.base)

    def _read(self, kind: type[S], question: Question) -> S:
        received = self._http.get(question.address(), "application/json")
        try:
            return kind.model_validate_json(received.body)
        except ValidationError as error:
            where = "/".join(map(str, error.errors()[0]["loc"]))
            raise BadAnswer(f"{self._http.base}: the answer is none that this client knows, at /{where}") from error


def _written(value: Any) -> str:
    """A parameter as an address has it; empty for what says nothing."""
    if value is None or value is False:
        return ""
    if value is True:
        return "yes"
    if isinstance(value, str):
        return value
    return ",".join(map(str, value)) if isinstance(value, Iterable) else str(value)
