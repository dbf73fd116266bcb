"""Which format files are in, told by what they hold and never by their names; and the runs in them.

Files that belong together (results with their samples, a configuration with its report, a summary with its system) are
given together. Two runs in one call are two runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from app.errors import BadFile
from app.ingest.runs import every_eval_ever, llama_bench, lm_eval, mlperf, model_index, optimum
from app.ingest.runs.documents import Part, parse
from app.ingest.runs.values import ImportedRun

FORMATS = (
    "lm-eval (results_….json, with samples_….jsonl), llama-bench (json, jsonl, csv, md, sql), optimum-benchmark "
    "(benchmark_config.json with benchmark_report.json), Every Eval Ever, MLPerf (mlperf_log_summary.txt, with the "
    "system's json), Hugging Face (model-index in a card, .eval_results)"
)


class Kind(StrEnum):
    """What one file is."""

    LM_EVAL = "results of lm-eval"
    LM_EVAL_SAMPLES = "samples of lm-eval"
    LLAMA_JSON = "json of llama-bench"
    LLAMA_JSONL = "jsonl of llama-bench"
    LLAMA_CSV = "csv of llama-bench"
    LLAMA_SQL = "sql of llama-bench"
    LLAMA_MD = "table of llama-bench"
    OPTIMUM_CONFIG = "configuration of optimum-benchmark"
    OPTIMUM_REPORT = "report of optimum-benchmark"
    OPTIMUM = "benchmark of optimum-benchmark"
    EVERY_EVAL_EVER = "document of Every Eval Ever"
    MLPERF = "summary of MLPerf"
    MLPERF_SYSTEM = "system of MLPerf"
    CARD = "card with an index of scores"
    EVAL_RESULTS = "scores of .eval_results"


def kind_of(text: str, file: str) -> Kind | None:
    """What a file is; None for anything that is not read here. BadFile for JSON that is broken."""
    stripped = text.lstrip()
    if stripped[:1] in {"{", "["}:
        first = stripped.split("\n", 1)[0].rstrip()
        lines = stripped.startswith("{") and first.endswith("}") and "\n" in stripped.strip()
        return _lines(first, file) if lines else _document(parse(text, file))
    for fits, kind in (
        (mlperf.is_summary, Kind.MLPERF),
        (llama_bench.is_csv, Kind.LLAMA_CSV),
        (llama_bench.is_sql, Kind.LLAMA_SQL),
        (model_index.is_card, Kind.CARD),
        (llama_bench.is_markdown, Kind.LLAMA_MD),
        (model_index.is_results, Kind.EVAL_RESULTS),
    ):
        if fits(text):
            return kind
    return None


def read(texts: Mapping[str, str]) -> tuple[ImportedRun, ...]:
    """The runs in files, texts by name; BadFile for what is no format, and for parts without their whole."""
    kinds: dict[Kind, dict[str, str]] = {}
    for file, text in texts.items():
        kind = kind_of(text, file)
        if kind is None:
            raise BadFile(file, "is in no format that is read here", advice=f"These are: {FORMATS}.")
        kinds.setdefault(kind, {})[file] = text
    runs: list[ImportedRun] = []
    for kind, files in kinds.items():
        if kind not in _WITH_OTHERS:
            runs += [run for file, text in files.items() for run in _alone(kind, text, file)]
    return (*runs, *_lm_eval(kinds), *_optimum(kinds), *_mlperf(kinds))


_WITH_OTHERS = {
    Kind.LM_EVAL,
    Kind.LM_EVAL_SAMPLES,
    Kind.OPTIMUM_CONFIG,
    Kind.OPTIMUM_REPORT,
    Kind.MLPERF,
    Kind.MLPERF_SYSTEM,
}


def _document(root: Part) -> Kind | None:
    if isinstance(root.value, list):
        first = next(iter(root.items()), None)
        if first is None:
            return None
        if llama_bench.is_test(first):
            return Kind.LLAMA_JSON
        return Kind.EVERY_EVAL_EVER if every_eval_ever.is_document(first) else None
    for fits, kind in (
        (every_eval_ever.is_document, Kind.EVERY_EVAL_EVER),
        (lm_eval.is_results, Kind.LM_EVAL),
        (optimum.is_both, Kind.OPTIMUM),
        (optimum.is_config, Kind.OPTIMUM_CONFIG),
        (mlperf.is_system, Kind.MLPERF_SYSTEM),
        (llama_bench.is_test, Kind.LLAMA_JSONL),
        (lm_eval.is_samples, Kind.LM_EVAL_SAMPLES),
        (optimum.is_report, Kind.OPTIMUM_REPORT),
    ):
        if fits(root):
            return kind
    return None


def _lines(first: str, file: str) -> Kind | None:
    root = parse(first, file, line=1)
    if llama_bench.is_test(root):
        return Kind.LLAMA_JSONL
    return Kind.LM_EVAL_SAMPLES if lm_eval.is_samples(root) else None


def _alone(kind: Kind, text: str, file: str) -> tuple[ImportedRun, ...]:  # noqa: PLR0911 - one for each kind
    match kind:
        case Kind.LLAMA_JSON:
            return llama_bench.read_json(text, file)
        case Kind.LLAMA_JSONL:
            return llama_bench.read_jsonl(text, file)
        case Kind.LLAMA_CSV:
            return llama_bench.read_csv(text, file)
        case Kind.LLAMA_SQL:
            return llama_bench.read_sql(text, file)
        case Kind.LLAMA_MD:
            return llama_bench.read_markdown(text, file)
        case Kind.OPTIMUM:
            return (optimum.read_both(text, file),)
        case Kind.EVERY_EVAL_EVER:
            return every_eval_ever.read(text, file)
        case Kind.CARD:
            return model_index.read_card(text, file)
        case _:
            return (model_index.read_results(text, file),)


def _lm_eval(kinds: Mapping[Kind, Mapping[str, str]]) -> tuple[ImportedRun, ...]:
    results, samples = kinds.get(Kind.LM_EVAL, {}), kinds.get(Kind.LM_EVAL_SAMPLES, {})
    if samples and len(results) != 1:
        raise BadFile(
            next(iter(samples)),
            "holds samples, and there is not exactly one results file with it",
            advice="Give the results_….json of the same run, and only that one.",
        )
    return tuple(lm_eval.read(text, file, samples) for file, text in results.items())


def _optimum(kinds: Mapping[Kind, Mapping[str, str]]) -> tuple[ImportedRun, ...]:
    configs, reports = kinds.get(Kind.OPTIMUM_CONFIG, {}), kinds.get(Kind.OPTIMUM_REPORT, {})
    if len(configs) == len(reports) == 1:
        (config,), (report,) = configs.items(), reports.items()
        return (optimum.read((config[1], config[0]), (report[1], report[0])),)
    if configs or reports:
        raise BadFile(
            next(iter({**configs, **reports})),
            "stands without its other half, or there are several",
            advice="Give one benchmark_config.json together with its benchmark_report.json.",
        )
    return ()


def _mlperf(kinds: Mapping[Kind, Mapping[str, str]]) -> tuple[ImportedRun, ...]:
    summaries, systems = kinds.get(Kind.MLPERF, {}), kinds.get(Kind.MLPERF_SYSTEM, {})
    if systems and (len(systems) > 1 or not summaries):
        raise BadFile(
            next(iter(systems)),
            "describes a system, and there is no summary with it, or several systems",
            advice="Give one system's description together with the summaries of its runs.",
        )
    system = next(((text, file) for file, text in systems.items()), None)
    return tuple(mlperf.read(text, file, system) for file, text in summaries.items())
