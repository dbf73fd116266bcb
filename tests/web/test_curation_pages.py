"""The pages of curation on the real store: signing in, forms and what they refuse, a value's way from form to page."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.access import KeyRing, Scope
from app.curate.measured import bringing_in
from app.logs import formatter
from app.services import Services
from app.settings import Settings
from app.web import sessions as sessions_module
from app.web.application import create_app
from app.web.curation_forms import COOKIE
from app.web.sessions import LIFETIME, MOST_OF_KEY, Sessions
from app.wiring import build
from tests.compare.test_predicted import MEASURED, timed
from tests.curate.people import ADA, take
from tests.curate.test_measured import run
from tests.web.conftest import Client
from tests.web.test_pages import elements

CASE = "/curate/cases/gpt-neo-1.3b/activation"
VALUE = "/curate/cases/phi-2/vocabularySize"
LISTS = ("/curate", "/curate/sign-in", "/curate/disagreements?state=open", "/curate/proposals")
HOST = "http://slmkg.test"
ORCID = "0000-0002-1825-0097"
NEW: dict[str, str] = {
    "value": "51200",
    "reported": "51,200",
    "source_title": "A report about Phi-2",
    "source_type": "TechnicalReport",
    "source_dated": "2024-01",
    "locator": "page 3",
    "quote": "a vocabulary of 51,200 tokens",
    "title": "The paper says which vocabulary Phi-2 has",
}


class Person:
    """Somebody with a browser: keeps the cookie, and sends forms as the page has them."""

    def __init__(self, client: Client, key: str = "") -> None:
        self.client = client
        self.cookie: str | None = None
        if key:
            answer = self.sign_in(key)
            assert answer.status_code == 303, told(answer)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path, headers=self._headers())

    def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        return self.client.post(path, data=fields, headers={"Origin": HOST, **self._headers(), **headers})

    def sign_in(self, key: str, **fields: str) -> httpx.Response:
        answer = self.post("/curate/sign-in", {"key": key, **fields})
        if COOKIE in answer.cookies:
            self.cookie = answer.cookies[COOKIE]
        return answer

    def send(self, path: str, form: str, fields: dict[str, str], **changes: str | None) -> httpx.Response:
        """Look at a page, and send one of its forms; `changes` to hidden fields, None leaves one out."""
        hidden = {**hidden_of(self.get(path).text, form), **changes}
        typed = {**fields, **{name: value for name, value in hidden.items() if value is not None}}
        return self.post(path, typed)

    def _headers(self) -> dict[str, str]:
        return {} if self.cookie is None else {"Cookie": f"{COOKIE}={self.cookie}"}


class Office:
    """A service with people in it."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = Client(create_app(services))
        self.keys = {
            "ada": self.key("Ada", Scope.PROPOSE, orcid=ORCID),
            "bob": self.key("Bob", Scope.REVIEW, Scope.COMMIT),
            "eve": self.key("Eve", Scope.UPDATE),
            "both": self.key("Ada again", Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT, orcid=ORCID),
        }

    def key(self, name: str, *scopes: Scope, orcid: str | None = None) -> str:
        return self.services.keys.create(name, scopes, self.services.now(), orcid=orcid)[1]

    def person(self, name: str) -> Person:
        return Person(self.client, self.keys[name])

    @property
    def head(self) -> int:
        return self.services.store.head().number


@pytest.fixture
def office(own_services: Services) -> Office:
    return Office(own_services)


