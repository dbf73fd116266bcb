"""What the record of a campaign says: was anything lost, did anything fail or grow, how fast was it. And its page.

An answer is an error when it has a status of 500 or more or none at all, unless

    refused     503 with Retry-After: the service said when to come back; counted apart
    in a kill   the request overlaps a time in which the service was down because the campaign had killed it
    a reader's  503, and a reader was killed while the request lasted

A refusal of 400 or more is an error too: all that the campaign sends is meant to be right; only 404, 409 and 412 for
something that a lost answer had changed are not, and these happen in campaigns with kills only.

Growth is judged on the longest life of the service, after its first third: the median of all slopes between two samples
(Theil and Sen), in what is held and per minute. Lives of less than ten minutes say nothing, and are not judged. The
graph itself grows in a campaign, and readers hold revisions of it in memory: that much is allowed them on top.
"""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.load.record import Line, read

GROWTH = {"rss": 2.0, "handles": 0.5, "threads": 0.25, "children": 0.1, "children_pss": 2.0}
"""What may be added each minute: megabytes, handles, threads, processes."""
QUAD = 450e-6
"""Megabytes of a quad in the memory of readers: the seed's 171,236, copied as they do it, took 449 bytes each."""
QUAD_IN_FRONT = 1300e-6
"""Megabytes of a quad in the front: started anew on the 207,490 quads that a campaign left, and asked for 170 pages, it
held 47.2 MB more than on the seed's 171,236. 200 commits of a quad each added nothing."""
JUDGED_FROM = 600.0
"""Seconds of one life from which on growth is judged."""
WORDS = {
    "rss": "memory of the front, MB",
    "handles": "its open handles",
    "threads": "its threads",
    "children": "processes below it",
    "children_pss": "their memory, MB",
}
_MARGIN = 0.5
"""Seconds around a kill in which a connection may fail."""
_LEAST = 20
_AFTER_A_KILL = frozenset({404, 409, 412})


@dataclass(frozen=True, slots=True)
class Growth:
    """What one quantity did: first and last sample, the largest, its slope per minute (None where not judged), and the
    largest slope that is right."""

    first: float
    last: float
    most: float
    slope: float | None
    bound: float


@dataclass(slots=True)
class Judgement:
    """What a record says."""

    begin: Line
    end: Line
    wrong: list[str] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    routes: dict[str, list[float]] = field(default_factory=dict)
    growth: dict[str, Growth] = field(default_factory=dict)
    life: float = 0.0
    ledger: dict[str, dict[str, int]] = field(default_factory=dict)
    kills: int = 0
    readers_killed: int = 0
    down: list[float] = field(default_factory=list)
    graph: Line = field(default_factory=dict)
    disk: list[float] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)


def judge(path: Path) -> Judgement:
    """Judge the record in a file."""
    return judged(read(path))


def judged(lines: Sequence[Line]) -> Judgement:
    """Judge a record."""
    by_kind: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        by_kind[line["kind"]].append(line)
    found = Judgement((by_kind["begin"] or [{}])[0], (by_kind["end"] or [{}])[-1])
    if not by_kind["end"]:
        found.wrong.append("the campaign did not come to its end")
    found.wrong += [line["text"] for line in by_kind["finding"]]
    downs = _downs(by_kind)
    found.kills = sum(line["how"] == "SIGKILL" for line in by_kind["down"])
    found.readers_killed = len(by_kind["killed"])
    found.down = [end - begin for begin, end in downs]
    _judge_requests(found, by_kind["request"], downs, [line["t"] for line in by_kind["killed"]])
    _judge_growth(found, by_kind["sample"], by_kind["up"], by_kind["down"])
    found.ledger = (by_kind["ledger"] or [{"counts": {}}])[-1]["counts"]
    found.graph = (by_kind["graph"] or [{}])[-1]
    found.disk = [line["disk"] for line in by_kind["sample"] if "disk" in line]
    found.revisions = [line["revisions"] for line in by_kind["sample"] if "revisions" in line]
    return found


def _downs(by_kind: dict[str, list[Line]]) -> list[tuple[float, float]]:
    """When the service was down because it had been killed."""
    ups = [line["t"] for line in by_kind["up"]]
    downs = [line["t"] for line in by_kind["down"] if line["how"] == "SIGKILL"]
    return [(down, min((up for up in ups if up > down), default=float("inf"))) for down in downs]


