"""The use cases that every front gets, built once by `wiring`: a front holds this value and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.curate.commit import validate
from app.curate.load import LoadReport, Progress, load_folder
from app.model.rdf import IRI
from app.settings import Settings
from app.store.guard import guard
from app.store.port import Answer, GraphStore, Query
from app.validation.findings import Report
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator


@dataclass(frozen=True, slots=True)
class Services:
    """Built use cases. `now` is the clock, so that tests can set it."""

    settings: Settings
    store: GraphStore
    set_validator: SetValidator
    record_validator: RecordValidator
    seed_folder: Path
    ontology_folder: Path
    now: Callable[[], datetime]

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
        """Answer a stranger's query at a revision, after the guard; return the revision's number with the answer."""
        guard(query.text, limit=self.settings.max_query_bytes)
        number = self.store.head().number if revision is None else revision
        return number, self.store.at(number).query(query)
