"""Results of the language model evaluation harness (lm-eval): one results file, with sample files where there are any.

A score's key is `metric,filter`. Scores of a group are read, those of its parts are left out. The sample files do not
name their task: it stands in the file's name, and their mean must be the score.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from app.errors import BadFile
from app.ingest.runs.documents import Part, count, facts, parse, parse_lines, word
from app.ingest.runs.values import (
    ACCURACY,
    Format,
    ImportedFigure,
    ImportedRun,
    LeftOut,
    ModelFacts,
    Score,
    Statistic,
    Tool,
    identity,
)

HARNESS = "lm-evaluation-harness"
ACCURACIES = frozenset({"acc", "acc_norm", "exact_match"})
"""Metrics of the harness that are shares of right answers, each counted in its own way."""
_NO_SCORES = frozenset({"alias", "name", "sample_len", "sample_count", "samples"})
_LOCAL = frozenset({"hf", "hf-auto", "huggingface", "vllm", "sglang"})
_QUANTISING = ("load_in_8bit", "load_in_4bit", "gguf_file", "autogptq", "gptqmodel", "quantization", "gguf")
_ENVIRONMENT = {
    "os": r"^OS: (.+)$",
    "torch": r"^PyTorch version: (.+)$",
    "python": r"^Python version: (\S+)",
    "cpu": r"^Model name:\s+(.+)$",
    "cpus": r"^CPU\(s\):\s+(\d+)$",
}
_CLOSE = Decimal("1e-6")


@dataclass(frozen=True, slots=True)
class _Samples:
    """One sample file: values by filter and metric."""

    file: str
    values: Mapping[tuple[str, str], tuple[Decimal, ...]]


def is_results(part: Part) -> bool:
    """Whether a document holds results of the harness."""
    return part.at("results") is not None and part.at("configs") is not None and part.at("versions") is not None


def is_samples(part: Part) -> bool:
    """Whether a line holds a sample of the harness."""
    return part.at("doc_id") is not None and (part.at("resps") is not None or part.at("filtered_resps") is not None)


def read(text: str, file: str, samples: Mapping[str, str] | None = None) -> ImportedRun:
    """The run in a results file. `samples` are sample files of it: texts by name. BadFile."""
    root = parse(text, file)
    if not is_results(root):
        root.refuse("is no results file of lm-eval", "Give the results_….json that the harness wrote.")
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    parts = _parts(root)
    for task, result in root.need("results").members():
        _read_task(root, task, result, parts, figures, left_out)
    if samples:
        left = {task for task, _ in root.need("results").members()} - {_task(figure) for figure in figures}
        wanted = {name: body for name, body in samples.items() if not any(f"samples_{task}_" in name for task in left)}
        figures = _with_samples(figures, [_read_samples(body, name) for name, body in wanted.items()])
    config = root.need("config")
    return ImportedRun(
        identity=identity([text]),
        format=Format.LM_EVAL,
        file=file,
        tool=Tool(HARNESS, word(root, "lm_eval_version")),  # its git_hash is that of the folder it was started in
        model=_model(config),
        figures=tuple(figures),
        left_out=tuple(left_out),
        environment=_environment(root, config),
        started=_started(root),
    )


def _parts(root: Part) -> dict[str, str]:
    """The group that each task is a part of, for groups that have a score."""
    groups = root.at("group_subtasks")
    if groups is None:
        return {}
    found: dict[str, str] = {}
    for group, tasks in groups.members():
        result = root.at("results", group)
        if result is not None and any(_is_score(key, value) for key, value in result.members()):
            found.update({task.text(): group for task in tasks.items()})
    return found


def _is_score(key: str, value: Part) -> bool:
    return key not in _NO_SCORES and "," in key and "_stderr," not in key and value.maybe_number() is not None


def _read_task(
    root: Part,
    task: str,
    result: Part,
    parts: Mapping[str, str],
    figures: list[ImportedFigure],
    left_out: list[LeftOut],
) -> None:
    for key, value in result.members():
        if key in _NO_SCORES or not key.strip() or "," not in key or "_stderr," in key:
            continue
        metric, _, filtered = key.rpartition(",")
        if value.maybe_number() is None:
            left_out.append(LeftOut(value.locator, value.shown, "no number stands here"))
        elif task in parts:
            left_out.append(LeftOut(value.locator, value.shown, f"a part of {parts[task]}, whose score is read"))
        elif metric not in ACCURACIES:
            left_out.append(LeftOut(value.locator, value.shown, f"{metric!r} is no share of right answers"))
        else:
            figures.append(_figure(root, task, result, metric, filtered, value))


def _figure(root: Part, task: str, result: Part, metric: str, filtered: str, value: Part) -> ImportedFigure:
    effective = _items(root, task, "effective") or count(result, "sample_len")
    original = _items(root, task, "original")
    number = value.number()
    if not 0 <= number <= 1:
        value.refuse(f"{number} is no share of right answers", "A score of the harness lies between 0 and 1.")
    error = result.at(f"{metric}_stderr,{filtered}")
    limited = root.at("config", "limit") is not None
    return ImportedFigure(
        metric=ACCURACY,
        value=number,
        reported=str(value.value),
        unit="fraction",
        locator=value.locator,
        statistic=Statistic.MEAN,
        score=Score(
            task=task,
            scoring=metric,
            filter=None if filtered == "none" else filtered,
            version=word(root, "versions", task),
            task_hash=word(root, "task_hashes", task),
            template_hash=word(root, "chat_template_sha"),
            shots=_shots(root, task),
            split=word(root, "configs", task, "test_split") or word(root, "configs", task, "validation_split"),
        ),
        standard_error=None if error is None else error.maybe_number(),
        count=effective,
        partial=limited or (original is not None and effective is not None and effective < original),
    )


def _below(root: Part, task: str) -> list[str]:
    """The tasks that a task or group comes down to: groups may hold groups."""
    found: list[str] = []
    waiting, seen = [task], set[str]()
    while waiting:
        name = waiting.pop()
        group = root.at("group_subtasks", name)
        members = [one.text() for one in group.items()] if group is not None and name not in seen else []
        seen.add(name)
        waiting += members
        found += [] if members else [name]
    return found


def _items(root: Part, task: str, which: str) -> int | None:
    """Number of items of a task, or of all tasks of a group."""
    counts = [count(root, "n-samples", one, which) for one in _below(root, task)]
    known = [one for one in counts if one is not None]
    return sum(known) if len(known) == len(counts) else None


def _shots(root: Part, task: str) -> int | None:
    """Shots of a task, or of all tasks of a group where they agree."""
    own = count(root, "n-shot", task)
    if own is not None:
        return own
    shots = {count(root, "n-shot", one) for one in _below(root, task)}
    return shots.pop() if len(shots) == 1 else None


def arguments(config: Part) -> dict[str, str]:
    """The model's arguments, which are an object or `key=value` pairs in one text."""
    given = config.at("model_args")
    if given is None:
        return {}
    if isinstance(given.value, Mapping):
        return facts(given, longest=2_000)
    pairs = (pair.partition("=") for pair in given.text().split(","))
    return {key.strip(): value.strip() for key, mark, value in pairs if mark}


