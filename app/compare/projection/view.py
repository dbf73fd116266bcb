"""A projection opened for questions: one aligned column per property and per metric, all in the order of the models.

Columns are made when first asked for and kept; a view never changes afterwards. Never asks the graph.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from app import vocab
from app.compare.projection.build import Projection
from app.compare.projection.terms import Terms
from app.compare.values import Property, Reason, Status

PARAMETERS = "parameters"
"""A column of ours: the best parameter count there is."""
FIELDS = ("label", "slug", "identifier", "family", "baseline", "permissive")
"""What a model can be filtered, sorted and grouped by besides its properties."""
SETTING = ("protocol", "quantisation", "weights", "device", "engine", "configuration", "statistic")
"""What must be equal for two values of a metric to be comparable. Random weights are never compared unmarked."""
PREFERRED = {"MeasuredRealWeights": 0, "Imported": 1, "Reported": 2, "MeasuredRandomWeights": 3, "Predicted": 4}
"""Origins of observations, the best first."""
_MISSING = {"claimed": Reason.NOT_LOOKED_FOR, "derived": Reason.NOT_DERIVABLE}
_COUNTS = (
    ("computedParameterCount", (Status.DERIVED, Status.ACCEPTED)),
    ("parameterCount", (Status.ACCEPTED,)),
    ("computedParameterCount", (Status.PROPOSED,)),
    ("parameterCount", (Status.PROPOSED,)),
)
"""Where the best parameter count comes from, the best first."""

IntArray = npt.NDArray[np.int64]
Shown = Mapping[str, Any]
"""A cell as fronts show it: plain JSON values."""


@dataclass(frozen=True)
class Values:
    """One column, aligned with the models: numbers (null where there is none) or lists of names, or both."""

    numbers: pl.Series | None
    texts: pl.Series | None = None
    """Lists of characters or short names, null where there is no value; without any, the numbers are the values."""

    @cached_property
    def names(self) -> pl.Series:
        """Lists of characters or short names; null where there is no value."""
        if self.texts is not None:
            return self.texts
        number = pl.DataFrame({"number": self.numbers}).select(pl.col("number").cast(pl.String))
        return number.select(pl.when(pl.col("number").is_not_null()).then(pl.concat_list("number"))).to_series()

    @cached_property
    def known(self) -> pl.Series:
        """Whether each model has a value."""
        held = self.numbers if self.texts is None else self.texts
        assert held is not None  # noqa: S101 - a column has numbers or names
        return held.is_not_null()

    @cached_property
    def single(self) -> pl.Series:
        """The first name of each model."""
        return self.names.list.first()


@dataclass(frozen=True)
class Observed:
    """The observations of one metric, the preferred ones first. The arrays have one number a row.

    `place` is the model's place among all models; equal `setting` and equal `source` mean the same one. Settings are
    numbered in the order of their texts.
    """

    rows: pl.DataFrame
    place: IntArray
    setting: IntArray
    source: IntArray
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class View:
    """An opened projection. `slugs` are in the order of every column."""

    projection: Projection
    slugs: tuple[str, ...]
    index: Mapping[str, int]
    properties: Mapping[str, Property]
    _slices: Mapping[str, pl.DataFrame]
    _values: dict[str, Values] = field(default_factory=dict)
    _cells: dict[str, Sequence[str]] = field(default_factory=dict)
    _shown: dict[str, Sequence[Shown]] = field(default_factory=dict)
    kept: dict[Any, Any] = field(default_factory=dict)
    """What questions keep for the next one; bounded by whoever puts it there."""
    _guard: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def of(cls, projection: Projection) -> View:
        """Open a projection."""
        slugs = tuple(projection.models["slug"])
        slices = {str(key[0]): part for key, part in projection.cells.partition_by("property", as_dict=True).items()}
        known = dict(projection.terms.properties)
        if "computedParameterCount" in known:
            slices[PARAMETERS] = _parameters(slices)
            known[PARAMETERS] = replace(
                known["computedParameterCount"], name=PARAMETERS, label="parameters", definition=_PARAMETERS_ARE
            )
        index = {slug: number for number, slug in enumerate(slugs)}
        return cls(projection, slugs, index, dict(sorted(known.items())), slices)

    @property
    def revision(self) -> int:
        """The revision's number."""
        return self.projection.revision

    @property
    def models(self) -> pl.DataFrame:
        """The models in order."""
        return self.projection.models

    @property
    def terms(self) -> Terms:
        """The vocabulary."""
        return self.projection.terms

    @property
    def observations(self) -> pl.DataFrame:
        """All observations."""
        return self.projection.observations

    @cached_property
    def observed(self) -> Mapping[str, Observed]:
        """The observations of each metric."""
        setting = pl.concat_str([pl.col(one).fill_null("") for one in SETTING], separator="\x1f")
        preferred = pl.col("origin").replace_strict(PREFERRED, default=9, return_dtype=pl.Int32)
        numbered = (
            self.observations.join(self.places, on="model", maintain_order="left")
            .with_columns(
                preferred=preferred,
                setting=setting.rank("dense").cast(pl.Int64),
                numbered=pl.col("source").fill_null("").rank("dense").cast(pl.Int64),
            )
            .sort("preferred", "observation")
        )
        parts = numbered.partition_by("metric", as_dict=True, maintain_order=True)
        return {str(key[0]): _observed(part) for key, part in parts.items()}

    def values(self, name: str) -> Values:
        """The values of a property or field, by name; KeyError."""
        found = self._values.get(name)
        if found is None:
            with self._guard:
                found = self._values.setdefault(name, self._field(name) if name in FIELDS else self._aligned(name))
        return found

    def shown(self, name: str) -> Sequence[Shown]:
        """The cells of a property as fronts show them, one per model."""
        found = self._shown.get(name)
        if found is None:
            with self._guard:
                found = self._shown.setdefault(name, self._all_shown(name))
        return found

    def cells(self, name: str) -> Sequence[str]:
        """The cells of a property as JSON text, one per model."""
        found = self._cells.get(name)
        if found is None:
            with self._guard:
                missing: dict[int, str] = {}
                texts = []
                for one in self.shown(name):
                    text = missing.get(id(one))
                    if text is None:
                        text = encoded(one)
                        if one["status"] == Status.MISSING:
                            missing[id(one)] = text
                    texts.append(text)
                found = self._cells.setdefault(name, texts)
        return found

    @cached_property
    def heads(self) -> Sequence[str]:
        """The models as heads of rows, as JSON text."""
        return [
            encoded({"slug": row["slug"], "iri": row["iri"], "label": row["label"], "baseline": row["baseline"]})
            for row in self.models.select("slug", "iri", "label", "baseline").iter_rows(named=True)
        ]

    @cached_property
    def searchable(self) -> pl.Series:
        """All names of each model, in small letters."""
        joined = pl.concat_str(
            "label",
            "slug",
            pl.col("identifier").fill_null(""),
            pl.col("aliases").list.join("\n"),
            pl.col("family").fill_null(""),
            pl.col("familyLabel").fill_null(""),
            separator="\n",
        )
        return self.models.select(joined.str.to_lowercase().alias("text"))["text"]

    @cached_property
    def places(self) -> pl.DataFrame:
        """Slugs with their places in the order of models (`model`, `place`)."""
        return pl.DataFrame({"model": self.slugs}, schema={"model": pl.String}).with_row_index("place")

    def _aligned(self, name: str) -> Values:
        part = self._slices.get(name, self.projection.cells.clear())
        aligned = self.places.join(
            part.select("model", "number", "values", "kind"), on="model", how="left", maintain_order="left"
        )
        _ = self.properties[name]
        numeric = part["number"].is_not_null().any() or (part["kind"].is_in(["i", "d"]).any() and not part.is_empty())
        return Values(aligned["number"] if numeric else None, aligned["values"])

    def _field(self, name: str) -> Values:
        if name == "permissive":
            return self._permissive()
        column = self.models[name]
        if name == "baseline":
            column = column.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
        lists = pl.DataFrame({"v": column}).select(pl.when(pl.col("v").is_not_null()).then(pl.concat_list("v")))["v"]
        return Values(None, lists)

    def _permissive(self) -> Values:
        """Whether every licence of a model is permissive; unknown where one of them is unknown."""
        known = {
            name: bool(one.facts["permissive"])
            for name, one in self.terms.things["licence"].items()
            if "permissive" in one.facts
        }
        answers: list[list[str] | None] = []
        for names in self.values("license").names if "license" in self.properties else [None] * len(self.slugs):
            told = None if names is None else [known.get(name) for name in names]
            answers.append(None if not told or None in told else ["true" if all(told) else "false"])
        return Values(None, pl.Series("permissive", answers, dtype=pl.List(pl.String)))

    def _all_shown(self, name: str) -> list[Shown]:
        prop = self.properties[name]
        nothing = shown({"status": Status.MISSING.value, "badge": "missing", "reason": _MISSING[prop.kind].value}, prop)
        cells: list[Shown] = [nothing] * len(self.slugs)
        part = self._slices.get(name)
        if part is not None:
            for row in part.iter_rows(named=True):
                cells[self.index[row["model"]]] = shown(row, prop)
        return cells


