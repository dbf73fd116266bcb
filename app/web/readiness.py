"""Whether the parts that answers need are there: a look of a few milliseconds, for `/readyz` and `/metrics`.

`slmkg doctor` looks longer and says more. Nothing here tells of folders or of an engine's words: strangers may read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import AppError
from app.model.health import Sign, bad, good, note
from app.services import Services

_ASK_THE_DOCTOR = "`slmkg doctor` tells more."


def parts_of(services: Services) -> Iterator[Sign]:
    """Each part with how it is: store, revision, projection, shapes, queue."""
    newest: int | None = None
    try:
        newest = services.store.head().number
        yield good("store", "it can be read")
    except AppError as error:
        yield bad("store", f"it cannot be read: {error.code}", _ASK_THE_DOCTOR)
    yield _revision(services, newest)
    yield _projection(services, newest)
    yield _shapes(services)
    yield _queue(services)


def _revision(services: Services, newest: int | None) -> Sign:
    """Whether what answers queries has the newest revision."""
    if newest is None:
        return bad("revision", "there is none", "Run `slmkg load` to fill the store.")
    public = services.public
    if public is None or not public.running:
        return good("revision", f"{newest}")
    try:
        answering = public.revision
    except AppError as error:
        return bad("revision", f"queries are not answered yet: {error.code}", _ASK_THE_DOCTOR)
    if answering < newest:
        return note("revision", f"{newest} is being opened for queries, {answering} answers until then")
    return good("revision", f"{newest}")


def _projection(services: Services, newest: int | None) -> Sign:
    """Whether comparisons of the newest revision can be answered at once."""
    if newest is not None and services.projections.has(newest):
        return good("projection", "the columns for comparisons are there")
    return note("projection", "the columns for comparisons are made when somebody asks for them")


def _shapes(services: Services) -> Sign:
    if services.settings.scratch:
        return note("shapes", "this throw-away service has no constraints")
    steps = services.set_validator.steps()
    if not steps:
        return bad("shapes", "there are no constraints", "Install slmkg anew: its package is not whole.")
    return good("shapes", f"{steps} constraint queries")


def _queue(services: Services) -> Sign:
    try:
        standing = services.jobs.standing()
    except AppError as error:
        return bad("queue", f"the jobs cannot be read: {error.code}", _ASK_THE_DOCTOR)
    return good("queue", f"{standing.waiting} cells to measure, {standing.running} of them at work")
