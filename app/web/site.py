"""A revision as files for a plain file server or a content delivery network: pages, JSON and RDF of all its things.

    models.html  models/phi-2.html  benchmarks.html  benchmarks/mmlu.html  insights.html
    resource/model/phi-2.html  .ttl  .jsonld           every thing of the graph, under the same names as in the service
    api/v1/models.json  api/v1/models/phi-2.json       what the interface answers about each model
    static/…                                           style sheets and scripts
    files.json                                         each file's type, length, sha256 and the headers it should have
    _headers                                           the same headers in the form that several networks read

Each page is the application's own answer below `/r/N`, asked within this process, with its links made relative. A link
to what is not exported (queries, other comparisons, curation) loses its address, and forms are left out: nothing asks
the service. The files of a revision are the same bytes whenever they are made, since a revision never changes.

They are made in a folder beside the target, one whole file after the other, and put in place at the end; what was made
there before a stop is not made again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import posixpath
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import httpx

from app import vocab
from app.durable import write_durably
from app.errors import BadParameter, NotFound
from app.model.rdf import IRI
from app.services import Services
from app.web.application import create_app
from app.web.pages import STATIC
from app.web.revisions import FOR_EVER, existing

FORMAT = 1
HTML, TURTLE, JSON_LD, JSON = "text/html; charset=utf-8", "text/turtle", "application/ld+json", "application/json"
_TYPES = {
    ".html": HTML,
    ".ttl": TURTLE,
    ".jsonld": JSON_LD,
    ".json": JSON,
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_BENCHMARKS = re.compile(r'href="(?:/r/\d+)?/benchmarks/([^"/?#]+)["?#]')
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
_SCRIPT = re.compile(r"<script\b[^>]*></script>\s*")
_NAMED = re.compile(
    r'(?P<before><[a-zA-Z][^<>]*?)\s(?P<name>href|src|action|data-[a-z-]*(?:url|href|src))="(?P<to>[^"]*)"'
)
_HOST = "http://export.invalid"
_PATIENCE = 600.0
_PAGE = 100
_DONE = "files.json"
_MARK = ".making.json"


@dataclass(frozen=True, slots=True)
class File:
    """One file to make: where it lies, and the address whose answer it is."""

    path: str
    address: str


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made. `made` counts the files of this call; others were there from one that was stopped."""

    revision: int
    folder: Path
    files: int
    bytes: int
    made: int
    new: bool


def export(
    services: Services,
    out: Path,
    *,
    revision: int | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Exported:
    """Write a revision (the newest by default) into a new folder.

    Tells how many files of how many are there. BadParameter where the folder holds something else; NotFound.
    """
    number = existing(services, revision)
    mark = {"format": FORMAT, "revision": number, "version": vocab.VERSION}
    if out.exists():
        return _there(out, mark)
    work = out.with_name(f"{out.name}.work")
    _begin(work, mark)
    with closing(_Asking(services, number)) as ask:
        files = _files(services, number, ask)
        names = {file.address: file.path for file in files}
        assets = sorted(path for path in STATIC.rglob("*") if path.is_file() and "vendor" not in path.parts)
        names |= {f"/static/{path.relative_to(STATIC).as_posix()}": _asset(path) for path in assets}
        total, made = len(files) + len(assets), 0
        for done, file in enumerate(files):
            progress(done, total)
            made += _make(work / file.path, lambda file=file: _content(ask(file.address), file, names))  # type: ignore[misc]
        for path in assets:
            made += _make(work / _asset(path), path.read_bytes)
    progress(total, total)
    _make(work / "index.html", lambda: _index(number))
    paths = sorted(path.relative_to(work).as_posix() for path in work.rglob("*") if path.is_file())
    kept = [path for path in paths if path not in {_MARK, _DONE, "_headers"} and not path.endswith(".new")]
    listed = {path: _told((work / path).read_bytes(), path) for path in kept}
    write_durably(work / "_headers", "/*\n" + "".join(f"  {name}: {value}\n" for name, value in _HEADERS.items()))
    write_durably(work / _DONE, json.dumps(mark | {"files": listed}, indent=1, sort_keys=True) + "\n")
    (work / _MARK).unlink()
    work.rename(out)
    return Exported(number, out, len(listed), sum(int(str(one["bytes"])) for one in listed.values()), made, new=True)


_HEADERS = {
    "Cache-Control": FOR_EVER,
    "Access-Control-Allow-Origin": "*",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'",
}
"""What every file should be sent with: a revision never changes, so all of it may be kept for ever."""


class _Asking:
    """Asks the application about one revision, within this process and without a network."""

    def __init__(self, services: Services, revision: int) -> None:
        self._prefix = f"/r/{revision}"
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app=create_app(services))
        self._client = httpx.AsyncClient(transport=transport, base_url=_HOST, timeout=_PATIENCE)

    def __call__(self, address: str) -> bytes:
        """The answer to an address; NotFound where it has none."""
        headers = {"Accept": f"{HTML}, */*;q=0.5"}
        answer = self._loop.run_until_complete(self._client.get(self._prefix + address, headers=headers))
        if answer.status_code != httpx.codes.OK:
            raise NotFound("answer", address, advice=f"The application gave {answer.status_code}.")
        return answer.content

    def close(self) -> None:
        """End the loop."""
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


