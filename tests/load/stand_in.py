"""A measuring worker that keeps to the protocol but measures nothing, for machines without llama.cpp.

    python -m tests.load.stand_in URL        the key is in SLMKG_WORKER_KEY

It takes cells, keeps their leases and hands results in as `slmkg worker` does, with the same code; each cell's process
is this file with `--cell`, which answers with figures that were recorded once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from app.jobs import clock, slot
from app.jobs.remote import RemoteQueue
from app.jobs.supervisor import Supervisor, usual_limits
from app.jobs.worker import Pace, Worker
from app.measure.records import from_json, to_json
from app.measure.values import Cell, CellResult, Phase, Sample, Status

_HERE = {
    "fingerprint": "0123456789abcdef",
    "hardware": {"cpu": {"model": "a processor"}},
    "software": {"system": "Linux"},
}


def answer() -> None:
    """Answer the question on standard input as the process of a cell does."""
    cell = from_json(Cell, json.loads(sys.stdin.read())["cell"])
    samples = tuple(
        Sample(phase, tokens, 1_000_000 * tokens, 990_000 * tokens, 0, 0, 0, clean=True)
        for phase, tokens in ((Phase.PREFILL, cell.prompt_tokens), (Phase.DECODE, cell.generated_tokens))
        for _ in range(2)
    )
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    result = CellResult(cell, Status.OK, now, 0.5, str(_HERE["fingerprint"]), samples=samples)
    for line in ({"environment": _HERE}, {"result": to_json(result)}):
        sys.stdout.write(json.dumps(line) + "\n")


def work(url: str) -> None:
    """Work for a service until somebody ends this process."""
    folder = Path(os.environ["SLMKG_DATA_DIR"]) / "measuring"
    command = (sys.executable, "-m", "tests.load.stand_in", "--cell")
    supervisor = Supervisor(folder, usual_limits(60, None), command)
    worker = Worker(RemoteQueue(url, os.environ["SLMKG_WORKER_KEY"]), supervisor, clock.machine(), slot.usual(), Pace())
    signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    worker.run()


if __name__ == "__main__":
    answer() if sys.argv[1] == "--cell" else work(sys.argv[1])
