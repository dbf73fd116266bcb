"""Measures a model with PyTorch and transformers (extra `measure-torch`): for classes that llama.cpp does not know.

Random weights need no file: the facts become a configuration of transformers, and the model is built from it. The
number of parameters must be the one that the facts give, or nothing is measured. Released weights are a folder in the
layout of Hugging Face; no code from that folder is run.

The levels of this engine are not those of llama.cpp, only the order of models is: figures of both never mix.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import BadFile, EngineRefused, ExtraMissing, NoMemory, Unmeasurable
from app.measure.cost import uniform
from app.measure.engines import memory
from app.measure.engines.sampling import Measurement, Progress, sample
from app.measure.occupancy import Stopwatch, gate
from app.measure.values import Artifact, Cell, EngineBuild, Memory, Phase, RandomWeights
from app.model.architecture import LOCAL, Architecture, ArchitectureError, required
from app.model.tensors import parameter_count

EXTRA = "measure-torch"
TYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Variants that this engine has, and what torch calls them."""
_SEED = 0

Settings = dict[str, Any]


def _heads(facts: Architecture) -> int:
    """The one number of query heads."""
    return _one(facts.attention_heads_per_layer(), "num_attention_heads")


def _one(numbers: tuple[int, ...], fact: str) -> int:
    if len(set(numbers)) != 1:
        raise Unmeasurable(f"{fact} differs between layers, which this class of transformers has no room for")
    return numbers[0]


def _width(facts: Architecture) -> int:
    return _one(facts.per_layer(facts.intermediate_size, "intermediate_size"), "intermediate_size")


def _common(facts: Architecture) -> Settings:
    """What nearly all configurations of transformers call by the same names."""
    return {
        "vocab_size": required(facts.vocabulary_size, "vocabulary_size"),
        "hidden_size": required(facts.hidden_size, "hidden_size"),
        "num_hidden_layers": required(facts.num_layers, "num_layers"),
        "num_attention_heads": _heads(facts),
        "tie_word_embeddings": required(facts.ties_embeddings, "ties_embeddings"),
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
    }


def _positions(facts: Architecture) -> Settings:
    return {"max_position_embeddings": required(facts.max_context_length, "max_context_length")}


def _llama(facts: Architecture) -> Settings:
    """Llama and those that are built like it."""
    return {
        **_common(facts),
        **_positions(facts),
        "intermediate_size": _width(facts),
        "num_key_value_heads": _one(facts.key_value_heads_per_layer(), "num_key_value_heads"),
        "head_dim": required(facts.head_dimension, "head_dimension"),
    }


def _without(names: tuple[str, ...], settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name not in names}


def _mistral(facts: Architecture) -> Settings:
    return {**_llama(facts), "sliding_window": _window(facts)}


def _qwen2(facts: Architecture) -> Settings:
    return _without(("head_dim",), _llama(facts))


def _phi3(facts: Architecture) -> Settings:
    return {**_without(("head_dim",), _llama(facts)), "sliding_window": _window(facts)}


def _gemma2(facts: Architecture) -> Settings:
    return {**_llama(facts), "sliding_window": _window(facts) or facts.max_context_length}


def _stablelm(facts: Architecture) -> Settings:
    return {
        **_without(("head_dim",), _llama(facts)),
        "use_qkv_bias": bool(facts.uses_qkv_bias),
        "use_parallel_residual": bool(facts.parallel_residual),
    }


def _phi(facts: Architecture) -> Settings:
    return _without(("head_dim",), _llama(facts))


def _gptneox(facts: Architecture) -> Settings:
    parallel = facts.parallel_residual is not False
    return {
        **_common(facts),
        **_positions(facts),
        "intermediate_size": _width(facts),
        "use_parallel_residual": parallel,
    }


def _gptneo(facts: Architecture) -> Settings:
    layers = required(facts.num_layers, "num_layers")
    kinds = ["global" if window is None else LOCAL for window in facts.windows_per_layer()]
    return {
        **_without(("num_hidden_layers", "num_attention_heads"), _common(facts)),
        **_positions(facts),
        "num_layers": layers,
        "num_heads": _heads(facts),
        "intermediate_size": _width(facts),
        "attention_types": [[kinds, 1]],
        "window_size": _window(facts) or facts.max_context_length,
    }


