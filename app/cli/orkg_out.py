"""Commands that compare with the ORKG and bring values there: plan, push, pushes, export.

slmkg orkg plan R753434               what both sides say, cell by cell
slmkg orkg push R753434               what would be written (a dry run), with the digest that confirms it
slmkg orkg push R753434 --apply 1a2b… write it
slmkg orkg export R753434             the same as files, for somebody with an account of their own

Writing goes to the sandbox unless SLMKG_ORKG_URL names another ORKG. Nothing is published unless somebody says so.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from app import vocab
from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.orkg import Comparison, archive_of, connect, never_pulled
from app.cli.output import console, write, write_json
from app.cli.tables import Head, Shown, printed
from app.curate.orkg_plan import Prepared
from app.errors import BadFile, BadParameter, NotFound, OrkgDrift, OrkgError
from app.model.agents import orcid_of
from app.orkg import files
from app.orkg.archive import Archive
from app.orkg.client import PRODUCTION, SANDBOX
from app.orkg.intent import Intent, Wanted, WantedPaper, from_text
from app.orkg.live import LiveTable, keep_live_table
from app.orkg.mapping import read_pinned
from app.orkg.outbox import PushRecord
from app.orkg.outgoing import Options, Outgoing, doi_of, outgoing
from app.orkg.plan import MEANING, Line, State, as_json
from app.orkg.pull import Pulled
from app.orkg.push import Pushed, Release, checked, push
from app.orkg.seen import table_now
from app.orkg.table import Table
from app.orkg.values import Author, Ref
from app.outcomes import EXIT_FAILURE
from app.services import Services
from app.settings import Settings
from app.store.engine import written

_HELD_SHOWN = 20
_FORMATS = ("csv", "ttl", "nt", "jsonld", "rdfxml")
_MEDIA = {
    "ttl": "text/turtle",
    "nt": "application/n-triples",
    "jsonld": "application/ld+json",
    "rdfxml": "application/rdf+xml",
}
_PAPER_COLUMNS = ("doi", "title", "authors", "year", "month", "url")

Models = Annotated[
    list[str] | None, typer.Option("--model", help="Slug of a model; all that have news by default. May be repeated.")
]
NewModels = Annotated[bool, typer.Option("--new-models", help="Also models that no column is about.")]
Papers = Annotated[
    Path | None,
    typer.Option("--papers", help="CSV of papers that the ORKG may lack: doi,title,authors,year,month,url."),
]
EditForeign = Annotated[
    bool, typer.Option("--edit-foreign", help="Change the comparison itself, which others made; ask them first.")
]
Target = Annotated[
    str | None, typer.Option("--target", help="Id of a comparison of yours to go on with, in place of a new one.")
]
Title = Annotated[str | None, typer.Option("--title", help="Title of the comparison of ours.")]
Authors = Annotated[
    list[str] | None, typer.Option("--author", help="Author of our comparison: `Name` or `Name, ORCID iD`.")
]
Kept = Annotated[bool, typer.Option("--kept", help="Ask nobody: take the last pull for what the ORKG says now.")]


def plan_comparison(
    comparison: Comparison,
    state: Annotated[
        list[State] | None, typer.Option("--state", help="Only cells in this state. May be repeated.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only cells of this model.")] = None,
    kept: Kept = False,
    as_json_: Json = False,
) -> None:
    """Compare the last pull, the ORKG as it is now, and what we hold, cell by cell. Changes nothing."""
    services = opened(Settings())
    archive, pulled = _pulled(services, comparison)
    prepared, _ = _prepared(services, archive, pulled, kept=kept)
    found = prepared.plan
    wanted = set(state or State)
    lines = [line for line in found.lines if line.state in wanted and model in {None, line.model}]
    if as_json_:
        told = as_json(found)
        chosen = {line.key() for line in lines}
        told["cells"] = [one for one, line in zip(told["cells"], found.lines, strict=True) if line.key() in chosen]
        write_json(told)
        return
    shown = lines if state or model else [line for line in lines if line.state is not State.SAME]
    if shown:
        printed(
            [Head("model"), Head("row"), Head("last pull"), Head("now"), Head("ours"), Head("state")],
            [_shown(line) for line in shown],
            whole=True,
        )
    for name, count in found.counts.items():
        if count:
            console.print(f"{count} {name}: {MEANING[State(name)]}", markup=False, soft_wrap=True)
    console.print(f"last pull {found.pulled[:16]}; {len(found.missing)} of our models have no column", markup=False)


def push_comparison(
    comparison: Comparison,
    models: Models = None,
    new_models: NewModels = False,
    papers: Papers = None,
    edit_foreign: EditForeign = False,
    target: Target = None,
    title: Title = None,
    authors: Authors = None,
    apply: Annotated[
        str | None, typer.Option("--apply", metavar="DIGEST", help="Write what the dry run with this digest showed.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last push, which was broken off, as it was planned.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The name of the ORKG that is written to; needed for orkg.org.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Then freeze a version, which never changes again.")
    ] = False,
    subject: Annotated[str, typer.Option("--subject", help="Subject of the version.")] = "Small language models",
    assign_doi: Annotated[
        bool, typer.Option("--assign-doi", help="Register a DOI for the version: permanent. Needs --publish.")
    ] = False,
    as_: As = None,
    as_json_: Json = False,
) -> None:
    """Show what a push would write; with --apply write it, to the sandbox unless SLMKG_ORKG_URL names another ORKG."""
    services = opened(Settings())
    settings = services.settings
    host = (settings.orkg_url or SANDBOX).rstrip("/")
    if assign_doi and not publish:
        raise BadParameter("--assign-doi", "only a version has a DOI", advice="Give --publish too.")
    outbox = services.orkg_outbox()
    if resume:
        if apply is not None:
            raise BadParameter(
                "--resume", "it goes on with the intent that was written down", advice="Leave --apply out."
            )
        broken = outbox.unfinished(host)
        if broken is None:
            raise NotFound("push that was broken off", host, advice="Make a dry run: `slmkg orkg push`.")
        found = Outgoing(from_text(broken.intent), ())
    else:
        options = Options(
            host=host,
            models=tuple(models or ()),
            new_models=new_models,
            edit_foreign=edit_foreign,
            target=target,
            title=title,
            authors=tuple(_author(one) for one in authors or ()),
            papers=_papers(papers),
        )
        found, _ = _outgoing(services, comparison, options, kept=False)
    intent = found.intent
    release = Release(subject, intent.comparison.description, assign_doi) if publish else None
    checked(intent, release)
    if apply is None and not resume:
        _tell_intent(found, outbox.unfinished(host), as_json_=as_json_)
        return
    if apply is not None and apply != intent.digest:
        raise OrkgDrift(
            "the plan",
            (f"its digest is {intent.digest} now, not {apply}: a value here, a cell there or an option has changed",),
            advice="Make a dry run again, and read it.",
        )
    if not intent.columns:
        raise BadParameter("push", "there is nothing to push", advice="`slmkg orkg plan` says what each cell is.")
    confirm_host(host, confirm)
    with connect(settings, default=SANDBOX, signed=True) as orkg:
        try:
            done = push(
                orkg,
                outbox,
                intent,
                by=acting(as_, settings).iri.value,
                release=release,
                settle=settings.orkg_settle_seconds,
                tell=lambda what: console.print(f"  {what}", markup=False, soft_wrap=True),
            )
        except OrkgError:
            console.print(f"{_ADVICE} ({host})", markup=False, soft_wrap=True)
            raise
    _tell_pushed(done, host, as_json_=as_json_)
    if done.clashes:
        raise typer.Exit(EXIT_FAILURE)


_ADVICE = "The push was broken off. What was sent is written down: `slmkg orkg push … --resume` goes on"


def list_pushes(
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", help="Number of a push, to see each write.")
    ] = None,
    as_json_: Json = False,
) -> None:
    """List what was pushed, the newest first; or one push with each write: what was sent, when, and what came of it."""
    outbox = opened(Settings()).orkg_outbox()
    if number is None:
        found = [_push_json(one) for one in outbox.pushes()]
        if as_json_:
            write_json(found)
            return
        for one in found:
            note = f"\t{one['note']}" if one["note"] else ""
            write(f"{one['number']}\t{one['state']}\t{one['started'][:16]}\t{one['host']}\t{one['digest']}{note}")
        if not found:
            console.print("nothing was pushed yet")
        return
    record = outbox.push(number)
    writes = [
        {
            "key": one.key,
            "request": one.request,
            "state": one.state.value,
            "made": one.made,
            "tries": one.tries,
            "sent_at": one.sent_at,
            "ended_at": one.ended_at,
            "note": one.note,
        }
        for one in outbox.writes(number)
    ]
    told = {**_push_json(record), "result": record.result, "writes": writes}
    if as_json_:
        write_json(told)
        return
    for each in outbox.writes(number):
        verb = next(name for name in ("POST", "PUT", "DELETE") if name in each.request)
        write(f"{each.sent_at[:19]}\t{each.state}\t{verb} {each.request[verb]}\t{each.made or ''}")


def export_comparison(
    comparison: Comparison,
    models: Models = None,
    new_models: NewModels = False,
    papers: Papers = None,
    form: Annotated[
        str, typer.Option("--format", help="csv: the ORKG's import table. ttl, nt, jsonld, rdfxml: RDF.")
    ] = "csv",
    out: Annotated[Path | None, typer.Option("--out", help="File to write; standard output by default.")] = None,
    kept: Kept = False,
) -> None:
    """Write what would go out as a file, for somebody with an account of their own: ORKG's import table, or RDF."""
    if form not in _FORMATS:
        raise BadParameter("--format", f"{form!r} is none", advice=f"Use one of {', '.join(_FORMATS)}.")
    services = opened(Settings())
    host = services.settings.orkg_url or PRODUCTION
    options = Options(host=host, models=tuple(models or ()), new_models=new_models, papers=_papers(papers))
    found, prepared = _outgoing(services, comparison, options, kept=kept)
    if form == "csv":
        table = files.import_table(found.intent)
        content = table.text.encode()
        for left in table.left:
            row = f", {left.row}" if left.row else ""
            console.print(f"left out: {left.column}{row}: {left.why}", markup=False, soft_wrap=True)
    else:
        content = written(_triples(services, found.intent, prepared), _MEDIA[form])
    _tell_held(found)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise BadFile(out, f"cannot be written: {error.strerror}", advice="Choose another file.") from error
    console.print(f"{len(found.intent.columns)} model(s), {found.values} value(s) in {out}", markup=False)


