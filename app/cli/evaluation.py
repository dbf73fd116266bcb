"""The command that evaluates a model on local tasks. Its scores become one proposal, as those of any other tool."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli.acting import As
from app.cli.bulk import Again, DryRun, Title, propose_what_is_new
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write
from app.curate import bulk
from app.errors import BadParameter, Conflict
from app.ingest.bulk.verdicts import Refused
from app.ingest.runs import recognise
from app.measure.capability import Evaluation, evaluate, suites
from app.measure.values import RandomWeights, RealWeights, Status
from app.measure.weights import weights_hash
from app.model.graphs import REGISTRY
from app.services import Services
from app.settings import Settings


def evaluate_model(
    model: Annotated[str, typer.Argument(help="Slug of the model.")],
    folder: Annotated[Path, typer.Argument(help="Folder with its configuration, tokenizer and weights.")],
    tasks: Annotated[Path, typer.Option("--tasks", help="Folder with task files of lm-eval. They may hold code.")],
    suite: Annotated[
        str | None, typer.Option("--suite", help="Average of the registry whose benchmarks are wanted.")
    ] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", help="Benchmark or task; all tasks of the folder by default. May be repeated."),
    ] = None,
    shots: Annotated[int, typer.Option(min=0, max=5, help="Examples before each question.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many items of each task: scores are partial.")
    ] = None,
    precision: Annotated[str, typer.Option(help="Number format of the computation, as float32.")] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Requests at once.")] = 1,
    seconds: Annotated[float, typer.Option(min=1.0, help="Longest time.")] = 3_600.0,
    self_test: Annotated[
        bool, typer.Option("--self-test", help="The weights are random: show the scores, and store nothing.")
    ] = False,
    python: Annotated[
        Path, typer.Option("--python", help="Interpreter with the extra `eval`; this one by default.")
    ] = Path(sys.executable),
    dry_run: DryRun = False,
    title: Title = None,
    again: Again = None,
    as_: As = None,
    as_json: Json = False,
) -> None:
    """Evaluate a model with lm-eval on tasks from your disk, without the network, and propose its scores."""
    services = opened(Settings())
    evaluation = Evaluation(
        model=_slug(services, model),
        weights=RandomWeights() if self_test else RealWeights(str(folder.resolve()), weights_hash(folder)),
        folder=str(folder.resolve()),
        tasks=str(tasks.resolve()),
        benchmarks=_benchmarks(services, suite, benchmark or ()),
        shots=shots,
        limit=limit,
        batch_size=batch_size,
        precision=precision,
        self_test=self_test,
    )
    evaluated = evaluate(evaluation, _Steps(), seconds=seconds, python=str(python))
    if not self_test:
        runs = bulk.evaluated_runs(evaluated)
        propose_what_is_new(services, runs, dry_run=dry_run, title=title, again=again, as_=as_, as_json=as_json)
        return
    if evaluated.status is not Status.OK:
        raise Conflict(f"the self-test has no scores: {evaluated.message}", advice="See what the message says.")
    for run in recognise.read(evaluated.files):
        for figure in run.figures:
            if figure.score is not None:
                write(f"{figure.score.task}\t{figure.score.scoring}\t{figure.reported}\t{figure.count} items")
    console.print("a self-test: nothing is stored")


class _Steps:
    """Says each step once, and each tenth of the requests."""

    def __init__(self) -> None:
        self.said: tuple[str, int] = ("", 0)

    def __call__(self, step: str, share: float) -> None:
        now = (step, int(share * 10))
        if now != self.said:
            console.print(f"{step} {share:.0%}" if step == "requests" else step, markup=False)
            self.said = now


def _slug(services: Services, name: str) -> str:
    try:
        return bulk.names_of(services.store.at(), services.seed_folder).model(name).slug
    except Refused as refused:
        raise BadParameter("MODEL", refused.problem, advice=refused.advice) from refused


def _benchmarks(services: Services, suite: str | None, named: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    if suite is None:
        return tuple(named)
    if named:
        raise BadParameter("--benchmark", "goes not together with --suite", advice="Give one of the two.")
    known = suites(services.store.at().quads(REGISTRY))
    if suite not in known:
        raise BadParameter("--suite", f"{suite!r} is no average", advice=f"Use one of {', '.join(known)}.")
    return known[suite].benchmarks
