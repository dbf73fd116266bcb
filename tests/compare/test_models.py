"""Choosing, searching, sorting and cutting the list of models, on a few made-up ones."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.compare.models import Choice, choose, find
from app.compare.values import ModelSummary, Thing
from app.errors import BadParameter, NotFound


def thing(name: str) -> Thing:
    return Thing(f"https://example.org/{name}", name, name.upper())


PLAIN = ModelSummary(
    slug="a",
    iri="https://example.org/a",
    label="Alpha",
    architecture="https://example.org/arch-a",
    baseline=False,
    identifier=None,
    aliases=(),
    family=None,
    makers=(),
    licenses=(),
    released=None,
    attention=None,
    architecture_class=None,
    parameters=None,
    parameters_basis=None,
    open_training_data=None,
)
MODELS = (
    PLAIN,
    replace(
        PLAIN,
        slug="b",
        label="beta",
        family=thing("greek"),
        makers=(thing("m1"), thing("m2")),
        licenses=(thing("mit"),),
        released="2023-05",
        attention=thing("GQA"),
        architecture_class="Bee",
        parameters=10,
        open_training_data=True,
        aliases=("The Second",),
    ),
    replace(PLAIN, slug="c", label="Gamma", released="2024-01", parameters=30, open_training_data=False),
    replace(PLAIN, slug="d", label="delta", baseline=True, parameters=70, identifier="org/Delta-Big"),
)


def slugs(choice: Choice, *, page: int = 1, limit: int = 10) -> list[str]:
    return [one.slug for one in choose(MODELS, choice, page=page, limit=limit).items]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(), ["a", "b", "c"]),
        (Choice(include_baselines=True), ["a", "b", "d", "c"]),
        (Choice(search="SECOND the"), ["b"]),
        (Choice(search="greek"), ["b"]),
        (Choice(search="delta-big"), []),
        (Choice(search="delta-big", include_baselines=True), ["d"]),
        (Choice(search="  "), ["a", "b", "c"]),
        (Choice(family="greek"), ["b"]),
        (Choice(maker="m2"), ["b"]),
        (Choice(license="mit"), ["b"]),
        (Choice(attention="GQA"), ["b"]),
        (Choice(architecture_class="Bee"), ["b"]),
        (Choice(released_from="2023-05"), ["b", "c"]),
        (Choice(released_from="2023-06"), ["c"]),
        (Choice(released_to="2023-05"), ["b"]),
        (Choice(min_parameters=10, max_parameters=10), ["b"]),
        (Choice(min_parameters=0), ["b", "c"]),
        (Choice(has_open_data=True), ["b"]),
        (Choice(has_open_data=False), ["c"]),
        (Choice(sort="-label"), ["c", "b", "a"]),
        (Choice(sort="-released"), ["c", "b", "a"]),
        (Choice(sort="parameters"), ["b", "c", "a"]),
        (Choice(sort="-parameters", include_baselines=True), ["d", "c", "b", "a"]),
    ],
)
def test_choices(choice: Choice, expected: list[str]) -> None:
    assert slugs(choice) == expected


def test_pages() -> None:
    assert slugs(Choice(), page=1, limit=2) == ["a", "b"]
    assert slugs(Choice(), page=2, limit=2) == ["c"]
    assert slugs(Choice(), page=3, limit=2) == []
    assert choose(MODELS, Choice(), page=3, limit=2).total == 3


@pytest.mark.parametrize(
    ("choice", "name", "advice"),
    [
        (Choice(family="greec"), "family", "'greek'"),
        (Choice(attention="gqa"), "attention", "'GQA'"),
        (Choice(maker="zzz"), "maker", "m1, m2"),
        (Choice(sort="relased"), "sort", "'released'"),
    ],
)
def test_a_name_that_no_model_bears(choice: Choice, name: str, advice: str) -> None:
    with pytest.raises(BadParameter) as caught:
        slugs(choice)
    assert caught.value.name == name
    assert advice in caught.value.advice


def test_finding_one() -> None:
    assert find(MODELS, "b").label == "beta"
    with pytest.raises(NotFound):
        find(MODELS, "B")
