"""Changes as an Atom feed (RFC 4287): one entry for each revision, newest first. Builds text; asks nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree

from app import vocab
from app.web.history_schemas import RevisionChange

MEDIA_TYPE = "application/atom+xml"
FEED = f"{vocab.BASE}changes"
TITLE = "slmkg: changes of the knowledge graph of small language models"
_ATOM = "http://www.w3.org/2005/Atom"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TITLE_LENGTH = 120

ElementTree.register_namespace("", _ATOM)


def document(
    changes: Sequence[RevisionChange], *, root: str, path: str, query: str, older: str | None, updated: datetime
) -> bytes:
    """The feed; `query` is that of this page, `older` that of the next one, if there is one."""
    feed = ElementTree.Element(f"{{{_ATOM}}}feed")
    _text(feed, "id", FEED)
    _text(feed, "title", TITLE)
    _text(feed, "updated", _moment(updated))
    _link(feed, "self", root + path + (f"?{query}" if query else ""), MEDIA_TYPE)
    _link(feed, "alternate", f"{root}/revisions", "text/html")
    if older is not None:
        _link(feed, "next", f"{root}{path}?{older}", MEDIA_TYPE)
    _text(feed, "generator", "slmkg").set("version", vocab.VERSION)
    for change in changes:
        _entry(feed, change)
    text: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return text


def summary(change: RevisionChange) -> str:
    """What a revision did, in one or two sentences."""
    cells = change.cells
    parts = [
        f"{count} cell{'' if count == 1 else 's'} {what}"
        for count, what in (
            (cells.added, "added"),
            (cells.changed, "changed"),
            (cells.removed, "removed"),
            (cells.status, "with another standing"),
            (cells.evidence, "with other evidence"),
        )
        if count
    ]
    said = ", ".join(parts) or "no cell changed"
    shown = ", ".join(change.models[:5])
    more = f" and {change.models_changed - 5} more" if change.models_changed > 5 else ""
    models = f" Models: {shown}{more}." if shown else ""
    return f"{said[0].upper()}{said[1:]}; {change.added} triples came, {change.removed} went.{models}"


def _entry(feed: ElementTree.Element, change: RevisionChange) -> None:
    entry = ElementTree.SubElement(feed, f"{{{_ATOM}}}entry")
    _text(entry, "id", change.iri)
    reason = " ".join(change.reason.split())
    short = reason if len(reason) <= _TITLE_LENGTH else reason[: _TITLE_LENGTH - 1] + "…"
    _text(entry, "title", f"Revision {change.revision}: {short}")
    _text(entry, "updated", _moment(change.made_at))
    _text(entry, "published", _moment(change.made_at))
    author = ElementTree.SubElement(entry, f"{{{_ATOM}}}author")
    _text(author, "name", change.author.label)
    _text(author, "uri", change.author.iri)
    _link(entry, "alternate", change.links.page, "text/html")
    _link(entry, "related", change.links.diff, "application/json")
    _text(entry, "summary", summary(change))


def _text(parent: ElementTree.Element, name: str, value: str) -> ElementTree.Element:
    """An element with text; characters that XML cannot hold are replaced."""
    element = ElementTree.SubElement(parent, f"{{{_ATOM}}}{name}")
    element.text = _NOT_XML.sub("\ufffd", value)
    return element


def _link(parent: ElementTree.Element, rel: str, address: str, media_type: str) -> None:
    ElementTree.SubElement(parent, f"{{{_ATOM}}}link", rel=rel, href=_NOT_XML.sub("\ufffd", address), type=media_type)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