def _model(config: Part) -> ModelFacts:
    told = arguments(config)
    revision = word(config, "model_sha") or told.get("revision") or word(config, "model_revision")
    quantised = any(told.get(name, "").lower() not in {"", "false", "none"} for name in _QUANTISING)
    plain = (word(config, "model") or "") in _LOCAL and not quantised
    counted = config.at("model_num_parameters")
    parameters = None if counted is None else counted.maybe_number()  # -1 where the model does not tell
    return ModelFacts(
        name=told.get("pretrained") or told.get("model"),
        revision=None if revision == "main" else revision,
        parameters=int(parameters) if parameters is not None and parameters > 0 else None,
        quantisation="None" if plain else None,
        precision=(word(config, "model_dtype") or told.get("dtype") or "").removeprefix("torch.") or None,
    )


def _environment(root: Part, config: Part) -> dict[str, str]:
    info = word(root, "pretty_env_info") or ""
    found = {name: match[1].strip() for name, pattern in _ENVIRONMENT.items() if (match := _search(pattern, info))}
    told = {
        "transformers": word(root, "transformers_version"),
        "device": word(config, "device"),
        "batch_size": word(config, "batch_size"),
        "seed": word(config, "fewshot_seed"),
    }
    return {**found, **{name: value for name, value in told.items() if value is not None}}


def _search(pattern: str, text: str) -> re.Match[str] | None:
    return re.search(pattern, text, re.MULTILINE)


def _started(root: Part) -> str | None:
    date = root.at("date")
    seconds = None if date is None else date.maybe_number()
    if seconds is None or not 0 < seconds < 10**11:
        return None
    return datetime.fromtimestamp(float(seconds), UTC).isoformat(timespec="seconds")


def _read_samples(text: str, file: str) -> _Samples:
    values: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for line in parse_lines(text, file):
        if not is_samples(line):
            line.refuse("is no sample of lm-eval", "Give the samples_….jsonl that the harness wrote.")
        for metric in line.need("metrics").items():
            number = line.need(metric.text()).maybe_number()
            if number is not None:
                values[word(line, "filter") or "none", metric.text()].append(number)
    return _Samples(file, {key: tuple(found) for key, found in values.items()})


def _with_samples(figures: list[ImportedFigure], files: Iterable[_Samples]) -> list[ImportedFigure]:
    """The figures with their samples. A file whose mean is no score of the run belongs to another run: BadFile."""
    found = list(figures)
    for samples in files:
        named = [_task(one) for one in figures if f"samples_{_task(one)}_" in samples.file]
        tasks = set(named) or {_task(one) for one in figures}
        fitting = [task for task in sorted(tasks, key=len) if _fits(samples, [f for f in figures if _task(f) == task])]
        if not fitting or (not named and len(fitting) > 1):
            raise BadFile(
                samples.file,
                "holds no samples of this run: their mean is none of its scores"
                if not fitting
                else f"fits several tasks: {', '.join(fitting)}",
                advice="Give the samples_<task>_….jsonl that were written with the results.",
            )
        found = [
            replace(one, samples=samples.values.get(_key(one), ())) if _task(one) == fitting[-1] else one
            for one in found
        ]
    return found


def _fits(samples: _Samples, figures: list[ImportedFigure]) -> bool:
    """Whether these samples give all of these scores."""
    return bool(figures) and all(
        (values := samples.values.get(_key(one))) and abs(sum(values, Decimal(0)) / len(values) - one.value) < _CLOSE
        for one in figures
    )


def _key(figure: ImportedFigure) -> tuple[str, str]:
    score = figure.score
    return (score.filter or "none", score.scoring or "") if score else ("", "")


def _task(figure: ImportedFigure) -> str:
    return figure.score.task if figure.score else ""
