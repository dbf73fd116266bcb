"""A process that writes to a store on an external engine, to be killed. Arguments: what, address (JSON), name.

commit   commit without end and say each number when it is done
steps    for each request of one commit: a child makes that commit and dies of SIGKILL before the request leaves,
         another one when its answer has come; after each the parent says what it finds, repairs, and looks again
die      add one quad to what is there, and die in the middle of the commit
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator

import httpx

from app.errors import StoreEmpty
from app.model.rdf import Quad
from app.store.port import GraphStore
from app.store.remote import RemoteStore
from app.store.remote_http import Address
from tests.store.quads import change, content, quad

GRAPHS = 3
SIZE = 20


def quads_of(number: int) -> set[Quad]:
    """The whole content of revision `number`: every quad bears the number."""
    return {quad(f"s{k}", number, f"g{k % GRAPHS}") for k in range(SIZE)} if number else set()


def commit_next(store: GraphStore, number: int) -> None:
    store.apply(change(quads_of(number + 1), quads_of(number)), expect=number)


def number_of(store: GraphStore) -> int:
    try:
        return store.head().number
    except StoreEmpty:
        return 0


def commit(address: Address, name: str) -> None:
    store = RemoteStore(address, name)
    number = number_of(store)
    print("ready", flush=True)  # noqa: T201
    while True:
        commit_next(store, number)
        number += 1
        print(number, flush=True)  # noqa: T201


def die(address: Address, name: str) -> None:
    store = RemoteStore(address, name)
    number = number_of(store)
    _die_at(8, after=True)
    store.apply(change([quad("s", number)]), expect=number)


def steps(address: Address, name: str) -> None:
    for after in (False, True):
        last = 0
        while True:
            last += 1
            number = number_of(RemoteStore(address, name))
            if _child(address, name, number, last, after=after):
                break
            print(json.dumps({"after": after, "step": last, "expected": number, **_found(address, name)}), flush=True)  # noqa: T201


def _child(address: Address, name: str, number: int, last: int, *, after: bool) -> bool:
    """Whether a child came through one commit, or was killed at a request."""
    pid = os.fork()
    if pid == 0:
        _die_at(last, after=after)
        commit_next(RemoteStore(address, name), number)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == 0


def _die_at(last: int, *, after: bool) -> None:
    """Kill this process at its request number `last`."""
    taken = 0
    send = httpx.HTTPTransport.handle_request

    def counted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        nonlocal taken
        taken += 1
        if taken == last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        response = send(self, request)
        if taken == last:
            response.read()
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    httpx.HTTPTransport.handle_request = counted  # type: ignore[method-assign]  # this process is here to die


def _found(address: Address, name: str) -> dict[str, object]:
    store = RemoteStore(address, name)
    number = number_of(store)
    whole = number == 0 or content(store) == quads_of(number)
    left = len(store.half_done())
    done = len(store.repair())
    again = number == number_of(store) and (number == 0 or content(store) == quads_of(number))
    return {
        "number": number,
        "whole": whole,
        "left": left,
        "done": done,
        "clean": store.half_done() == (),
        "again": again,
    }


def states(lines: Iterator[str]) -> list[dict[str, object]]:
    """What the parent of `steps` said."""
    return [json.loads(line) for line in lines]


def main(what: str, address: str, name: str) -> None:
    {"commit": commit, "steps": steps, "die": die}[what](Address(**json.loads(address)), name)


if __name__ == "__main__":
    main(*sys.argv[1:])
