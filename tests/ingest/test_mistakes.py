"""Every mistake in a data folder names file, line and column, says what to do, and changes nothing in the store.

Reading a folder knows no store (the import contract holds that), so most mistakes are only read; that a load which
fails leaves the store alone is shown for one of each kind.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import BadFile, InvalidGraph
from app.ingest.seed import read_seed
from app.model.rdf import Quad
from app.resources import folder
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.ingest.spoil import first, first_with, rows_of, spoil

CONFIGURATIONS = "claims/configurations.csv"
TABLE_1 = "claims/survey-table-1.csv"
LEADERBOARD = "claims/survey-leaderboard.csv"
DATASETS = "claims/training-datasets.csv"
ALGORITHMS = "claims/training-algorithms.csv"
CORPORA = "claims/corpora.csv"
DISAGREEMENTS = "claims/disagreements.csv"
DECISIONS = "claims/decisions.csv"
LAYERS = "claims/layers.csv"
BENCHMARKS = "results/benchmarks.csv"
RUNTIME = "results/runtime.csv"
CHECK = "reference/parameter-check.csv"
SPELLINGS = "registry/spellings.csv"

# file, column, the cell with the mistake, a word of the message
CELLS = [
    # no number
    (CONFIGURATIONS, "num_layers", "twelve", "holds no count"),
    (CONFIGURATIONS, "hidden_size", "1,024", "holds no count"),
    (CONFIGURATIONS, "vocab_size", "5e4", "holds no count"),
    (CONFIGURATIONS, "norm_eps", "1e-5x", "is not a number"),
    (CONFIGURATIONS, "tied_embeddings", "perhaps", "neither true nor false"),
    (CONFIGURATIONS, "max_context", "long", "holds no context length"),
    (CONFIGURATIONS, "training_tokens", "many", "holds no count"),
    (TABLE_1, "layers", "?", "holds no count"),
    (TABLE_1, "size", "big", "holds no count"),
    (LEADERBOARD, "ffn_ratio", "four", "is not a number"),
    (LEADERBOARD, "vocabulary_size", "50,257", "holds no count"),
    (LAYERS, "num_attention_heads", "12.5", "not a whole number"),
    (LAYERS, "layer", "first", "not a whole number"),
    (LAYERS, "layer", "99", "0 comes next"),
    (LAYERS, "intermediate_size", "", "is empty"),
    (BENCHMARKS, "value", "high", "is not a number"),
    (BENCHMARKS, "value", "NaN", "not a finite number"),
    (BENCHMARKS, "value", "", "is empty"),
    (BENCHMARKS, "shots", "five", "not a whole number"),
    (BENCHMARKS, "shots", "zero->5", "not a whole number"),
    (RUNTIME, "value", "1.2.3", "is not a number"),
    (RUNTIME, "prompt_tokens", "fifty", "not a whole number"),
    (CHECK, "reference_parameters", "1.2B", "not a whole number"),
    # no date
    (CONFIGURATIONS, "release_date", "May 2022", "is not a month"),
    (TABLE_1, "date", "2022.13", "is not a month"),
    ("sources.csv", "dated", "2024-02-30", "is not a date"),
    ("sources.csv", "retrieved", "yesterday", "is not a date"),
    (DECISIONS, "decided_on", "2026-11-31", "is not a date"),
    (DECISIONS, "decided_on", "20.11.2026", "is not a date"),
    # nothing of that name
    (CONFIGURATIONS, "model", "no-such-model", "no model of the registry"),
    (BENCHMARKS, "model", "gpt-17", "no model of the registry"),
    (DISAGREEMENTS, "model", "gpt-17", "no model of the registry"),
    (CHECK, "model", "gpt-17", "no model of the registry"),
    (LAYERS, "model", "phonelm-9b", "no model of the registry"),
    (CONFIGURATIONS, "maker", "nobody", "no organisation of the registry"),
    (CONFIGURATIONS, "training_datasets", "The Pile;CCNewsV2;My Diary", "'My Diary' is no dataset"),
    (CONFIGURATIONS, "license", "WTF-1.0", "no licence of the registry"),
    (CONFIGURATIONS, "base_model", "gpt-17", "no model of the registry"),
    (CONFIGURATIONS, "attention_type", "XQA", "no known spelling"),
    (CONFIGURATIONS, "activation", "relu7", "no known spelling"),
    (CONFIGURATIONS, "recalled", "shoe_size", "names no column"),
    (CONFIGURATIONS, "recalled", "license[", "names no column"),
    (CONFIGURATIONS, "recalled", "training_datasets[CCNewsV3]", "names no value of column training_datasets"),
    (CONFIGURATIONS, "confidence", "rumour", "is unknown"),
    (CONFIGURATIONS, "source", "", "is empty"),
    (CONFIGURATIONS, "paper", "somewhere", "neither arXiv"),
    (CONFIGURATIONS, "paper", "https://exa<mple.org", "IRI"),
    (TABLE_1, "source", "survey-v9", "no listed source"),
    (TABLE_1, "affiliation", "Nobody Inc.", "no organisation of the registry"),
    (LEADERBOARD, "attention", "XQA", "no known spelling"),
    (DATASETS, "datasets", "My Diary", "no dataset of the registry"),
    (DATASETS, "open", "half", "neither true nor false"),
    (ALGORITHMS, "kind", "magic", "'magic' is unknown"),
    (CORPORA, "dataset", "My Diary", "no dataset of the registry"),
    (CORPORA, "value", "lots", "holds no count"),
    (BENCHMARKS, "benchmark", "MyBench", "no benchmark of the registry"),
    (BENCHMARKS, "metric", "perplexity", "is no accuracy"),
    (BENCHMARKS, "confidence", "rumour", "is unknown"),
    (RUNTIME, "device", "Toaster", "no device of the registry"),
    (RUNTIME, "engine", "steam", "no engine of the registry"),
    (RUNTIME, "unit", "furlong", "'furlong' is unknown"),
    (RUNTIME, "quantization", "Q0", "no known spelling"),
    (RUNTIME, "quantization", "", "is empty"),
    (RUNTIME, "source", "hearsay", "no listed source"),
    (DISAGREEMENTS, "field", "colour", "no known field"),
    (DISAGREEMENTS, "value_a", "", "is empty"),
    (DISAGREEMENTS, "kind", "", "is empty"),
    (SPELLINGS, "notation", "not a notation", "is not a notation"),
    (SPELLINGS, "notation", "NoSuchConcept", "no concept of scheme"),
    (CONFIGURATIONS, "training_algorithms", "PT;ALCHEMY", "'ALCHEMY' is no training algorithm"),
    (SPELLINGS, "printed", "", "is empty"),
    # the lists themselves
    ("models.csv", "slug", "Not A Slug", "is not a slug"),
    ("models.csv", "scope", "out", "is unknown"),
    ("models.csv", "family", "addams", "no family of the registry"),
    ("models.csv", "label", "", "is empty"),
    ("models.csv", "also_printed_as", "amd/AMD-Llama-135m", "already names"),
    ("sources.csv", "type", "Gossip", "no source type"),
    ("sources.csv", "type", "__doc__", "no source type"),
    ("sources.csv", "slug", "Survey V3", "is not a slug"),
    ("sources.csv", "address", "https://example.org/a b", "no https address"),
    ("sources.csv", "address", "", "is empty"),
    # decisions
    (DECISIONS, "model", "gpt-17", "no model of the registry"),
    (DECISIONS, "field", "colour", "no known field"),
    (DECISIONS, "field", "innovations", "add up"),
    (DECISIONS, "keep", "12345", "no cited source says '12345'"),
    (DECISIONS, "reason", "", "is empty"),
    (DECISIONS, "decided_by", "", "is empty"),
    (DECISIONS, "decided_by", "Jane Doe", "is not a slug"),
]


@pytest.fixture(scope="module")
def loaded(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A copy of the loaded store; at the end it must hold what it held."""
    copied = tmp_path_factory.mktemp("loaded") / "var"
    shutil.copytree(seed_folder, copied)
    services = build(Settings(data_dir=copied))
    before = frozenset[Quad](services.store.at().quads())
    yield services
    assert services.store.head().number == 1
    assert frozenset(services.store.at().quads()) == before


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped data without most of the results, which take long to read."""
    copied = Path(shutil.copytree(folder("data"), tmp_path_factory.mktemp("good") / "data"))
    for table in (BENCHMARKS, RUNTIME):
        lines = (copied / table).read_text(encoding="utf-8").split("\n")[:60]
        (copied / table).write_text("\n".join(lines) + "\n", encoding="utf-8")
    read_seed(copied)
    return copied


@pytest.fixture
def data(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "data"))


def refused(data: Path) -> BadFile:
    """What reading says of the folder."""
    with pytest.raises(BadFile) as found:
        read_seed(data)
    assert found.value.advice, "an error says what to do"
    return found.value


@pytest.mark.parametrize(("file", "column", "cell", "word"), CELLS)
def test_a_bad_cell_names_its_place(data: Path, file: str, column: str, cell: str, word: str) -> None:
    path = data / file
    record = first_with(path, column)
    if file == RUNTIME and column == "prompt_tokens":
        record = first(path, metric="first token time (prefill of the prompt)")
    line, number = spoil(path, column, cell, record=record)
    error = refused(data)
    assert (error.path, error.line, error.column, error.field) == (str(path), line, number, column)
    assert word in error.problem
    assert error.message.startswith(f"{path}, line {line}, column {number} ({column}): ")


def _tables() -> list[str]:
    """The tables that a load reads; those of the survey's statements are read when they are shown."""
    root = folder("data")
    tables = (path for path in root.rglob("*.csv") if path.name != "figure-2-counts.csv")
    return sorted(str(path.relative_to(root)) for path in tables if path.parent.name != "survey")


