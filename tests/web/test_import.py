"""Import of tables over HTTP: a dry run tells every cell, an import makes one proposal, a mistake changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.access import Scope
from app.services import Services
from app.settings import Settings
from app.web.application import create_app
from app.wiring import build
from tests.ingest.bulk.workbooks import Formula, workbook
from tests.web.conftest import Client, problem_of

PATH = "/api/v1/proposals/import"
CSV = {"Content-Type": "text/csv"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TABLE = "model,number of layers,parameters [B],MMLU (5-shot)\r\nphi-2,33,2.9,57.1\r\nsmollm2-135m,31,,31.5\r\n"


class Desk:
    """A client with a key of its own, on a store of its own."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.client = Client(create_app(services))
        _, self.key = services.keys.create("Ada", (Scope.PROPOSE,), services.now())

    def send(self, body: Any, *, key: str | None = None, headers: dict[str, str] = CSV, **query: Any) -> httpx.Response:
        query = {"source": "survey-v3"} | query
        content = body.encode() if isinstance(body, str) else body
        bearer = {"Authorization": f"Bearer {key or self.key}"}
        return self.client.post(PATH, content=content, headers={**headers, **bearer}, params=query)

    @property
    def head(self) -> int:
        return self.services.store.head().number


@pytest.fixture
def desk(own_services: Services) -> Desk:
    return Desk(own_services)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, seed_folder: Path) -> Desk:
    """A desk that only asks and gets refused: its store stays as it is."""
    folder = tmp_path_factory.mktemp("import") / "var"
    shutil.copytree(seed_folder, folder)
    return Desk(build(Settings(data_dir=folder)))


def test_a_dry_run_tells_every_cell_and_changes_nothing(reader: Desk) -> None:
    head = reader.head
    answer = reader.send(TABLE, dry_run="true", name="mine.csv")
    assert answer.status_code == 200
    report = answer.json()
    assert (report["dry_run"], report["new"], "proposal" in report) == (True, 5, False)
    assert report["counts"] == {"accepted": 5, "no change": 0, "refused": 0, "question": 0, "not read": 1}
    assert report["columns"][2] == {"header": "parameters [B]", "meaning": "parameters [B]"}
    assert report["findings"][1] == {
        "file": "mine.csv",
        "line": 2,
        "column": 3,
        "field": "parameters [B]",
        "cell": "2.9",
        "verdict": "accepted",
        "read_as": "2900000000 (2850000000 to 2950000000) [in B]",
    }
    assert reader.head == head


def test_a_dry_run_tells_refusals_too(reader: Desk) -> None:
    report = reader.send("model,layers\nphi-2,12-24\nphi-9,3\n", dry_run="true").json()
    assert [(one["verdict"], one["code"], one["line"]) for one in report["findings"]] == [
        ("refused", "range", 2),
        ("question", "unknown-model", 3),
    ]
    assert all(one["advice"] for one in report["findings"])


def test_an_import_makes_one_proposal_and_a_second_import_none(desk: Desk) -> None:
    head = desk.head
    first = desk.send(TABLE)
    assert first.status_code == 201, first.text
    number = first.json()["proposal"]
    assert first.headers["location"] == f"/api/v1/proposals/{number}"
    assert desk.head == head + 1 == int(first.headers["x-revision"])
    proposal = desk.client.json(first.headers["location"])
    assert len(proposal["items"]) == 5
    assert proposal["author"]["name"] == "Ada"
    second = desk.send(TABLE)
    assert second.status_code == 200
    assert "proposal" not in second.json()
    assert second.json()["counts"]["no change"] == 5
    assert second.json()["findings"][0]["problem"] == f"proposal {number}, item 1"
    assert desk.head == head + 1


def test_what_an_export_of_the_proposal_holds_is_nothing_new(desk: Desk) -> None:
    number = desk.send(TABLE).json()["proposal"]
    head = desk.head
    answer = desk.send(desk.services.export_proposal(number))
    assert (answer.status_code, answer.json()["new"]) == (200, 0)
    assert desk.head == head


