"""What says of a release what it is: DCAT, DataCite, CITATION, README. Makes texts and triples; never writes.

A DOI is minted by a person elsewhere; `datacite.json` holds all that the form asks for but the DOI.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app import vocab
from app.compare.description import ABOUT, DATASET, KEYWORDS, LICENSE, TITLE
from app.model.quads import TEAM
from app.model.rdf import IRI, TYPE, XSD, Literal, Term, Triple, date, iri, literal, text
from app.release.tables import Column
from app.release.values import FILES, MANIFEST, SUMS, File, Manifest

MEDIA_TYPES = "https://www.iana.org/assignments/media-types/"
_TEAM = "The slmkg team"
_SPDX = "https://spdx.org/licenses/"
_ARXIV = re.compile(r"https?://arxiv\.org/abs/([0-9]{4}\.[0-9]{4,5}(?:v[0-9]+)?)", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`]+")


def dcat(manifest: Manifest, files: Sequence[File]) -> list[Triple]:
    """The DCAT record of a release; `files` are those that it lists as distributions."""
    release = IRI(manifest.iri)
    triples = [
        *_said(
            release,
            [
                (TYPE.value, iri(vocab.dcat.Dataset)),
                (TYPE.value, iri(vocab.prov.Entity)),
                (vocab.dct.title, text(f"{TITLE}, release {manifest.name}")),
                (vocab.dct.description, text(ABOUT)),
                (vocab.dct.identifier, literal(manifest.iri)),
                (vocab.dct.isVersionOf, DATASET),
                (vocab.dcat.version, literal(manifest.name)),
                (vocab.dcat.previousVersion, IRI(vocab.release.NS + manifest.previous) if manifest.previous else None),
                (vocab.prov.wasDerivedFrom, IRI(f"{vocab.resource.NS}revision/{manifest.revision}")),
                (vocab.dct.issued, date(f"{manifest.made_at:%Y-%m-%d}")),
                (vocab.dct.license, LICENSE),
                (vocab.dct.publisher, TEAM),
                (vocab.dct.creator, TEAM),
                (vocab.dct.language, iri("http://publications.europa.eu/resource/authority/language/ENG")),
                *((vocab.dcat.keyword, text(word)) for word in KEYWORDS),
                *((vocab.dcat.distribution, _distribution(release, one.name)) for one in files),
            ],
        ),
        *_said(TEAM, [(TYPE.value, iri(vocab.foaf.Organization)), (vocab.foaf.name, literal(_TEAM))]),
    ]
    for one in files:
        triples += distribution(_distribution(release, one.name), IRI(f"{release.value}/{one.name}"), one)
    return triples


def distribution(node: IRI, address: IRI, one: File) -> Iterator[Triple]:
    """One file as a distribution, to be had at an address."""
    checksum = IRI(f"{node.value}-checksum")
    kind = one.kind
    yield from _said(
        node,
        [
            (TYPE.value, iri(vocab.dcat.Distribution)),
            (vocab.dct.title, text(f"{one.name}: {kind.about}")),
            (vocab.dct.license, LICENSE),
            (vocab.dcat.accessURL, address),
            (vocab.dcat.downloadURL, address),
            (vocab.dcat.mediaType, IRI(MEDIA_TYPES + kind.media_type)),
            (vocab.dcat.compressFormat, IRI(MEDIA_TYPES + "application/gzip") if kind.packed else None),
            (vocab.dcat.byteSize, Literal(str(one.bytes), datatype=IRI(XSD + "nonNegativeInteger"))),
            (vocab.spdx.checksum, checksum),
        ],
    )
    yield from _said(
        checksum,
        [
            (TYPE.value, iri(vocab.spdx.Checksum)),
            (vocab.spdx.algorithm, iri(vocab.spdx.checksumAlgorithm_sha256)),
            (vocab.spdx.checksumValue, Literal(one.sha256, datatype=IRI(XSD + "hexBinary"))),
        ],
    )


def datacite(manifest: Manifest, files: Sequence[File], sources: Iterable[str]) -> bytes:
    """DataCite metadata (schema 4.5, JSON). `sources` are the addresses of the documents that the data rests on."""
    related: list[dict[str, str]] = []
    if manifest.previous:
        related.append(_related(vocab.release.NS + manifest.previous, "IsNewVersionOf"))
    related.append(_related(DATASET.value, "IsVersionOf"))
    related += [_related(address, "IsDerivedFrom") for address in sorted(set(sources)) if _ADDRESS.fullmatch(address)]
    record: dict[str, Any] = {
        "schemaVersion": "http://datacite.org/schema/kernel-4",
        "alternateIdentifiers": [{"alternateIdentifier": manifest.iri, "alternateIdentifierType": "URL"}],
        "url": manifest.iri,
        "creators": [{"name": _TEAM, "nameType": "Organizational"}],
        "titles": [{"title": f"{TITLE}, release {manifest.name}", "lang": "en"}],
        "publisher": {"name": _TEAM},
        "publicationYear": str(manifest.made_at.year),
        "types": {"resourceType": "Knowledge graph", "resourceTypeGeneral": "Dataset"},
        "subjects": [{"subject": word, "lang": "en"} for word in KEYWORDS],
        "contributors": [{"name": _TEAM, "nameType": "Organizational", "contributorType": "DataCurator"}],
        "dates": [{"date": f"{manifest.made_at:%Y-%m-%d}", "dateType": "Created"}],
        "language": "en",
        "relatedIdentifiers": related,
        "sizes": [f"{manifest.quads} quads", f"{sum(one.bytes for one in files)} bytes"],
        "formats": sorted({one.kind.media_type for one in files}),
        "version": manifest.name,
        "rightsList": [
            {
                "rights": "Creative Commons Attribution 4.0 International",
                "rightsUri": LICENSE.value,
                "rightsIdentifier": "CC-BY-4.0",
                "rightsIdentifierScheme": "SPDX",
                "schemeUri": _SPDX,
            }
        ],
        "descriptions": [
            {"description": ABOUT, "descriptionType": "Abstract", "lang": "en"},
            {
                "description": f"RDFC-1.0 hash (SHA-256) of the graph: {manifest.graph_sha256}",
                "descriptionType": "TechnicalInfo",
                "lang": "en",
            },
        ],
    }
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def citation(manifest: Manifest) -> bytes:
    """A citation file (CFF 1.2.0)."""
    lines = [
        "cff-version: 1.2.0",
        "type: dataset",
        "message: If you use this data, please cite it, and cite the source of each value that you use.",
        f"title: {json.dumps(TITLE)}",
        f"abstract: {json.dumps(ABOUT)}",
        "authors:",
        f"  - name: {_TEAM}",
        f'version: "{manifest.name}"',
        f'date-released: "{manifest.made_at:%Y-%m-%d}"',
        "license: CC-BY-4.0",
        f"url: {manifest.iri}",
        "identifiers:",
        "  - type: url",
        f"    value: {manifest.iri}",
        "    description: The release.",
        "  - type: other",
        f'    value: "{manifest.graph_sha256}"',
        "    description: SHA-256 of the graph in canonical form (RDFC-1.0).",
        "keywords:",
        *(f"  - {word}" for word in KEYWORDS),
        "",
    ]
    return "\n".join(lines).encode("utf-8")


def readme(manifest: Manifest, tables: Sequence[tuple[str, Sequence[Column]]]) -> bytes:
    """What the files hold, column by column, and how to check them."""
    counts = [f"| {name} | {number} |" for name, number in manifest.counts.items()]
    lines = [
        f"# {TITLE}, release {manifest.name}",
        "",
        f"Revision {manifest.revision} of the graph, made on {manifest.made_at:%Y-%m-%d}. {ABOUT}",
        "",
        "Terms: `LICENSE.md`. How to cite it: `CITATION.cff`. Cite the source of each value that you use: `claims.csv`",
        "and `observations.csv` name it, with the place in it.",
        "",
        "| what | number |",
        "| --- | ---: |",
        f"| quads | {manifest.quads} |",
        *counts,
        "",
        "## Files",
        "",
        "| file | what |",
        "| --- | --- |",
        *(f"| `{name}` | {kind.about} |" for name, kind in FILES.items()),
        f"| `{MANIFEST}` | name, revision, hash of the graph, counts, versions, files |",
        f"| `{SUMS}` | SHA-256 of every file, as `sha256sum --check` reads it |",
        "",
        "CSV: RFC 4180, UTF-8, several values of a cell with `; ` between them. A text that a spreadsheet could take",
        "for a formula begins with an apostrophe. Parquet has texts as they are and fractions as 64-bit floats.",
        "",
        "## Check it",
        "",
        f"`sha256sum --check {SUMS}` checks the files. `slmkg release verify FOLDER` also loads the graph into an",
        "empty store and compares its hash: SHA-256 of the canonical N-Quads by RDFC-1.0 (W3C), which is",
        "",
        f"    {manifest.graph_sha256}",
        "",
    ]
    for name, columns in tables:
        lines += [f"## Columns of `{name}`", "", "| column | kind | what |", "| --- | --- | --- |"]
        lines += [f"| {one.name} | {one.kind} | {one.about} |" for one in columns if not one.name.endswith(".status")]
        lines += [""]
        if any(one.name.endswith(".status") for one in columns):
            lines += [
                "Beside each property stands a column `….status`: accepted, derived, proposed, disputed, or missing",
                "with the reason.",
                "",
            ]
    return "\n".join(lines).encode("utf-8")


def _related(address: str, relation: str) -> dict[str, str]:
    arxiv = _ARXIV.fullmatch(address)
    if arxiv:
        return {"relatedIdentifier": f"arXiv:{arxiv[1]}", "relatedIdentifierType": "arXiv", "relationType": relation}
    return {"relatedIdentifier": address, "relatedIdentifierType": "URL", "relationType": relation}


def _distribution(release: IRI, name: str) -> IRI:
    return IRI(f"{release.value}/{name}#distribution")


def _said(subject: IRI, pairs: Iterable[tuple[str, Term | None]]) -> Iterator[Triple]:
    return (Triple(subject, IRI(name), value) for name, value in pairs if value is not None)
