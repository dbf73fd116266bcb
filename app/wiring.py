"""Settings in, services out: the only file that names adapters."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from app import allocator, resources
from app.access import KeyRing
from app.backup import Backups
from app.compare.history import History
from app.compare.projection.files import Files
from app.compare.projection.projections import Projections
from app.curate.commit import Rules, head_number
from app.curate.curation import Curation
from app.curate.measured import taking_runs
from app.curate.proposals import Filter, find, read
from app.curate.write import Writer
from app.errors import StoreError
from app.folder import Folder, Say, Step
from app.jobs.queue import Queue
from app.model.graphs import PROPOSALS
from app.model.proposals import State
from app.pruning import Bounds, Needs, Pruning, pulls_named
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

log = logging.getLogger(__name__)

_WITHOUT_CELLS = frozenset({PROPOSALS})
"""Graphs of which comparisons show nothing."""


def opened(settings: Settings, say: Callable[[str], None] = log.warning) -> Services:
    """Services on the data folder, brought to our format first. FolderTooNew, StoreBusy; asks no engine yet.

    Who only reads leaves that to who writes.
    """
    folder = folder_of(settings.data_dir)
    if settings.read_only:
        folder.to_do()  # says when it is not for us
        return build(settings)
    for done in folder.upgrade(say):
        say(f"{settings.data_dir}: {done}: done")
    return build(settings)


def folder_of(path: Path) -> Folder:
    """A data folder with the steps that lead from each of its formats to the next."""
    return Folder(path, (Step(1, "keep with each revision what it changed", _complete_patches, needed=False),))


def build(settings: Settings, store: GraphStore | None = None) -> Services:
    """Build the services on the store that the settings choose, or on a given one. Asks no engine yet."""
    folder = folder_of(settings.data_dir)
    loaded = shapes.load(resources.folder("shapes"))
    public: Public | None = None
    backups: Backups | None = None
    kept: Projections | None = None
    local: EmbeddedStore | None = None
    if store is None and settings.store_url is not None:
        store = _remote(settings, settings.store_url)
        public = ThreadedQueries(store, at_once=settings.store_queries_at_once, waiting=settings.max_waiting)
    elif store is None:
        embedded = EmbeddedStore(settings.data_dir / "store", writes=not settings.read_only)
        local, store, public = embedded, embedded, PublicQueries(embedded, embedded.revisions_folder, _scale(settings))
        files = Files(settings.data_dir / "projections", settings.projections_kept)
        kept = Projections(embedded, files, ignored=_WITHOUT_CELLS, writes=not settings.read_only)
        if not settings.scratch:
            embedded.listen(kept.committed)
        embedded.listen(lambda *_: _claim(folder))
        embedded.listen(lambda *_: allocator.give_back())
        backups = Backups(settings.data_dir, embedded.holdings, EmbeddedStore, _now)
    sets = SetValidator(loaded)
    rules = None if settings.scratch else Rules(sets, RecordValidator(loaded))
    curation = Curation(store, rules, _now, settings.self_review)
    releases = Shelf(settings.data_dir / "releases", store, sets, resources.folder("data") / "LICENSE.md")
    hooks = Hooks(settings.data_dir / "webhooks", private=settings.webhook_private)
    queue = Queue(settings.data_dir / "jobs.sqlite")
    return Services(
        settings=settings,
        folder=folder,
        store=store,
        public=public,
        backups=backups,
        projections=kept or Projections(store, None, ignored=_WITHOUT_CELLS),
        writer=Writer(store, public=public, rules=rules, now=_now),
        history=History(store, releases.revision_of),
        hooks=hooks,
        jobs=queue,
        pruning=_pruning(settings, queue, local, partial(_needs, store, releases, hooks)),
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


def _pruning(settings: Settings, queue: Queue, local: EmbeddedStore | None, needs: Callable[[], Needs]) -> Pruning:
    bounds = Bounds(
        jobs=timedelta(days=settings.jobs_kept_days),
        models=settings.jobs_models_bytes,
        pulls=settings.orkg_pulls_kept,
        columns=settings.projections_kept,
        revisions=settings.revisions_kept,
    )
    pruning = Pruning(settings.data_dir, bounds, queue, needs, _now)
    if local is None:
        return pruning
    return replace(pruning, revisions=partial(_kept, local), let_go=local.let_go)


def _kept(store: EmbeddedStore) -> range:
    """The revisions whose graph is kept."""
    newest = head_number(store)
    return range(store.oldest(), newest + 1) if newest else range(0)


def _needs(store: GraphStore, releases: Shelf, hooks: Hooks) -> Needs:
    """What releases, webhooks and open proposals still need."""
    newest = head_number(store)
    if not newest:
        return Needs(0)
    snapshot = store.at(newest)
    titles = [read(snapshot, number).title for number in find(snapshot, Filter(state=State.OPEN))]
    told = [hooks.state(identity).cursor + 1 for identity in hooks.ids()]
    held = [release.revision for release in releases.list()]
    return Needs(min([newest, *told, *held]), pulls_named(titles))


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


def _complete_patches(folder: Path, say: Say) -> None:
    """Format 1 to 2; a folder whose graph is in an external engine has no revisions of its own."""
    if (folder / "store").is_dir():
        EmbeddedStore(folder / "store").complete_patches(say)


def _claim(folder: Folder) -> None:
    """Mark a folder that has just been made. Where that fails, its format is found from what lies there."""
    with suppress(StoreError, OSError):
        folder.claim()


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
