"""Releases over HTTP: pages, files to be had, and the way to make one. A file of a release is never another one later.

Files bear their SHA-256 as strong entity tag, may be kept for ever, and can be had in parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Literal

from anyio import to_thread
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import FileResponse, JSONResponse, Response

from app import vocab
from app.access import Scope
from app.compare.description import DATASET, LICENSE, Place
from app.errors import BadParameter, NotFound, QueryRefused, ReleaseExists, UnsupportedMedia
from app.model.rdf import IRI, TYPE, Triple, date, iri, literal, text
from app.release.metadata import distribution
from app.release.values import Manifest, checked_name
from app.services import Services
from app.web import pages, problems
from app.web.caching import NotModified, Use, matches
from app.web.clients import Asking
from app.web.making import Job, Making, State
from app.web.parameters import strict
from app.web.revisions import FOR_EVER
from app.web.writing import body_of, media_type_of

LIST = "/api/v1/releases"
ONE = "/api/v1/releases/{name}"
PAGES = "/releases"
PAGE = "/releases/{name}"
FILE = "/releases/{name}/{file}"
_LONGEST = 10_000
_WAIT = "3"


class ReleaseFile(BaseModel):
    """One file of a release."""

    name: str
    about: str
    media_type: str
    bytes: int
    sha256: str
    href: str = Field(description="Where to get it.")


class Release(BaseModel):
    """A release, or one that is being made: then only name, revision, state and progress are there."""

    model_config = ConfigDict(title="Release")

    name: str
    state: Literal["making", "failed", "ready"]
    revision: int
    iri: str
    made_at: str | None = Field(None, description="When the revision was made.")
    graph_sha256: str | None = Field(None, description="SHA-256 of the graph in canonical form (RDFC-1.0).")
    quads: int | None = None
    counts: dict[str, int] | None = None
    findings: dict[str, int] | None = Field(None, description="Findings of validation by severity.")
    previous: str | None = Field(None, description="The release before.")
    versions: dict[str, str] | None = None
    archive: str | None = Field(None, description="Where to get all files in one.")
    files: list[ReleaseFile] | None = None
    step: str | None = Field(None, description="What is being done.")
    done: int | None = Field(None, description="Steps done.")
    total: int | None = Field(None, description="Steps in all.")
    problem: str | None = Field(None, description="Why it could not be made.")


class Releases(BaseModel):
    """All releases, oldest first."""

    releases: list[Release]


class Wanted(BaseModel):
    """A release to be made."""

    model_config = ConfigDict(extra="forbid", strict=True, title="NewRelease")

    name: str = Field(description="Year and month, e.g. 2026.11, 2026.11.2 or 2026.11-rc1.", examples=["2026.11"])
    revision: int | None = Field(None, ge=1, description="Number of the revision; the newest when left out.")


def register(app: FastAPI) -> None:
    """Add the addresses to an application."""
    app.state.making = Making(app.state.services.settings)
    json: dict[str, Any] = {"tags": ["Releases"], "dependencies": [Depends(strict)], "response_class": JSONResponse}
    same: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this answer already."}}
    app.add_api_route(
        LIST,
        list_releases,
        methods=["GET"],
        operation_id="listReleases",
        summary="List releases",
        response_model=Releases,
        responses={**same, **problems.documented("bad-parameter", "store-damaged")},
        **json,
    )
    app.add_api_route(
        ONE,
        show_release,
        methods=["GET"],
        operation_id="showRelease",
        summary="Show a release, or how far it is",
        response_model=Release,
        responses={**same, **problems.documented("bad-parameter", "not-found", "store-damaged")},
        **json,
    )
    app.add_api_route(
        LIST,
        make_release,
        methods=["POST"],
        operation_id="makeRelease",
        summary="Make a release",
        status_code=202,
        response_model=Release,
        responses={
            200: {"description": "The release is there already, the same.", "model": Release},
            202: {"description": "It is being made; `Location` tells where to ask how far it is."},
            **problems.documented(
                "bad-input",
                "bad-parameter",
                "unsupported-media",
                "unauthorized",
                "forbidden",
                "release-exists",
                "too-busy",
            ),
        },
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": Wanted.model_json_schema()}},
            }
        },
        **json,
    )
    pages.add(app, ("GET", PAGES, list_page), ("GET", PAGE, release_page), ("GET", FILE, download))


def list_releases(request: Request, services: Use) -> Response:
    """Every release with its files, each with size, SHA-256 and address."""
    found = Releases(releases=[_release(one, services) for one in services.releases.list()])
    return _tagged(request, found)


def show_release(name: str, request: Request, services: Use) -> Response:
    """One release with its files; while it is being made, which step of how many is under way."""
    try:
        return _tagged(request, _release(services.releases.find(name), services))
    except NotFound:
        job = _making(request).job(name)
        if job is None or job.state is not State.MAKING:  # it may have come between the two looks
            with suppress(NotFound):
                return _tagged(request, _release(services.releases.find(name), services))
        if job is None or job.state is State.READY:
            raise
        return _job(job, 200)


async def make_release(request: Request, services: Use, client: Asking) -> Response:
    """Freezes one revision under a name, for ever, in a process of its own; one release is made at a time.

    Needs a key with the scope `admin`. The answer's `Location` tells how far it is. Asked again for the same name and
    revision it answers 200 with what is there.
    """
    client.needs(Scope.ADMIN)
    media_type, _ = media_type_of(request)
    if media_type != "application/json":
        raise UnsupportedMedia(f"{media_type or 'a body without a type'} is not read here", advice="Send JSON.")
    try:
        body = await body_of(request, _LONGEST)
        wanted = Wanted.model_validate_json(body)
    except QueryRefused as error:
        raise BadParameter("body", error.message, advice="Send a name and a revision.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        return problems.problem_response(
            "bad-input", first["msg"], pointer=pointer, advice='Send {"name": "2026.11"}, with a revision if you like.'
        )
    return await to_thread.run_sync(_start, request, services, wanted)


def _start(request: Request, services: Services, wanted: Wanted) -> Response:
    checked_name(wanted.name)
    head = services.store.head().number
    revision = wanted.revision or head
    if revision > head or revision < services.store.oldest():
        raise BadParameter("revision", f"there is no revision {revision}", advice=f"The newest is {head}.")
    try:
        there = services.releases.find(wanted.name)
    except NotFound:
        if services.backups is None:
            raise BadParameter("name", "this service keeps no releases", advice="Use the embedded store.") from None
        return _job(_making(request).start(wanted.name, revision), 202)
    if there.revision != revision:
        raise ReleaseExists(wanted.name, f"it holds revision {there.revision}, not {revision}")
    return _json(_release(there, services), 200, {"Location": _address(wanted.name)})


def list_page(services: Use) -> Response:
    """What has been released."""
    return pages.page("releases.html", releases=list(reversed(services.releases.list())))


def release_page(name: str, services: Use) -> Response:
    """What one release holds, and how to get, check and cite it."""
    manifest = services.releases.find(name)
    later = next((one.name for one in services.releases.list() if one.previous == name), None)
    _, archive = services.releases.file(name, manifest.archive)
    changes, _ = services.releases.file(name, "CHANGES.md")
    return pages.page(
        "release.html",
        one=manifest,
        archive=archive,
        later=later,
        first=manifest.previous is None,
        changed=_changed(changes.read_text(encoding="utf-8")),
    )


def download(name: str, file: str, request: Request, services: Use) -> Response:
    """One file of a release, or a part of it."""
    path, known = services.releases.file(name, file)
    tag = f'"{known.sha256}"'
    headers = {
        "ETag": tag,
        "Cache-Control": FOR_EVER,
        "Last-Modified": services.releases.find(name).made_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    unsatisfiable = _fit_range(request, known.bytes)
    if unsatisfiable:
        return problems.problem_response(
            "range-not-satisfiable",
            f"the file has {known.bytes} bytes",
            advice="Ask for a part of it, or without Range for all of it.",
            headers={"Content-Range": f"bytes */{known.bytes}"},
        )
    kind = "application/gzip" if known.kind.packed else known.kind.media_type
    if file.endswith(".tar"):
        kind = "application/x-tar"
    textual = kind.startswith("text/")
    return FileResponse(
        path, media_type=f"{kind}; charset=utf-8" if textual else kind, filename=_saved_as(name, file), headers=headers
    )


def listing(place: Place, found: tuple[Manifest, ...]) -> Iterator[Triple]:
    """What a catalogue says of the releases: each with its files, at this service's addresses."""
    for one in found:
        release = IRI(one.iri)
        yield Triple(DATASET, iri(vocab.dcat.hasVersion), release)
        yield Triple(release, TYPE, iri(vocab.dcat.Dataset))
        yield Triple(release, iri(vocab.dct.title), text(f"slmkg, release {one.name}"))
        yield Triple(release, iri(vocab.dcat.version), literal(one.name))
        yield Triple(release, iri(vocab.dct.isVersionOf), DATASET)
        yield Triple(release, iri(vocab.dct.issued), date(f"{one.made_at:%Y-%m-%d}"))
        yield Triple(release, iri(vocab.dct.license), LICENSE)
        yield Triple(release, iri(vocab.dcat.landingPage), place.outside(f"{PAGES}/{one.name}"))
        if one.previous:
            yield Triple(release, iri(vocab.dcat.previousVersion), IRI(f"{vocab.release.NS}{one.previous}"))
        for file in one.files:
            address = place.outside(f"{PAGES}/{one.name}/{file.name}")
            node = IRI(f"{address.value}#distribution")
            yield Triple(release, iri(vocab.dcat.distribution), node)
            yield from distribution(node, address, file)


