"""What became of the shipped data: every row accounted for, every recalled value proposed, every disagreement kept.

The checks go from the raw tables to the graph, by ways of their own where that can be done.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from app import vocab
from app.ingest.seed import Seed
from app.model.claims import Claim, concept, resource
from app.model.rdf import IRI, Literal, Term, date, literal
from app.resources import folder
from app.services import Services
from app.store.port import Query

DATA = folder("data")
CURATED = f"{vocab.BASE}graph/curated"
DECISIONS = f"{vocab.BASE}graph/decisions"


def rows(file: str) -> list[dict[str, str]]:
    with (DATA / file).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def count(services: Services, pattern: str) -> int:
    (row,) = services.store.at().query(Query(f"{PREFIXES} SELECT (COUNT(*) AS ?n) {{ {pattern} }}")).rows()
    return int(row["n"].value)


PREFIXES = "".join(f"PREFIX {name}: <{address}> " for name, address in vocab.PREFIXES.items())


# --- rows --------------------------------------------------------------------------------------------------------

ROWS = {
    "benchmarks.csv": 1575,
    "runtime.csv": 1584,
    "configurations.csv": 93,
    "survey-table-1.csv": 70,
    "survey-leaderboard.csv": 73,
    "disagreements.csv": 165,
    "parameter-check.csv": 93,
}


def test_every_row_of_every_table_is_used_or_skipped_with_a_reason(seed: Seed) -> None:
    evidence = seed.evidence
    skipped = Counter(skip.file for skip in evidence.skipped)
    tables = [path for name in ("claims", "results") for path in (DATA / name).glob("*.csv")]
    for path in (*tables, DATA / "reference" / "parameter-check.csv"):
        raw = len(rows(str(path.relative_to(DATA))))
        assert evidence.rows_read[path.name] == raw, path.name
        assert evidence.rows_used[path.name] + skipped[path.name] == raw, path.name
    assert set(evidence.rows_read) == {path.name for path in tables} | {"parameter-check.csv"}
    assert {name: evidence.rows_read[name] for name in ROWS} == ROWS
    assert all(skip.reason and skip.line > 1 for skip in evidence.skipped)
    assert len({(skip.file, skip.line) for skip in evidence.skipped}) == len(evidence.skipped)


def test_no_result_is_lost_on_the_way_to_the_graph(seed: Seed, seed_services: Services) -> None:
    used = seed.evidence.rows_used
    assert len(seed.evidence.results) == used["benchmarks.csv"] + used["runtime.csv"]
    assert count(seed_services, "?o a slm:BenchmarkResult") == used["benchmarks.csv"] == 1572
    assert (
        count(seed_services, "?o a slm:RuntimeResult FILTER NOT EXISTS { ?o slm:inCell ?c }")
        == used["runtime.csv"]
        == 1572
    )
    pairs = Counter(
        (row["ofModel"].value, row["reported"].value)
        for row in seed_services.store.at()
        .query(
            Query(
                f"{PREFIXES} SELECT ?ofModel ?reported {{ ?o slm:ofModel ?ofModel ; "
                "sosa:hasResult/slm:valueAsReported ?reported FILTER NOT EXISTS { ?o slm:inCell ?c } }"
            )
        )
        .rows()
    )
    names = seed.registry.names["model"]
    skipped = {(skip.file, skip.line) for skip in seed.evidence.skipped}
    raw: Counter[tuple[str, str]] = Counter()
    for file in ("results/benchmarks.csv", "results/runtime.csv"):
        for line, row in _with_lines(file):
            if (Path(file).name, line) not in skipped:
                raw[names[row["model"]].value, row["value"].strip()] += 1
    assert pairs == raw


def _with_lines(file: str) -> Iterator[tuple[int, dict[str, str]]]:
    with (DATA / file).open(encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle)
        line = reader.reader.line_num + 1
        for row in reader:
            yield (2 if line == 1 else line), row
            line = reader.line_num + 1


def test_readings_from_figures_and_baselines_say_so(seed: Seed, seed_services: Services) -> None:
    figures = sum(
        row["confidence"] == "read-from-figure" and bool(row["model"])
        for file in ("results/benchmarks.csv", "results/runtime.csv")
        for row in rows(file)
    )
    told = Counter(result.reading for result in seed.evidence.results.values())
    assert 0 < told["ReadFromFigure"] <= figures
    wanted = f"<{concept('reading', 'ReadFromFigure').value}>"
    assert count(seed_services, f"?o slm:inRun ?r ; slm:reading {wanted}") == told["ReadFromFigure"]
    baselines = [row["slug"] for row in rows("models.csv") if row["scope"] == "baseline"]
    assert baselines
    assert count(seed_services, "?m a slm:BaselineModel") == len(baselines)
    assert count(seed_services, "?m a slm:BaselineModel, slm:LanguageModel") == 0


# --- models ------------------------------------------------------------------------------------------------------


def test_every_model_that_a_table_names_is_in_the_graph(seed: Seed, seed_services: Services) -> None:
    assert count(seed_services, "?m a slm:LanguageModel") >= 93
    kinds = {"slm:LanguageModel", "slm:BaselineModel"}
    known = {
        row["m"].value
        for kind in kinds
        for row in seed_services.store.at().query(Query(f"{PREFIXES} SELECT ?m {{ ?m a {kind} }}")).rows()
    }
    assert known == {resource("model", row["slug"]).value for row in rows("models.csv")}
    files = [path for name in ("claims", "results", "reference") for path in (DATA / name).glob("*.csv")]
    named = {
        row["model"] for path in files for row in rows(str(path.relative_to(DATA))) if row.get("model", "").strip()
    }
    assert len(named) > 93
    assert {seed.registry.names["model"][name].value for name in named} <= known


def test_every_model_has_one_architecture_with_its_own_claims(seed: Seed) -> None:
    configured = {row["model"] for row in rows("claims/configurations.csv")}
    assert len(configured) == 93
    claimed = {claim.subject for claim in seed.evidence.claims.values()}
    assert {seed.registry.models[slug].architecture for slug in configured} <= claimed


# --- recalled values ---------------------------------------------------------------------------------------------

COLUMNS = {
    "tokenizer_kind": vocab.slm.tokenizerKind,
    "training_datasets": vocab.slm.trainedOn,
    "tied_embeddings": vocab.slm.tiesEmbeddings,
    "precision": vocab.slm.weightPrecision,
    "license": vocab.slm.license,
    "training_tokens": vocab.slm.trainingTokens,
    "training_algorithms": vocab.slm.trainedWith,
    "release_date": vocab.slm.releasedIn,
    "paper": vocab.slm.describedIn,
    "rope_theta": vocab.slm.ropeTheta,
    "max_context": vocab.slm.maxContextLength,
    "norm_eps": vocab.slm.normEpsilon,
    "intermediate_size": vocab.slm.intermediateSize,
    "num_layers": vocab.slm.numLayers,
    "hidden_size": vocab.slm.hiddenSize,
    "num_attention_heads": vocab.slm.numAttentionHeads,
    "num_kv_heads": vocab.slm.numKeyValueHeads,
    "head_dim": vocab.slm.headDimension,
    "vocab_size": vocab.slm.vocabularySize,
    "norm_type": vocab.slm.normalisation,
    "base_model": vocab.slm.baseModel,
    "innovations": vocab.slm.innovation,
}


def _recalled() -> list[tuple[str, str, str, int]]:
    """Every entry of the column `recalled`: model, column, element (or nothing), number of values that it covers."""
    found: list[tuple[str, str, str, int]] = []
    for row in rows("claims/configurations.csv"):
        for entry in filter(None, row["recalled"].split(";")):
            column, _, element = entry.rstrip("]").partition("[")
            if column == "layers" or not row[column]:
                continue
            lists = column in {"training_datasets", "training_algorithms", "innovations"}
            values = len([part for part in row[column].split(";") if part.strip()]) if lists else 1
            found.append((row["model"], column, element, 1 if element else values))
    return found


def test_every_recalled_value_is_a_proposed_claim(seed_services: Services) -> None:
    """Counted per model and property in the graph, against the raw column."""
    wanted: Counter[tuple[str, str]] = Counter()
    for model, column, _, values in _recalled():
        wanted[model, COLUMNS[column]] += values
    assert sum(wanted.values()) > 250
    query = f"""{PREFIXES} SELECT ?s ?p (COUNT(DISTINCT ?c) AS ?n) {{
      ?c slm:status <{concept("claim-status", "Proposed").value}> ; rdf:subject ?s ; rdf:predicate ?p
    }} GROUP BY ?s ?p"""
    found: Counter[tuple[str, str]] = Counter()
    for row in seed_services.store.at().query(Query(query)).rows():
        kind, slug = row["s"].value.rsplit("/", 2)[1:]
        if kind != "layer-group":
            found[slug, row["p"].value] += int(row["n"].value)
    assert found == wanted


def test_no_recalled_value_is_curated_unless_somebody_else_says_the_same(seed_services: Services) -> None:
    """A curated value always has an accepted claim, and no accepted claim is one that nobody cited."""
    proposed = f"<{concept('claim-status', 'Proposed').value}>"
    accepted = f"<{concept('claim-status', 'Accepted').value}>"
    recalled = f"<{concept('reading', 'Recalled').value}>"
    assert count(seed_services, f"?c slm:reading {recalled}") > 250
    assert count(seed_services, f"?c slm:reading {recalled} FILTER NOT EXISTS {{ ?c slm:status {proposed} }}") == 0
    assert count(seed_services, f"?c slm:status {proposed} FILTER NOT EXISTS {{ ?c slm:reading {recalled} }}") == 0
    only_recalled = f"""
      ?c slm:status {proposed} ; rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o
      GRAPH <{CURATED}> {{ ?s ?p ?o }}
      FILTER NOT EXISTS {{ ?d rdf:subject ?s ; rdf:predicate ?p ; rdf:object ?o ; slm:status {accepted} }}"""
    assert count(seed_services, only_recalled) == 0


def test_recalled_layers_are_proposed(seed: Seed) -> None:
    models = {row["model"] for row in rows("claims/configurations.csv") if "layers" in row["recalled"].split(";")}
    assert len(models) == 2
    of_groups = [c for c in seed.evidence.claims.values() if "/layer-group/" in c.subject.value]
    for claim in of_groups:
        slug = claim.subject.value.rsplit("/", 1)[-1]
        assert claim.recalled == any(slug.startswith(f"{model}-") for model in models)


# --- disagreements -----------------------------------------------------------------------------------------------


def test_all_known_disagreements_are_in_the_graph_with_both_claims(seed: Seed, seed_services: Services) -> None:
    involved: dict[tuple[str, str], set[str]] = defaultdict(set)
    settled: dict[tuple[str, str], bool] = {}
    query = f"""{PREFIXES} SELECT ?s ?p ?c ?r {{ GRAPH <{DECISIONS}> {{
      ?d a slm:Disagreement ; slm:aboutSubject ?s ; slm:aboutProperty ?p ; slm:involves ?c
      OPTIONAL {{ ?d slm:settledBy ?r }} }} }}"""
    for row in seed_services.store.at().query(Query(query)).rows():
        key = (row["s"].value, row["p"].value)
        involved[key].add(row["c"].value)
        settled[key] = "r" in row
    lines = set()
    for known in seed.evidence.disagreements:
        key = (known.subject.value, known.predicate)
        lines.add(known.line)
        assert key in involved, f"line {known.line}"
        assert len(known.claims) >= 2, f"line {known.line} has a claim for each side"
        assert {claim.iri.value for claim in known.claims} <= involved[key], f"line {known.line}"
    assert len(lines) == 165
    disputed = f"?c slm:status <{concept('claim-status', 'Open').value}> ; rdf:subject ?s ; rdf:predicate ?p"
    found = seed_services.store.at().query(Query(f"{PREFIXES} SELECT DISTINCT ?s ?p {{ {disputed} }}")).rows()
    open_cases = {(row["s"].value, row["p"].value) for row in found}
    assert open_cases == {key for key, is_settled in settled.items() if not is_settled}
    assert open_cases


def test_both_sides_of_each_raw_row_are_recorded_with_its_two_sources(seed: Seed) -> None:
    """By the raw table: what side a and side b print is in the claims that the row's disagreement involves."""
    by_line = defaultdict(list)
    for known in seed.evidence.disagreements:
        by_line[known.line].append(known)
    table = list(_with_lines("claims/disagreements.csv"))
    assert len(table) == 165
    for line, row in table:
        sources = {claim.source.slug for known in by_line[line] for claim in known.claims}
        same = row["source_a"].strip() == row["source_b"].strip()
        assert len(sources) >= (1 if same else 2) or _same_reading(row), f"line {line}: {sources}"


