"""What a version is handed out as: the same bytes twice, a bill of materials in its format, every licence known."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression
from cyclonedx.validation.json import JsonStrictValidator

from app import __version__, vocab
from app.model.graphs import HISTORY
from app.model.rdf import Literal, Quad, moment
from app.release.verify import verify
from app.services import Services
from app.store.canonical import canonical
from scripts.release.packages import Package, UnknownLicence, browser_packages, groups, licence_of, python_packages
from scripts.release.sbom import HANDED_OUT, bill
from tests.project.checkout import ROOT, text
from tests.project.installed import pinned

MOMENT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def found() -> dict[str, list[Package]]:
    return groups()


def test_every_locked_package_is_listed_with_a_licence(found: dict[str, list[Package]]) -> None:
    listed = {one.name: one for packages in found.values() for one in packages if one.kind == "pypi"}
    for lock in ("runtime", "telemetry", "measure", "build", "dev", "engines", "node"):
        assert set(pinned(lock)) <= listed.keys(), lock
    for packages in found.values():
        for one in packages:
            assert one.licence, one
            assert is_expression(one.licence), one
    assert {one.name for one in found["service"]} == set(pinned("runtime"))


def test_nothing_that_is_handed_out_asks_for_the_source_of_the_whole(found: dict[str, list[Package]]) -> None:
    """No licence of the GPL's kind without a choice; weak copyleft (MPL) is of single files."""
    wrong = [one for group in HANDED_OUT for one in found[group] if re.search(r"\b[AL]?GPL", one.licence)]
    assert wrong == []


def test_a_package_without_a_known_licence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.release.packages._READ", {})
    with pytest.raises(UnknownLicence, match="cronsim: read its licence file"):
        licence_of("cronsim")


def test_the_list_of_licences_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "build_licences.py"), "--check"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page = text("docs/reference/licences.md")
    for one in (*python_packages("runtime"), *browser_packages()):
        assert f"| {one.name} | {one.version} | {one.licence} |" in page


def test_the_bill_of_materials_fits_its_format_and_names_what_is_handed_out(found: dict[str, list[Package]]) -> None:
    made = bill(__version__, MOMENT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None
    told = json.loads(made)
    assert told["metadata"]["component"]["version"] == __version__
    components = {component["purl"]: component for component in told["components"]}
    expected = [one for group in HANDED_OUT for one in found[group]]
    assert len(components) == len(expected)
    for one in found["service"]:
        component = components[f"pkg:pypi/{one.name}@{one.version}"]
        assert component["scope"] == "required"
        assert component["licenses"]
        assert {entry["value"] for entry in component["properties"]} == set(one.sha256)
    assert bill(__version__, MOMENT) == made


@pytest.mark.heavy
def test_the_notes_name_the_hash_of_the_graph(seed_services: Services) -> None:
    """Who changes data, ontology or derivation makes the release anew, and writes its hash into the notes."""
    day = yaml.safe_load(text("CITATION.cff"))["date-released"]
    then = moment(f"{day}T00:00:00Z")
    quads = [_at(quad, then) for quad in seed_services.store.at(1).quads()]
    version = re.sub(r"\.dev\d+$", "", __version__)
    assert canonical(quads).sha256() in text(f"docs/releases/{version}.md")


def _at(quad: Quad, then: Literal) -> Quad:
    """The same, loaded at another time."""
    if (quad.predicate.value, quad.graph_name) != (vocab.prov.startedAtTime, HISTORY):
        return quad
    return Quad(quad.subject, quad.predicate, then, quad.graph_name)


def small(folder: Path) -> Path:
    """The shipped data without claims and results: what there is, and nothing said of it."""
    data = Path(shutil.copytree(ROOT / "data", folder / "data"))
    for part in ("claims", "results", "survey", "reference"):
        for table in (data / part).glob("*.csv"):
            table.write_text(table.read_text(encoding="utf-8").partition("\n")[0] + "\n", encoding="utf-8")
    for run in (data / "runs").iterdir():
        run.unlink()
    return data


def release(into: Path, data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    return subprocess.run(
        [sys.executable, "-m", "scripts.release", "--into", str(into), "--data", str(data)],
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.heavy
def test_one_command_makes_everything_and_the_same_bytes_twice(tmp_path: Path) -> None:
    data = small(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir()
    (second / "old").touch()
    for folder, settings in ((first, {"TZ": "UTC"}), (second, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"})):
        done = release(folder, data, **settings)
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(
        [
            "SHA256SUMS",
            "slmkg-2026.11.tar",
            f"slmkg-{__version__}-py3-none-any.whl",
            f"slmkg-{__version__}.cdx.json",
            f"slmkg-{__version__}.tar.gz",
        ]
    )
    for name in names:
        assert (second / name).read_bytes() == (first / name).read_bytes(), name
    assert sorted(path.name for path in second.iterdir()) == names
    for line in (first / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((first / name).read_bytes()).hexdigest() == digest
    checked = verify(first / "slmkg-2026.11.tar")
    assert (checked.name, checked.revision, checked.problems) == ("2026.11", 1, ())
    day = yaml.safe_load(text("CITATION.cff"))["date-released"]
    with tarfile.open(first / "slmkg-2026.11.tar") as archive:
        (manifest,) = [one for one in archive.getnames() if one.endswith("manifest.json")]
        content = archive.extractfile(manifest)
        assert content is not None
        assert json.load(content)["made_at"].startswith(f"{day}T00:00:00")


@pytest.mark.heavy
def test_what_cannot_be_released_leaves_what_was_there(tmp_path: Path) -> None:
    into = tmp_path / "dist"
    into.mkdir()
    (into / "old").touch()
    data = small(tmp_path)
    (data / "models.csv").unlink()
    done = release(into, data)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert done.stderr.startswith("not released: ")
    assert [path.name for path in into.iterdir()] == ["old"]
