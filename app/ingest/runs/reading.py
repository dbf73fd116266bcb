"""Runs of other tools against a revision: what is new as results, and a finding for every figure.

`results` is the one place where a run becomes results of the graph. What a result cannot hold (type of the cache,
spread, versions) is said in its note.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from app.errors import BadParameter
from app.ingest.bulk.names import Names
from app.ingest.bulk.quantities import plain
from app.ingest.bulk.table import Account, Reading, with_key
from app.ingest.bulk.table import Known as Said
from app.ingest.bulk.values import plain_number
from app.ingest.bulk.verdicts import Finding, Refused, Verdict, shown
from app.ingest.runs import llama_bench
from app.ingest.runs.matching import Known, Match, Question, match
from app.ingest.runs.values import UNITS, Conditions, Format, ImportedFigure, ImportedRun, LeftOut, Score, Statistic
from app.model.claims import Configuration, Protocol, Result, Source, resource
from app.model.quads import IMPORTED_RUN
from app.model.rdf import IRI

_BENCHMARKS = {
    "commonsense_qa": "commonsenseqa",
    "openai/gsm8k": "gsm8k",
    "cais/mmlu": "mmlu",
    "ai2 reasoning challenge": "arc-challenge",
}
"""What tools call benchmarks, besides the names of the registry."""
_KINDS = {Format.MODEL_INDEX: "ModelCard", Format.EVAL_RESULTS: "MakerRepository"}
_ELSEWHERE = "Run elsewhere and imported; its identity is the SHA-256 {identity}."
_HARNESS = "harness-not-reported"


@dataclass(frozen=True, slots=True)
class Told:
    """What a person says of the files. `model` is for files of one model.

    `meanings` gives tasks their benchmark, and models as the files name them their slug; "-" leaves one out.
    """

    model: str | None = None
    device: str | None = None
    engine: str | None = None
    quantisation: str | None = None
    meanings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matched:
    """A run's place in the graph. `benchmarks` holds the tasks that are known; other scores are no results."""

    match: Match
    source: Source
    artifact: IRI
    benchmarks: Mapping[str, IRI]
    harness: IRI
    device: IRI | None = None
    engine: IRI | None = None


def results(run: ImportedRun, matched: Matched) -> list[tuple[ImportedFigure, Result]]:
    """The results that a run gives: scores of known benchmarks, runtime figures where device and engine are known."""
    found: list[tuple[ImportedFigure, Result]] = []
    for figure in run.figures:
        if figure.score is not None:
            benchmark = matched.benchmarks.get(figure.score.task)
            protocol = None if benchmark is None else _protocol(figure.score, benchmark, matched.harness)
            configuration = None
        else:
            protocol = None
            configuration = _configuration(figure.conditions or Conditions())
        runtime = configuration is not None
        if protocol is None and not runtime:
            continue
        if runtime and (matched.device is None or matched.engine is None):
            continue
        result = Result(
            model=matched.match.model.iri,
            artifact=matched.artifact,
            metric=resource("metric", figure.metric),
            number=figure.value,
            unit=UNITS[figure.unit][0],
            canonical=figure.canonical,
            reported=figure.reported,
            source=matched.source,
            locator=figure.locator,
            reading="Transcribed",
            configuration=configuration,
            protocol=protocol,
            device=matched.device if runtime else None,
            engine=matched.engine if runtime else None,
            note=_note(run, figure, matched.match),
        )
        found.append((figure, with_key(result)))
    return found


def read_runs(
    runs: Iterable[ImportedRun], names: Names, models: Known, said: Said, told: Told, *, today: date
) -> Reading:
    """Read runs against a revision. BadParameter where what a person says is not known."""
    account = Account(said)
    runs = tuple(runs)
    measured = {run.model for run in runs}
    if told.model is not None and len(measured) > 1:
        called = ", ".join(sorted(facts.name or facts.label or "one without a name" for facts in measured))
        raise BadParameter("model", f"the files hold several: {called}", advice="Name each with --map NAME=MODEL.")
    for run in runs:
        _read(run, names, models, told, account, today)
    return Reading(tuple(account.items.values()), tuple(account.findings))


