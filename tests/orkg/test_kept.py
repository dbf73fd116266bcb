"""What is kept for a day, and what never is."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import OrkgChanged, OrkgMissing
from app.orkg.http import Exchange
from tests.orkg.clients import client
from tests.orkg_double.faults import Bend
from tests.orkg_double.state import BO
from tests.orkg_double.steering import Steering


def test_predicates_are_asked_for_once_also_by_the_next_client(orkg: Steering, tmp_path: Path) -> None:
    file = tmp_path / "orkg" / "kept.sqlite"
    with client(orkg, cache=file) as first:
        label = first.predicate("P900001").label
        assert first.predicate("P900001").label == label
    heard: list[Exchange] = []
    with client(orkg, cache=file, heard=heard.append) as second:
        assert second.predicate("P900001").label == label
        assert second.class_("C70000").label
    assert [one["path"] for one in orkg.log()] == ["/api/predicates/P900001", "/api/classes/C70000"]
    assert heard[0].at < heard[1].at, "a kept answer says when it came"
    assert heard[0].body.startswith(b"{")


def test_tables_and_statements_are_never_kept(orkg: Steering, tmp_path: Path) -> None:
    with client(orkg, cache=tmp_path / "kept.sqlite") as reader:
        reader.statement("S900002")
        orkg.ask("PUT", "/api/statements/S900002", user=BO, json={"object_id": "L900004"})
        assert reader.statement("S900002").object.label == "22"
        for _ in range(2):
            reader.contents("R900001")
            reader.comparison("R900001")
    assert len(orkg.log()) == 6


def test_errors_and_other_pages_are_never_kept(orkg: Steering, tmp_path: Path) -> None:
    with client(orkg, cache=tmp_path / "kept.sqlite") as reader:
        with pytest.raises(OrkgMissing):
            reader.predicate("P424242")
        orkg.bend(Bend("html"))
        with pytest.raises(OrkgChanged):
            reader.predicate("P900002")
        orkg.bend()
        assert reader.predicate("P900002").label == "layer number"


def test_a_file_that_cannot_be_used_is_passed_over(orkg: Steering, tmp_path: Path) -> None:
    file = tmp_path / "kept.sqlite"
    file.write_bytes(b"this is no database" * 100)
    with client(orkg, cache=file) as reader:
        assert reader.predicate("P900002").label == "layer number"
