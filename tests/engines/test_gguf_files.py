"""The folder of files: each is whole or not there, whatever happens to the one who writes it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import psutil
import pytest

from app.errors import (
    BadFile,
    BadParameter,
    ExtraMissing,
    NoRoom,
    PreparationFailed,
    Unmeasurable,
)
from app.measure.gguf import inspect
from app.measure.gguf.files import bytes_to_write, expected_bytes, prepare
from app.measure.gguf.quantise import quantise
from app.measure.gguf.variants import VARIANTS
from app.measure.values import RandomWeights, RealWeights, Subject
from tests.measure.gguf.facts import ROOT, TINY

LLAMA = Subject("llama", TINY["llama"])
RANDOM = RandomWeights()


def _silent(_step: str, _share: float) -> None:
    """Nobody watches."""


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that stands for released weights."""
    made = prepare(LLAMA, RandomWeights(7), "F16", tmp_path_factory.mktemp("released"), _silent)
    return made.rename(made.with_name("released.gguf"))


def _real(path: Path) -> RealWeights:
    return RealWeights(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_file_is_made_once_and_says_what_it_is(tmp_path: Path) -> None:
    steps: list[tuple[str, float]] = []
    path = prepare(Subject("lla ma/1", TINY["llama"]), RANDOM, "f16", tmp_path, lambda *step: steps.append(step))
    assert {step for step, _ in steps} == {"writing F16"}
    assert steps[-1] == ("writing F16", 1.0)
    assert [share for _, share in steps] == sorted(share for _, share in steps)
    assert path.name.startswith("lla-ma-1.F16.")
    metadata = inspect.contents(path).metadata
    assert metadata["slmkg.weights"] == "randomly-initialised"
    assert (metadata["slmkg.seed"], metadata["slmkg.writer"]) == (42, 1)
    assert metadata["slmkg.deviation"] == pytest.approx(0.02)
    assert metadata["general.name"] == "lla ma/1 (random weights)"
    before = path.stat()
    assert prepare(Subject("lla ma/1", TINY["llama"]), RANDOM, "F16", tmp_path, _silent) == path
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_decides_about_the_bytes_decides_about_the_name(tmp_path: Path) -> None:
    other = replace(TINY["llama"], max_context_length=256)
    made = {
        prepare(subject, weights, variant, tmp_path, _silent).name
        for subject, weights, variant in [
            (LLAMA, RANDOM, "F16"),
            (LLAMA, RandomWeights(1), "F16"),
            (LLAMA, RandomWeights(deviation=0.1), "F16"),
            (Subject("llama", other), RANDOM, "F16"),
            (LLAMA, RANDOM, "Q8_0"),
        ]
    }
    assert len(made) == 5


def test_weights_are_normal_gains_are_one_and_no_two_rows_are_alike(tmp_path: Path) -> None:
    path = prepare(LLAMA, RandomWeights(3, 0.05), "F16", tmp_path, _silent)
    for tensor in gguf.GGUFReader(path).tensors:
        values = np.asarray(tensor.data)
        if tensor.name.endswith("_norm.weight"):
            assert (values == 1).all()
        else:
            assert abs(float(values.astype(float).mean())) < 0.002
            assert float(values.astype(float).std()) == pytest.approx(0.05, rel=0.02)
            assert len(np.unique(values, axis=0)) == len(values)


def test_an_artifact_describes_the_file(tmp_path: Path) -> None:
    path = prepare(LLAMA, RANDOM, "Q8_0", tmp_path, _silent)
    found = inspect.artifact(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.size, found.file_format, found.parameters) == (path.stat().st_size, "GGUF", 1262848)
    assert found.tensor_types == {"F32": 5 * 256, "Q8_0": 1262848 - 5 * 256}
    assert found.bits_per_weight == pytest.approx(8.5 + 5 * 256 / 1262848 * 23.5, abs=1e-3)


def test_variants_are_made_from_one_plain_file_which_is_not_needed_again(tmp_path: Path) -> None:
    assert bytes_to_write(LLAMA, RANDOM, ["Q8_0", "Q4_0"], tmp_path) == sum(
        expected_bytes(LLAMA, name) for name in ("F16", "Q8_0", "Q4_0")
    )
    steps: list[str] = []
    quantised = prepare(LLAMA, RANDOM, "Q8_0", tmp_path, lambda step, _: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["writing F16", "quantising to Q8_0"]
    assert bytes_to_write(LLAMA, RANDOM, ["Q8_0", "Q4_0"], tmp_path) == expected_bytes(LLAMA, "Q4_0")
    assert bytes_to_write(LLAMA, RANDOM, ["Q8_0", "F16"], tmp_path) == 0
    prepare(LLAMA, RANDOM, "F16", tmp_path, _silent).unlink()
    assert prepare(LLAMA, RANDOM, "Q8_0", tmp_path, _silent) == quantised
    assert _names(tmp_path) == [quantised.name]


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    path = prepare(LLAMA, RANDOM, "F16", tmp_path, _silent)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:100], b"", b"something else" * 1000):
        path.write_bytes(damaged)
        assert prepare(LLAMA, RANDOM, "F16", tmp_path, _silent) == path
        assert path.read_bytes() == whole


