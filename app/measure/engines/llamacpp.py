"""Measures a GGUF file with llama.cpp, through its Python binding (extra `measure`).

The file is read into memory, not mapped: a page that the kernel drops between two samples would show as slow decoding.
Tokens are drawn at random once and generation never stops early: what is measured does not depend on what is said.

One process measures one cell: llama.cpp keeps global state, and may end the process on a file that it does not expect.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from app.errors import BadFile, EngineRefused, ExtraMissing, NoMemory
from app.measure.engines import memory
from app.measure.engines.sampling import Measurement, Progress, sample
from app.measure.occupancy import Stopwatch, gate
from app.measure.values import Cell, EngineBuild, Memory, Phase, Sample

EXTRA = "measure"
_BATCH = 2048
_PART = 512
_SEED = 0
_MIB = 1 << 20
_SMALLEST_STACK = 2048
_NO_MAPPING = 0
_SEQUENCE = 0
_CELL_RECORD = 12
"""Bytes that a saved state spends on each token besides keys and values: position, number and name of sequences."""

_OUT_OF_MEMORY = ("failed to allocate", "unable to allocate", "cannot allocate memory", "bad_alloc", "out of memory")
_SPOILT = ("corrupted", "incomplete", "invalid magic", "bad magic", "failed to read", "not within", "unexpectedly")
_KEPT_LINES = 2000
_ALIVE: list[Any] = []
_DEBUG, _GOES_ON = 1, 5
"""Levels of ggml's log: of no use here, and more of the line before."""


def measure(cell: Cell, file: Path, progress: Progress) -> Measurement:
    """Load the file and sample the cell.

    Errors: `ExtraMissing`, `BadFile` (missing, cut off), `EngineRefused` (an architecture or length that llama.cpp
    does not run), `NoMemory`.
    """
    library = _library()
    _readable(file)
    log = _Log(library)
    passing = gate(cell.threads, waits_busily=True)
    before = memory.resident()
    memory.forget_peak()
    progress("load", 0.0, {})
    stopwatch = Stopwatch(gate(1, waits_busily=True))
    stopwatch.start()
    model = _load(library, log, file)
    loaded = stopwatch.stop(Phase.LOAD, 0)
    try:
        session = _Session(library, log, model, cell)
        try:
            progress("load", 1.0, {"load_seconds": round(loaded.wall_ns / 1e9, 3)})
            samples = sample(session, cell, Stopwatch(passing), progress)
            return _told(library, log, session, before, loaded, samples)
        finally:
            session.close()
    finally:
        library.llama_model_free(model)


def build() -> EngineBuild:
    """The library as it was built. Errors: `ExtraMissing`."""
    library = _library()
    from llama_cpp._ggml import libggml  # noqa: PLC0415 - of the extra, and private: no public call tells the commit

    flags = library.llama_print_system_info().decode().strip()
    return EngineBuild("llama.cpp", metadata.version("llama-cpp-python"), _word(libggml, "ggml_commit"), flags)


def _library() -> Any:
    try:
        import llama_cpp.llama_cpp as library  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise ExtraMissing("llama-cpp-python", EXTRA) from error
    return library


def _word(library: Any, name: str) -> str | None:
    """What a C function without arguments says; None where this build has no such function."""
    try:
        function = getattr(library, name)
    except AttributeError:
        return None
    function.restype = ctypes.c_char_p
    text = function()
    return text.decode() if text else None


def _readable(file: Path) -> None:
    try:
        with file.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise BadFile(file, "cannot be read", advice="Prepare the file again.") from error
    if start != b"GGUF":
        raise BadFile(file, "is no GGUF file", advice="Prepare the file again, or name another one.")


class _Log:
    """The last lines that llama.cpp wrote. The callback must live as long as the library may call it."""

    def __init__(self, library: Any) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._kept = True
        # The library writes parts of lines; what counts is found in the text as a whole.
        self._callback = library.llama_log_callback(self._take)
        library.llama_log_set(self._callback, None)
        _ALIVE.append(self._callback)

    def _take(self, level: int, text: bytes, _data: object) -> None:
        if level != _GOES_ON:
            self._kept = level != _DEBUG
        if self._kept:
            self.lines.append(text.decode("utf-8", errors="replace"))

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def says_one_of(self, words: tuple[str, ...]) -> bool:
        text = self.text.lower()
        return any(word in text for word in words)

    def reason(self) -> str:
        """The last lines of complaint, without the names of functions."""
        lines = [line.strip() for line in self.text.splitlines() if re.search(r"error|fail|cannot|unable", line)]
        return "; ".join(line.partition(": ")[2] or line for line in lines[-3:])[:400] or "no reason given"