def _same_reading(row: dict[str, str]) -> bool:
    """Both sides cite the survey's leaderboard, in two wordings."""
    return all("SLM.json" in row[side] for side in ("source_a", "source_b"))


def test_at_least_three_independent_sources_disagree_somewhere(seed: Seed) -> None:
    sources: dict[tuple[IRI, str], set[str]] = defaultdict(set)
    values: dict[tuple[IRI, str], set[Term]] = defaultdict(set)
    for claim in seed.evidence.claims.values():
        sources[claim.subject, claim.predicate].add(claim.source.slug)
        values[claim.subject, claim.predicate].add(claim.value)
    assert sum(len(sources[key]) >= 3 and len(values[key]) >= 2 for key in sources) > 20


# --- single facts ------------------------------------------------------------------------------------------------


def model(slug: str) -> IRI:
    return resource("model", slug)


def shape(slug: str) -> IRI:
    return resource("architecture", slug)


# the raw cell (file, column, characters) and the curated fact that it must have become
FACTS: list[tuple[str, str, str, str, Callable[[str], IRI], str, Term]] = [
    ("configurations", "opt-125m", "num_layers", "12", shape, vocab.slm.numLayers, literal(12)),
    ("configurations", "opt-125m", "hidden_size", "768", shape, vocab.slm.hiddenSize, literal(768)),
    ("configurations", "opt-125m", "vocab_size", "50272", shape, vocab.slm.vocabularySize, literal(50272)),
    ("configurations", "opt-125m", "activation", "relu", shape, vocab.slm.activation, IRI(vocab.act.ReLU)),
    ("configurations", "opt-125m", "tied_embeddings", "true", shape, vocab.slm.tiesEmbeddings, literal(True)),
    ("configurations", "opt-125m", "release_date", "2022-05", model, vocab.slm.releasedIn, date("2022-05")),
    ("survey-table-1", "opt-125m", "size", "125M", model, vocab.slm.nominalSize, literal("125M")),
    (
        "configurations",
        "opt-125m",
        "paper",
        "arXiv:2205.01068",
        model,
        vocab.slm.describedIn,
        IRI("https://arxiv.org/abs/2205.01068"),
    ),
    ("configurations", "gemma-2-2b", "attention_type", "GQA", shape, vocab.slm.attentionType, IRI(vocab.attn.GQA)),
    ("configurations", "gemma-2-2b", "head_dim", "256", shape, vocab.slm.headDimension, literal(256)),
    ("configurations", "gemma-2-2b", "num_kv_heads", "4", shape, vocab.slm.numKeyValueHeads, literal(4)),
    ("configurations", "gemma-2-2b", "sliding_window", "4096", shape, vocab.slm.slidingWindowSize, literal(4096)),
    ("configurations", "gemma-2-2b", "intermediate_size", "9216", shape, vocab.slm.intermediateSize, literal(9216)),
    ("configurations", "minicpm3-4b", "kv_lora_rank", "256", shape, vocab.slm.keyValueLoraRank, literal(256)),
    ("configurations", "minicpm3-4b", "query_lora_rank", "768", shape, vocab.slm.queryLoraRank, literal(768)),
    ("configurations", "minicpm3-4b", "attention_type", "MLA", shape, vocab.slm.attentionType, IRI(vocab.attn.MLA)),
    ("configurations", "minicpm3-4b", "rope_head_dim", "32", shape, vocab.slm.ropeHeadDimension, literal(32)),
    (
        "configurations",
        "minicpm3-4b",
        "architecture_class",
        "MiniCPM3ForCausalLM",
        shape,
        vocab.slm.architectureClass,
        literal("MiniCPM3ForCausalLM"),
    ),
    ("decisions", "qwen2.5-0.5b", "keep", "151936", shape, vocab.slm.vocabularySize, literal(151936)),
    (
        "configurations",
        "qwen2.5-0.5b",
        "num_attention_heads",
        "14",
        shape,
        vocab.slm.numAttentionHeads,
        literal(14),
    ),
    ("configurations", "qwen2.5-0.5b", "qkv_bias", "true", shape, vocab.slm.usesQkvBias, literal(True)),
    ("configurations", "smollm2-135m", "max_context", "8192", shape, vocab.slm.maxContextLength, literal(8192)),
    ("decisions", "mobillama-05b", "keep", "32", shape, vocab.slm.numKeyValueHeads, literal(32)),
    ("configurations", "mobillama-05b", "shared_ffn", "yes", shape, vocab.slm.sharesFeedForward, literal(True)),
    (
        "configurations",
        "mobillama-05b",
        "precision",
        "float32",
        model,
        vocab.slm.weightPrecision,
        IRI(vocab.prec.F32),
    ),
    ("configurations", "phi-2", "parallel_residual", "true", shape, vocab.slm.parallelResidual, literal(True)),
    (
        "configurations",
        "phi-2",
        "training_tokens",
        "1400000000000",
        model,
        vocab.slm.trainingTokens,
        literal(14 * 10**11),
    ),
    ("configurations", "llama-3.2-1b", "vocab_size", "128256", shape, vocab.slm.vocabularySize, literal(128256)),
    ("decisions", "llama-3.2-1b", "keep", "1235814400", model, vocab.slm.parameterCount, literal(1235814400)),
    ("configurations", "cerebras-gpt-111m", "num_layers", "10", shape, vocab.slm.numLayers, literal(10)),
    ("survey-leaderboard", "phi-2", "layers", "32", shape, vocab.slm.numLayers, literal(32)),
    ("survey-table-1", "gemma-2-2b", "layers", "26", shape, vocab.slm.numLayers, literal(26)),
]


