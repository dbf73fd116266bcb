"""Chooses the format of an answer by the Accept header (RFC 9110), among the formats that fit it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from starlette.requests import Request
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from app.errors import NotAcceptable
from app.store.guard import Form
from app.store.port import GRAPH_FORMATS, SELECT_FORMATS

HTML = "text/html"
_JSON, _XML, *_ = SELECT_FORMATS
_ALIASES: Mapping[str, str] = {"application/json": _JSON}
"""Common names by which clients ask for a format; the answer bears the name that was asked for."""
_TEXTUAL = frozenset({"text/csv", "text/tab-separated-values", "text/turtle"})


def offers(form: Form) -> tuple[str, ...]:
    """The formats for a query's form, the preferred one first. The standard has no CSV or TSV for a truth value."""
    if form.gives_graph:
        return GRAPH_FORMATS
    return (_JSON, _XML) if form is Form.ASK else SELECT_FORMATS


@lru_cache(maxsize=256)
def choose(accept: str | None, form: Form) -> tuple[str, str]:
    """The media type to answer with, and the format to write; NotAcceptable lists what is on offer.

    Without an Accept header, or with one that says nothing, the preferred format is taken.
    """
    offered = offers(form)
    best = preferred(accept, offered if form.gives_graph else (*offered, *_ALIASES))
    if best is None:
        raise NotAcceptable(offered)
    return best, _ALIASES.get(best, best)


def preferred(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """What a client likes best of what is on offer; the first where it does not say, None where nothing fits."""
    wanted = parse_accept_header(accept or "", MIMEAccept)
    if not wanted:
        return offered[0]
    return wanted.best_match([name for name in offered if _allowed(wanted, name)])


def accept_of(request: Request) -> str | None:
    """The Accept header of a request, its several lines as one."""
    return ", ".join(request.headers.getlist("accept")) or None


def content_type(media_type: str) -> str:
    """The Content-Type header's value; text formats name their encoding."""
    return f"{media_type}; charset=utf-8" if media_type in _TEXTUAL else media_type


def _allowed(wanted: MIMEAccept, name: str) -> bool:
    """Whether the most specific range that fits a type does not rule it out (q=0)."""
    return bool(wanted.quality(name) > 0)
