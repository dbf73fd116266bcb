"""What the columns about a row say: its model, its subject, its source, its place. Both layouts need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches

from app import vocab
from app.ingest.bulk import values
from app.ingest.bulk.fields import Field
from app.ingest.bulk.headers import Header, Role
from app.ingest.bulk.names import Names
from app.ingest.bulk.sheets import Cell, Record
from app.ingest.bulk.verdicts import Refused, Verdict
from app.ingest.registry import Model
from app.model.claims import Source, resource
from app.model.rdf import IRI

_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_ADDRESS = re.compile(r"https://[^\s<>\"{}|\\^`]+")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DESCRIBING = (
    (Role.SOURCE_TITLE, "title"),
    (Role.SOURCE_TYPE, "kind"),
    (Role.SOURCE_ADDRESS, "address"),
)
_SUBJECTS = {
    "model": ("model",),
    "architecture": ("architecture", "layer-group"),
    "dataset": ("dataset",),
}


class AtRole(Exception):
    """A refusal of the cell in a column about the row."""

    def __init__(self, role: Role, refused: Refused) -> None:
        super().__init__(str(refused))
        self.role = role
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Row:
    """One row with the roles of its cells."""

    record: Record
    header: Header

    def cell(self, role: Role) -> Cell | None:
        """The cell of a role, if the table has its column."""
        meaning = self.header.role(role)
        return None if meaning is None else self.record.cells[meaning.column - 1]

    def text(self, role: Role) -> str:
        """The characters of a role's cell as they are meant; empty without the column or where it is blank. AtRole."""
        cell = self.cell(role)
        if cell is None or not cell.text.strip():
            return ""
        try:
            return values.checked(cell)
        except Refused as refused:
            raise AtRole(role, refused) from refused

    def required(self, role: Role) -> str:
        """The characters of a role's cell; AtRole where it is blank."""
        found = self.text(role).strip()
        if not found:
            raise AtRole(role, Refused("missing", f"{role.value} is empty", "Fill the cell, or remove the row."))
        return found


def model_of(row: Row, names: Names) -> Model | None:
    """The model that a row names; None where its cell is empty. AtRole."""
    name = row.text(Role.MODEL).strip()
    if not name:
        return None
    try:
        return names.model(name)
    except Refused as refused:
        raise AtRole(Role.MODEL, refused) from refused


def subject_of(row: Row, field: Field, model: Model | None, names: Names) -> IRI:
    """What a claim about a property speaks of; AtRole."""
    name = row.text(Role.SUBJECT).strip()
    if not name:
        if model is None:
            problem = "the row names no model"
            raise AtRole(Role.MODEL, Refused("missing", problem, "Name a model, or another subject."))
        if field.of == "dataset":
            problem = f"{field.name} is said of datasets"
            raise AtRole(Role.SUBJECT, Refused("bad-subject", problem, "Write `dataset:…` into a column `subject`."))
        return model.architecture if field.of == "architecture" else model.iri
    kind, _, slug = name.removeprefix(f"{vocab.BASE}resource/").replace(":", "/", 1).partition("/")
    subject = resource(kind, slug) if _SLUG.fullmatch(slug) else None
    if kind not in _SUBJECTS[field.of] or subject is None or subject.value not in names.subjects:
        known = " or ".join(f"`{one}:…`" for one in _SUBJECTS[field.of])
        problem = f"{name!r} is nothing of which {field.name} can be said"
        raise AtRole(Role.SUBJECT, Refused("bad-subject", problem, f"Write {known} of the registry."))
    if model is not None and kind != "dataset" and not f"{slug}-".startswith(f"{model.slug}-"):
        problem = f"{name!r} is no part of {model.slug}"
        raise AtRole(Role.SUBJECT, Refused("bad-subject", problem, "Correct the model or the subject."))
    return subject


def source_of(row: Row, names: Names, default: Source | None, today: date) -> Source:
    """The source that a row names or describes, or that of the whole file; AtRole."""
    slug = row.text(Role.SOURCE).strip()
    if not slug:
        if default is None:
            problem = "no source is named"
            raise AtRole(Role.SOURCE, Refused("no-source", problem, "Add a column `source`, or name one for the file."))
        return default
    day = _checked_day(row, Role.SOURCE_RETRIEVED)
    described = {name: row.text(role).strip() for role, name in _DESCRIBING}
    dated = _checked_day(row, Role.SOURCE_DATED)
    if slug in names.sources:
        return _known(names.sources[slug], {**described, "dated": dated or ""}, day)
    if not _SLUG.fullmatch(slug):
        raise AtRole(Role.SOURCE, _unknown(slug, names.sources))
    if not (described["title"] and described["kind"]):
        raise AtRole(Role.SOURCE, _unknown(slug, names.sources))
    return replace(
        new_source(
            slug,
            described["title"],
            described["kind"],
            described["address"] or None,
            dated,
        ),
        retrieved=day or today.isoformat(),
    )


def new_source(slug: str, title: str, kind: str, address: str | None, dated: str | None) -> Source:
    """A source as somebody describes it, read at no day yet; AtRole where the description does not fit."""
    if kind.startswith("_") or kind == "NS" or kind not in vars(vocab.stype):
        known = ", ".join(sorted(name for name in vars(vocab.stype) if name[0].isupper() and name != "NS"))
        raise AtRole(Role.SOURCE_TYPE, Refused("unknown-name", f"{kind!r} is no source type", f"Use one of {known}."))
    if address and not _ADDRESS.fullmatch(address):
        problem = f"{address!r} is no https address"
        raise AtRole(Role.SOURCE_ADDRESS, Refused("not-an-address", problem, "Write it in full."))
    return Source(slug=slug, title=title, kind=kind, retrieved="", dated=dated, address=address)


def is_slug(text: str) -> bool:
    """Whether a text can be the last part of an IRI of ours."""
    return _SLUG.fullmatch(text) is not None


def is_day(text: str) -> bool:
    """Whether a text is a day of the calendar in ISO form."""
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _known(known: tuple[Source, ...], described: Mapping[str, str], day: str | None) -> Source:
    chosen = next((one for one in known if one.retrieved == day), None) if day else known[0]
    source = chosen or replace(known[0], retrieved=day or known[0].retrieved)
    for role, name in (*_DESCRIBING, (Role.SOURCE_DATED, "dated")):
        if described[name] and described[name] != (getattr(source, name) or ""):
            problem = f"the graph knows the source with {name} {getattr(source, name)!r}"
            raise AtRole(role, Refused("source-differs", problem, "Leave the cell empty, or give another slug."))
    return source


def _unknown(slug: str, known: Mapping[str, object]) -> Refused:
    near = get_close_matches(slug, known, n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}? " if near else ""
    return Refused(
        "unknown-source",
        f"{slug!r} is no source of the graph",
        f"{advice}Describe a new one with source_title and source_type.",
        verdict=Verdict.QUESTION,
    )


def _checked_day(row: Row, role: Role) -> str | None:
    """A day, also one that a spreadsheet knows as a date."""
    cell = row.cell(role)
    text = cell.text.strip().removesuffix("T00:00:00") if cell is not None else ""
    if text and not is_day(text):
        raise AtRole(role, Refused("not-a-month", f"{text!r} is no day", "Write it as 2024-10-05."))
    return text or None
