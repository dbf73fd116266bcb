"""No query that the guard accepts makes the engine call anybody: shown by the engine itself, on queries made to trick.

Accepted queries run twice: in a confined process, where opening a socket fails with words of its own, and in one that
may open sockets, while a listener on the loopback waits for a call. A first test shows that both would tell.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyoxigraph as ox
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from rdflib.plugins.sparql.parser import parseQuery

from app.errors import BadQuery, QueryRefused
from app.store import guard as guard_module
from app.store import reader
from app.store.guard import Form, guard, known_form

LIMIT = 100_000
HERE = "http://127.0.0.1:{port}/"
CALL, WRITE = "\x01", "\x02"
"""Marks that the grammar sets before what must be refused; they are not part of the query."""
DOOR_SHUT = re.compile(rb"os error 24|Too many open files|failed to lookup|Network|Connection|resolve", re.IGNORECASE)


# ---- an engine that tells when it tries to call ----


@dataclass(frozen=True)
class Watch:
    """A listener that counts its callers, a confined process, and a store to ask in this process."""

    port: int
    calls: list[object]
    confined: socket.socket
    store: ox.Store

    def in_confinement(self, query: str) -> tuple[int, bytes]:
        asked = {
            "query": query,
            "union": True,
            "default_graphs": [],
            "named_graphs": [],
            "media_type": "application/sparql-results+json",
            "prefixes": {},
            "max_bytes": 10**7,
            "max_rows": 10**5,
        }
        frame = json.dumps(asked).encode()
        self.confined.sendall(len(frame).to_bytes(4, "little") + frame)
        size = int.from_bytes(self._exactly(4), "little")
        data = self._exactly(size)
        return data[0], data[1:]

    def freely(self, query: str) -> None:
        try:
            result = self.store.query(query)
            if not isinstance(result, ox.QueryBoolean):
                for _ in result:
                    pass
        except (SyntaxError, ValueError, OSError, RuntimeError):
            pass

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.confined.recv(size - len(data))
            assert part, "the confined process has ended"
            data += part
        return data


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    store = ox.Store()
    for number in range(3):
        thing = ox.NamedNode(f"urn:{number}")
        store.add(ox.Quad(thing, ox.NamedNode("urn:p"), ox.Literal(f"SERVICE {number}"), ox.DefaultGraph()))
        store.add(ox.Quad(thing, ox.NamedNode("urn:p"), ox.NamedNode("urn:0"), ox.NamedNode("urn:g")))
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            reader._close_the_door()
            reader._serve(store, theirs, in_memory=True)
        finally:
            os._exit(0)
    theirs.close()
    ours.settimeout(60)
    listener = socket.create_server(("127.0.0.1", 0))
    calls: list[object] = []

    def count() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            calls.append(connection.recv(100))
            connection.close()

    threading.Thread(target=count, daemon=True).start()
    yield Watch(listener.getsockname()[1], calls, ours, store)
    ours.close()
    os.waitpid(child, 0)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def test_a_call_would_be_seen(watch: Watch) -> None:
    query = f"SELECT * {{ SERVICE <{HERE.format(port=watch.port)}> {{ ?s ?p ?o }} }}"
    status, words = watch.in_confinement(query)
    assert status == reader.FAILED
    assert DOOR_SHUT.search(words), words
    assert not watch.calls
    watch.freely(query)
    deadline = time.monotonic() + 10
    while not watch.calls and time.monotonic() < deadline:
        time.sleep(0.01)
    assert watch.calls
    watch.calls.clear()


# ---- a grammar of queries that try to look like others ----

PLAIN = [" ", " ", "\n", "\t", "  "]
WORDY = [*PLAIN, "# SERVICE\n", "#\n", "# } \" ' < {\n", "#'\n"]
TRICKY = [
    *WORDY,
    "",
    "",
    "\r\n",
    "\r",
    "#x\r",
    "# \\u0053\n",
    "#'''\r",
    "\\u0020",
    "# x\\u000A",
    "# SERVICE\\U0000000D",
]
STYLES = {"plain": PLAIN, "wordy": WORDY, "tricky": TRICKY}
"""What stands between the parts of a query. Plain ones do not have the word at all, and tricky ones escapes, too."""
GAP, ESCAPED, VERSION = "\x03", "\x04", "\x05"
"""Marks for what depends on the style."""
VARIABLE = st.sampled_from(
    ["?s", "?o", "$p", "?service", "?SERVICE", "?load", "$Service1", "?x_SERVICE", "?trueSERVICE"]
)
STRING = st.sampled_from(
    [
        '"SERVICE"',
        "'LOAD <x>'",
        '"""SERVICE <u> "" { }"""',
        "'''a\nSERVICE'''",
        '"\\u0053ERVICE"',
        '"a\\"SERVICE ?x {\\""',
        "'>'",
        '"#"',
        '"x"@en',
        "''",
        '""',
        "'\\u0022'",
    ]
)
NUMBER = st.sampled_from(["1", "1.5", "1e5", "-2", "true", "false"])
NAMED = st.sampled_from(
    [
        "ex:a",
        "ex:SERVICE",
        "service:a",
        "SERVICE:a",
        "SERVICE:SERVICE",
        ":SERVICE",
        ":",
        "load:x",
        "ex:a.SERVICE",
        "ex:a\\#b",
        "ex:",
        "ex:\\u0053ERVICE",
    ]
)
IRI = st.sampled_from(["<urn:p>", "<urn:0>", "<HERE>", "<HERE#SERVICE>", "<urn:'>", "<urn:g>", "<\\u0075rn:p>"])
NODE = st.one_of(VARIABLE, IRI, NAMED, st.sampled_from(["[]", "_:b", "_:SERVICE", "[ ex:a ?q ]"]))
OBJECT = st.one_of(NODE, STRING, NUMBER)
PATH = st.one_of(VARIABLE, IRI, NAMED, st.sampled_from(["<urn:p>*", "^ex:a", "a", "(ex:a|<urn:p>)?", "!ex:a"]))


@st.composite
def keyword(draw: st.DrawFn, word: str) -> str:
    letters = [draw(st.sampled_from([letter, letter, letter.lower()])) for letter in word]
    if draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(letters) - 1))
        letters[at] = ESCAPED + letters[at]
    return "".join(letters)


@st.composite
def row(draw: st.DrawFn, *parts: st.SearchStrategy[str] | str) -> str:
    return "".join([(part if isinstance(part, str) else draw(part)) + GAP for part in parts])


@st.composite
def styled(draw: st.DrawFn, marked: st.SearchStrategy[str]) -> str:
    style = draw(st.sampled_from(sorted(STYLES)))
    text = draw(marked)
    if style == "plain" and CALL not in text:
        text = re.sub("service", "servant", text, flags=re.IGNORECASE)
    if style == "tricky":
        long = draw(st.booleans())
        text = re.sub(
            f"{ESCAPED}(.)", lambda found: f"\\{'U' if long else 'u'}{ord(found[1]):0{8 if long else 4}X}", text
        )
    blanks = draw(st.lists(st.sampled_from(STYLES[style]), min_size=text.count(GAP), max_size=text.count(GAP)))
    rest = iter(blanks)
    text = re.sub(GAP, lambda _: next(rest), text)
    return text.replace(ESCAPED, "").replace(VERSION, 'VERSION "1.2"' if style == "tricky" else "")


TRIPLE = row(NODE, PATH, OBJECT, st.sampled_from([".", ".", "", ";"]))
TEST = st.one_of(
    row("(", OBJECT, st.sampled_from(["<", ">", "=", "<=", "!=", "&&", "||", "+"]), OBJECT, ")"),
    row(keyword("CONTAINS"), "(", keyword("STR"), "(", VARIABLE, ")", ",", STRING, ")"),
    row("(", VARIABLE, "<'>')"),
)
SHOWN = st.sampled_from(["*", "?service ?s", "?s", "(COUNT(*) AS ?service)", "(MAX(?o) AS ?SERVICE)", "DISTINCT ?o"])


def groups(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = row("{", inner, "}")
    target = st.one_of(IRI, VARIABLE, NAMED)
    call = row(st.just(CALL), keyword("SERVICE"), st.sampled_from(["", "SILENT", "silent"]), target, group)
    return st.one_of(
        row(inner, inner),
        group,
        row(keyword("OPTIONAL"), group),
        row(group, keyword("UNION"), group),
        row(keyword("MINUS"), group),
        row(keyword("GRAPH"), target, group),
        row(keyword("FILTER"), TEST),
        row(keyword("FILTER"), keyword("NOT"), keyword("EXISTS"), group),
        row(keyword("FILTER"), keyword("EXISTS"), group),
        row(keyword("BIND"), "(", OBJECT, keyword("AS"), VARIABLE, ")"),
        row(keyword("VALUES"), VARIABLE, "{", OBJECT, OBJECT, "}"),
        row("{", keyword("SELECT"), SHOWN, keyword("WHERE"), group, "}"),
        row("{", keyword("SELECT"), SHOWN, group, keyword("GROUP"), "BY ", VARIABLE, keyword("LIMIT"), " 5", "}"),
        row("{", keyword("SELECT"), SHOWN, group, keyword("HAVING"), "(", keyword("EXISTS"), group, ")", "}"),
        row("{", keyword("SELECT"), "(", keyword("EXISTS"), group, keyword("AS"), "?new", ")", group, "}"),
        row("{", keyword("SELECT"), "*", group, keyword("ORDER"), " BY", "(", keyword("EXISTS"), group, ")", "}"),
        row("{", keyword("SELECT"), "*", group, keyword("VALUES"), VARIABLE, "{", OBJECT, "}", "}"),
        row(keyword("BIND"), "(", keyword("EXISTS"), group, keyword("AS"), "?new", ")"),
        row(keyword("FILTER"), "(", TEST, "||", keyword("NOT"), " ", keyword("EXISTS"), group, ")"),
        row(keyword("LATERAL"), group),
        call,
        call,
        row("{", keyword("SELECT"), SHOWN, "{", call, "}", "}"),
    )


PATTERN = st.recursive(st.one_of(TRIPLE, TRIPLE, st.just("")), groups, max_leaves=6)
PROLOGUE = row(
    "PREFIX ex: <HERE>",
    "PREFIX service: <HERE>",
    st.sampled_from(["PREFIX Service:<urn:>", "base <HERE>", VERSION, ""]),
    "PREFIX SERVICE: <HERE>",
    "PREFIX : <HERE>",
    "prefix load:\r<HERE>",
)
GROUP = row("{", PATTERN, "}")
QUERY = styled(
    st.one_of(
        row(PROLOGUE, keyword("SELECT"), st.sampled_from(["*", "?service ?s", "(COUNT(*) AS ?service)"]), GROUP),
        row(
            PROLOGUE,
            keyword("SELECT"),
            "*",
            st.sampled_from(["", "FROM <HERE>", "FROM NAMED <HERE>"]),
            keyword("WHERE"),
            GROUP,
        ),
        row(PROLOGUE, keyword("ASK"), GROUP),
        row(PROLOGUE, keyword("CONSTRUCT"), "{", TRIPLE, "}", keyword("WHERE"), GROUP),
        row(PROLOGUE, keyword("DESCRIBE"), st.one_of(IRI, VARIABLE), keyword("WHERE"), GROUP),
    )
)
UPDATE = styled(
    row(
        st.one_of(PROLOGUE, st.just("")),
        st.just(WRITE),
        st.one_of(
            row(keyword("LOAD"), IRI),
            row(keyword("INSERT"), keyword("DATA"), "{", TRIPLE, "}"),
            row(keyword("DELETE"), keyword("WHERE"), GROUP),
            row(keyword("CLEAR"), "ALL"),
            row(keyword("DROP"), keyword("GRAPH"), IRI),
        ),
    )
)
TRICKS = [
    "SELECT * { SERVICE <HERE> {} }",
    "SELECT * {SERVICE<HERE>{}}",
    "SELECT * { # x\rSERVICE <HERE> { ?a ?b ?c }\n }",
    "SELECT * { ?s ?p ?o # x\r. SERVICE <HERE> { ?a ?b ?c }\n }",
    "PREFIX ex: <HERE> SELECT * { SERVICEex:x {?a ?b ?c} }",
    "PREFIX ex: <HERE> SELECT * { serviceSILENTex:x {?a ?b ?c} }",
    "PREFIX : <HERE> SELECT * { SERVICE:x {?a ?b ?c} }",
    "PREFIX SERVICE: <HERE> PREFIX : <HERE> SELECT * { SERVICE:x {?a ?b ?c} }",
    "SELECT * { ?s ?p 1SERVICE<HERE>{?a ?b ?c} }",
    "SELECT * { ?s ?p trueSERVICE<HERE>{?a ?b ?c} }",
    "SELECT * { \\u0053ERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { S\\U00000045RVICE <HERE> {?a ?b ?c} }",
    "SELECT * { \\u005Cu0053ERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { ?s ?p ?a,?b FILTER(?a<'>') SERVICE <HERE> {?x ?y ?z} FILTER(?b<'>') }",
    "SELECT * { ?s ?p ?a FILTER(?a<?b#>\n) SERVICE <HERE> {?x ?y ?z} }",
    "SELECT * { SERVICE # { \n SILENT # } \r <HERE> # x\n {?a ?b ?c} }",
    "SELECT * { SERVICE <HERE#x> {?a ?b ?c} }",
    "SELECT * { BIND(<HERE> AS ?x) SERVICE ?x {?a ?b ?c} }",
    "SELECT * { BIND(<HERE> AS ?x)SERVICE?x{?a ?b ?c} }",
    "SELECT * { ?s ?p ?o LATERAL { SERVICE <HERE> {?a ?b ?c} } }",
    "ASK { FILTER NOT EXISTS { SERVICE <HERE> {?a ?b ?c} } }",
    "SELECT * { { SELECT * { { SERVICE <HERE> {?a ?b ?c} } } } }",
    "CONSTRUCT { ?a ?b ?c } { SERVICE <HERE> {?a ?b ?c} }",
    "DESCRIBE ?a { SERVICE <HERE> {?a ?b ?c} }",
    'VERSION "1.2" SELECT * { SERVICE <HERE> {?a ?b ?c} }',
    "SELECT * { SERVICE <HERE\\u002F> {?a ?b ?c} }",
    'SELECT * { FILTER("\r" = "") SERVICE <HERE> {?a ?b ?c} }',
    "SELECT * { SERVICE\u00a0<HERE> {?a ?b ?c} }",
    "SELECT * { \u017fERVICE <HERE> {?a ?b ?c} }",
    "PREFIX ex: <HERE> SELECT * { SERVICE ex:a\\#b {?a ?b ?c} }",
    "SELECT * { '''' ''' SERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { # \\u000ASERVICE <HERE> {?a ?b ?c}\n }",
    "SELECT * { # \\u000DSERVICE <HERE> {?a ?b ?c}\n }",
    "SELECT * { ?s ?p '\\u0027 . SERVICE <HERE> {?a ?b ?c} # ' \n}",
    "SELECT * { ?s ?p <urn:\\u003E . SERVICE <HERE> {?a ?b ?c} # > \n}",
    "SELECT * { SERVICE\\u0020<HERE> {?a ?b ?c} }",
    "SELECT * { SERVICE\\u0009<HERE>\\u007B?a ?b ?c} }",
    "PREFIX SERVICE: <HERE> SELECT * { SERVICE:a SERVICE:b SERVICE:c SERVICE SERVICE:d {?a ?b ?c} }",
    "PREFIX SILENT: <HERE> SELECT * { SERVICE SILENT SILENT:x {?a ?b ?c} }",
    "SELECT * { {SELECT(COUNT(*)AS?n){SERVICE<HERE>{?a ?b ?c}}GROUP BY?a HAVING(1)} }",
    "SELECT (EXISTS{SERVICE<HERE>{?a ?b ?c}} AS ?x) {}",
    "SELECT * {} ORDER BY (EXISTS{SERVICE<HERE>{?a ?b ?c}})",
    "SELECT (COUNT(*) AS ?n) {} HAVING(EXISTS{SERVICE<HERE>{?a ?b ?c}})",
    "SELECT (COUNT(*) AS ?n) {} GROUP BY (EXISTS{SERVICE<HERE>{?a ?b ?c}} AS ?g)",
    "SELECT * { BIND(EXISTS{SERVICE <HERE> {?a ?b ?c}} AS ?x) }",
    "SELECT * { BIND(IF(EXISTS{{SELECT*{{SELECT*{SERVICE<HERE>{?a ?b ?c}}}}}},1,2)AS?x) }",
    "SELECT * { << ?a ?b ?c >> ?p ?o . SERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { ?a ?b ?c {| ?d ?e |} SERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { ?a ?b 'x'@en--ltr SERVICE <HERE> {?a ?b ?c} }",
    "SELECT * { VALUES ?x { <HERE> } SERVICE ?x {?a ?b ?c} }",
    "SELECT * { GRAPH ?g { SERVICE <HERE> {?a ?b ?c} } }",
    "SELECT * { ?s ?p ?o } VALUES ?x { 'SERVICE' } SERVICE <HERE> {?a ?b ?c}",
]


def judge(watch: Watch, marked: str) -> int | None:
    """Refused (None), or answered without any call (what the confined engine said of it); nothing else."""
    text = marked.replace("<HERE", "<" + HERE.format(port=watch.port)).replace(CALL, "").replace(WRITE, "")
    try:
        form = guard(text, limit=LIMIT)
    except (BadQuery, QueryRefused):
        with contextlib.suppress(BadQuery, QueryRefused):
            assert known_form(text, limit=LIMIT) is None
        return None
    assert CALL not in marked, "a call was accepted"
    assert WRITE not in marked, "an update was accepted"
    assert isinstance(form, Form)
    assert known_form(text, limit=LIMIT) in {None, form}
    status, words = watch.in_confinement(text)
    assert status in {reader.OK, reader.BAD_QUERY, reader.FAILED}
    if status == reader.FAILED:
        assert not DOOR_SHUT.search(words), words
    watch.freely(text)
    assert not watch.calls
    return status


def test_the_grammar_reaches_the_engine(watch: Watch) -> None:
    """The search below is worth something: what it makes is answered often, in each of the ways that matter."""
    answered: list[str] = []
    refused: list[str] = []

    @given(query=QUERY)
    @settings(max_examples=600, derandomize=True, database=None)
    def look(query: str) -> None:
        outcome = judge(watch, query)
        if outcome == reader.OK:
            answered.append(query)
        elif outcome is None:
            refused.append(query)

    look()
    assert len(answered) > 150
    assert sum(CALL in query for query in refused) > 25
    for what, pattern in {
        "comments": r"#",
        "escapes": r"\\[uU]",
        "names that spell the word": r"(?i):SERVICE|SERVICE:a",
        "variables that spell the word": r"(?i)[?$]\w*service",
        "strings that hold the word": r"['\"].*SERVICE",
        "sub-selects": r"(?is)\{.*\{.*SELECT",
        "EXISTS": r"(?i)EXISTS",
    }.items():
        assert sum(re.search(pattern, query) is not None for query in answered) >= 3, what


@given(query=QUERY)
@settings(max_examples=250)
def test_queries(watch: Watch, query: str) -> None:
    judge(watch, query)


@pytest.mark.heavy
@given(query=QUERY)
@settings(max_examples=3_000)
def test_many_queries(watch: Watch, query: str) -> None:
    judge(watch, query)


@given(
    query=st.one_of(QUERY, st.sampled_from(TRICKS)),
    piece=st.sampled_from([*"\"'<>{}()#\\\r\n?:.1 ", "SERVICE", "'''"]),
    at=st.integers(0, 200),
)
@settings(max_examples=250)
def test_damaged_queries(watch: Watch, query: str, piece: str, at: int) -> None:
    """A piece put in somewhere: what was a call may be none now, so only the engine is asked whether it calls."""
    at = min(at, len(query))
    judge(watch, (query[:at] + piece + query[at:]).replace(CALL, "").replace(WRITE, ""))


@given(update=UPDATE)
@settings(max_examples=100)
def test_updates_are_refused(watch: Watch, update: str) -> None:
    assume(WRITE in update)
    judge(watch, update)


@given(text=st.text(max_size=200))
@example("\ud800")
@example("SELECT * { ?s ?p '\ud800 SERVICE' }")
@example("\\u")
@example("\\UFFFFFFFFSERVICE")
def test_any_text(text: str) -> None:
    with contextlib.suppress(BadQuery, QueryRefused):
        assert isinstance(guard(text, limit=LIMIT), Form)


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks(watch: Watch, trick: str) -> None:
    judge(watch, CALL + trick)


@pytest.mark.parametrize("trick", TRICKS)
def test_no_single_reading_is_needed(watch: Watch, trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With rdflib's parser blind the text alone refuses; with the text's reading blind, the engine is never reached."""
    innocent = parseQuery("ASK {}")
    monkeypatch.setattr(guard_module, "parseQuery", lambda _: innocent)
    with pytest.raises((QueryRefused, BadQuery)):
        guard(trick, limit=LIMIT)


