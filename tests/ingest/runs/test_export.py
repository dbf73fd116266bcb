"""Scores in the formats of others: digit for digit, with what those formats require, and back."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from app.curate.bulk import Runs
from app.errors import BadParameter
from app.ingest.runs import recognise
from app.ingest.runs.values import ImportedRun
from app.model.claims import Result, resource
from app.services import Services

MODEL = "opt-350m"
Scores = set[tuple[str, int | None, str | None, Decimal]]


@pytest.fixture(scope="module")
def exported(seed_services: Services) -> dict[str, list[tuple[str, str]]]:
    """The files of each format."""
    return {form: seed_services.export_scores(form, model=MODEL) for form in ("every-eval-ever", "model-index")}


@pytest.fixture(scope="module")
def rows(seed_services: Services) -> list[dict[str, str]]:
    """The same scores as the export of observations has them, through no code of these formats."""
    return list(csv.DictReader(io.StringIO(seed_services.export("observations", models=[MODEL]))))


def in_table(rows: list[dict[str, str]]) -> Scores:
    return {
        (
            row["benchmark"],
            int(row["shots"]) if row["shots"] else None,
            row["scoring"] or None,
            Decimal(row["value"]) / (100 if row["unit"] == "percent" else 1),
        )
        for row in rows
        if row["metric"] == "accuracy"
    }


def scores(services: Services, files: dict[str, str]) -> Scores:
    reading = services.read_import(Runs(files))
    assert reading.refused == ()
    found: Scores = set()
    for item in reading.items:
        assert isinstance(item, Result)
        assert item.protocol is not None
        assert item.model == resource("model", MODEL)
        benchmark = item.protocol.benchmark.value.rsplit("/", 1)[-1]
        found.add((benchmark, item.protocol.shots, item.protocol.scoring, item.canonical))
    return found


@pytest.mark.parametrize("form", ["every-eval-ever", "model-index"])
def test_what_is_exported_comes_back_as_the_same_scores(
    form: str, exported: dict[str, list[tuple[str, str]]], rows: list[dict[str, str]], seed_services: Services
) -> None:
    wanted = in_table(rows)
    assert len(wanted) > 10
    assert scores(seed_services, dict(exported[form])) == wanted


def test_the_harness_and_the_reported_unit_come_back_too(
    exported: dict[str, list[tuple[str, str]]], seed_services: Services
) -> None:
    reading = seed_services.read_import(Runs(dict(exported["every-eval-ever"])))
    kinds = {(item.protocol.harness, item.unit) for item in reading.items if isinstance(item, Result) and item.protocol}
    names = {harness.value.rsplit("/", 1)[-1] for harness, _ in kinds}
    assert "lm-evaluation-harness" in names
    assert len({unit for _, unit in kinds}) == 2


def test_documents_have_what_the_exchange_format_requires(exported: dict[str, list[tuple[str, str]]]) -> None:
    """The members that its schema 0.3.0 requires, their kinds, and its closed lists."""
    files = exported["every-eval-ever"]
    assert len({name for name, _ in files}) == len(files) > 1
    for name, text in files:
        assert re.fullmatch(r"\d\d-[a-z0-9.-]+\.json", name)
        document = json.loads(text)
        assert set(document) <= {
            "schema_version",
            "evaluation_id",
            "evaluation_timestamp",
            "retrieved_timestamp",
            "source_metadata",
            "eval_library",
            "model_info",
            "evaluation_results",
        }
        assert document["schema_version"] == "0.3.0"
        assert document["retrieved_timestamp"].isdigit()
        source, model = document["source_metadata"], document["model_info"]
        assert source["source_type"] in {"documentation", "evaluation_run"}
        assert source["evaluator_relationship"] in {"first_party", "third_party", "collaborative", "other"}
        assert source["source_organization_name"]
        assert set(document["eval_library"]) == {"name", "version"}
        assert (model["id"], model["developer"]) == ("facebook/opt-350m", "facebook")
        details = model["additional_details"]
        assert details["deployment_type"] in {"self_deployed", "externally_managed", "unknown"}
        assert details["model_availability"] in {"open_weights", "closed_weights", "unknown"}
        assert all(isinstance(value, str) for value in (*details.values(), *source["additional_details"].values()))
        assert document["evaluation_results"]
        for result in document["evaluation_results"]:
            _check_result(result)


def _check_result(result: dict[str, Any]) -> None:
    assert result["evaluation_name"]
    assert set(result["source_data"]) == {"dataset_name", "source_type"}
    metric, details = result["metric_config"], result["score_details"]
    assert metric["lower_is_better"] is False
    assert metric["score_type"] == "continuous"
    assert metric["min_score"] <= details["score"] <= metric["max_score"]
    assert all(isinstance(value, str) for value in details["details"].values())
    told = result.get("generation_config", {}).get("additional_details", {})
    assert all(isinstance(value, str) for value in told.values())


def test_values_are_written_digit_for_digit(
    exported: dict[str, list[tuple[str, str]]], rows: list[dict[str, str]]
) -> None:
    texts = "".join(text for _, text in exported["every-eval-ever"])
    written = set(re.findall(r'"score": ([\d.]+)', texts))
    assert any(len(value) > 15 for value in written)
    assert written <= {row["value"] for row in rows}


def test_what_has_no_place_is_counted_in_a_note(exported: dict[str, list[tuple[str, str]]]) -> None:
    for _, text in (*exported["every-eval-ever"], *exported["model-index"]):
        assert "Not in this file, which holds scores only: 1 of accuracy-gain." in text


def test_a_model_without_scores_has_an_empty_index_and_no_document(seed_services: Services) -> None:
    assert seed_services.export_scores("every-eval-ever", model="amd-llama-135m", sources=["survey-v3"]) == []
    ((name, text),) = seed_services.export_scores("model-index", model="amd-llama-135m", sources=["survey-v3"])
    assert (name, text.count("results: []")) == ("README.md", 1)
    runs: tuple[ImportedRun, ...] = recognise.read({name: text})
    assert [run.figures for run in runs] == [()]


def test_only_known_formats(seed_services: Services) -> None:
    with pytest.raises(BadParameter, match="no format of scores"):
        seed_services.export_scores("xml", model=MODEL)
