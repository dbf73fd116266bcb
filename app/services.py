"""The use cases that every front gets, built once by `wiring`: a front holds this value and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from anyio import to_thread

from app.access import KeyRing
from app.compare import models
from app.compare.counts import count
from app.compare.page import model_page
from app.compare.projection.projections import Projections
from app.compare.projection.view import View
from app.compare.properties import properties
from app.compare.reader import Reader
from app.compare.values import Counts, ModelPage, Page, Property
from app.curate.commit import validate
from app.curate.load import LoadReport, Progress, load_folder
from app.curate.write import Author, Condition, Content, Writer, Written
from app.errors import QueryRefused
from app.model.rdf import IRI
from app.settings import Settings
from app.store import documents
from app.store.documents import GraphName
from app.store.guard import Form, guard
from app.store.port import Answer, GraphStore, Query
from app.store.public import PublicQueries
from app.store.readers import Update
from app.store.updates import guarded_update
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator


@dataclass(frozen=True, slots=True)
class Services:
    """Built use cases. `now` is the clock, so that tests can set it.

    `writer` makes every change that comes over HTTP. `public` answers strangers' queries in processes that can be
    killed; without it (a store in memory, an external engine with limits of its own) queries run in threads.
    """

    settings: Settings
    store: GraphStore
    set_validator: SetValidator
    record_validator: RecordValidator
    seed_folder: Path
    ontology_folder: Path
    keys: KeyRing
    now: Callable[[], datetime]
    writer: Writer
    projections: Projections
    public: PublicQueries | None = None

    def load(
        self,
        data: Path | None = None,
        *,
        progress: Progress = lambda _: None,
        on_validation_step: Callable[[], None] = lambda: None,
    ) -> LoadReport:
        """Load a data folder (the shipped one by default) as one revision, or change nothing."""
        return load_folder(
            self.store,
            data or self.seed_folder,
            self.ontology_folder,
            self.set_validator,
            now=self.now(),
            progress=progress,
            on_validation_step=on_validation_step,
        )

    def validate(self, *, on_step: Callable[[], None] = lambda: None) -> Report:
        """Validate the whole newest revision with the set queries."""
        return validate(self.store.at(), self.set_validator, on_step)

    def validate_record(self, record: IRI) -> Report:
        """Validate one thing of the newest revision with pySHACL."""
        return self.record_validator.validate(self.store.at().quads(), [record])

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

    def view(self, revision: int | None = None) -> View:
        """The columns of a revision, from which comparisons are answered; NotFound, StoreEmpty."""
        return self.projections.at(self.store.head().number if revision is None else revision)

    def properties(self, *, revision: int | None = None) -> tuple[Property, ...]:
        """Every property that can be compared, by name."""
        return tuple(properties(self._reader(revision)).values())

    def counts(self, *, revision: int | None = None) -> Counts:
        """How much the graph holds."""
        return count(self._reader(revision))

    def _reader(self, revision: int | None) -> Reader:
        return Reader(self.store.at(revision))
