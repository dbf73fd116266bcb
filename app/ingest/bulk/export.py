"""Claims and results as CSV (RFC 4180) that can be imported again, and safe to open in a spreadsheet.

Long: a row for each claim or result. Wide: a row for each model and source, since a cell without source is no claim.
A text that a spreadsheet could take for a formula gets an apostrophe before it; the import takes it away again.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from app import vocab
from app.ingest.bulk import values
from app.ingest.bulk.fields import BY_PREDICATE, FIELDS, Field, Kind
from app.ingest.bulk.headers import Role
from app.ingest.bulk.names import Names
from app.ingest.bulk.quantities import escaped
from app.ingest.results import UNITS
from app.model.claims import Claim, Result, Source
from app.model.rdf import IRI, Term

CLAIM_COLUMNS = (
    Role.MODEL,
    Role.SUBJECT,
    Role.PROPERTY,
    Role.VALUE,
    Role.LOWER,
    Role.UPPER,
    Role.REPORTED,
    Role.STATUS,
)
RESULT_COLUMNS = (
    Role.MODEL,
    Role.QUANTISATION,
    Role.METRIC,
    Role.VALUE,
    Role.UNIT,
    Role.REPORTED,
    Role.BENCHMARK,
    Role.SHOTS,
    Role.BASELINE_SHOTS,
    Role.SCORING,
    Role.HARNESS,
    Role.DEVICE,
    Role.ENGINE,
    Role.PROMPT_TOKENS,
    Role.GENERATED_TOKENS,
    Role.BATCH_SIZE,
    Role.CONTEXT_TOKENS,
    Role.TOKEN_POSITION,
    Role.UNTOLD,
)
SOURCE_COLUMNS = (
    Role.READING,
    Role.LOCATOR,
    Role.QUOTE,
    Role.NOTE,
    Role.SOURCE,
    Role.SOURCE_TITLE,
    Role.SOURCE_TYPE,
    Role.SOURCE_ADDRESS,
    Role.SOURCE_DATED,
    Role.SOURCE_RETRIEVED,
)
_RELEASED = "None"
_UNIT_NAMES = {unit: name for name, (unit, _) in UNITS.items()}


def long_table(
    claims: Iterable[Claim], results: Iterable[Result], names: Names, statuses: Mapping[str, str] | None = None
) -> str:
    """Claims and results, a row for each. `statuses` are claim statuses by the claim's IRI."""
    rows = [_claim_row(claim, names, (statuses or {}).get(claim.iri.value, "")) for claim in claims]
    measured = [_result_row(result, names) for result in results]
    wanted = dict.fromkeys(
        (
            *(CLAIM_COLUMNS if rows or not measured else ()),
            *(RESULT_COLUMNS if measured else ()),
            *SOURCE_COLUMNS,
        )
    )
    return _csv([role.value for role in wanted], ([row.get(role, "") for role in wanted] for row in (*rows, *measured)))


def wide_table(claims: Iterable[Claim], names: Names) -> str:
    """What sources say of models and their architectures: a row for each model and source.

    Where a source says two things of one property, the second stands in one more row. Claims about layer groups and
    datasets have no place here.
    """
    rows: dict[tuple[str, str, str], list[dict[str, list[Term]]]] = defaultdict(list)
    sources: dict[tuple[str, str], Source] = {}
    for claim in claims:
        field = BY_PREDICATE[claim.predicate]
        kind, _, slug = claim.subject.value.removeprefix(f"{vocab.BASE}resource/").partition("/")
        if kind != field.of or slug not in names.models:
            continue
        source = claim.source
        sources[source.slug, source.retrieved] = source
        _place(rows[slug, source.slug, source.retrieved], field, claim.value)
    used = [field for field in FIELDS if any(field.name in row for of_key in rows.values() for row in of_key)]
    header = ["model", *(role.value for role in SOURCE_COLUMNS[-6:]), *(field.name for field in used)]
    return _csv(
        header,
        (
            [slug, *_source_cells(sources[source, day]).values(), *(_cell(field, row, names) for field in used)]
            for (slug, source, day), of_key in sorted(rows.items())
            for row in of_key
        ),
    )