def _read(run: ImportedRun, names: Names, models: Known, told: Told, account: Account, today: date) -> None:
    given = told.meanings.get(run.model.name or "") or told.model
    if given == "-":
        account.findings += [replace(_finding(run, one), problem="left out, as asked") for one in run.figures]
        return
    account.findings += [_left_out(run, one) for one in run.left_out]
    try:
        found = match(run, models, names, given)
    except Refused as refused:
        raise BadParameter("model", refused.problem, advice=refused.advice) from refused
    if isinstance(found, Question):
        name = run.model.name or run.model.label or ""
        account.findings.append(Finding(run.file, 1, 1, "model", shown(name), Verdict.QUESTION).refused(found.refused))
        account.findings += [
            replace(_finding(run, one), problem="it waits for the model to be named") for one in run.figures
        ]
        return
    try:
        artifact = _artifact(run, found, names, told.quantisation)
    except Refused as refused:
        account.findings.append(Finding(run.file, 1, 1, "weights", "", Verdict.QUESTION).refused(refused))
        return
    refusals: dict[str, Refused] = {}
    matched = Matched(
        found,
        _source(run, found, names, today),
        artifact,
        _benchmarks(run, names, told.meanings, refusals),
        _harness(run, names),
        _place(run, names, "device", told.device, _devices(run), refusals),
        _place(run, names, "engine", told.engine, _engines(run), refusals),
    )
    placed = {figure.locator: result for figure, result in results(run, matched)}
    for figure in run.figures:
        _account(run, figure, placed.get(figure.locator), refusals, told, account)


def _account(
    run: ImportedRun,
    figure: ImportedFigure,
    result: Result | None,
    refusals: Mapping[str, Refused],
    told: Told,
    account: Account,
) -> None:
    finding = _finding(run, figure)
    if figure.score is not None and run.model.random_weights:
        problem = "a score of random weights says nothing of the model"
        account.findings.append(finding.refused(Refused("out-of-range", problem, "Run it with the released weights.")))
    elif result is not None:
        account.add(finding, result, _shown(figure, result))
    elif figure.score is not None and told.meanings.get(figure.score.task) == "-":
        account.findings.append(replace(finding, problem="left out, as asked"))
    else:
        names = [figure.score.task] if figure.score is not None else ["device", "engine"]
        first = next(refusals[name] for name in names if name in refusals)
        account.findings.append(finding.refused(first))


def _finding(run: ImportedRun, figure: ImportedFigure) -> Finding:
    name = f"{figure.score.task}, {figure.score.scoring}" if figure.score is not None else figure.metric
    return Finding(run.file, figure.line or 1, 1, name, shown(figure.reported), Verdict.IGNORED)


def _left_out(run: ImportedRun, one: LeftOut) -> Finding:
    place = one.locator.rpartition("#")[2]
    return Finding(run.file, one.line or 1, 1, place, shown(one.reported), Verdict.IGNORED, problem=one.reason)


def _shown(figure: ImportedFigure, result: Result) -> str:
    of = result.protocol.benchmark.value.rsplit("/", 1)[-1] if result.protocol else figure.metric
    model = result.model.value.rsplit("/", 1)[-1]
    return f"{plain_number(figure.value)} {figure.unit}, {of} of {model}{', partial' if figure.partial else ''}"


def _artifact(run: ImportedRun, found: Match, names: Names, told: str | None) -> IRI:
    """The weight files that were measured; Refused where their storage format is not known."""
    if found.artifact is not None:
        return found.artifact
    if told is None and run.model.quantisation is None:
        raise Refused(
            "missing",
            "the file does not say in which format the weights were stored"
            + (f" ({run.model.label})" if run.model.label else ""),
            "Say it with --quantisation: Q4_K_M, F16 …, or None for weights as released.",
            verdict=Verdict.QUESTION,
        )
    return found.model.artifact(names.concept("quantisation", told or run.model.quantisation or ""))


def _source(run: ImportedRun, found: Match, names: Names, today: date) -> Source:
    """The source that a run is: the same whenever it is read again, whatever its file is called."""
    slug = f"run-{run.format.value}-{found.model.slug}-{run.identity[:12]}"
    if slug in names.sources:
        return names.sources[slug][0]
    tool = " ".join(filter(None, (run.tool.name, run.tool.version)))
    kind = _KINDS.get(run.format, IMPORTED_RUN)
    if run.environment.get("source_type") == "documentation":
        kind = "WebPage"
    return Source(
        slug=slug,
        title=f"{run.format.value} file {plain(run.file).strip()} of {found.model.label} ({tool})",
        kind=kind,
        retrieved=today.isoformat(),
        dated=_day(run.started),
        note=_ELSEWHERE.format(identity=run.identity),
    )


def _day(started: str | None) -> str | None:
    try:
        return None if started is None else date.fromisoformat(started[:10]).isoformat()
    except ValueError:
        return None