@pytest.mark.parametrize("file", _tables())
def test_each_table_must_have_its_columns_and_its_encoding(data: Path, file: str) -> None:
    path = data / file
    content = path.read_bytes()
    header, _, rest = content.partition(b"\n")

    path.write_bytes(header.replace(header.split(b",")[0], b"wrong", 1) + b"\n" + rest)
    error = refused(data)
    assert (error.path, error.line, error.column) == (str(path), 1, 1)
    assert "'wrong'" in error.problem

    path.write_bytes(header + b"," + header.split(b",")[-1].strip() + b"\n" + rest)
    error = refused(data)
    assert (error.line, error.column) == (1, header.count(b",") + 2)
    assert "twice" in error.problem

    path.write_bytes(header.rpartition(b",")[0] + b"\n" + rest)
    error = refused(data)
    assert error.line == 1
    assert "is missing" in error.problem

    path.write_bytes(content + b"\xc3\x28\n")
    error = refused(data)
    assert (error.path, error.line, error.column) == (str(path), content.count(b"\n") + 1, 1)
    assert "UTF-8" in error.problem

    path.write_bytes(content + b"one cell\n")
    error = refused(data)
    assert (error.path, error.line, error.column) == (str(path), content.count(b"\n") + 1, 2)

    path.write_bytes(content + b'"never closed\n')
    error = refused(data)
    assert (error.path, error.line) == (str(path), content.count(b"\n") + 1)

    path.write_bytes(b"")
    assert (refused(data).path, error.path) == (str(path), str(path))

    path.unlink()
    assert refused(data).path == str(path)


