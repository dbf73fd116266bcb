"""What columns need to know of the vocabulary: properties, units, metrics, licences. Plain values. Never writes.

These are few, whatever the number of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app import vocab
from app.compare.properties import properties
from app.compare.reader import Reader, local_name
from app.compare.values import Property, Unit
from app.model.rdf import Literal, Term, python_value
from app.store.port import Snapshot

Names = Mapping[str, "Named"]


@dataclass(frozen=True, slots=True)
class Named:
    """A thing that conditions name: a device, an engine, a quantisation. `facts` are plain numbers and truth values."""

    name: str
    iri: str
    label: str
    facts: Mapping[str, float | bool | str]


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit with its place on the scale of its kind: `multiplier` turns it into the kind's first unit."""

    unit: Unit
    kind: str | None
    multiplier: float | None


@dataclass(frozen=True, slots=True)
class Terms:
    """The vocabulary of one revision. Things go by their short names, units by their IRIs."""

    properties: Mapping[str, Property]
    units: Mapping[str, Scale]
    things: Mapping[str, Names]
    """By kind: metric, benchmark, device, engine, quantisation, licence, origin."""

    def unit_of(self, metric: str) -> Unit | None:
        """The canonical unit of a metric."""
        found = self.units.get(str(self.things["metric"][metric].facts.get("unit", "")))
        return found.unit if found else None


_FACTS = {
    vocab.slm.higherIsBetter: "higherIsBetter",
    vocab.slm.minValue: "minValue",
    vocab.slm.maxValue: "maxValue",
    vocab.slm.canonicalUnit: "unit",
    vocab.slm.chanceLevel: "chanceLevel",
    vocab.slm.testItems: "testItems",
    vocab.slm.bitsPerWeight: "bitsPerWeight",
    vocab.slm.permissive: "permissive",
    vocab.slm.memoryCapacity: "memoryCapacity",
}


def terms(snapshot: Snapshot) -> Terms:
    """Read the vocabulary of a snapshot."""
    reader = Reader(snapshot)
    things: dict[str, dict[str, Named]] = {kind: {} for kind in KINDS}
    nodes = [(row["kind"].value, row["thing"]) for row in reader.rows("terms")]
    records = reader.records(node for _, node in nodes)
    reader.learn(node for _, node in nodes)
    for kind, node in nodes:
        thing = reader.thing(node)
        facts = {
            short: _plain(records[node.value][predicate][0])
            for predicate, short in _FACTS.items()
            if predicate in records.get(node.value, {})
        }
        things[kind][thing.name] = Named(thing.name, thing.iri, thing.label, facts)
    return Terms(properties(reader), _units(reader), {kind: dict(sorted(of.items())) for kind, of in things.items()})


KINDS = (
    *("metric", "benchmark", "device", "engine", "harness", "quantisation", "licence", "origin", "statistic"),
    *("reading", "precision", "family"),
)


def _units(reader: Reader) -> dict[str, Scale]:
    found: dict[str, Scale] = {}
    for row in reader.rows("units"):
        iri = row["unit"].value
        multiplier = float(python_value(row["multiplier"])) if "multiplier" in row else None
        kind = local_name(row["kind"].value) if "kind" in row else None
        found.setdefault(iri, Scale(Unit(iri, row["symbol"].value, row["label"].value), kind, multiplier))
    return dict(sorted(found.items()))


def _plain(term: Term) -> float | bool | str:
    value = python_value(term)
    if isinstance(value, bool | str):
        return value
    return float(value) if isinstance(term, Literal) else term.value
