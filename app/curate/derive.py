"""Derives values by formula from what was accepted: parameter counts, cache growth, ratios.

Every derived value names its formula and the claims that went in. A value that rests on a proposed claim is kept as a
derivation and never becomes a plain fact; an open question gives no value at all. Pure: outcomes in, derivations out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from app import vocab
from app.curate.resolve import Outcome, Status
from app.ingest.registry import Model
from app.model import architecture, tensors
from app.model.architecture import Architecture, ArchitectureError
from app.model.claims import Claim, digest, resource
from app.model.rdf import IRI, Literal, Term, literal, python_value

Key = tuple[IRI, str]

_FACTS = {
    "architecture_class": vocab.slm.architectureClass,
    "num_layers": vocab.slm.numLayers,
    "hidden_size": vocab.slm.hiddenSize,
    "num_attention_heads": vocab.slm.numAttentionHeads,
    "num_key_value_heads": vocab.slm.numKeyValueHeads,
    "head_dimension": vocab.slm.headDimension,
    "intermediate_size": vocab.slm.intermediateSize,
    "vocabulary_size": vocab.slm.vocabularySize,
    "max_context_length": vocab.slm.maxContextLength,
    "ties_embeddings": vocab.slm.tiesEmbeddings,
    "attention_type": vocab.slm.attentionType,
    "uses_qkv_bias": vocab.slm.usesQkvBias,
    "parallel_residual": vocab.slm.parallelResidual,
    "shares_feed_forward": vocab.slm.sharesFeedForward,
    "embedding_projection": vocab.slm.embeddingProjection,
    "query_lora_rank": vocab.slm.queryLoraRank,
    "key_value_lora_rank": vocab.slm.keyValueLoraRank,
    "rope_head_dimension": vocab.slm.ropeHeadDimension,
    "no_rope_head_dimension": vocab.slm.noRopeHeadDimension,
    "value_head_dimension": vocab.slm.valueHeadDimension,
    "sliding_window_size": vocab.slm.slidingWindowSize,
    "attention_pattern": vocab.slm.attentionPattern,
}
OF_MODEL = (
    vocab.slm.computedParameterCount,
    vocab.slm.computedNonEmbeddingParameterCount,
    vocab.slm.matrixParameterCount,
    vocab.slm.outputParameterCount,
    vocab.slm.embeddingShare,
    vocab.slm.tokensPerParameter,
)
"""What can be derived for a model."""
OF_ARCHITECTURE = (
    vocab.slm.kvCacheBytesPerToken,
    vocab.slm.kvCacheBytesPerTokenBeyondWindow,
    vocab.slm.computedFfnRatio,
)
"""What can be derived for an architecture."""
_PER_LAYER = ("num_attention_heads", "num_key_value_heads", "intermediate_size")
_CLASS_DECIDES = frozenset({"attention_pattern"})
"""Facts that the class states by itself, so that an open question about them blocks nothing."""

BLOCKING = frozenset(predicate for name, predicate in _FACTS.items() if name not in _CLASS_DECIDES)
"""Properties about which an open question leaves a model without any derived value."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """A run of layers with claims of its own; `first` and `last` count from 0, both included."""

    iri: IRI
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Derivation:
    """One derived value with its formula and inputs."""

    subject: IRI
    predicate: str
    value: Literal
    formula: str
    inputs: tuple[Claim, ...]

    @property
    def iri(self) -> IRI:
        """The derivation's own IRI."""
        return derivation_iri(self.subject, self.predicate)

    @property
    def rests_on_proposed(self) -> bool:
        """Whether a claim that nobody cited went in."""
        return any(claim.recalled for claim in self.inputs)


def derivation_iri(subject: IRI, predicate: str) -> IRI:
    """The IRI of the derivation of one property of one thing."""
    return resource("derivation", digest(subject.value, predicate))


@dataclass
class _Facts:
    """Facts of one architecture gathered for the formulas, with the claims that state them."""

    values: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, tuple[Claim, ...]] = field(default_factory=dict)
    is_open: bool = False

    @cached_property
    def without(self) -> Mapping[str, Architecture | None]:
        """The architecture without each fact; None where it cannot be without. Look when all facts are gathered."""
        found: dict[str, Architecture | None] = {}
        for name in self.values:
            try:
                found[name] = Architecture(**{key: value for key, value in self.values.items() if key != name})
            except ArchitectureError:
                found[name] = None
        return found

    def inputs(self, *names: str) -> tuple[Claim, ...]:
        return tuple(claim for name in names or tuple(self.claims) for claim in self.claims.get(name, ()))


@dataclass(frozen=True, slots=True)
class Shape:
    """The architecture of a model as it is settled; `proposed` names the facts that nobody cited."""

    architecture: Architecture
    proposed: tuple[str, ...]


def shape_of(model: Model, outcomes: Mapping[Key, Outcome], layer_groups: tuple[LayerGroup, ...]) -> Shape | None:
    """The facts from which everything about a model's cost follows; None while a question about them is open."""
    facts = _gather(model, outcomes, layer_groups)
    if facts.is_open:
        return None
    proposed = tuple(name for name, claims in facts.claims.items() if any(claim.recalled for claim in claims))
    return Shape(Architecture(**facts.values), proposed)


def derive(model: Model, outcomes: Mapping[Key, Outcome], layer_groups: tuple[LayerGroup, ...]) -> Iterator[Derivation]:
    """Every value that can be derived for one model."""
    facts = _gather(model, outcomes, layer_groups)
    if facts.is_open:
        return
    try:
        shape = Architecture(**facts.values)
    except ArchitectureError:
        return
    yield from _from_architecture(model, shape, facts)
    yield from _tokens_per_parameter(model, shape, facts, outcomes)


