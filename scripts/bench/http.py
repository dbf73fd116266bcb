"""Measures SPARQL servers side by side in one run, on the same generated data: requests a second, p50 and p99.

    python scripts/bench/http.py --quads 1000000 --seconds 4 --rounds 3 --markdown docs/benchmarks.md

This service without and with its cache of answers, rdflib-endpoint, Oxigraph's own server, and Virtuoso where it is
installed. All servers run, one is asked at a time, in turns; medians of the rounds count. Prints a table and the
ratios, which say more than the rates where other programs use the machine.
"""

# ruff: noqa: E402 - this file has the name of a standard module, so the path is put right before anything else
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from scripts.bench import servers
from scripts.bench.data import KINDS, Data, paths, write_revision
from scripts.bench.load import Load, put

CLIENTS = (1, 8, 32)
UNCACHED, CACHED = "slmkg, uncached", "slmkg, cached"
RDFLIB, OXIGRAPH, VIRTUOSO = "rdflib-endpoint", "Oxigraph server", "Virtuoso 7"
_MANY, _FEW = 3000, 20
"""Different queries of a kind: more than a run asks twice, and few enough to be all in the cache."""
Results = dict[tuple[str, str, int], list[Load]]
Server = Callable[[Path], AbstractContextManager[str]]

TARGETS = (
    (UNCACHED, "point", RDFLIB, 8.0),
    (UNCACHED, "point", OXIGRAPH, 0.35),
    (CACHED, "point", OXIGRAPH, 0.65),
    *((UNCACHED, kind, RDFLIB, 8.0) for kind in ("filter", "top-k", "matrix")),
    *((UNCACHED, kind, OXIGRAPH, 1.0) for kind in ("filter", "top-k", "matrix")),
)
"""Who must do how many times as much as whom, at eight clients."""


def chosen(only: list[str]) -> dict[str, Server]:
    """The servers to measure."""
    everybody: dict[str, Server] = {
        UNCACHED: partial(servers.this_service, answer_cache_bytes="0"),
        CACHED: servers.this_service,
        OXIGRAPH: servers.oxigraph,
        RDFLIB: servers.rdflib_endpoint,
        VIRTUOSO: servers.virtuoso,
    }
    return {name: server for name, server in everybody.items() if not only or any(word in name for word in only)}


def measure(addresses: dict[str, str], data: Data, options: argparse.Namespace) -> Results:
    """Everything, in turn: whatever else the machine does at a time slows all servers alike."""
    found: Results = {}
    for kind in options.kinds:
        asked = {
            name: paths(data.queries(kind, _FEW if name == CACHED else _MANY), "/" + base.split("/", 3)[3])
            for name, base in addresses.items()
        }
        for name, base in addresses.items():
            put(base, asked[name], clients=2, seconds=1)
        for clients in options.clients:
            for turn in range(options.rounds):
                for name, base in addresses.items():
                    load = put(base, asked[name], clients=clients, seconds=options.seconds, start=997 * turn)
                    found.setdefault((name, kind, clients), []).append(load)
            for name in addresses:
                print(_line(name, kind, clients, found[name, kind, clients]), flush=True)
    return found


def _line(name: str, kind: str, clients: int, loads: list[Load]) -> str:
    rates = ", ".join(f"{load.rate:.0f}" for load in loads)
    wrong = sum(load.wrong for load in loads)
    return (
        f"  {name:18} {kind:13} {clients:3} clients: {rates} /s, p50 {_median(loads, 'p50'):.2f} ms, "
        f"p99 {_median(loads, 'p99'):.2f} ms, client {max(load.client_share for load in loads):.0%} of a core"
        + f", {wrong} WRONG"
        * (wrong > 0)
    )


def table(results: Results, options: argparse.Namespace) -> str:
    """All medians as Markdown: requests a second, p50 and p99 in milliseconds."""
    columns = [(kind, clients) for kind in options.kinds for clients in options.clients]
    names = list(dict.fromkeys(name for name, _, _ in results))
    lines = ["| query, clients | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for kind, clients in columns:
        cells = []
        for name in names:
            loads = results.get((name, kind, clients))
            cells.append(
                f"{_median(loads, 'rate'):.0f}/s, {_median(loads, 'p50'):.1f} / {_median(loads, 'p99'):.1f}"
                if loads
                else "-"
            )
        lines.append(f"| {kind}, {clients} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(results: Results) -> str:
    """The targets at eight clients, and what was reached."""
    lines = ["| at 8 clients | ratio | target |", "| --- | --- | --- |"]
    for one, kind, other, target in TARGETS:
        mine, theirs = results.get((one, kind, 8)), results.get((other, kind, 8))
        if mine and theirs:
            ratio = _median(mine, "rate") / _median(theirs, "rate")
            lines.append(f"| {kind}: {one} to {other} | {ratio:.2f} | {target:g} |")
    return "\n".join(lines)


def _median(loads: list[Load], field: str) -> float:
    return float(statistics.median(getattr(load, field) for load in loads))


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quads", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=3, help="seconds of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS))
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--only", nargs="+", default=[], help="parts of the names of servers")
    parser.add_argument("--markdown", type=Path, help="file to append the tables to")
    options = parser.parse_args()
    data = Data.of(options.quads)
    with tempfile.TemporaryDirectory(prefix="slmkg-bench-") as name:
        folder = Path(name)
        write_revision(data, folder)
        print(f"{data.quads} quads, {servers.machine()}", flush=True)
        with ExitStack() as running:
            addresses: dict[str, str] = {}
            for title, server in chosen(options.only).items():
                try:
                    addresses[title] = running.enter_context(server(folder))
                except LookupError as error:
                    print(f"  {title}: left out, {error}", flush=True)
            results = measure(addresses, data, options)
    report = (
        f"{data.quads:,} generated quads, {servers.machine()}; medians of {options.rounds} rounds of "
        f"{options.seconds:g} s; a cell is requests a second, p50 / p99 in ms.\n\n{table(results, options)}\n\n"
        f"{ratios(results)}\n"
    )
    print("\n" + report)
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as output:
            output.write("\n" + report)


if __name__ == "__main__":
    main()
