"""Predictions come from cost models of runs in the graph: exact where times follow work, silent where they cannot."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app.compare.predicted import Outlook, cost_models, outlooks, seconds_of
from app.compare.reader import Reader
from app.curate.measured import bringing_in, subject_of
from app.errors import NotFound
from app.measure.cost import decode_work, prefill_work
from app.measure.gguf.architectures import blueprint, cache_bytes
from app.measure.gguf.variants import VARIANTS, matrices
from app.measure.values import Cell, CellResult, Engine, Phase, RandomWeights, Sample, Sampling, Subject
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.curate.people import ADA, take
from tests.curate.test_measured import result, run

MEASURED = ("smollm-360m", "pythia-410m", "bloom-560m", "qwen2-0.5b", "gpt-neo-125m")
OPERATIONS, BYTES = 100e9, 10e9
"""Operations and bytes of a second on the machine that the tests make up."""
PROMPT, GENERATED = 64, 20


def timed(services: Services, slug: str, *, prompt: int = PROMPT) -> CellResult:
    """A result whose times follow the work exactly."""
    told = result(services, slug)
    cell = replace(told.cell, prompt_tokens=prompt, generated_tokens=GENERATED, sampling=Sampling(3, 1, 5.0))
    prefill, decode = expected(cell.subject, prompt)
    samples = []
    for number in range(3):
        first, later = round(prefill * 1e9) + number, round(decode * GENERATED * 1e9) + number
        samples.append(Sample(Phase.PREFILL, prompt, first, first, 0, 0, 0, clean=True))
        samples.append(Sample(Phase.DECODE, GENERATED, later, later, 0, 0, 0, clean=True))
    assert told.memory is not None
    memory = replace(told.memory, kv_used=cache_bytes(cell.subject.architecture, prompt) + 400)
    assert told.artifact is not None
    artifact = replace(told.artifact, matrices=matrices(blueprint(cell.subject.architecture), VARIANTS["Q8_0"]))
    return replace(told, cell=cell, samples=tuple(samples), memory=memory, artifact=artifact)


def expected(subject: Subject, prompt: int) -> tuple[float, float]:
    """Seconds of the prompt and of one further token on the machine that the tests make up."""
    read = matrices(blueprint(subject.architecture), VARIANTS["Q8_0"])
    operations = prefill_work(subject.architecture, read, prompt).amounts["operations, Q8_0"]
    return operations / OPERATIONS, decode_work(subject.architecture, read, 0).amounts["bytes, Q8_0"] / BYTES


@pytest.fixture(scope="module")
def measured(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Services:
    """The seed with the run of a machine that the tests make up, which no test changes."""
    data = tmp_path_factory.mktemp("measured") / "var"
    shutil.copytree(seed_folder, data)
    services = build(Settings(data_dir=data))
    results = [timed(services, slug, prompt=prompt) for slug in MEASURED for prompt in (PROMPT, 2 * PROMPT)]
    take(services, bringing_in(run(*results, identity="1111")), ADA)
    return services


def of_run(services: Services, slug: str, **tokens: int) -> Outlook:
    """What the made up machine says of a model."""
    found = services.predictions(slug, prompt=tokens.get("prompt", 100), generated=20, depth=tokens.get("depth", 0))
    (one,) = [outlook for outlook in found.outlooks if outlook.place.environment == "abcd"]
    return one


def test_a_model_that_was_not_measured_is_predicted_by_its_work(measured: Services) -> None:
    one = of_run(measured, "qwen2.5-1.5b")
    place = one.place
    assert (place.engine, place.version, place.variant, place.threads) == (Engine.LLAMA_CPP, "0.3.36", "Q8_0", 1)
    assert (one.measured, one.reason) == (False, None)
    subject, _ = subject_of(measured.store.at(), "qwen2.5-1.5b")
    seconds = dict(zip((Phase.PREFILL, Phase.DECODE), expected(subject, 100), strict=True))
    assert [told.phase for told in one.predicted] == [Phase.PREFILL, Phase.DECODE]
    for told in one.predicted:
        tokens = 100 if told.phase is Phase.PREFILL else 1
        assert told.seconds.value == pytest.approx(seconds[told.phase], rel=0.01)
        assert told.rate.value == pytest.approx(tokens / told.seconds.value)
        assert told.seconds.lower <= told.seconds.value <= told.seconds.upper
        assert told.rate.lower == pytest.approx(tokens / told.seconds.upper)
        assert (told.models, told.median_error < 0.01) == (len(MEASURED), True)
        assert "/run/1111-" in told.run


def test_a_measured_model_says_so(measured: Services) -> None:
    assert of_run(measured, "smollm-360m").measured


def test_a_model_that_the_engine_cannot_run_has_a_reason(measured: Services) -> None:
    one = of_run(measured, "opt-1.3b")
    assert (one.predicted, one.measured) == ((), False)
    assert str(one.reason).startswith("llama.cpp has no architecture for it")


def test_work_that_no_measured_model_had_is_not_predicted(measured: Services) -> None:
    reader = Reader(measured.store.at())
    (cost,) = [one for one in cost_models(reader) if one.place.environment == "abcd"]
    foreign = replace(cost, place=replace(cost.place, variant="Q4_K_M"))
    subject, _ = subject_of(reader.snapshot, "qwen2.5-1.5b")
    (one,) = outlooks(subject, [foreign], prompt=10, generated=5)
    assert one.predicted == ()
    assert str(one.reason).startswith("none of the models measured there has weights in ")
    assert "Q4_K" in str(one.reason)


def test_the_time_of_a_cell_is_known_where_its_machine_was_measured(measured: Services) -> None:
    found = cost_models(Reader(measured.store.at()))
    subject, _ = subject_of(measured.store.at(), "qwen2.5-1.5b")
    cell = Cell(subject, RandomWeights(), "Q8_0", Engine.LLAMA_CPP, 100, 10, 1)
    prefill, decode = expected(subject, 100)
    assert seconds_of(cell, found, "abcd") == pytest.approx(prefill + 10 * decode, rel=0.01)
    assert seconds_of(cell, found, "another machine") is None
    assert seconds_of(replace(cell, threads=7), found, "abcd") is None
    opt, _ = subject_of(measured.store.at(), "opt-1.3b")
    assert seconds_of(replace(cell, subject=opt), found, "abcd") is None


def test_nothing_is_predicted_for_a_model_that_is_not_there(measured: Services) -> None:
    with pytest.raises(NotFound):
        measured.predictions("gpt-9", prompt=10, generated=5)


def test_the_newest_run_of_a_place_speaks(measured: Services, tmp_path: Path) -> None:
    shutil.copytree(measured.settings.data_dir, tmp_path / "var")
    services = build(Settings(data_dir=tmp_path / "var"))
    results = [timed(services, slug) for slug in (*MEASURED[:4], "openelm-270m")]
    later = replace(run(*results, identity="2222"), ended="2026-11-22T12:01:00Z")
    take(services, bringing_in(later), ADA)
    one = of_run(services, "qwen2.5-1.5b")
    assert all("/run/2222-" in told.run for told in one.predicted)
    assert of_run(services, "openelm-270m").measured
