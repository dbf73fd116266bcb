"""The use cases that every front gets, built once by `wiring`: a front holds this value and nothing else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from anyio import to_thread

from app import machine, pruning, vocab
from app.access import KeyRing
from app.backup import Backups
from app.compare import models
from app.compare.counts import count
from app.compare.history import History
from app.compare.page import model_page
from app.compare.predicted import Predictions, cost_models, outlooks
from app.compare.projection.projections import Projections
from app.compare.projection.view import View
from app.compare.properties import DEFAULT, properties
from app.compare.questions import questions
from app.compare.reader import Reader
from app.compare.values import Counts, ModelPage, Page, Property
from app.curate import bulk, orkg, orkg_plan
from app.curate.commit import Committed, Rules, commit_change, validate
from app.curate.curation import Curation
from app.curate.load import LoadReport, Progress, load_folder
from app.curate.measured import subject_of
from app.curate.revert import introducing, reason_for, reverting
from app.curate.steps import Taken
from app.curate.write import Author, Condition, Content, Writer, Written
from app.errors import AppError, BadParameter, NotFound, QueryRefused
from app.folder import Folder
from app.ingest.bulk.table import Reading
from app.jobs.delivery import Taker
from app.jobs.queue import Queue
from app.model.agents import Agent
from app.model.health import Sign
from app.model.rdf import IRI
from app.orkg import table as orkg_table
from app.orkg.mapping import Pinned
from app.orkg.outbox import Outbox
from app.orkg.pull import Pulled
from app.pruning import Pruning
from app.release.shelf import Shelf
from app.settings import Settings
from app.store import documents
from app.store.documents import GraphName
from app.store.guard import Form, guard
from app.store.port import Answer, GraphStore, Query
from app.store.public import Public
from app.store.readers import Update
from app.store.updates import guarded_update
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from app.webhooks.hooks import Hooks

_OUR_TERM = re.compile(r"\bslm:(\w+)")


@dataclass(frozen=True, slots=True)
class Services:
    """Built use cases. `now` is the clock, so that tests can set it.

    `writer` makes every change that comes over HTTP; `curation` reads proposals and cases. `history` tells of
    differences; `hooks` are the addresses that are told of each revision. `public` answers strangers' queries within
    limits: in processes that can be killed, or at an external engine; without it (tests on a store in memory) queries
    run in threads. `backups` are of the embedded store's folder; other stores have tools of their own. `jobs` are what
    is to be measured; `take_run` makes a change of what was.
    """

    settings: Settings
    folder: Folder
    store: GraphStore
    set_validator: SetValidator
    record_validator: RecordValidator
    seed_folder: Path
    ontology_folder: Path
    keys: KeyRing
    now: Callable[[], datetime]
    writer: Writer
    releases: Shelf
    history: History
    hooks: Hooks
    curation: Curation
    projections: Projections
    jobs: Queue
    pruning: Pruning
    public: Public | None = None
    backups: Backups | None = None
    take_run: Taker | None = None

    def load(
        self,
        data: Path | None = None,
        *,
        progress: Progress = lambda _: None,
        on_validation_step: Callable[[], None] = lambda: None,
    ) -> LoadReport:
        """Load a data folder (the shipped one by default) as one revision, or change nothing."""
        chosen = data or self.seed_folder
        report = load_folder(
            self.store,
            chosen,
            self.ontology_folder,
            self.set_validator,
            now=self.now(),
            progress=progress,
            on_validation_step=on_validation_step,
        )
        self.folder.loaded(chosen, self.ontology_folder, shipped=chosen == self.seed_folder)
        return report

    def validate(self, *, revision: int | None = None, on_step: Callable[[], None] = lambda: None) -> Report:
        """Validate a whole revision, the newest by default, with the set queries; NotFound."""
        return validate(self.store.to_check(revision), self.set_validator, on_step)

    def validate_record(self, record: IRI) -> Report:
        """Validate one thing of the newest revision with pySHACL; NotFound."""
        quads = list(self.store.at().quads())
        if not any(quad.subject == record for quad in quads):
            raise NotFound("thing", record.value, advice="Name it as type:name, such as model:phi-2, or by its IRI.")
        return self.record_validator.validate(quads, [record])

    def examine(self) -> tuple[Sign, ...]:
        """How the machine, the store, the columns, the keys and the jobs are; reads only."""
        now = self.now()
        try:
            newest = self.store.head().made_at
        except AppError:
            newest = None  # the store's own signs tell more
        return (
            *machine.examine(newest, now),
            *self.folder.examine(),
            *self.seed_signs(filled=newest is not None),
            *self.store.examine(),
            *(machine.folder(self.settings.data_dir) if self.settings.store_url is not None else ()),
            *self.projections.examine(),
            *self.keys.examine(),
            *self.jobs.examine(),
            *pruning.examine(self.settings.data_dir),
        )

    def seed_signs(self, *, filled: bool = True) -> tuple[Sign, ...]:
        """Whether the seed data that was loaded last is that of this slmkg. `filled` says whether any was."""
        return self.folder.examine_seed(self.seed_folder, self.ontology_folder, filled=filled)

    def repair(self, *, keep: int | None = None, take_over: bool = False) -> tuple[str, ...]:
        """Mend what can be mended without a choice; return what was done, in words.

        `keep` lets go of the data of all but so many revisions; `take_over` ends a writer that only seems to be alive.
        """
        self.folder.to_do()  # what a newer slmkg wrote is not for us to mend
        done: list[str] = []
        if keep is not None:
            done.append(f"let go of the data of {self.store.forget(keep)} revision(s)")
        return (*done, *self.store.repair(take_over=take_over), *self.keys.repair())

    def ask(self, query: Query, *, revision: int | None = None) -> tuple[int, Answer]:
        """Answer a stranger's query at a revision, after the guard; return the revision's number with the answer.

        QueryRefused also when the engine lacks what the query asks for, such as a function that nobody defined.
        """
        guard(query.text, limit=self.settings.max_query_bytes)
        number = self.store.head().number if revision is None else revision
        snapshot = self.store.at(number)
        try:
            return number, snapshot.query(query)
        except RuntimeError as error:
            raise QueryRefused(f"the engine cannot answer this: {error}") from error

    def revision_of(self, name: str) -> int:
        """The number of the revision that a release holds; NotFound."""
        return self.releases.find(name).revision

    def form_of(self, text: str) -> Form:
        """The form of a stranger's query; BadQuery or QueryRefused when it may not run."""
        return guard(text, limit=self.settings.max_query_bytes)

    async def update(
        self,
        text: str,
        author: Author,
        *,
        base: str,
        using: tuple[str, ...] = (),
        using_named: tuple[str, ...] = (),
        expect: int | None = None,
    ) -> Written:
        """Run an update as one revision, or change nothing. `using` and `using_named` are the protocol's dataset."""
        guarded = await to_thread.run_sync(self._guarded, text, using, using_named)
        return await self.writer.update(Update(guarded, base), author, reason="SPARQL update", expect=expect)

    async def patch_graph(self, graph: IRI, text: str, author: Author, *, base: str, condition: Condition) -> Written:
        """Run an update on one graph, which it sees as its default graph, as one revision, or change nothing."""
        guarded = await to_thread.run_sync(self._guarded, text, (), ())
        update = Update(guarded, base, graph.value)
        return await self.writer.patch(update, author, reason=f"change of graph {graph.value}", condition=condition)

    async def change_graph(
        self, graph: GraphName, new: Callable[[Content], Content], author: Author, *, condition: Condition
    ) -> Written:
        """Give one graph new content as one revision, or change nothing; `new` makes it from what is there."""
        name = "the default graph" if graph is None else f"graph {graph.value}"
        return await self.writer.change_graph(graph, new, author, reason=f"change of {name}", condition=condition)

    async def revert(self, first: int, last: int, author: Author, *, reason: str, expect: int | None = None) -> Written:
        """Undo revisions `first` to `last` as one new revision, or change nothing; RevertConflict."""

        def work_out(head: int) -> tuple[Content, Content]:
            add, remove = reverting(self.store, first, last, head=head)
            return introducing(self.store.at(head), author.agent, add, remove)

        return await self.writer.commit(
            work_out,
            author,
            reason=reason_for(first, last, reason),
            expect=expect,
        )

    def revert_now(self, first: int, last: int, *, reason: str, agent: Agent) -> Committed:
        """The same, for the command line."""
        head = self.store.head().number
        add, remove = reverting(self.store, first, last, head=head)
        return commit_change(
            self.store,
            *introducing(self.store.at(head), agent, add, remove),
            rules=None if self.settings.scratch else Rules(self.set_validator, self.record_validator),
            reason=reason_for(first, last, reason),
            author=agent.iri,
            now=self.now(),
            expect=head,
        )

    def content(self, graph: GraphName, revision: int) -> Content:
        """The quads of one graph at a revision."""
        return documents.of_graph(self.store.at(revision).quads(graph), graph)

    def _guarded(self, text: str, using: tuple[str, ...], using_named: tuple[str, ...]) -> str:
        return guarded_update(text, using=using, using_named=using_named, limit=self.settings.max_update_bytes)

    def models(self, choice: models.Choice, *, page: int = 1, limit: int = 50, revision: int | None = None) -> Page:
        """One page of the models that fit a choice."""
        return models.choose(models.summaries(self._reader(revision)), choice, page=page, limit=limit)

    def model(self, slug: str, *, revision: int | None = None) -> ModelPage:
        """One model with every claim, source and resolution; NotFound."""
        return model_page(self._reader(revision), slug)

    def predictions(
        self, slug: str, *, prompt: int, generated: int, depth: int = 0, revision: int | None = None
    ) -> Predictions:
        """What a model would take where others were measured; NotFound, BadParameter while its facts are open."""
        reader = self._reader(revision)
        subject, proposed = subject_of(reader.snapshot, slug)
        found = outlooks(subject, cost_models(reader), prompt=prompt, generated=generated, depth=depth)
        return Predictions(slug, prompt, generated, depth, proposed, tuple(found))

    def view(self, revision: int | None = None) -> View:
        """The columns of a revision, from which comparisons are answered; NotFound, StoreEmpty."""
        return self.projections.at(self.store.head().number if revision is None else revision)

    def properties(self, *, revision: int | None = None) -> tuple[Property, ...]:
        """Every property that can be compared, by name."""
        return tuple(properties(self._reader(revision)).values())

    def counts(self, *, revision: int | None = None) -> Counts:
        """How much the graph holds."""
        return count(self._reader(revision))

    def weights(self) -> Mapping[str, int]:
        """How many views a property is part of besides its model's page: the usual comparison, the questions."""
        counted = Counter(vocab.slm.NS + name for name in DEFAULT)
        for question in questions():
            counted.update({vocab.slm.NS + name for name in set(_OUR_TERM.findall(question.text))})
        return counted

    def read_import(self, given: bulk.Input, *, again: bool = False, revision: int | None = None) -> Reading:
        """What a table or a model's files would give, cell by cell. Changes nothing; BadFile, BadParameter."""
        return bulk.read(self.store.at(revision), given, self.seed_folder, self.now().date(), again=again)

    def propose_import(
        self, given: bulk.Input, agent: Agent, *, title: str | None = None, again: str | None = None
    ) -> Taken:
        """Propose what is new in a table or a model's files, in this thread; BadTable, BadFile, BadParameter."""
        return self.curation.take(bulk.proposing(given, self.seed_folder, title=title, again=again), agent)

    async def propose_import_in_turn(
        self, given: bulk.Input, agent: Agent, *, title: str | None = None, again: str | None = None
    ) -> Taken:
        """Propose what is new in a table, in turn with all other writes of the service."""
        return await self.writer.take(bulk.proposing(given, self.seed_folder, title=title, again=again), agent)

    def suggest_orkg(self, pulled: Pulled, pinned: Pinned) -> orkg.Suggestions:
        """What the rows and columns of a pulled comparison may be to us. Changes nothing."""
        return orkg.suggest(self.store.at(), pulled, pinned, self.seed_folder)

    def confirm_orkg(
        self,
        pinned: Pinned,
        given: orkg.Suggestions,
        agent: Agent,
        *,
        rows: Mapping[str, str],
        columns: Mapping[str, str],
        all_suggested: bool,
    ) -> Pinned:
        """The mapping with what a person says of rows and columns. Changes nothing; BadParameter."""
        return orkg.confirmed(
            pinned,
            given,
            bulk.names_of(self.store.at(), self.seed_folder),
            agent,
            self.now().date(),
            rows=rows,
            columns=columns,
            all_suggested=all_suggested,
        )

    def read_orkg(
        self, pulled: Pulled, pinned: Pinned, *, ours: Collection[str] | None = None, again: bool = False
    ) -> orkg.Read:
        """What a pulled comparison would give, cell by cell. Changes nothing.

        `ours` are statements that we wrote; those of our pushes when left out.
        """
        snapshot, today = self.store.at(), self.now().date()
        known = self._pushed(pulled) if ours is None else ours
        return orkg.read(snapshot, pulled, pinned, self.seed_folder, today, ours=known, again=again)

    def propose_orkg(
        self,
        pulled: Pulled,
        pinned: Pinned,
        agent: Agent,
        *,
        ours: Collection[str] | None = None,
        again: str | None = None,
    ) -> Taken:
        """Propose what is new in a pulled comparison, all of it in one proposal; `ours` as in `read_orkg`."""
        known = self._pushed(pulled) if ours is None else ours
        return self.curation.take(orkg.proposing(pulled, pinned, self.seed_folder, ours=known, again=again), agent)

    def orkg_outbox(self) -> Outbox:
        """The record of what was pushed to the ORKG."""
        return Outbox(self.settings.data_dir / "orkg" / "outbox.sqlite", self.now)

    def _pushed(self, pulled: Pulled) -> Collection[str]:
        """The statements that our pushes wrote at the ORKG of a pull: they are no evidence for us."""
        return self.orkg_outbox().statements(pulled.base)

    def plan_orkg(
        self,
        pulled: Pulled,
        pinned: Pinned,
        now: orkg_table.Table,
        *,
        also: Collection[str] | None = (),
        revision: int | None = None,
    ) -> orkg_plan.Prepared:
        """The last pull, the table as it is now, and what a revision holds, cell by cell. Changes nothing.

        `also` names models that no column is about, but whose values are wanted; None all of them.
        """
        return orkg_plan.prepare(self.store.at(revision), pulled, pinned, now, self.seed_folder, also=also)

    def export(
        self, what: str, *, models: Sequence[str] = (), sources: Sequence[str] = (), revision: int | None = None
    ) -> str:
        """Claims, models or observations as a table that can be imported again; BadParameter, NotFound."""
        if what not in bulk.EXPORTS:
            raise BadParameter("what", f"{what!r} cannot be exported", advice=f"Use one of {', '.join(bulk.EXPORTS)}.")
        snapshot = self.store.at(revision)
        names = bulk.names_of(snapshot, self.seed_folder)
        return bulk.EXPORTS[what](snapshot, names, bulk.Chosen(tuple(models), tuple(sources)))

    def export_scores(
        self, form: str, *, model: str, sources: Sequence[str] = (), revision: int | None = None
    ) -> list[tuple[str, str]]:
        """The scores of a model in a format of others: pairs of file name and text; BadParameter, NotFound."""
        if form not in bulk.SCORE_FORMATS:
            known = ", ".join(bulk.SCORE_FORMATS)
            raise BadParameter("format", f"{form!r} is no format of scores", advice=f"Use one of {known}.")
        snapshot = self.store.at(revision)
        names = bulk.names_of(snapshot, self.seed_folder)
        return bulk.exported_scores(snapshot, names, bulk.Chosen((model,), tuple(sources)), form)

    def export_proposal(self, number: int, *, revision: int | None = None) -> str:
        """The claims and results of a proposal as a table; NotFound."""
        snapshot = self.store.at(revision)
        found = bulk.contents_of_proposal(snapshot, number)
        if found is None:
            raise NotFound("proposal", str(number))
        return bulk.exported_contents(found, bulk.names_of(snapshot, self.seed_folder))

    def _reader(self, revision: int | None) -> Reader:
        return Reader(self.store.at(revision))
