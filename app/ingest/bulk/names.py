"""The names under which a table may speak of what the graph knows: models, things, concepts, sources.

A name that fits one thing means it; one that fits several, or none, is a question with candidates. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from app import vocab
from app.ingest.bulk.verdicts import Refused, Verdict
from app.ingest.registry import CONCEPTS, Model
from app.model.claims import Source, concept
from app.model.graphs import META, ONTOLOGY, REGISTRY, VOCABULARY
from app.model.rdf import IRI, TYPE, Literal, Quad
from app.store.port import Snapshot

_NAMING = frozenset(
    {
        vocab.rdfs.label,
        vocab.skos.altLabel,
        vocab.skos.prefLabel,
        vocab.skos.notation,
        vocab.dct.title,
        vocab.dct.identifier,
    }
)
_MODEL_CLASSES = frozenset({vocab.slm.LanguageModel, vocab.slm.BaselineModel})
_SPDX = "http://spdx.org/licenses/"
_RESOURCE = f"{vocab.BASE}resource/"
_CANDIDATES = 5


def loose(name: str) -> str:
    """A name without what people write differently: case, and the marks between its parts."""
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


@dataclass(frozen=True, slots=True)
class Index:
    """Things by exact name and by loose name."""

    exact: Mapping[str, frozenset[str]]
    loose: Mapping[str, frozenset[str]]
    things: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[tuple[str, str]]) -> Index:
        """Build from pairs of name and IRI."""
        exact: dict[str, set[str]] = defaultdict(set)
        fuzzy: dict[str, set[str]] = defaultdict(set)
        for name, thing in names:
            exact[name].add(thing)
            fuzzy[loose(name)].add(thing)
        return cls(
            {name: frozenset(things) for name, things in exact.items()},
            {name: frozenset(things) for name, things in fuzzy.items()},
            frozenset(thing for things in exact.values() for thing in things),
        )

    def find(self, name: str) -> frozenset[str]:
        """The things of exactly this name, or else those whose name differs by case and marks only."""
        return self.exact.get(name) or self.loose.get(loose(name)) or frozenset()

    def close(self, name: str) -> list[str]:
        """The nearest names to one that is not known, or those that begin as it does."""
        wanted = loose(name)
        if not wanted:
            return []
        near = get_close_matches(wanted, self.loose, n=_CANDIDATES, cutoff=0.6)
        starting = [known for known in self.loose if known.startswith(f"{wanted} ") or known.endswith(f" {wanted}")]
        chosen = list(dict.fromkeys([*near, *sorted(starting)]))[:_CANDIDATES]
        spelt = {loose(exact): exact for exact in sorted(self.exact, reverse=True)}
        return [spelt[one] for one in chosen]


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that can be named, as one revision knows it."""

    models: Mapping[str, Model]
    model_names: Index
    things: Mapping[str, Index]
    concepts: Mapping[str, Index]
    labels: Mapping[str, str]
    """Labels of the claimable properties, by IRI."""
    sources: Mapping[str, tuple[Source, ...]]
    """Sources by slug, one for each day on which they were read, the newest first."""
    subjects: frozenset[str]
    """IRIs of everything that the registry describes."""

    def model(self, name: str) -> Model:
        """The model of this slug, name or Hugging Face id; Refused with candidates."""
        text = name.strip()
        if text.removeprefix(f"{_RESOURCE}model/") in self.models:
            return self.models[text.removeprefix(f"{_RESOURCE}model/")]
        found = self.model_names.find(text) or self.model_names.find(_repository(text))
        if len(found) > 1:
            slugs = ", ".join(sorted(_last(iri) for iri in found))
            raise Refused(
                "ambiguous-model", f"{text!r} fits several models", f"Write one of: {slugs}.", verdict=Verdict.QUESTION
            )
        if not found:
            raise self._no_model(text)
        (iri,) = found
        return self.models[_last(iri)]

    def _no_model(self, text: str) -> Refused:
        near = [_last(next(iter(self.model_names.find(name)))) for name in self.model_names.close(text)]
        slugs = list(dict.fromkeys(near))
        advice = f"Did you mean {' or '.join(slugs)}?" if slugs else "Add the model to the registry first."
        if len([slug for slug in slugs if loose(slug).startswith(f"{loose(text)} ")]) > 1:
            problem = f"{text!r} may be one of several models"
            return Refused("ambiguous-model", problem, advice, verdict=Verdict.QUESTION)
        problem = f"{text!r} is no model of the registry"
        return Refused("unknown-model", problem, advice, verdict=Verdict.QUESTION)

    def thing(self, kind: str, name: str) -> IRI:
        """The organisation, dataset, licence, benchmark … of this name; Refused with candidates."""
        return IRI(_one(self.things.get(kind, _NOTHING), name.strip(), kind))

    def concept(self, scheme: str, name: str) -> IRI:
        """The concept of this notation or name; Refused with candidates."""
        return IRI(_one(self.concepts.get(scheme, _NOTHING), name.strip(), f"concept of the scheme {scheme}"))


_NOTHING = Index({}, {}, frozenset())


