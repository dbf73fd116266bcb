"""Looks at an external engine and at a store in it: is it there, may we write, is anything half done. Mends nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from app.errors import AppError, StoreEmpty
from app.model.health import Sign, bad, good, note
from app.store.remote_http import Engine
from app.store.remote_record import Record

_REPAIR = "Run `slmkg doctor --repair`. No revision is affected, and readers are not disturbed."
_TAKE_OVER = (
    "Wait until it has finished. If it has died on another machine, `slmkg doctor --repair --take-over` ends its claim;"
    " after an hour that happens by itself."
)


def examine(engine: Engine, record: Record) -> Iterator[Sign]:
    """What holds and what does not. An engine that does not answer is the last sign."""
    try:
        address = engine.address
        yield good("engine", f"{address.kind} at {address.query}")
        yield _queries(engine)
        yield from _revisions(record)
        yield _updates(engine, record)
        yield _graph_store(engine, record)
        yield from _half_done(record)
    except AppError as error:
        yield bad("engine", error.message, error.advice)


def _queries(engine: Engine) -> Sign:
    """A query that needs no data."""
    engine.own_rows("SELECT ?x { VALUES ?x { 1 } }")
    checks = "candidates are checked in our own engine" if engine.address.checks_here else "and checks candidates"
    places = engine.address.decimal_places
    rounding = "" if places is None else f", decimals are kept to {places} places"
    return good("queries", f"it answers SPARQL 1.1 queries; {checks}{rounding}")


def _revisions(record: Record) -> Iterator[Sign]:
    try:
        newest = record.newest()
    except StoreEmpty:
        yield note("revisions", "nothing has been loaded yet", "Run `slmkg load`.")
        return
    revision, kept = record.describe(newest), record.kept()
    says = f"{newest.number}, the data of {len(kept)} are kept; the newest holds {revision.quads} quads"
    yield good("revisions", says)
    for node in kept:
        try:
            record.layout(node)
            record.describe(node)
        except AppError as error:
            yield bad("revisions", error.message, error.advice)


def _updates(engine: Engine, record: Record) -> Sign:
    """An update that changes nothing."""
    where = engine.address.update
    try:
        engine.update(f"DELETE DATA {{ GRAPH <{record.base}/nowhere> {{ <x:s> <x:p> <x:o> }} }}")
    except AppError as error:
        return bad("updates", f"refused at {where}: {error.message}", error.advice)
    return good("updates", f"accepted at {where}")


def _graph_store(engine: Engine, record: Record) -> Sign:
    """Whether large writes can take the short way; no triple is sent."""
    where = engine.address.graphs
    if where is None:
        advice = "Set SLMKG_STORE_GRAPHS_URL if the engine has the graph store protocol: loads are faster by it."
        return note("graph store", "not used", advice)
    try:
        engine.post(where, f"{record.base}/nowhere", [])
    except AppError as error:
        return bad("graph store", f"refused at {where}: {error.message}", error.advice)
    return good("graph store", f"accepted at {where}")


def _half_done(record: Record) -> Iterator[Sign]:
    claims = record.claims()
    for claim in claims:
        since = datetime.fromtimestamp(claim.since, UTC).isoformat(timespec="seconds")
        if claim.abandoned:
            yield bad("half done", f"{claim} said at {since} that it is writing, and has died", _REPAIR)
        else:
            yield note("half done", f"{claim} is writing, since {since}", _TAKE_OVER)
    left = record.leftovers().in_words()
    for words in left:
        yield bad("half done", words, _REPAIR)
    if not claims and not left:
        yield good("half done", "nothing")
