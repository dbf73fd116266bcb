"""Measures what grows how: graphs of 100 thousand, 1 million and 10 million quads through the whole service.

    python scripts/bench/scale.py --out scale.jsonl [--quads 100000 1000000 10000000]
    python scripts/bench/scale.py report scale.jsonl        writes docs/scale.md and docs/scale/*.svg

For each size: the graph is made (`multiply.py`), loaded, checked, projected, copied as a commit does it, then served:
start, first page and later ones, comparison, example questions, one change through all its steps. Each phase is a
process of its own, so that its memory is its own. A phase that goes beyond a bound (time, memory, disk) is ended, and
the record says so; those that need it are left out. Prints what it does; the record is written line by line.
"""

# beside this file lies one with the name of a standard module, so the path is put right before the imports
from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

import argparse
import http.client
import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pyoxigraph as ox

from app import __version__, resources, vocab
from app.access import KeyRing, Scope
from app.compare.questions import questions
from app.curate.commit import commit_change
from app.model.changes import ChangeSet
from app.model.claims import resource as resource_iri
from app.model.graphs import REGISTRY
from app.model.quads import LOADER
from app.model.rdf import IRI, Literal, Quad
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.wiring import build
from scripts.bench import attacks, multiply, scale_report, servers

SIZES = (100_000, 1_000_000, 10_000_000)
_THOUSAND = 1000
_MEGA = 1_000_000
_LOOK = 0.1
_HTTP_SECONDS = 120.0
_ACCEPT = "text/html, */*;q=0.5"
_PAGES = {
    "first page": "/",
    "models": "/models",
    "one model": "/models/phi-2",
    "compare": "/compare",
    "compare five": "/compare?models=phi-2,opt-125m,gemma-2-2b,opt-350m,openelm-270m",
    "compare, filtered and sorted": "/compare?where=parameters:..1B&sort=-parameters&limit=20",
    "REST, models": "/api/v1/models?limit=50",
    "REST, compare": "/api/v1/compare.csv?limit=50",
    "description": "/resource/model/phi-2.ttl",
    "disagreements": "/api/v1/disagreements?limit=50",
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one phase may take: seconds, megabytes of memory; and what must stay free on the disk, in megabytes."""

    seconds: float
    memory: float
    free: float


# ---- the phases: each runs in a process of its own, on the data folder of one size, and gives numbers ----


def load(folder: Path, quads: int) -> dict[str, Any]:
    """The graph as revision 1, by the engine's own bulk loader."""
    lines = folder.parent / f"{folder.name}.nq"
    revisions = folder / "store" / "revisions"
    shutil.rmtree(folder / "store", ignore_errors=True)
    revisions.mkdir(parents=True)
    begun = time.perf_counter()
    store = ox.Store(str(revisions / "000001"))
    store.bulk_load(path=str(lines), format=ox.RdfFormat.N_QUADS)
    loaded = time.perf_counter()
    store.optimize()
    store.flush()
    done = time.perf_counter()
    number = len(store)
    record = {"number": 1, "reason": "benchmark", "author": LOADER.value, "made_at": datetime.now(UTC).isoformat()}
    record |= {"added": number, "removed": 0, "quads": number}
    (revisions / "000001.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "store" / "FORMAT").write_text("1\n", encoding="ascii")
    (folder / "store" / "HEAD").write_text("1\n", encoding="ascii")
    return {
        "graph": number,
        "load, s": loaded - begun,
        "optimise, s": done - loaded,
        "text, MB": lines.stat().st_size / _MEGA,
        "store on disk, MB": _size(folder / "store"),
    }


def load_as_commit(folder: Path, quads: int) -> dict[str, Any]:
    """The same through a commit, all of it in memory as one change, as `slmkg load` does at its end."""
    other = folder.parent / f"{folder.name}-commit"
    shutil.rmtree(other, ignore_errors=True)
    lines = folder.parent / f"{folder.name}.nq"
    begun = time.perf_counter()
    with lines.open("rb") as text:
        everything = frozenset(ox.parse(input=text, format=ox.RdfFormat.N_QUADS))
    parsed = time.perf_counter()
    try:
        EmbeddedStore(other).apply(
            ChangeSet(everything, frozenset(), "benchmark", LOADER.value, datetime.now(UTC)), expect=0
        )
        return {"parse, s": parsed - begun, "commit of the whole graph, s": time.perf_counter() - parsed}
    finally:
        shutil.rmtree(other, ignore_errors=True)


def check(folder: Path, quads: int) -> dict[str, Any]:
    """The whole graph against the shapes, with the set queries."""
    services = _services(folder)
    begun = time.perf_counter()
    report = services.validate()
    return {
        "validate, s": time.perf_counter() - begun,
        "conforms": report.conforms,
        "findings": {severity.value: count for severity, count in report.counts.items()},
    }


def project(folder: Path, quads: int) -> dict[str, Any]:
    """The columns for comparisons, built from the whole graph, and read again."""
    services = _services(folder)
    begun = time.perf_counter()
    services.projections.build(1)
    built = time.perf_counter()
    view = services.projections.at(1)
    return {
        "projection, s": built - begun,
        "projection read again, s": time.perf_counter() - built,
        "projection on disk, MB": _size(folder / "projections"),
        "observations": view.observations.height,
    }


def snapshot(folder: Path, quads: int) -> dict[str, Any]:
    """What a commit does besides the change: a hard-linked copy, opened for writing; and what a reader does."""
    copy, open_, write = [], [], []
    source = folder / "store" / "revisions" / "000001"
    for number in range(7):
        target = folder.parent / f"{folder.name}-copy-{number}"
        begun = time.perf_counter()
        store = ox.Store.read_only(str(source))
        opened = time.perf_counter()
        store.backup(str(target))
        copied = time.perf_counter()
        writable = ox.Store(str(target))
        writable.add(Quad(IRI("http://e/s"), IRI("http://e/p"), Literal(str(number)), IRI("http://e/g")))
        writable.flush()
        written = time.perf_counter()
        del writable, store
        shutil.rmtree(target)
        open_.append(opened - begun)
        copy.append(copied - opened)
        write.append(written - copied)
    return {
        "open a revision, ms": _THOUSAND * statistics.median(open_),
        "copy a revision, ms": _THOUSAND * statistics.median(copy),
        "open it to write, one quad, flush, ms": _THOUSAND * statistics.median(write),
    }


def commit(folder: Path, quads: int) -> dict[str, Any]:
    """One quad as a change, with all rules and the projection: of something unknown, and then about a model."""
    services = _services(folder)
    assert isinstance(services.store, EmbeddedStore)
    before = _size(folder / "store")
    seconds = []
    own = (IRI("https://example.org/s"), IRI("https://example.org/p"))
    ours = (resource_iri("model", "phi-2"), IRI(vocab.skos.altLabel))
    for number in range(6):
        subject, predicate = own if number < 3 else ours
        graph = IRI("https://example.org/g") if number < 3 else REGISTRY
        quad = Quad(subject, predicate, Literal(f"benchmark {number}"), graph)
        begun = time.perf_counter()
        commit_change(
            services.store,
            [quad],
            [],
            rules=services.writer._rules,
            reason="benchmark",
            author=LOADER,
            now=datetime.now(UTC),
        )
        seconds.append(time.perf_counter() - begun)
    return {
        "commit of one quad of nobody knows what, s": statistics.median(seconds[:3]),
        "commit of one quad about a model, s": statistics.median(seconds[3:]),
        "a revision of one quad on disk, MB": (_size(folder / "store") - before) / len(seconds),
    }


PHASES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "load": load,
    "snapshot": snapshot,
    "check": check,
    "project": project,
    "commit": commit,
    "load as a commit": load_as_commit,
}


# ---- the service: a process of its own for all of its measurements ----


@contextmanager
def serving(folder: Path, log: Path) -> Iterator[tuple[int, subprocess.Popen[bytes], float]]:
    """The service on a data folder; gives its port, its process, and the seconds until it was ready."""
    port = servers.free_port()
    command = "import sys; sys.argv = ['slmkg', 'serve']; from app.cli import main; main()"
    settings = {
        "SLMKG_DATA_DIR": str(folder),
        "SLMKG_PORT": str(port),
        "SLMKG_SECONDS_PER_MINUTE": "1000000",
        "SLMKG_READER_MEGABYTES": "4000",
        "SLMKG_JOBS_WORKER": "false",
    }
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", command],
            env={**os.environ, **settings},
            cwd=servers.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        while not servers.answers(f"http://127.0.0.1:{port}/readyz"):
            if process.poll() is not None or time.perf_counter() - begun > _HTTP_SECONDS * 5:
                raise RuntimeError(f"the service did not start: {log.read_text(encoding='utf-8')[-500:]}")
            time.sleep(0.02)
        yield port, process, time.perf_counter() - begun
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=60)
        if process.poll() is None:
            process.kill()
            process.wait()


