"""What differs between two revisions, told in cells: one property of one model, its old and its new answer, and why.

A cell is looked at when a changed triple bears on it: an accepted value, a claim or its status, a decision, a derived
value, a reason why there is none. The rest is counted by graph. Reads only; knows neither HTTP nor the command line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app import vocab
from app.compare.evidence import Evidence, Key, gather
from app.compare.properties import properties
from app.compare.reader import Reader, local_name, text
from app.compare.values import Cell, Plain, Property, Reason, Thing
from app.model.changes import ChangeSet, Net, Revision
from app.model.graphs import CURATED, DECISIONS, INFERRED
from app.model.rdf import IRI, TYPE, Quad, Term, python_value
from app.store.port import GraphStore
from app.store.span import author, existing, snapshot, steps

_SOURCES = vocab.graph.NS + "source/"
_SUBJECTS = frozenset({vocab.rdf.subject, vocab.slm.aboutSubject})
_PREDICATES = frozenset({vocab.rdf.predicate, vocab.slm.aboutProperty})
_ABSENT = frozenset(
    {
        vocab.slm.notReported,
        vocab.slm.notApplicable,
        vocab.slm.notLookedFor,
        vocab.slm.withheld,
        vocab.slm.variesByLayer,
    }
)
_OBSERVATIONS = frozenset({vocab.slm.BenchmarkResult, vocab.slm.RuntimeResult})
_NOTHING = {Reason.NOT_LOOKED_FOR, Reason.NOT_DERIVABLE}


class Kind(StrEnum):
    """What happened to a cell."""

    ADDED = "added"
    """It had no value and has one."""
    REMOVED = "removed"
    """It had a value and has none."""
    CHANGED = "changed"
    """It has another value, other candidates, or another reason for having none."""
    STATUS = "status"
    """The same answer has another standing, for example accepted where it was disputed."""
    EVIDENCE = "evidence"
    """The same answer rests on other claims or sources."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How the question was settled where the difference ends: by which rule or person, with which note."""

    rule: str
    note: str | None
    by: Thing
    date: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A revision on the way, with the name of who made it."""

    revision: Revision
    by: Thing


@dataclass(frozen=True, slots=True)
class CellChange:
    """One cell that differs. `model` is the slug; `layers` are first and last where it is about some layers only.

    `steps` are the revisions on the way that bear on the cell, in the order of the way.
    """

    model: str
    label: str
    subject: str
    layers: tuple[int, int] | None
    property: Property
    kind: Kind
    old: Cell
    new: Cell
    decision: Decision | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A source or an observation that came or went. `value` is what was observed, if it is an observation."""

    iri: str
    label: str
    added: bool
    model: str | None = None
    value: Plain | None = None


@dataclass(frozen=True, slots=True)
class GraphCount:
    """Triples of one graph that came and went."""

    graph: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class Diff:
    """Everything that differs between two revisions."""

    old: int
    new: int
    steps: tuple[Step, ...]
    cells: tuple[CellChange, ...]
    sources: tuple[Item, ...]
    observations: tuple[Item, ...]
    graphs: tuple[GraphCount, ...]

    @property
    def kinds(self) -> Mapping[Kind, int]:
        """How many cells of each kind."""
        counted = Counter(cell.kind for cell in self.cells)
        return {kind: counted[kind] for kind in Kind}

    @property
    def added(self) -> int:
        """Triples that came."""
        return sum(one.added for one in self.graphs)

    @property
    def removed(self) -> int:
        """Triples that went."""
        return sum(one.removed for one in self.graphs)


def diff(store: GraphStore, old: int, new: int) -> Diff:
    """What differs between two revisions (0 is the empty graph); the way back gives old and new exchanged."""
    net, touched = Net(), _Touched()
    for number, change in steps(store, existing(store, old), existing(store, new)):
        net.then(change)
        touched.note(number, change)
    before, after = (_End(Reader(snapshot(store, number))) for number in (old, new))
    touched.look_up(before.reader, after.reader)
    passed = _steps(touched.numbers, store, after if new >= old else before)
    return Diff(
        old=old,
        new=new,
        steps=tuple(passed.values()),
        cells=_cells(before, after, touched, passed),
        sources=_sources(net, before.reader, after.reader),
        observations=_observations(net, before, after),
        graphs=_counted(net),
    )


def changed_cells(
    store: GraphStore, number: int, change: ChangeSet, subjects: Collection[str], step: Step
) -> tuple[CellChange, ...]:
    """The cells of some subjects that one revision, which made this change, made to say something else."""
    touched = _Touched()
    touched.note(number, change)
    before, after = (_End(Reader(snapshot(store, one))) for one in (number - 1, number))
    touched.look_up(before.reader, after.reader)
    touched.keep(subjects)
    return _cells(before, after, touched, {number: step})


