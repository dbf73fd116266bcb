"""Bulk work on a revision: reads tables and Hugging Face files against it, and exports what it holds.

An import ends in one proposal or in none; a second import of the same file proposes nothing. It never commits a claim.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TypeAlias

from app import vocab
from app.curate.proposals import propose, read_many
from app.curate.steps import Bench, Step, Work
from app.errors import BadParameter, BadTable, Conflict, NotFound, RandomScores
from app.ingest.bulk import export
from app.ingest.bulk.names import Names, read_names
from app.ingest.bulk.recorded import recorded
from app.ingest.bulk.rows import AtRole, is_day, is_slug, new_source
from app.ingest.bulk.sheets import Sheet
from app.ingest.bulk.table import Content, Known, Options, Reading, key_of, read_table
from app.ingest.huggingface.files import Files, read_files
from app.ingest.runs import export as score_export
from app.ingest.runs import matching, recognise
from app.ingest.runs.reading import Told, read_runs
from app.measure.capability import Evaluated
from app.measure.values import Status
from app.model.claims import Claim, Result, Source
from app.model.graphs import DECISIONS, PROPOSALS, REGISTRY
from app.model.proposal_quads import proposals_of
from app.model.proposals import ItemState, State
from app.model.rdf import IRI, Literal
from app.store.port import Snapshot

_SHOWN = 100
"""Findings that an error repeats."""


@dataclass(frozen=True, slots=True)
class Described:
    """A source as somebody names it: the slug of a known one, or a new one with its description."""

    slug: str
    title: str | None = None
    kind: str | None = None
    address: str | None = None
    dated: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What to export: models by slug, sources by slug; all when none are named."""

    models: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with what it is to be read by. `mapping` gives columns their meaning."""

    sheet: Sheet
    source: Described | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


def mapping_of(pairs: Iterable[str]) -> dict[str, str]:
    """The meanings of columns from texts such as `#blocks=num_layers`; BadParameter."""
    found: dict[str, str] = {}
    for pair in pairs:
        column, mark, meaning = pair.rpartition("=")
        if not mark or not column.strip() or not meaning.strip():
            raise BadParameter("map", f"{pair!r} is no meaning of a column", advice="Write COLUMN=PROPERTY.")
        if column.strip() in found:
            raise BadParameter("map", f"column {column.strip()!r} has two meanings", advice="Keep one of them.")
        found[column.strip()] = meaning.strip()
    return found


def names_of(snapshot: Snapshot, seed: Path) -> Names:
    """The names that a revision knows, with the spellings of the seed folder."""
    return read_names(snapshot, _spellings(seed / "registry" / "spellings.csv"))


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model, and which model it is, where they do not say."""

    files: Files
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Runs:
    """Files of runs of other tools, texts by name, and what a person says of them."""

    texts: Mapping[str, str]
    told: Told = field(default_factory=Told)


def evaluated_runs(evaluated: Evaluated) -> Runs:
    """What was evaluated here as runs to be proposed; RandomScores, and Conflict where the evaluation did not end well.

    The model is the one that was asked for: the harness knows a folder only.
    """
    if evaluated.status is not Status.OK:
        raise Conflict(
            f"the evaluation of {evaluated.evaluation.model} has no scores: {evaluated.message}",
            advice="Evaluate it again.",
        )
    if not evaluated.storable:
        raise RandomScores(evaluated.evaluation.model)
    return Runs(evaluated.files, Told(model=evaluated.evaluation.model))


Input: TypeAlias = Table | ModelFiles | Runs
"""What can be imported."""


def read(snapshot: Snapshot, given: Input, seed: Path, today: date, *, again: bool = False) -> Reading:
    """Read what is to be imported against a revision: what is new, what became of each cell. Changes nothing."""
    names = names_of(snapshot, seed)
    known = known_in(snapshot, names, again=again)
    if isinstance(given, ModelFiles):
        return read_files(given.files, names, known, model=given.model, today=today)
    if isinstance(given, Runs):
        runs = recognise.read(given.texts)
        return read_runs(runs, names, matching.read_known(snapshot), known, given.told, today=today)
    source = None if given.source is None else _source(given.source, names, today)
    return read_table(given.sheet, names, known, Options(today, source, given.mapping))