def _pulled(services: Services, comparison: str) -> tuple[Archive, Pulled]:
    archive = archive_of(services, comparison)
    pulled = archive.last()
    if pulled is None:
        raise never_pulled(comparison)
    return archive, pulled


def _prepared(
    services: Services, archive: Archive, pulled: Pulled, *, kept: bool, also: Collection[str] | None = ()
) -> tuple[Prepared, Table]:
    """The plan against the ORKG as it is now (and that is kept for the page), or against the last pull alone."""
    if kept:
        now = pulled.live
    else:
        with connect(services.settings) as orkg:
            now = table_now(orkg, pulled.head.id)
        keep_live_table(archive.folder, LiveTable(services.now().isoformat(), now))
    return services.plan_orkg(pulled, read_pinned(archive.folder), now, also=also), now


def _outgoing(services: Services, comparison: str, options: Options, *, kept: bool) -> tuple[Outgoing, Prepared]:
    archive, pulled = _pulled(services, comparison)
    also = None if options.new_models else options.models
    prepared, now = _prepared(services, archive, pulled, kept=kept, also=also)
    if not prepared.rows:
        raise BadParameter(
            "COMPARISON",
            "nobody has said what its rows mean",
            advice=f"`slmkg orkg map {pulled.head.id}` shows them; --row and --confirm say it.",
        )
    return outgoing(prepared.plan, pulled, now, prepared.rows, prepared.ours, options), prepared


