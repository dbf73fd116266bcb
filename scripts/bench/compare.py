"""Measures comparisons in one run on the same data: columns against SPARQL, on the embedded engine and on Virtuoso.

    python scripts/bench/compare.py --quads 100000 1000000

Six questions: a matrix of 50 models by 20 properties, a filter, a top-k, an aggregate per attention type, a Pareto
front, and facets with counts. The columns answer through `/api/v1` in this process, with all that an answer carries
(status, sources, claims of each cell); the SPARQL queries give bare values. The matrix is asked once more in SPARQL
with what the answer carries: the claims behind each cell, their status and source. What columns keep from one question
to the next about metrics is thrown away before each question. Medians count; ratios say more than times where other
programs use the machine.
"""

# ruff: noqa: E402 - the path is put right before anything else
from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import asyncio
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection

from starlette.types import ASGIApp, Message, Scope

from app import vocab
from app.compare.projection.view import View
from app.compare.properties import DEFAULT
from app.services import Services
from app.settings import Settings
from app.store.port import Query
from app.web.application import create_app
from app.wiring import build
from scripts.bench import servers
from scripts.bench.copies import write_copies

QUESTIONS = ("matrix", "matrix with claims", "filter", "top-k", "aggregate", "pareto", "facets")
_PATIENCE = 20.0
"""Seconds after which a query of another engine counts as not answered."""
_PREFIXES = (
    f"PREFIX slm: <{vocab.slm.NS}> PREFIX sosa: <{vocab.sosa.NS}> PREFIX rdf: <{vocab.rdf.NS}> "
    f"PREFIX prov: <{vocab.prov.NS}> PREFIX attn: <{vocab.BASE}vocab/attention/> "
    f"PREFIX norm: <{vocab.BASE}vocab/normalisation/> PREFIX metric: <{vocab.BASE}resource/metric/> "
    f"PREFIX bench: <{vocab.BASE}resource/benchmark/> PREFIX graph: <{vocab.BASE}graph/> "
)
_SCORED = (
    "?o slm:ofModel ?m ; sosa:observedProperty metric:accuracy ; sosa:usedProcedure ?p ; sosa:hasSimpleResult ?score . "
    "?p slm:onBenchmark bench:{benchmark} ; slm:numShots 5 . "
)
_BENCHMARKS = ("mmlu", "hellaswag", "piqa", "winogrande", "arc-challenge")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, as an address of ours and in SPARQL."""

    address: str
    sparql: str


def questions(view: View, kind: str, count: int) -> list[Asked]:
    """So many questions of a kind, all different where the kind allows it."""
    chance = random.Random(kind)
    return [_question(view, kind, chance) for _ in range(count)]


def _question(view: View, kind: str, chance: random.Random) -> Asked:
    benchmark = chance.choice(_BENCHMARKS)
    scored = _SCORED.replace("{benchmark}", benchmark)
    column = f"accuracy(benchmark={benchmark};shots=5)"
    if kind in {"matrix", "matrix with claims"}:
        return _matrix(view, chance, with_claims=kind != "matrix")
    if kind == "filter":
        least = chance.randrange(30_000, 60_000)
        return Asked(
            f"/api/v1/compare?where=attentionType:GQA,normalisation:RMSNorm,vocabularySize:{least}.."
            "&properties=numLayers,vocabularySize&limit=50",
            "SELECT ?m ?layers ?v WHERE { ?m slm:hasArchitecture ?a . ?a slm:attentionType attn:GQA ; "
            f"slm:normalisation norm:RMSNorm ; slm:numLayers ?layers ; slm:vocabularySize ?v . "
            f"FILTER(?v >= {least}) }} ORDER BY ?m LIMIT 50",
        )
    if kind == "top-k":
        most = 0.6 + chance.random() / 10
        return Asked(
            f"/api/v1/compare?where={column}:..{most:.6f}&properties={column}&sort=-{column}&limit=10",
            f"SELECT ?m ?score WHERE {{ {scored} FILTER(?score <= {most:.6f}) }} ORDER BY DESC(?score) LIMIT 10",
        )
    if kind == "aggregate":
        least = chance.randrange(10**8, 10**9)
        return Asked(
            f"/api/v1/compare?where=computedParameterCount:{least}..&group=attentionType&properties={column}&limit=1",
            "SELECT ?type (COUNT(?score) AS ?n) (MIN(?score) AS ?least) (AVG(?score) AS ?mean) (MAX(?score) AS ?most) "
            f"WHERE {{ {scored} ?m slm:computedParameterCount ?n0 ; slm:hasArchitecture ?a . FILTER(?n0 >= {least}) "
            "?a slm:attentionType ?type } GROUP BY ?type",
        )
    if kind == "pareto":
        rival = scored.replace("?o ", "?o2 ").replace("?m ", "?m2 ").replace("?p ", "?p2 ").replace("?score", "?score2")
        return Asked(
            f"/api/v1/pareto?x=computedParameterCount&y={column}&where=computedParameterCount:{chance.randrange(10**8)}..",
            f"SELECT ?m ?n ?score WHERE {{ {scored} ?m slm:computedParameterCount ?n . FILTER NOT EXISTS {{ {rival} "
            "?m2 slm:computedParameterCount ?n2 . FILTER(?n2 <= ?n && ?score2 >= ?score && (?n2 < ?n || "
            "?score2 > ?score)) } }",
        )
    least = chance.randrange(10**8, 10**9)
    named = ("attentionType", "ffnType", "normalisation", "activation")
    parts = " UNION ".join(
        f"{{ SELECT (slm:{name} AS ?facet) ?value (COUNT(?m) AS ?n) WHERE {{ ?m slm:computedParameterCount ?c ; "
        f"slm:hasArchitecture ?a . ?a slm:{name} ?value . FILTER(?c >= {least}) }} GROUP BY ?value }}"
        for name in named
    )
    return Asked(
        f"/api/v1/facets?where=computedParameterCount:{least}..&properties={','.join(named)}",
        f"SELECT ?facet ?value ?n WHERE {{ {parts} }}",
    )


def _matrix(view: View, chance: random.Random, *, with_claims: bool) -> Asked:
    chosen = sorted(chance.sample(range(len(view.slugs)), 50))
    names = [*DEFAULT, "architectureClass", "maker"][:20]
    subjects = " ".join(
        f"<{row['iri']}> <{row['architecture']}>"
        for row in view.models.select("iri", "architecture")[chosen].iter_rows(named=True)
    )
    terms = [f"slm:{name}" for name in names]
    values = f"SELECT ?s ?p ?o WHERE {{ VALUES ?s {{ {subjects} }} ?s ?p ?o FILTER(?p IN ({', '.join(terms)})) }}"
    claims = (
        f"SELECT ?s ?p ?o ?status ?source ?accepted WHERE {{ VALUES ?s {{ {subjects} }} "
        "?claim rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; slm:status ?status ; prov:wasDerivedFrom ?source "
        f"FILTER(?p IN ({', '.join(terms)})) OPTIONAL {{ ?s ?p ?accepted }} }}"
    )
    return Asked(
        f"/api/v1/compare?models={','.join(view.slugs[place] for place in chosen)}&properties={','.join(names)}",
        claims if with_claims else values,
    )


def main() -> int:
    """Measure, print, and write a page where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quads", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=30, help="questions of a kind")
    parser.add_argument("--folder", type=Path, help="folder of data to use again, made when missing")
    parser.add_argument("--no-virtuoso", action="store_true")
    options = parser.parse_args()
    print(f"# {servers.machine()}", flush=True)
    for quads in options.quads:
        with tempfile.TemporaryDirectory(prefix="slmkg-bench-") as made:
            folder = (options.folder or Path(made)) / str(quads)
            if not (folder / "store" / "HEAD").exists():
                folder.mkdir(parents=True, exist_ok=True)
                write_copies(folder, quads)
            _measure(folder, options.rounds, with_virtuoso=not options.no_virtuoso)
    return 0


