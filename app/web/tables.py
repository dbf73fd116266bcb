"""How answers to comparisons leave: format by ending or Accept header, tag, links, compression. Nothing else."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import Depends, Query, Request
from starlette.responses import Response
from werkzeug.datastructures import Accept
from werkzeug.http import parse_accept_header

from app.compare import cursors
from app.compare.charts import Origin, Spec
from app.compare.cube import cube
from app.compare.export import WRITERS
from app.compare.grid import Grid
from app.compare.projection.view import encoded
from app.compare.spec import nearest
from app.errors import BadParameter, NotAcceptable, NotFound
from app.services import Services
from app.store.engine import written
from app.web import revisions
from app.web.caching import NotModified, etag, matches, services_of
from app.web.descriptions import place_of
from app.web.drawing import Picture
from app.web.negotiation import accept_of, preferred
from app.web.parameters import pairs

FORMATS: Mapping[str, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "ttl": "text/turtle",
    "jsonld": "application/ld+json",
    "tex": "application/x-tex",
    "md": "text/markdown",
    "vl.json": "application/vnd.vegalite.v6+json",
    "svg": "image/svg+xml",
    "png": "image/png",
}
"""Endings of addresses and the media types that they stand for."""
CHART = "vl.json"
PICTURES = ("svg", "png")
_MOST_BYTES = 6_000
"""Bytes of the parameters: the header `Link` repeats them several times, and headers have limits."""
_LONG = 1_500
"""Characters of an address from which on its other formats are not listed: headers have limits."""
_LINKED = ("ttl", "jsonld")
_TEXTUAL = frozenset({"text/csv", "text/turtle", "text/markdown", "application/x-tex"})
WORTH_IT = 1_000
"""Bytes from which on compression pays."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, before any work: revision, format, encoding, and the headers that say so."""

    services: Services
    revision: int
    ending: str
    gzip: bool
    path: str
    """The address without ending."""
    host: str
    given: Mapping[str, str]
    headers: Mapping[str, str]

    def answer(
        self,
        *,
        json: Callable[[], str],
        grid: Callable[[], Grid],
        chart: Callable[[Origin], Spec],
        name: str,
        following: str | None = None,
    ) -> Response:
        """The answer in the format that was asked for. `following` is the cursor of the next page."""
        if self.ending in PICTURES:
            headers = {**self.headers, "Link": self._links(following), "Content-Type": _content_type(self.ending)}
            return Picture(chart(self._origin()), self.ending, headers, compressed=self.gzip)
        if self.ending == "json":
            body = json().encode()
        elif self.ending == CHART:
            body = encoded(chart(self._origin())).encode()
        elif self.ending in _LINKED:
            triples = cube(grid(), self._address(), self.revision)
            body = written(triples, FORMATS[self.ending])
        else:
            body = WRITERS[self.ending](grid())
        headers = {**self.headers, "Link": self._links(following)}
        if self.ending in {"csv", "parquet", "tex", "md"}:
            headers["Content-Disposition"] = f'attachment; filename="{name}.{self.ending}"'
        if self.gzip and len(body) >= WORTH_IT:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers={**headers, "Content-Type": _content_type(self.ending)})

    def _origin(self) -> Origin:
        return Origin(self._address(), self.revision)

    def _address(self) -> str:
        """The address of this answer for ever."""
        kept = [(name, value) for name, value in self.given.items() if name != "revision"]
        query = f"?{urlencode(kept, quote_via=quote)}" if kept else ""
        return f"{self.host}/r/{self.revision}{self.path}{query}"

    def _links(self, following: str | None) -> str:
        kept = [(name, value) for name, value in self.given.items() if name not in {"after", "revision"}]
        plain = [(name, value) for name, value in kept if name != "_extra"]  # tables have no place for it
        revision = ("revision", str(self.revision))
        bound = urlencode([*kept, revision])
        ending = "" if self.ending == "json" else f".{self.ending}"
        links = [f'<{self._address()}>; rel="canonical"', f'<{self.path}{ending}?{bound}>; rel="first"']
        if following:
            links.append(f'<{self.path}{ending}?{bound}&{urlencode([("after", following)])}>; rel="next"')
        if len(bound) > _LONG:
            return ", ".join(links)
        elsewhere = urlencode([*plain, revision])
        links += [
            f'<{self.path}.{other}?{elsewhere}>; rel="alternate"; type="{media}"'
            for other, media in FORMATS.items()
            if other != self.ending
        ]
        return ", ".join(links)


