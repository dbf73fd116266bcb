"""Holds the llama.cpp engine of the measurement suite against llama-bench, on the same files in one run.

    python scripts/bench/llama_bench.py --bench PATH/llama-bench FILE.gguf ...

The two take turns, a process of its own each time: prefill of PROMPT tokens into an empty cache, and decoding of TOKENS
tokens one by one after PROMPT tokens (`llama-bench -d PROMPT`). Both have one thread, no memory mapping, the same batch
sizes and the same cache. Two rates are compared:

- tokens per second of wall time, medians of clean samples. llama-bench tells nothing of the machine, so the share of
  CPU time of its whole process is its gate; ours has one verdict for each sample.
- tokens per second of CPU time, which holds on a busy machine too. llama-bench does not tell it either: it is what more
  repetitions in one process add to the CPU time of the process.

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
    of_cpu: list[float] = field(default_factory=list)

    def add(self, rate: float, *, clean: bool) -> None:
        """One more sample of wall time."""
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
    print(
        "| file | phase | ours (clean/all) | llama-bench (clean/all) | difference | ours, CPU | llama-bench, CPU |",
        end="",
    )
    print(" difference |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    worst = 0.0
    for file in files:
        for phase in (Phase.PREFILL, Phase.DECODE):
            ours, theirs = rates[file, phase, "ours"], rates[file, phase, "llama-bench"]
            wall = _difference(ours.clean, theirs.clean)
            of_cpu = _difference(ours.of_cpu, theirs.of_cpu)
            worst = max(worst, *(abs(one) for one in (wall, of_cpu) if one is not None))
            name = file.name.rpartition(".")[0].rpartition(".")[0] or file.name
            print(
                f"| {name} | {phase.value} | {ours.told()} | {theirs.told()} "
                f"| {_percent(wall)} | {median(ours.of_cpu):.1f} | {median(theirs.of_cpu):.1f} | {_percent(of_cpu)} |"
            )
    return 0 if worst <= AIM else 1


def _difference(ours: list[float], theirs: list[float]) -> float | None:
    """Percent by which ours is more; None without numbers of both."""
    return (median(ours) / median(theirs) - 1) * 100 if ours and theirs else None


def _percent(difference: float | None) -> str:
    return "none" if difference is None else f"{difference:+.1f} %"


def _ours(_bench: str, file: Path, asked: Asked, rates: dict[tuple[Path, Phase, str], Rates]) -> None:
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        samples = pool.submit(_measured, str(file), asked).result()
    for sample in samples:
        if sample.phase is not Phase.LOAD:
            told = rates[file, sample.phase, "ours"]
            told.add(sample.tokens * 1e9 / sample.wall_ns, clean=sample.clean)
            told.of_cpu.append(sample.tokens * 1e9 / sample.cpu_ns)


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
    for phase, tokens, wanted in (
        (Phase.PREFILL, asked.prompt, ("-p", str(asked.prompt), "-n", "0", "-d", "0")),
        (Phase.DECODE, asked.tokens, ("-p", "0", "-n", str(asked.tokens), "-d", str(asked.prompt))),
    ):
        told = rates[file, phase, "llama-bench"]
        once, _, _ = _bench(bench, file, wanted, 1)
        spent, passed, samples = _bench(bench, file, wanted, 1 + asked.repetitions)
        told.of_cpu.append(tokens * asked.repetitions / (spent - once))
        for rate in samples:
            told.add(rate, clean=spent / passed >= OWN_SHARE_ONE_THREAD)


def _bench(bench: str, file: Path, wanted: tuple[str, ...], repetitions: int) -> tuple[float, float, list[float]]:
    """Seconds of CPU and wall time of a run of llama-bench, and its tokens per second."""
    started, spent = time.perf_counter(), _children()
    done = subprocess.run(
        [bench, "-m", str(file), *wanted, "-t", "1", "-lm", "none", "-r", str(repetitions), "-o", "json"],
        capture_output=True,
        check=True,
    )
    (told,) = json.loads(done.stdout)
    return _children() - spent, time.perf_counter() - started, told["samples_ts"]


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