def _measure(folder: Path, rounds: int, *, with_virtuoso: bool) -> None:
    services = build(Settings(data_dir=folder, max_page=1000))
    head = services.store.head()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.perf_counter()
    services.projections.build(head.number)
    built = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    view = services.view(head.number)
    print(f"\n## {head.quads:,} quads, {len(view.slugs):,} models, {view.observations.height:,} observations\n")
    print(f"projection built in {built:.1f} s; peak memory {peak / 1e6:.2f} GB ({before / 1e6:.2f} before)\n")
    print(
        "| question | columns, p50 ms | p95 ms | processor ms "
        "| embedded engine, p50 ms | ratio | Virtuoso, p50 ms | ratio |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    with ExitStack() as stack:
        virtuoso = None
        if with_virtuoso:
            try:
                virtuoso = stack.enter_context(servers.virtuoso(folder))
            except LookupError as error:
                print(f"<!-- {error} -->")
        for kind in QUESTIONS:
            asked = questions(view, kind, rounds)
            own, work = _through_api(services, view, [one.address for one in asked])
            few = asked[: max(3, rounds // 6)]
            embedded = _embedded(folder, [one.sparql for one in few])
            other = _timed(lambda text: _http(virtuoso, text), [one.sparql for one in few]) if virtuoso else None
            print(_line(kind, own, work, embedded, other), flush=True)


def _through_api(services: Services, view: View, addresses: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each answer from the request to its last byte, and of processor time in them; no network."""

    async def ask() -> tuple[list[float], list[float]]:
        app = create_app(services)
        times: list[float] = []
        work: list[float] = []
        for number, address in enumerate([*addresses[:3], *addresses]):
            for key in [key for key in view.kept if key[0] == "measure"]:
                del view.kept[key]
            begun, worked = time.perf_counter(), time.process_time()
            status = await _status(app, address)
            spent = (time.perf_counter() - begun) * 1e3
            busy = (time.process_time() - worked) * 1e3
            if status != 200:
                raise RuntimeError(f"{status} at {address}")
            if number >= 3:
                times.append(spent)
                work.append(busy)
        return times, work

    return asyncio.run(ask())


async def _status(app: ASGIApp, address: str) -> int:
    """The status of an answer that was taken to its end."""
    path, _, query = address.partition("?")
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"bench")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "root_path": "",
    }
    told: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(3600)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)

    await app(scope, receive, send)
    return int(told[0]["status"])


def _embedded(folder: Path, texts: list[str]) -> list[float] | None:
    """Milliseconds of each query in a process of its own, which can be killed: the engine cannot be stopped."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_asking, args=(str(folder), texts, there), daemon=True)
    process.start()
    times: list[float] = []
    try:
        for number, _ in enumerate([texts[0], *texts]):
            if not here.poll(_PATIENCE + (20 if number == 0 else 0)):
                return None
            times.append(here.recv())
    finally:
        process.kill()
        process.join()
    return times[1:]


def _asking(folder: str, texts: list[str], answers: Connection) -> None:
    snapshot = build(Settings(data_dir=Path(folder))).store.at()
    for text in [texts[0], *texts]:
        begun = time.perf_counter()
        snapshot.query(Query(_PREFIXES + text)).serialize("application/sparql-results+json")
        answers.send((time.perf_counter() - begun) * 1e3)


def _http(endpoint: str, text: str) -> None:
    parameters = {"query": _PREFIXES + text, "format": "application/sparql-results+json"}
    with urllib.request.urlopen(endpoint + urllib.parse.urlencode(parameters), timeout=_PATIENCE) as response:
        response.read()


def _timed(run: Callable[[str], None], texts: list[str]) -> list[float] | None:
    """Milliseconds of each query; None when one fails or takes too long."""
    times = []
    for text in _warmed(texts):
        begun = time.perf_counter()
        try:
            run(text)
        except (urllib.error.URLError, TimeoutError, RuntimeError) as error:
            print(f"<!-- {type(error).__name__}: {error} -->")
            return None
        times.append((time.perf_counter() - begun) * 1e3)
        if times[-1] > _PATIENCE * 1e3:
            return times[-1:]
    return times[1:] or times


def _warmed(texts: list[str]) -> Iterator[str]:
    yield texts[0]
    yield from texts


def _line(kind: str, own: list[float], work: list[float], *others: list[float] | None) -> str:
    middle = statistics.median(own)
    late = sorted(own)[int(len(own) * 0.95)]
    cells = [kind, f"{middle:.2f}", f"{late:.2f}", f"{statistics.median(work):.2f}"]
    for times in others:
        cells += (
            [f"{statistics.median(times):.1f}", f"{statistics.median(times) / middle:.1f}"] if times else ["-", "-"]
        )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
