"""Commands about the graph: load, validate, query, revisions."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from app import vocab
from app.cli.opening import opened
from app.cli.output import console, progress_bar, write, write_json
from app.compare.audit import named
from app.compare.reader import Reader
from app.curate.load import LoadReport
from app.errors import BadParameter
from app.model.rdf import iri
from app.outcomes import EXIT_VIOLATIONS
from app.services import Services
from app.settings import Settings
from app.store.port import Query
from app.validation.findings import Report, Severity

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]
_RESULT_FORMATS = {
    "json": "application/sparql-results+json",
    "xml": "application/sparql-results+xml",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
}
_GRAPH_FORMATS = {
    "ttl": "text/turtle",
    "nt": "application/n-triples",
    "jsonld": "application/ld+json",
    "rdfxml": "application/rdf+xml",
}
_STEPS = 6
"""Steps that a load announces: registry, configurations, survey tables, disagreements, results, settling."""


def load(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of seed data; the one that ships with slmkg by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the graph hold what a data folder says, as one revision, or change nothing."""
    report = run_load(opened(Settings()), data)
    if as_json:
        write_json(report.as_json())
    else:
        write(_load_text(report))


def run_load(services: Services, data: Path | None = None) -> LoadReport:
    """Load with a progress bar on standard error."""
    with progress_bar() as progress:
        task = progress.add_task("reading", total=_STEPS + 1 + services.set_validator.steps())

        def say(step: str) -> None:
            progress.update(task, description=step, advance=1)

        return services.load(data, progress=say, on_validation_step=lambda: progress.advance(task))


def validate(
    record: Annotated[
        str | None, typer.Option("--record", help="Validate one thing only, e.g. model:phi-2 or its IRI.")
    ] = None,
    revision: Annotated[int | None, typer.Option(help="Number of the revision; the newest by default.")] = None,
    as_json: Json = False,
) -> None:
    """Print what breaks a constraint in a revision, the newest by default; exit with 3 when there are violations."""
    if record is not None and revision is not None:
        raise BadParameter("--revision", "one thing is validated in the newest revision only", advice="Leave it out.")
    services = opened(Settings())
    if record is not None:
        report = services.validate_record(iri(_expanded(record)))
    else:
        with progress_bar() as progress:
            task = progress.add_task("validating", total=services.set_validator.steps())
            report = services.validate(revision=revision, on_step=lambda: progress.advance(task))
    if as_json:
        write_json(_report_json(report))
    else:
        for finding in report.findings:
            write(str(finding))
        counts = ", ".join(f"{count} {severity.value.lower()}" for severity, count in report.counts.items())
        console.print(f"{counts} finding(s)")
    if not report.conforms:
        raise typer.Exit(EXIT_VIOLATIONS)


def query(
    file: Annotated[str, typer.Argument(help="File with a SPARQL query, or - for standard input.")],
    form: Annotated[
        str, typer.Option("--format", "-f", help=f"One of {', '.join((*_RESULT_FORMATS, *_GRAPH_FORMATS))}.")
    ] = "",
    revision: Annotated[int | None, typer.Option(help="Number of the revision to ask; the newest by default.")] = None,
) -> None:
    """Answer a SPARQL query. Rows come as TSV, graphs as Turtle, unless --format says otherwise."""
    text = sys.stdin.read() if file == "-" else _read(Path(file))
    services = opened(Settings())
    _, answer = services.ask(Query(text), revision=revision)
    known, default = (_GRAPH_FORMATS, "ttl") if answer.kind == "graph" else (_RESULT_FORMATS, "tsv")
    if answer.kind == "ask" and not form:
        write("true" if answer.truth else "false")
        return
    chosen = form or default
    if chosen not in known:
        raise BadParameter("--format", f"{chosen!r} does not fit this query", advice=f"Use one of {', '.join(known)}.")
    sys.stdout.buffer.write(answer.serialize(known[chosen], limit=services.settings.max_result_bytes))


def revisions(as_json: Json = False) -> None:
    """List the committed revisions, oldest first."""
    store = opened(Settings()).store
    found = store.revisions()
    if as_json:
        write_json([asdict(revision) for revision in found])
        return
    names = named(Reader(store.at()), (one.author for one in found)) if found else {}
    for revision in found:
        write(
            f"{revision.number}\t{revision.made_at:%Y-%m-%d %H:%M:%S%z}\t+{revision.added} -{revision.removed}\t"
            f"{revision.quads} quads\t{names[revision.author].name}\t{revision.reason}"
        )
    if not found:
        console.print("no revision yet: run `slmkg load`")


def _expanded(name: str) -> str:
    """An IRI, or a name such as model:phi-2 in full."""
    if name.startswith(("http://", "https://")):
        return name
    try:
        return vocab.expand(name)
    except (KeyError, ValueError) as error:
        raise BadParameter(
            "--record",
            f"{name!r} is neither an IRI nor a known prefix and name",
            advice="Write e.g. model:phi-2.",
        ) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadParameter("FILE", f"{path} cannot be read: {error}", advice="Give a UTF-8 text file.") from error


def _report_json(report: Report) -> dict[str, object]:
    return {
        "conforms": report.conforms,
        "counts": {severity.value: count for severity, count in report.counts.items()},
        "findings": [asdict(finding) | {"severity": finding.severity.value} for finding in report.findings],
    }


def _load_text(report: LoadReport) -> str:
    """The report for people."""
    done = f"revision {report.revision}" if report.revision else "nothing to change"
    claims = ", ".join(f"{count} {status.lower()}" for status, count in report.claims.items())
    settled = ", ".join(f"{count} by {rule}" for rule, count in report.settled.items())
    findings = ", ".join(f"{report.findings[severity.value]} {severity.value.lower()}" for severity in Severity)
    lines = [
        f"{done}: {report.quads} quads",
        f"models          {report.models}, and {report.baselines} larger baselines out of scope",
        f"claims          {sum(report.claims.values())} from {report.sources} sources: {claims}",
        f"curated facts   {report.curated_facts}",
        f"observations    {report.observations}",
        f"derived values  {report.derived}, of which {report.derived_from_proposed} rest on proposed claims",
        f"disagreements   {report.disagreements}: settled {settled}; open {len(report.open_cases)}",
        *(f"  open          {case}" for case in report.open_cases),
        *(f"  skipped       {count} rows: {reason}" for reason, count in report.skipped.items()),
        *(f"  cleaned       {count} cells: {rule}" for rule, count in report.cleaned.items()),
        f"findings        {findings}",
    ]
    return "\n".join(lines)
