"""The routes by which a test steers the double. They are no part of ORKG, are not logged, and meet no fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from tests.orkg_double import clock, faults
from tests.orkg_double.call import Habits
from tests.orkg_double.faults import Bend, Fault, Schedule
from tests.orkg_double.messages import Answer, Request, as_json
from tests.orkg_double.state import Json

if TYPE_CHECKING:
    from tests.orkg_double.double import Double

PATH = "/_control/"


def answer(double: Double, request: Request) -> Answer:
    """Do what a control route says. 400 for what is no control."""
    name = request.path.removeprefix(PATH)
    if name.startswith("as/"):
        return _as_somebody(double, request, name.removeprefix("as/"))
    try:
        found = CONTROLS[name](double, json.loads(request.body) if request.body else {})
    except (KeyError, TypeError, ValueError) as error:
        return as_json({"error": f"{type(error).__name__}: {error}"}, status=400)
    return as_json(found or {})


def _reset(double: Double, body: Json) -> None:
    double.reset(body.get("world", "synthetic"), **body.get("options", {}))


def _faults(double: Double, body: Json) -> Json:
    counts = body.get("counts", "all")
    if "seed" in body:
        drawn = {key: body[key] for key in ("rate", "length", "most") if key in body}
        kinds = tuple(body.get("kinds", faults.KINDS))
        double.schedule = Schedule.drawn(body["seed"], counts=counts, kinds=kinds, **drawn)
    else:
        double.schedule = Schedule.of([Fault(**one) for one in body.get("faults", ())], counts)
    return {"faults": [asdict(one) for one in double.schedule.faults.values()]}


def _bends(double: Double, body: Json) -> None:
    double.bends = [Bend(**one) for one in body["bends"]]


def _habits(double: Double, body: Json) -> None:
    known = {one.name for one in fields(Habits)}
    for key, value in body.items():
        if key in known:
            setattr(double.habits, key, value)
        elif key in ("token_seconds", "idle_seconds", "session_seconds"):
            setattr(double.signed_in, key, value)
        else:
            raise ValueError(f"no habit: {key!r}")


def _advance(double: Double, body: Json) -> None:
    double.state.now += int(body["seconds"] * clock.SECOND)


def _withdraw(double: Double, body: Json) -> None:
    double.state.write(double.state.comparisons[body["comparison"]], visibility="DELETED")


def _log(double: Double, body: Json) -> Json:
    return {"log": [asdict(one) for one in double.log], "bad_passwords": double.signed_in.bad}


def _as_somebody(double: Double, request: Request, rest: str) -> Answer:
    """A request of somebody else: `/_control/as/<user id>/api/…` is answered as `/api/…` for that login."""
    user, _, path = rest.partition("/")
    token = double.signed_in.token(user, double.state.now)["access_token"]
    headers = {**request.headers, "authorization": f"Bearer {token}"}
    return double.answer(Request(request.method, f"/{path}", request.query, headers, request.body))


CONTROLS: dict[str, Callable[[Double, Any], Json]] = {
    "reset": _reset,
    "save": lambda double, body: double.save(body["name"]),
    "restore": lambda double, body: double.restore(body["name"]),
    "faults": _faults,
    "bends": _bends,
    "habits": _habits,
    "advance": _advance,
    "token": lambda double, body: double.signed_in.token(body["user"], double.state.now),
    "expire": lambda double, body: double.signed_in.expire(sessions=body.get("sessions", False)),
    "load-dump": lambda double, body: double.endpoint.load(double.state.copy()),
    "log": _log,
    "forget-log": lambda double, body: double.log.clear(),
    "dump": lambda double, body: double.state.dump(),
    "withdraw": _withdraw,
}