class _Touched:
    """The cells that changes bear on, with the revisions that did."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.keys: dict[Key, list[int]] = {}
        self._nodes: dict[Term, list[int]] = {}
        self._subjects: dict[Term, str] = {}
        self._predicates: dict[Term, str] = {}

    def note(self, number: int, change: ChangeSet) -> None:
        """Read what a revision changed."""
        self.numbers.append(number)
        for quads in (change.add, change.remove):
            for quad in quads:
                self._note(number, quad)

    def look_up(self, *readers: Reader) -> None:
        """Find what the nodes are about of which a change told only a part."""
        unknown = [node for node in self._nodes if node not in self._subjects or node not in self._predicates]
        for reader in readers:
            for row in reader.rows("about", node=unknown):
                self._subjects[row["node"]] = row["subject"].value
                self._predicates[row["node"]] = row["property"].value
        for node, numbers in self._nodes.items():
            if node in self._subjects and node in self._predicates:
                for number in numbers:
                    self._bears((self._subjects[node], self._predicates[node]), number)

    def keep(self, subjects: Collection[str]) -> None:
        """Forget the cells of all other subjects."""
        self.keys = {key: numbers for key, numbers in self.keys.items() if key[0] in subjects}

    def way(self, subject: str, predicate: str) -> list[int]:
        """The revisions that bear on a cell, in the order of the way."""
        back = self.numbers[:1] > self.numbers[-1:]
        return sorted(set(self.keys[subject, predicate]), reverse=back)

    def _note(self, number: int, quad: Quad) -> None:
        home, predicate = quad.graph_name, quad.predicate.value
        if not isinstance(home, IRI) or not isinstance(quad.subject, IRI):
            return
        if home == CURATED:
            self._bears((quad.subject.value, predicate), number)
        elif predicate in _ABSENT and isinstance(quad.object, IRI):
            self._bears((quad.subject.value, quad.object.value), number)
        elif home in {DECISIONS, INFERRED} or home.value.startswith(_SOURCES):
            numbers = self._nodes.setdefault(quad.subject, [])
            if not numbers or numbers[-1] != number:
                numbers.append(number)
            if predicate in _SUBJECTS:
                self._subjects[quad.subject] = _value(quad)
            elif predicate in _PREDICATES:
                self._predicates[quad.subject] = _value(quad)

    def _bears(self, key: Key, number: int) -> None:
        numbers = self.keys.setdefault(key, [])
        if number not in numbers[-1:]:
            numbers.append(number)


class _End:
    """One end of a difference."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def properties(self) -> dict[str, Property]:
        """Every property that can be compared, by IRI."""
        return {one.iri: one for one in properties(self.reader).values()}

    def layers(self, subjects: Iterable[IRI]) -> dict[str, tuple[str, tuple[int, int]]]:
        """The architecture and the layers of those subjects that are groups of layers."""
        rows = self.reader.rows("layer-owners", group=subjects)
        return {
            row["group"].value: (row["architecture"].value, (_whole(row["first"]), _whole(row["last"]))) for row in rows
        }

    def owners(self, subjects: Iterable[IRI]) -> dict[str, dict[str, str]]:
        """The models that subjects belong to: slugs with labels, by subject."""
        found: dict[str, dict[str, str]] = {}
        for row in self.reader.rows("owners", subject=subjects):
            found.setdefault(row["subject"].value, {})[local_name(row["model"].value)] = row["label"].value
        return found


def _cells(before: _End, after: _End, touched: _Touched, passed: Mapping[int, Step]) -> tuple[CellChange, ...]:
    if not touched.keys:
        return ()
    known = {**before.properties(), **after.properties()}
    keys = [key for key in touched.keys if key[1] in known]
    nodes = [IRI(subject) for subject in dict.fromkeys(subject for subject, _ in keys)]
    wanted = [known[iri] for iri in dict.fromkeys(iri for _, iri in keys)]
    evidence = [gather(end.reader, nodes, wanted) for end in (before, after)]
    _learn_agents(after.reader, evidence[1])
    layers = {**before.layers(nodes), **after.layers(nodes)}
    of_models = [*nodes, *(IRI(architecture) for architecture, _ in layers.values())]
    owners = {**before.owners(of_models), **after.owners(of_models)}
    found: list[CellChange] = []
    for subject, iri in keys:
        prop = known[iri]
        old, new = (one.cell(end.reader, prop, subject) for one, end in zip(evidence, (before, after), strict=True))
        kind = kind_of(old, new)
        if kind is None:
            continue
        architecture, range_ = layers.get(subject, (subject, None))
        found += [
            CellChange(
                model=slug,
                label=label,
                subject=subject,
                layers=range_,
                property=prop,
                kind=kind,
                old=old,
                new=new,
                decision=_decision(after.reader, evidence[1], (subject, iri)),
                steps=tuple(map(passed.__getitem__, touched.way(subject, iri))),
            )
            for slug, label in owners.get(architecture, {}).items()
        ]
    return tuple(sorted(found, key=lambda one: (one.model, one.property.name, one.layers or (-1, -1))))