def _triples(services: Services, intent: Intent, prepared: Prepared) -> Any:
    revision = services.store.head().number
    units = {one.iri: one.unit.iri for one in services.properties() if one.unit is not None}
    rows = {row.property: row for row in prepared.rows}
    held = {}
    by_iri = {model.iri: model for model in prepared.ours.values()}
    for column in intent.columns:
        for key in column.cells:
            cell = by_iri[column.uri].cells[rows[key].name]
            values = tuple(
                Wanted(one.label, one.datatype if one.uri is None else None, one.uri, cell.method)
                for one in cell.values
            )
            held[column.uri, key] = files.Known(values, cell.claims)
    address = f"{vocab.BASE}resource/orkg/{prepared.plan.comparison}"
    return files.graph(intent, address, revision=revision, units=units, held=held)


def confirm_host(host: str, given: str | None) -> None:
    """Refuse to write to the ORKG itself unless somebody typed its name."""
    name = host.split("://", 1)[-1]
    if host != PRODUCTION:
        return
    if given is None and sys.stdin.isatty():
        given = typer.prompt(f"This writes to the public ORKG. Type {name} to go on", err=True)
    if given != name:
        raise BadParameter(
            "--confirm", f"writing to {name} needs its name", advice=f"Give --confirm {name}, or try the sandbox first."
        )


