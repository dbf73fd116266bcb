"""Runs against the graph: results with their conditions, a finding for every figure, nothing guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

import pytest

from app import vocab
from app.curate.bulk import Runs
from app.errors import BadParameter
from app.ingest.bulk.table import Reading
from app.ingest.bulk.verdicts import Verdict
from app.ingest.runs.reading import Told
from app.model.claims import Configuration, Protocol, Result, resource
from app.services import Services
from tests.ingest.runs import text, texts

PHONE = resource("device", "xiaomi-14")


def read(services: Services, files: Mapping[str, str], **told: object) -> Reading:
    return services.read_import(Runs(files, Told(**told)))  # type: ignore[arg-type]


def results(reading: Reading) -> list[Result]:
    return [item for item in reading.items if isinstance(item, Result)]


def verdicts(reading: Reading) -> dict[str, Verdict]:
    return {one.field: one.verdict for one in reading.findings}


def test_rates_of_llama_bench(seed_services: Services) -> None:
    reading = read(seed_services, texts("three-models.jsonl"), device="xiaomi-14")
    first, second, *others = results(reading)
    assert first.model == resource("model", "pythia-160m")
    assert first.artifact == resource("artifact", "pythia-160m-q4-k-m")
    assert (first.metric, first.unit) == (resource("metric", "prefill-throughput"), vocab.slmu.TOKEN_PER_SEC)
    assert (first.number, first.canonical, first.reported) == (
        Decimal("1169.918275"),
        Decimal("1169.918275"),
        "1169.918275",
    )
    assert (first.device, first.engine) == (PHONE, resource("engine", "llama.cpp"))
    assert first.configuration == Configuration(64, 0, 1, threads=1)
    assert second.metric == resource("metric", "decode-throughput")
    assert second.configuration == Configuration(0, 24, 1, threads=1)
    assert first.source.slug.startswith("run-llama-bench-pythia-160m-")
    assert (first.source.kind, first.source.dated) == ("ImportedRun", "2026-11-20")
    for part in ("llama-bench b1 commit 0c1e570", "by parameter count", "standard deviation", "n = 7", "cache f16/f16"):
        assert part in (first.note or "")
    assert {one.model.value.rsplit("/", 1)[-1] for one in others} == {"openelm-270m"}
    (question,) = reading.refused
    assert (question.field, question.verdict, question.code) == ("model", Verdict.QUESTION, "ambiguous-model")
    assert [one.problem for one in reading.findings if one.verdict is Verdict.IGNORED] == [
        "it waits for the model to be named"
    ] * 2


def test_each_model_of_a_file_can_be_named(seed_services: Services) -> None:
    files = texts("three-models.jsonl")
    with pytest.raises(BadParameter, match=r"the files hold several: .*SmolLM-135M"):
        read(seed_services, files, model="smollm-135m", device="xiaomi-14")
    meanings = {"gguf/SmolLM-135M.Q4_K_M.gguf": "smollm-135m", "gguf/Pythia-160M.Q4_K_M.gguf": "-"}
    found = results(read(seed_services, files, meanings=meanings, device="xiaomi-14"))
    assert {one.model.value.rsplit("/", 1)[-1] for one in found} == {"smollm-135m", "openelm-270m"}


def test_runtime_figures_need_a_device_that_is_known(seed_services: Services) -> None:
    reading = read(seed_services, texts("bench.json"), model="pythia-160m")
    assert reading.items == ()
    assert {one.code for one in reading.refused} == {"missing"}
    assert "Intel(R) Xeon(R) Processor" in reading.refused[0].problem
    with pytest.raises(BadParameter, match="device"):
        read(seed_services, texts("bench.json"), model="pythia-160m", device="a toaster")
    found = results(read(seed_services, texts("bench.json"), model="pythia-160m", device="xiaomi-14"))
    assert {one.artifact for one in found} == {resource("artifact", "pythia-160m-f16")}
    assert "the file has 1392640 parameters, the graph computes 162322944" in (found[0].note or "")


def test_weights_in_a_format_that_is_not_told_are_asked_for(seed_services: Services) -> None:
    files = {"t.md": text("bench.md").replace("olmo ?B F16 ", "olmo ?B IQ3X")}
    told = {"model": "pythia-160m", "device": "xiaomi-14"}
    (question,) = read(seed_services, files, **told).refused
    assert "olmo ?B IQ3X" in question.problem
    found = results(read(seed_services, files, **told, quantisation="Q2_K"))
    assert {one.artifact for one in found} == {resource("artifact", "pythia-160m-q2-k")}


def test_what_optimum_benchmark_measured(seed_services: Services) -> None:
    files = texts("benchmark_config.json", "benchmark_report.json")
    reading = read(seed_services, files, device="xiaomi-14", engine="llama.cpp")
    found = {one.metric.value.rsplit("/", 1)[-1]: one for one in results(reading)}
    assert {name: (one.number, one.unit, one.canonical) for name, one in found.items()} == {
        "time-to-first-token": (Decimal("0.05"), vocab.unit.SEC, Decimal(50)),
        "prefill-throughput": (Decimal("1280.0"), vocab.slmu.TOKEN_PER_SEC, Decimal(1280)),
        "decode-throughput": (Decimal("50.0"), vocab.slmu.TOKEN_PER_SEC, Decimal(50)),
        "decode-latency": (Decimal(20), vocab.slmu.MilliSEC_PER_TOKEN, Decimal(20)),
        "memory-footprint": (Decimal("1012.334592"), vocab.unit.MegaBYTE, Decimal(1_012_334_592)),
    }
    assert {one.artifact for one in found.values()} == {resource("artifact", "pythia-160m-released")}
    asked = read(seed_services, files, device="xiaomi-14").refused
    assert {one.problem for one in asked} == {"the registry knows no engine as the file names it (pytorch)"}


def test_a_device_and_engine_that_the_file_names_are_found(seed_services: Services) -> None:
    reading = read(seed_services, texts("mlperf_log_summary.txt", "system.json"), model="phi-2", quantisation="None")
    assert {(one.device, one.engine) for one in results(reading)} == {(PHONE, resource("engine", "llama.cpp"))}
    configuration = results(reading)[0].configuration
    assert configuration is not None
    assert configuration.untold == ("generatedTokens", "promptTokens")


def test_scores_of_lm_eval(seed_services: Services) -> None:
    files = texts("results_group.json")
    reading = read(seed_services, files, model="smollm-135m")
    found = {one.protocol.benchmark.value.rsplit("/", 1)[-1]: one for one in results(reading) if one.protocol}
    assert set(found) == {"mmlu", "winogrande"}
    score = found["mmlu"]
    assert score.protocol == Protocol(
        resource("benchmark", "mmlu"), resource("engine", "lm-evaluation-harness"), "acc", 2, untold=("split",)
    )
    assert (score.number, score.canonical, score.unit) == (Decimal("0.25"), Decimal("0.25"), vocab.unit.FRACTION)
    assert (score.device, score.engine, score.configuration) == (None, None, None)
    assert "standard error 0.11572751247156893; n = 16" in (score.note or "")
    assert "PARTIAL" in (found["winogrande"].note or "")


def test_an_unknown_task_is_a_question_and_the_rest_is_read(seed_services: Services) -> None:
    record = json.loads(text("results_group.json"))
    record["results"]["my_own"] = {"alias": "my_own", "acc,none": 0.5}
    files = {"r.json": json.dumps(record)}
    reading = read(seed_services, files, model="smollm-135m")
    assert len(reading.items) == 2
    (question,) = reading.refused
    assert (question.field, question.code) == ("my_own, acc", "unknown-name")
    assert "--map my_own=BENCHMARK" in question.advice
    named = read(seed_services, files, model="smollm-135m", meanings={"my_own": "HellaSwag"})
    assert len(named.items) == 3
    left = read(seed_services, files, model="smollm-135m", meanings={"my_own": "-"})
    assert (len(left.items), left.refused) == (2, ())


def test_scores_of_random_weights_are_refused(seed_services: Services) -> None:
    document = json.loads(text("every-eval-ever.json"))
    document["model_info"]["additional_details"]["slm.weights"] = "randomly-initialised"
    reading = read(seed_services, {"e.json": json.dumps(document)})
    assert reading.items == ()
    assert {one.problem for one in reading.refused} == {"a score of random weights says nothing of the model"}


def test_scores_of_the_exchange_format_and_of_cards(seed_services: Services) -> None:
    exchanged = results(read(seed_services, texts("every-eval-ever.json")))
    strict = next(one for one in exchanged if one.protocol and one.protocol.shots == 5)
    assert strict.protocol is not None
    assert strict.protocol.scoring == "exact_match (strict-match)"
    assert strict.protocol.harness == resource("engine", "lm-evaluation-harness")
    percent = next(one for one in exchanged if one.unit == vocab.unit.PERCENT)
    assert (percent.number, percent.canonical) == (Decimal("62.3"), Decimal("0.623"))
    card = results(read(seed_services, texts("card.md")))
    assert {one.source.kind for one in card} == {"ModelCard"}
    assert {one.artifact for one in card} == {resource("artifact", "pythia-160m-released")}
    below = results(read(seed_services, texts("eval-results.yaml"), model="pythia-160m"))
    assert {(one.protocol.benchmark.value.rsplit("/", 1)[-1], one.canonical) for one in below if one.protocol} == {
        ("gsm8k", Decimal("0.042")),
        ("mmlu", Decimal("0.261")),
    }
