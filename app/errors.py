"""Errors of the whole application, with stable codes and facts instead of sentences about HTTP.

    AppError
    ├── InputError              the caller can mend it
    │   ├── BadFile             a file names a wrong column, number, encoding, syntax …   (bad-file)
    │   ├── BadTable            cells of a table that cannot be read safely               (bad-table)
    │   ├── RandomScores        scores of random weights, which say nothing               (random-scores)
    │   ├── BadParameter        a request parameter or option does not fit                (bad-parameter)
    │   ├── BadQuery            SPARQL that does not parse                                (bad-query)
    │   ├── QueryRefused        SPARQL that parses and is not allowed here                (query-refused)
    │   ├── BadValue            a member of a body does not fit                           (bad-value)
    │   ├── NotAcceptable       no format on offer fits the Accept header                 (not-acceptable)
    │   └── UnsupportedMedia    a body in a format that is not read here                  (unsupported-media)
    ├── NotFound                no such thing                                             (not-found)
    ├── Unauthorized            no key, or an unknown one                                 (unauthorized)
    ├── Forbidden               the key lacks a scope                                     (forbidden)
    ├── WritesElsewhere         a process that only reads was asked to write              (writes-elsewhere)
    ├── SelfReview              nobody reviews what they proposed                         (self-review)
    ├── FormRefused             a form that was not sent from our own page                (form-refused)
    ├── Conflict                what is asked collides with what stands                   (conflict)
    ├── PreconditionNeeded      a write that needs `If-Match` came without it             (precondition-needed)
    ├── EngineRefused           the inference engine cannot run this model or file        (engine-refused)
    ├── NoMemory                the machine, or a limit, has no memory left for it        (no-memory)
    ├── TooManyRequests         the client asks too much                                  (too-many-requests)
    ├── TooBusy                 everybody together asks too much                          (too-busy)
    ├── QueryTimeout            stopped at a limit of time or memory                      (query-timeout)
    ├── DrawingTimeout          a picture that was stopped at such a limit                (drawing-timeout)
    ├── StaleRevision           somebody committed first                                  (stale-revision)
    ├── ConditionFailed         what the client asks to hold first does not hold          (condition-failed)
    ├── RevertConflict          later revisions changed what is to be undone              (revert-conflict)
    ├── InvalidGraph            the change would break a constraint                       (invalid-graph)
    ├── ReleaseExists           a release of this name is there and holds something else  (release-exists)
    ├── Unmeasurable            no engine that was asked can run the model                (unmeasurable)
    ├── ExtraMissing            a package is not installed that only an extra brings      (extra-missing)
    ├── NoRoom                  the disk has no room for a file that is to be made        (no-room)
    ├── PreparationFailed       a model file could not be made                            (preparation-failed)
    ├── HubUnavailable          the Hugging Face hub does not answer                      (hub-unavailable)
    ├── ServiceUnavailable      a service elsewhere does not answer                       (service-unavailable)
    ├── OrkgError               the Open Research Knowledge Graph                         (orkg-error)
    │   ├── OrkgUnavailable     it cannot be reached, or is too busy                      (orkg-unavailable)
    │   │   └── OrkgUncertain   a write was sent, and nobody knows whether it was done    (orkg-uncertain)
    │   ├── OrkgChanged         an answer is not what its interface used to be            (orkg-changed)
    │   ├── OrkgRefused         it does not do what was asked                             (orkg-refused)
    │   │   └── OrkgMissing     it knows no such thing                                    (orkg-missing)
    │   ├── OrkgDrift           it is not any more as it was when the push was planned     (orkg-drift)
    │   └── OrkgSignIn          name and password were not taken, or there are none       (orkg-sign-in)
    └── StoreError              the store itself
        ├── StoreBusy           another process is writing                                (store-busy)
        ├── StoreEmpty          nothing has been loaded yet                               (store-empty)
        ├── StoreDamaged        the data folder cannot be read                            (store-damaged)
        ├── StoreFull           the disk has no room for the change                       (store-full)
        ├── FolderTooNew        a newer slmkg wrote the data folder                       (folder-too-new)
        ├── StoreReadOnly       the data folder cannot be written                         (store-read-only)
        └── EngineUnavailable   an external engine does not answer, or not as it should   (engine-unavailable)

`app.outcomes` is the one table from code to HTTP status, exit code and documentation. This module never
speaks of HTTP and never prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class AppError(Exception):
    """Base of every error that a user may see. `advice` says what to do next."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class InputError(AppError):
    """Something the caller gave cannot be used; nothing was changed."""

    code: ClassVar[str] = "bad-input"


