"""Who asks and who writes during a campaign. Each role is a thread with an address and a pace of its own.

A write whose answer was lost is not sent again, unless it carries a key that makes this safe: it is entered as `unsure`
and must be found whole, or not at all.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from app import vocab
from app.compare.questions import questions
from app.web.examples import REQUESTS
from tests.cli.run import RUN
from tests.load.record import Record
from tests.load.service import Service
from tests.web.test_curation import DECISION

HTML = {"Accept": "text/html,application/xhtml+xml"}
TURTLE = {"Accept": "text/turtle"}
PAGES = (
    *("/", "/models", "/compare", "/compare?limit=10", "/benchmarks", "/trends", "/fit", "/insights", "/releases"),
    *("/revisions", "/jobs", "/curate", "/curate/disagreements", "/curate/proposals", "/docs", "/sparql"),
)
FACTS = ("numLayers", "vocabularySize", "hiddenSize")
ITEMS = 3
"""Claims of one proposal."""
TRIPLES = 5
"""Triples of one graph."""
ROWS = 10
"""Rows of one table."""
_TIMEOUT = 60.0
_COMMAND_SECONDS = 120.0


@dataclass
class World:
    """What all roles share: the service, the record, keys by name, and what there is to ask for."""

    service: Service
    record: Record
    keys: dict[str, str]
    seed: int
    folder: Path
    models: tuple[str, ...] = ()
    facts: tuple[tuple[str, str, int], ...] = ()
    """Model, property and accepted value: a claim that says the same is never wrong."""
    cells: tuple[dict[str, Any], ...] = ()
    stopping: threading.Event = field(default_factory=threading.Event)

    def look_around(self) -> None:
        """Find out which models there are, and what is settled about them."""
        with httpx.Client(base_url=self.service.base, trust_env=False, timeout=_TIMEOUT) as client:
            found = client.get("/api/v1/models?limit=200").json()["items"]
            self.models = tuple(one["slug"] for one in found if one["slug"] != "tiny-llama")
            facts = []
            for start in range(0, len(self.models), 50):
                chosen = ",".join(self.models[start : start + 50])
                table = client.get(f"/api/v1/compare?models={chosen}&properties={','.join(FACTS)}&limit=50").json()
                for row in table["rows"]:
                    for name, cell in row["cells"].items():
                        if cell["status"] == "accepted" and isinstance(cell["value"], int):
                            facts.append((row["model"], name, cell["value"]))
            self.facts = tuple(facts)


@dataclass
class Role:
    """One client. `host` is its address on the loopback; a service counts what each address uses."""

    world: World
    name: str
    host: str
    pause: float
    """Seconds between two turns, on average."""
    chance: random.Random = field(init=False)
    turns: int = 0
    _client: httpx.Client | None = None

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.world.seed} {self.name}")

    def run(self) -> None:
        """Take turns until the campaign ends."""
        try:
            while not self.world.stopping.is_set():
                self.turns += 1
                try:
                    self.turn()
                except Exception as error:  # a campaign goes on, and its report says so
                    self.world.record.add("finding", text=f"{self.name}: {type(error).__name__}: {error}"[:500])
                self.world.stopping.wait(self.pause * self.chance.uniform(0.5, 1.5))
        finally:
            if self._client is not None:
                self._client.close()

    def turn(self) -> None:
        """What it does each time."""
        raise NotImplementedError

    def ask(
        self, method: str, address: str, route: str, *, key: str | None = None, **options: Any
    ) -> httpx.Response | None:
        """One request, recorded; None where no answer came. 503 with Retry-After is asked again, three times at most.

        Such a refusal changed nothing, so that asking again is safe for writes too.
        """
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {self.world.keys[key]}"
        for _ in range(4):
            self.world.service.wanted.wait(timeout=_TIMEOUT)
            answer = self._once(method, address, route, headers, options)
            if answer is None or answer.status_code != 503 or "retry-after" not in answer.headers:
                return answer
            if self.world.stopping.wait(min(5.0, float(answer.headers["retry-after"]))):
                return answer
        return answer

    def _once(
        self, method: str, address: str, route: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx.Response | None:
        record = self.world.record
        if self._client is None:
            transport = httpx.HTTPTransport(local_address=self.host)
            self._client = httpx.Client(
                base_url=self.world.service.base, transport=transport, trust_env=False, timeout=_TIMEOUT
            )
        begun = record.now
        told: dict[str, Any] = {"role": self.name, "route": f"{method} {route}"}
        try:
            answer = self._client.request(method, address, headers=headers, **options)
        except httpx.HTTPError as error:
            self._client.close()
            self._client = None
            record.add("request", at=begun, **told, status=0, ms=_ms(record.now - begun), error=type(error).__name__)
            return None
        told |= {"status": answer.status_code, "ms": _ms(record.now - begun)}
        if answer.status_code >= 400:
            told |= {"path": address[:300], "code": _code(answer), "retry_after": answer.headers.get("retry-after")}
        record.add("request", at=begun, **told)
        return answer

    def entry(self, what: str, *, sure: bool, **members: Any) -> None:
        """One entry of the ledger."""
        self.world.record.add("write", what=what, sure=sure, **members)


class Reader(Role):
    """Walks through pages, asks the example questions, and reads descriptions of things."""

    def turn(self) -> None:
        what = self.chance.choice(("page", "page", "model", "question", "description", "table"))
        model = self.chance.choice(self.world.models)
        if what == "page":
            path = self.chance.choice(PAGES)
            self.ask("GET", path, path.partition("?")[0], headers=HTML)
        elif what == "model":
            self.ask("GET", f"/models/{model}", "/models/{slug}", headers=HTML)
        elif what == "question":
            question = self.chance.choice(questions())
            accept = {"Accept": "application/sparql-results+json, text/turtle"}
            self.ask("GET", f"/sparql?query={quote(question.text)}", "/sparql", headers=accept)
        elif what == "description":
            kind = self.chance.choice(("model", "architecture"))
            self.ask("GET", f"/resource/{kind}/{quote(model)}.ttl", "/resource/{path}", headers=TURTLE)
        else:
            others = ",".join(self.chance.sample(self.world.models, 5))
            self.ask("GET", f"/compare?models={quote(others)}", "/compare", headers=HTML)


class Dashboard(Role):
    """Asks the same addresses again and again, and sends back the entity tags that it was given."""

    tags: dict[str, str]

    def turn(self) -> None:
        if self.turns == 1:
            self.tags = {}
        names = [name for name, path in REQUESTS.items() if path.startswith("/api/") and "audit" not in name]
        name = self.chance.choice(names)
        address = REQUESTS[name]
        route = address.partition("?")[0]
        headers = {"If-None-Match": self.tags[name]} if name in self.tags else {}
        answer = self.ask("GET", address, route, headers=headers)
        if answer is None:
            return
        if answer.status_code == 304 and name not in self.tags:
            self.world.record.add("finding", text=f"304 without a tag at {address}")
        if "etag" in answer.headers:
            if answer.status_code == 200 and headers.get("If-None-Match") == answer.headers["etag"]:
                self.world.record.add("finding", text=f"the whole answer, though its tag was sent, at {address}")
            self.tags[name] = answer.headers["etag"]


class Curator(Role):
    """Proposes what sources say, has it reviewed, commits it, decides a case now and then and takes that back."""

    def turn(self) -> None:
        if self.turns % 5 == 0:
            self.decide()
            return
        title = f"load {self.world.seed} {self.name} {self.turns}"
        source = {"title": title, "type": "TechnicalReport", "dated": "2026-11"}
        items = [
            {"model": model, "property": name, "value": value, "reported": str(value), "source": source, "locator": "1"}
            for model, name, value in self.chance.sample(self.world.facts, ITEMS)
        ]
        made = self.ask(
            "POST", "/api/v1/proposals", "/api/v1/proposals", key="ada", json={"title": title, "items": items}
        )
        if self.lost(made):
            self.entry("proposal", sure=False, title=title, items=ITEMS)
            return
        if made is None or made.status_code != 201:
            return
        self.entry("proposal", sure=True, title=title, items=ITEMS)
        self.judge_and_commit(title, made.headers["location"], made.headers["etag"])

    def judge_and_commit(self, title: str, path: str, tag: str) -> None:
        """Accept all of a proposal, and record it."""
        route = "/api/v1/proposals/{number}"
        body = {"rest": {"verdict": "accept", "reason": "the source says so"}}
        judged = self.ask("POST", f"{path}/review", f"{route}/review", key="bob", headers={"If-Match": tag}, json=body)
        if judged is None or judged.status_code != 200:
            self.entry("review", sure=False, title=title)
            return
        headers = {"If-Match": judged.headers["etag"]}
        done = self.ask("POST", f"{path}/commit", f"{route}/commit", key="bob", headers=headers)
        if done is None or done.status_code != 200:
            self.entry("commit", sure=False, title=title)
            return
        recorded = [item["recorded_as"] for item in done.json()["items"]]
        self.entry("commit", sure=True, title=title, recorded=recorded, revision=int(done.headers["x-revision"]))

    def decide(self) -> None:
        """Decide a case for good reasons, and leave it to the rules again the next time."""
        route = "/api/v1/cases/{model}/{property}/decision"
        shown = self.ask("GET", DECISION, route)
        if shown is None or shown.status_code != 200:
            return
        reason, tag = f"load {self.world.seed} {self.name} {self.turns}", {"If-Match": shown.headers["etag"]}
        if shown.json()["rule"] == "manual":
            done = self.ask("DELETE", f"{DECISION}?reason={quote(reason)}", route, key="bob", headers=tag)
        else:
            body = {"choice": "value", "reported": "gelu", "reason": reason}
            done = self.ask("PUT", DECISION, route, key="bob", headers=tag, json=body)
        if done is not None and done.status_code == 200:
            self.entry("decision", sure=True, reason=reason, revision=int(done.headers["x-revision"]))
        elif self.lost(done):
            self.entry("decision", sure=False, reason=reason)

    def lost(self, answer: httpx.Response | None) -> bool:
        """Whether the write may have happened though nobody said so."""
        return answer is None or (answer.status_code >= 500 and answer.status_code != 503)


class Importer(Curator):
    """Sends tables and graphs, and run files at the command line, and has what came of them recorded."""

    def turn(self) -> None:
        kind = self.turns % 4
        if kind == 2:
            self.send_table()
        elif kind == 0:
            self.import_run()
        else:
            self.send_graph()

    def send_table(self) -> None:
        title = f"load {self.world.seed} {self.name} {self.turns}"
        facts = [fact for fact in self.world.facts if fact[1] == "numLayers"]
        rows = "".join(f"{model},{value}\r\n" for model, _, value in self.chance.sample(facts, ROWS))
        query = {
            "name": f"{self.turns}.csv",
            "title": title,
            "source": title.replace(" ", "-"),
            "source_title": title,
            "source_type": "TechnicalReport",
        }
        headers, route = {"Content-Type": "text/csv"}, "/api/v1/proposals/import"
        text = f"model,number of layers\r\n{rows}"
        made = self.ask("POST", route, route, key="ada", headers=headers, params=query, content=text)
        if self.lost(made):
            self.entry("proposal", sure=False, title=title, items=ROWS)
        if made is None or made.status_code not in {200, 201}:
            return
        self.entry("proposal", sure=True, title=title, items=ROWS)
        path = f"/api/v1/proposals/{made.json()['proposal']}"
        shown = self.ask("GET", path, "/api/v1/proposals/{number}")
        if shown is not None and shown.status_code == 200:
            self.judge_and_commit(title, path, shown.headers["etag"])

    def send_graph(self) -> None:
        graph = f"{vocab.BASE}graph/notes/{self.world.seed}-{self.name}-{self.turns}"
        text = "".join(f"<{graph}> <https://example.org/says> {number} .\n" for number in range(TRIPLES))
        headers = {"Content-Type": "text/turtle"}
        made = self.ask("POST", f"/graphs?graph={quote(graph)}", "/graphs", key="eve", headers=headers, content=text)
        if made is not None and made.status_code < 300:
            self.entry("graph", sure=True, graph=graph, triples=TRIPLES, revision=int(made.headers["x-revision"]))
        elif self.lost(made):
            self.entry("graph", sure=False, graph=graph, triples=TRIPLES)

    def import_run(self) -> None:
        """A file of llama-bench with numbers of its own, imported by the command beside the service that runs."""
        title = f"load {self.world.seed} {self.name} {self.turns}"
        file = self.world.folder / f"run-{self.turns}.jsonl"
        file.write_text(run_file(1 + self.turns / 1000), encoding="utf-8")
        code, said = command(
            self.world, "import", str(file), "--device", "xiaomi-14", "--title", title, "--as", "ada-at-the-desk"
        )
        record = self.world.record
        if code == 0:
            self.entry("proposal", sure=True, title=title, items=None)
        else:
            self.entry("proposal", sure=False, title=title, items=None)
            if "store-busy" not in said and "another process" not in said:
                record.add("finding", text=f"slmkg import ended with {code}: {said}"[:500])


class Employer(Role):
    """Has tiny models measured, with a key for each job, so that it can be asked for again when an answer was lost."""

    def turn(self) -> None:
        title = f"load {self.world.seed} {self.name} {self.turns}"
        body = {"title": title, "cells": self.world.cells}
        for _ in range(5):
            headers = {"Idempotency-Key": title.replace(" ", "-")}
            made = self.ask("POST", "/api/v1/jobs", "/api/v1/jobs", key="max", headers=headers, json=body)
            if made is not None and made.status_code < 300:
                self.entry("job", sure=True, title=title, id=made.json()["id"], cells=len(self.world.cells))
                return
        self.entry("job", sure=False, title=title, id=None, cells=len(self.world.cells))


@dataclass
class Measuring:
    """One measuring worker: the real command where an engine is there, else one whose cells give recorded figures."""

    world: World
    real: bool
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        folder = self.world.folder / "worker"
        folder.mkdir(exist_ok=True)
        program = [sys.executable, "-c", RUN, "worker"] if self.real else [sys.executable, "-m", "tests.load.stand_in"]
        environment = {
            **os.environ,
            "SLMKG_DATA_DIR": str(folder),
            "SLMKG_WORKER_KEY": self.world.keys["max"],
            "TMPDIR": str(folder),  # a measuring slot of its own: nothing else waits for the campaign's cells
        }
        with (folder / "log").open("ab") as output:
            self.process = subprocess.Popen(
                [*program, self.world.service.base],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def look(self) -> None:
        """Start it anew if it has ended: it should not."""
        if self.process is not None and self.process.poll() is not None:
            self.world.record.add("finding", text=f"the measuring worker ended with {self.process.returncode}")
            self.start()

    def stop(self) -> None:
        """Tell it to end."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.world.record.add("finding", text="the measuring worker did not end within 30 s of SIGTERM")
                self.process.kill()
                self.process.wait()


