"""Graphs for measurements are whole copies that keep to the schema, and the page says what the record says."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import pyoxigraph as ox
import pytest

from app import vocab
from app.services import Services
from scripts.bench import multiply, scale, scale_report
from tests.release import small

MODELS = f"SELECT (COUNT(DISTINCT ?m) AS ?n) {{ ?m a <{vocab.slm.LanguageModel}> }}"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return small.services_in(tmp_path_factory.mktemp("small"))


def test_copies_are_new_things_in_their_own_graphs(tmp_path: Path) -> None:
    quads = small.quads()
    graph = multiply.Graph.of(quads)
    wanted = graph.quads_once + 3 * graph.quads_each
    path = tmp_path / "graph.nq"
    assert multiply.write(quads, wanted, path) == wanted
    store = ox.Store()
    store.load(path=str(path), format=ox.RdfFormat.N_QUADS)
    assert len(store) == wanted, "no two copies share a quad"
    once = ox.Store()
    once.extend(quads)
    assert set(once) <= set(store)

    def rows(of: ox.Store, query: str) -> list[Any]:
        return list(cast(Iterable[Any], of.query(query, use_default_graph_as_union=True)))

    assert int(rows(store, MODELS)[0]["n"].value) == 3 * int(rows(once, MODELS)[0]["n"].value)
    homes = "SELECT ?s ?p ?o { GRAPH ?g { ?s ?p ?o } } GROUP BY ?s ?p ?o HAVING(COUNT(*) > 1)"
    assert rows(store, homes) == rows(once, homes)


def test_a_part_of_a_graph_keeps_all_claims(services: Services) -> None:
    quads = list(services.store.at(1).quads())
    part = multiply.part_of(quads, len(quads) // 2)
    claims = [quad for quad in quads if getattr(quad.object, "value", "") == vocab.slm.Claim]
    assert len(part) <= len(quads)
    assert set(claims) <= set(part)


def test_a_phase_tells_its_numbers_or_the_bound_that_it_met(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    multiply.write(small.quads(), 10_000, tmp_path / "small.nq")
    bounds = scale.Bounds(seconds=120, memory=8_000, free=1)
    told = scale.within("load", folder, 10_000, bounds)
    assert told["graph"] > 5_000
    assert (folder / "store" / "HEAD").read_text(encoding="ascii") == "1\n"
    stopped = scale.within("check", folder, 10_000, scale.Bounds(seconds=0.1, memory=8_000, free=1))
    assert stopped["stopped"] == "took longer than 0.1 s"


def test_the_page_has_what_the_record_says(tmp_path: Path) -> None:
    def phase(quads: int, name: str, **members: Any) -> dict[str, Any]:
        return {"kind": "phase", "size": quads, "quads": quads, "phase": name, **members}

    pages = {"first page": {"first": {"ms": 5.0, "bytes": 9}, "later, ms": 2.0}}
    lines = [
        {
            **{"kind": "begin", "date": "2026-11-21T20:00:00+00:00", "version": "0", "engine": "an engine"},
            **{"machine": "a machine", "memory": 16_000, "bounds": {"seconds": 9, "memory": 9_000, "free": 1_000}},
        },
        phase(1_000, "load", **{"load, s": 1.0, "store on disk, MB": 2.0}),
        phase(1_000, "serve", pages=pages, questions={"CQ01": {"ms": 4.0}, "CQ02": {"ms": 9.0, "status": 503}}),
        phase(10_000, "load", **{"load, s": 100.0, "store on disk, MB": 20.0}),
        phase(10_000, "check", stopped="took longer than 9 s"),
    ]
    record = tmp_path / "record.jsonl"
    record.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    scale_report.write(record, tmp_path)
    page = (tmp_path / "scale.md").read_text(encoding="utf-8")
    for row in (
        "| load, s | 1.0 | 100 |",
        "| load, s | 2.00 | 1,000 to 10,000 |",
        "| first page | 5.0 / 2.0 |  |",
        "| CQ02 | status 503 |  |",
        "- 10,000 quads, check: took longer than 9 s",
        "2026-11-21, version 0, an engine: a machine",
    ):
        assert row in page
    for picture in ("write", "read", "size"):
        tree = ET.parse(tmp_path / "scale" / f"{picture}.svg")
        assert tree.getroot().tag.endswith("svg")
        assert f"scale/{picture}.svg" in page
