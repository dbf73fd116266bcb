"""Every property that a table may speak of: its name, the kind of its values, and the headers that mean it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from app import vocab


class Kind(StrEnum):
    """What kind of value a property has."""

    INTEGER = "whole number"
    CONTEXT = "whole number, where k may be 1000 or 1024"
    DECIMAL = "number"
    SHARE = "share"
    TEXT = "text"
    TRUTH = "yes or no"
    MONTH = "month"
    SIZE = "size"
    CONCEPT = "concept"
    THING = "thing"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Field:
    """One property. `of` is `model`, `architecture` or `dataset`; `among` names the scheme or the kind of things."""

    name: str
    predicate: str
    kind: Kind
    of: str
    aliases: tuple[str, ...] = ()
    among: str = ""

    @property
    def local(self) -> str:
        """The property's name in the ontology."""
        return self.predicate.removeprefix(vocab.slm.NS)

    @property
    def many(self) -> bool:
        """Whether a cell may list several values, with semicolons between them."""
        return self.predicate in vocab.ADDITIVE | vocab.COMPLETE_SET


def _numbers(of: str, kind: Kind, rows: Iterable[tuple[str, str, tuple[str, ...]]]) -> list[Field]:
    return [Field(name, predicate, kind, of, aliases) for name, predicate, aliases in rows]


