"""The wheel, installed alone in an empty environment far from the checkout, is the whole service."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app import __version__, vocab
from app.services import Services
from app.settings import Settings
from app.wiring import build as build_services
from tests.project.checkout import ROOT
from tests.project.installed import build, environment, install

EPOCH = "1795219200"


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with the wheel, and a folder to work in."""

    programs: Path
    folder: Path

    def variables(self) -> dict[str, str]:
        """What a newcomer has set: nothing of slmkg, no path to the checkout."""
        clean = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        own = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(self.folder), "SLMKG_PORT": "0"}
        return {**clean, **own, "SLMKG_DATA_DIR": str(self.folder / "graph"), "FORWARDED_ALLOW_IPS": "127.0.0.0/28"}

    def slmkg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command."""
        return subprocess.run(
            [str(self.programs / "slmkg"), *arguments],
            cwd=self.folder,
            env=self.variables(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("newcomer")
    programs = environment(folder / "environment", "runtime")
    install(build("wheel", folder / "dist"), programs)
    (folder / "elsewhere").mkdir()
    return Installed(programs, folder / "elsewhere")


def test_the_program_and_its_files_come_from_the_wheel(installed: Installed) -> None:
    asked = "import app, app.resources as r; print(app.__file__); print(*map(r.folder, ('data', 'ontology', 'shapes')))"
    told = subprocess.run(
        [str(installed.programs / "python"), "-c", asked],
        cwd=installed.folder,
        env=installed.variables(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(told) == 4
    assert all(place.startswith(str(installed.programs.parent / "lib")) for place in told), told
    version = installed.slmkg("--version")
    assert (version.returncode, version.stdout.split()[-1]) == (0, __version__), version.stderr


@pytest.fixture(scope="module")
def served(installed: Installed) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """`slmkg serve` for the first time: it loads the data that the wheel brought."""
    with (installed.folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [str(installed.programs / "slmkg"), "serve"],
            cwd=installed.folder,
            env=installed.variables(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            base = ""
            deadline = time.monotonic() + 300
            while not base or not _ready(base):
                said = (installed.folder / "log").read_text()
                assert process.poll() is None, said
                assert time.monotonic() < deadline, said
                time.sleep(0.2)
                told = re.search(r"serving on (http://\S+?)/ ", said)
                base = told[1] if told else ""
            with httpx.Client(base_url=base, trust_env=False, timeout=60) as client:
                yield client, process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _ready(base: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{base}/readyz", trust_env=False).status_code == 200
    return False


@pytest.mark.heavy
def test_the_wheel_alone_serves_pages_data_and_commands(
    installed: Installed, served: tuple[httpx.Client, subprocess.Popen[str]], seed_services: Services
) -> None:
    """The smoke test of a release: everything that a newcomer meets first, and a clean end."""
    client, process = served
    html = {"Accept": "text/html"}
    for page in ("/", "/compare", "/models", "/models/phi-2", "/benchmarks", "/sparql", "/docs", "/releases", "/jobs"):
        answer = client.get(page, headers=html)
        assert (answer.status_code, "</html>" in answer.text) == (200, True), page
        for asset in set(re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text)):
            assert client.get(asset).status_code == 200, f"{asset} of {page}"
    browser = runpy.run_path(str(ROOT / "scripts" / "setup" / "prepare.py"))["BROWSER_FILES"]
    for folder, names in browser.values():
        for name in names:
            assert client.get(f"/static/vendor/{folder}/{name}").status_code == 200, name
    count = "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT (COUNT(*) AS ?n) { ?m a slm:LanguageModel }"
    told = client.get("/sparql", params={"query": count}, headers={"Accept": "text/csv"})
    assert told.text.split() == ["n", "104"]
    compared = client.get("/api/v1/compare.csv", params={"models": "phi-2", "properties": "numLayers"})
    assert compared.text.splitlines()[1].startswith("phi-2,phi-2,32,")
    assert "/api/v1/compare" in client.get("/openapi.json").json()["paths"]
    picture = client.get("/api/v1/compare.svg", params={"models": "phi-2,gemma-2-2b", "properties": "numLayers"})
    assert (picture.status_code, picture.headers["content-type"].split(";")[0]) == (200, "image/svg+xml"), picture.text

    assert "strict-transport-security" not in client.get("/livez").headers
    proxied = client.get("/livez", headers={"X-Forwarded-Proto": "https"})
    assert "strict-transport-security" in proxied.headers, "a proxy on the network that is named is believed"

    looked = installed.slmkg("doctor")
    assert looked.returncode == 0, looked.stdout + looked.stderr
    assert f"slmkg {__version__}" in looked.stdout
    made = installed.slmkg("keys", "create", "newcomer", "--scope", "measure")
    assert made.stdout.startswith("slmkg_"), made.stderr

    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=40) in {0, -signal.SIGTERM, 128 + signal.SIGTERM}
    assert "Traceback" not in (installed.folder / "log").read_text()
    assert sorted(path.name for path in installed.folder.iterdir()) == ["graph", "log"], "nothing else was written"

    theirs, ours = (
        set(services.store.at(1).quads())
        for services in (build_services(Settings(data_dir=installed.folder / "graph")), seed_services)
    )
    assert {quad.predicate.value for quad in theirs ^ ours} == {f"{vocab.prov.NS}startedAtTime"}
    assert len(theirs ^ ours) == 2, "two loads differ by the time of the load, and by nothing else"


def test_the_same_checkout_gives_the_same_bytes(tmp_path: Path) -> None:
    """Wheel and source archive, from two places, with other times and rights of files."""
    copy = tmp_path / "copy"
    own = ("app", "data", "ontology", "shapes", "requirements", "scripts", "docs", "tests")
    for name in own:
        shutil.copytree(ROOT / name, copy / name, copy_function=shutil.copy, ignore=shutil.ignore_patterns("*cache*"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name not in {".git", ".prepare.lock"}:
            shutil.copy(path, copy / path.name)
    for path in (copy / "app").rglob("*.py"):
        path.chmod(0o600)
    for kind in ("wheel", "sdist"):
        first = build(kind, tmp_path / f"first-{kind}", epoch=EPOCH)
        second = build(kind, tmp_path / f"second-{kind}", checkout=copy, epoch=EPOCH)
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes(), kind


def test_the_source_archive_gives_the_same_wheel(tmp_path: Path) -> None:
    archive = build("sdist", tmp_path / "sdist", epoch=EPOCH)
    shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    direct = build("wheel", tmp_path / "direct", epoch=EPOCH)
    assert build("wheel", tmp_path / "again", checkout=unpacked, epoch=EPOCH).read_bytes() == direct.read_bytes()
    assert {one.date_time for one in zipfile.ZipFile(direct).infolist()} == {time.gmtime(int(EPOCH))[:6]}
