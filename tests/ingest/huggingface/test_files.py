"""Configuration files and cards become claims with key path and exact characters; rubbish is refused with its place."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import vocab
from app.errors import BadFile, BadParameter
from app.ingest.bulk.fields import BY_PREDICATE
from app.ingest.bulk.table import Reading, key_of
from app.ingest.bulk.verdicts import Verdict
from app.ingest.huggingface import configs, places
from app.ingest.huggingface.files import CARD, CONFIG, Files, read_files, read_folder
from app.model.claims import Claim, Result, resource
from tests.ingest.bulk.tables import Desk
from tests.ingest.huggingface import files as samples

REVISION = "0123456789abcdef0123456789abcdef01234567"
TODAY = date(2026, 11, 21)


def read(desk: Desk, texts: dict[str, str], model: str | None = "phi-2", **where: str) -> Reading:
    return read_files(Files(texts, **where), desk.names, lambda _: {}, model=model, today=TODAY)


def config(desk: Desk, text: str | dict[str, Any]) -> Reading:
    return read(desk, {CONFIG: text if isinstance(text, str) else samples.text(text)})


@pytest.mark.parametrize("kind", samples.CONFIGS)
def test_each_type_of_model_is_read_by_its_own_keys(desk: Desk, kind: str) -> None:
    given_config, expected = samples.CONFIGS[kind]
    reading = config(desk, given_config)
    assert not reading.refused
    found = {}
    for claim in reading.items:
        assert isinstance(claim, Claim)
        found[BY_PREDICATE[claim.predicate].name] = claim.value.value.replace("#", "/").rsplit("/", 1)[-1]
        assert claim.source.kind == "ConfigurationFile"
    assert found == expected


def test_a_claim_has_the_key_path_and_the_exact_characters(desk: Desk) -> None:
    text = '{"model_type":"llama",\n  "hidden_size" : 2048, "rope_parameters": {"rope_theta": 1e6}}'
    size, theta = (item for item in config(desk, text).items if isinstance(item, Claim))
    assert (size.locator, size.quote, size.reported) == ("config.json#/hidden_size", '"hidden_size" : 2048', "2048")
    assert (theta.locator, theta.quote) == ("config.json#/rope_parameters/rope_theta", '"rope_theta": 1e6')
    assert (theta.reported, theta.value.value) == ("1e6", "1000000")


def test_every_quote_is_in_the_file_and_every_locator_leads_to_its_value(desk: Desk) -> None:
    for given_config, _ in samples.CONFIGS.values():
        text = samples.text(given_config)
        for claim in config(desk, text).items:
            assert isinstance(claim, Claim)
            assert claim.quote is not None
            assert claim.quote in text
            node: Any = given_config
            for part in claim.locator.removeprefix("config.json#/").split("/"):
                node = node[part]
            assert json.loads(f"{{{claim.quote}}}") == {part: node}


@pytest.mark.parametrize("kind", sorted(configs.NO_TRANSFORMER))
def test_other_kinds_of_models_are_refused_with_the_reason(desk: Desk, kind: str) -> None:
    with pytest.raises(BadFile, match=f"type '{kind}'") as caught:
        config(desk, {"model_type": kind, "hidden_size": 768})
    assert caught.value.advice


def test_an_encoder_and_decoder_is_refused(desk: Desk) -> None:
    with pytest.raises(BadFile, match="encoder and a decoder"):
        config(desk, {"model_type": "odd", "is_encoder_decoder": True})


@pytest.mark.parametrize(
    ("kind", "key", "told"),
    [
        ("qwen", "intermediate_size", "both halves of the gate"),
        ("minicpm3", "num_key_value_heads", "has no effect"),
        ("qwen2", "sliding_window", "use_sliding_window is false"),
    ],
)
def test_a_key_that_means_something_else_is_named_with_the_reason(desk: Desk, kind: str, key: str, told: str) -> None:
    reading = config(desk, samples.CONFIGS[kind][0])
    (finding,) = [one for one in reading.findings if one.verdict is Verdict.IGNORED and one.field == f"/{key}"]
    assert told in finding.problem


def test_two_keys_that_disagree_about_one_property_give_one_claim_and_a_remark(desk: Desk) -> None:
    reading = config(desk, {"model_type": "bloom", "hidden_size": 1024, "n_embed": 1025})
    assert len(reading.items) == 1
    assert "another key says 1024" in reading.findings[-1].problem


# --- rubbish -------------------------------------------------------------------------------------------------------

DEEP = "[" * 50 + "]" * 50


@pytest.mark.parametrize(
    ("text", "problem", "line", "column"),
    [
        ("", "not JSON", 1, 1),
        ("[1]", "no JSON object", 1, 1),
        ('{"hidden_size": 1,}', "not JSON", 1, None),
        ('{\n"rope_theta": NaN}', "NaN", 2, 15),
        ('{"rope_theta": -Infinity}', "Infinity", 1, None),
        ('{"hidden_size": ' + "9" * 31 + "}", "more than 30 digits", 1, 17),
        ('{"hidden_size": ' + "9" * 5000 + "}", "too long", None, None),
        ('{\n "a": 1,\n "a": 2}', "key 'a' twice", 3, 2),
        (f'{{"a": {DEEP}}}', "nested deeper", 1, 26),
        ('{"a": "' + "x" * 1_000_001 + '"}', "longer than", None, None),
        ('{"a": [' + "1," * 20_001 + "1]}", "more than 20000 values", 1, None),
    ],
    ids=["empty", "list", "comma", "nan", "infinity", "digits", "more digits", "twice", "deep", "long", "many"],
)
def test_a_configuration_that_is_rubbish_is_refused_with_its_place(
    desk: Desk, text: str, problem: str, line: int | None, column: int | None
) -> None:
    with pytest.raises(BadFile, match=problem) as caught:
        config(desk, text)
    assert caught.value.advice
    assert caught.value.line == line
    if column is not None:
        assert caught.value.column == column


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("hidden_size", "2048", "not-a-number"),
        ("hidden_size", 2048.5, "not-whole"),
        ("hidden_size", -1, "negative"),
        ("hidden_size", True, "not-a-number"),
        ("tie_word_embeddings", "maybe", "not-a-truth"),
        ("hidden_act", "gelu_of_mine", "unknown-name"),
        ("torch_dtype", "int2", "unknown-name"),
        ("partial_rotary_factor", 4, "percent-or-fraction"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_and_the_rest_is_read(
    desk: Desk, key: str, value: object, code: str
) -> None:
    reading = config(desk, {"model_type": "llama", "num_hidden_layers": 22, key: value})
    assert [(one.code, one.field, one.line) for one in reading.refused] == [(code, f"/{key}", 4)]
    assert len(reading.items) == 1


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.recursive(st.none() | st.booleans() | st.integers() | FLOATS | st.text(), st.lists))
def test_places_are_those_of_the_value(value: Any) -> None:
    """Whatever JSON says, the reader finds the same, and the quote of a member is that member."""
    text = json.dumps({"key": value}, ensure_ascii=False)
    try:
        node = places.read_json(text, "x")
    except BadFile as error:
        assert "deeper" in str(error) or "digits" in str(error)  # noqa: PT017
        return
    assert json.loads(f"{{{node.members['key'].quote}}}") == {"key": value}


# --- cards ---------------------------------------------------------------------------------------------------------


def test_a_card_gives_licence_datasets_base_model_and_scores(desk: Desk) -> None:
    reading = read(desk, {CARD: samples.CARD}, model="phi-2")
    assert not reading.refused
    licence, dataset, base, arc, hellaswag = reading.items
    assert isinstance(licence, Claim)
    assert isinstance(dataset, Claim)
    assert isinstance(base, Claim)
    assert (licence.value.value, licence.quote) == ("http://spdx.org/licenses/MIT", "license: mit")
    assert (dataset.value, dataset.locator) == (resource("dataset", "the-pile"), "README.md#/datasets/0")
    assert base.value == resource("model", "phi-1-5")
    assert isinstance(arc, Result)
    assert isinstance(hellaswag, Result)
    assert arc.protocol is not None
    assert hellaswag.protocol is not None
    assert (arc.protocol.benchmark, arc.protocol.shots) == (resource("benchmark", "arc-challenge"), 25)
    assert (arc.protocol.scoring, str(arc.canonical), arc.unit) == ("acc_norm", "0.3609", vocab.unit.PERCENT)
    assert arc.locator == "README.md#/model-index/0/results/0/metrics/0/value"
    assert hellaswag.protocol.shots == 10
    assert "'perplexity' is no accuracy" in [one.problem for one in reading.findings]
    assert {item.source.kind for item in reading.items} == {"ModelCard"}


def test_a_list_of_datasets_is_read_as_a_whole_or_not_at_all(desk: Desk) -> None:
    """A source's list counts as complete: half of it would say something wrong."""
    card = "---\ndatasets:\n- EleutherAI/the_pile\n- somebody/unheard-of\n---\n"
    reading = read(desk, {CARD: card})
    assert reading.items == ()
    assert [(one.code, one.line, one.column) for one in reading.refused] == [("unknown-name", 4, 3)]


