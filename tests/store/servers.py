"""Real SPARQL engines for tests: started on free ports of the loopback, in a temporary folder, stopped by their pid."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.store.remote_http import Address
from tests.ports import free_port

_START = 60.0
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
ServerPort = 127.0.0.1:{sql_port}
DisableUnixSocket = 1
NumberOfBuffers = 20000
MaxDirtyBuffers = 12000
ServerThreads = 40
TransactionAfterImageLimit = 500000000

[HTTPServer]
ServerPort = 127.0.0.1:{port}
ServerThreads = 20

[SPARQL]
"""
_VIRTUOSO_USER = """
DB.DBA.USER_CREATE('slmkg', 'secret');
GRANT SPARQL_SELECT TO "slmkg";
GRANT SPARQL_UPDATE TO "slmkg";
DB.DBA.RDF_DEFAULT_USER_PERMS_SET('slmkg', 7);
DB.DBA.RDF_DEFAULT_USER_PERMS_SET('nobody', 1);
"""


@contextmanager
def oxigraph(folder: Path, *options: str) -> Iterator[Address]:
    """Oxigraph's own server, on disk."""
    program = shutil.which("oxigraph", path=str(Path(sys.executable).parent)) or shutil.which("oxigraph")
    if program is None:
        pytest.fail("the tests of the remote store need Oxigraph's server: pip install oxigraph")
    port = free_port()
    command = [program, "serve", "--location", str(folder / "oxigraph"), "--bind", f"127.0.0.1:{port}", *options]
    with _running(command, folder, f"http://127.0.0.1:{port}/"):
        here = f"http://127.0.0.1:{port}"
        yield Address(query=f"{here}/query", update=f"{here}/update", graphs=f"{here}/store")


@contextmanager
def virtuoso(folder: Path) -> Iterator[Address]:
    """Virtuoso 7 with a user that may update; strangers may only read."""
    for program in ("virtuoso-t", "isql-vt"):
        if shutil.which(program) is None:
            pytest.fail(f"the tests of the remote store need {program}: apt-get install virtuoso-opensource-7-bin")
    port, sql_port = free_port(), free_port()
    settings = folder / "virtuoso.ini"
    settings.write_text(_VIRTUOSO.format(folder=folder, port=port, sql_port=sql_port), encoding="utf-8")
    here = f"http://127.0.0.1:{port}"
    with _running(
        ["virtuoso-t", "+foreground", "+configfile", str(settings)], folder, f"{here}/sparql?query=ASK%7B%7D"
    ):
        script = folder / "user.sql"
        script.write_text(_VIRTUOSO_USER, encoding="utf-8")
        done = subprocess.run(
            ["isql-vt", f"127.0.0.1:{sql_port}", "dba", "dba", str(script)], capture_output=True, text=True, check=True
        )
        assert "***" not in done.stdout + done.stderr, done.stdout + done.stderr
        yield Address(
            query=f"{here}/sparql",
            update=f"{here}/sparql-auth",
            graphs=f"{here}/sparql-graph-crud-auth",
            user="slmkg",
            password="secret",
            scheme="digest",
            decimal_places=15,
            checks_here=True,
        )


@pytest.fixture(scope="session")
def oxigraph_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """One Oxigraph server for the tests of this process; each test takes a store of its own name on it."""
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as address:
        yield address


@pytest.fixture(scope="session")
def virtuoso_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """One Virtuoso for the tests of this process; each test takes a store of its own name on it."""
    with virtuoso(tmp_path_factory.mktemp("virtuoso")) as address:
        yield address


@contextmanager
def _running(command: list[str], folder: Path, url: str) -> Iterator[None]:
    """A server process, from its first good answer until the end of the block."""
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder)
    try:
        _wait(process, url, log)
        yield
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    pytest.fail(f"{process.args!r} did not start within {_START:g} s: {log.read_text(errors='replace')}")
