"""Tables in the terminal: cut into blocks of columns that fit its width, colour only on terminals.

Only draws; whatever a cell says was decided before. Characters that would steer a terminal are never printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.compare.values import Plain

_WIDEST = 36
_ENDLESS = 100_000
_GAP = 2
_LEAST = 6
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of writing."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands in a cell, and its style on terminals."""

    text: str
    style: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a column; numbers stand to the right."""

    text: str
    numeric: bool = False


def printed(
    heads: Sequence[Head], rows: Sequence[Sequence[Shown]], *, whole: bool = False, notes: Iterable[str] = ()
) -> None:
    """Print a table on standard output. The first column is repeated in each block of columns.

    `whole` keeps all columns in one block, and each row on one line: what does not fit ends in an ellipsis.
    """
    console = _console()
    heads = [Head(harmless(one.text), one.numeric) for one in heads]
    rows = [[Shown(harmless(one.text), one.style) for one in row] for row in rows]
    natural = [
        max([1, _width(head.text), *(_width(row[place].text) for row in rows)]) for place, head in enumerate(heads)
    ]
    widths = _squeezed(natural, console.width) if whole else [min(_limit(console.width), one) for one in natural]
    blocks = [range(1, len(heads))] if whole else _blocks(widths, console.width)
    for number, block in enumerate(blocks):
        if number:
            console.print()
        console.print(_table(heads, rows, {place: widths[place] for place in (0, *block)}, one_line=whole))
    for note in notes:
        console.print(Text(harmless(note), style="dim"))


def headline(text: str) -> None:
    """Print a line on standard output, in bold letters on terminals."""
    _console().print(Text(harmless(text), style="bold"), soft_wrap=True)


def line(text: str) -> None:
    """Print a line on standard output, however long."""
    _console().print(Text(harmless(text)), soft_wrap=True)


def harmless(text: str) -> str:
    """A text of strangers without characters that steer a terminal."""
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def number_text(value: Plain) -> str:
    """A value for people: digits in groups of three, fractions with four digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, str):
        return value
    number = float(value)
    if number.is_integer() and abs(number) < 1e15:
        return f"{int(number):,}"
    return f"{number:,.0f}" if abs(number) >= 10_000 else f"{number:.4g}"


def _console() -> Console:
    """Standard output as it is now; lines have no end where it is no terminal and nobody says how long they may be."""
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _ENDLESS
    return console


def _table(
    heads: Sequence[Head], rows: Sequence[Sequence[Shown]], widths: Mapping[int, int], *, one_line: bool
) -> Table:
    """The columns of these places, each as wide as is said."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for place, width in widths.items():
        table.add_column(
            Text(heads[place].text),
            justify="right" if heads[place].numeric else "left",
            overflow="ellipsis" if one_line else "fold",
            width=width,
            no_wrap=one_line,
        )
    for row in rows:
        table.add_row(*(Text(row[place].text, style=row[place].style) for place in widths))
    return table


def _blocks(widths: Sequence[int], width: int) -> Iterator[range]:
    """Runs of columns that fit beside the first one."""
    begin, used = 1, widths[0]
    for place in range(1, len(widths)):
        if place > begin and used + _GAP + widths[place] > width:
            yield range(begin, place)
            begin, used = place, widths[0]
        used += _GAP + widths[place]
    yield range(begin, len(widths))


def _squeezed(widths: Sequence[int], width: int) -> list[int]:
    """Widths that fit together: the widest gives way first, and the first column last."""
    found = list(widths)
    room = max(0, width - _GAP * (len(found) - 1))
    while sum(found) > room:
        widest = max(range(1, len(found)), key=lambda place: found[place])
        place = widest if found[widest] > _LEAST else 0
        if found[place] == 1:
            break
        found[place] -= 1
    return found


def _limit(width: int) -> int:
    """The widest that a column may be: two of them fit."""
    return max(8, min(_WIDEST, (width - _GAP) // 2))


def _width(text: str) -> int:
    return max((cell_len(part) for part in text.split("\n")), default=0)
