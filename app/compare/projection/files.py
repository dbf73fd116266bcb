"""Keeps projections on disk beside the revisions: one folder each, made whole or not at all.

    <folder>/000007/manifest.json          format version, revision, when that revision was made
    <folder>/000007/terms.json             the vocabulary
    <folder>/000007/{models,cells,observations}.parquet

A folder of another format, of another store, or one that cannot be read counts as missing. The oldest ones go when
there are too many; what is asked for again is built again.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import TypeAdapter, ValidationError

from app.compare.projection import cells, models, observations
from app.compare.projection.build import Projection
from app.compare.projection.terms import Terms
from app.model.changes import Revision

FORMAT = 2
"""Raise it with every change of what the tables hold."""
_TERMS = TypeAdapter(Terms)
_SCHEMAS = {"models": models.SCHEMA, "cells": cells.SCHEMA, "observations": observations.SCHEMA}


@dataclass(frozen=True, slots=True)
class Files:
    """The folder of projections; at most `keep` stay."""

    folder: Path
    keep: int = 20

    def read(self, revision: Revision) -> Projection | None:
        """The projection of a revision, or None."""
        place = self._place(revision.number)
        try:
            if json.loads((place / "manifest.json").read_text(encoding="utf-8")) != _manifest(revision):
                return None
            tables = {name: pl.read_parquet(place / f"{name}.parquet", memory_map=False) for name in _SCHEMAS}
            known = _TERMS.validate_json((place / "terms.json").read_bytes())
        except (OSError, ValueError, ValidationError, pl.exceptions.PolarsError):
            return None
        if any(dict(table.schema) != dict(pl.Schema(_SCHEMAS[name])) for name, table in tables.items()):
            return None
        return Projection(revision.number, tables["models"], tables["cells"], tables["observations"], known)

    def has(self, revision: Revision) -> bool:
        """Whether the projection of a revision is here, in our format; reads the manifest only."""
        try:
            found = json.loads((self._place(revision.number) / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(found == _manifest(revision))

    def write(self, revision: Revision, projection: Projection) -> None:
        """Keep a projection, in place of one that is there, and let the oldest go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix="work-", dir=self.folder))
        try:
            for name in _SCHEMAS:
                getattr(projection, name).write_parquet(work / f"{name}.parquet", compression="lz4")
            (work / "terms.json").write_bytes(_TERMS.dump_json(projection.terms))
            (work / "manifest.json").write_text(json.dumps(_manifest(revision)), encoding="utf-8")
            work.chmod(0o755)
            place = self._place(revision.number)
            if place.exists():
                shutil.rmtree(place)
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        for old in self.numbers()[: -self.keep]:
            shutil.rmtree(self._place(old), ignore_errors=True)

    def numbers(self) -> list[int]:
        """The revisions whose projections are here, oldest first."""
        found = self.folder.glob("[0-9][0-9][0-9][0-9][0-9][0-9]") if self.folder.exists() else ()
        return sorted(int(place.name) for place in found)

    def _place(self, number: int) -> Path:
        return self.folder / f"{number:06d}"


def _manifest(revision: Revision) -> dict[str, object]:
    return {
        "format": FORMAT,
        "revision": revision.number,
        "made_at": revision.made_at.isoformat(),
        "quads": revision.quads,
    }