def _from_architecture(model: Model, shape: Architecture, facts: _Facts) -> Iterator[Derivation]:
    formulas: tuple[tuple[IRI, str, str, Callable[[Architecture], int | float]], ...] = (
        (model.iri, vocab.slm.computedParameterCount, tensors.PARAMETER_FORMULA, tensors.parameter_count),
        (
            model.iri,
            vocab.slm.computedNonEmbeddingParameterCount,
            tensors.NON_EMBEDDING_FORMULA,
            tensors.non_embedding_parameter_count,
        ),
        (model.iri, vocab.slm.matrixParameterCount, tensors.MATRIX_FORMULA, tensors.matrix_parameter_count),
        (model.iri, vocab.slm.outputParameterCount, tensors.OUTPUT_FORMULA, tensors.output_parameter_count),
        (model.iri, vocab.slm.embeddingShare, tensors.EMBEDDING_SHARE_FORMULA, tensors.embedding_share),
        (
            model.architecture,
            vocab.slm.kvCacheBytesPerToken,
            architecture.KV_CACHE_FORMULA,
            architecture.kv_cache_bytes_per_token,
        ),
        (
            model.architecture,
            vocab.slm.kvCacheBytesPerTokenBeyondWindow,
            architecture.KV_CACHE_BEYOND_WINDOW_FORMULA,
            architecture.kv_cache_bytes_per_token_beyond_window,
        ),
    )
    for subject, predicate, name, formula in formulas:
        try:
            value = formula(shape)
        except ArchitectureError:
            continue
        yield Derivation(subject, predicate, _rounded(value), name, _used(shape, formula, facts))
    if isinstance(shape.intermediate_size, int) and shape.hidden_size:
        ratio = Decimal(shape.intermediate_size) / shape.hidden_size
        inputs = facts.inputs("intermediate_size", "hidden_size")
        yield Derivation(
            model.architecture,
            vocab.slm.computedFfnRatio,
            _rounded(ratio),
            "intermediate-over-hidden/1",
            inputs,
        )


def _used(shape: Architecture, formula: Callable[[Architecture], int | float], facts: _Facts) -> tuple[Claim, ...]:
    """The claims without which the formula fails or gives another value, so that no input is named in vain."""
    result = formula(shape)
    needed: list[str] = []
    for name, without in facts.without.items():
        try:
            if without is None or formula(without) != result:
                needed.append(name)
        except ArchitectureError:
            needed.append(name)
    return facts.inputs(*needed) if needed else ()


def _tokens_per_parameter(
    model: Model, shape: Architecture, facts: _Facts, outcomes: Mapping[Key, Outcome]
) -> Iterator[Derivation]:
    found = _value(outcomes.get((model.iri, vocab.slm.trainingTokens)))
    if found is None:
        return
    tokens, claims = found
    try:
        parameters = tensors.parameter_count(shape)
    except ArchitectureError:
        return
    yield Derivation(
        model.iri,
        vocab.slm.tokensPerParameter,
        _rounded(Decimal(int(python_value(tokens))) / parameters),
        tensors.TOKENS_PER_PARAMETER_FORMULA,
        (*claims, *_used(shape, tensors.parameter_count, facts)),
    )


def _gather(model: Model, outcomes: Mapping[Key, Outcome], layer_groups: tuple[LayerGroup, ...]) -> _Facts:
    facts = _Facts()
    for name, predicate in _FACTS.items():
        outcome = outcomes.get((model.architecture, predicate))
        if outcome is not None and outcome.is_open and name not in _CLASS_DECIDES:
            facts.is_open = True
        found = _value(outcome)
        if found is not None and isinstance(found[0], Literal | IRI):
            value, claims = found
            if value.value.startswith(vocab.BASE + "ontology#"):
                continue
            plain = python_value(value)
            facts.values[name] = plain.rsplit("/", 1)[-1] if isinstance(value, IRI) else plain  # type: ignore[union-attr]
            facts.claims[name] = claims
    _gather_layers(facts, outcomes, layer_groups)
    return facts


def _gather_layers(facts: _Facts, outcomes: Mapping[Key, Outcome], layer_groups: tuple[LayerGroup, ...]) -> None:
    """Fill the facts that vary by layer from the layer groups."""
    if not layer_groups:
        return
    for name in _PER_LAYER:
        values: list[int] = []
        claims: list[Claim] = []
        for group in sorted(layer_groups, key=lambda group: group.first):
            found = _value(outcomes.get((group.iri, _FACTS[name])))
            if found is None:
                return
            values += [int(python_value(found[0]))] * (group.last - group.first + 1)
            claims += found[1]
        facts.values[name] = tuple(values)
        facts.claims[name] = tuple(claims)


def _value(outcome: Outcome | None) -> tuple[Term, tuple[Claim, ...]] | None:
    """The accepted value and its claims; without one, the only proposed value; None for anything else."""
    if outcome is None or outcome.is_open:
        return None
    if outcome.values:
        value = outcome.values[0]
        accepted = [c for c, status in outcome.statuses.items() if status is Status.ACCEPTED and c.value == value]
        return value, tuple(sorted(accepted, key=lambda claim: claim.iri.value)[:1])
    proposed = [claim for claim, status in outcome.statuses.items() if status is Status.PROPOSED]
    if len({claim.value for claim in proposed}) != 1:
        return None
    return proposed[0].value, (proposed[0],)


def _rounded(value: float | Decimal) -> Literal:
    """A whole number as it is; anything else to six significant digits."""
    if isinstance(value, int):
        return literal(value)
    return literal(Decimal(f"{value:.6g}"))