def shown(row: Mapping[str, Any], prop: Property) -> Shown:
    """A row of the table of cells as fronts show it."""
    values = [plain(text, row["kind"]) for text in row.get("values") or ()]
    single = values[0] if len(values) == 1 else (values or None)
    lower, upper = row.get("lower"), row.get("upper")
    return {
        "value": values if prop.several and values else single,
        "things": row.get("things") or [],
        "unit": prop.unit.symbol if prop.unit else None,
        "status": row["status"],
        "badge": row["badge"],
        "reported": row.get("reported"),
        "interval": None if lower is None or upper is None else {"lower": lower, "upper": upper, "basis": "rounding"},
        "reason": row.get("reason"),
        "candidates": [plain(text, row["candidate_kind"]) for text in row.get("candidates") or ()],
        "sources": {"agreeing": row.get("agreeing") or 0, "disagreeing": row.get("disagreeing") or 0},
        "claims": row.get("claims") or [],
        "formula": row.get("formula"),
        "conditions": None,
    }


def plain(text: str, kind: str) -> bool | int | float | str:
    """Characters as a plain value."""
    if kind == "i":
        return int(text)
    if kind == "d":
        return float(text)
    return text == "true" if kind == "b" else text


def encoded(value: object) -> str:
    """JSON text without blanks."""
    return orjson.dumps(value).decode()


def _observed(part: pl.DataFrame) -> Observed:
    return Observed(
        part.drop("preferred", "place", "setting", "numbered"),
        part["place"].to_numpy().astype(np.int64),
        part["setting"].to_numpy(),
        part["numbered"].to_numpy(),
        part["value"].to_numpy(),
    )


def _parameters(slices: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    parts = [
        slices[name].filter(pl.col("status").is_in([one.value for one in statuses]))
        for name, statuses in _COUNTS
        if name in slices
    ]
    found = pl.concat(parts).unique("model", keep="first", maintain_order=True)
    return found.with_columns(pl.lit(PARAMETERS).alias("property")).sort("model")


_PARAMETERS_ARE = (
    "The parameter count worked out from accepted facts; else the one that sources state; else one that rests on "
    "proposed claims. The cell's status says which."
)
PARAMETERS_IRI = vocab.slm.computedParameterCount
