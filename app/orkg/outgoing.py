"""From a plan to an intent: which of our values go out, into which contributions, and what is held back and why. Pure.

What goes out has been accepted here and is not in dispute with the ORKG: cells that wait for a review (theirs changed,
conflicts, values withdrawn there) stay out. The usual end is a comparison of our own that shows the columns of the
other one and ours behind them; the other one is changed only where somebody says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app.errors import BadParameter, OrkgDrift
from app.orkg.intent import Intent, Wanted, WantedColumn, WantedComparison, WantedPaper, WantedRow, token_of
from app.orkg.plan import NOTHING, Line, OurCell, OurModel, OurValue, Plan, State
from app.orkg.pull import Pulled
from app.orkg.seen import Touched, foreign, moved, state
from app.orkg.table import Place, Table
from app.orkg.values import Author, Paper, SourceRef

FIELD: Final = "R133"
"""The research field Artificial Intelligence, which every ORKG has."""
OUT = (State.SAME, State.OURS_CHANGED, State.MISSING_THERE)
"""States of cells whose value of ours may stand in a contribution of ours."""
_NEWS = (State.OURS_CHANGED, State.MISSING_THERE)
_HELD: Mapping[State, str] = {
    State.CONFLICT: "a conflict waits to be decided",
    State.THEIRS_CHANGED: "a change there waits for review",
    State.WITHDRAWN_THERE: "it was withdrawn there; look why first",
    State.QUESTION: "the value there cannot be read as one of ours",
}
_ARXIV = re.compile(r"https?://(?:www\.)?arxiv\.org/(?:abs|pdf)/(\d{4}\.\d{4,5})(?:v\d+)?(?:\.pdf)?", re.ASCII)
_DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/\S+)", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Row:
    """A property of ours that goes out, with the row that a person confirmed for it at the ORKG of the plan.

    `property` is how the mapping writes it, with a unit where the row has one; `name` is the property alone.
    """

    property: str
    name: str
    iri: str
    label: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose. `host` is the ORKG that is written to; `models` are slugs, all that have news when empty.

    `target` names a comparison of ours that is there; `papers` describe papers by DOI that the ORKG may not know.
    """

    host: str
    models: tuple[str, ...] = ()
    new_models: bool = False
    edit_foreign: bool = False
    target: str | None = None
    title: str | None = None
    authors: tuple[Author, ...] = ()
    research_field: str | None = None
    papers: Mapping[str, WantedPaper] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """Something that does not go out: a whole model, or one property of it."""

    model: str
    property: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes out and what does not."""

    intent: Intent
    held: tuple[Held, ...]

    @property
    def values(self) -> int:
        """How many values go out."""
        return sum(len(cell) for column in self.intent.columns for cell in column.cells.values())


def outgoing(
    plan: Plan,
    pulled: Pulled,
    now: Table,
    rows: tuple[Row, ...],
    ours: Mapping[str, OurModel],
    options: Options,
) -> Outgoing:
    """Make an intent of a plan; OrkgDrift when the ORKG moved since the last pull, BadParameter for what cannot be."""
    changes = moved(state(pulled.live), now)
    if changes:
        raise OrkgDrift(plan.comparison, changes)
    return _Builder(plan, pulled, now, rows, ours, options).build()


def doi_of(address: str) -> str | None:
    """The DOI that an address of a document stands for: that of arXiv, or one that is written out."""
    found = _ARXIV.fullmatch(address.strip())
    if found is not None:
        return f"10.48550/arXiv.{found[1]}"
    found = _DOI.fullmatch(address.strip())
    return None if found is None else found[1]


def touched_by(intent: Intent) -> Touched:
    """The cells of others that an intent is meant to change."""
    ids = {row.key: row.id for row in intent.rows}
    return frozenset(
        (column.contribution, predicate)
        for column in intent.columns
        if column.contribution is not None
        for key in column.cells
        if (predicate := ids[key]) is not None
    )


class _Builder:
    """One intent in the making."""

    def __init__(
        self,
        plan: Plan,
        pulled: Pulled,
        now: Table,
        rows: tuple[Row, ...],
        ours: Mapping[str, OurModel],
        options: Options,
    ) -> None:
        self._plan = plan
        self._pulled = pulled
        self._now = now
        self._ours = ours
        self._options = options
        self._here = options.host.rstrip("/") == plan.base.rstrip("/")
        self._held: list[Held] = []
        nested = [row for row in rows if row.place is not None and len(row.place) > 1]
        self._held += [Held("", row.property, "its row lies below another one") for row in nested]
        self._rows = {row.property: row for row in rows if row not in nested}
        self._as_things = self._rows_of_things()

    def build(self) -> Outgoing:
        options = self._options
        if options.edit_foreign and not self._here:
            raise BadParameter(
                "--edit-foreign",
                f"{self._plan.comparison} is at {self._plan.base}, not at {options.host}",
                advice="Set SLMKG_ORKG_URL to the ORKG that the comparison is at.",
            )
        unknown = [slug for slug in options.models if slug not in self._ours]
        if unknown:
            raise BadParameter("--model", f"there is no model {unknown[0]!r}", advice="Give the slug of a model.")
        columns = [*self._matched(), *self._unmatched()]
        used = {name for column in columns for name, cell in column.cells.items() if cell}
        columns = [
            replace(column, cells={name: cell for name, cell in column.cells.items() if name in used})
            for column in columns
        ]
        wanted = tuple(self._row(self._rows[name]) for name in self._rows if name in used)
        comparison = self._comparison()
        intent = Intent(options.host.rstrip("/"), comparison, wanted, tuple(columns))
        if self._here:
            seen = state(self._now, touched_by(intent))
            intent = Intent(intent.host, comparison, wanted, tuple(columns), self._plan.comparison, seen)
        return Outgoing(intent, tuple(self._held))

    def _matched(self) -> list[WantedColumn]:
        """Models that a column is about."""
        by_model: dict[str, dict[str, list[Line]]] = {}
        for line in self._plan.lines:
            if line.model is not None and self._chosen(line.model):
                by_model.setdefault(line.model, {}).setdefault(line.column, []).append(line)
        made = []
        for slug, columns in by_model.items():
            source, lines = next(iter(columns.items()))
            if len(columns) > 1:
                self._held.append(Held(slug, None, f"several columns are about it; {source} counts"))
            edited = self._edited(slug, source, lines) if self._options.edit_foreign else self._own(slug, source, lines)
            made += [] if edited is None else [edited]
        return made

    def _own(self, slug: str, source: str, lines: list[Line]) -> WantedColumn | None:
        """A contribution of ours beside theirs, if we have anything to say that theirs does not."""
        model = self._ours[slug]
        cells: dict[str, tuple[Wanted, ...]] = {}
        news = False
        for line in lines:
            name = line.property
            if name is None or name not in self._rows or line.path != self._rows[name].place:
                continue
            if line.state not in OUT:
                self._hold(line)
                continue
            cells[name] = self._values(model, name)
            news = news or line.state in _NEWS
        if not news:
            return None
        paper = self._paper_of(source)
        if paper is None:
            self._held.append(Held(slug, None, "its column belongs to no paper"))
            return None
        return WantedColumn(model.iri, model.label, cells, paper)

    def _edited(self, slug: str, source: str, lines: list[Line]) -> WantedColumn | None:
        """Values of ours for somebody else's contribution."""
        model = self._ours[slug]
        cells: dict[str, tuple[Wanted, ...]] = {}
        before: dict[str, tuple[str, ...]] = {}
        for line in lines:
            name = line.property
            if name is None or name not in self._rows or line.path != self._rows[name].place:
                continue
            if line.state in _NEWS and line.ours.values:
                cells[name] = self._values(model, name)
                before[name] = tuple(sorted(token_of(one) for one in line.theirs))
            elif line.state not in OUT:
                self._hold(line)
        return WantedColumn(model.iri, model.label, cells, contribution=source, before=before) if cells else None

    def _unmatched(self) -> list[WantedColumn]:
        """Models that no column is about, where somebody wants them."""
        made = []
        for slug in self._plan.missing:
            if not (slug in self._options.models or (self._options.new_models and not self._options.models)):
                continue
            model = self._ours[slug]
            cells = {
                name: self._values(model, name)
                for name in self._rows
                if name in model.cells and model.cells[name].values
            }
            paper = self._paper_for(model)
            if not cells:
                self._held.append(Held(slug, None, "we hold no value for any of the rows"))
            elif paper is None:
                self._held.append(Held(slug, None, "its paper is not described; give it with --papers"))
            else:
                made.append(WantedColumn(model.iri, model.label, cells, paper))
        return made

    def _chosen(self, slug: str) -> bool:
        return not self._options.models or slug in self._options.models

    def _hold(self, line: Line) -> None:
        why = _HELD.get(line.state)
        if why is not None and line.model is not None:
            self._held.append(Held(line.model, line.property, why))

    def _values(self, model: OurModel, name: str) -> tuple[Wanted, ...]:
        """Our values of a row: in its unit where the row is pinned, in the property's own elsewhere."""
        cell = model.cells.get(name if self._here else self._rows[name].name, NOTHING)
        return tuple(self._wanted(one, cell, as_thing=self._as_things[name]) for one in cell.values)

    @staticmethod
    def _wanted(value: OurValue, cell: OurCell, *, as_thing: bool) -> Wanted:
        """A value as it is to stand: a thing as text where the row holds text, so that a row stays of one kind."""
        if value.uri is not None and as_thing:
            return Wanted(value.label, None, value.uri, cell.method)
        return Wanted(value.label, value.datatype or "xsd:string", None, cell.method)

    def _rows_of_things(self) -> dict[str, bool]:
        """Whether each row holds things: so it does unless there are literals in it and no thing."""
        kinds: dict[str, set[bool]] = {}
        for line in self._plan.lines:
            if line.property is not None:
                kinds.setdefault(line.property, set()).update(ref.literal for ref in line.theirs)
        return {name: kinds.get(name, set()) != {True} for name in self._rows}

    def _row(self, row: Row) -> WantedRow:
        pinned = row.place[0] if self._here and row.place is not None else None
        return WantedRow(row.property, row.label, row.iri, pinned)

    def _paper_of(self, source: str) -> WantedPaper | None:
        """The paper of a column: by its identifier at the same ORKG, described by what is known elsewhere."""
        column = next(one for one in self._now.columns if one.source == source)
        known = self._pulled.papers.get(column.paper or "")
        if known is None:
            return None
        return WantedPaper(known.title, known.id, known.doi) if self._here else described(known)

    def _paper_for(self, model: OurModel) -> WantedPaper | None:
        for address in model.papers:
            doi = doi_of(address)
            given = self._options.papers.get((doi or address).casefold())
            if given is not None:
                return given
        return None

    def _comparison(self) -> WantedComparison:
        options, plan = self._options, self._plan
        head = self._pulled.head
        field_of_head = next((one.id for one in head.research_fields), FIELD) if self._here else FIELD
        if options.edit_foreign:
            return WantedComparison(
                key=plan.comparison,
                title=head.title,
                description=head.description or "",
                id=plan.comparison,
                foreign=True,
                authors=options.authors,
                paths=self._now.paths,
            )
        return WantedComparison(
            key=plan.comparison,
            title=options.title or f"{head.title}, with values checked by slmkg",
            description=(
                f"The comparison {plan.comparison} of the ORKG ({plan.base}/comparison/{plan.comparison}) with "
                "contributions of slmkg beside those that differ from its sources. Each value of slmkg has a source: "
                "see the IRI of the contribution."
            ),
            id=options.target,
            research_field=options.research_field or field_of_head,
            authors=options.authors,
            references=(f"{plan.base}/comparison/{plan.comparison}",),
            sources=tuple(SourceRef(one.source, one.kind) for one in foreign(self._now)) if self._here else (),
            paths=self._now.paths if self._here else (),
        )


def described(paper: Paper) -> WantedPaper:
    """A paper as it may be made at another ORKG; names of people without their identifiers there."""
    told = paper.publication_info
    return WantedPaper(
        title=paper.title,
        doi=paper.doi,
        authors=tuple(Author(one.name, None, one.identifiers, one.homepage) for one in paper.authors),
        url=told.url,
        published_month=told.published_month,
        published_year=told.published_year,
    )
