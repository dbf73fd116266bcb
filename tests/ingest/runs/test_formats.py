"""Each format from text to values: what is read, what is left out and why, what is refused and where."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.errors import BadFile
from app.ingest.runs import recognise
from app.ingest.runs.recognise import Kind
from app.ingest.runs.values import Conditions, Format, ImportedFigure, ImportedRun, Score, Statistic
from tests.ingest.runs import text, texts

LLAMA = ("bench.json", "bench.jsonl", "bench.csv", "bench.md", "bench.sql")
KINDS = {
    "results_2026-11-20.json": Kind.LM_EVAL,
    "samples_slm_arith_2026-11-20.jsonl": Kind.LM_EVAL_SAMPLES,
    "bench.json": Kind.LLAMA_JSON,
    "bench.jsonl": Kind.LLAMA_JSONL,
    "bench.csv": Kind.LLAMA_CSV,
    "bench.md": Kind.LLAMA_MD,
    "bench.sql": Kind.LLAMA_SQL,
    "benchmark_config.json": Kind.OPTIMUM_CONFIG,
    "benchmark_report.json": Kind.OPTIMUM_REPORT,
    "every-eval-ever.json": Kind.EVERY_EVAL_EVER,
    "mlperf_log_summary.txt": Kind.MLPERF,
    "system.json": Kind.MLPERF_SYSTEM,
    "card.md": Kind.CARD,
    "eval-results.yaml": Kind.EVAL_RESULTS,
}


def one(*names: str) -> ImportedRun:
    (run,) = recognise.read(texts(*names))
    return run


def by_task(run: ImportedRun) -> dict[tuple[str, str | None], ImportedFigure]:
    return {(figure.score.task, figure.score.scoring): figure for figure in run.figures if figure.score}


def by_metric(run: ImportedRun) -> dict[str, ImportedFigure]:
    return {figure.metric: figure for figure in run.figures}


@pytest.mark.parametrize("name", KINDS)
def test_what_a_file_is_is_told_by_what_it_holds(name: str) -> None:
    assert recognise.kind_of(text(name), "a-name-that-says-nothing") is KINDS[name]
    assert recognise.kind_of("\n" + text(name) if name.endswith("json") else text(name), "x") is KINDS[name]


@pytest.mark.parametrize(
    "content", ["", "model,layers\nphi-2,32\n", "hello", "[]", "{}", '{"a": 1}', "---\na: b\n---\n"]
)
def test_anything_else_is_no_run(content: str) -> None:
    assert recognise.kind_of(content, "x") is None
    with pytest.raises(BadFile, match="no format that is read here") as caught:
        recognise.read({"x": content})
    assert "llama-bench" in caught.value.advice


def test_the_same_run_has_the_same_identity_under_any_name() -> None:
    (first,), (second,) = (recognise.read({name: text("bench.json")}) for name in ("a.json", "b.txt"))
    assert first.identity == second.identity
    assert len({run.identity for run in recognise.read(texts("three-models.jsonl"))}) == 3
    assert first.identity != one("bench.jsonl").identity


# ---- lm-eval ----


def test_scores_of_lm_eval_with_their_samples() -> None:
    run = one(
        "results_2026-11-20.json", "samples_slm_arith_2026-11-20.jsonl", "samples_slm_commonsense_2026-11-20.jsonl"
    )
    assert run.format is Format.LM_EVAL
    assert (run.tool.name, run.tool.version, run.tool.commit) == ("lm-evaluation-harness", "0.4.13", None)
    assert (run.model.name, run.model.parameters) == ("models/lmeval/tiny-random-llama", 139_584)
    assert (run.model.quantisation, run.model.precision, run.model.revision) == ("None", "float32", None)
    assert run.started == "2026-11-20T22:27:41+00:00"
    assert run.environment["transformers"] == "5.23.0"
    assert run.environment["os"] == "Debian GNU/Linux 12 (bookworm) (x86_64)"
    found = by_task(run)
    assert {key: figure.value for key, figure in found.items()} == {
        ("slm_commonsense", "acc"): Decimal("0.25"),
        ("slm_commonsense", "acc_norm"): Decimal("0.125"),
        ("slm_arith", "exact_match"): Decimal("0.0"),
    }
    figure = found["slm_commonsense", "acc"]
    assert figure.score == Score(
        task="slm_commonsense",
        scoring="acc",
        version="1.0",
        task_hash="e9a8b6bdd18a2e0333986fbd3bd517419afbf494e5df9d49b9d710569bc985a6",
        shots=0,
        split="test",
    )
    assert figure.standard_error == Decimal("0.16366341767699427")
    assert (figure.reported, figure.unit, figure.statistic, figure.partial) == (
        "0.25",
        "fraction",
        Statistic.MEAN,
        False,
    )
    assert figure.locator == "results_2026-11-20.json#/results/slm_commonsense/acc,none"
    assert figure.count == len(figure.samples) == 8
    assert sum(figure.samples) == 2


def test_a_group_is_read_and_its_parts_are_not() -> None:
    """Also: arguments in one text, errors that are no number, NaN, metrics that are no accuracy, and a limit."""
    run = one("results_group.json")
    assert run.model.name == "models/tiny"
    found = by_task(run)
    assert set(found) == {("mmlu", "acc"), ("winogrande", "acc")}
    group, other = found["mmlu", "acc"], found["winogrande", "acc"]
    assert group.score is not None
    assert (group.count, group.score.shots, group.score.version) == (16, 2, "2.0")
    assert (other.count, other.standard_error, other.partial) == (10, None, True)
    reasons = {one.locator.rpartition("#")[2]: one.reason for one in run.left_out}
    assert reasons["/results/mmlu_law/acc,none"] == "a part of mmlu, whose score is read"
    assert reasons["/results/mmlu_law/word_perplexity,none"] == "no number stands here"
    assert reasons["/results/winogrande/word_perplexity,none"] == "'word_perplexity' is no share of right answers"


def test_groups_of_groups_and_models_that_do_not_tell_their_size() -> None:
    record = json.loads(text("results_group.json").replace("NaN", "1"))
    record["group_subtasks"] = {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_law", "mmlu_art"]}
    record["results"]["mmlu_stem"] = record["results"]["mmlu"]
    record["config"]["model_num_parameters"] = -1
    del record["n-shot"]["mmlu"]
    (run,) = recognise.read({"r.json": json.dumps(record)})
    assert run.model.parameters is None
    group = by_task(run)["mmlu", "acc"]
    assert group.score is not None
    assert (group.count, group.score.shots) == (16, 2)
    assert ("mmlu_stem", "acc") not in by_task(run)


def test_filters_stand_behind_the_last_comma_and_hub_models_have_a_revision() -> None:
    record = json.loads(text("results_2026-11-20.json"))
    record["results"] = {"gsm8k": {"alias": "gsm8k", "exact_match,strict-match": 0.5, "exact_match,a,b": 0.25}}
    record["config"] |= {"model_args": {"pretrained": "x/y", "load_in_4bit": True}, "model_sha": "abc", "model": "hf"}
    (run,) = recognise.read({"r.json": json.dumps(record)})
    assert [figure.score.filter for figure in run.figures if figure.score] == ["strict-match"]
    assert [one.reason for one in run.left_out] == ["'exact_match,a' is no share of right answers"]
    assert (run.model.name, run.model.revision, run.model.quantisation) == ("x/y", "abc", None)


def test_samples_of_another_run_are_refused() -> None:
    """Their mean is not the score, whatever the file is called; a file without a name is known by its mean."""
    results, samples = text("results_2026-11-20.json"), text("samples_slm_commonsense_2026-11-20.jsonl")
    (run,) = recognise.read({"r.json": results, "some.jsonl": samples})
    assert len(by_task(run)["slm_commonsense", "acc"].samples) == 8
    wrong = samples.replace('"acc": 0.0', '"acc": 1.0')
    with pytest.raises(BadFile, match="no samples of this run"):
        recognise.read({"r.json": results, "samples_slm_commonsense_1.jsonl": wrong})
    with pytest.raises(BadFile, match="not exactly one results file"):
        recognise.read({"some.jsonl": samples})


# ---- llama-bench ----


def test_the_five_formats_of_llama_bench_say_the_same() -> None:
    """Each file is of a run of its own, so the rates differ; everything else must not."""
    exact = one("bench.json")
    assert (exact.tool.name, exact.tool.version, exact.tool.commit) == ("llama-bench", "b1", "0c1e570")
    assert (exact.model.name, exact.model.parameters, exact.model.bytes) == ("olmo.F16.gguf", 1_392_640, 2_785_280)
    assert (exact.model.quantisation, exact.model.label) == ("F16", "olmo ?B F16")
    for name in LLAMA:
        run = one(name)
        assert run.format is Format.LLAMA_BENCH
        assert run.tool == exact.tool
        assert (run.model.quantisation, run.model.label) == ("F16", "olmo ?B F16")
        assert [figure.metric for figure in run.figures] == ["prefill-throughput", "decode-throughput"]
        for figure, wanted in zip(run.figures, exact.figures, strict=True):
            assert (figure.unit, figure.statistic) == ("tokens/s", Statistic.MEAN)
            assert figure.value > 0
            assert figure.standard_deviation is not None
            assert wanted.conditions is not None
            assert figure.conditions is not None
            for field in ("prompt_tokens", "generated_tokens", "depth", "batch_size", "threads"):
                assert getattr(figure.conditions, field) == getattr(wanted.conditions, field), (name, field)
        assert [left.reason for left in run.left_out] == ["prompt and generation in one figure"]


def test_only_json_has_samples_and_only_the_table_lacks_the_exact_count() -> None:
    for name in LLAMA:
        run = one(name)
        has = name in {"bench.json", "bench.jsonl"}
        assert [(len(figure.samples), figure.count) for figure in run.figures] == [(3, 3) if has else (0, None)] * 2
        assert run.model.parameters == (None if name == "bench.md" else 1_392_640)
    figure = one("bench.json").figures[0]
    assert abs(sum(figure.samples, Decimal(0)) / 3 - figure.value) < Decimal("0.5")


def test_conditions_of_llama_bench() -> None:
    run = one("bench.jsonl")
    prefill, decode = (figure.conditions or Conditions() for figure in run.figures)
    assert (prefill.prompt_tokens, prefill.generated_tokens) == (16, 0)
    assert (decode.prompt_tokens, decode.generated_tokens, decode.depth) == (0, 8, 0)
    assert (decode.threads, decode.kv_key_type, decode.kv_value_type, decode.batch_size) == (1, "f16", "f16", 1)
    assert decode.settings["n_batch"] == "2048"
    assert run.environment == {"cpu_info": "Intel(R) Xeon(R) Processor", "backends": "CPU"}
    deep = one("bench-at-depth.md")
    assert [(figure.conditions or Conditions()).depth for figure in deep.figures] == [32, 32]


def test_a_file_of_several_models_is_several_runs() -> None:
    runs = recognise.read(texts("three-models.jsonl"))
    assert [run.model.parameters for run in runs] == [134_515_008, 162_322_944, 271_527_168]
    assert [figure.locator for figure in runs[1].figures] == [
        "three-models.jsonl, line 3#/avg_ts",
        "three-models.jsonl, line 4#/avg_ts",
    ]


def test_several_tables_in_one_text() -> None:
    """As people paste them: with words between, and each with columns of its own."""
    both = f"Results:\n\n{text('bench.md')}\nand with a longer cache\n\n{text('bench-at-depth.md')}"
    (run,) = recognise.read({"pasted.md": both})
    assert [(figure.conditions or Conditions()).depth for figure in run.figures] == [0, 0, 32, 32]


def test_fields_that_nobody_knows_do_no_harm() -> None:
    tests = json.loads(text("bench.json"))
    for test in tests:
        test |= {"a_new_field": {"deep": [1]}, "another": None}
    (run,) = recognise.read({"bench.json": json.dumps(tests)})
    assert len(run.figures) == 2


# ---- optimum-benchmark ----


def test_optimum_benchmark() -> None:
    run = one("benchmark_config.json", "benchmark_report.json")
    assert (run.format, run.tool.version) == (Format.OPTIMUM, "0.6.0")
    assert (run.model.name, run.model.precision, run.model.random_weights) == (
        "EleutherAI/pythia-160m",
        "float32",
        False,
    )
    assert run.environment["engine"] == "pytorch"
    found = by_metric(run)
    assert {name: (figure.value, figure.unit) for name, figure in found.items()} == {
        "time-to-first-token": (Decimal("0.05"), "s"),
        "prefill-throughput": (Decimal("1280.0"), "tokens/s"),
        "decode-throughput": (Decimal("50.0"), "tokens/s"),
        "decode-latency": (Decimal("20.00"), "ms/token"),
        "memory-footprint": (Decimal("1012.334592"), "MB"),
    }
    assert found["time-to-first-token"].canonical == 50
    assert found["time-to-first-token"].samples == (Decimal("0.051"), Decimal("0.049"), Decimal("0.05"))
    assert found["decode-latency"].reported == "0.02 s"
    assert found["memory-footprint"].statistic is Statistic.MAXIMUM
    conditions = found["decode-throughput"].conditions
    assert conditions is not None
    assert (conditions.prompt_tokens, conditions.generated_tokens, conditions.batch_size) == (64, 16, 1)
    assert conditions.threads == 1
    left = {one.locator.rpartition("#")[2] for one in run.left_out}
    assert {"/prefill/energy", "/load_model/latency", "/generate/efficiency", "/decode/latency"} <= left


def test_optimum_benchmark_in_one_document_and_by_halves() -> None:
    both = {"config": json.loads(text("benchmark_config.json")), "report": json.loads(text("benchmark_report.json"))}
    (run,) = recognise.read({"benchmark.json": json.dumps(both)})
    assert run.figures[0].locator.startswith("benchmark.json#/report/")
    assert {figure.metric for figure in run.figures} == set(
        by_metric(one("benchmark_config.json", "benchmark_report.json"))
    )
    for half in ("benchmark_config.json", "benchmark_report.json"):
        with pytest.raises(BadFile, match="other half"):
            recognise.read(texts(half))


def test_random_weights_of_optimum_benchmark_are_told() -> None:
    config = json.loads(text("benchmark_config.json"))
    config["backend"]["no_weights"] = True
    (run,) = recognise.read({"c.json": json.dumps(config), "r.json": text("benchmark_report.json")})
    assert run.model.random_weights is True


# ---- MLPerf ----


def test_mlperf() -> None:
    run = one("mlperf_log_summary.txt", "system.json")
    assert run.environment["engine"] == "llama.cpp"
    assert run.model.name is None
    found = by_metric(run)
    assert {name: (figure.value, figure.unit) for name, figure in found.items()} == {
        "time-to-first-token": (Decimal("208.123456"), "ms"),
        "decode-latency": (Decimal("54.321"), "ms/token"),
        "decode-throughput": (Decimal("17.25"), "tokens/s"),
    }
    first = found["time-to-first-token"]
    assert (first.statistic, first.reported, first.line) == (Statistic.MEDIAN, "208123456 ns", 25)
    assert first.others["99.00"] == 251
    assert first.conditions is not None
    assert (first.conditions.batch_size, first.conditions.settings["scenario"]) == (1, "SingleStream")
    assert one("mlperf_log_summary.txt").identity == run.identity


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Result is : VALID", "Result is : INVALID", "the run is INVALID by the rules of MLPerf"),
        ("PerformanceOnly", "AccuracyOnly", "the run's mode is AccuracyOnly"),
    ],
)
def test_a_run_of_mlperf_that_does_not_count_has_no_figures(old: str, new: str, reason: str) -> None:
    (run,) = recognise.read({"summary.txt": text("mlperf_log_summary.txt").replace(old, new)})
    assert run.figures == ()
    assert {one.reason for one in run.left_out} == {reason}
    assert len(run.left_out) == 3


def test_other_scenarios_of_mlperf_do_not_tell_the_batch() -> None:
    (run,) = recognise.read({"s.txt": text("mlperf_log_summary.txt").replace("SingleStream", "Server")})
    assert {(figure.conditions or Conditions()).batch_size for figure in run.figures} == {None}


# ---- Every Eval Ever and Hugging Face ----


def test_every_eval_ever() -> None:
    run = one("every-eval-ever.json")
    assert (run.tool.name, run.tool.version) == ("lm-evaluation-harness", "0.4.9")
    assert (run.model.name, run.model.parameters) == ("EleutherAI/pythia-160m", 162_322_944)
    assert run.started == "2026-05-28T17:40:00+00:00"
    found = by_task(run)
    strict = found["gsm8k", "exact_match"]
    assert strict.score == Score("gsm8k", "exact_match", "strict-match", shots=5, split="test")
    assert (strict.value, strict.unit, strict.count) == (Decimal("0.01592115238817286"), "fraction", 1319)
    assert strict.standard_error == Decimal("0.0034478192723889937")
    percent = found["piqa", None]
    assert (percent.value, percent.unit, percent.canonical) == (Decimal("62.3"), "percent", Decimal("0.623"))
    reasons = {one.locator.rpartition("#")[2]: one.reason for one in run.left_out}
    assert "neither unit nor bounds" in reasons["/evaluation_results/2/score_details/score"]
    assert "'word_perplexity'" in reasons["/evaluation_results/3/score_details/score"]


def test_an_index_of_scores_in_a_card() -> None:
    run = one("card.md")
    assert (run.format, run.model.name) == (Format.MODEL_INDEX, "EleutherAI/pythia-160m")
    found = by_task(run)
    assert found["HellaSwag", "acc_norm"].score == Score("HellaSwag", "acc_norm", shots=10, split="validation")
    assert (found["WinoGrande", "acc"].reported, found["WinoGrande", "acc"].unit) == ("51.30", "percent")
    assert [one.reason for one in run.left_out] == [
        "'f1' is no share of right answers",
        "0.513 stands among percentages and may be a fraction",
    ]


def test_files_below_eval_results() -> None:
    run = one("eval-results.yaml")
    assert (run.model.name, run.started) == (None, "2026-03-01")
    found = by_task(run)
    assert found["gsm8k", None].score == Score("gsm8k", shots=5, split="test")
    assert (found["cais/mmlu", None].value, found["cais/mmlu", None].unit) == (Decimal("26.1"), "percent")


# ---- what must be there ----


def _json(name: str, change: Callable[[Any], object]) -> dict[str, str]:
    record = json.loads(text(name))
    change(record)
    return {name: json.dumps(record)}


def _without(name: str, *path: str) -> dict[str, str]:
    def change(record: Any) -> None:
        *above, last = path
        for key in above:
            record = record[int(key) if isinstance(record, list) else key]
        del record[last]

    return _json(name, change)


BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "a crashed llama-bench": (texts("bench-crashed.json"), "is not JSON"),
    "a test without its count": (
        _without("bench.json", "0", "model_n_params"),
        r"\(/0\): has no member model_n_params",
    ),
    "a rate of nothing": (_json("bench.json", lambda tests: tests[0].update(avg_ts=0)), r"\(/0/avg_ts\): is no rate"),
    "a rate in words": (
        _json("bench.json", lambda tests: tests[0].update(avg_ts="fast")),
        r"\(/0/avg_ts\): is no rate: fast",
    ),
    "a count with a point": (
        _json("bench.json", lambda tests: tests[0].update(n_prompt=1.5)),
        r"\(/0/n_prompt\): is no whole number",
    ),
    "a test of nothing": (_json("bench.json", lambda tests: tests[0].update(n_prompt=0)), "a test of nothing"),
    "a short line of csv": ({"b.csv": text("bench.csv") + '"0c1e570","1"\n'}, "line 5: has 2 values for 42 names"),
    "a csv with an open quote": ({"b.csv": text("bench.csv") + '"0c1e570'}, "is no csv"),
    "a line of jsonl": ({"b.jsonl": text("bench.jsonl") + "{\n"}, "line 4, column 2: is not JSON"),
    "an insert cut short": ({"b.sql": text("bench.sql").rstrip()[:-40]}, "holds a statement that is no record"),
    "an insert without quotes": ({"b.sql": text("bench.sql").replace("('0c", "(0c")}, "without quotes"),
    "a table without a spread": ({"b.md": text("bench.md").replace("±", "")}, "no mean with its deviation"),
    "a table with another test": ({"b.md": text("bench.md").replace("pp16 ", "xx16 ")}, "no test of llama-bench"),
    "a table of no test": ({"b.md": "\n".join(text("bench.md").split("\n")[:2])}, "holds no test"),
    "a score above one": (
        _json("results_2026-11-20.json", lambda record: record["results"]["slm_arith"].update({"exact_match,none": 2})),
        r"\(/results/slm_arith/exact_match,none\): 2 is no share",
    ),
    "results without a configuration": (_without("results_2026-11-20.json", "config"), "has no member config"),
    "a key twice": ({"r.json": '{"results": {}, "configs": {}, "versions": {}, "results": {}}'}, "'results' twice"),
    "nesting without end": ({"r.json": "[" * 100_000}, "is nested too deep|is not JSON"),
    "seconds in another unit": (
        {
            "benchmark_config.json": text("benchmark_config.json"),
            **_json("benchmark_report.json", lambda record: record["prefill"]["latency"].update(unit="ms")),
        },
        r"\(/prefill/latency/unit\): is in ms and not in s",
    ),
    "memory that is none": (
        {
            "benchmark_config.json": text("benchmark_config.json"),
            **_json("benchmark_report.json", lambda record: record["generate"]["memory"].update(max_ram=0)),
        },
        r"\(/generate/memory/max_ram\): is no measured value",
    ),
    "another schema": (
        _json("every-eval-ever.json", lambda record: record.update(schema_version="1.0")),
        r"\(/schema_version\): is schema 1.0",
    ),
    "a document without its model": (_without("every-eval-ever.json", "model_info", "id"), "has no member id"),
    "a score outside of its scale": (
        _json(
            "every-eval-ever.json", lambda record: record["evaluation_results"][1]["score_details"].update(score=623)
        ),
        "outside of its scale",
    ),
    "a summary without its result": (
        {"s.txt": text("mlperf_log_summary.txt").replace("Result is : VALID", "")},
        "does not say 'result is'",
    ),
    "a latency in words": (
        {"s.txt": text("mlperf_log_summary.txt").replace("208123456", "fast")},
        "line 25 .*'fast' is no measured value",
    ),
    "a system alone": (texts("system.json"), "no summary with it"),
    "a card with an alias": ({"c.md": text("card.md").replace("license: apache-2.0", "a: &a 1\nb: *a")}, "anchor"),
    "a list of no score": ({"e.yaml": "- dataset:\n    id: cais/mmlu\n  value: high\n"}, r"\(/0/value\): is no number"),
    "a yaml that is none": ({"e.yaml": "- dataset: [\n  value: 1\n"}, "line 3, column 1: is not YAML"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_must_be_there_is_asked_for_at_its_place(case: str) -> None:
    files, message = BROKEN[case]
    with pytest.raises(BadFile, match=message) as caught:
        recognise.read(files)
    assert caught.value.advice
