"""The store on real external engines: Oxigraph's own server and Virtuoso 7."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from app.errors import BadParameter, BadQuery, EngineUnavailable, NotFound, QueryRefused, StaleRevision, StoreBusy
from app.model.graphs import CURATED, HISTORY, of_source
from app.model.rdf import Literal, Quad
from app.services import Services
from app.store.engine import as_stored
from app.store.port import GraphStore, Query
from app.store.remote import RemoteStore
from app.store.remote_answers import rounded
from app.store.remote_http import Address
from tests.store.contract import ALL, KEPT, GraphStoreContract
from tests.store.quads import BASE, change, column, content, name, quad, typed

_numbers = itertools.count(1)
_BEYOND = {"99999999999999999999", "0.12345678901234567", "0.1234567890123456789012"}


@pytest.fixture
def own_name() -> str:
    """The name of a store of its own for each test, on a server that all of them share."""
    return f"test-{next(_numbers)}"


@pytest.fixture(params=["oxigraph", "virtuoso"])
def server(request: pytest.FixtureRequest) -> Address:
    """Each of the engines."""
    address = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(address, Address)
    return address


@pytest.fixture
def remote(server: Address, own_name: str) -> Iterator[RemoteStore]:
    """An empty store on each of the engines."""
    store = RemoteStore(server, own_name)
    yield store
    store.close()


class TestOnOxigraph(GraphStoreContract):
    @pytest.fixture
    def store(self, oxigraph_server: Address, own_name: str) -> Iterator[GraphStore]:
        store = RemoteStore(oxigraph_server, own_name)
        yield store
        store.close()

    @pytest.fixture
    def reopened(self, oxigraph_server: Address, own_name: str) -> Callable[[GraphStore], GraphStore]:
        return lambda _: RemoteStore(oxigraph_server, own_name)


class TestOxigraphWithoutGraphStoreProtocol(GraphStoreContract):
    """Writes go as INSERT DATA: the least that an engine must offer."""

    @pytest.fixture
    def store(self, oxigraph_server: Address, own_name: str) -> Iterator[GraphStore]:
        store = RemoteStore(replace(oxigraph_server, graphs=None), own_name)
        yield store
        store.close()


class TestOnVirtuoso(GraphStoreContract):
    """The contract, except for the differences that docs/reference/engines.md lists; each has its test here."""

    @pytest.fixture
    def store(self, virtuoso_server: Address, own_name: str) -> Iterator[GraphStore]:
        store = RemoteStore(virtuoso_server, own_name)
        yield store
        store.close()

    @pytest.fixture
    def reopened(self, virtuoso_server: Address, own_name: str) -> Callable[[GraphStore], GraphStore]:
        return lambda _: RemoteStore(virtuoso_server, own_name)

    def numbers(self, store: GraphStore, query: Query) -> list[int]:
        """As in the contract; 1 may come back as true (see below)."""
        values = (term.value for term in column(store, query))
        return sorted(int({"true": "1", "false": "0"}.get(value, value)) for value in values)

    @pytest.mark.parametrize(("characters", "kind"), [pair for pair in KEPT if pair[0] not in _BEYOND])
    def test_other_datatypes_keep_their_characters(self, store: GraphStore, characters: str, kind: str) -> None:
        super().test_other_datatypes_keep_their_characters(store, characters, kind)

    def test_an_integer_beyond_64_bits_is_refused(self, store: GraphStore) -> None:
        with pytest.raises(EngineUnavailable):
            store.apply(change([quad("s", typed("99999999999999999999", "integer"))]), expect=0)
        assert store.revisions() == ()

    def test_a_decimal_keeps_fifteen_places(self, store: GraphStore) -> None:
        store.apply(change([quad("s", typed("2.6666666666666665", "decimal"))]), expect=0)
        assert column(store, ALL) == [typed("2.666666666666667", "decimal")]

    def test_a_longer_decimal_is_refused_unless_rounding_is_allowed(
        self, virtuoso_server: Address, own_name: str
    ) -> None:
        store = RemoteStore(replace(virtuoso_server, decimal_places=None), own_name)
        with pytest.raises(EngineUnavailable, match=r"2\.6666666666666665"):
            store.apply(change([quad("s", typed("2.6666666666666665", "decimal"))]), expect=0)
        assert store.revisions() == ()

    def test_values_join_after_grouping(self, store: GraphStore) -> None:
        """A constant that is joined to what an ungrouped count gives: the engine does not know the variable there."""
        store.apply(change([quad("s", 1), quad("s", 2)]), expect=0)
        grouped = Query("SELECT (SUM(?o) AS ?n) { ?s ?p ?o } GROUP BY ?o", values={"o": [Literal(1), Literal(2)]})
        assert self.numbers(store, grouped) == [1, 2]
        with pytest.raises(EngineUnavailable, match="No column o"):
            store.at().query(Query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", values={"o": [Literal(1)]}))

    def test_true_and_one_are_the_same_value(self, store: GraphStore) -> None:
        store.apply(change([quad("s", typed("true", "boolean"))]), expect=0)
        assert column(store, ALL) == [typed("true", "boolean")]
        assert store.at().query(Query(f"ASK {{ <{BASE}s> <{BASE}p> 1 }}")).truth
        with pytest.raises(EngineUnavailable, match="1 of 2"):
            store.apply(change([quad("s", 1)]), expect=1)

    def test_large_integers_stay_integers(self, store: GraphStore) -> None:
        store.apply(change([quad("s", 371_000_000_000), quad("t", -9_223_372_036_854_775_807)]), expect=0)
        assert content(store) == {quad("s", 371_000_000_000), quad("t", -9_223_372_036_854_775_807)}


# --- several writers, several stores -------------------------------------------------------------------------------


def test_two_writers_with_stores_of_their_own_lose_nothing(server: Address, own_name: str) -> None:
    """What the store's own lock cannot see: each writer has its own connection, like another process."""
    acknowledged: list[Quad] = []
    unexpected: list[BaseException] = []
    RemoteStore(server, own_name).apply(change(), expect=0)

    def write(who: str) -> None:
        store = RemoteStore(server, own_name)
        done = 0
        while done < 6:
            try:
                store.apply(change([quad(who, done)]), expect=store.head().number)
            except (StoreBusy, StaleRevision):
                continue
            except BaseException as error:
                unexpected.append(error)
                return
            acknowledged.append(quad(who, done))
            done += 1

    writers = [threading.Thread(target=write, args=(who,)) for who in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    store = RemoteStore(server, own_name)
    assert unexpected == []
    assert content(store) == set(acknowledged)
    assert [revision.number for revision in store.revisions()] == list(range(1, 14))
    assert store.half_done() == ()


def test_a_writer_at_work_keeps_others_out(server: Address, remote: RemoteStore, own_name: str) -> None:
    remote.apply(change([quad("s", 1)]), expect=0)
    other = RemoteStore(server, own_name)
    seen: list[tuple[str, ...]] = []

    def check(_: object) -> None:
        with pytest.raises(StoreBusy):
            other.apply(change([quad("t", 1)]), expect=1)
        seen.append(other.half_done())
        assert other.repair() == ()

    assert remote.apply(change([quad("s", 2)]), expect=1, check=check).number == 2
    assert len(seen[0]) == 1
    assert "has not finished" in seen[0][0]
    assert content(remote) == {quad("s", 1), quad("s", 2)}
    assert remote.half_done() == ()


def test_stores_of_different_names_do_not_see_each_other(server: Address, remote: RemoteStore, own_name: str) -> None:
    other = RemoteStore(server, own_name + "-other")
    remote.apply(change([quad("s", 1)]), expect=0)
    other.apply(change([quad("s", 2)]), expect=0)
    assert content(remote) == {quad("s", 1)}
    assert content(other) == {quad("s", 2)}
    assert column(remote, ALL) == [Literal(1)]


def test_a_name_must_fit_into_an_iri(oxigraph_server: Address) -> None:
    with pytest.raises(BadParameter):
        RemoteStore(oxigraph_server, "two words")


# --- keeping and forgetting ----------------------------------------------------------------------------------------


def test_forgotten_revisions_give_their_graphs_back(remote: RemoteStore) -> None:
    for number in range(1, 5):
        remote.apply(change([quad("s", number), quad("s", number, f"g{number}")]), expect=number - 1)
    wanted = content(remote)
    assert remote.forget(keep=2) == 2
    assert remote.half_done() != ()
    assert all(line.startswith("removed graph") for line in remote.repair())
    assert remote.half_done() == ()
    assert content(remote) == wanted
    assert len(content(remote, 3)) == 6
    assert len(remote.revisions()) == 4
    with pytest.raises(NotFound):
        remote.at(2)
    with pytest.raises(BadParameter):
        remote.forget(keep=0)


def test_graphs_that_did_not_change_are_not_written_again(remote: RemoteStore) -> None:
    source = of_source("s", "2026-11-20")
    kept = Quad(name("s"), name("p"), Literal("kept"), source)
    remote.apply(change([kept, quad("s", 1), Quad(name("s"), name("p"), Literal(1), CURATED)]), expect=0)
    before = _graphs(remote)
    remote.apply(change([quad("s", 2)]), expect=1)
    shared = before & _graphs(remote)
    assert len(shared) == 2  # the source and the curated graph; what changed and the union of both are new


def _graphs(store: RemoteStore) -> frozenset[str]:
    """The physical graphs of the newest revision."""
    return store._record.layout(store._record.newest()).all_names()


# --- answers that must not be believed, rights that must not be there ------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { GRAPH <https://example.org/g> { <x:s> <x:p> 1 } }",
        "DROP ALL",
        "SELECT * { ?s ?p ?o } ; DROP ALL",
        "DEFINE sql:log-enable 2 DELETE WHERE { GRAPH ?g { ?s ?p ?o } }",
        "SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }",
    ],
)
def test_a_query_writes_nothing_and_calls_nobody(remote: RemoteStore, text: str) -> None:
    remote.apply(change([quad("s", 1)]), expect=0)
    with pytest.raises((BadQuery, QueryRefused)):
        remote.at().query(Query(text))
    assert content(remote) == {quad("s", 1)}


