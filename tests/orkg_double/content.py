"""What a world says, so that two worlds can be compared although ids and times of what is new differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.orkg_double.state import Json


@dataclass(frozen=True, slots=True)
class Content:
    """What differs between a world and the world it began as; equal for runs that came to the same end.

    A thing of the beginning is named by its id, a new one by what it is: kind, label, classes or datatype, IRI, and
    for a comparison or paper what is particular to it. Counters keep apart what is there once and what is there twice.
    """

    things: Counter[str] = field(default_factory=Counter)
    statements: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """Subject, predicate, object, method."""
    gone: frozenset[str] = frozenset()
    """Ids of things and statements of the beginning that are there no longer."""
    changed: tuple[str, ...] = ()
    """Things of the beginning that are no longer as they were, as they are now."""
    comparisons: tuple[tuple[str, tuple[str, ...], str, tuple[str, ...]], ...] = ()
    """Of each comparison that is new or changed: its name, sources in order, selected paths, references."""
    orphans: tuple[str, ...] = ()
    """New things that no statement names and that are neither paper nor comparison: what a crash may leave."""

    def doubles(self) -> list[str]:
        """What is there more than once among what is new: contributions, papers, comparisons, resources, triples."""
        twice = [name for name, count in self.things.items() if count > 1 and not name.startswith("literal ")]
        return twice + [str(triple) for triple, count in self.statements.items() if count > 1]


def content(now: Json, base: Json) -> Content:
    """What a dump says that the dump of the beginning did not."""
    things, old = now["things"], base["things"]

    def name(identity: str) -> str:
        if identity in old:
            return identity
        one = things[identity]
        parts = [one["kind"], repr(one["label"]), ",".join(one["classes"]), one["datatype"] or "", one["uri"] or ""]
        if identity in now["papers"]:
            parts += now["papers"][identity]["identifiers"].get("doi", ())
        return " ".join(part for part in parts if part)

    def volatile(one: Json) -> Json:
        return {key: value for key, value in one.items() if key not in ("created_at", "created_by")}

    new = [one for one in things if one not in old]
    new_statements = [
        one for key, one in now["statements"].items() if volatile(one) != volatile(base["statements"].get(key, {}))
    ]
    said = Counter(
        (name(one["subject"]), name(one["predicate"]), name(one["object"]), one["method"]) for one in new_statements
    )
    named = {one[key] for one in now["statements"].values() for key in ("subject", "predicate", "object")}
    comparisons = []
    for key, one in now["comparisons"].items():
        sources = _sources(now, key)
        before = base["comparisons"].get(key)
        if before != one or _sources(base, key) != sources:
            comparisons.append(
                (name(key), tuple(name(each) for each in sources), _paths(one, name), tuple(one["references"]))
            )
    gone = {*old} - {*things} | ({*base["statements"]} - {*now["statements"]})
    return Content(
        Counter(name(one) for one in new),
        said,
        frozenset(gone),
        tuple(sorted(f"{key}: {volatile(things[key])}" for key in old if key in things and things[key] != old[key])),
        tuple(sorted(comparisons)),
        tuple(sorted(name(one) for one in new if one not in named and one not in now["comparisons"])),
    )


def _sources(dump: Json, comparison: str) -> list[str]:
    found = [one for one in dump["statements"].values() if one["subject"] == comparison]
    return [one["object"] for one in found if one["predicate"].startswith("compare")]


def _paths(comparison: Json, name: Callable[[str], str]) -> str:
    def written(nodes: Json) -> str:
        return ",".join(f"{name(one['id'])}({written(one['children'])})" for one in nodes)

    return written(comparison["selected_paths"])
