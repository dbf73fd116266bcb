"""The survey's insights: numbers against the raw tables, verdicts both ways on a graph that a test changes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import mean

import pyoxigraph as ox
import pytest

from app import vocab
from app.compare import insights
from app.compare.insights import survey
from app.compare.insights.terms import correlation
from app.compare.insights.values import Cell, Verdict, overall
from app.errors import BadFile, NotFound
from app.model.tensors import matrix_parameter_count, output_parameter_count
from app.resources import folder
from app.services import Services
from tests.model.test_architecture import ARCHITECTURES
from tests.questions.raw import table

Record = dict[str, Cell]
SIMPLE = ox.NamedNode(vocab.sosa.hasSimpleResult)
MODEL = "https://w3id.org/slmkg/resource/model/"
METRIC = "https://w3id.org/slmkg/resource/metric/"
BENCHMARK = "https://w3id.org/slmkg/resource/benchmark/"


@pytest.fixture(scope="module")
def graph(seed_services: Services) -> ox.Store:
    """The shipped data in a store of our own; a test that changes it puts everything back."""
    store = ox.Store()
    store.extend(seed_services.store.at().quads())
    return store


def asked(graph: ox.Store, slug: str) -> insights.Insight:
    answers = {}
    for query in insights.queries_of(slug):
        found = graph.query(query.text, use_default_graph_as_union=True)
        assert isinstance(found, ox.QuerySolutions)
        names = [one.value for one in found.variables]
        answers[query.name] = [{name: row[name] for name in names if row[name] is not None} for row in found]
    return insights.worked_out(slug, folder("data"), answers)


@pytest.fixture(scope="module")
def found(graph: ox.Store) -> dict[str, insights.Insight]:
    return {slug: asked(graph, slug) for slug in insights.slugs()}


def statement(one: insights.Insight, key: str) -> insights.Statement:
    return next(line for line in one.statements if line.key == key)


def verdicts(one: insights.Insight) -> dict[str, str]:
    return {line.key: line.verdict.value for line in one.statements}


# --- the numbers, from the raw tables a second time -------------------------------------------------------------------


def labels() -> dict[str, str]:
    """Slugs by the names that tables show: our labels, or identifiers as the survey prints them."""
    return {row[column]: row["slug"] for row in table("models.csv") for column in ("identifier", "label")}


def drawn(name: str, locator: str) -> dict[str, float]:
    """The printed numbers of one table or figure, by model."""
    return {row["model"]: float(row["value"]) for row in table(name) if row["locator"] == locator}


def records(one: insights.Insight) -> dict[str, Record]:
    """The table's rows by the slug of their model."""
    slugs = labels()
    return {slugs[str(row["model"])]: row for row in one.table.records() if str(row["model"]) in slugs}


def test_counts_of_the_figure_and_of_the_graph(found: dict[str, insights.Insight]) -> None:
    """Over all half-years the graph's counts are the figure's, moved by the explained models and less Phi-3.5."""
    moved: dict[tuple[str, str], int] = defaultdict(int)
    for row in table("survey/differences.csv"):
        if row["key"].startswith("counts-"):
            aspect = row["key"].removeprefix("counts-")
            moved[aspect, row["surveyed"]] -= 1
            moved[aspect, row["found"]] += 1
    names = {
        "attention": "attention",
        "ffn_type": "feed-forward block",
        "activation": "activation",
        "norm": "normalisation",
        "ffn_ratio": "feed-forward ratio",
        "vocab": "vocabulary size",
    }
    shown: dict[tuple[str, str, str], Record] = {
        (str(one["aspect"]), str(one["period"]), str(one["choice"])): one
        for one in found["architecture"].table.records()
    }
    figure = {
        (names[row["aspect"]], row["period"], row["category"]): int(row["value"])
        for row in table("reference/figure-2-counts.csv")
        if row["locator"] == "Figure 2b"
    }
    assert {key: one["surveyed"] for key, one in shown.items() if one["surveyed"]} == {
        key: count for key, count in figure.items() if count
    }
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for (aspect, _, choice), one in shown.items():
        assert one["difference"] == int(str(one["found"])) - int(str(one["surveyed"]))
        counted[aspect, choice] += int(str(one["difference"]))
    for aspect, name in names.items():
        of_aspect = {choice: count for (one, choice), count in counted.items() if one == name and count}
        expected = {choice: count for (one, choice), count in moved.items() if one == aspect and choice and count}
        lost = {key: expected.get(key, 0) - of_aspect.get(key, 0) for key in {*of_aspect, *expected}}
        assert [count for count in lost.values() if count] == [1], f"{name}: Phi-3.5 has no curated month"


