"""Measures one cell in a process of its own, and says how that ended, whatever the process does.

The process gets one JSON object on standard input, {"cell": …, "folder": …}, and writes JSON lines to standard output:
{"progress": {"step": …, "share": …, "rates": {…}}}, one {"environment": …}, and one {"result": …}. Others are dropped.

    ok, failed …   as the result says              crashed      ended by a signal of its own
    timeout        not done in time                oom-killed   killed while the kernel was out of memory
    memory-limit   took more than it may           failed       ended without a result, or with one that cannot be read
    cancelled      somebody asked to stop

It runs on a leash (`app.jobs.leash`): when the supervisor is killed, nothing of it remains. Measuring must not be
disturbed: meanwhile this process looks at a few numbers twenty times a second and does nothing else.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from app.errors import BadValue
from app.jobs import leash
from app.jobs.values import Progress
from app.jobs.wire import environment_of
from app.measure.records import from_json, to_json
from app.measure.values import Cell, CellResult, Environment, Status

COMMAND = (sys.executable, "-m", "app.measure.cell")
LONGEST_LINE = 64 * 1024 * 1024
MOST_OUTPUT = 256 * 1024 * 1024
"""Bytes that a process may print in all; one that prints more is stopped."""
_LOOK = 0.05
_LOOK_FOR_MORE = 1.0
"""Seconds between two looks at the memory, and at which processes there are."""
_TAIL = 4_000
_GRACE = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")
_LEASH = (sys.executable, "-I", "-S", str(Path(leash.__file__)))
_OURS = "SLMKG_"
_VMSTAT = Path("/proc/vmstat")
_MOST_RATES = 8
UNKNOWN = Environment("unknown", {}, {})
"""The environment of a cell whose process ended before it told where it ran."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one cell may take, and how many bytes of memory its processes may have together."""

    seconds: float
    bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cell ended, and the environment that it was measured in."""

    result: CellResult
    environment: Environment


def usual_limits(seconds: float, megabytes: int | None) -> Limits:
    """Limits for this machine: four fifths of its memory, where nothing else is said."""
    total = os.sysconf("SC_PHYS_PAGES") * _PAGE
    group = _number(Path("/sys/fs/cgroup/memory.max"))
    most = min(total, group) if group is not None else total
    return Limits(seconds, megabytes * 1_000_000 if megabytes is not None else most * 4 // 5)


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Runs cells, one at a time. `folder` keeps files between cells; `vmstat` is where the kernel counts its kills."""

    folder: Path
    limits: Limits
    command: Sequence[str] = COMMAND
    vmstat: Path = _VMSTAT

    def run(
        self,
        cell: Cell,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> Outcome:
        """Measure a cell. `stop` ends it early, as cancelled.

        The environment is the one that the process tells of; `UNKNOWN` when it ended before.
        """
        started, began = datetime.now(UTC), time.monotonic()
        kills = _kills(self.vmstat)

        heard: _Heard | None = None

        def without_figures(status: Status, message: str) -> Outcome:
            environment = UNKNOWN if heard is None else heard.told()
            result = CellResult(
                cell=cell,
                status=status,
                started=started.isoformat(timespec="milliseconds"),
                seconds=time.monotonic() - began,
                environment=environment.fingerprint,
                message=message,
            )
            return Outcome(result, environment)

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            process = self._started()
        except OSError as error:
            return without_figures(Status.FAILED, f"the process cannot be started: {error.strerror or error}")
        heard = _Heard(process, on_progress)
        heard.listen(json.dumps({"cell": to_json(cell), "folder": str(self.folder)}).encode())
        try:
            stopped = self._watch(process, heard, began, stop)
        finally:
            _end(process)
            heard.close()
        if heard.result is not None and stopped is None:
            return _read(cell, heard, without_figures)
        if stopped is not None:
            return without_figures(*stopped)
        return without_figures(*_how_it_ended(process.returncode, heard, kills, _kills(self.vmstat)))

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own program
            [*_LEASH, str(os.getpid()), *self.command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith(_OURS)},
        )

    def _watch(
        self, process: subprocess.Popen[bytes], heard: _Heard, began: float, stop: threading.Event | None
    ) -> tuple[Status, str] | None:
        """Wait for the end; the status and the words when the process is stopped before."""
        memory = _Memory(process.pid)
        while True:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK)
                return None
            if stop is not None and stop.is_set():
                return Status.CANCELLED, "cancelled while it was measured"
            if time.monotonic() - began > self.limits.seconds:
                return Status.TIMEOUT, f"not done after {self.limits.seconds:g} s"
            if (taken := memory.now()) > self.limits.bytes:
                return Status.MEMORY_LIMIT, f"took {taken:,} bytes of memory, {self.limits.bytes:,} are allowed"
            if heard.too_much:
                return Status.FAILED, f"printed more than {MOST_OUTPUT:,} bytes"


