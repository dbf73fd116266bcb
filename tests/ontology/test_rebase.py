"""A fork can move everything below its own base, repeatedly and after a cut-off run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.vocab import BASE

ROOT = Path(__file__).parents[2]
NEW = "https://models.example.org" + "/graph/"  # in two parts: the copy of this file is rewritten too
FOLDERS = ("ontology", "shapes", "scripts", "tests/ontology")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignore)
    (tmp_path / "app" / "queries").mkdir(parents=True)
    shutil.copy(ROOT / "app" / "vocab.py", tmp_path / "app")
    (tmp_path / "app" / "queries" / "q.rq").write_text(f"SELECT * {{ ?s <{BASE}ontology#numLayers> ?n }}\n")
    (tmp_path / "app" / "code.py").write_text(f'KEPT = "{BASE}"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bytes.bin").write_bytes(b"\xff\xfe" + BASE.encode())
    (tmp_path / "data" / "unicode.trig").write_text(f"# Größe\r\n<{BASE}a> <{BASE}b> <{BASE}c> .", newline="")
    return tmp_path


def rebase(root: Path, base: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "scripts" / "rebase.py"), base]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def snapshot(root: Path) -> dict[Path, bytes]:
    files = (p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {path.relative_to(root): path.read_bytes() for path in files}


@pytest.mark.parametrize("base", [NEW, f"{BASE}fork/"])
def test_rebase_moves_everything_and_back(copy: Path, base: str) -> None:
    before = snapshot(copy)
    result = rebase(copy, base)
    assert result.returncode == 0, result.stderr
    moved = snapshot(copy)
    assert moved[Path("app/code.py")] == before[Path("app/code.py")]
    assert moved[Path("data/bytes.bin")] == before[Path("data/bytes.bin")]
    assert moved[Path("data/unicode.trig")].decode() == f"# Größe\r\n<{base}a> <{base}b> <{base}c> ."
    assert f"<{base}ontology#numLayers>" in moved[Path("app/queries/q.rq")].decode()
    assert f'BASE: Final = "{base}"' in moved[Path("app/vocab.py")].decode()
    assert f"slmkg\t{base}\tyes" in moved[Path("ontology/namespaces.tsv")].decode()
    for path, data in moved.items():
        if path.suffix in {".ttl", ".rq", ".tsv", ".trig"}:
            text = data.decode()
            assert BASE not in text.replace(base, ""), path
    assert (
        subprocess.run([sys.executable, str(copy / "scripts" / "build_vocab.py"), "--check"], check=False).returncode
        == 0
    )


def test_rebase_is_idempotent_and_can_be_undone(copy: Path) -> None:
    before = snapshot(copy)
    assert rebase(copy, BASE).stdout == f"nothing to do: the base is {BASE}\n"
    assert snapshot(copy) == before
    rebase(copy, NEW)
    once = snapshot(copy)
    assert "nothing to do" in rebase(copy, NEW).stdout
    assert snapshot(copy) == once
    rebase(copy, BASE)
    assert snapshot(copy) == before


@pytest.mark.parametrize("base", [NEW, f"{BASE}fork/"])
def test_a_cut_off_run_is_finished_by_the_next(copy: Path, base: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = tmp_path_factory.mktemp("whole") / "copy"
    shutil.copytree(copy, whole)
    rebase(whole, base)
    for done in ("ontology/slmkg.ttl", "ontology/units.ttl", "app/queries/q.rq"):
        shutil.copy(whole / done, copy / done)
    assert rebase(copy, base).returncode == 0
    assert snapshot(copy) == snapshot(whole)


@pytest.mark.parametrize(
    "base", ["", "example.org/", "https://example.org/x", "ftp://x/", "https://x/#", "https://a b/"]
)
def test_a_bad_base_changes_nothing(copy: Path, base: str) -> None:
    before = snapshot(copy)
    result = rebase(copy, base)
    assert result.returncode == 2
    assert "ends with a slash" in result.stderr
    assert snapshot(copy) == before


def test_a_base_around_a_foreign_namespace_is_refused(copy: Path) -> None:
    before = snapshot(copy)
    for base in ("http://www.w3.org/", "http://purl.org/dc/terms/mine/"):
        result = rebase(copy, base)
        assert result.returncode == 2
        assert "overlap" in result.stderr
    assert snapshot(copy) == before
