"""What a service does for its jobs while it serves: measures, makes what is due, hands runs on. Threads; one process.

Of several processes on one data folder the one that holds the lock does this. When it goes, another one takes over, and
begins by freeing the cell that its predecessor was measuring. Without jobs nothing is written, and only the presence of
a file is looked at.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.errors import AppError
from app.jobs import clock, slot
from app.jobs.delivery import Delivery, Taker
from app.jobs.queue import Queue
from app.jobs.schedules import Schedules
from app.jobs.supervisor import Supervisor
from app.jobs.worker import Pace, Worker

log = logging.getLogger(__name__)

NAME = "service"
"""Name of the service's own worker; there is one at a time, whatever process it is in."""


@dataclass(slots=True)
class Keeper:
    """Keeps the jobs of a service going. Without `supervisor` it measures nothing itself, without `take` runs wait."""

    queue: Queue
    lock: Path
    supervisor: Supervisor | None = None
    take: Taker | None = None
    slot: Path = field(default_factory=slot.usual)
    pace: Pace = field(default_factory=Pace)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in threads of its own."""
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End: what is being measured is stopped and given back. Waits for it."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self.queue.database.exists:
                with slot.held(self.lock) as ours:
                    if ours:
                        self._keep()
            self._stopping.wait(self.pace.poll)

    def _keep(self) -> None:
        """Do everything, until somebody stops it."""
        worker = self._worker()
        measuring = None
        told = ""
        while not self._stopping.is_set():
            try:
                if worker is not None and (measuring is None or not measuring.is_alive()):
                    self.queue.recover(NAME)
                    measuring = threading.Thread(target=worker.run, name="measuring", daemon=True)
                    measuring.start()
                self.queue.expire()
                Schedules(self.queue).tick()
                if self.take is not None:
                    Delivery(self.queue, self.take).step()
            except AppError as error:
                if error.message != told:  # a disk that cannot be written stays so for hours
                    log.warning("the jobs cannot be kept: %s", error.message)
                told = error.message
            except Exception:
                log.exception("jobs cannot be kept; tried again")
            self._stopping.wait(self.pace.poll)
        if worker is not None and measuring is not None:
            worker.stop()
            measuring.join()

    def _worker(self) -> Worker | None:
        if self.supervisor is None:
            return None
        machine = replace(clock.machine(), worker=NAME)
        return Worker(self.queue, self.supervisor, machine, self.slot, self.pace)
