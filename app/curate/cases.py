"""Single cases: what sources say about one property of one thing, read back from the graph, and settled again.

A case is read as values (claims with their sources, a person's decision, what the evidence says of the disagreement),
settled by the same rules as a whole load, and turned into the quads that the settling changes: accepted facts,
statuses, disagreement and resolution, and what is derived from them. Reads snapshots; never writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypeAlias

from app import vocab
from app.curate.derive import OF_ARCHITECTURE, OF_MODEL, Key, LayerGroup, Shape, derivation_iri, derive, shape_of
from app.curate.outcomes import Named, derivation_quads, disagreement_iri, resolution_iri, settled_quads
from app.curate.resolve import Cardinality, Outcome, Rule, resolve
from app.ingest.evidence import Decision
from app.ingest.registry import Model
from app.model.claims import Claim, Interval, Source, concept, resource
from app.model.graphs import CURATED, DECISIONS, INFERRED, META
from app.model.rdf import IRI, Literal, Quad, Term, iri
from app.store.engine import as_stored
from app.store.port import Query, Row, Snapshot
from app.store.rq import QueryFile, read_queries

_SOURCE_GRAPHS = vocab.graph.NS + "source/"
_ABSENCES = frozenset(
    {
        vocab.slm.notReported,
        vocab.slm.notApplicable,
        vocab.slm.notLookedFor,
        vocab.slm.withheld,
        vocab.slm.variesByLayer,
    }
)
_SETTLED = frozenset({CURATED, DECISIONS, INFERRED})
_ARCHITECTURES = vocab.BASE + "resource/architecture/"
_MODELS = vocab.BASE + "resource/model/"
_LAYER_GROUPS = vocab.BASE + "resource/layer-group/"

_PARTS = (vocab.rdf.subject, vocab.rdf.predicate, vocab.rdf.object)

_Record: TypeAlias = Mapping[str, list[Term]]


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is known about one property of one thing, and how it is settled."""

    subject: IRI
    predicate: str
    claims: tuple[Claim, ...]
    outcome: Outcome
    named: Named = field(default_factory=Named)

    @property
    def key(self) -> Key:
        """Subject and property."""
        return self.subject, self.predicate


@dataclass(frozen=True, slots=True)
class Difference:
    """Quads to add and to remove; they share none."""

    add: frozenset[Quad]
    remove: frozenset[Quad]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.add and not self.remove


def cardinality(predicate: str) -> Cardinality:
    """How many values a property may have, as the ontology says."""
    if predicate in vocab.COMPLETE_SET:
        return Cardinality.COMPLETE_SET
    return Cardinality.ADDITIVE if predicate in vocab.ADDITIVE else Cardinality.SINGLE


def read_claims(snapshot: Snapshot, subjects: Iterable[IRI]) -> dict[Key, list[Claim]]:
    """Every claim about these things, as values, by case, in the order of their IRIs."""
    found = _claim_records(snapshot, subjects)
    sources = read_sources(snapshot, (source for _, record in found.values() for source in _sources_of(record)))
    claims: dict[Key, list[Claim]] = defaultdict(list)
    for node in sorted(found, key=str):
        graph, record = found[node]
        claim = _claim(node, graph, record, sources)
        if claim is not None:
            claims[claim.subject, claim.predicate].append(claim)
    return dict(claims)


def read_sources(snapshot: Snapshot, sources: Iterable[IRI]) -> dict[IRI, Source]:
    """These sources as values, as far as they are recorded. `retrieved` is the last day on which one was read."""
    records = _records(snapshot, dict.fromkeys(sources), META)
    parts = {part for record in records.values() for part in record.get(vocab.prov.hadPrimarySource, ())}
    titles = _records(snapshot, (part for part in parts if isinstance(part, IRI)), META)
    return {node: _source(node, record, titles) for node, record in records.items() if vocab.dct.title in record}


def read_cases(snapshot: Snapshot, keys: Iterable[Key]) -> dict[Key, Case]:
    """These cases, settled as the claims and decisions in the snapshot say."""
    return _Desk(snapshot, tuple(dict.fromkeys(keys))).cases()


def read_shape(snapshot: Snapshot, model: Model) -> Shape | None:
    """The architecture of a model as the snapshot settles it; None while a question about it is open."""
    return _Desk(snapshot, ((model.architecture, vocab.slm.numLayers),)).shape(model)


