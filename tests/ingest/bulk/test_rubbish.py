"""Whatever stands in a table or file: a reading with verdicts, or an error that is told. Never a traceback."""

from __future__ import annotations

import contextlib
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.ingest.bulk.fields import FIELDS
from app.ingest.bulk.headers import Role
from app.ingest.bulk.verdicts import CODES, Verdict
from app.ingest.huggingface.files import CARD, CONFIG, Files, read_files
from tests.ingest.bulk.tables import Desk

HEADERS = st.sampled_from(
    [*(field.name for field in FIELDS), *(role.value for role in Role), "MMLU (5-shot)", "GSM8K [%]"]
)
ODD = st.sampled_from(
    [
        *("phi-2", "-", "", "1,5", "12", "24*", "1e999", "1e-999", "9" * 40, "=1", "50%", "2024-07", "per layer", "'"),
        *("''=", "32k", "1.1B", "survey-v3", "accuracy", "mmlu", "ms", "model:phi-2", "layer-group:", "٣", "½", "10⁹"),
        *("−1", "1_000", "architecture:phi-2", "num_layers", "true", "-0", "+", ".", "..", "1..2", "1.2.3", "e5", "%"),
        *("k", "\ufeff", "NaN"),
    ]
)
CELLS = ODD | st.text(max_size=12)


@st.composite
def tables(draw: st.DrawFn) -> str:
    """A table with known headers and any cells."""
    width = draw(st.integers(1, 6))
    headers = ["model", *draw(st.lists(HEADERS, min_size=width, max_size=width))]
    rows = draw(st.lists(st.lists(CELLS, min_size=0, max_size=width + 2), min_size=1, max_size=4))
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [headers, *rows]]
    return "\n".join(quoted) + "\n"


@settings(max_examples=400)
@given(table=tables())
def test_any_cells_get_a_verdict(desk: Desk, table: str) -> None:
    try:
        reading = desk.read(table)
    except InputError as error:
        assert error.advice  # noqa: PT017
        return
    for finding in reading.findings:
        refused = finding.verdict in {Verdict.REFUSED, Verdict.QUESTION}
        assert (finding.code in CODES) is refused
        assert bool(finding.advice) is refused
        assert finding.line >= 1
        assert finding.column >= 1


@settings(max_examples=150)
@given(data=st.binary(max_size=300), form=st.sampled_from(["csv", "tsv", "xlsx"]))
def test_any_bytes_are_a_table_or_an_error(desk: Desk, data: bytes, form: str) -> None:
    with contextlib.suppress(InputError):
        desk.read(data, form=form)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20).map(str) | CELLS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200)
@given(text=st.text(max_size=200) | VALUES.map(lambda value: f'{{"model_type": "llama", "hidden_size": {value!r}}}'))
def test_any_text_is_a_configuration_or_an_error(desk: Desk, text: str) -> None:
    with contextlib.suppress(InputError):
        read_files(Files({CONFIG: text}), desk.names, lambda _: {}, model="phi-2", today=date(2026, 11, 21))


KEYS = ["license", "datasets", "base_model", "model-index", "results", "dataset", "metrics", "value", "type", "args"]
LINES = st.lists(
    st.builds(
        lambda indent, dash, key, value: f"{' ' * indent}{dash}{key}{value}",
        st.integers(0, 6),
        st.sampled_from(["", "- "]),
        st.sampled_from([f"{key}: " for key in KEYS] + [""]),
        CELLS,
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(lines=LINES)
def test_any_front_matter_is_a_card_or_an_error(desk: Desk, lines: list[str]) -> None:
    card = "\n".join(["---", *lines, "---", ""])
    with contextlib.suppress(InputError):
        read_files(Files({CARD: card}), desk.names, lambda _: {}, model="phi-2", today=date(2026, 11, 21))
