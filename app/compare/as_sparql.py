"""A comparison as a SPARQL query: the values of its columns for the models of a page. Pure.

The query gives values alone. What the columns know besides (status, reasons, which of several settings is shown) takes
more than one query, so a metric may give several rows of one model: one for each observation that fits.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app import vocab
from app.compare.choice import Looked
from app.compare.projection.view import PARAMETERS, View
from app.compare.spec import Condition, OneOf

_NAMED = {"benchmark": vocab.slm.onBenchmark, "harness": vocab.slm.usesHarness}
_COUNTED = {"shots": vocab.slm.numShots, "baselineShots": vocab.slm.baselineShots}
_PREFIXES = ("slm", "rdfs", "sosa")


def text_of(view: View, columns: Sequence[Looked], slugs: Sequence[str]) -> str:
    """The query text. Conditions other than benchmark, harness and shots are left out, and a comment says so."""
    iris = view.models["iri"]
    names = _names(columns)
    lines = [f"PREFIX {prefix}: <{vocab.expand(f'{prefix}:')}>" for prefix in _PREFIXES]
    lines += [f"# A comparison of slmkg, revision {view.revision}.", f"SELECT {' '.join(['?model ?label', *names])}"]
    lines += ["WHERE {", "  VALUES ?model {", *(f"    <{iris[view.index[slug]]}>" for slug in slugs), "  }"]
    lines += ["  ?model rdfs:label ?label ; slm:hasArchitecture ?architecture ."]
    for name, column in zip(names, columns, strict=True):
        lines += [f"  {line}" for line in _pattern(view, name, column)]
    return "\n".join([*lines, "}", "ORDER BY ?label", ""])


def _pattern(view: View, name: str, column: Looked) -> list[str]:
    prop = column.prop
    assert prop is not None  # noqa: S101 - fields have no columns
    if column.measure is not None:
        return _metric(view, name, column, prop.iri)
    if prop.name == PARAMETERS:
        return [
            f"OPTIONAL {{ ?model slm:computedParameterCount {name}Computed }}",
            f"OPTIONAL {{ ?model slm:parameterCount {name}Stated }}",
            f"BIND(COALESCE({name}Computed, {name}Stated) AS {name})",
        ]
    subject = "?architecture" if prop.of == "architecture" else "?model"
    return [f"OPTIONAL {{ {subject} <{prop.iri}> {name} }}"]


def _metric(view: View, name: str, column: Looked, iri: str) -> list[str]:
    parts = [f"{name}Of slm:ofModel ?model ; sosa:observedProperty <{iri}> ; sosa:hasSimpleResult {name} ."]
    left_out = []
    for one in column.column.conditions:
        told = _condition(view, f"{name}Of", one)
        if told:
            parts.append(told)
        else:
            left_out.append(one.name)
    comment = [f"# {column.column.name}: any {', '.join(left_out)}"] if left_out else []
    return [*comment, f"OPTIONAL {{ {' '.join(parts)} }}"]


def _condition(view: View, node: str, one: Condition) -> str:
    if one.negated or not isinstance(one.test, OneOf) or len(one.test.values) != 1:
        return ""
    (value,) = one.test.values
    if one.name in _NAMED and value in view.terms.things[one.name]:
        return f"{node} sosa:usedProcedure/<{_NAMED[one.name]}> <{view.terms.things[one.name][value].iri}> ."
    if one.name in _COUNTED and value.isascii() and value.isdecimal():
        return f"{node} sosa:usedProcedure/<{_COUNTED[one.name]}> {int(value)} ."
    return ""


def _names(columns: Sequence[Looked]) -> list[str]:
    """A variable for each column, no two alike."""
    found: list[str] = []
    for place, one in enumerate(columns):
        name = "?" + re.sub(r"[^A-Za-z0-9]", "_", one.column.name)
        found.append(f"{name}{place}" if name in {*found, "?model", "?label", "?architecture"} else name)
    return found
