"""A run of another tool as a value: who measured, which model, where, and what came out. Values only.

Every format is read into these, so that matching, proposing and exporting know one form. Numbers keep the characters of
the file; nothing is rounded or worked out anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from app import vocab


class Format(StrEnum):
    """Formats that are read."""

    LM_EVAL = "lm-eval"
    LLAMA_BENCH = "llama-bench"
    OPTIMUM = "optimum-benchmark"
    EVERY_EVAL_EVER = "every-eval-ever"
    MLPERF = "mlperf"
    MODEL_INDEX = "model-index"
    EVAL_RESULTS = "eval-results"


class Statistic(StrEnum):
    """Which statistic a figure's value is; notations of the scheme `statistic`."""

    SINGLE = "SingleValue"
    MEAN = "Mean"
    MEDIAN = "Median"
    MAXIMUM = "Maximum"


ACCURACY = "accuracy"
"""The metric of every score that the registry knows."""

UNITS: Mapping[str, tuple[str, Decimal]] = {
    "fraction": (vocab.unit.FRACTION, Decimal(1)),
    "percent": (vocab.unit.PERCENT, Decimal("0.01")),
    "tokens/s": (vocab.slmu.TOKEN_PER_SEC, Decimal(1)),
    "s": (vocab.unit.SEC, Decimal(1000)),
    "ms": (vocab.unit.MilliSEC, Decimal(1)),
    "ms/token": (vocab.slmu.MilliSEC_PER_TOKEN, Decimal(1)),
    "MB": (vocab.unit.MegaBYTE, Decimal(10**6)),
    "byte": (vocab.unit.BYTE, Decimal(1)),
}
"""Unit of a figure: its IRI, and the factor to the canonical unit of the metrics that use it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """The software that made the figures; None where its file does not tell."""

    name: str
    version: str | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a file says of its model. `name` is a repository, a path, or what else it was called.

    `parameters` is exact or None: a rounded count identifies nothing. `quantisation` is a notation of the scheme
    `quantisation`, "None" for weights as released, or None where it is not told or not known here.
    `label` is what the tool guessed; people may read it, nothing is matched by it.
    """

    name: str | None = None
    revision: str | None = None
    sha256: str | None = None
    parameters: int | None = None
    quantisation: str | None = None
    precision: str | None = None
    bytes: int | None = None
    random_weights: bool | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How a benchmark score came about. `task` is the tool's name of the benchmark; `scoring` how answers counted."""

    task: str
    scoring: str | None = None
    filter: str | None = None
    version: str | None = None
    task_hash: str | None = None
    template_hash: str | None = None
    shots: int | None = None
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """Settings of a runtime figure, in tokens and threads; None where they are not told.

    `depth` tokens were in the cache before the prompt; `batch_size` counts sequences. `settings` are the tool's others.
    """

    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    depth: int | None = None
    batch_size: int | None = None
    threads: int | None = None
    kv_key_type: str | None = None
    kv_value_type: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedFigure:
    """One figure. `metric` is a slug of the registry, `unit` a key of UNITS, `reported` the characters of the file.

    A score has `score`, a runtime figure `conditions`. `others` are further statistics by the file's own names, in the
    same unit; `samples` likewise. `partial`: the tool did not do all of it. `locator` is a JSON pointer or a line.
    """

    metric: str
    value: Decimal
    reported: str
    unit: str
    locator: str
    line: int | None = None
    statistic: Statistic = Statistic.SINGLE
    score: Score | None = None
    conditions: Conditions | None = None
    standard_error: Decimal | None = None
    standard_deviation: Decimal | None = None
    count: int | None = None
    samples: tuple[Decimal, ...] = ()
    others: Mapping[str, Decimal] = field(default_factory=dict)
    partial: bool = False
    note: str | None = None

    @property
    def canonical(self) -> Decimal:
        """The value in the canonical unit of its metric."""
        return self.value * UNITS[self.unit][1]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A number of the file that is no figure here, and why."""

    locator: str
    reported: str
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What one tool measured of one model in one go.

    `identity` is the SHA-256 of what its main files hold, told apart by model where a file has several: the same run
    read again has the same identity, whatever its files are called. `environment` is what the tool tells of machine and
    software, in its words. `started` is ISO text.
    """

    identity: str
    format: Format
    file: str
    tool: Tool
    model: ModelFacts
    figures: tuple[ImportedFigure, ...]
    left_out: tuple[LeftOut, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    started: str | None = None


def identity(texts: list[str], part: str = "") -> str:
    """The identity of a run: SHA-256 over the main texts, and over what tells it from others in the same file."""
    hashes = sorted(hashlib.sha256(text.encode()).hexdigest() for text in texts)
    return hashlib.sha256("\n".join([*hashes, part]).encode()).hexdigest()
