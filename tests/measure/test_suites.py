"""What can be said of the capability suite without a harness: its groups, its refusals, what is asked of it."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from app.curate import bulk
from app.errors import AppError, BadFile, BadValue, Conflict, RandomScores
from app.measure.capability import (
    EVALUATION,
    STAMP,
    Evaluated,
    Evaluation,
    check,
    evaluate,
    read_evaluation,
    stamped,
    suites,
)
from app.measure.harness import choose
from app.measure.values import RandomWeights, RealWeights, Status
from app.measure.weights import weights_hash
from app.model.graphs import REGISTRY
from app.services import Services


def safetensors(metadata: dict[str, str]) -> bytes:
    header = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(header)) + header


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    """A question about a folder that has all that is looked at before anything runs."""
    model, tasks = tmp_path / "model", tmp_path / "tasks"
    model.mkdir()
    tasks.mkdir()
    (model / "config.json").write_text("{}", encoding="utf-8")
    (model / "model.safetensors").write_bytes(safetensors({"format": "pt"}))
    (tasks / "piqa.yaml").write_text("task: piqa\n", encoding="utf-8")
    return Evaluation("phi-2", RealWeights(str(model), weights_hash(model)), str(model), str(tasks), ("piqa",))


def test_the_groups_are_those_of_the_registry(seed_services: Services) -> None:
    found = suites(seed_services.store.at().quads(REGISTRY))
    assert set(found) == {
        "commonsense-average",
        "problem-solving-average",
        "mathematics-average",
        "two-domain-average",
        "in-context-average",
    }
    assert found["mathematics-average"].benchmarks == ("gsm8k", "minerva-math")
    assert len(found["commonsense-average"].benchmarks) == 7
    assert set(found["two-domain-average"].benchmarks) == {
        *found["commonsense-average"].benchmarks,
        *found["problem-solving-average"].benchmarks,
    }
    assert found["commonsense-average"].label == "Commonsense average of the survey"


def test_tasks_are_found_by_the_slugs_of_benchmarks() -> None:
    known = ["arc_easy", "commonsense_qa", "truthfulqa_mc2", "mmlu"]
    assert choose(["arc-easy", "commonsenseqa", "truthfulqa-mc2"], known) == known[:3]
    assert choose([], known) == sorted(known)
    with pytest.raises(BadValue, match="gsm8k") as caught:
        choose(["mmlu", "gsm8k"], known)
    assert "commonsense_qa" in caught.value.advice
    with pytest.raises(BadValue):
        choose([], [])


def test_a_good_question_passes_and_survives_json(evaluation: Evaluation) -> None:
    check(evaluation)
    assert read_evaluation(json.loads(EVALUATION.dump_json(evaluation))) == evaluation
    with pytest.raises(BadValue, match="/shots"):
        read_evaluation({**EVALUATION.dump_python(evaluation, mode="json"), "shots": "many"})


@pytest.mark.parametrize(
    ("spoilt", "error", "said"),
    [
        ({"shots": 6}, BadValue, "not between 0 and 5"),
        ({"shots": -1}, BadValue, "not between 0 and 5"),
        ({"limit": 0}, BadValue, "below 1"),
        ({"batch_size": 0}, BadValue, "below 1"),
        ({"tasks": "/nowhere"}, BadFile, "no folder with task files"),
        ({"folder": "/nowhere"}, BadFile, "no model folder"),
        ({"weights": RealWeights("", "0" * 64)}, BadFile, "holds weights with SHA-256"),
        ({"weights": RandomWeights()}, RandomScores, "scores of random weights"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    evaluation: Evaluation, spoilt: dict[str, object], error: type[AppError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        evaluate(replace(evaluation, **spoilt))  # type: ignore[arg-type]
    assert caught.value.advice


@pytest.mark.parametrize("where", ["weights", "configuration"])
def test_weights_that_say_that_they_are_random_are_refused_whatever_is_claimed(
    evaluation: Evaluation, where: str
) -> None:
    folder = Path(evaluation.folder)
    if where == "weights":
        (folder / "model.safetensors").write_bytes(safetensors({STAMP: "randomly-initialised"}))
    else:
        (folder / "config.json").write_text('{"slm_weights": "randomly-initialised"}', encoding="utf-8")
    assert stamped(folder)
    claimed = replace(evaluation, weights=RealWeights("", weights_hash(folder)))
    for self_test in (False, True):
        with pytest.raises(RandomScores):
            check(replace(claimed, self_test=self_test))
    check(replace(evaluation, weights=RandomWeights(), self_test=True))


def test_only_scores_of_released_weights_can_be_proposed(evaluation: Evaluation) -> None:
    good = Evaluated(evaluation, Status.OK, "2026-11-21T10:00:00+00:00", 1.0, {"results.json": "{}"})
    assert bulk.evaluated_runs(good).told.model == "phi-2"
    with pytest.raises(Conflict, match="it took too long"):
        bulk.evaluated_runs(replace(good, status=Status.TIMEOUT, message="it took too long"))
    tested = replace(good, evaluation=replace(evaluation, weights=RandomWeights(), self_test=True))
    with pytest.raises(RandomScores):
        bulk.evaluated_runs(tested)


def test_without_the_extra_the_evaluation_says_which_one_to_install(evaluation: Evaluation, tmp_path: Path) -> None:
    """An interpreter on which the harness cannot be imported: a package of its name that fails."""
    broken = tmp_path / "packages"
    (broken / "lm_eval").mkdir(parents=True)
    (broken / "lm_eval" / "__init__.py").write_text("raise ImportError('none', name='lm_eval')\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(broken))
        evaluated = evaluate(evaluation)
    assert evaluated.status is Status.FAILED
    assert "slmkg[eval]" in (evaluated.message or "")


def test_an_interpreter_that_cannot_start_is_a_crash(evaluation: Evaluation, tmp_path: Path) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho no such thing >&2\nexit 7\n", encoding="utf-8")
    program.chmod(0o755)
    evaluated = evaluate(evaluation, python=str(program))
    assert (evaluated.status, evaluated.message) == (Status.CRASHED, "the process ended with 7: no such thing")
