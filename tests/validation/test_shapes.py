"""The shapes that ship keep the house rules, and a folder that breaks one is refused."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from app.resources import folder
from app.validation.findings import Severity
from app.validation.shapes import ShapeError, Shapes, load

SHAPE_FILES = sorted(folder("shapes").glob("*.ttl"))
PREFIXES = """@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix slmsh: <https://w3id.org/slmkg/shapes#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix ex: <http://example.org/> .
"""
GOOD = (
    "slmsh:C01 a sh:NodeShape ; sh:severity sh:Warning ; sh:order 1 ; rdfs:label 'l' ; rdfs:comment 'c' ; "
    "sh:targetClass ex:T ; sh:property slmsh:C01-p . "
    "slmsh:C01-p sh:path ex:p ; sh:minCount 1 ; sh:severity sh:Warning ; sh:message 'C01: m' ."
)
GOOD_CHECK = (
    "# id: G1\n# severity: Warning\n# purpose: p\n# why: w\nSELECT ?this ?message WHERE { ?this ?p ?message }\n"
)


def test_each_id_from_the_design_is_there_once(shapes: Shapes) -> None:
    assert [constraint.id for constraint in shapes.constraints] == [f"C{number:02}" for number in range(1, 48)]
    assert [check.id for check in shapes.checks] == [f"G{number}" for number in range(1, 6)]


def test_each_id_is_written_once_in_the_files() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in SHAPE_FILES)
    counted = Counter(re.findall(r"^slmsh:(C\d\d) a sh:NodeShape", text, re.MULTILINE))
    assert len(counted) == 47
    assert set(counted.values()) == {1}


def test_the_files_are_split_by_duty(shapes: Shapes) -> None:
    assert {constraint.file for constraint in shapes.constraints} == {
        "arithmetic.ttl",
        "core.ttl",
        "provenance.ttl",
        "recommended.ttl",
        "vocab.ttl",
    }
    recommended = {rule.severity for rule in shapes.constraints if rule.file == "recommended.ttl"}
    assert Severity.VIOLATION not in recommended


def test_order_follows_the_id(shapes: Shapes) -> None:
    assert all(constraint.order == int(constraint.id[1:]) for constraint in shapes.constraints)


def test_every_own_term_in_the_shapes_is_declared() -> None:
    declared = (folder("ontology") / "slmkg.ttl").read_text(encoding="utf-8")
    known = set(re.findall(r"^slm:(\w+) a ", declared, re.MULTILINE))
    files = [*SHAPE_FILES, *(folder("shapes") / "checks").glob("*.rq")]
    used = {name for path in files for name in re.findall(r"\bslm:(\w+)", path.read_text(encoding="utf-8"))}
    assert used - known == set()


def test_every_own_concept_in_the_shapes_is_declared(shapes: Shapes) -> None:
    vocabulary = (folder("ontology") / "vocab.ttl").read_text(encoding="utf-8")
    text = "".join(path.read_text(encoding="utf-8") for path in SHAPE_FILES)
    for prefix in ("attn", "algo", "tune", "cstat", "stat"):
        assert prefix in shapes.prefixes
        for name in set(re.findall(rf"\b{prefix}:(\w+)", text)):
            assert re.search(rf"^{prefix}:{name} a skos:Concept", vocabulary, re.MULTILINE), f"{prefix}:{name}"


@pytest.mark.parametrize(
    ("problem", "old", "new"),
    [
        ("needs severity, label, comment and order", "rdfs:label 'l' ; ", ""),
        ("needs severity, label, comment and order", "sh:order 1 ; ", ""),
        ("has no target", "sh:targetClass ex:T ; ", ""),
        ("not named C01-", "slmsh:C01-p", "slmsh:other"),
        ("another severity", "sh:minCount 1 ; sh:severity sh:Warning", "sh:minCount 1 ; sh:severity sh:Info"),
        ("another severity", "sh:minCount 1 ; sh:severity sh:Warning", "sh:minCount 1"),
        ("does not start with its id", "'C01: m'", "'C02: m'"),
        ("0 messages", " ; sh:message 'C01: m'", ""),
        ("2 messages", "'C01: m'", "'C01: m' , 'C01: n'"),
        ("no id such as C02", "slmsh:C01 a", "slmsh:Other a"),
        (
            "does not start with its id",
            "sh:targetClass ex:T",
            "sh:targetClass ex:T ; sh:sparql [ sh:message 'm' ]",
        ),
    ],
)
def test_a_shape_that_breaks_a_house_rule_is_refused(problem: str, old: str, new: str, tmp_path: Path) -> None:
    assert old in GOOD
    (tmp_path / "core.ttl").write_text(PREFIXES + GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ShapeError, match=problem):
        load(tmp_path)


def test_an_id_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("core.ttl", "vocab.ttl"):
        (tmp_path / name).write_text(PREFIXES + GOOD, encoding="utf-8")
    with pytest.raises(ShapeError, match="C01: is defined twice"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("problem", "name", "text"),
    [
        ("lacks a header line: severity", "G1-x.rq", GOOD_CHECK.replace("# severity: Warning\n", "")),
        ("carries the id G1", "G2-x.rq", GOOD_CHECK),
    ],
)
def test_a_check_that_breaks_a_house_rule_is_refused(problem: str, name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "core.ttl").write_text(PREFIXES + GOOD, encoding="utf-8")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / name).write_text(text, encoding="utf-8")
    with pytest.raises(ShapeError, match=problem):
        load(tmp_path)


def test_good_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "core.ttl").write_text(PREFIXES + GOOD, encoding="utf-8")
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "G1-x.rq").write_text(GOOD_CHECK, encoding="utf-8")
    shapes = load(tmp_path)
    assert [(rule.id, rule.severity, rule.file) for rule in shapes.constraints] == [
        ("C01", Severity.WARNING, "core.ttl")
    ]
    assert [(check.id, check.severity, check.purpose, check.why) for check in shapes.checks] == [
        ("G1", Severity.WARNING, "p", "w")
    ]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path)
