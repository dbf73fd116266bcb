"""Whatever stands in a file: runs come out, or BadFile with advice. Nothing else, and never a figure that is none."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from app.errors import BadFile
from app.ingest.runs import recognise
from app.ingest.runs.values import ImportedRun
from tests.ingest.runs import text, texts

FILES = {
    "lm-eval": ("results_group.json", "samples_slm_arith_2026-11-20.jsonl"),
    "lm-eval alone": ("results_2026-11-20.json",),
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


def read(files: dict[str, str]) -> tuple[ImportedRun, ...]:
    """The runs; what is refused must be refused with advice."""
    try:
        runs = recognise.read(files)
    except BadFile as refused:
        assert refused.advice, refused
        return ()
    for run in runs:
        for figure in run.figures:
            assert figure.value.is_finite()
            assert figure.value >= 0
            assert figure.reported.strip()
            assert figure.metric != "accuracy" or figure.canonical <= 1
            assert (figure.score is None) is (figure.conditions is not None)
    return runs


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every place in a document: the container and the key."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            found += [(value, key), *nodes(member)]
    return found


@pytest.mark.parametrize("case", [case for case, names in FILES.items() if names[0].endswith("json")])
def test_junk_at_any_place_of_a_document(case: str) -> None:
    chance = random.Random(case)
    first, *rest = FILES[case]
    for _ in range(150):
        document = json.loads(text(first))
        container, key = chance.choice(nodes(document))
        if chance.random() < 0.3:
            del container[key]
        else:
            container[key] = chance.choice(JUNK)
        read({first: json.dumps(document), **texts(*rest)})


@pytest.mark.parametrize("case", FILES)
def test_characters_that_are_lost_or_changed(case: str) -> None:
    chance = random.Random(case)
    given = texts(*FILES[case])
    for _ in range(60):
        name = chance.choice(list(given))
        whole = given[name]
        start = chance.randrange(len(whole))
        end = min(len(whole), start + chance.choice((1, 1, 5, 400)))
        new = chance.choice(("", "9", "-", '"', "'", "\x00", "{", "|", "\n", "é", whole[end : end + 50]))
        read({**given, name: whole[:start] + new + whole[end:]})
        read({**given, name: whole[:start]})


def test_the_files_themselves_are_read() -> None:
    for case, names in FILES.items():
        if case != "lm-eval":
            assert any(run.figures for run in read(texts(*names))), case
