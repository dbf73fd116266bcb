"""A filter in the kernel that keeps a process from reaching out, writing files and starting programs (seccomp, Linux).

For readers that must still be able to open files of their revision: Oxigraph's storage opens only the first sixteen
when it starts, the others when a query comes to them. What was opened before goes on working.

Source: seccomp(2), linux/seccomp.h, linux/filter.h; call numbers of linux/unistd.h for each processor.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _PROCESSOR, _ARGUMENTS = 0, 4, 16
"""Where a call's number, its processor and its arguments (8 bytes each) stand in what the filter is shown."""
_ALLOW, _REFUSE, _END = 0x7FFF0000, 0x00050000 | errno.EMFILE, 0x80000000
"""Go on; fail, as where no file can be opened any more; end the process."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _ALL_THREADS = 1, 1

_CALLS = {
    # its mark, the number of seccomp, calls that are refused, calls that open a file with the argument that says how
    "x86_64": (
        0xC000003E,
        317,
        # socket, connect, bind, execve, execveat, creat, openat2, io_uring_setup, ptrace
        (41, 42, 49, 59, 322, 85, 437, 425, 101),
        {2: 1, 257: 2},
    ),
    "aarch64": (0xC00000B7, 277, (198, 203, 200, 221, 281, 437, 425, 117), {56: 2}),
}
_OTHER_NUMBERS = 0x40000000
"""From here on x86 has the same calls once more (x32)."""


def no_way_out() -> bool:
    """From here on no thread of this process can do any of it; False where the kernel or processor has no filter."""
    if platform.machine() not in _CALLS:
        return False
    processor, seccomp, refused, opening = _CALLS[platform.machine()]
    text = _program(processor, refused, opening)
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxP", len(text) // 8, ctypes.addressof(held))
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    failed: int = libc.syscall(seccomp, _SET_FILTER, _ALL_THREADS, ctypes.create_string_buffer(program, len(program)))
    return failed == 0


def _program(processor: int, refused: tuple[int, ...], opening: dict[int, int]) -> bytes:
    """The filter, in the kernel's own small language: a jump says how many steps to skip if so, and if not."""
    steps = [
        _step(_LOAD, _PROCESSOR),
        _step(_EQUAL, processor, 1, 0),
        _step(_RETURN, _END),
        _step(_LOAD, _NUMBER),
        _step(_ANY_BIT, _OTHER_NUMBERS, 0, 1),
        _step(_RETURN, _REFUSE),
    ]
    for number in refused:
        steps += [_step(_EQUAL, number, 0, 1), _step(_RETURN, _REFUSE)]
    for number, argument in opening.items():
        steps += [
            _step(_EQUAL, number, 0, 4),
            _step(_LOAD, _ARGUMENTS + 8 * argument),
            _step(_ANY_BIT, _WRITING, 0, 1),
            _step(_RETURN, _REFUSE),
            _step(_RETURN, _ALLOW),
        ]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)