def kind_of(old: Cell, new: Cell) -> Kind | None:
    """What happened to a cell; None where it is as it was."""
    had, has = (bool(cell.values or cell.candidates) for cell in (old, new))
    if had != has:
        return Kind.ADDED if has else Kind.REMOVED
    if not has and {old.reason, new.reason} <= _NOTHING:
        return None if old.claims == new.claims else Kind.EVIDENCE
    if _answer(old) != _answer(new):
        return Kind.CHANGED
    if old.status is not new.status:
        return Kind.STATUS
    return None if (old.claims, old.sources) == (new.claims, new.sources) else Kind.EVIDENCE


def _answer(cell: Cell) -> tuple[object, ...]:
    """What a cell says: its values or candidates, without the labels of things, or why there is none."""
    return cell.reason, *(
        (value.plain, value.thing.iri if value.thing else None) for value in (cell.values or cell.candidates)
    )


def _decision(reader: Reader, evidence: Evidence, key: Key) -> Decision | None:
    by_kind = evidence.decisions.get(key, {})
    if vocab.slm.Resolution not in by_kind:
        return None
    _, record = by_kind[vocab.slm.Resolution]
    return Decision(
        rule=text(record, vocab.slm.decisionRule) or "",
        note=text(record, vocab.skos.note),
        by=reader.thing(record[vocab.prov.wasAttributedTo][0]),
        date=text(record, vocab.dct.date),
    )


def _learn_agents(reader: Reader, evidence: Evidence) -> None:
    reader.learn(
        term
        for by_kind in evidence.decisions.values()
        for _, record in by_kind.values()
        for term in record.get(vocab.prov.wasAttributedTo, ())
    )


def _steps(numbers: Iterable[int], store: GraphStore, newer: _End) -> dict[int, Step]:
    """The revisions on the way, their authors named as the newer end names them."""
    wanted = set(numbers)
    revisions = {one.number: one for one in store.revisions() if one.number in wanted}
    newer.reader.learn(author(one) for one in revisions.values())
    return {number: Step(revisions[number], newer.reader.thing(author(revisions[number]))) for number in numbers}


def _sources(net: Net, before: Reader, after: Reader) -> tuple[Item, ...]:
    found: list[Item] = []
    for quads, reader, added in ((net.added, after, True), (net.removed, before, False)):
        nodes = [quad.subject for quad in quads if quad.predicate == TYPE and _value(quad) == vocab.slm.SourceDocument]
        records = reader.records(node for node in nodes if isinstance(node, IRI))
        found += [Item(iri, text(record, vocab.dct.title) or local_name(iri), added) for iri, record in records.items()]
    return tuple(sorted(found, key=lambda one: (one.label, one.iri, one.added)))


def _observations(net: Net, before: _End, after: _End) -> tuple[Item, ...]:
    found: list[Item] = []
    for quads, end, added in ((net.added, after, True), (net.removed, before, False)):
        typed = (quad.subject for quad in quads if quad.predicate == TYPE and _value(quad) in _OBSERVATIONS)
        nodes = [node for node in typed if isinstance(node, IRI)]
        rows = {row["observation"].value: row for row in end.reader.rows("observed", observation=nodes)}
        end.reader.learn(row["metric"] for row in rows.values())
        for iri, row in rows.items():
            model, value = row.get("model"), row.get("value")
            found.append(
                Item(
                    iri,
                    end.reader.thing(row["metric"]).label,
                    added,
                    local_name(model.value) if model is not None else None,
                    python_value(value) if value is not None else None,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.model or "", one.label, one.iri, one.added)))


def _counted(net: Net) -> tuple[GraphCount, ...]:
    added, removed = (Counter(_home(quad) for quad in quads) for quads in (net.added, net.removed))
    return tuple(GraphCount(name, added[name], removed[name]) for name in sorted({*added, *removed}))


def _home(quad: Quad) -> str:
    """A graph's name for counting; graphs of sources count as one."""
    home = quad.graph_name
    if not isinstance(home, IRI):
        return "default"
    return "source" if home.value.startswith(_SOURCES) else home.value.removeprefix(vocab.graph.NS)


def chosen(found: Diff, *, model: str | None = None, prop: str | None = None) -> Iterator[CellChange]:
    """The cells of one model, of one property, or of both."""
    for cell in found.cells:
        if (model is None or cell.model == model) and (prop is None or cell.property.name == prop):
            yield cell


def _value(quad: Quad) -> str:
    return quad.object.value if isinstance(quad.object, IRI) else ""


def _whole(term: Term) -> int:
    return int(python_value(term))
