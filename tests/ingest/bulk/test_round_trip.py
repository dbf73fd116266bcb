"""What an export writes, an import reads as the same claims and results: nothing is new, nothing is lost."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import vocab
from app.curate.bulk import Chosen, exported_claims, exported_models, exported_observations
from app.ingest.bulk import export, quantities
from app.ingest.bulk.fields import BY_NAME, FIELDS, Field, Kind
from app.ingest.bulk.headers import ROLES, Role
from app.ingest.bulk.recorded import recorded
from app.ingest.bulk.sheets import read_sheet
from app.ingest.bulk.table import Content, Options, Reading, key_of, read_table
from app.ingest.cells import is_placeholder
from app.model.claims import Claim, Interval, Source, resource
from app.model.rdf import IRI, Literal, Term, literal
from app.model.rdf import date as month_literal
from app.services import Services
from tests.ingest.bulk.tables import Desk


def read(desk: Desk, text: str, *, known: bool) -> Reading:
    sheet = read_sheet(text.encode(), "export.csv", form="csv")
    return read_table(sheet, desk.names, desk.known if known else lambda _: {}, Options(date(2026, 11, 21)))


def everything(desk: Desk, services: Services) -> tuple[list[Claim], list[Content]]:
    sources = [source for of_slug in desk.names.sources.values() for source in of_slug]
    claims, results = recorded(services.store.at(), sources)
    return claims, [*claims, *results]


@pytest.mark.parametrize("what", [exported_claims, exported_models, exported_observations])
def test_the_whole_seed_exported_and_imported_changes_nothing(
    desk: Desk, seed_services: Services, what: object
) -> None:
    assert callable(what)
    text = what(seed_services.store.at(), desk.names, Chosen())
    reading = read(desk, text, known=True)
    assert len(reading.findings) > 3000
    assert reading.items == ()
    assert reading.refused == ()


def test_claims_of_the_seed_come_back_as_they_were(desk: Desk, seed_services: Services) -> None:
    """Also what no comparison looks at: characters, locator, reading, note, interval."""
    claims, _ = everything(desk, seed_services)
    reading = read(desk, export.long_table(claims, [], desk.names), known=False)
    expected: dict[object, Claim] = {}
    for claim in claims:
        expected.setdefault(key_of(claim), claim)
    assert {key_of(item): item for item in reading.items} == expected


def test_results_of_the_seed_come_back_as_they_were(desk: Desk, seed_services: Services) -> None:
    _, contents = everything(desk, seed_services)
    results = [one for one in contents if not isinstance(one, Claim)]
    reading = read(desk, export.long_table([], results, desk.names), known=False)
    assert [replace(item, row="") for item in reading.items if not isinstance(item, Claim)] == results


def test_the_wide_table_holds_every_claim_about_models(desk: Desk, seed_services: Services) -> None:
    claims, _ = everything(desk, seed_services)
    of_models = {key_of(one) for one in claims if one.subject.value.split("/")[-2] in {"model", "architecture"}}
    reading = read(desk, export.wide_table(claims, desk.names), known=False)
    assert {key_of(item) for item in reading.items} == of_models


# --- claims that nobody has made yet -------------------------------------------------------------------------------

WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), include_characters="\t\n\r"), min_size=1, max_size=40
).filter(str.strip)
RISKY = st.builds(str.__add__, st.sampled_from(["=", "+", "-", "@", "'", "''", "'=", "\t", '"', ",", "; "]), WORDS)
TEXTS = st.one_of(WORDS, RISKY)
NUMBERS = st.decimals(-(10**12), 10**12, allow_nan=False, allow_infinity=False, places=6)


def terms(field: Field, desk: Desk) -> st.SearchStrategy[Term]:  # noqa: PLR0911
    """Values that a property may have."""
    match field.kind:
        case Kind.INTEGER | Kind.CONTEXT:
            return st.integers(0, 10**15).map(literal)
        case Kind.DECIMAL:
            return NUMBERS.map(literal)
        case Kind.SHARE:
            return st.decimals(0, 1, places=4).map(literal)
        case Kind.TRUTH:
            return st.booleans().map(literal)
        case Kind.MONTH:
            return st.builds(
                lambda year, month: month_literal(f"{year}-{month:02}"), st.integers(1950, 2049), st.integers(1, 12)
            )
        case Kind.SIZE:
            return st.integers(1, 999).map(lambda number: literal(f"{number}M"))
        case Kind.ADDRESS:
            return st.integers(0, 99999).map(lambda number: IRI(f"https://example.org/{number}"))
        case Kind.TEXT:
            return TEXTS.map(literal)
        case Kind.CONCEPT:
            return st.sampled_from(sorted(desk.names.concepts[field.among].things)).map(IRI)
        case Kind.THING if field.among == "model":
            return st.sampled_from(sorted(desk.names.models)).map(lambda slug: resource("model", slug))
        case Kind.THING:
            return st.sampled_from(sorted(desk.names.things[field.among].things)).map(IRI)


@st.composite
def made_claims(draw: st.DrawFn, desk: Desk) -> list[Claim]:
    """Claims about models, as somebody might propose them."""
    sources = [
        Source(f"made-{number}", draw(TEXTS.filter(lambda text: len(text) < 99)).strip(), "WebPage", "2026-11-20")
        for number in range(2)
    ]
    claims = []
    for _ in range(draw(st.integers(1, 6))):
        field = draw(st.sampled_from([one for one in FIELDS if one.of != "dataset"]))
        slug = draw(st.sampled_from(sorted(desk.names.models)))
        bounds = draw(st.none() | st.tuples(NUMBERS, NUMBERS).map(sorted))
        claims.append(
            Claim(
                subject=resource(field.of, slug),
                predicate=field.predicate,
                value=draw(terms(field, desk)),
                reported=draw(TEXTS),
                source=draw(st.sampled_from(sources)),
                locator=draw(TEXTS),
                interval=None if bounds is None else Interval(*bounds),
                note=draw(st.none() | TEXTS),
                quote=draw(st.none() | TEXTS),
            )
        )
    return list({key_of(claim): claim for claim in claims}.values())


@settings(max_examples=150)
@given(data=st.data())
def test_any_claims_come_back_as_they_were(desk: Desk, data: st.DataObject) -> None:
    claims = data.draw(made_claims(desk))
    reading = read(desk, export.long_table(claims, [], desk.names), known=False)
    assert reading.refused == ()
    assert list(reading.items) == claims


@settings(max_examples=60)
@given(data=st.data())
def test_any_claims_come_back_from_a_wide_table(desk: Desk, data: st.DataObject) -> None:
    """A wide table keeps values and sources; a text loses the blanks around it; one that says "nothing" is none."""
    claims = [
        replace(claim, value=literal(claim.value.value.strip()))
        if BY_PREDICATE_KIND[claim.predicate] is Kind.TEXT and isinstance(claim.value, Literal)
        else claim
        for claim in data.draw(made_claims(desk))
    ]
    placeholders = [claim for claim in claims if is_placeholder(quantities.escaped(claim.value.value))]
    reading = read(desk, export.wide_table(claims, desk.names), known=False)
    assert reading.refused == ()
    assert {key_of(item) for item in reading.items} == {key_of(one) for one in claims if one not in placeholders}


BY_PREDICATE_KIND = {field.predicate: field.kind for field in FIELDS}


@given(TEXTS)
def test_no_cell_of_text_begins_as_a_formula_and_each_comes_back(text: str) -> None:
    cell = quantities.escaped(text)
    assert quantities.plain(cell) == text
    if cell.startswith(("=", "@", "\t", "\r", "\n")):
        pytest.fail(f"{cell!r} begins as a formula")
    if cell.startswith(("+", "-")):
        assert cell.strip().lstrip("+-").replace(",", "").replace(".", "").rstrip(" %")[0].isdigit()


def test_negative_numbers_stay_numbers() -> None:
    assert quantities.escaped("-12.5") == "-12.5"
    assert quantities.escaped("-12.5; rm") == "'-12.5; rm"


def test_the_table_is_csv_as_rfc_4180_has_it(desk: Desk) -> None:
    claim = Claim(
        resource("model", "phi-2"),
        BY_NAME["innovations"].predicate,
        literal('two\r\nlines, "quoted"'),
        "=1",
        Source("s", "t", "WebPage", "2026-11-20"),
        "p",
        interval=Interval(Decimal(-1), Decimal(1)),
    )
    text = export.long_table([claim], [], desk.names)
    assert text.endswith("\r\n")
    assert '"two\r\nlines, ""quoted"""' in text
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert (row["reported"], row["lower"]) == ("'=1", "-1")


def test_every_role_is_described_and_every_claimable_property_has_a_field() -> None:
    assert set(ROLES) == set(Role)
    assert {field.predicate for field in FIELDS} == vocab.CLAIMABLE