_SLM = vocab.slm
FIELDS: tuple[Field, ...] = (
    *_numbers(
        "architecture",
        Kind.INTEGER,
        [
            ("num_layers", _SLM.numLayers, ("layers", "num_hidden_layers", "n_layer", "n_layers", "depth", "blocks")),
            ("hidden_size", _SLM.hiddenSize, ("d_model", "n_embd", "hidden_dim", "dim", "embedding_dim", "width")),
            (
                "num_attention_heads",
                _SLM.numAttentionHeads,
                ("heads", "n_head", "n_heads", "num_heads", "attention_heads", "query_heads"),
            ),
            (
                "num_kv_heads",
                _SLM.numKeyValueHeads,
                ("num_key_value_heads", "kv_heads", "n_kv_heads", "key_value_heads"),
            ),
            ("head_dim", _SLM.headDimension, ("head_size", "d_head", "head_dimension")),
            (
                "intermediate_size",
                _SLM.intermediateSize,
                ("d_ff", "ffn_dim", "ffn_size", "n_inner", "mlp_dim", "feed_forward_size", "ffn_hidden_size"),
            ),
            ("vocab_size", _SLM.vocabularySize, ("vocabulary", "vocab", "n_vocab")),
            ("embedding_projection", _SLM.embeddingProjection, ("word_embed_proj_dim",)),
            ("query_lora_rank", _SLM.queryLoraRank, ("q_lora_rank",)),
            ("kv_lora_rank", _SLM.keyValueLoraRank, ()),
            ("rope_head_dim", _SLM.ropeHeadDimension, ("qk_rope_head_dim",)),
            ("no_rope_head_dim", _SLM.noRopeHeadDimension, ("qk_nope_head_dim",)),
            ("value_head_dim", _SLM.valueHeadDimension, ("v_head_dim",)),
        ],
    ),
    *_numbers(
        "architecture",
        Kind.CONTEXT,
        [
            (
                "max_context",
                _SLM.maxContextLength,
                (
                    "context",
                    "context_length",
                    "context_window",
                    "max_position_embeddings",
                    "n_positions",
                    "n_ctx",
                    "max_context_window",
                    "sequence_length",
                    "max_seq_len",
                ),
            ),
            ("sliding_window", _SLM.slidingWindowSize, ("sliding_window_size", "window_size", "local_window")),
        ],
    ),
    *_numbers(
        "architecture",
        Kind.DECIMAL,
        [
            ("ffn_ratio", _SLM.ffnRatio, ("mlp_ratio", "feed_forward_ratio")),
            (
                "norm_eps",
                _SLM.normEpsilon,
                ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "normalisation_epsilon"),
            ),
            ("rope_theta", _SLM.ropeTheta, ("rotary_emb_base", "rotary_base", "rope_base")),
        ],
    ),
    *_numbers(
        "architecture",
        Kind.SHARE,
        [("rotary_fraction", _SLM.rotaryFraction, ("partial_rotary_factor", "rotary_pct", "rope_pct"))],
    ),
    *_numbers(
        "architecture",
        Kind.TRUTH,
        [
            ("tied_embeddings", _SLM.tiesEmbeddings, ("tie_word_embeddings", "tied", "weight_tying")),
            ("parallel_residual", _SLM.parallelResidual, ("use_parallel_residual", "parallel_attention")),
            ("qkv_bias", _SLM.usesQkvBias, ("attention_bias", "use_qkv_bias")),
            ("shared_ffn", _SLM.sharesFeedForward, ("share_ffn",)),
        ],
    ),
    *_numbers(
        "architecture",
        Kind.TEXT,
        [
            ("architecture_class", _SLM.architectureClass, ("architectures", "model_class")),
            ("attention_pattern", _SLM.attentionPattern, ("layer_pattern",)),
            ("attention_note", _SLM.attentionNote, ("attention_notes",)),
            ("partial_rotary_key", _SLM.partialRotaryKey, ()),
        ],
    ),
    Field(
        "attention_type",
        _SLM.attentionType,
        Kind.CONCEPT,
        "architecture",
        ("attention", "attn", "attn_type"),
        "attention",
    ),
    Field("ffn_type", _SLM.ffnType, Kind.CONCEPT, "architecture", ("ffn", "feed_forward_type", "mlp_type"), "ffn"),
    Field(
        "activation",
        _SLM.activation,
        Kind.CONCEPT,
        "architecture",
        ("hidden_act", "activation_function", "hidden_activation", "act"),
        "activation",
    ),
    Field(
        "norm_type",
        _SLM.normalisation,
        Kind.CONCEPT,
        "architecture",
        ("norm", "normalization", "layer_norm_type", "normalisation"),
        "normalisation",
    ),
    Field(
        "norm_placement",
        _SLM.normalisationPlacement,
        Kind.CONCEPT,
        "architecture",
        ("normalization_placement",),
        "norm-placement",
    ),
    Field(
        "positional_encoding",
        _SLM.positionalEncoding,
        Kind.CONCEPT,
        "architecture",
        ("position_embedding_type", "positional_embedding", "position_embedding", "pos_emb"),
        "position",
    ),
    *_numbers(
        "model",
        Kind.INTEGER,
        [
            (
                "parameters",
                _SLM.parameterCount,
                ("params", "num_parameters", "n_params", "total_params", "param_count"),
            ),
            (
                "non_embedding_parameters",
                _SLM.nonEmbeddingParameterCount,
                ("non_embedding_params", "params_without_embeddings"),
            ),
            ("training_tokens", _SLM.trainingTokens, ("tokens", "train_tokens", "pretraining_tokens", "tokens_seen")),
            ("unique_training_tokens", _SLM.uniqueTrainingTokens, ("unique_tokens",)),
            ("fine_tuning_tokens", _SLM.fineTuningTokens, ("finetuning_tokens",)),
        ],
    ),
    *_numbers("model", Kind.DECIMAL, [("learning_rate", _SLM.learningRate, ("lr", "peak_lr"))]),
    *_numbers("model", Kind.SIZE, [("nominal_size", _SLM.nominalSize, ("size", "model_size"))]),
    *_numbers(
        "model", Kind.MONTH, [("release_date", _SLM.releasedIn, ("released", "date", "release", "release_month"))]
    ),
    *_numbers(
        "model", Kind.TRUTH, [("open_training_data", _SLM.openTrainingData, ("open_training_datasets", "open_data"))]
    ),
    *_numbers("model", Kind.ADDRESS, [("paper", _SLM.describedIn, ("arxiv", "technical_report", "publication"))]),
    *_numbers(
        "model",
        Kind.TEXT,
        [
            ("tokenizer_kind", _SLM.tokenizerKind, ("tokenizer", "tokeniser_kind", "tokeniser")),
            ("training_note", _SLM.trainingNote, ()),
            ("training_hardware", _SLM.trainingHardware, ("hardware", "gpus", "gpu_hours")),
            ("training_time", _SLM.trainingTime, ()),
            ("innovations", _SLM.innovation, ("innovation", "architecture_innovation")),
            ("code_repository", _SLM.codeRepository, ("code", "repository", "github")),
            ("model_name", _SLM.modelName, ()),
        ],
    ),
    Field(
        "maker", _SLM.maker, Kind.THING, "model", ("organisation", "organization", "affiliation", "org"), "organisation"
    ),
    Field("license", _SLM.license, Kind.THING, "model", ("licence",), "licence"),
    Field(
        "training_datasets",
        _SLM.trainedOn,
        Kind.THING,
        "model",
        ("datasets", "training_data", "pretraining_data", "dataset"),
        "dataset",
    ),
    Field("base_model", _SLM.baseModel, Kind.THING, "model", ("based_on", "parent_model", "finetuned_from"), "model"),
    Field("precision", _SLM.weightPrecision, Kind.CONCEPT, "model", ("dtype", "torch_dtype"), "precision"),
    Field(
        "training_algorithms",
        _SLM.trainedWith,
        Kind.CONCEPT,
        "model",
        ("training_algorithm", "trained_with"),
        "training-algorithm",
    ),
    Field("tuning_state", _SLM.tuningState, Kind.CONCEPT, "model", ("tuning",), "tuning-state"),
    Field("token_count", _SLM.tokenCount, Kind.INTEGER, "dataset", ("dataset_tokens", "corpus_tokens")),
)
"""Every claimable property."""

BY_PREDICATE: Mapping[str, Field] = {field.predicate: field for field in FIELDS}
BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}
