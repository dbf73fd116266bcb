"""Reads graphs in the formats that go over the wire; a mistake names line and column. Never touches a store.

A document holds one graph: quads in TriG and N-Quads may name no other. Blank nodes get new names at each reading, so
that those of two documents never meet.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from typing import TypeAlias

import pyoxigraph as ox

from app.errors import BadFile, BadParameter, UnsupportedMedia
from app.model.rdf import IRI, Blank, Literal, Quad

FORMATS: Mapping[str, ox.RdfFormat] = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/n-quads": ox.RdfFormat.N_QUADS,
    "application/trig": ox.RdfFormat.TRIG,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
    "application/ld+json": ox.RdfFormat.JSON_LD,
}
"""Formats by media type, the preferred one first."""

GraphName: TypeAlias = IRI | None
"""A named graph, or None for the default graph."""

_BODY = "the body"
_LENGTH = struct.Struct("<I")
_ENTITY = re.compile(r"<!ENTITY\s+(?P<parameter>%\s+)?(?P<name>[^\s\"']+)\s+(?P<value>\"[^\"]*\"|'[^']*')?")
_REFERENCE = re.compile(r"&([^#;\s&]+);")
_GROWTH = 1_000_000
"""Characters by which the entities of an XML document may make it longer."""
_DEEPEST = 1_000
"""Parts within parts of a document: the parser's stack ends at a few thousand, and the whole process with it."""
_JSON_PART = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
_XML_PART = re.compile(
    rb"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|<!"
    rb"|<(?P<end>/)?(?:[^\"'<>/]|/(?!>)|\"[^\"]*(?:\"|\Z)|'[^']*(?:'|\Z))*+(?P<empty>/)?>",
    re.DOTALL,
)


def read(data: bytes, media_type: str, *, base: str, graph: GraphName) -> frozenset[Quad]:
    """The quads of one document in its graph.

    Raises UnsupportedMedia for a format that is not known, and BadFile for bytes that are not what they say and for
    another graph's name, and BadParameter for triple terms, which the graph has no place for.
    """
    if media_type not in FORMATS:
        raise UnsupportedMedia(
            f"{media_type or 'a body without a type'} is not read here", advice=f"Send one of: {', '.join(FORMATS)}."
        )
    if media_type == "application/rdf+xml":
        _refuse_growing_entities(data)
    _refuse_depth(data, media_type)
    try:
        found = list(ox.parse(data, format=FORMATS[media_type], base_iri=base, rename_blank_nodes=True))
    except SyntaxError as error:
        raise BadFile(
            _BODY, error.msg, line=error.lineno, column=error.offset, advice="Mend the syntax at that place."
        ) from error
    except ValueError as error:
        raise BadFile(_BODY, f"cannot be read: {error}", advice="Check format and encoding.") from error
    home = ox.DefaultGraph() if graph is None else graph
    quads = set()
    for quad in found:
        if quad.graph_name not in {ox.DefaultGraph(), home}:
            raise BadFile(
                _BODY, f"names another graph: {quad.graph_name}", advice="Send each graph to its own address."
            )
        _refuse_triple_terms(quad)
        quads.add(Quad(quad.subject, quad.predicate, quad.object, home))
    return frozenset(quads)


def read_quads(data: bytes, media_type: str) -> frozenset[Quad]:
    """The quads of a document that may hold any graphs, with the blank nodes' own names; BadFile names the place."""
    try:
        found = frozenset(ox.parse(data, format=FORMATS[media_type]))
    except SyntaxError as error:
        raise BadFile(
            "the graph", error.msg, line=error.lineno, column=error.offset, advice="Mend the syntax at that place."
        ) from error
    except ValueError as error:
        raise BadFile("the graph", f"cannot be read: {error}", advice="Check format and encoding.") from error
    for quad in found:
        _refuse_triple_terms(quad)
    return found


def changed(answer: bytes) -> tuple[frozenset[Quad], frozenset[Quad]]:
    """The quads that an update adds and removes, from what a reader answers (see `reader.change`)."""
    _refuse_depth(answer, "application/n-quads")
    middle = _LENGTH.size + _LENGTH.unpack_from(answer)[0]
    added, removed = (
        frozenset(ox.parse(part, format=ox.RdfFormat.N_QUADS))
        for part in (answer[_LENGTH.size : middle], answer[middle:])
    )
    for quad in added:
        _refuse_triple_terms(quad)
    return added, removed


def of_graph(quads: Iterable[Quad], graph: GraphName) -> frozenset[Quad]:
    """The quads of one graph."""
    home = ox.DefaultGraph() if graph is None else graph
    return frozenset(quad for quad in quads if quad.graph_name == home)


def _refuse_triple_terms(quad: Quad) -> None:
    if not isinstance(quad.object, IRI | Blank | Literal):
        raise BadParameter(
            "body", f"a triple term has no place here: {str(quad.object)[:200]}", advice="Describe it by claims."
        )


def _refuse_depth(data: bytes, media_type: str) -> None:
    """Refuse a document whose parts are nested so deep that reading it would end the process, or never end."""
    depth = 0
    if media_type == "application/ld+json":
        if data.count(b"{") + data.count(b"[") > _DEEPEST:
            for part in _JSON_PART.finditer(data):
                depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(part.group(), 0)
                if depth > _DEEPEST:
                    break
    elif media_type == "application/rdf+xml":
        for part in _XML_PART.finditer(data):
            if part.group()[:2] not in {b"<!", b"<?"} and not part["empty"]:
                depth += -1 if part["end"] else 1
                if depth > _DEEPEST:
                    break
    else:
        depth = data.count(b"<<(")
    if depth > _DEEPEST:
        raise BadFile(_BODY, f"is nested more than {_DEEPEST} deep", advice="Write it in a flatter way, or as Turtle.")


def _refuse_growing_entities(data: bytes) -> None:
    """Refuse XML whose entities make a small document a huge one; names of namespaces may be entities."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise BadFile(
            _BODY,
            "is not UTF-8",
            line=before.count(b"\n") + 1,
            column=error.start - before.rfind(b"\n"),
            advice="Encode it as UTF-8.",
        ) from error
    if "<!ENTITY" not in text:
        return
    lengths: dict[str, int] = {}
    for entity in _ENTITY.finditer(text):
        value = entity["value"]
        if value is None or entity["parameter"] or _REFERENCE.search(value):
            raise BadFile(_BODY, f"the entity {entity['name']} is not plain text", advice="Write it out.")
        lengths[entity["name"]] = max(lengths.get(entity["name"], 0), len(value))
    if len(lengths) == 0 or sum(lengths.get(name, 0) for name in _REFERENCE.findall(text)) > _GROWTH:
        raise BadFile(_BODY, "its entities make it too long", advice="Write them out, or send Turtle.")