@pytest.mark.parametrize("file", ["models.csv", "sources.csv", SPELLINGS])
def test_a_list_without_rows_is_an_error(data: Path, file: str) -> None:
    path = data / file
    path.write_text(path.read_text().partition("\n")[0] + "\n")
    refused(data)


@pytest.mark.parametrize(
    ("file", "column"),
    [("models.csv", "slug"), (CONFIGURATIONS, "model"), (TABLE_1, "model"), (LEADERBOARD, "model"), (CHECK, "model")],
)
def test_a_model_that_stands_twice_is_named(data: Path, file: str, column: str) -> None:
    path = data / file
    lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    path.write_text("\n".join([*lines, lines[-1]]) + "\n", encoding="utf-8")
    error = refused(data)
    assert (error.path, error.line, error.field) == (str(path), len(lines) + 1, column)
    assert f"already in line {len(lines)}" in error.problem


@pytest.mark.parametrize("file", [BENCHMARKS, RUNTIME])
def test_a_result_that_stands_twice_is_named(data: Path, file: str) -> None:
    path = data / file
    line = path.read_text(encoding="utf-8").split("\n")[1]
    with path.open("a", encoding="utf-8") as handle:
        handle.write(line + "\n")
    error = refused(data)
    assert error.line == path.read_text(encoding="utf-8").count("\n")
    assert "stands already" in error.problem


