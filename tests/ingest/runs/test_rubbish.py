"""Whatever stands in a file: runs come out, or BadFile with advice. Nothing else, and never a figure that is none."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from app.curate.bulk import names_of
from app.errors import AppError, BadFile
from app.ingest.runs import matching, recognise
from app.ingest.runs.reading import Told, read_runs
from app.ingest.runs.values import ImportedRun
from app.model.claims import Result
from app.model.quads import result_quads, source_quads
from app.services import Services
from tests.ingest.runs import text, texts

FILES = {
    "lm-eval": ("results_2026-11-20.json", "samples_slm_arith_2026-11-20.jsonl"),
    "lm-eval groups": ("results_group.json",),
    "json": ("bench.json",),
    "jsonl": ("bench.jsonl",),
    "csv": ("bench.csv",),
    "md": ("bench.md",),
    "sql": ("bench.sql",),
    "optimum": ("benchmark_config.json", "benchmark_report.json"),
    "eee": ("every-eval-ever.json",),
    "mlperf": ("mlperf_log_summary.txt", "system.json"),
    "card": ("card.md",),
    "eval results": ("eval-results.yaml",),
}
JUNK: tuple[Any, ...] = (
    None,
    True,
    "",
    "NaN",
    "x" * 300,
    -1,
    0,
    1e300,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    {"a": {"b": []}},
    "1e999999",
    "\ud800",
    "٣",
)


Reader = Callable[[dict[str, str]], None]


@pytest.fixture(scope="module")
def read(seed_services: Services) -> Reader:
    """Reads files up to the quads of results; what is refused must be refused with advice."""
    snapshot = seed_services.store.at()
    names, known = names_of(snapshot, seed_services.seed_folder), matching.read_known(snapshot)

    def work(files: dict[str, str]) -> None:
        refused: AppError | None = None
        runs: tuple[ImportedRun, ...] = ()
        try:
            runs = recognise.read(files)
        except BadFile as error:
            refused = error
        for run in runs:
            told = Told("phi-2", "xiaomi-14", "llama.cpp", "F16", {"slm_arith": "piqa", "slm_commonsense": "boolq"})
            reading = read_runs([run], names, known, lambda _: {}, told, today=date(2026, 11, 21))
            for result in reading.items:
                assert isinstance(result, Result)
                assert result.canonical.is_finite()
                assert result.canonical >= 0
                assert result.protocol is None or result.canonical <= 1
                assert result.reported.strip() == result.reported != ""
                for quad in (*result_quads(result), *source_quads(result.source)):
                    str(quad).encode()
        assert refused is None or refused.advice, refused

    return work


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: the container and the key."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(value, key), *nodes(member)]
    return found


@pytest.mark.parametrize("case", [case for case, names in FILES.items() if names[0].endswith("json")])
def test_junk_at_any_place_of_a_document(case: str, read: Reader) -> None:
    chance = random.Random(case)
    first, *rest = FILES[case]
    for _ in range(200):
        document = json.loads(text(first))
        container, key = chance.choice(nodes(document))
        if chance.random() < 0.3:
            del container[key]
        else:
            container[key] = chance.choice(JUNK)
        read({first: json.dumps(document), **texts(*rest)})


@pytest.mark.parametrize("case", FILES)
def test_characters_that_are_lost_or_changed(case: str, read: Reader) -> None:
    chance = random.Random(case)
    given = texts(*FILES[case])
    for _ in range(100):
        name = chance.choice(list(given))
        whole = given[name]
        start = chance.randrange(len(whole))
        end = min(len(whole), start + chance.choice((1, 1, 5, 400)))
        new = chance.choice(("", "9", "-", '"', "'", "\x00", "{", "|", "\n", "é", whole[end : end + 50]))
        read({**given, name: whole[:start] + new + whole[end:]})
        read({**given, name: whole[:start]})


def test_the_files_themselves_are_read() -> None:
    for case, names in FILES.items():
        assert any(run.figures for run in recognise.read(texts(*names))), case
