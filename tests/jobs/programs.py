"""Small real programs that stand for a cell's process, each with its own way to go wrong. Run as `programs.py NAME`."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, TextIO

MEGABYTE = 1 << 20
HERE = {
    "fingerprint": "0123456789abcdef",
    "hardware": {"cpu": {"model": "a processor"}},
    "software": {"system": "Linux"},
}


def say(text: str, file: TextIO = sys.stdout) -> None:
    file.write(text + "\n")
    file.flush()


def answer(given: dict[str, Any], **changes: Any) -> None:
    """Print where this runs, and a good result for the cell that was asked for."""
    say(json.dumps({"environment": HERE}))
    answer_only(given, **changes)


def answer_only(given: dict[str, Any], **changes: Any) -> None:
    line = {
        "cell": given["cell"],
        "status": "ok",
        "started": "2026-11-21T12:00:00+00:00",
        "seconds": 0.5,
        "environment": "0123456789abcdef",
        **changes,
    }
    say(json.dumps({"result": line}))


def leave(given: dict[str, Any], *pids: int) -> None:
    """Tell the test which processes there are."""
    Path(given["folder"], "pids").write_text(" ".join(map(str, (os.getpid(), *pids))), encoding="utf-8")


def good(given: dict[str, Any]) -> None:
    for share in (0.0, 0.5, 1.0):
        say(json.dumps({"progress": {"step": "prefill", "share": share, "rates": {"prefill": 512.5, "x": None}}}))
    answer(given)


def slow(given: dict[str, Any]) -> None:
    leave(given)
    say(json.dumps({"progress": {"step": "prefill", "share": 0.5}}))
    time.sleep(float(os.environ.get("SECONDS_OF_SLOW", "0.6")))
    answer(given)


def sleeps(given: dict[str, Any]) -> None:
    leave(given)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


def eats(given: dict[str, Any]) -> None:
    held = []
    while True:
        held.append(b"x" * (16 * MEGABYTE))
        time.sleep(0.01)


def eats_below(given: dict[str, Any]) -> None:
    eater = "import time\nheld = b'x' * (400 << 20)\ntime.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", eater])
    leave(given, child.pid)
    time.sleep(600)


def crashes(given: dict[str, Any]) -> None:
    say("this is the last that it says", sys.stderr)
    ctypes.string_at(0)


def tells_and_sleeps(given: dict[str, Any]) -> None:
    say(json.dumps({"environment": HERE}))
    time.sleep(600)


def tells_nothing(given: dict[str, Any]) -> None:
    say(json.dumps({"environment": {"fingerprint": 7}}))
    answer_only(given)


def killed(given: dict[str, Any]) -> None:
    if (vmstat := os.environ.get("VMSTAT")) is not None:
        Path(vmstat).write_text("pgfault 1\noom_kill 4\n", encoding="ascii")
    os.kill(os.getpid(), signal.SIGKILL)


def rubbish(given: dict[str, Any]) -> None:
    sys.stdout.buffer.write(
        b'\xff\xfe\x00 {\n[1, 2\n{}\n{"progress": 7}\n{"progress": {"step": 3}}\n' + b"[" * 100_000 + b"\n"
    )
    sys.stdout.buffer.write(b"{" + b'"a":[' * 100_000 + b"\n")
    sys.stdout.flush()
    answer(given)


def only_rubbish(given: dict[str, Any]) -> None:
    say('{"result": {"status": "splendid"}}')


def silent(given: dict[str, Any]) -> None:
    say("no room for an answer", sys.stderr)
    sys.exit(3)


def leaves_early(given: dict[str, Any]) -> None:
    sys.exit(0)


def fills(given: dict[str, Any]) -> None:
    while True:
        sys.stdout.buffer.write(b"x" * MEGABYTE)


def talks(given: dict[str, Any]) -> None:
    for _ in range(300):
        sys.stderr.write("y" * 10_000 + "\n")
    answer(given)


def another_cell(given: dict[str, Any]) -> None:
    given["cell"]["prompt_tokens"] += 1
    answer(given)


def elsewhere(given: dict[str, Any]) -> None:
    say(json.dumps({"environment": {"fingerprint": "feed", "hardware": {"cpu": {"model": "x"}}, "software": {}}}))
    answer_only(given, environment="feed")


def nowhere(given: dict[str, Any]) -> None:
    answer(given, environment="feed")


def no_machine(given: dict[str, Any]) -> None:
    say(json.dumps({"environment": {"fingerprint": "feed", "hardware": {"cpu": "x"}, "software": {}}}))
    answer_only(given, environment="feed")


def failed(given: dict[str, Any]) -> None:
    answer(given, status="failed", message="No space left on device", environment="")


def crashes_after(given: dict[str, Any]) -> None:
    answer(given)
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves_children(given: dict[str, Any]) -> None:
    """Children in groups and sessions of their own, one of them without a parent; the answer comes at once."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    orphan = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", orphan], stdout=subprocess.PIPE, text=True) as between:
        assert between.stdout is not None
        pid = int(between.stdout.readline())
    leave(given, child.pid, pid)
    if os.environ.get("AND_STAY"):
        time.sleep(600)
    answer(given)


if __name__ == "__main__":
    globals()[sys.argv[1]](json.loads(sys.stdin.read()))
