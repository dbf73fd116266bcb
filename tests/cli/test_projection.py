"""The commands about projections: build one, verify one, and say what differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.outcomes import EXIT_VIOLATIONS


@pytest.fixture
def folder(seed_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(seed_folder, tmp_path / "var")
    monkeypatch.setenv("SLMKG_DATA_DIR", str(tmp_path / "var"))
    return tmp_path / "var"


def test_a_built_projection_is_verified(folder: Path) -> None:
    shutil.rmtree(folder / "projections")
    built = CliRunner().invoke(app, ["projection", "build", "--json"])
    assert built.exit_code == 0
    assert json.loads(built.stdout)["models"] == 126
    assert (folder / "projections" / "000001" / "cells.parquet").exists()
    verified = CliRunner().invoke(app, ["projection", "verify", "--json"])
    assert (verified.exit_code, json.loads(verified.stdout)["equal"]) == (0, True)


def test_a_wrong_cell_is_named(folder: Path) -> None:
    path = folder / "projections" / "000001" / "cells.parquet"
    cells = pl.read_parquet(path)
    wrong = cells.with_columns(
        pl.when(pl.int_range(pl.len()) == 0).then(77).otherwise(pl.col("agreeing")).cast(pl.Int32).alias("agreeing")
    )
    wrong.write_parquet(path)
    done = CliRunner().invoke(app, ["projection", "verify"])
    assert done.exit_code == EXIT_VIOLATIONS
    assert f"{cells['model'][0]}, {cells['property'][0]}, agreeing: 77" in done.stdout