def _files(services: Services, revision: int, ask: _Asking) -> list[File]:
    """All that is to be made: pages first, then models, then every thing."""
    found = [File("models.html", "/models"), File("benchmarks.html", "/benchmarks"), File("insights.html", "/insights")]
    found.append(File("api/v1/properties.json", "/api/v1/properties"))
    listed = _BENCHMARKS.findall(ask("/benchmarks").decode())
    found += [File(f"benchmarks/{_named(one)}.html", f"/benchmarks/{one}") for one in dict.fromkeys(listed)]
    subjects = {quad.subject for quad in services.store.at(revision).quads()}
    names = sorted(one.value.removeprefix(vocab.BASE) for one in subjects if isinstance(one, IRI))
    for model in _models(ask):
        found.append(File(f"models/{_named(model)}.html", f"/models/{model}"))
        found.append(File(f"api/v1/models/{_named(model)}.json", f"/api/v1/models/{model}"))
    for thing in names:
        if thing.startswith("resource/") and thing.count("/") == 2:  # as the service serves them
            found += [File(f"{_named(thing)}{ending}", f"/{thing}{ending}") for ending in (".html", ".ttl", ".jsonld")]
    return found


def _models(ask: _Asking) -> Iterator[str]:
    """The models that have pages."""
    page, total = 0, 1
    while page * _PAGE < total:
        page += 1
        told = json.loads(ask(f"/api/v1/models?limit={_PAGE}&page={page}"))
        total = told["total"]
        yield from (one["slug"] for one in told["items"])


def _named(text: str) -> str:
    """A part of an address as the name of a file: nothing leads out of the folder."""
    parts = [unquote(part) for part in text.split("/")]
    if any(part in {"", ".", ".."} or "\0" in part or "/" in part for part in parts):
        raise BadParameter("revision", f"has a thing that cannot be the name of a file: {text}")
    return "/".join(parts)


def _content(body: bytes, file: File, names: Mapping[str, str]) -> bytes:
    """An answer as it stands in its file."""
    if not file.path.endswith(".html"):
        return body
    text = _SCRIPT.sub("", _FORM.sub("", body.decode("utf-8")))
    return _NAMED.sub(lambda found: _linked(found, file, names), text).encode("utf-8")


def _linked(found: re.Match[str], file: File, names: Mapping[str, str]) -> str:
    """An attribute with an address, made relative; left out where it leads to what is not exported."""
    to, before, name = unescape(found["to"]), found["before"], found["name"]
    parts = urlsplit(to)
    if parts.scheme or to.startswith(("#", "//")):
        return found.group()
    path = (
        posixpath.normpath(posixpath.join(posixpath.dirname(file.address), parts.path)) if parts.path else file.address
    )
    path = re.sub(r"^/r/\d+(?=/)", "", path)
    there = None if parts.query else _there_is(path, names)
    if there is None or name == "action":
        return before
    relative = posixpath.relpath(there, posixpath.dirname(file.path) or ".")
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f'{before} {name}="{escape(quote(relative, safe="/:@!$&()*+,;=~-._") + fragment)}"'


def _there_is(path: str, names: Mapping[str, str]) -> str | None:
    """The file of an address, under the name that it has or by its extension."""
    if path == "/":
        return "index.html"
    for one in (
        path,
        unquote(path),
        f"{path}.html",
        f"{unquote(path)}.html",
        path.replace("/id/", "/resource/", 1) + ".html",
    ):
        if one in names:
            return names[one]
    return None


def _index(revision: int) -> bytes:
    """The page that leads to the others."""
    pages = {"models.html": "Models", "benchmarks.html": "Benchmarks", "insights.html": "Insights"}
    links = "".join(f'<li><a href="{path}">{title}</a></li>' for path, title in pages.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>slmkg</title>'
        '<link rel="stylesheet" href="static/shell.css"><link rel="stylesheet" href="static/site.css"></head>\n'
        f'<body><main id="main"><h1>slmkg, revision {revision}</h1>\n<ul>{links}</ul>\n'
        f'<p>Files of one revision, which never change. <a href="{_DONE}">All files</a>.</p></main></body>\n</html>\n'
    ).encode()


def _make(path: Path, content: Callable[[], bytes]) -> int:
    """Make a file, unless it is there: each is written whole. Gives how many were made."""
    if path.exists():
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.write_bytes(content())
    new.rename(path)
    return 1


def _begin(work: Path, mark: Mapping[str, object]) -> None:
    """Go on in a folder where the same was begun, or begin anew."""
    try:
        same = json.loads((work / _MARK).read_text(encoding="utf-8")) == mark
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_durably(work / _MARK, json.dumps(mark))
    for left in work.rglob(".*.new"):
        left.unlink()


def _there(out: Path, mark: Mapping[str, object]) -> Exported:
    """What is there already, if it is the same; BadParameter."""
    try:
        found = json.loads((out / _DONE).read_text(encoding="utf-8"))
        files = found.pop("files")
    except (OSError, ValueError, AttributeError, KeyError):
        files, found = {}, None
    if found != mark:
        raise BadParameter("--out", f"{out} is there and holds something else", advice="Name a new folder.")
    size = sum(one["bytes"] for one in files.values())
    return Exported(int(found["revision"]), out, len(files), size, 0, new=False)


def _told(content: bytes, path: str) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    headers = {"Content-Type": _TYPES[posixpath.splitext(path)[1]], "ETag": f'"{digest[:32]}"', **_HEADERS}
    return {"bytes": len(content), "sha256": digest, "headers": headers}


def _asset(path: Path) -> str:
    return f"static/{path.relative_to(STATIC).as_posix()}"


def links_in(text: str) -> Iterator[str]:
    """The addresses that a page names, without those of other sites."""
    for found in _NAMED.finditer(text):
        to = unescape(found["to"])
        if not urlsplit(to).scheme and not to.startswith("#"):
            yield to
