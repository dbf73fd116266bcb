"""Makes graphs of any size for measurements: models with properties, and observations of them; the same for a seed.

A model has 24 statements in its maker's graph and 40 observations of 12 statements each in graphs of submissions, so
that 504 quads come to a model. Names are this project's, values are random.
"""

from __future__ import annotations

import json
import random
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyoxigraph as ox

BASE = "https://w3id.org/slmkg/"
SLM = BASE + "ontology#"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
INTEGER = "http://www.w3.org/2001/XMLSchema#integer"
DECIMAL = "http://www.w3.org/2001/XMLSchema#decimal"
PER_MODEL = 504
PROPERTIES = [
    *("numLayers", "hiddenSize", "numHeads", "numKeyValueHeads", "vocabularySize", "ffnSize", "maxPositions"),
    *("headDimension", "ropeTheta", "parameterCount", "trainingTokens", "windowSize"),
]
CONCEPTS = {
    "attention": ["MHA", "GQA", "MQA", "MLA"],
    "normalisation": ["LayerNorm", "RMSNorm"],
    "activation": ["GELU", "SiLU", "ReLU"],
    "position": ["RoPE", "ALiBi", "Learned"],
}
STRINGS = ["architectureClass", "modelName", "tokenizerKind", "trainingNote", "codeRepository", "innovation"]
KINDS = ("point", "observations", "filter", "top-k", "matrix")
_OBSERVATIONS = 40
_BENCHMARKS = 20


@dataclass(frozen=True, slots=True)
class Data:
    """What a generated graph holds, as far as queries need to know."""

    quads: int
    models: int
    seed: int = 7

    @classmethod
    def of(cls, quads: int, seed: int = 7) -> Data:
        """About so many quads."""
        models = max(60, quads // PER_MODEL)
        return cls(models * PER_MODEL, models, seed)

    def n_quads(self) -> Iterator[str]:
        """The graph as lines of N-Quads."""
        chance = random.Random(self.seed)
        for number in range(self.models):
            yield from self._model(number, chance)

    def queries(self, kind: str, count: int) -> list[str]:
        """So many queries of a kind, all different where the kind allows it."""
        chance = random.Random(f"{self.seed} {kind}")
        return [self._query(kind, chance) for _ in range(count)]

    def _model(self, number: int, chance: random.Random) -> Iterator[str]:
        me = _model(number)
        graph = f"{BASE}graph/source/maker-{number % 200}/2026-11-21"
        yield _line(me, TYPE, _iri(SLM + "LanguageModel"), graph)
        yield _line(me, LABEL, f'"Model {number}"@en', graph)
        for name in PROPERTIES:
            yield _line(me, SLM + name, _number(str(chance.randrange(1, 100_000)), INTEGER), graph)
        for name, values in CONCEPTS.items():
            yield _line(me, SLM + name, _iri(f"{BASE}vocab/{name}/{chance.choice(values)}"), graph)
        for name in STRINGS:
            yield _line(me, SLM + name, f'"{name} {chance.randrange(10**9):x}"', graph)
        for turn in range(_OBSERVATIONS):
            it = f"{BASE}resource/observation/{number}-{turn}"
            graph = f"{BASE}graph/run/{(number * _OBSERVATIONS + turn) // 200}"
            yield _line(it, TYPE, _iri(SLM + "Observation"), graph)
            yield _line(it, SLM + "ofModel", _iri(me), graph)
            yield _line(it, SLM + "benchmark", _iri(_benchmark(turn % _BENCHMARKS)), graph)
            yield _line(it, SLM + "score", _number(f"{chance.random():.6f}", DECIMAL), graph)
            for name in ("shots", "batchSize", "contextTokens", "generatedTokens", "threads"):
                yield _line(it, SLM + name, _number(str(chance.randrange(1, 5000)), INTEGER), graph)
            for name in ("device", "engine", "quantisation"):
                yield _line(it, SLM + name, _iri(f"{BASE}resource/{name}/{chance.randrange(12)}"), graph)

    def _query(self, kind: str, chance: random.Random) -> str:
        prefix = f"PREFIX slm: <{SLM}>\n"
        one = f"<{_model(chance.randrange(self.models))}>"
        if kind == "point":
            return f"SELECT ?p ?o WHERE {{ {one} ?p ?o }}"
        if kind == "observations":
            return prefix + (
                "SELECT ?benchmark ?score ?device ?quantisation WHERE { "
                f"?o slm:ofModel {one} ; slm:benchmark ?benchmark ; slm:score ?score ; slm:device ?device ; "
                "slm:quantisation ?quantisation }"
            )
        if kind == "filter":
            least = chance.randrange(50_000, 60_000)
            return prefix + (
                f"SELECT ?m ?layers WHERE {{ ?m slm:attention <{BASE}vocab/attention/GQA> ; "
                f"slm:normalisation <{BASE}vocab/normalisation/RMSNorm> ; slm:numLayers ?layers ; "
                f"slm:vocabularySize ?v . FILTER(?v > {least}) }} LIMIT 200"
            )
        if kind == "top-k":
            return prefix + (
                f"SELECT ?m ?score WHERE {{ ?o slm:benchmark <{_benchmark(chance.randrange(_BENCHMARKS))}> ; "
                f"slm:score ?score ; slm:ofModel ?m . FILTER(?score < {0.9 + chance.randrange(10_000) / 100_000}) }} "
                "ORDER BY DESC(?score) LIMIT 10"
            )
        models = " ".join(f"<{_model(number)}>" for number in chance.sample(range(self.models), 50))
        properties = ", ".join(f"slm:{name}" for name in [*PROPERTIES, *CONCEPTS, *STRINGS[:4]])
        return prefix + f"SELECT ?m ?p ?o WHERE {{ VALUES ?m {{ {models} }} ?m ?p ?o FILTER(?p IN ({properties})) }}"


def write_revision(data: Data, folder: Path) -> None:
    """The graph as revision 1 of an embedded store, in the layout of `app.store.embedded`."""
    revisions = folder / "store" / "revisions"
    revisions.mkdir(parents=True)
    lines = folder / "data.nq"
    with lines.open("w", encoding="utf-8") as output:
        output.writelines(data.n_quads())
    store = ox.Store(str(revisions / "000001"))
    store.bulk_load(path=str(lines), format=ox.RdfFormat.N_QUADS)
    store.optimize()
    store.flush()
    made_at = datetime.now(UTC).isoformat()
    record = {"number": 1, "reason": "benchmark", "author": BASE, "made_at": made_at}
    record |= {"added": data.quads, "removed": 0, "quads": len(store)}
    (revisions / "000001.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "store" / "FORMAT").write_text("1\n", encoding="ascii")
    (folder / "store" / "HEAD").write_text("1\n", encoding="ascii")


def paths(queries: list[str], prefix: str) -> list[str]:
    """Addresses that ask these queries."""
    return [prefix + urllib.parse.urlencode({"query": query}) for query in queries]


def _model(number: int) -> str:
    return f"{BASE}resource/model/bench-{number}"


def _benchmark(number: int) -> str:
    return f"{BASE}resource/benchmark/{number}"


def _iri(value: str) -> str:
    return f"<{value}>"


def _number(value: str, datatype: str) -> str:
    return f'"{value}"^^<{datatype}>'


def _line(subject: str, predicate: str, term: str, graph: str) -> str:
    return f"<{subject}> <{predicate}> {term} <{graph}> .\n"
