"""What is read from manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.conformance.manifest import (
    ManifestError,
    QueryAction,
    RequestsAction,
    Suite,
    SyntaxAction,
    UpdateAction,
    read_tests,
    suite_folder,
)


def test_tests_come_in_the_order_of_the_manifest(suite: Path) -> None:
    tests = read_tests(suite, Suite.QUERY)
    assert [test.name for test in tests] == ["words#rows", "words#graph", "words#good", "words#bad"]
    assert [type(test.action) for test in tests] == [QueryAction, QueryAction, SyntaxAction, SyntaxAction]
    rows, _, good, bad = (test.action for test in tests)
    assert isinstance(rows, QueryAction)
    assert [source.path.name for source in rows.before.default] == ["data.ttl"]
    assert [name.rpartition("/")[2] for name, _ in rows.before.named] == ["more.ttl"]
    assert isinstance(good, SyntaxAction)
    assert good.good
    assert isinstance(bad, SyntaxAction)
    assert not bad.good
    assert not bad.update


def test_updates_name_the_graphs_before_and_after(suite: Path) -> None:
    move, load = (test.action for test in read_tests(suite, Suite.UPDATE))
    assert isinstance(move, UpdateAction)
    assert [name for name, _ in move.before.named] == ["http://example.org/g"]
    assert [source.path.name for source in move.after.default] == ["one.ttl"]
    assert not move.after.named
    assert isinstance(load, SyntaxAction)
    assert load.update


def test_requests_are_kept_to_the_byte(suite: Path) -> None:
    ask, wrong, utf16 = (test.action for test in read_tests(suite, Suite.PROTOCOL))
    assert isinstance(ask, RequestsAction)
    (request,) = ask.requests
    assert request.target.startswith("/sparql/?query=ASK%20%7B%20GRAPH")
    assert {200, 204, 303} <= request.statuses
    assert 404 not in request.statuses
    assert request.truth is True
    assert isinstance(wrong, RequestsAction)
    assert wrong.requests[0].headers == (("content-type", "text/plain"),)
    assert isinstance(utf16, RequestsAction)
    assert utf16.requests[0].body == "ASK {}".encode("utf-16")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('<> mf:entries ( :t ) . :t a mf:NewTest ; mf:name "t" ; mf:action <rows.rq> .', "not known here: NewTest"),
        ('<> mf:entries ( :t ) . :t a mf:PositiveSyntaxTest11 ; mf:name "t" ; mf:action <gone.rq> .', "not there"),
        ('<> mf:entries ( :t ) . :t a mf:PositiveSyntaxTest11 ; mf:name "t" .', "has no .*action"),
        ('<> mf:entries ( :t ) . :t a mf:ProtocolTest ; mf:name "t", "u" ; mf:action [] .', "more than one"),
        ("<> mf:entries ( [] ) .", "without an IRI"),
        (
            '<> mf:entries ( :t ) . :t a mf:ProtocolTest ; mf:name "t" ; mf:action [ ht:requests ( [ '
            'ht:methodName "GET" ; ht:absolutePath "/" ; ht:resp [ mf:expectedStatus hts:Teapot ] ] ) ] .',
            "Teapot",
        ),
        (
            '<> mf:entries ( :t ) . :t a mf:ProtocolTest ; mf:name "t" ; mf:action [ ht:requests ( [ '
            'ht:methodName "GET" ; ht:absolutePath "/" ; ht:resp [ mf:expectedFormat "RDF" ] ] ) ] .',
            "without a status",
        ),
    ],
)
def test_what_is_not_understood_is_an_error(suite: Path, text: str, problem: str) -> None:
    path = suite / "words" / "manifest.ttl"
    path.write_text(path.read_text().partition("<> mf:entries")[0] + text)
    with pytest.raises(ManifestError, match=problem):
        read_tests(suite, Suite.QUERY)


def test_the_checkout_or_the_folder_itself_is_taken(suite: Path, tmp_path: Path) -> None:
    assert suite_folder(suite) == suite
    (tmp_path / "sparql").mkdir()
    suite.rename(tmp_path / "sparql" / "sparql11")
    assert suite_folder(tmp_path) == tmp_path / "sparql" / "sparql11"
    with pytest.raises(ManifestError):
        suite_folder(tmp_path / "sparql")