@pytest.mark.parametrize("trick", [trick for trick in TRICKS if "\r" not in trick and "u000D" not in trick])
def test_rdflib_alone_refuses_what_it_can_read(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "calls_service", lambda _: False)
    with pytest.raises((QueryRefused, BadQuery)):
        guard(trick, limit=LIMIT)


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("SELECT ?service ?x { ?service ?p ?x }", Form.SELECT),
        ("SELECT ?microservice ?x { ?microservice ?p ?x }", Form.SELECT),
        ("PREFIX service: <urn:> ASK { service:a ?p ?o }", Form.ASK),
        ("PREFIX ex: <urn:> ASK { ?s ex:service ?o }", Form.ASK),
        ("SELECT * { ?s ?p 'the SERVICE of others' }", Form.SELECT),
        ("# a service\nCONSTRUCT WHERE { ?s ?p ?o }", Form.CONSTRUCT),
        ("DESCRIBE <http://example.org/service>", Form.DESCRIBE),
        ("SELECT * { ?load ?insert ?delete FILTER(?load = 'DROP ALL') }", Form.SELECT),
        ("base <urn:> prefix a:<b> # c\r PREFIX : <x>select*{}", Form.SELECT),
        ('VERSION "1.2" ASK {}', Form.ASK),
        ("ASK{}", Form.ASK),
    ],
)
def test_innocent_queries(query: str, form: Form) -> None:
    assert guard(query, limit=LIMIT) is form
    assert guard(query, limit=LIMIT) is form
    assert known_form(query) in {form, None}
    assert form.gives_graph is (form in {Form.CONSTRUCT, Form.DESCRIBE})