def dumps(place: Place, found: tuple[Manifest, ...], revision: int) -> Iterator[Triple]:
    """Where VoID's readers get the whole graph of this very revision, if it was released."""
    for one in found:
        if one.revision == revision:
            yield Triple(DATASET, iri(vocab.void.dataDump), place.outside(f"{PAGES}/{one.name}/graph.nq.gz"))


def _release(one: Manifest, services: Services) -> Release:
    return Release(
        name=one.name,
        state="ready",
        revision=one.revision,
        iri=one.iri,
        made_at=one.made_at.isoformat(),
        graph_sha256=one.graph_sha256,
        quads=one.quads,
        counts=dict(one.counts),
        findings=dict(one.findings),
        previous=one.previous,
        versions=dict(one.versions),
        archive=f"{PAGES}/{one.name}/{one.archive}",
        files=[
            ReleaseFile(
                name=file.name,
                about=file.kind.about,
                media_type=file.kind.media_type,
                bytes=file.bytes,
                sha256=file.sha256,
                href=f"{PAGES}/{one.name}/{file.name}",
            )
            for file in one.files
        ],
    )


def _job(job: Job, status: int) -> Response:
    answer = Release(
        name=job.name,
        state=job.state.value,
        revision=job.revision,
        iri=f"{vocab.release.NS}{job.name}",
        step=job.step,
        done=job.done,
        total=job.total,
        problem=job.problem,
    )
    headers = {"Location": _address(job.name)} if status == 202 else {}
    if job.state is State.MAKING:
        headers["Retry-After"] = _WAIT
    return _json(answer, status, headers)


