"""Reads the characters of one cell as one value, strictly: what could mean two things is refused with advice.

Unlike `app.ingest.cells`, which reads tables that were checked by hand, this reads cells of strangers: a number fills
its cell, and nothing beside it is overlooked. Each function raises `Refused`.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from app.ingest import cells
from app.ingest.bulk.verdicts import Refused
from app.model.claims import Interval

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so is a formula to a spreadsheet."""
_SIGNED = re.compile(r"[+-]?(\d|\.\d)[\d.,]*([eE][+-]?\d+)?\s*%?", re.ASCII)
_SPACES = " \u00a0\u2009\u202f'’_"
_PLAIN = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_POINT_FIRST = re.compile(r"[+-]?\.\d+", re.ASCII)
_COMMAS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", re.ASCII)
_SPACED = re.compile(rf"[+-]?\d{{1,3}}([{_SPACES}]\d{{3}})+(\.\d+)?", re.ASCII)
_EXPONENT = re.compile(r"[+-]?\d+(\.\d+)?[eE][+-]?\d{1,3}", re.ASCII)
_AMOUNT = re.compile(
    rf"(?P<number>[+-]?[\d.][\d.,{_SPACES}]*?(?:[eE][+-]?\d{{1,3}})?)\s*(?P<unit>[^\d\s.,+-][^\d]*)?", re.ASCII
)
_MARKS = "*†‡§¶"
_BRACKETED_MARK = re.compile(r"\s*\[\w{1,3}\]$")
_RANGE = re.compile(r"\d\s*[kKMBGT]?\s*(-|–|—|to|\.\.\.?|…)\s*\d", re.ASCII)
_NUMBERS = re.compile(r"\d+(?:[.,]\d+)*", re.ASCII)
_MONTH_NAMES = {
    name: number
    for number, names in enumerate(
        (
            ("january", "jan"),
            ("february", "feb"),
            ("march", "mar"),
            ("april", "apr"),
            ("may",),
            ("june", "jun"),
            ("july", "jul"),
            ("august", "aug"),
            ("september", "sep", "sept"),
            ("october", "oct"),
            ("november", "nov"),
            ("december", "dec"),
        ),
        start=1,
    )
    for name in names
}
_DATE_LIKE = re.compile(
    rf"(\d{{1,4}}[-/. ])?({'|'.join(_MONTH_NAMES)})[a-z]*\.?[-/ ,.]\s?\d{{1,4}}"
    rf"|\d{{1,4}}[-/ ]({'|'.join(_MONTH_NAMES)})[a-z]*\.?"
    r"|\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d{1,2}-\d{1,2}.*",
    re.IGNORECASE,
)
POWERS = {
    "k": 10**3,
    "K": 10**3,
    "thousand": 10**3,
    "M": 10**6,
    "mn": 10**6,
    "million": 10**6,
    "B": 10**9,
    "G": 10**9,
    "bn": 10**9,
    "billion": 10**9,
    "T": 10**12,
    "trillion": 10**12,
}
"""What a letter or word behind a number multiplies it by."""
_SMALL = {"m": "M", "b": "B", "g": "G", "t": "T"}
WORDS = frozenset(
    [
        "token",
        "tokens",
        "param",
        "params",
        "parameter",
        "parameters",
        "layer",
        "layers",
        "head",
        "heads",
        "dim",
        "dims",
        "dimension",
        "dimensions",
        "shot",
        "shots",
    ]
)
"""Words behind a number that say what is counted and change nothing."""
_MAX_DIGITS = 30
_EXCEL_EPOCH = datetime.date(1899, 12, 30)


@dataclass(frozen=True, slots=True)
class Amount:
    """A number as read. `notes` are the things that a reader should see: the unit, a mark that was left out."""

    value: Decimal
    interval: Interval | None = None
    percent: bool = False
    notes: tuple[str, ...] = ()


def plain(cell: str) -> str:
    """A cell's characters without the apostrophe that keeps a spreadsheet from taking them for a formula.

    Refused where they begin as a formula, a number apart; a cell with an unprintable character is refused too.
    """
    for character in cell:
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\t\r\n":
            raise Refused("control-character", f"U+{ord(character):04X} cannot be printed", "Remove the character.")
    if is_escaped(cell):
        return cell[1:]
    if cell.startswith(FORMULA_STARTS) and cell.strip() and not _SIGNED.fullmatch(cell.strip()) and cell.strip() != "-":
        raise Refused(
            "formula",
            "it begins as a formula does",
            "Give the value that it stands for, or put an apostrophe before it if it is text.",
        )
    return cell


def is_escaped(cell: str) -> bool:
    """Whether an apostrophe before the cell's characters is no part of them."""
    return len(cell) > 1 and cell[0] == "'" and cell[1] in (*FORMULA_STARTS, "'")


