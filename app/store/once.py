"""An update on a copy of a snapshot, in a process of its own that is killed at its limits.

For stores without standing readers: one in memory, or an external engine, which could not run an update without making
it seen at once. The copy costs time in proportion to the graph.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyoxigraph as ox
from anyio import to_thread

from app.disk import needs_room
from app.store.port import Snapshot
from app.store.public import body
from app.store.readers import Limits, Readers, Update


async def changed_once(snapshot: Snapshot, update: Update, limits: Limits) -> bytes:
    """What an update would change, as a reader answers it; every way to fail is an AppError."""
    with tempfile.TemporaryDirectory(prefix="slmkg-update-") as folder:
        await to_thread.run_sync(_copy, snapshot, Path(folder) / "copy")
        readers = Readers(Path(folder) / "copy", keep=0, at_most=1)
        try:
            await readers.start()
            return body(await readers.ask(update, limits))
        finally:
            readers.stop()


def _copy(snapshot: Snapshot, folder: Path) -> None:
    with needs_room():
        store = ox.Store(str(folder))
        store.bulk_extend(snapshot.quads())
        store.flush()
