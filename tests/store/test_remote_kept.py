"""Graphs that were read from an engine are kept, up to so many bytes, and are what was read."""

from __future__ import annotations

import threading

import httpx
import pyoxigraph as ox
import pytest

from app.model.rdf import IRI, Blank, Literal, Triple
from app.store.remote import RemoteStore
from app.store.remote_http import Address
from app.store.remote_kept import KeptGraphs
from tests.store.quads import change, content, quad, typed

P = IRI("http://e/p")
TRIPLES = [
    Triple(IRI("http://e/s"), P, value)
    for value in (
        Literal('"a"\n\t\\ \u00e9 \U0001f600'),
        Literal("a", language="en-GB"),
        typed("1.50", "decimal"),
        Blank("b1"),
        IRI("http://e/\u00e9"),
    )
] + [Triple(Blank("b1"), P, Literal("x"))]


def test_what_is_kept_comes_back_as_it_was() -> None:
    kept = KeptGraphs(10_000)
    kept.put("g", TRIPLES)
    kept.put("empty", [])
    found = kept.get("g")
    assert found is not None
    assert set(found) == set(TRIPLES)
    assert kept.get("empty") == []
    assert kept.get("other") is None


def test_the_oldest_give_way() -> None:
    one = len(ox.serialize(TRIPLES[:1], format=ox.RdfFormat.N_TRIPLES) or b"")
    kept = KeptGraphs(3 * one)
    for graph in "abc":
        kept.put(graph, TRIPLES[:1])
    assert kept.get("a") is not None
    kept.put("c", TRIPLES[:1])  # the same again takes no more room
    kept.put("d", TRIPLES[:1])
    assert [graph for graph in "abcd" if kept.get(graph) is not None] == ["a", "c", "d"]
    kept.put("large", TRIPLES)
    assert kept.get("large") is None or kept.get("a") is None


def test_nothing_is_kept_without_room_for_it() -> None:
    kept = KeptGraphs(0)
    kept.put("g", TRIPLES)
    assert kept.get("g") is None


def test_threads_may_share_it() -> None:
    kept = KeptGraphs(2_000)
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(300):
            graph = f"g{(number + turn) % 7}"
            found = kept.get(graph)
            if found is not None and set(found) != set(TRIPLES):
                wrong.append(found)
            kept.put(graph, TRIPLES)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_only_what_is_new_is_read(oxigraph_server: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted on their way out."""
    store = RemoteStore(oxigraph_server, "kept")
    store.apply(change([quad("s", n, f"g{n}") for n in range(20)]), expect=0)
    assert len(content(store)) == 20
    sent: list[httpx.Request] = []
    send = httpx.HTTPTransport.handle_request

    def counted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return send(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", counted)
    first = content(store)
    assert len(sent) == 1, "which revision is the newest"
    store.apply(change([quad("s", 99, "g3")]), expect=1)
    sent.clear()
    assert content(store) == first | {quad("s", 99, "g3")}
    assert len(sent) <= 3, "the newest revision, its layout, and the one graph that changed"
    assert content(store, 1) == first