def test_strangers_may_not_write_to_virtuoso(virtuoso_server: Address, own_name: str) -> None:
    store = RemoteStore(replace(virtuoso_server, user=None), own_name)
    with pytest.raises(EngineUnavailable, match="does not let us in"):
        store.apply(change([quad("s", 1)]), expect=0)
    sent = httpx.post(virtuoso_server.query, data={"query": "INSERT DATA { GRAPH <x:g> { <x:s> <x:p> 1 } }"})
    assert sent.status_code >= 400


def test_a_wrong_password_is_told(virtuoso_server: Address, own_name: str) -> None:
    store = RemoteStore(replace(virtuoso_server, password="wrong"), own_name)
    with pytest.raises(EngineUnavailable, match="does not let us in") as found:
        store.apply(change([quad("s", 1)]), expect=0)
    assert "wrong" not in str(found.value)


def test_a_row_limit_of_the_engine_is_seen(virtuoso_server: Address, own_name: str) -> None:
    """`maxrows` stands for ResultSetMaxRows in the settings: the engine cuts and says so only in a header."""
    many = {quad(f"s{n}", n) for n in range(50)}
    store = RemoteStore(virtuoso_server, own_name)
    store.apply(change(many), expect=0)
    cut = RemoteStore(replace(virtuoso_server, query=virtuoso_server.query + "?maxrows=10"), own_name)
    with pytest.raises(EngineUnavailable):
        cut.at().query(Query(ALL))
    with pytest.raises(EngineUnavailable):
        list(cut.at().quads())


