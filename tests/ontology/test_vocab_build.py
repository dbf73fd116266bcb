"""The generated files are fresh, complete and repeatable; wrong input is named by file and line."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rdflib import OWL, RDF, RDFS, SKOS, Graph, URIRef
from rdflib.namespace import DCTERMS

from app import vocab

ROOT = Path(__file__).parents[2]
ONTOLOGY = ROOT / "ontology"
GENERATED = ("ontology/vocab.ttl", "app/vocab.py")


def build(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "build_vocab.py"), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(ONTOLOGY, tmp_path / "ontology")
    (tmp_path / "app").mkdir()
    shutil.copy(ROOT / "app" / "vocab.py", tmp_path / "app")
    return tmp_path


def test_generated_files_are_fresh() -> None:
    result = build(ROOT, "--check")
    assert (result.returncode, result.stdout) == (0, "")


def test_regenerating_gives_equal_bytes(copy: Path) -> None:
    for name in GENERATED:
        (copy / name).unlink()
    assert build(copy).returncode == 0
    for name in GENERATED:
        assert (copy / name).read_bytes() == (ROOT / name).read_bytes()


def test_check_reports_stale_files_and_writes_nothing(copy: Path) -> None:
    tsv = copy / "ontology" / "vocab" / "attention.tsv"
    tsv.write_text(tsv.read_text().replace("multi-query attention", "multiple-query attention"))
    before = {name: (copy / name).read_bytes() for name in GENERATED}
    result = build(copy, "--check")
    assert result.returncode == 1
    assert "ontology/vocab.ttl" in result.stdout
    assert "app/vocab.py" not in result.stdout
    assert before == {name: (copy / name).read_bytes() for name in GENERATED}
    (copy / "app" / "vocab.py").unlink()
    assert "app/vocab.py" in build(copy, "--check").stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("vocab/ffn.tsv", "", "", "there is no vocab/ffn.tsv"),
        ("vocab/ffn.tsv", "Gated\t", "Gated\t\t", "ffn.tsv:3: 7 cells"),
        ("vocab/ffn.tsv", "Gated\t", "Standard\t", "ffn.tsv:2: notation 'Standard'"),
        ("vocab/ffn.tsv", "gated feed-forward", " gated", "ffn.tsv:3: blanks around"),
        ("vocab/ffn.tsv", "gated feed-forward", "", "ffn.tsv:3: 'Gated' needs a label"),
        ("vocab/ffn.tsv", "gated feed-forward", "MLP", "ffn.tsv:3: 'MLP' also names Standard"),
        ("vocab/ffn.tsv", "narrow mlsoalg:GLU", "near mlsoalg:GLU", "ffn.tsv:3: match 'near mlsoalg:GLU'"),
        ("vocab/ffn.tsv", "narrow mlsoalg:GLU", "narrow nowhere:GLU", "ffn.tsv:3: match"),
        ("vocab/ffn.tsv", "Gated\t", "Gated\tNothing", "ffn.tsv:3: broader 'Nothing'"),
        ("vocab/ffn.tsv", "notation", "code", "ffn.tsv:1: columns missing: notation"),
        ("vocab/ffn.tsv", "\n", "\r\n", "ffn.tsv: use plain line ends"),
        ("vocab/activation.tsv", "GELU\t\tGELU", "GELU\tGELUTanh\tGELU", "is broader than itself"),
        ("vocab/quantisation.tsv", "6.5625", "about 6", "bitsPerWeight 'about 6' is not a number"),
        ("schemes.tsv", "ffn\tffn", "fnn\tffn", "there is no vocab/fnn.tsv"),
        ("schemes.tsv", "ffn\tffn", "ffn\tattn", "has no 'attn' for vocab/ffn/"),
        ("namespaces.tsv", "slmu\t", "slm\t", "namespaces.tsv:5: prefix 'slm' stands twice"),
        ("namespaces.tsv", "unit/\tyes", "unit/\tmaybe", "'ours' is 'maybe'"),
        ("foreign_terms.tsv", "rdf\ttype", "slm\ttype", "'slm' is not a foreign prefix"),
    ],
)
def test_wrong_input_is_named(copy: Path, file: str, old: str, new: str, message: str) -> None:
    path = copy / "ontology" / file
    text = path.read_bytes().decode()
    if old:
        assert old in text
        path.write_bytes(text.replace(old, new, 1).encode())
    else:
        path.unlink()
    result = build(copy)
    assert result.returncode == 2
    assert message in result.stderr
    for name in GENERATED:
        assert (copy / name).read_bytes() == (ROOT / name).read_bytes()


def test_a_scheme_file_without_a_row_is_an_error(copy: Path) -> None:
    (copy / "ontology" / "vocab" / "extra.tsv").write_text("notation\n")
    result = build(copy)
    assert result.returncode == 2
    assert "vocab/extra.tsv: schemes.tsv has no row for it" in result.stderr


def test_curators_rows_reach_both_generated_files(copy: Path) -> None:
    tsv = copy / "ontology" / "vocab" / "attention.tsv"
    tsv.write_text(tsv.read_text() + 'Extra\tGQA\ta "new" kind\tXA\\1\tMade for a test.\texact mlsoalg:ReLU\n')
    assert build(copy).returncode == 0
    graph = Graph().parse(copy / "ontology" / "vocab.ttl", format="turtle")
    concept = URIRef(vocab.attn.NS + "Extra")
    assert str(graph.value(concept, SKOS.prefLabel)) == 'a "new" kind'
    assert str(graph.value(concept, SKOS.altLabel)) == "XA\\1"
    assert graph.value(concept, SKOS.broader) == URIRef(vocab.attn.GQA)
    assert graph.value(concept, SKOS.exactMatch) == URIRef(vocab.PREFIXES["mlsoalg"] + "ReLU")
    assert f'    Extra: Final = "{concept}"\n' in (copy / "app" / "vocab.py").read_text()


def constants(prefix: str) -> set[str]:
    return {v for k, v in vars(getattr(vocab, prefix)).items() if isinstance(v, str) and not k.startswith("_")}


def test_vocab_module_holds_every_term_and_concept() -> None:
    ontology = Graph().parse(ONTOLOGY / "slmkg.ttl", format="turtle")
    schemes = Graph().parse(ONTOLOGY / "vocab.ttl", format="turtle")
    terms = {str(s) for s in ontology.subjects(RDFS.isDefinedBy) if str(s).startswith(vocab.slm.NS)}
    assert constants("slm") == {*terms, vocab.slm.NS}
    for scheme in schemes.subjects(RDF.type, SKOS.ConceptScheme):
        [prefix] = [p for p, iri in vocab.PREFIXES.items() if iri == f"{scheme}/"]
        members = {str(c) for c in schemes.subjects(SKOS.inScheme, scheme)}
        assert constants(prefix) == {*members, f"{scheme}/"}
        assert str(scheme) in constants("vocab")
        assert schemes.value(scheme, DCTERMS.license) is not None


def test_property_tables_agree_with_the_ontology() -> None:
    graph = Graph().parse(ONTOLOGY / "slmkg.ttl", format="turtle")
    slm = vocab.slm
    for kind, found in (
        (slm.ClaimableProperty, vocab.CLAIMABLE),
        (slm.CompleteSetProperty, vocab.COMPLETE_SET),
        (slm.AdditiveProperty, vocab.ADDITIVE),
    ):
        assert found == {str(s) for s in graph.subjects(RDF.type, URIRef(kind))}
    assert {slm.trainedOn, slm.maker} == vocab.COMPLETE_SET
    assert {slm.innovation, slm.trainedWith, slm.describedIn, slm.trainingNote, slm.attentionNote} == vocab.ADDITIVE
    assert vocab.DATATYPES[slm.releasedIn] == vocab.xsd.gYearMonth
    assert vocab.SCHEMES[slm.attentionType] == vocab.vocab.attention
    assert vocab.UNITS[slm.memoryBandwidth] == vocab.unit.BYTE_PER_SEC
    datatype = {str(s) for s in graph.subjects(RDF.type, OWL.DatatypeProperty)}
    literal = {slm.settingValue, slm.derivedValue, slm.proposedValue}
    assert set(vocab.DATATYPES) == datatype - literal


def test_trust_ranks() -> None:
    graph = Graph().parse(ONTOLOGY / "vocab.ttl", format="turtle")
    ranks = {str(s): int(str(o)) for s, o in graph.subject_objects(URIRef(vocab.slm.trustRank))}
    assert set(ranks) == constants("stype") - {vocab.stype.NS}
    assert ranks[vocab.stype.ConfigurationFile] == ranks[vocab.stype.ConfigurationReading] == 1
    assert ranks[vocab.stype.RunLog] == 2
    assert ranks[vocab.stype.SurveyTable] == 4
    assert ranks[vocab.stype.FigureReading] == ranks[vocab.stype.WebPage] == 5


def test_expand_shrink_and_term() -> None:
    assert vocab.expand("slm:numLayers") == vocab.slm.numLayers == vocab.term("slm", "numLayers")
    assert vocab.shrink(vocab.slm.numLayers) == "slm:numLayers"
    assert vocab.shrink(vocab.attn.GQA) == "attn:GQA"
    assert vocab.shrink(vocab.slmu.TOKEN_PER_SEC) == "slmu:TOKEN-PER-SEC"
    assert vocab.shrink(vocab.term("model", "phi-3-mini-4k")) == "model:phi-3-mini-4k"
    assert vocab.shrink("https://nowhere.example/x") == "https://nowhere.example/x"
    assert vocab.shrink(vocab.term("graph", "source/a/2024-01-01")) == vocab.term("graph", "source/a/2024-01-01")
    for prefix, namespace in vocab.PREFIXES.items():
        assert vocab.expand(f"{prefix}:x") == f"{namespace}x"
        assert vocab.shrink(f"{namespace}x") == f"{prefix}:x"
    with pytest.raises(KeyError):
        vocab.expand("nowhere:x")


def test_own_prefixes_stand_below_the_base() -> None:
    for prefix, namespace in vocab.PREFIXES.items():
        assert namespace.startswith(vocab.BASE) == (prefix in vocab.OWN_PREFIXES)


def test_vocab_module_imports_nothing_but_typing() -> None:
    tree = ast.parse((ROOT / "app" / "vocab.py").read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "typing"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


def test_prefix_of_every_turtle_file_agrees_with_namespaces() -> None:
    for path in ONTOLOGY.rglob("*.ttl"):
        for prefix, iri in re.findall(r"(?m)^@prefix (\w+): <(\S+)> \.$", path.read_text(encoding="utf-8")):
            assert vocab.PREFIXES[prefix] == iri, path.name
