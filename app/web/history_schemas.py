"""JSON shapes of the history: differences, changes one after another, blame. Made from the values of `app.compare`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.compare import blame as told
from app.compare import diff, history
from app.web import schemas
from app.web.schemas import Scalar, Thing, scalar

What = Literal["cells", "sources", "observations"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Step(_Answer):
    """A revision: who made it, when and why."""

    revision: int
    made_at: datetime
    author: Thing
    reason: str


class CellCounts(_Answer):
    """Cells that differ, by what happened to them."""

    added: int = Field(description="Had no value and have one.")
    removed: int = Field(description="Had a value and have none.")
    changed: int = Field(description="Have another value, other candidates, or another reason for having none.")
    status: int = Field(description="The same answer has another standing.")
    evidence: int = Field(description="The same answer rests on other claims or sources.")


class Counts(_Answer):
    """Things that came and went."""

    added: int
    removed: int


class GraphCounts(Counts):
    """Triples of a graph that came and went; graphs of sources count as one."""

    graph: str


class Layers(_Answer):
    """A run of layers, counted from 0, both ends included."""

    first: int
    last: int


class Decision(_Answer):
    """How the question was settled: by a rule or by a person."""

    rule: str = Field(description="agreement, trust-rank or manual.")
    note: str | None
    by: Thing
    date: str | None


class CellChange(_Answer):
    """One property of one model that differs."""

    model: str = Field(description="Slug of the model.")
    label: str
    subject: str = Field(description="IRI of the model, its architecture or a group of its layers.")
    layers: Layers | None = Field(description="The layers, where it is about some of them only.")
    property: str
    kind: Literal["added", "removed", "changed", "status", "evidence"]
    old: schemas.Cell
    new: schemas.Cell
    decision: Decision | None = Field(description="How the question is settled at the end of the way.")
    why: list[Step] = Field(description="The revisions on the way that bear on the cell.")


class ItemChange(_Answer):
    """A source or an observation that came or went."""

    iri: str
    label: str = Field(description="Title of the source; name of the metric that was observed.")
    added: bool
    model: str | None
    value: Scalar | None


class Diff(_Answer):
    """What differs between two revisions, one page of it."""

    old: int = Field(description="The revision that is compared; 0 is the graph before the first.")
    new: int
    revisions: int = Field(description="Number of revisions on the way.")
    cells: CellCounts
    sources: Counts
    observations: Counts
    graphs: list[GraphCounts] = Field(description="Triples that came and went.")
    listed: What = Field(description="What the items are.")
    total: int = Field(description="Number of items that fit, on all pages.")
    page: int
    limit: int
    items: list[CellChange] | list[ItemChange]


class Links(_Answer):
    """Where a revision is told of."""

    page: str
    diff: str
    patch: str


class RevisionChange(Step):
    """What one revision did."""

    iri: str
    key: str | None = Field(
        None, description="Id of the key with which the author acted, if it was one. The key itself is kept nowhere."
    )
    added: int = Field(description="Triples that came.")
    removed: int = Field(description="Triples that went.")
    quads: int = Field(description="Triples of the whole graph after it.")
    cells: CellCounts
    models: list[str] = Field(description="Slugs of the models whose cells changed, at most twenty: the most changed.")
    models_changed: int
    sources: Counts
    observations: Counts
    links: Links


class Changes(_Answer):
    """Changes one after another, oldest first."""

    revision: int = Field(description="The newest revision.")
    after: int
    cursor: int = Field(description="Send it as `after` the next time.")
    next: str | None = Field(description="Address of the next changes, if there are more already.")
    items: list[RevisionChange]


class Part(_Answer):
    """One thing that stands in a cell."""

    kind: Literal["value", "missing", "claim", "status", "disagreement", "decision", "derivation"]
    value: Scalar | None = Field(description="The value, the claim's value or status, the reason, or the rule.")
    iri: str | None = Field(description="The claim, or the record of the decision.")
    source: str | None = Field(description="Title of the claim's source.")
    note: str | None
    layers: Layers | None
    by: Step = Field(description="The revision that put it there.")


class Blame(_Answer):
    """Who put what into a cell, what came last first."""

    revision: int
    model: str
    property: str
    parts: list[Part]


class Reverted(_Answer):
    """What a revert did."""

    revision: int = Field(description="The new revision.")
    added: int
    removed: int


def step(one: diff.Step) -> Step:
    """A step as JSON."""
    return Step(
        revision=one.revision.number,
        made_at=one.revision.made_at,
        author=Thing.model_validate(one.by),
        reason=one.revision.reason,
    )


def page(
    found: diff.Diff, items: list[CellChange] | list[ItemChange], what: What, total: int, at: tuple[int, int]
) -> Diff:
    """One page of a difference as JSON; `at` is the page's number and how many items fit on it."""
    return Diff(
        old=found.old,
        new=found.new,
        revisions=abs(found.new - found.old),
        cells=CellCounts.model_validate({kind.value: count for kind, count in found.kinds.items()}),
        sources=_counted(found.sources),
        observations=_counted(found.observations),
        graphs=[GraphCounts(graph=one.graph, added=one.added, removed=one.removed) for one in found.graphs],
        listed=what,
        total=total,
        page=at[0],
        limit=at[1],
        items=items,
    )


