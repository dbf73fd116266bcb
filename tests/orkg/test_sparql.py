"""The SPARQL endpoint: what it knows of a source, and answers that are none."""

from __future__ import annotations

import pytest

from app.errors import OrkgChanged, OrkgUnavailable
from app.orkg.http import Exchange
from app.orkg.sparql import Endpoint
from app.orkg.values import Path
from tests.orkg.clients import QUICK
from tests.orkg_double.faults import Bend
from tests.orkg_double.steering import Steering

PATHS = (Path("P900002", "layer number"), Path("P900005", "training data", children=(Path("P900006", "size"),)))


def test_values_come_with_datatypes_and_labels_and_without_provenance(orkg: Steering) -> None:
    heard: list[Exchange] = []
    steps = Endpoint(orkg.address, pace=QUICK, heard=heard.append).steps("R900011", PATHS)
    found = {(one.subject, one.predicate): one for one in steps}
    layers = found["R900011", "P900002"].value
    assert (layers.label, layers.datatype) == ("24", "http://www.w3.org/2001/XMLSchema#integer")
    assert found["R900011", "P900001"].value.label == "GQA"
    assert found["R900080", "P900006"].value.label == "1.5T"
    assert not any(one.provenance for one in steps)
    assert [one.address for one in heard] == [f"{orkg.address}/triplestore/sparql"] * 2, "one question for each level"


def test_what_is_newer_than_the_last_dump_is_not_known(orkg: Steering) -> None:
    assert orkg.ask("DELETE", "/api/statements/S900002").status_code == 204
    endpoint = Endpoint(orkg.address, pace=QUICK)
    assert any(one.predicate == "P900002" for one in endpoint.steps("R900011", PATHS))
    orkg.load_dump()
    assert not any(one.predicate == "P900002" for one in endpoint.steps("R900011", PATHS))


@pytest.mark.parametrize(
    ("bend", "told"),
    [
        (Bend("html", path="/triplestore/sparql", method="POST"), "text/html"),
        (Bend("truncated", path="/triplestore/sparql", method="POST"), "JSON|is .*, not"),
        (Bend("rename", path="/triplestore/sparql", method="POST", key="bindings", to="rows"), "/results/bindings"),
    ],
)
def test_an_answer_that_is_none_is_refused(orkg: Steering, bend: Bend, told: str) -> None:
    orkg.bend(bend)
    with pytest.raises(OrkgChanged, match=told):
        Endpoint(orkg.address, pace=QUICK).steps("R900011", PATHS)


def test_an_answer_that_may_be_cut_off_is_refused(orkg: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.orkg.sparql._MOST", 3)
    with pytest.raises(OrkgChanged, match="may be cut off"):
        Endpoint(orkg.address, pace=QUICK).steps("R900011", PATHS)


def test_an_endpoint_that_is_away_is_unavailable() -> None:
    with pytest.raises(OrkgUnavailable):
        Endpoint("http://127.0.0.1:1", pace=QUICK).steps("R900011", PATHS)
