"""Commands that compare models and show one: the questions of the addresses, answered in the terminal.

Options are written as the parameters of `/api/v1/compare` are. Numbers are shortened for people only: `--json` and
`--csv` give all digits.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from app import vocab
from app.cli.graph import Json
from app.cli.opening import opened
from app.cli.output import console, write_json
from app.cli.tables import Head, Shown, headline, line, number_text, printed
from app.compare import spec
from app.compare.export import BETWEEN, WRITERS, plain_text
from app.compare.grid import Grid, GridColumn
from app.compare.matrix import Matrix
from app.compare.matrix import compare as compare_models
from app.compare.measures import is_metric
from app.compare.observing import observations
from app.compare.spec import Column, ComparisonSpec, Filter, OneOf, nearest
from app.compare.values import Cell, ClaimRecord, ModelPage, Plain, PropertyRecord, Status
from app.curate import decide, requests, told
from app.curate.cases import read_cases
from app.errors import BadParameter, NotFound
from app.services import Services
from app.settings import Settings
from app.web import schemas

_OPTIONS = {"different": "only-differences"}
"""Options that are named otherwise than the parameter."""
_MARKS = {
    "measured": "m",
    "measured with random weights": "r",
    "imported": "i",
    "predicted": "p",
    "derived": "*",
    "proposed": "?",
}
_MEANINGS = {
    "m": "measured here",
    "r": "measured here with random weights",
    "i": "imported",
    "p": "predicted",
    "*": "worked out by formula",
    "?": "nobody has reviewed it",
    "!": "sources differ and nobody has decided",
    "≠": "so many sources say otherwise",
}
_STYLES = {"derived": "cyan", "proposed": "yellow", "disputed": "red", "missing": "dim"}
_RULES = {
    "agreement": "the sources agree",
    "trust-rank": "the source that is trusted more was kept",
    "manual": "a person decided",
}
_UNIT_SIGNS = {"#": "", "÷": ""}
"""Units that add nothing to a number."""

Revision = Annotated[int | None, typer.Option("--revision", min=1, help="Number of the revision; the newest one.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV; the same as --format csv.")]
Form = Annotated[str, typer.Option("--format", "-f", help=f"One of json, {', '.join(WRITERS)}.")]


def compare(
    models: Annotated[str, typer.Option("--models", help="Slugs, with commas between them; else all that fit.")] = "",
    properties: Annotated[
        str,
        typer.Option("--properties", help="Columns: parameterCount,accuracy(benchmark=mmlu;shots=5); the usual ones."),
    ] = "",
    where: Annotated[
        str, typer.Option("--where", help="Filters: parameters:..1B,license:MIT|Apache-2.0,trainingTokens:known.")
    ] = "",
    search: Annotated[str, typer.Option("--search", help="Words that must stand in a name of the model.")] = "",
    baselines: Annotated[bool, typer.Option("--baselines", help="Also larger models kept for comparison.")] = False,
    sort: Annotated[str, typer.Option("--sort", help="Columns; a hyphen before one sorts the largest first.")] = "",
    group: Annotated[str, typer.Option("--group", help="A column whose values group the models.")] = "",
    units: Annotated[str, typer.Option("--units", help="Columns with units: kvCacheBytesPerToken:KB/tok.")] = "",
    transpose: Annotated[bool, typer.Option("--transpose", help="A row for each column.")] = False,
    different: Annotated[
        bool, typer.Option("--only-differences", help="Only columns in which the models differ.")
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="Models on a page.")] = None,
    after: Annotated[str, typer.Option("--after", help="Cursor of a page, from the page before.")] = "",
    revision: Revision = None,
    as_json: Json = False,
    as_csv: Csv = False,
    form: Form = "",
) -> None:
    """Compare models by properties and metrics. Options are written as in addresses of comparisons."""
    chosen = _form(form, as_json=as_json, as_csv=as_csv)
    given = {
        "models": models,
        "properties": properties,
        "where": where,
        "search": search,
        "baselines": "yes" if baselines else "no",
        "sort": sort,
        "group": group,
        "units": units,
        "transpose": "yes" if transpose else "no",
        "different": "yes" if different else "no",
        "limit": "" if limit is None else str(limit),
        "after": after,
        "revision": "" if revision is None else str(revision),
    }
    services = opened(Settings())
    try:
        found = compare_models(services.view(revision), _parsed(given), most=services.settings.max_page)
    except BadParameter as error:
        raise _of_option(error) from error
    if chosen == "json":
        write_json(json.loads(found.json()))
    elif chosen:
        sys.stdout.buffer.write(WRITERS[chosen](found.grid()))
    else:
        _draw(found)


def show(
    model: Annotated[str, typer.Argument(help="Slug of a model, e.g. phi-2.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="[PROPERTY]", help="A property, or a metric with conditions; all facts without it."),
    ] = None,
    revision: Revision = None,
    as_json: Json = False,
    as_csv: Csv = False,
    form: Form = "",
) -> None:
    """Show a model's facts with status, source and raw text; or all claims of one cell and what settled it."""
    chosen = _form(form, as_json=as_json, as_csv=as_csv)
    services = opened(Settings())
    number = services.store.head().number if revision is None else revision
    page = services.model(model, revision=number)
    if name is None:
        _show_model(page, number, chosen)
        return
    record = next((one for one in page.properties if one.property.name == name), None)
    if record is not None:
        _show_property(services, page, record, number, chosen)
        return
    _show_metric(services, page, name, number, chosen)