def _author(text: str) -> Author:
    name, _, orcid = text.partition(",")
    if not name.strip():
        raise BadParameter("--author", "an author has a name", advice="Write `Ada Example` or `Ada Example, 0000-…`.")
    if not orcid.strip():
        return Author(name.strip())
    try:
        return Author(name.strip(), identifiers={"orcid": (orcid_of(orcid),)})
    except ValueError as error:
        raise BadParameter("--author", str(error), advice="Write `Ada Example, 0000-0002-1825-0097`.") from error


def _papers(path: Path | None) -> Mapping[str, WantedPaper]:
    """Papers that somebody describes, by DOI or address in small letters; BadFile."""
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            missing = [name for name in ("doi", "title") if name not in (reader.fieldnames or ())]
            if missing:
                raise BadFile(
                    path, f"has no column {missing[0]!r}", line=1, advice=f"Columns are {', '.join(_PAPER_COLUMNS)}."
                )
            found = {}
            for row in reader:
                paper = _paper(path, reader.line_num, row)
                found[(paper.doi or paper.url or "").casefold()] = paper
            return found
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path, f"cannot be read: {error}") from error


def _paper(path: Path, line: int, row: Mapping[str, str | None]) -> WantedPaper:
    doi, title = (row.get("doi") or "").strip(), (row.get("title") or "").strip()
    url = (row.get("url") or "").strip() or None
    if not title or not (doi or url):
        raise BadFile(path, "a paper needs a title, and a DOI or an address", line=line)
    numbers = {}
    for name, most in (("year", 9999), ("month", 12)):
        text = (row.get(name) or "").strip()
        if text and not (text.isdecimal() and 1 <= int(text) <= most):
            raise BadFile(path, f"{text!r} is no {name}", line=line, field=name)
        numbers[name] = int(text) if text else None
    return WantedPaper(
        title=title,
        doi=doi_of(doi) or doi or None,
        authors=tuple(Author(one.strip()) for one in (row.get("authors") or "").split(";") if one.strip()),
        url=url,
        published_month=numbers["month"],
        published_year=numbers["year"],
    )


def _shown(line: Line) -> list[Shown]:
    ours = "; ".join(one.label for one in line.ours.values) or " or ".join(line.ours.candidates)
    style = {State.CONFLICT: "red", State.SAME: "green"}.get(line.state, "")
    return [
        Shown(line.model or f"? {line.column_label}"),
        Shown(line.row_label),
        Shown(_refs(line.base)),
        Shown(_refs(line.theirs)),
        Shown(ours),
        Shown(line.state.value, style),
    ]


