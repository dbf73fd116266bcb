"""What follows from an engine's kind, and that the kind is found by asking."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from app.errors import EngineUnavailable
from app.store.remote import RemoteStore
from app.store.remote_http import Address, Engine
from app.store.remote_kinds import Kind, Wanted
from tests.store.quads import change, content, quad


@pytest.mark.parametrize(
    ("query", "kind", "update", "graphs"),
    [
        ("http://h/query", Kind.OXIGRAPH, "http://h/update", "http://h/store"),
        ("http://h/sparql", Kind.VIRTUOSO, "http://h/sparql-auth", "http://h/sparql-graph-crud-auth"),
        ("http://h/db/query", Kind.STANDARD, "http://h/db/update", None),
        ("https://h:8182/sparql", Kind.STANDARD, "https://h:8182/sparql", None),
        ("http://h/elsewhere", Kind.VIRTUOSO, "http://h/elsewhere", None),
    ],
)
def test_the_other_addresses_follow(query: str, kind: Kind, update: str, graphs: str | None) -> None:
    found = Wanted(query, kind=kind).complete()
    assert (found.query, found.update, found.graphs) == (query, update, graphs)
    virtuoso = kind is Kind.VIRTUOSO
    assert (found.scheme, found.decimal_places) == (("digest", 15) if virtuoso else ("basic", None))
    assert (found.checks_here, found.tells_seconds) == (virtuoso, virtuoso)
    assert found.statement == (200 if virtuoso else 2000)


def test_what_is_said_stands() -> None:
    said = Wanted(
        "http://h/sparql",
        update="http://h/u",
        graphs="http://h/g",
        kind=Kind.VIRTUOSO,
        user="me",
        password="secret-word",
        scheme="basic",
        seconds=1,
        write_seconds=2,
        max_bytes=3,
        decimal_places=4,
        checks_here=False,
    )
    found = said.complete()
    assert (found.update, found.graphs, found.user, found.password) == ("http://h/u", "http://h/g", "me", "secret-word")
    assert (found.scheme, found.seconds, found.write_seconds, found.max_bytes) == ("basic", 1, 2, 3)
    assert (found.decimal_places, found.checks_here) == (4, False)
    assert "secret-word" not in repr(said) + repr(found)


@pytest.mark.parametrize("kind", ["oxigraph", "virtuoso"])
def test_a_real_engine_says_who_it_is(kind: str, request: pytest.FixtureRequest) -> None:
    address: Address = request.getfixturevalue(f"{kind}_server")
    found = Wanted(address.query, user=address.user, password=address.password).complete()
    assert found.kind == kind
    assert replace(found, kind="standard", statement=200, tells_seconds=False) == address


def test_an_engine_is_asked_again_until_it_answers(oxigraph_server: Address) -> None:
    """Nothing is asked when a store is made, and an answer is kept."""
    asked: list[str] = []

    def found() -> Address:
        asked.append("")
        return Wanted("http://127.0.0.1:1/query" if len(asked) == 1 else oxigraph_server.query).complete()

    store = RemoteStore(found, "asked-again")
    assert asked == []
    with pytest.raises(EngineUnavailable) as error:
        store.apply(change([quad("s", 1)]), expect=0)
    assert "SLMKG_STORE_URL" in error.value.advice
    store.apply(change([quad("s", 1)]), expect=0)
    assert content(store) == {quad("s", 1)}
    assert len(asked) == 2


def test_who_waits_behind_a_long_wait_hears_of_it_at_once() -> None:
    """An engine that takes connections and says nothing: one request waits, and the next ones are told."""
    asked: list[str] = []

    def found() -> Address:
        asked.append("")
        time.sleep(1.1)
        raise EngineUnavailable("nobody is there")

    engine = Engine(found)
    for _ in range(3):
        with pytest.raises(EngineUnavailable, match="nobody"):
            engine.rows("ASK {}")
    assert len(asked) == 1