def read_names(snapshot: Snapshot, spellings: Iterable[tuple[str, str, str]] = ()) -> Names:
    """Read all names of a revision. `spellings` are more names of concepts: scheme, name, notation."""
    registry = list(snapshot.quads(REGISTRY))
    models = _models(registry)
    kinds: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for quad in registry:
        if not isinstance(quad.subject, IRI):
            continue
        kind = _kind(quad.subject.value)
        if quad.predicate == TYPE:
            kinds[kind].append((_last(quad.subject.value), quad.subject.value))
        elif quad.predicate.value in _NAMING and isinstance(quad.object, Literal):
            kinds[kind].append((quad.object.value, quad.subject.value))
    return Names(
        models=models,
        model_names=Index.of((name, iri) for name, iri in kinds["model"] if _last(iri) in models),
        things={kind: Index.of(names) for kind, names in kinds.items()},
        concepts=_concepts(snapshot, spellings),
        labels={
            quad.subject.value: _value(quad)
            for quad in snapshot.quads(ONTOLOGY)
            if quad.predicate.value == vocab.rdfs.label and isinstance(quad.subject, IRI)
        },
        sources=read_sources(snapshot),
        subjects=frozenset(quad.subject.value for quad in registry if isinstance(quad.subject, IRI)),
    )


def read_sources(snapshot: Snapshot) -> dict[str, tuple[Source, ...]]:
    """Every source that the graph knows, by slug, one for each day of reading, the newest first."""
    told: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for quad in snapshot.quads(META):
        if isinstance(quad.subject, IRI) and quad.subject.value.startswith(f"{_RESOURCE}source/"):
            told[quad.subject.value][quad.predicate.value].append(_value(quad))
    found: dict[str, tuple[Source, ...]] = {}
    for iri, facts in told.items():
        if vocab.slm.sourceType not in facts:
            continue
        slug = iri.removeprefix(f"{_RESOURCE}source/")
        found[slug] = tuple(
            Source(
                slug=slug,
                title=_first(facts, vocab.dct.title) or slug,
                kind=_last(facts[vocab.slm.sourceType][0]),
                retrieved=day,
                dated=_first(facts, vocab.dct.date),
                address=_first(facts, vocab.dct.source),
                note=_first(facts, vocab.rdfs.comment),
            )
            for day in sorted(facts[vocab.slm.retrievedOn], reverse=True)
        )
    return found


def _first(facts: Mapping[str, list[str]], predicate: str) -> str | None:
    return min(facts[predicate]) if facts.get(predicate) else None


def _models(quads: Iterable[Quad]) -> dict[str, Model]:
    kinds: dict[str, str] = {}
    labels: dict[str, str] = {}
    for quad in quads:
        if not isinstance(quad.subject, IRI) or not quad.subject.value.startswith(f"{_RESOURCE}model/"):
            continue
        if quad.predicate == TYPE and _value(quad) in _MODEL_CLASSES:
            kinds[quad.subject.value] = _value(quad)
        elif quad.predicate.value == vocab.rdfs.label:
            labels[quad.subject.value] = _value(quad)
    return {
        _last(iri): Model(_last(iri), labels.get(iri, _last(iri)), kind == vocab.slm.LanguageModel)
        for iri, kind in kinds.items()
    }


def _concepts(snapshot: Snapshot, spellings: Iterable[tuple[str, str, str]]) -> dict[str, Index]:
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for iri in CONCEPTS:
        names[_scheme(iri)].append((_last(iri), iri))
    for quad in snapshot.quads(VOCABULARY):
        if quad.predicate.value in _NAMING and isinstance(quad.subject, IRI) and quad.subject.value in CONCEPTS:
            names[_scheme(quad.subject.value)].append((_value(quad), quad.subject.value))
    for scheme, name, notation in spellings:
        names[scheme].append((name, concept(scheme, notation).value))
    return {scheme: Index.of(pairs) for scheme, pairs in names.items()}


def _one(index: Index, name: str, kind: str) -> str:
    found = frozenset({name}) if name in index.things else index.find(name)
    if len(found) > 1:
        raise Refused(
            "ambiguous-name",
            f"{name!r} fits several things",
            f"Write one of: {', '.join(sorted(_last(iri) for iri in found))}.",
            verdict=Verdict.QUESTION,
        )
    if not found:
        near = index.close(name)
        raise Refused(
            "unknown-name",
            f"{name!r} is no {kind} that is known",
            f"Did you mean {' or '.join(map(repr, near))}?" if near else "Add it to the registry first.",
            verdict=Verdict.QUESTION,
        )
    return next(iter(found))


def _repository(text: str) -> str:
    """The id of a Hugging Face repository in its address; other text as it is."""
    return re.sub(r"^https?://(www\.)?huggingface\.co/|/+$|/(tree|blob|resolve)/.*$", "", text)


def _kind(iri: str) -> str:
    if iri.startswith(_SPDX):
        return "licence"
    return iri.removeprefix(_RESOURCE).split("/", 1)[0] if iri.startswith(_RESOURCE) else ""


def _scheme(iri: str) -> str:
    return iri.removeprefix(vocab.vocab.NS).split("/", 1)[0]


def _value(quad: Quad) -> str:
    """The characters of a quad's object."""
    return quad.object.value if isinstance(quad.object, IRI | Literal) else ""


def _last(iri: str) -> str:
    return iri.replace("#", "/").rsplit("/", 1)[-1]
