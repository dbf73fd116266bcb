"""Runs the evaluation harness once and ends: the program `python -m app.measure.harness`, one process an evaluation.

It reads one JSON object from standard input and writes JSON lines to standard output:

    in    {"evaluation": …, "folder": …, "parent": …}    see `app.measure.capability`; the folder takes the files
    out   {"progress": {"step": …, "share": …}}          share from 0 to 1
    out   {"result": {"status": …, "message": …, "files": […], "versions": {…}}}    always the last line

Exit codes: 0 with status ok, 1 with another status, 2 where the question cannot be read or is refused, 3 where whoever
asked is gone. Needs the extra `eval`. Task files may hold code of their own: run only those that you trust.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app.errors import AppError, BadValue, ExtraMissing
from app.measure.capability import Evaluation, check, loose, read_evaluation
from app.measure.programs import (
    EXIT_NOT_OK,
    EXIT_OK,
    EXIT_ORPHAN,
    EXIT_UNREADABLE,
    Tell,
    dies_with_parent,
    private_lines,
)
from app.measure.values import Status

_PACKAGES = ("lm_eval", "transformers", "torch", "datasets", "tokenizers")
_STEP = 0.01
_BOOTSTRAP = 1_000


def main() -> int:
    """Answer the question on standard input."""
    tell = private_lines()
    try:
        record = json.loads(sys.stdin.buffer.read())
        evaluation = read_evaluation(record["evaluation"])
        folder, parent = Path(record["folder"]), int(record["parent"])
        check(evaluation)
    except AppError as error:
        sys.stderr.write(f"{error.message} {error.advice}".rstrip() + "\n")
        return EXIT_UNREADABLE
    except (ValueError, KeyError, TypeError) as error:
        sys.stderr.write(f"the question cannot be read: {error}\n")
        return EXIT_UNREADABLE
    if not dies_with_parent(parent):
        return EXIT_ORPHAN
    try:
        files = run(evaluation, folder, tell)
        answer: dict[str, Any] = {"status": Status.OK.value, "files": files}
    except BrokenPipeError:
        return EXIT_ORPHAN
    except MemoryError:
        answer = {"status": Status.MEMORY_LIMIT.value, "message": "there is not enough memory for the model"}
    except AppError as error:
        answer = {"status": Status.FAILED.value, "message": f"{error.message}. {error.advice}".strip()}
    except Exception as error:  # the harness and task files raise what they like; it is a result all the same
        first = (str(error).splitlines() or [""])[0]
        answer = {"status": Status.FAILED.value, "message": f"{type(error).__name__}: {first}"}
    with contextlib.suppress(BrokenPipeError):
        tell({"result": {**answer, "versions": _versions()}})
    return EXIT_OK if answer["status"] == Status.OK.value else EXIT_NOT_OK


def run(evaluation: Evaluation, folder: Path, tell: Tell) -> list[str]:
    """Evaluate, and write the harness's files below the folder; their paths in it. ExtraMissing, BadValue."""
    try:
        lm_eval = importlib.import_module("lm_eval")
        tasks = importlib.import_module("lm_eval.tasks")
        loggers = importlib.import_module("lm_eval.loggers")
        models = importlib.import_module("lm_eval.api.model")
        huggingface = importlib.import_module("lm_eval.models.huggingface")
    except ImportError as error:
        raise ExtraMissing(error.name or "lm_eval", "eval") from error
    tell({"progress": {"step": "tasks", "share": 0.0}})
    manager = tasks.TaskManager(include_path=evaluation.tasks, include_defaults=False)
    chosen = choose(evaluation.benchmarks, manager.all_tasks)
    tell({"progress": {"step": "model", "share": 0.0}})
    _count_requests(models, huggingface, tell)
    tracker = loggers.EvaluationTracker(output_path=str(folder))
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": evaluation.folder, "dtype": evaluation.precision},
        tasks=chosen,
        num_fewshot=evaluation.shots,
        batch_size=evaluation.batch_size,
        device="cpu",
        limit=evaluation.limit,
        bootstrap_iters=_BOOTSTRAP,
        log_samples=True,
        task_manager=manager,
        evaluation_tracker=tracker,
    )
    tell({"progress": {"step": "files", "share": 1.0}})
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, of_task in samples.items():
        tracker.save_results_samples(task_name=task, samples=of_task)
    found = [file for file in folder.rglob("*") if file.name.startswith(("results_", "samples_"))]
    return sorted(str(file.relative_to(folder)) for file in found)


def choose(wanted: Iterable[str], known: Iterable[str]) -> list[str]:
    """The tasks that are wanted, by name or by a benchmark's slug; all where none is named. BadValue."""
    names = {loose(name): name for name in sorted(known)}
    asked = list(wanted)
    missing = [name for name in asked if loose(name) not in names]
    if missing or not names:
        raise BadValue(
            "/benchmarks",
            f"no task file defines {', '.join(missing) or 'a task'}",
            advice=f"The folder defines: {', '.join(sorted(names.values())) or 'none'}.",
        )
    return [names[loose(name)] for name in asked] or sorted(names.values())


def _count_requests(models: Any, huggingface: Any, tell: Tell) -> None:
    """Tell how far the harness is: how many requests come in, and how many have their answer."""
    asked, done, told = 0, 0, 0.0

    def expecting(method: Any) -> Any:
        def called(self: Any, requests: Any, *arguments: Any, **named: Any) -> Any:
            nonlocal asked
            asked += len(requests)
            return method(self, requests, *arguments, **named)

        return called

    def counting(method: Any) -> Any:
        def called(self: Any, *arguments: Any, **named: Any) -> Any:
            nonlocal done, told
            done += 1
            share = min(1.0, done / asked) if asked else 0.0
            if share >= told + _STEP or share == 1.0 > told:
                told = share
                tell({"progress": {"step": "requests", "share": round(share, 4)}})
            return method(self, *arguments, **named)

        return called

    for name in ("loglikelihood", "loglikelihood_rolling", "generate_until"):
        setattr(huggingface.HFLM, name, expecting(getattr(huggingface.HFLM, name)))
    models.CacheHook.add_partial = counting(models.CacheHook.add_partial)  # called with each answer


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


if __name__ == "__main__":
    sys.exit(main())