def _benchmarks(
    run: ImportedRun, names: Names, told: Mapping[str, str], refusals: dict[str, Refused]
) -> dict[str, IRI]:
    """The benchmarks of the tasks that are known; the others' refusals by task."""
    found: dict[str, IRI] = {}
    for task in {figure.score.task for figure in run.figures if figure.score is not None}:
        name = told.get(task) or _BENCHMARKS.get(task.lower(), task)
        if name == "-":
            continue
        try:
            found[task] = names.thing("benchmark", name)
        except Refused as refused:
            advice = f"{refused.advice} Say --map {task}=BENCHMARK, or --map {task}=- to leave it out."
            refusals[task] = Refused(refused.code, refused.problem, advice, verdict=Verdict.QUESTION)
    return found


def _harness(run: ImportedRun, names: Names) -> IRI:
    try:
        return names.thing("engine", run.tool.name)
    except Refused:
        return resource("engine", _HARNESS)


def _devices(run: ImportedRun) -> list[str]:
    """What the file says of the machine, the accelerator first."""
    names = ("gpu_info", "gpu", "accelerator_model_name", "cpu_info", "cpu", "host_processor_model_name", "system_name")
    return [run.environment[name] for name in names if run.environment.get(name)]


def _engines(run: ImportedRun) -> list[str]:
    if run.format is Format.LLAMA_BENCH:
        return [llama_bench.ENGINE]
    return [run.environment["engine"]] if run.environment.get("engine") else []


def _place(
    run: ImportedRun, names: Names, kind: str, told: str | None, candidates: list[str], refusals: dict[str, Refused]
) -> IRI | None:
    """The device or engine of a run's runtime figures; BadParameter where a person's word for it is not known."""
    if all(figure.score is not None for figure in run.figures):
        return None
    if told is not None:
        try:
            return names.thing(kind, told)
        except Refused as refused:
            raise BadParameter(kind, refused.problem, advice=refused.advice) from refused
    for candidate in candidates:
        try:
            return names.thing(kind, candidate)
        except Refused:
            continue
    shown_names = f" ({', '.join(candidates)})" if candidates else ""
    refusals[kind] = Refused(
        "missing",
        f"the registry knows no {kind} as the file names it{shown_names}",
        f"Name it with --{kind}, or add it to the registry first.",
        verdict=Verdict.QUESTION,
    )
    return None


def _protocol(score: Score, benchmark: IRI, harness: IRI) -> Protocol:
    scoring = f"{score.scoring} ({score.filter})" if score.scoring and score.filter else score.scoring
    untold = ["split", *([] if scoring else ["answerScoring"]), *([] if score.shots is not None else ["numShots"])]
    return Protocol(benchmark, harness, scoring, score.shots, untold=tuple(sorted(untold)))


def _configuration(conditions: Conditions) -> Configuration:
    missing = {
        "promptTokens": conditions.prompt_tokens,
        "generatedTokens": conditions.generated_tokens,
        "batchSize": conditions.batch_size,
    }
    return Configuration(
        prompt_tokens=conditions.prompt_tokens,
        generated_tokens=conditions.generated_tokens,
        batch_size=conditions.batch_size,
        untold=tuple(sorted(name for name, value in missing.items() if value is None)),
        threads=conditions.threads,
        cache_depth=conditions.depth or None,
    )


def _note(run: ImportedRun, figure: ImportedFigure, found: Match) -> str:
    """What the result has no place for, in one line."""
    score, conditions = figure.score, figure.conditions
    tool = " ".join(filter(None, (run.tool.name, run.tool.version, run.tool.commit and f"commit {run.tool.commit}")))
    parts = [f"imported from {tool}", f"model found {found.how}", found.note]
    if figure.partial:
        parts.append("PARTIAL: not all items were done")
    if figure.statistic is not Statistic.SINGLE:
        parts.append(f"statistic: {figure.statistic.value.lower()}")
    parts += [
        f"{label} {plain_number(value)}"
        for label, value in (
            ("standard error", figure.standard_error),
            ("standard deviation", figure.standard_deviation),
        )
        if value is not None
    ]
    parts += [f"n = {figure.count}" if figure.count is not None else None]
    parts += [f"{name} {plain_number(value)} {figure.unit}" for name, value in sorted(figure.others.items())]
    if score is not None:
        parts += [f"task version {score.version}" if score.version else None]
        parts += [f"task hash {score.task_hash[:16]}" if score.task_hash else None]
        parts += [f"split {score.split}" if score.split else None]
    if conditions is not None:
        if conditions.kv_key_type or conditions.kv_value_type:
            parts.append(f"cache {conditions.kv_key_type}/{conditions.kv_value_type}")
        parts += [f"{name} {conditions.settings[name]}" for name in _SAID if conditions.settings.get(name)]
    if run.model.random_weights:
        parts.append("randomly initialised weights")
    return "; ".join(filter(None, [*parts, figure.note]))


_SAID = ("n_batch", "n_ubatch", "flash_attn", "n_gpu_layers", "scenario", "device")
"""Settings that a note repeats."""
