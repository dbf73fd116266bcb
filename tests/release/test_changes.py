"""What changed between two releases, and the quality report."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyoxigraph as ox

from app import vocab
from app.compare.diff import Kind, diff
from app.model.changes import ChangeSet
from app.model.graphs import CURATED
from app.model.rdf import IRI, Literal, Quad
from app.release.changes import Changed, changes, markdown, to_csv
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.store.quads import NOON

BEFORE = (
    b"model,label,iri,scope,layers,layers.status\r\na,A,i,model,12,accepted\r\nb,B,j,model,,missing: not-reported\r\n"
)


def after(*rows: str, header: str = "model,label,iri,scope,layers,layers.status") -> bytes:
    return "\r\n".join([header, *rows, ""]).encode()


def test_equal_tables_have_no_changes() -> None:
    assert changes(BEFORE, BEFORE) == ()


def test_values_and_statuses_are_compared_cell_by_cell() -> None:
    now = after("a,A,i,model,12,disputed", "b,B,j,model,24,accepted")
    assert changes(BEFORE, now) == (
        Changed("a", "layers", "", "12", "12", "accepted", "disputed"),
        Changed("b", "layers", "", "", "24", "missing: not-reported", "accepted"),
    )


def test_models_come_and_go_with_their_values() -> None:
    found = changes(BEFORE, after("b,B,j,model,,missing: not-reported", "c,C,k,model,6,accepted"))
    assert [(one.model, one.property, one.old, one.new) for one in found] == [
        ("a", "model", "a", ""),
        ("a", "label", "A", ""),
        ("a", "layers", "12", ""),
        ("c", "model", "", "c"),
        ("c", "label", "", "C"),
        ("c", "layers", "", "6"),
    ]


def test_a_new_property_without_values_changes_nothing() -> None:
    header = "model,label,iri,scope,layers,layers.status,more,more.status"
    rows = ("a,A,i,model,12,accepted,,missing: not-looked-for", "b,B,j,model,,missing: not-reported,7,proposed")
    found = changes(BEFORE, after(*rows, header=header))
    assert found == (Changed("b", "more", "", "", "7", "missing", "proposed"),)


def test_the_account_for_people_and_for_programs() -> None:
    found = (Changed("a", "x", "0-3", "=1", "b|c\nd", "accepted", "disputed", "two\nlines", "7"),)
    assert list(csv.reader(io.StringIO(to_csv(found).decode(), newline="")))[1] == [
        "a", "x", "0-3", "'=1", "b|c\nd", "accepted", "disputed", "two\nlines", "7"
    ]  # fmt: skip
    told = markdown(found, "2026.11", ((3, "a | b"),))
    assert "| a | x, layers 0-3 | =1 (accepted) | b\\|c d (disputed) | two lines |" in told
    assert "- 3: a \\| b" in told
    assert "first release" in markdown((), None, ())
    assert "No value changed" in markdown((), "2026.11", ())


def test_a_release_tells_what_changed_since_the_one_before(released: Services) -> None:
    folder = released.settings.data_dir / "releases" / "2026.12"
    rows = list(csv.DictReader(io.StringIO((folder / "changes.csv").read_text(encoding="utf-8"), newline="")))
    assert rows == [
        {
            "model": "examplelm-135m",
            "property": "numLayers",
            "layers": "",
            "old": "30",
            "new": "31",
            "old_status": "accepted",
            "new_status": "accepted",
            "why": "a layer more | counted again",
            "revisions": "2",
        }
    ]
    told = (folder / "CHANGES.md").read_text(encoding="utf-8")
    assert "Since release 2026.11." in told
    assert "- 2: a layer more \\| counted again" in told
    first = (folder.parent / "2026.11" / "CHANGES.md").read_text(encoding="utf-8")
    assert "first release" in first


def test_without_the_older_revision_there_are_changes_and_no_reasons(own: Services, tmp_path: Path) -> None:
    """The tables of the releases are enough; what only the older graph knew is left out."""
    assert own.backups is not None
    own.backups.make(tmp_path / "b.tar")
    own.backups.restore(tmp_path / "b.tar", into=tmp_path / "back")
    again = build(Settings(data_dir=tmp_path / "back"))
    again.releases.make("2027.01")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "back/releases/2027.01/changes.csv").read_text(), newline="")))
    assert [(row["property"], row["old"], row["new"], row["why"]) for row in rows] == [("numLayers", "30", "31", "")]


def test_tables_and_revisions_agree_on_what_changed(own: Services) -> None:
    """Two ways to find the differences: comparing the tables of releases, and following the changed triples."""
    folder = own.settings.data_dir / "releases"
    store = own.store
    layered = IRI(vocab.arch.NS + "examplelm-300m-layered")
    gone = {
        quad
        for quad in store.at().quads(CURATED)
        if quad.subject == layered or quad.predicate.value in {vocab.slm.maker, vocab.slm.releasedIn}
    }
    group = Quad(IRI(vocab.layers.NS + "low"), IRI(vocab.slm.intermediateSize), Literal(999), CURATED)
    change = ChangeSet(frozenset({group}), frozenset(gone), "less", "https://example.org/me", NOON)
    store.apply(change, expect=2)
    own.releases.make("2027.01")
    found = diff(store, 1, 3)
    wide = {
        (one.model, one.property.name) for one in found.cells if one.kind is not Kind.EVIDENCE and one.layers is None
    }
    before, after = ((folder / name / "models.csv").read_bytes() for name in ("2026.11", "2027.01"))
    compared = changes(before, after)
    assert {(one.model, one.property) for one in compared} == wide
    assert len(wide) > 5
    told = changes(before, after, found)
    of_layers = [one for one in told if one.layers]
    assert [(one.property, one.layers, one.new) for one in of_layers] == [("intermediateSize", "0-7", "999")]
    assert [replace(one, why="", revisions="") for one in told if not one.layers] == list(compared)
    assert all(one.why and one.revisions for one in told)


def test_the_quality_report_counts(released: Services) -> None:
    folder = released.settings.data_dir / "releases" / "2026.12"
    told = (folder / "QUALITY.md").read_text(encoding="utf-8")
    rows = {
        cells[0]: cells[1:]
        for line in told.splitlines()
        if line.startswith("| ") and len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 8
    }
    assert rows["numLayers"][:3] == ["3", "3", "0"]
    assert rows["numLayers"][5] == "100.0 %"
    assert rows["parameterCount"][:5] == ["3", "1", "0", "0", "2"]
    counted = [[int(cell) for cell in cells[:5]] for cells in rows.values() if cells[0].isdecimal()]
    assert len(counted) > 50
    assert all(asked == sum(parts) for asked, *parts in counted)


def test_the_quality_report_in_dqv_says_the_same(released: Services) -> None:
    folder = released.settings.data_dir / "releases" / "2026.12"
    store = ox.Store()
    store.bulk_load(path=str(folder / "quality.ttl"), format=ox.RdfFormat.TURTLE)
    prefixes = {"slm": vocab.slm.NS, "dqv": vocab.dqv.NS, "void": vocab.void.NS, "skos": vocab.skos.NS}
    unmade = store.query(
        "ASK { ?m a dqv:QualityMeasurement FILTER NOT EXISTS { ?m dqv:computedOn ?d ; dqv:value ?v ; "
        "dqv:isMeasurementOf [ a dqv:Metric ; skos:definition ?t ; dqv:inDimension [ a dqv:Dimension ] ; "
        "dqv:expectedDataType ?k ] . ?d dqv:hasQualityMeasurement ?m FILTER(DATATYPE(?v) = ?k) } }",
        prefixes=prefixes,
    )
    assert isinstance(unmade, ox.QueryBoolean)
    assert not unmade
    found = store.query(
        "SELECT ?v WHERE { ?d void:property slm:numLayers ; dqv:hasQualityMeasurement ?m . "
        '?m dqv:value ?v ; dqv:isMeasurementOf [ skos:prefLabel "completeness"@en ] }',
        prefixes=prefixes,
    )
    assert isinstance(found, ox.QuerySolutions)
    assert [Decimal(row["v"].value) for row in found] == [Decimal(1)]
