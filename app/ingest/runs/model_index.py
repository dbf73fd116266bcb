"""Scores as Hugging Face keeps them: `model-index` in a card's front matter, and files below `.eval_results`.

Neither says whether a score is a fraction: all of a file are percentages where one is more than one. A file below
`.eval_results` names neither model nor metric.
"""

from __future__ import annotations

import re
from decimal import Decimal

from app.errors import BadFile
from app.ingest.huggingface import places
from app.ingest.runs.documents import Part, as_number, from_node, word
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

_SCORINGS = {"acc": "acc", "accuracy": None, "acc_norm": "acc_norm", "exact_match": "exact_match", "em": "exact_match"}
_SHOTS = re.compile(r"[( ,]*(\d{1,3})\s*-?\s*shots?\s*\)?", re.IGNORECASE)
NOT_TOLD = "not reported"


def is_card(text: str) -> bool:
    """Whether a text is a card with an index of scores."""
    return text.startswith("---") and re.search(r"^model-index\s*:", text, re.MULTILINE) is not None


def is_results(text: str) -> bool:
    """Whether a text is a list of scores below `.eval_results`."""
    return re.search(r"^-\s+dataset\s*:", text, re.MULTILINE) is not None and "value" in text


def read_card(text: str, file: str) -> tuple[ImportedRun, ...]:
    """The scores of a card, a run for each model of its index; BadFile."""
    root = from_node(places.read_card(text, file), file)
    return tuple(_entry(entry, text, file) for entry in root.need("model-index").items())


def read_results(text: str, file: str) -> ImportedRun:
    """The scores of a file below `.eval_results`; BadFile."""
    root = from_node(places.read_yaml(text, file), file)
    listed = root.items()
    numbers = [entry.need("value").number() for entry in listed]
    if not listed:
        raise BadFile(file, "holds no score", advice="Give a file of .eval_results.")
    percent = any(number > 1 for number in numbers)
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    for entry, number in zip(listed, numbers, strict=True):
        dataset = entry.need("dataset")
        task = word(dataset, "task_id") or word(dataset, "config") or dataset.need("id").text()
        score = Score(task, shots=_shots_in(word(entry, "notes") or ""), split=word(dataset, "split"))
        _add(entry.need("value"), number, percent, score, word(entry, "notes"), figures, left_out)
    dates = sorted(date for entry in listed if (date := word(entry, "date")))
    return ImportedRun(
        identity=identity([text]),
        format=Format.EVAL_RESULTS,
        file=file,
        tool=Tool(NOT_TOLD),
        model=ModelFacts(quantisation="None"),
        figures=tuple(figures),
        left_out=tuple(left_out),
        started=dates[0] if dates else None,
    )


def _entry(entry: Part, text: str, file: str) -> ImportedRun:
    figures: list[ImportedFigure] = []
    left_out: list[LeftOut] = []
    found: list[tuple[Part, Decimal, Score]] = []
    for result in entry.need("results").items():
        dataset = result.need("dataset")
        for metric in result.need("metrics").items():
            value, kind = metric.need("value"), metric.need("type").text().lower()
            number = value.maybe_number()
            if kind not in _SCORINGS:
                left_out.append(LeftOut(value.locator, value.shown, f"{kind!r} is no share of right answers"))
            elif number is None:
                left_out.append(LeftOut(value.locator, value.shown, "no number stands here"))
            else:
                found.append((value, number, _score(dataset, metric, _SCORINGS[kind])))
    percent = any(number > 1 for _, number, _ in found)
    for value, number, score in found:
        _add(value, number, percent, score, None, figures, left_out)
    return ImportedRun(
        identity=identity([text], entry.pointer),
        format=Format.MODEL_INDEX,
        file=file,
        tool=Tool(NOT_TOLD),
        model=ModelFacts(name=entry.need("name").text(), quantisation="None"),
        figures=tuple(figures),
        left_out=tuple(left_out),
    )


def _add(
    value: Part,
    number: Decimal,
    percent: bool,
    score: Score,
    note: str | None,
    figures: list[ImportedFigure],
    left_out: list[LeftOut],
) -> None:
    if percent and 0 < number <= 1:
        reason = f"{number} stands among percentages and may be a fraction"
        left_out.append(LeftOut(value.locator, value.shown, reason))
        return
    if not 0 <= number <= 100:
        value.refuse(f"{number} is no score", "A score lies between nothing and everything.")
    unit = "percent" if percent else "fraction"
    figures.append(ImportedFigure(ACCURACY, number, str(value.value), unit, value.locator, score=score, note=note))


def _score(dataset: Part, metric: Part, scoring: str | None) -> Score:
    name = word(dataset, "name") or ""
    told = as_number(word(dataset, "args", "num_few_shot") or "")
    return Score(
        task=word(dataset, "config") or _SHOTS.sub("", name).strip(" ,") or dataset.need("type").text(),
        scoring=word(metric, "args", "answer_scoring") or scoring,
        filter=word(metric, "args", "filter"),
        shots=int(told) if told is not None and told == told.to_integral_value() else _shots_in(name),
        split=word(dataset, "split"),
    )


def _shots_in(text: str) -> int | None:
    match = _SHOTS.search(text)
    return int(match[1]) if match else None