class BadFile(InputError):
    """A file cannot be used. Lines and columns count from 1; `field` is a column name of a table."""

    code: ClassVar[str] = "bad-file"

    def __init__(
        self,
        path: Path | str,
        problem: str,
        *,
        line: int | None = None,
        column: int | None = None,
        field: str | None = None,
        advice: str = "",
    ) -> None:
        place = str(path)
        if line is not None:
            place += f", line {line}"
        if column is not None:
            place += f", column {column}"
        if field is not None:
            place += f" ({field})"
        super().__init__(f"{place}: {problem}", advice=advice)
        self.path = str(path)
        self.problem = problem
        self.line = line
        self.column = column
        self.field = field


class BadTable(InputError):
    """Cells of a table cannot be read safely, or ask something. `findings` are lines for people, one for each cell."""

    code: ClassVar[str] = "bad-table"

    def __init__(self, name: str, findings: tuple[str, ...], *, line: int, column: int, field: str) -> None:
        super().__init__(
            f"{name}: {len(findings)} cell(s) must be settled first; nothing was proposed",
            advice="Correct the cells that the findings name, or leave their columns out.",
        )
        self.findings = findings
        self.line = line
        self.column = column
        self.field = field


class RandomScores(InputError):
    """Scores of random weights were asked for, or to be stored. They say nothing of a model."""

    code: ClassVar[str] = "random-scores"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model}: scores of random weights say nothing of what the model can do",
            advice="Give the released weights. A self-test may use random ones; its scores are never stored.",
        )
        self.model = model


class BadParameter(InputError):
    """A request parameter or command option does not fit. `name` is the parameter's own name.

    `pointer` is a JSON pointer to the part of a compound parameter, such as `/where/2`: the third filter.
    """

    code: ClassVar[str] = "bad-parameter"

    def __init__(self, name: str, problem: str, *, advice: str = "", pointer: str | None = None) -> None:
        super().__init__(f"{name}: {problem}", advice=advice)
        self.name = name
        self.problem = problem
        self.pointer = pointer


class BadValue(InputError):
    """A member of what was sent does not fit. `pointer` is a JSON pointer to it: /items/0/value."""

    code: ClassVar[str] = "bad-value"

    def __init__(self, pointer: str, problem: str, *, advice: str = "") -> None:
        super().__init__(f"{pointer or 'the body'}: {problem}", advice=advice)
        self.pointer = pointer
        self.problem = problem


class BadQuery(InputError):
    """A SPARQL query that does not parse. `line` and `column` count from 1 where the parser tells."""

    code: ClassVar[str] = "bad-query"

    def __init__(self, problem: str, *, line: int | None = None, column: int | None = None) -> None:
        place = f"line {line}, column {column}: " if line is not None else ""
        super().__init__(f"{place}{problem}", advice="Check the query's syntax at that place.")
        self.problem = problem
        self.line = line
        self.column = column


class QueryRefused(InputError):
    """A query that parses and is not allowed here, for example one with SERVICE."""

    code: ClassVar[str] = "query-refused"


class NotAcceptable(InputError):
    """No format on offer fits what the client accepts."""

    code: ClassVar[str] = "not-acceptable"

    def __init__(self, offered: tuple[str, ...]) -> None:
        super().__init__("none of the accepted formats is on offer", advice=f"Ask for one of: {', '.join(offered)}.")
        self.offered = offered


class UnsupportedMedia(InputError):
    """A request body in a format that is not read here."""

    code: ClassVar[str] = "unsupported-media"


