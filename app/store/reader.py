"""The process that answers strangers' queries: holds one revision and can be killed at any moment.

    front ──control socket──► template (holds the revision in memory) ──fork──► reader ◄──data socket── front

A template loads a revision once. For each reader it forks itself, so a reader costs milliseconds and shares the
template's memory. It moves on to a later revision when the front says so, by the patches between: readers that were
forked before keep theirs. A reader gives up everything that a query could misuse: it cannot open a file or a socket
any more, cannot grow past its memory limit, and dies with its template. One that reads a revision from disk can open
as many files as that has, and only to read. Run as `python -m app.store.reader FD FOLDER MEGABYTES MODE`.

Frames are a length (4 bytes, little endian) and that many bytes. A request is JSON; an answer begins with one
status byte.
Imports nothing of the application but its own cage and patches.
"""

from __future__ import annotations

import array
import ctypes
import gc
import io
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any, cast

import pyoxigraph as ox

from app.store import cage, patch

OK = 0
BAD_QUERY = 1
TOO_LARGE = 2
FAILED = 3
FORK, MOVE_ON = b"F", b"N"
"""What the front asks of a template: a reader, with the socket that it gets; or a later revision, with a frame."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How rows show in a format: `mark` stands once in each, and `more` times besides.

    Where a string may hold the mark too, `string` finds whole strings, and the last one if it is cut off.
    """

    format: ox.QueryResultsFormat
    mark: bytes
    more: int
    string: re.Pattern[bytes] | None = None

    def marks(self, data: bytes) -> int:
        """How often the mark stands outside of strings."""
        return (self.string.sub(b"", data) if self.string is not None else data).count(self.mark)


RESULTS = {
    "application/sparql-results+json": Rows(
        ox.QueryResultsFormat.JSON, b"},{", -1, re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL)
    ),
    "application/sparql-results+xml": Rows(ox.QueryResultsFormat.XML, b"</result>", 0),
    "text/csv": Rows(ox.QueryResultsFormat.CSV, b"\r\n", 1, re.compile(rb'"(?:[^"]++|"")*+(?:"|\Z)')),
    "text/tab-separated-values": Rows(ox.QueryResultsFormat.TSV, b"\n", 1),
}
_GRAPHS = {
    "text/turtle": ox.RdfFormat.TURTLE,
    "application/n-triples": ox.RdfFormat.N_TRIPLES,
    "application/n-quads": ox.RdfFormat.N_QUADS,
    "application/trig": ox.RdfFormat.TRIG,
    "application/ld+json": ox.RdfFormat.JSON_LD,
    "application/rdf+xml": ox.RdfFormat.RDF_XML,
}
_LENGTH = struct.Struct("<I")
_PARENT_DEATH_SIGNAL = 1
_OPENED_AT_ONCE = 16
"""Files that RocksDB opens when it starts; the others it opens when a query comes to them."""
_AT_ONCE = 32
"""Parts of an answer that are sent as one, so that the front wakes up once for most answers."""


class TooLargeError(Exception):
    """The answer passed its limit of bytes or rows."""


class EnoughError(Exception):
    """As many rows have come as were asked for."""


class Output(io.RawIOBase):
    """Collects an answer's bytes up to a limit of bytes and of rows.

    Marks are counted as they pass. That may count too many, when a string looks like the end of a row, so at the limit
    all that has come is counted properly, and again when it has doubled.
    """

    def __init__(self, max_bytes: int, max_rows: int, rows: Rows | None) -> None:
        super().__init__()
        self.parts: list[bytes] = []
        self._rows = rows
        self._size = 0
        self._most_bytes = max_bytes
        self._most_marks = max_rows + (rows.more if rows is not None else 0)
        self._marks = 0
        self._tail = b""
        self._next_look = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the engine only ever writes bytes
        """Take a part of the answer."""
        self._size += len(data)
        if self._size > self._most_bytes:
            raise TooLargeError(f"the answer is longer than {self._most_bytes} bytes")
        self.parts.append(bytes(data))
        if self._rows is not None:
            mark = self._rows.mark
            self._marks += (self._tail + data).count(mark)
            self._tail = (self._tail + data)[1 - len(mark) :] if len(mark) > 1 else b""
            if self._marks > self._most_marks and self._size >= self._next_look:
                self.check()
                self._next_look = 2 * self._size
        return len(data)

    def check(self) -> None:
        """Count properly, if there is doubt."""
        if self._rows is None or self._marks <= self._most_marks:
            return
        if self._rows.marks(b"".join(self.parts)) > self._most_marks:
            raise TooLargeError(f"the answer has more than {self._most_marks - self._rows.more} rows")


