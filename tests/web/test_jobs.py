"""Jobs over HTTP: who may, what is refused, streams of events, workers elsewhere, and the pages."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio import to_thread

from app.access import Scope
from app.curate.commit import begin
from app.errors import Conflict, Forbidden, ServiceUnavailable, TooBusy, TooManyRequests, Unauthorized
from app.jobs.queue import Queue
from app.jobs.remote import RemoteQueue
from app.jobs.schedules import Schedules
from app.jobs.supervisor import Supervisor
from app.jobs.values import JobState, Progress
from app.jobs.worker import Worker
from app.measure.records import read_run, to_json
from app.measure.values import Run, Status
from app.model.quads import LOADER
from app.services import Services
from app.settings import Settings
from app.store.memory import MemoryStore
from app.web import jobs as module
from app.web import jobs_pages
from app.web.application import create_app
from app.web.clients import Client as Asker
from app.wiring import build
from tests import edits
from tests.cli.run import RUN
from tests.cli.workers import ready, running, until
from tests.jobs.making import ADA, HERE, ONE, SAMPLE, cell, claimed, measured, plan, result
from tests.jobs.test_supervisor import ENOUGH, PROGRAMS, pids
from tests.jobs.test_worker import QUICK, at_work
from tests.web.conftest import Client, problem_of
from tests.web.serving import serving

JOBS = "/api/v1/jobs"
PLAN = {"title": "Tiny models", "cells": [to_json(cell(50)), to_json(cell(128))]}
MACHINE = {"identity": "m1", "name": "one", "worker": "w1"}
ENVIRONMENT = {"fingerprint": HERE.fingerprint, "hardware": dict(HERE.hardware), "software": dict(HERE.software)}


class Office:
    """A service in memory, with keys of every scope. Its jobs lie in a folder."""

    def __init__(self, folder: Path) -> None:
        self.services: Services = build(Settings(data_dir=folder, scratch=True), MemoryStore())
        begin(self.services.store, author=LOADER, now=edits.NOON)
        self.jobs: Queue = self.services.jobs
        self.app = create_app(self.services)
        self.client = Client(self.app)
        self.keys = {scope: self.services.keys.create(f"The {scope}", (scope,), edits.NOON)[1] for scope in Scope}

    def ask(
        self, method: str, path: str, body: Any = None, *, scope: Scope | None = Scope.MEASURE, **headers: str
    ) -> httpx.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Authorization": f"Bearer {self.keys[scope]}"} if scope is not None else {}
        return (
            self.client.request(method, path, headers=given, json=body)
            if body is not None
            else (self.client.request(method, path, headers=given))
        )

    def make(self, key: str = "once") -> Any:
        answer = self.ask("POST", JOBS, PLAN, Idempotency_Key=key)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_a_job_is_made_shown_and_listed(office: Office) -> None:
    answer = office.ask("POST", JOBS, {**PLAN, "note": "why", "expected": [10, None]})
    made = answer.json()
    assert answer.headers["location"] == f"{JOBS}/{made['id']}"
    assert (made["state"], made["cells"], made["queued"], made["by"]["name"]) == ("queued", 2, 2, "The measure")
    shown = office.ask("GET", f"{JOBS}/{made['id']}", scope=None).json()
    items = shown.pop("items")
    assert shown == made
    assert [(one["number"], one["model"], one["prompt_tokens"], one["expected"]) for one in items] == [
        (1, "tiny", 50, 10.0),
        (2, "tiny", 128, None),
    ]
    assert office.ask("GET", JOBS, scope=None).json() == {"total": 1, "items": [made]}
    assert office.ask("GET", f"{JOBS}?state=done", scope=None).json() == {"total": 0, "items": []}


def test_the_same_key_gives_the_same_job(office: Office) -> None:
    made = office.make("monday")
    again = office.ask("POST", JOBS, PLAN, Idempotency_Key="monday")
    assert (again.status_code, again.json()["id"]) == (200, made["id"])
    other = office.ask("POST", JOBS, {**PLAN, "title": "Others"}, Idempotency_Key="monday")
    assert problem_of(other)["code"] == "conflict"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", JOBS, PLAN),
        ("POST", f"{JOBS}/0123456789ab/cancel", None),
        ("POST", "/api/v1/schedules", {**PLAN, "cron": "* * * * *"}),
        ("DELETE", "/api/v1/schedules/0123abcd", None),
        ("POST", "/api/v1/worker/claim", {"machine": MACHINE}),
        ("POST", "/api/v1/worker/heartbeat", {"token": "0" * 32}),
        ("POST", "/api/v1/worker/result", {"token": "0" * 32, "result": {}, "environment": {}}),
        ("POST", "/api/v1/worker/release", {"token": "0" * 32}),
    ],
)
def test_what_changes_something_needs_the_scope(office: Office, method: str, path: str, body: Any) -> None:
    assert problem_of(office.ask(method, path, body, scope=None))["code"] == "unauthorized"
    for scope in set(Scope) - {Scope.MEASURE, Scope.ADMIN}:
        assert problem_of(office.ask(method, path, body, scope=scope))["code"] == "forbidden"
    assert office.ask(method, path, body, scope=Scope.ADMIN).status_code not in {401, 403}
    assert office.ask(method, path, body).status_code not in {401, 403}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/title"),
        ({**PLAN, "colour": "red"}, "/colour"),
        ({**PLAN, "cells": []}, "/cells"),
        ({**PLAN, "cells": [1]}, "/cells/0"),
        ({**PLAN, "cells": [{**PLAN["cells"][0], "threads": 0}]}, "/cells/0/threads"),  # type: ignore[dict-item]
        ({**PLAN, "cells": [{**PLAN["cells"][0], "x": 0}]}, "/cells/0/x"),  # type: ignore[dict-item]
        ({**PLAN, "expected": [1]}, "/expected"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(office: Office, body: Any, pointer: str) -> None:
    problem = problem_of(office.ask("POST", JOBS, body))
    assert (problem["code"], problem["pointer"]) == ("bad-value", pointer)
    assert office.jobs.count() == 0


def test_a_body_without_end_is_refused(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PLAN", 500)
    assert problem_of(office.ask("POST", JOBS, {**PLAN, "note": "x" * 600}))["code"] == "query-refused"


def test_cancelling(office: Office) -> None:
    made = office.make()
    assert office.ask("POST", f"{JOBS}/{made['id']}/cancel").json()["state"] == "cancelled"
    assert problem_of(office.ask("POST", f"{JOBS}/ffffffffffff/cancel"))["code"] == "not-found"


def test_the_run_file_can_be_read_again(office: Office, tmp_path: Path) -> None:
    made = office.make()
    address = f"{JOBS}/{made['id']}/run.jsonl"
    assert problem_of(office.ask("GET", address, scope=None))["code"] == "conflict"
    measured(office.jobs)
    measured(office.jobs, status=Status.CRASHED)
    answer = office.ask("GET", address, scope=None)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert f"run-{made['id']}.jsonl" in answer.headers["content-disposition"]
    (tmp_path / "run.jsonl").write_bytes(answer.content)
    run = read_run(tmp_path / "run.jsonl")
    assert run == office.jobs.run(made["id"])
    assert [one.status for one in run.results] == [Status.OK, Status.CRASHED]


def events(text: str) -> list[tuple[int, str, Any]]:
    found = re.findall(r"id: (\d+)\nevent: (\S+)\ndata: (.*)\n\n", text)
    return [(int(number), kind, json.loads(data)) for number, kind, data in found]


def test_events_are_told_from_the_first_or_after_one(office: Office) -> None:
    made = office.make()
    lease = claimed(office.jobs)
    office.jobs.beat(lease.token, Progress("decode", 0.5))
    office.jobs.hand_in(lease.token, result(lease.cell), HERE)
    measured(office.jobs)
    address = f"{JOBS}/{made['id']}/events"
    answer = office.ask("GET", address, scope=None)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    told = events(answer.text)
    kinds = [kind for _, kind, _ in told]
    assert kinds == ["made", "began", "progress", "ended", "began", "ended", "over"]
    assert told[3][2] | {"at": ""} == {"at": "", "cell": 1, "status": "ok", "message": None, "seconds": 2.0}
    later = office.ask("GET", address, scope=None, Last_Event_ID=str(told[3][0]))
    assert events(later.text) == told[4:]
    assert office.ask("GET", address, scope=None, Last_Event_ID=str(told[-1][0])).status_code == 204
    assert problem_of(office.ask("GET", address, scope=None, Last_Event_ID="x"))["code"] == "bad-parameter"


def test_open_streams_are_counted() -> None:
    streams = module.Streams(most=3, each=2)
    one, other = (Asker(name, None, None) for name in ("one", "other"))  # type: ignore[arg-type]
    with streams.one(one), streams.one(one):
        with pytest.raises(TooManyRequests), streams.one(one):
            pass
        with streams.one(other), pytest.raises(TooBusy), streams.one(other):
            pass
    with streams.one(one), streams.one(one), streams.one(other):
        pass


def test_schedules_are_made_shown_and_removed(office: Office) -> None:
    answer = office.ask("POST", "/api/v1/schedules", {**PLAN, "cron": "30 3 * * 1"})
    made = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (201, f"/api/v1/schedules/{made['id']}")
    assert (made["cron"], made["cells"], made["last_job"]) == ("30 3 * * 1", 2, None)
    assert office.ask("GET", "/api/v1/schedules", scope=None).json() == {"items": [made]}
    assert office.ask("GET", answer.headers["location"], scope=None).json() == made
    assert "<code>30 3 * * 1</code>" in office.client.get("/jobs").text
    wrong = problem_of(office.ask("POST", "/api/v1/schedules", {**PLAN, "cron": "often"}))
    assert (wrong["code"], wrong["pointer"]) == ("bad-value", "/cron")
    assert office.ask("DELETE", answer.headers["location"]).status_code == 204
    assert problem_of(office.ask("GET", answer.headers["location"], scope=None))["code"] == "not-found"


# ---- workers elsewhere


def test_a_worker_elsewhere_takes_keeps_and_hands_in(office: Office) -> None:
    made = office.make()
    lease = office.ask("POST", "/api/v1/worker/claim", {"machine": MACHINE}).json()
    assert (lease["number"], lease["attempt"], lease["cell"]) == (1, 1, to_json(cell(50)))
    assert office.ask("POST", "/api/v1/worker/claim", {"machine": MACHINE}).json() == lease
    assert office.ask("POST", "/api/v1/worker/claim", {"machine": {**MACHINE, "worker": "w2"}}).status_code == 204
    other = office.ask("POST", "/api/v1/worker/claim", {"machine": MACHINE}, scope=Scope.ADMIN)
    assert other.status_code == 204, "somebody else's key does not get this one's cell"
    told = {"token": lease["token"], "progress": {"step": "decode", "share": 0.5, "rates": {"decode": 9.5}}}
    assert office.ask("POST", "/api/v1/worker/heartbeat", told).json() == {"cancel": False, "seconds": 60.0}
    assert office.jobs.cells(made["id"])[0].progress == Progress("decode", 0.5, (("decode", 9.5),))
    given = {"token": lease["token"], "result": to_json(result(cell(50))), "environment": ENVIRONMENT}
    for _ in range(2):
        assert office.ask("POST", "/api/v1/worker/result", given).status_code == 204
    given["result"] = to_json(replace(result(cell(50)), seconds=3.0))
    assert problem_of(office.ask("POST", "/api/v1/worker/result", given))["code"] == "conflict"
    second = office.ask("POST", "/api/v1/worker/claim", {"machine": MACHINE}).json()
    assert office.ask("POST", "/api/v1/worker/release", {"token": second["token"]}).status_code == 204
    assert problem_of(office.ask("POST", "/api/v1/worker/heartbeat", {"token": second["token"]}))["code"] == "conflict"
    shown = office.ask("GET", f"{JOBS}/{made['id']}", scope=None)
    assert lease["token"] not in shown.text


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"result": {}}, "/result"),
        ({"result": to_json(result(cell(7)))}, "/result/cell"),
        ({"environment": {}}, "/environment/fingerprint"),
        ({"environment": {**ENVIRONMENT, "fingerprint": "other"}}, "/result/environment"),
        ({"environment": {**ENVIRONMENT, "hardware": 1}}, "/environment/hardware"),
        ({"environment": {**ENVIRONMENT, "hardware": {"cpu": "x"}}}, "/environment/hardware"),
        ({"token": "x"}, "/token"),
    ],
)
def test_a_result_that_does_not_fit_is_refused(office: Office, change: Any, pointer: str) -> None:
    office.make()
    lease = office.ask("POST", "/api/v1/worker/claim", {"machine": MACHINE}).json()
    given = {"token": lease["token"], "result": to_json(result(cell(50))), "environment": ENVIRONMENT, **change}
    problem = problem_of(office.ask("POST", "/api/v1/worker/result", given))
    assert problem["code"] == "bad-value"
    assert problem["pointer"].startswith(pointer)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, str, str]]:
    """A real service that does not measure itself: its address and folder, a key that may measure, one that may not."""
    data = tmp_path_factory.mktemp("jobs") / "data"
    services = build(Settings(data_dir=data, scratch=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    _, key = services.keys.create("Ada", (Scope.MEASURE,), edits.NOON)
    _, wrong = services.keys.create("Bob", (Scope.PROPOSE,), edits.NOON)
    services.store.close()
    with serving(data, scratch="true", jobs_worker="false", readers="1") as address:
        yield address, data, key, wrong


def elsewhere(folder: Path, source: RemoteQueue, program: str) -> Worker:
    supervisor = Supervisor(folder / "files", ENOUGH, (sys.executable, PROGRAMS, program))
    return Worker(source, supervisor, replace(ONE, worker=f"w-{folder.name[-20:]}"), folder / "slot", QUICK)


def test_a_worker_over_http_measures_a_job(base: tuple[str, Path, str, str], tmp_path: Path) -> None:
    address, data, key, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50, 128), ADA)
    heard: list[str] = []

    def listen() -> None:
        with httpx.stream("GET", f"{address}{JOBS}/{made.id}/events", timeout=60) as stream:
            heard.extend(stream.iter_text())

    listener = threading.Thread(target=listen)
    listener.start()
    until(lambda: bool(heard))
    with closing(RemoteQueue(address, key)) as source:
        elsewhere(tmp_path, source, "slow").run(once=True)
    listener.join()
    assert jobs.get(made.id).state is JobState.DONE
    assert [one.status for one in jobs.run(made.id).results] == [Status.OK, Status.OK]
    told = [kind for _, kind, _ in events("".join(heard))]
    assert "progress" in told
    # its figures are handed to the graph beside; whether that is heard too is a matter of time
    at_all = [kind for kind in told[: told.index("over") + 1] if kind != "progress"]
    assert at_all == ["made", "began", "ended", "began", "ended", "over"]
    assert httpx.head(f"{address}{JOBS}/{made.id}/events").status_code == 200


def test_head_of_events_does_not_wait(base: tuple[str, Path, str, str]) -> None:
    address, data, _, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50), ADA)
    answer = httpx.head(f"{address}{JOBS}/{made.id}/events", timeout=20)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    jobs.cancel(made.id)


KILLED = """
import sys
from pathlib import Path
from app.jobs.remote import RemoteQueue
from tests.web.test_jobs import elsewhere
elsewhere(Path(sys.argv[1]), RemoteQueue(sys.argv[2], sys.argv[3]), "sleeps").run()
"""


def test_a_worker_over_http_that_is_killed_leaves_nothing_and_its_cell_is_free_again(
    base: tuple[str, Path, str, str], tmp_path: Path
) -> None:
    address, data, key, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50), ADA)
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), address, key])
    left = pids(tmp_path / "files")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    until(lambda: running(left) == set())
    with jobs.database.writing() as tables:  # a minute goes by
        tables.execute("UPDATE cells SET deadline = deadline - 61 WHERE state = 'running'")
    with closing(RemoteQueue(address, key)) as source:
        elsewhere(tmp_path, source, "good").run(once=True)
    (only,) = jobs.cells(made.id)
    assert [one.outcome for one in only.attempts] == ["lost", "ok"]


SEVERAL = """
import sys
from dataclasses import replace
from pathlib import Path
from app.jobs.remote import RemoteQueue
from tests.web.test_jobs import elsewhere
folder, address, key, name = sys.argv[1:]
worker = elsewhere(Path(folder), RemoteQueue(address, key), "slow")
worker.machine = replace(worker.machine, identity=f"machine-{name}", worker=name)
worker.run()
"""


def test_two_workers_share_a_job_and_one_goes_on_when_the_other_is_killed(
    base: tuple[str, Path, str, str], tmp_path: Path
) -> None:
    """Each in a process of its own, as on two machines: both measure, and each cell comes in once."""
    address, data, key, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50, 64, 128, 256, 512), ADA)
    folders = {name: tmp_path / name for name in ("first", "second")}

    def started(name: str) -> subprocess.Popen[bytes]:
        folders[name].mkdir()
        return subprocess.Popen([sys.executable, "-c", SEVERAL, str(folders[name]), address, key, name])

    workers = {name: started(name) for name in folders}
    try:
        until(lambda: len(jobs.running(made.id)) == 2)
        left = pids(folders["first"] / "files")
        os.kill(workers["first"].pid, signal.SIGKILL)
        workers["first"].wait()
        until(lambda: running(left) == set())
        until(lambda: len(jobs.running(made.id)) + jobs.get(made.id).finished >= 4)
        with jobs.database.writing() as tables:  # a minute goes by for whoever says nothing
            tables.execute("UPDATE cells SET deadline = deadline - 61 WHERE state = 'running'")
        until(lambda: jobs.get(made.id).over)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    cells = jobs.cells(made.id)
    assert [cell.status for cell in cells] == [Status.OK] * 5
    assert all([one.outcome for one in cell.attempts].count("ok") == 1 for cell in cells)
    assert "lost" in {one.outcome for cell in cells for one in cell.attempts}
    assert len(jobs.run(made.id).results) == 5


def test_cancelling_reaches_a_worker_over_http(base: tuple[str, Path, str, str], tmp_path: Path) -> None:
    address, data, key, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50), ADA)
    with closing(RemoteQueue(address, key)) as source, at_work(elsewhere(tmp_path, source, "sleeps")):
        left = pids(tmp_path / "files")
        answer = httpx.post(f"{address}{JOBS}/{made.id}/cancel", headers={"Authorization": f"Bearer {key}"})
        assert answer.json()["state"] == "running"
        until(lambda: jobs.get(made.id).over)
    assert running(left) == set()


def test_a_worker_over_http_is_told_what_is_wrong(base: tuple[str, Path, str, str]) -> None:
    address, _, key, wrong = base
    with closing(RemoteQueue(address, wrong)) as source, pytest.raises(Forbidden):
        source.claim(ONE)
    with closing(RemoteQueue(address, "slmkg_00000000_x")) as source, pytest.raises(Unauthorized):
        source.claim(ONE)
    with closing(RemoteQueue(address, key)) as source, pytest.raises(Conflict):
        source.beat("0" * 32)
    with closing(RemoteQueue("http://127.0.0.1:9", key, patience=0.3)) as source, pytest.raises(ServiceUnavailable):
        source.claim(ONE)
    for strange in (httpx.Response(200, text="<html>"), httpx.Response(200, json=[1]), httpx.Response(302)):
        transport = httpx.MockTransport(lambda _, strange=strange: strange)
        source = RemoteQueue(address, key, patience=0.3, transport=transport)
        with closing(source), pytest.raises(ServiceUnavailable):
            source.claim(ONE)


def test_a_service_that_is_busy_is_asked_again(base: tuple[str, Path, str, str]) -> None:
    answers = [
        httpx.Response(503, json={"code": "store-busy", "detail": "x"}),
        httpx.Response(502, text="a gateway"),
        httpx.Response(204),
    ]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    with closing(RemoteQueue(base[0], "key", transport=transport)) as source:
        assert source.claim(ONE) is None
    assert answers == []


def test_the_worker_command_measures_for_a_service(base: tuple[str, Path, str, str], tmp_path: Path) -> None:
    address, data, key, _ = base
    jobs = Queue(data / "jobs.sqlite")
    made, _ = jobs.submit(plan(50), ADA)  # of an architecture that states too little to be measured
    environment = {**os.environ, "SLMKG_WORKER_KEY": key, "SLMKG_DATA_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "worker", address, "--once"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"job {made.id}, cell 1: tiny Q8_0, prompt 50" in done.stderr
    (only,) = jobs.cells(made.id)
    assert (only.status, [one.outcome for one in only.attempts]) == (Status.FAILED, ["failed"])


def test_a_service_with_open_streams_ends_when_it_is_told_to(tmp_path: Path) -> None:
    services = build(Settings(data_dir=tmp_path, scratch=True))
    begin(services.store, author=LOADER, now=edits.NOON)
    made, _ = services.jobs.submit(plan(50), ADA)
    services.store.close()
    environment = {
        **os.environ,
        "SLMKG_DATA_DIR": str(tmp_path),
        "SLMKG_SCRATCH": "true",
        "SLMKG_JOBS_WORKER": "false",
        "SLMKG_READERS": "1",
        "SLMKG_PORT": "0",
    }
    process = subprocess.Popen([sys.executable, "-c", RUN, "serve"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines_of_it = iter(process.stderr.readline, "")  # it brings the folder to its format first
        told = next(found for line in lines_of_it if (found := re.search(r"serving on (http://\S+)/", line)))
        until(lambda: ready(f"{told[1]}/"))
        with httpx.stream("GET", f"{told[1]}{JOBS}/{made.id}/events", timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            process.send_signal(signal.SIGTERM)
            assert "made" in "".join(lines), "the stream comes to its end"
        process.wait(timeout=30)
    finally:
        process.kill()
        process.communicate()


# ---- pages


def test_the_page_lists_jobs_and_what_was_read(client: Client) -> None:
    page = client.get("/jobs").text
    assert "410 runs, each of which read one source" in page
    assert "Nothing was measured yet" in page
    assert page.count('data-name="Claims"') == 100
    assert "jobs.js" not in page
    others = [client.get(f"/jobs?runs={number}").text for number in range(1, 6)]
    assert others[-1].count('data-name="Claims"') == 10
    results = re.findall(r'data-name="Results"[^>]*>([\d,]+)<', "".join(others))
    assert (len(results), sum(int(number.replace(",", "")) for number in results) > 1000) == (410, True)
    address = re.findall(r'<a href="(/resource/source/[^"]+)"', page)[0]
    assert client.get(address).status_code == 200
    assert '<a href="/jobs">Jobs</a>' in client.get("/").text


def test_before_the_first_load_the_page_says_so(empty_client: Client) -> None:
    page = empty_client.get("/jobs")
    assert page.status_code == 200
    assert "Nothing was read yet" in page.text


def test_a_job_has_its_page(office: Office) -> None:
    made, _ = office.jobs.submit(replace(plan(50, 128, 512), note="<b>bold</b>"), ADA)
    lease = claimed(office.jobs)
    office.jobs.beat(lease.token, Progress("decode", 0.25, (("decode", 12.5),)))
    page = office.client.get(f"/jobs/{made.id}").text
    assert "decode 25 %, decode 12.5" in page
    assert f'data-events="{JOBS}/{made.id}/events"' in page
    assert "&lt;b&gt;bold" in page
    office.jobs.hand_in(lease.token, result(lease.cell, Status.MEMORY_LIMIT, "took 9 bytes of memory"), HERE)
    measured(office.jobs)
    office.jobs.cancel(made.id)
    office.jobs.not_delivered(made.id, "no room")
    page = office.client.get(f"/jobs/{made.id}").text
    assert "Took 9 bytes of memory." in page
    assert '<span class="badge memory-limit">memory limit</span>' in page
    assert "Take a smaller variant" in page
    assert "The run was not taken yet" in page
    rate = 1e9 * SAMPLE.tokens / SAMPLE.wall_ns
    assert f"{SAMPLE.phase.value}, tokens/s: <strong>{rate:,.4g}</strong>" in page
    assert "run.jsonl" in page
    assert "data-events" not in page
    assert "jobs.js" not in page
    office.jobs.delivered(made.id, "revision 7")
    assert '<a href="/revisions/7">revision 7</a>' in office.client.get(f"/jobs/{made.id}").text
    listed = office.client.get("/jobs").text
    assert f'<a href="/jobs/{made.id}">Tiny models</a>' in listed
    assert "2 without figures" in listed
    missing = office.client.get("/jobs/ffffffffffff", headers={"Accept": "text/html"})
    assert (missing.status_code, missing.headers["content-type"]) == (404, "text/html; charset=utf-8")


def test_every_status_without_figures_has_advice() -> None:
    assert set(jobs_pages.ADVICE) == set(Status) - {Status.OK}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (40.2, "40 s"),
        (90, "2 min"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (200_000, "2 days"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert jobs_pages.in_words(seconds) == words


class Browser:
    """Somebody who signs in and sends forms, without scripts."""

    def __init__(self, office: Office, scope: Scope) -> None:
        self._client = office.client
        self._cookie = ""
        answer = self.send("/curate/sign-in", key=office.keys[scope], next="/curate/jobs")
        assert answer.status_code == 303, answer.text
        self._cookie = answer.headers["set-cookie"].partition(";")[0]

    def read(self, path: str) -> str:
        return self._client.get(path, headers={"Cookie": self._cookie}).text

    def send(self, path: str, **fields: str) -> httpx.Response:
        headers = {"Sec-Fetch-Site": "same-origin", "Cookie": self._cookie}
        return self._client.post(path, data=fields, headers=headers)

    def submit(self, path: str, **fields: str) -> httpx.Response:
        """Send the form of a page with its hidden fields."""
        page = self.read(path)
        form = page[page.index(f'action="{path}"') :]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        return self.send(path, **hidden, **fields)


def test_a_job_is_made_and_cancelled_by_forms(office: Office) -> None:
    assert "Sign in</a> with your key" in office.client.get("/curate/jobs").text
    browser = Browser(office, Scope.MEASURE)
    wrong = browser.submit("/curate/jobs", title="Mine", cells="[{]")
    assert wrong.status_code == 400
    assert 'id="cells-wrong"' in wrong.text
    assert "[{]" in wrong.text, "what was typed is still there"
    cells = json.dumps(PLAN["cells"])
    made = browser.submit("/curate/jobs", title="Mine", cells=cells, once="a")
    assert made.status_code == 303, made.text
    assert (
        browser.submit("/curate/jobs", title="Mine", cells=cells, once="a").headers["location"]
        == made.headers["location"]
    )
    (job,) = office.jobs.list()
    assert made.headers["location"] == f"/jobs/{job.id}"
    assert (job.title, job.by.name) == ("Mine", "The measure")
    done = browser.submit(f"/curate/jobs/{job.id}")
    assert (done.status_code, office.jobs.get(job.id).state) == (303, JobState.CANCELLED)
    assert "there is nothing to cancel" in browser.read(f"/curate/jobs/{job.id}")


def test_forms_need_the_scope_and_our_own_page(office: Office) -> None:
    made, _ = office.jobs.submit(plan(50), ADA)
    browser = Browser(office, Scope.PROPOSE)
    cells = json.dumps(PLAN["cells"])
    for path, fields in (("/curate/jobs", {"title": "Mine", "cells": cells}), (f"/curate/jobs/{made.id}", {})):
        assert browser.submit(path, **fields).status_code == 403
        for name in ("new", "cancel"):
            sent = office.client.post(path, data={"form": name, **fields}, headers={"Sec-Fetch-Site": "cross-site"})
            assert sent.status_code == 403
    assert (office.jobs.count(), office.jobs.get(made.id).state) == (1, JobState.QUEUED)


def test_the_service_takes_runs_and_keeps_schedules(office: Office) -> None:
    taken: list[Run] = []

    def take(run: Run) -> str:
        taken.append(run)
        return "revision 2"

    settings = office.services.settings.model_copy(update={"jobs_worker": False})
    services = replace(office.services, take_run=take, settings=settings)
    made, _ = office.jobs.submit(plan(50), ADA)
    schedule = Schedules(office.jobs).add("* * * * *", plan(128), ADA)
    with office.jobs.database.writing() as tables:
        tables.execute("UPDATE schedules SET seen = '2026-01-01T00:00:00+00:00'")
    measured(office.jobs)

    async def served() -> None:
        async with module.keeping(services):
            await to_thread.run_sync(until, lambda: bool(taken) and office.jobs.count() == 2)

    asyncio.run(served())
    assert [run.identity for run in taken] == [made.id]
    assert office.jobs.get(made.id).delivered == "revision 2"
    assert office.jobs.list()[0].schedule == schedule.id
