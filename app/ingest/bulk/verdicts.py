"""What became of each cell of a table: accepted as a value, unchanged, refused with advice, a question, or not read.

Every refusal has a code of the list below; the reference page is made from this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

_SHOWN = 80
"""Characters of a cell that a finding repeats."""


class Verdict(StrEnum):
    """What became of a cell."""

    ACCEPTED = "accepted"
    UNCHANGED = "no change"
    REFUSED = "refused"
    QUESTION = "question"
    IGNORED = "not read"


VERDICTS: Mapping[Verdict, str] = {
    Verdict.ACCEPTED: "It becomes a claim or a result; the finding says as which value.",
    Verdict.UNCHANGED: "The graph, or an earlier proposal, has this value of this source already.",
    Verdict.REFUSED: "It cannot be read safely. The advice says what to write.",
    Verdict.QUESTION: "It names something that is not known, or that could be several things. Choose one.",
    Verdict.IGNORED: "Nothing is to be read here: an empty cell, a remark, a column that you left out.",
}

CODES: Mapping[str, tuple[str, str]] = {
    "formula": ("=A1+B1", "The cell begins as a formula does. A formula is never worked out."),
    "several-values": ("Base = 110M, Large = 340M", "Several numbers in one cell. Give each model a row of its own."),
    "range": ("12-24", "A range is no value."),
    "approximate": ("~7B", "A sign before the number says that it is not the number."),
    "decimal-comma": ("1,5", "A comma that may be a decimal one: 1.5, or 15?"),
    "decimal-point": ("2.048", "A whole number is wanted; the point may stand between thousands."),
    "thousands": ("1.234.567", "Marks between digits that do not group them by three with commas or spaces."),
    "not-a-number": ("large", "No number stands here."),
    "not-whole": ("12.5", "A whole number is wanted."),
    "not-finite": ("NaN", "Not a finite number."),
    "negative": ("-12", "A count cannot be negative."),
    "too-long": ("1000…0", "More digits, or more characters, than any value has."),
    "small-letter": ("110m", "A small m, b, g or t may mean something else."),
    "unknown-unit": ("24 GiB", "A unit that does not fit the column."),
    "unit-conflict": ("110M under [B]", "The cell and its header name different units."),
    "percent-or-fraction": (
        "0.45 among 45.1",
        "Other cells of the column are percentages; this one may be a fraction.",
    ),
    "out-of-range": ("145 %", "A score cannot be less than nothing or more than everything."),
    "spreadsheet-date": ("2-Mar", "A spreadsheet has made a date of it."),
    "day-number": ("45474", "A spreadsheet counts days like this; a month is wanted."),
    "not-a-month": ("2024", "No month with its year stands here, or more than one can be meant."),
    "not-a-truth": ("1", "Neither yes nor no."),
    "not-an-address": ("arxiv 2409", "No address of a document."),
    "not-a-size": ("tiny", "No size such as 135M or 1.7B."),
    "unknown-name": ("Gelu2", "A name that the registry does not know."),
    "ambiguous-name": ("Phi", "A name that several things bear."),
    "unknown-model": ("Phi-9", "A model that the registry does not know."),
    "ambiguous-model": ("qwen", "A name that fits several models."),
    "unknown-property": ("hiden", "A property that is not known."),
    "unknown-column": ("remark 2", "A header that means nothing here."),
    "duplicate-header": ("layers, layers", "Two columns mean the same."),
    "no-source": ("", "No source is named for the row."),
    "unknown-source": ("paper-9", "A source that the graph does not know, and that the row does not describe."),
    "source-differs": ("other title", "The graph knows the source otherwise than the row describes it."),
    "bad-subject": ("layers 3", "No thing of the graph that can have this property."),
    "ragged-row": ("a,b,c,d", "More or fewer cells than the header has."),
    "missing": ("", "A cell that the row needs is empty."),
    "control-character": ("\\x07", "A character that cannot be printed."),
    "error-value": ("#REF!", "A spreadsheet's mark of an error."),
}
"""Code of a refusal or question: an example, and what is wrong."""


class Refused(ValueError):
    """A cell cannot be read. `code` is one of CODES."""

    def __init__(self, code: str, problem: str, advice: str, *, verdict: Verdict = Verdict.REFUSED) -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.advice = advice
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """One cell and what became of it. Lines and columns count from 1; `read_as` is the value for people."""

    file: str
    line: int
    column: int
    field: str
    cell: str
    verdict: Verdict
    read_as: str = ""
    code: str = ""
    problem: str = ""
    advice: str = ""

    def __str__(self) -> str:
        """One line for people."""
        place = f"{self.file}, line {self.line}, column {self.column} ({self.field}): {self.verdict}"
        told = f"{self.cell!r} as {self.read_as}" if self.read_as else f"{self.cell!r}"
        return " ".join(filter(None, (place, told, f"- {self.problem}." if self.problem else "", self.advice)))

    def refused(self, why: Refused) -> Finding:
        """The same cell, refused."""
        return replace(self, verdict=why.verdict, code=why.code, problem=str(why), advice=why.advice)


def shown(cell: str) -> str:
    """A cell's characters, cut where they are many."""
    return cell if len(cell) <= _SHOWN else f"{cell[:_SHOWN]}…"