@pytest.mark.parametrize(
    ("file", "slug", "column", "cell", "about", "predicate", "value"),
    FACTS,
    ids=[f"{fact[1]} {fact[0]} {fact[2]}" for fact in FACTS],
)
def test_single_facts_from_the_raw_table_to_the_curated_graph(
    seed_services: Services,
    file: str,
    slug: str,
    column: str,
    cell: str,
    about: Callable[[str], IRI],
    predicate: str,
    value: Term,
) -> None:
    raw = [row[column] for row in rows(f"claims/{file}.csv") if row["model"] == slug]
    assert cell in raw
    found = seed_services.store.at().query(
        Query(f"SELECT ?o {{ GRAPH <{CURATED}> {{ ?s <{predicate}> ?o }} }}", values={"s": [about(slug)]})
    )
    values = [row["o"] for row in found.rows()]
    assert values == [value] or (len(values) > 1 and value in values and predicate in vocab.ADDITIVE)


def test_per_layer_shapes_are_in_the_graph_as_the_raw_lists_say(seed_services: Services) -> None:
    """OpenELM 270M and 1.1B are cited: each layer's heads and widths, read back from the curated layer groups."""
    query = f"""{PREFIXES} SELECT ?first ?last ?heads ?kv ?width {{
      ?a slm:hasLayerGroup ?g . ?g slm:firstLayer ?first ; slm:lastLayer ?last .
      GRAPH <{CURATED}> {{
        ?g slm:numAttentionHeads ?heads ; slm:numKeyValueHeads ?kv ; slm:intermediateSize ?width }} }}"""
    for slug in ("openelm-270m", "openelm-1-1b"):
        layers: dict[int, tuple[str, str, str]] = {}
        answer = seed_services.store.at().query(Query(query, values={"a": [shape(slug)]}))
        for row in answer.rows():
            for layer in range(int(row["first"].value), int(row["last"].value) + 1):
                assert layer not in layers
                layers[layer] = (row["heads"].value, row["kv"].value, row["width"].value)
        raw = {
            int(row["layer"]): (row["num_attention_heads"], row["num_kv_heads"], row["intermediate_size"])
            for row in rows("claims/layers.csv")
            if row["model"] == slug
        }
        assert layers == raw
        assert len(raw) > 10


