"""When two answers are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.conformance.answers import (
    Answer,
    Table,
    UnreadableAnswer,
    difference,
    expected_type,
    is_ordered,
    read_answer,
    read_expected,
    read_graphs,
)
from scripts.conformance.manifest import Graphs, Source

BASE = "http://example.org/"


def tsv(*rows: str, names: str = "?a\t?b") -> Answer:
    return read_answer("\n".join([names, *rows, ""]).encode(), "text/tab-separated-values", BASE)


def csv(text: str) -> Answer:
    return read_answer(text.encode(), "text/csv", BASE)


def turtle(text: str) -> Answer:
    return read_answer(text.encode(), "text/turtle", BASE)


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (tsv('"x"\t"y"', '"z"\t'), tsv('"z"\t', '"x"\t"y"')),
        (tsv("_:a\t_:b", "_:a\t_:c"), tsv("_:z\t_:y", "_:z\t_:x")),
        (tsv("01\t1.50", "1e1\t+2"), tsv("1\t1.5", "10.0e0\t2")),
        (tsv('"x"@EN\t'), tsv('"x"@en\t')),
        (csv("a,b\r\n_:x,1.0\r\n,2\r\n"), csv("b,a\n1,_:y\n2,\n")),
        (csv('a\r\n"say ""hi"",\r\nnow"\r\n'), csv('a\r\n"say ""hi"",\r\nnow"\r\n')),
        (turtle("<s> <p> [ <q> 1.0 ] ."), turtle("_:x <q> 1.00 . <s> <p> _:x .")),
        (True, True),
    ],
)
def test_same(expected: Answer, actual: Answer) -> None:
    assert difference(expected, actual) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (tsv('"x"\t', '"x"\t'), tsv('"x"\t')),
        (tsv("_:a\t_:a"), tsv("_:a\t_:b")),
        (tsv("_:a\t", "_:a\t"), tsv("_:a\t", "_:b\t")),
        (tsv('"x"\t'), tsv('\t"x"')),
        (tsv('"x"\t'), tsv('"x"@en\t')),
        (tsv("1\t"), tsv("1.0\t")),
        (tsv("1\t"), tsv('"1"\t')),
        (tsv('"x"', names="?a"), tsv('"x"\t')),
        (tsv(), True),
        (tsv(), turtle("")),
        (True, False),
        (csv("a\r\nx\r\n"), csv("a\r\ny\r\n")),
        (turtle("<s> <p> [ ] , [ ] ."), turtle("<s> <p> [ ] .")),
        (turtle("<s> <p> 1 ."), turtle("<s> <p> 2 .")),
    ],
)
def test_different(expected: Answer, actual: Answer) -> None:
    assert difference(expected, actual)
    assert difference(actual, expected)


def test_many_equal_rows_are_compared_quickly() -> None:
    rows = [f"_:a{n}\t_:b{n}" for n in range(60)]
    assert difference(tsv(*rows), tsv(*reversed(rows))) is None
    assert difference(tsv(*rows), tsv(*rows[1:]))


def test_order_counts_only_where_it_is_asked_for() -> None:
    expected, actual = tsv('"x"\t', '"y"\t'), tsv('"y"\t', '"x"\t')
    assert difference(expected, actual) is None
    assert difference(expected, actual, ordered=True)
    assert difference(expected, expected, ordered=True) is None


def test_strict_compares_what_is_written() -> None:
    assert difference(tsv("01\t"), tsv("1\t"), strict=True)
    assert difference(turtle("<s> <p> 1.0 ."), turtle("<s> <p> 1.00 ."), strict=True)
    assert difference(csv("a\r\n1.0\r\n"), csv("a\r\n1\r\n"), strict=True)
    assert difference(tsv("01\t"), tsv("01\t"), strict=True) is None


@pytest.mark.parametrize(
    ("query", "ordered"),
    [
        ("SELECT * { ?s ?p ?o } ORDER BY ?s", True),
        ("SELECT * { ?s ?p ?o } order\n by ?s", True),
        ("SELECT * { { SELECT * { ?s ?p ?o } ORDER BY ?s } }", False),
        ("SELECT * { ?s ?p ?o } # ORDER BY ?s", False),
        ("SELECT * { ?s ?p 'ORDER BY' , \"} ORDER BY\" }", False),
        ("SELECT * { ?s ?p '}' } ORDER BY ?s", True),
    ],
)
def test_the_query_says_whether_it_is_ordered(query: str, ordered: bool) -> None:
    assert is_ordered(query) is ordered


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"{", "application/sparql-results+json"),
        (b"<sparql", "application/sparql-results+xml"),
        (b"a,b\r\n1\r\n", "text/csv"),
        (b"", "text/csv"),
        (b"\xff", "text/csv"),
        (b"<s> <p>", "text/turtle"),
        (b"<html>", "text/html"),
        (b"", ""),
    ],
)
def test_what_cannot_be_read(body: bytes, media_type: str) -> None:
    with pytest.raises(UnreadableAnswer):
        read_answer(body, media_type, BASE)


def test_rows_that_are_described_in_rdf(tmp_path: Path) -> None:
    path = tmp_path / "rows.ttl"
    path.write_text(
        """@prefix rs: <http://www.w3.org/2001/sw/DataAccess/tests/result-set#> .
        [] a rs:ResultSet ; rs:resultVariable "a", "b" ; rs:solution
            [ rs:binding [ rs:variable "a" ; rs:value <x> ] , [ rs:variable "b" ; rs:value 2 ] ] , [ ] ."""
    )
    source = Source(path, BASE + "rows.ttl")
    assert expected_type(source) == "application/sparql-results+json"
    table = read_expected(source)
    assert isinstance(table, Table)
    assert difference(table, tsv("<http://example.org/x>\t2", "\t")) is None


def test_files_of_a_dataset_keep_their_blank_nodes_and_graphs_apart(tmp_path: Path) -> None:
    path = tmp_path / "one.ttl"
    path.write_text("_:a <p> 1 .")
    one = Source(path, BASE + "one.ttl")
    twice = read_graphs(Graphs(default=(one, one)))
    assert len(twice) == 2
    assert difference(twice, read_graphs(Graphs(default=(one,), named=(("http://example.org/g", one),))))
