"""What `slmkg measure` tells without measuring: plans, predictions, and weights that it cannot take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.services import Services
from tests.cli.run import slmkg
from tests.ingest.huggingface.hubs import SHA, hub


def test_a_prediction_is_told_with_its_interval_and_as_what_it_is(seed_folder: Path) -> None:
    told = slmkg(seed_folder, "measure", "predict", "--model", "qwen2.5-1.5b,smollm-360m", "--prompt", "512")
    assert told.returncode == 0, told.stderr
    assert "predicted by formula, not measured" in told.stdout
    assert "measured there itself" in told.stdout
    as_json = slmkg(seed_folder, "measure", "predict", "--model", "qwen2.5-1.5b", "--json")
    (found,) = json.loads(as_json.stdout)
    assert (found["model"], found["prompt"]) == ("qwen2.5-1.5b", 256)
    assert {one["place"]["variant"] for one in found["outlooks"]} == {"F16", "Q8_0", "Q4_K_M"}


def test_a_prediction_for_no_model_is_an_error_with_advice(seed_folder: Path) -> None:
    told = slmkg(seed_folder, "measure", "predict", "--model", "gpt-9")
    assert told.returncode == 1
    assert "gpt-9" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(("engine", "told"), [("llama.cpp", "--engine torch"), ("torch", "Hugging Face folder")])
def test_weights_that_the_engine_cannot_read_are_refused_with_the_way(
    seed_folder: Path, tmp_path: Path, engine: str, told: str
) -> None:
    wrong = tmp_path if engine == "llama.cpp" else tmp_path / "model.gguf"
    if engine == "torch":
        wrong.write_bytes(b"GGUF")
    refused = slmkg(
        seed_folder, "measure", "plan", "--model", "smollm-135m", "--engine", engine, "--weights", str(wrong)
    )
    assert refused.returncode == 2
    assert told in refused.stderr


def test_weights_come_from_the_hub_at_a_commit(own_services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    data = own_services.settings.data_dir
    with hub({"model-Q8_0.gguf": b"GGUF" * 100}) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        for _ in range(2):
            told = slmkg(
                data, "measure", "plan", "--model", "smollm-135m", "--variant", "Q8_0",
                "--weights", f"hub:microsoft/phi-2/model-Q8_0.gguf@{SHA}",
            )  # fmt: skip
            assert told.returncode == 0, told.stderr
        assert sum(f"/resolve/{SHA}/model-Q8_0.gguf" in path for path in asked) <= 2
        refused = slmkg(
            data, "measure", "plan", "--model", "smollm-135m", "--weights", "hub:microsoft/phi-2/no.gguf",
        )  # fmt: skip
    assert refused.returncode == 2
    assert "model-Q8_0.gguf" in refused.stderr
