"""What validation finds in the newest revision, counted by severity: worked out in the background, once for each.

Validating everything takes seconds, so a process of its own does it at the lowest priority, and only when somebody has
asked: a service that nobody watches pays nothing. Of several workers one at a time does so. What it found stands in a
file of the data folder, for all of them; on a disk that cannot be written each keeps it for itself.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from app.durable import locked, write_durably
from app.errors import AppError
from app.outcomes import EXIT_OK, EXIT_VIOLATIONS
from app.services import Services
from app.settings import Settings

log = logging.getLogger(__name__)

_COMMAND = "import sys; sys.argv[0] = 'slmkg'; from app.cli import main; main()"
_FILE = "FINDINGS.json"
_LOCK = "FINDINGS.lock"
_LOWEST = 19
_LONGEST = 1800
"""Seconds after which a validation is given up."""


@dataclass(frozen=True, slots=True)
class Known:
    """How many findings of each severity a revision has. `made_at` tells it from one of this number elsewhere."""

    revision: int
    made_at: str
    counts: Mapping[str, int]


class Findings:
    """The counts of one service. Safe to use from several threads."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._guard = threading.Lock()
        self._known: Known | None = None
        self._tried: tuple[int, str] | None = None
        self._busy = False
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = True

    def known(self) -> Known | None:
        """What was found last. Has the newest revision looked at, where that is not done yet; does not wait for it."""
        settings = self._services.settings
        self._known = _read(settings) or self._known
        try:
            newest = self._services.store.head()
        except AppError:
            return self._known
        made_at = newest.made_at.isoformat()
        known = self._known
        if (known is None or (known.revision, known.made_at) != (newest.number, made_at)) and not settings.scratch:
            self._begin(newest.number, made_at)
        return known

    def start(self) -> None:
        """From here on look at new revisions. An application without its service only tells what is known."""
        self._stopped = False

    def stop(self) -> None:
        """End what is running, and begin nothing more."""
        self._stopped = True
        with self._guard:
            process = self._process
        if process is not None:
            process.kill()

    def _begin(self, revision: int, made_at: str) -> None:
        with self._guard:
            if self._stopped or self._busy or self._tried == (revision, made_at):
                return
            self._tried, self._busy = (revision, made_at), True
        threading.Thread(target=self._work, args=(revision, made_at), name="findings", daemon=True).start()

    def _work(self, revision: int, made_at: str) -> None:
        try:
            self._in_turn(revision, made_at)
        finally:
            self._busy = False

    def _in_turn(self, revision: int, made_at: str) -> None:
        folder = self._services.settings.data_dir
        try:
            with locked(folder / _LOCK):
                self._look(revision, made_at)
        except BlockingIOError:
            self._tried = None  # another worker does it; if that one fails, the next question finds nobody at it
        except OSError:  # a disk that cannot be written has no lock either
            self._look(revision, made_at)

    def _look(self, revision: int, made_at: str) -> None:
        """Validate one revision in a process of its own, and keep what it counted."""
        settings = self._services.settings
        command = [sys.executable, "-c", _COMMAND, "validate", "--json", "--revision", str(revision)]
        with self._guard:
            if self._stopped:
                return
            self._process = subprocess.Popen(  # noqa: S603 - our own command, by our own interpreter
                command,
                env=settings.environment(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        process = self._process
        try:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, _LOWEST)
            told, _ = process.communicate(timeout=_LONGEST)
            if process.returncode in {EXIT_OK, EXIT_VIOLATIONS}:
                self._known = Known(revision, made_at, json.loads(told)["counts"])
                _write(settings, self._known)
            elif not self._stopped:
                log.warning(
                    "revision %d could not be validated for the metrics: exit code %d", revision, process.returncode
                )
        except (subprocess.TimeoutExpired, ValueError, KeyError):
            process.kill()
            log.warning("revision %d could not be validated", revision)
        finally:
            process.wait()
            with self._guard:
                self._process = None


def _read(settings: Settings) -> Known | None:
    try:
        told = json.loads((settings.data_dir / _FILE).read_text(encoding="utf-8"))
        counts = {str(name): int(count) for name, count in told["counts"].items()}
        return Known(int(told["revision"]), str(told["made_at"]), counts)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _write(settings: Settings, known: Known) -> None:
    with suppress(OSError):
        told = {"revision": known.revision, "made_at": known.made_at, "counts": dict(known.counts)}
        write_durably(settings.data_dir / _FILE, json.dumps(told))
