"""From the facts of the graph to stored observations through the real llama.cpp: at the command line, and over HTTP."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from app import vocab
from app.access import Scope
from app.curate.measured import subject_of
from app.measure.plan import Wanted, cells
from app.measure.records import read_run, to_json
from app.measure.values import Sampling
from app.model.claims import resource
from app.services import Services
from app.settings import Settings
from app.store.port import Query
from app.wiring import build
from tests.cli.run import RUN, slmkg
from tests.cli.workers import ready, until
from tests.docs.examples import read, steps
from tests.engines.tiny_model import SLUG, add_tiny_model
from tests.project.checkout import ROOT

QUICK = ("--clean", "2", "--seconds", "0.5")
VARIANTS = ("F16", "Q8_0", "Q4_K_M")
OBSERVED = (
    f"""SELECT ?o WHERE {{ ?o <{vocab.slm.ofModel}> <{resource("model", SLUG).value}> ; <{vocab.slm.inCell}> ?c }}"""
)


def observations(services: Services) -> int:
    return len(list(services.store.at().query(Query(OBSERVED)).rows()))


@pytest.fixture
def services(own_services: Services) -> Services:
    add_tiny_model(own_services)
    return own_services


def test_a_run_ends_with_a_table_and_with_numbers_in_the_comparison(services: Services, tmp_path: Path) -> None:
    data, out = services.settings.data_dir, tmp_path / "run.jsonl"
    head = services.store.head().number
    done = slmkg(
        data, "measure", "run", "--model", SLUG, "--variant", ",".join(VARIANTS), "--prompt", "20,50", *QUICK,
        "--generated", "8", "--out", str(out),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for variant in VARIANTS:
        assert f"{SLUG}  {variant}" in done.stdout
    assert "random weights" in done.stdout
    assert f"revision {head + 1}" in done.stderr
    after = build(Settings(data_dir=data))
    assert after.store.head().number == head + 1
    assert observations(after) >= 6 * 8
    assert after.validate().conforms
    told = after.view().observations
    measured = told.filter((told["model"] == SLUG) & (told["weights"] == "Random"))
    assert set(measured["quantisation"]) == set(VARIANTS)
    assert set(measured["promptTokens"]) == {20, 50}
    assert len(read_run(out).results) == 6
    again = slmkg(data, "measure", "add", str(out))
    assert again.returncode == 0, again.stderr
    assert after.store.head().number == head + 1


def test_a_run_of_another_machine_is_added_once(services: Services, tmp_path: Path) -> None:
    data, out = services.settings.data_dir, tmp_path / "run.jsonl"
    head = services.store.head().number
    kept = slmkg(data, "measure", "run", "--model", SLUG, "--prompt", "20", *QUICK, "--keep-out", "--out", str(out))
    assert kept.returncode == 0, kept.stderr
    assert services.store.head().number == head
    first = slmkg(data, "measure", "add", str(out), "--as", "ada", "--json")
    assert json.loads(first.stdout)["new"] is True
    second = slmkg(data, "measure", "add", str(out), "--as", "ada", "--json")
    assert json.loads(second.stdout) == {"run": read_run(out).identity, "revision": head + 1, "new": False}


def test_what_cannot_be_measured_is_told_before_anything_is_done(services: Services) -> None:
    data = services.settings.data_dir
    planned = slmkg(data, "measure", "plan", "--model", f"opt-125m,{SLUG}", "--prompt", "50", "--json")
    told = {one["model"]: one["refused"] for one in json.loads(planned.stdout)["cells"]}
    assert told[SLUG] is None
    assert "llama.cpp" in told["opt-125m"]
    refused = slmkg(data, "measure", "run", "--model", "opt-125m")
    assert refused.returncode == 2
    assert "measure plan" in refused.stderr
    assert not (data / "jobs.sqlite").exists()
    small = slmkg(data, "measure", "run", "--model", SLUG, jobs_cell_megabytes="20")
    assert small.returncode == 2
    assert "memory" in small.stderr


@pytest.fixture
def service(services: Services) -> Iterator[tuple[str, str]]:
    """The address of a service that measures nothing itself, and a key to work for it."""
    data = services.settings.data_dir
    _, key = services.keys.create("worker", (Scope.MEASURE,), now=services.now())
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "serve"],
        env={**os.environ, "SLMKG_DATA_DIR": str(data), "SLMKG_PORT": "0", "SLMKG_JOBS_WORKER": "false"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        base = next(line for line in process.stderr if "http://" in line).split("http://")[1].split()[0].rstrip("/")
        until(lambda: ready(f"http://{base}/"))
        yield f"http://{base}", key
    finally:
        process.terminate()
        process.wait()


def test_a_worker_elsewhere_measures_into_the_graph(
    services: Services, service: tuple[str, str], tmp_path: Path
) -> None:
    base, key = service
    subject, _ = subject_of(services.store.at(), SLUG)
    plan = cells(Wanted((subject,), ("F16", "Q8_0"), (20,), generated=8, sampling=Sampling(2, seconds=0.5)))
    made = httpx.post(
        f"{base}/api/v1/jobs",
        json={"title": "from elsewhere", "cells": [to_json(one) for one in plan]},
        headers={"Authorization": f"Bearer {key}"},
    )
    assert made.status_code == 201, made.text
    before = services.store.head().number
    done = slmkg(tmp_path / "elsewhere", "worker", base, "--once", worker_key=key)
    assert done.returncode == 0, done.stderr
    job = f"{base}/api/v1/jobs/{made.json()['id']}"
    until(lambda: httpx.get(job).json()["delivered"] is not None)
    assert httpx.get(job).json()["delivered"] == f"revision {before + 1}"
    assert observations(build(services.settings)) >= 2 * 8
    where = f"model:{SLUG},metric:decode-throughput,weights:Random"
    shown = httpx.get(f"{base}/api/v1/observations", params={"where": where})
    assert shown.status_code == 200, shown.text
    assert {one["quantisation"] for one in shown.json()["items"]} == {"F16", "Q8_0"}


def test_a_plan_for_what_no_machine_measured_is_that_of_a_slow_core(seed_folder: Path) -> None:
    told = slmkg(seed_folder, "measure", "plan", "--model", "smollm-135m", "--variant", "Q5_0,Q4_1")
    assert told.returncode == 0, told.stderr
    assert "as on a slow core" in told.stdout
    as_json = slmkg(seed_folder, "measure", "plan", "--model", "smollm-135m", "--variant", "Q5_0", "--json")
    assert [one["seconds_predicted"] for one in json.loads(as_json.stdout)["cells"]] == [False]


def test_a_plan_becomes_a_file_that_jobs_are_made_of(seed_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "var"
    shutil.copytree(seed_folder, data)
    plan = tmp_path / "plan.json"
    told = slmkg(data, "measure", "plan", "--model", "smollm-135m", "--variant", "F16,Q8_0", "--out", str(plan))
    assert told.returncode == 0, told.stderr
    made = slmkg(data, "jobs", "make", str(plan), "--json")
    assert made.returncode == 0, made.stderr
    assert (json.loads(made.stdout)["title"], json.loads(made.stdout)["cells"]) == ("smollm-135m in F16,Q8_0", 2)


def test_the_plan_of_the_how_to_is_made(seed_folder: Path) -> None:
    """Where there is no engine its example is not run."""
    name = "docs/how-to/measure-models.md"
    examples = [replace(one, not_run=None) for one in read(ROOT / name, name) if "slmkg measure plan" in one.body]
    (plan,) = (one.command for one in steps(examples))
    told = slmkg(seed_folder, *shlex.split(plan)[1:])
    assert told.returncode == 0, told.stderr
    assert all(word in told.stdout for word in ("smollm-135m", "pythia-160m", *VARIANTS))
