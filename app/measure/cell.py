"""Measures one cell and ends: the program `python -m app.measure.cell`, one process for each cell.

It reads one JSON object from standard input and writes JSON lines to standard output:

    in    {"cell": …, "folder": …}             a cell, and where model files are kept; "parent" may give a process id
    out   {"progress": {"step": …, "share": …, "rates": {…}}}      share from 0 to 1; rates by name, as far as known
    out   {"environment": {"fingerprint": …, "hardware": …, "software": …}}
    out   {"result": …}                         a `CellResult` (`app.measure.records`); always the last line

Exit codes:

    0   there is a result and its status is ok, contended or not
    1   there is a result with another status; its message says what happened and what to do
    2   the question cannot be read; no result, the reason stands on standard error
    3   whoever asked is gone: nobody reads the answer

Native code prints what it likes: lines go to a private copy of standard output, and what others print goes to standard
error. The kernel kills this process when its parent dies. Memory, time and cancelling are watched from outside.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.errors import AppError, BadFile, BadValue, EngineRefused, NoMemory
from app.measure.engines.sampling import Measurement
from app.measure.environment import capture, load_now
from app.measure.programs import (
    EXIT_NOT_OK,
    EXIT_OK,
    EXIT_ORPHAN,
    EXIT_UNREADABLE,
    Tell,
    dies_with_parent,
    private_lines,
)
from app.measure.records import from_json, to_json
from app.measure.values import Artifact, Cell, CellResult, Engine, RealWeights, Status
from app.measure.weights import check_weights

_ENGINES = {Engine.LLAMA_CPP: "llamacpp", Engine.TORCH: "torch", Engine.XLLAMACPP: "xllamacpp"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a cell, and the folder of model files."""

    cell: Cell
    folder: Path
    parent: int | None = None


def main() -> int:
    """Answer the question on standard input."""
    tell = private_lines()
    try:
        question = read_question(sys.stdin.buffer.read())
    except BadValue as error:
        sys.stderr.write(f"{error.message} {error.advice}".rstrip() + "\n")
        return EXIT_UNREADABLE
    if not dies_with_parent(question.parent):
        return EXIT_ORPHAN
    try:
        result = answer(question, tell)
        tell({"result": to_json(result)})
    except BrokenPipeError:
        return EXIT_ORPHAN
    return EXIT_OK if result.status is Status.OK else EXIT_NOT_OK


def read_question(text: bytes) -> Question:
    """The question in the text; `BadValue` names what does not fit."""
    try:
        record = json.loads(text)
    except ValueError as error:
        raise BadValue("", f"is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise BadValue("", "is no JSON object")
    folder, parent = record.get("folder"), record.get("parent")
    if not isinstance(folder, str) or not folder:
        raise BadValue("/folder", "names no folder")
    if parent is not None and (not isinstance(parent, int) or isinstance(parent, bool)):
        raise BadValue("/parent", "is no process id")
    try:
        cell = from_json(Cell, record.get("cell"))
    except BadValue as error:
        raise BadValue(f"/cell{error.pointer}", error.problem) from error
    check(cell)
    return Question(cell, Path(folder), parent)


def check(cell: Cell) -> None:
    """Refuse a cell that says nothing or never ends; `BadValue`."""
    least = {
        "prompt_tokens": (cell.prompt_tokens, 1),
        "generated_tokens": (cell.generated_tokens, 1),
        "threads": (cell.threads, 1),
        "depth": (cell.depth, 0),
        "sampling/clean": (cell.sampling.clean, 1),
        "sampling/warm_ups": (cell.sampling.warm_ups, 0),
    }
    for name, (number, lowest) in least.items():
        if number < lowest:
            raise BadValue(f"/cell/{name}", f"{number} is below {lowest}")
    if not 0 <= cell.sampling.seconds < float("inf"):
        raise BadValue("/cell/sampling/seconds", f"{cell.sampling.seconds} is no time")


def answer(question: Question, tell: Tell) -> CellResult:
    """Measure, and make a result of whatever happens, as far as this process survives it."""
    started, clock = datetime.now(UTC), time.monotonic()
    environment = capture()
    tell({"environment": asdict(environment)})
    load = load_now()
    empty = CellResult(
        cell=question.cell,
        status=Status.FAILED,
        started=started.isoformat(timespec="milliseconds"),
        seconds=0.0,
        environment=environment.fingerprint,
    )
    try:
        measured = _measured(question, tell)
    except BrokenPipeError:
        raise
    except (NoMemory, MemoryError) as error:
        result = replace(empty, status=Status.MEMORY_LIMIT, message=_words(error))
    except Exception as error:
        result = replace(empty, message=_words(error))
    else:
        result = _with(empty, measured, {"before": load, "after": load_now()})
    return replace(result, seconds=round(time.monotonic() - clock, 3))


def _measured(question: Question, tell: Tell) -> Measurement:
    """Prepare the file that the engine needs, and let the engine measure it."""
    cell = question.cell

    def progress(step: str, share: float, rates: Mapping[str, float] | None = None) -> None:
        tell({"progress": {"step": step, "share": round(share, 4), "rates": dict(rates or {})}})

    engine = importlib.import_module(f"app.measure.engines.{_ENGINES[cell.engine]}")
    if cell.engine is Engine.TORCH:
        folder = None
        if isinstance(cell.weights, RealWeights):
            progress("checking the SHA-256", 0.0)
            folder = Path(cell.weights.path)
            check_weights(folder, cell.weights.sha256)
        measured: Measurement = engine.measure(cell, folder, progress)
        return measured
    from app.measure.gguf.files import prepare  # noqa: PLC0415 - torch works without the extra `measure`

    file = prepare(cell.subject, cell.weights, cell.variant, question.folder, progress)
    measured = engine.measure(cell, file, progress)
    return measured if measured.artifact else replace(measured, artifact=_artifact(file, measured))


def _artifact(file: Path, measured: Measurement) -> Artifact:
    """What was measured; it must have as many parameters as the engine counted."""
    from app.measure.gguf.inspect import artifact  # noqa: PLC0415 - as above

    found = artifact(file)
    counted = measured.settings.get("parameters")
    if counted is not None and counted != found.parameters:
        raise EngineRefused(
            f"the engine counts {counted} parameters, the file has {found.parameters}",
            advice="The engine leaves tensors out, so its figures are of another model.",
        )
    return found


def _with(empty: CellResult, measured: Measurement, load: Mapping[str, Any]) -> CellResult:
    """The result with all that was measured; without finite logits it is a failure, and says so."""
    finite = measured.finite_logits is not False
    return replace(
        empty,
        status=Status.OK if finite else Status.FAILED,
        message=None if finite else "the logits are not all finite numbers; take other weights",
        artifact=measured.artifact,
        build=measured.build,
        memory=measured.memory,
        settings={**measured.settings, "load": load},
        samples=measured.samples,
        finite_logits=measured.finite_logits,
    )


def _words(error: BaseException) -> str:
    """One line that says what happened and what to do."""
    if isinstance(error, AppError):
        return f"{error.message}. {error.advice}" if error.advice else error.message
    if isinstance(error, MemoryError):
        return _words(NoMemory("this process found no memory"))
    if isinstance(error, OSError) and error.filename:
        return _words(BadFile(error.filename, error.strerror or "cannot be used"))
    return f"the engine failed: {type(error).__name__}: {error}"[:1000]


if __name__ == "__main__":
    sys.exit(main())