@pytest.fixture(scope="module")
def shared(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """For tests that look only, or do not care what others did. Proposal 1 is there."""
    folder = tmp_path_factory.mktemp("shared") / "var"
    shutil.copytree(seed_folder, folder)
    office = Office(build(Settings(data_dir=folder)))
    office.keys["all"] = office.key("All", Scope.PROPOSE, Scope.REVIEW, Scope.COMMIT)
    proposed(office)
    return office


def hidden_of(html: str, form: str) -> dict[str, str]:
    """The hidden fields of the form with this name."""
    for part in html.split("<form")[1:]:
        body = part.split("</form>")[0]
        found = {
            attributes["name"] or "": attributes.get("value") or ""
            for tag, attributes in elements(f"<form{body}")
            if tag == "input" and attributes.get("type") == "hidden"
        }
        if found.get("form") == form:
            return found
    return {"form": form}


def told(answer: httpx.Response) -> str:
    """What a page says is wrong."""
    return f"{answer.status_code} {answer.text.partition('role=')[2][:600]}"


def claim_saying(office: Office, reported: str) -> str:
    case = office.client.json("/api/v1/claims?model=gpt-neo-1.3b&property=activation")
    return next(f"claim:{claim['iri']}" for claim in case["claims"] if claim["reported"] == reported)


def proposed(office: Office, **changes: str) -> str:
    """Ada proposes; the address of the proposal's page."""
    answer = office.person("ada").send(VALUE, "propose", {**NEW, **changes})
    assert answer.status_code == 303, told(answer)
    return answer.headers["location"]


def test_the_first_page_says_what_waits(office: Office) -> None:
    answer = office.client.get("/curate")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert re.search(r'Open disagreements</dt><dd><a href="/curate/disagreements\?state=open">15<', answer.text)
    assert "Proposals without a verdict" in answer.text
    assert "slmkg keys create" in answer.text
    proposed(office)
    assert re.search(r'href="/curate/proposals\?state=open">1<', office.client.get("/curate").text)


def test_a_measured_figure_far_from_its_cost_waits_for_somebody(office: Office) -> None:
    results = [timed(office.services, slug, prompt=prompt) for slug in MEASURED for prompt in (64, 128)]
    slow = replace(results[1], samples=tuple(replace(one, wall_ns=4 * one.wall_ns) for one in results[1].samples))
    before = office.client.get("/curate").text.count("smollm-360m Q8_0")
    take(office.services, bringing_in(run(results[0], slow, *results[2:], identity="0dd0")), ADA)
    html = office.client.get("/curate").text
    assert "Measured figures far from their cost" in html
    assert html.count("smollm-360m Q8_0") - before == 2, "one of prefill, one of decode"
    assert "Measurement run 0dd0" in html


def test_signing_in_and_out(office: Office) -> None:
    bob = Person(office.client)
    answer = bob.sign_in(office.keys["bob"], next=f"{CASE}?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{CASE}?x=1")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/curate"))
    assert "max-age" not in cookie
    assert "expires" not in cookie
    assert "secure" not in cookie, "the request came without TLS"
    page = bob.get("/curate")
    assert "Signed in as <strong>Bob</strong>" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert bob.post("/curate/sign-out", {"token": "wrong"}).status_code == 403
    assert "Signed in" in bob.get("/curate").text
    token = next(attributes["value"] for _, attributes in elements(page.text) if attributes.get("name") == "token")
    assert bob.post("/curate/sign-out", {"token": token or ""}).status_code == 303
    assert "Signed in" not in bob.get("/curate").text, "the old cookie opens nothing"


def test_behind_tls_the_cookie_stays_with_tls(own_services: Services) -> None:
    public = replace(own_services, settings=own_services.settings.model_copy(update={"public_url": "https://kg.test"}))
    office = Office(public)
    answer = Person(office.client).sign_in(office.keys["bob"])
    assert "secure" in answer.headers["set-cookie"].lower()


def test_the_key_is_kept_nowhere(office: Office, tmp_path: Path) -> None:
    bob = office.person("bob")
    assert bob.cookie is not None
    secret = office.keys["bob"].rsplit("_", 1)[-1]
    assert secret not in bob.cookie
    assert secret not in bob.get("/curate").text
    file = tmp_path / "var" / "sessions.json"
    assert bob.cookie not in file.read_text()
    assert secret not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "key", ["", "x", "slmkg_00000000_AAAA", "slmkg_", "ключ", "\x00", "<b>", "slmkg_" + "A" * 5000]
)
def test_a_wrong_key_opens_nothing(shared: Office, key: str) -> None:
    nobody = Person(shared.client)
    answer = nobody.sign_in(key)
    assert answer.status_code == 401
    assert nobody.cookie is None
    assert 'id="key-wrong"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert len(key) < 8 or key not in answer.text


def test_a_revoked_key_ends_its_sessions(office: Office) -> None:
    bob = office.person("bob")
    identity = office.keys["bob"].split("_")[1]
    office.services.keys.revoke(identity, office.services.now())
    assert "Signed in" not in bob.get("/curate").text
    answer = bob.send(CASE, "decide", {"choice": "none", "reason": "x"}, token="", seen="1-0")
    assert answer.status_code == 401
    assert office.head == 1


@pytest.mark.parametrize(
    "to", ["https://evil.example/", "//evil.example", "/curate//evil\\", "/api", "/curate\r\nX: y", "/curates"]
)
def test_nobody_is_led_elsewhere(shared: Office, to: str) -> None:
    answer = Person(shared.client).sign_in(shared.keys["bob"], next=to)
    assert answer.headers["location"].startswith("/curate")
    assert not answer.headers["location"].startswith("/curates")
    assert "evil.example" not in answer.headers["location"].removeprefix("/curate//")
    assert "x" not in answer.headers


