"""The small world of the examples: three invented models, a head, a frozen version, one that lost its table."""

from __future__ import annotations

import json
from pathlib import Path

from tests.orkg_double import base, clock
from tests.orkg_double.state import ADA, Comparison, Json, Paper, State, Statement, Thing

EXAMPLES = Path(__file__).parent / "examples"
MADE = "2026-09-01T10:15:30.123456789+02:00"
PUBLISHED = "2026-09-02T08:00:00.000000001+02:00"
TITLE = "Synthetic comparison of small models"
DESCRIPTION = "Invented rows used only to test a client."

PREDICATES = {
    "P900001": ("attention type", "Kind of attention."),
    "P900002": ("layer number", None),
    "P900003": ("hidden size", None),
    "P900005": ("training data", "Corpus used for pretraining."),
    "P900006": ("size in tokens", None),
}
PAPERS = {
    "R900010": ("Synthetic report on Model A", "10.99999/model-a", 7, 2025, "https://example.org/model-a"),
    "R900020": ("Synthetic report on Model B", "10.99999/model-b", 8, 2025, "https://example.org/model-b"),
    "R900030": ("Synthetic report on Model C", None, None, 2026, None),
}
CONTRIBUTIONS = {
    "R900011": ("Model A 0.5B", "R900010"),
    "R900012": ("Model A 1.5B", "R900010"),
    "R900021": ("Model B 1.1B", "R900020"),
    "R900031": ("Contribution 1", "R900030"),
}
RESOURCES = {
    "R900070": ("GQA", ()),
    "R900071": ("MHA", ()),
    "R900072": ("GQA", ()),
    "R900080": ("Synthetic Crawl", ("Dataset",)),
    "R900081": ("Synthetic Code", ("Dataset",)),
    "R900090": ("Language modelling", ("Problem",)),
    "R900050": ("Ada Example", ("Author",)),
    "R900060": ("Layers per model", ("Visualization",)),
}
LITERALS = {
    "L900001": ("24", "xsd:integer"),
    "L900002": ("1024", "xsd:integer"),
    "L900003": ("1.5T", "xsd:string"),
    "L900004": ("22", "xsd:integer"),
    "L900005": ("24 (large)", "xsd:string"),
    "L900006": ("2,048", "xsd:string"),
    "L900007": ("2048", "xsd:decimal"),
    "L900008": ("gqa", "xsd:string"),
    "L900009": ("28", "xsd:integer"),
    "L900040": ("Bo Example", "xsd:string"),
}
STATEMENTS = (
    ("S900001", "R900011", "P900001", "R900070", "MANUAL"),
    ("S900002", "R900011", "P900002", "L900001", "MANUAL"),
    ("S900003", "R900011", "P900003", "L900002", "AI_GENERATED_WITH_MANUAL_REVIEW"),
    ("S900004", "R900011", "P900005", "R900080", "MANUAL"),
    ("S900005", "R900011", "P900005", "R900081", "MANUAL"),
    ("S900006", "R900080", "P900006", "L900003", "MANUAL"),
    ("S900007", "R900011", "P32", "R900090", "MANUAL"),
    ("S900008", "R900012", "P900002", "L900009", "MANUAL"),
    ("S900009", "R900021", "P900001", "R900071", "MANUAL"),
    ("S900010", "R900021", "P900002", "L900004", "MANUAL"),
    ("S900011", "R900021", "P900002", "L900005", "UNKNOWN"),
    ("S900012", "R900021", "P900003", "L900006", "UNKNOWN"),
    ("S900013", "R900021", "P900005", "R900080", "MANUAL"),
    ("S900014", "R900021", "P32", "R900090", "MANUAL"),
    ("S900015", "R900031", "P900001", "L900008", "UNKNOWN"),
    ("S900016", "R900031", "P900003", "L900007", "UNKNOWN"),
    ("S900017", "R900031", "P32", "R900090", "MANUAL"),
)
SOURCES = ("R900011", "R900021", "R900031")
_CHOSEN: Json = [
    {"id": "P900001", "type": "PREDICATE", "children": []},
    {"id": "P900002", "type": "PREDICATE", "children": []},
    {"id": "P900003", "type": "PREDICATE", "children": []},
    {"id": "P900005", "type": "PREDICATE", "children": [{"id": "P900006", "type": "PREDICATE", "children": []}]},
]
AUTHORS: Json = (
    {"id": "R900050", "name": "Ada Example", "identifiers": {"orcid": ["0000-0002-1825-0097"]}},
    {"name": "Bo Example"},
)