def _form(form: str, *, as_json: bool, as_csv: bool) -> str:
    """The format that is asked for; empty for a table for people."""
    wanted = {one for one, given in (("json", as_json), ("csv", as_csv), (form, bool(form))) if given}
    if len(wanted) > 1:
        raise BadParameter("--format", "two formats are asked for", advice="Leave all but one out.")
    chosen = next(iter(wanted), "")
    known = ("json", *WRITERS)
    if chosen and chosen not in known:
        raise BadParameter("--format", f"there is no format {chosen!r}", advice=f"Use one of {', '.join(known)}.")
    if chosen == "parquet" and sys.stdout.isatty():
        raise BadParameter("--format", "Parquet is not for terminals", advice="Send it to a file with >.")
    return chosen


def _parsed(given: Mapping[str, str]) -> ComparisonSpec:
    """The comparison that the options ask for; a list of no models is not all of them."""
    asked = spec.parse(given)
    if given["models"] and not asked.models:
        raise BadParameter("models", "no model is named", advice="Give slugs, or leave it out.")
    return asked


def _of_option(error: BadParameter) -> BadParameter:
    """The error in terms of the command line: the option, and which member of its list does not fit."""
    name = _OPTIONS.get(error.name, error.name)
    _, _, place = (error.pointer or "").removeprefix("/").partition("/")
    member = f" (member {int(place) + 1})" if place.isdecimal() else ""
    advice = error.advice.replace("revision=", "--revision ").replace(" to properties", " to --properties")
    return BadParameter(
        f"--{name}", f"{error.problem}{member}", advice=advice or "See docs/reference/addresses.md.", pointer=None
    )


def _draw(found: Matrix) -> None:
    """Print a comparison for people."""
    models = [found.view.models["label"][place] for place in found.places]
    heads = [
        Head(_broken(one.name) + _in_brackets(found.unit_of(one)), one.values.numbers is not None)
        for one in found.columns
    ]
    cells = found.cells()
    shown = [[_shown(one) for one in row] for row in cells]
    legend = _legend(cell for row in cells for cell in row)
    if not models:
        console.print("no model fits")
    elif found.spec.transpose:
        rows = [
            [Shown(head.text.replace("\n", " ")), *(row[place] for row in shown)] for place, head in enumerate(heads)
        ]
        printed([Head("column"), *(Head(one, numeric=True) for one in models)], rows, notes=legend)
    else:
        rows = [[Shown(label), *row] for label, row in zip(models, shown, strict=True)]
        printed([Head("model"), *heads], rows, notes=legend)
    _draw_groups(found)
    for note in found.notes:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(
        f"{len(models)} of {found.total} models, revision {found.view.revision}; "
        f"the same over HTTP: /api/v1/compare?{found.spec.address()}",
        markup=False,
        soft_wrap=True,
    )
    if found.next:
        console.print(f"more: --after {found.next}", markup=False, soft_wrap=True)


def _draw_groups(found: Matrix) -> None:
    if not found.groups:
        return
    names = list(found.groups[0].columns)
    line("")
    printed(
        [
            Head(str(found.spec.group)),
            Head("models", numeric=True),
            *(Head(f"{_broken(one)}\nmedian (known)", numeric=True) for one in names),
        ],
        [
            [
                Shown(one.value or "(missing)", "" if one.value else "dim"),
                Shown(number_text(one.models)),
                *(Shown(_median(one.columns[name])) for name in names),
            ]
            for one in found.groups
        ],
    )


