"""The one table from an error's code to what the outside sees: HTTP status, exit code, documentation.

Fronts (web, command line) read it; a test walks it against the error tree and against the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_VIOLATIONS = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one kind of error looks from outside. `title` is RFC 9457's short, unchanging summary."""

    status: int
    exit_code: int
    title: str


OUTCOMES: dict[str, Outcome] = {
    "bad-input": Outcome(400, EXIT_USAGE, "The input cannot be used"),
    "bad-file": Outcome(400, EXIT_USAGE, "The file cannot be used"),
    "bad-table": Outcome(400, EXIT_USAGE, "Cells of the table must be settled first"),
    "random-scores": Outcome(400, EXIT_USAGE, "Random weights have no scores"),
    "bad-parameter": Outcome(400, EXIT_USAGE, "A parameter does not fit"),
    "bad-value": Outcome(400, EXIT_USAGE, "A value does not fit"),
    "bad-query": Outcome(400, EXIT_USAGE, "The query does not parse"),
    "query-refused": Outcome(400, EXIT_USAGE, "The query is not allowed here"),
    "not-acceptable": Outcome(406, EXIT_USAGE, "No accepted format is on offer"),
    "unsupported-media": Outcome(415, EXIT_USAGE, "The body's format is not read here"),
    "writes-elsewhere": Outcome(403, EXIT_FAILURE, "This service only reads"),
    "not-found": Outcome(404, EXIT_FAILURE, "Not found"),
    "stale-revision": Outcome(412, EXIT_FAILURE, "The graph has changed meanwhile"),
    "condition-failed": Outcome(412, EXIT_FAILURE, "A condition of the request does not hold"),
    "revert-conflict": Outcome(409, EXIT_FAILURE, "Later revisions changed what is to be undone"),
    "invalid-graph": Outcome(422, EXIT_VIOLATIONS, "The change breaks constraints"),
    "release-exists": Outcome(409, EXIT_USAGE, "A release of this name exists"),
    "unmeasurable": Outcome(422, EXIT_FAILURE, "The model cannot be measured so"),
    "extra-missing": Outcome(503, EXIT_FAILURE, "A package is not installed"),
    "no-room": Outcome(507, EXIT_FAILURE, "There is no room for the file"),
    "preparation-failed": Outcome(500, EXIT_FAILURE, "The model file could not be made"),
    "hub-unavailable": Outcome(503, EXIT_FAILURE, "The Hugging Face hub does not answer"),
    "service-unavailable": Outcome(503, EXIT_FAILURE, "The service elsewhere does not answer"),
    "orkg-error": Outcome(502, EXIT_FAILURE, "The ORKG has a problem"),
    "orkg-unavailable": Outcome(503, EXIT_FAILURE, "The ORKG does not answer"),
    "orkg-uncertain": Outcome(503, EXIT_FAILURE, "Nobody knows whether the ORKG carried it out"),
    "orkg-changed": Outcome(502, EXIT_FAILURE, "The ORKG's interface has changed"),
    "orkg-refused": Outcome(502, EXIT_FAILURE, "The ORKG does not do what was asked"),
    "orkg-missing": Outcome(502, EXIT_FAILURE, "The ORKG knows no such thing"),
    "orkg-drift": Outcome(409, EXIT_FAILURE, "The ORKG has changed meanwhile"),
    "orkg-sign-in": Outcome(502, EXIT_FAILURE, "The ORKG does not know this account"),
    "store-error": Outcome(503, EXIT_FAILURE, "The store has a problem"),
    "store-busy": Outcome(503, EXIT_FAILURE, "Another process is writing"),
    "store-empty": Outcome(503, EXIT_FAILURE, "Nothing has been loaded yet"),
    "store-damaged": Outcome(503, EXIT_FAILURE, "The data folder cannot be read"),
    "store-full": Outcome(507, EXIT_FAILURE, "There is no room to write the change"),
    "store-read-only": Outcome(503, EXIT_FAILURE, "The data folder cannot be written"),
    "folder-too-new": Outcome(503, EXIT_FAILURE, "A newer slmkg wrote the data folder"),
    "engine-unavailable": Outcome(503, EXIT_FAILURE, "The external engine does not answer as it should"),
    "unauthorized": Outcome(401, EXIT_FAILURE, "The key is not known"),
    "forbidden": Outcome(403, EXIT_FAILURE, "The key does not allow this"),
    "form-refused": Outcome(403, EXIT_USAGE, "The form was not sent from our own page"),
    "self-review": Outcome(403, EXIT_FAILURE, "Nobody reviews their own proposal"),
    "conflict": Outcome(409, EXIT_FAILURE, "It collides with what stands"),
    "precondition-needed": Outcome(428, EXIT_USAGE, "The write needs If-Match"),
    "engine-refused": Outcome(422, EXIT_FAILURE, "The inference engine cannot run it"),
    "no-memory": Outcome(507, EXIT_FAILURE, "There is not enough memory"),
    "too-many-requests": Outcome(429, EXIT_FAILURE, "Too many requests"),
    "too-busy": Outcome(503, EXIT_FAILURE, "Too many requests of all together"),
    "query-timeout": Outcome(503, EXIT_FAILURE, "The query was stopped at its limit"),
    "drawing-timeout": Outcome(503, EXIT_FAILURE, "The picture was stopped at its limit"),
    "internal": Outcome(500, EXIT_FAILURE, "Something went wrong inside"),
}


def outcome(code: str) -> Outcome:
    """Return the outcome of an error code; an unknown code counts as an internal error."""
    return OUTCOMES.get(code, OUTCOMES["internal"])
