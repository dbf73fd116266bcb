"""What is to stand in the ORKG after a push, as one value. Pure: carrying it out is `app.orkg.push`'s.

An intent names an end, not steps: carried out once, twice, or in two halves with a crash between them, it leads to the
same state. It holds no secret and can be kept as JSON; its digest is what a person confirms.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from app import vocab
from app.orkg.values import Author, Method, Path, Ref, SourceRef, Thing

_XSD = "http://www.w3.org/2001/XMLSchema#"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Wanted:
    """One value that is to stand in a cell: a literal of a datatype, or a thing that has one of our IRIs."""

    label: str
    datatype: str | None = None
    uri: str | None = None
    method: Method = Method.MANUAL


@dataclass(frozen=True, slots=True)
class WantedRow:
    """A row: one of our properties, and the predicate that means it.

    `id` is the predicate that a person confirmed for this ORKG. Without it the predicate is the one that has our
    property's IRI, and is made when there is none. Never is it found by its label alone.
    """

    key: str
    label: str
    uri: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class WantedPaper:
    """The paper that a contribution belongs to: known by its identifier there, or found by DOI or else by title."""

    title: str
    id: str | None = None
    doi: str | None = None
    authors: tuple[Author, ...] = ()
    url: str | None = None
    published_month: int | None = None
    published_year: int | None = None


@dataclass(frozen=True, slots=True)
class WantedColumn:
    """One model: a contribution of our own, or (`contribution`) one of somebody else that gets values of ours.

    `cells` are the values by the key of the row. `before` are the tokens that stood in those cells when the plan was
    made, where the contribution is not ours.
    """

    uri: str
    label: str
    cells: Mapping[str, tuple[Wanted, ...]]
    paper: WantedPaper | None = None
    contribution: str | None = None
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WantedComparison:
    """The comparison that shows the columns: one of ours, made when there is none, or (`id`) one that is there.

    `sources` and `paths` are those of the comparison that it stands beside: they come first and stay as they are.
    `key` names it among ours.
    """

    key: str
    title: str
    description: str
    id: str | None = None
    foreign: bool = False
    research_field: str | None = None
    authors: tuple[Author, ...] = ()
    references: tuple[str, ...] = ()
    sources: tuple[SourceRef, ...] = ()
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be brought to the ORKG at `host`.

    `seen` is the state of the comparison `watched` when the plan was made, by its parts: a push stops when it moved.
    It is empty where the comparison is at another ORKG than `host`.
    """

    host: str
    comparison: WantedComparison
    rows: tuple[WantedRow, ...]
    columns: tuple[WantedColumn, ...]
    watched: str | None = None
    seen: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A short name of exactly this intent."""
        return hashlib.sha256(as_text(self).encode()).hexdigest()[:_SHOWN]


_INTENT: TypeAdapter[Intent] = TypeAdapter(Intent)


def as_text(intent: Intent) -> str:
    """The intent as canonical JSON."""
    record: Any = _INTENT.dump_python(intent, mode="json")
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def from_text(text: str) -> Intent:
    """The intent that was written so; ValueError."""
    return _INTENT.validate_json(text)


def is_ours(uri: str | None) -> bool:
    """Whether something bears an IRI of ours: we made it, and what it says is no evidence of somebody else."""
    return uri is not None and uri.startswith(vocab.BASE)


def prefixed(datatype: str | None) -> str:
    """A datatype as a prefixed name, whichever way it was written; text where nothing is said."""
    if not datatype:
        return "xsd:string"
    return f"xsd:{datatype.removeprefix(_XSD)}" if datatype.startswith(_XSD) else datatype


def token_of(value: Ref | Thing) -> str:
    """What a value is, as text that can be compared: a literal by characters and datatype, else by identifier."""
    literal = value.kind in {"literal_ref", "literal"}
    return literal_token(value.label, value.datatype) if literal else thing_token(value.id or "")


def literal_token(label: str, datatype: str | None) -> str:
    """The token of a literal."""
    return f"{json.dumps(label, ensure_ascii=False)}^^{prefixed(datatype)}"


def thing_token(identifier: str) -> str:
    """The token of anything that has an identifier."""
    return f"<{identifier}>"
