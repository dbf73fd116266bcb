"""Holds the llama.cpp engine of the measurement suite against llama-bench, on the same files in one run.

    python scripts/bench/llama_bench.py --bench PATH/llama-bench FILE.gguf ...

The two take turns, a process of its own each time: prefill of PROMPT tokens into an empty cache, and decoding of TOKENS
tokens one by one after PROMPT tokens (`llama-bench -d PROMPT`). Both have one thread, no memory mapping, the same batch
sizes and the same cache. llama-bench tells nothing of the machine, so the share of CPU time of its whole process is
taken for its gate; ours has one verdict for each sample. Medians of clean samples are compared.

llama-bench must be built from the same sources as the binding. On a processor with matrix tiles (AMX) build it without
them (`CFLAGS` and `CXXFLAGS` = "-mno-amx-tile -mno-amx-int8"): the engine does not use them, and llama-bench would end
with a segmentation fault (llama.cpp issue 20824).
"""

# ruff: noqa: E402 - the path is put right before anything else
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import json
import multiprocessing
import resource
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from statistics import median

from app.measure.engines import llamacpp
from app.measure.occupancy import OWN_SHARE_ONE_THREAD
from app.measure.values import Cell, Engine, Phase, RandomWeights, Sample, Sampling, Subject
from app.model.architecture import Architecture
from scripts.bench import servers

AIM = 5.0
"""Percent that the two may differ by."""


@dataclass(slots=True)
class Rates:
    """Tokens per second of one tool in one phase: all, and those that were clean."""

    every: list[float] = field(default_factory=list)
    clean: list[float] = field(default_factory=list)

    def add(self, rate: float, *, clean: bool) -> None:
        """One more sample."""
        self.every.append(rate)
        if clean:
            self.clean.append(rate)

    def told(self) -> str:
        """The median, and of how many."""
        if not self.clean:
            return f"none clean of {len(self.every)} ({median(self.every):.1f})"
        return f"{median(self.clean):.1f} ({len(self.clean)}/{len(self.every)})"


@dataclass(frozen=True, slots=True)
class Asked:
    """What both measure."""

    prompt: int
    tokens: int
    repetitions: int


def main() -> int:
    """Measure and print a table; the exit code tells whether all differences are within the aim."""
    parser = argparse.ArgumentParser(description="The llama.cpp engine and llama-bench on the same files.")
    parser.add_argument("--bench", required=True, help="the llama-bench program")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--repetitions", type=int, default=3, help="samples of each round, tool and phase")
    parser.add_argument("files", nargs="+", type=Path)
    given = parser.parse_args()
    asked = Asked(given.prompt, given.tokens, given.repetitions)
    rates: dict[tuple[Path, Phase, str], Rates] = {
        (file, phase, tool): Rates()
        for file in given.files
        for phase in (Phase.PREFILL, Phase.DECODE)
        for tool in ("ours", "llama-bench")
    }
    before = servers.machine()
    for number in range(given.rounds):
        for file in given.files:
            turns = (_ours, _theirs) if number % 2 else (_theirs, _ours)
            for turn in turns:
                turn(given.bench, file, asked, rates)
        sys.stderr.write(f"round {number + 1} of {given.rounds} done\n")
    print(f"# {before} before, {servers.machine().rpartition(' ')[2]} after\n")
    return _table(given.files, rates)


def _table(files: list[Path], rates: dict[tuple[Path, Phase, str], Rates]) -> int:
    print("| file | phase | ours, tokens/s (clean/all) | llama-bench, tokens/s (clean/all) | difference |")
    print("| --- | --- | ---: | ---: | ---: |")
    worst = 0.0
    for file in files:
        for phase in (Phase.PREFILL, Phase.DECODE):
            ours, theirs = rates[file, phase, "ours"], rates[file, phase, "llama-bench"]
            told = "not told"
            if ours.clean and theirs.clean:
                difference = (median(ours.clean) / median(theirs.clean) - 1) * 100
                worst = max(worst, abs(difference))
                told = f"{difference:+.1f} %"
            else:
                worst = float("inf")
            print(f"| {file.name} | {phase.value} | {ours.told()} | {theirs.told()} | {told} |")
    return 0 if worst <= AIM else 1


def _ours(_bench: str, file: Path, asked: Asked, rates: dict[tuple[Path, Phase, str], Rates]) -> None:
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        samples = pool.submit(_measured, str(file), asked).result()
    for sample in samples:
        if sample.phase is not Phase.LOAD:
            rates[file, sample.phase, "ours"].add(sample.tokens * 1e9 / sample.wall_ns, clean=sample.clean)


def _measured(file: str, asked: Asked) -> tuple[Sample, ...]:
    cell = Cell(
        subject=Subject("the-file", Architecture()),
        weights=RandomWeights(),
        variant="as in the file",
        engine=Engine.LLAMA_CPP,
        prompt_tokens=asked.prompt,
        generated_tokens=asked.tokens,
        threads=1,
        sampling=Sampling(clean=asked.repetitions, warm_ups=1, seconds=30),
    )
    return llamacpp.measure(cell, Path(file), lambda *_: None).samples


def _theirs(bench: str, file: Path, asked: Asked, rates: dict[tuple[Path, Phase, str], Rates]) -> None:
    for phase, wanted in (
        (Phase.PREFILL, ("-p", str(asked.prompt), "-n", "0", "-d", "0")),
        (Phase.DECODE, ("-p", "0", "-n", str(asked.tokens), "-d", str(asked.prompt))),
    ):
        started, spent = time.perf_counter(), _children()
        done = subprocess.run(
            [bench, "-m", str(file), *wanted, "-t", "1", "-lm", "none", "-r", str(asked.repetitions), "-o", "json"],
            capture_output=True,
            check=True,
        )
        share = (_children() - spent) / (time.perf_counter() - started)
        (told,) = json.loads(done.stdout)
        for rate in told["samples_ts"]:
            rates[file, phase, "llama-bench"].add(rate, clean=share >= OWN_SHARE_ONE_THREAD)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
