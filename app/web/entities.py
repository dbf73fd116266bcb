"""Things by their IRIs: `/id/model/phi-2` leads to what a client likes best, and so does `/resource/…`.

The IRIs of the graph are names; what they name is no document, so the answer is 303 to one that tells of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from starlette.responses import Response

from app import vocab
from app.compare.reader import Reader, Record
from app.errors import NotAcceptable, NotFound
from app.model.rdf import IRI, Literal, Term, Triple
from app.services import Services
from app.store.engine import written
from app.web import negotiation
from app.web.caching import Identity, Representation, Use
from app.web.evidence_page import local
from app.web.negotiation import HTML
from app.web.pages import page
from app.web.revisions import prefix_of

ID = "/id/{kind}/{slug}"
RESOURCE = "/resource/{kind}/{slug}"
FORMATS = {
    "html": HTML,
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "nt": "application/n-triples",
    "json": "application/json",
}
"""Endings of documents about a thing."""
_PAGES = {"model": "/models/{}", "benchmark": "/benchmarks/{}", "revision": "/revisions/{}"}
"""Things that have a page of their own."""
_MOST_MENTIONS = 200
"""As many as the stored query gives."""


def register(app: FastAPI) -> None:
    """Add the addresses to an application; they stand outside the API's documentation."""
    for path, endpoint in ((ID, identified), (RESOURCE, resource)):
        app.add_api_route(path, endpoint, methods=["GET"], include_in_schema=False, response_class=Response)


def identified(request: Request, kind: str, slug: str, services: Use, identity: Identity) -> Response:
    """303 to the document about a thing that the Accept header likes best; NotFound when the graph does not know it."""
    return _refer(request, services, identity, kind, slug)


def resource(request: Request, kind: str, slug: str, services: Use, identity: Identity) -> Response:
    """A document about a thing by its ending; without one as `/id` answers."""
    name, dot, ending = slug.rpartition(".")
    if not dot or ending not in FORMATS:
        return _refer(request, services, identity, kind, slug)
    reader = Reader(services.store.at(identity.revision))
    iri = _iri(kind, name)
    record = reader.records([iri]).get(iri.value)
    if not record:
        raise _unknown(kind, name)
    if ending == "html":
        return _page(request, reader, identity, kind, name, iri, record)
    if ending == "json":
        return Response(_json(iri, record), headers=dict(identity.headers), media_type=FORMATS[ending])
    media = FORMATS[ending]
    body = written([Triple(iri, IRI(predicate), term) for predicate, term in _statements(record)], media)
    return Response(body, headers={**identity.headers, "Content-Type": negotiation.content_type(media)})


def _refer(request: Request, services: Services, identity: Representation, kind: str, slug: str) -> Response:
    reader = Reader(services.store.at(identity.revision))
    if not reader.records([_iri(kind, slug)]):
        raise _unknown(kind, slug)
    wanted = negotiation.preferred(negotiation.accept_of(request), tuple(FORMATS.values()))
    if wanted is None:
        raise NotAcceptable(tuple(FORMATS.values()))
    root = prefix_of(request.scope)
    ending = next(ending for ending, media in FORMATS.items() if media == wanted)
    own = kind in _PAGES and not (kind == "revision" and root)
    if ending == "html" and own:
        place = _PAGES[kind].format(quote(slug))
    elif ending == "json" and kind == "model":
        place = f"/api/v1/models/{quote(slug)}"
    else:
        place = f"/resource/{quote(kind)}/{quote(slug)}.{ending}"
    query = "" if root or "revision" not in request.query_params else f"?revision={identity.revision}"
    headers = {"Location": f"{root}{place}{query}", "Vary": "Accept", "X-Revision": str(identity.revision)}
    return Response(status_code=303, headers=headers)


def _page(
    request: Request, reader: Reader, identity: Representation, kind: str, name: str, iri: IRI, record: Record
) -> Response:
    mentions = [(row["s"], row["p"]) for row in reader.rows("mentions", thing=[iri]) if isinstance(row["s"], IRI)]
    terms = [term for _, term in _statements(record)]
    reader.learn([iri, *terms, *(IRI(one) for one in record), *(term for pair in mentions for term in pair)])
    rows = [
        (_named(reader, IRI(predicate)), [_named(reader, term) for term in values])
        for predicate, values in sorted(record.items())
    ]
    return page(
        "thing.html",
        200,
        identity.headers,
        kind=kind,
        slug=name,
        label=reader.thing(iri).label,
        iri=iri.value,
        rows=rows,
        mentions=[(_named(reader, subject), _named(reader, predicate)) for subject, predicate in mentions],
        most=_MOST_MENTIONS,
        root=prefix_of(request.scope),
        revision=identity.revision,
        own=_PAGES[kind].format(quote(name)) if kind in _PAGES else None,
    )


def _named(reader: Reader, term: Term) -> dict[str, Any]:
    """A term for a page: its words, and where they lead."""
    if not isinstance(term, IRI):
        return {"text": term.value, "address": None, "iri": None}
    label = reader.thing(term).label
    place = local(term.value)
    if place == term.value and (place.startswith(vocab.BASE) or not place.startswith(("https://", "http://"))):
        return {"text": label, "address": None, "iri": vocab.shrink(term.value)}
    return {"text": label, "address": place, "iri": vocab.shrink(term.value)}


def _json(iri: IRI, record: Record) -> str:
    """Statements as JSON: values by property IRI, as RDF/JSON has them."""
    told = {
        predicate: [
            {
                "type": "uri" if isinstance(term, IRI) else "literal" if isinstance(term, Literal) else "bnode",
                "value": term.value,
                **({"datatype": term.datatype.value} if isinstance(term, Literal) else {}),
            }
            for term in values
        ]
        for predicate, values in sorted(record.items())
    }
    return json.dumps({iri.value: told}, ensure_ascii=False)


def _statements(record: Record) -> Iterable[tuple[str, Term]]:
    return [(predicate, term) for predicate, values in sorted(record.items()) for term in values]


def _iri(kind: str, slug: str) -> IRI:
    return IRI(f"{vocab.BASE}resource/{quote(kind, safe=_SAFE)}/{quote(slug, safe=_SAFE)}")


def _unknown(kind: str, slug: str) -> NotFound:
    return NotFound(kind if kind.isascii() and kind.isalpha() else "thing", slug)


_SAFE = "-._~!$&'()*+,;=:@%"
