"""The RDF dump and the SPARQL endpoint over it. As in ORKG it is as fresh as the last dump loaded.

Not in it: who, when and how, frozen tables, external IRIs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from tests.orkg_double.messages import Answer, Request, as_json
from tests.orkg_double.state import Json, State

if TYPE_CHECKING:
    from rdflib import Graph
    from rdflib.query import Result
    from rdflib.term import Identifier

PATH = "/triplestore/sparql"
FILE = "/files/rdf-dumps/rdf-export-orkg.nt"
RESULTS = "application/sparql-results+json"
_BASE = "http://orkg.org/orkg/"
_XSD = "http://www.w3.org/2001/XMLSchema#"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_FITS = re.compile(r"[a-zA-Z0-9:_-]+")


def lines(state: State) -> str:
    """The dump as N-Triples."""
    return "".join(f"{one} .\n" for one in _triples(state))


def _triples(state: State) -> list[str]:
    found = []
    for thing in state.things.values():
        if thing.kind == "literal" or not _FITS.fullmatch(thing.id):
            continue
        this = f"<{_BASE}{thing.kind}/{thing.id}>"
        types = {
            "resource": [f"{_BASE}class/Resource", *(f"{_BASE}class/{one}" for one in thing.classes)],
            "predicate": [f"{_BASE}class/Predicate"],
            "class": [f"{_OWL}Class"],
        }[thing.kind]
        if "List" in thing.classes:
            types = [f"{_RDF}Seq"]
        found += [f"{this} <{_RDF}type> <{one}>" for one in types]
        found.append(f"{this} <{_RDFS}label> {_literal(thing.label, 'xsd:string')}")
    for one in state.statements.values():
        subject, object_ = state.things[one.subject], state.things[one.object]
        if not all(_FITS.fullmatch(part) for part in (subject.id, object_.id)):
            continue
        predicate = f"{_BASE}predicate/{one.predicate}" if one.index is None else f"{_RDF}_{one.index + 1}"
        said = (
            _literal(object_.label, object_.datatype or "xsd:string")
            if object_.kind == "literal"
            else f"<{_BASE}{object_.kind}/{object_.id}>"
        )
        found.append(f"<{_BASE}{subject.kind}/{subject.id}> <{predicate}> {said}")
    return found


def _literal(label: str, datatype: str) -> str:
    escaped = re.sub(r'[\x00-\x1f"\\]', lambda one: f"\\u{ord(one[0]):04X}", label)
    return f'"{escaped}"^^<{datatype.replace("xsd:", _XSD, 1) if datatype.startswith("xsd:") else datatype}>'


def as_file(state: State) -> Answer:
    """The dump as a file to download."""
    return Answer(200, (("Content-Type", "application/n-triples"),), lines(state).encode())


class Endpoint:
    """SPARQL queries over the dump that was loaded last."""

    def __init__(self, state: State) -> None:
        self._loaded = state
        self._graph: Graph | None = None

    def load(self, state: State) -> None:
        """Take over a world as it is now."""
        self._loaded, self._graph = state, None

    def answer(self, request: Request) -> Answer:
        """A query by GET or as a form by POST."""
        form = parse_qs(request.body.decode("utf-8", "replace")) if request.method == "POST" else {}
        query = request.one("query") or next(iter(form.get("query", ())), None)
        if query is None:
            return Answer(400, (("Content-Type", "text/plain"),), b"Virtuoso 22023 Error: no query\n")
        try:
            found = self._open().query(query)
        except Exception as error:
            text = f"Virtuoso 37000 Error SP030: SPARQL compiler: {error}\n"
            return Answer(400, (("Content-Type", "text/plain"),), text.encode())
        return as_json(_results(found), RESULTS)

    def _open(self) -> Graph:
        from rdflib import Graph  # takes a moment, and most tests never ask

        if self._graph is None:
            self._graph = Graph()
            self._graph.parse(data=lines(self._loaded), format="nt")
        return self._graph


def _results(found: Result) -> Json:
    """Virtuoso's dialect of the results: `typed-literal` for everything that is no plain text."""
    if found.type == "ASK":
        return {"head": {"link": []}, "boolean": bool(found.askAnswer)}
    names = [str(one) for one in found.vars or ()]
    bindings = [{str(name): _term(value) for name, value in row.items()} for row in found.bindings]
    return {
        "head": {"link": [], "vars": names},
        "results": {"distinct": False, "ordered": True, "bindings": bindings},
    }


def _term(term: Identifier) -> Json:
    from rdflib import Literal, URIRef

    if isinstance(term, URIRef):
        return {"type": "uri", "value": str(term)}
    if isinstance(term, Literal):
        if term.datatype is None or str(term.datatype) == f"{_XSD}string":
            return {"type": "literal", "value": str(term)}
        return {"type": "typed-literal", "datatype": str(term.datatype), "value": str(term)}
    return {"type": "bnode", "value": f"nodeID://b{term}"}