def test_table_2_from_the_single_scores(found: dict[str, insights.Insight]) -> None:
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for row in table("results/benchmarks.csv"):
        if row["locator"] == "per-benchmark score dump":
            scores[row["model"]][row["benchmark"]] = float(row["value"])
    solving = ("ARC-Easy", "ARC-Challenge", "MMLU")
    printed = drawn("results/benchmarks.csv", "Table 2")
    shown = records(found["accuracy"])
    assert shown.keys() == printed.keys()
    for model, line in shown.items():
        assert line["surveyed"] == printed[model]
        if line["basis"] == "single scores":
            of = scores[model]
            others = [score for name, score in of.items() if name not in solving]
            assert len(others) == 7
            assert line["found"] == pytest.approx((mean(others) + mean(of[name] for name in solving)) / 2, abs=1e-9)
    (averages,) = (row for row in table("claims/survey-leaderboard.csv") if row["model"] == "dclm-1b")
    both = (float(averages["commonsense_average"]), float(averages["problem_solving_average"]))
    assert shown["dclm-1b"]["found"] == pytest.approx(mean(both), abs=1e-9)


def test_tokens_per_parameter_of_the_spreadsheet(found: dict[str, insights.Insight]) -> None:
    powers = {"M": 1e6, "B": 1e9, "T": 1e12}
    expected = {}
    for row in table("claims/survey-leaderboard.csv"):
        tokens = row["training_tokens"].split("/")[0].split(" ")[0]
        if tokens and tokens != "None" and row["parameters"][-1:] in powers:
            size = float(row["parameters"][:-1]) * powers[row["parameters"][-1]]
            expected[row["model"]] = float(tokens[:-1]) * powers[tokens[-1]] / size
    shown = {model: row["surveyed"] for model, row in records(found["training-tokens"]).items() if row["surveyed"]}
    assert len(shown) == 53
    assert shown == {model: pytest.approx(ratio) for model, ratio in expected.items()}


def test_gains_from_the_single_tasks(found: dict[str, insights.Insight]) -> None:
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in table("results/benchmarks.csv"):
        if row["locator"] == "Figure 6a" and not row["benchmark"].startswith("ICL"):
            scores[row["model"], row["shots"]].append(float(row["value"]))
    surveyed = drawn("results/benchmarks.csv", "Figure 6b")
    models = {model for model, _ in scores}
    shown = records(found["in-context-learning"])
    assert {model for model, row in shown.items() if row["found"] is not None} == models
    for model in models:
        assert len(scores[model, "5"]) == len(scores[model, "0"]) == 8
        gain = mean(scores[model, "5"]) - mean(scores[model, "0"])
        assert shown[model]["found"] == pytest.approx(gain, abs=1e-9)
        assert shown[model]["surveyed"] == surveyed.get(model)


def test_times_and_pairs(found: dict[str, insights.Insight]) -> None:
    first: dict[str, float] = {}
    later: dict[str, float] = {}
    for row in table("results/runtime.csv"):
        if row["locator"] == "Figure 7" and "token" in row["metric"]:
            (first if row["metric"].startswith("first") else later)[row["model"]] = float(row["value"])
    shown = records(found["latency"])
    assert {model: row["first"] for model, row in shown.items()} == first
    assert {model: row["later"] for model, row in shown.items()} == later
    pairs = {
        "qwen2-first-token": first["qwen2-0.5b"] / first["qwen1.5-0.5b"],
        "qwen1.5-speed-up": 100 - 100 * first["qwen1.5-0.5b"] / first["qwen2-0.5b"],
        "phi-2-latency": first["phi-2"] / first["openelm-3b"],
    }
    for key, value in pairs.items():
        assert float(statement(found["latency"], key).found) == pytest.approx(value, abs=0.0006)