# --- claims ------------------------------------------------------------------------------------------------------


def test_every_claim_keeps_the_characters_of_its_source(seed: Seed) -> None:
    for claim in seed.evidence.claims.values():
        assert claim.reported.strip(), claim
        assert claim.locator.strip(), claim
        assert claim.predicate in vocab.CLAIMABLE, claim.predicate


def test_every_interval_holds_its_own_value(seed: Seed) -> None:
    rounded = [claim for claim in seed.evidence.claims.values() if claim.interval is not None]
    assert len(rounded) > 100
    for claim in rounded:
        assert claim.interval is not None
        assert isinstance(claim.value, Literal)
        assert claim.interval.lower <= claim.interval.upper
        assert claim.interval.holds(_number(claim)), claim


def _number(claim: Claim) -> Decimal:
    return Decimal(claim.value.value)


def test_vocabulary_and_context_of_table_1_are_rounded_and_allow_the_exact_ones(seed: Seed) -> None:
    """ "50k" of the survey never outvotes 50272: it is compatible with it."""
    of_table = [
        claim
        for claim in seed.evidence.claims.values()
        if claim.source.slug == "survey-v3" and claim.predicate == vocab.slm.vocabularySize
    ]
    assert len(of_table) > 50
    assert all(claim.interval is not None for claim in of_table if claim.reported.lower().endswith("k"))


def test_a_second_reading_gives_the_same_values(seed: Seed) -> None:
    from app.ingest.seed import read_seed

    again = read_seed(DATA)
    assert again.evidence.claims == seed.evidence.claims
    assert again.evidence.results == seed.evidence.results
    assert again.evidence.registry == seed.evidence.registry
    assert frozenset(again.registry.quads) == frozenset(seed.registry.quads)
