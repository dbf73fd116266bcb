"""Every Turtle file reads alike in two parsers, and every own term that any file names exists."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pyoxigraph
import pytest
from rdflib import Graph
from rdflib.compare import isomorphic

from app import vocab

ROOT = Path(__file__).parents[2]
TURTLE = sorted([*(ROOT / "ontology").rglob("*.ttl"), *(ROOT / "shapes").rglob("*.ttl")])
FOLDERS = ("ontology", "shapes", "app")
SUFFIXES = {".ttl", ".trig", ".rq"}
CURIE = re.compile(r"(?<![\w:/#.-])([a-z][a-z0-9]*):([A-Za-z][\w-]*)")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TURTLE, ids=name)
def test_two_parsers_agree(path: Path) -> None:
    """Both read the same triples; both sides pass through the store's normal forms of literals first."""
    raw = list(pyoxigraph.parse(path=str(path), format=pyoxigraph.RdfFormat.TURTLE))
    store, other = pyoxigraph.Store(), pyoxigraph.Store()
    store.load(path=str(path), format=pyoxigraph.RdfFormat.TURTLE)
    mine = Graph().parse(path, format="turtle")
    other.load(input=mine.serialize(format="nt", encoding="utf-8"), format=pyoxigraph.RdfFormat.N_TRIPLES)
    assert len(set(raw)) == len(mine) == len(store) == len(other) > 0

    def normal(source: pyoxigraph.Store) -> Graph:
        data = source.dump(format=pyoxigraph.RdfFormat.N_TRIPLES, from_graph=pyoxigraph.DefaultGraph())
        assert data is not None
        return Graph().parse(data=data, format="nt")

    assert isomorphic(normal(store), normal(other))


def test_parsers_disagreement_would_show(tmp_path: Path) -> None:
    one = Graph().parse(data='<urn:a> <urn:p> "x"@en .', format="turtle")
    two = Graph().parse(data='<urn:a> <urn:p> "x" .', format="turtle")
    assert not isomorphic(one, two)


def test_no_alignment_is_imported() -> None:
    for path in TURTLE:
        assert "owl:imports" not in re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8")), name(path)


def undeclared(text: str, declared: set[str]) -> list[str]:
    """Compact names with an own, closed prefix that no file declares."""
    closed = {iri.partition(":")[0] for iri in declared}
    without_comments = re.sub(r"(?m)^\s*#.*$", "", text)
    found = {f"{prefix}:{local}" for prefix, local in CURIE.findall(without_comments) if prefix in closed}
    return sorted(found - declared)


def declared_names() -> set[str]:
    found: set[str] = set()
    prefixes = {prefix for prefix in vocab.OWN_PREFIXES if prefix in ("slm", "slmu", "vocab")}
    prefixes.update(p for p, iri in vocab.PREFIXES.items() if iri.startswith(vocab.vocab.NS) and p != "vocab")
    for prefix in prefixes:
        values = [v for k, v in vars(getattr(vocab, prefix)).items() if isinstance(v, str) and k[0] != "_"]
        space = vocab.PREFIXES[prefix]
        found.update(f"{prefix}:{v.removeprefix(space)}" for v in values if v.startswith(space) and v != space)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_names_an_undeclared_term(folder: str) -> None:
    """Reads the text, so that terms inside the queries of shapes count as well."""
    declared = declared_names()
    wrong = {
        name(path): missing
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in SUFFIXES and (missing := undeclared(path.read_text(encoding="utf-8"), declared))
    }
    assert wrong == {}


def test_an_undeclared_term_is_seen() -> None:
    declared = declared_names()
    text = 'sh:select """ SELECT $this { $this slm:numLayer ?n ; slm:status cstat:Acepted . # slm:x\n }""" .'
    assert undeclared(text, declared) == ["cstat:Acepted", "slm:numLayer", "slm:x"]
    assert undeclared("# slm:numLayer\nslm:numLayers a quant:Q4_K_M , slmu:TOKEN-PER-SEC .", declared) == []


def unit_factors() -> dict[str, tuple[str, Decimal]]:
    graph = Graph().parse(ROOT / "ontology" / "units.ttl", format="turtle")
    query = "SELECT ?u ?k ?f { ?u qudt:conversionMultiplier ?f ; qudt:hasQuantityKind ?k }"
    rows = graph.query(query, initNs={"qudt": vocab.qudt.NS})
    return {str(row[0]): (str(row[1]), Decimal(str(row[2]))) for row in rows if isinstance(row, tuple)}


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [
        ("41.2", vocab.unit.PERCENT, vocab.unit.FRACTION, "0.412"),
        ("1", vocab.unit.GibiBYTE, vocab.unit.BYTE, "1073741824"),
        ("2513", vocab.unit.MegaBYTE, vocab.unit.BYTE, "2513000000"),
        ("1", vocab.unit.MebiBYTE, vocab.unit.KibiBYTE, "1024"),
        ("1.5", vocab.unit.SEC, vocab.unit.MilliSEC, "1500"),
        ("2", vocab.unit.HR, vocab.unit.MIN, "120"),
        ("1.1", vocab.slmu.MILLION, vocab.unit.NUM, "1100000"),
        ("8", vocab.unit.BIT, vocab.unit.BYTE, "1"),
        ("20", vocab.slmu.MilliSEC_PER_TOKEN, vocab.unit.SEC_PER_NUM, "0.02"),
    ],
)
def test_units_convert_by_the_ratio_of_factors(value: str, source: str, target: str, expected: str) -> None:
    factors = unit_factors()
    kind, factor = factors[source]
    other_kind, other_factor = factors[target]
    assert kind == other_kind
    assert Decimal(value) * factor / other_factor == Decimal(expected)


def test_mappings_name_declared_subjects_and_known_prefixes() -> None:
    text = (ROOT / "ontology" / "mappings.sssom.tsv").read_text(encoding="utf-8")
    head = [line for line in text.splitlines() if line.startswith("#")]
    curies = dict(re.findall(r"#  (\w+): (\S+)", "\n".join(head)))
    body = [line for line in text.splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(body, delimiter="\t"))
    declared = declared_names()
    assert rows
    assert len({(r["subject_id"], r["object_id"]) for r in rows}) == len(rows)
    for row in rows:
        assert row["subject_id"] in declared
        for column in ("subject_id", "predicate_id", "object_id", "mapping_justification"):
            prefix = row[column].partition(":")[0]
            assert curies[prefix] == vocab.PREFIXES[prefix]