def escaped(text: str) -> str:
    """Characters as a table may hold them without becoming a formula; `plain` takes it back. Numbers stay."""
    risky = text.startswith(FORMULA_STARTS) and not _SIGNED.fullmatch(text)
    return f"'{text}" if risky or is_escaped(text) else text


def amount(cell: str, *, whole: bool, context: bool = False, unit: str = "") -> Amount:
    """Read one number. `unit` is that of the header; `context` lets k be 1000 or 1024.

    `whole` wants a whole number: a comma between groups of three digits is then no decimal comma.
    """
    text, notes = _without_marks(cell.strip())
    _refuse_what_is_no_single_number(text)
    percent = text.endswith("%")
    match = _AMOUNT.fullmatch(text.removesuffix("%").rstrip() if percent else text)
    if match is None or not any(character.isdigit() for character in match["number"]):
        raise Refused("not-a-number", f"{cell.strip()!r} is no number", "Write one number, such as 2048 or 1.1B.")
    power, named = _power((match["unit"] or "").strip(), unit)
    value = _number(match["number"].strip(), whole=whole and power == 1)
    if context and named.lower() == "k":
        read = cells.context_length(f"{match['number'].strip()}k")[0]
        return _checked(Amount(read.value, read.interval, notes=(*notes, "k may be 1000 or 1024")), whole=whole)
    interval = None
    if power != 1 or (whole and re.search(r"[eE]\+?\d", match["number"])):
        interval = _rounded(value, power, match["number"])
        notes = (*notes, f"in {named}") if named else notes
    return _checked(Amount(value * power, interval, percent, notes), whole=whole and not percent)


def month(cell: str) -> str:
    """Read a month with its year as ISO text: 2024-07, 2024.07, July 2024, 2024-07-15, 15 July 2024."""
    text = cell.strip()
    match = re.fullmatch(
        r"((?:19|20)\d\d)[-./](0?[1-9]|1[0-2])(?:[-./](0?[1-9]|[12]\d|3[01]))?(?:[T ].*)?", text, re.ASCII
    )
    if match:
        return f"{match[1]}-{int(match[2]):02}"
    match = re.fullmatch(r"(0[1-9]|1[0-2])[-./]((?:19|20)\d\d)", text, re.ASCII)
    if match:
        return f"{match[2]}-{match[1]}"
    match = re.fullmatch(r"(?:(\d{1,2})\.? )?([A-Za-z]{3,9})\.?(?: (\d{1,2}),)? ((?:19|20)\d\d)", text, re.ASCII)
    if match and match[2].lower() in _MONTH_NAMES:
        return f"{match[4]}-{_MONTH_NAMES[match[2].lower()]:02}"
    if re.fullmatch(r"[3-5]\d{4}(\.\d+)?", text, re.ASCII):
        day = _EXCEL_EPOCH + datetime.timedelta(days=int(text.split(".")[0]))
        raise Refused(
            "day-number", f"as a spreadsheet counts days it would be {day}", f"Write {day:%Y-%m} if that is meant."
        )
    raise Refused("not-a-month", f"{text!r} is no month that means one thing only", "Write it as 2024-07.")


def truth(cell: str) -> bool:
    """Read yes or no."""
    word = cell.strip().lower()
    if word in {"true", "yes", "✓", "✔"}:
        return True
    if word in {"false", "no", "✗", "✘"}:
        return False
    raise Refused("not-a-truth", f"{cell.strip()!r} is neither yes nor no", "Write yes or no.")


def address(cell: str) -> str:
    """Read the address of a document: https://…, arXiv:2409.15790, or the arXiv number alone."""
    text = cell.strip()
    if re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", text):
        return text
    match = re.fullmatch(r"(?:arxiv:\s*)?(\d{4}\.\d{4,5}(?:v\d+)?)", text, re.IGNORECASE | re.ASCII)
    if match:
        return f"https://arxiv.org/abs/{match[1]}"
    raise Refused("not-an-address", f"{text!r} is no address of a document", "Write arXiv:2409.15790 or https://….")


def size(cell: str) -> str:
    """Read a size as it stands in a name: 0.5B and 500M are both 500M."""
    text, _ = _without_marks(cell.strip())
    if not re.fullmatch(r"\d+(\.\d+)?\s?[MB]", text, re.ASCII):
        raise Refused("not-a-size", f"{cell.strip()!r} is no size", "Write it as 135M or 1.7B.")
    return cells.nominal_size(text)


def _without_marks(text: str) -> tuple[str, tuple[str, ...]]:
    """The characters without footnote marks at their end, and a note of them."""
    bare = _BRACKETED_MARK.sub("", text).rstrip(_MARKS).rstrip()
    if bare == text or not bare:
        return text, ()
    return bare, (f"footnote mark {text[len(bare) :].strip()!r} left out",)


