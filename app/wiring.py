"""Settings in, services out: the only file that names adapters."""

from __future__ import annotations

from datetime import UTC, datetime

from app import resources
from app.access import KeyRing
from app.compare.projection.files import Files
from app.compare.projection.projections import Projections
from app.curate.commit import Rules
from app.curate.write import Writer
from app.services import Services
from app.settings import Settings
from app.store.embedded import EmbeddedStore
from app.store.port import GraphStore
from app.store.public import PublicQueries, Scale
from app.validation import shapes
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator


def build(settings: Settings, store: GraphStore | None = None) -> Services:
    """Build the services on the embedded store, or on a given one."""
    loaded = shapes.load(resources.folder("shapes"))
    public = None
    if store is None:
        store = EmbeddedStore(settings.data_dir / "store")
        public = PublicQueries(store, store.revisions_folder, _scale(settings))
        projections = Projections(store, Files(settings.data_dir / "projections", settings.projections_kept))
        if not settings.scratch:
            store.listen(projections.committed)
    else:
        projections = Projections(store, None)
    sets = SetValidator(loaded)
    rules = None if settings.scratch else Rules(sets, RecordValidator(loaded))
    return Services(
        settings=settings,
        store=store,
        public=public,
        projections=projections,
        writer=Writer(store, public=public, rules=rules, now=_now),
        keys=KeyRing(settings.data_dir / "keys.json"),
        set_validator=sets,
        record_validator=RecordValidator(loaded),
        seed_folder=settings.seed_dir or resources.folder("data"),
        ontology_folder=resources.folder("ontology"),
        now=_now,
    )


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
