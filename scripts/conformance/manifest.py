"""Reads the manifests of a checkout of w3c/rdf-tests into plain descriptions of tests.

Every test that a manifest lists becomes one `Test`; a kind of test that is not known here is an error, so that none
is left out in silence. Never runs anything and never opens a connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Final, TypeAlias

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Store

BASE: Final = "https://w3c.github.io/rdf-tests/sparql/sparql11/"
MF: Final = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT: Final = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
UT: Final = "http://www.w3.org/2009/sparql/tests/test-update#"
HT: Final = "http://www.w3.org/2011/http#"
CNT: Final = "http://www.w3.org/2011/content#"
RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS: Final = "http://www.w3.org/2000/01/rdf-schema#"
STATUS: Final = {status.phrase.replace(" ", ""): frozenset({status.value}) for status in HTTPStatus} | {
    f"StatusCode{hundred}xx": frozenset(range(hundred * 100, hundred * 100 + 100)) for hundred in range(1, 6)
}

Node: TypeAlias = NamedNode | BlankNode
Term: TypeAlias = Node | Literal


class ManifestError(Exception):
    """A manifest says something that this reader does not know."""


class Suite(StrEnum):
    """The parts of SPARQL 1.1 that can be run."""

    PROTOCOL = "protocol"
    GRAPH_STORE = "graph-store"
    QUERY = "query"
    UPDATE = "update"
    RESULTS = "results"

    @property
    def needs_http(self) -> bool:
        """Whether the tests are requests and answers, which an engine in process cannot be asked."""
        return self in {Suite.PROTOCOL, Suite.GRAPH_STORE}


ENTRANCES: Final = {
    Suite.PROTOCOL: "protocol/manifest.ttl",
    Suite.GRAPH_STORE: "graph-store-protocol/manifest.ttl",
    Suite.QUERY: "manifest-sparql11-query.ttl",
    Suite.UPDATE: "manifest-sparql11-update.ttl",
    Suite.RESULTS: "manifest-sparql11-results.ttl",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the suite and the IRI that it stands for."""

    path: Path
    iri: str

    def text(self) -> str:
        """The file as text, with the line ends that it has."""
        return self.path.read_bytes().decode()


@dataclass(frozen=True, slots=True)
class Graphs:
    """A dataset: files of the default graph, and files of named graphs with their names."""

    default: tuple[Source, ...] = ()
    named: tuple[tuple[str, Source], ...] = ()


@dataclass(frozen=True, slots=True)
class SyntaxAction:
    """A query or update that must be read, or must be refused."""

    text: Source
    update: bool
    good: bool


@dataclass(frozen=True, slots=True)
class QueryAction:
    """A query over a dataset, and its answer."""

    query: Source
    before: Graphs
    answer: Source


@dataclass(frozen=True, slots=True)
class UpdateAction:
    """An update of a dataset, and the dataset after it."""

    request: Source
    before: Graphs
    after: Graphs


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request and what its answer must be. `target` is the path of the manifest with its query string."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    statuses: frozenset[int]
    answer_kind: str | None
    truth: bool | None
    location_name: str | None
    answer_type: str | None
    answer_body: str | None


@dataclass(frozen=True, slots=True)
class RequestsAction:
    """Requests that are sent one after the other."""

    before: Graphs
    requests: tuple[Request, ...]


Action: TypeAlias = SyntaxAction | QueryAction | UpdateAction | RequestsAction


@dataclass(frozen=True, slots=True)
class Test:
    """One test of the suite. `name` is unique: folder and fragment."""

    __test__ = False

    suite: Suite
    name: str
    iri: str
    title: str
    action: Action


def suite_folder(checkout: Path) -> Path:
    """The folder of the SPARQL 1.1 tests in a checkout of w3c/rdf-tests, or the folder itself."""
    for folder in (checkout / "sparql" / "sparql11", checkout):
        if (folder / "manifest.ttl").is_file():
            return folder
    raise ManifestError(f"{checkout} is no checkout of w3c/rdf-tests: it has no sparql/sparql11/manifest.ttl")


def read_tests(folder: Path, suite: Suite) -> list[Test]:
    """All tests of one suite, in the order of the manifests."""
    return list(_Manifest(folder, folder / ENTRANCES[suite]).tests(suite))