def serve(folder: Path, quads: int) -> dict[str, Any]:
    """Start, pages, questions and a change, over HTTP; and what the service takes of memory then."""
    ring, now = KeyRing(folder / "keys.json"), datetime.now(UTC)
    ada = ring.create("Ada", (Scope.PROPOSE,), now)[1]
    bob = ring.create("Bob", (Scope.REVIEW, Scope.COMMIT), now)[1]
    with serving(folder, folder.parent / f"{folder.name}.log") as (port, process, ready):
        found: dict[str, Any] = {"start, s": ready}
        found["memory after the start, MB"] = _memory(process.pid)
        client = _Client(port)
        found["pages"] = {name: client.often(path) for name, path in _PAGES.items()}
        found["memory after the pages, MB"] = _memory(process.pid)
        found["questions"] = {
            one.name: client.once("GET", f"/sparql?query={quote(one.text)}", accept=_ANSWERS) for one in questions()
        }
        found["memory after the questions, MB"] = _memory(process.pid)
        found["change"] = _change(client, ada, bob)
        found["after a change"] = {name: client.once("GET", _PAGES[name]) for name in ("first page", "compare")}
        found["memory at the end, MB"] = _memory(process.pid)
        return found


_ANSWERS = "application/sparql-results+json, text/turtle"


