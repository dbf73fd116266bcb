"""The evaluation harness on a tiny model and local tasks: needs the extra `eval`, and so a step of its own.

What needs no harness (suites, refusals) is in tests/measure/test_suites.py.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from app.curate import bulk
from app.errors import RandomScores
from app.ingest.runs import recognise
from app.measure.capability import EVALUATION, STAMP, Evaluation, evaluate
from app.measure.values import RandomWeights, RealWeights, Status
from app.measure.weights import weights_hash
from app.model.agents import Agent
from app.services import Services
from tests.cli.test_bulk import Command

WORDS = "ice melts in a hot cup and a person opens an umbrella because it is raining on Tuesday 0 1 2 3 4 5 6 7 8 9 +"
QUESTIONS = [
    ("Ice put in a hot cup will", ["melt", "sing", "grow hair", "fly"], 0),
    ("A person opens an umbrella because it is", ["Tuesday", "raining", "square", "loud"], 1),
    ("To read in a dark room you need", ["a spoon", "sand", "a lamp", "a fish"], 2),
    ("Fish live in", ["clouds", "books", "ovens", "water"], 3),
]
TASK = """task: {name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
    train: {data}
test_split: test
fewshot_split: train
fewshot_config:
  sampler: first_n
output_type: multiple_choice
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
  - metric: acc_norm
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""


def tiny_model(folder: Path, seed: int) -> Path:
    """A llama of a few thousand parameters, with a tokenizer made from a few words."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    tokenizers = importlib.import_module("tokenizers")
    text = [WORDS, *(f"Question: {one} Answer: {' '.join(choices)}" for one, choices, _ in QUESTIONS)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<s>", "</s>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(text, trainer)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=400,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder and two tasks, one called as a benchmark of the registry."""
    base = tmp_path_factory.mktemp("capability")
    tiny_model(base / "model", seed=7)
    tasks = base / "tasks"
    tasks.mkdir()
    data = tasks / "questions.jsonl"
    rows = [{"question": one, "choices": choices, "answer": answer} for one, choices, answer in QUESTIONS * 2]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for name in ("arc_easy", "my_own"):
        (tasks / f"{name}.yaml").write_text(TASK.format(name=name, data=data), encoding="utf-8")
    return base


def asked(folder: Path, *, shots: int = 0, benchmarks: Sequence[str] = ("arc-easy",)) -> Evaluation:
    model = folder / "model"
    return Evaluation(
        model="smollm-135m",
        weights=RealWeights(str(model), weights_hash(model)),
        folder=str(model),
        tasks=str(folder / "tasks"),
        benchmarks=tuple(benchmarks),
        shots=shots,
    )


def test_scores_become_one_proposal_of_the_model_that_was_meant(folder: Path, own_services: Services) -> None:
    steps: list[tuple[str, float]] = []
    evaluated = evaluate(asked(folder), lambda step, share: steps.append((step, share)))
    assert (evaluated.status, evaluated.message) == (Status.OK, None)
    assert evaluated.storable
    assert evaluated.versions["lm_eval"]
    assert [step for step, _ in dict.fromkeys((step, 0) for step, _ in steps)] == [
        "tasks",
        "model",
        "requests",
        "files",
    ]
    assert steps[-2] == ("requests", 1.0)
    (run,) = recognise.read(evaluated.files)
    by_scoring = {figure.score.scoring: figure for figure in run.figures if figure.score}
    assert set(by_scoring) == {"acc", "acc_norm"}
    for figure in run.figures:
        assert figure.count == len(figure.samples) == 8
        assert figure.score is not None
        assert (figure.score.task, figure.score.shots, figure.partial) == ("arc_easy", 0, False)
    taken = own_services.propose_import(bulk.evaluated_runs(evaluated), Agent("ada", "Ada"))
    assert taken.step.proposal is not None
    contents = [item.content for item in taken.step.proposal.items]
    assert {content.model.value.rsplit("/", 1)[-1] for content in contents} == {"smollm-135m"}  # type: ignore[union-attr]
    assert len(contents) == 2
    assert own_services.propose_import(bulk.evaluated_runs(evaluated), Agent("ada", "Ada")).step.proposal is None


def test_shots_and_limits_are_those_that_were_asked_for(folder: Path) -> None:
    evaluated = evaluate(replace(asked(folder, shots=5, benchmarks=()), limit=4))
    assert evaluated.status is Status.OK, evaluated.message
    (run,) = recognise.read(evaluated.files)
    assert {figure.score.task for figure in run.figures if figure.score} == {"arc_easy", "my_own"}
    for figure in run.figures:
        assert figure.score is not None
        assert (figure.score.shots, figure.count, figure.partial) == (5, 4, True)


def test_random_weights_are_a_self_test_that_is_never_stored(folder: Path) -> None:
    evaluation = replace(asked(folder), weights=RandomWeights(seed=7))
    with pytest.raises(RandomScores):
        evaluate(evaluation)
    evaluated = evaluate(replace(evaluation, self_test=True))
    assert evaluated.status is Status.OK, evaluated.message
    assert not evaluated.storable
    with pytest.raises(RandomScores):
        bulk.evaluated_runs(evaluated)


def test_weights_that_say_that_they_are_random_are_believed(folder: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(folder / "model", tmp_path / "model"))
    transformers = importlib.import_module("transformers")
    transformers.LlamaForCausalLM.from_pretrained(model).save_pretrained(model)
    evaluation = replace(asked(folder), folder=str(model), weights=RealWeights(str(model), weights_hash(model)))
    safetensors = importlib.import_module("safetensors.torch")
    tensors = safetensors.load_file(model / "model.safetensors")
    safetensors.save_file(
        {name: tensor.clone() for name, tensor in tensors.items()},
        model / "model.safetensors",
        metadata={"format": "pt", STAMP: "randomly-initialised"},
    )
    with pytest.raises(RandomScores):
        evaluate(replace(evaluation, weights=RealWeights(str(model), weights_hash(model)), self_test=True))


@pytest.mark.parametrize(
    ("spoilt", "status", "said"),
    [
        ({"benchmarks": ("gsm8k",)}, Status.FAILED, "no task file defines gsm8k"),
        ({"precision": "float7"}, Status.FAILED, "float7"),
    ],
)
def test_what_the_harness_cannot_do_is_a_status_with_a_message(
    folder: Path, spoilt: dict[str, object], status: Status, said: str
) -> None:
    evaluated = evaluate(replace(asked(folder), **spoilt))  # type: ignore[arg-type]
    assert evaluated.status is status
    assert said in (evaluated.message or "")
    assert evaluated.files == {}


def test_at_the_command_line(folder: Path, tmp_path: Path, seed_folder: Path) -> None:
    """Scores become a proposal; those of a self-test are shown and stored nowhere."""
    command = Command(tmp_path, seed_folder)
    given = ("evaluate", "smollm-135m", folder / "model", "--tasks", folder / "tasks", "--benchmark", "arc-easy")
    code, out, err = command.inside(*given, "--self-test")
    assert (code, out.count("arc_easy\t"), "nothing is stored" in err) == (0, 2, True), err
    code, out, err = command.inside("proposals", "list")
    assert "proposal" not in out
    code, out, err = command.inside(*given, "--shots", "1")
    assert (code, "proposal 1: 2 item(s)" in out) == (0, True), err
    assert "requests 100%" in err


def test_an_evaluation_that_takes_too_long_is_ended(folder: Path) -> None:
    evaluated = evaluate(asked(folder), seconds=0.5)
    assert (evaluated.status, evaluated.message) == (Status.TIMEOUT, "it took longer than 0.5 s")
    assert evaluated.files == {}


def test_the_process_ends_with_whoever_started_it(folder: Path, tmp_path: Path) -> None:
    """A parent that is killed leaves no harness behind."""
    record = EVALUATION.dump_python(asked(folder), mode="json")
    program = (
        "import json, os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-m', 'app.measure.harness'], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE)\n"
        "question = json.loads(sys.argv[1])\n"
        "child.stdin.write(json.dumps({**question, 'parent': os.getpid()}).encode()); child.stdin.close()\n"
        "child.stdout.readline(); print(child.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    question = json.dumps({"evaluation": record, "folder": str(tmp_path)})
    parent = subprocess.Popen(
        [sys.executable, "-c", program, question],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    for _ in range(200):
        if not _lives(child):
            break
        time.sleep(0.05)
    assert not _lives(child)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
