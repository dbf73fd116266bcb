"""The table reader: each mistake names file, line, column and what to do."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadFile
from app.ingest.tables import read_table, read_text

COLUMNS = ("model", "layers", "note")
HEADER = "model,layers,note\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.csv"


def error_of(path: Path, content: str | bytes, *, unique: tuple[str, ...] = ()) -> BadFile:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadFile) as found:
        read_table(path, COLUMNS, unique=unique)
    assert found.value.path == str(path)
    assert found.value.message.startswith(str(path))
    assert found.value.advice
    return found.value


def test_rows_know_their_line_whatever_their_cells_hold(path: Path) -> None:
    path.write_text('note,model,layers\n"two\nlines",a,1\n\n"a ""quoted"" word, and a comma",b,2\n,c,\n')
    rows = read_table(path, COLUMNS, unique=("model",))
    assert [row.line for row in rows] == [2, 5, 6]
    assert [row["model"] for row in rows] == ["a", "b", "c"]
    assert rows[0]["note"] == "two\nlines"
    assert rows[1]["note"] == 'a "quoted" word, and a comma'


def test_a_byte_order_mark_and_windows_line_ends_are_no_matter(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + (HEADER + "a,1,x\n").replace("\n", "\r\n").encode())
    (row,) = read_table(path, COLUMNS)
    assert row.cells == ("a", "1", "x")
    assert row.line == 2


def test_an_unknown_column_is_named_with_what_was_meant(path: Path) -> None:
    error = error_of(path, "model,leyers,note\n")
    assert (error.line, error.column) == (1, 2)
    assert "'leyers'" in error.problem
    assert "'layers'" in error.advice


def test_an_unknown_column_that_is_like_none_lists_the_known_ones(path: Path) -> None:
    error = error_of(path, HEADER.strip() + ",zzz\n")
    assert (error.line, error.column) == (1, 4)
    assert "model, layers, note" in error.advice


def test_a_missing_column_is_named(path: Path) -> None:
    error = error_of(path, "model,note\n")
    assert error.line == 1
    assert "'layers' is missing" in error.problem


def test_a_doubled_column_is_named(path: Path) -> None:
    error = error_of(path, "model,layers,note,layers\n")
    assert (error.line, error.column) == (1, 4)
    assert "twice" in error.problem


@pytest.mark.parametrize(("record", "column"), [("a,1", 3), ("a", 2), ("a,1,x,y", 4), ("a,1,x,", 4)])
def test_a_short_or_long_row_is_named(path: Path, record: str, column: int) -> None:
    error = error_of(path, HEADER + "fine,1,x\n" + record + "\n")
    assert (error.line, error.column) == (3, column)
    assert "comma" in error.advice


def test_a_repeated_key_names_both_lines(path: Path) -> None:
    error = error_of(path, HEADER + "a,1,x\nb,1,x\na,2,y\n", unique=("model",))
    assert (error.line, error.column, error.field) == (4, 1, "model")
    assert "line 2" in error.problem


def test_a_key_of_two_columns_repeats_only_as_a_whole(path: Path) -> None:
    path.write_text(HEADER + "a,1,x\na,2,x\n")
    assert len(read_table(path, COLUMNS, unique=("model", "layers"))) == 2
    error = error_of(path, HEADER + "a,1,x\na,1,y\n", unique=("model", "layers"))
    assert "a / 1" in error.problem


@pytest.mark.parametrize(
    ("content", "line", "column", "byte"),
    [
        (HEADER.encode() + b"a,1,\xff\n", 2, 5, "ff"),
        ("ä,ö\n".encode() + b"\xe4bc", 2, 1, "e4"),
        ("größe ".encode() + b"\xe2\x82", 1, 7, "e2"),
        (b"\xef\xbb\xbf" + HEADER.encode() + b"a,1,\x80", 2, 5, "80"),
        (HEADER.encode() + "😀é".encode() + b"\xc3(", 2, 3, "c3"),
    ],
)
def test_a_byte_that_is_not_utf8_has_an_exact_place(
    path: Path, content: bytes, line: int, column: int, byte: str
) -> None:
    error = error_of(path, content)
    assert (error.line, error.column) == (line, column)
    assert f"0x{byte}" in error.problem
    assert "UTF-8" in error.advice


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEADER + 'a,1,"open\nb,2,x\n', 2),
        (HEADER + "a,1,x\n" + 'b,"2"2,x\n', 3),
        (HEADER + 'a,1,"x" \n', 2),
    ],
)
def test_a_quote_that_is_not_closed_or_not_the_last_is_no_csv(path: Path, content: str, line: int) -> None:
    error = error_of(path, content)
    assert error.line == line
    assert "is not CSV" in error.problem
    assert "RFC 4180" in error.advice


def test_a_quote_inside_a_cell_without_quotes_is_a_character(path: Path) -> None:
    path.write_text(HEADER + 'a,1,5" screen\n')
    assert read_table(path, COLUMNS)[0]["note"] == '5" screen'


def test_an_empty_file_says_what_it_needs(path: Path) -> None:
    error = error_of(path, "")
    assert error.line == 1
    assert "model, layers, note" in error.advice


def test_a_table_without_rows_is_a_table(path: Path) -> None:
    path.write_text(HEADER)
    assert read_table(path, COLUMNS) == []


@pytest.mark.parametrize("name", ["missing.csv", "folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    for read in (read_text, lambda path: read_table(path, COLUMNS)):
        with pytest.raises(BadFile) as found:
            read(tmp_path / name)
        assert name in found.value.message
        assert found.value.advice


def test_an_empty_cell_that_is_needed_is_named(path: Path) -> None:
    path.write_text(HEADER + "a,1,x\na, ,x\n")
    with pytest.raises(BadFile) as found:
        read_table(path, COLUMNS)[1].required("layers")
    assert (found.value.line, found.value.column, found.value.field) == (3, 2, "layers")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8))
def test_whatever_is_written_as_csv_is_read_unchanged(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[str, str, str]]
) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([COLUMNS, *written])
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(buffer.getvalue().encode())
    assert [row.cells for row in read_table(path, COLUMNS)] == written


@given(st.binary(max_size=60))
def test_any_bytes_are_a_table_or_a_bad_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(HEADER.encode() + content)
    try:
        rows = read_table(path, COLUMNS, unique=("model",))
    except BadFile as error:
        assert error.line is not None  # noqa: PT017
        assert error.advice  # noqa: PT017
    else:
        assert all(len(row.cells) == 3 for row in rows)
