"""Which model of the graph a run measured: by its file's SHA-256, by its exact parameter count, by its repository.

One that fits is the model; several or none are a question for a person. What a tool guessed about the model is never
used. A parameter count that contradicts the name is a question too, and so are scores of an unknown repository that has
the size of a known model: it may be a fine-tuned copy.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from app import vocab
from app.ingest.bulk.names import Names
from app.ingest.bulk.verdicts import Refused, Verdict
from app.ingest.registry import Model
from app.ingest.runs.values import ImportedRun, ModelFacts
from app.model.graphs import INFERRED, REGISTRY
from app.model.rdf import IRI, Literal
from app.store.port import Snapshot

_MODEL = f"{vocab.BASE}resource/model/"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_SHA256 = f"{vocab.slm.NS}sha256"
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Known:
    """What a revision knows of its models: slugs by repository, by parameter count, by SHA-256 of a weight file."""

    repositories: Mapping[str, frozenset[str]]
    counts: Mapping[int, frozenset[str]]
    hashes: Mapping[str, tuple[str, IRI]]
    """Slug and weight files by SHA-256."""
    parameters: Mapping[str, int]
    """Computed parameter count by slug."""


@dataclass(frozen=True, slots=True)
class Match:
    """The model of a run, and how it was found. `artifact` is set where the very file is known."""

    model: Model
    how: str
    artifact: IRI | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """No model, or several, fit: a person must say which one it is. `candidates` are slugs."""

    problem: str
    advice: str
    candidates: tuple[str, ...] = ()

    @property
    def refused(self) -> Refused:
        """The question as the verdict of a cell."""
        code = "ambiguous-model" if self.candidates else "unknown-model"
        return Refused(code, self.problem, self.advice, verdict=Verdict.QUESTION)


def read_known(snapshot: Snapshot) -> Known:
    """What a revision knows that identifies models."""
    repositories: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, str] = {}
    hashes: dict[str, IRI] = {}
    for quad in snapshot.quads(REGISTRY):
        if not isinstance(quad.subject, IRI):
            continue
        if quad.predicate.value == vocab.dct.identifier and quad.subject.value.startswith(_MODEL):
            repositories[_text(quad.object)].add(quad.subject.value.removeprefix(_MODEL))
        elif quad.predicate.value == vocab.slm.hasArtifact and isinstance(quad.object, IRI):
            owners[quad.object.value] = quad.subject.value.removeprefix(_MODEL)
        elif quad.predicate.value == _SHA256:
            hashes[_text(quad.object).lower()] = quad.subject
    parameters: dict[str, int] = {}
    counts: dict[int, set[str]] = defaultdict(set)
    for quad in snapshot.quads(INFERRED):
        if (
            quad.predicate.value == vocab.slm.computedParameterCount
            and isinstance(quad.subject, IRI)
            and isinstance(quad.object, Literal)
        ):
            slug, number = quad.subject.value.removeprefix(_MODEL), int(quad.object.value)
            parameters[slug] = number
            counts[number].add(slug)
    return Known(
        {name: frozenset(slugs) for name, slugs in repositories.items()},
        {number: frozenset(slugs) for number, slugs in counts.items()},
        {sha: (owners[iri.value], iri) for sha, iri in hashes.items() if iri.value in owners},
        parameters,
    )


def match(run: ImportedRun, known: Known, names: Names, given: str | None = None) -> Match | Question:
    """The model of a run. `given` is a person's word for it, which counts more than anything; Refused if unknown."""
    facts = run.model
    if given is not None:
        model = names.model(given)
        return Match(model, "named by a person", note=_contradiction(facts, model.slug, known))
    if facts.sha256 and facts.sha256.lower() in known.hashes:
        slug, artifact = known.hashes[facts.sha256.lower()]
        return Match(names.models[slug], "by SHA-256 of the weight file", artifact)
    named = known.repositories.get(facts.name or "", frozenset()) & frozenset(names.models)
    if facts.parameters is None:
        return _one(named, "by repository", names) or _question(facts, (), run)
    return _by_count(run, facts.parameters, named, known, names)


def _by_count(run: ImportedRun, parameters: int, named: frozenset[str], known: Known, names: Names) -> Match | Question:
    """The model that has this many parameters; `named` are those whose repository the run names."""
    facts = run.model
    counted = known.counts.get(parameters, frozenset()) & frozenset(names.models)
    if counted & named:
        return _one(counted & named, "by parameter count and repository", names) or _question(facts, counted, run)
    contradiction = next((told for slug in sorted(named) if (told := _contradiction(facts, slug, known))), None)
    if contradiction is not None:
        return Question(contradiction, "Name the model with --model if it is this one.", tuple(sorted(named)))
    if named:
        return _one(named, "by repository", names) or _question(facts, named, run)
    if len(counted) == 1 and _is_repository(facts.name or "") and any(one.score for one in run.figures):
        (slug,) = counted
        return Question(
            f"{facts.name} is no repository of the graph; it has as many parameters as {slug}, and may be a copy of it "
            "that was trained further",
            f"Say --model {slug} if it is this model.",
            (slug,),
        )
    return _one(counted, "by parameter count", names) or _question(facts, counted, run)


def _is_repository(name: str) -> bool:
    """Whether a name can be the id of a model on the hub, and not the path of a file."""
    return _REPOSITORY.fullmatch(name) is not None and not name.endswith(".gguf")


def _one(slugs: Iterable[str], how: str, names: Names) -> Match | None:
    found = list(slugs)
    return Match(names.models[found[0]], how) if len(found) == 1 else None


def _contradiction(facts: ModelFacts, slug: str, known: Known) -> str | None:
    computed = known.parameters.get(slug)
    if facts.parameters is None or computed is None or computed == facts.parameters:
        return None
    return f"the file has {facts.parameters} parameters, the graph computes {computed} for {slug}"


def _question(facts: ModelFacts, candidates: Iterable[str], run: ImportedRun) -> Question:
    slugs = tuple(sorted(candidates))
    told = [f"{facts.parameters} parameters"] if facts.parameters is not None else []
    told += [repr(facts.name)] if facts.name else []
    what = " and ".join(told) or "nothing"
    if not slugs:
        return Question(f"{what} of {run.file} fits no model of the graph", "Name the model with --model, or add it.")
    shown = ", ".join(slugs[:_SHOWN]) + (", …" if len(slugs) > _SHOWN else "")
    return Question(f"{what} of {run.file} fits several models: {shown}", "Name it with --model.", slugs)


def _text(term: object) -> str:
    return term.value if isinstance(term, IRI | Literal) else ""
