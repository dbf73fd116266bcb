"""Writes the expected answers of the competency questions from the shipped data, and says what changed.

Loads the data into a throw-away store, asks every question of app/compare/questions and writes one CSV file each into
tests/questions/expected. Read the summary before committing: a change that nobody meant is a defect in the data, in a
rule or in a question. Never changes a question.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections import Counter
from pathlib import Path

from app.compare.questions import questions
from app.settings import Settings
from app.store.port import Query, Snapshot
from app.wiring import build

EXPECTED = Path(__file__).parent.parent / "tests" / "questions" / "expected"

SIZES_OF_THE_GRAPH = {"CQ30": ("added", "removed")}
"""Columns that change with every edit of any file: their values are written as `*`, and tested apart."""


def answer(snapshot: Snapshot, name: str, text: str) -> str:
    """The answer to a question as CSV, with plain line ends."""
    body = snapshot.query(Query(text)).serialize("text/csv").decode("utf-8").replace("\r\n", "\n")
    hidden = SIZES_OF_THE_GRAPH.get(name, ())
    if not hidden:
        return body
    head, *rows = csv.reader(io.StringIO(body))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        pairs = zip(head, row, strict=True)
        writer.writerow("*" if column in hidden and cell else cell for column, cell in pairs)
    return out.getvalue()


def main() -> int:
    """Write all expected answers and print what changed in each."""
    EXPECTED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        services = build(Settings(data_dir=Path(folder)))
        print("loading the data into a throw-away store ...", flush=True)
        services.load()
        snapshot = services.store.at()
        changed = 0
        for question in questions():
            path = EXPECTED / f"{question.name}.csv"
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            after = answer(snapshot, question.name, question.text)
            if before == after:
                continue
            changed += 1
            path.write_text(after, encoding="utf-8", newline="\n")
            was, now = Counter(before.splitlines()), Counter(after.splitlines())
            print(f"{question.name}: {(now - was).total()} lines new, {(was - now).total()} gone")
        services.store.close()
    print(f"{changed} of {len(questions())} answers changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
