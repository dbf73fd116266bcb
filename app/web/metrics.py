"""What the service counts, in the text format of Prometheus: `/metrics`.

Counts of all workers of one service are summed: they lie in a folder that the main process names in the variable
PROMETHEUS_MULTIPROC_DIR before it starts them. Numbers that tell of a state (revision, jobs, findings) are looked up
when somebody asks, so they cannot differ from worker to worker. Labels are routes, kinds and codes, never words of a
client: nobody can make up series without end. Nothing here tells of a single request or person.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from platform import python_version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app import __version__
from app.durable import locked
from app.errors import AppError
from app.model.health import State
from app.orkg.archive import last_looks
from app.services import Services
from app.web.findings import Findings
from app.web.readiness import parts_of

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder of counts of several workers; the library reads it when it is imported."""

_FOLDERS = "slmkg-metrics-"
_LOCK = "LOCK"
_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_QUERY_SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0)

disable_created_metrics()  # type: ignore[no-untyped-call]  # when series began: nobody asks, and it doubles them


@dataclass(frozen=True, slots=True)
class Described:
    """One metric: its name, its kind, what it says, and what each label means."""

    name: str
    kind: str
    says: str
    labels: Mapping[str, str] = field(default_factory=dict)


_METHOD = "method of the request, or `other`"
_ROUTE = "address as the interface describes it, or `other` where nothing is served"
REQUESTS = Described(
    "slmkg_requests_total",
    "counter",
    "Requests answered.",
    {"method": _METHOD, "route": _ROUTE, "status": "status of the answer, or `gone` where the client left before"},
)
REQUEST_SECONDS = Described(
    "slmkg_request_seconds",
    "histogram",
    "Seconds from the request's head to the last byte of its answer.",
    {"method": _METHOD, "route": _ROUTE},
)
IN_PROGRESS = Described("slmkg_requests_in_progress", "gauge", "Requests that are being answered now.")
QUERY_SECONDS = Described(
    "slmkg_query_seconds",
    "histogram",
    "Seconds of evaluating a query or an update of a client, waiting included; answers from the cache are not counted.",
    {"kind": "`select`, `ask`, `construct`, `describe` or `update`"},
)
QUERIES = Described(
    "slmkg_queries_total",
    "counter",
    "Queries and updates of clients that were evaluated.",
    {"kind": "as above", "outcome": "`answered`, `gone` where the client left, or the code of the error"},
)
KILLS = Described(
    "slmkg_query_kills_total",
    "counter",
    "Queries that were stopped before they had an answer.",
    {
        "reason": "`time` at the limit, `memory` where its process died, `crowded` for want of a place, `gone` with "
        "the client"
    },
)
CACHE = Described(
    "slmkg_answer_cache_total",
    "counter",
    "Looks into the answers that are kept.",
    {"result": "`hit` or `miss`"},
)
ERRORS = Described("slmkg_unexpected_errors_total", "counter", "Requests that ended in an error that nobody expected.")
COUNTED = (REQUESTS, REQUEST_SECONDS, IN_PROGRESS, QUERY_SECONDS, QUERIES, KILLS, CACHE, ERRORS)
"""What is counted as it happens."""

BUILD = Described(
    "slmkg_build_info", "gauge", "1, with the versions as labels.", {"version": "of slmkg", "python": "of Python"}
)
WORKERS = Described("slmkg_workers", "gauge", "Processes that answer requests and have counted any.")
REVISION = Described("slmkg_revision", "gauge", "Number of the newest revision.")
QUADS = Described("slmkg_revision_quads", "gauge", "Quads in the newest revision.")
MADE = Described("slmkg_revision_timestamp_seconds", "gauge", "When the newest revision was made (Unix time).")
GOOD = Described(
    "slmkg_part_good",
    "gauge",
    "1 while a part of the service is as it should be, else 0.",
    {"part": "`store`, `revision`, `projection`, `shapes` or `queue`, as in `/readyz`"},
)
JOBS = Described("slmkg_jobs", "gauge", "Jobs.", {"state": "`queued`, `running`, `done` or `cancelled`"})
CELLS = Described("slmkg_job_cells", "gauge", "Cells of jobs that are not over.", {"state": "`queued` or `running`"})
UNDELIVERED = Described("slmkg_jobs_undelivered", "gauge", "Jobs whose results could not be brought in yet.")
FINDINGS = Described(
    "slmkg_findings",
    "gauge",
    "What validation finds in a revision; it is looked for in the background when somebody first asks.",
    {"severity": "`violation`, `warning` or `info`"},
)
FINDINGS_REVISION = Described("slmkg_findings_revision", "gauge", "The revision in which they were found.")
SYNC = Described(
    "slmkg_orkg_sync_age_seconds",
    "gauge",
    "Seconds since somebody last looked at a comparison of the ORKG with success, also where nothing was new there.",
    {"host": "of the ORKG", "comparison": "id of the comparison"},
)
DISK = Described("slmkg_disk_free_bytes", "gauge", "Room left on the disk of the data folder, for this user.")
STATE = (BUILD, WORKERS, REVISION, QUADS, MADE, GOOD, JOBS, CELLS, UNDELIVERED, FINDINGS, FINDINGS_REVISION, SYNC, DISK)
"""What is looked up when somebody asks."""


