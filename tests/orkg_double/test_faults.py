"""Faults on demand: planned, drawn from a seed, and with the client in the same process."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from tests.orkg_double.faults import BEFORE, KINDS, Fault, Schedule
from tests.orkg_double.inside import ADDRESS, Crashed, inside
from tests.orkg_double.messages import Request
from tests.orkg_double.state import ADA, BO

READ, WRITE = Request("GET", "/api/statements"), Request("POST", "/api/statements")


def test_the_same_seed_gives_the_same_faults() -> None:
    first = Schedule.drawn(7, rate=0.3, length=50, most=5)
    assert first.faults == Schedule.drawn(7, rate=0.3, length=50, most=5).faults
    assert len(first.faults) == 5
    assert first.faults != Schedule.drawn(8, rate=0.3, length=50, most=5).faults
    kinds = Counter(one.what for seed in range(300) for one in Schedule.drawn(seed).faults.values())
    assert set(kinds) == set(KINDS)


def test_a_fault_strikes_once_and_only_what_counts() -> None:
    schedule = Schedule.of([Fault(2, "cut")], "writes")
    found = [schedule.next(one) for one in (WRITE, READ, READ, WRITE, WRITE)]
    assert [one and one.what for one in found] == [None, None, None, "cut", None]
    token = Request("POST", "/realms/orkg/protocol/openid-connect/token")
    assert schedule.next(token) is None
    assert schedule.seen == 3


@pytest.mark.parametrize("wrong", [{"at": 0, "what": "cut"}, {"at": 1, "what": "flood"}])
def test_a_fault_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no fault"):
        Fault(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", KINDS)
def test_every_kind_within_one_process(what: str) -> None:
    transport, orkg = inside()
    base = orkg.dump()
    headers = {"Authorization": f"Bearer {orkg.token(ADA)}"}
    orkg.faults([Fault(1, what, seconds=3)])
    answer: httpx.Response | None = None
    with httpx.Client(transport=transport, base_url=ADDRESS, headers=headers, timeout=1) as client:
        try:
            answer = client.post("/api/resources", json={"label": "one"})
        except (httpx.TransportError, Crashed) as error:
            kinds = {"slow": httpx.ReadTimeout, "cut": httpx.RemoteProtocolError, "refused": httpx.RemoteProtocolError}
            assert isinstance(error, kinds.get(what, Crashed))  # noqa: PT017
    if what[0].isdigit():
        assert answer is not None
        assert answer.status_code == int(what[:3])
    elif what == "expired":
        assert answer is not None
        assert answer.status_code == 401
    else:
        assert answer is None
    done = what not in BEFORE and what != "expired"
    assert orkg.content(base).things == Counter({"resource 'one'": 1} if done else {})
    assert [one["fault"] for one in orkg.log()] == [what]


def test_control_is_neither_counted_nor_logged() -> None:
    transport, orkg = inside()
    orkg.faults([Fault(1, "502")])
    assert orkg.ask("GET", "/api/comparisons/R900001", user=BO).status_code == 200
    assert orkg.log() == []
    with httpx.Client(transport=transport, base_url=ADDRESS) as client:
        assert client.get("/api/statements/S900001").status_code == 502
        assert client.get("/api/statements/S900001").status_code == 200
    assert [(one["status"], one["fault"]) for one in orkg.log()] == [(502, "502"), (200, None)]


def test_the_log_keeps_no_secret() -> None:
    transport, orkg = inside()
    form = {"grant_type": "password", "client_id": "orkg-client", "username": "ada@example.org", "password": "secret"}
    with httpx.Client(transport=transport, base_url=ADDRESS) as client:
        token = client.post("/realms/orkg/protocol/openid-connect/token", data=form).json()["access_token"]
        client.get("/api/user", headers={"Authorization": f"Bearer {token}", "User-Agent": "test (a@b.example)"})
    log = orkg.log()
    assert "secret" not in str(log)
    assert token not in str(log)
    assert [(one["user"], one["user_agent"]) for one in log][1] == (ADA, "test (a@b.example)")


def test_two_ways_to_the_same_end_have_the_same_content() -> None:
    contents = []
    for labels in (("a", "b"), ("b", "a")):
        _, orkg = inside()
        base = orkg.dump()
        for label in labels:
            made = orkg.ask("POST", "/api/literals", user=ADA, json={"label": label, "datatype": "xsd:string"})
            literal = made.headers["Location"].rpartition("/")[2]
            body = {"subject_id": "R900011", "predicate_id": "P900002", "object_id": literal}
            orkg.ask("POST", "/api/statements", user=ADA, json=body)
        contents.append(orkg.content(base))
    assert contents[0] == contents[1]
    assert contents[0].doubles() == []
    assert contents[0].orphans == ()


def test_content_shows_doubles_orphans_and_what_is_gone() -> None:
    _, orkg = inside()
    base = orkg.dump()
    assert orkg.content(base) == type(orkg.content(base))()
    for _ in range(2):
        orkg.ask("POST", "/api/resources", user=ADA, json={"label": "twice"})
    orkg.ask("DELETE", "/api/statements/S900002")
    orkg.ask("PUT", "/api/literals/L900004", json={"label": "23"})
    found = orkg.content(base)
    assert found.doubles() == ["resource 'twice'"]
    assert found.orphans == ("resource 'twice'", "resource 'twice'")
    assert found.gone == {"S900002", "L900001"}
    assert [one.partition(":")[0] for one in found.changed] == ["L900004"]


def test_a_world_is_kept_and_comes_back() -> None:
    _, orkg = inside()
    orkg.save()
    before = orkg.dump()
    orkg.ask("DELETE", "/api/statements/S900001")
    assert orkg.dump() != before
    orkg.restore()
    assert orkg.dump() == before
    orkg.withdraw("R900001")
    assert orkg.ask("GET", "/api/comparisons/R900001").json()["visibility"] == "DELETED"


def test_what_is_no_control_is_refused() -> None:
    _, orkg = inside()
    for wrong in (
        lambda: orkg.habits(colour="red"),
        lambda: orkg.reset("flat"),
        lambda: orkg.reset("r753434", id_is="both"),
        lambda: orkg._do("bends", bends=[{"what": "fold"}]),
        lambda: orkg._do("dance"),
    ):
        with pytest.raises(ValueError, match=r"Error"):
            wrong()
