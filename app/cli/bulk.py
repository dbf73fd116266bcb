"""Commands of bulk work: import a table, import a model's files, export. An import ends in one proposal, or in none."""

from __future__ import annotations

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.curate import bulk
from app.errors import BadFile, BadParameter
from app.ingest.bulk.sheets import MAX_BYTES, decoded, form_of, read_sheet
from app.ingest.bulk.table import Reading
from app.ingest.bulk.verdicts import Verdict
from app.ingest.huggingface import hub
from app.ingest.huggingface.files import read_folder
from app.ingest.runs.llama_bench import is_csv
from app.ingest.runs.reading import Told
from app.outcomes import EXIT_USAGE
from app.services import Services
from app.settings import Settings

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what became of each cell; propose nothing.")]
Title = Annotated[str | None, typer.Option("--title", help="Title of the proposal; the file's name by default.")]
Again = Annotated[
    str | None, typer.Option("--again", help="Propose what was rejected before once more, for this new reason.")
]
_PLACED = (Verdict.ACCEPTED, Verdict.UNCHANGED)
_LARGE_RUN = "Leave it out if it holds samples: the scores stand in the results file."
_WORKBOOK = ".xlsx"
_TABLES = frozenset({".csv", ".tsv", _WORKBOOK})
_OF_RUNS = frozenset({".json", ".jsonl", ".csv", ".md", ".sql", ".txt", ".yaml", ".yml"})
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class What(StrEnum):
    """What can be exported."""

    CLAIMS = "claims"
    MODELS = "models"
    OBSERVATIONS = "observations"
    PROPOSAL = "proposal"


class Format(StrEnum):
    """Formats of exports."""

    CSV = "csv"
    EVERY_EVAL_EVER = "every-eval-ever"
    MODEL_INDEX = "model-index"


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(help="A table (.csv, .tsv, .xlsx), or the files or folders of runs of other tools."),
    ],
    dry_run: DryRun = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Slug of the source of rows that name none, known or new.")
    ] = None,
    source_title: Annotated[str | None, typer.Option("--source-title", help="Title of a new source.")] = None,
    source_type: Annotated[
        str | None, typer.Option("--source-type", help="Type of a new source, as ModelCard.")
    ] = None,
    source_address: Annotated[str | None, typer.Option("--source-address", help="Address of a new source.")] = None,
    source_dated: Annotated[
        str | None, typer.Option("--source-dated", help="Day on which a new source was written, as 2024-10-05.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            help="Meaning of a column, COLUMN=PROPERTY, or of a run's task, TASK=BENCHMARK; - leaves it out. "
            "May be repeated.",
        ),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map-file", help="File with such meanings, one on each line; # begins a remark.")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="Sheet of a workbook; the first one by default.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Which model a run measured, if it does not say.")
    ] = None,
    device: Annotated[str | None, typer.Option("--device", help="Device of the registry that a run was on.")] = None,
    engine: Annotated[str | None, typer.Option("--engine", help="Engine of the registry that a run used.")] = None,
    quantisation: Annotated[
        str | None, typer.Option("--quantisation", help="Storage format of a run's weights, as Q4_K_M; None: released.")
    ] = None,
    title: Title = None,
    again: Again = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Propose what is new in a table, or in runs of other tools, all of it in one proposal.

    What the files are is told by what they hold. A cell of a table that is not clear stops it: nothing changes. What
    cannot be placed of a run is told and left out.
    """
    services = opened(Settings())
    meanings = bulk.mapping_of([*_lines(map_file), *(mapping or ())])
    texts = _run_texts(files)
    if texts is not None:
        if any((source, source_title, source_type, source_address, source_dated, sheet)):
            raise BadParameter("--source", "a run is its own source", advice="Leave the options of tables out.")
        told = Told(model, device, engine, quantisation, meanings)
        propose_what_is_new(
            services, bulk.Runs(texts, told), dry_run=dry_run, title=title, again=again, as_=as_, as_json=as_json
        )
        return
    if any((model, device, engine, quantisation)):
        raise BadParameter("--model", "a table says it itself", advice="Write it into columns of the table.")
    (file,) = files
    described = None
    if source is not None:
        described = bulk.Described(source, source_title, source_type, source_address, source_dated)
    elif any((source_title, source_type, source_address, source_dated)):
        raise BadParameter("--source", "a source is described and has no slug", advice="Give it one: --source SLUG.")
    table = bulk.Table(
        read_sheet(_read(file), file.name, form=form_of(file.name), sheet=sheet),
        described,
        meanings,
    )
    propose_what_is_new(services, table, dry_run=dry_run, title=title, again=again, as_=as_, as_json=as_json)


def import_model(
    what: Annotated[
        str, typer.Argument(metavar="PATH_OR_ID", help="config.json, README.md, a folder with them, or owner/name.")
    ],
    model: Annotated[str | None, typer.Option("--model", help="Which model it is, if the files do not say.")] = None,
    repository: Annotated[
        str | None, typer.Option("--repository", help="Id of the model on the hub that the files are from.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Commit that the files are from, or that is to be fetched.")
    ] = None,
    dry_run: DryRun = False,
    title: Title = None,
    again: Again = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Propose what a model's config.json and card say, from files or (owner/name) from the Hugging Face hub.

    A path that exists is read from the disk; nothing is fetched then.
    """
    services = opened(Settings())
    path = Path(what)
    if not path.exists() and _REPOSITORY.fullmatch(what):
        files = hub.fetch(what, revision=revision)
    else:
        files = read_folder(path, repository=repository, revision=revision)
    given = bulk.ModelFiles(files, model)
    propose_what_is_new(services, given, dry_run=dry_run, title=title, again=again, as_=as_, as_json=as_json)


