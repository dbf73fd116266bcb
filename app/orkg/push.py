"""Carries an intent out at the ORKG, so that it ends in the same state however often it is begun again.

The service has no transaction over several requests, no optimistic lock and one write only that may be repeated. So
every thing is looked for before it is made (by IRI, DOI or title), each write is written down before it is sent
(`app.orkg.outbox`), and after an answer that was lost the thing is looked for again: among those that bear the label
and were made by our account, the one that was not there when the write was written down is ours. A push that was broken
off anywhere is begun anew with the same intent, and ends where the first one would have.

What is changed is ours: statements that the outbox knows and that stand as we left them. Whatever else is found in a
cell is a conflict, which is told and left alone. The order is that of the specification: predicates and things,
contributions with their IRIs, values, columns, rows; then everything is read back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadParameter, Conflict, OrkgDrift, OrkgMissing, OrkgRefused, OrkgUncertain
from app.orkg.client import Orkg
from app.orkg.intent import (
    Intent,
    Wanted,
    WantedColumn,
    WantedComparison,
    WantedPaper,
    WantedRow,
    as_text,
    literal_token,
    thing_token,
    token_of,
)
from app.orkg.outbox import Outbox, Own, Write
from app.orkg.outgoing import touched_by
from app.orkg.pull import merged
from app.orkg.seen import moved, shape, table_now
from app.orkg.values import (
    Comparison,
    Leaf,
    Method,
    NewComparison,
    NewContribution,
    NewLiteral,
    NewPaper,
    NewParts,
    Path,
    SourceRef,
    Statement,
    Thing,
    User,
)

TRIES: Final = 3
"""How often a write is sent whose answers are lost, with a look between two of them."""
SETTLE: Final = 20.0
"""Seconds after a lost answer until it is looked for: what the service was still doing is done by then."""
_LEAST_SOURCES: Final = 2
_AI: Final = frozenset({Method.AI_GENERATED})

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Release:
    """A frozen version that somebody explicitly wants. `assign_doi` registers a permanent DOI."""

    subject: str
    description: str
    assign_doi: bool = False


@dataclass(frozen=True, slots=True)
class Clash:
    """A cell that was left alone: something in it is not ours, or not as we left it."""

    column: str
    row: str
    found: tuple[str, ...]
    wanted: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push left behind. `columns` are contributions by the IRI of the model; `writes` counts requests sent."""

    number: int
    comparison: str
    columns: Mapping[str, str]
    writes: int
    clashes: tuple[Clash, ...] = ()
    version: str | None = None
    doi: str | None = None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As plain data, for the audit record."""
        return {
            "push": self.number,
            "comparison": self.comparison,
            "columns": dict(self.columns),
            "writes": self.writes,
            "conflicts": [
                {
                    "column": one.column,
                    "row": one.row,
                    "found": list(one.found),
                    "wanted": list(one.wanted),
                    "why": one.why,
                }
                for one in self.clashes
            ],
            "version": self.version,
            "doi": self.doi,
            "notes": list(self.notes),
        }


def checked(intent: Intent, release: Release | None = None) -> Intent:
    """The intent, if it may go out; BadParameter."""
    for column in intent.columns:
        for name, values in column.cells.items():
            if any(one.method in _AI for one in values):
                raise BadParameter(
                    "push", f"{column.label}: {name} holds a value that nobody has reviewed", advice="Review it first."
                )
    if release is not None:
        comparison = intent.comparison
        missing = [
            word
            for word, given in (
                ("a title", comparison.title),
                ("a description", release.description),
                ("an author", comparison.authors),
                ("a subject", release.subject),
            )
            if not given
        ]
        if missing:
            raise BadParameter("--publish", f"a version needs {missing[0]}", advice="Name authors with --author.")
    return intent


def push(
    orkg: Orkg,
    outbox: Outbox,
    intent: Intent,
    *,
    by: str,
    release: Release | None = None,
    settle: float = SETTLE,
    sleep: Callable[[float], None] = time.sleep,
    tell: Tell = lambda _: None,
) -> Pushed:
    """Bring an intent to the ORKG, or go on where a push of it was broken off; return what stands there now.

    OrkgDrift when the ORKG moved since the plan was made, or does not hold in the end what it should; OrkgRefused,
    OrkgUnavailable, OrkgUncertain, OrkgSignIn. After any of them the same push may be begun again. Conflict while
    another push is under way.
    """
    checked(intent, release)
    if orkg.base != intent.host:
        raise BadParameter("push", f"the plan is for {intent.host}, not for {orkg.base}", advice="Plan again.")
    with outbox.alone():
        me = orkg.user()
        _check_drift(orkg, intent)
        number = outbox.begin(intent.host, intent.digest, as_text(intent), by=by, account=me.id)
        try:
            done = _Push(orkg, outbox, intent, me, number, settle, sleep, tell).run(release)
        except Exception as error:
            outbox.end(number, note=f"{type(error).__name__}: {error}"[:2000])
            raise
        outbox.end(number, result=done.as_json())
        return done


def _check_drift(orkg: Orkg, intent: Intent) -> None:
    if intent.watched is None:
        return
    changes = moved(intent.seen, table_now(orkg, intent.watched), touched_by(intent))
    if changes:
        raise OrkgDrift(intent.watched, changes)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of thing is found. `exact` finds it by what is unique, `alike` lists those that it may be.

    `counted` says that those which are alike are written down before a write, so that a new one stands out; without it
    every one that is alike is as good as any other.
    """

    exact: Callable[[], str | None] = lambda: None
    alike: Callable[[], Sequence[str]] = tuple
    counted: bool = True