def test_cache_from_the_configurations(found: dict[str, insights.Insight]) -> None:
    shown = records(found["memory"])
    parts: dict[str, dict[str, float]] = defaultdict(dict)
    for row in table("results/runtime.csv"):
        if row["locator"] == "Figure 11b":
            parts[row["model"]][row["metric"].split(" ")[1]] = float(row["value"])
    columns = {"weights": "model_parameter", "cache": "kv_cache", "buffers": "compute_buffer", "other": "other_memory"}
    assert shown.keys() == parts.keys()
    for model, line in shown.items():
        assert {name: line[name] for name in columns} == {
            name: pytest.approx(parts[model][printed]) for name, printed in columns.items()
        }
        whole = sum(parts[model][printed] for printed in columns.values())
        assert line["share"] == pytest.approx(100 * parts[model]["kv_cache"] / whole)
    checked = 0
    for row in table("claims/configurations.csv"):
        numbers = (row["num_layers"], row["num_kv_heads"], row["head_dim"])
        if row["model"] in shown and shown[row["model"]]["expected"] is not None and all(map(str.isdigit, numbers)):
            layers, heads, width = map(int, numbers)
            assert shown[row["model"]]["expected"] == 2 * 2 * layers * heads * width * 2048 / 2**20
            checked += 1
    assert checked >= 15


def test_what_the_page_says_of_the_shipped_data(found: dict[str, insights.Insight]) -> None:
    assert {slug: one.verdict.value for slug, one in found.items()} == {
        "architecture": "differs",
        "accuracy": "differs",
        "training-tokens": "differs",
        "in-context-learning": "agrees",
        "latency": "differs",
        "memory": "differs",
        "cost": "differs",
    }
    differing = {slug: {key for key, word in verdicts(one).items() if word == "differs"} for slug, one in found.items()}
    assert differing["accuracy"] == {"smollm-commonsense", "dclm-commonsense"}
    assert differing["training-tokens"] == {"ratios"}
    assert differing["latency"] == {"sizes", "operator-share"}
    assert differing["memory"] == {"range"}
    assert differing["cost"] == {"first-token"}
    odd = statement(found["cost"], "first-token").note
    assert odd.startswith("Not so: OpenELM-270M (2.38 times what the others let expect), Qwen2-0.5B (1.68 times")
    assert all(key.startswith("counts-") for key in differing["architecture"])
    unknown = {
        (one.slug, key) for one in found.values() for key, word in verdicts(one).items() if word.startswith("cannot")
    }
    assert unknown == {
        ("training-tokens", "at-chinchilla"),
        ("memory", "qwen2-long"),
        ("memory", "qwen1.5-long"),
        ("cost", "bandwidth"),
    }


# --- verdicts both ways -----------------------------------------------------------------------------------------------


@contextmanager
def changed(graph: ox.Store, where: str, new: Callable[[float], float | None]) -> Iterator[None]:
    """The graph with other numbers as results of some observations; without them where the new number is None."""
    text = f"SELECT ?o ?v {{ ?o <{SIMPLE.value}> ?v . {where} }}"
    prefixes = "".join(f"PREFIX {name}: <{address}>\n" for name, address in vocab.PREFIXES.items())
    rows = list(graph.query(prefixes + text, use_default_graph_as_union=True))  # type: ignore[arg-type]
    assert rows, where
    old = [quad for row in rows for quad in graph.quads_for_pattern(row["o"], SIMPLE, row["v"])]
    added = []
    for quad in old:
        graph.remove(quad)
        assert isinstance(quad.object, ox.Literal)
        if (value := new(float(quad.object.value))) is not None:
            literal = ox.Literal(str(Decimal(repr(value))), datatype=ox.NamedNode(vocab.xsd.decimal))
            added.append(ox.Quad(quad.subject, SIMPLE, literal, quad.graph_name))
    graph.extend(added)
    try:
        yield
    finally:
        for quad in added:
            graph.remove(quad)
        graph.extend(old)


def of(model: str, metric: str) -> str:
    """One model's observations of one metric."""
    return f"?o slm:ofModel <{MODEL}{model}> ; sosa:observedProperty <{METRIC}{metric}> ."


def scored(model: str, benchmark: str, source: str = "survey-leaderboard") -> str:
    """One model's score in one benchmark at five shots."""
    return (
        of(model, "accuracy")
        + f" ?o sosa:usedProcedure [ slm:onBenchmark <{BENCHMARK}{benchmark}> ; slm:numShots 5 ] ;"
        + f" dct:source <https://w3id.org/slmkg/resource/source/{source}> ."
    )


