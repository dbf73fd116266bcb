"""Making, listing and finding releases: what they hold, that they can be made again, and that nothing changes them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pyoxigraph as ox
import pytest

from app.durable import locked
from app.errors import BadParameter, NotFound, ReleaseExists, StoreBusy, StoreDamaged, StoreEmpty
from app.model.rdf import IRI, Blank, Literal, Quad
from app.release.values import FILES, MANIFEST, SUMS
from app.services import Services
from app.settings import Settings
from app.store.canonical import canonical
from app.wiring import build
from tests.store.quads import change


def folder_of(services: Services, name: str) -> Path:
    return services.settings.data_dir / "releases" / name


def test_a_release_holds_every_file_and_the_manifest_says_so(released: Services) -> None:
    folder = folder_of(released, "2026.12")
    manifest = released.releases.find("2026.12")
    archive = "slmkg-2026.12.tar"
    assert {path.name for path in folder.iterdir()} == {*FILES, MANIFEST, SUMS, archive, f"{archive}.sha256"}
    assert [one.name for one in manifest.files] == list(FILES)
    for one in manifest.files:
        content = (folder / one.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (one.bytes, one.sha256)
    assert (manifest.revision, manifest.previous) == (2, "2026.11")
    assert manifest.quads == released.store.head().quads
    assert manifest.counts["claims"] == 50
    assert manifest.versions.keys() == {"slmkg", "ontology", "pyoxigraph", "polars"}


def test_the_sums_are_those_that_sha256sum_reads(released: Services) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", SUMS],
        cwd=folder_of(released, "2026.11"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK\n") == len(FILES) + 1


def test_the_graph_is_the_revision_in_canonical_form(released: Services) -> None:
    for name, number in (("2026.11", 1), ("2026.12", 2)):
        packed = (folder_of(released, name) / "graph.nq.gz").read_bytes()
        assert packed[4:8] == b"\0\0\0\0", "no time in the file"
        text = gzip.decompress(packed)
        quads = frozenset(released.store.at(number).quads())
        assert text == canonical(quads).text()
        assert hashlib.sha256(text).hexdigest() == released.releases.find(name).graph_sha256
        trig = gzip.decompress((folder_of(released, name) / "graph.trig.gz").read_bytes())
        assert frozenset(ox.parse(trig, format=ox.RdfFormat.TRIG)) == quads
    assert released.releases.find("2026.11").graph_sha256 != released.releases.find("2026.12").graph_sha256


def test_the_same_revision_gives_the_same_files_under_another_name(own: Services) -> None:
    one, other = own.releases.find("2026.12"), own.releases.make("2027.01-again", 2).manifest
    assert one.graph_sha256 == other.graph_sha256
    assert other.previous == "2026.11"
    for name, kind in FILES.items():
        if kind.data:
            assert one.file(name) == other.file(name), name
    assert one.file("changes.csv") == other.file("changes.csv")


def test_a_release_made_again_from_nothing_is_the_same_to_the_last_byte(released: Services, tmp_path: Path) -> None:
    from tests.release.small import services_in

    again = services_in(tmp_path)
    again.releases.make("2026.11", 1)
    again.releases.make("2026.12")
    for name in ("2026.11", "2026.12"):
        for path in folder_of(released, name).iterdir():
            assert path.read_bytes() == (folder_of(again, name) / path.name).read_bytes(), path.name


def test_a_second_run_changes_nothing_or_is_refused(own: Services) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder_of(own, "2026.11").iterdir()}
    made = own.releases.make("2026.11", 1)
    assert not made.new
    assert made.manifest == own.releases.find("2026.11")
    with pytest.raises(ReleaseExists, match="holds revision 1, not 2"):
        own.releases.make("2026.11")
    assert {path: path.stat().st_mtime_ns for path in folder_of(own, "2026.11").iterdir()} == before
    (folder_of(own, "2026.11") / "cube.ttl").write_text("# nothing\n")
    with pytest.raises(ReleaseExists, match=r"damaged: cube\.ttl"):
        own.releases.make("2026.11", 1)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "2026",
        "2026.13",
        "2026.1",
        "2026.11/",
        "../2026.11",
        "2026.11.1234",
        "2026.11-RC",
        "list",
        "２０２６.11",
        "2026.11\n",
    ],
)
def test_a_name_that_is_none_is_refused(released: Services, name: str) -> None:
    with pytest.raises(BadParameter, match="not the name of a release"):
        released.releases.make(name)
    with pytest.raises(NotFound):
        released.releases.find(name)


@pytest.mark.parametrize("name", ["2026.01", "2026.12.7", "2027.11-rc1", "2027.11.12-beta"])
def test_names_with_numbers_and_words(own: Services, name: str) -> None:
    assert own.releases.make(name, 1).new
    assert own.releases.find(name).name == name
    assert own.releases.verify(name).intact


def test_a_revision_that_is_not_there_is_refused(own: Services) -> None:
    for number in (0, 3, -1):
        with pytest.raises(BadParameter, match="no revision"):
            own.releases.make("2027.01", number)
    assert [one.name for one in own.releases.list()] == ["2026.11", "2026.12"]


def test_an_empty_store_has_nothing_to_release(tmp_path: Path) -> None:
    services = build(Settings(data_dir=tmp_path))
    assert services.releases.list() == ()
    with pytest.raises(StoreEmpty):
        services.releases.make("2026.11")
    assert not (tmp_path / "releases").exists()


def test_an_almost_empty_graph_can_be_released(tmp_path: Path) -> None:
    from app.curate.commit import begin
    from app.model.quads import LOADER

    services = build(Settings(data_dir=tmp_path))
    begin(services.store, author=LOADER, now=services.now())
    made = services.releases.make("2026.11").manifest
    assert (made.quads, made.graph_sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert services.releases.verify("2026.11").intact


def test_a_graph_with_blank_nodes_can_be_released(tmp_path: Path) -> None:
    """Their names differ from store to store; the hash and the files do not."""
    hashes = set()
    for number, names in enumerate((("x", "y"), ("b", "a"))):
        one, other = map(Blank, names)
        quads = {
            Quad(one, IRI("a:p"), other, IRI("a:g")),
            Quad(other, IRI("a:p"), one, IRI("a:g")),
            Quad(one, IRI("a:p"), Literal("1"), IRI("a:h")),
        }
        services = build(Settings(data_dir=tmp_path / str(number)))
        services.store.apply(change(quads), expect=0)
        made = services.releases.make("2026.11").manifest
        assert services.releases.verify("2026.11").problems == ()
        hashes.add((made.graph_sha256, made.files))
    assert len(hashes) == 1


def test_one_release_at_a_time_and_leftovers_go(own: Services) -> None:
    releases = own.settings.data_dir / "releases"
    leftover = releases / ".making-2027.01-1"
    leftover.mkdir()
    (leftover / "graph.nq.gz").write_bytes(b"half")
    assert [one.name for one in own.releases.list()] == ["2026.11", "2026.12"]
    with locked(releases / "LOCK"), pytest.raises(StoreBusy):
        own.releases.make("2027.01")
    assert leftover.exists()
    own.releases.make("2027.01")
    assert not leftover.exists()


def test_a_failure_leaves_nothing(own: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.release.metadata.citation", full)
    with pytest.raises(OSError, match="No space"):
        own.releases.make("2027.01")
    assert {path.name for path in (own.settings.data_dir / "releases").iterdir()} == {"2026.11", "2026.12", "LOCK"}


def test_a_damaged_manifest_is_told(own: Services) -> None:
    path = folder_of(own, "2026.11") / MANIFEST
    data = json.loads(path.read_text())
    for spoiled in (
        "{",
        "[]",
        json.dumps(data | {"format": 2}),
        json.dumps(data | {"name": "2026.10"}),
        json.dumps(data | {"more": 1}),
    ):
        path.write_text(spoiled)
        with pytest.raises(StoreDamaged, match=r"2026\.11"):
            own.releases.find("2026.11")


def test_files_are_found_by_name_only(released: Services) -> None:
    path, known = released.releases.file("2026.11", "models.csv")
    assert path.stat().st_size == known.bytes
    for name in ("../2026.12/models.csv", "..", "", "LOCK", "models.csv/", "slmkg-2026.12.tar"):
        with pytest.raises(NotFound):
            released.releases.file("2026.11", name)


def test_a_file_that_is_gone_is_damage(own: Services) -> None:
    for name in ("models.csv", SUMS, "slmkg-2026.11.tar"):
        own.releases.file("2026.11", name)
        (folder_of(own, "2026.11") / name).unlink()
        with pytest.raises(StoreDamaged, match=r"2026\.11 is missing"):
            own.releases.file("2026.11", name)
    shutil.copy(folder_of(own, "2026.12") / MANIFEST, folder_of(own, "2026.11"))
    with pytest.raises(StoreDamaged, match=r"manifest of 2026\.12"):
        own.releases.find("2026.11")


def test_a_name_leads_to_its_revision(released: Services) -> None:
    assert released.revision_of("2026.11") == 1
    assert released.revision_of("2026.12") == 2
    assert [released.history.revision_of(name, parameter="A") for name in ("2026.11", "2026.12")] == [1, 2]
    with pytest.raises(NotFound):
        released.history.revision_of("2025.01", parameter="A")
    with pytest.raises(NotFound):
        released.revision_of("2025.01")


def test_a_reader_of_the_folder_sees_whole_releases_only(own: Services) -> None:
    """Whatever is announced, no release is listed before the last step."""
    seen: list[tuple[str, ...]] = []
    own.releases.make("2027.01", progress=lambda _: seen.append(tuple(one.name for one in own.releases.list())))
    assert set(seen) == {("2026.11", "2026.12")}
    assert len(own.releases.list()) == 3
    assert not list((own.settings.data_dir / "releases").glob(".*"))


def test_csv_and_parquet_hold_the_same_rows(released: Services) -> None:
    folder = folder_of(released, "2026.12")
    for stem in ("models", "claims", "observations"):
        rows = list(csv.DictReader(io.StringIO((folder / f"{stem}.csv").read_text(encoding="utf-8"), newline="")))
        frame = pl.read_parquet(folder / f"{stem}.parquet")
        assert frame.columns == list(rows[0])
        assert len(frame) == len(rows)
        for row, typed in zip(rows, frame.iter_rows(named=True), strict=True):
            for name, shown in row.items():
                value = typed[name]
                if value is None:
                    assert shown == "", (stem, name)
                elif isinstance(value, bool):
                    assert shown == str(value).lower()
                elif isinstance(value, int | float):
                    assert float(shown) == value
                else:
                    joined = "; ".join(value) if isinstance(value, list) else value
                    assert shown.removeprefix("'") == joined.removeprefix("'")
    assert frame.schema["value"] == pl.Float64
    assert frame.schema["shots"] == pl.Int64
    models = pl.read_parquet(folder / "models.parquet")
    assert models.schema["numLayers"] == pl.Int64
    assert models.schema["tiesEmbeddings"] == pl.Boolean
    assert models.schema["trainedOn"] == pl.List(pl.String)
    assert models.filter(pl.col("model") == "examplelm-135m")["numLayers"].to_list() == [31]


def test_values_and_units_belong_together(released: Services) -> None:
    """180 MiB as printed is 188,743,680 bytes in the metric's own unit."""
    frame = pl.read_parquet(folder_of(released, "2026.12") / "observations.parquet")
    (row,) = frame.filter(pl.col("observation").str.ends_with("rt-0001-mem")).to_dicts()
    assert (row["value"], row["unit"]) == (188743680.0, "BYTE")
    assert (row["reported"], row["reported_number"], row["reported_unit"]) == ("180 MiB", 180.0, "MebiBYTE")
