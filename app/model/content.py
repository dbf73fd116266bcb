"""Claims and results as JSON text and back, exactly: how a proposal keeps what it proposes. Pure."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from app.model.claims import Claim, Configuration, Interval, Protocol, Result, Source
from app.model.proposals import Content
from app.model.rdf import IRI, Literal, Term


def to_text(content: Content) -> str:
    """The content as JSON, with its members in a fixed order and those without a value left out."""
    record = _claim(content) if isinstance(content, Claim) else _result(content)
    return json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def from_text(text: str) -> Content:
    """The content that `to_text` wrote; ValueError for anything else."""
    try:
        record = json.loads(text)
        return _claim_of(record) if record["kind"] == "claim" else _result_of(record)
    except (KeyError, TypeError, ArithmeticError) as error:
        raise ValueError(f"no content of a proposal: {error}") from error


def _claim(claim: Claim) -> dict[str, Any]:
    return _said(
        kind="claim",
        subject=claim.subject.value,
        predicate=claim.predicate,
        value=_term(claim.value),
        reported=claim.reported,
        source=_source(claim.source),
        locator=claim.locator,
        reading=claim.reading,
        recalled=claim.recalled or None,
        interval=[str(claim.interval.lower), str(claim.interval.upper)] if claim.interval else None,
        note=claim.note,
        quote=claim.quote,
        iri=claim.given_iri.value if claim.given_iri else None,
    )


def _claim_of(record: dict[str, Any]) -> Claim:
    interval = record.get("interval")
    return Claim(
        subject=IRI(record["subject"]),
        predicate=record["predicate"],
        value=_term_of(record["value"]),
        reported=record["reported"],
        source=_source_of(record["source"]),
        locator=record["locator"],
        reading=record["reading"],
        recalled=record.get("recalled", False),
        interval=Interval(Decimal(interval[0]), Decimal(interval[1])) if interval else None,
        note=record.get("note"),
        quote=record.get("quote"),
        given_iri=_iri_of(record.get("iri")),
    )


def _result(result: Result) -> dict[str, Any]:
    settings, protocol = result.configuration, result.protocol
    return _said(
        kind="result",
        model=result.model.value,
        artifact=result.artifact.value,
        metric=result.metric.value,
        number=str(result.number),
        unit=result.unit,
        canonical=str(result.canonical),
        reported=result.reported,
        source=_source(result.source),
        locator=result.locator,
        reading=result.reading,
        configuration=None
        if settings is None
        else _said(
            prompt_tokens=settings.prompt_tokens,
            generated_tokens=settings.generated_tokens,
            batch_size=settings.batch_size,
            context_tokens=settings.context_tokens,
            token_position=settings.token_position,
            threads=settings.threads,
            cache_depth=settings.cache_depth,
            untold=list(settings.untold) or None,
        ),
        protocol=None
        if protocol is None
        else _said(
            benchmark=protocol.benchmark.value,
            harness=protocol.harness.value,
            scoring=protocol.scoring,
            shots=protocol.shots,
            baseline_shots=protocol.baseline_shots,
            untold=list(protocol.untold) or None,
        ),
        device=result.device.value if result.device else None,
        engine=result.engine.value if result.engine else None,
        note=result.note,
        row=result.row or None,
    )


def _result_of(record: dict[str, Any]) -> Result:
    settings, protocol = record.get("configuration"), record.get("protocol")
    return Result(
        model=IRI(record["model"]),
        artifact=IRI(record["artifact"]),
        metric=IRI(record["metric"]),
        number=Decimal(record["number"]),
        unit=record["unit"],
        canonical=Decimal(record["canonical"]),
        reported=record["reported"],
        source=_source_of(record["source"]),
        locator=record["locator"],
        reading=record["reading"],
        configuration=None if settings is None else Configuration(**settings | _untold(settings)),
        protocol=None
        if protocol is None
        else Protocol(
            benchmark=IRI(protocol["benchmark"]),
            harness=IRI(protocol["harness"]),
            scoring=protocol.get("scoring"),
            shots=protocol.get("shots"),
            baseline_shots=protocol.get("baseline_shots"),
            **_untold(protocol),
        ),
        device=_iri_of(record.get("device")),
        engine=_iri_of(record.get("engine")),
        note=record.get("note"),
        row=record.get("row", ""),
    )


def _source(source: Source) -> dict[str, Any]:
    return _said(
        slug=source.slug,
        title=source.title,
        kind=source.kind,
        retrieved=source.retrieved,
        dated=source.dated,
        address=source.address,
        licence=source.licence,
        note=source.note,
        parts=list(source.parts) or None,
    )


def _source_of(record: dict[str, Any]) -> Source:
    return Source(**record | {"parts": tuple(record.get("parts", ()))})


def _term(term: Term) -> dict[str, Any]:
    if isinstance(term, Literal):
        return _said(text=term.value, language=term.language, datatype=None if term.language else term.datatype.value)
    return {"iri": term.value}


def _term_of(record: dict[str, Any]) -> Term:
    if "iri" in record:
        return IRI(record["iri"])
    if "language" in record:
        return Literal(record["text"], language=record["language"])
    return Literal(record["text"], datatype=IRI(record["datatype"]))


def _iri_of(text: str | None) -> IRI | None:
    return None if text is None else IRI(text)


def _untold(record: dict[str, Any]) -> dict[str, Any]:
    return {"untold": tuple(record.get("untold", ()))}


def _said(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
