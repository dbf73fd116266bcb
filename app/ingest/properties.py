"""Which property a table's column speaks about, and how its cells are read: one list for every table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from app import vocab
from app.ingest import cells
from app.ingest.registry import Model, Registry, notations
from app.ingest.tables import Row
from app.model.claims import Interval, concept
from app.model.rdf import IRI, Term, date, iri, literal

Reader = Callable[[Registry, Row, str, str], list["Reading"]]

VARIES = iri(vocab.slm.variesByLayer)
NOT_REPORTED = iri(vocab.slm.notReported)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value read from a cell."""

    value: Term
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Property:
    """A claimable property, whether it belongs to the architecture, and how its cells are read."""

    predicate: str
    of_architecture: bool
    read: Reader

    def subject(self, model: Model) -> IRI:
        """The thing that a claim about this property of a model speaks of."""
        return model.architecture if self.of_architecture else model.iri

    def readings(self, registry: Registry, row: Row, column: str, cell: str) -> list[Reading]:
        """The values in a cell; BadFile when no rule fits."""
        try:
            return self.read(registry, row, column, cell)
        except ValueError as error:
            raise row.error(column, str(error), advice="See docs/reference/reading-rules.md.") from error


def _number(number: cells.Number) -> Reading:
    value = number.value
    whole = value == value.to_integral_value()
    return Reading(literal(int(value)) if whole else literal(value), number.interval)


def _counts(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    if cell.strip() in {"per layer"} or "per-layer" in cell:
        return [Reading(VARIES)]
    if cell.strip() == "(absent)":
        return [Reading(NOT_REPORTED)]
    return [_number(number) for number in cells.counts(cell)]


def _first_count(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [_number(cells.count(cell))]


def _sum(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [_number(cells.summed_count(cell))]


def _context(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [_number(number) for number in cells.context_length(cell)]


def _heads(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    if cell.strip() == "per layer" or "-" in cell:
        return [Reading(VARIES)]
    return [_number(number) for number in cells.counts(cell)]


def _decimal(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(cells.decimal(cell)))]


def _ratio(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    if "per-layer" in cell:
        return [Reading(VARIES)]
    number = cells.decimal(cell)
    exponent = number.as_tuple().exponent
    half = Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0) / 2
    return [Reading(literal(number), Interval(number - half, number + half))]


def _truth(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(cells.truth(cell)))]


def _shared(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(not cell.startswith("no")))]


def _text(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(cell.strip()))]


def _texts(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(part.strip())) for part in cell.split(";") if part.strip()]


def _pattern(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(cells.attention_pattern(cell)))]


def _month(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(date(cells.month(cell)))]


def _size(_: Registry, __: Row, ___: str, cell: str) -> list[Reading]:
    return [Reading(literal(cells.nominal_size(cell)))]


def _paper(_: Registry, row: Row, column: str, cell: str) -> list[Reading]:
    address = cell.split(" ", maxsplit=1)[0]
    if address.startswith("arXiv:"):
        address = f"https://arxiv.org/abs/{address.removeprefix('arXiv:')}"
    if not address.startswith("https://"):
        raise row.error(
            column, f"{cell!r} is neither arXiv:… nor an https address", advice="Write arXiv:2409.15790 or the address."
        )
    return [Reading(iri(address))]


def _concept(scheme: str) -> Reader:
    def read(registry: Registry, row: Row, column: str, cell: str) -> list[Reading]:
        return [Reading(registry.concept(row, column, scheme, cell))]

    return read


def _things(kind: str) -> Reader:
    def read(registry: Registry, row: Row, column: str, cell: str) -> list[Reading]:
        return [Reading(registry.thing(row, column, kind, part)) for part in cell.split(";") if part.strip()]

    return read


def _algorithms(_: Registry, row: Row, column: str, cell: str) -> list[Reading]:
    known = notations("training-algorithm")
    for part in filter(None, cell.split(";")):
        if part not in known:
            raise row.error(column, f"{part!r} is no training algorithm", advice=f"Use one of {', '.join(known)}.")
    return [Reading(concept("training-algorithm", part)) for part in cell.split(";") if part]


def _architecture(predicate: str, read: Reader) -> Property:
    return Property(predicate, of_architecture=True, read=read)


def _model(predicate: str, read: Reader) -> Property:
    return Property(predicate, of_architecture=False, read=read)


_ATTENTION_PATTERN = _architecture(vocab.slm.attentionPattern, _pattern)

