"""Commands that measure models on this machine: plan the matrix, run it, bring in what another machine measured."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from app.cli.acting import As, acting
from app.cli.graph import Json
from app.cli.jobs import doing
from app.cli.opening import opened
from app.cli.output import console, write, write_json
from app.cli.tables import Head, Shown, printed
from app.compare.predicted import Predictions, Range, cost_models, seconds_of
from app.compare.reader import Reader
from app.curate.measured import bringing_in, subject_of
from app.durable import write_durably
from app.errors import BadParameter, NoRoom, StoreEmpty
from app.ingest.huggingface.hub import download
from app.jobs import clock
from app.jobs.delivery import Delivery
from app.jobs.supervisor import Supervisor, usual_limits
from app.jobs.values import Job, Person, Plan
from app.jobs.worker import Pace, Worker
from app.measure.environment import capture
from app.measure.gguf.files import bytes_to_write
from app.measure.gguf.inspect import sha256
from app.measure.plan import Estimate, Wanted, cells, estimates
from app.measure.records import read_run, run_text, to_json
from app.measure.statistics import figures
from app.measure.values import (
    CellResult,
    Engine,
    Figure,
    Phase,
    RandomWeights,
    RealWeights,
    Run,
    Sampling,
    Status,
)
from app.measure.weights import weights_hash
from app.outcomes import EXIT_FAILURE
from app.services import Services
from app.settings import Settings
from app.web.jobs_pages import in_words

app = typer.Typer(
    help="Measure what models cost on this machine, from the architecture facts of the graph or from real weights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Models = Annotated[list[str], typer.Option("--model", help="Slug of a model; several with commas, or repeated.")]
Variants = Annotated[
    list[str], typer.Option("--variant", help="Number format: F16, Q8_0, Q4_K_M …; several with commas.")
]
Prompts = Annotated[list[str], typer.Option("--prompt", help="Tokens of the prompt; several with commas.")]
Depths = Annotated[list[str], typer.Option("--depth", help="Tokens in the cache before the prompt.")]
Threads = Annotated[list[str], typer.Option("--threads", help="Processor threads; one makes figures comparable.")]
Generated = Annotated[int, typer.Option("--generated", min=1, help="Tokens to generate after the prompt.")]
OfEngine = Annotated[Engine, typer.Option("--engine", help="Software that runs the model.")]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        help="Real weights: a GGUF file, a Hugging Face folder (torch), or hub:MAKER/MODEL[/FILE][@COMMIT]. "
        "Random ones by the facts without it.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of random weights.")]
Clean = Annotated[int, typer.Option("--clean", min=1, max=1000, help="Clean samples that are wanted of each cell.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0.1, max=3600, help="Longest time of sampling one cell.")]

_HUB = "hub:"
_LOOK = 0.5
_PACE = Pace(poll=0.2, beat=2.0, patience=20.0)
_METRICS = (
    ("time-to-first-token", "first token, ms"),
    ("prefill-throughput", "prefill, tokens/s"),
    ("decode-throughput", "decode, tokens/s"),
    ("weights-memory", "weights, MB"),
    ("kv-cache-memory", "cache, MB"),
    ("memory-footprint", "peak memory, MB"),
)


@app.command("plan")
def plan(
    model: Models,
    variant: Variants = ["Q4_K_M"],  # noqa: B006 - typer copies it
    prompt: Prompts = ["50"],  # noqa: B006
    depth: Depths = ["0"],  # noqa: B006
    threads: Threads = ["1"],  # noqa: B006
    generated: Generated = 50,
    engine: OfEngine = Engine.LLAMA_CPP,
    weights: Weights = None,
    seed: Seed = 42,
    clean: Clean = 5,
    seconds: Seconds = 60.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the cells that can be measured to this file, for `jobs make`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the cells that would be measured, with the memory, disk and time that they need. Measures nothing."""
    settings = Settings()
    services = opened(settings)
    wanted = _wanted(services, model, variant, prompt, depth, threads, generated, engine, weights, seed, clean, seconds)
    found = _estimated(services, wanted, settings)
    written = _to_write(wanted, found, settings)
    if as_json:
        write_json(
            {
                "cells": [_planned(one) for one in found],
                "seconds": sum(one.seconds for one in found if one.refused is None),
                "bytes_to_write": written,
            }
        )
    else:
        _show_plan(found, written)
    if out is not None:
        able = [one for one in found if one.refused is None]
        title = f"{', '.join(model)} in {', '.join(variant)}"
        plan_file = {
            "title": title,
            "cells": [to_json(one.cell) for one in able],
            "expected": [one.seconds for one in able],
        }
        write_durably(out, json.dumps(plan_file, indent=2) + "\n")
    if all(one.refused is not None for one in found):
        raise typer.Exit(EXIT_FAILURE)