class NotFound(AppError):
    """No such thing. `kind` is what was looked for (model, property, revision …)."""

    code: ClassVar[str] = "not-found"

    def __init__(self, kind: str, name: str, *, advice: str = "") -> None:
        super().__init__(f"no {kind} named {name!r}", advice=advice)
        self.kind = kind
        self.name = name


class StaleRevision(AppError):
    """The change was made against a revision that is no longer the newest."""

    code: ClassVar[str] = "stale-revision"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"the change expects revision {expected}, the store is at {actual}",
            advice="Read the newest revision, make the change again, and send it again.",
        )
        self.expected = expected
        self.actual = actual


class ConditionFailed(AppError):
    """The request says what must hold before it is done (`If-Match`, `If-None-Match`), and that does not hold.

    `changes` are lines for people: what changed since the client looked.
    """

    code: ClassVar[str] = "condition-failed"

    def __init__(self, message: str, *, advice: str = "", changes: tuple[str, ...] = ()) -> None:
        super().__init__(message, advice=advice)
        self.changes = changes


class RevertConflict(AppError):
    """Later revisions changed what is to be undone. `conflicts` are lines for people; `count` is how many there are."""

    code: ClassVar[str] = "revert-conflict"

    def __init__(self, conflicts: tuple[str, ...], count: int) -> None:
        super().__init__(
            f"{count} triple(s) were changed again by later revisions; nothing was changed",
            advice="Revert the later revisions first, or revert the whole range.",
        )
        self.conflicts = conflicts
        self.count = count


class InvalidGraph(AppError):
    """The change would leave the graph with constraint violations. `findings` are lines for people."""

    code: ClassVar[str] = "invalid-graph"

    def __init__(self, findings: tuple[str, ...]) -> None:
        super().__init__(
            f"{len(findings)} constraint violation(s); nothing was changed",
            advice="Mend the values that the findings name.",
        )
        self.findings = findings


class ReleaseExists(AppError):
    """A release of this name is there already and is not the one that would be made. Releases are never changed."""

    code: ClassVar[str] = "release-exists"

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(
            f"the release {name} exists: {problem}", advice="Take another name, e.g. with `.1` at its end."
        )
        self.name = name


class Unmeasurable(AppError):
    """The engine cannot run the model, or a fact is missing that it needs; the message says which."""

    code: ClassVar[str] = "unmeasurable"

    def __init__(self, reason: str) -> None:
        super().__init__(reason, advice="Take another engine, or complete the facts of the model's architecture.")


class ExtraMissing(AppError):
    """A package is not installed that only an extra brings."""

    code: ClassVar[str] = "extra-missing"

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"the package {package} is not installed", advice=f'Install it: pip install "slmkg[{extra}]".')


class NoRoom(AppError):
    """The disk has no room for a file that is to be made; nothing was written. Sizes are in bytes."""

    code: ClassVar[str] = "no-room"

    def __init__(self, what: str, *, needed: int, free: int) -> None:
        super().__init__(
            f"{what} needs {needed} bytes on the disk, {free} are free; nothing was written",
            advice="Make room, take a smaller variant, or choose a folder on another disk.",
        )
        self.needed = needed
        self.free = free


class PreparationFailed(AppError):
    """A model file could not be made; nothing was left under its name."""

    code: ClassVar[str] = "preparation-failed"


class HubUnavailable(AppError):
    """The Hugging Face hub cannot be reached, does not answer as it should, or what speaks with it is not installed."""

    code: ClassVar[str] = "hub-unavailable"


class ServiceUnavailable(AppError):
    """A service of ours on another machine cannot be reached, or does not answer as it should."""

    code: ClassVar[str] = "service-unavailable"


class OrkgError(AppError):
    """Something went wrong with the Open Research Knowledge Graph (ORKG)."""

    code: ClassVar[str] = "orkg-error"


class OrkgUnavailable(OrkgError):
    """The ORKG cannot be reached, is too busy, or its data did not hold still long enough to be read."""

    code: ClassVar[str] = "orkg-unavailable"

    def __init__(self, problem: str, *, advice: str = "Try again later; nothing was changed here.") -> None:
        super().__init__(problem, advice=advice)