def cell_change(one: diff.CellChange) -> CellChange:
    """A cell that differs as JSON."""
    return CellChange(
        model=one.model,
        label=one.label,
        subject=one.subject,
        layers=_layers(one.layers),
        property=one.property.name,
        kind=one.kind.value,
        old=schemas.cell(one.old, one.property),
        new=schemas.cell(one.new, one.property),
        decision=_decision(one.decision),
        why=[step(each) for each in one.steps],
    )


def item_change(one: diff.Item) -> ItemChange:
    """A source or an observation that came or went as JSON."""
    value = None if one.value is None else scalar(one.value)
    return ItemChange(iri=one.iri, label=one.label, added=one.added, model=one.model, value=value)


def change(one: history.Summary, root: str, iri: str) -> RevisionChange:
    """What one revision did as JSON; `root` is the address of the service."""
    revision = one.step.revision
    ends = f"from={revision.number - 1}&to={revision.number}"
    return RevisionChange(
        **step(one.step).model_dump(),
        iri=iri,
        key=one.key,
        added=revision.added,
        removed=revision.removed,
        quads=revision.quads,
        cells=CellCounts.model_validate({kind.value: count for kind, count in one.cells.items()}),
        models=list(one.models),
        models_changed=one.models_changed,
        sources=Counts(added=one.sources_added, removed=one.sources_removed),
        observations=Counts(added=one.observations_added, removed=one.observations_removed),
        links=Links(
            page=f"{root}/revisions/{revision.number}",
            diff=f"{root}/api/v1/diff?{ends}",
            patch=f"{root}/api/v1/diff.rdfp?{ends}",
        ),
    )


def blamed(found: told.Blame) -> Blame:
    """Blame as JSON."""
    return Blame(
        revision=found.revision,
        model=found.model.slug,
        property=found.property.name,
        parts=[
            Part(
                kind=one.kind,
                value=None if one.value is None else scalar(one.value),
                iri=one.iri,
                source=one.source,
                note=one.note,
                layers=_layers(one.layers),
                by=step(one.step),
            )
            for one in found.parts
        ],
    )


def _decision(one: diff.Decision | None) -> Decision | None:
    return (
        None if one is None else Decision(rule=one.rule, note=one.note, by=Thing.model_validate(one.by), date=one.date)
    )


def _layers(layers: tuple[int, int] | None) -> Layers | None:
    return None if layers is None else Layers(first=layers[0], last=layers[1])


def _counted(items: tuple[diff.Item, ...]) -> Counts:
    added = sum(one.added for one in items)
    return Counts(added=added, removed=len(items) - added)
