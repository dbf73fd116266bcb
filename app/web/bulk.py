"""Import of tables over HTTP: a dry run that tells what became of each cell, or one proposal of what is new.

The hub is never asked from here. A body is a table, or a form with one file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from anyio import to_thread
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.multipart import Data, Epilogue, File, MultipartDecoder, NeedData
from werkzeug.sansio.multipart import Field as FormField

from app.access import Scope
from app.curate import bulk
from app.errors import BadFile, BadParameter, UnsupportedMedia
from app.ingest.bulk.sheets import MAX_BYTES, MEDIA_TYPES, form_of, read_sheet
from app.ingest.bulk.verdicts import Verdict
from app.web import problems
from app.web.caching import Use
from app.web.clients import Asking
from app.web.writing import body_of, media_type_of

PATH = "/api/v1/proposals/import"
_MULTIPART = "multipart/form-data"
_PARTS = 8
_ROOM = 16_384
"""Bytes of a form besides its file."""
_FINDINGS = 10_000
"""Findings that an answer tells of at most; the counts are of all."""


class ColumnMeaning(BaseModel):
    """What a column of the table was taken for."""

    model_config = ConfigDict(title="ColumnMeaning")

    header: str = Field(description="The header, as it stands.")
    meaning: str = Field(description="The property with its unit, the benchmark, or what the column says of its row.")


class CellFinding(BaseModel):
    """What became of one cell."""

    model_config = ConfigDict(title="CellFinding")

    file: str = Field(description="Name of the file.")
    line: int = Field(description="Line, from 1.")
    column: int = Field(description="Column of the table, from 1.")
    field: str = Field(description="Header of the column.")
    cell: str = Field(description="The cell's characters, cut where they are many.")
    verdict: Verdict = Field(description="What became of the cell.")
    read_as: str | None = Field(None, description="The value that it was read as, with unit and interval.")
    code: str | None = Field(None, description="Stable code of a refusal or question.")
    problem: str | None = Field(None, description="What is wrong, or why nothing was read.")
    advice: str | None = Field(None, description="What to write instead.")


class ImportReport(BaseModel):
    """What an import found in a table, and the proposal that it made."""

    model_config = ConfigDict(title="ImportReport")

    dry_run: bool = Field(description="Whether nothing was to be proposed.")
    proposal: int | None = Field(None, description="Number of the proposal; left out where nothing was new.")
    revision: int | None = Field(None, description="The newest revision after the import.")
    new: int = Field(description="How many claims and results are new.")
    counts: dict[str, int] = Field(description="How many cells had which verdict.")
    columns: list[ColumnMeaning] = Field(description="What the columns were taken for.")
    findings: list[CellFinding] = Field(description="What became of each cell, at most the first ten thousand.")


def register(app: FastAPI) -> None:
    """Add the endpoint to an application."""
    app.add_api_route(
        PATH,
        by_post,
        methods=["POST"],
        operation_id="importTable",
        summary="Propose what is new in a table",
        tags=["Proposals"],
        response_model=ImportReport,
        response_class=Response,
        responses={**_ANSWERS, **problems.documented(*_CODES)},
        openapi_extra={"requestBody": _BODY},
    )


@dataclass(frozen=True, slots=True)
class _Upload:
    data: bytes
    name: str
    form: str


async def by_post(
    request: Request,
    services: Use,
    client: Asking,
    dry_run: Annotated[bool, Query(description="Only tell what became of each cell.")] = False,
    name: Annotated[str, Query(description="Name of the table, for findings and locators.", max_length=200)] = "",
    source: Annotated[str | None, Query(description="Slug of the source of rows that name none.")] = None,
    source_title: Annotated[str | None, Query(description="Title of a new source.")] = None,
    source_type: Annotated[str | None, Query(description="Type of a new source.")] = None,
    source_address: Annotated[str | None, Query(description="Address of a new source.")] = None,
    source_dated: Annotated[str | None, Query(description="Day on which a new source was written.")] = None,
    mapping: Annotated[
        list[str] | None,
        Query(alias="map", description="Meaning of a column, `column=property`; `column=-` leaves it out."),
    ] = None,
    sheet: Annotated[str | None, Query(description="Sheet of a workbook; the first by default.")] = None,
    title: Annotated[str | None, Query(description="Title of the proposal.")] = None,
    again: Annotated[str | None, Query(description="Why something is proposed once more after a rejection.")] = None,
) -> Response:
    """Reads a table and proposes what is new in it, all in one proposal; or tells what it would read.

    Needs a key with the scope `propose`. A cell that is refused, or asks something, stops the import: nothing is
    proposed, and the problem lists these cells. With `dry_run=true` the answer tells what became of every cell.
    """
    agent = client.needs(Scope.PROPOSE).agent
    upload = await _upload(request, name)
    described = (
        None if source is None else bulk.Described(source, source_title, source_type, source_address, source_dated)
    )

    def given() -> bulk.Table:
        return bulk.Table(
            read_sheet(upload.data, upload.name, form=upload.form, sheet=sheet),
            described,
            bulk.mapping_of(mapping or ()),
        )

    table = await to_thread.run_sync(given)
    reading = await to_thread.run_sync(lambda: services.read_import(table, again=again is not None))
    if dry_run:
        return _answer(bulk.report(reading), dry_run=True)
    bulk.checked(reading, upload.name)
    taken = await services.propose_import_in_turn(table, agent, title=title, again=again)
    made = taken.step.proposal
    return _answer(
        bulk.report(reading), dry_run=False, revision=taken.revision, proposal=None if made is None else made.number
    )


def _answer(
    report: dict[str, Any], *, dry_run: bool, revision: int | None = None, proposal: int | None = None
) -> Response:
    findings = report.pop("findings")[:_FINDINGS]
    body = ImportReport(dry_run=dry_run, proposal=proposal, revision=revision, findings=findings, **report)
    headers = {"Cache-Control": "no-store"}
    if revision is not None:
        headers["X-Revision"] = str(revision)
    if proposal is not None:
        headers["Location"] = f"/api/v1/proposals/{proposal}"
    return Response(
        body.model_dump_json(exclude_none=True),
        status_code=200 if proposal is None else 201,
        media_type="application/json",
        headers=headers,
    )


async def _upload(request: Request, name: str) -> _Upload:
    """The table that a request brings; UnsupportedMedia, BadFile, BadParameter."""
    media_type, options = media_type_of(request)
    if media_type in MEDIA_TYPES:
        form = MEDIA_TYPES[media_type]
        return _Upload(await body_of(request, MAX_BYTES), name or f"table.{form}", form)
    if media_type != _MULTIPART:
        known = ", ".join((*MEDIA_TYPES, _MULTIPART))
        raise UnsupportedMedia(f"{media_type or 'a body without a type'} is not read here", advice=f"Send {known}.")
    body = await body_of(request, MAX_BYTES + _ROOM)
    file, data = _file(body, options.get("boundary", ""))
    return _Upload(data, name or file, form_of(file))


def _file(body: bytes, boundary: str) -> tuple[str, bytes]:
    """Name and bytes of the one file of a form; BadFile, BadParameter."""
    files: list[tuple[str, bytearray]] = []
    current: bytearray | None = None
    try:
        decoder = MultipartDecoder(boundary.encode("ascii"), max_parts=_PARTS)
        decoder.receive_data(body)
        decoder.receive_data(None)
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, File):
                current = bytearray()
                files.append((event.filename, current))
            elif isinstance(event, FormField):
                current = bytearray()
            elif isinstance(event, Data) and current is not None:
                current.extend(event.data)
    except (ValueError, RuntimeError, HTTPException) as error:
        raise BadFile("the body", "is no multipart/form-data", advice="Send parts with a boundary.") from error
    if isinstance(event, NeedData):
        raise BadFile("the body", "is cut off", advice="End it with the closing boundary.")
    if len(files) != 1:
        found = "there are several" if files else "there is none"
        raise BadParameter("file", f"exactly one file is needed, {found}", advice="Send it as the part `file`.")
    name, data = files[0]
    return name.rsplit("/", 1)[-1][:200] or "table", bytes(data)


_EXAMPLE = "model,number of layers,parameters [B],MMLU (5-shot)\r\nphi-2,32,2.7,56.3\r\n"
_BODY = {
    "required": True,
    "content": {
        **{
            media_type: {"schema": {"type": "string"}, "example": _EXAMPLE}
            for media_type in ("text/csv", "text/tab-separated-values")
        },
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
            "schema": {"type": "string", "format": "binary"}
        },
        _MULTIPART: {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}
_CODES = (
    "bad-file",
    "bad-table",
    "bad-parameter",
    "bad-value",
    "query-refused",
    "unauthorized",
    "forbidden",
    "conflict",
    "unsupported-media",
    "stale-revision",
    "too-busy",
    "store-busy",
)
_REPORT = {"application/json": {"schema": {"$ref": "#/components/schemas/ImportReport"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "What the table holds; nothing was proposed.", "content": _REPORT},
    201: {
        "description": "The proposal is made.",
        "headers": {"Location": {"description": "The proposal.", "schema": {"type": "string"}}},
        "content": _REPORT,
    },
}
