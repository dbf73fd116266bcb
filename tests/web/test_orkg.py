"""The plan of a pulled comparison over REST and as pages. The ORKG is never asked."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.orkg.archive import Archive
from app.orkg.live import LiveTable, keep_live_table
from app.orkg.plan import State
from app.orkg.seen import table_now
from app.services import Services
from app.settings import Settings
from app.web.application import create_app
from app.wiring import build
from tests.curate.orkg_world import COMPARISON
from tests.orkg.pushing import Place, place
from tests.web.conftest import Client, problem_of
from tests.web.orkg_pulled import HOST, PAGE, PLAN, pull_into


@pytest.fixture(scope="module")
def there() -> Iterator[Place]:
    with place("r753434") as made:
        yield made


@pytest.fixture(scope="module")
def services(seed_folder: Path, tmp_path_factory: pytest.TempPathFactory, there: Place) -> Services:
    """Services on the seed, into whose data folder the comparison was pulled."""
    data = Path(shutil.copytree(seed_folder, tmp_path_factory.mktemp("orkg") / "var"))
    made = build(Settings(data_dir=data))
    pull_into(made, there)
    return made


@pytest.fixture(scope="module")
def orkg(services: Services) -> Client:
    return Client(create_app(services))


def test_what_was_pulled_is_listed_with_how_its_cells_stand(orkg: Client) -> None:
    answer = orkg.json("/api/v1/orkg")
    (one,) = answer["comparisons"]
    assert one["comparison"] == COMPARISON
    assert one["href"] == PLAN
    assert one["looked_at"] is None
    assert set(one["counts"]) == {state.value for state in State}
    assert one["counts"]["same"] > 300


def test_a_plan_has_every_cell_in_pages_and_can_be_filtered(orkg: Client) -> None:
    answer = orkg.json(PLAN, params={"limit": 1000})
    assert answer["total"] == sum(answer["counts"].values()) == len(answer["cells"])
    part = orkg.json(PLAN, params={"limit": 10, "page": 2})
    assert part["cells"] == answer["cells"][10:20]
    differ = orkg.json(PLAN, params={"state": "ours-changed", "limit": 1000})
    assert differ["total"] == answer["counts"]["ours-changed"] > 0
    assert {cell["state"] for cell in differ["cells"]} == {"ours-changed"}
    phi = orkg.json(PLAN, params={"model": "phi-3.5-mini-instruct"})
    (size,) = [cell for cell in phi["cells"] if cell["property"] == "nominal_size"]
    assert size["state"] in {"ours-changed", "conflict"}
    assert [one["label"] for one in size["theirs"]] == [one["label"] for one in size["last_pull"]]


def test_an_answer_that_the_client_has_is_not_sent_again(orkg: Client) -> None:
    first = orkg.get(PLAN)
    again = orkg.get(PLAN, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    other = orkg.get(PLAN, params={"page": 2}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_pages_show_what_differs_and_lead_to_the_case(orkg: Client) -> None:
    page = orkg.get("/orkg").text
    assert PAGE in page
    differing = orkg.get(PAGE)
    assert differing.status_code == 200
    assert "/curate/cases/phi-3.5-mini-instruct/nominalSize" in differing.text
    same = orkg.get(PAGE, params={"state": "same"}).text
    assert "/curate/cases/opt-125m/numLayers" in same
    assert 'rel="next"' in same
    assert "/orkg" in orkg.get("/jobs").text


def test_a_later_look_is_shown_and_asked_for_by_nobody_here(orkg: Client, services: Services, there: Place) -> None:
    folder = Archive(services.settings.data_dir, HOST, COMPARISON).folder
    before = orkg.json(PLAN)
    with there.client() as reader:
        now = table_now(reader, COMPARISON)
    keep_live_table(folder, LiveTable("2026-11-22T10:00:00+00:00", now))
    there.orkg.forget_log()
    try:
        after = orkg.json(PLAN)
        assert after["looked_at"] == "2026-11-22T10:00:00+00:00"
        assert after["counts"] == before["counts"]
        assert there.orkg.log() == []
    finally:
        (folder / "looked.json").unlink()


@pytest.mark.parametrize(
    "path", [f"/api/v1/orkg/{HOST}/R1", "/api/v1/orkg/elsewhere.example/R753434", "/api/v1/orkg/a..b/R753434"]
)
def test_what_was_not_pulled_is_not_found(orkg: Client, path: str) -> None:
    assert problem_of(orkg.get(path))["code"] == "not-found"


@pytest.mark.parametrize(("name", "value"), [("state", "odd"), ("page", "0"), ("limit", "1001"), ("odd", "1")])
def test_parameters_that_do_not_fit_are_refused(orkg: Client, name: str, value: str) -> None:
    assert problem_of(orkg.get(PLAN, params={name: value}))["code"] == "bad-parameter"


def test_before_anything_was_pulled_the_page_says_how(client: Client) -> None:
    assert "slmkg orkg pull" in client.get("/orkg").text
    assert client.json("/api/v1/orkg")["comparisons"] == []


def test_an_empty_service_has_a_page_too(empty_client: Client) -> None:
    assert empty_client.get("/orkg").status_code == 200