def _median(column: Mapping[str, Any]) -> str:
    return "" if column["median"] is None else f"{number_text(column['median'])} ({column['known']})"


def _shown(cell: Mapping[str, Any]) -> Shown:
    """A cell of a comparison: value, interval of samples, marks."""
    style = _STYLES.get(cell["status"], "")
    if cell["status"] == "missing":
        return Shown((cell["reason"] or "missing").replace("-", " "), style)
    if cell["status"] == "disputed":
        return Shown(f"{' | '.join(map(number_text, cell['candidates']))} !", style)
    value = cell["value"]
    said = BETWEEN.join(map(number_text, value)) if isinstance(value, list) else number_text(value)
    bounds = cell["interval"]
    if bounds and bounds["basis"] != "rounding":
        said += f" [{number_text(bounds['lower'])}, {number_text(bounds['upper'])}]"
    marks = _MARKS.get(cell["badge"], "")
    opposing = cell["sources"]["disagreeing"]
    marks += f"≠{opposing}" if opposing else ""
    return Shown(f"{said} {marks}".rstrip(), style)


def _legend(cells: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What the marks in use mean."""
    used = set()
    for cell in cells:
        if cell["status"] == "disputed":
            used.add("!")
        elif cell["status"] != "missing":
            used.add(_MARKS.get(cell["badge"], ""))
            used |= {"≠"} if cell["sources"]["disagreeing"] else set()
    found = [f"{mark} {meaning}" for mark, meaning in _MEANINGS.items() if mark in used]
    if found:
        yield "  ".join(found)


def _broken(name: str) -> str:
    """A column's name with breaks where it may be read on."""
    return name.replace("(", "\n(", 1).replace(";", ";\n")


def _in_brackets(symbol: str | None) -> str:
    shown = _UNIT_SIGNS.get(symbol or "", symbol)
    return f"\n[{shown}]" if shown else ""


def _records(page: ModelPage) -> list[tuple[str, PropertyRecord]]:
    """Every property of a model with its name, those of its layer groups after its own."""
    found = [(one.property.name, one) for one in page.properties]
    for group in page.layer_groups:
        found += [(f"{one.property.name} (layers {group.first}-{group.last})", one) for one in group.properties]
    return found


def _show_model(page: ModelPage, revision: int, form: str) -> None:
    if form == "json":
        write_json(schemas.model(page, revision).model_dump(mode="json"))
        return
    records = _records(page)
    if form:
        sys.stdout.buffer.write(WRITERS[form](_facts(page, records)))
        return
    model = page.model
    kind = ", a larger model kept for comparison" if model.baseline else ""
    headline(f"{model.label} ({model.slug}){kind}")
    line(f"{model.iri}, revision {revision}")
    known = [(name, one) for name, one in records if one.cell.status is not Status.MISSING]
    line("")
    printed([Head(one) for one in _FACTS], [_fact(name, one) for name, one in known], whole=True)
    _show_conflicts(records)
    missing: dict[str, list[str]] = {}
    for name, one in records:
        if one.cell.status is Status.MISSING:
            missing.setdefault(str(one.cell.reason), []).append(name)
    if missing:
        line("")
        headline("Not known")
        for reason, names in sorted(missing.items()):
            line(f"{reason.replace('-', ' ')}: {', '.join(names)}")


_FACTS = ("property", "value", "status", "as reported", "source")


def _fact(name: str, record: PropertyRecord) -> list[Shown]:
    best = _best(record)
    reported, where = "", ""
    if record.derivation is not None:
        where = f"formula {record.derivation.formula}"
    elif best is not None:
        others = len({claim.source.iri for claim in record.claims}) - 1
        more = f"(+{others}) " if others else ""
        reported, where = best.reported, f"{more}{best.source.title}"
    status = record.cell.status
    style = _STYLES.get(status, "")
    return [Shown(name), Shown(_said(record), style), Shown(status, style), Shown(reported), Shown(where, "dim")]


def _said(record: PropertyRecord) -> str:
    """What a cell says, with its unit."""
    cell = record.cell
    if cell.status is Status.MISSING:
        return str(cell.reason or "missing").replace("-", " ")
    between = " | " if cell.status is Status.DISPUTED else BETWEEN
    said = between.join(number_text(value.plain) for value in cell.values or cell.candidates)
    unit = record.property.unit
    symbol = _UNIT_SIGNS.get(unit.symbol, unit.symbol) if unit else ""
    return f"{said} {symbol}".rstrip()


def _best(record: PropertyRecord) -> ClaimRecord | None:
    """The most trusted claim that says what the cell says."""
    wanted = {"accepted": {"Accepted"}, "proposed": {"Proposed"}, "disputed": {"Open"}}.get(record.cell.status, set())
    return next((claim for claim in record.claims if claim.status in wanted), None)


def _show_conflicts(records: Sequence[tuple[str, PropertyRecord]]) -> None:
    """Where sources differ: what each says, and how it was settled."""
    differing = [(name, one) for name, one in records if one.disagreement is not None]
    if not differing:
        return
    line("")
    headline("Where sources differ")
    for name, one in differing:
        line(f"{name}: {_settled(one)}")
        for claim in one.claims:
            line(f"  {claim.status.lower():<10} {claim.reported}  ({claim.source.title}, {claim.locator})")


def _settled(record: PropertyRecord) -> str:
    """How a cell got its value, in words."""
    cell, derivation, differing = record.cell, record.derivation, record.disagreement
    if derivation is not None:
        unsure = "; some of them nobody has reviewed" if derivation.rests_on_proposed else ""
        return f"worked out by the formula {derivation.formula} from {len(derivation.inputs)} claim(s){unsure}"
    if differing is not None and differing.resolution is None:
        return "open: sources differ, and it waits for a person"
    if differing is not None and differing.resolution is not None:
        settled = differing.resolution
        when = f" on {settled.date}" if settled.date else ""
        note = f": {settled.note}" if settled.note else ""
        rule = _RULES.get(settled.rule, "")
        return f"settled by the rule {settled.rule} ({rule}), by {settled.by.label}{when}{note}"
    if cell.status is Status.MISSING:
        return f"no value: {str(cell.reason or 'missing').replace('-', ' ')}"
    if cell.status is Status.PROPOSED:
        return "proposed: nobody has reviewed it"
    return f"undisputed: {cell.sources.agreeing} source(s) say so"


def _show_property(services: Services, page: ModelPage, record: PropertyRecord, revision: int, form: str) -> None:
    name = record.property.name
    groups = [(f"layers {one.first}-{one.last}", each) for one in page.layer_groups for each in one.properties]
    parts = [("", record), *((layers, each) for layers, each in groups if each.property.name == name)]
    case = _case(services, page, record, revision)
    if form == "json":
        one = schemas.model(page, revision)
        own = next(each for each in one.properties if each.property.name == name)
        write_json(
            {
                "revision": revision,
                "model": page.model.slug,
                **own.model_dump(mode="json"),
                "layer_groups": [
                    {"first": group.first, "last": group.last, **each.model_dump(mode="json")}
                    for group in one.layer_groups
                    for each in group.properties
                    if each.property.name == name
                ],
                "case": case,
            }
        )
        return
    if form:
        sys.stdout.buffer.write(WRITERS[form](_claims(page, parts)))
        return
    headline(f"{page.model.label}, {record.property.label} ({name})")
    line(record.property.definition)
    for layers, each in parts:
        line("")
        line(f"{layers + ': ' if layers else ''}{_said(each)} ({each.cell.status})")
        line(_by_person(case) if not layers and case else _settled(each))
        for note in each.disagreement.notes if each.disagreement else ():
            line(f"note: {note}")
        for claim in each.claims:
            line("")
            _tell(claim, each)
        if not each.claims and each.derivation is not None:
            for used in each.derivation.inputs:
                line(f"  {used}")


def _case(services: Services, page: ModelPage, record: PropertyRecord, revision: int) -> dict[str, Any] | None:
    """What a person decided about a property that sources state; None where nobody did."""
    if record.property.kind == "derived":
        return None
    snapshot = services.curation.at(revision)
    try:
        key = requests.case_key(snapshot, page.model.slug, record.property.name)
    except NotFound:
        return None
    case = told.case(snapshot, read_cases(snapshot, [key])[key], revision, decide.judgements(snapshot, key))
    return case if case["decided_by"] else None


def _by_person(case: Mapping[str, Any]) -> str:
    return f"settled by {case['decided_by']['name']} on {case['decided_on']}: {case['reason']}"


def _tell(one: ClaimRecord, record: PropertyRecord) -> None:
    """What a source says, its own characters first."""
    source = one.source
    dated = f", {source.dated}" if source.dated else ""
    bounds = one.interval
    rounded = f" ({number_text(bounds.lower)} to {number_text(bounds.upper)})" if bounds else ""
    line(f"{one.status.lower()}: {one.reported!r} read as {_valued(one, record)}{rounded}")
    line(f"  {source.title} ({source.type}, rank {source.trust_rank}{dated})")
    line(f"  {one.locator} ({one.reading})")
    for further in (source.address, *(document.address or document.title for document in source.documents), one.note):
        if further:
            line(f"  {further}")
    line(f"  {one.iri}")


def _valued(one: ClaimRecord, record: PropertyRecord) -> str:
    unit = record.property.unit
    return f"{number_text(one.value.plain)} {_UNIT_SIGNS.get(unit.symbol, unit.symbol) if unit else ''}".rstrip()


def _show_metric(services: Services, page: ModelPage, name: str, revision: int, form: str) -> None:
    """All observations of a metric under conditions on one model."""
    view = services.view(revision)
    try:
        wanted = spec.columns(name, "PROPERTY")
        column = wanted[0] if len(wanted) == 1 else Column(name)
        if not is_metric(view, column.name):
            known = [*(one.property.name for one in page.properties), *view.terms.things["metric"]]
            raise NotFound("property or metric", column.name, advice=nearest(column.name, known))
        fixed = (Filter(Column("model"), OneOf((page.model.slug,))), Filter(Column("metric"), OneOf((column.name,))))
        further = tuple(Filter(Column(one.name), one.test, one.negated) for one in column.conditions)
        answer = observations(view, fixed + further, (), limit=services.settings.max_page, after="")
    except BadParameter as error:
        raise BadParameter("PROPERTY", error.problem, advice=error.advice) from error
    if form == "json":
        write_json(answer.body)
        return
    if form:
        sys.stdout.buffer.write(WRITERS[form](answer.grid))
        return
    items = answer.body["items"]
    headline(f"{page.model.label}, {column}")
    if not items:
        console.print("nobody has observed it")
        return
    heads = ("value", "badge", "as reported", "benchmark", "shots", "protocol", "device", "source")
    rows = [[Shown(_short(one[key])) for key in _FIELDS] for one in items]
    printed([Head(one) for one in heads], rows, whole=True)
    if answer.body["total"] > len(items):
        console.print(f"{len(items)} of {answer.body['total']} observations: add conditions")


def _short(value: Plain | None) -> str:
    """A field of an observation; an IRI by its last part."""
    if isinstance(value, str) and value.startswith(vocab.BASE):
        return value.rsplit("/", 1)[-1]
    return "" if value is None else number_text(value)


_FIELDS = ("value", "badge", "reported", "benchmark", "shots", "protocol", "device", "source")


def _facts(page: ModelPage, records: Sequence[tuple[str, PropertyRecord]]) -> Grid:
    """A model's facts as a table for files: a row a property, missing ones included."""
    rows = []
    for name, one in records:
        best = _best(one)
        rows.append(
            [
                page.model.slug,
                name,
                _exact(one.cell),
                one.property.unit.symbol if one.property.unit else None,
                _status(one.cell),
                best.reported if best else None,
                best.source.title if best else (one.derivation.formula if one.derivation else None),
                best.locator if best else None,
                one.cell.sources.agreeing,
                one.cell.sources.disagreeing,
            ]
        )
    names = (
        *("model", "property", "value", "unit", "status", "reported", "source", "locator"),
        *("agreeing", "disagreeing"),
    )
    return _grid(f"facts about {page.model.label}", names, rows)


def _claims(page: ModelPage, parts: Sequence[tuple[str, PropertyRecord]]) -> Grid:
    """The claims of a cell as a table for files."""
    rows = [
        [
            page.model.slug,
            record.property.name,
            layers or None,
            one.status,
            one.reported,
            plain_text(one.value.plain),
            one.source.title,
            one.source.type,
            one.source.trust_rank,
            one.source.address,
            one.locator,
            one.reading,
            one.iri,
        ]
        for layers, record in parts
        for one in record.claims
    ]
    names = (
        *("model", "property", "layers", "status", "reported", "value", "source", "type", "rank", "address"),
        *("locator", "reading", "claim"),
    )
    return _grid(f"claims on {page.model.label}", names, rows)


def _grid(title: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Grid:
    numeric = {"agreeing", "disagreeing", "rank"}
    columns = tuple(
        GridColumn(one, one, vocab.dct.identifier, kind="number" if one in numeric else "text") for one in names
    )
    return Grid(title, columns, rows)


def _exact(cell: Cell) -> str | None:
    return BETWEEN.join(plain_text(value.plain) for value in cell.values) or None


def _status(cell: Cell) -> str:
    return f"{cell.status}: {cell.reason}" if cell.reason else str(cell.status)
