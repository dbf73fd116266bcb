"""What a model can do: the evaluation harness on a folder with released weights, with tasks from local files only.

Each evaluation runs in a process of its own (`app.measure.harness`) that is told to reach no network. Its result files
are handed on as they were written: the reader of such files (`app.ingest.runs`) reads them as it reads anybody's.

Random weights have no abilities: their scores are refused. A self-test may ask for them, to see that chance comes out;
it says so, and nothing stores it.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pydantic import TypeAdapter, ValidationError

from app import vocab
from app.errors import BadFile, BadValue, RandomScores
from app.measure.values import RandomWeights, RealWeights, Status
from app.measure.weights import check_weights
from app.model.rdf import IRI, Quad

MAX_SHOTS = 5
"""Shots that the survey goes up to."""
STAMP = "slm.weights"
"""Key in the metadata of a weight file, or of its configuration, that names random weights."""
RANDOM = "randomly-initialised"
_HEADER = 8
_MAX_HEADER = 100_000_000
_TOLD = 2_000
_PATIENCE = 10.0
_BENCHMARK = f"{vocab.BASE}resource/benchmark/"
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

Progress = Callable[[str, float], None]
"""Gets what is being done, and the done share of it from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Benchmarks that the registry gathers under one average. `benchmarks` are slugs of single ones."""

    slug: str
    label: str
    benchmarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is asked. `tasks` is a folder of task files; `benchmarks` are task names or slugs, all tasks where empty.

    `limit` cuts each task to its first items: its scores are partial. `self_test` allows random weights.
    """

    model: str
    weights: RandomWeights | RealWeights
    folder: str
    tasks: str
    benchmarks: tuple[str, ...] = ()
    shots: int = 0
    limit: int | None = None
    batch_size: int = 1
    precision: str = "float32"
    self_test: bool = False


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What came out: the harness's own files by name, where the status is OK; otherwise `message` says why not."""

    evaluation: Evaluation
    status: Status
    started: str
    seconds: float
    files: Mapping[str, str] = field(default_factory=dict)
    message: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def storable(self) -> bool:
        """Whether its scores say anything of the model; those of random weights never do."""
        return self.status is Status.OK and not isinstance(self.evaluation.weights, RandomWeights)


EVALUATION = TypeAdapter(Evaluation)
"""An evaluation as JSON and back."""


def suites(registry: Iterable[Quad]) -> dict[str, Suite]:
    """The averages of the registry by slug, each with the single benchmarks that it gathers."""
    members: dict[str, list[str]] = defaultdict(list)
    labels: dict[str, str] = {}
    for quad in registry:
        if not isinstance(quad.subject, IRI) or not quad.subject.value.startswith(_BENCHMARK):
            continue
        slug = quad.subject.value.removeprefix(_BENCHMARK)
        if quad.predicate.value == vocab.slm.aggregates and isinstance(quad.object, IRI):
            members[slug].append(quad.object.value.removeprefix(_BENCHMARK))
        elif quad.predicate.value == vocab.rdfs.label and not isinstance(quad.object, IRI | Quad):
            labels[slug] = getattr(quad.object, "value", slug)
    return {slug: Suite(slug, labels.get(slug, slug), _single(slug, members)) for slug in sorted(members)}


