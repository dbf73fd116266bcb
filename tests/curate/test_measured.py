"""Runs come into the graph whole, once, and valid; what cannot be right gives no figure; a load keeps them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from app import vocab
from app.compare.measures import measure
from app.compare.spec import Column, Condition, OneOf
from app.curate.measured import bringing_in, subject_of
from app.errors import BadParameter, BadValue, InvalidGraph, NotFound
from app.measure.checks import impossible
from app.measure.cost import uniform
from app.measure.values import (
    Artifact,
    Cell,
    CellResult,
    Engine,
    EngineBuild,
    Environment,
    Memory,
    Phase,
    RandomWeights,
    RealWeights,
    Run,
    Sample,
    Sampling,
    Status,
)
from app.model.architecture import kv_cache_bytes
from app.model.claims import resource
from app.model.tensors import parameter_count
from app.services import Services
from app.store.port import Query
from tests.curate.people import ADA, take

ENVIRONMENT = Environment(
    "abcd",
    {"cpu": {"model": "A Processor"}, "logical_cpus": 2, "memory_gib": 24, "hypervisor": "KVM", "governor": None},
    {"distribution": "debian", "distribution_version": "12", "kernel": "6.1"},
)
BUILD = EngineBuild("llama.cpp", "0.3.36", "0c1e570", "AVX2")
COUNT = "SELECT (COUNT(*) AS ?n) WHERE { ?s a <%s> . FILTER EXISTS { ?s <%s> ?o } }"


def result(services: Services, slug: str = "smollm2-135m", *, clean: bool = True, variant: str = "Q8_0") -> CellResult:
    """A result as the suite gives it: exact bytes, plausible times."""
    subject, _ = subject_of(services.store.at(), slug)
    parameters = parameter_count(subject.architecture)
    cell = Cell(subject, RandomWeights(), variant, Engine.LLAMA_CPP, 50, 50, 1, 0, Sampling(3, 1, 5.0))
    samples = [Sample(Phase.LOAD, 0, 10**8, 10**8, 0, 0, 0, clean)]
    for number in range(3):
        samples.append(Sample(Phase.PREFILL, 50, 10**8 + number, 10**8 - 10**6, 0, 0, 0, clean))
        samples.append(Sample(Phase.DECODE, 50, 5 * 10**8 + number, 5 * 10**8 - 10**6, 0, 0, 0, clean))
    return CellResult(
        cell,
        Status.OK,
        "2026-11-21T12:00:01Z",
        3.5,
        "abcd",
        artifact=Artifact(
            "0" * 64,
            parameters * 17 // 16,
            "GGUF",
            parameters,
            8.5,
            {"Q8_0": parameters},
            uniform(subject.architecture, "Q8_0"),
        ),
        build=BUILD,
        memory=Memory(parameters, kv_cache_bytes(subject.architecture, 50) + 400, None, 10**6, 3 * 10**8),
        samples=tuple(samples),
        finite_logits=True,
    )


def run(*results: CellResult, identity: str = "0001") -> Run:
    return Run(identity, "2026-11-21T12:00:00Z", "2026-11-21T12:01:00Z", "ada", {"abcd": ENVIRONMENT}, results)


def count(services: Services, kind: str, having: str) -> int:
    (row,) = services.store.at().query(Query(COUNT % (kind, having))).rows()
    return int(row["n"].value)


def test_a_run_is_one_change_and_is_in_the_comparison_at_once(own_services: Services) -> None:
    taken = take(own_services, bringing_in(run(result(own_services))), ADA)
    assert taken.step.reason == "measurement run 0001"
    view = own_services.view()
    machine = Condition("weights", OneOf(("Random",)))
    found = measure(view, Column("decode-throughput", (machine,)), parameter="columns", pointer="/columns")
    (shown,) = found.shown(view, [view.index["smollm2-135m"]])
    assert shown["value"] == pytest.approx(100.0)
    assert shown["badge"] == "measured with random weights"
    assert shown["interval"]["basis"] == "bootstrap"
    assert shown["conditions"]["threads"] == 1
    assert own_services.validate().conforms
    again = take(own_services, bringing_in(run(result(own_services))), ADA)
    assert again.revision == taken.revision


def test_a_busy_machine_makes_no_headline(own_services: Services) -> None:
    take(own_services, bringing_in(run(result(own_services, clean=False))), ADA)
    view = own_services.view()
    random = Condition("weights", OneOf(("Random",)))
    place = [view.index["smollm2-135m"]]
    usual = measure(view, Column("decode-throughput", (random,)), parameter="columns", pointer="/columns")
    assert usual.shown(view, place)[0]["status"] == "missing"
    contended = (random, Condition("contended", OneOf(("true",))))
    asked = measure(view, Column("decode-throughput", contended), parameter="columns", pointer="/columns")
    assert asked.shown(view, place)[0]["value"] == pytest.approx(100.0)


def test_what_cannot_be_right_is_a_cell_that_failed(own_services: Services) -> None:
    good = result(own_services)
    assert good.memory is not None
    wrong = replace(good, memory=replace(good.memory, kv_used=12))
    assert impossible(wrong)
    before = count(own_services, vocab.slm.RuntimeResult, vocab.slm.inCell)
    take(own_services, bringing_in(run(wrong)), ADA)
    assert count(own_services, vocab.slm.MeasuredCell, vocab.rdfs.comment) == 1
    assert count(own_services, vocab.slm.RuntimeResult, vocab.slm.inCell) == before


def test_a_cell_without_an_end_is_told_without_figures(own_services: Services) -> None:
    good = result(own_services)
    lost = CellResult(good.cell, Status.TIMEOUT, good.started, 9.0, "abcd", message="killed after 9 s")
    before = count(own_services, vocab.slm.MeasuredCell, vocab.slm.cellStatus)
    take(own_services, bringing_in(run(lost)), ADA)
    assert count(own_services, vocab.slm.MeasuredCell, vocab.slm.cellStatus) == before + 1


def test_two_runs_of_one_machine_say_the_same_of_it(own_services: Services) -> None:
    first = take(own_services, bringing_in(run(result(own_services))), ADA)
    again = take(own_services, bringing_in(run(result(own_services), identity="0002")), ADA)
    assert again.revision == first.revision + 1
    assert own_services.validate().conforms


def test_a_load_keeps_a_run_that_somebody_brought_in(own_services: Services) -> None:
    take(own_services, bringing_in(run(result(own_services))), ADA)
    before = set(own_services.store.at().quads())
    report = own_services.load()
    assert report.revision is None
    assert set(own_services.store.at().quads()) == before


def test_what_does_not_fit_changes_nothing(own_services: Services) -> None:
    good, head = result(own_services), own_services.store.head().number
    elsewhere = replace(good, environment="unknown")
    stranger = replace(good, cell=replace(good.cell, subject=replace(good.cell.subject, slug="no-such-model")))
    for wrong in (elsewhere, stranger):
        with pytest.raises(BadValue):
            take(own_services, bringing_in(run(wrong)), ADA)
    late = replace(run(good), ended="2026-11-21T11:00:00Z")
    with pytest.raises(InvalidGraph):
        take(own_services, bringing_in(late), ADA)
    assert own_services.store.head().number == head


def test_real_and_random_weights_never_share_a_file(own_services: Services) -> None:
    good = result(own_services)
    real = replace(good, cell=replace(good.cell, weights=RealWeights("/models/smollm.gguf", "0" * 64)))
    assert real.artifact is not None
    other = replace(real, artifact=replace(real.artifact, sha256="1" * 64))
    take(own_services, bringing_in(run(good, other)), ADA)
    view = own_services.view()
    settings = measure(view, Column("decode-throughput", ()), parameter="columns", pointer="/columns")
    (cell,) = settings.shown(view, [view.index["smollm2-135m"]])
    assert cell["conditions"]["settings"] >= 2


@pytest.mark.parametrize("slug", ["openelm-270m", "minicpm3-4b", "pythia-160m"])
def test_facts_come_from_the_graph(own_services: Services, slug: str) -> None:
    subject, proposed = subject_of(own_services.store.at(), slug)
    computed = own_services.store.at().query(
        Query(
            f"SELECT ?n WHERE {{ <{resource('model', slug).value}> <{vocab.slm.computedParameterCount}> ?n }}",
        )
    )
    found = [Decimal(row["n"].value) for row in computed.rows()]
    assert found == ([] if proposed and not found else [parameter_count(subject.architecture)])


def test_a_model_that_is_unknown_or_disputed_cannot_be_measured(own_services: Services) -> None:
    with pytest.raises(NotFound):
        subject_of(own_services.store.at(), "no-such-model")
    open_models = []
    for one in own_services.view().slugs:
        try:
            subject_of(own_services.store.at(), one)
        except BadParameter:
            open_models.append(one)
    assert len(open_models) < 30