@pytest.mark.parametrize("step", ["writing", "quantising"])
def test_a_killed_writer_leaves_no_half_file_and_the_next_one_tidies_up(tmp_path: Path, step: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engines.preparing", "Q4_K_M", str(tmp_path), step, "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline().startswith(step)
        writer.kill()
    left = _names(tmp_path)
    assert any(name.endswith(".part") for name in left)
    assert not any(name.endswith(".gguf") and ".Q4_K_M." in name for name in left)
    assert all(inspect.contents(path).parameters == 1262848 for path in tmp_path.glob("[!.]*"))
    path = prepare(LLAMA, RANDOM, "Q4_K_M", tmp_path, _silent)
    assert inspect.contents(path).variant == "Q4_K_M"
    assert not any(name.endswith(".part") for name in _names(tmp_path))


def test_the_quantiser_ends_with_the_one_who_called_it(tmp_path: Path, released: Path) -> None:
    os.mkfifo(tmp_path / "target")  # nobody reads it, so that the quantiser waits
    call = (
        "import sys; from pathlib import Path; from app.measure.gguf.quantise import quantise;"
        "from app.measure.gguf.variants import VARIANTS;"
        "quantise(Path(sys.argv[1]), Path(sys.argv[2]), VARIANTS['Q8_0'], print)"
    )
    with subprocess.Popen([sys.executable, "-c", call, str(released), str(tmp_path / "target")], cwd=ROOT) as caller:
        children: list[psutil.Process] = []
        deadline = time.monotonic() + 30
        while not (children and "llama_cpp" in "".join(m.path for m in children[0].memory_maps())):
            assert time.monotonic() < deadline
            children = psutil.Process(caller.pid).children()
        assert children[0].status() != psutil.STATUS_ZOMBIE
        caller.kill()
    gone, alive = psutil.wait_procs(children, timeout=30)
    for process in alive:
        process.kill()
    assert gone
    assert not alive


def test_what_a_living_writer_holds_is_left_alone(tmp_path: Path) -> None:
    temporary = tmp_path / ".other.gguf.x.part"
    with temporary.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        prepare(LLAMA, RANDOM, "F16", tmp_path, _silent)
        assert temporary.exists()
    prepare(LLAMA, RANDOM, "F16", tmp_path, _silent)
    assert not temporary.exists()


def test_a_model_that_does_not_fit_on_the_disk_is_refused_beforehand(tmp_path: Path) -> None:
    giant = Subject("giant", replace(TINY["llama"], vocabulary_size=10**12))
    with pytest.raises(NoRoom) as caught:
        prepare(giant, RANDOM, "F16", tmp_path, _silent)
    assert caught.value.needed > 2 * 256 * 10**12
    assert str(caught.value.needed) in caught.value.message
    assert str(caught.value.free) in caught.value.message
    assert _names(tmp_path) == []


@pytest.mark.parametrize("variant", ["F16", "Q8_0"])
def test_a_file_that_cannot_be_written_to_its_end_is_no_file(tmp_path: Path, variant: str) -> None:
    if variant == "Q8_0":  # then it is the quantiser that comes to the limit
        prepare(LLAMA, RANDOM, "F16", tmp_path, _silent)
    before = _names(tmp_path)
    prepared = subprocess.run(
        [sys.executable, "-m", "tests.engines.preparing", variant, str(tmp_path), "", "1000000"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert prepared.stdout.startswith("preparation-failed: "), prepared.stderr
    assert _names(tmp_path) == before


def test_the_quantiser_tells_why_it_failed(tmp_path: Path) -> None:
    source = tmp_path / "source.gguf"
    source.write_bytes(b"no model")
    with pytest.raises(PreparationFailed) as caught:
        quantise(source, tmp_path / "target.gguf", VARIANTS["Q8_0"], lambda _: None)
    assert "could not quantise to Q8_0" in caught.value.message
    assert "invalid magic" in caught.value.message or "failed" in caught.value.message


def test_an_unknown_variant_or_class_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadParameter):
        prepare(LLAMA, RANDOM, "INT4", tmp_path, _silent)
    with pytest.raises(Unmeasurable):
        prepare(
            Subject("x", replace(TINY["llama"], architecture_class="OPTForCausalLM")), RANDOM, "F16", tmp_path, _silent
        )
    assert _names(tmp_path) == []


def test_released_weights_are_taken_as_they_are(tmp_path: Path, released: Path) -> None:
    assert prepare(LLAMA, _real(released), "F16", tmp_path, _silent) == released
    assert _names(tmp_path) == []


def test_released_weights_are_quantised_into_the_folder(tmp_path: Path, released: Path) -> None:
    path = prepare(LLAMA, _real(released), "Q4_0", tmp_path, _silent)
    assert path.parent == tmp_path
    assert inspect.contents(path).variant == "Q4_0"
    before = path.stat().st_ino
    assert prepare(LLAMA, _real(released), "Q4_0", tmp_path, _silent).stat().st_ino == before
    with pytest.raises(BadParameter, match="is Q4_0 and cannot be made Q8_0"):
        prepare(LLAMA, _real(path), "Q8_0", tmp_path, _silent)


def test_released_weights_must_be_the_ones_that_are_meant(tmp_path: Path, released: Path) -> None:
    with pytest.raises(BadFile, match="has the SHA-256"):
        prepare(LLAMA, RealWeights(str(released), "0" * 64), "F16", tmp_path, _silent)
    with pytest.raises(BadFile, match="the facts of the architecture give"):
        prepare(Subject("x", TINY["qwen2"]), _real(released), "F16", tmp_path, _silent)
    with pytest.raises(BadFile, match="is a folder"):
        prepare(LLAMA, RealWeights(str(tmp_path), "0" * 64), "F16", tmp_path, _silent)
    with pytest.raises(BadFile, match="is not there"):
        prepare(LLAMA, RealWeights(str(tmp_path / "x"), "0" * 64), "F16", tmp_path, _silent)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(released.read_bytes()[:-100_000])
    with pytest.raises(BadFile, match="is no whole GGUF file"):
        prepare(LLAMA, _real(cut), "F16", tmp_path, _silent)


@pytest.mark.parametrize(("package", "made"), [("gguf", []), ("llama_cpp", ["F16"])])
def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, made: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExtraMissing) as caught:
        prepare(LLAMA, RANDOM, "Q8_0", tmp_path, _silent)
    assert "slmkg[measure]" in caught.value.advice
    assert [name.split(".")[1] for name in _names(tmp_path)] == made
