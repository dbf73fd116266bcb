"""Hygiene rules: each .rq holds one rule for the ontology, the .ttl beside it a mistake it must report."""

from __future__ import annotations

import re
from pathlib import Path

import pyoxigraph
import pytest

ROOT = Path(__file__).parents[2]
HYGIENE = Path(__file__).parent / "hygiene"
RULES = sorted(HYGIENE.glob("*.rq"))
HEADER = re.compile(r"# Rule: \S.*\.\n# Why: \S.*\.\n# Over: (ontology|ontology and shapes)\n")


def name(path: Path) -> str:
    return path.stem


def load(*extra: Path, shapes: bool) -> pyoxigraph.Store:
    store = pyoxigraph.Store()
    paths = [*(ROOT / "ontology").glob("*.ttl"), *extra, *((ROOT / "shapes").glob("*.ttl") if shapes else ())]
    for path in paths:
        store.load(path=str(path), format=pyoxigraph.RdfFormat.TURTLE)
    return store


def covers_shapes(rule: Path) -> bool:
    return "# Over: ontology and shapes\n" in rule.read_text(encoding="utf-8")


def findings(store: pyoxigraph.Store, rule: Path) -> list[tuple[str, str]]:
    solutions = store.query(rule.read_text(encoding="utf-8"))
    assert isinstance(solutions, pyoxigraph.QuerySolutions)
    return [(str(row["term"]), str(row["found"])) for row in solutions]


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_ontology_keeps_the_rule(rule: Path) -> None:
    assert findings(load(shapes=covers_shapes(rule)), rule) == []


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_rule_reports_its_mistake(rule: Path) -> None:
    mistake = rule.with_suffix(".ttl")
    trips = re.search(r"(?m)^# Trips: <(\S+)>$", mistake.read_text(encoding="utf-8"))
    assert trips is not None
    assert f"<{trips[1]}>" in {term for term, _ in findings(load(mistake, shapes=False), rule)}


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_the_rule_says_what_and_why(rule: Path) -> None:
    assert HEADER.match(rule.read_text(encoding="utf-8"))


def test_rules_and_mistakes_come_in_pairs() -> None:
    assert {path.stem for path in RULES} == {path.stem for path in HYGIENE.glob("*.ttl")}
    assert len(RULES) >= 15
