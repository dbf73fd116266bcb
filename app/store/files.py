"""Reads RDF files into quads; a mistake names file, line and column. Never touches a store."""

from __future__ import annotations

from pathlib import Path

import pyoxigraph as ox

from app.errors import BadFile
from app.model.rdf import IRI, Blank, Quad

_FORMATS = {
    ".ttl": ox.RdfFormat.TURTLE,
    ".trig": ox.RdfFormat.TRIG,
    ".nt": ox.RdfFormat.N_TRIPLES,
    ".nq": ox.RdfFormat.N_QUADS,
}


def read_rdf(path: Path, graph: IRI | None = None) -> list[Quad]:
    """Read a Turtle, TriG, N-Triples or N-Quads file.

    `graph` is the home of triples that name none; without it such a triple is an error. Raises BadFile for an unknown
    ending, bytes that are not UTF-8 and any syntax error, also at a cut-off end of the file.
    """
    if path.suffix not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise BadFile(path, f"has the ending {path.suffix!r}", advice=f"Known endings: {known}.")
    try:
        found = list(ox.parse(path=str(path), format=_FORMATS[path.suffix]))
    except SyntaxError as error:
        raise BadFile(
            path, error.msg, line=error.lineno, column=error.offset, advice="Mend the syntax at that place."
        ) from error
    except (OSError, ValueError) as error:
        raise BadFile(path, f"cannot be read: {error}", advice="Check the path and the encoding.") from error
    quads: list[Quad] = []
    for quad in found:
        if isinstance(quad.subject, Blank) or isinstance(quad.object, Blank):
            raise BadFile(
                path,
                f"has a blank node: {quad}",
                advice="Give the thing an IRI: a blank node gets another name at each reading.",
            )
        if isinstance(quad.graph_name, ox.DefaultGraph):
            if graph is None:
                raise BadFile(
                    path, f"has a triple outside a named graph: {quad}", advice="Put it into GRAPH <…> { … }."
                )
            quads.append(Quad(quad.subject, quad.predicate, quad.object, graph))
        else:
            quads.append(quad)
    return quads
