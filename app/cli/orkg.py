"""Commands about the Open Research Knowledge Graph (ORKG): pull a comparison, say what it is to us, look on.

slmkg orkg pull R753434       fetch it, keep the raw answers, propose what is new and clear
slmkg orkg map R753434        see its rows and columns, and confirm what they are to us
slmkg orkg poll R753434       a cheap look; a whole pull when something changed, and once a week
slmkg orkg check              whether the ORKG still answers as it used to
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer

from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, progress_bar, write, write_json
from app.curate import orkg as curation
from app.curate.bulk import mapping_of
from app.errors import BadParameter, NotFound
from app.orkg.archive import Archive, Look, find_archive, time_of
from app.orkg.check import Report, Weight, check
from app.orkg.client import PRODUCTION, Orkg
from app.orkg.http import Exchange
from app.orkg.losses import check_losses
from app.orkg.mapping import read_pinned, write_pinned
from app.orkg.pace import Pace
from app.orkg.pull import Progress, Pulled, glance, glance_of, pull
from app.orkg.sign_in import Account
from app.orkg.sparql import Endpoint
from app.outcomes import EXIT_FAILURE
from app.services import Services
from app.settings import Settings

app = typer.Typer(
    name="orkg",
    help="Sync with a comparison of the Open Research Knowledge Graph (ORKG).",
    no_args_is_help=True,
    rich_markup_mode=None,
)
WEEK = timedelta(days=7)
"""How old the last whole pull may be before a poll makes another."""

Comparison = Annotated[str, typer.Argument(metavar="COMPARISON", help="Id of the comparison, as R753434.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what became of each cell; keep and propose nothing.")]
Losses = Annotated[
    bool, typer.Option("--accept-losses", help="Take a table that lost many of the cells it had at the last pull.")
]


def connect(
    settings: Settings,
    *,
    default: str = PRODUCTION,
    signed: bool = False,
    keep: bool = True,
    heard: Callable[[Exchange], None] | None = None,
) -> Orkg:
    """A client as the settings want it; `default` is the address where they name none.

    `signed` gives the account; `keep` keeps predicates, classes and people for a while in the data folder.
    """
    account = None
    if signed and settings.orkg_user is not None and settings.orkg_password is not None:
        account = Account(settings.orkg_user, settings.orkg_password)
    return Orkg(
        settings.orkg_url or default,
        contact=settings.orkg_contact,
        account=account,
        accounts_url=settings.orkg_accounts_url,
        pace=_pace(settings),
        cache=settings.data_dir / "orkg" / "kept.sqlite" if keep else None,
        heard=heard,
    )


def _pace(settings: Settings) -> Pace:
    gap = 1 / settings.orkg_per_second
    return Pace(per_second=settings.orkg_per_second, first_pause=gap, jitter=gap)


@app.command("pull")
def pull_comparison(
    comparison: Comparison,
    dry_run: DryRun = False,
    kept: Annotated[
        bool, typer.Option("--kept", help="Read the last pull again, for example after mapping; ask nobody.")
    ] = False,
    accept_losses: Losses = False,
    title_again: Annotated[
        str | None, typer.Option("--again", help="Propose what was rejected before once more, for this new reason.")
    ] = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Fetch a comparison with everything behind its cells, keep it, and propose what is new in one proposal."""
    services = opened(Settings())
    archive = archive_of(services, comparison)
    if kept:
        pulled = archive.last()
        if pulled is None:
            raise never_pulled(comparison)
        _propose(services, archive, pulled, dry_run=dry_run, again=title_again, as_=as_, as_json=as_json, changed=False)
        return
    pulled = _fetch(services, archive, comparison)
    _take_in(
        services,
        archive,
        pulled,
        dry_run=dry_run,
        accept_losses=accept_losses,
        again=title_again,
        as_=as_,
        as_json=as_json,
    )


