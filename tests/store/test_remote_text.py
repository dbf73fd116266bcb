"""A rewritten query over physical graphs answers like the original over logical ones: both run in our own engine."""

from __future__ import annotations

import re

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import QueryRefused
from app.model.rdf import IRI, Literal, Quad
from app.store.remote_text import Rewritten, clauses, rewrite, with_values

E = "https://example.org/"
PHYSICAL = {f"{E}g{n}": f"{E}store/{n}" for n in range(4)}
NOWHERE = f"{E}nowhere"
FACTS: list[tuple[str, str, IRI | Literal, str]] = [
    *((f"{E}s{n}", f"{E}p", Literal(n), f"{E}g{n}") for n in range(4)),
    (f"{E}s0", f"{E}p", Literal("GRAPH ?g { FROM }"), f"{E}g0"),
    (f"{E}s1", f"{E}next", IRI(f"{E}s2"), f"{E}g1"),
    # what the graph says of its own graphs uses logical names
    *((f"{E}g{n}", f"{E}title", Literal(f"graph {n}"), f"{E}g3") for n in range(4)),
]
QUERIES = [
    "SELECT * { ?s ?p ?o }",
    "SELECT ?g ?o { GRAPH ?g { ?s ?p ?o } }",
    "SELECT * { GRAPH ?g { ?s ?p ?o } }",
    "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }",
    "SELECT DISTINCT * { GRAPH ?g { ?s <https://example.org/p> ?o } }",
    "SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } }",
    "SELECT (COUNT(DISTINCT ?g) AS ?n) { GRAPH ?g { ?s ?p ?o } }",
    "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g ORDER BY ?g",
    "PREFIX e: <https://example.org/> SELECT ?o { GRAPH e:g1 { ?s ?p ?o } }",
    "PREFIX e: <https://example.org/g> SELECT ?o { GRAPH e:2 { ?s ?p ?o } }",
    "BASE <https://example.org/> SELECT ?o { GRAPH <g1> { ?s ?p ?o } }",
    "SELECT ?o { GRAPH <https://example.org/g9> { ?s ?p ?o } }",
    "SELECT ?g ?t { GRAPH ?g { ?s <https://example.org/p> ?o } ?g <https://example.org/title> ?t }",
    'SELECT ?g { GRAPH ?g { ?s ?p ?o } FILTER(STRENDS(STR(?g), "g2")) }',
    'SELECT ?g { GRAPH ?g { ?s ?p ?o FILTER(STRENDS(STR(?g), "g2")) } }',
    "SELECT ?g { GRAPH ?g { ?s ?p ?o FILTER(?g = <https://example.org/g1>) ?s <https://example.org/p> ?x } }",
    "SELECT ?g { GRAPH ?g { ?g ?p ?o } }",
    "SELECT ?g ?h { GRAPH ?g { ?s <https://example.org/next> ?t } GRAPH ?h { ?t <https://example.org/p> ?o } }",
    "SELECT ?g { GRAPH ?g { ?a <https://example.org/next> ?b } GRAPH ?g { ?a <https://example.org/p> ?o } }",
    "SELECT ?g { GRAPH ?g { { ?s <https://example.org/next> ?o } UNION { ?s ?p 3 } } }",
    "SELECT ?s { ?s ?p ?o FILTER NOT EXISTS { GRAPH <https://example.org/g3> { ?s ?p ?o } } }",
    "SELECT ?s ?g { ?s <https://example.org/p> ?o OPTIONAL { GRAPH ?g { ?s <https://example.org/next> ?n } } }",
    "SELECT ?s { ?s ?p ?o MINUS { GRAPH ?g { ?s ?p 2 } } }",
    "SELECT ?n { { SELECT (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } } }",
    "SELECT ?g ?s { GRAPH ?g { ?s ?p ?o { SELECT ?s { ?s <https://example.org/next> ?n } } } }",
    "SELECT ?o FROM <https://example.org/g1> { ?s ?p ?o }",
    "select?o from<https://example.org/g1>from <https://example.org/g2>{ ?s ?p ?o }",
    "PREFIX e: <https://example.org/> SELECT ?g ?o FROM NAMED e:g1 FROM NAMED e:g2 { GRAPH ?g { ?s ?p ?o } }",
    "SELECT ?o FROM NAMED <https://example.org/g1> { ?s ?p ?o }",
    "SELECT ?o FROM <https://example.org/g9> { ?s ?p ?o }",
    "SELECT ?g ?o FROM <https://example.org/g1> FROM NAMED <https://example.org/g2>"
    " { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }",
    "PREFIX graph: <https://example.org/> SELECT ?o { graph:s1 ?p ?o }",
    "PREFIX from: <https://example.org/> SELECT ?o { from:s1 from:p ?o }",
    'SELECT ?s { ?s ?p "GRAPH ?g { FROM }" }',
    "SELECT ?graph { ?graph ?p ?o } # GRAPH ?g { } FROM <x:y>",
    "SELECT ?g { GRAPH ?g { ?s ?p ?o FILTER(?o <2 || ?o>2) } }",
    "SELECT ?hidden0 { GRAPH ?hidden0 { ?s ?p ?o } }",
    "ASK { GRAPH <https://example.org/g1> { ?s ?p 1 } }",
    "ASK { GRAPH <https://example.org/g1> { ?s ?p 2 } }",
    "ASK FROM <https://example.org/g1> { ?s ?p 2 }",
    "CONSTRUCT { ?g <https://example.org/has> ?o } { GRAPH ?g { ?s ?p ?o } }",
    "CONSTRUCT { ?s ?p ?o } FROM <https://example.org/g1> WHERE { ?s ?p ?o }",
    "CONSTRUCT FROM <https://example.org/g1> WHERE { ?s ?p ?o }",
    "DESCRIBE <https://example.org/s1>",
    "SELECT ?g ?o { GRAPH ?g { ?s ?p ?o } } ORDER BY ?g ?o LIMIT 3",
]
JOINED = [
    "SELECT ?s { ?s ?p ?o }",
    "SELECT ?s ?o { ?s ?p ?o FILTER(ISLITERAL(?o)) } ORDER BY ?s LIMIT 2",
    "SELECT ?s WHERE { ?s ?p ?o OPTIONAL { ?s <https://example.org/next> ?n } } # end",
    "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }",
    "SELECT ?o (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?o",
    "SELECT ?s (COUNT(*) AS ?n) { ?s ?p ?o } GROUP BY ?s",
    "SELECT ?s { { SELECT ?s ?o { ?s ?p ?o } LIMIT 100 } }",
    "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }",
    "CONSTRUCT WHERE { ?s ?p ?o }",
    "ASK { ?s ?p ?o }",
    "DESCRIBE ?s { ?s ?p ?o }",
    "DESCRIBE ?s WHERE { ?s ?p ?o }",
]

