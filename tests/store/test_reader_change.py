"""What an update changes, worked out in the reader's own copy: exactly the difference, whatever the update does."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.store import reader
from app.store.documents import changed

Q = ox.Quad


def quad(number: int, graph: str = "urn:g") -> Q:
    return Q(ox.NamedNode(f"urn:s{number}"), ox.NamedNode("urn:p"), ox.Literal(number), ox.NamedNode(graph))


def ask(store: ox.Store, update: str, *, graph: str | None = None, limit: int = 10**6, in_memory: bool = True) -> bytes:
    request = {"update": update, "base": "http://e/", "graph": graph, "max_bytes": limit}
    status, parts = reader.change(store, request, in_memory=in_memory)
    assert status == reader.OK, b"".join(parts)
    return b"".join(parts)


def line(found: Q) -> str:
    return f"GRAPH {found.graph_name} {{ {found.subject} {found.predicate} {found.object} }}"


NUMBERS = st.sets(st.integers(0, 12))


@given(there=NUMBERS, going=NUMBERS, coming=NUMBERS)
def test_the_difference_is_exact(there: set[int], going: set[int], coming: set[int]) -> None:
    store = ox.Store()
    store.extend(map(quad, there))
    before = set(store)
    update = (
        f"DELETE DATA {{ {' '.join(line(quad(n)) for n in going)} }} ; "
        f"INSERT DATA {{ {' '.join(line(quad(n)) for n in coming)} }}"
    )
    added, removed = changed(ask(store, update))
    assert added == set(store) - before == {quad(n) for n in coming - there}
    assert removed == before - set(store) == {quad(n) for n in there & (going - coming)}


@given(there=NUMBERS, coming=NUMBERS)
def test_quads_that_look_alike_are_told_apart(there: set[int], coming: set[int]) -> None:
    """Also when every quad has the same hash."""
    store = ox.Store()
    store.extend(map(quad, there))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(reader, "hash", lambda _: 7, raising=False)
        added, removed = changed(ask(store, f"INSERT DATA {{ {' '.join(line(quad(n)) for n in coming)} }}"))
    assert added == {quad(n) for n in coming - there}
    assert removed == set()


def test_one_graph_is_all_that_a_confined_update_sees() -> None:
    store = ox.Store()
    store.extend([quad(1), quad(2, "urn:other")])
    added, removed = changed(ask(store, "DELETE { ?s ?p ?o } INSERT { ?s ?p 9 } WHERE { ?s ?p ?o }", graph="urn:g"))
    assert removed == {quad(1)}
    (new,) = added
    assert (new.graph_name, new.object) == (ox.NamedNode("urn:g"), ox.Literal(9))
    assert set(store) == {quad(1), quad(2, "urn:other")}, "it works on a copy of its graph"


@pytest.mark.parametrize(
    ("update", "status"),
    [
        ("INSERT DATA {", reader.BAD_QUERY),
        ("CREATE GRAPH <urn:g>", reader.FAILED),
        ("DROP GRAPH <urn:none>", reader.FAILED),
        ("INSERT DATA { <urn:s> <urn:p> '%s' }" % ("x" * 300), reader.TOO_LARGE),
    ],
)
def test_what_cannot_be_done(update: str, status: int) -> None:
    store = ox.Store()
    store.add(quad(1))
    request = {"update": update, "base": "http://e/", "graph": None, "max_bytes": 200}
    assert reader.change(store, request)[0] == status


def test_writing_to_another_graph_is_refused() -> None:
    request = {"update": "INSERT DATA { GRAPH <urn:x> { <s> <p> 1 } }", "base": "http://e/", "graph": "urn:g"}
    assert reader.change(ox.Store(), {**request, "max_bytes": 100})[0] == reader.FAILED


def test_a_store_on_disk_is_copied_first(tmp_path: Path) -> None:
    store = ox.Store(str(tmp_path / "s"))
    store.add(quad(1))
    store.flush()
    del store
    on_disk = ox.Store.read_only(str(tmp_path / "s"))
    added, removed = changed(ask(on_disk, "DROP ALL ; INSERT DATA { <urn:s> <urn:p> 1 }", in_memory=False))
    assert (len(added), removed) == (1, frozenset({quad(1)}))
    assert set(on_disk) == {quad(1)}
