"""Facts of tiny architectures, one of each class that llama.cpp runs, from `architectures.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.model.architecture import Architecture

HERE = Path(__file__).parent
ROOT = HERE.parent.parent.parent
_TEXTS = {"architecture_class", "attention_type", "attention_pattern"}


def read(path: Path, name: str) -> Iterator[tuple[str, Architecture]]:
    """Yield the name in column `name` and the facts in the other columns; several numbers are one for each layer."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            title = row.pop(name)
            yield title, Architecture(**{fact: _value(fact, text) for fact, text in row.items() if text})


def _value(fact: str, text: str) -> Any:
    if fact in _TEXTS:
        return text
    if text in {"true", "false"}:
        return text == "true"
    numbers = tuple(int(part) for part in text.split())
    return numbers if len(numbers) > 1 else numbers[0]


TINY = dict(read(HERE / "architectures.csv", "name"))
"""Tiny architectures by name."""