def test_a_compound_disagreement_needs_all_its_parts(data: Path) -> None:
    path = data / DISAGREEMENTS
    record = first(path, field="num_layers / hidden_size / attention")
    line, column = spoil(path, "value_b", "24 / 1024", record=record)
    error = refused(data)
    assert (error.line, error.column, error.field) == (line, column, "value_b")


def test_layers_in_another_order_are_named(data: Path) -> None:
    path = data / LAYERS
    lines = path.read_text().split("\n")
    lines[3], lines[4] = lines[4], lines[3]
    path.write_text("\n".join(lines))
    error = refused(data)
    assert (error.line, error.field) == (4, "layer")


@pytest.mark.parametrize("file", sorted(path.name for path in (folder("data") / "registry").glob("*.ttl")))
def test_truncated_turtle_names_line_and_column(data: Path, file: str) -> None:
    path = data / "registry" / file
    content = path.read_text(encoding="utf-8").rstrip()
    path.write_text(content.removesuffix(".").rstrip()[:-3], encoding="utf-8")
    error = refused(data)
    assert error.path == str(path)
    assert error.line is not None
    assert error.line >= content.count("\n")
    assert error.column is not None


def test_truncated_trig_names_line_and_column(data: Path) -> None:
    (data / "graphs").mkdir()
    path = data / "graphs" / "more.trig"
    path.write_text('PREFIX e: <https://example.org/>\nGRAPH e:g {\n  e:s e:p "o" .\n  e:s e:q ')
    error = refused(data)
    assert (error.path, error.line) == (str(path), 4)
    assert error.column is not None


@pytest.mark.parametrize("target", ["nowhere", "models.csv"])
def test_a_folder_that_is_none_is_named(data: Path, target: str) -> None:
    assert str(data / target) in refused(data / target).message


@pytest.mark.parametrize(
    ("file", "column", "cell"),
    [
        ("models.csv", "scope", "out"),
        (CONFIGURATIONS, "num_layers", "twelve"),
        (DECISIONS, "keep", "12345"),
        (BENCHMARKS, "value", "high"),
        (RUNTIME, "unit", "furlong"),
        (RUNTIME, "source", "\udcff"),
    ],
)
def test_a_load_that_fails_changes_nothing(loaded: Services, data: Path, file: str, column: str, cell: str) -> None:
    if cell.isprintable():
        spoil(data / file, column, cell)
    else:
        with (data / file).open("ab") as handle:
            handle.write(b"\xff")
    with pytest.raises(BadFile) as found:
        loaded.load(data)
    assert found.value.path == str(data / file)
    assert loaded.store.head().number == 1
    assert not list((loaded.settings.data_dir / "store").glob("work-*"))


@pytest.mark.parametrize(
    ("file", "column", "cell"),
    [
        (BENCHMARKS, "value", "45"),  # a share of more than one
    ],
)
def test_what_reads_well_and_breaks_a_constraint_changes_nothing(
    loaded: Services, data: Path, file: str, column: str, cell: str
) -> None:
    record = next(
        number
        for number, row in enumerate(rows_of(data / file))
        if row[column] and "fraction" in row.get("metric", "fraction")
    )
    spoil(data / file, column, cell, record=record)
    with pytest.raises(InvalidGraph) as found:
        loaded.load(data)
    assert any(cell in finding for finding in found.value.findings)
    assert loaded.store.head().number == 1
    assert not list((loaded.settings.data_dir / "store").glob("work-*"))