def test_sessions_end_and_are_bounded(tmp_path: Path) -> None:
    keys = KeyRing(tmp_path / "keys.json")
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    key, _ = keys.create("Bob", (Scope.REVIEW,), now)
    sessions, other = Sessions(tmp_path / "sessions.json"), Sessions(tmp_path / "sessions.json")
    names = [sessions.begin(key, now + timedelta(seconds=number)) for number in range(MOST_OF_KEY + 3)]
    at = now + timedelta(minutes=1)
    assert [other.find(name, keys, at) is not None for name in names] == [False] * 3 + [True] * MOST_OF_KEY
    found = other.find(names[-1], keys, at)
    assert found is not None
    assert found.key.id == key.id
    assert other.find(names[-1], keys, at + LIFETIME) is None
    other.end(names[-1])
    assert sessions.find(names[-1], keys, at) is None
    for rubbish in ("", "[]", "{", '{"a": 1}', '{"a": {"key": "x", "ends": "soon"}}', "\x00"):
        (tmp_path / "sessions.json").write_text(rubbish)
        assert sessions.find(names[-2], keys, at) is None, "a damaged file signs out"
    again = sessions.begin(key, now)
    assert other.find(again, keys, now) is not None
    assert len(json.loads((tmp_path / "sessions.json").read_text())) == 1


def test_sessions_of_all_keys_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "MOST", 4)
    keys, now = KeyRing(tmp_path / "keys.json"), datetime(2026, 11, 21, 12, tzinfo=UTC)
    sessions = Sessions(tmp_path / "sessions.json")
    names = []
    for number in range(6):
        key, _ = keys.create(f"Somebody {number}", (Scope.REVIEW,), now)
        names.append(sessions.begin(key, now + timedelta(seconds=number)))
    assert [sessions.find(name, keys, now) is not None for name in names] == [False] * 2 + [True] * 4


def test_a_file_that_cannot_be_written_is_told(shared: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Sessions, "_write", full)
    answer = Person(shared.client).sign_in(shared.keys["bob"])
    assert (answer.status_code, "sessions cannot be written" in answer.text.lower()) == (503, True)


def test_the_log_holds_no_key(own_services: Services, caplog: pytest.LogCaptureFixture) -> None:
    talkative = own_services.settings.model_copy(update={"log_level": "debug"})
    office = Office(replace(own_services, settings=talkative))
    with caplog.at_level("DEBUG"):
        bob = office.person("bob")
        bob.sign_in(office.keys["bob"] + "x")
        bob.send(CASE, "decide", {"choice": "none", "reason": "secret reason"})
    lines = [formatter().format(record) for record in caplog.records]
    told = [json.loads(line) for line in lines]
    assert any((one.get("path"), one.get("status")) == ("/curate/sign-in", 303) for one in told)
    (known,) = {one["actor"] for one in told if "actor" in one}
    assert known == f"key {office.keys['bob'].split('_')[1]}"
    for secret in (office.keys["bob"].rsplit("_", 1)[-1], bob.cookie, "secret reason"):
        assert secret is not None
        assert secret not in "".join(lines)


def test_the_queue_is_filtered_and_paged(client: Client) -> None:
    page = client.get("/curate/disagreements?state=open").text
    assert "15 disagreements" in page
    assert page.count("<strong>open</strong>") == 15
    assert "opt-125m: parameter count" in page
    everything = client.get("/curate/disagreements").text
    assert "Page 1 of 4" in everything
    assert 'href="/curate/disagreements?page=2"' in everything
    assert "Page 2 of 4" in client.get("/curate/disagreements?page=2").text
    for query, shown in (
        ("state=settled&rule=manual&model=&property=&kind=", "manual"),
        ("kind=padding&page=1", "padding"),
        ("model=opt-125m&property=parameterCount", "1 disagreement<"),
        ("model=nobody", "None fits"),
    ):
        answer = client.get(f"/curate/disagreements?{query}")
        assert (answer.status_code, shown in answer.text) == (200, True), query
    for query, status, name in (
        ("state=perhaps", 400, "state"),
        ("rule=dice", 400, "rule"),
        ("property=shoeSize", 404, "property"),
        ("page=99", 400, "page"),
        ("page=²", 400, "page"),
    ):
        answer = client.get(f"/curate/disagreements?{query}")
        assert answer.status_code == status, query
        assert f'href="#{name}"' in answer.text
    assert client.get("/curate/disagreements?colour=red").status_code == 400