@app.command("run")
def run(
    model: Models,
    variant: Variants = ["Q4_K_M"],  # noqa: B006
    prompt: Prompts = ["50"],  # noqa: B006
    depth: Depths = ["0"],  # noqa: B006
    threads: Threads = ["1"],  # noqa: B006
    generated: Generated = 50,
    engine: OfEngine = Engine.LLAMA_CPP,
    weights: Weights = None,
    seed: Seed = 42,
    clean: Clean = 5,
    seconds: Seconds = 60.0,
    title: Annotated[str | None, typer.Option("--title", help="What the run is for.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the run to this file, too.")] = None,
    keep_out: Annotated[
        bool, typer.Option("--keep-out", help="Do not bring the run into the graph; needs --out.")
    ] = False,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Measure models on this machine and bring the figures into the graph, as one revision."""
    settings = Settings()
    services = opened(settings)
    if keep_out and out is None:
        raise BadParameter("--out", "is missing", advice="Say where the run is written: --out run.jsonl.")
    wanted = _wanted(services, model, variant, prompt, depth, threads, generated, engine, weights, seed, clean, seconds)
    found = _estimated(services, wanted, settings)
    _refuse_what_does_not_fit(found, wanted, settings)
    agent = acting(as_, settings)
    called = title or f"{', '.join(model)} in {', '.join(variant)}"
    job, _ = services.jobs.submit(
        Plan(called, tuple(one.cell for one in found), tuple(one.seconds for one in found)),
        Person(agent.iri.value, agent.name),
    )
    job = _measured(services, settings, job)
    measured = services.jobs.run(job.id)
    if out is not None:
        write_durably(out, run_text(measured))
    told = None
    if not keep_out:
        if services.take_run is not None:
            Delivery(services.jobs, services.take_run).step()
        job = services.jobs.get(job.id)
        told = job.delivered or job.trouble
    if as_json:
        write_json({"job": job.id, "brought_in": told, "cells": [_measured_cell(one) for one in measured.results]})
    else:
        _show_run(measured)
        if told is not None:
            console.print(f"run {job.id}: {told}", markup=False, soft_wrap=True)
    if job.good < job.cells:
        raise typer.Exit(EXIT_FAILURE)


@app.command("predict")
def predict(
    model: Models,
    prompt: Annotated[int, typer.Option("--prompt", min=1, help="Tokens of the prompt.")] = 256,
    depth: Annotated[int, typer.Option("--depth", min=0, help="Tokens in the cache before the prompt.")] = 0,
    generated: Generated = 50,
    as_json: Json = False,
) -> None:
    """Tell what models would take on the machines on which others were measured. Measures nothing."""
    services = opened(Settings())
    found = [services.predictions(slug, prompt=prompt, generated=generated, depth=depth) for slug in _parts(model)]
    if as_json:
        write_json([asdict(one) for one in found])
    else:
        _show_predictions(found)


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="Run file, as `measure run --out` writes it.")],
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Bring in a run that another machine measured. The same run again changes nothing."""
    settings = Settings()
    services = opened(settings)
    measured = read_run(file)
    before = services.store.head().number
    taken = services.curation.take(bringing_in(measured), acting(as_, settings))
    if as_json:
        write_json({"run": measured.identity, "revision": taken.revision, "new": taken.revision != before})
    elif taken.revision == before:
        write(f"run {measured.identity} is in the graph already, revision {taken.revision}")
    else:
        write(f"run {measured.identity}: {len(measured.results)} cells, revision {taken.revision}")


def _estimated(services: Services, wanted: Wanted, settings: Settings) -> tuple[Estimate, ...]:
    """What each cell needs; its time by what this machine took for other models, where it was measured before."""
    found = cost_models(Reader(services.store.at()))
    here = capture().fingerprint if found else ""
    once = partial(seconds_of, found=found, environment=here)
    return tuple(estimates(cells(wanted), memory=_memory(settings), once=once))


def _wanted(
    services: Services,
    models: Sequence[str],
    variants: Sequence[str],
    prompts: Sequence[str],
    depths: Sequence[str],
    threads: Sequence[str],
    generated: int,
    engine: Engine,
    weights: str | None,
    seed: int,
    clean: int,
    seconds: float,
) -> Wanted:
    """The matrix that the options name; facts come from the newest revision."""
    try:
        snapshot = services.store.at()
    except StoreEmpty as error:
        raise StoreEmpty("the store holds no model yet", advice="Run `slmkg load` first.") from error
    subjects = []
    for slug in _parts(models):
        subject, proposed = subject_of(snapshot, slug)
        if proposed:
            console.print(
                f"{slug}: nobody cited {', '.join(proposed)}; the figures rest on these proposed facts",
                markup=False,
                soft_wrap=True,
            )
        subjects.append(subject)
    given: RandomWeights | RealWeights = RandomWeights(seed)
    if weights is not None:
        if len(subjects) != 1:
            raise BadParameter("--weights", "belongs to one model", advice="Name one model.")
        given = _released(weights, engine, services.settings)
    return Wanted(
        tuple(subjects),
        tuple(_parts(variants)),
        tuple(_numbers("--prompt", prompts, 1)),
        generated,
        tuple(_numbers("--depth", depths, 0)),
        tuple(_numbers("--threads", threads, 1)),
        engine,
        given,
        Sampling(clean, seconds=seconds),
    )


def _released(weights: str, engine: Engine, settings: Settings) -> RealWeights:
    """The weights that the option names, fetched from the hub where it says so."""
    if weights.startswith(_HUB):
        name, _, revision = weights.removeprefix(_HUB).partition("@")
        repository, file = "/".join(name.split("/")[:2]), "/".join(name.split("/")[2:])
        console.print(f"fetching {name} from the hub", markup=False)
        path = download(repository, _folder(settings) / "hub", file=file or None, revision=revision or None)
    else:
        path = Path(weights)
    if engine is Engine.TORCH:
        if not path.is_dir():
            raise BadParameter("--weights", f"{weights} is no folder", advice="torch reads a Hugging Face folder.")
        return RealWeights(str(path.resolve()), weights_hash(path))
    if not path.is_file():
        raise BadParameter(
            "--weights",
            f"{weights} is no file",
            advice="Name a GGUF file (hub:MAKER/MODEL/FILE.gguf), or measure a folder with `--engine torch`.",
        )
    return RealWeights(str(path.resolve()), sha256(path))


def _parts(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(part.strip() for value in values for part in value.split(",") if part.strip()))


def _numbers(option: str, values: Iterable[str], least: int) -> list[int]:
    found = []
    for part in _parts(values):
        if not part.isascii() or not part.isdigit() or int(part) < least:
            raise BadParameter(option, f"{part!r} is no whole number from {least}", advice="Write e.g. 50,512.")
        found.append(int(part))
    return found


def _memory(settings: Settings) -> int:
    return usual_limits(settings.jobs_cell_seconds, settings.jobs_cell_megabytes).bytes


def _folder(settings: Settings) -> Path:
    return settings.data_dir / "measuring"


def _to_write(wanted: Wanted, found: Sequence[Estimate], settings: Settings) -> int:
    """Bytes that the files of this matrix will take on the disk, besides those that are there."""
    if wanted.engine is Engine.TORCH or isinstance(wanted.weights, RealWeights):
        return 0
    good = {one.cell.subject.slug for one in found if one.refused is None}
    names = tuple(dict.fromkeys(one.cell.variant for one in found))
    return sum(
        bytes_to_write(subject, wanted.weights, names, _folder(settings))
        for subject in wanted.subjects
        if subject.slug in good
    )


def _refuse_what_does_not_fit(found: Sequence[Estimate], wanted: Wanted, settings: Settings) -> None:
    for one in found:
        if one.refused is not None:
            raise BadParameter(
                "--model",
                f"{one.cell.subject.slug} {one.cell.variant}, prompt {one.cell.prompt_tokens}: {one.refused}",
                advice="`slmkg measure plan` shows what can be measured; leave the rest out.",
            )
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    needed, free = _to_write(wanted, found, settings), shutil.disk_usage(settings.data_dir).free
    if needed > free:
        raise NoRoom("the files of this run", needed=needed, free=free)


def _measured(services: Services, settings: Settings, job: Job) -> Job:
    """Work on the queue, here or wherever the machine's slot is held, until the job is over; show how far it is."""
    limits = usual_limits(settings.jobs_cell_seconds, settings.jobs_cell_megabytes)
    machine = replace(clock.machine(), worker=f"command-{os.getpid()}")
    worker = Worker(services.jobs, Supervisor(_folder(settings), limits), machine, pace=_PACE)
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            worker.run(once=True)
            over.wait(_PACE.poll)

    working = threading.Thread(target=work, name="measuring", daemon=True)
    working.start()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    try:
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(job.title, total=job.cells, left="")
            while not job.over:
                left = "" if job.left is None else f"about {in_words(job.left)} left"
                told = doing(services.jobs, job.id) or job.title
                progress.update(task, completed=job.finished, left=left, description=told)
                over.wait(_LOOK)
                job = services.jobs.get(job.id)
            progress.update(task, completed=job.finished, left="", description=job.title)
    except KeyboardInterrupt:
        console.print(f"stopped; job {job.id} waits: `slmkg jobs cancel {job.id}` ends it", markup=False)
        raise
    finally:
        over.set()
        worker.stop()
        working.join()
    return job


def _show_plan(found: Sequence[Estimate], written: int) -> None:
    heads = [Head("model"), Head("variant"), Head("prompt", numeric=True), Head("threads", numeric=True)]
    heads += [Head("file, MB", numeric=True), Head("memory, MB", numeric=True), Head("seconds", numeric=True)]
    heads.append(Head("refused"))
    rows = []
    for one in found:
        cell = one.cell
        words = [cell.subject.slug, cell.variant, str(cell.prompt_tokens), str(cell.threads)]
        words += [f"{one.file_bytes / 1e6:,.0f}", f"{one.memory_bytes / 1e6:,.0f}", f"{one.seconds:,.0f}"]
        rows.append([Shown(word) for word in [*words, one.refused or ""]])
    total = sum(one.seconds for one in found if one.refused is None)
    known = sum(one.predicted for one in found)
    basis = (
        "by what this machine took for other models"
        if known == len(found)
        else f"{known} of them by what this machine took for other models, the rest as on a slow core"
        if known
        else "as on a slow core"
    )
    printed(
        heads,
        rows,
        notes=[
            f"{len(found)} cells; sampling takes about {in_words(total)}, {basis}; "
            f"{written / 1e6:,.0f} MB are written to the disk"
        ],
    )


def _show_predictions(found: Sequence[Predictions]) -> None:
    heads = [Head("model"), Head("machine"), Head("engine"), Head("variant"), Head("threads", numeric=True)]
    heads += [Head("first token, ms", numeric=True), Head("prefill, tokens/s", numeric=True)]
    heads += [Head("decode, tokens/s", numeric=True), Head("note")]
    rows = []
    for one in found:
        for outlook in one.outlooks:
            place, phases = outlook.place, {told.phase: told for told in outlook.predicted}
            words = [one.model, place.machine, f"{place.engine.value} {place.version}", place.variant]
            words.append(str(place.threads))
            prefill, decode = phases.get(Phase.PREFILL), phases.get(Phase.DECODE)
            words.append(_range(prefill.seconds, 1000) if prefill else "")
            words += [_range(told.rate) if told else "" for told in (prefill, decode)]
            words.append("measured there itself" if outlook.measured else outlook.reason or "")
            rows.append([Shown(word) for word in words])
    notes = ["predicted by formula, not measured; the interval held nine in ten models that the fit had not seen"]
    notes += [
        f"{one.model}: nobody cited {', '.join(one.proposed)}; the predictions rest on these proposed facts"
        for one in found
        if one.proposed
    ]
    if not rows:
        notes = ["no run in the graph has enough models for a cost model: measure at least four in one run"]
    printed(heads, rows, notes=notes)


def _range(found: Range, scale: float = 1.0) -> str:
    return f"{found.value * scale:,.3g} ({found.lower * scale:,.3g} to {found.upper * scale:,.3g})"


def _show_run(measured: Run) -> None:
    heads = [Head("model"), Head("variant"), Head("prompt", numeric=True)]
    heads += [Head(label, numeric=True) for _, label in _METRICS]
    heads += [Head("clean samples", numeric=True), Head("status")]
    rows = []
    contended = False
    for result in measured.results:
        found = {one.metric: one for one in figures(result)}
        first = found.get("prefill-throughput")
        contended = contended or any(one.contended for one in found.values())
        words = [result.cell.subject.slug, result.cell.variant, str(result.cell.prompt_tokens)]
        words += [_figure(found.get(name), label) for name, label in _METRICS]
        words.append("" if first is None else f"{first.clean} of {first.count}")
        words.append(result.status.value if result.message is None else f"{result.status.value}: {result.message}")
        rows.append([Shown(word) for word in words])
    notes = ["medians of clean samples; ± is half the 95 % bootstrap interval"]
    if any(isinstance(one.cell.weights, RandomWeights) for one in measured.results):
        notes.append("random weights: they say what a model costs, nothing of what it can do")
    if contended:
        notes.append("(!) the machine was too busy: such figures are kept, and never a headline")
    printed(heads, rows, notes=notes)


def _figure(figure: Figure | None, label: str) -> str:
    if figure is None:
        return ""
    return figure.shown(1e6 if label.endswith("MB") else 1.0) + (" (!)" if figure.contended else "")


def _planned(one: Estimate) -> dict[str, Any]:
    cell = one.cell
    return {
        "model": cell.subject.slug,
        "variant": cell.variant,
        "engine": cell.engine.value,
        "prompt_tokens": cell.prompt_tokens,
        "generated_tokens": cell.generated_tokens,
        "depth": cell.depth,
        "threads": cell.threads,
        "file_bytes": one.file_bytes,
        "memory_bytes": one.memory_bytes,
        "seconds": one.seconds,
        "seconds_predicted": one.predicted,
        "refused": one.refused,
    }


def _measured_cell(result: CellResult) -> dict[str, Any]:
    cell = result.cell
    told = {
        one.metric: {
            "value": one.value,
            "lower": one.lower,
            "upper": one.upper,
            "samples": one.count,
            "clean": one.clean,
            "contended": one.contended,
        }
        for one in (figures(result) if result.status is Status.OK else ())
    }
    return {
        "model": cell.subject.slug,
        "variant": cell.variant,
        "prompt_tokens": cell.prompt_tokens,
        "threads": cell.threads,
        "status": result.status.value,
        "message": result.message,
        "figures": told,
    }
