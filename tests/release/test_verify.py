"""Checking a release: an intact one passes in every form, and whatever is changed is found and named."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import BadFile
from app.release.values import MANIFEST, SUMS, Manifest, sums_text
from app.release.verify import sum_of, verify, write_archive
from app.services import Services
from app.store.archive import Writer


@pytest.fixture
def folder(released: Services, tmp_path: Path) -> Path:
    """A copy of a release that the test may spoil."""
    return shutil.copytree(released.settings.data_dir / "releases" / "2026.12", tmp_path / "copy")


def resum(folder: Path) -> None:
    """Write manifest, sums and archive anew, as somebody would who wants to hide a change."""
    path = folder / MANIFEST
    data = json.loads(path.read_text())
    for one in data["files"]:
        found = sum_of(folder / one["name"])
        one |= {"bytes": found.bytes, "sha256": found.sha256}
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    names = [*(one["name"] for one in data["files"]), MANIFEST]
    (folder / SUMS).write_text(sums_text(tuple(sum_of(folder / name) for name in names)))
    manifest = Manifest.from_json(data)
    write_archive(folder, manifest, folder / manifest.archive)
    line = f"{sum_of(folder / manifest.archive).sha256}  {manifest.archive}\n"
    (folder / f"{manifest.archive}.sha256").write_text(line)


def test_an_intact_release_passes_by_name_as_folder_and_as_archive(released: Services, folder: Path) -> None:
    for target in ("2026.12", str(folder), str(folder / "slmkg-2026.12.tar")):
        found = released.releases.verify(target)
        assert found.problems == ()
        assert (found.name, found.revision, found.files) == ("2026.12", 2, 19)
        assert found.graph_sha256 == released.releases.find("2026.12").graph_sha256


def test_the_archive_need_not_lie_in_the_folder(folder: Path) -> None:
    (folder / "slmkg-2026.12.tar").unlink()
    (folder / "slmkg-2026.12.tar.sha256").unlink()
    assert verify(folder).intact


def test_resumming_what_is_intact_keeps_it_intact(folder: Path) -> None:
    resum(folder)
    assert verify(folder).problems == ()


def test_a_flipped_byte_in_any_file_is_found_and_the_file_named(folder: Path) -> None:
    chance = random.Random(20261121)
    for number, path in enumerate(sorted(folder.iterdir())):
        content = path.read_bytes()
        place = (0, len(content) - 1, chance.randrange(len(content)))[number % 3]
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << chance.randrange(8)
        path.write_bytes(spoiled)
        found = verify(folder)
        assert any(path.name in problem for problem in found.problems), (path.name, place)
        path.write_bytes(content)
    assert verify(folder).intact


def test_a_flipped_byte_anywhere_in_an_archive_is_found(folder: Path, tmp_path: Path) -> None:
    content = (folder / "slmkg-2026.12.tar").read_bytes()
    chance = random.Random(7)
    alone = tmp_path / "alone.tar"
    for place in (0, 300, len(content) - 1, *(chance.randrange(len(content)) for _ in range(8))):
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << chance.randrange(8)
        alone.write_bytes(spoiled)
        assert not verify(alone).intact, place
    for end in (0, 511, 512, 5000, len(content) - 1):
        alone.write_bytes(content[:end])
        assert not verify(alone).intact, end
    alone.write_bytes(content)
    assert verify(alone).intact


def test_a_missing_file_and_one_too_many_are_named(folder: Path) -> None:
    (folder / "claims.csv").unlink()
    (folder / "more.csv").write_text("a\n")
    problems = verify(folder).problems
    assert "claims.csv: is missing" in problems
    assert "more.csv: is not a file of this release" in problems
    for name in (MANIFEST, SUMS):
        shutil.move(folder / name, folder.parent / name)
        assert any(problem.startswith(f"{name}: is missing") for problem in verify(folder).problems)
        shutil.move(folder.parent / name, folder / name)


def test_a_graph_that_was_changed_with_its_sums_is_found_by_its_hash(folder: Path) -> None:
    """Somebody changes one value in one form of the graph and makes all sums fit again."""
    packed = folder / "graph.nq.gz"
    text = gzip.decompress(packed.read_bytes()).decode()
    line = next(one for one in text.splitlines() if "numLayers" in one and '"31"' in one)
    changed = line.replace('"31"', '"32"')
    packed.write_bytes(gzip.compress(text.replace(line, changed).encode(), 9, mtime=0))
    resum(folder)
    problems = verify(folder).problems
    assert any("graph.nq.gz: its graph has the hash" in problem for problem in problems)
    assert f"graph.nq.gz: alone has {changed[:-2]}" in problems
    assert f"graph.trig.gz: alone has {line[:-2]}" in problems


def test_a_graph_in_another_order_is_not_canonical(folder: Path) -> None:
    packed = folder / "graph.nq.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines(keepends=True)
    packed.write_bytes(gzip.compress("".join(reversed(lines)).encode(), 9, mtime=0))
    resum(folder)
    assert verify(folder).problems == ("graph.nq.gz: is not in canonical form",)


def test_a_quad_that_is_gone_is_named(folder: Path) -> None:
    packed = folder / "graph.nq.gz"
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines(keepends=True)
    packed.write_bytes(gzip.compress("".join(lines[1:]).encode(), 9, mtime=0))
    resum(folder)
    problems = verify(folder).problems
    count = len(lines)
    assert f"graph.nq.gz: holds {count - 1} quads, the manifest says {count}" in problems
    assert f"graph.trig.gz: alone has {lines[0].rstrip(' .' + chr(10))}" in problems


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"<a:s> <a:p> ."), gzip.compress(b"\xff\xfe")])
def test_a_graph_that_cannot_be_read_is_told(folder: Path, content: bytes) -> None:
    (folder / "graph.nq.gz").write_bytes(content)
    resum(folder)
    problems = verify(folder).problems
    assert problems[0].startswith("graph.nq.gz: ")


def test_a_packed_graph_that_would_fill_the_memory_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.release.verify._MOST", 1_000_000)
    (folder / "graph.trig.gz").write_bytes(gzip.compress(b" " * 2_000_000))
    resum(folder)
    assert verify(folder).problems == ("graph.trig.gz: unpacks to more than 1000000 bytes",)


def test_links_in_a_folder_do_not_hide_anything(folder: Path, tmp_path: Path) -> None:
    (folder / "models.csv").rename(tmp_path / "elsewhere")
    (folder / "models.csv").symlink_to("/etc/hostname")
    assert any(problem.startswith("models.csv: has") for problem in verify(folder).problems)


def _gone(path: Path) -> None:
    path.unlink()


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\0" * 100)


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGE = {
    "gone": _gone,
    "empty": _emptied,
    "cut": _cut,
    "garbage": _garbage,
    "a folder": _a_folder,
    "a pipe": _a_pipe,
}


KINDS = (MANIFEST, SUMS, "claims.csv", "graph.nq.gz", "graph.trig.gz", "slmkg-2026.12.tar", "slmkg-2026.12.tar.sha256")
"""A file of each kind that is read in its own way; one table stands for all files of which only the sum counts."""


@pytest.mark.parametrize("damage", DAMAGE)
def test_every_kind_of_damage_to_every_file_is_told_with_the_files_name(folder: Path, damage: str) -> None:
    """A pipe, which nobody writes into, would keep a reader for ever."""
    for path in (folder / name for name in KINDS):
        copy = shutil.copytree(folder, folder.with_name("spoiled")) / path.name
        DAMAGE[damage](copy)
        found = verify(copy.parent)
        alone = damage == "gone" and path.name == "slmkg-2026.12.tar"  # it need not lie there
        assert found.intact == alone, path.name
        assert alone or any(one.startswith(f"{path.name}: ") for one in found.problems), (path.name, found.problems)
        shutil.rmtree(copy.parent)


def archives() -> Iterator[tuple[str, bytes]]:
    def archive(files: dict[str, bytes]) -> bytes:
        out = io.BytesIO()
        writer = Writer(out, time=0)
        for name, content in files.items():
            writer.add(name, content)
        writer.end()
        return out.getvalue()

    yield "empty", archive({})
    yield "no folder", archive({"manifest.json": b"{}"})
    yield "two folders", archive({"a/x": b"", "b/x": b""})
    yield "deep", archive({"a/b/c": b""})
    yield "no manifest", archive({"a/x": b""})
    yield "bad manifest", archive({"a/manifest.json": b"[" * 100_000})
    yield "wrong sums", archive({"a/manifest.json": b"{}", "a/SHA256SUMS": b"../../etc/passwd\n"})
    yield "no archive", b"hello"


@pytest.mark.parametrize(("name", "content"), list(archives()))
def test_archives_that_are_no_release(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "some.tar"
    path.write_bytes(content)
    found = verify(path)
    assert not found.intact, name
    assert found.name is None


def test_where_there_is_nothing_to_check(tmp_path: Path, released: Services) -> None:
    with pytest.raises(BadFile, match="no release here"):
        released.releases.verify("2025.01")
    found = verify(tmp_path)
    assert found.problems == (f"{MANIFEST}: is missing",)
