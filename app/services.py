"""The use cases that every front gets, built once by `wiring`: a front holds this value and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.access import KeyRing
from app.compare import models, table
from app.compare.counts import count
from app.compare.page import model_page
from app.compare.properties import properties
from app.compare.reader import Reader
from app.compare.values import CompareTable, Counts, ModelPage, Page, Property
from app.curate.commit import validate
from app.curate.load import LoadReport, Progress, load_folder
from app.errors import QueryRefused
from app.model.rdf import IRI
from app.settings import Settings
from app.store.guard import Form, guard
from app.store.port import Answer, GraphStore, Query
from app.store.public import PublicQueries
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator


@dataclass(frozen=True, slots=True)
class Services:
    """Built use cases. `now` is the clock, so that tests can set it.

    `public` answers strangers' queries in processes that can be killed; without it (a store in memory, an external
    engine with limits of its own) queries run in threads.
    """

    settings: Settings
    store: GraphStore
    set_validator: SetValidator
    record_validator: RecordValidator
    seed_folder: Path
    ontology_folder: Path
    keys: KeyRing
    now: Callable[[], datetime]
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

    def models(self, choice: models.Choice, *, page: int = 1, limit: int = 50, revision: int | None = None) -> Page:
        """One page of the models that fit a choice."""
        return models.choose(models.summaries(self._reader(revision)), choice, page=page, limit=limit)

    def model(self, slug: str, *, revision: int | None = None) -> ModelPage:
        """One model with every claim, source and resolution; NotFound."""
        return model_page(self._reader(revision), slug)

    def compare(
        self, slugs: Sequence[str], properties: Iterable[str] = (), *, revision: int | None = None
    ) -> CompareTable:
        """Models by properties (the usual ones when none are named); BadParameter names what is unknown."""
        return table.compare(self._reader(revision), slugs, properties, limit=self.settings.max_page)

    def properties(self, *, revision: int | None = None) -> tuple[Property, ...]:
        """Every property that can be compared, by name."""
        return tuple(properties(self._reader(revision)).values())

    def counts(self, *, revision: int | None = None) -> Counts:
        """How much the graph holds."""
        return count(self._reader(revision))

    def _reader(self, revision: int | None) -> Reader:
        return Reader(self.store.at(revision))