class _Manifest:
    """One manifest file, with the manifests that it includes."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._folder, self._path = folder, path
        self._iri = BASE + path.relative_to(folder).as_posix()
        self._store = Store()
        self._store.load(path=path, format=RdfFormat.TURTLE, base_iri=self._iri)

    def tests(self, suite: Suite) -> Iterator[Test]:
        here = NamedNode(self._iri)
        for included in self._items(here, MF + "include"):
            yield from _Manifest(self._folder, self._source(included).path).tests(suite)
        for entry in self._items(here, MF + "entries"):
            if not isinstance(entry, NamedNode):
                raise ManifestError(f"{self._iri} lists a test without an IRI")
            yield self._test(suite, entry)

    def _test(self, suite: Suite, entry: NamedNode) -> Test:
        name = f"{self._path.parent.name}#{entry.value.partition('#')[2]}"
        kind = self._text(entry, RDF + "type").rpartition("#")[2]
        return Test(suite, name, entry.value, self._text(entry, MF + "name").strip(), self._action(entry, kind))

    def _action(self, entry: NamedNode, kind: str) -> Action:
        action = self._one(entry, MF + "action")
        match kind:
            case "QueryEvaluationTest" | "CSVResultFormatTest":
                query, answer = self._one(action, QT + "query"), self._one(entry, MF + "result")
                return QueryAction(self._source(query), self._graphs(action, QT), self._source(answer))
            case "UpdateEvaluationTest":
                after = self._graphs(self._one(entry, MF + "result"), UT)
                return UpdateAction(self._source(self._one(action, UT + "request")), self._graphs(action, UT), after)
            case "PositiveSyntaxTest11" | "NegativeSyntaxTest11":
                text = self._source(action)
                return SyntaxAction(text, update=text.path.suffix == ".ru", good=kind.startswith("Positive"))
            case "PositiveUpdateSyntaxTest11" | "NegativeUpdateSyntaxTest11":
                return SyntaxAction(self._source(action), update=True, good=kind.startswith("Positive"))
            case "ProtocolTest" | "GraphStoreProtocolTest":
                requests = tuple(self._request(node) for node in self._items(action, HT + "requests"))
                return RequestsAction(self._graphs(entry, UT), requests)
            case _:
                raise ManifestError(f"{entry.value} is of a kind that is not known here: {kind}")

    def _request(self, node: Term) -> Request:
        reply = self._one(node, HT + "resp")
        body = self._find(node, HT + "body")
        raw = None if body is None else self._text(body, CNT + "chars")
        encoding = "utf-8" if body is None else self._text(body, CNT + "characterEncoding")
        truth, expected = self._find(reply, MF + "expectedBoolean"), self._find(reply, HT + "body")
        statuses = [self._status(term) for term in self._all(reply, MF + "expectedStatus")]
        if not statuses:
            raise ManifestError(f"{self._iri} has a response without a status")
        return Request(
            method=self._text(node, HT + "methodName"),
            target=self._text(node, HT + "absolutePath"),
            headers=tuple(self._headers(node)),
            body=None if raw is None else raw.encode(encoding),
            statuses=frozenset[int]().union(*statuses),
            answer_kind=self._optional(reply, MF + "expectedFormat"),
            truth=None if truth is None else _value(truth) == "true",
            location_name=self._optional(reply, MF + "expectedLocation"),
            answer_type=dict(self._headers(reply)).get("content-type"),
            answer_body=None if expected is None else self._text(expected, CNT + "chars"),
        )

    def _status(self, term: Term) -> frozenset[int]:
        name = _value(term).rpartition("#")[2]
        if name not in STATUS:
            raise ManifestError(f"{self._iri} names a status that HTTP does not have: {name}")
        return STATUS[name]

    def _headers(self, node: Term) -> Iterator[tuple[str, str]]:
        for header in self._items(node, HT + "headers"):
            yield self._text(header, HT + "fieldName"), self._text(header, HT + "fieldValue")

    def _graphs(self, node: Term, vocabulary: str) -> Graphs:
        default = tuple(self._source(term) for term in self._all(node, vocabulary + "data"))
        named: list[tuple[str, Source]] = []
        for term in self._all(node, vocabulary + "graphData"):
            file = self._find(term, vocabulary + "graph")
            source = self._source(term if file is None else file)
            named.append((source.iri if file is None else self._text(term, RDFS + "label"), source))
        return Graphs(default, tuple(sorted(named, key=lambda pair: pair[0])))

    def _source(self, term: Term) -> Source:
        iri = _value(term)
        path = self._folder / iri.removeprefix(BASE)
        if not iri.startswith(BASE) or not path.is_file():
            raise ManifestError(f"{self._iri} names a file that is not there: {iri}")
        return Source(path, iri)

    def _items(self, subject: Term, predicate: str) -> Iterator[Term]:
        """Members of the list that is the value of a property, or nothing."""
        cell = self._find(subject, predicate)
        while cell is not None and _value(cell) != RDF + "nil":
            yield self._one(cell, RDF + "first")
            cell = self._one(cell, RDF + "rest")

    def _all(self, subject: Term, predicate: str) -> list[Term]:
        if isinstance(subject, Literal):
            return []
        found: list[Term] = []
        for quad in self._store.quads_for_pattern(subject, NamedNode(predicate), None):
            if isinstance(quad.object, NamedNode | BlankNode | Literal):
                found.append(quad.object)
        return found

    def _find(self, subject: Term, predicate: str) -> Term | None:
        found = self._all(subject, predicate)
        if len(found) > 1:
            raise ManifestError(f"{self._iri}: {subject} has more than one value of {predicate}")
        return found[0] if found else None

    def _one(self, subject: Term, predicate: str) -> Term:
        found = self._find(subject, predicate)
        if found is None:
            raise ManifestError(f"{self._iri}: {subject} has no {predicate}")
        return found

    def _text(self, subject: Term, predicate: str) -> str:
        return _value(self._one(subject, predicate))

    def _optional(self, subject: Term, predicate: str) -> str | None:
        found = self._find(subject, predicate)
        return None if found is None else _value(found)


def _value(term: Term) -> str:
    return term.value
