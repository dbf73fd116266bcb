"""What every `GraphStore` does. An adapter's test class inherits `GraphStoreContract` and gives a `store` fixture."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, timezone

import pyoxigraph as ox
import pytest
import rdflib
from rdflib.compare import isomorphic
from rdflib.query import Result

from app.errors import BadParameter, BadQuery, NotFound, QueryRefused, StaleRevision, StoreBusy, StoreEmpty
from app.model.health import State
from app.model.rdf import IRI, Blank, Literal, Quad, Term
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS, GraphStore, Query, Snapshot
from tests.store.quads import BASE, NOON, change, column, content, name, quad, typed

ALL = "SELECT ?o { ?s ?p ?o }"
CONSTRUCT = Query("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
TEXTS = {
    "astral": "😀 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩🏽‍🔬",
    "combining": "e\u0301 is not \u00e9",
    "right-to-left": "نموذج لغوي صغير \u202e!",
    "controls": 'tab\t newline\n return\r quote" backslash\\ bell\x07 nul is not RDF',
    "line separators": "a\u2028b\u2029c\u0085d",
    "private and last": "\ue000\U0010fffd",
    "blank ends": "  two  ",
    "empty": "",
}
# what the engine makes of the characters of a number or a moment; everything else it keeps
CANONICAL = [
    ("0.30", "decimal", "0.3", "decimal"),
    ("+5", "integer", "5", "integer"),
    ("007", "integer", "7", "integer"),
    ("-0", "integer", "0", "integer"),
    ("7", "int", "7", "integer"),
    ("7", "nonNegativeInteger", "7", "integer"),
    ("1", "boolean", "true", "boolean"),
    ("1e3", "double", "1000", "double"),
    ("1.50", "float", "1.5", "float"),
    ("2024-07-16T12:00:00+00:00", "dateTime", "2024-07-16T12:00:00Z", "dateTime"),
]
KEPT = [
    ("2024-07", "gYearMonth"),
    ("2024-07-16", "date"),
    ("https://example.org/x", "anyURI"),
    ("99999999999999999999", "integer"),
    ("0.12345678901234567", "decimal"),
    ("0.1234567890123456789012", "decimal"),
    ("no number", "decimal"),
    ("2024-13-45", "date"),
]


def happens(condition: Callable[[], bool]) -> bool:
    """Whether something comes true; waits for other threads as long as a busy machine may need."""
    for _ in range(3_000):
        if condition():
            return True
        time.sleep(0.01)
    return False


class GraphStoreContract:
    """Tests of the port. `store` is empty; `reopened` gives the same store as another process would find it."""

    @pytest.fixture
    def reopened(self) -> Callable[[GraphStore], GraphStore]:
        """An adapter that keeps nothing outside its process gives itself back."""
        return lambda store: store

    # --- what survives -----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
    def test_any_text_survives(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore], text: str
    ) -> None:
        written = {quad("s", Literal(text)), quad("s", Literal(text, language="ar"))}
        store.apply(change(written), expect=0)
        again = reopened(store)
        assert content(again) == written
        assert {literal.value for literal in column(again, ALL)} == {text}

    def test_what_is_considered_is_seen_and_not_committed(self, store: GraphStore) -> None:
        store.apply(change([quad("s", "a"), quad("s", "b")]), expect=0)
        seen: list[frozenset[Quad]] = []
        idea = change([quad("s", "c")], [quad("s", "a")])
        store.consider(idea, on=1, check=lambda candidate: seen.append(frozenset(candidate.quads())))
        assert seen == [{quad("s", "b"), quad("s", "c")}]
        assert content(store) == {quad("s", "a"), quad("s", "b")}
        assert store.head().number == 1

    def test_language_tags_survive_and_tell_literals_apart(self, store: GraphStore) -> None:
        written = {quad("s", Literal("chat", language=tag)) for tag in ("en", "fr", "en-gb", "zh-hant-tw")}
        written.add(quad("s", "chat"))
        store.apply(change(written), expect=0)
        assert content(store) == written
        assert len(column(store, 'SELECT ?s { ?s ?p "chat"@en-gb }')) == 1

    def test_language_tags_are_one_whatever_their_case(self, store: GraphStore) -> None:
        store.apply(change([quad("s", Literal("a", language="EN-gb"))]), expect=0)
        assert content(store) == {quad("s", Literal("a", language="en-gb"))}

    @pytest.mark.parametrize(("characters", "kind", "stored", "stored_kind"), CANONICAL)
    def test_what_the_engine_canonicalises(
        self, store: GraphStore, characters: str, kind: str, stored: str, stored_kind: str
    ) -> None:
        store.apply(change([quad("s", typed(characters, kind))]), expect=0)
        assert column(store, ALL) == [typed(stored, stored_kind)]

    @pytest.mark.parametrize(("characters", "kind"), KEPT)
    def test_other_datatypes_keep_their_characters(self, store: GraphStore, characters: str, kind: str) -> None:
        store.apply(change([quad("s", typed(characters, kind))]), expect=0)
        assert column(store, ALL) == [typed(characters, kind)]

    def test_unknown_datatypes_survive(self, store: GraphStore) -> None:
        odd = quad("s", Literal("7 bananas", datatype=name("fruit")))
        store.apply(change([odd]), expect=0)
        assert content(store) == {odd}

    def test_blank_nodes_keep_their_links_and_their_names(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]
    ) -> None:
        node = Blank("b1")
        written = {
            Quad(name("s"), name("p"), node, name("g")),
            Quad(node, name("q"), Literal("inside"), name("g")),
            Quad(Blank("b2"), name("q"), Literal("inside"), name("g")),
        }
        store.apply(change(written), expect=0)
        again = reopened(store)
        assert content(again) == written
        assert len(column(again, f"SELECT ?o {{ <{BASE}s> <{BASE}p>/<{BASE}q> ?o }}")) == 1

    def test_a_literal_of_a_megabyte_survives(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]
    ) -> None:
        long = "Größe 😀 " * 100_000
        assert len(long.encode()) > 1_000_000
        store.apply(change([quad("s", long)]), expect=0)
        assert [literal.value for literal in column(reopened(store), ALL)] == [long]

    def test_named_graphs_survive_a_change_and_a_reopening(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]
    ) -> None:
        one, two, three = quad("s", 1, "g1"), quad("s", 1, "g2"), quad("s", 2, "g2")
        store.apply(change([one, two]), expect=0)
        store.apply(change([three]), expect=1)
        again = reopened(store)
        assert content(again) == {one, two, three}
        assert set(again.at().quads(name("g1"))) == {one}
        assert set(again.at().quads(name("g2"))) == {two, three}
        assert list(again.at().quads(name("g3"))) == []

    # --- revisions ---------------------------------------------------------------------------------------------

    def test_an_empty_store_says_so(self, store: GraphStore) -> None:
        assert store.revisions() == ()
        for reading in (store.head, store.at, lambda: store.at(1), lambda: store.at(0)):
            with pytest.raises(StoreEmpty) as found:
                reading()
            assert found.value.advice

    def test_a_commit_returns_its_record(self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]) -> None:
        late = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
        first = store.apply(replace(change([quad("s", 1), quad("s", 2)]), made_at=late), expect=0)
        second = store.apply(change([quad("s", 3)], [quad("s", 1), quad("s", 2)], "two for one ❤"), expect=1)
        assert (first.number, first.added, first.removed, first.quads) == (1, 2, 0, 2)
        assert first.made_at == late
        assert (second.number, second.added, second.removed, second.quads) == (2, 1, 2, 1)
        assert (second.reason, second.author, second.made_at) == ("two for one ❤", BASE + "me", NOON)
        again = reopened(store)
        assert again.revisions() == (first, second)
        assert again.head() == second

    def test_old_revisions_stay_as_they_were(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]
    ) -> None:
        states: list[set[Quad]] = [set()]
        for number in range(1, 6):
            added, gone = {quad("s", number), quad("t", number)}, {quad("s", number - 1)}
            store.apply(change(added, gone), expect=number - 1)
            states.append((states[-1] - gone) | added)
        for again in (store, reopened(store)):
            for number in (3, 1, 5, 2, 4):
                assert content(again, number) == states[number]
                assert len(column(again, ALL, number)) == len(states[number])

    def test_a_snapshot_in_use_does_not_see_later_commits(self, store: GraphStore) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        held = store.at()
        walking = held.quads()
        store.apply(change([quad("s", 2)], [quad("s", 1)]), expect=1)
        assert list(walking) == [quad("s", 1)]
        assert set(held.quads()) == {quad("s", 1)}
        assert content(store) == {quad("s", 2)}

    @pytest.mark.parametrize("number", [0, -1, 2, 10**9])
    def test_a_revision_that_is_not_there_is_not_found(self, store: GraphStore, number: int) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        with pytest.raises(NotFound) as found:
            store.at(number)
        assert str(number) in found.value.message
        assert "1" in found.value.advice

    def test_an_empty_change_makes_a_revision_that_changes_nothing(self, store: GraphStore) -> None:
        assert store.apply(change(), expect=0).quads == 0
        store.apply(change([quad("s", 1)]), expect=1)
        third = store.apply(change(), expect=2)
        assert (third.number, third.added, third.removed, third.quads) == (3, 0, 0, 1)
        assert content(store, 1) == set()
        assert content(store) == {quad("s", 1)}

    def test_what_is_there_already_or_not_there_at_all_is_no_error(self, store: GraphStore) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        revision = store.apply(change([quad("s", 1), quad("s", 2)], [quad("s", 3)]), expect=1)
        assert (revision.added, revision.removed, revision.quads) == (1, 0, 2)

    def test_one_triple_in_two_spellings_is_one_triple(self, store: GraphStore) -> None:
        short, long = quad("s", typed("0.3", "decimal")), quad("s", typed("0.30", "decimal"))
        assert store.apply(change([short, long]), expect=0).quads == 1
        kept = store.apply(change([long], [short]), expect=1)
        assert (kept.added, kept.removed, kept.quads) == (0, 0, 1)
        assert content(store) == {short}
        gone = store.apply(change([], [long]), expect=2)
        assert (gone.removed, gone.quads) == (1, 0)

    def test_a_large_change_is_applied_like_a_small_one(self, store: GraphStore) -> None:
        many = {quad(f"s{number}", number) for number in range(12_000)}
        assert store.apply(change(many), expect=0).quads == 12_000
        other = {quad(f"t{number}", number) for number in range(6_000)}
        revision = store.apply(change(other, many), expect=1)
        assert (revision.added, revision.removed, revision.quads) == (6_000, 12_000, 6_000)
        assert content(store) == other

    # --- what a revision changed -------------------------------------------------------------------------------

    def test_changes_are_what_came_and_what_went(
        self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]
    ) -> None:
        one, two, three = quad("s", 1), quad("s", 2, "g2"), quad("s", 3)
        store.apply(change([one, two], reason="first"), expect=0)
        store.apply(change([one, three], [two, quad("s", 9)], "second"), expect=1)
        store.apply(change(reason="nothing"), expect=2)
        store.apply(change([two], [one, three], "last"), expect=3)
        wanted = [
            change([one, two], reason="first"),
            change([three], [two], "second"),
            change(reason="nothing"),
            change([two], [one, three], "last"),
        ]
        again = reopened(store)
        assert [again.changes(number) for number in (1, 2, 3, 4)] == wanted

    def test_changes_keep_every_term(self, store: GraphStore, reopened: Callable[[GraphStore], GraphStore]) -> None:
        written = {
            *(quad("s", Literal(text)) for text in TEXTS.values()),
            *(quad("s", typed(stored, kind)) for _, _, stored, kind in CANONICAL),
            quad("s", Literal("chat", language="fr")),
            Quad(Blank("b1"), name("q"), Blank("b2"), name("g")),
            quad("s", "A <https://example.org/x> .\nTC ."),
        }
        store.apply(change([quad("t", 1)]), expect=0)
        store.apply(change(written, [quad("t", 1)]), expect=1)
        assert reopened(store).changes(2) == change(written, [quad("t", 1)])

    def test_changes_and_their_inverses_lead_from_any_revision_to_any_other(self, store: GraphStore) -> None:
        for number in range(1, 5):
            store.apply(change([quad("s", number), quad("t", number % 2)], [quad("s", number - 1)]), expect=number - 1)
        held = content(store, 4)
        for number in (4, 3, 2):
            back = store.changes(number).inverse()
            assert not back.add & held
            assert back.remove <= held
            held = (held - back.remove) | back.add
            assert held == content(store, number - 1)

    @pytest.mark.parametrize("number", [0, -1, 2, 10**9])
    def test_changes_of_a_revision_that_is_not_there_are_not_found(self, store: GraphStore, number: int) -> None:
        with pytest.raises(StoreEmpty):
            store.changes(number)
        store.apply(change([quad("s", 1)]), expect=0)
        with pytest.raises(NotFound, match="revision"):
            store.changes(number)

    # --- all or nothing ----------------------------------------------------------------------------------------

    @pytest.mark.parametrize("expect", [0, 1, 3])
    def test_a_stale_change_is_refused(self, store: GraphStore, expect: int) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        store.apply(change([quad("s", 2)]), expect=1)
        with pytest.raises(StaleRevision) as found:
            store.apply(change([quad("s", 3)]), expect=expect)
        assert (found.value.expected, found.value.actual) == (expect, 2)
        assert store.head().number == 2
        assert content(store) == {quad("s", 1), quad("s", 2)}

    def test_an_empty_store_is_at_revision_nought(self, store: GraphStore) -> None:
        with pytest.raises(StaleRevision):
            store.apply(change([quad("s", 1)]), expect=1)
        assert store.revisions() == ()

    def test_the_check_sees_the_candidate_and_nobody_else_does(self, store: GraphStore) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        seen: list[set[Quad]] = []

        def check(candidate: Snapshot) -> None:
            seen.append(set(candidate.quads()))
            seen.append(content(store))
            seen.append({quad("s", term) for term in (row["o"] for row in candidate.query(Query(ALL)).rows())})

        store.apply(change([quad("s", 2)], [quad("s", 1)]), expect=1, check=check)
        assert seen == [{quad("s", 2)}, {quad("s", 1)}, {quad("s", 2)}]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
    @pytest.mark.parametrize("size", [1, 6_000])
    def test_a_check_that_raises_abandons_everything(
        self, store: GraphStore, error: type[BaseException], size: int
    ) -> None:
        store.apply(change([quad("s", 1)]), expect=0)

        def check(_: Snapshot) -> None:
            raise error

        with pytest.raises(error):
            store.apply(change([quad("t", n) for n in range(size)], [quad("s", 1)]), expect=1, check=check)
        assert store.head().number == 1
        assert content(store) == {quad("s", 1)}
        assert store.apply(change([quad("s", 2)]), expect=1).number == 2

    def test_a_check_that_raises_leaves_an_empty_store_empty(self, store: GraphStore) -> None:
        def check(_: Snapshot) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            store.apply(change([quad("s", 1)]), expect=0, check=check)
        with pytest.raises(StoreEmpty):
            store.head()

    def test_a_commit_inside_a_commit_is_refused(self, store: GraphStore) -> None:
        def check(_: Snapshot) -> None:
            store.apply(change([quad("s", 2)]), expect=0)

        with pytest.raises(StoreBusy):
            store.apply(change([quad("s", 1)]), expect=0, check=check)
        assert store.revisions() == ()

    # --- queries -----------------------------------------------------------------------------------------------

    @pytest.fixture
    def three(self, store: GraphStore) -> GraphStore:
        """A store with one fact in each of three graphs."""
        store.apply(change([quad("s", 1, "g1"), quad("s", 2, "g2"), quad("s", 3, "g3")]), expect=0)
        return store

    def numbers(self, store: GraphStore, query: Query) -> list[int]:
        return sorted(int(term.value) for term in column(store, query))

    def test_the_default_graph_is_the_union(self, three: GraphStore) -> None:
        assert self.numbers(three, Query(ALL)) == [1, 2, 3]
        assert self.numbers(three, Query("SELECT ?o { GRAPH ?g { ?s ?p ?o } }")) == [1, 2, 3]

    def test_from_chooses_the_dataset(self, three: GraphStore) -> None:
        assert self.numbers(three, Query(f"SELECT ?o FROM <{BASE}g2> {{ ?s ?p ?o }}")) == [2]
        assert self.numbers(three, Query(f"select?o from<{BASE}g2>from <{BASE}g3>{{ ?s ?p ?o }}")) == [2, 3]
        named = f"SELECT ?o FROM NAMED <{BASE}g1> {{ GRAPH ?g {{ ?s ?p ?o }} }}"
        assert self.numbers(three, Query(named)) == [1]
        assert self.numbers(three, Query(f"SELECT ?o FROM NAMED <{BASE}g1> {{ ?s ?p ?o }}")) == []

    @pytest.mark.parametrize(
        "text",
        [
            "SELECT ?from { ?s ?p ?from }",
            'SELECT ?o { ?s ?p ?o FILTER(STR(?p) != " FROM ") }',
            "SELECT ?o # FROM nowhere\n{ ?s ?p ?o }",
            "PREFIX from: <https://example.org/> SELECT ?o { from:s from:p ?o }",
            "PREFIX e: <https://example.org/> SELECT ?o { ?s e:p ?o MINUS { ?s e:p.from ?o } MINUS { ?s e:from ?o } }",
            "SELECT ?o { ?s ?p ?o FILTER(?p != <https://example.org/FROM>) }",
        ],
    )
    def test_the_word_from_elsewhere_chooses_nothing(self, three: GraphStore, text: str) -> None:
        assert self.numbers(three, Query(text)) == [1, 2, 3]

    def test_the_caller_chooses_the_dataset(self, three: GraphStore) -> None:
        graphs = (BASE + "g1", BASE + "g3")
        both = "SELECT ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"
        assert self.numbers(three, Query(ALL, default_graphs=graphs)) == [1, 3]
        assert self.numbers(three, Query(both, default_graphs=graphs)) == [1, 3]
        assert self.numbers(three, Query(both, named_graphs=graphs)) == [1, 3]
        assert self.numbers(three, Query(both, default_graphs=graphs, named_graphs=graphs[:1])) == [1, 1, 3]

    def test_the_callers_dataset_goes_before_the_texts(self, three: GraphStore) -> None:
        text = f"SELECT ?o FROM <{BASE}g2> {{ ?s ?p ?o }}"
        assert self.numbers(three, Query(text, default_graphs=(BASE + "g1",))) == [1]

    def test_graph_names_must_be_iris(self, three: GraphStore) -> None:
        for query in (Query(ALL, default_graphs=("not an iri",)), Query(ALL, named_graphs=("g1",))):
            with pytest.raises(BadParameter) as found:
                three.at().query(query)
            assert found.value.advice

    def test_a_graph_in_two_homes_counts_twice_in_the_union(self, store: GraphStore) -> None:
        """Why every triple must have one home graph (constraint G5)."""
        store.apply(change([quad("s", 1, "g1"), quad("s", 1, "g2")]), expect=0)
        assert self.numbers(store, Query("SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }")) == [2]

    @pytest.mark.parametrize(
        "term",
        [
            Literal('"quoted" \\ back\nline'),
            Literal("chat", language="fr"),
            typed("0.30", "decimal"),
            Literal("} UNION { ?s ?p ?o } #"),
            IRI(BASE + "o"),
        ],
        ids=str,
    )
    def test_values_join_a_variable_whatever_their_characters(self, store: GraphStore, term: Term) -> None:
        assert isinstance(term, IRI | Literal)
        store.apply(change([quad("s", term), quad("s", "other"), quad("t", 7)]), expect=0)
        found = column(store, Query("SELECT ?s { ?s ?p ?o } # end", values={"o": [term]}))
        assert found == [name("s")]

    def test_no_values_give_no_rows_and_several_give_theirs(self, three: GraphStore) -> None:
        def asked(*numbers: int) -> list[int]:
            return self.numbers(three, Query(ALL, values={"o": [Literal(n) for n in numbers]}))

        assert asked() == []
        assert asked(1, 3) == [1, 3]

    def test_values_join_after_grouping(self, three: GraphStore) -> None:
        """As SPARQL says: a query that counts must group by the variable."""
        constants = {"o": [Literal(1), Literal(2)]}
        grouped = Query("SELECT (SUM(?o) AS ?n) { ?s ?p ?o } GROUP BY ?o", values=constants)
        assert self.numbers(three, grouped) == [1, 2]
        ungrouped = Query("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", values=constants)
        assert self.numbers(three, ungrouped) == [3, 3]

    def test_an_answer_belongs_to_the_thread_that_asked(self, three: GraphStore) -> None:
        answers = [three.at().query(query) for query in (Query(ALL), CONSTRUCT, Query("ASK {}"))]
        refused: list[str] = []

        def read() -> None:
            for answer in answers:
                for reading in (lambda a=answer: list(a.rows()), lambda a=answer: a.kind, lambda a=answer: a.truth):
                    with pytest.raises(RuntimeError) as found:
                        reading()
                    refused.append(str(found.value))

        reader = threading.Thread(target=read)
        reader.start()
        reader.join()
        assert len(refused) == 9
        assert len(list(answers[0].rows())) == 3

    def test_kinds_of_answers(self, three: GraphStore) -> None:
        snapshot = three.at()
        assert snapshot.query(Query(ALL)).kind == "select"
        asked = snapshot.query(Query("ASK { ?s ?p 2 }"))
        assert (asked.kind, asked.truth) == ("ask", True)
        assert snapshot.query(Query("ASK { ?s ?p 9 }")).truth is False
        assert snapshot.query(CONSTRUCT).kind == "graph"
        assert snapshot.query(Query(f"DESCRIBE <{BASE}s>")).kind == "graph"
        assert len(list(snapshot.query(Query(f"DESCRIBE <{BASE}s>")).triples())) == 3

    def test_an_unbound_variable_is_not_in_its_row(self, three: GraphStore) -> None:
        answer = three.at().query(Query(f"SELECT ?o ?x {{ ?s ?p ?o OPTIONAL {{ ?o <{BASE}p> ?x }} }}"))
        assert answer.variables == ("o", "x")
        assert [set(row) for row in answer.rows()] == [{"o"}] * 3

    def test_construct_repeats_no_triple(self, store: GraphStore) -> None:
        store.apply(change([quad(f"s{n}", n) for n in range(50)]), expect=0)
        same = Query(f"CONSTRUCT {{ <{BASE}a> <{BASE}b> ?t . ?s ?p ?o }} WHERE {{ ?s ?p ?o BIND(1 AS ?t) }}")
        triples = list(store.at().query(same).triples())
        assert len(triples) == len(set(triples)) == 51
        lines = store.at().query(same).serialize("application/n-triples").splitlines()
        assert len(lines) == len(set(lines)) == 51

    @pytest.mark.parametrize(
        ("text", "line"), [("SELECT ?o {\n ?s ?p\n}", 3), ("SELEKT", 1), ("", 1), ("SELECT ?o { ?s ?p ?o", 1)]
    )
    def test_a_query_that_does_not_parse_names_the_place(self, three: GraphStore, text: str, line: int) -> None:
        with pytest.raises(BadQuery) as found:
            three.at().query(Query(text))
        assert found.value.line == line
        assert found.value.column is not None

    # --- serialisations ----------------------------------------------------------------------------------------

    @pytest.fixture
    def rich(self, store: GraphStore) -> GraphStore:
        """A store with every kind of term."""
        texts = [quad(f"s{n}", Literal(text)) for n, text in enumerate(TEXTS.values()) if "\x07" not in text]
        store.apply(
            change(
                [
                    *texts,
                    quad("s", Literal("Größe 😀", language="de")),
                    quad("s", typed("0.3", "decimal")),
                    quad("s", 7),
                    quad("s", typed("true", "boolean")),
                    quad("s", typed("2024-07", "gYearMonth")),
                    quad("s", name("o")),
                    Quad(name("s"), name("p"), Blank("b"), name("g")),
                    Quad(Blank("b"), name("p"), Literal("inside"), name("g")),
                ]
            ),
            expect=0,
        )
        return store

    @pytest.mark.parametrize("media_type", GRAPH_FORMATS)
    def test_graphs_read_back_equal_by_two_parsers(self, rich: GraphStore, media_type: str) -> None:
        wanted = rdflib.Graph().parse(data=rich.at().query(CONSTRUCT).serialize("application/n-triples"), format="nt")
        written = rich.at().query(CONSTRUCT).serialize(media_type)
        read = rdflib.Graph().parse(data=written, format=media_type)
        assert len(read) == len(content(rich))
        assert isomorphic(read, wanted)
        by_engine = ox.Dataset(ox.parse(written, format=ox.RdfFormat.from_media_type(media_type)))
        by_store = ox.Dataset(Quad(q.subject, q.predicate, q.object) for q in rich.at().quads())
        for dataset in (by_engine, by_store):
            dataset.canonicalize(ox.CanonicalizationAlgorithm.UNSTABLE)
        assert by_engine == by_store

    @pytest.mark.parametrize("media_type", ["application/sparql-results+json", "application/sparql-results+xml"])
    def test_rows_read_back_equal_by_two_parsers(self, rich: GraphStore, media_type: str) -> None:
        query = Query("SELECT ?o ?none { ?s ?p ?o FILTER(!ISBLANK(?o)) }")
        wanted = {str(row["o"]) for row in rich.at().query(query).rows()}
        written = rich.at().query(query).serialize(media_type)
        parsed = ox.parse_query_results(written, format=ox.QueryResultsFormat.from_media_type(media_type))
        assert isinstance(parsed, ox.QuerySolutions)
        assert {str(solution["o"]) for solution in parsed} == wanted
        word = media_type.rsplit("+", 1)[-1]
        foreign = Result.parse(io.BytesIO(written), format=word)
        values = {str(row[rdflib.Variable("o")]) for row in foreign.bindings}
        assert values == {row["o"].value for row in rich.at().query(query).rows()}

    def test_tab_separated_rows_read_back_equal(self, rich: GraphStore) -> None:
        query = Query("SELECT ?o { ?s ?p ?o FILTER(!ISBLANK(?o)) }")
        written = rich.at().query(query).serialize("text/tab-separated-values")
        parsed = ox.parse_query_results(written, format=ox.QueryResultsFormat.TSV)
        assert isinstance(parsed, ox.QuerySolutions)
        assert {str(row["o"]) for row in parsed} == {str(row["o"]) for row in rich.at().query(query).rows()}

    def test_comma_separated_rows_keep_every_value(self, rich: GraphStore) -> None:
        query = Query("SELECT ?o { ?s ?p ?o FILTER(!ISBLANK(?o)) }")
        written = rich.at().query(query).serialize("text/csv").decode()
        header, *rows = csv.reader(io.StringIO(written, newline=""))
        assert header == ["o"]
        values = [row[0] if row else "" for row in rows]
        assert sorted(values) == sorted(row["o"].value for row in rich.at().query(query).rows())

    @pytest.mark.parametrize("media_type", SELECT_FORMATS[:2])
    def test_a_truth_value_reads_back(self, rich: GraphStore, media_type: str) -> None:
        written = rich.at().query(Query("ASK { ?s ?p 7 }")).serialize(media_type)
        parsed = ox.parse_query_results(written, format=ox.QueryResultsFormat.from_media_type(media_type))
        assert isinstance(parsed, ox.QueryBoolean)
        assert bool(parsed) is True

    def test_formats_fit_their_kind_of_answer(self, three: GraphStore) -> None:
        for query, offered in ((Query(ALL), GRAPH_FORMATS), (CONSTRUCT, SELECT_FORMATS)):
            for media_type in (*offered, "text/plain"):
                with pytest.raises(BadParameter):
                    three.at().query(query).serialize(media_type)

    @pytest.mark.parametrize("media_type", [*SELECT_FORMATS, *GRAPH_FORMATS])
    def test_a_longer_answer_than_allowed_is_refused(self, store: GraphStore, media_type: str) -> None:
        store.apply(change([quad(f"s{n}", "x" * 100) for n in range(500)]), expect=0)
        query = CONSTRUCT if media_type in GRAPH_FORMATS else Query(ALL)
        whole = store.at().query(query).serialize(media_type)
        assert store.at().query(query).serialize(media_type, limit=len(whole)) == whole
        for limit in (len(whole) - 1, 10):
            with pytest.raises(QueryRefused) as found:
                store.at().query(query).serialize(media_type, limit=limit)
            assert str(limit) in found.value.message

    @pytest.mark.parametrize("media_type", ["text/csv", "application/sparql-results+json"])
    def test_more_rows_than_allowed_are_refused(self, three: GraphStore, media_type: str) -> None:
        rows = Query("SELECT ?o { ?s ?p ?o }")
        assert three.at().query(rows).serialize(media_type, most=3)
        with pytest.raises(QueryRefused, match="more than 2 rows"):
            three.at().query(rows).serialize(media_type, most=2)

    def test_more_triples_than_allowed_are_refused(self, three: GraphStore) -> None:
        triples = Query("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }")
        assert three.at().query(triples).serialize("text/turtle", most=3)
        with pytest.raises(QueryRefused, match="more than 2 triples"):
            three.at().query(triples).serialize("text/turtle", most=2)

    def test_relative_iris_are_relative_to_our_own(self, store: GraphStore) -> None:
        here = IRI("https://w3id.org/slmkg/here")
        store.apply(change([Quad(here, here, Literal("x"), here)]), expect=0)
        for text in (
            "SELECT ?o { <here> <here> ?o }",
            "SELECT ?o { GRAPH <here> { ?s ?p ?o } }",
            "SELECT ?o FROM <here> { ?s ?p ?o }",
            "PREFIX x: <he> SELECT ?o { x:re ?p ?o }",
            "BASE <https://w3id.org/> BASE <slmkg/> SELECT ?o { <here> ?p ?o }",
        ):
            assert column(store, text) == [Literal("x")], text

    # --- health ------------------------------------------------------------------------------------------------

    def test_a_healthy_store_says_so(self, store: GraphStore) -> None:
        assert all(sign.state is not State.BAD for sign in store.examine())
        store.apply(change([quad("s", 1)]), expect=0)
        store.apply(change([quad("s", 2)]), expect=1)
        assert all(sign.state is not State.BAD for sign in store.examine())
        assert store.repair() == ()
        assert content(store) == {quad("s", 1), quad("s", 2)}
        assert content(store, 1) == {quad("s", 1)}

    def test_what_is_checked_is_the_revision(self, store: GraphStore) -> None:
        store.apply(change([quad("s", 1)]), expect=0)
        store.apply(change([quad("s", 2)]), expect=1)
        assert set(store.to_check().quads()) == {quad("s", 1), quad("s", 2)}
        assert set(store.to_check(1).quads()) == {quad("s", 1)}
        with pytest.raises(NotFound):
            store.to_check(3)

    def test_quads_are_known_in_the_form_that_is_kept(self, store: GraphStore) -> None:
        given = [quad("s", typed(text, "decimal")) for text in ("0.30", "1000", "2.6666666666666665")]
        store.apply(change(given), expect=0)
        assert content(store) == store.as_kept(given)

    # --- at the same time --------------------------------------------------------------------------------------

    def test_readers_see_whole_revisions_while_somebody_writes(self, store: GraphStore) -> None:
        """Each revision holds ten quads with its own number; a reader that sees a mixture has seen a torn state."""

        def of(number: int) -> set[Quad]:
            return {quad(f"s{n}", number) for n in range(10)}

        store.apply(change(of(1)), expect=0)
        done = threading.Event()
        torn: list[str] = []
        seen: set[int] = set()

        def read() -> None:
            while not done.is_set():
                snapshot = store.at()
                numbers = [int(row["o"].value) for row in snapshot.query(Query(ALL)).rows()]
                if len(numbers) != 10 or len(set(numbers)) != 1:
                    torn.append(f"{sorted(numbers)}")
                seen.update(numbers)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        assert happens(lambda: 1 in seen), "the readers read before the first write"
        for number in range(2, 32):
            store.apply(change(of(number), of(number - 1)), expect=number - 1)
        assert happens(lambda: 31 in seen), "the readers read after the last write"
        done.set()
        for reader in readers:
            reader.join()
        assert torn == []
        assert content(store) == of(31)

    def test_two_writers_lose_nothing(self, store: GraphStore) -> None:
        """Every acknowledged commit is there, every refusal is one of the two agreed ones."""
        acknowledged: list[Quad] = []
        unexpected: list[BaseException] = []

        def write(who: str) -> None:
            for number in range(15):
                mine = quad(who, number)
                while True:
                    try:
                        expect = store.head().number
                        store.apply(change([mine]), expect=expect)
                    except (StoreBusy, StaleRevision):
                        continue
                    except BaseException as error:
                        unexpected.append(error)
                        return
                    acknowledged.append(mine)
                    break

        store.apply(change(), expect=0)
        writers = [threading.Thread(target=write, args=(who,)) for who in ("a", "b", "c")]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert unexpected == []
        assert len(acknowledged) == 45
        assert content(store) == set(acknowledged)
        assert [revision.number for revision in store.revisions()] == list(range(1, 47))
        assert all(revision.added == 1 for revision in store.revisions()[1:])