def _single(slug: str, members: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The benchmarks below an average, those of averages below it too."""
    if slug not in members:
        return (slug,)
    return tuple(sorted({one for member in members[slug] for one in _single(member, members)}))


def loose(name: str) -> str:
    """A task's name without the marks between its parts: `arc_easy` and `arc-easy` are the same."""
    return re.sub(r"[\W_]+", "", name.casefold())


def check(evaluation: Evaluation) -> None:
    """Refuse what cannot be asked: RandomScores, BadValue, BadFile."""
    if not 0 <= evaluation.shots <= MAX_SHOTS:
        raise BadValue("/shots", f"{evaluation.shots} is not between 0 and {MAX_SHOTS}", advice="Ask for 0 to 5 shots.")
    for name, number in (("batch_size", evaluation.batch_size), ("limit", evaluation.limit)):
        if number is not None and number < 1:
            raise BadValue(f"/{name}", f"{number} is below 1", advice="Ask for one at least.")
    folder, tasks = Path(evaluation.folder), Path(evaluation.tasks)
    if not (folder / "config.json").is_file():
        raise BadFile(folder, "is no model folder: it has no config.json", advice="Give a folder of transformers.")
    if not any(tasks.rglob("*.y*ml")):
        raise BadFile(tasks, "is no folder with task files", advice="Give a folder with task files of the harness.")
    random = isinstance(evaluation.weights, RandomWeights) or stamped(folder)
    if random and not evaluation.self_test:
        raise RandomScores(evaluation.model)
    if random and not isinstance(evaluation.weights, RandomWeights):
        raise RandomScores(evaluation.model)
    if isinstance(evaluation.weights, RealWeights):
        check_weights(folder, evaluation.weights.sha256)


def stamped(folder: Path) -> bool:
    """Whether the files themselves say that their weights are random."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadFile(file, f"cannot be read: {error}", advice="Give the file of the model.") from error
    if isinstance(config, dict) and RANDOM in (config.get(STAMP), config.get(STAMP.replace(".", "_"))):
        return True
    return any(_metadata(one).get(STAMP) == RANDOM for one in sorted(folder.glob("*.safetensors")))


def _metadata(file: Path) -> Mapping[str, Any]:
    """The metadata in the header of a safetensors file; none where there is no such header."""
    with file.open("rb") as handle:
        start = handle.read(_HEADER)
        length = struct.unpack("<Q", start)[0] if len(start) == _HEADER else 0
        if not 0 < length <= _MAX_HEADER:
            return {}
        try:
            header = json.loads(handle.read(length))
        except ValueError:
            return {}
    found = header.get("__metadata__") if isinstance(header, dict) else None
    return found if isinstance(found, dict) else {}


def read_evaluation(record: Any) -> Evaluation:
    """The evaluation in a JSON document; BadValue names the member that does not fit."""
    try:
        return EVALUATION.validate_python(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadValue("".join(f"/{part}" for part in first["loc"]), first["msg"]) from error


def evaluate(
    evaluation: Evaluation,
    progress: Progress = lambda _step, _share: None,
    *,
    seconds: float = 3_600.0,
    python: str = sys.executable,
) -> Evaluated:
    """Run one evaluation in a process of its own, and wait for it. RandomScores, BadValue, BadFile before it starts.

    `python` is an interpreter that has the extra `eval`; what happens in it becomes a status and a message.
    """
    check(evaluation)
    started, clock = datetime.now(UTC), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slmkg-evaluation-") as folder:
        errors = Path(folder) / "errors"
        with errors.open("wb") as handle:
            process = subprocess.Popen(  # noqa: S603 - our own module
                [python, "-m", "app.measure.harness"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=handle,
                env={**os.environ, **_OFFLINE, "PYTHONPATH": _path()},
                cwd=folder,
                start_new_session=True,
            )
            question = {"evaluation": EVALUATION.dump_python(evaluation, mode="json"), "parent": os.getpid()}
            answer: dict[str, Any] = {}
            in_time = False
            try:
                answer, in_time = _talk(process, {**question, "folder": folder}, progress, clock + seconds)
            finally:
                _end(process, patient=in_time)
        told = errors.read_text(encoding="utf-8", errors="replace").strip()[-_TOLD:]
        status, message = _outcome(answer, in_time, process.returncode, told, seconds)
        files = {name: (Path(folder) / name).read_text(encoding="utf-8") for name in answer.get("files", ())}
    return Evaluated(
        evaluation=evaluation,
        status=status,
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 3),
        files={Path(name).name: text for name, text in files.items()} if status is Status.OK else {},
        message=message,
        versions=answer.get("versions", {}),
    )


def _path() -> str:
    """Where the process finds this package, also from another interpreter."""
    own = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, (own, os.environ.get("PYTHONPATH", ""))))


def _talk(
    process: subprocess.Popen[bytes], question: Mapping[str, Any], progress: Progress, until: float
) -> tuple[dict[str, Any], bool]:
    """Ask, follow the lines, and return the last one's result; False where the time was over first."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process without pipes")
    try:
        process.stdin.write(json.dumps(question).encode())
        process.stdin.close()
    except BrokenPipeError:
        return {}, True
    rest = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if not ready.select(left):
                break
            data = _read(process.stdout)
            if not data:
                return {}, True
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                record = json.loads(line)
                if "result" in record:
                    return record["result"], True
                told = record.get("progress", {})
                progress(str(told.get("step", "")), float(told.get("share", 0.0)))
    return {}, False


def _read(pipe: IO[bytes]) -> bytes:
    return os.read(pipe.fileno(), 65_536)


def _end(process: subprocess.Popen[bytes], *, patient: bool) -> None:
    """Let a process that has answered end by itself; end any other, and all that it started."""
    try:
        process.wait(timeout=_PATIENCE if patient else 0)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _outcome(
    answer: Mapping[str, Any], in_time: bool, code: int, told: str, seconds: float
) -> tuple[Status, str | None]:
    if not in_time:
        return Status.TIMEOUT, f"it took longer than {seconds:g} s"
    if not answer:
        last = told.splitlines()[-1] if told else "it said nothing"
        return Status.CRASHED, f"the process ended with {code}: {last}"
    return Status(answer["status"]), answer.get("message")
