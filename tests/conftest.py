"""One loaded store for the whole test run, shared by all workers, and folders that tests may change."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from app import resources
from app.curate.assemble import Assembly, assemble
from app.ingest.seed import Seed, read_seed
from app.services import Services
from app.settings import Settings
from app.wiring import build
from tests.store.servers import oxigraph_server, virtuoso_server

__all__ = ["oxigraph_server", "virtuoso_server"]

settings.register_profile(
    "slmkg", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("slmkg")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests on Virtuoso are heavy: `make test` must pass where only Python packages can be installed."""
    for item in items:
        if "virtuoso_server" in getattr(item, "fixturenames", ()) or "virtuoso" in item.name.partition("[")[2]:
            item.add_marker(pytest.mark.heavy)


@pytest.fixture(scope="session")
def fixture_folder() -> Path:
    """The folder of files that tests read and never write."""
    return Path(__file__).parent / "fixtures"


@pytest.fixture(scope="session")
def seed_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a store that holds the whole seed. Read-only: the workers of a run share it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, done = shared / "seed", shared / "seed-done"
    with _locked(shared / "seed-lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            build(Settings(data_dir=folder)).load()
            done.touch()
    return folder


@pytest.fixture(scope="session")
def seed_services(seed_folder: Path) -> Services:
    """Services on the loaded store. Never write through it: take `own_services` for that."""
    return build(Settings(data_dir=seed_folder))


@pytest.fixture(scope="session")
def seed() -> Seed:
    """What the shipped data folder says, as values."""
    return read_seed(resources.folder("data"))


@pytest.fixture(scope="session")
def assembly(seed: Seed) -> Assembly:
    """The whole graph of the shipped data folder, as values."""
    return assemble(seed, resources.folder("ontology"))


@pytest.fixture
def own_services(seed_folder: Path, tmp_path: Path) -> Services:
    """Services on a copy of the loaded store that the test may change."""
    shutil.copytree(seed_folder, tmp_path / "var")
    return build(Settings(data_dir=tmp_path / "var"))


@pytest.fixture
def copy_of_seed() -> Callable[[Path], Path]:
    """Copies the shipped data folder below a folder and returns the copy, so that a test can spoil it."""

    def copied(folder: Path) -> Path:
        return Path(shutil.copytree(resources.folder("data"), folder / "data"))

    return copied


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
