"""Reading RDF files: every mistake names the file, and the line and column where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import BadFile
from app.model.rdf import IRI, Literal, Quad
from app.store.files import read_rdf
from tests.store.quads import name

GRAPH = IRI("https://example.org/g")
TURTLE = '@prefix e: <https://example.org/> .\ne:s e:p "o" .\n'
TRIG = '@prefix e: <https://example.org/> .\ne:g { e:s e:p "o" . }\n'
QUAD = Quad(name("s"), name("p"), Literal("o"), name("g"))


@pytest.mark.parametrize(
    ("file", "content", "graph"),
    [
        ("a.ttl", TURTLE, GRAPH),
        ("a.trig", TRIG, None),
        ("a.nt", '<https://example.org/s> <https://example.org/p> "o" .\n', GRAPH),
        ("a.nq", '<https://example.org/s> <https://example.org/p> "o" <https://example.org/g> .\n', None),
        ("a.trig", TURTLE, GRAPH),
    ],
)
def test_each_format_is_read(tmp_path: Path, file: str, content: str, graph: IRI | None) -> None:
    (tmp_path / file).write_text(content)
    assert read_rdf(tmp_path / file, graph) == [QUAD]


@pytest.mark.parametrize("cut", range(TRIG.index("\n") + 2, len(TRIG) - 2))
def test_a_truncated_trig_file_names_line_and_column(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "cut.trig"
    path.write_text(TRIG[:cut])
    with pytest.raises(BadFile) as found:
        read_rdf(path)
    error = found.value
    assert error.path == str(path)
    assert error.line == 2
    assert error.column is not None
    assert 1 <= error.column <= cut
    assert error.advice


@pytest.mark.parametrize(
    ("content", "line", "column"),
    [
        (b'@prefix e: <https://example.org/> .\ne:s e:p "o', 2, 9),
        (b'@prefix e: <https://example.org/> .\ne:s x:p "o" .', 2, 5),
        (b'@prefix e: <https://example.org/> .\n\ne:s e:p "\xff" .', 3, 10),
        (b"@prefix e: <https://example.org/> .\ne:s e:p <relative> .", 2, 9),
        (b"@prefix e: <https://example.org/> .\ne:s e:p e:o ; ; e:p .", 2, 21),
    ],
)
def test_a_mistake_in_turtle_names_its_place(tmp_path: Path, content: bytes, line: int, column: int) -> None:
    path = tmp_path / "bad.ttl"
    path.write_bytes(content)
    with pytest.raises(BadFile) as found:
        read_rdf(path, GRAPH)
    assert (found.value.line, found.value.column) == (line, column)
    assert f"bad.ttl, line {line}, column {column}: " in found.value.message


def test_a_triple_without_a_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.trig").write_text(TURTLE)
    with pytest.raises(BadFile, match=r"outside a named graph.*example.org/s") as found:
        read_rdf(tmp_path / "a.trig")
    assert "GRAPH" in found.value.advice


@pytest.mark.parametrize(
    "content", ["[] <https://e.org/p> 1 .", "<https://e.org/s> <https://e.org/p> _:b .", "( 1 ) a 2 ."]
)
def test_blank_nodes_are_refused_in_files(tmp_path: Path, content: str) -> None:
    """They would get other names at each reading, so that a second load would change the graph."""
    (tmp_path / "a.ttl").write_text(content)
    with pytest.raises(BadFile, match="blank node") as found:
        read_rdf(tmp_path / "a.ttl", GRAPH)
    assert found.value.advice


@pytest.mark.parametrize("file", ["missing.ttl", "a.rdf", "a", "folder.ttl"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str) -> None:
    (tmp_path / "a.rdf").write_text(TURTLE)
    (tmp_path / "folder.ttl").mkdir()
    with pytest.raises(BadFile) as found:
        read_rdf(tmp_path / file, GRAPH)
    assert file in found.value.message
    assert found.value.advice
