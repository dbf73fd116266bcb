"""The list of models: every model on one line, chosen by text and filters, sorted, cut into pages. Never writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app import vocab
from app.compare.properties import advice
from app.compare.reader import Reader, local_name
from app.compare.values import ModelSummary, Page, Thing
from app.errors import BadParameter, NotFound
from app.model.rdf import Term, python_value

SORTS = ("label", "slug", "released", "parameters")
_THINGS = (vocab.slm.maker, vocab.slm.license, vocab.slm.attentionType)
_PARAMETERS = {
    vocab.slm.computedParameterCount: "computed",
    vocab.slm.parameterCount: "stated",
    vocab.slm.derivedValue: "proposed",
}
"""Where a parameter count can come from, the best first."""

Facts = Mapping[str, list[Term]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which models to list. Things go by short name; months are ISO text (2024-07), both ends included.

    `search` must match word by word, in any case, in label, slug, identifier, other names or family. `sort` is one of
    SORTS, with a hyphen before it for the other direction; models without the value come last either way.
    """

    search: str | None = None
    family: str | None = None
    maker: str | None = None
    license: str | None = None
    attention: str | None = None
    architecture_class: str | None = None
    released_from: str | None = None
    released_to: str | None = None
    min_parameters: int | None = None
    max_parameters: int | None = None
    has_open_data: bool | None = None
    include_baselines: bool = False
    sort: str = "label"


