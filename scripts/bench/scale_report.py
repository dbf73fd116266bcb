"""Writes docs/scale.md and its curves from the record of `scale.py`. Draws with nothing but text."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 220, 20, 50
_WANTED = 10**9
"""Quads that the plan is for."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#555555")
"""Told apart by people who see fewer colours (Okabe and Ito)."""
_TABLES: dict[str, tuple[str, ...]] = {
    "Bringing it in": (
        "load, s",
        "optimise, s",
        "commit of the whole graph, s",
        "validate, s",
        "projection, s",
        "text, MB",
        "store on disk, MB",
        "projection on disk, MB",
    ),
    "One change": (
        "open a revision, ms",
        "copy a revision, ms",
        "open it to write, one quad, flush, ms",
        "commit of one quad about a model, s",
        "commit of one quad of nobody knows what, s",
        "a revision of one quad on disk, MB",
        "propose, ms",
        "review, ms",
        "record, ms",
    ),
    "The service": (
        "start, s",
        "memory after the start, MB",
        "memory after the pages, MB",
        "memory after the questions, MB",
        "memory at the end, MB",
    ),
}
_CURVES: dict[str, tuple[str, tuple[str, ...]]] = {
    "write": (
        "Seconds",
        (
            "load, s",
            "commit of the whole graph, s",
            "validate, s",
            "projection, s",
            "commit of one quad about a model, s",
        ),
    ),
    "read": (
        "Milliseconds",
        ("first page, later", "models, later", "compare, later", "questions, median", "questions, slowest"),
    ),
    "size": ("Megabytes", ("store on disk, MB", "memory after the start, MB", "memory at the end, MB")),
}
_TITLES = {
    "write": "Time to bring a graph in, and to change it",
    "read": "Time of an answer",
    "size": "Disk and memory",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One size: how many quads it has, its numbers by name, and what was stopped at which bound."""

    quads: int
    numbers: Mapping[str, float]
    stopped: Mapping[str, str]
    pages: Mapping[str, Mapping[str, Any]]
    questions: Mapping[str, Mapping[str, Any]]


def write(record: Path, docs: Path) -> None:
    """Write the page and its pictures."""
    lines = [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
    found = measured(lines)
    folder = docs / "scale"
    folder.mkdir(exist_ok=True)
    for name, (unit, series) in _CURVES.items():
        (folder / f"{name}.svg").write_text(curve(_TITLES[name], unit, series, found), encoding="utf-8")
    (docs / "scale.md").write_text(page(lines, found), encoding="utf-8")


def measured(lines: Iterable[Line]) -> list[Measured]:
    """The sizes of a record, the smallest first; the last measurement of each phase counts."""
    by_size: dict[int, dict[str, Line]] = {}
    for line in lines:
        if line["kind"] == "phase":
            by_size.setdefault(line["quads"], {})[line["phase"]] = line
    return [_one(quads, phases) for quads, phases in sorted(by_size.items())]


def _one(quads: int, phases: Mapping[str, Line]) -> Measured:
    numbers: dict[str, float] = {}
    for line in phases.values():
        numbers |= {name: value for name, value in line.items() if name.endswith((", s", ", ms", ", MB"))}
    serve = phases.get("serve", {})
    numbers |= {name: value for name, value in serve.get("change", {}).items() if name.endswith(", ms")}
    pages, questions = serve.get("pages", {}), serve.get("questions", {})
    for name, told in pages.items():
        if "later, ms" in told:
            numbers[f"{name}, later"] = told["later, ms"]
    times = [told["ms"] for told in questions.values() if "status" not in told]
    if times:
        numbers |= {"questions, median": statistics.median(times), "questions, slowest": max(times)}
    stopped = {phase: line["stopped"] for phase, line in phases.items() if "stopped" in line}
    return Measured(quads, numbers, stopped, pages, questions)


# ---- the page ----


def page(lines: Sequence[Line], found: Sequence[Measured]) -> str:
    """The page."""
    begin = next(line for line in lines if line["kind"] == "begin")
    bounds = begin["bounds"]
    parts = [
        _INTRODUCTION,
        f"{begin['date'][:10]}, version {begin['version']}, {begin['engine']}: {begin['machine']}, "
        f"{begin['memory'] / 1000:.0f} GB. A phase was ended beyond {bounds['seconds']:g} s, "
        f"{bounds['memory'] / 1000:g} GB of memory, or with less than {bounds['free'] / 1000:g} GB left on the disk.\n",
    ]
    for title, names in _TABLES.items():
        parts += [f"## {title}\n", _table(names, found)]
        picture = {"Bringing it in": "write", "The service": "size"}.get(title)
        if picture is not None:
            parts.append(f"![{_TITLES[picture]}](scale/{picture}.svg)\n")
    parts += ["## Pages\n", _PAGES, _page_table(found), f"![{_TITLES['read']}](scale/read.svg)\n"]
    parts += ["## Example questions\n", _QUESTIONS, _question_table(found)]
    ended = [
        f"- {one.quads:,} quads, {phase}: {why.splitlines()[0]}" for one in found for phase, why in one.stopped.items()
    ]
    parts += ["## What met a bound\n", "\n".join(ended or ["Nothing."]) + "\n", _growth(found), _PLAN]
    return "\n".join(parts)


def _table(names: Sequence[str], found: Sequence[Measured]) -> str:
    rows = [[name, *(_shown(one.numbers.get(name)) for one in found)] for name in names]
    return _markdown(["what", *(f"{one.quads:,} quads" for one in found)], rows)


def _page_table(found: Sequence[Measured]) -> str:
    names = list(dict.fromkeys(name for one in found for name in one.pages))
    rows = []
    for name in names:
        cells = []
        for one in found:
            told = one.pages.get(name)
            if told is None:
                cells.append("")
            elif "status" in told["first"]:
                cells.append(f"status {told['first']['status'] or 'none'}")
            else:
                cells.append(f"{_shown(told['first']['ms'])} / {_shown(told.get('later, ms'))}")
        rows.append([name, *cells])
    return _markdown(["page, ms: first / later", *(f"{one.quads:,} quads" for one in found)], rows)


def _question_table(found: Sequence[Measured]) -> str:
    names = sorted({name for one in found for name in one.questions})
    rows = [[name, *(_answered(one.questions.get(name)) for one in found)] for name in names]
    return _markdown(["question, ms", *(f"{one.quads:,} quads" for one in found)], rows)


def _answered(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return ""
    return f"status {told['status'] or 'none'}" if "status" in told else _shown(told["ms"])


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.3f}"


def _growth(found: Sequence[Measured]) -> str:
    """By which power of the number of quads each quantity grew between the two largest sizes that it is known for."""
    if len(found) < 2:
        return ""
    rows = []
    for name in dict.fromkeys(name for names in _TABLES.values() for name in names):
        ends = [(one.quads, one.numbers[name]) for one in found if one.numbers.get(name, 0) > 0]
        if len(ends) > 1:
            (small, low), (large, high) = ends[-2:]
            power = math.log(high / low) / math.log(large / small)
            rows.append([name, f"{power:.2f}", f"{small:,} to {large:,}", _in_round(high * (_WANTED / large) ** power)])
    return f"## How it grows\n\n{_POWERS}\n{_markdown(['what', 'power', 'quads', 'at 1 G, if it goes on so'], rows)}"


def _in_round(value: float) -> str:
    """One digit that counts: what is only carried on is no better known."""
    power = math.floor(math.log10(value))
    return f"{round(value / 10**power) * 10**power:,.0f}" if power >= 0 else f"{value:.1g}"


# ---- curves ----


def curve(title: str, unit: str, names: Sequence[str], found: Sequence[Measured]) -> str:
    """Lines over the number of quads, both axes logarithmic, as SVG that needs nothing else."""
    series = {name: [(one.quads, one.numbers[name]) for one in found if one.numbers.get(name, 0) > 0] for name in names}
    points = [point for values in series.values() for point in values]
    if not points:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>\n'
    across = (math.floor(math.log10(min(x for x, _ in points))), math.ceil(math.log10(max(x for x, _ in points))))
    up = (math.floor(math.log10(min(y for _, y in points))), math.ceil(math.log10(max(y for _, y in points))))
    across, up = ((low, max(high, low + 1)) for low, high in (across, up))

    def place(x: float, y: float) -> tuple[float, float]:
        inner = (_WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
        return (
            round(_LEFT + inner[0] * (math.log10(x) - across[0]) / (across[1] - across[0]), 1),
            round(_HEIGHT - _BOTTOM - inner[1] * (math.log10(y) - up[0]) / (up[1] - up[0]), 1),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(across[0], across[1] + 1):
        x, _ = place(10**power, 10 ** up[0])
        parts.append(f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{_HEIGHT - _BOTTOM}" stroke="#dddddd"/>')
        parts.append(f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{_power(power)}</text>')
    for power in range(up[0], up[1] + 1):
        _, y = place(10 ** across[0], 10**power)
        parts.append(f'<line x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}" stroke="#dddddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{_power(power)}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 10}" text-anchor="middle">quads</text>')
    parts.append(f'<text x="12" y="{_TOP - 6}">{escape(unit)}</text>')
    for number, (name, values) in enumerate(series.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [place(x, y) for x, y in values]
        if places:
            drawn = " ".join(f"{x},{y}" for x, y in places)
            parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
        y = _TOP + 14 + 20 * number
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 16}" y="{y - 9}" width="12" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 34}" y="{y}">{escape(name[:34])}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _power(power: int) -> str:
    return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"


_INTRODUCTION = """# Scale

<!-- Written by scripts/bench/scale.py from its record. Do not edit. -->

What grows how. The graphs are the shipped one with all that is said of its models once more under new names, and
once more (`scripts/bench/multiply.py`): they keep to the schema, each conforms to the shapes, and comparisons show
all models. The copies tie with one another, and compress better on disk than different models would. Each phase ran
in a process of its own. The service had 10 s for a query, as it comes, and 4 GB of memory for each.

<!-- example: not run, takes minutes -->
```console
$ .venv/bin/python scripts/bench/scale.py --out scale.jsonl
$ .venv/bin/python scripts/bench/scale.py report scale.jsonl
```
"""
_PAGES = """\
Milliseconds of the first request after the start, and the median of the next five, asked one after another on the
loopback. The first ones read what later ones find in memory.
"""
_QUESTIONS = """\
Each of the [example questions](reference/questions.md), asked once over HTTP, none of them from the cache. Up to two
million quads a revision is held in memory, beyond that it is read from disk. "Status 503" was stopped at its limit.
"""
_POWERS = """\
1 means that it grows as the graph does, 0 that it does not grow. What is above 1 is named first when something
becomes too slow. The last column carries the power on to a thousand million quads. It was not measured: it says which
steps one machine could still do.
"""
_PLAN = """## A plan for a thousand million triples

What follows is reasoned and was not tried. It rests on the numbers above, on the limits of one machine, and on the
parts of slmkg that do not know which engine holds the graph.

**What one machine can do.** Copying a revision is a matter of hard links and stays quick; loading, checking the
whole graph and building the projection grow with the graph. Look at the last column above: where it is longer than a
night (40,000 s), or more than the machine's memory, one machine is too small for that step.

**The graph on an engine of several machines.** `SLMKG_STORE_URL` already puts the graph into any SPARQL 1.1 engine
([how-to](how-to/use-a-bigger-engine.md)), and the tests run the whole service on Virtuoso 7 of one machine. Its
makers report that its cluster edition was loaded with 50 and 150 thousand million triples and asked by many at once
([LOD2 deliverable D2.1.4,
2013](https://virtuoso.openlinksw.com/whitepapers/150_Billion_Triple_dataset_hosted_on_the_LOD2_Knowledge_Store_Cluster.html)),
50 and more times what is wanted here. That was not measured by us, and the cluster edition was not tried. Partition
by named graph: a source and a run have a graph each, claims and observations stand in the graph of their source, so
nearly every write goes to one partition, and a curated value to one more. Keep `graph/curated`, `graph/decisions`
and `graph/inferred` on every machine: they are the small part that every comparison reads.

**Bulk loading** goes past the service: N-Quads written by `slmkg load` for each source, loaded by the engine's own
loader in parallel, and then one revision that names them. A commit of the whole graph as one change, as `slmkg
load` makes it now, holds all of it in memory several times and ends long before.

**Checking** must not look at everything any more. What a change touches is checked in any case; the whole is
checked by partition, at night, with the same set queries, whose rows name the graph where a fault stands.

**Comparisons** do not ask the engine: they read the projection, which has a row for each observation and each
curated value, not for each triple. It is columns on disk, and is made anew for the models that a change touches.
Beyond what one machine holds in memory, its tables go by model into several files, which polars scans without
reading them whole.

**Reading** scales by copies: any number of services that only read (`SLMKG_READ_ONLY`), and immutable revisions as
files behind a content delivery network (`slmkg export-site`). Writing stays one at a time. That is on purpose:
curation is done by people, and a change takes seconds.

**History** is the part to give up first. Every revision as a folder of its own needs the engine in a folder; at an
external engine slmkg keeps the data of the newest revisions and the patches of all of them.
"""
