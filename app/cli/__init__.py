"""The command line: one command for each use case, and thin.

Messages for people go to standard error, results to standard output. With --json a result is one JSON document.
"""

from __future__ import annotations

import os
import sys

import typer
from pydantic import ValidationError

from app import __version__
from app.cli import (
    assistant,
    backups,
    bulk,
    comparison,
    curation,
    doctor,
    evaluation,
    graph,
    history,
    jobs,
    keys,
    measure,
    orkg,
    orkg_out,
    projection,
    prune,
    releases,
    service,
    site,
    upgrade,
    webhooks,
)
from app.cli.output import console
from app.errors import AppError, BadTable, InvalidGraph, OrkgDrift, RevertConflict
from app.outcomes import EXIT_FAILURE, EXIT_USAGE, outcome

app = typer.Typer(
    name="slmkg",
    help="Knowledge graph of small language models: load, validate, ask and serve it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("load")(graph.load)
app.command("validate")(graph.validate)
app.command("query")(graph.query)
app.command("revisions")(graph.revisions)
app.command("compare")(comparison.compare)
app.command("show")(comparison.show)
app.command("import")(bulk.import_files)
app.command("import-hf")(bulk.import_model)
app.command("export")(bulk.export)
app.command("export-site")(site.export_site)
app.command("evaluate")(evaluation.evaluate_model)
app.command("serve")(service.serve)
app.command("mcp")(assistant.mcp)
app.command("doctor")(doctor.doctor)
app.command("upgrade")(upgrade.upgrade)
app.command("prune")(prune.prune)
app.command("backup")(backups.backup)
app.command("restore")(backups.restore)
app.add_typer(releases.app, name="release")
app.command("diff")(history.diff)
app.command("revert")(history.revert)
app.command("blame")(history.blame)
app.command("audit")(history.audit)
app.command("propose")(curation.propose)
app.add_typer(curation.app, name="proposals")
app.command("claims")(curation.claims)
app.command("disagreements")(curation.disagreements)
app.command("decide")(curation.decide)
app.add_typer(measure.app, name="measure")
app.add_typer(jobs.app, name="jobs")
app.command("worker")(jobs.worker)
orkg.app.command("plan")(orkg_out.plan_comparison)
orkg.app.command("push")(orkg_out.push_comparison)
orkg.app.command("pushes")(orkg_out.list_pushes)
orkg.app.command("export")(orkg_out.export_comparison)
app.add_typer(orkg.app, name="orkg")
app.add_typer(keys.app, name="keys")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(projection.app, name="projection")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"slmkg {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", callback=_version, is_eager=True
    ),
) -> None:
    """Knowledge graph of small language models: load, validate, ask and serve it."""


def main() -> None:
    """Run the command line. An error is one message with advice, never a traceback; its exit code says its kind."""
    try:
        app()
    except AppError as error:
        _report(error)
        sys.exit(outcome(error.code).exit_code)
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(130)
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"]).upper()
            place = f"SLMKG_{name}: " if name else ""
            console.print(f"error: {place}{problem['msg']}", style="red", markup=False, soft_wrap=True)
        console.print("  See docs/reference/settings.md.")
        sys.exit(EXIT_USAGE)
    except OSError as error:
        console.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(EXIT_FAILURE)
    except Exception as error:
        if os.environ.get("SLMKG_DEBUG"):
            raise
        console.print(f"error inside slmkg: {type(error).__name__}: {error}", style="red", markup=False)
        console.print("  This is a defect. Run again with SLMKG_DEBUG=1 and report what it prints.")
        sys.exit(EXIT_FAILURE)


def _report(error: AppError) -> None:
    """Say what is wrong and what to do."""
    console.print(f"error: {error.message}", style="red", markup=False, soft_wrap=True)
    details: tuple[str, ...] = ()
    count = 0
    if isinstance(error, InvalidGraph | BadTable):
        details, count = error.findings, len(error.findings)
    elif isinstance(error, RevertConflict):
        details, count = error.conflicts, error.count
    elif isinstance(error, OrkgDrift):
        details, count = error.changes, len(error.changes)
    for detail in details[:20]:
        console.print(f"  {detail}", markup=False, soft_wrap=True)
    if count > 20:
        console.print(f"  … and {count - 20} more")
    if error.advice:
        console.print(f"  {error.advice}", markup=False, soft_wrap=True)
