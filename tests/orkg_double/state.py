"""What the double holds: things, statements between them, papers, comparisons and frozen tables.

All records are immutable and replaced, never changed, so that a copy of a whole world costs a few small dictionaries.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from tests.orkg_double import clock

Json = Any
Kind = Literal["resource", "literal", "predicate", "class"]

NOBODY = "00000000-0000-0000-0000-000000000000"
ADA = "0b5a1c1e-1111-4222-8333-444455556666"
"""The account that tests write with."""
BO = "1c6b2d2f-2222-4333-8444-555566667777"
"""Somebody else, who made the comparison R753434 of this double."""
CY = "2d7c3e3a-3333-4444-8555-666677778888"
"""A curator of ORKG."""
GUEST = "3e8d4f4b-4444-4555-8666-777788889999"
"""A login without the right to write."""

METHODS = ("AUTOMATIC", "MANUAL", "UNKNOWN", "AI_GENERATED", "AI_GENERATED_WITH_MANUAL_REVIEW")


@dataclass(frozen=True, slots=True)
class Thing:
    """A resource, literal, predicate or class. A list is a resource of class `List`."""

    id: str
    kind: Kind
    label: str
    created_at: str
    created_by: str = NOBODY
    method: str = "UNKNOWN"
    classes: tuple[str, ...] = ()
    uri: str | None = None
    datatype: str | None = None
    formatted_label: str | None = None
    modifiable: bool = True


@dataclass(frozen=True, slots=True)
class Statement:
    """One triple with who, when and how. `index` only for elements of a list."""

    id: str
    subject: str
    predicate: str
    object: str
    created_at: str
    created_by: str = NOBODY
    method: str = "UNKNOWN"
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What a paper says about itself; its title is the label of the resource, its contributions are statements."""

    id: str
    research_fields: tuple[str, ...] = ()
    identifiers: Json = field(default_factory=dict)
    publication_info: Json = field(default_factory=dict)
    authors: tuple[Json, ...] = ()
    sdgs: tuple[str, ...] = ()
    mentionings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A head (`head` is its own id) or a frozen version. Its title is the label, its sources are statements."""

    id: str
    head: str
    description: str = ""
    type: str = "UNKNOWN"
    research_fields: tuple[str, ...] = ()
    identifiers: Json = field(default_factory=dict)
    publication_info: Json = field(default_factory=dict)
    authors: tuple[Json, ...] = ()
    search_protocol: Json = field(default_factory=dict)
    sdgs: tuple[str, ...] = ()
    visualizations: tuple[str, ...] = ()
    related_figures: tuple[str, ...] = ()
    related_resources: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    is_anonymized: bool = False
    visibility: str = "DEFAULT"
    selected_paths: Json = ()
    """Trees of `{id, type, children}`; only the heads' are used."""

    @property
    def published(self) -> bool:
        """Whether it is a frozen version."""
        return self.head != self.id


SOURCE_PREDICATES = {"THING": "compareContribution", "ROSETTA_STONE_STATEMENT": "compareRosettaStoneContribution"}