def _gpt2(facts: Architecture) -> Settings:
    renamed = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
    settings = {renamed.get(name, name): value for name, value in _common(facts).items()}
    context = required(facts.max_context_length, "max_context_length")
    return {**settings, "n_positions": context, "n_inner": _width(facts)}


def _bloom(facts: Architecture) -> Settings:
    renamed = {"num_hidden_layers": "n_layer", "num_attention_heads": "n_head"}
    hidden, width = required(facts.hidden_size, "hidden_size"), _width(facts)
    if width != 4 * hidden:
        raise Unmeasurable(f"intermediate_size {width}: Bloom of transformers always has four times the hidden size")
    return {renamed.get(name, name): value for name, value in _common(facts).items()}


def _falcon(facts: Architecture) -> Settings:
    return {
        **_common(facts),
        "ffn_hidden_size": _width(facts),
        "multi_query": False,
        "parallel_attn": False,
        "bias": True,
        "alibi": True,
    }


def _opt(facts: Architecture) -> Settings:
    hidden = required(facts.hidden_size, "hidden_size")
    projection = facts.embedding_projection or hidden
    return {
        **_common(facts),
        **_positions(facts),
        "ffn_dim": _width(facts),
        "word_embed_proj_dim": projection,
        # The one released member with a projection normalises after each block, and has no norm at the end.
        "do_layer_norm_before": projection == hidden,
    }


def _minicpm3(facts: Architecture) -> Settings:
    return {
        **_common(facts),
        **_positions(facts),
        "intermediate_size": _width(facts),
        "num_key_value_heads": _heads(facts),
        "q_lora_rank": required(facts.query_lora_rank, "query_lora_rank"),
        "kv_lora_rank": required(facts.key_value_lora_rank, "key_value_lora_rank"),
        "qk_rope_head_dim": required(facts.rope_head_dimension, "rope_head_dimension"),
        "qk_nope_head_dim": required(facts.no_rope_head_dimension, "no_rope_head_dimension"),
        "v_head_dim": required(facts.value_head_dimension, "value_head_dimension"),
    }


def _window(facts: Architecture) -> int | None:
    return next((window for window in facts.windows_per_layer() if window is not None), None)


@dataclass(frozen=True, slots=True)
class _Class:
    """How transformers calls an architecture class, and its settings from the facts."""

    model_type: str
    settings: Callable[[Architecture], Settings]


_CLASSES = {
    "LlamaForCausalLM": _Class("llama", _llama),
    "MobileLLMForCausalLM": _Class("llama", _llama),
    "MistralForCausalLM": _Class("mistral", _mistral),
    "GemmaForCausalLM": _Class("gemma", _llama),
    "Gemma2ForCausalLM": _Class("gemma2", _gemma2),
    "Qwen2ForCausalLM": _Class("qwen2", _qwen2),
    "Phi3ForCausalLM": _Class("phi3", _phi3),
    "PhiForCausalLM": _Class("phi", _phi),
    "StableLmForCausalLM": _Class("stablelm", _stablelm),
    "OlmoForCausalLM": _Class("olmo", _qwen2),
    "NemotronForCausalLM": _Class("nemotron", _llama),
    "GPTNeoXForCausalLM": _Class("gpt_neox", _gptneox),
    "GPTNeoForCausalLM": _Class("gpt_neo", _gptneo),
    "GPT2LMHeadModel": _Class("gpt2", _gpt2),
    "BloomForCausalLM": _Class("bloom", _bloom),
    "FalconForCausalLM": _Class("falcon", _falcon),
    "OPTForCausalLM": _Class("opt", _opt),
    "MiniCPM3ForCausalLM": _Class("minicpm3", _minicpm3),
}
KNOWN_CLASSES = frozenset(_CLASSES)
"""Architecture classes that this engine builds from facts."""


