"""A process that imports tables into a store without end, to be killed by a test: import_victim FOLDER FIRST.

Each table is new; its number is said when its proposal is made.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from app.curate.bulk import Table
from app.ingest.bulk.sheets import read_sheet
from app.model.agents import Agent
from app.services import Services
from app.settings import Settings
from app.wiring import build

MODELS = ("phi-2", "phi-1", "phi-1-5", "opt-125m", "opt-350m", "opt-1.3b", "openelm-270m", "smollm2-135m")
ITEMS = 3 * len(MODELS)
"""Values in each table."""


def table(number: int) -> Table:
    """The table of this number: values that no other table has, of a source of its own."""
    header = "model,layers,vocab_size,MMLU (5-shot),source,source_title,source_type\n"
    rows = "".join(
        f"{model},{1000 + number},{100_000 + number},{50 + number / 1000:.3f} %,table-{number},Table {number},WebPage\n"
        for model in MODELS
    )
    return Table(read_sheet((header + rows).encode(), f"table-{number}.csv", form="csv"))


def main(folder: Path, first: int) -> None:
    services: Services = build(Settings(data_dir=folder))
    assert services.now().date() >= date(2020, 1, 1)
    print("ready", flush=True)  # noqa: T201
    number = first
    while True:
        services.propose_import(table(number), Agent("victim", "Victim"))
        print(number, flush=True)  # noqa: T201
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
