"""The table of a comparison as ORKG computes it: physical rows, sorted as text, not aligned between columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from tests.orkg_double.state import Json, State, Thing

DEEPEST = 10


def reference(thing: Thing) -> Json:
    """A thing as it stands in a cell. The id of a literal is always masked."""
    if thing.kind == "literal":
        return {"_class": "literal_ref", "id": None, "label": thing.label, "datatype": thing.datatype}
    label = thing.formatted_label or thing.label
    if thing.kind == "resource":
        return {
            "_class": "resource_ref",
            "id": thing.id,
            "label": label,
            "classes": list(thing.classes),
            "uri": thing.uri,
        }
    return {"_class": f"{thing.kind}_ref", "id": thing.id, "label": label, "uri": thing.uri}


def contents(state: State, comparison: str) -> Json:
    """The table of a head, worked out now; of a version, as it was stored."""
    record = state.comparisons[comparison]
    if record.published:
        return state.tables[comparison]
    sources = [one.object for one in state.sources(comparison)]
    titles, subtitles = [], []
    for source in sources:
        paper = state.paper_of(source)
        titles.append(reference(state.things[paper or source]))
        subtitles.append(reference(state.things[source]) if paper else None)
    columns: list[str | None] = list(sources)
    return {
        "selected_paths": [_path(state, one) for one in record.selected_paths],
        "titles": titles,
        "subtitles": subtitles,
        "values": {
            one["id"]: _rows(state, one, columns) or [{"values": [None] * len(columns), "children": {}}]
            for one in record.selected_paths
        },
    }


def _path(state: State, node: Json) -> Json:
    thing = state.things[node["id"]]
    return {
        "id": thing.id,
        "label": thing.label,
        "description": state.description(thing.id),
        "type": node["type"],
        "children": [_path(state, child) for child in node["children"]],
    }


def _rows(state: State, node: Json, subjects: Sequence[str | None]) -> list[Json]:
    """The physical rows of a path below one subject per column; none where no column has a value."""
    rows: list[list[str | None]] = []
    for column, subject in enumerate(subjects):
        if subject is None:
            continue
        found = [one.object for one in state.about(subject, node["id"])]
        for value in sorted(found, key=lambda one: state.things[one].label.lower()):
            row = next((one for one in rows if one[column] is None or one[column] == value), None)
            if row is None:
                row = [None] * len(subjects)
                rows.append(row)
            row[column] = value
    return [
        {
            "values": [None if one is None else reference(state.things[one]) for one in row],
            "children": {child["id"]: below for child in node["children"] if (below := _rows(state, child, row))},
        }
        for row in rows
    ]


def paths(state: State, sources: Sequence[str], *, at_least: int = 1, ids_only: bool = False) -> list[Json]:
    """Every path that leads on from the sources, sorted by label, with the number of sources that have it.

    With `ids_only` the trees are those that a comparison keeps as its selected paths.
    """
    return _paths(state, [{one} for one in sources], at_least, ids_only, 1)


def _paths(state: State, reached: list[set[str]], at_least: int, ids_only: bool, depth: int) -> list[Json]:
    following: dict[str, list[set[str]]] = {}
    for column, things in enumerate(reached):
        for thing in things:
            for one in state.about(thing):
                following.setdefault(one.predicate, [set() for _ in reached])[column].add(one.object)
    found = []
    for predicate, objects in following.items():
        count = sum(1 for one in objects if one)
        if count < at_least:
            continue
        children = _paths(state, objects, at_least, ids_only, depth + 1) if depth < DEEPEST else []
        node: Json = {"id": predicate, "type": "PREDICATE", "children": children}
        if not ids_only:
            label, description = state.things[predicate].label, state.description(predicate)
            node = {"id": predicate, "label": label, "description": description, "sources": count, **node}
        found.append((state.things[predicate].label.lower(), predicate, node))
    return [node for _, _, node in sorted(found, key=lambda one: one[:2])]


def as_csv(table: Json, *, transposed: bool) -> bytes:
    """The table as ORKG's CSV: labels only, nothing done about formulas."""
    heads = [
        title["label"] + (f" - {subtitle['label']}" if subtitle else "")
        for title, subtitle in zip(table["titles"], table["subtitles"], strict=True)
    ]
    lines = [["title" if transposed else "Properties", *heads]]
    for node in table["selected_paths"]:
        _lines(node, table["values"].get(node["id"], []), "", lines)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows(zip(*lines, strict=True) if transposed else lines)
    return text.getvalue().encode()


def _lines(node: Json, rows: list[Json], before: str, lines: list[list[str]]) -> None:
    name = f"{before} - {node['label']}" if before else node["label"]
    for row in rows:
        lines.append([name, *("" if one is None else one["label"] for one in row["values"])])
        for child in node["children"]:
            _lines(child, row["children"].get(child["id"], []), name, lines)