class First(Output):
    """Collects an answer in lines up to the end of so many lines, and then wants no more."""

    def __init__(self, max_bytes: int, lines: int) -> None:
        super().__init__(max_bytes, 0, None)
        self._missing = lines

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the engine only ever writes bytes
        """Take a part of the answer. The engine may try once more to write when it has been told that it is enough."""
        if not self._missing:
            raise EnoughError
        super().write(data)
        ends = data.count(b"\n")
        if ends < self._missing:
            self._missing -= ends
            return len(data)
        end = 0
        for _ in range(self._missing):
            end = data.index(b"\n", end) + 1
        self._missing = 0
        self.parts[-1] = data[:end]
        raise EnoughError


CUT = ("text/tab-separated-values", "application/n-triples")
"""Formats in which each row or triple is a line of its own, so that an answer can end after any."""


def gives_graph(media_type: str) -> bool:
    """Whether a format is one of graphs; only these are written with prefixes."""
    return media_type in _GRAPHS


def answer(store: ox.Store, request: dict[str, Any]) -> tuple[int, list[bytes]]:
    """Answer one request: `query`, `union`, `default_graphs`, `named_graphs`, `media_type`, `max_bytes`, `max_rows`.

    Also `prefixes` for graph formats and, where relative IRIs have one, their `base`. With `first` the answer ends
    after so many rows or triples.
    """
    media_type = request["media_type"]
    graph_format = _GRAPHS.get(media_type)
    rows = RESULTS.get(media_type)
    first = request.get("first")
    output = (
        Output(request["max_bytes"], request["max_rows"], rows)
        if first is None
        else First(request["max_bytes"], first + (rows is not None))
    )
    try:
        options: dict[str, Any] = {"use_default_graph_as_union": request["union"]}
        if request["default_graphs"] or request["named_graphs"]:
            options = {
                "default_graph": [ox.NamedNode(graph) for graph in request["default_graphs"]],
                "named_graphs": [ox.NamedNode(graph) for graph in request["named_graphs"]],
            }
        result = store.query(request["query"], base_iri=request.get("base"), **options)
        if isinstance(result, ox.QueryTriples):
            triples = each_once(result, request["max_rows"]) if first is None else islice(new(result), first)
            ox.serialize(triples, output=cast(IO[bytes], output), format=graph_format, prefixes=request["prefixes"])
        else:
            result.serialize(output=cast(IO[bytes], output), format=rows.format if rows is not None else None)
            output.check()
    except SyntaxError as error:
        return BAD_QUERY, [str(error).encode()]
    except EnoughError:
        return OK, output.parts
    except TooLargeError:
        return TOO_LARGE, []
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        return FAILED, [f"{type(error).__name__}: {error}".encode()]
    return OK, output.parts


def each_once(triples: Iterable[ox.Triple], most: int) -> Iterable[ox.Triple]:
    """Triples without repetitions, which the engine itself makes; not more than so many."""
    unique: list[ox.Triple] = []
    for triple in new(triples):
        if len(unique) == most:
            raise TooLargeError(f"the answer has more than {most} triples")
        unique.append(triple)
    return unique


def new(triples: Iterable[ox.Triple]) -> Iterator[ox.Triple]:
    """Triples as they come, each once."""
    seen: set[ox.Triple] = set()
    for triple in triples:
        if triple not in seen:
            seen.add(triple)
            yield triple


def change(store: ox.Store, request: dict[str, Any], *, in_memory: bool = True) -> tuple[int, list[bytes]]:
    """Run an update on this process's own copy and answer with what it changed: added, then removed, as N-Quads.

    `graph` narrows the update to one named graph, which it then sees as its default graph. The copy is spoilt
    afterwards, so the front ends the process. LOAD finds no network: with SILENT it does nothing.
    """
    graph = request.get("graph")
    try:
        target = _copy_of(store, ox.NamedNode(graph)) if graph else store if in_memory else _whole_copy(store)
        size, known = len(target), set(map(hash, target))
        before, again = iter(target), iter(target)  # they go on seeing this state
        target.update(request["update"], base_iri=request["base"])
    except SyntaxError as error:
        return BAD_QUERY, [str(error).encode()]
    except (ValueError, OSError, RuntimeError, TypeError) as error:
        return FAILED, [f"{type(error).__name__}: {error}".encode()]
    removed = [quad for quad in before if quad not in target]
    coming = len(target) - size + len(removed)
    added = [quad for quad in target if hash(quad) not in known] if coming else []
    if len(added) != coming:  # the hash of a new quad is that of an old one
        exactly = set(again)
        added = [quad for quad in target if quad not in exactly]
    if graph and any(quad.graph_name != ox.DefaultGraph() for quad in added):
        return FAILED, [b"it writes to another graph than the one that it was sent to"]
    home = ox.NamedNode(graph) if graph else None
    parts = [_n_quads(quads, home) for quads in (added, removed)]
    if sum(map(len, parts)) > request["max_bytes"]:
        return TOO_LARGE, []
    return OK, [_LENGTH.pack(len(parts[0])), *parts]


