"""The notebooks run against a served seed and give what their text says; none is committed with outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.project.checkout import ROOT, files
from tests.web.serving import serving

NOTEBOOKS = list(files(".ipynb"))


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def service(seed_folder: Path) -> Iterator[str]:
    with serving(seed_folder) as address:
        yield address


def outputs(notebook: Any) -> list[str]:
    """What each cell of code shows, as text."""
    return [
        "".join(one.get("text") or one["data"]["text/plain"] for one in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_whole_and_has_no_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 3
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.heavy
def test_the_notebook_on_comparisons_runs(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_URL", service)
    notebook = read(ROOT / "docs" / "notebooks" / "compare.ipynb")
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = outputs(notebook)
    assert all(shown)
    revision, best, source, statuses, missing, claims, board, fit, tokens, attention = shown
    assert "revision 1." in revision
    assert "Apache-2.0" in best
    assert "observation/" in source
    assert "The same answer for ever: r/1/api/v1/compare?" in source
    assert "disputed" in statuses
    assert "125237760 or 125239296" in missing
    assert "Rejected   1200B" in claims
    assert "tied" in board
    assert "parameters x bits / 8" in fit
    assert "2024" in tokens
    assert "multi-head attention" in attention


def test_every_notebook_is_run() -> None:
    assert [path.name for path in NOTEBOOKS] == ["compare.ipynb"]
