"""Reads the list of known disagreements and the decisions of people about them.

Each row names two sources that differ about one field of one model. A side that another table has already recorded
is that table's claim; a side that is new becomes a claim of the document that the row cites. Nothing is settled here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from app import vocab
from app.ingest.evidence import Decision, Evidence, KnownDisagreement
from app.ingest.properties import PROPERTIES, Property, Reading
from app.ingest.registry import Model, Registry
from app.ingest.sources import check_date, check_slug, cited, parts_of
from app.ingest.tables import Row, read_table
from app.model.claims import Claim, Source

_COLUMNS = ("model", "field", "value_a", "source_a", "value_b", "source_b", "kind", "resolution_or_note")
_DECISION_COLUMNS = ("model", "field", "keep", "reason", "decided_by", "decided_on")
_FIELDS = {
    "ffn_ratio (intermediate/hidden)": "ffn_ratio",
    "attention (sliding window)": "attention_pattern",
    "attention pattern": "attention_pattern",
    "attention pattern, first layer": "attention_pattern",
    "qkv bias": "qkv_bias",
    "innovation": "shared_ffn",
    "code repository": "code_repository",
    "sliding_window (128k sibling)": "sliding_window",
    "partial rotary key": "partial_rotary_key",
    "training_datasets size": "unique_training_tokens",
}
_COMPOUND = {"num_layers / hidden_size / attention": ("num_layers", "hidden_size", "attention_type")}
# alternating layers, told by what the first one does
_FIRST_LAYER = {"global": "global, then local", "local sliding": "local, then global"}


def read_disagreements(
    path: Path,
    registry: Registry,
    evidence: Evidence,
    sources: Mapping[str, Source],
    readings: Mapping[str, Source],
    retrieved: str,
) -> None:
    """Read the known disagreements; call it after every other table, so that recorded sides are found."""
    for row in read_table(path, _COLUMNS):
        evidence.rows_read[path.name] += 1
        model = registry.model(row)
        for known, value_a, value_b in _questions(row):
            subject = known.subject(model)
            claims: list[Claim] = []
            for side, value in (("a", value_a), ("b", value_b)):
                source = _source(row.required(f"source_{side}"), row, model, sources, readings, retrieved)
                found = known.readings(registry, row, f"value_{side}", value)
                claims += [_claim(evidence, row, side, known, model, one, source) for one in found]
            evidence.disagreements.append(
                KnownDisagreement(
                    subject,
                    known.predicate,
                    tuple(claims),
                    row.required("kind"),
                    row["resolution_or_note"],
                    row.line,
                )
            )
        evidence.rows_used[path.name] += 1


def _questions(row: Row) -> Iterable[tuple[Property, str, str]]:
    """The single questions of a row: property, value of side a, value of side b."""
    field = row.required("field")
    value_a, value_b = row.required("value_a"), row.required("value_b")
    if field in _COMPOUND:
        parts_a, parts_b = (value.split(" / ") for value in (value_a, value_b))
        for column, parts in (("value_a", parts_a), ("value_b", parts_b)):
            if len(parts) != len(_COMPOUND[field]):
                raise row.error(column, f"has {len(parts)} parts", advice=f"Write the parts of {field!r}.")
        yield from ((PROPERTIES[name], a, b) for name, a, b in zip(_COMPOUND[field], parts_a, parts_b, strict=True))
        return
    name = _FIELDS.get(field, field)
    if name not in PROPERTIES:
        raise row.error("field", f"{field!r} is no known field", advice="Add it in app/ingest/properties.py.")
    if field == "attention pattern, first layer":
        value_a, value_b = _FIRST_LAYER.get(value_a, value_a), _FIRST_LAYER.get(value_b, value_b)
    yield PROPERTIES[name], value_a, value_b


def _source(
    citation: str,
    row: Row,
    model: Model,
    sources: Mapping[str, Source],
    readings: Mapping[str, Source],
    retrieved: str,
) -> Source:
    own = readings.get(model.slug)
    if own is not None and own.parts == tuple(sorted(set(parts_of(citation)))):
        return own
    return cited(citation.strip(), retrieved, sources)


def _claim(
    evidence: Evidence,
    row: Row,
    side: str,
    known: Property,
    model: Model,
    found: Reading,
    source: Source,
) -> Claim:
    """The claim that already says this in the name of this source, or a new one."""
    subject = known.subject(model)
    for claim in evidence.claims.values():
        same_place = claim.subject == subject and claim.predicate == known.predicate
        if same_place and claim.source.slug == source.slug and claim.value == found.value:
            return claim
    return evidence.add_claim(
        Claim(
            subject=subject,
            predicate=known.predicate,
            value=found.value,
            reported=row[f"value_{side}"].strip(),
            source=source,
            locator=f"{row['field']} of {model.label}, in: {row[f'source_{side}'].strip()}",
            reading="Cited",
            interval=found.interval,
        )
    )


def read_decisions(path: Path, registry: Registry, evidence: Evidence) -> None:
    """Read the decisions that people made: which reported value of a field to keep, and why."""
    for row in read_table(path, _DECISION_COLUMNS, unique=("model", "field")):
        evidence.rows_read[path.name] += 1
        model = registry.model(row)
        name = row.required("field")
        if name not in PROPERTIES:
            raise row.error("field", f"{name!r} is no known field", advice="See docs/reference/reading-rules.md.")
        check_slug(row, "decided_by")
        check_date(row, "decided_on")
        _check_kept(row, PROPERTIES[name], model, evidence)
        evidence.decisions.append(
            Decision(
                subject=PROPERTIES[name].subject(model),
                predicate=PROPERTIES[name].predicate,
                reported=row["keep"] or None,
                reason=row.required("reason"),
                decided_by=row.required("decided_by"),
                decided_on=row["decided_on"],
            )
        )
        evidence.rows_used[path.name] += 1


def _check_kept(row: Row, known: Property, model: Model, evidence: Evidence) -> None:
    """A decision must keep what some source says, or it would reject every value without anybody noticing."""
    if known.predicate in vocab.ADDITIVE:
        raise row.error("field", "values of this field add up", advice="There is nothing to decide; remove the line.")
    subject = known.subject(model)
    reported = {
        claim.reported
        for claim in evidence.claims.values()
        if claim.subject == subject and claim.predicate == known.predicate and not claim.recalled
    }
    if row["keep"] and row["keep"] not in reported:
        known_values = ", ".join(sorted(map(repr, reported))) or "nothing"
        raise row.error("keep", f"no cited source says {row['keep']!r}", advice=f"The sources say: {known_values}.")
