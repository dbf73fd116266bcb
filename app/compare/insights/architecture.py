"""Figure 2: what the survey's models are made of, by half-year of release. Works on answers only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from app.compare.charts.frame import Spec
from app.compare.insights import drawing
from app.compare.insights.survey import Printed, Told
from app.compare.insights.terms import listed, number, text
from app.compare.insights.values import Column, Finding, Found, Rows, Table

QUERIES = ("architecture",)
_COUNTS, _WINNER = "counts-", "winner-"
_NO_TYPE = "nan"
"""The figure's bar for models of which it has no type."""
_NAMES = {
    "attention": "attention",
    "ffn_type": "feed-forward block",
    "activation": "activation",
    "norm": "normalisation",
    "ffn_ratio": "feed-forward ratio",
    "vocab": "vocabulary size",
}

Cells = Counter[tuple[str, str]]
"""Models by half-year and choice."""


def work_out(told: Told, answers: Mapping[str, Rows]) -> Found:
    """Hold the figure's counts against the graph's."""
    found: dict[str, Cells] = {}
    for row in answers["architecture"]:
        place = (text(row, "period"), text(row, "category"))
        found.setdefault(text(row, "aspect"), Counter())[place] += int(number(row, "models") or 0)
    findings: dict[str, Finding] = {}
    rows: list[tuple[str | int | None, ...]] = []
    for key, printed in told.statements.items():
        aspect = key.partition("-")[2]
        drawn, counted = _drawn(printed), found.get(aspect, Counter())
        findings[key] = _counts(drawn, counted) if key.startswith(_COUNTS) else _winner(drawn, counted)
        if key.startswith(_COUNTS):
            places = sorted({place for place in (*drawn, *counted) if drawn[place] or counted[place]})
            name = _NAMES[aspect]
            rows += [(name, *place, counted[place], drawn[place], counted[place] - drawn[place]) for place in places]
    table = Table(
        "Models by half-year and choice",
        (
            Column("aspect", "Aspect", numeric=False),
            Column("period", "Half-year", numeric=False),
            Column("choice", "Choice", numeric=False),
            Column("found", "Graph", "models"),
            Column("surveyed", "Survey", "models"),
            Column("difference", "Difference", "models"),
        ),
        tuple(rows),
    )
    models = max((sum(cells.values()) for cells in found.values()), default=0)
    return Found(
        findings,
        table,
        models,
        sum(sum(cells.values()) for cells in found.values()),
        _chart(table),
        "Models by half-year of release and attention type, as the graph counts them and as the survey draws them.",
        tuple(f"On the shipped data: {one}" for one in told.reasons.get("months", ())),
    )


def _drawn(printed: Printed) -> Cells:
    return Counter({(row["period"], row["category"]): int(row["value"]) for row in printed.rows})


def _counts(drawn: Cells, counted: Cells) -> Finding:
    places = {place for place in (*drawn, *counted) if drawn[place] or counted[place]}
    off = sorted(place for place in places if drawn[place] != counted[place])
    note = f"Not equal: {listed((f'{period} {choice}' for period, choice in off), 8)}." if off and counted else ""
    return Finding(
        f"{drawn.total()} in {len(places)} cells",
        f"{counted.total()}; {len(places) - len(off)} of {len(places)} cells are equal",
        "models",
        None if not counted else not off,
        "every count is the same",
        counted.total(),
        note,
    )


def _winner(drawn: Cells, counted: Cells) -> Finding:
    one, other = _grown(drawn), _grown(counted)
    return Finding(
        _told(one),
        _told(other),
        "points of share",
        None if one is None or other is None else one[0] == other[0],
        "it is the same choice",
        counted.total(),
    )


def _grown(cells: Cells) -> tuple[str, float] | None:
    """The choice whose share grew most from 2022 to 2024, and by how many points; None without models in one year."""
    known = {place: count for place, count in cells.items() if place[1] != _NO_TYPE}
    totals = {year: sum(count for (half, _), count in known.items() if half[:2] == year) for year in ("22", "24")}
    if not all(totals.values()):
        return None
    shares: Counter[str] = Counter()
    for (half, choice), count in known.items():
        if half[:2] in totals:
            shares[choice] += (1 if half[:2] == "24" else -1) * count / totals[half[:2]]  # type: ignore[assignment]
    choice = max(sorted(shares), key=shares.__getitem__)
    return choice, 100 * shares[choice]


def _told(grown: tuple[str, float] | None) -> str:
    return "not known" if grown is None else f"{grown[0]}, {grown[1]:+.0f}"


def _chart(table: Table) -> Spec:
    values = [
        {"period": one["period"], "choice": one["choice"], "models": one[who], "who": label}
        for one in table.records()
        if one["aspect"] == _NAMES["attention"]
        for who, label in (("found", "Graph"), ("surveyed", "Survey, Figure 2b"))
        if one[who]
    ]
    return drawing.chart(
        values,
        "Models by half-year of release and attention type: graph and survey side by side",
        width=260,
        height=240,
        mark={"type": "bar"},
        encoding={
            "x": drawing.axis("period", "Half-year of release", "ordinal", axis={"labelAngle": -40}),
            "y": drawing.axis("models", "Models [count]"),
            "color": drawing.axis("choice", "Attention", "nominal"),
            "column": drawing.axis("who", "", "nominal"),
            "order": {"field": "choice", "type": "nominal"},
        },
    )