class OrkgUncertain(OrkgUnavailable):
    """A write was sent and its answer never came: it may have been carried out. Look before it is sent again."""

    code: ClassVar[str] = "orkg-uncertain"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Start it again: it looks first whether this step was carried out.")


class OrkgChanged(OrkgError):
    """An answer of the ORKG is not what its interface used to give; nothing was taken from it.

    `address` is where it came from; `pointer` is a JSON pointer into the answer, where the trouble is inside.
    """

    code: ClassVar[str] = "orkg-changed"

    def __init__(
        self,
        address: str,
        problem: str,
        *,
        pointer: str | None = None,
        advice: str = "See with `slmkg orkg check` what is different; nothing was changed here.",
    ) -> None:
        place = address if pointer is None else f"{address} at {pointer or 'the top'}"
        super().__init__(f"{place}: {problem}", advice=advice)
        self.address = address
        self.problem = problem
        self.pointer = pointer


class OrkgRefused(OrkgError):
    """The ORKG does not do what was asked. `kind` is its own name of the problem, such as `paper_already_exists`.

    `status` is the HTTP status, `pointer` the member of the request that it complains about, where it tells.
    """

    code: ClassVar[str] = "orkg-refused"

    def __init__(
        self, address: str, status: int, kind: str, detail: str, *, pointer: str | None = None, advice: str = ""
    ) -> None:
        super().__init__(f"{address}: {detail or kind or 'refused'} ({status})", advice=advice)
        self.address = address
        self.status = status
        self.kind = kind
        self.detail = detail
        self.pointer = pointer


class OrkgMissing(OrkgRefused):
    """The ORKG knows no such thing."""

    code: ClassVar[str] = "orkg-missing"


class OrkgDrift(OrkgError):
    """The ORKG is not any more as it was when the push was planned. `changes` are lines for people: what differs."""

    code: ClassVar[str] = "orkg-drift"

    def __init__(
        self,
        what: str,
        changes: tuple[str, ...],
        *,
        advice: str = "Pull it, review what is proposed, and plan again; nothing of others was changed.",
    ) -> None:
        super().__init__(f"{what} is not as it was when the push was planned: {changes[0]}", advice=advice)
        self.changes = changes


class OrkgSignIn(OrkgError):
    """Name and password were not taken, or there are none. It is not tried again: further tries lock the account."""

    code: ClassVar[str] = "orkg-sign-in"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Set SLMKG_ORKG_USER and SLMKG_ORKG_PASSWORD to those of your ORKG account.")


class StoreError(AppError):
    """Something is wrong with the store."""

    code: ClassVar[str] = "store-error"


class StoreBusy(StoreError):
    """Another process holds the write lock."""

    code: ClassVar[str] = "store-busy"


class StoreEmpty(StoreError):
    """The store holds no revision yet."""

    code: ClassVar[str] = "store-empty"


class StoreDamaged(StoreError):
    """The data folder cannot be read."""

    code: ClassVar[str] = "store-damaged"


class StoreFull(StoreError):
    """The disk, or what this user may use of it, has no room for the change; nothing was changed."""

    code: ClassVar[str] = "store-full"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"there is no room to write the change: {problem}; nothing was changed",
            advice="Make room on the disk of the data folder (`slmkg doctor` tells how much is free), and try again.",
        )


class StoreReadOnly(StoreError):
    """The disk, or this user's rights, let nothing be written; nothing was changed. What is there can be read."""

    code: ClassVar[str] = "store-read-only"

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"the data folder cannot be written: {problem}; nothing was changed",
            advice="Mount it so that it can be written, by its owner (`slmkg doctor` tells more), and try again.",
        )


class FolderTooNew(StoreError):
    """A newer slmkg has written the data folder, in a format that this one does not know; nothing was changed."""

    code: ClassVar[str] = "folder-too-new"

    def __init__(self, folder: str, found: int, known: int, writer: str, ours: str) -> None:
        super().__init__(
            f"{folder} has format {found}, which slmkg {writer} wrote; slmkg {ours} knows formats up to {known}, and "
            "changed nothing",
            advice=f"Install slmkg {writer} or newer, or name another folder in SLMKG_DATA_DIR.",
        )


