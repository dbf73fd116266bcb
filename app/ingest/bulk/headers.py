"""Which column of a table means what: properties by name, label and usual spelling, scores, and columns about the row.

A header that means nothing is a question with the nearest suggestions; it is never skipped silently.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum

from app.errors import BadParameter
from app.ingest.bulk.fields import FIELDS, Field, Kind
from app.ingest.bulk.names import Names
from app.ingest.bulk.quantities import POWERS
from app.ingest.bulk.sheets import Record
from app.ingest.bulk.verdicts import Finding, Refused, Verdict, shown
from app.model.rdf import IRI


class Role(StrEnum):
    """What a column says about its row."""

    MODEL = "model"
    SUBJECT = "subject"
    PROPERTY = "property"
    METRIC = "metric"
    VALUE = "value"
    UNIT = "unit"
    LOWER = "lower"
    UPPER = "upper"
    REPORTED = "reported"
    QUANTISATION = "quantisation"
    BENCHMARK = "benchmark"
    SHOTS = "shots"
    BASELINE_SHOTS = "baseline_shots"
    SCORING = "scoring"
    HARNESS = "harness"
    DEVICE = "device"
    ENGINE = "engine"
    PROMPT_TOKENS = "prompt_tokens"
    GENERATED_TOKENS = "generated_tokens"
    BATCH_SIZE = "batch_size"
    CONTEXT_TOKENS = "context_tokens"
    TOKEN_POSITION = "token_position"  # noqa: S105 - no secret
    UNTOLD = "untold"
    SOURCE = "source"
    SOURCE_TITLE = "source_title"
    SOURCE_TYPE = "source_type"
    SOURCE_ADDRESS = "source_address"
    SOURCE_DATED = "source_dated"
    SOURCE_RETRIEVED = "source_retrieved"
    LOCATOR = "locator"
    QUOTE = "quote"
    READING = "reading"
    NOTE = "note"
    STATUS = "status"


ROLES: Mapping[Role, str] = {
    Role.MODEL: "the model: its slug, a name, or its Hugging Face id",
    Role.SUBJECT: "what the row speaks of, where that is not the model itself: `layer-group:…`, `dataset:…`",
    Role.PROPERTY: "the property of a claim",
    Role.METRIC: "the metric of a result: its slug or label",
    Role.VALUE: "the value",
    Role.UNIT: "the unit of the value",
    Role.LOWER: "least value that rounded characters allow",
    Role.UPPER: "greatest value that rounded characters allow",
    Role.REPORTED: "the source's own characters, where `value` is written in our way",
    Role.QUANTISATION: "format of the weights that were measured; empty for the weights as released",
    Role.BENCHMARK: "the benchmark of a score",
    Role.SHOTS: "examples in the prompt",
    Role.BASELINE_SHOTS: "examples in the prompt that a gain is counted from",
    Role.SCORING: "how an answer was picked",
    Role.HARNESS: "the software of the evaluation",
    Role.DEVICE: "the device of a runtime figure",
    Role.ENGINE: "the inference engine of a runtime figure",
    Role.PROMPT_TOKENS: "tokens of the prompt",
    Role.GENERATED_TOKENS: "tokens that were generated",
    Role.BATCH_SIZE: "requests at a time",
    Role.CONTEXT_TOKENS: "tokens that the context was made for",
    Role.TOKEN_POSITION: "position of the token that was timed",
    Role.UNTOLD: "what the source should have told and did not, with semicolons",
    Role.SOURCE: "slug of the source",
    Role.SOURCE_TITLE: "title of a new source",
    Role.SOURCE_TYPE: "type of a new source",
    Role.SOURCE_ADDRESS: "address of a new source, with https",
    Role.SOURCE_DATED: "day on which a new source was written",
    Role.SOURCE_RETRIEVED: "day on which the source was read",
    Role.LOCATOR: "the place in the source",
    Role.QUOTE: "the words around the value, as they stand in the source",
    Role.READING: "how it was read: `Transcribed`, `Cited`, …",
    Role.NOTE: "anything a reader should know",
    Role.STATUS: "what became of a claim; exports have it, imports leave it unread",
}
"""What each column about the row holds."""

ROLE_ALIASES: Mapping[Role, tuple[str, ...]] = {
    Role.MODEL: ("slug", "model_id", "hf_id", "huggingface_id", "repo", "repo_id", "checkpoint", "name", "model_name"),
    Role.SUBJECT: ("about",),
    Role.PROPERTY: ("field", "attribute"),
    Role.VALUE: ("val",),
    Role.UNIT: ("units",),
    Role.REPORTED: ("as_reported", "raw", "raw_text"),
    Role.QUANTISATION: ("quantization", "quant"),
    Role.SHOTS: ("num_shots", "n_shot", "few_shot"),
    Role.SOURCE: ("src", "reference", "ref"),
    Role.LOCATOR: ("place", "page", "where", "location"),
    Role.QUOTE: ("citation_text", "excerpt"),
    Role.NOTE: ("notes", "remark", "remarks", "comment"),
}
LEFT_OUT = "-"
"""Means in a mapping that a column is not to be read."""
_LONG_ONLY = frozenset(
    {
        Role.PROPERTY,
        Role.METRIC,
        Role.VALUE,
        Role.UNIT,
        Role.LOWER,
        Role.UPPER,
        Role.REPORTED,
        Role.SUBJECT,
        Role.BENCHMARK,
        Role.SHOTS,
        Role.BASELINE_SHOTS,
        Role.DEVICE,
        Role.ENGINE,
        Role.PROMPT_TOKENS,
        Role.GENERATED_TOKENS,
        Role.BATCH_SIZE,
        Role.CONTEXT_TOKENS,
        Role.TOKEN_POSITION,
    }
)
_UNIT = re.compile(r"^(?P<name>.*?)\s*[\[(](?P<unit>[^\])]+)[\])]\s*$")
_SCORE = re.compile(r"^(?P<name>.+?)[\s,]*[\[(]?\s*(?P<shots>\d{1,3})\s*-?\s*shots?\s*[\])]?$", re.IGNORECASE)
_COUNTED = re.compile(r"^(number of|no of|nr of|num of|num|number|nr|n) +")
_SCORE_UNITS = {"%": "percent", "percent": "percent", "fraction": "fraction", "acc": "", "accuracy": ""}
_COUNTED_KINDS = frozenset({Kind.INTEGER, Kind.CONTEXT, Kind.DECIMAL})
_WORDS = frozenset({"thousands", "millions", "billions", "trillions"})
_REMARKS = frozenset(["tokens", "token", "params", "parameters", "count", "#", "number", "dims", "dim"])
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one column holds: something about the row, a property, or a score. `how` says what made that clear."""

    column: int
    header: str
    how: str
    role: Role | None = None
    field: Field | None = None
    benchmark: IRI | None = None
    shots: int | None = None
    unit: str = ""

    @property
    def told(self) -> str:
        """The meaning in words."""
        if self.role is not None:
            return self.role.value
        if self.field is not None:
            return f"{self.field.name}{f' [{self.unit}]' if self.unit else ''}"
        name = self.benchmark.value.rsplit("/", 1)[-1] if self.benchmark is not None else "not read"
        shots = "" if self.shots is None else f", {self.shots}-shot"
        return f"{name}{shots}{f' [{self.unit}]' if self.unit else ''}"

    @property
    def same(self) -> tuple[object, ...]:
        """What two columns may not both mean."""
        return (self.role, self.field.name if self.field else None, self.benchmark, self.shots)


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table that mean something, whether it has one value in each row, and what is to be said."""

    columns: tuple[Meaning, ...]
    is_long: bool
    findings: tuple[Finding, ...]

    def role(self, role: Role) -> Meaning | None:
        """The column of this role."""
        return next((one for one in self.columns if one.role is role), None)


def spelling(header: str) -> str:
    """A header as spellings are compared: small letters, single spaces, no word for counting before it."""
    text = re.sub(r"[\W_]+", " ", header.replace("#", "num ").casefold()).strip()
    return _COUNTED.sub("", text) or text


def read_header(header: Record, names: Names, mapping: Mapping[str, str], file: str) -> Header:
    """What the columns of a table mean; BadParameter where the mapping names a column that is not there."""
    titles = [cell.text.strip() for cell in header.cells]
    for wanted in mapping:
        if wanted not in titles:
            near = get_close_matches(wanted, titles, n=_NEAREST)
            advice = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"It has: {', '.join(titles)}."
            raise BadParameter("map", f"the table has no column {wanted!r}", advice=advice)
    spelt = frozenset(spelling(mapping.get(title, title)) for title in titles)
    roles = {role for title in titles if (role := _ROLES.get(spelling(mapping.get(title, title)))) is not None}
    is_long = Role.VALUE in roles and bool(roles & {Role.PROPERTY, Role.METRIC})
    columns: list[Meaning] = []
    findings: list[Finding] = []
    for column, title in enumerate(titles, start=1):
        finding = Finding(file, header.line, column, title, shown(title), Verdict.IGNORED)
        if not title or mapping.get(title) == LEFT_OUT:
            findings.append(_left_out(finding, title))
            continue
        try:
            meaning = _meaning(column, title, names, mapping, is_long, spelt)
            _check_alone(meaning, columns)
        except Refused as refused:
            findings.append(finding.refused(refused))
        else:
            columns.append(meaning)
    kept = _with_model(columns)
    for one in columns:
        if one not in kept:
            finding = Finding(file, header.line, one.column, one.header, shown(one.header), Verdict.IGNORED)
            findings.append(replace(finding, problem="another column names the model"))
    return Header(tuple(kept), is_long, tuple(findings))


def _left_out(finding: Finding, title: str) -> Finding:
    return replace(finding, problem="the column is left out" if title else "a column without a name is not read")


def _check_alone(meaning: Meaning, before: list[Meaning]) -> None:
    for other in before:
        if other.same == meaning.same and meaning.role is not Role.MODEL:
            raise Refused(
                "duplicate-header",
                f"columns {other.column} ({other.header}) and {meaning.column} both mean {meaning.told}",
                "Leave one of them out.",
            )


def _with_model(columns: list[Meaning]) -> list[Meaning]:
    """The columns with one that names the model: the most exact one; another name of the model is a remark."""
    order = ("model", *map(spelling, ROLE_ALIASES[Role.MODEL]))
    naming = sorted(
        (one for one in columns if one.role is Role.MODEL),
        key=lambda one: (
            one.how != "mapping",
            order.index(spelling(one.header)) if spelling(one.header) in order else 99,
        ),
    )
    return [one for one in columns if one.role is not Role.MODEL or one is naming[0]]


def _meaning(
    column: int, title: str, names: Names, mapping: Mapping[str, str], is_long: bool, spelt: frozenset[str]
) -> Meaning:
    how = "mapping" if title in mapping else "header"
    wanted = mapping.get(title, title).strip()
    role = _ROLES.get(spelling(wanted))
    if role is Role.MODEL and spelling(wanted) != "model" and "model" in spelt and spelling(wanted) in _FIELDS:
        role = None  # a table with a column `model` has its property model_name beside it
    if role is not None and (is_long or role not in _LONG_ONLY):
        return Meaning(column, title, how, role=role)
    if is_long:
        raise _unknown(title, [role.value for role in Role])
    name, unit = _with_unit(wanted)
    field = find_field(name, names) or find_field(wanted, names)
    if field is not None:
        return Meaning(column, title, how, field=field, unit=property_unit(field, unit) if name != wanted else "")
    score = _score(wanted, names)
    if score is not None:
        benchmark, shots, unit = score
        return Meaning(column, title, how, benchmark=benchmark, shots=shots, unit=unit)
    known = [
        *(field.name for field in FIELDS),
        *(names.things["benchmark"].exact if "benchmark" in names.things else ()),
    ]
    raise _unknown(title, known)


def find_field(name: str, names: Names) -> Field | None:
    """The property of this name: ours, the ontology's, its label, or a usual spelling."""
    wanted = spelling(name)
    found = _FIELDS.get(wanted)
    if found is not None:
        return found
    plain = name.strip().removeprefix("slm:")
    for field in FIELDS:
        label = names.labels.get(field.predicate, "")
        if plain in {field.local, field.predicate} or (label and spelling(label) == wanted):
            return field
    return None


