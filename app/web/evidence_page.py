"""What stands behind one cell: claims or observations with their sources and places, decisions, formula, history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import polars as pl
from starlette.responses import Response

from app import vocab
from app.compare import spec
from app.compare.blame import Part
from app.compare.choice import Looked, look_up
from app.compare.evidence import told
from app.compare.measures import BADGES, conditions_of, matching
from app.compare.projection.view import PARAMETERS, View
from app.compare.reader import Reader
from app.compare.values import Plain, PropertyRecord, Value
from app.errors import BadParameter, NotFound
from app.model.rdf import IRI
from app.web import words
from app.web.pages import templates
from app.web.reading import Asked

_BEHIND_PARAMETERS = ("computedParameterCount", "parameterCount")
"""The properties of which the column `parameters` shows the better one."""
_HISTORY_SHOWN = 20
EXPLAINED = {
    "accepted": "In the accepted facts: the sources agree, or the disagreement was settled.",
    "derived": "Worked out by a formula from accepted values.",
    "disputed": "Sources differ and nobody has decided, so there is no value yet.",
    "proposed": "Rests on claims that nobody has reviewed.",
    "missing": "There is no value.",
}
READINGS = {
    "Transcribed": "copied character by character",
    "Reassembled": "copied, with split cells put back together",
    "ReadFromFigure": "measured on a drawing",
    "Cited": "taken from a source that the record names",
    "Recalled": "from memory, with no source at hand",
}


@dataclass(frozen=True, slots=True)
class Observed:
    """One observation in words."""

    iri: str
    metric: str
    value: str
    reported: str
    badge: str
    conditions: tuple[tuple[str, str], ...]
    source: str
    source_iri: str
    address: str | None
    locator: str
    note: str


def evidence(page: Asked, slug: str, column: str) -> Response:
    """The page of a cell; NotFound for a model, BadParameter for a column that there is not."""
    view = page.view()
    if not slug or not column:
        raise BadParameter("property" if slug else "model", "is required", advice="Give model and property.")
    if slug not in view.index:
        raise NotFound("model", slug, advice=spec.nearest(slug, view.slugs))
    wanted = spec.columns(column, "property")
    if len(wanted) != 1:
        raise BadParameter("property", "give one column", pointer="/property")
    looked = look_up(view, wanted[0], parameter="property", pointer="/property", fields=False)
    assert looked.prop is not None  # noqa: S101 - fields were refused
    (shown,) = looked.shown(view, [view.index[slug]])
    names = _BEHIND_PARAMETERS if looked.name == PARAMETERS else (looked.name,)
    records = _records(page, slug, names) if looked.measure is None else []
    return page.page(
        "cell.html",
        model=slug,
        label=view.models["label"][view.index[slug]],
        property=looked.prop,
        unit=words.unit_of(looked.prop.unit.symbol if looked.prop.unit else None),
        cell=words.cell(shown),
        formula=shown["formula"],
        conditions=[(name, words.plain(value)) for name, value in (shown["conditions"] or {}).items()],
        explained=EXPLAINED[shown["status"]],
        records=records,
        observed=observed(page, view, _of_metric(view, looked, slug)),
        history=_history(page, slug, names) if looked.measure is None else [],
        blame=[f"{page.root}/api/v1/blame?{urlencode({'model': slug, 'property': name})}" for name in names]
        if looked.measure is None
        else [],
        compare=f"{page.root}/compare?properties={quote(looked.name, safe='(=;)')}",
        is_metric=looked.measure is not None,
        readings=READINGS,
    )


def observed(page: Asked, view: View, rows: Sequence[Mapping[str, Any]]) -> list[Observed]:
    """Observations in words, with the titles of their sources."""
    reader = Reader(page.services.store.at(page.revision))
    titles = told(reader, [IRI(row["observation"]) for row in rows])
    addresses = reader.records(IRI(row["source"]) for row in rows if row["source"])
    found = []
    for row in rows:
        unit = words.unit_of(_symbol(view, row))
        source = row["source"] or ""
        address = next((term.value for term in addresses.get(source, {}).get(vocab.dct.source, ())), None)
        hidden = {"origin", "statistic"}
        found.append(
            Observed(
                iri=row["observation"],
                metric=view.terms.things["metric"][row["metric"]].label,
                value=f"{words.plain(row['value'])} {unit}".strip(),
                reported=row["reported"] or "",
                badge=BADGES.get(row["origin"] or "Reported", "reported"),
                conditions=tuple(
                    (name, words.plain(value)) for name, value in conditions_of(row).items() if name not in hidden
                ),
                source=titles.get(row["observation"], {}).get("title") or source.rsplit("/", 1)[-1],
                source_iri=source,
                address=address,
                locator=row["locator"] or "",
                note=row["note"] or "",
            )
        )
    return found


def said(value: Value | Plain | None) -> str:
    """A value of the graph in words: the name of a thing with its short name."""
    if isinstance(value, Value):
        return value.thing.label if value.thing is not None else words.plain(value.plain)
    return words.plain(value)


def local(iri: str) -> str:
    """The page of a thing of ours, the IRI itself for others."""
    prefix = f"{vocab.BASE}resource/"
    return f"/resource/{iri.removeprefix(prefix)}" if iri.startswith(prefix) else iri


def _symbol(view: View, row: Mapping[str, Any]) -> str | None:
    scale = view.terms.units.get(row["unit"] or "")
    return scale.unit.symbol if scale else None


def _records(page: Asked, slug: str, names: Sequence[str]) -> list[PropertyRecord]:
    known = {one.property.name: one for one in page.services.model(slug, revision=page.revision).properties}
    return [known[name] for name in names if name in known]


def _of_metric(view: View, looked: Looked, slug: str) -> list[Mapping[str, Any]]:
    observed = view.observed.get(looked.column.name)
    if looked.measure is None or observed is None:
        return []
    fits = matching(view, looked.column.conditions, parameter="property", pointer="/property")
    return list(observed.rows.filter((pl.col("model") == slug) & fits).iter_rows(named=True))


def _history(page: Asked, slug: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """What was put into the cell, the last first: one line a revision and kind."""
    lines: dict[tuple[int, str], dict[str, Any]] = {}
    for name in names:
        for part in page.services.history.blame(slug, name, revision=page.revision).parts:
            revision = part.step.revision
            line = lines.setdefault(
                (revision.number, part.kind),
                {
                    "number": revision.number,
                    "made_at": revision.made_at,
                    "by": part.step.by.label,
                    "reason": revision.reason,
                    "kind": part.kind,
                    "count": 0,
                    "values": [],
                },
            )
            line["count"] += 1
            if (value := _of(part)) and value not in line["values"]:
                line["values"].append(value)
    return sorted(lines.values(), key=lambda line: -line["number"])[:_HISTORY_SHOWN]


def _of(part: Part) -> str:
    return part.note or said(part.value)


def capitalised(text: str) -> str:
    """Text whose first letter is large."""
    return text[:1].upper() + text[1:]


templates.filters |= {"local": local, "said": said, "capitalised": capitalised}