@app.command("map")
def map_comparison(
    comparison: Comparison,
    rows: Annotated[
        list[str] | None,
        typer.Option(
            "--row",
            help="What a row is: PREDICATE=PROPERTY, `PREDICATE=PROPERTY [unit]`, or PREDICATE=- for nothing of ours; "
            "a nested one is P1/P2. May be repeated.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", help="Which model a column is: SOURCE=SLUG, or SOURCE=-. May be repeated."),
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Confirm every suggestion that is clear and not confirmed yet.")
    ] = False,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Show the rows and columns of the last pull with what they may be, and write down what you say of them.

    Without --row, --column or --confirm nothing is written.
    """
    services = opened(Settings())
    archive = archive_of(services, comparison)
    pulled = archive.last()
    if pulled is None:
        raise never_pulled(comparison)
    pinned = read_pinned(archive.folder)
    given = services.suggest_orkg(pulled, pinned)
    if rows or columns or confirm:
        pinned = services.confirm_orkg(
            pinned,
            given,
            acting(as_, services.settings),
            rows=mapping_of(rows or ()),
            columns=mapping_of(columns or ()),
            all_suggested=confirm,
        )
        write_pinned(archive.folder, pinned)
        given = services.suggest_orkg(pulled, pinned)
    if as_json:
        write_json(curation.suggestions_report(given, archive.folder / "mapping.json"))
        return
    _tell_rows(given)
    _tell_columns(given)


@app.command("poll")
def poll_comparison(
    comparison: Comparison, accept_losses: Losses = False, as_: As = None, as_json: Json = False
) -> None:
    """Look whether a comparison has changed, with two requests; pull it when it has, and at least once a week.

    Meant for a timer: `17 * * * * slmkg orkg poll R753434` looks each hour.
    """
    services = opened(Settings())
    archive = archive_of(services, comparison)
    last = archive.last()
    now = services.now()
    if last is not None and archive.looks():
        whole = max((time_of(look) for look in archive.looks() if look.kind == "full"), default=None)
        with connect(services.settings) as orkg:
            seen = glance(orkg, last)
        same = seen == glance_of(last)
        archive.note(Look(now.isoformat(), "cheap", seen, not same))
        if same and whole is not None and now - whole < WEEK:
            if as_json:
                write_json({"comparison": last.head.id, "changed": False, "pulled": False, "last_pull": last.at})
            else:
                console.print(f"{last.head.id}: no change since {last.at[:16]}", markup=False)
            return
    pulled = _fetch(services, archive, comparison)
    _take_in(
        services, archive, pulled, dry_run=False, accept_losses=accept_losses, again=None, as_=as_, as_json=as_json
    )


@app.command("check")
def check_contract(
    comparison: Annotated[
        str, typer.Argument(metavar="[COMPARISON]", help="Id of a comparison to ask about.")
    ] = "R753434",
    as_json: Json = False,
) -> None:
    """Ask the ORKG five times, only reading, and say what is not as it was; exit with 1 if we cannot work with it."""
    _check_id(comparison)
    with connect(Settings(), keep=False) as orkg:
        report = check(orkg, comparison)
    if as_json:
        write_json({**asdict(report), "holds": report.holds})
    else:
        for finding in report.findings:
            write(str(finding))
        console.print(_verdict(report), markup=False, soft_wrap=True)
    if not report.holds:
        raise typer.Exit(EXIT_FAILURE)


def _verdict(report: Report) -> str:
    asked = f"{report.base}, backend {report.backend or 'unknown'}, {len(report.requests)} requests"
    count = {weight: sum(1 for one in report.findings if one.weight is weight) for weight in Weight}
    if count[Weight.BROKEN]:
        places = count[Weight.BROKEN]
        return f"the contract is broken in {places} place(s) ({asked}); neither pull nor push before slmkg is mended"
    if count[Weight.DOUBTFUL]:
        return f"the contract holds for reading ({asked}); {count[Weight.DOUBTFUL]} doubt(s): try a push in the sandbox"
    if report.findings:
        return f"the contract holds, with {len(report.findings)} difference(s) that do no harm ({asked})"
    return f"the contract holds ({asked})"


def _check_id(comparison: str) -> None:
    if not re.fullmatch(r"[a-zA-Z0-9:_-]{1,255}", comparison):
        raise BadParameter("COMPARISON", f"{comparison!r} is no id of a comparison", advice="Write e.g. R753434.")


def archive_of(services: Services, comparison: str) -> Archive:
    """The archive of a comparison, whichever of its versions is named; BadParameter."""
    try:
        return find_archive(services.settings.data_dir, services.settings.orkg_url or PRODUCTION, comparison)
    except ValueError as error:
        raise BadParameter(
            "COMPARISON", f"{comparison!r} is no id of a comparison", advice="Write e.g. R753434."
        ) from error


def never_pulled(comparison: str) -> NotFound:
    """The error for a comparison of which there is no pull yet."""
    return NotFound("pull of comparison", comparison, advice=f"`slmkg orkg pull {comparison}` first.")


def _fetch(services: Services, archive: Archive, comparison: str) -> Pulled:
    settings = services.settings
    endpoint = Endpoint(
        settings.orkg_url or PRODUCTION, contact=settings.orkg_contact, pace=_pace(settings), heard=archive.hear
    )
    with connect(settings, heard=archive.hear) as orkg, progress_bar() as bar:
        task = bar.add_task("ORKG", total=1.0)

        def progress(what: str, share: float) -> None:
            bar.update(task, description=f"ORKG: {what}", completed=share)

        shown: Progress = progress
        return pull(orkg, comparison, now=services.now(), endpoint=endpoint, progress=shown)


def _take_in(
    services: Services,
    archive: Archive,
    pulled: Pulled,
    *,
    dry_run: bool,
    accept_losses: bool,
    again: str | None,
    as_: str | None,
    as_json: bool,
) -> None:
    """Keep a pull and propose what is new in it; OrkgChanged, with nothing changed, where too much of it is gone."""
    home = archive.of(pulled)
    if not accept_losses:
        check_losses(home.last(), pulled)
    changed = False if dry_run else home.keep(pulled)
    _propose(services, home, pulled, dry_run=dry_run, again=again, as_=as_, as_json=as_json, changed=changed)


def _propose(
    services: Services,
    archive: Archive,
    pulled: Pulled,
    *,
    dry_run: bool,
    again: str | None,
    as_: str | None,
    as_json: bool,
    changed: bool,
) -> None:
    pinned = read_pinned(archive.folder)
    found = services.read_orkg(pulled, pinned, again=again is not None)
    proposal = None
    if not dry_run:
        taken = services.propose_orkg(pulled, pinned, acting(as_, services.settings), again=again)
        proposal = taken.step.proposal.number if taken.step.proposal else None
    told = {**curation.report(pulled, found), "dry_run": dry_run, "changed": changed, "proposal": proposal}
    if as_json:
        write_json(told)
        return
    _tell(told, found, dry_run=dry_run)


def _tell(told: dict[str, Any], found: curation.Read, *, dry_run: bool) -> None:
    """A pull for people: questions and conflicts in full, the rest by count."""
    loud = {curation.Verdict.CONFLICTING, curation.Verdict.QUESTION}
    told_of: set[tuple[str, ...]] = set()
    for one in found.findings:
        place = (one.column, one.path, one.cell, one.verdict)
        is_news = one.verdict in loud and (one.new or one.verdict is curation.Verdict.QUESTION)
        if dry_run or (is_news and place not in told_of):
            write(str(one))
            told_of.add(place)
    for note in told["notes"]:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    for table in told["tables"]:
        what = "version" if table["published"] else "head"
        marks = " (withdrawn)" if table["withdrawn"] else ""
        marks += " (reconstructed)" if table["origin"] != "contents" else ""
        counts = ", ".join(f"{count} {verdict}" for verdict, count in table["counts"].items() if count)
        size = f"{table['columns']} columns, {table['cells']} cells"
        line = f"{what} {table['version']}{marks}: {size}: {counts or 'no cell'}"
        console.print(line, markup=False, soft_wrap=True)
    if told["proposal"] is not None:
        write(f"proposal {told['proposal']}: {told['new']} item(s)")
    elif not dry_run:
        console.print("nothing new to propose" if not told["new"] else "nothing proposed")
    unmapped = sum(table["counts"]["unmapped"] for table in told["tables"])
    if unmapped:
        console.print(f"`slmkg orkg map {told['comparison']}` says what its rows and columns may be.", markup=False)


def _tell_rows(given: curation.Suggestions) -> None:
    for row in given.rows:
        means = f"= {row.pinned}" if row.pinned else f"may be {row.suggested}" if row.suggested else "unknown"
        renamed = " (it has another name now)" if row.renamed else ""
        samples = ", ".join(repr(one) for one in row.samples)
        write(f"row {row.path} {row.labels!r}: {means}{renamed}; {row.filled} cells, such as {samples}")


def _tell_columns(given: curation.Suggestions) -> None:
    for column in given.columns:
        if column.pinned:
            means = f"= {column.pinned}"
        elif column.suggested:
            means = f"may be {column.suggested} ({column.why})"
        else:
            near = f": {', '.join(column.candidates)}" if column.candidates else ""
            means = f"unknown ({column.why}{near})"
        write(f"column {column.source} {column.label!r}: {means}")
    waiting = sum(1 for row in given.rows if not row.pinned) + sum(1 for one in given.columns if not one.pinned)
    if waiting:
        console.print(f"{waiting} row(s) and column(s) wait: --confirm, --row PREDICATE=PROPERTY, --column SOURCE=SLUG")
