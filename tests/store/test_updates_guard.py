"""What an update may not do is refused before it runs, and the protocol's dataset is written where it belongs."""

from __future__ import annotations

import contextlib
import time

import pyoxigraph as ox
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import BadParameter, QueryRefused
from app.store.updates import guarded_update

LIMIT = 1_000_000
G = "urn:g"


def guarded(text: str, **options: tuple[str, ...]) -> str:
    return guarded_update(text, limit=LIMIT, **options)


@pytest.mark.parametrize(
    "update",
    [
        "LOAD <http://127.0.0.1:9/>",
        "load<http://127.0.0.1:9/>",
        "# c\rLOAD <http://127.0.0.1:9/>",
        "CLEAR ALL; LOAD <http://127.0.0.1:9/>",
        "CLEAR ALL;# c\rLOAD <http://127.0.0.1:9/>",
        "INSERT DATA { <urn:a> <urn:b> '#' } ; LOAD <http://127.0.0.1:9/> INTO GRAPH <urn:g>",
        "PREFIX a: <urn:a>LOAD <http://127.0.0.1:9/>",
        "L\\u004FAD <http://127.0.0.1:9/>",
        "LOAD # SILENT\n<http://127.0.0.1:9/>",
        "INSERT { ?a ?b ?c } WHERE { SERVICE <http://127.0.0.1:9/> { ?a ?b ?c } }",
        "INSERT { ?a ?b ?c } WHERE { # c\rSERVICE <http://127.0.0.1:9/> { ?a ?b ?c } }",
        "PREFIX : <urn:> INSERT { ?a ?b ?c } WHERE { SERVICE:x { ?a ?b ?c } }",
        "DELETE { ?a ?b ?c } WHERE { { SELECT * { SERVICE SILENT <http://127.0.0.1:9/> { ?a ?b ?c } } } }",
    ],
)
def test_what_reaches_out_is_refused(update: str) -> None:
    with pytest.raises(QueryRefused):
        guarded(update)


@pytest.mark.parametrize(
    "update",
    [
        "LOAD SILENT <http://127.0.0.1:9/>",
        "INSERT DATA { <urn:load> <urn:service> 'LOAD and SERVICE' }",
        "PREFIX load: <urn:> INSERT DATA { load:a load:b 1 }",
        "DELETE WHERE { ?load ?service ?x }",
        "# LOAD <x>\nCLEAR ALL",
    ],
)
def test_what_only_looks_like_it_may_run(update: str) -> None:
    assert guarded(update) == update
    ox.Store().update(update)


@pytest.mark.parametrize("update", ["SELECT * {}", "INSERT DATA {", "nothing", "INSERT { ?a } WHERE {}"])
def test_what_is_no_update_is_left_to_the_engine(update: str) -> None:
    with pytest.raises(SyntaxError):
        ox.Store().update(guarded(update))


@given(text=st.text(max_size=100))
@example("\ud800")
@example("\\UFFFFFFFF")
@example("\\u")
def test_any_text(text: str) -> None:
    with contextlib.suppress(QueryRefused):
        assert guarded(text) == text


def test_length() -> None:
    with pytest.raises(QueryRefused, match="longer than 10 bytes"):
        guarded_update("CLEAR ALL # \u00e4", limit=10)
    data = "INSERT DATA {" + "".join(f"<urn:{number}> <urn:p> 'x' .\n" for number in range(30_000)) + "}"
    started = time.monotonic()
    assert guarded(data) == data
    assert time.monotonic() - started < 20


def store() -> ox.Store:
    made = ox.Store()
    for graph in ("urn:g", "urn:h"):
        made.add(ox.Quad(ox.NamedNode("urn:s"), ox.NamedNode("urn:p"), ox.Literal(graph), ox.NamedNode(graph)))
    return made


@pytest.mark.parametrize(
    "update",
    [
        "INSERT { GRAPH <urn:new> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "INSERT { GRAPH <urn:new> { ?s ?p ?o } }WHERE{ ?s ?p ?o }",
        "INSERT { GRAPH <urn:new> { ?s ?p ?o } } # WHERE {\n where { ?s ?p ?o }",
        "DELETE { ?s ?p 'WHERE' } INSERT { GRAPH <urn:new> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "PREFIX where: <urn:> INSERT { GRAPH where:new { ?s ?p ?o } } WHERE { ?s ?p ?o . }",
        "CLEAR GRAPH <urn:none>; INSERT { GRAPH <urn:new> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
    ],
)
def test_the_dataset_of_the_protocol(update: str) -> None:
    """`using-graph-uri` makes one graph the default graph of every WHERE."""
    changed = store()
    changed.update(guarded(update.replace("CLEAR GRAPH", "CLEAR SILENT GRAPH"), using=(G,)))
    new = [quad.object for quad in changed.quads_for_pattern(None, None, None, ox.NamedNode("urn:new"))]
    assert new == [ox.Literal("urn:g")]


def test_named_graphs_of_the_protocol() -> None:
    changed = store()
    update = "INSERT { <urn:new> <urn:is> ?o } WHERE { GRAPH ?g { ?s ?p ?o } }"
    changed.update(guarded(update, using_named=("urn:h",)))
    new = [quad.object for quad in changed.quads_for_pattern(None, None, None, ox.DefaultGraph())]
    assert new == [ox.Literal("urn:h")]


@pytest.mark.parametrize(
    "update",
    [
        "INSERT { ?s ?p ?o } USING <urn:h> WHERE { ?s ?p ?o }",
        "WITH <urn:h> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
    ],
)
def test_a_dataset_twice(update: str) -> None:
    assert guarded(update) == update
    with pytest.raises(BadParameter):
        guarded(update, using=(G,))
