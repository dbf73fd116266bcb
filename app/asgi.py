"""The application for an ASGI server: `uvicorn app.asgi:app`. Settings come from the environment."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal

from app import allocator, logs
from app.settings import Settings
from app.web.application import create_app
from app.web.logs import hide_parameters
from app.wiring import opened

_PARENT_DEATH_SIGNAL = 1


def _end_with_parent() -> None:
    """Have a worker process stop when the process that started it is gone, also when that one was killed."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent.pid:  # it ended before the signal was asked for
        os.kill(os.getpid(), signal.SIGTERM)


_end_with_parent()
allocator.share_arenas()
settings = Settings()
logs.configure(settings.log_level)
hide_parameters()
app = create_app(opened(settings))
