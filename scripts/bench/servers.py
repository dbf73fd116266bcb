"""SPARQL servers to be measured: each with the same data, on a free port of the loopback, ended by its pid."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_SERVE = "import sys; sys.argv = ['slmkg', 'serve']; from app.cli import main; main()"
_RDFLIB = """
import sys, uvicorn
from rdflib import Dataset
from rdflib_endpoint import SparqlEndpoint
graph = Dataset(default_union=True)
graph.parse(sys.argv[1], format="nquads")
uvicorn.run(SparqlEndpoint(graph=graph), port=int(sys.argv[2]), log_level="error", access_log=False)
"""
_VIRTUOSO = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
FileExtend = 200
[TempDatabase]
DatabaseFile = {folder}/temporary.db
TransactionFile = {folder}/temporary.trx
[Parameters]
ServerPort = 127.0.0.1:{sql}
DisableUnixSocket = 1
NumberOfBuffers = 170000
MaxDirtyBuffers = 130000
ServerThreads = 60
DirsAllowed = {folder}, {data}
[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 40
[SPARQL]
ResultSetMaxRows = 10000
"""


@contextmanager
def this_service(folder: Path, **settings: str) -> Iterator[str]:
    """This service, with limits out of the way: one address asks everything."""
    open_to_all = {
        "seconds_per_minute": "1000000",
        "queries_at_once": "64",
        "max_readers": "128",
        "max_waiting": "1000",
        "workers": "2",
    }
    port = free_port()
    environment = {f"SLMKG_{name.upper()}": value for name, value in (open_to_all | settings).items()}
    environment |= {"SLMKG_DATA_DIR": str(folder), "SLMKG_PORT": str(port)}
    command = [sys.executable, "-c", _SERVE]
    with running(command, f"http://127.0.0.1:{port}/sparql?query=ASK%7B%7D", environment=environment, folder=ROOT):
        yield f"http://127.0.0.1:{port}/sparql?"


@contextmanager
def rdflib_endpoint(folder: Path) -> Iterator[str]:
    """rdflib-endpoint over a dataset in memory."""
    if importlib.util.find_spec("rdflib_endpoint") is None:
        raise LookupError("rdflib-endpoint is not installed")
    port = free_port()
    command = [sys.executable, "-c", _RDFLIB, str(folder / "data.nq"), str(port)]
    with running(command, f"http://127.0.0.1:{port}/?query=ASK%7B%7D", patience=600):
        yield f"http://127.0.0.1:{port}/?"


@contextmanager
def oxigraph(folder: Path) -> Iterator[str]:
    """Oxigraph's own server, on disk."""
    program = shutil.which("oxigraph", path=str(Path(sys.executable).parent)) or shutil.which("oxigraph")
    if program is None:
        raise LookupError("Oxigraph's server is not installed")
    port = free_port()
    command = [program, "serve-read-only", "--location", str(folder / "store" / "revisions" / "000001")]
    command += ["--bind", f"127.0.0.1:{port}", "--union-default-graph"]
    with running(command, f"http://127.0.0.1:{port}/query?query=ASK%7B%7D"):
        yield f"http://127.0.0.1:{port}/query?"


@contextmanager
def virtuoso(folder: Path) -> Iterator[str]:
    """Virtuoso 7, loaded by its bulk loader."""
    if shutil.which("virtuoso-t") is None or shutil.which("isql-vt") is None:
        raise LookupError("Virtuoso is not installed")
    home = folder / "virtuoso"
    shutil.rmtree(home, ignore_errors=True)  # of an earlier run on the same folder
    home.mkdir()
    port, sql = free_port(), free_port()
    (home / "virtuoso.ini").write_text(_VIRTUOSO.format(folder=home, data=folder, port=port, sql=sql), encoding="utf-8")
    command = ["virtuoso-t", "+foreground", "+configfile", str(home / "virtuoso.ini")]
    with running(command, f"http://127.0.0.1:{port}/sparql?query=ASK%7B%7D", folder=home):
        script = home / "load.sql"
        script.write_text(
            f"ld_dir('{folder}', 'data.nq', 'urn:g');\nrdf_loader_run();\ncheckpoint;\n", encoding="utf-8"
        )
        subprocess.run(["isql-vt", f"127.0.0.1:{sql}", "dba", "dba", str(script)], capture_output=True, check=True)
        yield f"http://127.0.0.1:{port}/sparql?"


@contextmanager
def running(
    command: list[str],
    url: str,
    *,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    patience: float = 120,
) -> Iterator[None]:
    """A server process, from its first good answer on."""
    process = subprocess.Popen(
        command,
        env=os.environ | (environment or {}),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + patience
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise LookupError(f"{command[0]} did not start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    """Whether somebody answers at an address."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    """A port on which nobody listens right now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def machine() -> str:
    """What the numbers were measured on."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = next((line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    load = " ".join(f"{part:.1f}" for part in os.getloadavg())
    return f"{os.cpu_count()} cores ({model}), Python {sys.version.split()[0]}, load average {load}"