def test_another_score_contradicts_table_2(graph: ox.Store) -> None:
    assert verdicts(asked(graph, "accuracy"))["table-2"] == "agrees"
    with changed(graph, scored("pythia-1b", "mmlu"), lambda score: score + 0.02):
        told = asked(graph, "accuracy")
        assert verdicts(told)["table-2"] == "differs"
        assert "pythia-1b" in statement(told, "table-2").note
    assert verdicts(asked(graph, "accuracy"))["table-2"] == "agrees"


def test_scores_as_the_text_has_them_end_the_contradiction(graph: ox.Store) -> None:
    lacking = 7 * (0.642 - 0.501441577094401377)
    with changed(graph, scored("smollm-1.7b", "hellaswag"), lambda score: score + lacking):
        told = asked(graph, "accuracy")
        assert verdicts(told)["smollm-commonsense"] == "agrees"
        assert statement(told, "smollm-commonsense").found == "64.2 (SmolLM-1.7B)"


def test_an_insight_agrees_when_its_last_contradiction_goes(graph: ox.Store) -> None:
    smaller = changed(graph, of("pythia-2.8b", "other-memory"), lambda size: size - 60e6)
    with smaller, changed(graph, of("gemma-2b", "other-memory"), lambda size: size - 60e6):
        told = asked(graph, "memory")
        assert verdicts(told)["range"] == "agrees"
        assert told.verdict is Verdict.AGREES


def test_an_insight_differs_as_soon_as_one_statement_does(graph: ox.Store) -> None:
    with changed(graph, scored("opt-1.3b", "hellaswag", "survey-v1-figures"), lambda score: 1.2 * score):
        told = asked(graph, "in-context-learning")
        assert (verdicts(told)["gains"], told.verdict) == ("differs", Verdict.DIFFERS)


def test_nothing_is_worked_out_from_nothing(graph: ox.Store) -> None:
    with changed(graph, "?o slm:inRun ?run .", lambda _: None):
        for slug in ("accuracy", "in-context-learning", "latency", "memory"):
            told = asked(graph, slug)
            assert told.verdict is Verdict.UNKNOWN or set(verdicts(told).values()) == {"cannot be told", "agrees"}, slug
            assert told.models == 0
            numbers = [name for name in ("found", "first", "share") if name in {one.name for one in told.table.columns}]
            assert all(row[name] is None for row in told.table.records() for name in numbers)
    empty = ox.Store()
    for slug in insights.slugs():
        assert asked(empty, slug).verdict is Verdict.UNKNOWN, slug


# --- rules and files --------------------------------------------------------------------------------------------------


def test_the_rule_of_an_insight() -> None:
    yes, no, unknown = Verdict.AGREES, Verdict.DIFFERS, Verdict.UNKNOWN
    assert [overall(one) for one in ([], [unknown], [yes, unknown], [yes, no, unknown])] == [unknown, unknown, yes, no]


def test_rank_correlation() -> None:
    assert correlation([(1, 10), (2, 20), (3, 40)]) == pytest.approx(1)
    assert correlation([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1)
    assert correlation([(1, 1), (2, 3), (3, 2), (4, 4)]) == pytest.approx(0.8)
    assert correlation([(1, 5), (1, 6), (2, 6), (3, 9)]) == pytest.approx(5 / 6)
    assert correlation([(1, 1), (2, 2)]) is None
    assert correlation([(1, 5), (2, 5), (3, 5)]) is None


def row(model: str, **numbers: float | str) -> dict[str, ox.Literal | ox.NamedNode]:
    values = {
        name: ox.Literal(one) if isinstance(one, str) else ox.Literal(float(one)) for name, one in numbers.items()
    }
    return {"model": ox.NamedNode(MODEL + model), **values}


def test_runs_are_never_mixed() -> None:
    """A ratio between two runs says nothing: the run with most models is taken, and the page says what is left out."""
    ours = [
        row("phi-2", run="a", format="q", firstTokenMs=100.0),
        row("openelm-3b", run="a", format="q", firstTokenMs=90.0),
    ]
    theirs = [row("phi-2", run="b", format="q", firstTokenMs=1.0)]
    one = insights.worked_out("latency", folder("data"), {"latency": [*ours, *theirs], "operators": []})
    assert statement(one, "phi-2-latency").found == "1.111"
    assert one.notes == ("Worked out from a, q alone: nothing else is mixed in, so 1 more rows are left out.",)
    assert one.models == 2


def test_what_is_no_number_is_not_known() -> None:
    given = [row("phi-2", run="a", format="q", firstTokenMs="soon", decodeMs=float("inf"))]
    one = insights.worked_out("latency", folder("data"), {"latency": given, "operators": []})
    (shown,) = (line for line in one.table.records() if line["drawnFirst"] == 148.58)
    assert (shown["first"], shown["later"]) == (None, None)


def test_an_unknown_insight_names_the_nearest() -> None:
    with pytest.raises(NotFound, match="no insight") as caught:
        insights.existing("latnecy")
    assert "'latency'" in caught.value.advice


def test_a_statement_that_no_row_prints_is_refused(copy_of_seed: Callable[[Path], Path], tmp_path: Path) -> None:
    data = copy_of_seed(tmp_path)
    path = data / "survey" / "statements.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Table 2,", "Table 9,"), encoding="utf-8")
    with pytest.raises(BadFile, match="no row of the file is meant"):
        survey.told(data)


