"""Evaluates strangers' queries as the services say; in tests of the application without its service, in a thread.

Knows nothing of HTTP but the application that it works for. An error never brings the engine's own result along.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI

from app import vocab
from app.errors import AppError
from app.model.rdf import Triple
from app.services import Services
from app.store import readers, threaded
from app.store.engine import names_a_dataset, table_of, triples_of
from app.store.guard import Form, known_form
from app.store.port import GRAPH_FORMATS, Query, Row
from app.web import revisions
from app.web.clients import Client
from app.web.metrics import Metrics

THREADS = 8
"""Heavy queries in threads leave room for the rest."""
_PREFIXES = tuple(vocab.PREFIXES.items())
_JSON, _TABLE, _LINES = "application/sparql-results+json", "text/tab-separated-values", "application/n-triples"


@dataclass(frozen=True, slots=True)
class Beginning:
    """The first rows or triples of an answer, or its truth value; `more` where there are further ones."""

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    triples: tuple[Triple, ...] = ()
    truth: bool | None = None
    more: bool = False


def install(app: FastAPI) -> None:
    """Give an application the threads for its queries."""
    app.state.query_threads = CapacityLimiter(THREADS)


async def form_of(app: FastAPI, services: Services, text: str) -> Form:
    """The form of a query that may run; BadQuery, QueryRefused. Reading a query that is not known takes a thread."""
    form = known_form(text, limit=services.settings.max_query_bytes)
    if form is None:
        form = await to_thread.run_sync(services.form_of, text, limiter=app.state.query_threads)
    return form


async def revision_of(services: Services, wanted: int | None = None) -> int:
    """The number of the revision that answers: the newest one that is ready, or the one asked for; NotFound."""
    public = services.public
    if public is None or not public.running:
        return await to_thread.run_sync(revisions.existing, services, wanted)
    newest = public.revision
    if wanted is None or wanted <= newest:
        return wanted or newest
    return await to_thread.run_sync(revisions.existing, services, wanted)


async def evaluate(
    app: FastAPI,
    services: Services,
    client: Client,
    query: Query,
    form: Form,
    media_type: str,
    revision: int,
    first: int | None = None,
) -> bytes:
    """The answer in a format that fits the query, whole or with `first` so many rows or triples of it.

    Raises any AppError, and never gives a part of an answer that was to be whole.
    """
    metrics: Metrics = app.state.metrics
    with metrics.evaluating(form.value):
        return await _evaluated(app, services, client, query, media_type, revision, first)


async def _evaluated(
    app: FastAPI,
    services: Services,
    client: Client,
    query: Query,
    media_type: str,
    revision: int,
    first: int | None,
) -> bytes:
    public = services.public
    if public is None or not public.running:
        found = await to_thread.run_sync(
            threaded.answered,
            lambda: services.store.at(revision),
            query,
            media_type,
            client.limits,
            first,
            limiter=app.state.query_threads,
        )
        if isinstance(found, AppError):
            raise found
        return found
    chosen = bool(query.default_graphs or query.named_graphs)
    union = not (chosen or services.settings.scratch or names_a_dataset(query.text))
    prefixes = _PREFIXES if media_type in GRAPH_FORMATS else ()
    return await public.ask(
        readers.Request(
            query.text, media_type, union, query.default_graphs, query.named_graphs, prefixes, vocab.BASE, first
        ),
        revision=revision,
        limits=client.limits,
        client=client.name,
        share=client.share,
    )


async def beginning(
    app: FastAPI, services: Services, client: Client, query: Query, form: Form, revision: int, most: int
) -> Beginning:
    """At most so many rows or triples of an answer, under the same limits; any AppError."""
    media_type = _JSON if form is Form.ASK else _LINES if form.gives_graph else _TABLE
    first = None if form is Form.ASK else most + 1
    body = await evaluate(app, services, client, query, form, media_type, revision, first)
    return await to_thread.run_sync(_read, body, form, most)


def _read(body: bytes, form: Form, most: int) -> Beginning:
    """The beginning of an answer that a reader gave."""
    if form is Form.ASK:
        return Beginning(truth=bool(json.loads(body)["boolean"]))
    if form.gives_graph:
        triples = triples_of(body)
        return Beginning(triples=tuple(triples[:most]), more=len(triples) > most)
    columns, rows = table_of(body)
    return Beginning(columns, tuple(rows[:most]), more=len(rows) > most)
