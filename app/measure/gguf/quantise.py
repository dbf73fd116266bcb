"""Quantises a GGUF file with llama.cpp's own quantiser, in a process of its own.

The quantiser is native code that may end the process; here that is an error like another. The process ends with its
parent. As a module (`python -m app.measure.gguf.quantise source target file-type threads`) this is that process: it
writes `done all` for each tensor, and llama.cpp's errors to the error stream.

Never here: which file is quantised, and where the result goes.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import app
from app.errors import ExtraMissing, PreparationFailed
from app.measure.gguf.variants import Variant
from app.measure.programs import dies_with_parent

_TENSOR = re.compile(r"\s*\[\s*(\d+)/\s*(\d+)\]")
_ERROR = 4  # of llama.cpp's log levels


def quantise(source: Path, target: Path, variant: Variant, progress: Callable[[float], None]) -> None:
    """Write `target` from `source`; `progress` gets the share of tensors that are done.

    `PreparationFailed` gives llama.cpp's own message, or the signal that ended it. The file may be cut off then.
    """
    if find_spec("llama_cpp") is None:
        raise ExtraMissing("llama-cpp-python", "measure")
    threads = os.cpu_count() or 1
    command = [sys.executable, "-m", __name__, str(source), str(target), str(variant.file_type), str(threads)]
    root = str(Path(app.__file__).parent.parent)
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            for line in process.stdout:
                done, tensors = line.split()
                progress(int(done) / int(tensors))
            complaint = process.communicate()[1]
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise PreparationFailed(
            f"llama.cpp could not quantise to {variant.name}: {_why(process.returncode, complaint)}",
            advice="Make the file anew; when it happens again, take another variant.",
        )


def _why(code: int, complaint: str) -> str:
    """The last line of the error stream, or the signal."""
    lines = complaint.strip().splitlines()
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}" + (f" ({lines[-1]})" if lines else "")
    return lines[-1] if lines else f"it ended with {code}"


def main(source: str, target: str, file_type: str, threads: str) -> int:
    """Quantise in this process; what the quantiser returns."""
    dies_with_parent()
    import llama_cpp.llama_cpp as native  # noqa: PLC0415 - only the extra brings it

    @native.llama_log_callback  # type: ignore[untyped-decorator]
    def listen(level: int, text: bytes, _: object) -> None:
        line = text.decode(errors="replace")
        if tensor := _TENSOR.match(line):
            sys.stdout.write(f"{tensor[1]} {tensor[2]}\n")
            sys.stdout.flush()
        elif level == _ERROR:
            sys.stderr.write(line)

    native.llama_log_set(listen, ctypes.c_void_p(0))
    parameters = native.llama_model_quantize_default_params()
    parameters.ftype = int(file_type)
    parameters.nthread = int(threads)
    return int(native.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(parameters)))


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
