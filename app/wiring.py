"""Settings in, services out: the only file that names adapters."""

from __future__ import annotations

from datetime import UTC, datetime

from app import resources
from app.access import KeyRing
from app.backup import Backups
from app.compare.history import History
from app.compare.projection.files import Files
from app.compare.projection.projections import Projections
from app.curate.commit import Rules
from app.curate.curation import Curation
from app.curate.measured import taking_runs
from app.curate.write import Writer
from app.jobs.queue import Queue
from app.model.graphs import PROPOSALS
from app.release.shelf import Shelf
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.store.port import GraphStore
from app.store.public import Public, PublicQueries, Scale
from app.store.remote import RemoteStore
from app.store.remote_kinds import Kind, Wanted
from app.store.threaded import ThreadedQueries
from app.validation import shapes
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from app.webhooks.hooks import Hooks

_WITHOUT_CELLS = frozenset({PROPOSALS})
"""Graphs of which comparisons show nothing."""


def build(settings: Settings, store: GraphStore | None = None) -> Services:
    """Build the services on the store that the settings choose, or on a given one. Asks no engine yet."""
    loaded = shapes.load(resources.folder("shapes"))
    public: Public | None = None
    backups: Backups | None = None
    kept: Projections | None = None
    if store is None and settings.store_url is not None:
        store = _remote(settings, settings.store_url)
        public = ThreadedQueries(store, at_once=settings.store_queries_at_once, waiting=settings.max_waiting)
    elif store is None:
        embedded = EmbeddedStore(settings.data_dir / "store", writes=not settings.read_only)
        store, public = embedded, PublicQueries(embedded, embedded.revisions_folder, _scale(settings))
        files = Files(settings.data_dir / "projections", settings.projections_kept)
        kept = Projections(embedded, files, ignored=_WITHOUT_CELLS, writes=not settings.read_only)
        if not settings.scratch:
            embedded.listen(kept.committed)
        backups = Backups(settings.data_dir, embedded.holdings, EmbeddedStore, _now)
    sets = SetValidator(loaded)
    rules = None if settings.scratch else Rules(sets, RecordValidator(loaded))
    curation = Curation(store, rules, _now, settings.self_review)
    releases = Shelf(settings.data_dir / "releases", store, sets, resources.folder("data") / "LICENSE.md")
    return Services(
        settings=settings,
        store=store,
        public=public,
        backups=backups,
        projections=kept or Projections(store, None, ignored=_WITHOUT_CELLS),
        writer=Writer(store, public=public, rules=rules, now=_now),
        history=History(store, releases.revision_of),
        hooks=Hooks(settings.data_dir / "webhooks", private=settings.webhook_private),
        jobs=Queue(settings.data_dir / "jobs.sqlite"),
        take_run=taking_runs(curation.take),
        curation=curation,
        keys=KeyRing(settings.data_dir / "keys.json"),
        set_validator=sets,
        record_validator=RecordValidator(loaded),
        seed_folder=settings.seed_dir or resources.folder("data"),
        ontology_folder=resources.folder("ontology"),
        releases=releases,
        now=_now,
    )


def _remote(settings: Settings, url: str) -> RemoteStore:
    password = settings.store_password
    wanted = Wanted(
        query=url,
        update=settings.store_update_url,
        graphs=settings.store_graphs_url,
        kind=Kind(settings.store_engine),
        user=settings.store_user,
        password=None if password is None else password.get_secret_value(),
        scheme=settings.store_auth,
        seconds=settings.store_seconds,
        write_seconds=settings.store_write_seconds,
        max_bytes=settings.store_max_bytes,
        decimal_places=settings.store_decimal_places,
        checks_here=settings.store_checks_here,
    )
    return RemoteStore(wanted.complete, settings.store_name, kept_bytes=settings.store_kept_bytes)


def _now() -> datetime:
    return datetime.now(UTC)


def _scale(settings: Settings) -> Scale:
    return Scale(
        keep=settings.readers,
        at_most=settings.max_readers,
        waiting=settings.max_waiting,
        megabytes=settings.reader_megabytes,
        in_memory_up_to=settings.in_memory_quads,
    )