def export(
    what: Annotated[What, typer.Argument(help="What to export.")],
    number: Annotated[int | None, typer.Argument(help="Number of the proposal, for `proposal`.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Slug of a model to export; all by default. May be repeated.")
    ] = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Slug of a source to export; all by default. May be repeated.")
    ] = None,
    revision: Annotated[int | None, typer.Option(help="Number of the revision to read; the newest by default.")] = None,
    form: Annotated[
        Format,
        typer.Option("--format", "-f", help="A table, or one model's scores (observations) in a format of others."),
    ] = Format.CSV,
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder for files of scores, instead of standard output.")
    ] = None,
) -> None:
    """Write claims, models, observations or a proposal as a table that can be imported again with no change.

    Every Eval Ever has one document for each source and harness; without `--into` they are written as one list.
    """
    services = opened(Settings())
    if form is not Format.CSV:
        slugs = model or []
        if what is not What.OBSERVATIONS or number is not None or len(slugs) != 1:
            raise BadParameter(
                "--format",
                f"{form.value} holds the scores of one model",
                advice=f"slmkg export observations --model SLUG --format {form.value}.",
            )
        found = services.export_scores(form.value, model=slugs[0], sources=source or (), revision=revision)
        _write_scores(found, form, into)
        return
    if into is not None:
        raise BadParameter("--into", "is for files of scores", advice="Leave it out: a table is one text.")
    if what is What.PROPOSAL:
        if number is None:
            raise BadParameter("NUMBER", "is missing", advice="Name the proposal: slmkg export proposal 3.")
        text = services.export_proposal(number, revision=revision)
    elif number is not None:
        raise BadParameter("NUMBER", "belongs to `proposal` only", advice="Leave it out.")
    else:
        text = services.export(what.value, models=model or (), sources=source or (), revision=revision)
    sys.stdout.buffer.write(text.encode())


def _write_scores(files: list[tuple[str, str]], form: Format, into: Path | None) -> None:
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        for name, text in files:
            (into / name).write_text(text, encoding="utf-8", newline="")
            write(str(into / name))
    elif form is Format.MODEL_INDEX or len(files) == 1:
        sys.stdout.buffer.write("".join(text for _, text in files).encode())
    else:
        sys.stdout.buffer.write(f"[\n{','.join(text for _, text in files)}]\n".encode())


def propose_what_is_new(
    services: Services,
    given: bulk.Input,
    *,
    dry_run: bool,
    title: str | None,
    again: str | None,
    as_: str | None,
    as_json: bool,
) -> None:
    """Read what is given and propose it, or (`dry_run`) only say what became of it. BadTable, BadFile, BadParameter."""
    reading = services.read_import(given, again=again is not None)
    if dry_run:
        _tell(reading, as_json, dry_run=True, proposal=None)
        if reading.refused:
            raise typer.Exit(EXIT_USAGE)
        return
    if isinstance(given, bulk.Table):
        bulk.checked(reading, given.sheet.name)
    if isinstance(given, bulk.Runs) and not any(reading.counts[verdict] for verdict in _PLACED):
        bulk.checked(reading, " and ".join(given.texts))  # nothing of it has a place: what waits is the answer
    taken = services.propose_import(given, acting(as_, services.settings), title=title, again=again)
    _tell(reading, as_json, dry_run=False, proposal=taken.step.proposal.number if taken.step.proposal else None)


def _tell(reading: Reading, as_json: bool, *, dry_run: bool, proposal: int | None) -> None:
    if as_json:
        write_json({"dry_run": dry_run, "proposal": proposal, **bulk.report(reading)})
        return
    for one in reading.findings:
        if dry_run or one.verdict not in {Verdict.ACCEPTED, Verdict.IGNORED, Verdict.UNCHANGED}:
            write(str(one))
    counts = ", ".join(f"{count} {verdict}" for verdict, count in reading.counts.items() if count)
    console.print(f"{counts or 'no cell'}", markup=False)
    if proposal is not None:
        write(f"proposal {proposal}: {len(reading.items)} item(s)")
    elif not dry_run and not reading.items:
        console.print("nothing new to propose")


def _run_texts(paths: list[Path]) -> dict[str, str] | None:
    """The texts of the files of runs, by name; None for a table. A folder stands for the files in it."""
    found = [file for path in paths for file in _files_of(path)]
    if len(found) == 1 and found[0].suffix.lower() in _TABLES:
        if found[0].suffix.lower() == _WORKBOOK:
            return None
        text = decoded(_read(found[0]), found[0].name)
        return {found[0].name: text} if is_csv(text) else None
    texts: dict[str, str] = {}
    for file in found:
        if file.name in texts:
            raise BadFile(file, "has the name of another file", advice="Import the two runs one after the other.")
        texts[file.name] = decoded(_read(file, _LARGE_RUN), file.name)
    return texts


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in sorted(path.rglob("*")) if file.is_file() and file.suffix.lower() in _OF_RUNS]
    if not found:
        raise BadFile(path, "is a folder without files of runs", advice="Give the files.")
    return found


def _read(file: Path, too_large: str = "Split it.") -> bytes:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise BadFile(file, f"is larger than {MAX_BYTES} bytes", advice=too_large)
        return file.read_bytes()
    except OSError as error:
        raise BadFile(file, f"cannot be read: {error.strerror}", advice="Check the path.") from error


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    lines = (line.strip() for line in decoded(_read(file), str(file)).splitlines())
    return [line for line in lines if line and not line.startswith("#")]
