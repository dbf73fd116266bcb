"""What goes wrong on demand: faults at the k-th request, and answers that are bent."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any

from tests.orkg_double.messages import Answer, Request, encoded
from tests.orkg_double.state import Json

KINDS = (
    "refused",
    "cut",
    "502",
    "502-after",
    "504",
    "504-after",
    "503",
    "429",
    "slow",
    "expired",
    "crash",
    "crash-after",
)
"""refused: the connection is cut and nothing was done. cut: it was done, then the connection is cut.
502, 504: an HTML answer of the proxy, nothing was done; with -after it was done.
503, 429: busy, with Retry-After, nothing was done. slow: done at once, answered late.
expired: all access tokens expire before the request. crash: the client dies before it sends the request;
crash-after: it dies after the request was carried out, before it sees the answer (over a socket these two look like
refused and cut)."""
BEFORE = frozenset({"refused", "502", "504", "503", "429", "crash"})
"""Those that keep a request from being carried out."""
CUTS = frozenset({"refused", "cut", "crash", "crash-after"})
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the `at`-th request that counts, the next one being 1."""

    at: int
    what: str
    seconds: float = 1.0
    """How late a slow answer is; what Retry-After says."""

    def __post_init__(self) -> None:
        if self.what not in KINDS or self.at < 1:
            raise ValueError(f"no fault: {self.what!r} at {self.at}")


@dataclass(slots=True)
class Schedule:
    """Faults to come. `counts` says which requests count: `all` of the API and sign-in, or only `writes` of the API."""

    faults: dict[int, Fault] = field(default_factory=dict)
    counts: str = "all"
    seen: int = 0

    @classmethod
    def of(cls, faults: list[Fault], counts: str = "all") -> Schedule:
        """Faults at the numbers they name."""
        if counts not in ("all", "writes"):
            raise ValueError(f"what counts is all or writes, not {counts!r}")
        return cls({one.at: one for one in faults}, counts)

    @classmethod
    def drawn(
        cls,
        seed: int,
        *,
        rate: float = 0.2,
        length: int = 500,
        most: int = 10,
        kinds: tuple[str, ...] = KINDS,
        counts: str = "all",
    ) -> Schedule:
        """A schedule drawn at random, the same for the same seed: `most` faults within the next `length` requests."""
        chance = random.Random(seed)
        found: list[Fault] = []
        for at in range(1, length + 1):
            if len(found) < most and chance.random() < rate:
                found.append(Fault(at, chance.choice(kinds)))
        return cls.of(found, counts)

    def next(self, request: Request) -> Fault | None:
        """The fault that strikes a request, which is counted."""
        if self.counts == "writes" and not (request.method in WRITES and request.path.startswith("/api/")):
            return None
        self.seen += 1
        return self.faults.pop(self.seen, None)


def proxy_answer(what: str, seconds: float) -> Answer:
    """What the proxy in front of ORKG says by itself: HTML, no problem+json."""
    status = int(what.partition("-")[0])
    name = {
        502: "Bad Gateway",
        503: "Service Temporarily Unavailable",
        504: "Gateway Time-out",
        429: "Too Many Requests",
    }
    page = (
        f"<html>\r\n<head><title>{status} {name[status]}</title></head>\r\n<body>\r\n<center><h1>{status} "
        f"{name[status]}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    again = (("Retry-After", str(int(seconds))),) if status in (429, 503) else ()
    return Answer(status, (("Content-Type", "text/html"), *again), page.encode())


BENDS = (
    "rename",
    "drop",
    "set",
    "half-empty",
    "media-type",
    "html",
    "redirect",
    "endless",
    "oversized",
    "truncated",
    "empty-body",
)


@dataclass(frozen=True, slots=True)
class Bend:
    """How answers are bent whose path fits a pattern (`path`, whole, as a regular expression) and that are no errors.

    rename, drop, set: the key `key` at any depth gets the name, or value, `to`, or goes. half-empty: every second value
    of a table is missing, and half of its rows. media-type: the answer calls itself `to`. html: a page instead.
    redirect: 302 to `to`. endless: every page is followed by another. oversized: one page holds `to` rows, whatever
    was asked for. truncated: the body ends in the middle. empty-body: 200 and nothing.
    """

    what: str
    path: str = ".*"
    key: str = ""
    to: Any = None
    method: str = "GET"

    def __post_init__(self) -> None:
        if self.what not in BENDS:
            raise ValueError(f"no bend: {self.what!r}")

    def fits(self, request: Request, answer: Answer) -> bool:
        """Whether it is this answer that is bent."""
        return (
            answer.status < 300 and request.method == self.method and re.fullmatch(self.path, request.path) is not None
        )

    def apply(self, request: Request, answer: Answer) -> Answer:
        """The bent answer."""
        kind = ("Content-Type", answer.header("content-type") or "application/json")
        match self.what:
            case "media-type":
                return Answer(answer.status, (("Content-Type", str(self.to)),), answer.body)
            case "html":
                return Answer(200, (("Content-Type", "text/html"),), b"<html><body>Under maintenance</body></html>")
            case "redirect":
                return Answer(302, (("Location", str(self.to)),))
            case "truncated":
                return Answer(answer.status, (kind,), answer.body[: len(answer.body) // 2])
            case "empty-body":
                return Answer(answer.status, (kind,))
        return Answer(answer.status, (kind,), encoded(self._bent(request, json.loads(answer.body))))

    def _bent(self, request: Request, value: Json) -> Json:
        match self.what:
            case "half-empty":
                return _half_empty(value)
            case "endless":
                number = max(int(request.one("page") or 0), 0)
                value["page"] |= {"number": number, "total_pages": number + 2}
                value["page"]["total_elements"] = (number + 2) * value["page"]["size"]
                if not value["content"]:
                    value["content"] = [{"id": f"R{number}"}]
                return value
            case "oversized":
                rows = int(self.to)
                value["content"] = (value["content"] * rows)[:rows]
                value["page"] = {"size": rows, "number": 0, "total_elements": rows, "total_pages": 1}
                return value
        return _rekeyed(value, self)


def _rekeyed(value: Json, bend: Bend) -> Json:
    if isinstance(value, list):
        return [_rekeyed(one, bend) for one in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, one in value.items():
        if key != bend.key:
            found[key] = _rekeyed(one, bend)
        elif bend.what == "rename":
            found[str(bend.to)] = _rekeyed(one, bend)
        elif bend.what == "set":
            found[key] = bend.to
    return found


def _half_empty(table: Json) -> Json:
    for number, (key, rows) in enumerate(list(table["values"].items())):
        if number % 2:
            del table["values"][key]
        for row in rows:
            row["values"] = [None if column % 2 else one for column, one in enumerate(row["values"])]
    return table