def _refuse_what_is_no_single_number(text: str) -> None:
    if text.lower() in {"nan", ".nan", "inf", ".inf", "-inf", "-.inf", "infinity", "+inf", "∞"}:
        raise Refused("not-finite", f"{text!r} is no finite number", "Leave the cell empty.")
    if text.startswith("#") and text.endswith(("!", "?", "/A", "!?", "#")):
        raise Refused("error-value", "it is a spreadsheet's mark of an error", "Mend the sheet.")
    if text[:1] in set("~≈≃∼<>≤≥±") or re.match(r"(about|approx|around|circa|ca\.|up to|over|more than)\b", text, re.I):
        raise Refused(
            "approximate", f"{text!r} does not name the number itself", "Give the number, and the word in the quote."
        )
    if _DATE_LIKE.fullmatch(text):
        raise Refused(
            "spreadsheet-date",
            f"{text!r} is a date",
            "Format the column as text before you type, and write the number.",
        )
    if _RANGE.search(text):
        raise Refused(
            "range", f"{text!r} is a range", "Write `per layer` if layers differ; else give each model its own row."
        )
    if len(_NUMBERS.findall(text.replace("e-", "e").replace("E-", "E"))) > 1 and not _is_one_number(text):
        raise Refused(
            "several-values",
            f"{text!r} holds several numbers",
            "Give each model a row of its own, with one number in the cell.",
        )


def _is_one_number(text: str) -> bool:
    match = _AMOUNT.fullmatch(text.rstrip("%").rstrip())
    return match is not None


def _number(text: str, *, whole: bool) -> Decimal:
    """The digits of a cell as a number, with the marks between thousands resolved."""
    if len(re.sub(r"\D", "", text)) > _MAX_DIGITS:
        raise Refused("too-long", f"it has more than {_MAX_DIGITS} digits", "Check the number.")
    if _PLAIN.fullmatch(text):
        if whole and re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", text):
            raise Refused(
                "decimal-point",
                f"{text!r} may be {text.replace('.', '')} or {text}",
                "Write whole numbers without a mark between thousands.",
            )
        return Decimal(text)
    if _POINT_FIRST.fullmatch(text) or _EXPONENT.fullmatch(text):
        return Decimal(text)
    if _COMMAS.fullmatch(text):
        if not whole and text.count(",") == 1 and "." not in text:
            raise _comma(text)
        return Decimal(text.replace(",", ""))
    if _SPACED.fullmatch(text):
        return Decimal(re.sub(rf"[{_SPACES}]", "", text))
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        raise _comma(text)
    raise Refused("thousands", f"{text!r} is not grouped by three", "Write the digits without marks between them.")


def _comma(text: str) -> Refused:
    return Refused(
        "decimal-comma",
        f"{text!r} may be {text.replace(',', '.')} or {text.replace(',', '')}",
        "Write a point before decimals, and nothing between thousands.",
    )


def _power(unit: str, of_header: str) -> tuple[int, str]:
    """What to multiply by, and the unit's name; the cell's own unit counts, and must not contradict the header's."""
    word, _, rest = unit.partition(" ")
    if unit in WORDS or unit == "":
        return POWERS.get(of_header, 1), of_header if of_header in POWERS else ""
    if word in _SMALL:
        raise Refused("small-letter", f"a small {word!r} may mean something else", f"Write {_SMALL[word]}.")
    if word not in POWERS or (rest and rest.strip() not in WORDS):
        raise Refused("unknown-unit", f"{unit!r} is no unit of this column", f"Use one of {', '.join(POWERS)}.")
    if of_header in POWERS and POWERS[of_header] != POWERS[word]:
        raise Refused("unit-conflict", f"the cell says {word}, the header {of_header}", "Keep one of the two units.")
    return POWERS[word], word


def _rounded(value: Decimal, power: int, digits: str) -> Interval:
    """The interval that the last printed digit allows."""
    mantissa, _, exponent = re.sub(rf"[{_SPACES},+-]", "", digits).lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    half = Decimal(power).scaleb(int(exponent or 0) - decimals) / 2
    return Interval(value * power - half, value * power + half)


def _checked(read: Amount, *, whole: bool) -> Amount:
    if read.value and abs(read.value.adjusted()) > _MAX_DIGITS:
        raise Refused("too-long", f"it has more than {_MAX_DIGITS} digits", "Check the exponent.")
    if whole and read.value != read.value.to_integral_value():
        raise Refused("not-whole", f"{read.value.normalize():f} is no whole number", "Write a whole number.")
    if whole and read.value < 0:
        raise Refused("negative", f"{read.value:f} is less than nothing", "Check the sign.")
    return read