def _refs(refs: tuple[Ref, ...]) -> str:
    return "; ".join(one.label for one in refs)


def _tell_intent(found: Outgoing, broken: PushRecord | None, *, as_json_: bool) -> None:
    """A dry run: each contribution with its values, what stays here and why, and how to carry it out."""
    intent = found.intent
    if as_json_:
        write_json(_intent_json(found))
        return
    if broken is not None:
        console.print(
            f"push {broken.number} to {broken.host} was broken off: --resume goes on with it",
            markup=False,
            soft_wrap=True,
        )
    target = intent.comparison
    what = f"comparison {target.id}" if target.id else f"a comparison of ours, {target.title!r}"
    write(f"to {intent.host}, {what}")
    labels = {row.key: row for row in intent.rows}
    for row in intent.rows:
        write(f"row {row.label}: {row.id or f'the predicate with the IRI {row.uri}, made if there is none'}")
    for column in intent.columns:
        where = f"contribution {column.contribution}" if column.contribution else "a contribution of ours"
        paper = f" to {column.paper.title!r}" if column.paper else ""
        write(f"{column.label}: {where}{paper}")
        for key, cell in column.cells.items():
            values = "; ".join(one.label for one in cell) or "nothing"
            methods = ", ".join(sorted({one.method.value for one in cell}))
            write(f"  {labels[key].label}: {values}{f' ({methods})' if methods else ''}")
    _tell_held(found)
    console.print(
        f"{len(intent.columns)} contribution(s), {found.values} value(s), {len(target.sources)} column(s) of others "
        "beside them. Nothing was written.",
        markup=False,
        soft_wrap=True,
    )
    if intent.columns:
        console.print(f"To write this: the same command with --apply {intent.digest}", markup=False, soft_wrap=True)


def _tell_held(found: Outgoing) -> None:
    for (why, _), count in Counter((one.why, "") for one in found.held).most_common(_HELD_SHOWN):
        console.print(f"held back {count} time(s): {why}", markup=False, soft_wrap=True)


def _intent_json(found: Outgoing) -> dict[str, Any]:
    intent = found.intent
    return {
        "host": intent.host,
        "digest": intent.digest,
        "comparison": {
            "id": intent.comparison.id,
            "title": intent.comparison.title,
            "foreign": intent.comparison.foreign,
            "references": list(intent.comparison.references),
            "columns_of_others": [one.id for one in intent.comparison.sources],
        },
        "rows": [{"key": row.key, "label": row.label, "iri": row.uri, "predicate": row.id} for row in intent.rows],
        "contributions": [
            {
                "iri": column.uri,
                "label": column.label,
                "contribution": column.contribution,
                "paper": None if column.paper is None else {"id": column.paper.id, "title": column.paper.title},
                "cells": {
                    key: [
                        {"label": one.label, "datatype": one.datatype, "iri": one.uri, "method": one.method.value}
                        for one in cell
                    ]
                    for key, cell in column.cells.items()
                },
            }
            for column in intent.columns
        ],
        "held_back": [{"model": one.model, "property": one.property, "why": one.why} for one in found.held],
    }


def _tell_pushed(done: Pushed, host: str, *, as_json_: bool) -> None:
    if as_json_:
        write_json(done.as_json())
        return
    write(f"{host}/comparison/{done.comparison}")
    for one in done.clashes:
        write(f"conflict, left alone: {one.column}, {one.row}: {one.why}; there is {', '.join(one.found) or 'nothing'}")
    for note in done.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    if done.version is not None:
        write(f"version {done.version}{f', DOI {done.doi}' if done.doi else ''}")
    console.print(
        f"push {done.number}: {len(done.columns)} contribution(s), {done.writes} write(s), read back and found right",
        markup=False,
        soft_wrap=True,
    )


def _push_json(one: PushRecord) -> dict[str, Any]:
    return {
        "number": one.number,
        "host": one.host,
        "digest": one.digest,
        "by": one.by,
        "account": one.account,
        "started": one.started,
        "ended": one.ended,
        "state": one.state,
        "note": one.note,
    }