class _Client:
    """One client that asks one thing after the other."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, float, http.client.HTTPMessage, bytes]:
        """Status, milliseconds, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_HTTP_SECONDS)
        try:
            text = None if body is None else json.dumps(body)
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if text is not None:
                sent["Content-Type"] = "application/json"
            begun = time.perf_counter()
            connection.request(method, path, text, sent)
            answer = connection.getresponse()
            content = answer.read()
            return answer.status, _THOUSAND * (time.perf_counter() - begun), answer.headers, content
        finally:
            connection.close()

    def once(self, method: str, path: str, *, accept: str = _ACCEPT) -> dict[str, Any]:
        """One request: milliseconds and bytes, or its status where it was not answered."""
        try:
            status, ms, _, body = self.send(method, path, Accept=accept)
        except TimeoutError:
            return {"status": 0, "ms": _THOUSAND * _HTTP_SECONDS}
        return {"ms": ms, "bytes": len(body)} | ({} if status == 200 else {"status": status})

    def often(self, path: str) -> dict[str, Any]:
        """The first time, and the median of five more."""
        first = self.once("GET", path)
        if "status" in first or first["ms"] > _THOUSAND * 30:
            return {"first": first}
        later = [self.once("GET", path)["ms"] for _ in range(5)]
        return {"first": first, "later, ms": statistics.median(later)}


def _change(client: _Client, ada: str, bob: str) -> dict[str, Any]:
    """A value through all steps of curation: milliseconds of each."""
    source = {"title": "A report for a benchmark", "type": "TechnicalReport", "dated": "2026-11"}
    item = {"model": "phi-2", "property": "vocabularySize", "value": 51200, "reported": "51,200", "source": source}
    body = {"title": "a benchmark", "items": [{**item, "locator": "page 3"}]}
    path = "/api/v1/proposals"
    status, first, headers, content = client.send("POST", path, body, Authorization=f"Bearer {ada}")
    if status != 201:
        return {"status": status, "says": content.decode(errors="replace")[:300]}
    path = headers["location"]
    verdict = {"rest": {"verdict": "accept", "reason": "a benchmark"}}
    key = f"Bearer {bob}"
    status, second, headers, content = client.send(
        "POST", f"{path}/review", verdict, Authorization=key, If_Match=headers["etag"]
    )
    if status != 200:
        return {"propose, ms": first, "status": status, "says": content.decode(errors="replace")[:300]}
    status, third, _, content = client.send("POST", f"{path}/commit", Authorization=key, If_Match=headers["etag"])
    told = {"propose, ms": first, "review, ms": second, "record, ms": third}
    return told if status == 200 else told | {"status": status, "says": content.decode(errors="replace")[:300]}