class _Push:
    """One push under way."""

    def __init__(
        self,
        orkg: Orkg,
        outbox: Outbox,
        intent: Intent,
        me: User,
        number: int,
        settle: float,
        sleep: Callable[[float], None],
        tell: Tell,
    ) -> None:
        self._orkg = orkg
        self._outbox = outbox
        self._intent = intent
        self._me = me.id
        self._number = number
        self._settle = settle
        self._sleep = sleep
        self._tell = tell
        self._host = intent.host
        self._rows: dict[str, str] = {}
        self._things: dict[str, str] = {}
        self._clashes: list[Clash] = []
        self._notes: list[str] = []
        self._writes = 0

    def run(self, release: Release | None) -> Pushed:
        """Everything, in order."""
        intent = self._intent
        for row in intent.rows:
            self._rows[row.key] = row.id if row.id is not None else self._predicate(row)
        wanted = [one for column in intent.columns for cell in column.cells.values() for one in cell]
        for uri, one in {one.uri: one for one in wanted if one.uri is not None}.items():
            self._things[uri] = self._thing(uri, one)
        columns: dict[str, str] = {}
        for column in intent.columns:
            self._tell(f"contribution of {column.label}")
            columns[column.uri] = self._column(column)
        self._tell("the comparison")
        comparison = self._comparison(intent.comparison, tuple(columns.values()))
        self._tell("reading back")
        self._read_back(comparison, columns)
        version, doi = (None, None) if release is None else self._publish(comparison, release)
        return Pushed(
            self._number,
            comparison,
            columns,
            self._writes,
            tuple(self._clashes),
            version,
            doi,
            tuple(self._notes),
        )

    # Things that are made once

    def _predicate(self, row: WantedRow) -> str:
        """The predicate that has our property's IRI."""

        def alike() -> Sequence[str]:
            return [
                one.id for one in self._orkg.predicates_labelled(row.label) if self._may_be(one, row.label, row.uri)
            ]

        made = self._sure(
            f"predicate {row.uri}",
            {"POST": "/api/predicates", "label": row.label, "uri": row.uri},
            _Kind(lambda: self._with_uri(row.uri), alike),
            lambda: self._orkg.create_predicate(row.label, Method.MANUAL),
        )
        self._give_uri(made, row.uri, self._orkg.set_predicate_uri)
        return made

    def _thing(self, uri: str, wanted: Wanted) -> str:
        """The resource that has our thing's IRI."""

        def alike() -> Sequence[str]:
            return [
                one.id for one in self._orkg.resources_labelled(wanted.label) if self._may_be(one, wanted.label, uri)
            ]

        made = self._sure(
            f"resource {uri}",
            {"POST": "/api/resources", "label": wanted.label, "uri": uri},
            _Kind(lambda: self._with_uri(uri), alike),
            lambda: self._orkg.create_resource(wanted.label, (), Method.MANUAL),
        )
        self._give_uri(made, uri, self._orkg.set_uri)
        return made

    def _may_be(self, thing: Thing, label: str, uri: str) -> bool:
        """Whether a thing may be one that our account made for this IRI; a search does not tell cases apart."""
        return thing.created_by == self._me and thing.label == label and thing.uri in {None, uri}

    def _with_uri(self, uri: str, *, mine: bool = False) -> str | None:
        """What bears an IRI of ours; Conflict where it is to be `mine` and is somebody else's."""
        found = next(iter(self._orkg.things_with_uri(uri)), None)
        if found is not None and mine and found.created_by != self._me:
            raise Conflict(
                f"{found.id} of somebody else bears our IRI {uri}",
                advice="Another account of yours may have pushed it: push with that one.",
            )
        return None if found is None else found.id

    def _give_uri(self, made: str, uri: str, give: Callable[[str, str], None]) -> None:
        """Give a thing its IRI, which is lost when it is made, and look whether it has it."""
        there = self._still_there(made).uri
        if there is None:
            self._put(f"uri {made}", {"PUT": f"/api/things/{made}", "uri": uri}, lambda: give(made, uri))
            there = self._still_there(made).uri
        else:
            self._was_put(f"uri {made}")
        if there != uri:
            raise OrkgDrift(made, (f"it bears the IRI {there or 'none'}, not {uri}",))

    def _still_there(self, made: str) -> Thing:
        try:
            return self._orkg.thing(made)
        except OrkgMissing as error:
            raise OrkgDrift(
                made,
                ("an earlier push made it, and it is gone",),
                advice=f"Somebody deleted it, or {self._host} was reset: then move {self._outbox.path} away.",
            ) from error

    # Contributions

    def _column(self, column: WantedColumn) -> str:
        """The contribution of a model, with its IRI and its values."""
        if column.contribution is not None:
            self._fill(column, column.contribution)
            return column.contribution
        if column.paper is None:
            raise BadParameter("push", f"{column.label} has no paper", advice="Plan again.")
        paper = self._paper(column.paper)
        contribution = self._contribution(column, paper)
        self._give_uri(contribution, column.uri, self._orkg.set_uri)
        self._fill(column, contribution)
        return contribution

    def _paper(self, paper: WantedPaper) -> str:
        """The paper: the one that is there, or a new one."""
        if paper.id is not None:
            return paper.id

        def exact() -> str | None:
            if paper.doi is not None:
                found = self._orkg.paper_with_doi(paper.doi)
                if found is not None:
                    return found.id
            titled = self._orkg.papers_titled(paper.title)
            if len(titled) > 1 or any(one.doi and paper.doi and one.doi != paper.doi for one in titled):
                raise Conflict(
                    f"{self._host} has another paper titled {paper.title!r}",
                    advice="Settle there which is which, or give the paper another title with --papers.",
                )
            return titled[0].id if titled else None

        new = NewPaper(
            title=paper.title,
            research_field=self._intent.comparison.research_field or "R133",
            doi=paper.doi,
            authors=paper.authors,
            published_month=paper.published_month,
            published_year=paper.published_year,
            url=paper.url,
        )
        return self._sure(
            f"paper {paper.doi or paper.title}",
            {"POST": "/api/papers", "title": paper.title, "doi": paper.doi},
            _Kind(exact),
            lambda: self._orkg.create_paper(new, Method.MANUAL),
        )

    def _contribution(self, column: WantedColumn, paper: str) -> str:
        """Our contribution to a paper: made with the values of the method that most of them have."""
        key = f"contribution {column.uri}"
        known = self._outbox.made(self._host, key)
        if known is not None:
            self._own_first(key, known)
            return known
        method, first = _first_part(column)
        new, parts = self._new(column.label, first)
        asked = [[self._rows[name], self._token(one)] for name, cell in first.items() for one in cell]

        def alike() -> Sequence[str]:
            same = [one.id for one in self._orkg.paper(paper).contributions if one.label == column.label]
            mine = [one for one in map(self._orkg.contribution, same) if one.created_by == self._me]
            return [one.id for one in mine if self._orkg.thing(one.id).uri in {None, column.uri}]

        made = self._sure(
            key,
            {
                "POST": f"/api/papers/{paper}/contributions",
                "label": column.label,
                "extraction_method": method.value,
                "statements": asked,
            },
            _Kind(lambda: self._with_uri(column.uri, mine=True), alike),
            lambda: self._orkg.create_contribution(paper, new, parts, method),
        )
        self._own_first(key, made)
        return made

    def _new(self, label: str, cells: Mapping[str, tuple[Wanted, ...]]) -> tuple[NewContribution, NewParts]:
        literals: dict[str, NewLiteral] = {}
        statements: dict[str, tuple[Leaf, ...]] = {}
        for name, cell in cells.items():
            leaves = []
            for one in cell:
                if one.uri is not None:
                    leaves.append(Leaf(self._things[one.uri]))
                    continue
                mark = f"#l{len(literals) + 1}"
                literals[mark] = NewLiteral(one.label, one.datatype or "xsd:string")
                leaves.append(Leaf(mark))
            statements[self._rows[name]] = tuple(leaves)
        return NewContribution(label, statements), NewParts(literals=literals)

    def _own_first(self, key: str, contribution: str) -> None:
        """Take the statements that came with a new contribution for ours, once."""
        mark = f"first {contribution}"
        if self._outbox.made(self._host, mark) is not None:
            return
        request = self._outbox.request(self._host, key) or {}
        asked = {(predicate, token) for predicate, token in request.get("statements", ())}
        own = [
            _own_of(one)
            for one in self._orkg.statements(subject=contribution)
            if one.created_by == self._me and (one.predicate.id, token_of(one.object)) in asked
        ]
        self._outbox.claim(self._host, mark, contribution, own)

    # Values

    def _fill(self, column: WantedColumn, contribution: str) -> None:
        """Bring the cells of a contribution to what is wanted, where nobody else has a say in them."""
        live = self._orkg.statements(subject=contribution)
        self._settle_cells(contribution, live)
        own = self._outbox.own(self._host, contribution)
        for name, wanted in column.cells.items():
            predicate = self._rows[name]
            here = [one for one in live if one.predicate.id == predicate]
            ours = {one.id: one for one in own.values() if one.predicate == predicate}
            clash = self._clash(column, name, wanted, here, ours)
            if clash is not None:
                self._clashes.append(clash)
                continue
            self._cell(contribution, predicate, wanted, here)

    def _clash(
        self,
        column: WantedColumn,
        name: str,
        wanted: tuple[Wanted, ...],
        here: Sequence[Statement],
        ours: Mapping[str, Own],
    ) -> Clash | None:
        """What keeps a cell from being changed; None where nothing does, or nothing has to be."""
        want = Counter(self._token(one) for one in wanted)
        found = Counter(token_of(one.object) for one in here)
        if want == found:
            return None
        live = {one.id: token_of(one.object) for one in here}
        others = tuple(sorted(token for number, token in live.items() if number not in ours))
        why = ""
        if any(number not in live for number in ours):
            why = "somebody deleted a statement of ours"
        elif any(live[number] != one.token for number, one in ours.items()):
            why = "somebody changed a statement of ours"
        elif column.contribution is None and any(token not in want for token in others):
            why = "somebody else has a value there"
        elif column.contribution is not None:
            before = tuple(column.before.get(name, ()))
            stranger = tuple(token for token in others if token not in want)
            if tuple(sorted(others)) != before and stranger:
                why = "it is not as it was when the push was planned"
            elif stranger:
                why = "the value there is not ours to change"
        if not why:
            return None
        return Clash(column.uri, name, tuple(sorted(found.elements())), tuple(sorted(want.elements())), why)

    def _cell(
        self,
        contribution: str,
        predicate: str,
        wanted: tuple[Wanted, ...],
        here: Sequence[Statement],
    ) -> None:
        """Re-point statements of ours that say something else, make those that are missing, delete what is too much."""
        spare = list(here)
        missing = []
        for one in wanted:
            same = next((each for each in spare if token_of(each.object) == self._token(one)), None)
            if same is None:
                missing.append(one)
            else:
                spare.remove(same)
        for one in missing:
            if spare:
                self._point(contribution, spare.pop(0), one)
            else:
                self._state(contribution, predicate, one)
        for each in spare:
            self._delete(contribution, each)

    def _point(self, contribution: str, statement: Statement, wanted: Wanted) -> None:
        target = self._object(contribution, statement.predicate.id, wanted)
        key = f"cell {contribution} point {statement.id}"
        request = {
            "PUT": f"/api/statements/{statement.id}",
            "statement": statement.id,
            "predicate": statement.predicate.id,
            "from": token_of(statement.object),
            "object": target,
            "to": self._token(wanted),
            "extraction_method": wanted.method.value,
        }
        number = self._sent(key, request)
        self._written(number, lambda: self._orkg.update_statement(statement.id, target, wanted.method))
        own = Own(statement.id, contribution, statement.predicate.id, self._token(wanted))
        self._outbox.done(number, statement.id, own=[own])

    def _state(self, contribution: str, predicate: str, wanted: Wanted) -> None:
        target = self._object(contribution, predicate, wanted)
        key = f"cell {contribution} state {predicate} {target}"
        request = {
            "POST": "/api/statements",
            "predicate": predicate,
            "object": target,
            "to": self._token(wanted),
            "extraction_method": wanted.method.value,
        }
        number = self._sent(key, request)
        made = self._written(
            number, lambda: self._orkg.create_statement(contribution, predicate, target, wanted.method)
        )
        self._outbox.done(number, made, own=[Own(made, contribution, predicate, self._token(wanted))])

    def _delete(self, contribution: str, statement: Statement) -> None:
        key = f"cell {contribution} delete {statement.id}"
        number = self._sent(key, {"DELETE": f"/api/statements/{statement.id}", "statement": statement.id})
        self._written(number, lambda: self._orkg.delete_statement(statement.id))
        self._outbox.done(number, statement.id, gone=[statement.id])

    def _object(self, contribution: str, predicate: str, wanted: Wanted) -> str:
        """The identifier of a value: of our thing, or of a literal of its own."""
        if wanted.uri is not None:
            return self._things[wanted.uri]
        key = f"literal {contribution} {predicate} {self._token(wanted)}"
        known = self._outbox.made(self._host, key)
        if known is not None and not self._is_literal(known, wanted):
            self._outbox.forget(self._host, key)
        new = NewLiteral(wanted.label, wanted.datatype or "xsd:string")

        def unused() -> Sequence[str]:
            """Literals that our account made, that say the same, and that nobody uses."""
            return [
                one.id
                for one in self._orkg.literals_labelled(wanted.label)
                if one.created_by == self._me
                and token_of(one) == self._token(wanted)
                and not self._orkg.statements(object=one.id)
            ]

        return self._sure(
            key,
            {"POST": "/api/literals", "label": new.label, "datatype": new.datatype},
            _Kind(alike=unused, counted=False),
            lambda: self._orkg.create_literal(new, wanted.method),
        )

    def _is_literal(self, identifier: str, wanted: Wanted) -> bool:
        try:
            return token_of(self._orkg.thing(identifier)) == self._token(wanted)
        except OrkgMissing:
            return False

    def _settle_cells(self, contribution: str, live: Sequence[Statement]) -> None:
        """Find out what became of writes to these cells whose answer nobody heard."""
        there = {one.id: one for one in live}
        for write in self._outbox.pending_below(self._host, f"cell {contribution} "):
            request = write.request
            if "DELETE" in request:
                gone = request["statement"] not in there
                self._settled(write, gone, removed=[request["statement"]])
            elif "PUT" in request:
                found = there.get(request["statement"])
                done = found is not None and found.object.id == request["object"]
                self._settled(
                    write, done, own=[Own(request["statement"], contribution, request["predicate"], request["to"])]
                )
            else:
                triple = (contribution, request["predicate"], request["object"])
                made = next((one for one in live if one.triple == triple and one.created_by == self._me), None)
                own = [] if made is None else [_own_of(made)]
                self._settled(write, made is not None, own=own, made=None if made is None else made.id)

    def _settled(
        self,
        write: Write,
        done: bool,
        *,
        own: Iterable[Own] = (),
        removed: Iterable[str] = (),
        made: str | None = None,
    ) -> None:
        if done:
            self._outbox.done(write.number, made, own=own, gone=removed)
        else:
            self._outbox.dropped(write.number)

    # The comparison

    def _comparison(self, wanted: WantedComparison, columns: tuple[str, ...]) -> str:
        """The comparison with all columns and rows: what is there stays, in its order; what is missing comes behind."""
        sources = (*wanted.sources, *(SourceRef(one) for one in columns))
        made = wanted.id if wanted.id is not None else self._own_comparison(wanted, sources)
        head = self._head(made, wanted)
        known = {one.id for one in head.sources}
        merged_sources = (*head.sources, *(one for one in sources if one.id not in known))
        if len(merged_sources) != len(head.sources):
            self._put(
                f"columns {made}",
                {"PUT": f"/api/comparisons/{made}", "sources": [one.id for one in merged_sources]},
                lambda: self._orkg.set_sources(made, merged_sources, Method.MANUAL),
            )
        else:
            self._was_put(f"columns {made}")
        self._contents(made, wanted)
        return made

    def _own_comparison(self, wanted: WantedComparison, sources: tuple[SourceRef, ...]) -> str:
        key = f"comparison {wanted.key}"
        if not sources:
            raise BadParameter("push", "nothing would be compared", advice="Choose models that have news.")

        sent = self._outbox.pending(self._host, key)
        title = wanted.title if sent is None else str(sent.request["title"])

        def alike() -> Sequence[str]:
            found = self._orkg.comparisons(title=title, exact="true", created_by=self._me)
            return [one.id for one in found if one.title == title and not one.published and not one.withdrawn]

        def exact() -> str | None:
            if self._outbox.pending(self._host, key) is None and (there := alike()):
                raise Conflict(
                    f"your account has a comparison titled {title!r} already: {there[0]}",
                    advice=f"Go on with it (--target {there[0]}), or choose another title (--title).",
                )
            return None

        new = NewComparison(
            title=wanted.title,
            description=wanted.description,
            sources=sources,
            research_fields=(wanted.research_field,) if wanted.research_field else (),
            authors=wanted.authors,
            references=wanted.references,
        )
        return self._sure(
            key,
            {"POST": "/api/comparisons", "title": wanted.title, "sources": [one.id for one in sources]},
            _Kind(exact, alike),
            lambda: self._orkg.create_comparison(new, Method.MANUAL),
        )

    def _head(self, made: str, wanted: WantedComparison) -> Comparison:
        try:
            head = self._orkg.comparison(made)
        except OrkgMissing as error:
            raise OrkgDrift(made, ("the comparison is gone",), advice="Choose another with --target.") from error
        if head.published or head.withdrawn:
            raise Conflict(f"{made} is {'frozen' if head.published else 'deleted'}", advice="Name an editable one.")
        if not wanted.foreign and head.created_by != self._me:
            raise Conflict(
                f"{made} was made by somebody else", advice="Ask them first; then use --edit-foreign instead."
            )
        return head

    def _contents(self, made: str, wanted: WantedComparison) -> None:
        """Set the rows, after the columns: what is chosen stays chosen."""
        ours = [Path(self._rows[row.key], row.label) for row in self._intent.rows]
        there = self._orkg.contents(made).selected_paths
        paths = merged((there, wanted.paths, ours))
        if shape(paths) != shape(there):
            self._put(
                f"rows {made}",
                {"PUT": f"/api/comparisons/{made}/contents", "paths": shape(paths)},
                lambda: self._orkg.set_contents(made, paths),
            )
        else:
            self._was_put(f"rows {made}")

    def _read_back(self, comparison: str, columns: Mapping[str, str]) -> None:
        """Hold the table against the intent; OrkgDrift for whatever is not there."""
        table = table_now(self._orkg, comparison)
        there = {one.source for one in table.columns}
        cells: dict[tuple[str, str], Counter[str]] = {}
        for cell in table.cells:
            if len(cell.path) == 1:
                cells.setdefault((cell.column, cell.path[0]), Counter())[token_of(cell.value)] += 1
        clashed = {(one.column, one.row) for one in self._clashes}
        wrong = [
            f"column {source.id} is missing" for source in self._intent.comparison.sources if source.id not in there
        ]
        for column in self._intent.columns:
            source = columns[column.uri]
            if source not in there:
                wrong.append(f"column {source} ({column.label}) is missing")
                continue
            for name, values in column.cells.items():
                want = Counter(self._token(one) for one in values)
                found = cells.get((source, self._rows[name]), Counter())
                if (column.uri, name) not in clashed and set(found) != set(want):
                    told = ", ".join(sorted(found)) or "nothing"
                    wrong.append(f"{column.label}: {name} reads {told}, not {', '.join(sorted(want))}")
        if wrong:
            raise OrkgDrift(
                comparison,
                tuple(wrong),
                advice="Somebody changed it meanwhile, or the service holds it otherwise. Plan again, and look.",
            )

    # A frozen version

    def _publish(self, comparison: str, release: Release) -> tuple[str, str | None]:
        """Freeze a version, once for this intent; its identifier and DOI."""
        head = self._orkg.comparison(comparison)
        if len({one.id for one in head.sources}) < _LEAST_SOURCES:
            raise Conflict(f"{comparison} has fewer than two columns", advice="The ORKG publishes none such.")

        def versions() -> Sequence[str]:
            found = self._orkg.comparison(comparison).versions.published
            return [one.id for one in found if one.created_by == self._me]

        self._tell("a frozen version")
        made = self._sure(
            f"version {comparison} {self._intent.digest}",
            {"POST": f"/api/comparisons/{comparison}/publish", "assign_doi": release.assign_doi},
            _Kind(alike=versions),
            lambda: self._orkg.publish(
                comparison,
                subject=release.subject,
                description=release.description,
                authors=self._intent.comparison.authors,
                assign_doi=release.assign_doi,
            ),
        )
        doi = self._orkg.comparison(made).doi
        if release.assign_doi and doi is None:
            self._notes.append(f"{made} is published, but its DOI was not registered: ask the ORKG's people")
        return made, doi

    # Writes

    def _sure(self, key: str, request: Mapping[str, Any], kind: _Kind, make: Callable[[], str]) -> str:
        """The identifier of a thing that there is to be once: known, found, or made now."""
        known = self._outbox.made(self._host, key)
        if known is not None:
            return known
        write = self._outbox.pending(self._host, key)
        found = self._found(kind, write)
        if found is not None:
            self._keep(key, write, found)
            return found
        if write is None:
            number = self._sent(key, {**request, "before": list(kind.alike()) if kind.counted else []})
        else:
            number = write.number
            self._outbox.again(number)
        for left in reversed(range(TRIES)):
            try:
                self._writes += 1
                made = make()
            except OrkgUncertain:
                found = self._lost(key, kind)
                if found is not None:
                    return found
                if not left:
                    raise
                self._outbox.again(number)
            except OrkgRefused as error:
                found = self._lost(key, kind) if error.kind == "paper_already_exists" else None
                if found is not None:
                    return found
                self._outbox.refused(number, str(error))
                raise
            else:
                self._outbox.done(number, made, keep=True)
                return made
        raise AssertionError("the last try returns or raises")

    def _lost(self, key: str, kind: _Kind) -> str | None:
        """Look for what a write made whose answer was lost."""
        self._sleep(self._settle)
        write = self._outbox.pending(self._host, key)
        found = self._found(kind, write)
        if found is not None:
            self._keep(key, write, found)
        return found

    def _found(self, kind: _Kind, write: Write | None) -> str | None:
        """The thing, if it is there: by what is unique, or because it was not there when the write was written down."""
        found = kind.exact()
        if found is not None or write is None:
            return found
        before = set(write.request.get("before", ()))
        fresh = (one for one in kind.alike() if one not in before and not self._outbox.taken(self._host, one))
        return next(fresh, None)

    def _keep(self, key: str, write: Write | None, found: str) -> None:
        if write is None:
            self._outbox.remember(self._host, key, found)
        else:
            self._outbox.done(write.number, found, keep=True)

    def _sent(self, key: str, request: Mapping[str, Any]) -> int:
        return self._outbox.sent(self._number, self._host, key, request)

    def _written(self, number: int, write: Callable[[], Any]) -> Any:
        """Send a write that may be carried out twice; its row stays `sent` unless the service refuses."""
        self._writes += 1
        try:
            return write()
        except OrkgRefused as error:
            self._outbox.refused(number, str(error))
            raise

    def _put(self, key: str, request: Mapping[str, Any], write: Callable[[], None]) -> None:
        for lapsed in self._outbox.pending_below(self._host, key, exact=True):
            self._outbox.dropped(lapsed.number)
        number = self._sent(key, request)
        self._written(number, write)
        self._outbox.done(number)

    def _was_put(self, key: str) -> None:
        """Nothing is left to be put: a write of which nobody knew was carried out."""
        for write in self._outbox.pending_below(self._host, key, exact=True):
            self._outbox.done(write.number)

    def _token(self, wanted: Wanted) -> str:
        if wanted.uri is not None:
            return thing_token(self._things[wanted.uri])
        return literal_token(wanted.label, wanted.datatype)


def _own_of(statement: Statement) -> Own:
    return Own(statement.id, statement.subject.id, statement.predicate.id, token_of(statement.object))


def _first_part(column: WantedColumn) -> tuple[Method, dict[str, tuple[Wanted, ...]]]:
    """The method that most values have, and the cells with those values: one request has one method."""
    counted = Counter(one.method for cell in column.cells.values() for one in cell)
    if not counted:
        raise BadParameter("push", f"{column.label} has no value", advice="Plan again.")
    method = counted.most_common(1)[0][0]
    first = {name: tuple(one for one in cell if one.method is method) for name, cell in column.cells.items()}
    return method, {name: cell for name, cell in first.items() if cell}
