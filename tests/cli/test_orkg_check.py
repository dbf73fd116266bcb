"""`slmkg orkg check`, run as a command against the double."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import slmkg
from tests.orkg_double.faults import Bend
from tests.orkg_double.process import running
from tests.orkg_double.steering import Steering


@pytest.fixture(scope="module")
def double() -> Iterator[Steering]:
    with running("r753434") as steering:
        yield steering


def checked(data: Path, double: Steering, *arguments: str) -> subprocess.CompletedProcess[str]:
    return slmkg(data, "orkg", "check", *arguments, orkg_url=double.address, orkg_per_second="1000")


def test_it_says_that_the_contract_holds_and_keeps_nothing(tmp_path: Path, double: Steering) -> None:
    double.reset("r753434")
    done = checked(tmp_path / "var", double)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"the contract holds ({double.address}, backend 0.102.0, 5 requests)")
    assert [one["method"] for one in double.log()] == ["GET"] * 5
    assert not (tmp_path / "var").exists()


def test_it_says_what_is_broken_and_fails(tmp_path: Path, double: Steering) -> None:
    double.reset("r753434")
    double.bend(Bend("rename", "/api/comparisons/.*/contents", key="values", to="cells"))
    done = checked(tmp_path, double)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "broken: GET /api/comparisons/R753434/contents at /values: our client cannot read it: Field required"
    )
    assert "neither pull nor push" in done.stderr
    told = json.loads(checked(tmp_path, double, "--json").stdout)
    assert (told["holds"], told["findings"][0]["weight"]) == (False, "broken")


def test_it_says_what_differs_and_what_is_in_doubt(tmp_path: Path, double: Steering) -> None:
    double.reset("r753434")
    double.habits(backend="0.103.0")
    done = checked(tmp_path, double, "R753854")
    assert done.returncode == 0
    assert "with 1 difference(s) that do no harm" in done.stderr
    double.bend(Bend("drop", "/api", key="/api/resources/{id}"))
    done = checked(tmp_path, double)
    assert done.returncode == 0
    assert "doubtful: GET /api at /paths: PUT /api/resources/{} is not described any more" in done.stdout
    assert "holds for reading" in done.stderr


@pytest.mark.parametrize(
    ("argument", "code", "said"),
    [("R753434/../user", 2, "is no id of a comparison"), ("R404", 1, '"R404" not found.')],
)
def test_it_says_why_it_cannot_check(tmp_path: Path, double: Steering, argument: str, code: int, said: str) -> None:
    double.reset("r753434")
    done = checked(tmp_path, double, argument)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