PROPERTIES: dict[str, Property] = {
    # architecture
    "architecture_class": _architecture(vocab.slm.architectureClass, _text),
    "num_layers": _architecture(vocab.slm.numLayers, _counts),
    "hidden_size": _architecture(vocab.slm.hiddenSize, _counts),
    "num_attention_heads": _architecture(vocab.slm.numAttentionHeads, _heads),
    "num_kv_heads": _architecture(vocab.slm.numKeyValueHeads, _counts),
    "head_dim": _architecture(vocab.slm.headDimension, _counts),
    "intermediate_size": _architecture(vocab.slm.intermediateSize, _counts),
    "ffn_ratio": _architecture(vocab.slm.ffnRatio, _ratio),
    "vocab_size": _architecture(vocab.slm.vocabularySize, _counts),
    "max_context": _architecture(vocab.slm.maxContextLength, _context),
    "sliding_window": _architecture(vocab.slm.slidingWindowSize, _counts),
    "attention_type": _architecture(vocab.slm.attentionType, _concept("attention")),
    "attention_pattern": _ATTENTION_PATTERN,
    "attention_note": _architecture(vocab.slm.attentionNote, _text),
    "ffn_type": _architecture(vocab.slm.ffnType, _concept("ffn")),
    "activation": _architecture(vocab.slm.activation, _concept("activation")),
    "norm_type": _architecture(vocab.slm.normalisation, _concept("normalisation")),
    "norm_eps": _architecture(vocab.slm.normEpsilon, _decimal),
    "positional_encoding": _architecture(vocab.slm.positionalEncoding, _concept("position")),
    "rope_theta": _architecture(vocab.slm.ropeTheta, _decimal),
    "rotary_fraction": _architecture(vocab.slm.rotaryFraction, _decimal),
    "tied_embeddings": _architecture(vocab.slm.tiesEmbeddings, _truth),
    "parallel_residual": _architecture(vocab.slm.parallelResidual, _truth),
    "qkv_bias": _architecture(vocab.slm.usesQkvBias, _truth),
    "shared_ffn": _architecture(vocab.slm.sharesFeedForward, _shared),
    "embedding_projection": _architecture(vocab.slm.embeddingProjection, _counts),
    "query_lora_rank": _architecture(vocab.slm.queryLoraRank, _counts),
    "kv_lora_rank": _architecture(vocab.slm.keyValueLoraRank, _counts),
    "rope_head_dim": _architecture(vocab.slm.ropeHeadDimension, _counts),
    "no_rope_head_dim": _architecture(vocab.slm.noRopeHeadDimension, _counts),
    "value_head_dim": _architecture(vocab.slm.valueHeadDimension, _counts),
    "partial_rotary_key": _architecture(vocab.slm.partialRotaryKey, _text),
    # model
    "maker": _model(vocab.slm.maker, _things("organisation")),
    "release_date": _model(vocab.slm.releasedIn, _month),
    "nominal_size": _model(vocab.slm.nominalSize, _size),
    "parameters": _model(vocab.slm.parameterCount, _first_count),
    "license": _model(vocab.slm.license, _things("licence")),
    "paper": _model(vocab.slm.describedIn, _paper),
    "precision": _model(vocab.slm.weightPrecision, _concept("precision")),
    "tokenizer_kind": _model(vocab.slm.tokenizerKind, _text),
    "training_tokens": _model(vocab.slm.trainingTokens, _sum),
    "unique_training_tokens": _model(vocab.slm.uniqueTrainingTokens, _first_count),
    "fine_tuning_tokens": _model(vocab.slm.fineTuningTokens, _first_count),
    "training_datasets": _model(vocab.slm.trainedOn, _things("dataset")),
    "open_training_data": _model(vocab.slm.openTrainingData, _truth),
    "training_algorithms": _model(vocab.slm.trainedWith, _algorithms),
    "training_note": _model(vocab.slm.trainingNote, _text),
    "training_hardware": _model(vocab.slm.trainingHardware, _text),
    "training_time": _model(vocab.slm.trainingTime, _text),
    "base_model": _model(vocab.slm.baseModel, _things("model")),
    "tuning_state": _model(vocab.slm.tuningState, _concept("tuning-state")),
    "innovations": _model(vocab.slm.innovation, _texts),
    "learning_rate": _model(vocab.slm.learningRate, _decimal),
    "code_repository": _model(vocab.slm.codeRepository, _text),
    "name": _model(vocab.slm.modelName, _text),
}