def test_every_statement_of_the_survey_has_a_finding(found: dict[str, insights.Insight]) -> None:
    assert tuple(survey.told(folder("data"))) == insights.slugs()
    for row in table("survey/statements.csv"):
        one = statement(found[row["insight"]], row["key"])
        assert one.text == row["statement"]
        assert one.rule
        assert one.unit
    known = {(row["insight"], row["key"]) for row in table("survey/statements.csv")} | {("architecture", "months")}
    assert {(row["insight"], row["key"]) for row in table("survey/differences.csv")} <= known


# --- times against the work -------------------------------------------------------------------------------------------


def test_the_work_is_that_of_the_tensor_table(found: dict[str, insights.Insight]) -> None:
    rows = records(found["cost"])
    shapes = {"bloom-560m": "bigscience/bloom-560m", "pythia-160m": "EleutherAI/pythia-160m"}
    for slug, name in shapes.items():
        shape = ARCHITECTURES[name]
        matrices, output = matrix_parameter_count(shape), output_parameter_count(shape)
        assert rows[slug]["operations"] == pytest.approx(2 * ((matrices - output) * 50 + output) / 1e9)
        assert rows[slug]["read"] == pytest.approx(matrices * 4.5 / 8 / 1e9)
    first = drawn_of("results/runtime.csv", "first token time (prefill of the prompt)")
    assert {slug: row["first"] for slug, row in rows.items()} == pytest.approx(first)


def drawn_of(name: str, metric: str) -> dict[str, float]:
    """The printed numbers of one curve of figure 7, by model."""
    return {
        row["model"]: float(row["value"])
        for row in table(name)
        if row["locator"] == "Figure 7" and row["metric"] == metric
    }


def test_a_time_that_does_not_follow_the_work_is_named(graph: ox.Store, found: dict[str, insights.Insight]) -> None:
    before = statement(found["cost"], "first-token")
    assert before.rests_on >= 10
    metric, model = f"{METRIC}time-to-first-token", f"{MODEL}bloom-560m"
    where = f"?o <{vocab.sosa.observedProperty}> <{metric}> ; <{vocab.slm.ofModel}> <{model}> ."
    with changed(graph, where, lambda value: 9 * value):
        line = statement(asked(graph, "cost"), "first-token")
    assert line.verdict is Verdict.DIFFERS
    assert "BLOOM-560M (" in line.note or "bloom-560m (" in line.note


def test_without_a_bandwidth_nothing_is_said_of_it(found: dict[str, insights.Insight]) -> None:
    line = statement(found["cost"], "bandwidth")
    assert line.verdict is Verdict.UNKNOWN
    assert "no memory bandwidth" in line.note
    assert line.found.startswith("at most ")


def test_a_bandwidth_decides_what_is_possible(graph: ox.Store) -> None:
    device = next(
        row["d"]
        for row in graph.query(  # type: ignore[union-attr]
            f"SELECT ?d {{ ?d a <{vocab.slm.Device}> ; <{vocab.rdfs.label}> ?l . FILTER(CONTAINS(?l, 'Orin NX')) }}",
            use_default_graph_as_union=True,
        )
    )
    for bandwidth, verdict in ((1e12, Verdict.AGREES), (1e9, Verdict.DIFFERS)):
        quad = ox.Quad(
            device,
            ox.NamedNode(vocab.slm.memoryBandwidth),
            ox.Literal(str(int(bandwidth)), datatype=ox.NamedNode(vocab.xsd.decimal)),
        )
        graph.add(quad)
        try:
            assert statement(asked(graph, "cost"), "bandwidth").verdict is verdict
        finally:
            graph.remove(quad)
