"""Small configuration files and cards for tests, written by hand from what each type of model is known to say."""

from __future__ import annotations

import json
from typing import Any

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "max_position_embeddings": 2048,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 22,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "vocab_size": 32000,
}

CONFIGS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "llama": (
        LLAMA,
        {
            "architecture_class": "LlamaForCausalLM",
            "num_layers": "22",
            "hidden_size": "2048",
            "num_attention_heads": "32",
            "num_kv_heads": "4",
            "intermediate_size": "5632",
            "vocab_size": "32000",
            "max_context": "2048",
            "activation": "SiLU",
            "norm_eps": "0.00001",
            "rope_theta": "10000",
            "tied_embeddings": "false",
            "qkv_bias": "false",
            "precision": "F32",
        },
    ),
    "qwen2": (
        {
            "model_type": "qwen2",
            "num_hidden_layers": 24,
            "hidden_size": 896,
            "sliding_window": 32768,
            "use_sliding_window": False,
            "rope_theta": 1000000.0,
        },
        {"num_layers": "24", "hidden_size": "896", "rope_theta": "1000000"},
    ),
    "gpt2": (
        {
            "model_type": "gpt2",
            "n_layer": 12,
            "n_embd": 768,
            "n_head": 12,
            "n_inner": None,
            "n_positions": 1024,
            "n_ctx": 1024,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-05,
            "vocab_size": 50257,
        },
        {
            "num_layers": "12",
            "hidden_size": "768",
            "num_attention_heads": "12",
            "max_context": "1024",
            "activation": "GELUTanh",
            "norm_eps": "0.00001",
            "vocab_size": "50257",
        },
    ),
    "gpt_neox": (
        {
            "model_type": "gpt_neox",
            "num_hidden_layers": 6,
            "hidden_size": 512,
            "rotary_pct": 0.25,
            "rotary_emb_base": 10000,
            "use_parallel_residual": True,
            "layer_norm_eps": 1e-05,
        },
        {
            "num_layers": "6",
            "hidden_size": "512",
            "rotary_fraction": "0.25",
            "rope_theta": "10000",
            "parallel_residual": "true",
            "norm_eps": "0.00001",
        },
    ),
    "opt": (
        {
            "model_type": "opt",
            "num_hidden_layers": 24,
            "hidden_size": 1024,
            "ffn_dim": 4096,
            "word_embed_proj_dim": 512,
            "activation_function": "relu",
            "do_layer_norm_before": False,
        },
        {
            "num_layers": "24",
            "hidden_size": "1024",
            "intermediate_size": "4096",
            "embedding_projection": "512",
            "activation": "ReLU",
            "norm_placement": "Post",
        },
    ),
    "bloom": (
        {"model_type": "bloom", "n_layer": 24, "hidden_size": 1024, "n_head": 16, "n_embed": 1024, "seq_length": 2048},
        {"num_layers": "24", "hidden_size": "1024", "num_attention_heads": "16", "max_context": "2048"},
    ),
    "phi": (
        {"model_type": "phi", "num_hidden_layers": 32, "partial_rotary_factor": 0.4, "layer_norm_eps": 1e-05},
        {"num_layers": "32", "rotary_fraction": "0.4", "norm_eps": "0.00001"},
    ),
    "phi3": (
        {"model_type": "phi3", "num_hidden_layers": 32, "sliding_window": 2047, "max_position_embeddings": 4096},
        {"num_layers": "32", "sliding_window": "2047", "max_context": "4096"},
    ),
    "gemma2": (
        {"model_type": "gemma2", "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "sliding_window": 4096},
        {"head_dim": "256", "activation": "GELUTanh", "sliding_window": "4096"},
    ),
    "gemma3": (
        {"model_type": "gemma3", "text_config": {"num_hidden_layers": 26, "hidden_size": 1152}, "dtype": "bfloat16"},
        {"num_layers": "26", "hidden_size": "1152", "precision": "BF16"},
    ),
    "stablelm": (
        {"model_type": "stablelm", "partial_rotary_factor": 0.25, "use_qkv_bias": True},
        {"rotary_fraction": "0.25", "qkv_bias": "true"},
    ),
    "openelm": (
        {
            "model_type": "openelm",
            "num_transformer_layers": 16,
            "model_dim": 1280,
            "num_query_heads": [12, 12, 16],
            "num_kv_heads": [3, 3, 3],
            "max_context_length": 2048,
            "share_input_output_layers": True,
            "activation_fn_name": "swish",
        },
        {
            "num_layers": "16",
            "hidden_size": "1280",
            "num_attention_heads": "variesByLayer",
            "num_kv_heads": "3",
            "max_context": "2048",
            "tied_embeddings": "true",
            "activation": "SiLU",
        },
    ),
    "minicpm": ({"model_type": "minicpm", "num_hidden_layers": 52, "scale_emb": 12}, {"num_layers": "52"}),
    "minicpm3": (
        {
            "model_type": "minicpm3",
            "q_lora_rank": 768,
            "kv_lora_rank": 256,
            "qk_nope_head_dim": 64,
            "qk_rope_head_dim": 32,
            "v_head_dim": 64,
            "num_key_value_heads": 40,
        },
        {
            "query_lora_rank": "768",
            "kv_lora_rank": "256",
            "no_rope_head_dim": "64",
            "rope_head_dim": "32",
            "value_head_dim": "64",
        },
    ),
    "olmo": (
        {"model_type": "olmo", "num_hidden_layers": 16, "clip_qkv": None, "tie_word_embeddings": True},
        {"num_layers": "16", "tied_embeddings": "true"},
    ),
    "qwen": (
        {"model_type": "qwen", "num_hidden_layers": 24, "intermediate_size": 11008, "kv_channels": 128},
        {"num_layers": "24", "head_dim": "128"},
    ),
    "some_new_type": ({"model_type": "some_new_type", "hidden_size": 640}, {"hidden_size": "640"}),
}
"""By type of model: a configuration, and what it says: property and value."""

CARD = """---
license: mit
language:
- en
datasets:
- EleutherAI/the_pile
base_model: microsoft/phi-1_5
model-index:
- name: any
  results:
  - task:
      type: text-generation
      name: Text Generation
    dataset:
      name: AI2 Reasoning Challenge (25-Shot)
      type: ai2_arc
      config: ARC-Challenge
      split: test
      args:
        num_few_shot: 25
    metrics:
    - type: acc_norm
      value: 36.09
  - task:
      type: text-generation
    dataset:
      name: HellaSwag (10-Shot)
      type: hellaswag
    metrics:
    - type: acc_norm
      value: 61.1
    - type: perplexity
      value: 12.3
---
# A model
"""


def text(config: dict[str, Any]) -> str:
    """A configuration as its file has it."""
    return json.dumps(config, indent=2)