def test_a_case_shows_everything_that_is_known(client: Client) -> None:
    page = client.get(CASE).text
    case = client.json("/api/v1/claims?model=gpt-neo-1.3b&property=activation")
    assert "gpt-neo-1.3B: activation" in page
    assert "It waits for a person" in page
    for claim in case["claims"]:
        assert claim["source"]["title"] in page
        assert claim["status"] in page
    assert "Who put what into this cell" in page
    assert 'href="/revisions/1"' in page
    assert "Decide</h2>" not in page, "nobody is signed in"
    assert f"sign-in?next={CASE}" in page
    settled = client.get("/curate/disagreements?state=settled&rule=trust-rank").text
    first = next(a["href"] for tag, a in elements(settled) if tag == "a" and "/cases/" in (a.get("href") or ""))
    assert "Settled by the rule <strong>trust-rank" in client.get(first or "").text
    assert "No source speaks of it yet" in client.get("/curate/cases/phi-2/queryLoraRank").text


def test_every_case_of_the_queue_has_a_page(client: Client) -> None:
    for number in range(1, 5):
        page = client.get(f"/curate/disagreements?page={number}").text
        found = {a["href"] for tag, a in elements(page) if tag == "a" and "/cases/" in (a.get("href") or "")}
        assert len(found) > 20
        for address in sorted(one for one in found if one)[::10]:
            assert client.get(address).status_code == 200, address


def test_a_person_decides_and_takes_it_back(office: Office) -> None:
    bob = office.person("bob")
    answer = bob.send(CASE, "decide", {"choice": claim_saying(office, "gelu"), "reason": "<b>The file</b> says so."})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{CASE}#settled")
    page = bob.get(CASE).text
    assert re.search(r"<strong>GELU</strong>\s*<span class=\"badge settled\">", page)
    assert "Decided by Bob" in page
    assert "&lt;b&gt;The file&lt;/b&gt; says so." in page
    assert "<b>The file" not in page
    assert "Keep gelu" in page
    assert office.client.json("/api/v1/disagreements?state=open")["total"] == 14
    back = bob.send(CASE, "decide", {"choice": "rules", "reason": "I misread it."})
    assert back.status_code == 303
    page = bob.get(CASE).text
    assert "It waits for a person" in page
    assert "Leave it to the rules" in page
    assert "I misread it." in page
    assert office.head == 3


def test_a_decision_that_does_not_fit_is_told_beside_its_field(office: Office) -> None:
    bob = office.person("bob")
    for fields, wrong, status in (
        ({"choice": "none", "reason": "  "}, "reason", 400),
        ({"choice": "", "reason": "kept words"}, "choice", 400),
        ({"reason": "kept words"}, "choice", 400),
        ({"choice": "dance", "reason": "kept words"}, "choice", 400),
        ({"choice": "claim:https://w3id.org/slmkg/resource/claim/none", "reason": "kept words"}, "choice", 400),
        ({"choice": "claim:no iri", "reason": "kept words"}, "choice", 400),
        ({"choice": "none", "reason": "x" * 10_001}, "reason", 400),
    ):
        answer = bob.send(CASE, "decide", fields)
        assert answer.status_code == status, fields
        assert f'id="{wrong}-wrong"' in answer.text, fields
        assert 'role="alert"' in answer.text
        if len(fields["reason"]) < 100:
            assert fields["reason"] in answer.text
    answer = bob.send(CASE, "decide", {"choice": "rules", "reason": "kept words"})
    assert (answer.status_code, "kept words" in answer.text) == (409, True)
    assert office.head == 1


def test_a_stale_form_says_what_changed_and_loses_nothing(office: Office) -> None:
    bob = office.person("bob")
    seen = hidden_of(bob.get(CASE).text, "decide")["seen"]
    assert bob.send(CASE, "decide", {"choice": "none", "reason": "nobody knows"}).status_code == 303
    fields = {"choice": claim_saying(office, "gelu"), "reason": "my own words"}
    answer = bob.send(CASE, "decide", fields, seen=seen)
    assert answer.status_code == 412
    assert "decided: nobody knows" in answer.text
    assert "my own words" in answer.text
    assert office.head == 2
    again = {**fields, **hidden_of(answer.text, "decide")}
    assert bob.post(CASE, again).status_code == 303, "the form that came back is the newest"
    for wrong, status in ((None, 428), ("", 428), ("x", 412), ("9" * 5000 + "-a", 412), ("*", 412)):
        assert bob.send(CASE, "decide", fields, seen=wrong).status_code == status


