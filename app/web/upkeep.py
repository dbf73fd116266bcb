"""What a service does for its data folder once a day, when nobody is being answered: it lets go of what may go.

Of several processes on one folder one does so. A folder that cannot be written is left as it is.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from app.errors import AppError
from app.pruning import summary
from app.services import Services
from app.web.metrics import Metrics

log = logging.getLogger(__name__)

_DAY = 86_400.0
_MARK = "PRUNED"


@dataclass(slots=True)
class Upkeep:
    """Looks every `pace` seconds whether a day has gone by and nobody is being answered here."""

    services: Services
    metrics: Metrics
    pace: float = 300.0
    _stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Do it, in a thread, until the block ends."""
        settings = self.services.settings
        if not settings.prune or settings.scratch or settings.read_only:
            yield
            return
        thread = threading.Thread(target=self._run, name="upkeep", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self.pace):
            if self.is_due() and self.metrics.answering() == 0:
                self.once()

    def is_due(self) -> bool:
        """Whether the last time is a day ago, or lies ahead since the clock was set back."""
        try:
            ago = time.time() - (self.services.settings.data_dir / _MARK).stat().st_mtime
        except OSError:
            return True
        return not 0 <= ago < _DAY

    def once(self) -> None:
        """Do it now; what goes wrong is logged, and tried again the next day."""
        mark = self.services.settings.data_dir / _MARK
        with suppress(OSError):
            mark.touch()
            os.utime(mark)
        try:
            gone = self.services.pruning.prune()
        except AppError as error:
            log.info("nothing was pruned: %s", error.message)
        except Exception:
            log.exception("the data folder could not be pruned")
        else:
            if gone:
                log.warning("pruned: %s", summary(gone))
