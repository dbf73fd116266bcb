"""Generate ontology/vocab.ttl and app/vocab.py from the hand-edited files in ontology/.

Reads namespaces.tsv, schemes.tsv, foreign_terms.tsv, vocab/*.tsv, slmkg.ttl and units.ttl. Writes the same
bytes for the same input, so that `--check` can tell whether the two generated files are stale. Never changes
an input file and never goes to the network.
"""

from __future__ import annotations

import argparse
import csv
import keyword
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rdflib import OWL, RDF, RDFS, XSD, Graph, URIRef

ROOT: Final = Path(__file__).resolve().parent.parent
MATCHES: Final = {
    "exact": "skos:exactMatch",
    "close": "skos:closeMatch",
    "broad": "skos:broadMatch",
    "narrow": "skos:narrowMatch",
    "related": "skos:relatedMatch",
}
COLUMNS: Final = ("notation", "broader", "label", "altLabel", "definition", "match")
EXTRA: Final = {"trustRank": "slm:trustRank", "bitsPerWeight": "slm:bitsPerWeight"}
WIDTH: Final = 120
LICENSE: Final = "https://creativecommons.org/licenses/by/4.0/"
VOCAB_PREFIXES: Final = ("slm", "slmkg", "vocab", "agent", "dct", "owl", "rdfs", "skos")


class SourceError(Exception):
    """An input file is wrong; the text names file, line and what to do."""


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Prefixes with full IRIs; `own` are those below the base."""

    base: str
    iris: Mapping[str, str]
    own: frozenset[str]


@dataclass(frozen=True, slots=True)
class Concept:
    """One row of a scheme's TSV."""

    notation: str
    broader: str
    label: str
    alt_labels: tuple[str, ...]
    definition: str
    matches: tuple[tuple[str, str], ...]
    extra: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Scheme:
    """One concept scheme with its concepts in file order."""

    name: str
    prefix: str
    title: str
    description: str
    concepts: tuple[Concept, ...]


