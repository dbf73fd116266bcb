"""The good example with the ontology beside it, and both validators, made once per process."""

from __future__ import annotations

import pyoxigraph as ox
import pytest

from app.model.rdf import IRI
from app.resources import folder
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from app.validation.shapes import Shapes, load
from tests.validation.graphs import EXAMPLE, Data
from tests.validation.mutants import GRAPH


@pytest.fixture(scope="session")
def shapes() -> Shapes:
    return load(folder("shapes"))


@pytest.fixture(scope="session")
def sets(shapes: Shapes) -> SetValidator:
    return SetValidator(shapes)


@pytest.fixture(scope="session")
def records(shapes: Shapes) -> RecordValidator:
    return RecordValidator(shapes)


@pytest.fixture(scope="session")
def example() -> Data:
    """The good example as a dataset with named graphs."""
    store = ox.Store()
    store.load(path=EXAMPLE, format=ox.RdfFormat.TRIG)
    for name, graph in (("slmkg", "ontology"), ("vocab", "vocab"), ("units", "vocab")):
        store.load(path=folder("ontology") / f"{name}.ttl", format=ox.RdfFormat.TURTLE, to_graph=IRI(GRAPH + graph))
    return Data(list(store))


@pytest.fixture(scope="session")
def flat(example: Data) -> Data:
    """The good example as one graph."""
    return example.flat()