def test_forms_count_only_from_our_own_pages(office: Office) -> None:
    bob = office.person("bob")
    fields = {"choice": "none", "reason": "x", **hidden_of(bob.get(CASE).text, "decide")}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": HOST, "Sec-Fetch-Site": "cross-site"},
        {"Origin": HOST, "Sec-Fetch-Site": "same-site"},
    ):
        answer = bob.post(CASE, fields, **headers)
        assert answer.status_code == 403, headers
        assert "nobody" not in answer.text
    cookie = {"Cookie": f"{COOKIE}={bob.cookie}"}
    assert office.client.post(CASE, data=fields, headers=cookie).status_code == 403, "neither header"
    assert office.client.post("/curate/sign-in", data={"key": office.keys["bob"]}).status_code == 403
    for token in (None, "", "wrong", "ü", hidden_of(office.person("both").get(CASE).text, "decide")["token"]):
        answer = bob.send(CASE, "decide", {"choice": "none", "reason": "kept words"}, token=token)
        assert answer.status_code == 403, token
        assert "kept words" in answer.text
    assert office.head == 1
    assert bob.post(CASE, fields, **{"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_who_is_signed_out_loses_nothing(office: Office) -> None:
    nobody = Person(office.client)
    answer = nobody.post(CASE, {"form": "decide", "choice": "none", "reason": "kept words", "seen": "1-0"})
    assert (answer.status_code, "kept words" in answer.text) == (401, True)
    answer = nobody.post(VALUE, {"form": "propose", **NEW})
    assert (answer.status_code, NEW["quote"] in answer.text) == (401, True)
    assert office.head == 1


def test_scopes_are_needed(office: Office) -> None:
    page = proposed(office)
    eve = office.person("eve")
    assert "Decide</h2>" not in eve.get(CASE).text
    assert "Propose another value" not in eve.get(CASE).text
    token = next(
        attributes["value"] for _, attributes in elements(eve.get(CASE).text) if attributes.get("name") == "token"
    )
    for path, form, fields in (
        (CASE, "decide", {"choice": "none", "reason": "x"}),
        (VALUE, "propose", NEW),
        (page, "review", {"verdict-1": "accept"}),
        (page, "comment", {"text": "x"}),
        (page, "commit", {}),
        (page, "withdraw", {"reason": "x"}),
    ):
        answer = eve.send(path, form, fields, token=token, seen="1-0")
        assert (answer.status_code, "lacks the scope" in answer.text) == (403, True), form
    assert office.head == 2


def test_nobody_reviews_their_own_proposal(office: Office) -> None:
    page = proposed(office)
    ada = office.person("both")
    shown = ada.get(page).text
    assert "somebody else reviews it" in shown
    assert 'name="verdict-1"' not in shown
    hidden = hidden_of(shown, "withdraw")
    answer = ada.post(page, {**hidden, "form": "review", "verdict-1": "accept", "reason-1": "I like it"})
    assert (answer.status_code, "I like it" in answer.text) == (403, True)
    assert "Nobody reviews their own proposal" in answer.text
    assert office.head == 2


def test_a_value_goes_from_the_form_to_the_page(office: Office) -> None:
    page = proposed(office, note="<i>n</i>")
    assert page == "/curate/proposals/1"
    bob = office.person("bob")
    shown = bob.get(page).text
    for words in (NEW["title"], NEW["quote"], "51,200", "page 3", "&lt;i&gt;n&lt;/i&gt;", "What validation finds"):
        assert words in shown, words
    assert bob.send(page, "comment", {"text": "page 3 it is\n<script>x</script>"}).status_code == 303
    assert "page 3 it is\n&lt;script&gt;" in bob.get(page).text
    assert bob.send(page, "review", {"verdict-1": "accept", "reason-1": "I read it"}).status_code == 303
    accepted = bob.get(page).text
    assert "1 item is accepted and not recorded yet" in accepted
    assert "I read it" in accepted
    assert bob.send(page, "commit", {}).status_code == 303
    done = bob.get(page).text
    assert f'href="/revisions/{office.head}"' in done
    case = bob.get(VALUE).text
    assert re.search(r"<strong>51,200</strong>\s*<span class=\"badge", case)
    assert NEW["source_title"] in case
    assert NEW["quote"] in case
    assert "1 proposal<" in bob.get("/curate/proposals?state=accepted&model=phi-2").text
    twice = bob.post(page, {**hidden_of(done, "comment"), "form": "commit", "seen": "1-0"})
    assert twice.status_code == 412


def test_verdicts_item_by_item_and_what_was_rejected_stays(office: Office) -> None:
    items = [
        {
            "model": "phi-2",
            "property": "vocabularySize",
            "value": number,
            "reported": str(number),
            "source": {"title": "R", "type": "WebPage"},
            "locator": "p",
        }
        for number in range(1, 61)
    ]
    header = {"Authorization": f"Bearer {office.keys['ada']}"}
    assert office.client.post("/api/v1/proposals", json={"title": "t", "items": items}, headers=header).is_success
    page, bob = "/curate/proposals/1", office.person("bob")
    assert "Page 1 of 2" in bob.get(page).text
    second = bob.get(f"{page}?page=2").text
    assert 'name="verdict-60"' in second
    assert 'name="verdict-1"' not in second
    last = {"verdict-4": "accept", "reason-4": "kept words"}
    missing = bob.send(page, "review", {"verdict-2": "", "verdict-3": "reject", **last})
    assert missing.status_code == 400
    assert 'id="reason-3-wrong"' in missing.text
    assert "kept words" in missing.text
    assert re.search(r'name="verdict-3" value="reject" checked', missing.text)
    for fields, wrong in (({"reason-5": "kept words"}, "verdict-5"), ({"rest-reason": "kept words"}, "rest")):
        undecided = bob.send(page, "review", {"verdict-2": "accept", "verdict-5": "", "rest": "", **fields})
        assert (undecided.status_code, "kept words" in undecided.text) == (400, True)
        assert f'id="{wrong}-wrong"' in undecided.text
    answer = bob.send(f"{page}?page=2", "review", {"verdict-60": "reject", "reason-60": "it counts <sheep>"})
    assert answer.headers["location"] == f"{page}?page=2"
    assert "it counts &lt;sheep&gt;" in bob.get(f"{page}?page=2").text
    assert bob.send(page, "review", {"rest": "reject", "rest-reason": "all wrong"}).status_code == 303
    assert "badge rejected" in bob.get(page).text
    again = office.person("ada").send(
        VALUE,
        "propose",
        {**NEW, "value": "60", "reported": "60", "source_title": "R", "source_type": "WebPage", "source_dated": ""},
    )
    assert again.status_code == 409
    assert "it counts &lt;sheep&gt;" in again.text
    assert "<details open>" in again.text


def test_a_stale_review_says_what_changed(office: Office) -> None:
    page, bob = proposed(office), office.person("bob")
    seen = hidden_of(bob.get(page).text, "review")["seen"]
    office.person("ada").send(page, "comment", {"text": "look again"})
    answer = bob.send(page, "review", {"verdict-1": "accept", "reason-1": "kept words"}, seen=seen)
    assert (answer.status_code, office.head) == (412, 3)
    assert "commented: look again" in answer.text
    assert "kept words" in answer.text
    assert bob.send(page, "review", {"verdict-1": "accept"}, seen=None).status_code == 428


def test_withdrawing(office: Office) -> None:
    page = proposed(office)
    bob, ada = office.person("bob"), office.person("ada")
    assert "Withdraw this proposal" not in bob.get(page).text
    assert ada.send(page, "withdraw", {"reason": " "}).status_code == 400
    assert ada.send(page, "withdraw", {"reason": "I misread it"}).status_code == 303
    assert "I misread it" in bob.get(page).text
    assert 'name="verdict-1"' not in bob.get(page).text


def test_violations_are_shown_and_cannot_be_accepted(office: Office) -> None:
    fields = {**NEW, "value": "None", "reported": "", "quote": ""}
    answer = office.person("ada").send("/curate/cases/phi-2/tokenizerKind", "propose", fields)
    page, bob = answer.headers["location"], office.person("bob")
    assert "C43" in bob.get(page).text
    refused = bob.send(page, "review", {"verdict-1": "accept", "reason-1": "so what"})
    assert (refused.status_code, "C43" in refused.text) == (422, True)
    assert office.head == 2


@pytest.mark.parametrize(
    ("changes", "wrong", "status"),
    [
        ({"value": "", "reported": ""}, "value", 400),
        ({"value": "24*", "reported": ""}, "value", 400),
        ({"value": "51,200", "reported": ""}, "value", 400),
        ({"value": "Base = 110M, Large = 340M", "reported": ""}, "value", 400),
        ({"value": "51200", "reported": "50304"}, "value", 400),
        ({"missing": "withheld"}, "missing", 400),
        ({"value": "", "reported": "", "missing": "lost"}, "missing", 400),
        ({"unit": "km"}, "unit", 400),
        ({"locator": ""}, "locator", 400),
        ({"title": " "}, "title", 400),
        ({"title": "x" * 501}, "title", 400),
        ({"reading": "Guessed"}, "reading", 400),
        ({"source_title": ""}, "source_title", 400),
        ({"source_type": "Rumour"}, "source_type", 400),
        ({"source_type": ""}, "source_type", 400),
        ({"source_address": "javascript:alert(1)"}, "source_address", 400),
        ({"source_dated": "yesterday"}, "source_dated", 400),
        ({"source": "No Slug!"}, "source", 400),
        ({"source": "nowhere-to-be-found", "source_title": ""}, "source", 400),
    ],
)
def test_a_proposal_that_does_not_fit_is_told_beside_its_field(
    shared: Office, changes: dict[str, str], wrong: str, status: int
) -> None:
    before = shared.head
    answer = shared.person("ada").send(VALUE, "propose", {**NEW, **changes})
    assert answer.status_code == status, told(answer)
    assert f'id="{wrong}-wrong"' in answer.text
    assert NEW["quote"] in answer.text
    assert shared.head == before


def test_other_kinds_of_values_can_be_proposed(office: Office) -> None:
    ada = office.person("ada")
    for path, fields in (
        ("/curate/cases/gpt-neo-1.3b/activation", {"value": "GELUTanh", "reported": "gelu_fast"}),
        ("/curate/cases/phi-2/tiesEmbeddings", {"value": "true"}),
        ("/curate/cases/phi-2/trainingTokens", {"value": "1.4T"}),
        ("/curate/cases/phi-2/trainingTokens", {"value": "", "missing": "not-reported"}),
        ("/curate/cases/phi-2/learningRate", {"value": "0.5", "reported": "one half"}),
    ):
        answer = ada.send(path, "propose", {**NEW, "reported": "", **fields})
        assert answer.status_code == 303, (path, re.findall(r'class="wrong".*', answer.text))
        assert office.client.get(answer.headers["location"]).status_code == 200


STRANGE = ["%00", "%FF%FE", "%0d%0aX-Evil: 1", "..%2f..", "<script>", "{{7*7}}", "🙂", "%", "a b", "٣", "-1", "9" * 50]


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize(
    "template",
    [
        "/curate/disagreements?state={}",
        "/curate/disagreements?model={}&property={}&kind={}&rule={}",
        "/curate/disagreements?page={}",
        "/curate/proposals?state={}",
        "/curate/proposals?author={}",
        "/curate/proposals?model={}",
        "/curate/proposals?source={}&page={}",
        "/curate/proposals/{}",
        "/curate/proposals/1?page={}",
        "/curate/cases/{}/maker",
        "/curate/cases/phi-2/{}",
        "/curate/cases/layer-group/{}/numLayers",
        "/curate/sign-in?next={}",
        "/api/v1/proposals?source={}",
        "/api/v1/proposals?model={}",
        "/api/v1/claims?model={}&property=maker",
        "/api/v1/cases/{}/maker/decision",
    ],
)
def test_strange_text_in_addresses(client: Client, template: str, text: str) -> None:
    answer = client.get(template.replace("{}", quote(text, safe="%")))
    assert answer.status_code in {200, 400, 404}, answer.text
    assert "x-evil" not in answer.headers
    assert "<script>" not in answer.text or "json" in answer.headers["content-type"]


FIELDS = st.sampled_from(
    ["form", "token", "seen", "choice", "reason", "verdict-1", "verdict-x", "reason-1", "rest", "text", *NEW, "source"]
)
WORDS = st.one_of(
    st.text(max_size=40), st.sampled_from(["decide", "propose", "accept", "claim:", "1-a", "\x00", "none"])
)


@settings(max_examples=60)
@given(fields=st.dictionaries(FIELDS, WORDS, max_size=8), keep=st.booleans(), which=st.sampled_from([CASE, VALUE, "p"]))
def test_rubbish_in_every_field_is_refused_or_done(
    shared: Office, fields: dict[str, str], keep: bool, which: str
) -> None:
    person = shared.person("all")
    path = "/curate/proposals/1" if which == "p" else which
    form = fields.get("form", "propose" if which == VALUE else "review" if which == "p" else "decide")
    typed = {name: "".join(one for one in text if not "\ud800" <= one <= "\udfff") for name, text in fields.items()}
    hidden = hidden_of(person.get(path).text, form) if keep else {}
    answer = person.post(path, {**typed, **hidden})
    assert answer.status_code in {303, 400, 401, 403, 409, 412, 415, 422, 428}, told(answer)
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x=1", "", 415),
        (b"form=decide&form=decide", "application/x-www-form-urlencoded", 400),
        (b"form=%FF", "application/x-www-form-urlencoded", 400),
        (b"form=\xff", "application/x-www-form-urlencoded", 400),
        (b"form=dance", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 300, "application/x-www-form-urlencoded", 400),
        (b"form=decide&reason=" + b"x" * 1_000_001, "application/x-www-form-urlencoded", 400),
        (b"", "application/x-www-form-urlencoded", 400),
    ],
)
def test_bodies_that_are_no_form(shared: Office, content: bytes, kind: str, status: int) -> None:
    headers = {"Origin": HOST, "Content-Type": kind, "Cookie": f"{COOKIE}={shared.person('bob').cookie}"}
    answer = shared.client.post(CASE, content=content, headers=headers)
    assert answer.status_code == status
    assert "<h1>" in answer.text