@pytest.mark.parametrize("kind", ["tsv", "xlsx", "form"])
def test_other_bodies_are_read_alike(reader: Desk, kind: str) -> None:
    rows = [line.split(",") for line in TABLE.splitlines()]
    if kind == "tsv":
        answer = reader.send(
            TABLE.replace(",", "\t"), headers={"Content-Type": "text/tab-separated-values"}, dry_run="1"
        )
    elif kind == "xlsx":
        answer = reader.send(workbook(rows), headers={"Content-Type": XLSX}, dry_run="1")
    else:
        answer = reader.client.post(
            PATH,
            files={"file": ("mine.csv", TABLE.encode(), "text/csv")},
            headers={"Authorization": f"Bearer {reader.key}"},
            params={"dry_run": "1", "source": "survey-v3"},
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["new"] == 5


BAD: dict[str, tuple[Any, dict[str, str], dict[str, Any], int, str]] = {
    "a cell": ("model,layers\nphi-2,12-24\n", CSV, {}, 400, "bad-table"),
    "a model": ("model,layers\nphi-9,12\n", CSV, {}, 400, "bad-table"),
    "a header": ("model,hiden\nphi-2,12\n", CSV, {}, 400, "bad-table"),
    "a unit": ("model,hidden_size [GB]\nphi-2,2048\n", CSV, {}, 400, "bad-table"),
    "headers": ("model,layers,layers\nphi-2,1,2\n", CSV, {}, 400, "bad-table"),
    "a ragged row": ("model,layers\nphi-2,1,2\n", CSV, {}, 400, "bad-table"),
    "a formula": ("model,layers\nphi-2,=1+1\n", CSV, {}, 400, "bad-table"),
    "quotes": ('model,layers\nphi-2,"12\n', CSV, {}, 400, "bad-file"),
    "latin-1": (b"model,layers\nphi-2,\xe9\n", CSV, {}, 400, "bad-file"),
    "nothing": ("", CSV, {}, 400, "bad-file"),
    "no workbook": (b"PK nothing", {"Content-Type": XLSX}, {}, 400, "bad-file"),
    "json": ("{}", {"Content-Type": "application/json"}, {}, 415, "unsupported-media"),
    "no type": ("model\n", {}, {}, 415, "unsupported-media"),
    "a form without boundary": ("x", {"Content-Type": "multipart/form-data"}, {}, 400, "bad-file"),
    "a map": (TABLE, CSV, {"map": "layers"}, 400, "bad-parameter"),
    "a map of nothing": (TABLE, CSV, {"map": "layrs=num_layers"}, 400, "bad-parameter"),
    "a source": (TABLE, CSV, {"source": "no-such"}, 400, "bad-parameter"),
    "a source's type": (TABLE, CSV, {"source": "n", "source_title": "t", "source_type": "x"}, 400, "bad-parameter"),
    "another title": (TABLE, CSV, {"source_title": "t"}, 400, "bad-parameter"),
    "a dry run": (TABLE, CSV, {"dry_run": "perhaps"}, 400, "bad-parameter"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_a_problem_with_place_and_advice_and_changes_nothing(reader: Desk, what: str) -> None:
    body, headers, query, status, code = BAD[what]
    head = reader.head
    answer = reader.send(body, headers=headers, **query)
    problem = problem_of(answer)
    assert (problem["status"], problem["code"]) == (status, code), problem
    if code == "bad-table":
        assert (problem["line"], problem["column"]) in {(2, 2), (1, 2), (1, 3), (2, 1), (2, 3)}
        assert len(problem["findings"]) == 1
        assert f"line {problem['line']}, column {problem['column']}" in problem["findings"][0]
    if what != "a dry run":
        assert problem["advice"]
    assert reader.head == head


def test_numbers_as_people_write_them_have_a_visible_verdict(reader: Desk) -> None:
    """Each cell tells what it was read as; two values in one cell are refused with advice."""
    head = reader.head
    cells = [
        ("hidden_size", "2,048", "accepted", "2048", None),
        ("vocabulary size", "32k", "accepted", "32000 (31500 to 32500) [in k]", None),
        ("context", "32k", "accepted", "32768 (31500 to 33280) [k may be 1000 or 1024]", None),
        ("layers", "24*", "accepted", "24 [footnote mark '*' left out]", None),
        ("params", "1.1B", "accepted", "1100000000 (1050000000 to 1150000000) [in B]", None),
        ("params", "Base = 110M, Large = 340M", "refused", None, "several-values"),
        ("parameters [B]", "110M", "refused", None, "unit-conflict"),
        ("params", "24 GiB", "refused", None, "unknown-unit"),
    ]
    for header, cell, verdict, read_as, code in cells:
        table = f'model,{header}\nphi-2,"{cell}"\n'
        report = reader.send(table, dry_run="true").json()
        (finding,) = report["findings"]
        told = (finding["cell"], finding["verdict"], finding.get("read_as"), finding.get("code"))
        assert told == (cell, verdict, read_as, code)
        assert (finding["column"], report["new"]) == (2, int(verdict == "accepted"))
        if verdict == "refused":
            assert finding["advice"]
            problem = problem_of(reader.send(table))
            assert (problem["code"], problem["line"], problem["column"]) == ("bad-table", finding["line"], 2)
            assert finding["advice"] in problem["findings"][0]
            assert problem["advice"]
    assert reader.head == head


def test_a_workbook_with_formulas_is_refused_at_their_cells(reader: Desk) -> None:
    head = reader.head
    rows: list[list[object]] = [["model", "layers", "hidden_size"], ["phi-2", Formula("B9*2", 66), Formula("A1", 1)]]
    problem = problem_of(reader.send(workbook(rows), headers={"Content-Type": XLSX}))
    assert (problem["status"], problem["code"], problem["line"], problem["column"]) == (400, "bad-table", 2, 2)
    assert len(problem["findings"]) == 2
    assert all("formula" in one for one in problem["findings"])
    assert reader.head == head


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16-le", "shift_jis"])
def test_a_wrong_encoding_is_told_with_its_place_and_what_to_do(reader: Desk, encoding: str) -> None:
    letter = "ア" if encoding == "shift_jis" else "é"
    head = reader.head
    problem = problem_of(reader.send(f"model,tokenizer\nphi-2,caf{letter}\n".encode(encoding)))
    assert (problem["status"], problem["code"]) == (400, "bad-file")
    assert "UTF-8" in problem["advice"]
    if encoding != "utf-16-le":
        assert (problem["line"], problem["column"]) == (2, 10)
    assert reader.head == head


@pytest.mark.parametrize("body", [b"", b"\n", b"model,layers\n", b"\xef\xbb\xbf"])
def test_a_file_without_a_table_is_told(reader: Desk, body: bytes) -> None:
    head = reader.head
    problem = problem_of(reader.send(body))
    assert (problem["status"], problem["code"]) == (400, "bad-file")
    assert problem["advice"]
    assert reader.head == head


@pytest.mark.parametrize("scope", [None, Scope.REVIEW])
def test_it_needs_the_scope_propose(reader: Desk, scope: Scope | None) -> None:
    if scope is None:
        answer = reader.client.post(PATH, content=TABLE, headers=CSV)
        assert problem_of(answer)["code"] == "unauthorized"
        return
    _, key = reader.services.keys.create("Reviewer", (scope,), reader.services.now())
    assert problem_of(reader.send(TABLE, key=key))["code"] == "forbidden"


@pytest.mark.parametrize("size", [20_000_001, 100_000_000])
@pytest.mark.parametrize("kind", ["csv", "xlsx", "form"])
def test_a_body_that_is_too_long_is_refused_before_it_is_all_there(reader: Desk, size: int, kind: str) -> None:
    head = reader.head
    sent = 0

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < size:
            sent += 100_000
            yield b"x" * 100_000

    kinds = {"csv": "text/csv", "xlsx": XLSX, "form": "multipart/form-data; boundary=b"}
    body = parts() if size > 50_000_000 else b"x" * (size + 20_000)
    problem = problem_of(reader.send(body, headers={"Content-Type": kinds[kind]}))
    assert (problem["status"], problem["code"]) == (400, "query-refused")
    assert problem["advice"]
    assert sent < 25_000_000
    assert reader.head == head