class EngineUnavailable(StoreError):
    """An external engine cannot be reached, refuses us, or sent an answer that is cut off or cannot be read."""

    code: ClassVar[str] = "engine-unavailable"


class Unauthorized(AppError):
    """The request needs a key, or brings one that is not known."""

    code: ClassVar[str] = "unauthorized"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Send `Authorization: Bearer …` with a key; `slmkg keys create` makes one.")


class Forbidden(AppError):
    """The key does not allow this. `scope` is what it would need."""

    code: ClassVar[str] = "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(f"the key lacks the scope {scope!r}", advice="Ask for a key that has it.")
        self.scope = scope


class WritesElsewhere(AppError):
    """A process that only reads was asked to write; nothing was changed. `where` is the address of who writes."""

    code: ClassVar[str] = "writes-elsewhere"

    def __init__(self, where: str | None) -> None:
        place = "the service that writes to this data folder" if where is None else where
        super().__init__("this service only reads", advice=f"Send it to {place}.")
        self.where = where


class EngineRefused(AppError):
    """The inference engine cannot run this model or this file, or ran it and gave numbers that are none."""

    code: ClassVar[str] = "engine-refused"


class NoMemory(AppError):
    """The machine, or a limit on the process, has no memory left for what was asked."""

    code: ClassVar[str] = "no-memory"

    def __init__(self, problem: str) -> None:
        super().__init__(
            problem,
            advice="Take a variant with fewer bits or a shorter prompt, stop other programs, or take a larger machine.",
        )


class TooManyRequests(AppError):
    """The client asks too much; `retry_after` is in seconds."""

    code: ClassVar[str] = "too-many-requests"

    def __init__(self, problem: str, *, retry_after: int) -> None:
        super().__init__(problem, advice=f"Wait {retry_after} s, ask less at once, or ask for a key.")
        self.retry_after = retry_after


class TooBusy(AppError):
    """Everybody together asks too much; `retry_after` is in seconds."""

    code: ClassVar[str] = "too-busy"

    def __init__(self, problem: str, *, retry_after: int) -> None:
        super().__init__(problem, advice=f"Try again in {retry_after} s.")
        self.retry_after = retry_after


class QueryTimeout(AppError):
    """The query was stopped at a limit of time or memory; `retry_after` is in seconds, where the machine was busy."""

    code: ClassVar[str] = "query-timeout"

    def __init__(self, problem: str, *, retry_after: int | None = None) -> None:
        less = "Ask for less: bind more terms, avoid cross products, add LIMIT."
        super().__init__(problem, advice=less if retry_after is None else f"Try again in {retry_after} s. {less}")
        self.retry_after = retry_after


class DrawingTimeout(AppError):
    """A picture was stopped at a limit of time or memory."""

    code: ClassVar[str] = "drawing-timeout"

    def __init__(self, problem: str) -> None:
        super().__init__(problem, advice="Ask for less, or take the chart as `.vl.json` and draw it yourself.")


class SelfReview(AppError):
    """Somebody reviews what they proposed themselves, and the settings do not allow it."""

    code: ClassVar[str] = "self-review"

    def __init__(self) -> None:
        super().__init__(
            "nobody reviews their own proposal", advice="Ask somebody else, or set SLMKG_SELF_REVIEW=true."
        )


class FormRefused(AppError):
    """A form that was not sent from a page of this service, or from one that is of no use any more."""

    code: ClassVar[str] = "form-refused"


class Conflict(AppError):
    """What is asked collides with what stands. `pointer` is a JSON pointer to the part of the body, where one is."""

    code: ClassVar[str] = "conflict"

    def __init__(self, message: str, *, advice: str = "", pointer: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.pointer = pointer


class PreconditionNeeded(AppError):
    """A write on something that others may change came without the state that it was made for."""

    code: ClassVar[str] = "precondition-needed"

    def __init__(self) -> None:
        super().__init__(
            "this write needs If-Match", advice="Read it first, and send the ETag of that answer as If-Match."
        )
