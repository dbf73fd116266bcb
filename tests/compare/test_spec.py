"""The grammar of comparisons: addresses and values are made from each other, and what does not read is pointed to."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.compare.spec import (
    Column,
    ComparisonSpec,
    Condition,
    Filter,
    InUnit,
    Missing,
    OneOf,
    Range,
    SortKey,
    parse,
)
from app.errors import BadParameter

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"), max_size=8)
ENDS = st.one_of(st.none(), VALUES)
RANGES = st.one_of(
    st.builds(Range, ENDS, ENDS).filter(lambda one: (one.low, one.high) != (None, None)),
    st.builds(Range, VALUES, st.none(), st.just(True)),
    st.builds(Range, st.none(), VALUES, st.just(True)),
)
SETS = st.lists(VALUES, min_size=1, max_size=3, unique=True).map(lambda found: OneOf(tuple(found)))
TESTS = st.one_of(st.just(Missing()), RANGES, SETS)
CONDITIONS = st.lists(
    st.builds(Condition, NAMES, TESTS, st.booleans()), max_size=3, unique_by=lambda one: one.name
).map(lambda found: tuple(sorted(found, key=lambda one: one.name)))
COLUMNS = st.builds(Column, NAMES, CONDITIONS)
FILTERS = st.lists(st.builds(Filter, COLUMNS, TESTS, st.booleans()), max_size=3, unique_by=lambda one: one.column).map(
    tuple
)


@st.composite
def specs(draw: st.DrawFn) -> ComparisonSpec:
    models = tuple(draw(st.lists(VALUES, max_size=3, unique=True)))
    group = draw(st.one_of(st.none(), COLUMNS))
    return ComparisonSpec(
        models=models,
        properties=tuple(draw(st.lists(COLUMNS, max_size=3, unique=True))),
        where=draw(FILTERS),
        search="" if models else draw(VALUES),
        baselines=draw(st.booleans()),
        sort=tuple(
            draw(st.lists(st.builds(SortKey, COLUMNS, st.booleans()), max_size=3, unique_by=lambda one: one.column))
        ),
        group=group,
        units=tuple(draw(st.lists(st.builds(InUnit, COLUMNS, VALUES), max_size=2, unique_by=lambda one: one.column))),
        transpose=group is None and draw(st.booleans()),
        different=draw(st.booleans()),
        limit=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        after=draw(VALUES),
        revision=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        extra=draw(st.sampled_from([(), ("evidence",), ("history",), ("evidence", "history")])),
    )


@given(specs())
def test_an_address_says_what_the_comparison_says(spec: ComparisonSpec) -> None:
    assert parse(dict(parse_qsl(spec.address(), keep_blank_values=True))) == spec


@given(
    st.dictionaries(st.sampled_from(["models", "properties", "where", "sort", "group", "units"]), VALUES, max_size=3)
)
def test_any_text_is_read_or_refused_with_a_pointer(text: dict[str, str]) -> None:
    refused: BadParameter | None = None
    spec = ComparisonSpec()
    try:
        spec = parse(text)
    except BadParameter as error:
        refused = error
    if refused is None:
        assert parse(dict(parse_qsl(spec.address(), keep_blank_values=True))) == spec
    else:
        assert (refused.pointer or "").split("/")[1] == refused.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameterCount:..1B", Filter(Column("parameterCount"), Range(None, "1B"))),
        ("parameterCount:1B..3B", Filter(Column("parameterCount"), Range("1B", "3B"))),
        ("parameterCount:<1B", Filter(Column("parameterCount"), Range(None, "1B", strict=True))),
        ("parameterCount:>= 1 B", Filter(Column("parameterCount"), Range("1 B", None))),
        ("license:MIT|Apache-2.0", Filter(Column("license"), OneOf(("MIT", "Apache-2.0")))),
        ("license:!MIT", Filter(Column("license"), OneOf(("MIT",)), negated=True)),
        ("license:missing", Filter(Column("license"), Missing())),
        ("license:known", Filter(Column("license"), Missing(), negated=True)),
        ("license:!missing", Filter(Column("license"), Missing(), negated=True)),
        ('note:"missing"', Filter(Column("note"), OneOf(("missing",)))),
        ('note:"a,b|""c"""', Filter(Column("note"), OneOf(('a,b|"c"',)))),
        (
            "accuracy(shots=5;benchmark=mmlu):0.5..",
            Filter(
                Column("accuracy", (Condition("benchmark", OneOf(("mmlu",))), Condition("shots", OneOf(("5",))))),
                Range("0.5", None),
            ),
        ),
    ],
)
def test_filters_as_people_type_them(text: str, expected: Filter) -> None:
    assert parse({"where": text}).where == (expected,)


@pytest.mark.parametrize(
    ("parameter", "text", "pointer", "advice"),
    [
        ("wehre", "x", None, "'where'"),
        ("where", "license", "/where/0", "column:test"),
        ("where", "a:1,b:..", "/where/1", "1B"),
        ("where", 'a:"x', "/where", ""),
        ("where", "a(b=1:2", "/where", ""),
        ("where", "license:missing,license:MIT", "/where/0", "Leave"),
        ("properties", "1x", "/properties/0", "name"),
        ("properties", "a(b)", "/properties/0", "name=value"),
        ("properties", "a(b=1;b=2)", "/properties/1", "once"),
        ("sort", "a,-a", "/sort/1", "once"),
        ("units", "a", "/units/0", "memory:GB"),
        ("group", "a,b", "/group/1", ""),
        ("limit", "0", "/limit", ""),
        ("limit", "１", "/limit", ""),
        ("transpose", "perhaps", "/transpose", "yes or no"),
    ],
)
def test_what_does_not_read_is_pointed_to(parameter: str, text: str, pointer: str | None, advice: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse({parameter: text})
    assert (caught.value.name, caught.value.pointer) == (parameter, pointer)
    assert advice in caught.value.advice


def test_contradictions_are_refused() -> None:
    for given_ in ({"transpose": "yes", "group": "a"}, {"models": "a", "search": "b"}):
        with pytest.raises(BadParameter):
            parse(given_)
