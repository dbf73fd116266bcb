"""Hands the run of each job that is over to whoever takes runs, until that is acknowledged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import AppError
from app.jobs.queue import Queue
from app.measure.values import Run

log = logging.getLogger(__name__)

Taker = Callable[[Run], str]
"""Takes a run for good and says in words what became of it.

It may be called again with a run that it has taken (the process was killed in between): it must then know the run by
its `identity`, change nothing, and say the same. An error means that nothing was taken.
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers what is due."""

    queue: Queue
    take: Taker

    def step(self) -> int:
        """Try each run that is due once; return how many were taken."""
        taken = 0
        for identity in self.queue.undelivered():
            try:
                told = self.take(self.queue.run(identity))
            except AppError as error:
                self.queue.not_delivered(identity, f"{error.message} {error.advice}".strip())
            except Exception:
                log.exception("the run of job %s could not be taken", identity, extra={"job": identity})
                self.queue.not_delivered(identity, "something went wrong inside; the service's log tells more")
            else:
                self.queue.delivered(identity, told)
                taken += 1
        return taken
