"""Measures a GGUF file with xllamacpp (extra `measure-lite`): llama.cpp's server from a ready-made package.

It is installed in seconds where llama.cpp would be built for minutes, and it is slower: it is built for any processor.
Nothing is known of its cache, its buffers and its logits. Prompts are lists of tokens; each repetition asks the server
once and hears of each token. The depth is a beginning that all prompts share and that the server keeps.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import BadFile, EngineRefused, ExtraMissing
from app.measure.engines import memory
from app.measure.engines.sampling import WARM_UP_TOKENS, Budget, Measurement, Progress, rates
from app.measure.engines.vocabulary import LETTERS, with_vocabulary
from app.measure.occupancy import Stopwatch, gate
from app.measure.values import Cell, EngineBuild, Memory, Phase, Sample

EXTRA = "measure-lite"
_BATCH = 2048
_PART = 512
_SEED = 0
_NO_MAPPING = 0
_QUIET = 1

Event = Mapping[str, Any]


def measure(cell: Cell, file: Path, progress: Progress) -> Measurement:
    """Start a server with the file and sample the cell.

    Errors: `ExtraMissing`, `BadFile`, `EngineRefused`. A file that the server does not expect may end the process.
    """
    package = _package()
    if not file.is_file():
        raise BadFile(file, "cannot be read", advice="Prepare the file again.")
    spoken = with_vocabulary(file)
    before = memory.resident()
    memory.forget_peak()
    progress("load", 0.0, {})
    loading = Stopwatch(gate(1, waits_busily=True))
    loading.start()
    try:
        server = package.Server(_parameters(package, spoken, cell))
    except (RuntimeError, ValueError) as error:
        raise EngineRefused(f"the server does not start: {error}", advice="Prepare the file again.") from error
    loaded = loading.stop(Phase.LOAD, 0)
    progress("load", 1.0, {"load_seconds": round(loaded.wall_ns / 1e9, 3)})
    conversation = _Conversation(server, cell)
    samples = conversation.samples(progress)
    return Measurement(
        build=EngineBuild("xllamacpp", metadata.version("xllamacpp"), None, _flags(package)),
        memory=Memory(
            weights=None, kv_used=None, kv_allocated=None, compute_buffer=None, peak_rss=memory.peak_resident()
        ),
        samples=(loaded, *samples),
        finite_logits=None,
        settings={
            "context": _context(cell),
            "batch": _BATCH,
            "part_of_batch": _PART,
            "cache_type": "F16",
            "memory_mapping": False,
            "made_up_vocabulary": spoken != file,
            "sampler": "greedy",
            "token_seed": _SEED,
            "resident_before_load": before,
            "server_timings": conversation.timings,
        },
    )


def _package() -> Any:
    try:
        import xllamacpp  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise ExtraMissing("xllamacpp", EXTRA) from error
    return xllamacpp


def _flags(package: Any) -> str:
    info = package.get_system_info()
    return (info.decode() if isinstance(info, bytes) else str(info)).strip()


def _context(cell: Cell) -> int:
    return cell.depth + cell.prompt_tokens + cell.generated_tokens + 1


def _parameters(package: Any, file: Path, cell: Cell) -> Any:
    wanted = package.CommonParams()
    wanted.model.path = str(file)
    wanted.n_ctx = _context(cell)
    wanted.n_batch, wanted.n_ubatch = _BATCH, _PART
    wanted.n_parallel = 1
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = cell.threads
    wanted.load_mode = package.llama_load_mode(_NO_MAPPING)
    wanted.fit_params = False
    wanted.warmup = False
    wanted.ui = False
    wanted.endpoint_slots = False
    wanted.cache_ram_mib = 0
    wanted.verbosity = _QUIET
    # The server listens on a port of this machine, whether anybody wants it or not: nobody knows the key.
    wanted.api_keys = [secrets.token_hex(16)]
    return wanted


class _Conversation:
    """Asks the server for one repetition after the other, and takes the time."""

    def __init__(self, server: Any, cell: Cell) -> None:
        self.timings: dict[str, float] = {}
        self._server = server
        self._cell = cell
        self._watch = Stopwatch(gate(cell.threads, waits_busily=True))
        # Letters only: a token that ends a text, or an unused one, means something to the server.
        self._drawn = np.random.default_rng(_SEED)
        self._depth = self._tokens(cell.depth)
        self._turn = 0

    def samples(self, progress: Progress) -> tuple[Sample, ...]:
        """All samples, in the order they were taken."""
        cell = self._cell
        if cell.depth:
            self._ask(self._tokens(1), 1, lambda _: None)
        for number in range(cell.sampling.warm_ups):
            progress("warm-up", number / cell.sampling.warm_ups, {})
            self._ask(self._prompt(), min(WARM_UP_TOKENS, cell.generated_tokens), lambda _: None)
        taken: list[Sample] = []
        budget = Budget(cell.sampling)
        while budget.goes_on(taken):
            taken.extend(self._repetition())
            progress("sample", budget.share(taken), rates(taken))
        return tuple(taken)

    def _repetition(self) -> tuple[Sample, Sample]:
        """Prefill ends with the first token; decoding starts there."""
        cell, watch = self._cell, self._watch
        prefilled: list[Sample] = []
        heard: list[int] = []

        def hear(event: Event) -> None:
            if _is_token(event):
                if not heard:
                    prefilled.append(watch.stop(Phase.PREFILL, cell.prompt_tokens))
                    watch.start()
                heard.append(time.perf_counter_ns())

        prompt = self._prompt()
        watch.start()
        self._ask(prompt, cell.generated_tokens + 1, hear)
        each = tuple(after - one for one, after in pairwise(heard))
        decoded = watch.stop(Phase.DECODE, cell.generated_tokens, each)
        if len(each) != cell.generated_tokens:
            raise EngineRefused(
                f"the server generated {len(each)} tokens after the first, {cell.generated_tokens} were asked for",
                advice="Measure it with llama.cpp (extra measure).",
            )
        return prefilled[0], decoded

    def _ask(self, prompt: list[int], tokens: int, hear: Callable[[Event], None]) -> None:
        """One request; it must find exactly the depth in the cache."""
        last: list[Event] = []

        def take(event: Event) -> None:
            if "error" in event:
                raise EngineRefused(f"the server refuses: {event['error']}", advice="Take a shorter prompt.")
            hear(event)
            last[:] = [event]

        question = {
            "prompt": [*self._depth, *prompt],
            "n_predict": tokens,
            "ignore_eos": True,
            "temperature": 0,
            "cache_prompt": bool(self._depth),
            "stream": True,
        }
        self._server.handle_completions(question, take)
        if not last or "timings" not in last[0]:
            raise EngineRefused("the server tells no timings", advice="Measure it with llama.cpp (extra measure).")
        self.timings = {name: last[0]["timings"][name] for name in ("prompt_ms", "predicted_ms", "prompt_n", "cache_n")}
        if self._turn > 0 and self.timings["cache_n"] != self._cell.depth:
            raise EngineRefused(
                f"the server kept {self.timings['cache_n']} tokens, the depth is {self._cell.depth}",
                advice="Measure depths with llama.cpp (extra measure).",
            )
        self._turn += 1

    def _prompt(self) -> list[int]:
        """New tokens; the first is another one each time, so that the server finds nothing but the depth."""
        tokens = self._tokens(self._cell.prompt_tokens)
        tokens[0] = self._turn % LETTERS
        return tokens

    def _tokens(self, number: int) -> list[int]:
        return [int(token) for token in self._drawn.integers(0, LETTERS, number)]


def _is_token(event: Event) -> bool:
    """Whether the event brings a token; the last one brings the reason for the end."""
    choices = event.get("choices") or []
    return bool(choices) and choices[0].get("finish_reason") is None
