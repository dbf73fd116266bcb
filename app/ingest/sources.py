"""Which document a row was read from: the listed sources, and documents that tables name by a citation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from app import vocab
from app.errors import BadFile
from app.ingest.tables import Row, read_table
from app.model.claims import Source, digest

_COLUMNS = ("slug", "title", "type", "address", "dated", "retrieved", "note")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_ADDRESS = re.compile(r"https://[^\s<>\"{}|\\^`]+")
_LEADERBOARD = "UbiquitousLearning/TinyLLMLeaderBoard:SLM.json"

_KINDS: tuple[tuple[str, str], ...] = (
    (r"SLM\.json", "Leaderboard"),
    (r"^AMD-AIG-AIMA/", "MakerRepository"),
    (r"FairyFali/SLMs-Survey|eugeneyan/open-llms", "SurveyTable"),
    (r"fine-tune|finetuned|ft_test", "DerivedModel"),
    (
        r"third-party copy|card copy|card copies|quoted in|model list in|apxml|sciencestack|argminai",
        "WebPage",
    ),
    (
        r"^(HF )?config|config(uration)?(_\w+)?\.json|configs?/\S+\.(json|ya?ml)|config_\S+\.yaml",
        "ConfigurationFile",
    ),
    (r"verbatim (HF )?config", "ConfigurationFile"),
    (
        r"model_preset\.py|^litgpt|lit_gpt|TransformerLens|keras-hub|llm-analysis|FlexLLMGen|^tl |open_llms",
        "Reimplementation",
    ),
    (r"README|model_card|MODEL_CARD|\(card\)|card\b|\(tag\)", "ModelCard"),
    (r"computed|param check|checkpoint bytes|only if tied|count", "Computation"),
    (r"\.py|\.ya?ml|:\S+@|LICENSE|tech_memo|commit", "MakerRepository"),
    (r"https://", "WebPage"),
)
_STRONG = {"ConfigurationFile", "MakerRepository"}


def read_sources(path: Path) -> dict[str, Source]:
    """Read the listed sources by slug."""
    sources: dict[str, Source] = {}
    for row in read_table(path, _COLUMNS, unique=("slug",)):
        for column in ("dated", "retrieved"):
            check_date(row, column)
        if row["type"].startswith("_") or row["type"] not in vars(vocab.stype):
            raise row.error("type", f"{row['type']!r} is no source type", advice="See ontology/vocab/source-type.tsv.")
        check_slug(row, "slug")
        if re.fullmatch(_ADDRESS, row.required("address")) is None:
            raise row.error("address", f"{row['address']!r} is no https address", advice="Write it in full.")
        sources[row["slug"]] = Source(
            slug=row.required("slug"),
            title=row.required("title"),
            kind=row["type"],
            retrieved=row["retrieved"],
            dated=row["dated"],
            address=row.required("address"),
            note=row["note"] or None,
        )
    if not sources:
        raise BadFile(path, "lists no source", line=2, advice="Every table names its source here.")
    return sources


def check_date(row: Row, column: str) -> None:
    """BadFile where a cell is not a day of the calendar in ISO form."""
    cell = row.required(column)
    if _DATE.fullmatch(cell) is None or not _is_day(cell):
        raise row.error(column, f"{cell!r} is not a date", advice="Write it as 2024-10-05.")


def _is_day(cell: str) -> bool:
    try:
        date.fromisoformat(cell)
    except ValueError:
        return False
    return True


def check_slug(row: Row, column: str) -> None:
    """BadFile where a cell cannot be the last part of an IRI of ours."""
    if _SLUG.fullmatch(row.required(column)) is None:
        raise row.error(
            column, f"{row[column]!r} is not a slug", advice="Use small letters, digits, dots and hyphens only."
        )


def listed(sources: Mapping[str, Source], row: Row) -> Source:
    """The listed source whose slug stands in the row's column `source`."""
    if row.required("source") not in sources:
        raise row.error("source", f"{row['source']!r} is no listed source", advice="Add it in data/sources.csv.")
    return sources[row["source"]]


def kind_of(citation: str) -> str:
    """The source type that a citation's wording shows; the rules are tried in order."""
    for pattern, kind in _KINDS:
        if re.search(pattern, citation):
            return kind
    return "WebPage"


def parts_of(citation: str) -> tuple[str, ...]:
    """The single documents that a citation lists with semicolons (none inside brackets or quotes)."""
    parts: list[str] = []
    depth = 0
    start = 0
    for position, character in enumerate(citation):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth = max(0, depth - 1)
        elif character == ";" and depth == 0:
            parts.append(citation[start:position].strip())
            start = position + 1
    parts.append(citation[start:].strip())
    return tuple(part for part in parts if part)


def reading(slug: str, label: str, citation: str, retrieved: str) -> Source:
    """This project's reading of several documents about one model, in alphabetical order, typed by the strongest.

    It counts as a reading of configurations only where one of the documents is a configuration file or the maker's
    own code; a reading of other people's restatements is as strong as they are.
    """
    parts = tuple(sorted(set(parts_of(citation))))
    kinds = {kind_of(part) for part in parts}
    kind = "ConfigurationReading" if kinds & _STRONG else "Reimplementation"
    return Source(
        slug=f"configuration-{slug}",
        title=f"Reading of the configuration sources of {label}",
        kind=kind,
        retrieved=retrieved,
        note="The documents are cited one by one; a value is not tied to a single one of them.",
        parts=parts,
    )


def cited(citation: str, retrieved: str, sources: Mapping[str, Source]) -> Source:
    """The source that a citation names: the listed leaderboard, or a document of its own."""
    if citation.startswith(_LEADERBOARD) and "survey-leaderboard" in sources:
        return sources["survey-leaderboard"]
    address = _ADDRESS.search(citation)
    return Source(
        slug=f"document-{digest(citation)}",
        title=citation,
        kind=kind_of(citation),
        retrieved=retrieved,
        address=address.group().rstrip(";,)") if address and "..." not in address.group() else None,
    )