async def asking(
    request: Request,
    services: Annotated[Services, Depends(services_of)],
    revision: Annotated[
        int | None, Query(ge=1, le=10**9, description="Number of the revision to ask; the newest one when left out.")
    ] = None,
) -> Callable[[], Asked]:
    """What reads the request. It looks at the store, so the endpoint calls it, in the thread that does its work."""
    return partial(asked, request, services, revision)


def asked(request: Request, services: Services, revision: int | None) -> Asked:
    """Read what a request asks for; NotModified when the client has it already."""
    encoded: bytes = request.scope["query_string"]
    if len(encoded) > _MOST_BYTES:
        raise BadParameter(
            "parameters", f"they are longer than {_MOST_BYTES} bytes together", advice="Ask for less at once."
        )
    given = dict(pairs(encoded))
    ending = request.path_params.get("ending")
    if ending is None and request.scope["path"].endswith(f".{CHART}"):
        ending = CHART
    if ending is not None and ending not in FORMATS:
        raise NotFound("format", ending, advice=nearest(ending, FORMATS))
    chosen = ending or _by_accept(accept_of(request))
    number = _revision(request, services, revision, given.get("after", ""))
    compressed = takes_gzip(request.headers.get("accept-encoding"))
    path = revisions.address_in(request.scope)
    path = path.removesuffix(f".{ending}") if ending else path
    query = "&".join(f"{name}={value}" for name, value in given.items() if name != "revision")
    tag = etag(number, path, chosen, "gzip" if compressed else "", query)
    vary = "Accept-Encoding" if ending else "Accept, Accept-Encoding"
    headers = {"ETag": tag, "X-Revision": str(number), "Cache-Control": "public, no-cache", "Vary": vary}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    return Asked(services, number, chosen, compressed, path, place_of(request, services).root, given, headers)


def _revision(request: Request, services: Services, named: int | None, cursor: str) -> int:
    """The revision that a request is bound to: by address, parameter or cursor."""
    given = [] if named is None else [str(named)]
    wanted = revisions.revision_in(request.scope, given)
    if cursor:
        bound = cursors.revision_of(cursor)
        if wanted is not None and wanted != bound:
            raise BadParameter(
                "after",
                f"the cursor belongs to revision {bound}",
                advice=f"Ask with revision={bound}, or begin again without the cursor.",
                pointer="/after",
            )
        wanted = bound
    return revisions.existing(services, wanted)


def _by_accept(accept: str | None) -> str:
    """The format that the client likes best; JSON for browsers and for whoever does not say.

    Some browsers ask for pages and pictures alike when somebody follows a link: those get no picture.
    """
    pages = "text/html" in (accept or "")
    best = preferred(accept, tuple(one for ending, one in FORMATS.items() if not (pages and ending in PICTURES)))
    if best is None:
        raise NotAcceptable(tuple(FORMATS.values()))
    return next(ending for ending, media in FORMATS.items() if media == best)


def takes_gzip(accept_encoding: str | None) -> bool:
    """Whether a client takes compressed answers."""
    wanted = parse_accept_header(accept_encoding or "", Accept)
    return bool(wanted.quality("gzip") > 0)


def _content_type(ending: str) -> str:
    media = FORMATS[ending]
    if ending == "csv":
        return "text/csv; charset=utf-8; header=present"
    return f"{media}; charset=utf-8" if media in _TEXTUAL else media


Ask = Annotated[Callable[[], Asked], Depends(asking)]