# --- the whole seed ------------------------------------------------------------------------------------------------

QUESTIONS = [
    "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g",
    "PREFIX slm: <https://w3id.org/slmkg/ontology#> SELECT ?m ?n { ?m slm:numLayers ?n }",
    "PREFIX slm: <https://w3id.org/slmkg/ontology#> PREFIX prov: <http://www.w3.org/ns/prov#>"
    " SELECT ?d (COUNT(*) AS ?n) { GRAPH ?g { ?c a slm:Claim } ?g prov:wasDerivedFrom ?d } GROUP BY ?d",
    "PREFIX slm: <https://w3id.org/slmkg/ontology#>"
    " SELECT ?m ?n { ?m slm:parameterCount ?n } ORDER BY DESC(?n) ?m LIMIT 20",
    "PREFIX slm: <https://w3id.org/slmkg/ontology#> CONSTRUCT { ?m slm:numLayers ?n } { ?m slm:numLayers ?n }",
]


PATHS = (
    "SELECT ?this ?value { ?this <https://w3id.org/slmkg/ontology#license> ?value FILTER NOT EXISTS"
    " { ?value <http://www.w3.org/1999/02/22-rdf-syntax-ns#type>/<http://www.w3.org/2000/01/rdf-schema#subClassOf>*"
    " <http://purl.org/dc/terms/LicenseDocument> } }"
)


@pytest.mark.heavy
def test_the_seed_answers_as_in_the_embedded_store(remote: RemoteStore, seed_services: Services) -> None:
    embedded = seed_services.store
    assert replace(seed_services, store=remote).load().revision == 1
    assert remote.head().quads == embedded.head().quads
    assert _comparable(remote) == _comparable(embedded)
    for text in QUESTIONS:
        assert _answered(remote, text) == _answered(embedded, text), text


@pytest.mark.heavy
def test_virtuoso_misreads_paths_of_no_length(virtuoso_server: Address, own_name: str, seed_services: Services) -> None:
    """Why candidates are checked in our own engine, where the engine gets such queries wrong."""
    store = RemoteStore(virtuoso_server, own_name)
    store.apply(change(seed_services.store.at(1).quads()), expect=0)
    assert _answered(seed_services.store, PATHS) == set()
    assert _answered(store, PATHS) != set()


def _comparable(store: GraphStore) -> frozenset[Quad]:
    """The quads of revision 1 but for its own record, with as many decimal places as every engine keeps."""
    return as_stored(rounded(quad, 15) for quad in store.at(1).quads() if quad.graph_name != HISTORY)


def _answered(store: GraphStore, text: str) -> set[str]:
    answer = store.at(1).query(Query(text))
    if answer.kind == "graph":
        return set(map(str, answer.triples()))
    return {str(sorted((key, str(value)) for key, value in row.items())) for row in answer.rows()}
