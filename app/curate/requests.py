"""Plain requests (from JSON or options) read as contents of a proposal: names become IRIs, characters become values.

Every mistake is a BadValue that points at the member. Reads a snapshot; never writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date as day
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeAlias

from app import vocab
from app.curate.cases import read_sources, rows
from app.curate.derive import Key
from app.errors import BadValue, Conflict, NotFound
from app.ingest import cells
from app.ingest.registry import CONCEPTS
from app.ingest.results import UNITS
from app.model.claims import Claim, Configuration, Interval, Protocol, Result, Source, digest, resource
from app.model.proposals import Content
from app.model.rdf import IRI, XSD, Term, date, iri, literal, text
from app.store.port import Snapshot

Plain: TypeAlias = bool | int | Decimal | str

MISSING = {
    "not-reported": vocab.slm.notReported,
    "not-applicable": vocab.slm.notApplicable,
    "not-looked-for": vocab.slm.notLookedFor,
    "withheld": vocab.slm.withheld,
}
"""Why a value is missing, as requests say it."""
READINGS = ("Transcribed", "Reassembled", "ReadFromFigure", "Cited")
PROPERTIES = {name.rsplit("#", 1)[-1]: name for name in sorted(vocab.CLAIMABLE)}
"""Properties that sources can state, by local name."""
SOURCE_TYPES = tuple(sorted(name for name in vars(vocab.stype) if name[0].isupper() and name != "NS"))
_THINGS = {
    vocab.slm.maker: "organisation",
    vocab.slm.license: "licence",
    vocab.slm.trainedOn: "dataset",
    vocab.slm.baseModel: "model",
}
_TYPE = vocab.rdf.type
_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source: the `slug` of one that is recorded, or the description of a new one. Days are ISO text."""

    slug: str | None = None
    title: str | None = None
    type: str | None = None
    address: str | None = None
    dated: str | None = None
    retrieved: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A value of a property of a model, or (`missing`) why there is none, as a source says it.

    `model` is a slug, or the IRI of an architecture, layer group or dataset. `reported` holds the source's characters;
    without a `value` they are read by the rules for tables.
    """

    model: str
    property: str
    source: SourceRequest
    locator: str
    value: Plain | None = None
    missing: str | None = None
    reported: str | None = None
    unit: str | None = None
    quote: str | None = None
    reading: str = "Transcribed"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ResultRequest:
    """A measured or reported number of a metric. Names are slugs of the registry; `unit` as in the tables."""

    model: str
    metric: str
    number: Decimal
    unit: str
    source: SourceRequest
    locator: str
    reported: str | None = None
    reading: str = "Transcribed"
    artifact: str | None = None
    device: str | None = None
    engine: str | None = None
    benchmark: str | None = None
    harness: str | None = None
    scoring: str | None = None
    shots: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    batch_size: int | None = None
    context_tokens: int | None = None
    untold: tuple[str, ...] = ()
    note: str | None = None


Request: TypeAlias = ClaimRequest | ResultRequest


def contents_of(snapshot: Snapshot, requests: Sequence[Request], *, today: day) -> list[Content]:
    """The contents that these requests describe, in their order; BadValue or Conflict with a pointer."""
    found: list[Content] = []
    for position, request in enumerate(requests):
        pointer = f"/items/{position}"
        source = _source(snapshot, request.source, f"{pointer}/source", today)
        if request.reading not in READINGS:
            raise BadValue(f"{pointer}/reading", f"{request.reading!r} is unknown", advice=f"Use {_listed(READINGS)}.")
        if isinstance(request, ClaimRequest):
            found.append(_claim(snapshot, request, source, pointer))
        else:
            found.append(_result(snapshot, request, source, pointer))
    return found


def case_key(snapshot: Snapshot, model: str, name: str) -> Key:
    """The case of a property of a model (or of a thing given by its IRI); NotFound names what is unknown."""
    predicate = property_iri(name)
    if model.startswith(("http://", "https://")):
        return _thing_iri(model), predicate
    try:
        subject = resource("model", model)
    except ValueError as error:
        raise NotFound("model", model, advice="A slug has letters, digits, dots and hyphens.") from error
    records = {row["node"]: row for row in rows(snapshot, "stated", node=[subject]) if row["property"].value == _TYPE}
    if not records:
        raise NotFound("model", model, advice=_closest(model, _model_slugs(snapshot)))
    return (resource("architecture", model) if _is_of_architecture(snapshot, predicate) else subject), predicate


def property_iri(name: str) -> str:
    """The IRI of a property that sources can state, from its local name, compact IRI or IRI; NotFound."""
    local = name.rsplit("#", 1)[-1].removeprefix("slm:")
    if local not in PROPERTIES:
        raise NotFound("property", name, advice=_closest(local, PROPERTIES))
    return PROPERTIES[local]


def _thing_iri(written: str) -> IRI:
    try:
        return iri(written)
    except ValueError as error:
        raise NotFound("thing", written, advice="Give a slug or a whole IRI.") from error


def _claim(snapshot: Snapshot, request: ClaimRequest, source: Source, pointer: str) -> Claim:
    try:
        subject, predicate = case_key(snapshot, request.model, request.property)
    except NotFound as error:
        member = "property" if error.kind == "property" else "model"
        raise BadValue(f"{pointer}/{member}", error.message, advice=error.advice) from error
    _check_unit(snapshot, predicate, request.unit, pointer)
    if (request.value is None and request.reported is None and request.missing is None) or (
        request.missing is not None and request.value is not None
    ):
        raise BadValue(
            f"{pointer}/value", "exactly one of value and missing is needed", advice="Or give `reported` to be read."
        )
    interval: Interval | None = None
    if request.missing is not None:
        if request.missing not in MISSING:
            raise BadValue(f"{pointer}/missing", f"{request.missing!r} is unknown", advice=f"Use {_listed(MISSING)}.")
        value: Term = iri(MISSING[request.missing])
        reported = request.reported or request.missing.replace("-", " ")
    else:
        reported = (request.reported if request.reported is not None else _printed(request.value)).strip()
        value, interval = _value(snapshot, predicate, request, reported, pointer)
    return Claim(
        subject=subject,
        predicate=predicate,
        value=value,
        reported=reported,
        source=source,
        locator=request.locator.strip(),
        reading=request.reading,
        interval=interval,
        note=request.note,
        quote=request.quote,
    )


def _value(
    snapshot: Snapshot, predicate: str, request: ClaimRequest, reported: str, pointer: str
) -> tuple[Term, Interval | None]:
    """The value as a term, with the interval that rounded characters allow."""
    member = f"{pointer}/{'value' if request.value is not None else 'reported'}"
    given = request.value if request.value is not None else reported
    if predicate in vocab.SCHEMES:
        return _concept(vocab.SCHEMES[predicate], str(given), member), None
    kind = vocab.DATATYPES.get(predicate, "").removeprefix(XSD)
    try:
        if kind in {"integer", "decimal"}:
            return _number(kind, given, reported)
        if kind == "boolean":
            return literal(given if isinstance(given, bool) else cells.truth(str(given))), None
        if kind == "gYearMonth":
            return date(cells.month(str(given))), None
    except ValueError as error:
        raise BadValue(member, str(error), advice="See docs/reference/reading-rules.md.") from error
    if kind == "string":
        if not str(given).strip():
            raise BadValue(member, "is empty", advice="Give the text.")
        return literal(str(given).strip()), None
    return _thing(snapshot, predicate, str(given), member), None


def _number(kind: str, given: Plain, reported: str) -> tuple[Term, Interval | None]:
    if isinstance(given, bool):
        raise ValueError("true and false are no numbers")  # noqa: TRY004 - told like every other wrong value
    read = _one_count(reported)
    if isinstance(given, str):
        number = read.value if read is not None else _plain_number(given)
    else:
        number = Decimal(given)
        if read is not None and read.value != number:
            raise ValueError(f"the value is {number}, but {reported!r} reads as {read.value}")
    if kind == "integer":
        if number != number.to_integral_value():
            raise ValueError(f"{number} is not a whole number")
        return literal(int(number)), read.interval if read else None
    return literal(number), read.interval if read else None


def _one_count(reported: str) -> cells.Number | None:
    """The number that the characters print, with words at most beside it; None where they print anything else."""
    if re.fullmatch(r"[^\d]*\d[\d.]*\s*[A-Za-z ]*", reported, re.ASCII) is None:
        return None
    try:
        return cells.count(reported)
    except ValueError:
        return None


def _plain_number(given: str) -> Decimal:
    try:
        return cells.decimal(given)
    except ValueError as error:
        raise ValueError(
            f"{given!r} does not read as one number; write one value per item, such as 2048 or 1.1B"
        ) from error


def _concept(scheme: str, given: str, member: str) -> IRI:
    notations = {
        name.rsplit("/", 1)[-1]: name for name in CONCEPTS if name.rsplit("/", 1)[0].rstrip("/") == scheme.rstrip("/")
    }
    by_lower = {notation.lower(): name for notation, name in notations.items()}
    found = by_lower.get(given.rsplit("/", 1)[-1].strip().lower())
    if found is None:
        raise BadValue(member, f"{given!r} is no notation of the scheme", advice=f"Use {_listed(sorted(notations))}.")
    return iri(found)


def _thing(snapshot: Snapshot, predicate: str, given: str, member: str) -> IRI:
    if given.startswith(("http://", "https://")):
        try:
            return iri(given)
        except ValueError as error:
            raise BadValue(member, f"{given!r} is no IRI", advice="Give a whole IRI.") from error
    kind = _THINGS.get(predicate)
    if kind is None:
        raise BadValue(
            member, f"{given!r} is no IRI", advice="Give a whole IRI, e.g. https://arxiv.org/abs/2205.01068."
        )
    return _registered(snapshot, kind, given, member)


def _registered(snapshot: Snapshot, kind: str, given: str, member: str) -> IRI:
    """A thing of the registry by slug or by one of its names."""
    wanted = given.strip()
    if wanted and not re.search(r"[\s<>\"{}|^`\\]", wanted):
        node = resource(kind, wanted)
        if rows(snapshot, "stated", node=[node]):
            return node
    prefix = resource(kind, "").value
    for row in rows(snapshot, "named", name=[text(wanted), literal(wanted)]):
        if row["thing"].value.startswith(prefix) and isinstance(row["thing"], IRI):
            return row["thing"]
    raise BadValue(member, f"{given!r} is no {kind} of the registry", advice="Give its slug, a name, or its IRI.")


def _result(snapshot: Snapshot, request: ResultRequest, source: Source, pointer: str) -> Result:
    def thing(kind: str, given: str | None, member: str) -> IRI | None:
        return None if given is None else _registered(snapshot, kind, given, f"{pointer}/{member}")

    model, metric = thing("model", request.model, "model"), thing("metric", request.metric, "metric")
    assert model is not None and metric is not None  # noqa: S101, PT018 - both are required
    if request.unit not in UNITS:
        raise BadValue(f"{pointer}/unit", f"{request.unit!r} is no known unit", advice=f"Use {_listed(UNITS)}.")
    unit, factor = UNITS[request.unit]
    slug = model.value.rsplit("/", 1)[-1]
    artifact = thing("artifact", request.artifact or f"{slug}-released", "artifact")
    benchmark, harness = thing("benchmark", request.benchmark, "benchmark"), thing("engine", request.harness, "harness")
    assert artifact is not None  # noqa: S101 - a name was given
    if benchmark is not None and harness is None:
        raise BadValue(f"{pointer}/harness", "is needed for a benchmark", advice="Name the evaluation software.")
    device, engine = thing("device", request.device, "device"), thing("engine", request.engine, "engine")
    if benchmark is None and device is None:
        raise BadValue(f"{pointer}/device", "is needed for a runtime result", advice="Or name a `benchmark`.")
    return Result(
        model=model,
        artifact=artifact,
        metric=metric,
        number=request.number,
        unit=unit,
        canonical=request.number * factor,
        reported=request.reported or _printed(request.number),
        source=source,
        locator=request.locator.strip(),
        reading=request.reading,
        configuration=None
        if benchmark is not None
        else Configuration(
            request.prompt_tokens,
            request.generated_tokens,
            request.batch_size,
            request.context_tokens,
            untold=request.untold,
        ),
        protocol=Protocol(benchmark, harness, request.scoring, request.shots, untold=request.untold)
        if benchmark is not None and harness is not None
        else None,
        device=device,
        engine=engine,
        note=request.note,
    )


def _source(snapshot: Snapshot, request: SourceRequest, pointer: str, today: day) -> Source:
    slug = request.slug or _slug_of(request, pointer)
    if _SLUG.fullmatch(slug) is None:
        raise BadValue(f"{pointer}/slug", f"{slug!r} is not a slug", advice="Use small letters, digits, dots, hyphens.")
    known = read_sources(snapshot, [resource("source", slug)]).get(resource("source", slug))
    if known is not None:
        for member, new, old in (("title", request.title, known.title), ("type", request.type, known.kind)):
            if new is not None and new != old:
                raise Conflict(
                    f"the source {slug!r} stands in the graph with another {member}: {old!r}",
                    advice="Name it by its slug alone, or give the new source another slug.",
                    pointer=f"{pointer}/{member}",
                )
        return known
    if request.title is None:
        raise BadValue(
            f"{pointer}/slug", f"no source named {slug!r}", advice="Describe a new one: title, type, retrieved."
        )
    if request.type not in SOURCE_TYPES:
        raise BadValue(f"{pointer}/type", f"{request.type!r} is no source type", advice=f"Use {_listed(SOURCE_TYPES)}.")
    if request.address is not None and re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", request.address) is None:
        raise BadValue(f"{pointer}/address", "is no address", advice="Write it in full, with https://.")
    for member, given in (("dated", request.dated), ("retrieved", request.retrieved)):
        if given is not None and not _is_day(given, month=member == "dated"):
            raise BadValue(f"{pointer}/{member}", f"{given!r} is not a date", advice="Write it as 2024-10-05.")
    return Source(
        slug=slug,
        title=request.title.strip(),
        kind=request.type or "",
        retrieved=request.retrieved or today.isoformat(),
        dated=request.dated,
        address=request.address,
        note=request.note,
    )


def _slug_of(request: SourceRequest, pointer: str) -> str:
    if not request.title or not request.title.strip():
        raise BadValue(f"{pointer}/title", "is missing", advice="Name a source by slug, or describe a new one.")
    return f"document-{digest(request.title.strip(), request.address or '')}"


def _is_day(given: str, *, month: bool) -> bool:
    if month and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", given):
        return True
    try:
        return bool(re.fullmatch(r"\d{4}-\d{2}-\d{2}", given)) and bool(day.fromisoformat(given))
    except ValueError:
        return False


def _check_unit(snapshot: Snapshot, predicate: str, unit: str | None, pointer: str) -> None:
    """A unit may be said again, but not be another one than the property's own."""
    if unit is None:
        return
    own = vocab.UNITS.get(predicate)
    if own is None:
        raise BadValue(f"{pointer}/unit", "the property has no unit", advice="Leave the unit out.")
    record = rows(snapshot, "stated", node=[iri(own)])
    names = {own, vocab.shrink(own), own.rsplit("/", 1)[-1], *(row["value"].value for row in record)}
    if unit not in names:
        raise BadValue(f"{pointer}/unit", f"the property is in {vocab.shrink(own)}", advice="Convert the value to it.")


def _is_of_architecture(snapshot: Snapshot, predicate: str) -> bool:
    domains = {vocab.rdfs.domain, vocab.schema.domainIncludes}
    stated = rows(snapshot, "stated", node=[iri(predicate)])
    return any(row["property"].value in domains and row["value"].value == vocab.slm.Architecture for row in stated)


def _model_slugs(snapshot: Snapshot) -> list[str]:
    return [row["model"].value.rsplit("/", 1)[-1] for row in rows(snapshot, "all-models")]


def _printed(value: Plain | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _closest(name: str, known: Iterable[str]) -> str:
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f"Did you mean {by_lower[close[0]]!r}?" if close else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
