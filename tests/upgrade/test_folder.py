"""The format of a data folder: found, marked, brought on step by step, refused when it is newer than we are."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from app import __version__
from app.durable import locked
from app.errors import FolderTooNew, StoreBusy, StoreDamaged, StoreFull, StoreReadOnly
from app.folder import FORMAT, IN_USE, MARK, Folder, Mark, Say, Step
from app.model.health import State
from app.settings import Settings
from app.wiring import build, folder_of, opened


def quiet(_: str) -> None:
    pass


def folder_in(path: Path, number: int | None = None, *, slmkg: str = "0.0.9") -> Folder:
    """A folder with a key file and a store, and three formats whose steps write down that they were done."""
    (path / "store").mkdir(exist_ok=True, parents=True)
    (path / "keys.json").write_text("[]")
    if number is not None:
        (path / MARK).write_text(json.dumps({"format": number, "slmkg": slmkg}))

    def noting(name: str) -> Step:
        def run(folder: Path, say: Say) -> None:
            say(name)
            with (folder / "done").open("a") as handle:
                handle.write(name)

        return Step(int(name), f"step {name}", run)

    return Folder(path, (noting("1"), noting("2")), newest=3)


def test_where_nothing_lies_nothing_is_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "var")
    assert (folder.mark(), folder.to_do(), folder.upgrade(quiet)) == (None, (), ())
    assert not (tmp_path / "var").exists()
    assert folder.examine() == ()
    opened(Settings(data_dir=tmp_path / "var"), quiet)
    assert not (tmp_path / "var").exists()


def test_of_a_folder_in_which_only_a_key_was_made_nothing_is_said(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (tmp_path / "store").rmdir()
    said: list[str] = []
    assert (folder.upgrade(said.append), said) == ((), [])
    assert folder.mark() == Mark(3, __version__)
    assert (tmp_path / "done").read_text() == "12", "an engine elsewhere may hold its graph"


def test_a_new_folder_is_marked_with_its_first_revision(tmp_path: Path) -> None:
    from tests.release.small import services_in

    services_in(tmp_path / "var")
    assert Folder(tmp_path / "var").mark() == Mark(FORMAT, __version__)


@pytest.mark.parametrize(("number", "steps"), [(None, "12"), (1, "12"), (2, "2"), (3, "")])
def test_the_steps_are_done_in_order_and_once(number: int | None, steps: str, tmp_path: Path) -> None:
    folder = folder_in(tmp_path, number)
    said: list[str] = []
    assert folder.upgrade(said.append) == tuple(f"step {step}" for step in steps)
    assert (tmp_path / "done").exists() is bool(steps)
    if steps:
        assert (tmp_path / "done").read_text() == steps
        assert any("step" in line for line in said)
        assert folder.mark() == Mark(3, __version__)
    else:
        assert folder.mark() == Mark(3, "0.0.9"), "nothing was written"
    assert folder.upgrade(quiet) == ()
    assert [sign.state for sign in folder.examine()] == [State.GOOD]


def test_a_step_that_fails_leaves_the_format_before_and_is_begun_anew(tmp_path: Path) -> None:
    broken = [True]

    def run(folder: Path, say: Say) -> None:
        if broken.pop() if broken else False:
            raise OSError(28, "No space left on device")

    steps = folder_in(tmp_path, 1).steps
    folder = Folder(tmp_path, (steps[0], Step(2, "room", run)), newest=3)
    with pytest.raises(StoreFull):
        folder.upgrade(quiet)
    assert folder.mark() == Mark(2, __version__)
    assert folder.upgrade(quiet) == ("room",)
    assert (tmp_path / "done").read_text() == "1"


def test_a_newer_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    folder = folder_in(tmp_path, 4, slmkg="0.9.1")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    with pytest.raises(FolderTooNew) as refused:
        folder.upgrade(quiet)
    assert "slmkg 0.9.1 wrote" in refused.value.message
    assert "Install slmkg 0.9.1 or newer" in refused.value.advice
    with pytest.raises(FolderTooNew):
        opened(Settings(data_dir=tmp_path), quiet)
    with pytest.raises(FolderTooNew):
        build(Settings(data_dir=tmp_path)).repair()
    (sign,) = folder.examine()
    assert (sign.state, "0.9.1" in sign.advice) == (State.BAD, True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "two", "slmkg": "1"}', '{"format": 2}', "{}"])
def test_a_mark_that_cannot_be_read_is_told(content: str, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    (tmp_path / MARK).write_text(content)
    with pytest.raises(StoreDamaged, match=r"FOLDER\.json"):
        folder.upgrade(quiet)
    assert [sign.state for sign in folder.examine()] == [State.BAD]
    assert (tmp_path / MARK).read_text() == content


def test_somebody_at_work_in_an_older_folder_is_not_disturbed(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    with locked(tmp_path / IN_USE, shared=True), pytest.raises(StoreBusy, match="older format"):
        folder.upgrade(quiet)
    assert not (tmp_path / "done").exists()
    folder_in(tmp_path, 3)
    with locked(tmp_path / IN_USE, shared=True):
        assert folder.upgrade(quiet) == ()


def test_two_that_upgrade_at_once_do_it_once(tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    outcomes: list[object] = []

    def upgrade() -> None:
        try:
            outcomes.append(folder.upgrade(quiet))
        except StoreBusy as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=upgrade) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "done").read_text() == "12"
    assert set(outcomes) <= {("step 1", "step 2"), (), "store-busy"}


@pytest.mark.parametrize("needed", [False, True])
def test_an_older_folder_on_a_disk_that_cannot_be_written(needed: bool, tmp_path: Path) -> None:
    def run(folder: Path, say: Say) -> None:
        raise OSError(30, "Read-only file system")

    folder_in(tmp_path, 1)
    folder = Folder(tmp_path, (Step(1, "nothing", run, needed=needed),))
    said: list[str] = []
    if needed:
        with pytest.raises(StoreReadOnly):
            folder.upgrade(said.append)
    else:
        assert folder.upgrade(said.append) == ()
        assert "read in its older format" in said[-1]
    assert folder.mark() == Mark(1, "0.0.9")


def test_which_seed_data_was_loaded(tmp_path: Path) -> None:
    data, ontology, folder = tmp_path / "data", tmp_path / "ontology", Folder(tmp_path / "var")
    for path in (data, ontology):
        path.mkdir()
    (data / "models.csv").write_text("one")

    def sign() -> tuple[str, str]:
        (found,) = folder.examine_seed(data, ontology, filled=True)
        return found.state, found.advice

    folder.claim()
    assert folder.examine_seed(data, ontology, filled=False) == ()
    assert sign()[0] == State.NOTE
    folder.loaded(data, ontology, shipped=True)
    assert sign() == (State.GOOD, "")
    (data / "notes.txt").write_text("nobody loads this")
    assert sign() == (State.GOOD, "")
    (ontology / "slmkg.ttl").write_text("a newer one")
    assert sign()[0] == State.NOTE
    assert "slmkg load" in sign()[1]
    assert "stays" in sign()[1]
    folder.loaded(data, ontology, shipped=False)
    (data / "models.csv").write_text("two")
    assert sign() == (State.GOOD, ""), "it is their own"
    assert folder.mark() is not None


def test_every_format_leads_to_ours(tmp_path: Path) -> None:
    steps = folder_of(tmp_path).steps
    assert [step.leads_from for step in steps] == list(range(1, FORMAT))
