"""Results of llama-bench in its five formats: json, jsonl, csv, md and sql.

Each test is one record: prompt processing (no tokens generated), generation (no prompt), or both, which is left out
since no metric is of both. Only json and jsonl hold samples. `model_type` is a guess of the tool from the number of
layers, and wrong for small models: it names the storage format of the weights here, and never the model.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping

from app.errors import BadFile
from app.ingest.runs.documents import Part, count, parse, parse_lines, word
from app.ingest.runs.values import (
    Conditions,
    Format,
    ImportedFigure,
    ImportedRun,
    LeftOut,
    ModelFacts,
    Statistic,
    Tool,
    identity,
)

ENGINE = "llama.cpp"
_NEEDED = ("model_filename", "model_n_params", "n_prompt", "n_gen", "avg_ts")
_CONDITIONS = frozenset({"n_prompt", "n_gen", "n_depth", "n_threads", "type_k", "type_v"})
_RESULTS = frozenset({"test_time", "avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ns", "samples_ts"})
_MODEL = frozenset({"model_filename", "model_type", "model_size", "model_n_params"})
_ENVIRONMENT = ("cpu_info", "gpu_info", "backends")
_BUILD = frozenset({"build_commit", "build_number"})
_STORED = {
    "F16": "F16",
    "Q8_0": "Q8_0",
    "Q6_K": "Q6_K",
    "Q5_K - Medium": "Q5_K_M",
    "Q4_K - Medium": "Q4_K_M",
    "Q3_K - Medium": "Q3_K_M",
    "Q2_K - Medium": "Q2_K",
    "Q4_0": "Q4_0",
}
"""Storage formats in the tool's words, and their notation here."""
_INSERT = re.compile(r"INSERT\s+INTO\s+\w+\s*\(([^)]*)\)\s*VALUES\s*\((.*)\)\s*;?\s*", re.IGNORECASE)
_TEST = re.compile(r"(?:pp(?P<prompt>\d+))?\+?(?:tg(?P<generated>\d+))?(?:\s*@\s*d(?P<depth>\d+))?", re.ASCII)
_RATE = re.compile(r"(?P<mean>[\d.]+)\s*(?:±|\+/-)\s*(?P<deviation>[\d.]+)")
_BUILT = re.compile(r"^build:\s*(?P<commit>[0-9a-f]+|unknown)\s*\((?P<number>\d+)\)", re.MULTILINE)
_HEADER = frozenset({"model", "test", "t/s"})
"""Columns that each printed table has."""
_PRINTED = {
    "threads": "n_threads",
    "ngl": "n_gpu_layers",
    "fa": "flash_attn",
    "sm": "split_mode",
    "backend": "backends",
}
"""Column names of the printed table that differ from those of the other formats."""


def is_test(part: Part) -> bool:
    """Whether a document is one test of llama-bench."""
    return all(part.at(name) is not None for name in ("n_prompt", "n_gen", "avg_ts"))


def is_csv(text: str) -> bool:
    """Whether a text is llama-bench's csv."""
    header = text.split("\n", 1)[0].strip().split(",")
    return {"n_prompt", "n_gen", "avg_ts"} <= {name.strip().strip('"') for name in header}


def is_sql(text: str) -> bool:
    """Whether a text is llama-bench's sql."""
    return re.search(r"^INSERT\s+INTO\s+\w+\s*\([^)]*\bn_prompt\b[^)]*\bavg_ts\b", text, re.MULTILINE) is not None


def is_markdown(text: str) -> bool:
    """Whether a text is llama-bench's table."""
    return any(set(_cells(line)) >= _HEADER for line in text.split("\n"))