def nearest(name: str, known: list[str]) -> str:
    """Advice for a name that is not known."""
    near = get_close_matches(spelling(name), {spelling(one): one for one in known}, n=_NEAREST, cutoff=0.5)
    spelt = {spelling(one): one for one in reversed(known)}
    return f"Did you mean {' or '.join(spelt[one] for one in near)}? " if near else ""


def _unknown(title: str, known: list[str]) -> Refused:
    return Refused(
        "unknown-column",
        f"the header {title!r} means nothing here",
        f"{nearest(title, known)}Map it (`{title}=property`), or leave it out (`{title}={LEFT_OUT}`).",
        verdict=Verdict.QUESTION,
    )


def _with_unit(title: str) -> tuple[str, str]:
    match = _UNIT.fullmatch(title)
    return (match["name"], match["unit"].strip()) if match else (title, "")


def property_unit(field: Field, unit: str) -> str:
    """The unit of a header or cell as quantities know it; a remark such as `tokens` is none. Refused."""
    plain = {"%": "percent"}.get(unit, unit.lower().removesuffix("s") if unit.lower() in _WORDS else unit)
    if plain in POWERS and field.kind in _COUNTED_KINDS:
        return plain
    if plain in {"percent", "fraction"} and field.kind is Kind.SHARE:
        return plain
    if unit.lower() in _REMARKS and field.kind in _COUNTED_KINDS:
        return ""
    if not unit:
        return ""
    known = ("percent", "fraction") if field.kind is Kind.SHARE else POWERS if field.kind in _COUNTED_KINDS else ()
    advice = f"Use one of {', '.join(known)}." if known else "Leave it out."
    raise Refused("unknown-unit", f"{unit!r} is no unit of {field.name}", advice)


def _score(title: str, names: Names) -> tuple[IRI, int | None, str] | None:
    """Benchmark, shots and unit of a header such as `MMLU (5-shot) [%]`."""
    text, unit = title, ""
    match = _UNIT.fullmatch(text)
    if match and match["unit"].strip().lower() in _SCORE_UNITS:
        text, unit = match["name"], _SCORE_UNITS[match["unit"].strip().lower()]
    shots = None
    match = _SCORE.fullmatch(text.strip())
    if match:
        text, shots = match["name"], int(match["shots"])
    if text.rstrip().endswith("%"):
        text, unit = text.rstrip().removesuffix("%"), "percent"
    try:
        return names.thing("benchmark", text.strip(" ,(")), shots, unit
    except Refused:
        return None


_ROLES: dict[str, Role] = {spelling(name): role for role in Role for name in (role.value, *ROLE_ALIASES.get(role, ()))}
_FIELDS: dict[str, Field] = {spelling(alias): field for field in FIELDS for alias in field.aliases} | {
    spelling(field.name): field for field in FIELDS
}
