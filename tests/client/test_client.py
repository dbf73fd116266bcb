"""The client against the real service: answers, data frames, errors, pages, retries, kept answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime

import httpx
import pytest

from app.client import Client
from app.client.errors import (
    BadAnswer,
    BadRequest,
    Busy,
    ClientError,
    Failed,
    NotAllowed,
    NotFound,
    QueryTimeout,
    Refused,
    TooLarge,
    Unreachable,
)
from tests.client.front import Front, Prepared
from tests.project.checkout import text

SCORE = "accuracy(benchmark=winogrande;shots=5)"
COUNT = "SELECT (COUNT(*) AS ?n) WHERE { ?x a <https://w3id.org/slmkg/ontology#LanguageModel> }"


def problem(status: int, code: str, **headers: str) -> Prepared:
    """A refusal as the service writes it."""
    body = {"type": "x", "title": "t", "status": status, "detail": "d", "code": code}
    return Prepared(status, json.dumps(body).encode(), {"Content-Type": "application/problem+json", **headers})


def test_a_comparison_is_typed(slmkg: Client) -> None:
    found = slmkg.compare(["phi-2", "opt-125m"], ["parameters", "parameterCount", "trainedOn", SCORE])
    assert (found.revision, found.total, [one.slug for one in found.models]) == (1, 2, ["phi-2", "opt-125m"])
    assert found.cell("phi-2", "parameters").value == 2779683840
    disputed = found.cell("opt-125m", "parameterCount")
    assert (disputed.value, disputed.status, disputed.candidates) == (None, "disputed", [125237760, 125239296])
    score = found.cell("opt-125m", SCORE)
    assert score.interval is not None
    assert score.interval.lower < 0.517 < score.interval.upper
    assert found.cell("phi-2", "trainedOn").reason == "not-looked-for"
    with pytest.raises(KeyError):
        found.cell("phi-3", "parameters")


def test_a_comparison_becomes_a_data_frame(slmkg: Client) -> None:
    found = slmkg.compare(["phi-2", "opt-125m"], ["parameters", "parameterCount", "license"])
    frame = found.to_pandas()
    assert list(frame.index) == ["phi-2", "opt-125m"]
    assert frame.loc["phi-2", "parameters"] == 2779683840
    assert str(frame["parameters"].dtype) == "Int64"
    assert frame["parameterCount"].isna().all()
    assert frame.attrs["revision"] == 1
    assert found.to_pandas("status").loc["opt-125m", "parameterCount"] == "disputed"


def test_a_turned_comparison_is_turned_as_a_frame(slmkg: Client) -> None:
    found = slmkg.compare("phi-2,opt-125m", "numLayers,hiddenSize", transpose=True, different=True)
    assert found.cell("phi-2", "numLayers").value == 32
    assert found.to_pandas().loc["numLayers", "opt-125m"] == 12


def test_everything_of_the_address_can_be_asked(slmkg: Client, front: Front) -> None:
    found = slmkg.compare(
        where=["parameters:..1B", "license:MIT|Apache-2.0"],
        properties=["parameters", "license", SCORE],
        sort=f"-{SCORE}",
        search="qwen",
        baselines=True,
        group="attentionType",
        units=f"{SCORE}:PERCENT",
        limit=2,
        evidence=True,
    )
    assert found.evidence
    told = found.evidence[found.cell(found.models[0].slug, SCORE).claims[0]]
    assert told.title
    again = httpx.get(found.address)
    assert again.json()["rows"] == json.loads(httpx.get(front.address + front.noted[0].path).content)["rows"]
    assert again.url.path == "/r/1/api/v1/compare"


def test_the_past_of_cells_can_be_asked_for(slmkg: Client) -> None:
    found = slmkg.compare("phi-2", ["numLayers", SCORE], history=True)
    assert found.history is not None
    assert found.evidence is None
    (step,) = found.history.of("phi-2", "numLayers")
    assert (step.revision, step.kind, step.property) == (1, "added", "numLayers")
    assert step.old is not None
    assert step.new is not None
    assert (step.old.value, step.new.value) == (None, 32)
    assert [one.observation for one in found.history.of("phi-2", SCORE)] == found.cell("phi-2", SCORE).claims
    assert found.history.of("phi-2", "hiddenSize") == []
    assert httpx.get(found.address).json()["history"]["cells"].keys() == {"phi-2"}


def test_the_other_questions(slmkg: Client) -> None:
    board = slmkg.leaderboard("winogrande", conditions="shots:5", baselines=True)
    entry = board.rankings[0].entries[0]
    assert (entry.rank, board.benchmark.name) == (1, "winogrande")
    frame = board.to_pandas()
    assert list(frame["rank"].head(1)) == [1]
    assert {"shots", "lower", "upper", "source"} <= set(frame.columns)
    fit = slmkg.fit("2GB", context="4k", bits=4, where="permissive:yes", best=SCORE, limit=5)
    assert all(one.total == pytest.approx(one.weights + one.cache + one.buffers) for one in fit.models)
    assert list(fit.to_pandas()["model"]) == [one.model for one in fit.models]
    facets = slmkg.facets(["license", "parameters"])
    assert facets.to_pandas()["models"].sum() > 100
    observed = slmkg.observations(where=["metric:decode-latency"], limit=3)
    assert observed.to_pandas()["observation"].is_unique
    names = slmkg.properties()
    assert "numLayers" in set(names.to_pandas()["name"])


def test_a_model_with_its_claims(slmkg: Client) -> None:
    page = slmkg.model("phi-2")
    fact = page.fact("trainingTokens")
    assert [claim.status for claim in fact.claims] == ["Accepted", "Accepted", "Rejected"]
    assert fact.claims[2].reported == "1200B"
    assert page.to_pandas().set_index("property").loc["numLayers", "value"] == 32


def test_sparql(slmkg: Client) -> None:
    found = slmkg.sparql(COUNT)
    assert (found.revision, found.rows) == (1, [{"n": 104}])
    assert found.to_pandas().loc[0, "n"] == 104
    assert slmkg.sparql("ASK { ?s ?p ?o }").truth is True
    graph = slmkg.sparql("CONSTRUCT WHERE { <https://w3id.org/slmkg/resource/model/phi-2> a ?t }").turtle
    assert graph is not None
    assert "phi-2" in graph


def test_long_queries_are_posted(slmkg: Client, front: Front) -> None:
    assert slmkg.sparql(f"{COUNT} # {'x' * 2000}").rows == [{"n": 104}]
    assert [one.method for one in front.noted] == ["POST"]


def test_a_refusal_is_an_error_with_all_its_members(slmkg: Client) -> None:
    with pytest.raises(BadRequest) as caught:
        slmkg.compare(where="parameters:..1B,licence:MIT")
    error = caught.value
    assert (error.status, error.code, error.parameter, error.pointer) == (400, "bad-parameter", "where", "/where/1")
    assert error.title == "A parameter does not fit"
    assert error.advice == "Did you mean 'license'?"
    assert str(error) == "where: there is no property or metric 'licence'. Did you mean 'license'?"
    with pytest.raises(NotFound, match="phi-2"):
        slmkg.model("phi-3")
    with pytest.raises(BadRequest):
        slmkg.sparql("SELECT")
    with pytest.raises(NotFound, match="newest is 1"):
        slmkg.compare(revision=77)


def test_names_cannot_lead_elsewhere(slmkg: Client, front: Front) -> None:
    with pytest.raises(NotFound):
        slmkg.model("../../../livez?x=")
    assert front.noted[0].path == "/api/v1/models/..%2F..%2F..%2Flivez%3Fx%3D"


def test_an_unknown_key_is_not_allowed(front: Front) -> None:
    with Client(front.address, "nonsense") as stranger, pytest.raises(NotAllowed) as caught:
        stranger.sparql(COUNT)
    assert caught.value.code == "unauthorized"
    assert front.noted[0].authorization == "Bearer nonsense"
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize(
    ("prepared", "kind"),
    [
        (problem(409, "conflict"), Refused),
        (problem(412, "condition-failed"), Refused),
        (problem(503, "query-timeout"), QueryTimeout),
        (problem(503, "store-empty"), Busy),
        (problem(503, "too-busy", **{"Retry-After": "999"}), Busy),
        (problem(500, "internal"), Failed),
        (problem(507, "store-full"), Failed),
        (Prepared(404, b"no such page", {"Content-Type": "text/plain"}), BadAnswer),
        (Prepared(200, b"[]", {"Content-Type": "application/json"}), BadAnswer),
        (Prepared(302, b"", {"Location": "http://127.0.0.1:1/"}), BadAnswer),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(
    slmkg: Client, front: Front, prepared: Prepared, kind: type[ClientError]
) -> None:
    front.prepared.append(prepared)
    with pytest.raises(kind):
        slmkg.properties()
    assert len(front.noted) == 1


@pytest.mark.parametrize(
    "prepared",
    [
        problem(503, "too-busy", **{"Retry-After": "0"}),
        problem(429, "too-many-requests", **{"Retry-After": "0"}),
        problem(503, "query-timeout", **{"Retry-After": "0"}),
        problem(503, "store-busy", **{"Retry-After": format_datetime(datetime.now(UTC), usegmt=True)}),
        problem(503, "engine-unavailable"),
        Prepared(502, b"<html>", {"Content-Type": "text/html", "Retry-After": "0"}),
        Prepared(),
    ],
    ids=["busy", "share", "starved", "date", "engine", "proxy", "cut"],
)
def test_what_passes_is_tried_again(slmkg: Client, front: Front, prepared: Prepared) -> None:
    front.prepared += [prepared, prepared]
    assert slmkg.sparql(COUNT).rows == [{"n": 104}]
    assert len(front.noted) == 3


def test_a_client_gives_up(front: Front) -> None:
    front.prepared += [problem(503, "too-busy", **{"Retry-After": "0"})] * 9
    with Client(front.address, attempts=3) as slmkg, pytest.raises(Busy) as caught:
        slmkg.properties()
    assert (len(front.noted), caught.value.retry_after) == (3, 0)


def test_nobody_answers() -> None:
    with (
        Client("http://127.0.0.1:1", attempts=2) as slmkg,
        pytest.raises(Unreachable, match=r"http://127\.0\.0\.1:1 cannot be reached"),
    ):
        slmkg.properties()


def test_an_answer_that_cannot_be_unpacked_is_a_bad_one(slmkg: Client, front: Front) -> None:
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    front.prepared.append(Prepared(200, b"no gzip at all", packed))
    with pytest.raises(BadAnswer):
        slmkg.properties()
    with pytest.raises(BadAnswer):
        slmkg.compare(search="x" * 100_000)


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://x", "http://", ""])
def test_an_address_is_one_of_a_service(address: str) -> None:
    with pytest.raises(ValueError, match="no address of a service"):
        Client(address)


def test_an_unchanged_answer_is_kept(slmkg: Client, front: Front) -> None:
    assert slmkg.compare("phi-2", "numLayers").rows == slmkg.compare("phi-2", "numLayers").rows
    first, second = front.noted
    assert (first.tag, first.status, second.status) == (None, 200, 304)
    assert second.tag


def test_an_answer_of_a_fixed_revision_is_not_asked_for_again(slmkg: Client, front: Front) -> None:
    assert slmkg.compare("phi-2", revision=1) == slmkg.compare("phi-2", revision=1)
    assert [one.path for one in front.noted] == ["/r/1/api/v1/compare?models=phi-2"]


def test_kept_answers_have_bounds(front: Front) -> None:
    with Client(front.address) as slmkg:
        size = len(slmkg.compare("phi-2", "license", revision=1).model_dump_json())
    front.noted.clear()
    with Client(front.address, cache_bytes=size * 3 // 2) as slmkg:
        for slug in ("phi-2", "phi-2", "opt-125m", "opt-125m", "phi-2"):  # there is room for one
            slmkg.compare(slug, "license", revision=1)
        assert [one.path[-5:] for one in front.noted] == ["cense"] * 3
        slmkg.compare(revision=1)  # larger than all the room: it takes nobody's place
        slmkg.compare("phi-2", "license", revision=1)
        assert len(front.noted) == 4


def test_an_answer_has_bounds(front: Front) -> None:
    with Client(front.address, max_bytes=10_000) as slmkg:
        slmkg.compare("phi-2", "numLayers")
        with pytest.raises(TooLarge):
            slmkg.compare()


def test_pages_follow_each_other_within_a_revision(slmkg: Client, front: Front) -> None:
    pages = list(slmkg.pages(slmkg.compare(properties="license", limit=40)))
    slugs = [one.slug for page in pages for one in page.models]
    assert [len(page.models) for page in pages] == [40, 40, 24]
    assert len(set(slugs)) == pages[0].total == 104
    assert all(one.path.startswith("/r/1/") for one in front.noted[1:])
    observed = slmkg.pages(slmkg.observations(where="metric:decode-latency", sort="value", limit=100))
    values = [item["value"] for page in observed for item in page.items]
    assert values == sorted(values)
    assert [page.revision for page in slmkg.pages(slmkg.properties())] == [1]


def test_members_that_this_version_does_not_know_are_kept(slmkg: Client, front: Front) -> None:
    body = json.loads(httpx.get(f"{front.address}/api/v1/compare?models=phi-2").content)
    front.prepared.append(Prepared(200, json.dumps(body | {"new": 7}).encode(), {"Content-Type": "application/json"}))
    assert slmkg.compare("phi-2").model_dump()["new"] == 7


def test_the_client_needs_neither_the_server_nor_pandas() -> None:
    """In a process in which nothing of the server and no pandas can be imported."""
    code = """
import sys
class No:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"pandas", "fastapi", "polars", "pyoxigraph", "rdflib"}:
            raise ImportError(name)
sys.meta_path.insert(0, No())
from app.client import Client
from app.client.answers import Comparison
from app.client.errors import MissingLibrary
empty = Comparison(revision=1, spec="", total=0, next=None, notes=[], models=[], properties=[], groups=[], rows=[])
try:
    empty.to_pandas()
except MissingLibrary as error:
    print(error)
print(sorted(name for name in sys.modules if name.startswith("app") and not name.startswith("app.client")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["to_pandas needs pandas: pip install 'slmkg[pandas]'", "['app']"]


def test_the_examples_of_the_page_work(service: str, capsys: pytest.CaptureFixture[str]) -> None:
    page = text("docs/how-to/use-the-python-client.md")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example.replace("http://127.0.0.1:8000", service), "page", "exec"), names)
    assert len(examples) >= 4
    said = capsys.readouterr().out
    assert "2779683840 # derived 0" in said
    assert "where: there is no property or metric 'licence'. Did you mean 'license'? /where/0" in said