@dataclass(slots=True)
class State:
    """One world. Every write advances the clock, so that no two things have the same time."""

    things: dict[str, Thing] = field(default_factory=dict)
    statements: dict[str, Statement] = field(default_factory=dict)
    papers: dict[str, Paper] = field(default_factory=dict)
    comparisons: dict[str, Comparison] = field(default_factory=dict)
    tables: dict[str, Json] = field(default_factory=dict)
    """The stored tables of frozen versions."""
    documents: dict[str, Json] = field(default_factory=dict)
    """Answers that are only stored: charts, templates, the retired store; by path."""
    by_subject: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by_object: dict[str, tuple[str, ...]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=lambda: dict.fromkeys("RPCLS", 2_000_000))
    now: int = clock.START

    def copy(self) -> State:
        """The same world, to be changed on its own."""
        return State(
            dict(self.things),
            dict(self.statements),
            dict(self.papers),
            dict(self.comparisons),
            dict(self.tables),
            dict(self.documents),
            dict(self.by_subject),
            dict(self.by_object),
            dict(self.counters),
            self.now,
        )

    def tick(self) -> str:
        """The time of a write."""
        self.now += clock.SECOND // 1000
        return clock.written(self.now)

    def new_id(self, letter: str) -> str:
        """An id that nothing has."""
        while True:
            self.counters[letter] += 1
            identity = f"{letter}{self.counters[letter]}"
            if identity not in self.things and identity not in self.statements:
                return identity

    # things

    def put(self, thing: Thing) -> Thing:
        """Add or replace a thing."""
        self.things[thing.id] = thing
        return thing

    def resource(self, label: str, *, by: str, method: str = "UNKNOWN", classes: tuple[str, ...] = ()) -> Thing:
        """Make a resource."""
        return self.put(Thing(self.new_id("R"), "resource", label, self.tick(), by, method, classes))

    def literal(self, label: str, datatype: str = "xsd:string", *, by: str, method: str = "UNKNOWN") -> Thing:
        """Make a literal; two with the same label are two things."""
        return self.put(Thing(self.new_id("L"), "literal", label, self.tick(), by, method, datatype=datatype))

    def predicate(self, label: str, *, by: str, method: str = "UNKNOWN") -> Thing:
        """Make a predicate."""
        return self.put(Thing(self.new_id("P"), "predicate", label, self.tick(), by, method))

    def remove_thing(self, identity: str) -> None:
        """Forget a thing with all statements in which it stands."""
        for statement in {*self.by_subject.get(identity, ()), *self.by_object.get(identity, ())}:
            self.remove_statement(statement)
        self.things.pop(identity, None)
        self.papers.pop(identity, None)
        self.comparisons.pop(identity, None)
        self.tables.pop(identity, None)

    # statements

    def say(
        self, subject: str, predicate: str, object_: str, *, by: str, method: str = "UNKNOWN", index: int | None = None
    ) -> Statement:
        """Make a statement."""
        return self.put_statement(
            Statement(self.new_id("S"), subject, predicate, object_, self.tick(), by, method, index)
        )

    def put_statement(self, statement: Statement) -> Statement:
        """Add or replace a statement."""
        old = self.statements.get(statement.id)
        if old is None or old.subject != statement.subject:
            if old is not None:
                _take_out(self.by_subject, old.subject, old.id)
            self.by_subject[statement.subject] = (*self.by_subject.get(statement.subject, ()), statement.id)
        if old is None or old.object != statement.object:
            if old is not None:
                _take_out(self.by_object, old.object, old.id)
            self.by_object[statement.object] = (*self.by_object.get(statement.object, ()), statement.id)
        self.statements[statement.id] = statement
        return statement

    def remove_statement(self, identity: str) -> None:
        """Forget a statement, and its literal when nothing else uses that."""
        statement = self.statements.pop(identity)
        _take_out(self.by_subject, statement.subject, identity)
        _take_out(self.by_object, statement.object, identity)
        self.forget_unused(statement.object)

    def forget_unused(self, identity: str) -> None:
        """Forget a literal that no statement names."""
        thing = self.things.get(identity)
        if thing is not None and thing.kind == "literal" and not self.by_object.get(identity):
            del self.things[identity]

    def about(self, subject: str, predicate: str | None = None) -> list[Statement]:
        """The statements of a subject, in order of creation."""
        found = (self.statements[one] for one in self.by_subject.get(subject, ()))
        return [one for one in found if predicate is None or one.predicate == predicate]

    def naming(self, object_: str, predicate: str | None = None) -> list[Statement]:
        """The statements with some object, in order of creation."""
        found = (self.statements[one] for one in self.by_object.get(object_, ()))
        return [one for one in found if predicate is None or one.predicate == predicate]

    def find(self, subject: str, predicate: str, object_: str) -> Statement | None:
        """The statement of a triple."""
        return next((one for one in self.about(subject, predicate) if one.object == object_), None)

    # comparisons and papers

    def sources(self, comparison: str) -> list[Statement]:
        """The statements that name the columns of a comparison, in order of creation."""
        return [one for one in self.about(comparison) if one.predicate in SOURCE_PREDICATES.values()]

    def paper_of(self, contribution: str) -> str | None:
        """The paper that has a contribution."""
        found = self.naming(contribution, "P31")
        return found[0].subject if found else None

    def versions(self, head: str) -> list[str]:
        """The frozen versions of a head, newest first."""
        found = [one.object for one in self.about(head, "hasPublishedVersion")]
        return sorted(found, key=lambda one: clock.read(self.things[one].created_at), reverse=True)

    def description(self, identity: str) -> str | None:
        """What a `description` statement says about a predicate or class."""
        found = self.about(identity, "description")
        return self.things[found[0].object].label if found else None

    def write(self, comparison: Comparison, **changes: Any) -> Comparison:
        """Replace parts of a comparison."""
        changed = replace(comparison, **changes)
        self.comparisons[changed.id] = changed
        return changed

    # for tests

    def dump(self) -> Json:
        """The whole world as JSON, the same for the same state."""
        return {
            "things": {one.id: asdict(one) for one in self.things.values()},
            "statements": {one.id: asdict(one) for one in self.statements.values()},
            "papers": {one.id: asdict(one) for one in self.papers.values()},
            "comparisons": {one.id: asdict(one) for one in self.comparisons.values()},
            "tables": self.tables,
        }

    def canonical(self) -> bytes:
        """The dump as bytes with sorted keys."""
        return json.dumps(self.dump(), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _take_out(index: dict[str, tuple[str, ...]], key: str, identity: str) -> None:
    left = tuple(one for one in index[key] if one != identity)
    if left:
        index[key] = left
    else:
        del index[key]