def configuration(architecture: Architecture) -> tuple[str, Settings]:
    """The model type of transformers and the members of its configuration.

    Errors: `Unmeasurable` for a class without a row here, or a fact that is missing or that the class has no room for.
    """
    name = architecture.architecture_class
    known = _CLASSES.get(name or "")
    if known is None:
        raise Unmeasurable(f"the torch engine does not build {name or 'a model without an architecture class'}")
    try:
        return known.model_type, known.settings(architecture)
    except ArchitectureError as error:
        raise Unmeasurable(str(error)) from error


def reason_not(architecture: Architecture) -> str | None:
    """Why the engine cannot build a model of these facts; None where it can."""
    try:
        configuration(architecture)
        parameter_count(architecture)
    except (Unmeasurable, ArchitectureError) as error:
        return str(error)
    return None


def measure(cell: Cell, folder: Path | None, progress: Progress) -> Measurement:
    """Build the model, or read it from the folder, and sample the cell.

    Errors: `ExtraMissing`, `BadFile` (released weights that cannot be read), `EngineRefused`, `NoMemory`.
    """
    torch, transformers = _packages()
    kind = TYPES.get(cell.variant)
    if kind is None:
        raise EngineRefused(
            f"the torch engine has no variant {cell.variant}", advice=f"Take one of: {', '.join(TYPES)}."
        )
    torch.set_num_threads(cell.threads)
    before = memory.resident()
    memory.forget_peak()
    progress("load", 0.0, {})
    loading = Stopwatch(gate(cell.threads, waits_busily=False))
    loading.start()
    with _classified():
        model = _model(torch, transformers, cell, folder, getattr(torch, kind))
    loaded = loading.stop(Phase.LOAD, 0)
    counted = sum(weight.numel() for weight in model.parameters())
    _check_parameters(cell, counted)
    progress("load", 1.0, {"load_seconds": round(loaded.wall_ns / 1e9, 3)})
    with torch.inference_mode(), _classified():
        session = _Session(torch, model, cell)
        samples = sample(session, cell, Stopwatch(gate(cell.threads, waits_busily=False)), progress)
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return Measurement(
        build=EngineBuild("torch", torch.__version__, torch.version.git_version, torch.__config__.show().strip()),
        memory=Memory(
            weights=size,
            kv_used=session.kv_used,
            kv_allocated=session.kv_allocated,
            compute_buffer=None,
            peak_rss=memory.peak_resident(),
        ),
        samples=(loaded, *samples),
        finite_logits=session.finite,
        artifact=Artifact(
            sha256=_digest(torch, model),
            size=size,
            file_format="safetensors" if folder else "in-memory",
            parameters=counted,
            bits_per_weight=round(8 * size / counted, 4),
            tensor_types=_types(model),
            matrices=uniform(cell.subject.architecture, cell.variant),
        ),
        settings={
            "parameters": counted,
            "model_type": model.config.model_type,
            "attention": getattr(model.config, "_attn_implementation", None),
            "transformers": transformers.__version__,
            "cache_type": cell.variant,
            "kv_element_bytes": getattr(torch, kind).itemsize,
            "sampler": "greedy",
            "token_seed": _SEED,
            "resident_before_load": before,
        },
    )


def _packages() -> tuple[Any, Any]:
    try:
        import torch  # noqa: PLC0415 - of the extra
        import transformers  # noqa: PLC0415 - of the extra
    except ImportError as error:
        raise ExtraMissing(error.name or "torch", EXTRA) from error
    transformers.logging.set_verbosity_error()
    return torch, transformers