def settle_cases(
    snapshot: Snapshot,
    keys: Iterable[Key],
    *,
    new: Iterable[Claim] = (),
    without: Iterable[IRI] = (),
    decisions: Mapping[Key, Decision | None] | None = None,
) -> Difference:
    """What has to change so that these cases are settled: accepted facts, decisions, and what is derived from them.

    `new` are claims that are about to be recorded (their own quads are not part of the difference), `without` claims
    that are about to go, and `decisions` those that people just made; None leaves a case to the rules.
    """
    arriving = tuple(new)
    wanted = tuple(
        dict.fromkeys((*keys, *((claim.subject, claim.predicate) for claim in arriving), *(decisions or ())))
    )
    desk = _Desk(snapshot, wanted, arriving, frozenset(without), dict(decisions or {}))
    after, before = as_stored(desk.after()), frozenset(desk.before())
    return Difference(after - before, before - after)


@cache
def _queries() -> Mapping[str, QueryFile]:
    return read_queries(Path(__file__).parent / "queries")


def rows(snapshot: Snapshot, query: str, /, **values: Iterable[Term]) -> list[Row]:
    """Rows of a query beside this module; a keyword names the variable that the given terms are joined to."""
    chosen = {
        variable: [term for term in dict.fromkeys(terms) if isinstance(term, IRI | Literal)]
        for variable, terms in values.items()
    }
    if any(not terms for terms in chosen.values()):
        return []
    return list(snapshot.query(Query(_queries()[query].text, values=chosen)).rows())


