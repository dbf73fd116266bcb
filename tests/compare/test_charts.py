"""Charts from answers: valid Vega-Lite without warnings, the numbers of the answer, nothing mixed without a word."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import altair
import pytest
import vl_convert
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

from app.compare import analyses, charts, leaderboard, observing, spec
from app.compare.charts import Origin, frame
from app.compare.charts.periods import all_periods
from app.compare.matrix import compare
from app.compare.projection.view import View
from app.compare.spec import Condition
from app.errors import BadParameter
from app.services import Services
from app.web import comparison, drawer

ORIGIN = Origin("http://slmkg.test/r/1/api/v1/compare?properties=parameters", 1)
SCORE = "accuracy(benchmark=mmlu;shots=5)"
Body = Any
Chart = dict[str, Any]


@pytest.fixture(scope="module")
def view(seed_services: Services) -> View:
    return seed_services.view()


def compared(view: View, **given: str) -> Chart:
    return charts.compared(compare(view, spec.parse(given), most=200), ORIGIN)


def pareto(view: View, x: str, y: str) -> Body:
    columns = (comparison.one_column(one, "x") for one in (x, y))
    return analyses.pareto(view, *columns, x_best="", y_best="", where=(), search="", baselines=False).body


def ranking(view: View, benchmark: str, conditions: str = "", where: str = "") -> Body:
    tests = [Condition(one.column.name, one.test, one.negated) for one in spec.filters(conditions, "with")]
    filters = spec.filters(where, "where")
    found = leaderboard.leaderboard(
        view, benchmark, metric="", conditions=tests, where=filters, search="", baselines=False
    )
    return found.body


def trend(view: View, column: str, by: str) -> Body:
    return analyses.trends(view, comparison.one_column(column, "x"), by, (), search="", baselines=False).body


def facets(view: View, columns: str = "") -> Body:
    return analyses.facets(view, spec.columns(columns, "x"), (), search="", baselines=False).body


def fit(view: View, **given: str) -> Body:
    return comparison.fitting(view, given, 200).body


def observations(view: View, where: str, limit: int = 200) -> Body:
    return observing.observations(view, spec.filters(where, "where"), (), limit=limit, after="").body


KINDS: dict[str, Callable[[View], Chart]] = {
    "two columns": lambda view: compared(view, properties=f"{SCORE},parameters", limit="200"),
    "two columns of one unit": lambda view: compared(view, properties="numLayers,hiddenSize"),
    "one column": lambda view: compared(view, properties=f"{SCORE},license"),
    "one column, mixed": lambda view: compared(view, properties="accuracy", limit="200"),
    "usual columns": compared,
    "another unit": lambda view: compared(view, properties=SCORE, units=f"{SCORE}:PERCENT"),
    "front": lambda view: charts.traded(pareto(view, "parameters", SCORE), ORIGIN),
    "front, mixed": lambda view: charts.traded(pareto(view, "parameters", "accuracy"), ORIGIN),
    "rankings": lambda view: charts.ranked(ranking(view, "mmlu"), ORIGIN),
    "ranking without chance": lambda view: charts.ranked(ranking(view, "commonsense-average"), ORIGIN),
    "no ranking": lambda view: charts.ranked(ranking(view, "mmlu", "shots:5", "slug:!phi-2,slug:phi-2"), ORIGIN),
    "shares": lambda view: charts.followed(trend(view, "attentionType", "half"), ORIGIN),
    "several values": lambda view: charts.followed(trend(view, "trainedOn", "year"), ORIGIN),
    "quartiles": lambda view: charts.followed(trend(view, "trainingTokens", "quarter"), ORIGIN),
    "counts": lambda view: charts.counted(facets(view), ORIGIN),
    "memory": lambda view: charts.fitting(fit(view, memory="2GB", context="2k"), ORIGIN),
    "memory of one": lambda view: charts.fitting(fit(view, memory="1000GB", context="2k", where="slug:phi-2"), ORIGIN),
    "nothing fits": lambda view: charts.fitting(fit(view, memory="1kB"), ORIGIN),
    "prefill against decode": lambda view: charts.observed(
        observations(view, "metric:prefill-throughput|decode-throughput"), ORIGIN
    ),
    "observations": lambda view: charts.observed(observations(view, "model:phi-2"), ORIGIN),
    "many settings": lambda view: charts.observed(
        observations(view, "metric:time-to-first-token,device:jetson-orin-nx-16gb"), ORIGIN
    ),
    "no observation": lambda view: charts.observed(observations(view, "metric:accuracy,value:5..6"), ORIGIN),
}


@cache
def validator() -> Any:
    """The JSON Schema of Vega-Lite."""
    path = Path(altair.__file__).parent / "vegalite" / "v6" / "schema" / "vega-lite-schema.json"
    return Draft7Validator(json.loads(path.read_text(encoding="utf-8")))


def parts(chart: Any) -> Iterator[dict[str, Any]]:
    """A specification and all specifications within it."""
    yield chart
    for name in ("layer", "vconcat"):
        for inner in chart.get(name, ()):
            yield from parts(inner)


def rows(chart: Chart, *fields: str) -> list[tuple[Any, ...]]:
    """The rows of all data within a chart that have these fields, as tuples of them."""
    return [
        tuple(row[field] for field in fields)
        for one in parts(chart)
        for row in one.get("data", {}).get("values", ())
        if set(fields) <= row.keys()
    ]


def marks(chart: Chart) -> list[str]:
    return [one["mark"]["type"] for one in parts(chart) if "mark" in one]


def subtitle(chart: Chart) -> str:
    return " ".join(chart["title"]["subtitle"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_valid_vega_lite_and_is_compiled_without_a_warning(
    view: View, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    chart = KINDS[kind](view)
    problem = best_match(validator().iter_errors(chart))
    assert problem is None, (list(problem.absolute_path), problem.message[:500])
    text = json.dumps(chart, allow_nan=False)
    vega = vl_convert.vegalite_to_vega(text, vl_version=drawer.VERSION, show_warnings=True)
    assert vega["marks"]
    assert capfd.readouterr() == ("", "")
    assert chart["usermeta"]["slmkg"] == {"source": ORIGIN.address, "revision": 1, "dark": frame.DARK}
    assert ORIGIN.address in chart["description"]
    assert "slmkg, revision 1" in subtitle(chart)
    assert '"url"' not in text
    assert '"href"' not in text


def test_warnings_would_be_seen(capfd: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "data": {"values": [{"a": 1}]},
        "mark": "bar",
        "encoding": {"y": {"field": "a"}, "nonsense": {"field": "a"}},
    }
    vl_convert.vegalite_to_vega(wrong, vl_version=drawer.VERSION, show_warnings=True)
    assert "nonsense" in "".join(capfd.readouterr())


def test_points_are_those_of_the_answer(view: View) -> None:
    body = pareto(view, "parameters", SCORE)
    chart = charts.traded(body, ORIGIN)
    told = [(one["model"], one["x"], one["y"], one["front"]) for one in body["points"]]
    assert rows(chart, "model", "x", "y", "front") == told
    assert "line" in marks(chart)
    assert chart["title"]["text"] == ["Accuracy (benchmark mmlu, shots 5) by parameters"]
    assert {one["encoding"]["x"]["axis"]["title"] for one in parts(chart) if "encoding" in one} == {"Parameters"}


def test_a_comparison_and_a_front_of_the_same_columns_agree(view: View) -> None:
    chart = compared(view, properties=f"{SCORE},parameters", limit="200")
    front = charts.traded(pareto(view, "parameters", SCORE), ORIGIN)
    fields = ("model", "x", "y", "front", "standing")
    assert sorted(rows(chart, *fields)) == sorted(rows(front, *fields))


def test_what_is_better_is_said_or_no_front_is_drawn(view: View) -> None:
    assert "less parameters and more accuracy" in subtitle(KINDS["two columns"](view))
    assert "line" not in marks(KINDS["two columns of one unit"](view))


def test_settings_are_told_apart_by_colour_and_have_no_common_front(view: View) -> None:
    for kind in ("front, mixed", "one column, mixed"):
        chart = KINDS[kind](view)
        settings = {one for (one,) in rows(chart, "setting")}
        assert len(settings) > 1
        colours = [
            one["encoding"]["color"] for one in parts(chart) if "field" in one.get("encoding", {}).get("color", {})
        ]
        assert all(set(one["scale"]["domain"]) == settings for one in colours)
        assert all(len(set(one["scale"]["range"])) == len(settings) for one in colours)
        assert "line" not in marks(chart)
        assert "different settings" in subtitle(chart)


def test_one_column_is_sorted_and_has_its_intervals(view: View) -> None:
    found = compare(view, spec.parse({"properties": SCORE}), most=200)
    cells = {
        view.slugs[place]: row[0] for place, row in zip(found.places, found.cells(), strict=True) if row[0]["value"]
    }
    chart = charts.compared(found, ORIGIN)
    told = rows(chart, "model", "value", "lower", "upper")
    assert {one[0]: one[1] for one in told} == {slug: cell["value"] for slug, cell in cells.items()}
    assert [one[1] for one in told] == sorted((one[1] for one in told), reverse=True)
    for slug, _, lower, upper in told:
        assert (lower, upper) == (cells[slug]["interval"]["lower"], cells[slug]["interval"]["upper"])
    assert f"{len(found.places) - len(cells)} models have no value" in subtitle(chart)


def test_a_unit_is_the_one_that_was_asked_for(view: View) -> None:
    found = compare(view, spec.parse({"properties": SCORE, "units": f"{SCORE}:PERCENT"}), most=200)
    chart = charts.compared(found, ORIGIN)
    told = {view.slugs[place]: row[0]["value"] for place, row in zip(found.places, found.cells(), strict=True)}
    assert dict(rows(chart, "model", "value")) == {slug: value for slug, value in told.items() if value is not None}
    (axis,) = {one["encoding"]["x"]["axis"]["title"] for one in parts(chart) if "encoding" in one}
    assert axis.endswith("(%)")


@pytest.mark.parametrize("columns", ["license", "license,attentionType", "trainedOn"])
def test_without_numbers_there_is_no_chart_but_advice(view: View, columns: str) -> None:
    with pytest.raises(BadParameter) as caught:
        compared(view, properties=columns)
    assert caught.value.pointer == "/properties"
    assert "numeric column" in caught.value.advice


def test_rankings_have_a_panel_each_on_one_scale_and_the_line_of_a_guess(view: View) -> None:
    body = ranking(view, "mmlu")
    chart = charts.ranked(body, ORIGIN)
    assert len(chart["vconcat"]) == len(body["rankings"]) > 1
    for panel, one in zip(chart["vconcat"], body["rankings"], strict=True):
        told = [
            (e["model"], e["rank"], e["class"], e["value"], e["interval"]["lower"], e["interval"]["upper"])
            for e in one["entries"]
        ]
        assert rows(panel, "model", "rank", "class", "value", "lower", "upper") == told
        assert "bar" not in marks(panel)
        assert (body["chance"], "a guess") in rows(panel, "value", "told")
        for row, after in zip(panel["data"]["values"], panel["data"]["values"][1:], strict=False):
            assert (row["turn"] == after["turn"]) == (row["class"] == after["class"])
    scales = {
        json.dumps(one["encoding"]["x"]["scale"])
        for one in parts(chart)
        if "scale" in one.get("encoding", {}).get("x", {})
    }
    assert len(scales) == 1
    assert "must not be compared" in subtitle(chart)


def test_shares_are_the_answer_s_and_stack_to_one(view: View) -> None:
    body = trend(view, "attentionType", "half")
    chart = charts.followed(body, ORIGIN)
    told = [(one["period"], one["value"], one["models"], one["share"]) for one in body["points"]]
    assert sorted(rows(chart, "period", "value", "models", "share")) == sorted(told)
    stacked = {one["encoding"]["y"]["field"] for one in parts(chart) if one.get("mark", {}).get("type") == "bar"}
    assert stacked == {"share"}


def test_values_beyond_the_colours_are_counted_together(view: View) -> None:
    body = trend(view, "license", "year")
    chart = charts.followed(body, ORIGIN)
    own = {one["value"]: 0 for one in body["points"]}
    others = [models for value, models in rows(chart, "value", "models") if value not in own]
    assert others
    assert sum(models for _, models in rows(chart, "value", "models")) == sum(one["models"] for one in body["points"])


def test_where_a_model_counts_twice_models_are_stacked(view: View) -> None:
    chart = KINDS["several values"](view)
    stacked = {one["encoding"]["y"]["field"] for one in parts(chart) if one.get("mark", {}).get("type") == "bar"}
    assert stacked == {"models"}
    assert "counts for each of them" in subtitle(chart)


def test_quartiles_are_the_answer_s_on_a_logarithmic_axis(view: View) -> None:
    body = trend(view, "trainingTokens", "year")
    chart = charts.followed(body, ORIGIN)
    names = ("period", "models", "min", "q1", "median", "q3", "max")
    assert rows(chart, *names) == [tuple(one[name] for name in names) for one in body["points"]]
    scales = [one["encoding"]["y"]["scale"] for one in parts(chart) if "scale" in one.get("encoding", {}).get("y", {})]
    assert {one["type"] for one in scales} == {"log"}
    for low, high in (one["domain"] for one in scales):
        assert low < min(one["min"] for one in body["points"])
        assert high > max(one["max"] for one in body["points"])


@pytest.mark.parametrize(
    ("there", "by", "all_of_them"),
    [
        (["2022", "2024"], "year", ["2022", "2023", "2024"]),
        (["2022-H2", "2023-H2"], "half", ["2022-H2", "2023-H1", "2023-H2"]),
        (["2022-Q3", "2023-Q1"], "quarter", ["2022-Q3", "2022-Q4", "2023-Q1"]),
        (["2022-11", "2023-02"], "month", ["2022-11", "2022-12", "2023-01", "2023-02"]),
        (["2022"], "month", ["2022"]),
        (["odd", "2022"], "year", ["2022", "odd"]),
        (["0001", "9999"], "year", ["0001", "9999"]),
    ],
)
def test_time_has_no_holes(there: list[str], by: str, all_of_them: list[str]) -> None:
    assert all_periods([{"period": one} for one in there], by) == all_of_them


def test_counts_and_bins_are_the_answer_s(view: View) -> None:
    body = facets(view, "license,parameters,trainingTokens")
    chart = charts.counted(body, ORIGIN)
    assert rows(chart, "value", "models") == [(one["value"], one["models"]) for one in body["facets"][0]["values"]]
    bins = [bin_ for one in body["facets"] for bin_ in one["bins"]]
    assert rows(chart, "from", "to", "models") == [(one["from"], one["to"], one["models"]) for one in bins]
    for one in parts(chart):
        if one.get("mark", {}).get("type") == "bar":
            assert one["encoding"]["x"]["scale"]["zero"] is True


def test_memory_is_stacked_from_zero_and_adds_up(view: View) -> None:
    body = fit(view, memory="2GB", context="2k")
    chart = charts.fitting(body, ORIGIN)
    told = [(one["model"], part, one[part]) for one in body["models"] for part in ("weights", "cache", "buffers")]
    assert rows(chart, "model", "part", "bytes") == told
    assert (2e9,) in rows(chart, "bytes")
    assert "2 GB" in subtitle(chart)


def test_prefill_and_decode_come_from_the_same_run(view: View) -> None:
    body = observations(view, "model:qwen1.5-0.5b,metric:prefill-throughput|decode-throughput")
    by_run = {(one["run"], one["metric"]): one["value"] for one in body["items"]}
    runs = {run for run, _ in by_run}
    chart = charts.observed(body, ORIGIN)
    assert sorted(rows(chart, "prefill", "decode")) == sorted(
        (by_run[run, "prefill-throughput"], by_run[run, "decode-throughput"]) for run in runs
    )
    assert len({one for (one,) in rows(chart, "setting")}) == len(runs)


def test_a_page_says_that_it_is_one(view: View) -> None:
    chart = charts.observed(observations(view, "metric:time-to-first-token", limit=10), ORIGIN)
    assert len(rows(chart, "value")) == 10
    assert "10 of " in subtitle(chart)
    assert "50 of " in subtitle(compared(view, properties="parameters"))


def test_many_points_are_thinned_aloud_and_the_front_stays(view: View) -> None:
    body = dict(pareto(view, "parameters", SCORE))
    one = body["points"][0]
    body["points"] = [{**one, "x": float(n), "y": float(-n % 97), "front": n % 1000 == 0} for n in range(1, 20_001)]
    chart = charts.traded(body, ORIGIN)
    drawn = rows(chart, "x", "front", "place")
    assert len(drawn) <= frame.MOST_POINTS
    assert sum(front for _, front, _ in drawn) == 20
    assert f"{len(drawn):,} of 20,000 points are drawn" in subtitle(chart)


def test_more_names_than_colours_share_a_grey() -> None:
    names = [{"setting": f"s{n}"} for n in range(30)] + [{"setting": "s3"}]
    channel = frame.groups(names, "setting", "Setting")
    assert channel["scale"]["domain"][0] == "s3"
    assert channel["scale"]["domain"][-1] == f"{30 - len(frame.COLOURS)} others"
    assert len(set(channel["scale"]["range"])) == len(frame.COLOURS) + 1
    assert names[29]["setting in full"] == "s29"


@pytest.mark.parametrize("numbers", [[0.0], [5.0], [-3.0, 2.0], [0.0, 1e9], [1.0, 100.0], [math.nan], []])
def test_a_scale_holds_its_numbers(numbers: list[float]) -> None:
    scaled = frame.scale(numbers)
    low, high = scaled["domain"]
    assert low < high
    assert scaled["type"] == ("log" if numbers == [1.0, 100.0] else "linear")
    for one in numbers:
        assert math.isnan(one) or low <= one <= high
        assert math.isnan(one) or 0 <= frame.place(one, scaled, 100.0) <= 100


def test_every_colour_has_one_for_the_dark() -> None:
    used = {frame.TEXT, frame.QUIET, frame.GRID, frame.GROUND, frame.ACCENT, frame.BEATEN, frame.OTHERS, *frame.COLOURS}
    assert set(frame.DARK) == used


def test_equal_labels_do_not_share_a_line() -> None:
    assert frame.labelled([("a", "a-1"), ("a", "a-2"), ("b", "b")]) == ["a (a-1)", "a (a-2)", "b"]
