"""What is measured and what came out: cells, samples, results and runs. Values only, nothing is done here.

A cell is one model in one variant under one setting. Its result keeps every raw sample, so that each statistic can be
worked out again. A run is what one machine measured together: it is written as one file and becomes one change.

Units: bytes, nanoseconds and tokens, always whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from app.model.architecture import Architecture


class Engine(StrEnum):
    """Software that runs a model."""

    LLAMA_CPP = "llama.cpp"
    TORCH = "torch"
    XLLAMACPP = "xllamacpp"


class Status(StrEnum):
    """How a cell ended. Only OK has figures; a contended cell is OK and says so in its figures."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory-limit"
    OOM_KILLED = "oom-killed"
    CRASHED = "crashed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """What a sample is of."""

    LOAD = "load"
    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class RandomWeights:
    """Weights drawn from a normal distribution; norms are one. They say what a model costs, never what it can do."""

    seed: int = 42
    deviation: float = 0.02


@dataclass(frozen=True, slots=True)
class RealWeights:
    """Released weights: a GGUF file or a Hugging Face folder on this machine."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, by its slug in the graph, and the architecture facts that were accepted at a revision."""

    slug: str
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class Sampling:
    """How long to sample: until so many clean samples, or until the seconds are over."""

    clean: int = 5
    warm_ups: int = 1
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix. `depth` tokens are in the cache before the prompt; decoding follows the prompt."""

    subject: Subject
    weights: RandomWeights | RealWeights
    variant: str
    engine: Engine
    prompt_tokens: int
    generated_tokens: int
    threads: int
    depth: int = 0
    sampling: Sampling = Sampling()


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed phase with what the machine did meanwhile. `clean` is the verdict of the occupancy gate."""

    phase: Phase
    tokens: int
    wall_ns: int
    cpu_ns: int
    others_cpu_ns: int
    steal_ns: int
    major_faults: int
    clean: bool
    per_token_ns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrices:
    """How many weights each token is multiplied with, by storage type: in the layers, and in the head.

    Tables that are only looked up are in neither; a table that is the head too is in `head`.
    """

    layers: Mapping[str, int]
    head: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Artifact:
    """The file that was measured. `tensor_types` gives the number of all its weights by storage type."""

    sha256: str
    size: int
    file_format: str
    parameters: int
    bits_per_weight: float
    tensor_types: Mapping[str, int]
    matrices: Matrices


@dataclass(frozen=True, slots=True)
class EngineBuild:
    """The engine as it was built; None where it does not tell."""

    name: str
    version: str
    commit: str | None
    flags: str | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by part; None where the engine does not tell. The cache is used up to the prompt, allocated in full."""

    weights: int | None
    kv_used: int | None
    kv_allocated: int | None
    compute_buffer: int | None
    peak_rss: int


@dataclass(frozen=True, slots=True)
class Environment:
    """A machine with its software. Equal fingerprints are comparable; a fact that the host hides is None."""

    fingerprint: str
    hardware: Mapping[str, Any]
    software: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.hardware.get("cpu") or {}, Mapping):
            raise ValueError("cpu of the hardware is no JSON object")  # noqa: TRY004 - what pydantic makes an error of


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came out of one attempt at a cell. Without status OK the rest may be missing, and `message` says why."""

    cell: Cell
    status: Status
    started: str
    seconds: float
    environment: str
    message: str | None = None
    artifact: Artifact | None = None
    build: EngineBuild | None = None
    memory: Memory | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    finite_logits: bool | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What one machine measured together; `environments` by their fingerprints. Times are ISO text in UTC."""

    identity: str
    started: str
    ended: str
    by: str
    environments: Mapping[str, Environment]
    results: tuple[CellResult, ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """What the samples of a cell come to for one metric, in the metric's canonical unit.

    `metric` and `statistic` are names of the registry and of the scheme `statistic`. `count` samples were taken, of
    which `clean` passed the gate. `lower` and `upper` are the 95 % confidence interval. A contended figure is told and
    never the headline. Exact figures (bytes by formula or by the engine's own account) have one sample and no spread.
    """

    metric: str
    value: Decimal
    statistic: str
    count: int
    clean: int
    contended: bool = False
    deviation: Decimal | None = None
    percentile95: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None

    def shown(self, scale: float = 1.0) -> str:
        """For people: the value over `scale` in four digits, and half its interval."""
        number = f"{float(self.value) / scale:,.4g}"
        if self.lower is None or self.upper is None:
            return number
        return f"{number} ± {float(self.upper - self.lower) / 2 / scale:,.2g}"
