"""Which model a run measured: found by what identifies it, asked for where nothing does."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from app.curate.bulk import names_of
from app.ingest.bulk.names import Names
from app.ingest.bulk.verdicts import Refused
from app.ingest.runs import matching, recognise
from app.ingest.runs.matching import Known, Match, Question, match
from app.ingest.runs.values import ImportedRun, ModelFacts
from app.model.claims import resource
from app.services import Services
from tests.ingest.runs import text, texts

PYTHIA, OPENELM, SMOLLM = 162_322_944, 271_527_168, 134_515_008


@pytest.fixture(scope="module")
def names(seed_services: Services) -> Names:
    return names_of(seed_services.store.at(), seed_services.seed_folder)


@pytest.fixture(scope="module")
def known(seed_services: Services) -> Known:
    return matching.read_known(seed_services.store.at())


def bench(facts: ModelFacts) -> ImportedRun:
    return replace(recognise.read(texts("three-models.jsonl"))[0], model=facts)


def scores(facts: ModelFacts) -> ImportedRun:
    return replace(recognise.read(texts("results_2026-11-20.json"))[0], model=facts)


def test_what_the_graph_knows(known: Known) -> None:
    assert known.repositories["EleutherAI/pythia-160m"] == {"pythia-160m"}
    assert known.counts[PYTHIA] == {"pythia-160m"}
    assert known.parameters["openelm-270m"] == OPENELM
    assert {slug for slug, _ in known.hashes.values()} >= {"pythia-160m", "openelm-270m"}
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in known.hashes)


@pytest.mark.parametrize(
    ("facts", "slug", "how"),
    [
        (ModelFacts(parameters=PYTHIA), "pythia-160m", "by parameter count"),
        (ModelFacts(name="gguf/anything.gguf", parameters=OPENELM), "openelm-270m", "by parameter count"),
        (ModelFacts(name="EleutherAI/pythia-160m"), "pythia-160m", "by repository"),
        (
            ModelFacts(name="HuggingFaceTB/SmolLM-135M", parameters=SMOLLM),
            "smollm-135m",
            "by parameter count and repository",
        ),
    ],
)
def test_found_by_what_identifies_it(facts: ModelFacts, slug: str, how: str, names: Names, known: Known) -> None:
    for run in (bench(facts), scores(facts)):
        found = match(run, known, names)
        assert isinstance(found, Match)
        assert (found.model.slug, found.how) == (slug, how)


def test_the_very_file_counts_more_than_what_is_said_of_it(names: Names, known: Known) -> None:
    artifact = resource("artifact", "smollm-135m-q4-k-m")
    knows = replace(known, hashes={"ab" * 32: ("smollm-135m", artifact)})
    found = match(bench(ModelFacts(name="EleutherAI/pythia-160m", parameters=PYTHIA, sha256="AB" * 32)), knows, names)
    assert isinstance(found, Match)
    assert (found.model.slug, found.artifact) == ("smollm-135m", artifact)


@pytest.mark.parametrize(
    ("facts", "candidates", "said"),
    [
        (ModelFacts(parameters=SMOLLM), ("smollm-135m", "smollm2-135m"), "fits several models"),
        (ModelFacts(name="gguf/SmolLM-135M.gguf"), (), "fits no model"),
        (ModelFacts(name="eleutherai/Pythia-160M"), (), "fits no model"),
        (ModelFacts(parameters=139_584, name="x"), (), "fits no model"),
        (ModelFacts(label="llama 256M Q4_K - Medium"), (), "fits no model"),
        (ModelFacts(name="EleutherAI/pythia-160m", parameters=1), ("pythia-160m",), "the graph computes"),
        (ModelFacts(name="EleutherAI/pythia-160m", parameters=OPENELM), ("pythia-160m",), "the graph computes"),
    ],
)
def test_a_person_is_asked_where_nothing_identifies_it(
    facts: ModelFacts, candidates: tuple[str, ...], said: str, names: Names, known: Known
) -> None:
    found = match(bench(facts), known, names)
    assert isinstance(found, Question)
    assert found.candidates == candidates
    assert said in found.problem
    assert "--model" in found.advice


def test_the_label_of_llama_bench_never_counts(names: Names, known: Known) -> None:
    """Its table has no more than the label and a rounded count, so somebody must name the model."""
    (run,) = recognise.read({"t.md": text("bench.md").replace("olmo ?B F16", "SmolLM-135M  F16")})
    assert run.model.parameters is None
    assert isinstance(match(run, known, names), Question)


def test_scores_of_an_unknown_repository_of_the_same_size_are_asked_about(names: Names, known: Known) -> None:
    """It may be a copy that was trained further. What it costs to run is the same, so a runtime figure is taken."""
    facts = ModelFacts(name="somebody/pythia-160m-chat", parameters=PYTHIA)
    asked = match(scores(facts), known, names)
    assert isinstance(asked, Question)
    assert asked.candidates == ("pythia-160m",)
    assert isinstance(match(bench(facts), known, names), Match)


def test_a_person_s_word_counts_and_what_contradicts_it_is_noted(names: Names, known: Known) -> None:
    found = match(bench(ModelFacts(parameters=OPENELM)), known, names, "pythia-160m")
    assert isinstance(found, Match)
    assert found.model.slug == "pythia-160m"
    assert found.note == f"the file has {OPENELM} parameters, the graph computes {PYTHIA} for pythia-160m"
    with pytest.raises(Refused):
        match(bench(ModelFacts()), known, names, "no-such-model")


def test_a_hub_model_of_lm_eval_is_found(names: Names, known: Known) -> None:
    record = json.loads(text("results_2026-11-20.json"))
    record["config"] |= {
        "model_args": "pretrained=EleutherAI/pythia-160m,dtype=float32",
        "model_num_parameters": PYTHIA,
    }
    (run,) = recognise.read({"r.json": json.dumps(record)})
    found = match(run, known, names)
    assert isinstance(found, Match)
    assert found.how == "by parameter count and repository"
