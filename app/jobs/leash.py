"""Runs one command so that nothing of it outlives whoever asked for it. Usage: `leash.py PARENT COMMAND`.

It is asked for by the supervisor (process PARENT) and stands between it and the command:

- The kernel tells it when the supervisor has gone, however it went, and it kills all that the command has started.
- The command is killed by the kernel when the leash itself goes.
- What the command leaves behind falls to the leash (it is the reaper of orphans) and is killed when the command ends.

It ends as the command did: with its exit code, or by the same signal. Imports nothing but the standard library, sleeps
while the command runs, and must be started as a file so that nothing else is loaded.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36
_NOT_STARTED = 127
_TERMINATED = 128 + signal.SIGTERM
_ROUNDS = 200
"""Looks for processes that are left; each round kills all it sees."""


def main(arguments: list[str]) -> int:
    """Run the command to its end; return its exit code, or end by the signal that ended it."""
    parent, command = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    libc.prctl(_SET_CHILD_SUBREAPER, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is told, not written to the disk
    awaited = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    if os.getppid() != parent:  # it had gone before the kernel was asked to tell
        return _TERMINATED
    child = os.fork()
    if child == 0:
        _become(command, libc, awaited)
    for descriptor in (0, 1):  # the pipes belong to the command alone
        os.close(descriptor)
    while True:
        if signal.sigwait(awaited) != signal.SIGCHLD:
            _end_all()
            return _TERMINATED
        status = _reaped(child)
        if status is not None:
            _end_all()
            return _as(status)


def _become(command: list[str], libc: ctypes.CDLL, awaited: set[signal.Signals]) -> None:
    """Turn into the command; it dies with the leash."""
    try:
        leash = os.getppid()
        libc.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, awaited)
        if os.getppid() == leash:
            os.execvp(command[0], command)  # noqa: S606 - the command is the supervisor's own
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_NOT_STARTED)


def _reaped(child: int) -> int | None:
    """Take note of all that have ended; the status of the command, if it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = status


def _end_all() -> None:
    """Kill everything below this process, until nothing is left."""
    for _ in range(_ROUNDS):
        left = below(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)
        _reaped(0)


def below(root: int) -> list[int]:
    """The processes that a process has started, and theirs."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes as long to load as all the rest
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(name))
    found: list[int] = []
    waiting = [root]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def _as(status: int) -> int:
    """The exit code of an ended command; ends this process by the same signal, if it was one."""
    number = -os.waitstatus_to_exitcode(status)
    if number <= 0:
        return -number
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
