"""Set-up: stamps, interpreter, browser files, and what the built package holds. Installs nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.checkout import ROOT, text

FIND_PYTHON = ROOT / "scripts" / "setup" / "find-python.sh"


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script, made to work in an empty folder."""
    spec = importlib.util.spec_from_file_location("prepare", ROOT / "scripts" / "setup" / "prepare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "app").mkdir()
    shutil.copy(ROOT / "app" / "__init__.py", tmp_path / "app" / "__init__.py")
    for name in ("package.json", "package-lock.json", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name, place in (
        ("ROOT", "."),
        ("VENV", ".venv"),
        ("STAMPS", ".venv/.prepared"),
        ("REQUIREMENTS", "requirements"),
        ("VENDOR", "vendor"),
        ("NODE_MODULES", "node_modules"),
    ):
        monkeypatch.setattr(module, name, tmp_path / place)
    return module


def test_a_step_is_done_again_when_its_lock_file_changes(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[tuple[str, ...]] = []
    monkeypatch.setattr(prepare, "_pip", lambda *arguments, total: runs.append(arguments))
    assert "packages" in prepare.runtime_packages()
    assert prepare.runtime_packages() == ""
    lock = prepare.REQUIREMENTS / "runtime.txt"
    lock.write_text(lock.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert prepare.runtime_packages() != ""
    assert len(runs) == 2
    assert all("--require-hashes" in run for run in runs)


def test_development_packages_hold_those_of_the_service(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_pip", lambda *arguments, total: None)
    prepare.development_packages()
    assert prepare.runtime_packages() == ""


def test_a_failed_install_leaves_no_stamp(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str, total: int) -> None:
        raise prepare.SetupError("no network")

    monkeypatch.setattr(prepare, "_pip", fail)
    with pytest.raises(prepare.SetupError):
        prepare.runtime_packages()
    monkeypatch.setattr(prepare, "_pip", lambda *arguments, total: None)
    assert prepare.runtime_packages() != ""


def test_slmkg_itself_is_installed_without_fetching_anything(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[tuple[str, ...]] = []
    monkeypatch.setattr(prepare, "_pip", lambda *arguments, total: runs.append(arguments))
    prepare.project()
    assert prepare.project() == ""
    assert {"--no-deps", "--no-build-isolation"} <= set(runs[0])


def test_without_npm_set_up_goes_on(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_npm", lambda: None)
    assert "left out" in prepare.browser_packages()


def test_where_npm_fails_set_up_goes_on(
    prepare: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(prepare, "_npm", lambda: [sys.executable, "-c", "import sys; sys.exit('broken')"])
    assert "left out" in prepare.browser_packages()
    assert "broken" in capsys.readouterr().err


def test_browser_files_are_copied_once(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = 0
    for package, (_, names) in prepare.BROWSER_FILES.items():
        for name in names:
            there = prepare.NODE_MODULES / package / name
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(name, encoding="utf-8")
            wanted += 1
    monkeypatch.setattr(prepare, "_npm", lambda: [sys.executable, "-c", "pass"])
    assert prepare.browser_packages() == f"{wanted} files copied"
    assert prepare.browser_packages() == ""
    assert (prepare.VENDOR / "swagger-ui" / "swagger-ui-bundle.js").exists()
    assert (prepare.VENDOR / "yasgui" / "build" / "yasgui.min.js").read_text(encoding="utf-8") == "build/yasgui.min.js"


def test_packages_for_tests_are_installed_once(prepare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def installed(*options: str) -> str:
        asked.append(options)
        return "no npm here" if len(asked) == 1 else ""

    monkeypatch.setattr(prepare, "_npm_ci", installed)
    assert "left out" in prepare.browser_test_packages()
    assert [prepare.browser_test_packages() for _ in range(3)] == ["installed", "", ""]
    assert asked == [(), ()]


def test_every_browser_package_is_locked(prepare: ModuleType) -> None:
    locked = json.loads(text("package-lock.json"))["packages"]
    assert [package for package in prepare.BROWSER_FILES if f"node_modules/{package}" not in locked] == []
    assert set(prepare.BROWSER_FILES) == set(json.loads(text("package.json"))["dependencies"])


def test_data_that_is_there_is_left_alone(prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_DATA_DIR", str(tmp_path / "graph"))
    (tmp_path / "graph" / "store").mkdir(parents=True)
    (tmp_path / "graph" / "store" / "HEAD").write_text("1\n", encoding="ascii")
    assert prepare.seed_data() == ""


def test_a_failed_load_stops_set_up(prepare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLMKG_DATA_DIR", str(tmp_path / "graph"))
    command = prepare.VENV / "bin" / "slmkg"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\nexit 2\n", encoding="ascii")
    command.chmod(0o755)
    with pytest.raises(prepare.SetupError, match="could not be loaded"):
        prepare.seed_data()


def test_every_purpose_has_steps_that_exist(prepare: ModuleType) -> None:
    assert {step for steps in prepare.STEPS.values() for step in steps} <= set(prepare.ACTIONS)
    assert set(prepare.ACTIONS) == {step for steps in prepare.STEPS.values() for step in steps}


def find_python(wanted: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHON": wanted}
    return subprocess.run(["sh", str(FIND_PYTHON)], env=environment, capture_output=True, text=True, check=False)


def test_a_python_that_is_new_enough_is_found() -> None:
    found = find_python(sys.executable)
    assert found.returncode == 0
    assert found.stdout.strip() == sys.executable


def test_an_old_python_gives_a_clear_error(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    old.chmod(0o755)
    found = find_python(str(old))
    assert found.returncode == 1
    assert "Python 3.11 or newer" in found.stderr


def test_the_built_package_holds_everything_that_the_service_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("data", "ontology", "shapes"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                assert f"app/_resources/{path.relative_to(ROOT)}" in names
    for path in (ROOT / "app").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            assert str(path.relative_to(ROOT)) in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith("tests/") for name in names)