class _SignalStack(ctypes.Structure):
    """`stack_t` of sigaltstack(2)."""

    _fields_: ClassVar = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


@contextmanager
def _without_amx(library: Any) -> Iterator[None]:
    """Keep the library from using the matrix tiles (AMX) of some processors while it looks for kernels to use.

    Its quantised kernels for them end the process on the first prompt (llama.cpp issue 20824: a compiler leaves out
    the set-up of the tiles). The library asks the kernel for the tiles once, when it loads its first model, and the
    kernel refuses a process whose stack for signal handlers could not hold them: so there is such a stack meanwhile.
    All variants then run on the same family of kernels, with and without such a processor.
    """
    if not _has_amx(library):
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    room = ctypes.create_string_buffer(_SMALLEST_STACK)
    small, before = _SignalStack(ctypes.addressof(room), 0, _SMALLEST_STACK), _SignalStack()
    set_up = libc.sigaltstack(ctypes.byref(small), ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if set_up:
            libc.sigaltstack(ctypes.byref(before), None)


def _has_amx(library: Any) -> bool:
    return b"AMX_INT8 = 1" in library.llama_print_system_info()


def _load(library: Any, log: _Log, file: Path) -> Any:
    library.llama_backend_init()
    wanted = library.llama_model_default_params()
    wanted.n_gpu_layers = 0
    wanted.load_mode = _NO_MAPPING
    with _without_amx(library):
        model = library.llama_model_load_from_file(str(file).encode(), wanted)
    if model:
        return model
    if log.says_one_of(_OUT_OF_MEMORY):
        raise NoMemory(f"llama.cpp found no memory for the weights: {log.reason()}")
    if log.says_one_of(_SPOILT):
        raise BadFile(file, f"is cut off or spoilt: {log.reason()}", advice="Remove it; it is prepared again.")
    raise EngineRefused(f"llama.cpp does not load the file: {log.reason()}", advice="Measure this model with torch.")


class _Session:
    """One model with one context. Sequence 0 holds the depth, then the prompt, then what is generated."""

    def __init__(self, library: Any, log: _Log, model: Any, cell: Cell) -> None:
        self.library = library
        self.model = model
        self.cell = cell
        self.kv_used: int | None = None
        self.finite = True
        vocabulary = library.llama_vocab_n_tokens(library.llama_model_get_vocab(model))
        if vocabulary < 1:
            raise EngineRefused(
                "the file says neither a vocabulary nor its size", advice="Prepare the file again with this version."
            )
        self._vocabulary = vocabulary
        self.wanted = self._parameters()
        self.context = library.llama_init_from_model(model, self.wanted)
        if not self.context:
            if log.says_one_of(_OUT_OF_MEMORY):
                raise NoMemory(f"llama.cpp found no memory for the cache: {log.reason()}")
            raise EngineRefused(f"llama.cpp makes no context: {log.reason()}", advice="Take a shorter prompt.")
        self._memory = library.llama_get_memory(self.context)
        drawn = np.random.default_rng(_SEED).integers(0, vocabulary, cell.depth + cell.prompt_tokens)
        self._depth_tokens = self._tokens(drawn[: cell.depth])
        self._prompt = self._tokens(drawn[cell.depth :])
        self._next = self._tokens(drawn[:1])
        self.window = max(0, library.llama_model_n_swa(model))
        self._header, self.row = self._state_of_one_token()
        self._fill()

    def prefill(self) -> None:
        self._run(self._prompt)
        self._choose()

    def decode(self, tokens: int) -> tuple[int, ...]:
        each = []
        for _ in range(tokens):
            started = time.perf_counter_ns()
            self._run(self._next)
            self._choose()
            each.append(time.perf_counter_ns() - started)
        return tuple(each)

    def rewind(self) -> None:
        """Forget the prompt and what followed; on the way, look at the logits and at the size of the cache."""
        self.finite = self.finite and bool(np.isfinite(self._logits()).all())
        if self.kv_used is None:
            used = self.cell.depth + self.cell.prompt_tokens
            self._forget_from(used)
            cells = used + min(used, self.window)
            self.kv_used = self._state_size() - self._header - _CELL_RECORD * cells
        if not self._forget_from(self.cell.depth):
            self.library.llama_memory_clear(self._memory, False)
            self._fill()

    def allocated(self) -> int:
        """Bytes of the whole cache: windowed layers are kept in full length too."""
        return self.row * int(self.library.llama_n_ctx(self.context))

    def close(self) -> None:
        self.library.llama_free(self.context)

    def _parameters(self) -> Any:
        cell = self.cell
        wanted = self.library.llama_context_default_params()
        wanted.n_ctx = cell.depth + cell.prompt_tokens + cell.generated_tokens
        wanted.n_batch = _BATCH
        wanted.n_ubatch = _PART
        wanted.n_threads = wanted.n_threads_batch = cell.threads
        wanted.swa_full = True
        wanted.no_perf = True
        return wanted

    def _tokens(self, numbers: Any) -> Any:
        """An array that C can read. It must stay alive while a batch points to it, so the session keeps it."""
        return (self.library.llama_token * len(numbers))(*(int(number) for number in numbers))

    def _fill(self) -> None:
        if self.cell.depth:
            self._run(self._depth_tokens)

    def _run(self, tokens: Any) -> None:
        library, size = self.library, ctypes.sizeof(self.library.llama_token)
        for start in range(0, len(tokens), _BATCH):
            count = min(_BATCH, len(tokens) - start)
            part = (library.llama_token * count).from_buffer(tokens, start * size)
            status = library.llama_decode(self.context, library.llama_batch_get_one(part, count))
            if status:
                raise EngineRefused(f"llama.cpp stopped with status {status}", advice="Take a shorter prompt or depth.")
        library.llama_synchronize(self.context)

    def _choose(self) -> None:
        self._next[0] = int(self._logits().argmax())

    def _logits(self) -> Any:
        last = self.library.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(last, shape=(self._vocabulary,))

    def _forget_from(self, position: int) -> bool:
        return bool(self.library.llama_memory_seq_rm(self._memory, _SEQUENCE, position, -1))

    def _state_size(self) -> int:
        return int(self.library.llama_state_seq_get_size(self.context, _SEQUENCE))

    def _state_of_one_token(self) -> tuple[int, int]:
        """Bytes of a state besides its tokens, and bytes of keys and values of one token in all layers."""
        self._run(self._next)
        one = self._state_size()
        self._run(self._next)
        two = self._state_size()
        self.library.llama_memory_clear(self._memory, False)
        caches = 2 if self.window else 1
        return 2 * one - two, two - one - _CELL_RECORD * caches


def _told(
    library: Any, log: _Log, session: _Session, before: int, loaded: Sample, samples: tuple[Sample, ...]
) -> Measurement:
    buffers = re.findall(r"compute buffer size\s*=\s*([\d.]+) MiB", log.text)
    attention = re.search(r"Flash Attention (enabled|disabled)", log.text)
    weights = re.findall(r"(\S+) model buffer size\s*=\s*([\d.]+) MiB", log.text)
    return Measurement(
        build=build(),
        memory=Memory(
            weights=int(library.llama_model_size(session.model)),
            kv_used=session.kv_used,
            kv_allocated=session.allocated(),
            compute_buffer=round(sum(map(float, buffers)) * _MIB) if buffers else None,
            peak_rss=memory.peak_resident(),
        ),
        samples=(loaded, *samples),
        finite_logits=session.finite,
        settings={
            "context": int(library.llama_n_ctx(session.context)),
            "batch": _BATCH,
            "part_of_batch": _PART,
            "cache_type": "F16",
            "kv_element_bytes": 2,
            "flash_attention": attention.group(1) == "enabled" if attention else None,
            "weight_buffers_mib": {name: float(size) for name, size in weights},
            "memory_mapping": False,
            "matrix_tiles": False if _has_amx(library) else None,
            "full_cache_in_windowed_layers": True,
            "window": session.window or None,
            "parameters": int(library.llama_model_n_params(session.model)),
            "sampler": "greedy",
            "token_seed": _SEED,
            "resident_before_load": before,
            "library_version": _word(library._lib, "llama_version"),
        },
    )
