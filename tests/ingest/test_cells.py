"""The rules by which one cell is read."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.ingest import cells
from app.ingest.cells import Number
from app.model.claims import Interval

D = Decimal
POWERS = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
NO_COUNTS = ["", "twelve", "1e5", "1,000", "50,257", "-5", "+5", "12-24", "12x", "v2", "1.2.3", ".5", "5.", "12kg", "٣"]


def printed(number: Decimal, letter: str, decimals: int) -> str:
    """A number as a table prints it: rounded to so many decimals of its power."""
    scaled = (number / POWERS[letter]).quantize(D(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    return f"{scaled}{letter}"


@pytest.mark.parametrize(
    ("cell", "value", "lower", "upper"),
    [
        ("2.2B", "2200000000", "2150000000", "2250000000"),
        ("50k", "50000", "49500", "50500"),
        ("3T", "3000000000000", "2500000000000", "3500000000000"),
        ("180B Token Dataset", "180000000000", "179500000000", "180500000000"),
        ("1.23 M", "1230000", "1225000", "1235000"),
    ],
)
def test_a_count_with_a_letter_is_rounded(cell: str, value: str, lower: str, upper: str) -> None:
    assert cells.count(cell) == Number(D(value), Interval(D(lower), D(upper)))


@pytest.mark.parametrize("cell", ["4096", " 4096 ", "4096 tokens", "4096 (text)"])
def test_a_plain_count_is_exact(cell: str) -> None:
    assert cells.count(cell) == Number(D(4096))


@pytest.mark.parametrize("cell", NO_COUNTS)
def test_what_only_begins_like_a_number_is_no_count(cell: str) -> None:
    """A cell such as "50,257" was once read as 50."""
    for read in (cells.count, cells.counts, cells.context_length, cells.summed_count, cells.nominal_size):
        with pytest.raises(ValueError, match=r"count|length|size"):
            read(cell)


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("450B/106B Dataset", [450 * 10**9, 106 * 10**9]),
        ("24 (header) vs 18 (text)", [24, 18]),
        ("774M (MBZUAI/LaMini-GPT-774M, same architecture)", [774 * 10**6]),
    ],
)
def test_two_numbers_in_one_cell_are_two(cell: str, values: list[int]) -> None:
    assert [int(number.value) for number in cells.counts(cell)] == values


@given(st.decimals(1, 10**15, places=3), st.sampled_from("KMBT"), st.integers(0, 3))
def test_an_interval_contains_every_number_that_prints_so(number: Decimal, letter: str, decimals: int) -> None:
    cell = printed(number, letter, decimals)
    read = cells.count(cell)
    assert read.interval is not None
    assert read.interval.holds(number)
    assert read.interval.holds(read.value)
    assert read.interval.upper - read.interval.lower == POWERS[letter] / D(10) ** decimals


@given(st.decimals(1, 10**15, places=0), st.sampled_from("KMBT"), st.integers(0, 3))
def test_what_prints_otherwise_is_not_in_the_interval(number: Decimal, letter: str, decimals: int) -> None:
    read = cells.count(printed(number, letter, decimals))
    assert read.interval is not None
    far = read.interval.upper + D(1)
    assert not read.interval.holds(far)
    assert printed(far, letter, decimals) != printed(read.value, letter, decimals)


@given(st.integers(1, 10**6), st.sampled_from([1000, 1024]))
def test_a_context_in_k_allows_thousands_and_1024s(number: int, factor: int) -> None:
    cell = f"{round(number / factor)}k"
    (read,) = cells.context_length(cell)
    assert read.interval is not None
    assert read.interval.holds(D(number))


@pytest.mark.parametrize(
    ("cell", "value"), [("2k", 2048), ("128K", 131072), ("200k", 200_000), ("4096", 4096), ("3k", 3000), ("1M", 10**6)]
)
def test_k_of_a_power_of_two_counts_1024(cell: str, value: int) -> None:
    assert [int(number.value) for number in cells.context_length(cell)] == [value]


def test_two_contexts_in_one_cell_are_two() -> None:
    assert [int(number.value) for number in cells.context_length("4096/128000")] == [4096, 128000]


def test_a_sum_is_added_up_with_its_bounds() -> None:
    assert cells.summed_count("1.5T + 20B") == Number(D(1520 * 10**9), Interval(D("1469.5e9"), D("1570.5e9")))
    assert cells.summed_count("100 + 20") == Number(D(120))
    assert cells.summed_count("2k + 20") == Number(D(2020), Interval(D(1520), D(2520)))
    assert cells.summed_count("180B Token Dataset") == cells.count("180B")


@given(st.lists(st.tuples(st.decimals(1, 10**13, places=2), st.sampled_from("KMBT")), min_size=1, max_size=4))
def test_the_bounds_of_a_sum_contain_every_sum_that_prints_so(parts: list[tuple[Decimal, str]]) -> None:
    read = cells.summed_count(" + ".join(printed(number, letter, 1) for number, letter in parts))
    assert read.interval is not None
    assert read.interval.holds(sum((number for number, _ in parts), D(0)))
    assert read.interval.holds(read.value)


@pytest.mark.parametrize(
    ("cell", "size"),
    [("0.5B", "500M"), ("500M", "500M"), ("1B", "1B"), ("1000M", "1B"), ("1.70B", "1.7B"), ("2.7 B", "2.7B")],
)
def test_a_size_is_written_one_way(cell: str, size: str) -> None:
    assert cells.nominal_size(cell) == size


@given(st.integers(10**6, 10**12 - 1))
def test_one_size_has_one_writing(number: int) -> None:
    wanted = cells.nominal_size(str(number))
    assert cells.nominal_size(wanted) == wanted
    assert cells.count(wanted).value == number
    for letter in "KMBT":
        assert cells.nominal_size(f"{D(number) / POWERS[letter]:f}{letter}") == wanted


@pytest.mark.parametrize("cell", ["999999", "0", "5k", "0.1M"])
def test_less_than_a_million_is_no_size(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        cells.nominal_size(cell)


@given(st.integers(1990, 2099), st.integers(1, 12), st.sampled_from(".-"))
def test_months(year: int, number: int, mark: str) -> None:
    assert cells.month(f"{year}{mark}{number:02d}") == f"{year}-{number:02d}"


@pytest.mark.parametrize("cell", ["2024-13", "2024-00", "2024", "07-2024", "24.07", "2024-7", "2024-071", ""])
def test_what_is_no_month(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a month"):
        cells.month(cell)


def test_a_month_may_be_followed_by_words() -> None:
    assert cells.month("2024-10 (Oct 24, 2024)") == "2024-10"


@pytest.mark.parametrize(
    ("cell", "value"), [("1e-05", "0.00001"), ("-0.5", "-0.5"), (" 4 ", "4"), ("10000.0", "10000")]
)
def test_plain_decimals(cell: str, value: str) -> None:
    assert cells.decimal(cell) == D(value)


@pytest.mark.parametrize("cell", ["", "1,5", "10 000", "1e", "1.5x", "nan", "Infinity", "1_000", "٣", "1e99999"])
def test_what_is_no_decimal(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        cells.decimal(cell)


@pytest.mark.parametrize("cell", ["", "1.0", "-1", "1_000", "1 2", "²", "٣", "one"])
def test_what_is_no_whole_number(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a whole number"):
        cells.whole_number(cell)


def test_whole_numbers() -> None:
    assert cells.whole_number(" 32 ") == 32


@pytest.mark.parametrize(
    ("cell", "value"),
    [("true", True), ("Yes", True), ("no", False), ("true (share_embedding)", True), ("False", False)],
)
def test_truth(cell: str, value: bool) -> None:
    assert cells.truth(cell) is value


@pytest.mark.parametrize("cell", ["", "maybe", "1", "trueish", "not true"])
def test_what_is_neither_true_nor_false(cell: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        cells.truth(cell)


@pytest.mark.parametrize(
    ("cell", "pattern"),
    [
        ("Full attention", "global"),
        ("all global", "global"),
        ("global, then local", "global local"),
        ("local sliding window, alternating with global", "local global"),
        ("mixture of global and local", "mixed"),
        ("local", "local"),
    ],
)
def test_attention_patterns(cell: str, pattern: str) -> None:
    assert cells.attention_pattern(cell) == pattern


def test_what_is_no_attention_pattern() -> None:
    with pytest.raises(ValueError, match="neither"):
        cells.attention_pattern("grouped")


@pytest.mark.parametrize("cell", ["", "-", "None", " UKN ", "N/A", "nan"])
def test_placeholders(cell: str) -> None:
    assert cells.is_placeholder(cell)
    assert not cells.is_placeholder(f"0{cell}")


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(cell: str) -> None:
    """No cell may raise anything but ValueError: the caller turns that into file, line and column."""
    for read in (
        cells.counts,
        cells.context_length,
        cells.summed_count,
        cells.nominal_size,
        cells.month,
        cells.attention_pattern,
        cells.decimal,
        cells.whole_number,
        cells.truth,
    ):
        try:
            read(cell)
        except ValueError as error:
            assert repr(cell) in str(error) or "+" in cell  # noqa: PT017
