"""YASGUI itself, in a browser, on a page of another origin: it asks this service and draws the answer."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.access import KeyRing, Scope
from tests.web.serving import serving

pytestmark = pytest.mark.heavy

PACKAGE = Path(__file__).parents[2] / "node_modules" / "@zazuko" / "yasgui" / "build"
PREFIX = "PREFIX slm: <https://w3id.org/slmkg/ontology#>\n"
COUNT = PREFIX + "SELECT (COUNT(DISTINCT ?m) AS ?models) WHERE { ?m a slm:LanguageModel }"
PAGE = """<!doctype html>
<meta charset="utf-8">
<title>waiting</title>
<link rel="stylesheet" href="/yasgui.min.css">
<div id="here"></div>
<script src="/yasgui.min.js"></script>
<script>
const shown = new Yasgui(document.getElementById("here"), {"requestConfig": CONFIG});
const tab = shown.getTab();
tab.setQuery(QUERY);
tab.getYasr().on("drawn", () => { document.title = "drawn"; });
tab.getYasqe().query().catch(error => { document.title = "failed: " + error; });
</script>
"""


@pytest.fixture(scope="module")
def data(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("yasgui") / "data"))


@pytest.fixture(scope="module")
def token(data: Path) -> str:
    return KeyRing(data / "keys.json").create("yasgui", (Scope.PROPOSE,), datetime.now(UTC))[1]


@pytest.fixture(scope="module")
def address(data: Path, token: str) -> Iterator[str]:
    with serving(data) as base:
        yield base


@contextmanager
def page(html: str) -> Iterator[str]:
    """A page elsewhere: another port is another origin."""

    class Elsewhere(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(PACKAGE))

        def do_GET(self) -> None:
            if self.path != "/":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def drawn(address: str, query: str, folder: Path, **config: Any) -> str:
    """What YASGUI shows when it has asked, as HTML."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not PACKAGE.is_dir():
        pytest.fail("this test needs Chromium (apt-get install chromium) and `make setup` with npm")
    html = PAGE.replace("CONFIG", json.dumps({"endpoint": f"{address}/sparql", **config}))
    with page(html.replace("QUERY", json.dumps(query))) as elsewhere:
        done = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                f"--user-data-dir={folder / 'browser'}",
                "--virtual-time-budget=30000",
                "--dump-dom",
                elsewhere,
            ],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    titles = re.findall(r"<title>(.*?)</title>", done.stdout)
    assert titles[0] == "drawn", (titles, done.stderr[-2000:])
    results = done.stdout.split('class="yasr_results')[1].split("<script")[0]
    return re.sub(r"<svg.*?</svg>", "", results, flags=re.DOTALL)


def cells(html: str) -> list[str]:
    """Texts of a table's cells."""
    return [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", html, re.DOTALL)]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_table(address: str, tmp_path: Path, method: str) -> None:
    found = cells(drawn(address, COUNT, tmp_path, method=method))
    assert found[0] == "1"
    assert found[1].startswith('"104"')


def test_with_a_key_the_browser_asks_first(address: str, tmp_path: Path, token: str) -> None:
    """The header makes the browser ask by OPTIONS; a wrong key shows that it is really sent."""
    key = {"Authorization": f"Bearer {token}"}
    assert cells(drawn(address, COUNT + " #", tmp_path, method="POST", headers=key))[1].startswith('"104"')
    wrong = drawn(address, COUNT, tmp_path / "wrong", method="POST", headers={"Authorization": "Bearer wrong"})
    assert "401" in wrong


def test_a_mistake_is_shown(address: str, tmp_path: Path) -> None:
    shown = drawn(address, "SELECT * WHERE { ?s ?p ?o } LIMIT many", tmp_path, method="POST")
    assert "400" in shown