def summaries(reader: Reader) -> tuple[ModelSummary, ...]:
    """Every model, the baselines too, by slug."""
    facts: dict[str, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for row in reader.rows("summaries"):
        facts[row["subject"].value][row["property"].value].append(row["value"])
    reader.learn(term for known in facts.values() for name in _THINGS for term in known.get(name, ()))
    rows: dict[str, list[Mapping[str, Term]]] = defaultdict(list)
    for row in reader.rows("models"):
        rows[row["model"].value].append(row)
    found = (
        _summary(reader, same, facts.get(iri, {}), facts.get(same[0]["architecture"].value, {}))
        for iri, same in rows.items()
    )
    return tuple(sorted(found, key=lambda one: one.slug))


def find(all_models: Iterable[ModelSummary], slug: str) -> ModelSummary:
    """The model with this slug; NotFound names the closest one."""
    by_slug = {one.slug: one for one in all_models}
    if slug not in by_slug:
        raise NotFound("model", slug, advice=advice(slug, by_slug) or "GET /api/v1/models lists all models.")
    return by_slug[slug]


def choose(all_models: Iterable[ModelSummary], choice: Choice, *, page: int, limit: int) -> Page:
    """The models that fit, in order, and the page asked for (pages count from 1)."""
    everything = tuple(all_models)
    _check_names(everything, choice)
    tests = _tests(choice)
    chosen = sorted((one for one in everything if all(test(one) for test in tests)), key=lambda one: one.slug)
    start = (page - 1) * limit
    return Page(tuple(_sorted(chosen, choice.sort)[start : start + limit]), len(chosen), page, limit)


def _summary(reader: Reader, rows: list[Mapping[str, Term]], of_model: Facts, of_architecture: Facts) -> ModelSummary:
    first = rows[0]
    parameters, basis = _parameters(of_model)
    family = first.get("family")
    attention = of_architecture.get(vocab.slm.attentionType)
    open_data = of_model.get(vocab.slm.openTrainingData)
    return ModelSummary(
        slug=local_name(first["model"].value),
        iri=first["model"].value,
        label=first["label"].value,
        architecture=first["architecture"].value,
        baseline=first["kind"].value == vocab.slm.BaselineModel,
        identifier=first["identifier"].value if "identifier" in first else None,
        aliases=tuple(sorted({row["alias"].value for row in rows if "alias" in row})),
        family=Thing(family.value, local_name(family.value), first["familyLabel"].value) if family else None,
        makers=_things(reader, of_model, vocab.slm.maker),
        licenses=_things(reader, of_model, vocab.slm.license),
        released=_text(of_model, vocab.slm.releasedIn),
        attention=reader.thing(attention[0]) if attention else None,
        architecture_class=_text(of_architecture, vocab.slm.architectureClass),
        parameters=parameters,
        parameters_basis=basis,
        open_training_data=python_value(open_data[0]) is True if open_data else None,
    )


def _things(reader: Reader, facts: Facts, name: str) -> tuple[Thing, ...]:
    return tuple(sorted((reader.thing(term) for term in facts.get(name, ())), key=lambda thing: thing.name))


def _parameters(facts: Facts) -> tuple[int | None, str | None]:
    """The best parameter count there is, and what it rests on."""
    for name, basis in _PARAMETERS.items():
        if facts.get(name):
            return int(python_value(facts[name][0])), basis
    return None, None


def _text(facts: Facts, name: str) -> str | None:
    return facts[name][0].value if facts.get(name) else None


def _check_names(models: tuple[ModelSummary, ...], choice: Choice) -> None:
    """Refuse a name that no model bears: an empty list would hide a slip of the pen."""
    known: dict[str, set[str]] = {
        "family": {one.family.name for one in models if one.family},
        "maker": {thing.name for one in models for thing in one.makers},
        "license": {thing.name for one in models for thing in one.licenses},
        "attention": {one.attention.name for one in models if one.attention},
        "architecture_class": {one.architecture_class for one in models if one.architecture_class},
    }
    for parameter, names in known.items():
        wanted = getattr(choice, parameter)
        if wanted is not None and wanted not in names:
            raise BadParameter(parameter, f"no model has {wanted!r}", advice=advice(wanted, names))
    if choice.sort.removeprefix("-") not in SORTS:
        raise BadParameter("sort", f"models cannot be sorted by {choice.sort!r}", advice=advice(choice.sort, SORTS))


def _tests(choice: Choice) -> list[Callable[[ModelSummary], bool]]:
    words = (choice.search or "").casefold().split()
    tests: list[Callable[[ModelSummary], bool]] = []
    if not choice.include_baselines:
        tests.append(lambda one: not one.baseline)
    if words:
        tests.append(lambda one: _matches(one, words))
    if choice.family is not None:
        tests.append(lambda one: one.family is not None and one.family.name == choice.family)
    if choice.maker is not None:
        tests.append(lambda one: any(thing.name == choice.maker for thing in one.makers))
    if choice.license is not None:
        tests.append(lambda one: any(thing.name == choice.license for thing in one.licenses))
    if choice.attention is not None:
        tests.append(lambda one: one.attention is not None and one.attention.name == choice.attention)
    if choice.architecture_class is not None:
        tests.append(lambda one: one.architecture_class == choice.architecture_class)
    if (first := choice.released_from) is not None:
        tests.append(lambda one: one.released is not None and one.released >= first)
    if (last := choice.released_to) is not None:
        tests.append(lambda one: one.released is not None and one.released <= last)
    if (least := choice.min_parameters) is not None:
        tests.append(lambda one: one.parameters is not None and one.parameters >= least)
    if (most := choice.max_parameters) is not None:
        tests.append(lambda one: one.parameters is not None and one.parameters <= most)
    if choice.has_open_data is not None:
        tests.append(lambda one: one.open_training_data is choice.has_open_data)
    return tests


def _matches(one: ModelSummary, words: list[str]) -> bool:
    names = [one.label, one.slug, one.identifier or "", *one.aliases]
    if one.family is not None:
        names += [one.family.label, one.family.name]
    text = "\n".join(names).casefold()
    return all(word in text for word in words)


def _sorted(models: list[ModelSummary], sort: str) -> list[ModelSummary]:
    name = sort.removeprefix("-")

    def key(one: ModelSummary) -> Any:
        found = getattr(one, name)
        return found.casefold() if isinstance(found, str) else found

    with_value = [one for one in models if getattr(one, name) is not None]
    without = [one for one in models if getattr(one, name) is None]
    return sorted(with_value, key=key, reverse=sort.startswith("-")) + without
