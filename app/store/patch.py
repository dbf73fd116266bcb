"""Changes as text: RDF Patch, the format of Apache Jena. Never touches a store.

    H id <https://w3id.org/slmkg/resource/revision/7> .      what it is, and what it applies to
    H prev <https://w3id.org/slmkg/resource/revision/6> .
    TX .
    D <s> <p> "old" <g> .
    A <s> <p> "new" <g> .
    TC .

A row is a line; terms are written as in N-Quads. Rows are sorted, so that the same change is the same text. Blank nodes
keep their labels, as the format wants it: they name the same nodes as in the store.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import pyoxigraph as ox

from app.errors import BadFile
from app.model.rdf import Quad

MEDIA_TYPE = "application/rdf-patch"
_END = b" ."


def written(add: Iterable[Quad], remove: Iterable[Quad], headers: Iterable[tuple[str, str]] = ()) -> bytes:
    """A change as a patch. `headers` are names and IRIs."""
    rows = [f"H {name} <{value}> .".encode() for name, value in headers]
    rows.append(b"TX .")
    for code, quads in ((b"D ", remove), (b"A ", add)):
        rows += [code + line for line in sorted(_lines(quads))]
    return b"\n".join([*rows, b"TC .", b""])


def read(patch: bytes, name: str = "the patch") -> tuple[frozenset[Quad], frozenset[Quad]]:
    """The quads that a patch adds and removes; BadFile names the line of a mistake.

    Rows that add and remove the same quad count in their order. Prefixes are not read here: slmkg writes none.
    """
    changes: dict[bytes, list[bytes]] = {b"A": [], b"D": []}
    order: dict[bytes, bytes] = {}
    rows = patch.split(b"\n")
    committed = b"TC ." in rows[-2:]
    for number, row in enumerate(rows, start=1):
        code, _, rest = row.partition(b" ")
        if code in changes and row.endswith(_END):
            order[rest] = code
        elif row and not (row.endswith(_END) and code in {b"H", b"TX", b"TC"}):
            raise BadFile(name, "is no row of an RDF patch", line=number, advice="Rows begin with H, TX, A, D or TC.")
    if not committed:
        raise BadFile(name, "ends before its transaction does", line=len(rows), advice="Get the whole of it.")
    for rest, code in order.items():
        changes[code].append(rest)
    try:
        add, remove = (
            frozenset(ox.parse(b"\n".join(changes[code]), format=ox.RdfFormat.N_QUADS)) for code in (b"A", b"D")
        )
    except SyntaxError as error:
        raise BadFile(name, f"has a quad that cannot be read: {error.msg}", advice="Write it as in N-Quads.") from error
    return add, remove


def packed(add: Iterable[Quad], remove: Iterable[Quad]) -> bytes:
    """A patch, compressed (zlib): a first load of 136,000 quads takes about 3 MB."""
    return zlib.compress(written(add, remove), 4)


def unpacked(data: bytes, name: str) -> tuple[frozenset[Quad], frozenset[Quad]]:
    """Read `packed`; BadFile."""
    try:
        patch = zlib.decompress(data)
    except zlib.error as error:
        raise BadFile(name, f"cannot be unpacked: {error}", advice="Restore it from a backup.") from error
    return read(patch, name)


def _lines(quads: Iterable[Quad]) -> list[bytes]:
    lines = ox.serialize(quads, format=ox.RdfFormat.N_QUADS) or b""
    return lines.split(b"\n")[:-1]
