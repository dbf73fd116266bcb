"""The answers to all questions on the shipped data, and the made-up graph on which every question has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pyoxigraph as ox
import pytest
import rdflib

from app.compare.questions import questions
from app.model.rdf import IRI
from app.resources import folder
from app.services import Services
from app.store.port import Row, Snapshot
from scripts.refresh_questions import answer

HERE = Path(__file__).parent
EXAMPLE = HERE.parent / "fixtures" / "example.trig"
VOCABULARY = "https://w3id.org/slmkg/graph/vocab"

Ask = Callable[[str], list[Row]]


@pytest.fixture(scope="session")
def snapshot(seed_services: Services) -> Snapshot:
    """The newest revision of the shipped data."""
    return seed_services.store.at()


@pytest.fixture(scope="session")
def answers(snapshot: Snapshot) -> Mapping[str, str]:
    """The answer to every question as CSV."""
    return {one.name: answer(snapshot, one.name, one.text) for one in questions()}


class Pair:
    """One graph in two engines."""

    def __init__(self, *files: str) -> None:
        self.engine = ox.Store()
        self.other = rdflib.Dataset(default_union=True)
        for path in (EXAMPLE, *(HERE / name for name in files)):
            self.engine.load(path=path, format=ox.RdfFormat.TRIG)
            self.other.parse(path, format="trig")
        for name in ("slmkg.ttl", "vocab.ttl", "units.ttl"):
            path = folder("ontology") / name
            self.engine.load(path=path, format=ox.RdfFormat.TURTLE, to_graph=IRI(VOCABULARY))
            self.other.graph(rdflib.URIRef(VOCABULARY)).parse(path, format="turtle")


@pytest.fixture(scope="session")
def made_up() -> Pair:
    """The good example with questions.trig beside it."""
    return Pair("questions.trig")


@pytest.fixture(scope="session")
def two_releases() -> Pair:
    """The same with the curated graph of an older release."""
    return Pair("questions.trig", "release.trig")