def read_json(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in llama-bench's json, one for each model; BadFile."""
    return _runs(parse(text, file).items(), text, file)


def read_jsonl(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in llama-bench's jsonl, one for each model; BadFile."""
    return _runs(parse_lines(text, file), text, file)


def read_csv(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in llama-bench's csv, one for each model; BadFile."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    tests: list[Part] = []
    try:
        header = next(reader, [])
        for row in reader:
            if row:
                tests.append(_record(file, reader.line_num, header, row))
    except csv.Error as error:
        raise BadFile(file, f"is no csv: {error}", line=reader.line_num, advice="Give it as it was written.") from error
    return _runs(tests, text, file)


def read_sql(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in llama-bench's sql, one for each model. The statements are read, not run. BadFile."""
    tests: list[Part] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip().upper().startswith("INSERT"):
            continue
        match = _INSERT.fullmatch(line.strip())
        if match is None:
            raise BadFile(file, "holds a statement that is no record", line=number, advice="Give it as it was written.")
        values = match[2].strip()
        if not (values.startswith("'") and values.endswith("'")):
            raise BadFile(file, "holds values without quotes", line=number, advice="Give it as it was written.")
        header = [name.strip() for name in match[1].split(",")]
        tests.append(_record(file, number, header, values[1:-1].split("', '")))
    return _runs(tests, text, file)


def read_markdown(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in llama-bench's tables. Its numbers are rounded: no exact parameter count, no samples. BadFile."""
    build = _BUILT.search(text)
    tests: list[Part] = []
    header: list[str] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        cells = _cells(line)
        if not cells:
            header = None
        elif header is None:
            header = cells if set(cells) >= _HEADER else None
        elif not set(line) <= set("|-: "):
            tests.append(_printed(_record(file, number, header, cells), build))
    return _runs(tests, text, file, exact=False)


def _cells(line: str) -> list[str]:
    """The cells of a line of a table; none for another line."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []


def _record(file: str, line: int, header: list[str], row: list[str]) -> Part:
    """A line of values as one document; BadFile where values and names do not go together."""
    if len(row) != len(header):
        raise BadFile(
            file, f"has {len(row)} values for {len(header)} names", line=line, advice="Give it as it was written."
        )
    return Part(file, "", dict(zip((name.strip() for name in header), row, strict=True)), line)


def _printed(part: Part, build: re.Match[str] | None) -> Part:
    """A line of the printed table with the names of the other formats."""
    rate, test = _RATE.fullmatch(part.need("t/s").text()), _TEST.fullmatch(part.need("test").text())
    if rate is None:
        part.need("t/s").refuse("is no mean with its deviation", "Give the output of llama-bench -o md.")
    if test is None or not test[0]:
        part.need("test").refuse("is no test of llama-bench", "Give the output of llama-bench -o md.")
    skipped = {"test", "t/s", "model", "size", "params"}
    others = {_PRINTED.get(key, key): value for key, value in part.value.items() if key not in skipped}
    record = {
        **others,
        "model_type": part.need("model").text(),
        "n_prompt": test["prompt"] or "0",
        "n_gen": test["generated"] or "0",
        "n_depth": test["depth"] or "0",
        "avg_ts": rate["mean"],
        "stddev_ts": rate["deviation"],
        **({"build_commit": build["commit"], "build_number": build["number"]} if build else {}),
    }
    return Part(part.file, part.pointer, record, part.line)


def _runs(tests: Iterable[Part], text: str, file: str, *, exact: bool = True) -> tuple[ImportedRun, ...]:
    """One run for each model file of the tests, in the order of the file."""
    grouped: dict[tuple[str, ...], list[Part]] = {}
    for test in tests:
        for name in _NEEDED if exact else ("model_type", "n_prompt", "n_gen", "avg_ts"):
            test.need(name)
        of = tuple(word(test, name) or "" for name in ("model_filename", "model_type", "model_n_params", "model_size"))
        grouped.setdefault(of, []).append(test)
    if not grouped:
        raise BadFile(file, "holds no test", advice="Run llama-bench to its end and give its output.")
    return tuple(_run(group, identity([text], "|".join(of)), file) for of, group in grouped.items())


def _run(tests: list[Part], name: str, file: str) -> ImportedRun:
    first = tests[0]
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    for test in tests:
        rate = test.need("avg_ts")
        if count(test, "n_prompt") and count(test, "n_gen"):
            left_out.append(LeftOut(rate.locator, rate.shown, "prompt and generation in one figure", rate.line))
        else:
            figures.append(_figure(test, rate))
    commit = word(first, "build_commit")
    number = word(first, "build_number")
    started = min((word(test, "test_time") or "" for test in tests), default="")
    return ImportedRun(
        identity=name,
        format=Format.LLAMA_BENCH,
        file=file,
        tool=Tool("llama-bench", f"b{number}" if number else None, None if commit == "unknown" else commit),
        model=ModelFacts(
            name=word(first, "model_filename"),
            parameters=count(first, "model_n_params"),
            quantisation=_stored(word(first, "model_type") or ""),
            bytes=count(first, "model_size"),
            label=word(first, "model_type"),
        ),
        figures=tuple(figures),
        left_out=tuple(left_out),
        environment={key: told for key in _ENVIRONMENT if (told := word(first, key))},
        started=started or None,
    )


def _stored(label: str) -> str | None:
    """The storage format at the end of the tool's label."""
    fitting = [stored for stored in _STORED if label.endswith(f" {stored}")]
    return _STORED[max(fitting, key=len)] if fitting else None


def _figure(test: Part, rate: Part) -> ImportedFigure:
    prompt, generated = count(test, "n_prompt"), count(test, "n_gen")
    if not prompt and not generated:
        test.refuse("is a test of nothing: neither prompt nor generated tokens", "Remove the record.")
    value = rate.maybe_number()
    if value is None or value <= 0:
        rate.refuse(f"is no rate: {rate.shown}", "Run the test again.")
    deviation = test.at("stddev_ts")
    samples = test.at("samples_ts")
    found = tuple(one.number() for one in samples.items()) if samples is not None else ()
    return ImportedFigure(
        metric="decode-throughput" if generated else "prefill-throughput",
        value=value,
        reported=str(rate.value).strip(),
        unit="tokens/s",
        locator=rate.locator,
        line=rate.line,
        statistic=Statistic.MEAN,
        conditions=Conditions(
            prompt_tokens=prompt,
            generated_tokens=generated,
            depth=count(test, "n_depth") or 0,
            batch_size=1,
            threads=count(test, "n_threads"),
            kv_key_type=word(test, "type_k"),
            kv_value_type=word(test, "type_v"),
            settings=_settings(test.value),
        ),
        standard_deviation=None if deviation is None else deviation.maybe_number(),
        count=len(found) or None,
        samples=found,
    )


def _settings(record: Mapping[str, object]) -> dict[str, str]:
    """What else the test was set to, in the tool's words."""
    known = _CONDITIONS | _RESULTS | _MODEL | _BUILD | set(_ENVIRONMENT)
    told = {key: value for key, value in record.items() if key not in known}
    shown = {key: str(value).lower() if isinstance(value, bool) else value for key, value in told.items()}
    return {key: value for key, value in shown.items() if isinstance(value, str) and value}
