"""Checks a release with nothing but its own files: sums, hash of the graph, and a reload into an empty store.

It tells everything that differs, not only the first thing. Trusts no name and no size that a file states. Never
changes what it checks.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
import zlib
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path

from app.errors import BadFile, InputError
from app.model.rdf import Quad
from app.release.values import MANIFEST, SUMS, File, Manifest, archive_name, sums_text
from app.store import documents
from app.store.archive import BadArchive, Writer, members
from app.store.canonical import canonical
from app.store.reload import reloaded

Progress = Callable[[str], None]

STEPS = 5
"""Steps that a check announces."""
_MOST = 4_000_000_000
"""Bytes that a packed file may have when it is unpacked."""
_TOLD = 5
_NO_FILE = "is no regular file"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check found. `problems` are sentences that name the file; none means that all is well."""

    name: str | None
    revision: int | None
    graph_sha256: str | None
    files: int
    problems: tuple[str, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing differs."""
        return not self.problems


def verify(target: Path, progress: Progress = lambda _: None) -> Verified:
    """Check a release in a folder or in an archive; BadFile when there is neither."""
    if target.is_dir():
        return _verify_folder(target, progress)
    if not target.is_file():
        raise BadFile(target, "there is no release here", advice="Name a folder, an archive or a release.")
    with tempfile.TemporaryDirectory(prefix="slmkg-verify-") as room:
        try:
            folder = unpack(target, Path(room))
        except BadArchive as error:
            return Verified(None, None, None, 0, (f"{target.name}: {error}",))
        found = _verify_folder(folder, progress)
        problems = (*found.problems, *_archive_problems(folder, target, target.name))
        return Verified(found.name, found.revision, found.graph_sha256, found.files, problems)


def unpack(archive: Path, room: Path) -> Path:
    """Unpack a release's archive into an empty folder and return the release's folder there; BadArchive."""
    places: set[str] = set()
    with archive.open("rb") as source:
        for member, chunks in members(source):
            place, slash, name = member.name.partition("/")
            places.add(place)
            if not slash or "/" in name or len(places) > 1:
                raise BadArchive(f"{member.name} is not in the folder of one release")
            (room / place).mkdir(exist_ok=True)
            with (room / place / name).open("xb") as out:
                out.writelines(chunks())
    if not places:
        raise BadArchive("it is empty")
    return room / places.pop()


def write_archive(folder: Path, manifest: Manifest, out: Path) -> None:
    """Write the archive of a release's files."""
    names = sorted([*(one.name for one in manifest.files), MANIFEST, SUMS])
    with out.open("wb") as handle:
        writer = Writer(handle, time=int(manifest.made_at.timestamp()))
        for name in names:
            writer.add_file(f"{archive_name(manifest.name).removesuffix('.tar')}/{name}", folder / name)
        writer.end()


def sum_of(path: Path) -> File:
    """Size and SHA-256 of a file."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return File(path.name, path.stat().st_size, digest)


def _verify_folder(folder: Path, progress: Progress) -> Verified:
    progress("reading the manifest")
    try:
        manifest = _manifest(folder)
    except FileNotFoundError:
        return Verified(None, None, None, 0, (f"{MANIFEST}: is missing",))
    except (OSError, ValueError) as error:
        return Verified(None, None, None, 0, (f"{MANIFEST}: cannot be used: {error}", *_against_sums(folder)))
    progress("checking sums")
    problems = [*_files_problems(folder, manifest)]
    progress("reading the graph")
    graph, told = _graph(folder / "graph.nq.gz", manifest)
    other, told_of_other = _graph(folder / "graph.trig.gz", manifest)
    problems += [*told, *told_of_other]
    if graph is not None and other is not None and graph != other:
        problems += _differences(graph, other)
    progress("loading it into an empty store")
    if graph is not None and not told:
        problems += _reload_problems(graph, manifest)
    progress("comparing the archive")
    archive = folder / manifest.archive
    if archive.exists() and not archive.is_file():
        problems.append(f"{archive.name}: {_NO_FILE}")
    elif archive.is_file():
        problems += _archive_problems(folder, archive, archive.name)
        problems += _archive_sum_problems(folder, archive)
    return Verified(manifest.name, manifest.revision, manifest.graph_sha256, len(manifest.files), tuple(problems))


def _manifest(folder: Path) -> Manifest:
    """The manifest in a folder; OSError, ValueError."""
    path = folder / MANIFEST
    if path.exists() and not path.is_file():
        raise ValueError(_NO_FILE)
    try:
        return Manifest.from_json(json.loads(path.read_bytes()))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _files_problems(folder: Path, manifest: Manifest) -> list[str]:
    problems = []
    present = {path.name for path in folder.iterdir()}
    beside = {MANIFEST, SUMS, manifest.archive, f"{manifest.archive}.sha256"}
    for one in manifest.files:
        if one.name not in present:
            problems.append(f"{one.name}: is missing")
        elif not (folder / one.name).is_file():
            problems.append(f"{one.name}: {_NO_FILE}")
        elif (found := sum_of(folder / one.name)) != one:
            problems.append(
                f"{one.name}: has {found.bytes} bytes and SHA-256 {found.sha256}, "
                f"the manifest says {one.bytes} bytes and {one.sha256}"
            )
    problems += [
        f"{name}: is not a file of this release"
        for name in sorted(present - beside - {one.name for one in manifest.files})
    ]
    told = {problem.partition(":")[0] for problem in problems}
    intact = {one.name for one in manifest.files} - told
    return [*problems, *(one for one in _against_sums(folder, intact) if one.partition(":")[0] not in told)]


def _against_sums(folder: Path, intact: Set[str] = frozenset()) -> list[str]:
    """What differs from the file of sums; of files that the manifest finds intact, the sum is to blame."""
    if (folder / SUMS).exists() and not (folder / SUMS).is_file():
        return [f"{SUMS}: {_NO_FILE}"]
    try:
        stated = (folder / SUMS).read_text(encoding="ascii")
    except FileNotFoundError:
        return [f"{SUMS}: is missing"]
    except (OSError, ValueError) as error:
        return [f"{SUMS}: cannot be read: {error}"]
    by_name = {name: sha for sha, _, name in (line.partition("  ") for line in stated.splitlines())}
    problems = []
    for name, sha in by_name.items():
        path = folder / name
        if "/" in name or not path.is_file():
            problems.append(f"{SUMS}: names {name!r}, which is not there")
        elif (found := sum_of(path).sha256) != sha:
            says = f"{SUMS}: says {sha} of {name}, which has {found}"
            problems.append(says if name in intact else f"{name}: has SHA-256 {found}, {SUMS} says {sha}")
    if MANIFEST not in by_name:
        problems.append(f"{SUMS}: does not name {MANIFEST}")
    names = sorted(name for name in by_name if "/" not in name and (folder / name).is_file())
    if not problems and stated != sums_text(tuple(sum_of(folder / name) for name in names)):
        problems.append(f"{SUMS}: is not written as slmkg writes it")
    return problems


def _graph(path: Path, manifest: Manifest) -> tuple[frozenset[Quad] | None, list[str]]:
    """The quads of a packed graph, and what is wrong with it; no quads where it cannot be read."""
    if not path.is_file():
        return None, []  # told with the files
    try:
        with gzip.open(path, "rb") as source:
            content = source.read(_MOST + 1)
    except (OSError, EOFError, zlib.error) as error:
        return None, [f"{path.name}: cannot be unpacked: {error}"]
    if len(content) > _MOST:
        return None, [f"{path.name}: unpacks to more than {_MOST} bytes"]
    try:
        quads = documents.read_quads(content, manifest_type(path))
        form = canonical(quads)
    except InputError as error:
        return None, [f"{path.name}: {error.message}"]
    problems = []
    if len(quads) != manifest.quads:
        problems.append(f"{path.name}: holds {len(quads)} quads, the manifest says {manifest.quads}")
    if (found := form.sha256()) != manifest.graph_sha256:
        problems.append(f"{path.name}: its graph has the hash {found}, the manifest says {manifest.graph_sha256}")
    elif path.name.endswith(".nq.gz") and content != form.text():
        problems.append(f"{path.name}: is not in canonical form")
    return quads, problems


def manifest_type(path: Path) -> str:
    """Media type of a packed graph."""
    return "application/n-quads" if path.name.endswith(".nq.gz") else "application/trig"


def _differences(graph: frozenset[Quad], other: frozenset[Quad]) -> list[str]:
    problems = []
    for name, only in (("graph.nq.gz", graph - other), ("graph.trig.gz", other - graph)):
        lines = sorted(str(quad) for quad in only)
        problems += [f"{name}: alone has {line}" for line in lines[:_TOLD]]
        if len(lines) > _TOLD:
            problems.append(f"{name}: alone has {len(lines) - _TOLD} quads more")
    return problems


def _reload_problems(graph: frozenset[Quad], manifest: Manifest) -> list[str]:
    found = canonical(reloaded(graph)).sha256()
    if found == manifest.graph_sha256:
        return []
    return [f"graph.nq.gz: loaded into an empty store it has the hash {found}, not {manifest.graph_sha256}"]


def _archive_problems(folder: Path, archive: Path, name: str) -> list[str]:
    """Whether an archive is, byte by byte, the one that the files beside it give."""
    try:
        manifest = _manifest(folder)
        if not all((folder / name).is_file() for name in (*(one.name for one in manifest.files), SUMS)):
            raise FileNotFoundError(folder)  # a pipe could be waited on for ever
        with tempfile.TemporaryDirectory(prefix="slmkg-verify-") as room:
            again = Path(room) / "again.tar"
            write_archive(folder, manifest, again)
            place = _first_difference(again, archive)
    except (OSError, ValueError):
        return [f"{name}: cannot be compared, since files are missing or damaged"]
    return [] if place is None else [f"{name}: differs at byte {place} from what its files give"]


def _archive_sum_problems(folder: Path, archive: Path) -> list[str]:
    path = folder / f"{archive.name}.sha256"
    if path.exists() and not path.is_file():
        return [f"{path.name}: {_NO_FILE}"]
    try:
        stated = path.read_bytes()
    except OSError:
        return [f"{path.name}: is missing"]
    wanted = f"{sum_of(archive).sha256}  {archive.name}\n".encode("ascii")
    return [] if stated == wanted else [f"{path.name}: is not the sum of {archive.name}"]


def _first_difference(one: Path, other: Path) -> int | None:
    """Number of the first byte that differs, from 0; None for equal files."""
    place = 0
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            a, b = left.read(1 << 20), right.read(1 << 20)
            if a != b:
                return place + next(
                    (at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
                )
            if not a:
                return None
            place += len(a)
