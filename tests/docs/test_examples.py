"""Every example of every page runs, and prints what the page shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.examples import Example, Step, fits, read, steps
from tests.docs.lab import Lab, command_line, lab
from tests.project.checkout import ROOT, files

PAGES = {str(path.relative_to(ROOT)): path for path in files(".md") if path.name != "CHANGELOG.md"}
EXAMPLES = {name: read(path, name) for name, path in PAGES.items()}
TODO = {name: found for name, examples in EXAMPLES.items() if (found := list(steps(examples)))}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with command_line(tmp_path_factory.mktemp("zygote")) as found:
        yield found


@pytest.mark.parametrize("page", list(TODO))
def test_the_examples_of_a_page_print_what_it_shows(
    page: str, program: Path, seed_folder: Path, tmp_path: Path
) -> None:
    asks = any("127.0.0.1:8000" in step.command for step in TODO[page])
    with lab(tmp_path / "checkout", seed_folder, program, serve=asks) as found:
        assert found.run(TODO[page]) == []
