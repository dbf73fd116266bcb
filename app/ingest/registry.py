"""The registry: things that exist whatever anyone claims about them, and the names under which tables print them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app import vocab
from app.errors import BadFile
from app.ingest.tables import Row, read_table
from app.model.claims import concept, resource
from app.model.graphs import REGISTRY
from app.model.rdf import IRI, Literal, Quad, describe, literal, text
from app.store.files import read_rdf

_SLUG = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_NAME_PROPERTIES = {vocab.rdfs.label, vocab.skos.altLabel, vocab.dct.title, vocab.dct.identifier}
_NOTATION = re.compile(r"[A-Za-z0-9_.-]+")
CONCEPTS = frozenset(
    value
    for terms in vars(vocab).values()
    if isinstance(terms, type)
    for value in vars(terms).values()
    if isinstance(value, str) and value.startswith(vocab.vocab.NS) and value.count("/") == vocab.vocab.NS.count("/") + 1
    if not value.endswith("/")
)
"""IRIs of all concepts of the ontology's schemes."""
_MODEL_COLUMNS = ("slug", "identifier", "label", "family", "scope", "also_printed_as")
_SPELLING_COLUMNS = ("scheme", "printed", "notation")


@dataclass(frozen=True, slots=True)
class Model:
    """One model of the registry. `in_scope` is false for larger models that are kept for comparison."""

    slug: str
    label: str
    in_scope: bool

    @property
    def iri(self) -> IRI:
        """The model's own IRI."""
        return resource("model", self.slug)

    @property
    def architecture(self) -> IRI:
        """The IRI of the model's architecture."""
        return resource("architecture", self.slug)

    def artifact(self, quantisation: IRI) -> IRI:
        """The IRI of the model's weight files in one quantisation."""
        notation = quantisation.value.rsplit("/", 1)[-1].lower().replace("_", "-")
        return resource("artifact", f"{self.slug}-{'released' if notation == 'none' else notation}")


@dataclass(frozen=True, slots=True)
class Registry:
    """The registry's quads, its models by slug, and the things that a printed name can mean."""

    quads: tuple[Quad, ...]
    models: Mapping[str, Model]
    names: Mapping[str, Mapping[str, IRI]]
    spellings: Mapping[str, Mapping[str, IRI]]

    def thing(self, row: Row, column: str, kind: str, printed: str) -> IRI:
        """The thing of this kind (organisation, dataset, licence …) that a cell names; BadFile when it is unknown."""
        found = self.names.get(kind, {}).get(printed.strip())
        if found is None:
            raise row.error(
                column,
                f"{printed!r} is no {kind} of the registry",
                advice=f"Add it, or this spelling as skos:altLabel, in data/registry/ ({kind}).",
            )
        return found

    def concept(self, row: Row, column: str, scheme: str, printed: str) -> IRI:
        """The concept of a scheme that a cell's spelling means; BadFile when the spelling is unknown."""
        found = self.spellings.get(scheme, {}).get(printed.strip())
        if found is None:
            raise row.error(
                column,
                f"{printed!r} is no known spelling of a concept of scheme {scheme!r}",
                advice="Add the spelling in data/registry/spellings.csv.",
            )
        return found

    def model(self, row: Row, column: str = "model") -> Model:
        """The model whose slug, identifier or printed name stands in a cell; BadFile when it is unknown."""
        name = row.required(column)
        found = self.names.get("model", {}).get(name)
        if found is None:
            raise row.error(column, f"{name!r} is no model of the registry", advice="Add it in data/models.csv.")
        return self.models[found.value.rsplit("/", 1)[-1]]


def read_registry(data: Path) -> Registry:
    """Read `models.csv` and `registry/` of a data folder."""
    quads: list[Quad] = []
    for path in sorted((data / "registry").glob("*.ttl")):
        quads += read_rdf(path, REGISTRY)
    names = _names(quads)
    models: dict[str, Model] = {}
    for row in read_table(data / "models.csv", _MODEL_COLUMNS, unique=("slug",)):
        model = _read_model(row, quads, names)
        models[model.slug] = model
    return Registry(tuple(quads), models, names, _read_spellings(data / "registry" / "spellings.csv"))