def run_file(factor: float) -> str:
    """What llama-bench would print on a machine that is so many times as fast."""
    example = Path(__file__).parents[1] / "ingest" / "runs" / "data" / "three-models.jsonl"
    lines = []
    for text in example.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        line["avg_ts"] *= factor
        line["samples_ts"] = [one * factor for one in line["samples_ts"]]
        line["avg_ns"] = int(line["avg_ns"] / factor)
        line["samples_ns"] = [int(one / factor) for one in line["samples_ns"]]
        lines.append(json.dumps(line))
    return "\n".join(lines) + "\n"


def command(world: World, *arguments: str) -> tuple[int, str]:
    """A command of slmkg on the campaign's data folder: its exit code, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        env={**os.environ, "SLMKG_DATA_DIR": str(world.service.data)},
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr)[-400:]


def everybody(world: World, pace: float = 1.0) -> Sequence[Role]:
    """The clients of a campaign; `pace` 2 makes them twice as fast."""
    make: Callable[..., Role]
    roles: list[Role] = []
    for make, name, number, pause in (
        (Reader, "reader", 4, 0.4),
        (Dashboard, "dashboard", 2, 0.25),
        (Curator, "curator", 1, 2.0),
        (Importer, "importer", 1, 6.0),
        (Employer, "employer", 1, 20.0),
    ):
        for one in range(number):
            host = f"127.0.{len(roles) + 10}.1"
            roles.append(make(world, f"{name}-{one + 1}" if number > 1 else name, host, pause / pace))
    return roles


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)


def _code(answer: httpx.Response) -> str | None:
    try:
        found = answer.json()
    except ValueError:
        return None
    return found.get("code") if isinstance(found, dict) else None