def _place(rows: list[dict[str, list[Term]]], field: Field, value: Term) -> None:
    """Put a value into the first row that has room for it."""
    listed = field.many and field.kind in {Kind.THING, Kind.CONCEPT, Kind.ADDRESS}
    for row in rows:
        if field.name not in row:
            row[field.name] = [value]
            return
        if value in row[field.name]:
            return
        if listed:
            row[field.name].append(value)
            return
    rows.append({field.name: [value]})


def _cell(field: Field, row: Mapping[str, list[Term]], names: Names) -> str:
    shown = [values.written(field, value, names) for value in row.get(field.name, ())]
    return _text(values.SEPARATOR.join(shown))


def _claim_row(claim: Claim, names: Names, status: str) -> dict[Role, str]:
    field = BY_PREDICATE[claim.predicate]
    kind, _, slug = claim.subject.value.removeprefix(f"{vocab.BASE}resource/").partition("/")
    plain = slug in names.models and kind == field.of
    interval = claim.interval
    return {
        Role.MODEL: slug if plain else "",
        Role.SUBJECT: "" if plain else f"{kind}:{slug}",
        Role.PROPERTY: field.name,
        Role.VALUE: _text(values.written(field, claim.value, names)),
        Role.LOWER: values.plain_number(interval.lower) if interval else "",
        Role.UPPER: values.plain_number(interval.upper) if interval else "",
        Role.REPORTED: _text(claim.reported),
        Role.STATUS: status,
        Role.READING: claim.reading,
        Role.LOCATOR: _text(claim.locator),
        Role.QUOTE: _text(claim.quote or ""),
        Role.NOTE: _text(claim.note or ""),
        **_source_cells(claim.source),
    }


def _result_row(result: Result, names: Names) -> dict[Role, str]:
    protocol, configuration = result.protocol, result.configuration
    conditions = protocol or configuration
    model = result.model.value.rsplit("/", 1)[-1]
    counts = {
        Role.SHOTS: protocol.shots if protocol else None,
        Role.BASELINE_SHOTS: protocol.baseline_shots if protocol else None,
        Role.PROMPT_TOKENS: configuration.prompt_tokens if configuration else None,
        Role.GENERATED_TOKENS: configuration.generated_tokens if configuration else None,
        Role.BATCH_SIZE: configuration.batch_size if configuration else None,
        Role.CONTEXT_TOKENS: configuration.context_tokens if configuration else None,
        Role.TOKEN_POSITION: configuration.token_position if configuration else None,
    }
    return {
        Role.MODEL: model,
        Role.QUANTISATION: _quantisation(result, names),
        Role.METRIC: _last(result.metric),
        Role.VALUE: values.plain_number(result.number),
        Role.UNIT: _UNIT_NAMES.get(result.unit, result.unit),
        Role.REPORTED: _text(result.reported),
        Role.BENCHMARK: _last(protocol.benchmark) if protocol else "",
        Role.SCORING: _text(protocol.scoring or "") if protocol else "",
        Role.HARNESS: _last(protocol.harness) if protocol else "",
        Role.DEVICE: _last(result.device) if result.device else "",
        Role.ENGINE: _last(result.engine) if result.engine else "",
        Role.UNTOLD: values.SEPARATOR.join(conditions.untold) if conditions else "",
        **{role: "" if count is None else str(count) for role, count in counts.items()},
        Role.READING: result.reading,
        Role.LOCATOR: _text(result.locator),
        Role.NOTE: _text(result.note or ""),
        **_source_cells(result.source),
    }


def _quantisation(result: Result, names: Names) -> str:
    """The format of the weights whose artifact this is."""
    model = names.models[result.model.value.rsplit("/", 1)[-1]]
    for iri in sorted(names.concepts["quantisation"].things):
        if model.artifact(IRI(iri)) == result.artifact:
            notation = iri.rsplit("/", 1)[-1]
            return "" if notation == _RELEASED else notation
    return ""


def _source_cells(source: Source) -> dict[Role, str]:
    return {
        Role.SOURCE: source.slug,
        Role.SOURCE_TITLE: _text(source.title),
        Role.SOURCE_TYPE: source.kind,
        Role.SOURCE_ADDRESS: _text(source.address or ""),
        Role.SOURCE_DATED: source.dated or "",
        Role.SOURCE_RETRIEVED: source.retrieved,
    }


def _last(iri: IRI) -> str:
    return iri.value.rsplit("/", 1)[-1]


def _text(text: str) -> str:
    return escaped(text)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