def test_pages_that_are_not_there(client: Client) -> None:
    for path in (
        "/curate/cases/phi-0/maker",
        "/curate/cases/phi-2/shoeSize",
        "/curate/proposals/77",
        "/curate/cases/x/y/z",
    ):
        answer = client.get(path)
        assert (answer.status_code, "This did not work" in answer.text) == (404, True), path
    assert client.request("DELETE", "/curate").status_code == 405


def test_before_the_first_load(empty_client: Client) -> None:
    assert "Nothing has been loaded yet" in empty_client.get("/curate").text
    for path in ("/curate/disagreements", "/curate/proposals", "/curate/cases/phi-2/maker", "/curate/proposals/1"):
        answer = empty_client.get(path)
        assert (answer.status_code, "Nothing has been loaded yet" in answer.text) == (503, True)


def test_pages_with_a_session_are_kept_by_nobody_and_shared_with_nobody(shared: Office) -> None:
    page = "/curate/proposals/1"
    bob = shared.person("bob")
    for path in (
        "/curate",
        "/curate/disagreements",
        CASE,
        "/curate/proposals",
        page,
        "/curate/sign-in",
        "/curate/cases/x/y",
    ):
        headers = bob.get(path).headers
        assert headers["cache-control"] == "no-store", path
        assert "access-control-allow-origin" not in headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["vary"] == "Cookie"
        assert "unsafe" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_pages_are_well_made(shared: Office) -> None:
    page = "/curate/proposals/1"
    people: list[Any] = [Person(shared.client), shared.person("bob"), shared.person("both")]
    for person in people:
        for path in (
            "/curate",
            "/curate/sign-in",
            "/curate/disagreements?state=open",
            CASE,
            VALUE,
            page,
            "/curate/proposals",
        ):
            html = person.get(path).text
            assert "<script" not in html
            found = elements(html)
            tags = [tag for tag, _ in found]
            assert tags.count("main") == tags.count("title") == tags.count("h1") == 1, path
            assert tags.count("table") == tags.count("caption")
            ids = [attributes["id"] for _, attributes in found if "id" in attributes]
            assert len(ids) == len(set(ids)), path
            labelled = {attributes["for"] for tag, attributes in found if tag == "label" and "for" in attributes}
            for tag, attributes in found:
                assert not any(name.startswith("on") or name == "style" for name in attributes)
                for name in ("aria-labelledby", "aria-describedby", "list"):
                    assert set((attributes.get(name) or "").split()) <= set(ids), (path, attributes)
                if tag == "th":
                    assert "scope" in attributes
                if tag in {"textarea", "select"} or (
                    tag == "input" and attributes.get("type") not in {"hidden", "radio"}
                ):
                    assert attributes["id"] in labelled
                if tag in {"a", "link", "form"} and "external" not in (attributes.get("rel") or ""):
                    address = attributes.get("href") or attributes.get("action") or ""
                    assert re.match(r"/(?!/)|#", address), address


@pytest.mark.heavy
def test_links_lead_somewhere(office: Office) -> None:
    page = proposed(office)
    bob = office.person("bob")
    bob.send(page, "review", {"verdict-1": "accept", "reason-1": "it is so"})
    bob.send(page, "commit", {})
    seen: set[str] = set()
    for path in ("/curate", CASE, VALUE, page, "/curate/proposals", f"/revisions/{office.head}", "/"):
        for tag, attributes in elements(bob.get(path).text):
            link = attributes.get("href") or ""
            if tag == "a" and link.startswith("/") and link not in seen:
                seen.add(link)
                assert bob.get(link).status_code == 200, (path, link)
    assert VALUE in seen, "the page of the revision leads to the case"