def _judge_requests(
    found: Judgement, requests: Iterable[Line], downs: Sequence[tuple[float, float]], readers: Sequence[float]
) -> None:
    for line in requests:
        begun, ended = line["t"], line["t"] + line["ms"] / 1000
        status = line["status"]
        killed = any(begun < up + _MARGIN and ended > down - _MARGIN for down, up in downs)
        if 200 <= status < 400:
            found.requests["304" if status == 304 else "answered"] += 1
            found.routes.setdefault(line["route"], []).append(line["ms"])
        elif status == 503 and line.get("retry_after") is not None:
            found.requests["refused for a while (503 with Retry-After)"] += 1
        elif status == 503 and any(begun - _MARGIN < moment < ended + _MARGIN for moment in readers):
            found.requests["stopped with its reader"] += 1
        elif killed and status in {0, 503}:
            found.requests["cut off by a kill of the service"] += 1
        elif downs and status in _AFTER_A_KILL:
            found.requests["refused, as a lost answer had changed it"] += 1
        else:
            found.requests["error"] += 1
            told = line.get("code") or line.get("error") or ""
            found.wrong.append(f"{line['role']}: {line['route']} gave {status or 'no answer'} {told} at {begun:.1f} s")


def _judge_growth(found: Judgement, samples: Sequence[Line], ups: Sequence[Line], downs: Sequence[Line]) -> None:
    lives = []
    for up in ups:
        end = min((down["t"] for down in downs if down["t"] > up["t"]), default=float("inf"))
        of_life = [one for one in samples if up["t"] <= one["t"] < end]
        if len(of_life) > 1:
            lives.append(of_life)
    if not lives:
        return
    longest = max(lives, key=lambda life: life[-1]["t"] - life[0]["t"])
    found.life = longest[-1]["t"] - longest[0]["t"]
    settled = longest[len(longest) // 3 :]
    judged_at_all = found.life >= JUDGED_FROM and len(settled) >= _LEAST
    for name, least in GROWTH.items():
        values = [float(one[name]) for one in settled]
        slope = _slope([one["t"] / 60 for one in settled], values) if judged_at_all else None
        bound = least + (_due_to_the_graph(settled).get(name, 0.0) if judged_at_all else 0.0)
        found.growth[name] = Growth(values[0], values[-1], max(values), slope, bound)
        if slope is not None and slope > bound:
            found.wrong.append(f"{WORDS[name]}: grows by {slope:.2f} a minute (bound: {bound:.3g})")


def _due_to_the_graph(samples: Sequence[Line]) -> dict[str, float]:
    """Megabytes a minute that the front needs because the graph grows, and readers as often as they hold it."""
    known = [one for one in samples if "quads" in one]
    if len(known) < _LEAST:
        return {}
    added = _slope([one["t"] / 60 for one in known], [one["quads"] for one in known])
    held = statistics.median(one["holders"] for one in known)
    return {"rss": QUAD_IN_FRONT * added, "children_pss": QUAD * held * added}


def _slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Median of the slopes between each two points."""
    pairs = combinations(range(len(times)), 2)
    return statistics.median((values[b] - values[a]) / (times[b] - times[a]) for a, b in pairs)


def quantile(values: Iterable[float], part: float) -> float:
    """The least value that so large a part of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


# ---- the page ----


def page(paths: Sequence[Path]) -> str:
    """The page about some campaigns."""
    parts = [_INTRODUCTION]
    parts += [_section(judge(path)) for path in paths]
    return "\n".join(parts)


def _section(found: Judgement) -> str:
    begin = found.begin
    seconds = float(begin.get("seconds", 0))
    kills = f", {begin.get('kills')} kills of the service" if begin.get("kills") else ""
    length = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
    lines = [
        f"## {length}{kills}",
        "",
        f"{str(begin.get('date', ''))[:10]}, version {begin.get('version')}, seed {begin.get('seed')}, pace "
        f"{begin.get('pace')}: {begin.get('machine')}. Load average {_number(begin.get('load_before'))} before, "
        f"{_number(found.end.get('load_after'))} at the end. Measuring worker: {begin.get('worker')}.",
        "",
        f"**{'Nothing was wrong.' if not found.wrong else f'{len(found.wrong)} finding(s).'}**",
        "",
        *[f"- {text}" for text in found.wrong[:50]],
        *([""] if found.wrong else []),
        "| requests | number |",
        "| --- | ---: |",
        *[f"| {name} | {number:,} |" for name, number in sorted(found.requests.items())],
        "",
    ]
    if found.kills:
        lines += [
            f"The service was killed {found.kills} times and was back after {quantile(found.down, 0.5):.1f} s (median; "
            f"at most {max(found.down):.1f} s); {found.readers_killed} times one of its readers was killed.",
            "",
        ]
    lines += _ledger_table(found)
    if found.graph:
        lines += [
            f"At the end: revision {found.graph['revision']:,}, {found.graph['quads']:,} quads, which "
            f"{'conform' if found.graph['conforms'] else 'do not conform'} to the shapes. On disk "
            + "; then ".join(
                f"{size:,.0f} MB with {number} revisions"
                for size, number in list(zip(found.disk, found.revisions, strict=False))[:: max(1, len(found.disk) - 1)]
            )
            + ".",
            "",
        ]
    lines += _growth_table(found)
    lines += _route_table(found)
    return "\n".join(lines)


def _ledger_table(found: Judgement) -> list[str]:
    if not found.ledger:
        return []
    columns = ("found", "unsure, whole", "unsure, not at all")
    return [
        "| accepted writes | found | answer lost: there whole | answer lost: not there |",
        "| --- | ---: | ---: | ---: |",
        *[
            f"| {what} | {' | '.join(str(counts.get(one, 0)) for one in columns)} |"
            for what, counts in sorted(found.ledger.items())
        ],
        "",
    ]


def _growth_table(found: Judgement) -> list[str]:
    if not found.growth:
        return []
    told = (
        "slopes are medians of all slopes between two samples"
        if found.life >= JUDGED_FROM
        else "too short to judge growth"
    )
    return [
        f"Longest life {found.life / 60:.1f} minutes, after its first third; {told}.",
        "",
        "| what | at first | at last | at most | each minute | bound |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *[
            f"| {WORDS[name]} | {one.first:g} | {one.last:g} | {one.most:g} | "
            f"{'not judged' if one.slope is None else f'{one.slope:+.2f}'} | {one.bound:.3g} |"
            for name, one in found.growth.items()
        ],
        "",
        f"The graph grows. Each quad more may take the front {QUAD_IN_FRONT * 1e6:,.0f} bytes, and readers "
        f"{QUAD * 1e6:,.0f} for each revision that they hold, as when started anew on the larger graph (measured).",
        "",
    ]


