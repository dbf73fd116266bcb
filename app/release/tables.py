"""The tables of a release: models, claims, observations, as CSV and as Parquet with typed columns.

Both forms hold the same rows in the same order. CSV is safe to open in a spreadsheet: a text that could be taken for
a formula begins with an apostrophe there, and numbers have all digits that the graph has. Parquet holds texts as they
are and fractions as 64-bit floats. Nothing depends on the clock or on the machine. Never writes to a disk.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import polars as pl

from app import vocab
from app.compare import models, properties, table
from app.compare.export import BETWEEN, cell_text, plain_text, status
from app.compare.reader import Reader, Record, local_name, text, texts
from app.compare.values import CompareTable, Plain, Property
from app.model.rdf import IRI, Term, python_value

Row: TypeAlias = dict[str, Plain | tuple[str, ...] | None]

_RANGES = {"xsd:integer": "integer", "xsd:decimal": "decimal", "xsd:boolean": "boolean"}
_MOST = 2**63
_AT_ONCE = 2_000
"""Things whose records are asked for in one query."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: text, integer, decimal, boolean or texts (several)."""

    name: str
    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and rows; a row lacks what is not known."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def csv(self) -> bytes:
        """The table as CSV (RFC 4180), in UTF-8."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\r\n")
        names = [column.name for column in self.columns]
        writer.writerow(names)
        writer.writerows([_shown(row.get(name)) for name in names] for row in self.rows)
        return out.getvalue().encode("utf-8")

    def parquet(self) -> bytes:
        """The table as Parquet."""
        frame = pl.DataFrame([_series(column, [row.get(column.name) for row in self.rows]) for column in self.columns])
        out = io.BytesIO()
        frame.write_parquet(out, compression="zstd", compression_level=3, statistics=True, row_group_size=100_000)
        return out.getvalue()


def models_table(reader: Reader) -> tuple[CompareTable, Table]:
    """Every model, the larger baselines too, in every property that can be compared."""
    known = properties.properties(reader)
    found = models.summaries(reader)
    if not found:
        return CompareTable((), tuple(known.values()), {}), Table(_MODEL_COLUMNS, ())
    compared = table.compare(reader, found, tuple(known.values()))
    columns = [*_MODEL_COLUMNS]
    for one in compared.properties:
        unit = f", in {one.unit.label}" if one.unit else ""
        columns.append(Column(one.name, _kind_of(one), f"{one.label}{unit}"))
        columns.append(Column(f"{one.name}.status", "text", f"how far {one.name} can be relied on"))
    rows: list[Row] = []
    for model in compared.models:
        row: Row = {
            "model": model.slug,
            "label": model.label,
            "iri": model.iri,
            "scope": "baseline" if model.baseline else "model",
        }
        for one in compared.properties:
            cell = compared.rows[model.slug][one.name]
            values = tuple(value.plain for value in cell.values)
            if one.several:
                row[one.name] = tuple(plain_text(value) for value in values) or None
            elif values:
                row[one.name] = values[0] if len(values) == 1 else BETWEEN.join(plain_text(value) for value in values)
            row[f"{one.name}.status"] = status(cell)
        rows.append(row)
    return compared, Table(tuple(columns), tuple(rows))


def claims_table(reader: Reader) -> Table:
    """Every claim: what is said of what, by whom and where, and what became of it."""
    owners = _owners(reader)
    by_name = properties.properties(reader)
    units = {one.iri: one.unit for one in by_name.values() if one.unit}
    claims = _all(reader, vocab.slm.Claim)
    sources = _records(reader, _named(claims, vocab.prov.wasDerivedFrom))
    reader.learn(_terms(claims, vocab.rdf.object))
    rows: list[Row] = []
    for iri, record in claims.items():
        subject, predicate = record[vocab.rdf.subject][0].value, record[vocab.rdf.predicate][0].value
        value = reader.value(record[vocab.rdf.object][0]).plain
        source = text(record, vocab.prov.wasDerivedFrom) or ""
        of_source = sources.get(source, {})
        unit = units.get(predicate)
        rows.append(
            {
                "claim": iri,
                "model": owners.get(subject),
                "subject": subject,
                "property": local_name(predicate),
                "property_iri": predicate,
                "value": plain_text(value),
                "number": value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None,
                "unit": unit.symbol if unit else None,
                "reported": text(record, vocab.slm.valueAsReported),
                "lower_bound": _number(record, vocab.slm.lowerBound),
                "upper_bound": _number(record, vocab.slm.upperBound),
                "status": _name(record, vocab.slm.status),
                "reading": _name(record, vocab.slm.reading),
                "locator": text(record, vocab.slm.locator),
                "quote": text(record, _QUOTE),
                "source": source,
                "source_title": text(of_source, vocab.dct.title),
                "source_type": _name(of_source, vocab.slm.sourceType),
                "source_address": text(of_source, vocab.dct.source),
                "retrieved": text(of_source, vocab.slm.retrievedOn),
                "note": _joined(record, vocab.rdfs.comment),
            }
        )
    return Table(_CLAIM_COLUMNS, _sorted(rows, "claim"))


def observations_table(reader: Reader) -> Table:
    """Every benchmark score and runtime measurement with the circumstances under which it was taken."""
    found = observations(reader)
    slugs = {one.iri: one.slug for one in models.summaries(reader)}
    linked = _records(reader, _named(found, *_CIRCUMSTANCES))
    reader.learn([*_terms(linked, *_LEARNT), *_terms(found, vocab.dct.source)])

    def of(record: Record, name: str) -> Record:
        node = text(record, name)
        return linked.get(node, {}) if node else {}

    def thing(record: Record, name: str) -> str | None:
        return reader.thing(record[name][0]).name if name in record else None

    rows: list[Row] = []
    for iri, record in found.items():
        quantity, protocol = of(record, vocab.sosa.hasResult), of(record, vocab.sosa.usedProcedure)
        setting, run = of(record, vocab.slm.underConfiguration), of(record, vocab.slm.inRun)
        artifact, source = of(record, vocab.sosa.hasFeatureOfInterest), of(record, vocab.dct.source)
        metric = of(record, vocab.sosa.observedProperty)
        model = text(record, vocab.slm.ofModel) or ""
        rows.append(
            {
                "observation": iri,
                "kind": _name(record, vocab.rdf.type),
                "model": slugs.get(model) or local_name(model),
                "artifact": text(record, vocab.sosa.hasFeatureOfInterest),
                "quantisation": thing(artifact, vocab.slm.quantisation),
                "benchmark": thing(protocol, vocab.slm.onBenchmark),
                "metric": _name(record, vocab.sosa.observedProperty),
                "value": _number(record, vocab.sosa.hasSimpleResult),
                "unit": thing(metric, vocab.slm.canonicalUnit),
                "unit_iri": text(metric, vocab.slm.canonicalUnit),
                "reported": text(quantity, vocab.slm.valueAsReported),
                "reported_number": _number(quantity, vocab.qudt.numericValue),
                "reported_unit": thing(quantity, vocab.qudt.hasUnit),
                "shots": _number(protocol, vocab.slm.numShots),
                "scoring": text(protocol, vocab.slm.answerScoring),
                "split": text(protocol, vocab.slm.split),
                "harness": thing(protocol, vocab.slm.usesHarness),
                "device": thing(run, vocab.slm.onDevice),
                "engine": thing(run, vocab.slm.withEngine),
                "prompt_tokens": _number(setting, vocab.slm.promptTokens),
                "generated_tokens": _number(setting, vocab.slm.generatedTokens),
                "context_tokens": _number(setting, vocab.slm.contextTokens),
                "token_position": _number(setting, vocab.slm.tokenPosition),
                "batch_size": _number(setting, vocab.slm.batchSize),
                "threads": _number(setting, vocab.slm.threads),
                "cache_depth": _number(setting, vocab.slm.cacheDepth),
                "statistic": _name(record, vocab.slm.statistic),
                "sample_size": _number(record, vocab.slm.sampleSize),
                "standard_deviation": _number(record, vocab.slm.standardDeviation),
                "standard_error": _number(record, vocab.slm.standardError),
                "clean_samples": _number(record, vocab.slm.cleanSamples),
                "confidence_lower": _number(record, vocab.slm.confidenceLower),
                "confidence_upper": _number(record, vocab.slm.confidenceUpper),
                "contended": text(record, vocab.slm.contended),
                "origin": _name(record, vocab.slm.origin),
                "reading": _name(record, vocab.slm.reading),
                "run": text(record, vocab.slm.inRun),
                "source": text(record, vocab.dct.source),
                "source_title": text(source, vocab.dct.title),
                "locator": text(record, vocab.slm.locator),
                "note": _joined(record, vocab.rdfs.comment),
            }
        )
    return Table(_OBSERVATION_COLUMNS, _sorted(rows, "observation"))


def observations(reader: Reader) -> dict[str, Record]:
    """What the graph says of each observation, by IRI, sorted."""
    return dict(sorted({**_all(reader, vocab.slm.BenchmarkResult), **_all(reader, vocab.slm.RuntimeResult)}.items()))


def record_terms(records: Mapping[str, Record], *names: str) -> list[Term]:
    """The values of some properties in many records, each once, sorted."""
    return sorted(set(_terms(records, *names)), key=lambda term: term.value)


def _owners(reader: Reader) -> dict[str, str]:
    """Slug of the model that a model, an architecture or a group of layers belongs to."""
    found: dict[str, str] = {}
    for one in models.summaries(reader):
        found[one.iri] = found[one.architecture] = one.slug
    for row in reader.rows("layers", architecture=[IRI(iri) for iri in found]):
        found[row["group"].value] = found[row["architecture"].value]
    return found


def _all(reader: Reader, kind: str) -> dict[str, Record]:
    """The records of every thing of a class, sorted by IRI."""
    return _records(reader, [row["thing"] for row in reader.rows("of-class", class_=[IRI(kind)])])


def _records(reader: Reader, nodes: Iterable[Term]) -> dict[str, Record]:
    wanted = sorted(set(nodes), key=lambda term: term.value)
    found: dict[str, Record] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        found.update(reader.records(wanted[start : start + _AT_ONCE]))
    return dict(sorted(found.items()))


def _terms(records: Mapping[str, Record], *names: str) -> Iterable[Term]:
    return (term for record in records.values() for name in names for term in record.get(name, ()))


def _named(records: Mapping[str, Record], *names: str) -> list[Term]:
    return [term for term in _terms(records, *names) if isinstance(term, IRI)]


def _name(record: Record, name: str) -> str | None:
    found = text(record, name)
    return None if found is None else local_name(found)


def _joined(record: Record, name: str) -> str | None:
    return BETWEEN.join(texts(record, name)) or None


def _number(record: Record, name: str) -> int | Decimal | None:
    value = python_value(record[name][0]) if name in record else None
    return value if isinstance(value, int | Decimal) and not isinstance(value, bool) else None


def _sorted(rows: Sequence[Row], key: str) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: str(row[key])))


def _kind_of(prop: Property) -> str:
    return "texts" if prop.several else _RANGES.get(prop.range or "", "text")


def _shown(value: Plain | tuple[str, ...] | None) -> str:
    if value is None:
        return ""
    return cell_text(BETWEEN.join(value) if isinstance(value, tuple) else value)


def _series(column: Column, values: list[Plain | tuple[str, ...] | None]) -> pl.Series:
    kind, convert = _TYPES[column.kind]
    if column.kind == "integer" and any(isinstance(value, int) and abs(value) >= _MOST for value in values):
        kind, convert = _TYPES["decimal"]  # more digits than the type holds: better rounded than refused
    return pl.Series(column.name, [None if value is None else convert(value) for value in values], dtype=kind)


def _texts(value: Plain | tuple[str, ...]) -> list[str]:
    return list(value) if isinstance(value, tuple) else [plain_text(value)]


def _text(value: Plain | tuple[str, ...]) -> str:
    return BETWEEN.join(value) if isinstance(value, tuple) else plain_text(value)


def _whole(value: Plain | tuple[str, ...]) -> int | None:
    return int(value) if isinstance(value, int | Decimal) else None


def _fraction(value: Plain | tuple[str, ...]) -> float | None:
    return float(value) if isinstance(value, int | float | Decimal) else None


def _truth(value: Plain | tuple[str, ...]) -> bool | None:
    return value if isinstance(value, bool) else None


_TYPES: Mapping[str, tuple[pl.DataType, Callable[[Plain | tuple[str, ...]], object]]] = {
    "text": (pl.String(), _text),
    "texts": (pl.List(pl.String()), _texts),
    "integer": (pl.Int64(), _whole),
    "decimal": (pl.Float64(), _fraction),
    "boolean": (pl.Boolean(), _truth),
}
_QUOTE = vocab.slm.NS + "quote"
_CIRCUMSTANCES = (
    vocab.sosa.hasResult,
    vocab.sosa.usedProcedure,
    vocab.sosa.hasFeatureOfInterest,
    vocab.sosa.observedProperty,
    vocab.slm.underConfiguration,
    vocab.slm.inRun,
    vocab.dct.source,
)
_LEARNT = (
    vocab.slm.quantisation,
    vocab.slm.onBenchmark,
    vocab.slm.usesHarness,
    vocab.slm.onDevice,
    vocab.slm.withEngine,
    vocab.qudt.hasUnit,
    vocab.slm.canonicalUnit,
)


def _columns(described: str) -> tuple[Column, ...]:
    """Columns from lines of name, kind and description."""
    return tuple(Column(*line.split(maxsplit=2)) for line in described.strip().splitlines())


_MODEL_COLUMNS = _columns(
    """
    model text short name of the model
    label text its name
    iri text its IRI
    scope text `model`, or `baseline` for a larger model kept for comparison
    """
)
_CLAIM_COLUMNS = _columns(
    """
    claim text IRI of the claim
    model text short name of the model that the claim is about, if it is about one
    subject text IRI of what the claim is about: a model, an architecture, a group of layers, a data set
    property text short name of the property
    property_iri text IRI of the property
    value text the value as text; a thing by its short name
    number decimal the value, if it is a number
    unit text symbol of the property's unit
    reported text the source's own characters
    lower_bound decimal least value that rounded characters allow
    upper_bound decimal greatest value that rounded characters allow
    status text what became of the claim: Accepted, Compatible, Open, Proposed, Rejected, Superseded
    reading text how it was read
    locator text where in the source it stands
    quote text the sentence in the source, if it was kept
    source text IRI of the source
    source_title text title of the source
    source_type text type of the source; the type decides how far it is trusted
    source_address text where the source lies
    retrieved text day on which it was read
    note text comments
    """
)
_OBSERVATION_COLUMNS = _columns(
    """
    observation text IRI of the observation
    kind text BenchmarkResult or RuntimeResult
    model text short name of the model
    artifact text IRI of the weights that were tested
    quantisation text their number format
    benchmark text short name of the benchmark
    metric text short name of what was measured
    value decimal the value, in the metric's unit
    unit text short name of that unit
    unit_iri text IRI of that unit (QUDT, or our own)
    reported text the source's own characters
    reported_number decimal the source's own number
    reported_unit text short name of the source's own unit
    shots integer worked examples in the prompt
    scoring text how answers were scored
    split text part of the benchmark
    harness text program that ran the benchmark
    device text device
    engine text inference engine
    prompt_tokens integer tokens of the prompt
    generated_tokens integer tokens generated
    context_tokens integer tokens of context
    token_position integer position of the token that was timed
    batch_size integer sequences at a time
    threads integer threads
    cache_depth integer tokens in the cache before the prompt
    statistic text what the value is of several runs
    sample_size integer number of runs
    standard_deviation decimal standard deviation over the runs
    standard_error decimal standard error
    clean_samples integer samples that passed the occupancy gate
    confidence_lower decimal lower end of the 95 % confidence interval
    confidence_upper decimal upper end of it
    contended text whether the machine was too busy for the value to be trusted
    origin text who measured
    reading text how it was read
    run text IRI of the run
    source text IRI of the source
    source_title text title of the source
    locator text where in the source it stands
    note text comments
    """
)