def _memory(pid: int) -> float:
    """Megabytes of a process and all below it, with what they share counted once."""
    total = 0.0
    for one in (pid, *attacks.family(pid)):
        with suppress(OSError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
            total += int(text.split("Pss:")[1].split()[0]) / _THOUSAND
    return total


# ---- one phase in a process, within bounds ----


def within(phase: str, folder: Path, quads: int, bounds: Bounds) -> dict[str, Any]:
    """Run a phase in a process of its own; its numbers, or which bound it met."""
    command = [sys.executable, str(Path(__file__)), "phase", phase, str(folder), str(quads)]
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, start_new_session=True)
        most = 0.0
        met = None
        while process.poll() is None:
            time.sleep(_LOOK)
            most = max(most, _memory(process.pid) if phase == "serve" else _resident(process.pid))
            if time.monotonic() - begun > bounds.seconds:
                met = f"took longer than {bounds.seconds:g} s"
            elif most > bounds.memory:
                met = f"took more than {bounds.memory:g} MB of memory"
            elif shutil.disk_usage(folder.parent).free / _MEGA < bounds.free:
                met = f"left less than {bounds.free:g} MB free on the disk"
            if met is not None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        told: dict[str, Any] = {"seconds": round(time.monotonic() - begun, 2), "most memory, MB": round(most, 1)}
        if met is not None:
            return told | {"stopped": met}
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            return told | {"stopped": f"failed: {errors.read()[-500:]}"}
        found: dict[str, Any] = told | json.loads(output.read())
        return found


def _resident(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / _MEGA


def _services(folder: Path) -> Services:
    return build(Settings(data_dir=folder))


def _size(folder: Path) -> float:
    """Megabytes that a folder takes on disk; a file of several names counts once."""
    seen = {(one.st_dev, one.st_ino): one.st_blocks * 512 for one in (path.lstat() for path in folder.rglob("*"))}
    return sum(seen.values()) / _MEGA


def measure(sizes: list[int], out: Path, bounds: Bounds, work: Path | None, phases: list[str]) -> None:
    """Measure all sizes, the smallest first."""
    with (
        tempfile.TemporaryDirectory(prefix="slmkg-scale-", dir=work) as name,
        out.open("a", encoding="utf-8") as record,
    ):
        root = Path(name)

        def tell(**members: Any) -> None:
            record.write(json.dumps(members) + "\n")
            record.flush()
            print(json.dumps(members)[:200], flush=True)

        tell(
            kind="begin",
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            version=__version__,
            engine=f"pyoxigraph {ox.__version__}",
            machine=servers.machine(),
            memory=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _MEGA),
            bounds=asdict(bounds),
        )
        services = build(Settings(data_dir=root / "seed"))
        begun = time.perf_counter()
        services.load(resources.folder("data"))
        seed = list(services.store.at().quads())
        tell(kind="seed", quads=len(seed), seconds=time.perf_counter() - begun)
        services.store.close()
        for size in sizes:
            folder = root / str(size)
            lines = root / f"{size}.nq"
            source = seed if size >= len(seed) else multiply.part_of(seed, size)
            number = multiply.write(source, max(size, len(source)), lines)
            folder.mkdir()
            for phase in phases:
                told = within(phase, folder, number, bounds)
                tell(kind="phase", size=size, quads=number, phase=phase, **told)
                if phase == "load" and "stopped" in told:
                    break
            shutil.rmtree(folder)
            lines.unlink()
        tell(kind="end", machine=servers.machine())


def main(arguments: list[str]) -> None:
    """Measure, or write the page, or (in a process of its own) run one phase."""
    if arguments[:1] == ["phase"]:
        phase, folder, quads = arguments[1:]
        found = {**PHASES, "serve": serve}[phase](Path(folder), int(quads))
        found["peak, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _THOUSAND
        print(json.dumps(found))
        return
    if arguments[:1] == ["report"]:
        scale_report.write(Path(arguments[1]), servers.ROOT / "docs")
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quads", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--out", type=Path, required=True, help="record, as JSON lines; added to")
    parser.add_argument("--work", type=Path, help="folder for the graphs; needs about 10 GB for 10 million quads")
    parser.add_argument("--seconds", type=float, default=1800, help="longest time of one phase")
    parser.add_argument("--memory", type=float, default=14_000, help="most memory of one phase, in megabytes")
    parser.add_argument("--free", type=float, default=5_000, help="what must stay free on the disk, in megabytes")
    parser.add_argument("--phases", nargs="+", choices=[*PHASES, "serve"], default=[*PHASES, "serve"])
    options = parser.parse_args(arguments)
    bounds = Bounds(options.seconds, options.memory, options.free)
    measure(sorted(options.quads), options.out, bounds, options.work, options.phases)


if __name__ == "__main__":
    main(sys.argv[1:])