@contextmanager
def shared_counts() -> Iterator[None]:
    """A folder for the counts of several workers, made before they start and gone when they have ended.

    What services left that were killed is removed, too: nobody holds their locks any more.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{_FOLDERS}*/{_LOCK}"):
        with suppress(OSError), locked(old):
            shutil.rmtree(old.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_FOLDERS) as folder, locked(Path(folder) / _LOCK):
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


class Metrics:
    """The counts of one application. With several workers each counts in files of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(REQUESTS.name, REQUESTS.says, [*REQUESTS.labels], registry=self._registry)
        self.request_seconds = Histogram(
            REQUEST_SECONDS.name,
            REQUEST_SECONDS.says,
            [*REQUEST_SECONDS.labels],
            registry=self._registry,
            buckets=_REQUEST_SECONDS,
        )
        self.in_progress = Gauge(
            IN_PROGRESS.name, IN_PROGRESS.says, registry=self._registry, multiprocess_mode="livesum"
        )
        self.query_seconds = Histogram(
            QUERY_SECONDS.name,
            QUERY_SECONDS.says,
            [*QUERY_SECONDS.labels],
            registry=self._registry,
            buckets=_QUERY_SECONDS,
        )
        self.queries = Counter(QUERIES.name, QUERIES.says, [*QUERIES.labels], registry=self._registry)
        self.kills = Counter(KILLS.name, KILLS.says, [*KILLS.labels], registry=self._registry)
        self.cache = Counter(CACHE.name, CACHE.says, [*CACHE.labels], registry=self._registry)
        self.errors = Counter(ERRORS.name, ERRORS.says, registry=self._registry)
        self._answering = 0
        self._series: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}

    def answered(self, method: str, route: str, status: str, seconds: float) -> None:
        """Count a request. Its series are looked up once: their names are few, and looking them up costs more."""
        found = self._series.get((method, route, status))
        if found is None:
            counter = self.requests.labels(method, route, status)
            found = counter, self.request_seconds.labels(method, route)
            self._series[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    @contextmanager
    def evaluating(self, kind: str) -> Iterator[None]:
        """Time a query or an update, and count how it ended."""
        begun, outcome = time.perf_counter(), "gone"
        try:
            yield
            outcome = "answered"
        except AppError as error:
            outcome = error.code
            raise
        except Exception:
            outcome = AppError.code
            raise
        finally:
            self.query_seconds.labels(kind).observe(time.perf_counter() - begun)
            self.queries.labels(kind, outcome).inc()

    def answering(self) -> int:
        """How many requests this process is answering now."""
        return self._answering

    def begun(self) -> None:
        """A request more is being answered."""
        self._answering += 1
        self.in_progress.inc()

    def ended(self) -> None:
        """One less."""
        self._answering -= 1
        self.in_progress.dec()

    def killed(self, reason: str) -> None:
        """Count a query that was stopped."""
        self.kills.labels(reason).inc()

    def looked(self, hit: bool) -> None:
        """Count a look into the answers that are kept."""
        self.cache.labels("hit" if hit else "miss").inc()

    def text(self, services: Services, findings: Findings) -> bytes:
        """Everything, as Prometheus reads it. Looks at the store and the queue, so it may block for a moment."""
        folder = os.environ.get(FOLDER)
        counted: Collector
        if folder is None:
            counted, workers = self._registry, 1
        else:
            registry = CollectorRegistry()
            workers = _forget_the_dead(Path(folder))
            multiprocess.MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
            counted = registry
        return generate_latest(counted) + generate_latest(_Looked(tuple(_state(services, findings, workers))))


@dataclass(frozen=True, slots=True)
class _Looked(Collector):
    """Metrics that were looked up."""

    found: tuple[Metric, ...]

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self.found


def _state(services: Services, findings: Findings, workers: int) -> Iterator[Metric]:
    """The numbers that tell of a state. A part that cannot be looked at has none, and counts as not good."""
    yield _gauge(BUILD, {(__version__, python_version()): 1})
    yield _gauge(WORKERS, {(): workers})
    with suppress(AppError, OSError):
        head = services.store.head()
        yield _gauge(REVISION, {(): head.number})
        yield _gauge(QUADS, {(): head.quads})
        yield _gauge(MADE, {(): head.made_at.timestamp()})
    yield _gauge(GOOD, {(sign.about,): float(sign.state is not State.BAD) for sign in parts_of(services)})
    with suppress(AppError, OSError):
        standing = services.jobs.standing()
        yield _gauge(JOBS, {(str(state),): count for state, count in standing.jobs.items()})
        yield _gauge(CELLS, {("queued",): standing.waiting - standing.running, ("running",): standing.running})
        yield _gauge(UNDELIVERED, {(): standing.undelivered})
    known = findings.known()
    if known is not None:
        yield _gauge(FINDINGS, {(name.lower(),): count for name, count in known.counts.items()})
        yield _gauge(FINDINGS_REVISION, {(): known.revision})
    with suppress(OSError):
        now = services.now()
        looks = last_looks(services.settings.data_dir)
        if looks:
            yield _gauge(SYNC, {where: max((now - at).total_seconds(), 0.0) for where, at in looks.items()})
    with suppress(OSError):
        yield _gauge(DISK, {(): shutil.disk_usage(services.settings.data_dir).free})


def _gauge(described: Described, values: Mapping[tuple[str, ...], float]) -> Metric:
    made = GaugeMetricFamily(described.name, described.says, labels=[*described.labels])
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made


def _forget_the_dead(folder: Path) -> int:
    """Drop what workers that have ended were busy with; what they counted stays. The number of those that live."""
    pids = {path.stem.rpartition("_")[2] for path in folder.glob("*.db")}
    dead = {pid for pid in pids if not Path(f"/proc/{pid}").exists()}
    for pid in dead:
        with suppress(OSError):  # another worker was faster
            multiprocess.mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
    return len(pids - dead)