@pytest.mark.parametrize(
    "query",
    ["", "   ", "# only a comment", "\ufeffSELECT * {}", "DEFINE x SELECT * {}", "PREFIX a: <b>", "1", "SELECTED * {}"],
)
def test_what_is_no_query(query: str) -> None:
    with pytest.raises(BadQuery) as caught:
        guard(query, limit=LIMIT)
    assert caught.value.line is not None
    assert caught.value.column is not None


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * {} ; LOAD <urn:x>",
        "SELECT * {} INSERT DATA {}",
        "LOAD <urn:x>",
        "# c\rDROP ALL",
        "with <a> delete {} where {}",
    ],
)
def test_writes(query: str) -> None:
    with pytest.raises(QueryRefused):
        guard(query, limit=LIMIT)


BOMBS = {
    "braces": "SELECT * " + "{" * 10_000 + "}" * 10_000,
    "open braces": "SELECT * " + "{" * 90_000,
    "parentheses": "SELECT * { FILTER" + "(" * 99_000,
    "values": "SELECT * { VALUES ?x {" + "1 " * 45_000 + "} }",
    "union": "SELECT * {" + "{?s ?p ?o} UNION " * 5_000 + "{}}",
    "sum": "SELECT * { FILTER(" + "1+" * 45_000 + "1) }",
    "prefixes": "PREFIX a: <x> " * 7_000 + "SELECT * {}",
    "half a prefix": "PREFIX " * 12_000,
    "quotes": "SELECT * {" + "'" * 89_000,
    "long quotes": "SELECT * {" + '"""' * 30_000,
    "comments": "#" * 90_000,
    "blanks": "SELECT" + " " * 90_000 + "* {}",
    "brackets": "SELECT * {" + "<" * 90_000,
    "backslashes": "\\u005cu005c" * 9_000 + "SELECT * {}",
    "escapes": "SELECT * {" + "\\u005c" * 15_000,
}


