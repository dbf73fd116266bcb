"""The releases of one installation: a folder for each, made in a temporary folder and renamed when it is whole.

    releases/LOCK                 held (flock) by the process that makes a release
    releases/2026.11/             a release: files, manifest, sums, archive; never written again
    releases/.making-2026.11-…/   not finished; whatever is found here when nobody holds the lock is removed

A process killed at any point leaves the releases that there were. Everything in a release follows from the revision,
the release before and the versions of the programs, so that it can be made again.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from app import __version__, vocab
from app.compare.counts import count
from app.compare.diff import Diff, diff
from app.compare.reader import Reader
from app.compare.values import Counts
from app.curate.commit import validate
from app.durable import locked, sync, sync_tree
from app.errors import BadParameter, NotFound, ReleaseExists, StoreBusy, StoreDamaged
from app.model.changes import Revision
from app.model.rdf import Triple
from app.release import changes, cube, metadata, quality, tables
from app.release.values import (
    FILES,
    MANIFEST,
    SUMS,
    File,
    Manifest,
    archive_name,
    checked_name,
    sums_text,
)
from app.release.verify import Verified, sum_of, verify, write_archive
from app.store.canonical import canonical
from app.store.engine import written
from app.store.port import GraphStore
from app.validation.sets import SetValidator

Progress = Callable[[str], None]

STEPS = 10
"""Steps that making a release announces, besides those of the validation."""
_COMPRESSION = 9


@dataclass(frozen=True, slots=True)
class Made:
    """What `make` did: the release, and whether it is new or was there already, the same."""

    manifest: Manifest
    new: bool


@dataclass(frozen=True, slots=True)
class Shelf:
    """Makes, lists and finds releases. Any number of processes may read while one makes."""

    folder: Path
    store: GraphStore
    validator: SetValidator
    license: Path
    _known: dict[tuple[str, int, int], Manifest] = field(default_factory=dict)

    def list(self) -> tuple[Manifest, ...]:
        """All releases, by revision and name."""
        names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        found = [self._read(name) for name in names if _is_name(name)]
        return tuple(sorted(found, key=lambda one: (one.revision, one.name)))

    def find(self, name: str) -> Manifest:
        """The release with this name; NotFound."""
        if not _is_name(name) or not (self.folder / name).is_dir():
            raise NotFound("release", name, advice="List them with `slmkg release list`, or at /releases.")
        return self._read(name)

    def file(self, name: str, file: str) -> tuple[Path, File]:
        """Where a file of a release lies, with its size and sum; NotFound. The archive and its sum are files too."""
        manifest = self.find(name)
        path = self.folder / name / file
        known = manifest.file(file)
        if known is None and file not in {MANIFEST, SUMS, manifest.archive, f"{manifest.archive}.sha256"}:
            raise NotFound("file", file, advice=f"GET /api/v1/releases/{name} lists the files.")
        if not path.is_file():
            raise StoreDamaged(
                f"the file {file} of release {name} is missing",
                advice="Restore the release from a backup, or remove its folder and make it again.",
            )
        if known is not None:
            return path, known
        if file == manifest.archive:
            digest = (self.folder / name / f"{file}.sha256").read_text(encoding="ascii").partition(" ")[0]
            return path, File(file, path.stat().st_size, digest)
        return path, sum_of(path)

    def verify(self, target: str, progress: Progress = lambda _: None) -> Verified:
        """Check a release by its name, or one in a folder or an archive."""
        named = self.folder / target
        return verify(named if _is_name(target) and named.is_dir() else Path(target), progress)

    def make(
        self,
        name: str,
        revision: int | None = None,
        *,
        progress: Progress = lambda _: None,
        on_validation_step: Callable[[], None] = lambda: None,
    ) -> Made:
        """Make a release of a revision (the newest by default).

        A release of this name that holds the same revision is checked and given back; ReleaseExists when it holds
        another one, or is damaged. StoreBusy while another process makes one.
        """
        checked_name(name)
        progress("opening the revision")
        head = self.store.head().number
        number = head if revision is None else revision
        if not 1 <= number <= head:
            raise BadParameter("revision", f"there is no revision {number}", advice=f"The newest is {head}.")
        made = next(one for one in self.store.revisions() if one.number == number)
        with self._lock():
            if (self.folder / name).is_dir():
                return Made(self._same(name, number, progress), new=False)
            working = self.folder / f".making-{name}-{os.getpid()}"
            working.mkdir()
            try:
                manifest = _Writer(self, working, name, made).write(progress, on_validation_step)
                progress("putting it in its place")
                sync_tree(working)
                working.rename(self.folder / name)
                sync(self.folder)
            except BaseException:
                shutil.rmtree(working, ignore_errors=True)
                raise
        return Made(manifest, new=True)

    def revision_of(self, name: str) -> int | None:
        """The revision that a release holds; None when there is no release of this name."""
        try:
            return self.find(name).revision
        except NotFound:
            return None

    def before(self, revision: int, name: str) -> Manifest | None:
        """The release that one of this revision and name follows: the last one of an earlier revision."""
        return next((one for one in reversed(self.list()) if one.revision < revision and one.name != name), None)

    def _same(self, name: str, number: int, progress: Progress) -> Manifest:
        there = self.find(name)
        if there.revision != number:
            raise ReleaseExists(name, f"it holds revision {there.revision}, not {number}")
        found = self.verify(name, progress)
        if not found.intact:
            raise ReleaseExists(name, f"it is damaged: {found.problems[0]}")
        return there

    def _read(self, name: str) -> Manifest:
        path = self.folder / name / MANIFEST
        try:
            status = path.stat()
            stamp = (name, status.st_ino, status.st_mtime_ns)
        except OSError:
            stamp = (name, 0, 0)
        if stamp not in self._known:
            try:
                found = Manifest.from_json(json.loads(path.read_bytes()), name=name)
            except (OSError, ValueError, RecursionError) as error:
                raise StoreDamaged(
                    f"the manifest of release {name} cannot be used: {error}",
                    advice="Restore the release from a backup, or remove its folder and make it again.",
                ) from error
            self._known[stamp] = found
        return self._known[stamp]

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            try:
                held.enter_context(locked(self.folder / "LOCK"))
            except BlockingIOError as error:
                raise StoreBusy("another release is being made", advice="Wait until it has finished.") from error
            for leftover in self.folder.glob(".making-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield


class _Writer:
    """Writes the files of one release into a folder."""

    def __init__(self, shelf: Shelf, folder: Path, name: str, revision: Revision) -> None:
        self._shelf = shelf
        self._folder = folder
        self._name = name
        self._revision = revision
        self._snapshot = shelf.store.at(revision.number)
        self._reader = Reader(self._snapshot)
        self._files: OrderedDict[str, File] = OrderedDict()

    def write(self, progress: Progress, on_validation_step: Callable[[], None]) -> Manifest:
        progress("graph in canonical form")
        graph = canonical(self._snapshot.quads())
        self._pack("graph.nq.gz", graph.text())
        progress("graph as TriG")
        self._pack("graph.trig.gz", graph.trig())
        progress("models")
        compared, of_models = tables.models_table(self._reader)
        progress("claims")
        of_claims = tables.claims_table(self._reader)
        progress("observations")
        of_observations = tables.observations_table(self._reader)
        listed = (("models", of_models), ("claims", of_claims), ("observations", of_observations))
        for stem, table in listed:
            self._put(f"{stem}.csv", table.csv())
            self._put(f"{stem}.parquet", table.parquet())
        progress("data cube")
        self._turtle("cube.ttl", cube.cube(self._reader))
        progress("quality")
        report = validate(self._shelf.store.to_check(self._revision.number), self._shelf.validator, on_validation_step)
        disputed = [(row["subject"].value, row["property"].value) for row in self._reader.rows("disputed")]
        found = quality.quality(compared, of_claims, report, disputed)
        self._put("QUALITY.md", quality.markdown(found, self._revision).encode("utf-8"))
        self._turtle("quality.ttl", quality.triples(found, self._revision))
        progress("changes")
        previous = self._shelf.before(self._revision.number, self._name)
        self._changes(previous, of_models.csv())
        progress("description")
        manifest = Manifest(
            name=self._name,
            revision=self._revision.number,
            made_at=self._revision.made_at,
            reason=self._revision.reason,
            graph_sha256=graph.sha256(),
            quads=len(graph.lines),
            counts=_counts(count(self._reader)),
            findings={severity.value: number for severity, number in report.counts.items()},
            previous=previous.name if previous else None,
            versions={
                "slmkg": __version__,
                "ontology": vocab.VERSION,
                "pyoxigraph": version("pyoxigraph"),
                "polars": version("polars"),
            },
            files=(),
        )
        self._describe(manifest, of_claims, tuple((f"{stem}.csv", table.columns) for stem, table in listed))
        return self._finish(manifest)

    def _describe(
        self, manifest: Manifest, claims: tables.Table, listed: tuple[tuple[str, tuple[tables.Column, ...]], ...]
    ) -> None:
        files = tuple(self._files.values())
        record = metadata.dcat(manifest, files)
        self._turtle("dcat.ttl", record)
        self._put("dcat.jsonld", written(record, "application/ld+json"))
        addresses = {str(row["source_address"]) for row in claims.rows if row["source_address"]}
        self._put("datacite.json", metadata.datacite(manifest, files, addresses))
        self._put("CITATION.cff", metadata.citation(manifest))
        self._put("README.md", metadata.readme(manifest, listed))
        self._put("LICENSE.md", self._shelf.license.read_bytes())

    def _finish(self, described: Manifest) -> Manifest:
        """Write manifest, sums and archive."""
        fields = {name: getattr(described, name) for name in described.__dataclass_fields__}
        manifest = Manifest(**{**fields, "files": tuple(self._files[name] for name in FILES)})
        self._put(MANIFEST, (json.dumps(manifest.as_json(), indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
        (self._folder / SUMS).write_text(sums_text(tuple(self._files.values())), encoding="ascii")
        archive = self._folder / archive_name(self._name)
        write_archive(self._folder, manifest, archive)
        line = f"{sum_of(archive).sha256}  {archive.name}\n"
        (self._folder / f"{archive.name}.sha256").write_text(line, encoding="ascii")
        return manifest

    def _changes(self, previous: Manifest | None, models: bytes) -> None:
        if previous is None:
            found: tuple[changes.Changed, ...] = ()
            reasons: tuple[tuple[int, str], ...] = ()
        else:
            path, _ = self._shelf.file(previous.name, "models.csv")
            found = changes.changes(path.read_bytes(), models, self._difference(previous.revision))
            between = range(previous.revision + 1, self._revision.number + 1)
            reasons = tuple((one.number, one.reason) for one in self._shelf.store.revisions() if one.number in between)
        self._put("changes.csv", changes.to_csv(found))
        self._put("CHANGES.md", changes.markdown(found, previous.name if previous else None, reasons).encode("utf-8"))

    def _difference(self, since: int) -> Diff | None:
        """What the store knows of the way from an older revision; None when that is not kept any more."""
        try:
            return diff(self._shelf.store, since, self._revision.number)
        except NotFound:
            return None

    def _turtle(self, name: str, triples: list[Triple]) -> None:
        self._put(name, written(triples, "text/turtle"))

    def _pack(self, name: str, content: bytes) -> None:
        self._put(name, gzip.compress(content, _COMPRESSION, mtime=0))

    def _put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        path.write_bytes(content)
        self._files[name] = sum_of(path)


def _counts(found: Counts) -> dict[str, int]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def _is_name(name: str) -> bool:
    try:
        checked_name(name)
    except BadParameter:
        return False
    return True