_IRI = re.compile(r"<[^<>\"{}|^`\\\x00-\x20]*>")
_FROM = re.compile(r"\bFROM\s*(?:NAMED\s+)?(?:<|e:)", re.IGNORECASE)


def store_of(names: dict[str, str]) -> ox.Store:
    store = ox.Store()
    store.extend(Quad(IRI(s), IRI(p), o, IRI(names.get(g, g))) for s, p, o, g in FACTS)
    return store


def shown(result: ox.QuerySolutions | ox.QueryTriples | ox.QueryBoolean, hidden: frozenset[str]) -> object:
    if isinstance(result, ox.QueryBoolean):
        return bool(result)
    if isinstance(result, ox.QueryTriples):
        return sorted(set(map(str, result)))
    names = [variable.value for variable in result.variables if variable.value not in hidden]
    return sorted(tuple(f"{name}={row[name]}" for name in sorted(names)) for row in result)


def rewritten(text: str) -> tuple[Rewritten, list[str]]:
    """The rewritten text, and its physical default graphs."""
    said, tokens = clauses(text)
    visible = {name: PHYSICAL[name] for name in said.named if name in PHYSICAL} if said.chosen else PHYSICAL
    default = [PHYSICAL[name] for name in said.default if name in PHYSICAL] if said.chosen else [*PHYSICAL.values()]
    return rewrite(tokens, visible, nowhere=NOWHERE), default or [NOWHERE]


@pytest.mark.parametrize("text", QUERIES)
def test_a_rewritten_query_answers_like_the_original(text: str) -> None:
    union = _FROM.search(text.partition("#")[0]) is None
    wanted = shown(store_of({}).query(text, use_default_graph_as_union=union), frozenset())
    new, default = rewritten(text)
    found = store_of(PHYSICAL).query(
        new.text, default_graph=[IRI(name) for name in default], named_graphs=[IRI(name) for name in new.named]
    )
    assert shown(found, new.hidden) == wanted


@pytest.mark.parametrize("text", JOINED)
def test_values_join_like_a_block_at_the_end(text: str) -> None:
    block = "VALUES ?o { 1 2 <https://example.org/s2> }"
    store = store_of({})
    wanted = store.query(f"{text}\n{block}", use_default_graph_as_union=True)
    joined = "".join(token.text for token in with_values(clauses(text)[1], "o", block))
    assert shown(store.query(joined, use_default_graph_as_union=True), frozenset()) == shown(wanted, frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { SERVICE <http://example.org/> { ?s ?p ?o } }",
        "SELECT * { S\\u0045RVICE <http://example.org/> { ?s ?p ?o } }",
        "SELECT * { GRAPH ?g { SERVICE ?x { ?s ?p ?o } } }",
        'DEFINE get:soft "replace" SELECT * { ?s ?p ?o }',
        "SELECT * { ?s ?p ?o } ; INSERT DATA { GRAPH <x:g> { <x:s> <x:p> 1 } }",
        "SELECT (bif:http_get('http://127.0.0.1/') AS ?x) {}",
        "SELECT (<bif:http_get>('http://127.0.0.1/') AS ?x) {}",
        "SELECT (sql:anything() AS ?x) {}",
    ],
)
def test_what_could_write_or_call_out_is_refused(text: str) -> None:
    _, tokens = clauses(text)
    with pytest.raises(QueryRefused):
        rewrite(tokens, PHYSICAL, nowhere=NOWHERE)


