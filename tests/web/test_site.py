"""A revision as files: every link works from a plain file server, nothing asks the service, the same bytes twice."""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from rdflib import Graph

from app.cli import main
from app.errors import BadParameter, NotFound
from app.services import Services
from app.web import site
from tests.release.small import services_in

MODEL = "examplelm-135m"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    return services_in(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def exported(services: Services, tmp_path_factory: pytest.TempPathFactory) -> site.Exported:
    return site.export(services, tmp_path_factory.mktemp("site") / "2", revision=2)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture(scope="module")
def base(exported: site.Exported) -> Iterator[str]:
    """The files behind a plain file server."""
    handler = functools.partial(_Quiet, directory=str(exported.folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def listed(exported: site.Exported) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((exported.folder / "files.json").read_text(encoding="utf-8"))
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_walk_over_all_links_finds_nothing_broken_and_asks_nobody_else(base: str, exported: site.Exported) -> None:
    seen: set[str] = set()
    waiting = [base]
    with httpx.Client(timeout=30) as client:
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            seen.add(address)
            answer = client.get(address)
            assert answer.status_code == 200, address
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            assert "<form" not in answer.text
            assert "<script" not in answer.text
            for link in site.links_in(answer.text):
                parts = urlsplit(urljoin(address, link))
                assert not parts.query, (address, link)
                assert not link.startswith("/"), (address, link)
                waiting.append(parts._replace(fragment="").geturl())
    paths = {urlsplit(address).path.lstrip("/") for address in seen}
    pages = {path for path in listed(exported)["files"] if path.startswith("models/")}
    assert pages
    assert pages <= paths


def test_each_thing_is_a_page_and_rdf_in_two_forms(exported: site.Exported) -> None:
    folder = exported.folder / "resource" / "model"
    page = (folder / f"{MODEL}.html").read_text(encoding="utf-8")
    assert "ExampleLM" in page
    graphs = [Graph().parse(folder / f"{MODEL}{ending}") for ending in (".ttl", ".jsonld")]
    assert len(graphs[0]) == len(graphs[1]) > 5
    told = json.loads((exported.folder / "api" / "v1" / "models" / f"{MODEL}.json").read_text(encoding="utf-8"))
    assert told["revision"] == 2
    assert MODEL in json.dumps(told)


def test_the_list_tells_of_every_file_and_how_to_send_it(exported: site.Exported) -> None:
    found = listed(exported)
    there = contents(exported.folder)
    assert set(found["files"]) == set(there) - {"files.json", "_headers"}
    for path, told in found["files"].items():
        assert told["sha256"] == hashlib.sha256(there[path]).hexdigest()
        assert "immutable" in told["headers"]["Cache-Control"]
    assert found["files"][f"resource/model/{MODEL}.ttl"]["headers"]["Content-Type"] == "text/turtle"
    assert (exported.files, exported.new) == (len(found["files"]), True)
    assert "immutable" in (exported.folder / "_headers").read_text(encoding="utf-8")


def test_the_same_bytes_after_a_stop_in_the_middle(services: Services, exported: site.Exported, tmp_path: Path) -> None:
    out = tmp_path / "again"

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise Stopped

    with pytest.raises(Stopped):
        site.export(services, out, revision=2, progress=stop)
    assert not out.exists()
    (work,) = tmp_path.iterdir()
    (work / "models" / ".x.html.1.new").write_bytes(b"half")
    made = site.export(services, out, revision=2)
    assert contents(out) == contents(exported.folder)
    assert 0 < made.made < made.files
    assert [path.name for path in tmp_path.iterdir()] == ["again"]
    assert site.export(services, out, revision=2).new is False


def test_what_does_not_fit_is_refused(services: Services, exported: site.Exported, tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="something else"):
        site.export(services, exported.folder, revision=1)
    with pytest.raises(BadParameter, match="something else"):
        site.export(services, tmp_path)
    with pytest.raises(NotFound):
        site.export(services, tmp_path / "new", revision=9)
    assert list(tmp_path.iterdir()) == []


def test_the_command(
    services: Services, exported: site.Exported, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLMKG_DATA_DIR", str(services.settings.data_dir))
    arguments = ["slmkg", "export-site", "--out", str(exported.folder), "--revision", "2", "--json"]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as done:
        main()
    told = json.loads(capsys.readouterr().out)
    assert (done.value.code or 0, told["revision"], told["new"]) == (0, 2, False)
