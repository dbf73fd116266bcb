"""One campaign: a service from the seed, everybody at work, kills at random moments, and a look at what is left."""

from __future__ import annotations

import importlib.util
import os
import platform
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from app import __version__
from app.access import KeyRing, Scope
from app.measure.plan import Wanted, cells
from app.measure.records import to_json
from app.measure.values import Sampling, Subject
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.engines.tiny_model import FACTS, SLUG, add_tiny_model
from tests.load.ledger import look
from tests.load.record import Record, read
from tests.load.roles import Measuring, World, everybody
from tests.load.service import Service, disk
from tests.ports import free_port

_KEYS = {
    "ada": (Scope.PROPOSE,),
    "bob": (Scope.REVIEW, Scope.COMMIT),
    "eve": (Scope.UPDATE,),
    "max": (Scope.MEASURE,),
}
_SETTLE = 180.0
"""Seconds in which jobs that were accepted have to end when the traffic is over."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a campaign shall do. `data` is a folder with the seed and the tiny model in it; without it one is made.
    `settings` are further settings of the service."""

    seconds: float
    out: Path
    seed: int = 1
    kills: int = 0
    pace: float = 1.0
    every: float = 5.0
    data: Path | None = None
    stand_in: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)


def run(wish: Wish) -> int:
    """Run a campaign; gives the number of findings."""
    with tempfile.TemporaryDirectory(prefix="slmkg-load-") as name, Record(wish.out) as record:
        folder = Path(name)
        real = importlib.util.find_spec("llama_cpp") is not None and not wish.stand_in
        record.add(
            "begin",
            **{one: getattr(wish, one) for one in ("seconds", "seed", "kills", "pace")},
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            machine=machine(),
            worker="slmkg worker with llama.cpp" if real else "stand-in: recorded figures over the real protocol",
            load_before=os.getloadavg()[0],
        )
        data = wish.data or folder / "data"
        if wish.data is None:
            prepared(data)
        ring, now = KeyRing(data / "keys.json"), datetime.now(UTC)
        keys = {who: ring.create(who, scopes, now)[1] for who, scopes in _KEYS.items()}
        settings = {"jobs_worker": "false", "log_level": "warning", **wish.settings}
        service = Service(data, free_port(), wish.out.with_suffix(".log"), record, settings)
        world = World(service, record, keys, wish.seed, folder, cells=_cells())
        service.start()
        try:
            world.look_around()
            with _at_work(world, wish, real):
                _pass(wish, service, record)
            _wait_for_jobs(world)
            service.stop()
            with _down_on_purpose(record):
                _judge(wish, data, record)
            service.start()
            _ask_again(service, record)
        finally:
            service.stop()
        lines = read(wish.out)
        findings = [line for line in lines if line["kind"] == "finding"]
        record.add("end", findings=len(findings), load_after=os.getloadavg()[0])
        return len(findings)


def prepared(data: Path) -> Services:
    """A folder with the seed, and a model that is measured in a second."""
    services = build(Settings(data_dir=data))
    services.load()
    add_tiny_model(services)
    services.store.close()
    return services


def machine() -> str:
    """The machine in words."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    names = {line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")}
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    words = f"{os.cpu_count()} cores ({', '.join(sorted(names)) or platform.machine()}), {memory:.0f} GB"
    return f"{words}, {platform.system()}, Python {platform.python_version()}"


@contextmanager
def _at_work(world: World, wish: Wish, real: bool) -> Iterator[None]:
    """Everybody at work while the block runs."""
    roles = everybody(world, wish.pace)
    threads = [threading.Thread(target=role.run, name=role.name) for role in roles]
    measuring = Measuring(world, real)
    watching = threading.Thread(target=_watch, args=(world, measuring, wish.every))
    measuring.start()
    for thread in (*threads, watching):
        thread.start()
    try:
        yield
    finally:
        world.stopping.set()
        for thread in (*threads, watching):
            thread.join(timeout=180)
        world.record.add("note", text=f"turns: { {role.name: role.turns for role in roles} }")
        _wait_for_jobs(world)
        measuring.stop()


def _watch(world: World, measuring: Measuring, every: float) -> None:
    """Samples, every few seconds; the disk more seldom, as looking at it takes time."""
    looked = -60.0
    while not world.stopping.wait(every):
        found: dict[str, Any] | None = world.service.sample()
        if found is not None:
            if world.record.now - looked > 30:
                looked = world.record.now
                found |= {"disk": disk(world.service.data)}
                found |= {"revisions": len(list((world.service.data / "store" / "revisions").glob("??????")))}
            world.record.add("sample", **found)
        measuring.look()


def _pass(wish: Wish, service: Service, record: Record) -> None:
    """Let the time pass; kill the service so many times at random moments, and readers three times as often."""
    chance = random.Random(f"{wish.seed} kills")
    begun = record.now
    plan = [(begun + wish.seconds * chance.uniform(0.08, 0.95), True) for _ in range(wish.kills)]
    plan += [(begun + wish.seconds * chance.uniform(0.05, 0.97), False) for _ in range(3 * wish.kills)]
    for moment, whole in sorted(plan):
        time.sleep(max(0.0, moment - record.now))
        if whole:
            service.kill()
            service.start()
        else:
            service.kill_a_reader(chance)
    time.sleep(max(0.0, begun + wish.seconds - record.now))


def _wait_for_jobs(world: World) -> None:
    """Until every job is over and its run was taken, or the patience ends."""
    deadline = time.monotonic() + _SETTLE
    with httpx.Client(base_url=world.service.base, trust_env=False, timeout=30) as client:
        while time.monotonic() < deadline:
            items = client.get("/api/v1/jobs?limit=200").json()["items"]
            if all(one["delivered"] is not None for one in items):
                return
            time.sleep(0.5)
    world.record.add("finding", text=f"jobs were not over {_SETTLE:g} s after the traffic")


def _judge(wish: Wish, data: Path, record: Record) -> None:
    """Look for every write in the folder, with the service down; and whether the whole graph conforms."""
    services = build(Settings(data_dir=data))
    begun = record.now
    found = look(read(wish.out), services)
    for text in found.wrong:
        record.add("finding", text=text)
    record.add("ledger", counts=found.counts, seconds=round(record.now - begun, 1))
    head = services.store.head()
    report = services.validate()
    record.add("graph", revision=head.number, quads=head.quads, conforms=report.conforms)
    if not report.conforms:
        record.add("finding", text="the graph at the end does not conform to the shapes")
    for sign in services.store.examine():
        if sign.state.value == "bad":
            record.add("finding", text=f"{sign.about}: {sign.says}")
    services.store.close()


@contextmanager
def _down_on_purpose(record: Record) -> Iterator[None]:
    """Marks in the record that the service is down on purpose."""
    record.add("note", text="looking at the folder with the service down")
    yield


def _ask_again(service: Service, record: Record) -> None:
    """After the last restart the service answers with the same revision."""
    with httpx.Client(base_url=service.base, trust_env=False, timeout=60) as client:
        answer = client.get("/api/v1/models?limit=1")
        told = f"status {answer.status_code}, revision {answer.headers.get('x-revision')}"
        record.add("note", text=f"after the last restart: {told}")
        if answer.status_code != 200:
            record.add("finding", text="the service does not answer after the last restart")


def _cells() -> tuple[dict[str, Any], ...]:
    wanted = Wanted((Subject(SLUG, FACTS),), ("F16", "Q8_0"), (20,), generated=8, sampling=Sampling(2, seconds=0.5))
    return tuple(to_json(one) for one in cells(wanted))