def _whole_copy(store: ox.Store) -> ox.Store:
    """A store in memory with the same quads: one on disk is only read here."""
    copy = ox.Store()
    copy.bulk_extend(store)
    return copy


def _copy_of(store: ox.Store, graph: ox.NamedNode) -> ox.Store:
    """One named graph as the default graph of a store of its own."""
    alone = ox.Store()
    alone.extend(
        ox.Quad(quad.subject, quad.predicate, quad.object) for quad in store.quads_for_pattern(None, None, None, graph)
    )
    return alone


def _n_quads(quads: list[ox.Quad], home: ox.NamedNode | None) -> bytes:
    moved = quads if home is None else [ox.Quad(quad.subject, quad.predicate, quad.object, home) for quad in quads]
    return ox.serialize(moved, format=ox.RdfFormat.N_QUADS) or b""


def _serve(store: ox.Store, connection: socket.socket, *, in_memory: bool) -> None:
    """Answer requests until the front hangs up."""
    while (request := _receive(connection)) is not None:
        asked = json.loads(request)
        status, parts = change(store, asked, in_memory=in_memory) if "update" in asked else answer(store, asked)
        parts.insert(0, _LENGTH.pack(sum(map(len, parts)) + 1) + bytes([status]))
        if len(parts) <= _AT_ONCE:
            connection.sendall(b"".join(parts))
            continue
        for part in parts:
            connection.sendall(part)


def _receive(connection: socket.socket) -> bytes | None:
    header = _exactly(connection, _LENGTH.size)
    return None if header is None else _exactly(connection, _LENGTH.unpack(header)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return bytes(data)


def _confine(megabytes: int, template: int) -> None:
    """Give up what a query could misuse. The memory limit counts on top of what the template already holds."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != template:  # it ended before the signal was asked for
        os._exit(0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    held = int(open("/proc/self/statm", encoding="ascii").read().split()[0]) * resource.getpagesize()  # noqa: SIM115, PTH123
    limit = held + megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _close_the_door(spare: int = 0) -> None:
    """From here on no file and no socket can be opened but for so many: all other numbers below the limit are taken."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    limit = highest + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit + spare))
    try:
        while True:
            os.dup(2)
    except OSError:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit + spare, limit + spare))


def _files_to_come(folder: str) -> int:
    """How many files of a revision its storage may still open when it has started."""
    files = sum(name.endswith(".sst") for name in os.listdir(folder))  # noqa: PTH208
    return files if files > _OPENED_AT_ONCE else 0


def _template(control: socket.socket, folder: str, megabytes: int, mode: str) -> None:
    """Hold a revision, fork a reader for each socket that the front sends, and move on when it says so."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    store = _in_memory(folder) if mode == "memory" else None
    gc.collect()
    gc.freeze()
    control.sendall(b"R")
    while True:
        descriptors = array.array("i")
        message, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(descriptors.itemsize))
        if not message:
            return
        if message == MOVE_ON and store is not None:
            _move_on(store, json.loads(_receive(control) or b"[]"))
            control.sendall(b"R")
            continue
        for _, _, data in ancillary:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        template = os.getpid()
        child = os.fork()
        if child == 0:
            control.close()
            _reader(descriptors[0], store, folder, megabytes, template)
        os.close(descriptors[0])
        control.sendall(_LENGTH.pack(child))


def _move_on(store: ox.Store, patches: list[str]) -> None:
    """Change the graph in memory by patches; ends the process where one is not of this graph."""
    for path in patches:
        add, remove = patch.unpacked(open(path, "rb").read(), path)  # noqa: SIM115, PTH123
        if not all(quad in store for quad in remove) or any(quad in store for quad in add):
            sys.exit(1)
        for quad in remove:
            store.remove(quad)
        store.extend(add)


def _reader(descriptor: int, store: ox.Store | None, folder: str, megabytes: int, template: int) -> None:
    """Be a reader until the front hangs up; never returns."""
    try:
        connection = socket.socket(fileno=descriptor)
        held = store if store is not None else ox.Store.read_only(folder)
        _confine(megabytes, template)
        _close_the_door(spare=0 if store is not None else _files_to_come(folder))
        cage.no_way_out()
        _serve(held, connection, in_memory=store is not None)
    except (OSError, MemoryError):
        pass
    finally:
        os._exit(0)


def _in_memory(folder: str) -> ox.Store:
    store = ox.Store()
    store.bulk_extend(ox.Store.read_only(folder))
    return store


def main() -> None:
    """Be a template for the folder that the command line names."""
    descriptor, folder, megabytes, mode = sys.argv[1:5]
    _template(socket.socket(fileno=int(descriptor)), folder, int(megabytes), mode)


if __name__ == "__main__":
    main()
