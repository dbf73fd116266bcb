"""`slmkg validate`: one thing by its name, and nothing for a thing that is not there."""

from __future__ import annotations

import json
from pathlib import Path

from app.outcomes import EXIT_FAILURE
from tests.cli.run import slmkg


def test_one_thing_is_validated_by_its_name(seed_folder: Path) -> None:
    done = slmkg(seed_folder, "validate", "--record", "model:phi-2", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["conforms"] is True


def test_a_thing_that_is_not_there_is_told(seed_folder: Path) -> None:
    done = slmkg(seed_folder, "validate", "--record", "model:phi-9", "--json")
    assert (done.returncode, done.stdout) == (EXIT_FAILURE, "")
    assert "phi-9" in done.stderr
    assert "model:phi-2" in done.stderr
