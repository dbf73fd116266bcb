"""A table to claims and results, with a verdict for every cell.

Wide: a row for each model, a column for each property or score. Long: a row for each value, as exports write them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import TypeAlias, TypeVar

from app import vocab
from app.ingest.bulk import quantities, values
from app.ingest.bulk.fields import FIELDS, Field
from app.ingest.bulk.headers import Header, Meaning, Role, find_field, nearest, property_unit, read_header
from app.ingest.bulk.names import Names
from app.ingest.bulk.recorded import told
from app.ingest.bulk.rows import AtRole, Row, model_of, source_of, subject_of
from app.ingest.bulk.sheets import Cell, Made, Record, Sheet
from app.ingest.bulk.verdicts import Finding, Refused, Verdict, shown
from app.ingest.cells import is_placeholder
from app.ingest.registry import Model
from app.ingest.results import UNITS
from app.model.claims import Claim, Configuration, Interval, Protocol, Result, Source, concept, resource
from app.model.rdf import IRI

Content: TypeAlias = Claim | Result
Known: TypeAlias = Callable[[Source], Mapping[object, str]]
"""What is said in the name of a source already (as `key_of` tells it), and where: empty for the graph itself."""

_T = TypeVar("_T")
_RELEASED = concept("quantisation", "None")
_HARNESS = "harness-not-reported"
_TEXT_LIMIT = 5_000


@dataclass(frozen=True, slots=True)
class Options:
    """How a table is to be read. `source` stands for rows that name none; `mapping` gives columns their meaning.

    `today` is the day of reading of a source that the table describes without one.
    """

    today: date
    source: Source | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file gave: new claims and results, a finding for every cell, and what its columns mean."""

    items: tuple[Content, ...]
    findings: tuple[Finding, ...]
    columns: tuple[tuple[str, str], ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        """The findings that must be settled before anything is proposed."""
        return tuple(one for one in self.findings if one.verdict in {Verdict.REFUSED, Verdict.QUESTION})

    @property
    def counts(self) -> dict[str, int]:
        """How many cells had which verdict."""
        counted = Counter(one.verdict for one in self.findings)
        return {verdict.value: counted[verdict] for verdict in Verdict}


@dataclass(slots=True)
class Account:
    """Collects items and findings, and knows what is there already."""

    known: Known
    items: dict[object, Content] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _there: dict[str, Mapping[object, str]] = field(default_factory=dict)

    def add(self, finding: Finding, content: Content, read_as: str) -> None:
        """Record a content, unless the graph or an earlier cell has it."""
        key = key_of(content)
        there = self._of(content.source)
        if key in there:
            told_where = there[key]
            self.findings.append(replace(finding, verdict=Verdict.UNCHANGED, read_as=read_as, problem=told_where))
            return
        own = content.key if isinstance(content, Result) else key
        repeated = "an earlier cell says the same" if own in self.items else ""
        self.items.setdefault(own, content)
        verdict = Verdict.UNCHANGED if repeated else Verdict.ACCEPTED
        self.findings.append(replace(finding, verdict=verdict, read_as=read_as, problem=repeated))

    def _of(self, source: Source) -> Mapping[object, str]:
        if source.slug not in self._there:
            self._there[source.slug] = self.known(source)
        return self._there[source.slug]


def key_of(content: Content) -> object:
    """Equal for contents that say the same of the same thing in the name of the same source."""
    if isinstance(content, Result):
        return told(content)
    return (content.source.slug, content.subject.value, content.predicate, str(content.value))


def read_table(sheet: Sheet, names: Names, known: Known, options: Options) -> Reading:
    """Read a table: what is new, and what became of each cell. Nothing is changed anywhere."""
    header = read_header(sheet.header, names, options.mapping, sheet.name)
    account = Account(known, findings=list(header.findings))
    if header.role(Role.MODEL) is None and header.role(Role.SUBJECT) is None:
        account.findings.append(_no_model(sheet))
        return Reading((), tuple(account.findings), _told(header))
    reader = _Long if header.is_long else _Wide
    work = reader(sheet, names, header, options, account)
    for record in sheet.rows:
        work.read(record)
    return Reading(tuple(account.items.values()), tuple(account.findings), _told(header))


def _told(header: Header) -> tuple[tuple[str, str], ...]:
    return tuple((one.header, one.told) for one in header.columns)


def _no_model(sheet: Sheet) -> Finding:
    return Finding(
        sheet.name,
        sheet.header.line,
        1,
        "model",
        "",
        Verdict.QUESTION,
        code="missing",
        problem="no column names the model",
        advice="Name it `model`, or map it.",
    )


class _Layout:
    """What both layouts do with a row: its width, its model and source, refusals at the right cell."""

    def __init__(self, sheet: Sheet, names: Names, header: Header, options: Options, account: Account) -> None:
        self.sheet = sheet
        self.names = names
        self.header = header
        self.options = options
        self.account = account

    def read(self, record: Record) -> None:
        """Read one row."""
        width = len(self.sheet.header.cells)
        if len(record.cells) != width:
            column = min(len(record.cells), width) + 1
            problem = f"the row has {len(record.cells)} cells, the header has {width}"
            refused = Refused("ragged-row", problem, "Look for a comma too many or too few, or a missing quote.")
            self.account.findings.append(
                Finding(self.sheet.name, record.line, column, "", "", Verdict.REFUSED).refused(refused)
            )
            return
        row = Row(record, self.header)
        try:
            self.values(row)
        except AtRole as at:
            self.account.findings.append(
                self.finding(row, self.header.role(at.role), at.role.value).refused(at.refused)
            )

    def values(self, row: Row) -> None:
        """Read the values of a row; AtRole."""
        raise NotImplementedError

    def finding(self, row: Row, meaning: Meaning | None, name: str = "") -> Finding:
        """A finding about a cell that nothing is said of yet."""
        column = meaning.column if meaning is not None else 1
        cell = row.record.cells[column - 1].text if meaning is not None else ""
        title = meaning.header if meaning is not None else name
        return Finding(self.sheet.name, row.record.line, column, title, shown(cell), Verdict.IGNORED)

    def source(self, row: Row) -> Source:
        """The row's source; AtRole."""
        return source_of(row, self.names, self.options.source, self.options.today)

    def reading(self, row: Row) -> str:
        """How the row was read; AtRole."""
        return _reading(row)

    def locator(self, row: Row, otherwise: str) -> str:
        """The place in the source."""
        return _limited(row, Role.LOCATOR) or otherwise


class _Wide(_Layout):
    """A row for each model."""

    def __init__(self, sheet: Sheet, names: Names, header: Header, options: Options, account: Account) -> None:
        super().__init__(sheet, names, header, options, account)
        self.percent = {
            one.column: _in_percent(
                one, [row.cells[one.column - 1] for row in sheet.rows if len(row.cells) >= one.column]
            )
            for one in header.columns
            if one.benchmark is not None
        }

    def values(self, row: Row) -> None:
        model = model_of(row, self.names)
        if model is None:
            raise AtRole(Role.MODEL, Refused("missing", "the row names no model", "Name it, or remove the row."))
        source = self.source(row)
        for meaning in self.header.columns:
            if meaning.role is not None:
                continue
            cell = row.record.cells[meaning.column - 1]
            finding = self.finding(row, meaning)
            if is_placeholder(cell.text):
                self.account.findings.append(replace(finding, problem="it says that there is no value"))
                continue
            try:
                if meaning.field is not None:
                    self._claims(row, meaning, meaning.field, cell, model, source, finding)
                else:
                    self._score(row, meaning, cell, model, source, finding)
            except Refused as refused:
                self.account.findings.append(finding.refused(refused))

    def _claims(
        self, row: Row, meaning: Meaning, prop: Field, cell: Cell, model: Model, source: Source, finding: Finding
    ) -> None:
        if prop.of == "dataset":
            raise Refused("bad-subject", f"{prop.name} is said of datasets", "Use the long layout, with `subject`.")
        subject = model.architecture if prop.of == "architecture" else model.iri
        stripped = replace(cell, text=cell.text.strip())
        for value in values.read(prop, stripped, meaning.unit, self.names):
            claim = Claim(
                subject=subject,
                predicate=prop.predicate,
                value=value.term,
                reported=quantities.plain(stripped.text),
                source=source,
                locator=self.locator(row, self._place(model, meaning)),
                reading=self.reading(row),
                interval=value.interval,
                note=_limited(row, Role.NOTE) or None,
                quote=_limited(row, Role.QUOTE) or None,
            )
            self.account.add(finding, claim, value.shown)

    def _score(self, row: Row, meaning: Meaning, cell: Cell, model: Model, source: Source, finding: Finding) -> None:
        assert meaning.benchmark is not None  # noqa: S101 - a column without a role and property is a score
        amount = quantities.amount(values.checked(cell), whole=False)
        percent = amount.percent or self.percent[meaning.column]
        if percent and not amount.percent and 0 < amount.value <= 1 and not meaning.unit:
            raise Refused(
                "percent-or-fraction",
                f"{amount.value} stands among percentages and may be a fraction",
                f"Write {amount.value} % or {amount.value * 100:f} %, or the unit into the header: [%].",
            )
        fraction = amount.value / 100 if percent else amount.value
        if not 0 <= fraction <= 1:
            raise Refused("out-of-range", f"{amount.value} is no score", "A score lies between nothing and everything.")
        untold = ["answerScoring", "split"] + (["numShots"] if meaning.shots is None else [])
        result = Result(
            model=model.iri,
            artifact=model.artifact(_RELEASED),
            metric=resource("metric", "accuracy"),
            number=amount.value,
            unit=vocab.unit.PERCENT if percent else vocab.unit.FRACTION,
            canonical=fraction,
            reported=cell.text.strip(),
            source=source,
            locator=self.locator(row, self._place(model, meaning)),
            reading=self.reading(row),
            protocol=Protocol(
                meaning.benchmark, resource("engine", _HARNESS), None, meaning.shots, untold=tuple(sorted(untold))
            ),
            note=_limited(row, Role.NOTE) or None,
        )
        unit = "percent" if percent else "a fraction"
        self.account.add(finding, with_key(result), f"{values.plain_number(amount.value)} as {unit} of {meaning.told}")

    def _place(self, model: Model, meaning: Meaning) -> str:
        return f"{self.sheet.name}, row {model.slug}, column {meaning.header}"


class _Long(_Layout):
    """A row for each value."""

    def values(self, row: Row) -> None:
        meaning = self.header.role(Role.VALUE)
        finding = self.finding(row, meaning)
        if row.text(Role.METRIC).strip():
            result, read_as = _result(row, self)
            self.account.add(finding, with_key(result), read_as)
            return
        name = row.required(Role.PROPERTY)
        prop = find_field(name, self.names)
        if prop is None:
            advice = f"{nearest(name, [one.name for one in FIELDS])}The reference page lists them."
            problem = f"{name!r} is no property"
            raise AtRole(Role.PROPERTY, Refused("unknown-property", problem, advice, verdict=Verdict.QUESTION))
        subject = subject_of(row, prop, model_of(row, self.names), self.names)
        source = self.source(row)
        cell = row.cell(Role.VALUE)
        if cell is None or not cell.text.strip():
            self.account.findings.append(replace(finding, problem="it says that there is no value"))
            return
        unit = _at(Role.UNIT, lambda: property_unit(prop, row.text(Role.UNIT).strip()))
        try:
            found = values.read(prop, cell, unit, self.names)
        except Refused as refused:
            raise AtRole(Role.VALUE, refused) from refused
        interval = _interval(row)
        reading = self.reading(row)
        for value in found:
            claim = Claim(
                subject=subject,
                predicate=prop.predicate,
                value=value.term,
                reported=_limited(row, Role.REPORTED) or quantities.plain(cell.text),
                source=source,
                locator=self.locator(row, f"{self.sheet.name}, {subject.value.rsplit('/', 1)[-1]}, {prop.name}"),
                reading=reading,
                recalled=reading == "Recalled",
                interval=interval or value.interval,
                note=_limited(row, Role.NOTE) or None,
                quote=_limited(row, Role.QUOTE) or None,
            )
            self.account.add(finding, claim, value.shown)


def with_key(result: Result) -> Result:
    """The result with the name of its row: its conditions, without the value. It makes its key."""
    conditions = told(replace(result, canonical=Decimal(0)))
    return replace(result, row="|".join("" if one is None else str(one) for one in conditions))


def _result(row: Row, layout: _Long) -> tuple[Result, str]:
    names = layout.names
    model = model_of(row, names)
    if model is None:
        raise AtRole(Role.MODEL, Refused("missing", "the row names no model", "Name it, or remove the row."))
    metric = _at(Role.METRIC, lambda: names.thing("metric", row.required(Role.METRIC)))
    number = _at(Role.VALUE, lambda: quantities.amount(row.required(Role.VALUE), whole=False))
    cell = row.cell(Role.VALUE)
    if cell is not None and cell.made is Made.DATE:
        raise AtRole(Role.VALUE, Refused("spreadsheet-date", f"{cell.text} is a date", "Write the number."))
    unit, factor = _unit(row, number)
    protocol = _protocol(row, names)
    device = _at(Role.DEVICE, lambda: _optional(names, "device", row.text(Role.DEVICE)))
    engine = _at(Role.ENGINE, lambda: _optional(names, "engine", row.text(Role.ENGINE)))
    for role, thing in ((Role.DEVICE, device), (Role.ENGINE, engine)):
        if protocol is None and thing is None:
            problem = f"a runtime figure needs a {role.value}, a score needs a benchmark"
            raise AtRole(role, Refused("missing", problem, "Fill the cell."))
    quantisation = _at(
        Role.QUANTISATION, lambda: names.concept("quantisation", row.text(Role.QUANTISATION).strip() or "None")
    )
    result = Result(
        model=model.iri,
        artifact=model.artifact(quantisation),
        metric=metric,
        number=number.value,
        unit=unit,
        canonical=number.value * factor,
        reported=_limited(row, Role.REPORTED) or row.required(Role.VALUE),
        source=layout.source(row),
        locator=layout.locator(row, f"{layout.sheet.name}, {model.slug}, {metric.value.rsplit('/', 1)[-1]}"),
        reading=layout.reading(row),
        configuration=None if protocol is not None else _configuration(row),
        protocol=protocol,
        device=device,
        engine=engine,
        note=_limited(row, Role.NOTE) or None,
    )
    return result, f"{values.plain_number(number.value)} {vocab.shrink(unit)} of {vocab.shrink(metric.value)}"


def _at(role: Role, work: Callable[[], _T]) -> _T:
    try:
        return work()
    except Refused as refused:
        raise AtRole(role, refused) from refused


def _optional(names: Names, kind: str, name: str) -> IRI | None:
    return names.thing(kind, name) if name.strip() else None


def _unit(row: Row, number: quantities.Amount) -> tuple[str, Decimal]:
    name = row.text(Role.UNIT).strip() or ("percent" if number.percent else "")
    name = {"%": "percent"}.get(name, name)
    if name not in UNITS:
        problem = f"{name!r} is no unit of a result" if name else "the row names no unit"
        raise AtRole(Role.UNIT, Refused("unknown-unit", problem, f"Use one of {', '.join(UNITS)}."))
    if number.percent and name != "percent":
        raise AtRole(Role.UNIT, Refused("unit-conflict", f"the cell says percent, the row {name}", "Keep one of them."))
    return UNITS[name]


def _protocol(row: Row, names: Names) -> Protocol | None:
    name = row.text(Role.BENCHMARK)
    if not name.strip():
        return None
    benchmark = _at(Role.BENCHMARK, lambda: names.thing("benchmark", name))
    harness = _at(Role.HARNESS, lambda: names.thing("engine", row.text(Role.HARNESS).strip() or _HARNESS))
    shots, scoring = _count(row, Role.SHOTS), row.text(Role.SCORING).strip() or None
    untold = _untold(row)
    if untold is None:
        untold = tuple(
            sorted(["split", *(["numShots"] if shots is None else []), *(["answerScoring"] if scoring is None else [])])
        )
    return Protocol(benchmark, harness, scoring, shots, _count(row, Role.BASELINE_SHOTS), untold)


def _configuration(row: Row) -> Configuration:
    found = Configuration(
        prompt_tokens=_count(row, Role.PROMPT_TOKENS),
        generated_tokens=_count(row, Role.GENERATED_TOKENS),
        batch_size=_count(row, Role.BATCH_SIZE),
        context_tokens=_count(row, Role.CONTEXT_TOKENS),
        token_position=_count(row, Role.TOKEN_POSITION),
    )
    untold = _untold(row)
    if untold is None:
        missing = {
            "promptTokens": found.prompt_tokens,
            "generatedTokens": found.generated_tokens,
            "batchSize": found.batch_size,
        }
        untold = tuple(sorted(name for name, value in missing.items() if value is None))
    return replace(found, untold=untold)


def _untold(row: Row) -> tuple[str, ...] | None:
    """What the source did not tell, where the table has a column for it."""
    if row.cell(Role.UNTOLD) is None:
        return None
    names = tuple(sorted(part.strip() for part in row.text(Role.UNTOLD).split(";") if part.strip()))
    for name in names:
        if not name.isidentifier() or not hasattr(vocab.slm, name):
            problem = f"{name!r} is nothing that a source tells"
            raise AtRole(Role.UNTOLD, Refused("unknown-name", problem, "Write names such as numShots or batchSize."))
    return names


def _count(row: Row, role: Role) -> int | None:
    text = row.text(role).strip()
    if not text:
        return None
    return int(_at(role, lambda: quantities.amount(text, whole=True)).value)


def _interval(row: Row) -> Interval | None:
    lower, upper = row.text(Role.LOWER).strip(), row.text(Role.UPPER).strip()
    if not lower and not upper:
        return None
    if not (lower and upper):
        role = Role.UPPER if lower else Role.LOWER
        raise AtRole(role, Refused("missing", f"{role.value} is empty", "Give both ends, or none."))
    low = _at(Role.LOWER, lambda: quantities.amount(lower, whole=False)).value
    high = _at(Role.UPPER, lambda: quantities.amount(upper, whole=False)).value
    if low > high:
        raise AtRole(Role.UPPER, Refused("out-of-range", f"{upper} is less than {lower}", "Exchange the two."))
    return Interval(low, high)


def _reading(row: Row) -> str:
    name = row.text(Role.READING).strip()
    if not name:
        return "Transcribed"
    if not name.isidentifier() or name == "NS" or not hasattr(vocab.read, name):
        known = ", ".join(one for one in vars(vocab.read) if one[0].isupper() and one != "NS")
        problem = f"{name!r} is no way of reading"
        raise AtRole(Role.READING, Refused("unknown-name", problem, f"Use one of {known}."))
    return name


def _limited(row: Row, role: Role) -> str:
    text = row.text(role)
    if len(text) > _TEXT_LIMIT:
        problem = f"{role.value} has more than {_TEXT_LIMIT} characters"
        raise AtRole(role, Refused("too-long", problem, "Shorten it."))
    return text


def _in_percent(meaning: Meaning, cells: list[Cell]) -> bool:
    """Whether the scores of a column are percentages: its header says so, or one of them is more than one."""
    if meaning.unit:
        return meaning.unit == "percent"
    for cell in cells:
        try:
            found = quantities.amount(quantities.plain(cell.text), whole=False)
        except Refused:
            continue
        if found.value > 1 and not found.percent:
            return True
    return False
