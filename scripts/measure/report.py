"""Writes what a run file says as a page in Markdown: machine, figures, cost model, and three questions of the survey.

    .venv/bin/python scripts/measure/report.py data/runs/RUN.jsonl > docs/measurements/RUN.md

Everything is worked out again from the raw samples. CPU time of one thread is the figure to compare where the machine
was busy; a wall time that is contended is marked with (!).
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from app.compare.insights.terms import correlation, shown
from app.measure.cost import Fit, Point, fit
from app.measure.fits import point_of
from app.measure.records import read_run
from app.measure.statistics import figures
from app.measure.values import CellResult, Figure, Phase, Run, Status
from app.model.architecture import kv_cache_bytes

PREFILL_CPU, DECODE_CPU = "prefill-cpu-time-per-token", "decode-cpu-time-per-token"
LONG = 1536
"""Tokens of context at which the shares of the cache are compared, as in the design of this project."""

Told = Mapping[str, Figure]
Row = tuple[CellResult, Told]


def main(path: str) -> None:
    """Print the page of one run file."""
    run = read_run(Path(path))
    good = [(one, {figure.metric: figure for figure in figures(one)}) for one in run.results if one.status is Status.OK]
    print("\n".join(_page(run, good, Path(path).name)))


def _page(run: Run, good: Sequence[Row], name: str) -> Iterator[str]:
    yield f"# Measurement run {run.identity}"
    yield ""
    yield f"Written by `scripts/measure/report.py` from [{name}](../../data/runs/{name}), which holds every raw sample."
    yield ""
    yield from _machine(run)
    yield from _table(run, good)
    yield from _costs(good)
    yield from _depth(good)
    yield from _quantisation(good)
    yield from _cache(good)


def _machine(run: Run) -> Iterator[str]:
    yield f"From {run.started[:16]} to {run.ended[:16]} UTC. {run.note or ''}".rstrip()
    yield ""
    for environment in run.environments.values():
        hardware, software = environment.hardware, environment.software
        processor = (hardware.get("cpu") or {}).get("model")
        yield f"- {processor}, {hardware.get('logical_cpus')} logical processors, {hardware.get('memory_gib')} GiB"
        yield f"- {', '.join(hardware.get('instruction_sets') or [])}"
        yield f"- kernel {software.get('kernel')}, hypervisor {hardware.get('hypervisor')}"
        yield f"- fingerprint {environment.fingerprint}"
    builds = {(one.build.name, one.build.version, one.build.commit) for one in run.results if one.build}
    yield from (f"- {build} {version}, commit {commit}" for build, version, commit in sorted(builds, key=str))
    yield "- random weights: these figures say what a model costs, nothing of what it can do"
    yield ""


def _table(run: Run, good: Sequence[Row]) -> Iterator[str]:
    clean = sum(not told["prefill-throughput"].contended for _, told in good if "prefill-throughput" in told)
    yield "## Figures"
    yield ""
    yield f"{len(run.results)} cells, {len(good)} ended well, {clean} without contention in prefill."
    yield "Medians; one thread unless said. (!) means contended."
    yield ""
    heads = ["model", "class", "variant", "bits/weight", "prompt", "prefill, tokens/s", "decode, tokens/s"]
    heads += ["prefill CPU, ms/token", "decode CPU, ms/token", "weights, MB", "cache, MB", "peak, MB", "clean"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * 3}{' ---: |' * 10}"]
    for one, told in good:
        cell = one.cell
        assert one.artifact is not None
        first = told.get("prefill-throughput")
        parts = [cell.subject.slug, str(cell.subject.architecture.architecture_class).removesuffix("ForCausalLM")]
        parts += [cell.variant, f"{one.artifact.bits_per_weight:.2f}", str(cell.prompt_tokens)]
        parts += [_shown(told.get("prefill-throughput")), _shown(told.get("decode-throughput"))]
        parts += [_shown(told.get(PREFILL_CPU)), _shown(told.get(DECODE_CPU))]
        parts += [_shown(told.get(name), 1e6) for name in ("weights-memory", "kv-cache-memory", "memory-footprint")]
        parts.append(f"{first.clean}/{first.count}" if first else "")
        lines.append(f"| {' | '.join(parts)} |")
    yield from lines
    yield ""
    failed = [one for one in run.results if one.status is not Status.OK]
    yield from (f"- {one.cell.subject.slug} {one.cell.variant}: {one.status.value}, {one.message}" for one in failed)
    yield ""


def _costs(good: Sequence[Row]) -> Iterator[str]:
    yield "## Cost model"
    yield ""
    yield "Fitted to CPU time; errors are those on models that the fit had not seen."
    yield ""
    yield "| variant | phase | models | median error | largest error | rates |"
    yield "| --- | --- | ---: | ---: | ---: | --- |"
    for (variant, phase), points in sorted(_points(good).items()):
        found = fit(points)
        if found is None:
            yield f"| {variant} | {phase} | {len({one.model for one in points})} | too few models | | |"
            continue
        worst = found.models[int(np.argmax(np.abs(found.errors)))]
        errors = f"{100 * found.median_error:.1f} % | {100 * found.largest_error:.1f} % ({worst})"
        yield f"| {variant} | {phase} | {len(found.models)} | {errors} | {_rates(found)} |"
    yield ""


def _points(good: Iterable[Row]) -> dict[tuple[str, str], list[Point]]:
    groups: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for one, told in good:
        for phase, metric in ((Phase.PREFILL, PREFILL_CPU), (Phase.DECODE, DECODE_CPU)):
            point = point_of(one, phase, told[metric]) if metric in told else None
            if point is not None:
                groups[one.cell.variant, phase.value].append(point)
    return groups


def _rates(found: Fit) -> str:
    words = []
    for kind, cost in found.costs.items():
        if cost <= 0:
            words.append(f"{kind}: none needed")
        elif kind == "layers":
            words.append(f"{cost * 1e6:.0f} µs per layer")
        else:
            unit = "GB/s" if kind.startswith(("bytes", "cache")) else "G operations/s"
            words.append(f"{kind}: {1 / cost / 1e9:.1f} {unit}")
    return "; ".join(words)


def _depth(good: Sequence[Row]) -> Iterator[str]:
    yield "## Does depth cost more than parameters in prefill?"
    yield ""
    for prompt in sorted({one.cell.prompt_tokens for one, _ in good}):
        rows = [row for row in good if row[0].cell.variant == "F16" and row[0].cell.prompt_tokens == prompt]
        rows = [row for row in rows if PREFILL_CPU in row[1]]
        if len(rows) < 4:
            continue
        time = [float(told[PREFILL_CPU].value) for _, told in rows]
        layers = [float(one.cell.subject.architecture.num_layers or 0) for one, _ in rows]
        parameters = [float(one.artifact.parameters) for one, _ in rows if one.artifact]
        each = [spent / size for spent, size in zip(time, parameters, strict=True)]
        yield (
            f"- F16, prompt {prompt}, {len(rows)} models: rank correlation of CPU time per token with parameters "
            f"{_spearman(time, parameters)}, with layers {_spearman(time, layers)}; of time per parameter with "
            f"layers {_spearman(each, layers)}."
        )
    yield ""


def _quantisation(good: Sequence[Row]) -> Iterator[str]:
    yield "## Does quantisation help decode more than prefill?"
    yield ""
    yield "| variant over F16 | prompt | models | prefill: median speed-up | decode | decode gains more in |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    by_key = {(one.cell.subject.slug, one.cell.variant, one.cell.prompt_tokens): told for one, told in good}
    variants = sorted({one.cell.variant for one, _ in good} - {"F16"})
    for variant in variants:
        for prompt in sorted({one.cell.prompt_tokens for one, _ in good}):
            pairs = [
                (by_key[slug, "F16", prompt], told)
                for (slug, name, length), told in by_key.items()
                if name == variant and length == prompt and (slug, "F16", prompt) in by_key
            ]
            prefill = _ratios(pairs, PREFILL_CPU)
            decode = _ratios(pairs, DECODE_CPU)
            if not prefill or len(prefill) != len(decode):
                continue
            more = sum(one < other for one, other in zip(prefill, decode, strict=True))
            medians = f"{statistics.median(prefill):.2f} | {statistics.median(decode):.2f}"
            yield f"| {variant} | {prompt} | {len(prefill)} | {medians} | {more} of {len(prefill)} |"
    yield ""


def _cache(good: Sequence[Row]) -> Iterator[str]:
    yield "## What share of memory is the cache, by kind of attention?"
    yield ""
    yield f"Cache over cache and Q4_K_M weights after {LONG} tokens (or a shorter context), by formula and file size."
    yield ""
    yield "| attention | models | share: lowest | median | highest |"
    yield "| --- | --- | ---: | ---: | ---: |"
    shares: dict[str, dict[str, float]] = defaultdict(dict)
    for one, _ in good:
        if one.cell.variant == "Q4_K_M" and one.artifact is not None:
            shape = one.cell.subject.architecture
            held = kv_cache_bytes(shape, min(LONG, shape.max_context_length or LONG))
            shares[str(shape.attention_type)][one.cell.subject.slug] = held / (held + one.artifact.size)
    for kind, found in sorted(shares.items()):
        values = sorted(found.values())
        numbers = " | ".join(f"{100 * value:.1f} %" for value in (values[0], statistics.median(values), values[-1]))
        yield f"| {kind} | {', '.join(sorted(found))} | {numbers} |"
    yield ""


def _ratios(pairs: Iterable[tuple[Told, Told]], metric: str) -> list[float]:
    both = [(plain[metric], small[metric]) for plain, small in pairs if metric in plain and metric in small]
    return [float(plain.value / small.value) for plain, small in both]


def _shown(figure: Figure | None, scale: float = 1.0) -> str:
    if figure is None:
        return ""
    return f"{float(figure.value) / scale:,.4g}{' (!)' if figure.contended else ''}"


def _spearman(one: Sequence[float], other: Sequence[float]) -> str:
    return shown(correlation(zip(one, other, strict=True)), 2)


if __name__ == "__main__":
    main(sys.argv[1])