def _read(cell: Cell, heard: _Heard, otherwise: Callable[[Status, str], Outcome]) -> Outcome:
    """The result as the process gave it; `otherwise` makes one for what cannot be used."""
    try:
        result = from_json(CellResult, heard.result)
    except BadValue as error:
        return otherwise(Status.FAILED, f"the result cannot be read: {error.message}")
    told = heard.told()
    if result.cell != cell:
        return otherwise(Status.FAILED, "the result is of another cell")
    if result.environment != told.fingerprint:
        if result.status is Status.OK:
            return otherwise(Status.FAILED, "the result names an environment that is not known")
        result = replace(result, environment=told.fingerprint)
    return Outcome(result, told)


def _how_it_ended(code: int, heard: _Heard, kills_before: int, kills_after: int) -> tuple[Status, str]:
    """The status of a process that left no result."""
    said = heard.last_words()
    if code == -signal.SIGKILL and kills_after > kills_before:
        return Status.OOM_KILLED, "the kernel ran out of memory and killed it"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        return Status.CRASHED, f"ended by signal {name}{said}"
    return Status.FAILED, f"ended with exit code {code} and without a result{said}"


@dataclass(slots=True)
class _Heard:
    """What a process says, read as it comes so that it never has to wait."""

    process: subprocess.Popen[bytes]
    on_progress: Callable[[Progress], None]
    result: Any = None
    environment: Any = None
    too_much: bool = False
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=64))
    _threads: list[threading.Thread] = field(default_factory=list)

    def listen(self, question: bytes) -> None:
        """Begin to write and to read."""
        for target, arguments in (
            (self._ask, (question,)),
            (self._lines, (self.process.stdout,)),
            (self._errors, (self.process.stderr,)),
        ):
            thread = threading.Thread(target=target, args=arguments, daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        """Read to the end; the process has ended, so there is one."""
        for thread in self._threads:
            thread.join(_GRACE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def told(self) -> Environment:
        """The environment, as far as the process has told of one."""
        try:
            return UNKNOWN if self.environment is None else environment_of(self.environment)
        except BadValue:
            return UNKNOWN

    def last_words(self) -> str:
        """The end of what the process said on standard error, to follow a sentence."""
        words = b"".join(self._tail)[-_TAIL:].decode("utf-8", "replace").strip()
        return f"; it said: {words}" if words else ""

    def _ask(self, question: bytes) -> None:
        pipe = self.process.stdin
        if pipe is not None:
            with suppress(OSError):
                pipe.write(question)
                pipe.close()

    def _errors(self, pipe: IO[bytes]) -> None:
        while part := pipe.read1(8192):  # type: ignore[attr-defined]
            self._tail.append(part)

    def _lines(self, pipe: IO[bytes]) -> None:
        line = bytearray()
        total, skipping = 0, False
        while part := pipe.read1(1 << 16):  # type: ignore[attr-defined]
            total += len(part)
            if total > MOST_OUTPUT:
                self.too_much = True
                continue
            *ended, rest = part.split(b"\n")
            for piece in ended:
                if not skipping:
                    self._line(bytes(line + piece))
                line.clear()
                skipping = False
            if not skipping:
                line += rest
            if len(line) > LONGEST_LINE:
                line.clear()
                skipping = True
        if not skipping:
            self._line(bytes(line))

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            return
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            return
        if "progress" in record:
            told = _progress(record["progress"])
            if told is not None:
                with suppress(Exception):  # whoever shows it cannot hold up the measuring
                    self.on_progress(told)
        elif "environment" in record and self.environment is None:
            self.environment = record["environment"]
        elif "result" in record and self.result is None:
            self.result = record["result"]


def _progress(record: Any) -> Progress | None:
    """What a process says about how far it is; None when it cannot be understood."""
    if not isinstance(record, Mapping) or not isinstance(record.get("step"), str):
        return None
    share = record.get("share")
    known = isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share <= 1
    rates = record.get("rates")
    return Progress(
        record["step"][:200],
        float(share) if known and share is not None else None,
        tuple(_rates(rates)) if isinstance(rates, Mapping) else (),
    )


def _rates(record: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    for name, rate in list(record.items())[:_MOST_RATES]:
        if isinstance(rate, int | float) and not isinstance(rate, bool) and math.isfinite(rate):
            yield str(name)[:50], float(rate)


class _Memory:
    """Bytes that the processes below the leash hold. Which these are is looked up once in a second only."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._known: list[int] = []
        self._next = 0.0

    def now(self) -> int:
        """Resident bytes of all of them together."""
        moment = time.monotonic()
        if moment >= self._next:
            self._known = leash.below(self._root)
            self._next = moment + (_LOOK_FOR_MORE if self._known else 0.0)
        return sum(_resident(pid) for pid in self._known)


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - twenty times a second
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the leash, which ends all below it; should it not, the kernel does."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _kills(vmstat: Path) -> int:
    """How many processes the kernel has killed for want of memory since its start; 0 where it does not tell."""
    with suppress(OSError, ValueError):
        for line in vmstat.read_text(encoding="ascii").splitlines():
            name, _, number = line.partition(" ")
            if name == "oom_kill":
                return int(number)
    return 0


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