def world() -> State:
    """R900001 is the head, R900101 its version, R900002 has no paths, R900199's table was lost in the migration."""
    state = base.world()
    for identity, (label, description) in PREDICATES.items():
        uri = "https://example.org/slm/vocab#layerCount" if identity == "P900002" else None
        state.put(Thing(identity, "predicate", label, MADE, ADA, uri=uri))
        if description:
            _say(state, identity, "description", _literal(state, description))
    for identity, (label, classes) in RESOURCES.items():
        uri = "https://example.org/slm/attention/gqa" if identity == "R900070" else None
        state.put(Thing(identity, "resource", label, MADE, ADA, "MANUAL", classes, uri))
    for identity, (label, datatype) in LITERALS.items():
        state.put(Thing(identity, "literal", label, MADE, ADA, "MANUAL", datatype=datatype))
    state.put(Thing("hasListElement", "predicate", "has list element", MADE, ADA))
    state.put(Thing("R900040", "resource", "authors list", MADE, ADA, "UNKNOWN", ("List",)))
    state.put_statement(Statement("S900019", "R900040", "hasListElement", "R900050", MADE, ADA, "MANUAL", 0))
    state.put_statement(Statement("S900020", "R900040", "hasListElement", "L900040", MADE, ADA, "MANUAL", 1))
    for identity, (title, doi, month, year, url) in PAPERS.items():
        state.put(Thing(identity, "resource", title, MADE, ADA, "MANUAL", ("Paper",)))
        when = {"published_month": month, "published_year": year, "url": url}
        identifiers = {"doi": [doi]} if doi else {}
        state.papers[identity] = Paper(identity, ("R133",), identifiers, when, ({"name": "Ada Example"},))
        if doi:
            _say(state, identity, "P26", _literal(state, doi))
    for identity, (label, paper) in CONTRIBUTIONS.items():
        state.put(Thing(identity, "resource", label, MADE, ADA, "MANUAL", ("Contribution", "C70000")))
        _say(state, paper, "P31", identity)
    for identity, subject, predicate, object_, method in STATEMENTS:
        state.put_statement(Statement(identity, subject, predicate, object_, MADE, ADA, method))
    _comparisons(state)
    state.put(Thing("R900200", "resource", "Synthetic model template", MADE, ADA, "MANUAL"))
    state.documents = {
        "/api/templates/R900200": _example("template.json"),
        "/api/visualizations/R900060": _example("visualization.json"),
        "/simcomp/thing/R900101": _example("legacy.simcomp.thing.json"),
    }
    state.now = clock.START
    return state


def _comparisons(state: State) -> None:
    for identity, label, sources in (
        ("R900001", TITLE, SOURCES),
        ("R900002", "Synthetic comparison without chosen rows", SOURCES),
        ("R900003", "Synthetic comparison of one model", SOURCES[:1]),
    ):
        state.put(Thing(identity, "resource", label, MADE, ADA, "UNKNOWN", ("Comparison",)))
        state.comparisons[identity] = Comparison(
            identity,
            identity,
            DESCRIPTION,
            research_fields=("R133",),
            authors=AUTHORS,
            visualizations=("R900060",) if identity == "R900001" else (),
            selected_paths=() if identity == "R900002" else _CHOSEN,
        )
        for source in sources:
            _say(state, identity, "compareContribution", source)
    for identity, made, stored in (
        ("R900101", PUBLISHED, _example("comparison.contents.json")),
        ("R900199", "2025-01-10T10:00:00+01:00", _example("comparison.contents.empty.json")),
    ):
        head = "R900001" if identity == "R900101" else "R900002"
        classes = ("ComparisonPublished", "LatestVersion")
        state.put(Thing(identity, "resource", state.things[head].label, made, ADA, "UNKNOWN", classes))
        state.comparisons[identity] = Comparison(
            identity,
            head,
            DESCRIPTION,
            research_fields=("R133",),
            identifiers={"doi": [f"10.99999/{identity}"]},
            publication_info={"published_year": int(made[:4])},
            authors=AUTHORS,
            visualizations=("R900060",) if identity == "R900101" else (),
        )
        state.tables[identity] = stored
        for source in SOURCES:
            _say(state, identity, "compareContribution", source)
        _say(state, head, "hasPublishedVersion", identity)


def _example(name: str) -> Json:
    return json.loads((EXAMPLES / name).read_text(encoding="utf-8"))


def _literal(state: State, label: str) -> str:
    return state.literal(label, by=ADA, method="MANUAL").id


def _say(state: State, subject: str, predicate: str, object_: str) -> None:
    base.at(state, MADE)
    state.say(subject, predicate, object_, by=ADA, method="MANUAL")
