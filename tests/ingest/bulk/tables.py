"""Reads small tables against the loaded seed."""

from __future__ import annotations

from datetime import date

from app.curate.bulk import known_in, names_of
from app.ingest.bulk.names import Names
from app.ingest.bulk.sheets import read_sheet
from app.ingest.bulk.table import Known, Options, Reading, read_table
from app.ingest.bulk.verdicts import Finding
from app.model.claims import Source
from app.services import Services

PAPER = Source("test-paper", "A paper", "TechnicalReport", "2026-11-21", "2026-11-01", "https://example.org/paper")


class Desk:
    """Names and knowledge of a store, read once."""

    def __init__(self, services: Services) -> None:
        snapshot = services.store.at()
        self.names: Names = names_of(snapshot, services.seed_folder)
        self.known: Known = known_in(snapshot, self.names)

    def read(
        self,
        text: str | bytes,
        *,
        source: Source | None = PAPER,
        form: str = "csv",
        mapping: dict[str, str] | None = None,
    ) -> Reading:
        """Read a table."""
        data = text.encode() if isinstance(text, str) else text
        options = Options(date(2026, 11, 21), source, mapping or {})
        return read_table(read_sheet(data, "table.csv", form=form), self.names, self.known, options)

    def cell(self, header: str, cell: str, model: str = "phi-2") -> Finding:
        """The finding about one cell of a wide table."""
        quoted = cell.replace('"', '""')
        reading = self.read(f'model,"{header}"\n{model},"{quoted}"\n')
        (finding,) = reading.findings
        return finding
