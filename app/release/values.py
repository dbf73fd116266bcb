"""What a release is: its name, its files with their sums, and the manifest that says so. Never touches a disk."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from app import vocab
from app.errors import BadParameter

FORMAT = 1
"""Version of this layout of files."""
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
_NAME = re.compile(r"[0-9]{4}\.(0[1-9]|1[0-2])(\.[0-9]{1,3})?(-[a-z][a-z0-9]{0,15})?", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """What one file of a release is. `data` marks files that depend on the revision alone, not on the name."""

    media_type: str
    about: str
    data: bool = False
    packed: bool = False


GZIP = "application/gzip"
PARQUET = "application/vnd.apache.parquet"
TEXT = "text/markdown"
FILES: Mapping[str, Kind] = {
    "graph.nq.gz": Kind("application/n-quads", "the whole graph, canonical N-Quads", data=True, packed=True),
    "graph.trig.gz": Kind("application/trig", "the same graph, TriG", data=True, packed=True),
    "models.csv": Kind("text/csv", "models by properties: curated values with their status", data=True),
    "models.parquet": Kind(PARQUET, "the same table with typed columns", data=True),
    "claims.csv": Kind("text/csv", "every claim with its source and what became of it", data=True),
    "claims.parquet": Kind(PARQUET, "the same table with typed columns", data=True),
    "observations.csv": Kind("text/csv", "every benchmark score and runtime measurement", data=True),
    "observations.parquet": Kind(PARQUET, "the same table with typed columns", data=True),
    "cube.ttl": Kind("text/turtle", "the observations as RDF Data Cube", data=True),
    "quality.ttl": Kind("text/turtle", "the quality report in DQV", data=True),
    "QUALITY.md": Kind(TEXT, "the quality report for people", data=True),
    "CHANGES.md": Kind(TEXT, "what changed since the release before, for people"),
    "changes.csv": Kind("text/csv", "what changed since the release before, cell by cell"),
    "dcat.ttl": Kind("text/turtle", "the record for catalogues: DCAT"),
    "dcat.jsonld": Kind("application/ld+json", "the same record, JSON-LD"),
    "datacite.json": Kind("application/json", "metadata for a DOI: DataCite 4.5, without the DOI"),
    "CITATION.cff": Kind("application/yaml", "how to cite the release"),
    "README.md": Kind(TEXT, "what the files hold, column by column"),
    "LICENSE.md": Kind(TEXT, "terms of the data"),
}
"""The files of a release, in the order in which people read of them; besides them there are manifest and sums."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a release: its size in bytes and its SHA-256."""

    name: str
    bytes: int
    sha256: str

    @property
    def kind(self) -> Kind:
        """What the file is."""
        return FILES.get(self.name) or Kind("application/json" if self.name == MANIFEST else "text/plain", "sums")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a release holds. `graph_sha256` is the hash of the graph by RDFC-1.0; `previous` names the release before.

    `made_at` is when the revision was made: a release has no time of its own, so that it can be made again.
    """

    name: str
    revision: int
    made_at: datetime
    reason: str
    graph_sha256: str
    quads: int
    counts: Mapping[str, int]
    findings: Mapping[str, int]
    previous: str | None
    versions: Mapping[str, str]
    files: tuple[File, ...]

    @property
    def iri(self) -> str:
        """The release's own IRI."""
        return vocab.release.NS + self.name

    @property
    def archive(self) -> str:
        """Name of the archive that holds all files."""
        return archive_name(self.name)

    def file(self, name: str) -> File | None:
        """The file with this name, if the manifest lists it."""
        return next((one for one in self.files if one.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """The manifest as plain data."""
        return {
            "format": FORMAT,
            "name": self.name,
            "iri": self.iri,
            "revision": self.revision,
            "made_at": self.made_at.isoformat(),
            "reason": self.reason,
            "graph": {"canonicalization": "RDFC-1.0", "sha256": self.graph_sha256, "quads": self.quads},
            "counts": dict(self.counts),
            "findings": dict(self.findings),
            "previous": self.previous,
            "versions": dict(self.versions),
            "files": [asdict(one) | {"media_type": one.kind.media_type} for one in self.files],
        }

    @classmethod
    def from_json(cls, data: Any, *, name: str | None = None) -> Manifest:
        """Read a manifest (the one of a release of this name); ValueError for anything that is none."""
        try:
            if data["format"] != FORMAT:
                raise ValueError(f"it has format {data['format']}, this slmkg reads format {FORMAT}")
            found = cls(
                name=checked_name(data["name"]),
                revision=_whole(data["revision"]),
                made_at=datetime.fromisoformat(data["made_at"]),
                reason=str(data["reason"]),
                graph_sha256=_hash(data["graph"]["sha256"]),
                quads=_whole(data["graph"]["quads"]),
                counts={str(name): _whole(number) for name, number in data["counts"].items()},
                findings={str(name): _whole(number) for name, number in data["findings"].items()},
                previous=None if data["previous"] is None else checked_name(data["previous"]),
                versions={str(name): str(version) for name, version in data["versions"].items()},
                files=tuple(
                    File(_known(one["name"]), _whole(one["bytes"]), _hash(one["sha256"])) for one in data["files"]
                ),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it lacks or misstates {error}") from error
        except BadParameter as error:
            raise ValueError(error.message) from error
        if name is not None and found.name != name:
            raise ValueError(f"it is the manifest of {found.name}")
        if found.as_json() != data:
            raise ValueError("it says things that no manifest says")
        return found


def checked_name(name: object) -> str:
    """A name that a release may have: year and month, perhaps a number and a word; BadParameter."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadParameter(
            "name", f"{name!r} is not the name of a release", advice="Write year and month, e.g. 2026.11 or 2026.11.2."
        )
    return name


def archive_name(name: str) -> str:
    """Name of the archive of a release."""
    return f"slmkg-{name}.tar"


def sums_text(files: tuple[File, ...]) -> str:
    """The file of sums, as `sha256sum --check` reads it."""
    return "".join(f"{one.sha256}  {one.name}\n" for one in sorted(files, key=lambda one: one.name))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a number of things")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"{value!r} is not a SHA-256")
    return value


def _known(name: object) -> str:
    if not isinstance(name, str) or name not in FILES:
        raise ValueError(f"{name!r} is not a file of a release")
    return name