def _model(torch: Any, transformers: Any, cell: Cell, folder: Path | None, kind: Any) -> Any:
    """The model, ready to run."""
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise BadFile(folder, "holds no config.json", advice="Name a folder in the layout of Hugging Face.")
        try:
            model = transformers.AutoModelForCausalLM.from_pretrained(
                str(folder), dtype=kind, local_files_only=True, trust_remote_code=False
            )
        except RuntimeError:
            raise  # memory, among others: whoever calls tells them apart
        except Exception as error:
            raise BadFile(folder, f"cannot be loaded: {error}"[:500], advice="Download the weights again.") from error
        return model.eval()
    model_type, settings = configuration(cell.subject.architecture)
    if model_type not in transformers.CONFIG_MAPPING:
        raise EngineRefused(
            f"transformers {transformers.__version__} does not know {model_type}", advice="Install a newer one."
        )
    wanted = transformers.CONFIG_MAPPING[model_type](**settings)
    seed = cell.weights.seed if isinstance(cell.weights, RandomWeights) else _SEED
    wanted.initializer_range = cell.weights.deviation if isinstance(cell.weights, RandomWeights) else 0.02
    torch.manual_seed(seed)
    # Which attention runs is left to transformers: the fused one of torch, where the class has it.
    return transformers.AutoModelForCausalLM.from_config(wanted, dtype=kind).eval()


def _check_parameters(cell: Cell, counted: int) -> None:
    """Refuse a model that is not the one of the facts."""
    try:
        expected = parameter_count(cell.subject.architecture)
    except ArchitectureError as error:
        raise Unmeasurable(str(error)) from error
    if counted != expected:
        raise EngineRefused(
            f"transformers builds {counted} parameters, the facts give {expected}",
            advice="Check the facts of the architecture; this class may have a member that is not written down here.",
        )


class _Session:
    """One model. The cache of the depth is kept, and cut back to it after each repetition."""

    def __init__(self, torch: Any, model: Any, cell: Cell) -> None:
        self.torch = torch
        self.model = model
        self.cell = cell
        self.kv_used: int | None = None
        self.kv_allocated: int | None = None
        self.finite = True
        drawn = torch.Generator().manual_seed(_SEED)
        shape = (1, cell.depth + cell.prompt_tokens)
        tokens = torch.randint(0, int(model.config.vocab_size), shape, generator=drawn)
        self._depth, self._prompt = tokens[:, : cell.depth], tokens[:, cell.depth :]
        self._cache: Any = None
        self._next: Any = None
        self._logits: Any = None
        self._fill()

    def prefill(self) -> None:
        self._run(self._prompt)

    def decode(self, tokens: int) -> tuple[int, ...]:
        if self.kv_used is None:
            self.kv_used = _cache_bytes(self._cache)
        each = []
        for _ in range(tokens):
            started = time.perf_counter_ns()
            self._run(self._next)
            each.append(time.perf_counter_ns() - started)
        return tuple(each)

    def rewind(self) -> None:
        """Forget the prompt and what followed; a windowed cache cannot be cut back, so it is filled again."""
        self.finite = self.finite and bool(self.torch.isfinite(self._logits).all())
        self.kv_allocated = max(self.kv_allocated or 0, _cache_bytes(self._cache))
        self._cache = None
        self._fill()

    def _fill(self) -> None:
        if self.cell.depth:
            self._run(self._depth)

    def _run(self, tokens: Any) -> None:
        told = self.model(input_ids=tokens, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache, self._logits = told.past_key_values, told.logits
        self._next = told.logits[:, -1].argmax(-1, keepdim=True)
        self._next.item()


def _cache_bytes(cache: Any) -> int:
    """Bytes of all keys and values that the cache holds."""
    return sum(part.numel() * part.element_size() for layer in cache.layers for part in (layer.keys, layer.values))


def _types(model: Any) -> dict[str, int]:
    """Number of weights by storage type, in the names of GGUF."""
    names = {f"torch.{name}": short for short, name in TYPES.items()}
    counted: dict[str, int] = {}
    for weight in model.parameters():
        name = names.get(str(weight.dtype), str(weight.dtype))
        counted[name] = counted.get(name, 0) + int(weight.numel())
    return counted


def _digest(torch: Any, model: Any) -> str:
    """SHA-256 over the names and bytes of all weights, in the order of names: there is no file to hash."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.named_parameters()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.detach().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


@contextmanager
def _classified() -> Iterator[None]:
    """Turn what torch says when there is no memory into `NoMemory`."""
    try:
        yield
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise NoMemory(f"torch found no memory: {str(error).splitlines()[0][:200]}") from error
