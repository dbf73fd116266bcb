"""Every Eval Ever, the exchange format of evaluation scores (schema 0.2 and 0.3): one document for one evaluation.

It is about scores; it has no place for what a model costs to run. The scale of a score is told by the unit or by the
bounds of its metric; where neither says it, the score is left out.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from app.ingest.runs.documents import Part, as_number, count, parse, word
from app.ingest.runs.lm_eval import ACCURACIES, HARNESS
from app.ingest.runs.values import (
    ACCURACY,
    Format,
    ImportedFigure,
    ImportedRun,
    LeftOut,
    ModelFacts,
    Score,
    Tool,
    identity,
)

_SCHEMAS = re.compile(r"0\.[23](\.\d+)?")
_FILTERED = re.compile(r"(?P<metric>\w+) \(filter: (?P<filter>[^)]+)\)")
_SHOTS = ("num_fewshot", "num_few_shot", "n_shot", "shots")
_LIBRARIES = {"lm_eval": HARNESS, "lm-eval": HARNESS, "lm-evaluation-harness": HARNESS}
_SECONDS = 10
"""Digits of seconds since 1970."""
_SCALES = {"proportion": "fraction", "fraction": "fraction", "percent": "percent", "percentage": "percent"}


def is_document(part: Part) -> bool:
    """Whether a document is one of Every Eval Ever."""
    return part.at("schema_version") is not None and part.at("evaluation_results") is not None


def read(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The runs in a document, or in a list of documents; BadFile."""
    root = parse(text, file)
    documents = root.items() if isinstance(root.value, list) else [root]
    return tuple(_read(one, text, file) for one in documents)


def _read(root: Part, text: str, file: str) -> ImportedRun:
    version = root.need("schema_version")
    if not is_document(root) or _SCHEMAS.fullmatch(version.text()) is None:
        version.refuse(f"is schema {version.shown}, which is not read here", "Give a document of schema 0.2 or 0.3.")
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    for result in root.need("evaluation_results").items():
        _read_result(result, figures, left_out)
    library = root.need("eval_library", "name").text()
    told = word(root, "eval_library", "version")
    return ImportedRun(
        identity=identity([text], root.pointer),
        format=Format.EVERY_EVAL_EVER,
        file=file,
        tool=Tool(_LIBRARIES.get(library, library), None if told == "unknown" else told),
        model=_model(root.need("model_info")),
        figures=tuple(figures),
        left_out=tuple(left_out),
        environment=_environment(root),
        started=_started(word(root, "evaluation_timestamp")),
    )


def _started(told: str | None) -> str | None:
    """The time as ISO text; documents give it so, or as seconds since 1970."""
    if told is None or not told.isdigit() or len(told) > _SECONDS:
        return told
    return datetime.fromtimestamp(int(told), UTC).isoformat(timespec="seconds")


def _model(info: Part) -> ModelFacts:
    parameters = as_number(word(info, "additional_details", "num_parameters") or "")
    exact = parameters is not None and parameters == parameters.to_integral_value() and parameters > 0
    return ModelFacts(
        name=info.need("id").text(),
        revision=word(info, "additional_details", "sha") or word(info, "additional_details", "revision"),
        parameters=int(parameters) if parameters is not None and exact else None,
        quantisation=word(info, "additional_details", "quantisation") or "None",
        precision=word(info, "additional_details", "dtype"),
        random_weights=True if word(info, "additional_details", "slm.weights") else None,
    )


def _environment(root: Part) -> dict[str, str]:
    told = {
        "engine": word(root, "model_info", "inference_engine", "name"),
        "engine_version": word(root, "model_info", "inference_engine", "version"),
        "source": word(root, "source_metadata", "source_name"),
        "source_organization": word(root, "source_metadata", "source_organization_name"),
        "source_type": word(root, "source_metadata", "source_type"),
    }
    return {name: value for name, value in told.items() if value is not None}


def _read_result(result: Part, figures: list[ImportedFigure], left_out: list[LeftOut]) -> None:
    score = result.need("score_details", "score")
    scoring, filtered = _metric(result.need("metric_config"))
    if scoring is None:
        told = _told(result.need("metric_config"))
        left_out.append(LeftOut(score.locator, score.shown, f"{told!r} is no share of right answers"))
        return
    unit = _scale(result.need("metric_config"), score)
    if unit is None:
        left_out.append(
            LeftOut(score.locator, score.shown, "neither unit nor bounds say whether it is a fraction or a percentage")
        )
        return
    number = score.number()
    if not 0 <= number <= (100 if unit == "percent" else 1):
        score.refuse(f"{number} is outside of its scale", "Correct the unit or the bounds of the metric.")
    uncertainty = result.at("score_details", "uncertainty")
    error = result.at("score_details", "uncertainty", "standard_error", "value")
    figures.append(
        ImportedFigure(
            metric=ACCURACY,
            value=number,
            reported=str(score.value),
            unit=unit,
            locator=score.locator,
            score=Score(
                task=_task(result, filtered),
                scoring=scoring or None,
                filter=filtered,
                shots=_shots(result),
                split=word(result, "source_data", "hf_split"),
            ),
            standard_error=None if error is None else error.number(),
            count=None if uncertainty is None else count(uncertainty, "num_samples"),
            note=word(result, "score_details", "details", "note"),
        )
    )


def _told(metric: Part) -> str:
    names = ("metric_id", "metric_kind", "metric_name", "evaluation_description")
    return next((found for name in names if (found := word(metric, name))), "the metric")


def _metric(metric: Part) -> tuple[str | None, str | None]:
    """How answers were counted ("" where only "accuracy" is said) and the filter; None for what is no accuracy."""
    for name in ("metric_id", "metric_kind", "metric_name", "evaluation_description"):
        told = word(metric, name)
        if told is None:
            continue
        match = _FILTERED.fullmatch(told)
        plain = (match["metric"] if match else told).lower()
        if plain == "accuracy-gain":
            return None, None
        if plain in ACCURACIES or plain == ACCURACY:
            scoring = word(metric, "additional_details", "answer_scoring") or ("" if plain == ACCURACY else plain)
            return scoring, match["filter"] if match else word(metric, "additional_details", "filter")
    return None, None


def _scale(metric: Part, score: Part) -> str | None:
    unit = (word(metric, "metric_unit") or "").lower()
    if unit:
        return _SCALES.get(unit)
    most = as_number(word(metric, "max_score") or "")
    if most is not None:
        return {Decimal(1): "fraction", Decimal(100): "percent"}.get(most)
    number = score.maybe_number()
    return "percent" if number is not None and number > 1 else None


def _task(result: Part, filtered: str | None) -> str:
    """The benchmark: converters write the filter behind a stroke."""
    name = result.need("evaluation_name").text()
    return name.removesuffix(f"/{filtered}") if filtered else name


def _shots(result: Part) -> int | None:
    for place in ("generation_config", "metric_config", "source_data"):
        for name in _SHOTS:
            told = as_number(word(result, place, "additional_details", name) or "")
            if told is not None and told == told.to_integral_value() and 0 <= told <= 100:
                return int(told)
    return None