class _Desk:
    """One settling: reads what it needs from the snapshot, once."""

    def __init__(
        self,
        snapshot: Snapshot,
        keys: tuple[Key, ...],
        new: tuple[Claim, ...] = (),
        without: frozenset[IRI] = frozenset(),
        decisions: Mapping[Key, Decision | None] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._keys = keys
        subjects = {subject for subject, _ in keys}
        self._models, self._groups = _models_concerned(snapshot, subjects)
        subjects |= {node for model in self._models for node in (model.iri, model.architecture)}
        subjects |= {group.iri for groups in self._groups.values() for group in groups}
        recorded = read_claims(snapshot, subjects)
        self._recorded = recorded
        self._claims = {
            key: [claim for claim in of_key if claim.iri not in without] for key, of_key in recorded.items()
        }
        for claim in new:
            of_key = self._claims.setdefault((claim.subject, claim.predicate), [])
            if all(claim.iri != other.iri for other in of_key):
                of_key.append(claim)
        every = {*self._claims, *keys}
        nodes = [*subjects, *map(disagreement_iri, every), *map(resolution_iri, every)]
        nodes += [claim.iri for key in keys for claim in recorded.get(key, ())]
        nodes += [derivation_iri(*derived) for derived in self._derived()]
        self._stated: dict[Term, list[Quad]] = defaultdict(list)
        for row in rows(snapshot, "stated", node=nodes):
            node, graph, name = row["node"], row["graph"], row["property"]
            if graph in _SETTLED and isinstance(graph, IRI) and isinstance(name, IRI) and isinstance(node, IRI):
                self._stated[node].append(Quad(node, name, row["value"], graph))
        self._decisions = {key: self._decision(key) for key in every} | dict(decisions or {})
        self._ranks = trust_ranks(snapshot)

    def cases(self) -> dict[Key, Case]:
        return {
            key: Case(*key, tuple(self._claims.get(key, ())), self._outcome(key), self._named(key))
            for key in self._keys
        }

    def shape(self, model: Model) -> Shape | None:
        outcomes = {key: self._outcome(key) for key in self._claims if self._claims[key]}
        return shape_of(model, outcomes, self._groups.get(model.architecture, ()))

    def after(self) -> Iterator[Quad]:
        outcomes = {key: self._outcome(key) for key in self._claims if self._claims[key]}
        wanted = {key: outcomes[key] for key in self._keys if key in outcomes}
        yield from settled_quads(wanted, {key: named for key in wanted if (named := self._named(key)) != Named()})
        for model in self._models:
            yield from derivation_quads(derive(model, outcomes, self._groups.get(model.architecture, ())))
        for subject, predicate in self._keys:
            if (subject, predicate) not in outcomes:
                yield from self._absences(subject, predicate, INFERRED)

    def before(self) -> Iterator[Quad]:
        derived = self._derived()
        for subject, predicate in self._keys:
            yield from self._absences(subject, predicate, INFERRED)
            yield from self._absences(subject, predicate, CURATED)
            yield from (q for q in self._stated[subject] if q.graph_name == CURATED and q.predicate.value == predicate)
            yield from self._stated[disagreement_iri((subject, predicate))]
            yield from self._stated[resolution_iri((subject, predicate))]
            for claim in self._recorded.get((subject, predicate), ()):
                yield from (q for q in self._stated[claim.iri] if q.predicate.value == vocab.slm.status)
        for subject, predicate in derived:
            yield from (q for q in self._stated[subject] if q.graph_name == INFERRED and q.predicate.value == predicate)
            yield from self._stated[derivation_iri(subject, predicate)]

    def _absences(self, subject: IRI, predicate: str, graph: IRI) -> Iterator[Quad]:
        """Why the property has no value, as a graph says it."""
        for quad in self._stated[subject]:
            is_absence = quad.predicate.value in _ABSENCES and quad.object == iri(predicate)
            if is_absence and quad.graph_name == graph:
                yield quad

    def _derived(self) -> list[Key]:
        """What can be derived for the models concerned."""
        return [
            *((model.iri, predicate) for model in self._models for predicate in OF_MODEL),
            *((model.architecture, predicate) for model in self._models for predicate in OF_ARCHITECTURE),
        ]

    def _outcome(self, key: Key) -> Outcome:
        claims = self._claims.get(key, ())
        return resolve(claims, self._ranks, cardinality(key[1]), self._decisions.get(key))

    def _named(self, key: Key) -> Named:
        """What the evidence said of the disagreement, in the order of the alphabet."""
        record = _by_property(self._stated[disagreement_iri(key)])
        return Named(_texts(record, vocab.slm.disagreementKind), _texts(record, vocab.skos.note))

    def _decision(self, key: Key) -> Decision | None:
        record = _by_property(self._stated[resolution_iri(key)])
        if _first(record, vocab.slm.decisionRule) != Rule.MANUAL.value:
            return None
        return Decision(
            subject=key[0],
            predicate=key[1],
            reported=_first(record, vocab.slm.keeps),
            reopens=_first(record, vocab.slm.decisionKind) == "open",
            reason=_first(record, vocab.skos.note) or "",
            decided_by=(_first(record, vocab.prov.wasAttributedTo) or "").rsplit("/", 1)[-1],
            decided_on=_first(record, vocab.dct.date) or "",
            seen=frozenset(term for term in record.get(vocab.slm.considered, ()) if isinstance(term, IRI)),
        )


def trust_ranks(snapshot: Snapshot) -> dict[str, int]:
    """Trust rank of each source type by notation, as the concept scheme in the graph says."""
    prefix = concept("source-type", "").value
    return {row["type"].value.removeprefix(prefix): int(row["rank"].value) for row in rows(snapshot, "ranks")}


def _models_concerned(
    snapshot: Snapshot, subjects: Iterable[IRI]
) -> tuple[list[Model], dict[IRI, tuple[LayerGroup, ...]]]:
    """The models whose derived values may depend on these things, and the layer groups of their architectures."""
    nodes = set(subjects)
    architectures = {node for node in nodes if node.value.startswith(_ARCHITECTURES)}
    owners = rows(snapshot, "owners", group=[node for node in nodes if node.value.startswith(_LAYER_GROUPS)])
    architectures |= {row["architecture"] for row in owners if isinstance(row["architecture"], IRI)}
    pairs = rows(snapshot, "models", architecture=architectures)
    pairs += rows(snapshot, "architectures", model=[node for node in nodes if node.value.startswith(_MODELS)])
    slugs = {row["model"].value.rsplit("/", 1)[-1] for row in pairs}
    models = [Model(slug, slug, in_scope=True) for slug in sorted(slugs)]
    groups: dict[IRI, tuple[LayerGroup, ...]] = defaultdict(tuple)
    for row in rows(snapshot, "layers", architecture=[model.architecture for model in models]):
        architecture, group = row["architecture"], row["group"]
        if isinstance(architecture, IRI) and isinstance(group, IRI):
            groups[architecture] += (LayerGroup(group, int(row["first"].value), int(row["last"].value)),)
    return models, groups


def _claim_records(snapshot: Snapshot, subjects: Iterable[IRI]) -> dict[IRI, tuple[IRI, dict[str, list[Term]]]]:
    """Graph and record of each claim about these things."""
    found: dict[IRI, tuple[IRI, dict[str, list[Term]]]] = {}
    for row in rows(snapshot, "claims", subject=subjects):
        node, graph = row["claim"], row["graph"]
        if isinstance(node, IRI) and isinstance(graph, IRI):
            _, record = found.setdefault(node, (graph, defaultdict(list)))
            record[row["property"].value].append(row["value"])
            record[vocab.rdf.subject] = [row["subject"]]
    return found


def _claim(node: IRI, graph: IRI, record: _Record, sources: Mapping[IRI, Source]) -> Claim | None:
    """A claim as a value; None for what is no whole claim (validation does not let it in)."""
    subject, predicate, value = (record.get(name, [None])[0] for name in _PARTS)
    source = next((sources[one] for one in _sources_of(record) if one in sources), None)
    if not isinstance(subject, IRI) or not isinstance(predicate, IRI) or not isinstance(value, IRI | Literal):
        return None
    if source is None:
        return None
    lower, upper = _first(record, vocab.slm.lowerBound), _first(record, vocab.slm.upperBound)
    reading = (_first(record, vocab.slm.reading) or "").rsplit("/", 1)[-1]
    retrieved = graph.value.rsplit("/", 1)[-1] if graph.value.startswith(_SOURCE_GRAPHS) else source.retrieved
    claim = Claim(
        subject=subject,
        predicate=predicate.value,
        value=value,
        reported=_first(record, vocab.slm.valueAsReported) or "",
        source=replace(source, retrieved=retrieved),
        locator=_first(record, vocab.slm.locator) or "",
        reading=reading,
        recalled=reading == "Recalled",
        interval=Interval(Decimal(lower), Decimal(upper)) if lower and upper else None,
        note=_first(record, vocab.rdfs.comment),
        quote=_first(record, vocab.slm.quote),
    )
    return claim if claim.iri == node else replace(claim, given_iri=node)


def _source(node: IRI, record: _Record, titles: Mapping[IRI, _Record]) -> Source:
    parts = [titles.get(part, {}) for part in record.get(vocab.prov.hadPrimarySource, ()) if isinstance(part, IRI)]
    return Source(
        slug=node.value.removeprefix(resource("source", "").value),
        title=_first(record, vocab.dct.title) or "",
        kind=(_first(record, vocab.slm.sourceType) or "").rsplit("/", 1)[-1],
        retrieved=max(_texts(record, vocab.slm.retrievedOn), default=""),
        dated=_first(record, vocab.dct.date),
        address=_first(record, vocab.dct.source),
        note=_first(record, vocab.rdfs.comment),
        parts=tuple(sorted(title for part in parts if (title := _first(part, vocab.dct.title)))),
    )


def _sources_of(record: _Record) -> list[IRI]:
    return [term for term in record.get(vocab.prov.wasDerivedFrom, ()) if isinstance(term, IRI)]


def _records(snapshot: Snapshot, nodes: Iterable[IRI], graph: IRI) -> dict[IRI, dict[str, list[Term]]]:
    found: dict[IRI, dict[str, list[Term]]] = {}
    for row in rows(snapshot, "stated", node=nodes):
        node = row["node"]
        if row["graph"] == graph and isinstance(node, IRI):
            found.setdefault(node, defaultdict(list))[row["property"].value].append(row["value"])
    return found


def _by_property(quads: Iterable[Quad]) -> dict[str, list[Term]]:
    record: dict[str, list[Term]] = defaultdict(list)
    for quad in quads:
        if isinstance(quad.object, IRI | Literal):
            record[quad.predicate.value].append(quad.object)
    return record


def _first(record: _Record, name: str) -> str | None:
    values = record.get(name)
    return values[0].value if values else None


def _texts(record: _Record, name: str) -> tuple[str, ...]:
    return tuple(sorted(term.value for term in record.get(name, ())))