def proposing(given: Input, seed: Path, *, title: str | None = None, again: str | None = None) -> Work:
    """The step that proposes what is new in a table or a model's files, all of it in one proposal.

    Nothing new makes no proposal and no revision. A table with a cell that waits to be settled raises BadTable; a
    model's file and a tool's are not the reader's to correct, so what cannot be read of them is left out.
    """

    def work(bench: Bench) -> Step:
        reading = read(bench.snapshot, given, seed, bench.now.date(), again=again is not None)
        if isinstance(given, Table):
            checked(reading, given.sheet.name)
        if not reading.items:
            return Step(frozenset(), frozenset(), "nothing new to propose")
        called = title or f"Import of {_called(given)}"
        return propose(reading.items, title=called, again=again)(bench)

    return work


def _called(given: Input) -> str:
    """What an import is called where nobody gave it a title."""
    if isinstance(given, Table):
        return given.sheet.name
    if isinstance(given, Runs):
        return " and ".join(given.texts)
    of = given.files.repository or given.model or "a model"
    return f"{' and '.join(given.files.texts)} of {of}"


def known_in(snapshot: Snapshot, names: Names, *, again: bool = False) -> Known:
    """What a revision holds of a source, on whichever day it was read, and what proposals say in its name.

    A rejected item counts, unless it is to be proposed `again`: it does not come back with the next import by itself.
    A withdrawn proposal does not count.
    """
    proposed = _proposed(snapshot, again)

    def known(source: Source) -> dict[object, str]:
        claims, results = recorded(snapshot, names.sources.get(source.slug, ()))
        said: list[Content] = [*claims, *results]
        return {**proposed.get(source.slug, {}), **{key_of(content): "" for content in said}}

    return known


def checked(reading: Reading, name: str) -> Reading:
    """The reading, if nothing in it waits to be settled; BadTable with every finding that does."""
    if reading.refused:
        first = reading.refused[0]
        raise BadTable(
            name,
            tuple(map(str, reading.refused)),
            line=first.line,
            column=first.column,
            field=first.field,
        )
    return reading


def exported_claims(snapshot: Snapshot, names: Names, chosen: Chosen) -> str:
    """Claims in the long layout, with what became of each."""
    claims, _ = _recorded(snapshot, names, chosen)
    return export.long_table(claims, [], names, statuses(snapshot))


def exported_models(snapshot: Snapshot, names: Names, chosen: Chosen) -> str:
    """What sources say of models, a row for each model and source."""
    claims, _ = _recorded(snapshot, names, chosen)
    return export.wide_table(claims, names)


def exported_observations(snapshot: Snapshot, names: Names, chosen: Chosen) -> str:
    """Results in the long layout."""
    _, results = _recorded(snapshot, names, chosen)
    return export.long_table([], results, names)


def exported_scores(snapshot: Snapshot, names: Names, chosen: Chosen, form: str) -> list[tuple[str, str]]:
    """The scores of one model in a format of SCORE_FORMATS: pairs of file name and text. BadParameter, NotFound."""
    if len(chosen.models) != 1:
        raise BadParameter("model", "must name one model for this format", advice="Name it: --model SLUG.")
    _, results = _recorded(snapshot, names, chosen)
    (slug,) = chosen.models
    labels: dict[str, str] = {}
    repository: str | None = None
    model = names.models[slug]
    for quad in snapshot.quads(REGISTRY):
        if not isinstance(quad.subject, IRI) or not isinstance(quad.object, Literal):
            continue
        if quad.predicate.value == vocab.rdfs.label:
            labels[quad.subject.value] = quad.object.value
        elif quad.predicate.value == vocab.dct.identifier and quad.subject == model.iri:
            repository = quad.object.value
    named = score_export.Named(model, repository)
    if form == "every-eval-ever":
        return score_export.every_eval_ever(named, results, labels)
    return [("README.md", score_export.model_index(named, results, labels))]


SCORE_FORMATS = ("every-eval-ever", "model-index")
"""Formats of others in which the scores of a model can be exported."""


def exported_contents(contents: Iterable[Claim | Result], names: Names) -> str:
    """The claims and results of a proposal in the long layout."""
    listed = list(contents)
    claims = [one for one in listed if isinstance(one, Claim)]
    return export.long_table(claims, [one for one in listed if isinstance(one, Result)], names)


