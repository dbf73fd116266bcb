"""A short campaign with kills loses nothing and finds nothing wrong; and what would be wrong is found."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app import vocab
from app.curate.commit import commit_change
from app.model.quads import LOADER
from app.model.rdf import IRI, Literal, Quad
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.engines.tiny_model import add_tiny_model
from tests.load import report
from tests.load.campaign import Wish, run
from tests.load.ledger import look
from tests.load.record import Line, read

SECONDS = 20
KILLS = 2
PATIENT = {"query_seconds": "60", "seconds_per_minute": "10000"}
"""Tests share the machine with others: what is slow here is not wrong."""


@pytest.fixture(scope="module")
def done(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Line], Services]:
    """The record of a campaign, and the store that it left."""
    folder = tmp_path_factory.mktemp("campaign")
    data, out = folder / "data", folder / "record.jsonl"
    shutil.copytree(seed_folder, data)
    services = build(Settings(data_dir=data))
    add_tiny_model(services)
    services.store.close()
    run(Wish(SECONDS, out, seed=3, kills=KILLS, pace=2, every=1, data=data, settings=PATIENT))
    return read(out), build(Settings(data_dir=data))


@pytest.mark.heavy
def test_nothing_is_lost_though_the_service_is_killed(done: tuple[list[Line], Services]) -> None:
    lines, _ = done
    found = report.judged(lines)
    assert found.wrong == []
    assert (found.kills, found.readers_killed > 0) == (KILLS, True)
    assert found.requests["answered"] > 0
    assert set(found.ledger) >= {"proposal", "graph", "job"}
    assert all(sum(counts.values()) > 0 for counts in found.ledger.values())
    assert "finding(s)" not in report.page([])


@pytest.mark.heavy
def test_what_is_lost_or_was_never_entered_is_found(done: tuple[list[Line], Services]) -> None:
    lines, services = done
    assert look(lines, services).wrong == []
    name = f"{vocab.BASE}graph/notes/by-hand"
    quads = [Quad(IRI(name), IRI("https://example.org/says"), Literal(str(one)), IRI(name)) for one in range(5)]
    now = datetime.now(UTC)
    made = commit_change(services.store, quads, [], rules=None, reason="a graph", author=LOADER, now=now).revision
    assert made is not None
    graph: Line = {"kind": "write", "what": "graph", "sure": True, "graph": name, "triples": 5, "revision": made.number}
    commit: Line = {"kind": "write", "what": "commit", "sure": True, "title": "never", "revision": 1}
    lines = [*lines, graph]
    assert look(lines, services).wrong == []
    assert look([line for line in lines if line is not graph], services).wrong == [
        f"graph {graph['graph']} is in the store, and not in the ledger"
    ]
    never: list[Line] = [
        {**graph, "graph": "https://example.org/never"},
        {**commit, "recorded": ["https://example.org/claim"]},
        {"kind": "write", "what": "proposal", "sure": True, "title": "never", "items": 1},
        {"kind": "write", "what": "decision", "sure": True, "reason": "never", "revision": 1},
        {"kind": "write", "what": "job", "sure": True, "title": "never", "id": "0" * 12, "cells": 1},
    ]
    assert [text.split(":")[0] for text in look([*lines, *never], services).wrong] == ["accepted and lost"] * 5
    commit_change(services.store, [], quads[:1], rules=None, reason="a fault", author=LOADER, now=now)
    assert look(lines, services).wrong == [f"graph {graph['graph']} has 4 triples of 5"]


# ---- the judgement itself, on records made by hand ----


def request(t: float, status: int, **more: Any) -> Line:
    return {"kind": "request", "t": t, "role": "reader", "route": "GET /", "status": status, "ms": 100.0, **more}


def record(*lines: Line, kills: bool = False) -> list[Line]:
    down: list[Line] = [{"kind": "down", "t": 10.0, "how": "SIGKILL"}, {"kind": "up", "t": 12.0, "pid": 2}]
    return [
        {"kind": "begin", "t": 0.0, "seconds": 60.0, "seed": 1},
        {"kind": "up", "t": 0.0, "pid": 1},
        *(down if kills else ()),
        *lines,
        {"kind": "end", "t": 60.0},
    ]


@pytest.mark.parametrize(
    ("line", "kills", "counted"),
    [
        (request(5, 200), False, "answered"),
        (request(5, 304), False, "304"),
        (request(5, 500), False, "error"),
        (request(5, 503), False, "error"),
        (request(5, 503, retry_after="2"), False, "refused for a while (503 with Retry-After)"),
        (request(5, 0, error="ReadError"), False, "error"),
        (request(5, 0, error="ReadError"), True, "error"),
        (request(11, 0, error="ConnectError"), True, "cut off by a kill of the service"),
        (request(11, 500), True, "error"),
        (request(5, 412), False, "error"),
        (request(20, 412), True, "refused, as a lost answer had changed it"),
        (request(5, 400), True, "error"),
    ],
)
def test_requests_are_judged_by_what_happened_meanwhile(line: Line, kills: bool, counted: str) -> None:
    found = report.judged(record(line, kills=kills))
    assert dict(found.requests) == {counted: 1}
    assert bool(found.wrong) == (counted == "error")


def test_a_reader_that_was_killed_explains_its_own_request_only() -> None:
    killed: Line = {"kind": "killed", "t": 5.0, "pid": 7}
    assert report.judged(record(killed, request(4.95, 503))).wrong == []
    assert len(report.judged(record(killed, request(7, 503))).wrong) == 1


@pytest.mark.parametrize(("each_minute", "wrong"), [(0.0, 0), (1.0, 0), (3.0, 1)])
def test_growth_is_judged_over_a_long_life(each_minute: float, wrong: int) -> None:
    def samples(seconds: int) -> list[Line]:
        return [
            {
                **{"kind": "sample", "t": float(t), "handles": 90 + t % 3, "threads": 20, "children": 4},
                **{"rss": 300 + each_minute * t / 60 + t % 5, "children_pss": 200 - t % 7},
            }
            for t in range(0, seconds, 10)
        ]

    assert len(report.judged(record(*samples(900))).wrong) == wrong
    short = report.judged(record(*samples(300)))
    assert (short.wrong, short.growth["rss"].slope) == ([], None)


@pytest.mark.parametrize(
    ("front", "readers", "holders", "quads_a_minute", "wrong"),
    [(0, 8, 4, 4000, 0), (0, 8, 1, 4000, 1), (0, 8, 4, 0, 1), (6, 0, 0, 4000, 0), (8, 0, 0, 4000, 1), (6, 0, 9, 0, 1)],
)
def test_memory_may_grow_with_the_graph(
    front: float, readers: float, holders: int, quads_a_minute: int, wrong: int
) -> None:
    """4,000 more quads explain 5.2 MB of the front and 1.8 MB of each revision in readers; 2 are free."""
    samples: list[Line] = [
        {
            **{"kind": "sample", "t": float(t), "handles": 90, "threads": 20, "children": 4, "holders": holders},
            **{"rss": 300 + front * t / 60, "children_pss": 200 + readers * t / 60},
            "quads": 150_000 + quads_a_minute * t / 60,
        }
        for t in range(0, 900, 10)
    ]
    assert len(report.judged(record(*samples)).wrong) == wrong


def test_a_campaign_that_was_stopped_is_not_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_text('{"kind": "begin", "t": 0, "seconds": 60}\n{"kind": "request", "t": 1, "ro', encoding="utf-8")
    assert report.judge(path).wrong == ["the campaign did not come to its end"]
    assert "did not come to its end" in report.page([path])