@pytest.mark.parametrize("word", ["", "#SERVICE\n", "'SERVICE'", "SERVICE ", "SERVICE # \n"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_read_quickly(bomb: str, word: str) -> None:
    """About a second at worst; the bound leaves room for a busy machine."""
    for text in (BOMBS[bomb] + word, word + BOMBS[bomb], BOMBS[bomb][:4000] + word, BOMBS[bomb][:4000] + word * 400):
        started = time.monotonic()
        with contextlib.suppress(BadQuery, QueryRefused):
            guard(text, limit=200_000)
        assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "piece", ["1+", "?a||", "FILTER(1)", "{} UNION ", "1 ", "SERVICE ", "service:a ", "#\r", "?service ?x "]
)
def test_the_longest_text_that_is_parsed(piece: str) -> None:
    text = "SELECT * { ?s ?p 'service' FILTER(" + piece * (guard_module.LONGEST_PARSED // len(piece) - 20)
    started = time.monotonic()
    with pytest.raises((BadQuery, QueryRefused)):
        guard(text, limit=LIMIT)
    assert time.monotonic() - started < 30


def test_limits_of_length_and_depth() -> None:
    with pytest.raises(QueryRefused, match="longer than 10 bytes"):
        guard("ASK { ?s ?p ?o }", limit=10)
    with pytest.raises(QueryRefused, match="longer than 12 bytes"):
        guard("ASK {} # \u00e4\u00e4", limit=12)
    assert guard("ASK " + "{" * 200 + "}" * 200, limit=LIMIT) is Form.ASK
    with pytest.raises(QueryRefused, match="nested"):
        guard("ASK " + "{" * 201 + "}" * 201, limit=LIMIT)
    assert guard("ASK { ?s ?p '" + "{" * 500 + "' }", limit=LIMIT) is Form.ASK
    with pytest.raises(QueryRefused, match="SERVICE"):
        guard("ASK { ?s ?p 'service' }" + " " * guard_module.LONGEST_PARSED, limit=LIMIT)