def _json(answer: BaseModel, status: int, headers: dict[str, str]) -> Response:
    return Response(
        answer.model_dump_json(),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )


def _tagged(request: Request, answer: BaseModel) -> Response:
    """An answer whose tag is the hash of its bytes."""
    body = answer.model_dump_json().encode("utf-8")
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "public, no-cache"}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    return Response(body, media_type="application/json", headers=headers)


def _fit_range(request: Request, size: int) -> bool:
    """Whether the part that is asked for is outside of the file. A Range that cannot be served is taken away.

    RFC 9110: who serves may ignore a Range; we ignore what we cannot read, and several parts at once.
    """
    given = request.headers.get("range")
    if given is None:
        return False
    unit, _, spec = given.partition("=")
    first, dash, last = (part.strip() for part in spec.partition("-"))
    numbers = [part for part in (first, last) if part]
    fits = (
        unit.strip().lower() == "bytes"
        and dash
        and numbers
        and all(part.isascii() and part.isdecimal() for part in numbers)
    )
    if not fits or (first and last and int(first) > int(last)) or any(len(part) > 18 for part in numbers):
        request.scope["headers"] = [(name, value) for name, value in request.scope["headers"] if name != b"range"]
        return False
    return int(first) >= size if first else int(last) == 0


def _saved_as(name: str, file: str) -> str:
    """A name that tells releases apart in a folder of downloads."""
    return file if name in file else f"slmkg-{name}-{file}"


def _changed(text_of_changes: str) -> str:
    """The line of the account of changes that says how many there are."""
    lines = [line for line in text_of_changes.splitlines() if "changed" in line or "first release" in line]
    return lines[0].replace("`", "") if lines else ""


def _making(request: Request) -> Making:
    making: Making = request.app.state.making
    return making


def _address(name: str) -> str:
    return f"{LIST}/{name}"