def _proposed(snapshot: Snapshot, again: bool) -> dict[str, dict[object, str]]:
    """What proposals say, by slug of the source, and in which of them."""
    found: dict[str, dict[object, str]] = defaultdict(dict)
    for proposal in proposals_of(snapshot.quads(PROPOSALS)).values():
        if proposal.state is State.WITHDRAWN:
            continue
        for item in proposal.items:
            if again and item.state is ItemState.REJECTED:
                continue
            rejected = "rejected in " if item.state is ItemState.REJECTED else ""
            where = f"{rejected}proposal {proposal.number}, item {item.number}"
            found[item.content.source.slug][key_of(item.content)] = where
    return found


def contents_of_proposal(snapshot: Snapshot, number: int) -> list[Content] | None:
    """What a proposal proposes; None where there is none of this number."""
    found = read_many(snapshot, [number]).get(number)
    return None if found is None else [item.content for item in found.items]


EXPORTS: Mapping[str, Callable[[Snapshot, Names, Chosen], str]] = {
    "claims": exported_claims,
    "models": exported_models,
    "observations": exported_observations,
}
"""What can be exported besides proposals."""


def report(reading: Reading) -> dict[str, object]:
    """What an import found, as plain data."""
    return {
        "columns": [{"header": header, "meaning": meaning} for header, meaning in reading.columns],
        "counts": reading.counts,
        "new": len(reading.items),
        "findings": [
            {
                "file": one.file,
                "line": one.line,
                "column": one.column,
                "field": one.field,
                "cell": one.cell,
                "verdict": one.verdict.value,
                "read_as": one.read_as or None,
                "code": one.code or None,
                "problem": one.problem or None,
                "advice": one.advice or None,
            }
            for one in reading.findings
        ],
    }


def statuses(snapshot: Snapshot) -> dict[str, str]:
    """What became of each claim, by its IRI."""
    return {
        quad.subject.value: quad.object.value.rsplit("/", 1)[-1]
        for quad in snapshot.quads(DECISIONS)
        if quad.predicate.value == vocab.slm.status and isinstance(quad.subject, IRI) and isinstance(quad.object, IRI)
    }


def _recorded(snapshot: Snapshot, names: Names, chosen: Chosen) -> tuple[list[Claim], list[Result]]:
    for slug in chosen.models:
        if slug not in names.models:
            raise NotFound("model", slug)
    for slug in chosen.sources:
        if slug not in names.sources:
            raise NotFound("source", slug)
    wanted = chosen.sources or sorted(names.sources)
    claims, results = recorded(snapshot, [source for slug in wanted for source in names.sources[slug]])
    if not chosen.models:
        return claims, results
    return (
        [claim for claim in claims if _is_of(claim.subject.value, chosen.models)],
        [result for result in results if _is_of(result.model.value, chosen.models)],
    )


def _is_of(subject: str, slugs: Iterable[str]) -> bool:
    """Whether a thing is one of these models, its architecture, or a group of its layers."""
    kind, _, name = subject.removeprefix(f"{vocab.BASE}resource/").partition("/")
    if kind == "layer-group":
        name = name.rsplit("-", 2)[0]
    return kind in {"model", "architecture", "layer-group"} and name in slugs


def _source(described: Described, names: Names, today: date) -> Source:
    """The source for a whole file; BadParameter."""
    known = names.sources.get(described.slug)
    if known is not None:
        for name, value in (("title", described.title), ("address", described.address), ("dated", described.dated)):
            if value and value != (getattr(known[0], name) or ""):
                raise BadParameter(
                    "source",
                    f"the graph knows {described.slug} with {name} {getattr(known[0], name)!r}",
                    advice="Leave the description out, or choose another slug.",
                )
        return known[0]
    if not is_slug(described.slug):
        raise BadParameter(
            "source", f"{described.slug!r} is no slug", advice="Use small letters, digits, dots, hyphens."
        )
    if not described.title or not described.kind:
        raise BadParameter(
            "source",
            f"{described.slug!r} is no source of the graph",
            advice="Describe a new one by its title and type.",
        )
    if described.dated and not is_day(described.dated):
        raise BadParameter("source_dated", f"{described.dated!r} is no day", advice="Write it as 2024-10-05.")
    try:
        made = new_source(described.slug, described.title, described.kind, described.address, described.dated)
    except AtRole as at:
        raise BadParameter(at.role.value, at.refused.problem, advice=at.refused.advice) from at
    return replace(made, retrieved=today.isoformat())


def _spellings(path: Path) -> list[tuple[str, str, str]]:
    """Names of concepts that tables print; none where the folder has no such list."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return [(row["scheme"], row["printed"], row["notation"]) for row in csv.DictReader(handle)]