def _route_table(found: Judgement) -> list[str]:
    rows: list[tuple[str, list[float]]] = sorted(found.routes.items())
    everything = [one for _, values in rows for one in values]
    if not everything:
        return []
    cells: list[Any] = [("all", everything), *rows]
    return [
        "| route | answers | p50, ms | p95, ms | p99, ms | slowest, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *[
            f"| {f'`{name}`' if name != 'all' else '**all**'} | {len(values):,} | "
            + " | ".join(f"{quantile(values, part):,.1f}" for part in (0.5, 0.95, 0.99))
            + f" | {max(values):,.0f} |"
            for name, values in cells
        ],
        "",
    ]


def _number(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, int | float) else "unknown"


_INTRODUCTION = """# Under load

Mixed traffic on a service of its own, on the loopback of one machine, at bounded rates: four readers (pages, the
example questions by SPARQL, descriptions), two dashboards that send back entity tags, a curator who proposes,
reviews, commits and decides, an importer (tables and graphs over REST, runs of llama-bench by the command line
beside it), and somebody who has tiny models measured by a worker. Each accepted write is entered in a ledger; at
the end the data folder itself is looked through for each of them, in the graph and at the revision that was
answered. `tests/load` holds the campaign:

<!-- example: not run, takes minutes -->
```console
$ .venv/bin/python -m tests.load --minutes 20 --pace 0.5 --out load.jsonl
$ .venv/bin/python -m tests.load --minutes 20 --pace 0.5 --kills 10 --seed 2 --out kills.jsonl
$ .venv/bin/python -m tests.load report load.jsonl kills.jsonl > docs/load.md
```

A short campaign with kills, and proof that a lost write or an error would be noticed, are among the tests.
"""