def _read_model(row: Row, quads: list[Quad], names: dict[str, dict[str, IRI]]) -> Model:
    slug = row.required("slug")
    if _SLUG.fullmatch(slug) is None:
        raise row.error("slug", f"{slug!r} is not a slug", advice="Use small letters, digits, dots and hyphens only.")
    if row["scope"] not in {"in", "baseline"}:
        raise row.error("scope", f"{row['scope']!r} is unknown", advice="Use 'in' or 'baseline'.")
    model = Model(slug, row.required("label"), row["scope"] == "in")
    family = names.get("family", {}).get(row["family"]) if row["family"] else None
    if row["family"] and family is None:
        raise row.error("family", f"{row['family']!r} is no family of the registry", advice="Add it in families.ttl.")
    for spelling in filter(None, (row["identifier"], slug, *row["also_printed_as"].split("|"))):
        other = names.setdefault("model", {}).setdefault(spelling, model.iri)
        if other != model.iri:
            raise row.error(
                "also_printed_as", f"{spelling!r} already names {other.value}", advice="Remove one of them."
            )
    quads += describe(
        REGISTRY,
        model.iri,
        [
            (vocab.rdfs.label, text(model.label)),
            (vocab.dct.identifier, literal(row["identifier"]) if row["identifier"] else None),
            (vocab.slm.inFamily, family),
            (vocab.slm.hasArchitecture, model.architecture),
            *((vocab.skos.altLabel, literal(name)) for name in row["also_printed_as"].split("|") if name),
        ],
        kind=vocab.slm.LanguageModel if model.in_scope else vocab.slm.BaselineModel,
    )
    quads += describe(
        REGISTRY,
        model.architecture,
        [(vocab.rdfs.label, text(f"{model.label} architecture"))],
        kind=vocab.slm.Architecture,
    )
    return model


def artifact_quads(model: Model, quantisation: IRI) -> list[Quad]:
    """The registry's quads for one weight-file set of a model."""
    released = quantisation == concept("quantisation", "None")
    title = "weights as released" if released else f"weights in {quantisation.value.rsplit('/', 1)[-1]}"
    artifact = model.artifact(quantisation)
    return [
        *describe(REGISTRY, model.iri, [(vocab.slm.hasArtifact, artifact)]),
        *describe(
            REGISTRY,
            artifact,
            [(vocab.dct.title, text(f"{model.label}, {title}")), (vocab.slm.quantisation, quantisation)],
            kind=vocab.slm.ModelArtifact,
        ),
    ]


def _names(quads: list[Quad]) -> dict[str, dict[str, IRI]]:
    """Index registry things by every name that they bear, and families also by slug."""
    versions = {
        quad.subject: quad.object.value
        for quad in quads
        if quad.predicate.value == vocab.dcat.version and isinstance(quad.object, Literal)
    }
    names: dict[str, dict[str, IRI]] = {}
    for quad in quads:
        subject, name = quad.subject, quad.object
        if not isinstance(subject, IRI):
            continue
        kind, _, slug = subject.value.removeprefix(f"{vocab.BASE}resource/").partition("/")
        if subject.value.startswith("http://spdx.org/licenses/"):
            kind = "licence"
        by_name = names.setdefault(kind, {})
        by_name.setdefault(slug, subject)
        if quad.predicate.value in _NAME_PROPERTIES and isinstance(name, Literal):
            versioned = versions.get(subject, "unversioned") != "unversioned"
            if quad.predicate.value == vocab.dct.title and versioned:
                by_name.setdefault(name.value, subject)
            else:
                by_name[name.value] = subject
    return names


def notations(scheme: str) -> list[str]:
    """The notations of a concept scheme."""
    start = concept(scheme, "").value
    return sorted(value.removeprefix(start) for value in CONCEPTS if value.startswith(start))


def _read_spellings(path: Path) -> dict[str, dict[str, IRI]]:
    spellings: dict[str, dict[str, IRI]] = {}
    for row in read_table(path, _SPELLING_COLUMNS, unique=("scheme", "printed")):
        for column in ("scheme", "notation"):
            if _NOTATION.fullmatch(row.required(column)) is None:
                raise row.error(column, f"{row[column]!r} is not a notation", advice="See ontology/vocab/.")
        meaning = concept(row["scheme"], row["notation"])
        if meaning.value not in CONCEPTS:
            raise row.error(
                "notation",
                f"{row['notation']!r} is no concept of scheme {row['scheme']!r}",
                advice=f"Use one of {', '.join(notations(row['scheme'])) or 'the schemes of ontology/vocab/'}.",
            )
        spellings.setdefault(row["scheme"], {})[row.required("printed")] = meaning
    if not spellings:
        raise BadFile(path, "holds no spelling", advice="Tables print concepts in these spellings; list them.")
    return spellings