@pytest.mark.parametrize(
    ("card", "problem", "line", "column"),
    [
        ("# no front matter", "no front matter", 1, None),
        ("---\nlicense: mit\n", "without an end", 1, None),
        ("---\n\n---\n", "empty front matter", 2, None),
        ("---\n- a\n---\n", "no mapping", 2, 1),
        ("---\na: [1\n---\n", "not YAML", None, None),
        ("---\nlicense: mit\nlicense: apache-2.0\n---\n", "'license' twice", 3, 1),
        ("---\na: &a [x, x]\nb: *a\n---\n", "anchor or alias", 2, 4),
        ("---\na: !!python/object:os.system x\n---\n", "the tag", 2, 4),
        (f"---\na: {DEEP}\n---\n", "nested deeper", 2, None),
        ("---\na: " + "x" * 200_001 + "\n---\n", "more than 200000", 1, None),
        ("---\na: [" + "1," * 20_001 + "1]\n---\n", "more than 20000 values", 2, None),
        ("---\n? [a]\n: b\n---\n", "no text", None, None),
    ],
)
def test_a_card_that_is_rubbish_is_refused_with_its_place(
    desk: Desk, card: str, problem: str, line: int | None, column: int | None
) -> None:
    with pytest.raises(BadFile, match=problem) as caught:
        read(desk, {CARD: card})
    assert caught.value.advice
    if line is not None:
        assert caught.value.line == line
    if column is not None:
        assert caught.value.column == column


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (["36.09", "0.61"], ["percent-or-fraction"]),
        ([".nan", "36"], ["not-finite"]),
        (["145", "36"], ["out-of-range"]),
        (["'=1+1'", "36"], ["formula"]),
        (["", "36"], ["missing"]),
    ],
)
def test_a_score_that_may_mean_two_things_is_refused(desk: Desk, values: list[str], codes: list[str]) -> None:
    metrics = "".join(f"    - type: acc\n      value: {value}\n" for value in values)
    card = f"---\nmodel-index:\n- results:\n  - dataset:\n      name: MMLU\n    metrics:\n{metrics}---\n"
    reading = read(desk, {CARD: card})
    assert [one.code for one in reading.refused] == codes
    assert len(reading.items) == 1