def test_characters_written_as_numbers_are_read() -> None:
    plain, escaped = (rewritten(f"SELECT ?g {{ {word} ?g {{ ?s ?p ?o }} }}")[0] for word in ("GRAPH", "GR\\u0041PH"))
    assert escaped == plain
    _, tokens = clauses('SELECT ?s { ?s ?p "\\u0041" }')
    assert rewrite(tokens, PHYSICAL, nowhere=NOWHERE).text == 'SELECT ?s { ?s ?p "\\u0041" }'


def test_words_inside_strings_iris_and_comments_are_no_keywords() -> None:
    text = "SELECT ?insert { ?service <x:SERVICE> \"DELETE\" . ?s <x:load#add> '''CLEAR''' } # DROP\n"
    _, tokens = clauses(text)
    assert rewrite(tokens, PHYSICAL, nowhere=NOWHERE).text == text


@pytest.mark.parametrize("text", ["", "SELEKT", "INSERT DATA { <x:s> <x:p> 1 }", "PREFIX a: <x:y>", "{ SELECT"])
def test_what_is_no_query_has_no_form(text: str) -> None:
    assert clauses(text)[0].form == ""


def test_tests_for_blank_nodes_know_the_iris_that_stand_for_them() -> None:
    store = ox.Store()
    values: list[IRI | Literal] = [IRI("x:genid/b"), IRI("x:other"), Literal("x:genid/b")]
    for number, value in enumerate(values):
        store.add(Quad(IRI(f"x:s{number}"), IRI("x:p"), value, IRI(PHYSICAL[E + "g0"])))

    def asked(condition: str) -> list[str]:
        _, tokens = clauses(f"SELECT ?s {{ ?s ?p ?o FILTER({condition}) }}")
        text = rewrite(tokens, PHYSICAL, nowhere=NOWHERE, skolem="x:genid/").text
        found = store.query(text, use_default_graph_as_union=True)
        assert isinstance(found, ox.QuerySolutions)
        return sorted(str(row["s"])[1:-1] for row in found)

    assert asked("isBlank(?o)") == ["x:s0"]
    assert asked("!ISBLANK(?o)") == ["x:s1", "x:s2"]
    assert asked("isIRI(?o)") == ["x:s1"]
    assert asked("isURI(IF(isBlank(?o), <x:y>, ?o))") == ["x:s0", "x:s1"]
    assert asked("isLiteral(?o)") == ["x:s2"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT * { <a> ?p <#b> }", "SELECT * { <https://w3id.org/slmkg/a> ?p <https://w3id.org/slmkg/#b> }"),
        (
            "BASE <http://e/x/> SELECT * { <> ?p <../y> }",
            "    SELECT * { <http://e/x/> ?p <http://e/y> }",
        ),
        ("BASE <g/>\nbase <i/>\nPREFIX p: <h#> ASK { p:a ?p 1 }", "   \n   \nPREFIX p: <{b}g/i/h#> ASK {{ p:a ?p 1 }}"),
        ("ASK { BASE <http://e/> }", "ASK { BASE <http://e/> }"),
        ('ASK { ?s ?p "<a>" } # <b>', 'ASK { ?s ?p "<a>" } # <b>'),
        ("ASK { ?s ?p ?o FILTER(?o < 3 && ?o > 1) }", "ASK { ?s ?p ?o FILTER(?o < 3 && ?o > 1) }"),
        ("ASK { <urn:x> <x:y> <//h/z> }", "ASK { <urn:x> <x:y> <https://h/z> }"),
    ],
)
def test_relative_iris_become_absolute(text: str, wanted: str) -> None:
    made = "".join(token.text for token in clauses(text)[1])
    assert made == (wanted.format(b="https://w3id.org/slmkg/") if "{b}" in wanted else wanted)


def test_graphs_with_relative_names_are_found() -> None:
    said, tokens = clauses("SELECT * FROM <g0> FROM NAMED <g1> { GRAPH <g1> { ?s ?p ?o } }", E)
    assert (said.default, said.named) == ((E + "g0",), (E + "g1",))
    assert PHYSICAL[E + "g1"] in rewrite(tokens, PHYSICAL, nowhere=NOWHERE).text


@given(st.text(alphabet=st.sampled_from("GRAPH FROM?g{}()<>\"'\\#:.@,;x1\n\u00e9"), max_size=60))
def test_any_text_can_be_read_and_nothing_is_lost(text: str) -> None:
    said, tokens = clauses(text)
    if not said.chosen and "\\u" not in text:
        assert _IRI.sub("<>", "".join(token.text for token in tokens)) == _IRI.sub("<>", text)
    rewrite(tokens, PHYSICAL, nowhere=NOWHERE)