def _rows(path: Path, required: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read a TSV strictly: header with `required`, as many cells in each row, no outer blanks in a cell."""
    text = path.read_bytes().decode("utf-8")
    if "\r" in text or not text.endswith("\n"):
        raise SourceError(f"{path.name}: use plain line ends and end the file with one")
    reader = csv.reader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    missing = [column for column in required if column not in header]
    if missing:
        raise SourceError(f"{path.name}:1: columns missing: {', '.join(missing)}")
    rows: list[tuple[int, dict[str, str]]] = []
    for number, cells in enumerate(reader, start=2):
        if len(cells) != len(header):
            raise SourceError(f"{path.name}:{number}: {len(cells)} cells where the header has {len(header)}")
        for column, cell in zip(header, cells, strict=True):
            if cell != cell.strip():
                raise SourceError(f"{path.name}:{number}: blanks around '{cell}' in column {column}")
        rows.append((number, dict(zip(header, cells, strict=True))))
    return rows


def read_namespaces(path: Path) -> Namespaces:
    """Read namespaces.tsv; the first row that is ours gives the base, later ones may be relative to it."""
    base = ""
    iris: dict[str, str] = {}
    own: set[str] = set()
    for number, row in _rows(path, ("prefix", "iri", "ours")):
        prefix, iri = row["prefix"], row["iri"]
        if prefix in iris:
            raise SourceError(f"{path.name}:{number}: prefix '{prefix}' stands twice")
        if row["ours"] == "yes":
            base = base or iri
            iris[prefix] = iri if iri.startswith(base) else base + iri
            own.add(prefix)
        elif row["ours"] == "no":
            iris[prefix] = iri
        else:
            raise SourceError(f"{path.name}:{number}: 'ours' is '{row['ours']}', not yes or no")
    if not base.endswith("/"):
        raise SourceError(f"{path.name}: the base '{base}' must end with a slash")
    return Namespaces(base, iris, frozenset(own))


def _matches(cell: str, where: str, namespaces: Namespaces) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for part in filter(None, (piece.strip() for piece in cell.split(";"))):
        kind, _, curie = part.partition(" ")
        prefix, _, local = curie.partition(":")
        if kind not in MATCHES or not local or prefix not in namespaces.iris:
            raise SourceError(f"{where}: match '{part}' is not '<{'|'.join(MATCHES)}> <known prefix>:<name>'")
        found.append((MATCHES[kind], namespaces.iris[prefix] + local))
    return tuple(found)


def read_scheme(path: Path, prefix: str, title: str, description: str, namespaces: Namespaces) -> Scheme:
    """Read one scheme's TSV and check notations, labels and broader links."""
    concepts: list[Concept] = []
    rows = _rows(path, COLUMNS)
    notations = [row["notation"] for _, row in rows]
    names: dict[str, str] = {}
    for number, row in rows:
        where = f"{path.name}:{number}"
        notation, broader = row["notation"], row["broader"]
        if not notation.replace("_", "").isalnum() or notations.count(notation) > 1:
            raise SourceError(f"{where}: notation '{notation}' is not unique letters, digits and underscores")
        if not row["label"] or not row["definition"]:
            raise SourceError(f"{where}: '{notation}' needs a label and a definition")
        if broader and (broader == notation or broader not in notations):
            raise SourceError(f"{where}: broader '{broader}' is not another notation of this file")
        alts = tuple(filter(None, row["altLabel"].split("|")))
        for name in (row["label"], *alts):
            if names.setdefault(name.casefold(), notation) != notation:
                raise SourceError(f"{where}: '{name}' also names {names[name.casefold()]}")
        unknown = [column for column in row if column not in COLUMNS and column not in EXTRA]
        if unknown:
            raise SourceError(f"{path.name}:1: unknown columns: {', '.join(unknown)}")
        extra = tuple((EXTRA[column], row[column]) for column in EXTRA if row.get(column))
        for column, value in extra:
            if not value.replace(".", "", 1).isdigit():
                raise SourceError(f"{where}: {column} '{value}' is not a number")
        matches = _matches(row["match"], where, namespaces)
        concepts.append(Concept(notation, broader, row["label"], alts, row["definition"], matches, extra))
    parents = {concept.notation: concept.broader for concept in concepts}
    for start, parent in parents.items():
        seen, step = {start}, parent
        while step:
            if step in seen:
                raise SourceError(f"{path.name}: '{start}' is broader than itself")
            seen.add(step)
            step = parents[step]
    return Scheme(path.stem, prefix, title, description, tuple(concepts))


def read_schemes(folder: Path, namespaces: Namespaces) -> tuple[Scheme, ...]:
    """Read schemes.tsv and the TSV of each scheme in it; a TSV without a row there is an error."""
    schemes: list[Scheme] = []
    for number, row in _rows(folder / "schemes.tsv", ("scheme", "prefix", "title", "description")):
        name, prefix = row["scheme"], row["prefix"]
        path = folder / "vocab" / f"{name}.tsv"
        if not path.is_file():
            raise SourceError(f"schemes.tsv:{number}: there is no vocab/{name}.tsv")
        if namespaces.iris.get(prefix) != f"{namespaces.base}vocab/{name}/":
            raise SourceError(f"schemes.tsv:{number}: namespaces.tsv has no '{prefix}' for vocab/{name}/")
        schemes.append(read_scheme(path, prefix, row["title"], row["description"], namespaces))
    known = {scheme.name for scheme in schemes}
    for path in sorted((folder / "vocab").glob("*.tsv")):
        if path.stem not in known:
            raise SourceError(f"vocab/{path.name}: schemes.tsv has no row for it")
    return tuple(schemes)


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _block(subject: str, kind: str, lines: Iterable[str]) -> str:
    return " ;\n  ".join([f"{subject} a {kind}", *lines]) + " .\n"


def _concept(scheme: Scheme, concept: Concept) -> str:
    home = f"vocab:{scheme.name}"
    lines = [f"skos:inScheme {home}"]
    lines.append(f"skos:broader {scheme.prefix}:{concept.broader}" if concept.broader else f"skos:topConceptOf {home}")
    lines.append(f"skos:notation {_text(concept.notation)}")
    lines.append(f"skos:prefLabel {_text(concept.label)}@en")
    lines += [f"skos:altLabel {_text(alt)}@en" for alt in concept.alt_labels]
    lines.append(f"skos:definition {_text(concept.definition)}@en")
    lines += [f"{kind} <{iri}>" for kind, iri in concept.matches]
    for column, value in concept.extra:
        decimal = column == EXTRA["bitsPerWeight"] and "." not in value
        lines.append(f"{column} {value}.0" if decimal else f"{column} {value}")
    return _block(f"{scheme.prefix}:{concept.notation}", "skos:Concept", lines)


def vocab_ttl(namespaces: Namespaces, schemes: Sequence[Scheme]) -> str:
    """Turtle text of all schemes, in the order of the files."""
    prefixes = [*VOCAB_PREFIXES, *(scheme.prefix for scheme in schemes)]
    parts = [
        "# Generated by scripts/build_vocab.py from vocab/*.tsv and schemes.tsv. Do not edit.\n"
        + "".join(f"@prefix {prefix}: <{namespaces.iris[prefix]}> .\n" for prefix in prefixes)
    ]
    header = [
        'rdfs:label "SLM Knowledge Graph concept schemes"@en',
        'dct:title "SLM Knowledge Graph concept schemes"@en',
        'dct:description "Closed lists of kinds, statuses and formats, one SKOS scheme each."@en',
        "dct:creator agent:slmkg-team",
        f"dct:license <{LICENSE}>",
    ]
    parts.append(_block("slmkg:vocab", "owl:Ontology", header))
    for scheme in schemes:
        tops = [f"{scheme.prefix}:{c.notation}" for c in scheme.concepts if not c.broader]
        lines = [
            f"dct:title {_text(scheme.title)}@en",
            f"rdfs:label {_text(scheme.title)}@en",
            f"dct:description {_text(scheme.description)}@en",
            f"dct:license <{LICENSE}>",
            "rdfs:isDefinedBy slmkg:vocab",
            f"skos:hasTopConcept {' , '.join(tops)}",
        ]
        parts.append(_block(f"vocab:{scheme.name}", "skos:ConceptScheme", lines))
        parts += [_concept(scheme, concept) for concept in scheme.concepts]
    return "\n".join(parts)


def _identifier(name: str) -> str:
    """Python name of a local name: hyphens become underscores, keywords get one appended."""
    candidate = name.replace("-", "_").replace(".", "_")
    return candidate + "_" if keyword.iskeyword(candidate) else candidate


def _class(prefix: str, doc: str, namespace: str, names: Iterable[str]) -> str:
    lines = [f"class {_identifier(prefix)}:", f'    """{doc}"""', "", f'    NS: Final = "{namespace}"']
    for name in names:
        line = f'    {_identifier(name)}: Final = "{namespace}{name}"'
        if len(line) > WIDTH:
            line = f'    {_identifier(name)}: Final = (\n        "{namespace}{name}"\n    )'
        lines.append(line)
    return "\n".join(lines) + "\n"


def _set(name: str, comment: str, references: Sequence[str]) -> str:
    body = "".join(f"        {reference},\n" for reference in references)
    return f'{name}: Final = frozenset(\n    {{\n{body}    }}\n)\n"""{comment}"""\n'


def _mapping(name: str, comment: str, pairs: Sequence[tuple[str, str]]) -> str:
    body = "".join(f"    {key}: {value},\n" for key, value in pairs)
    return f'{name}: Final[dict[str, str]] = {{\n{body}}}\n"""{comment}"""\n'


HEADER: Final = '''# Generated by scripts/build_vocab.py from ontology/. Do not edit.
# ruff: noqa: N801, N815, S105
"""Every IRI the program uses: prefixes, own terms and concepts, and the foreign terms in use.

What it is for: code names terms as `slm.numLayers` or `attn.GQA`, so that a misspelt term is a type error.
A Python keyword gets an underscore (`quant.None_`), a hyphen becomes one (`slmu.TOKEN_PER_SEC`).
It holds plain strings: never an import of an RDF library, never a value that can be configured.
"""

from __future__ import annotations

from typing import Final

'''

FUNCTIONS: Final = '''

def term(prefix: str, local: str) -> str:
    """Full IRI of a prefix and a local name; KeyError for an unknown prefix."""
    return PREFIXES[prefix] + local


def expand(curie: str) -> str:
    """Full IRI of a compact one such as `slm:numLayers`; KeyError for an unknown prefix."""
    prefix, _, local = curie.partition(":")
    return term(prefix, local)


def shrink(iri: str) -> str:
    """Compact form by the longest namespace that fits; the IRI itself where none does."""
    fits = (prefix for prefix, namespace in PREFIXES.items() if iri.startswith(namespace))
    best = max(fits, key=lambda prefix: len(PREFIXES[prefix]), default="")
    local = iri[len(PREFIXES[best]) :] if best else ""
    if not local or not local.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return iri
    return f"{best}:{local}"
'''


def _local_names(graph: Graph, namespace: str) -> list[str]:
    found = {str(s) for s in graph.subjects() if isinstance(s, URIRef) and str(s).startswith(namespace)}
    return sorted((iri[len(namespace) :] for iri in found), key=lambda name: (name.casefold(), name))


def vocab_py(folder: Path, namespaces: Namespaces, schemes: Sequence[Scheme]) -> str:
    """Python text of app/vocab.py."""
    ontology = Graph().parse(folder / "slmkg.ttl", format="turtle")
    units = Graph().parse(folder / "units.ttl", format="turtle")
    iris = namespaces.iris

    def ref(iri: str) -> str:
        """Python expression of an IRI that one of the classes holds."""
        prefix = max((p for p in iris if iri.startswith(iris[p])), key=lambda p: len(iris[p]))
        return f"{_identifier(prefix)}.{_identifier(iri[len(iris[prefix]) :])}"

    def members(kind: str) -> list[str]:
        found = ontology.subjects(RDF.type, URIRef(iris["slm"] + kind))
        return [f"slm.{_identifier(name)}" for name in sorted(str(iri)[len(iris["slm"]) :] for iri in found)]

    def values(predicate: URIRef) -> list[tuple[str, str]]:
        pairs = ((str(s), str(o)) for s, o in ontology.subject_objects(predicate) if str(s).startswith(iris["slm"]))
        return sorted(pairs)

    local: dict[str, list[str]] = {"slm": _local_names(ontology, iris["slm"])}
    for prefix in ("slmu", "unit"):
        local[prefix] = _local_names(units, iris[prefix])
    for number, row in _rows(folder / "foreign_terms.tsv", ("prefix", "term")):
        if row["prefix"] not in iris or row["prefix"] in namespaces.own:
            raise SourceError(f"foreign_terms.tsv:{number}: '{row['prefix']}' is not a foreign prefix")
        names = local.setdefault(row["prefix"], [])
        if row["term"] in names:
            raise SourceError(f"foreign_terms.tsv:{number}: '{row['term']}' stands twice")
        names.append(row["term"])
    docs = {"slm": "Terms of the slmkg ontology.", "slmu": "Own units.", "unit": "QUDT units of the subset."}
    for scheme in schemes:
        local[scheme.prefix] = [concept.notation for concept in scheme.concepts]
        docs[scheme.prefix] = f"{scheme.title} (scheme `{scheme.name}`)."
    local["vocab"] = [scheme.name for scheme in schemes]
    docs["vocab"] = "Concept schemes."

    classes = []
    for prefix, namespace in iris.items():
        if prefix in local or prefix in namespaces.own:
            fallback = f"Things below `{namespace.removeprefix(namespaces.base) or 'the base'}`."
            doc = docs.get(prefix, fallback if prefix in namespaces.own else f"Terms of {namespace} in use.")
            classes.append(_class(prefix, doc, namespace, local.get(prefix, ())))

    literals = [(s, o) for s, o in values(RDFS.range) if o.startswith(str(XSD))]
    prefix_rows = "".join(f'    "{prefix}": "{namespace}",\n' for prefix, namespace in iris.items())
    own_rows = "".join(f'        "{prefix}",\n' for prefix in sorted(namespaces.own))
    version = ontology.value(URIRef(iris["slmkg"] + "ontology"), OWL.versionInfo)
    parts = [
        f'{HEADER}BASE: Final = "{namespaces.base}"\n"""Everything of our own stands below this IRI."""\n\n'
        f'VERSION: Final = "{version}"\n"""Version of the ontology."""\n\n'
        f'PREFIXES: Final[dict[str, str]] = {{\n{prefix_rows}}}\n"""Namespace by prefix."""\n\n'
        f"OWN_PREFIXES: Final = frozenset(\n    {{\n{own_rows}    }}\n)\n"
        '"""Prefixes below the base."""\n' + FUNCTIONS,
        *classes,
    ]
    constants = [
        _set("CLAIMABLE", "Properties whose value may differ by source.", members("ClaimableProperty")),
        _set("COMPLETE_SET", "Claimable: one source's values form a full list.", members("CompleteSetProperty")),
        _set("ADDITIVE", "Claimable: the values of all sources add up.", members("AdditiveProperty")),
        _mapping(
            "DATATYPES",
            "Datatype of each own property with plain values.",
            [(ref(s), ref(o)) for s, o in literals],
        ),
        _mapping(
            "SCHEMES",
            "Scheme from which an own property takes its concepts.",
            [(ref(s), ref(o)) for s, o in values(URIRef(iris["slm"] + "valueScheme"))],
        ),
        _mapping(
            "UNITS",
            "Unit of an own property's plain number.",
            [(ref(s), ref(o)) for s, o in values(URIRef(iris["slm"] + "valueUnit"))],
        ),
    ]
    return "\n\n".join(parts) + "\n\n" + "\n".join(constants)


def build(folder: Path) -> tuple[str, str]:
    """Texts of vocab.ttl and of app/vocab.py for the ontology folder."""
    namespaces = read_namespaces(folder / "namespaces.tsv")
    schemes = read_schemes(folder, namespaces)
    return vocab_ttl(namespaces, schemes), vocab_py(folder, namespaces, schemes)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the generated files; with --check report the stale ones (exit 1). Exit 2 for a wrong input."""
    parser = argparse.ArgumentParser(description="Generate ontology/vocab.ttl and app/vocab.py.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository root")
    options = parser.parse_args(arguments)
    root: Path = options.root
    try:
        ttl, python = build(root / "ontology")
    except (SourceError, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    stale = 0
    for path, text in ((root / "ontology" / "vocab.ttl", ttl), (root / "app" / "vocab.py", python)):
        if path.is_file() and path.read_bytes() == text.encode():
            continue
        stale += 1
        if options.check:
            print(f"stale: {path.relative_to(root)}; run scripts/build_vocab.py")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote {path.relative_to(root)}")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