# --- where files are from ------------------------------------------------------------------------------------------


def test_a_source_names_repository_and_revision(desk: Desk) -> None:
    texts = {CONFIG: samples.text(samples.LLAMA)}
    reading = read(desk, texts, model=None, repository="microsoft/phi-2", revision=REVISION, dated="2024-01-09")
    source = reading.items[0].source
    assert source.slug == f"config-phi-2-{REVISION[:12]}"
    assert source.address == f"https://huggingface.co/microsoft/phi-2/blob/{REVISION}/config.json"
    assert REVISION in source.title
    assert (source.dated, source.retrieved) == ("2024-01-09", "2026-11-21")


def test_the_same_file_is_the_same_source_and_another_text_another(desk: Desk) -> None:
    one, again = (config(desk, samples.LLAMA).items[0].source for _ in range(2))
    other = config(desk, {**samples.LLAMA, "vocab_size": 32001}).items[0].source
    assert one == again
    assert one.slug != other.slug


def test_what_is_known_is_no_change(desk: Desk) -> None:
    first = config(desk, samples.LLAMA)
    known = {key_of(item): "proposal 1, item 1" for item in first.items}
    texts = {CONFIG: samples.text(samples.LLAMA)}
    again = read_files(Files(texts), desk.names, lambda _: known, model="phi-2", today=TODAY)
    assert again.items == ()
    assert {one.verdict for one in again.findings} == {Verdict.UNCHANGED}
    assert again.findings[0].problem == "proposal 1, item 1"


@pytest.mark.parametrize(
    ("model", "repository", "problem"),
    [
        ("phi-99", None, "no model of the registry"),
        (None, "microsoft/phi-99", "no model of the registry"),
        (None, None, "do not say which model"),
    ],
)
def test_a_model_that_is_not_known_is_asked_for(
    desk: Desk, model: str | None, repository: str | None, problem: str
) -> None:
    where = {} if repository is None else {"repository": repository}
    with pytest.raises(BadParameter, match=problem) as caught:
        read(desk, {CONFIG: "{}"}, model=model, **where)
    assert caught.value.advice


def test_a_file_or_a_folder_is_read(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(samples.text(samples.LLAMA), encoding="utf-8")
    (tmp_path / CARD).write_text(samples.CARD, encoding="utf-8")
    assert set(read_folder(tmp_path).texts) == {CONFIG, CARD}
    assert set(read_folder(tmp_path / CONFIG).texts) == {CONFIG}


def test_a_path_that_holds_nothing_of_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no folder with"):
        read_folder(tmp_path)
    (tmp_path / "weights.bin").write_bytes(b"0")
    with pytest.raises(BadFile, match="neither a configuration nor a card"):
        read_folder(tmp_path / "weights.bin")
    (tmp_path / CONFIG).write_bytes(b'{"a": "\xe9"}')
    with pytest.raises(BadFile, match="would be 'é'"):
        read_folder(tmp_path)
    (tmp_path / CONFIG).write_bytes(b" " * 1_000_001)
    with pytest.raises(BadFile, match="larger than"):
        read_folder(tmp_path)
    with pytest.raises(BadParameter, match="no id of a model"):
        read_folder(tmp_path, repository="../../etc/passwd")
    with pytest.raises(BadParameter, match="no commit"):
        read_folder(tmp_path, revision="main")
