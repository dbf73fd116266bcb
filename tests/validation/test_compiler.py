"""Each part of SHACL that the compiler knows, on the smallest data that shows it; the rest is refused by name.

Every case runs through pySHACL as well, which holds the compiler to the standard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox
import pytest

from app.model.rdf import IRI
from app.validation.compiler import compile_shapes
from app.validation.records import RecordValidator
from app.validation.sets import SetValidator
from app.validation.shapes import ShapeError, Shapes, load
from tests.validation.graphs import Data

EX = "http://example.org/"
PREFIXES = f"""@prefix ex: <{EX}> . @prefix sh: <http://www.w3.org/ns/shacl#> .
@prefix slmsh: <https://w3id.org/slmkg/shapes#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
"""
HEAD = (
    "slmsh:C01 a sh:NodeShape ; sh:severity sh:Violation ; sh:order 1 ; "
    'rdfs:label "l" ; rdfs:comment "c" ; sh:message "C01: m" ; '
)
PROPERTY = (
    'sh:targetClass ex:T ; sh:property slmsh:C01-p . slmsh:C01-p sh:severity sh:Violation ; sh:message "C01: m" ; '
)


@dataclass(frozen=True, slots=True)
class Case:
    """A shape, data, and the local names of the nodes that break it. Every ex:T is a focus node."""

    name: str
    shape: str
    data: str
    broken: str

    def __str__(self) -> str:
        return self.name


def of(rule: str) -> str:
    """Return a constraint with one property shape."""
    return PROPERTY + rule + " ."


CASES = (
    Case("minCount 1", of("sh:path ex:p ; sh:minCount 1"), "ex:a a ex:T ; ex:p 1 . ex:b a ex:T .", "b"),
    Case("minCount 0", of("sh:path ex:p ; sh:minCount 0"), "ex:a a ex:T .", ""),
    Case(
        "minCount 2 counts different values",
        of("sh:path ex:p ; sh:minCount 2"),
        "ex:a a ex:T ; ex:p 1 , 2 . ex:b a ex:T ; ex:p 1 .",
        "b",
    ),
    Case("maxCount 0", of("sh:path ex:p ; sh:maxCount 0"), "ex:a a ex:T . ex:b a ex:T ; ex:p 1 .", "b"),
    Case(
        "maxCount 1",
        of("sh:path ex:p ; sh:maxCount 1"),
        'ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:p 1 , "1" .',
        "b",
    ),
    Case(
        "maxCount over a path counts values, not ways",
        of("sh:path ( ex:p ex:q ) ; sh:maxCount 1"),
        "ex:a a ex:T ; ex:p ex:x , ex:y . ex:x ex:q 1 . ex:y ex:q 1 . ex:b a ex:T ; ex:p ex:x , ex:z . ex:z ex:q 2 .",
        "b",
    ),
    Case(
        "datatype",
        of("sh:path ex:p ; sh:datatype xsd:integer"),
        'ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:p 1.5 . ex:c a ex:T ; ex:p "1" . ex:d a ex:T ; ex:p ex:x . '
        'ex:e a ex:T ; ex:p "one"^^xsd:integer .',
        "b c d e",
    ),
    Case(
        "datatype string",
        of("sh:path ex:p ; sh:datatype xsd:string"),
        'ex:a a ex:T ; ex:p "x" . ex:b a ex:T ; ex:p "x"@en . ex:c a ex:T ; ex:p _:n .',
        "b c",
    ),
    Case(
        "datatype date",
        of("sh:path ex:p ; sh:datatype xsd:date"),
        'ex:a a ex:T ; ex:p "2024-02-29"^^xsd:date . ex:b a ex:T ; ex:p "2024-16-04"^^xsd:date .',
        "b",
    ),
    Case(
        "class and its subclasses",
        of("sh:path ex:p ; sh:class ex:C"),
        "ex:D rdfs:subClassOf ex:C . ex:x a ex:C . ex:y a ex:D . ex:a a ex:T ; ex:p ex:x , ex:y . "
        'ex:b a ex:T ; ex:p ex:z . ex:c a ex:T ; ex:p "x" .',
        "b c",
    ),
    *(
        Case(
            f"nodeKind {kind}",
            of(f"sh:path ex:p ; sh:nodeKind sh:{kind}"),
            'ex:a a ex:T ; ex:p ex:x . ex:b a ex:T ; ex:p "x" . ex:c a ex:T ; ex:p [] .',
            broken,
        )
        for kind, broken in (
            ("IRI", "b c"),
            ("Literal", "a c"),
            ("BlankNode", "a b"),
            ("BlankNodeOrIRI", "b"),
            ("BlankNodeOrLiteral", "a"),
            ("IRIOrLiteral", "c"),
        )
    ),
    Case(
        "pattern",
        of('sh:path ex:p ; sh:pattern "^a+$"'),
        'ex:a a ex:T ; ex:p "aa" . ex:b a ex:T ; ex:p "Aa" . ex:c a ex:T ; ex:p [] . ex:d a ex:T ; ex:p "a"@en .',
        "b c",
    ),
    Case(
        "pattern with flags",
        of('sh:path ex:p ; sh:pattern "^a+$" ; sh:flags "i"'),
        'ex:a a ex:T ; ex:p "Aa" . ex:b a ex:T ; ex:p "b" .',
        "b",
    ),
    Case(
        "minLength",
        of("sh:path ex:p ; sh:minLength 2"),
        'ex:a a ex:T ; ex:p "äö" , 10 . ex:b a ex:T ; ex:p "x" . ex:c a ex:T ; ex:p [] .',
        "b c",
    ),
    Case(
        "minInclusive",
        of("sh:path ex:p ; sh:minInclusive 1"),
        "ex:a a ex:T ; ex:p 1.0 . ex:b a ex:T ; ex:p 0.9 .",
        "b",
    ),
    Case(
        "minExclusive",
        of("sh:path ex:p ; sh:minExclusive 1"),
        "ex:a a ex:T ; ex:p 2 . ex:b a ex:T ; ex:p 1 .",
        "b",
    ),
    Case(
        "maxInclusive",
        of("sh:path ex:p ; sh:maxInclusive 1"),
        "ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:p 1.1 .",
        "b",
    ),
    Case(
        "maxExclusive",
        of("sh:path ex:p ; sh:maxExclusive 1"),
        "ex:a a ex:T ; ex:p 0 . ex:b a ex:T ; ex:p 1 .",
        "b",
    ),
    Case(
        "a bound on what has no order",
        of("sh:path ex:p ; sh:minInclusive 1"),
        'ex:a a ex:T ; ex:p "2" . ex:b a ex:T ; ex:p ex:x .',
        "a b",
    ),
    Case(
        "in",
        of('sh:path ex:p ; sh:in ( ex:x "y" )'),
        'ex:a a ex:T ; ex:p ex:x , "y" . ex:b a ex:T ; ex:p "y"@en . ex:c a ex:T ; ex:p ex:z .',
        "b c",
    ),
    Case("in nothing", of("sh:path ex:p ; sh:in ()"), "ex:a a ex:T . ex:b a ex:T ; ex:p 1 .", "b"),
    Case(
        "hasValue of a property",
        of("sh:path ex:p ; sh:hasValue ex:x"),
        "ex:a a ex:T ; ex:p ex:x , ex:y . ex:b a ex:T ; ex:p ex:y . ex:c a ex:T .",
        "b c",
    ),
    Case("hasValue of the node", "sh:targetClass ex:T ; sh:hasValue ex:a .", "ex:a a ex:T . ex:b a ex:T .", "b"),
    Case(
        "uniqueLang",
        of("sh:path ex:p ; sh:uniqueLang true"),
        'ex:a a ex:T ; ex:p "x"@en , "y"@de , "z" , "w" . ex:b a ex:T ; ex:p "x"@en , "y"@EN .',
        "b",
    ),
    Case("uniqueLang off", of("sh:path ex:p ; sh:uniqueLang false"), 'ex:a a ex:T ; ex:p "x"@en , "y"@en .', ""),
    Case(
        "or over values",
        of("sh:path ex:p ; sh:or ( [ sh:datatype xsd:integer ] [ sh:nodeKind sh:IRI ] )"),
        'ex:a a ex:T ; ex:p 1 , ex:x . ex:b a ex:T ; ex:p "x" .',
        "b",
    ),
    Case(
        "or over properties of the node",
        "sh:targetClass ex:T ; sh:or ( [ sh:path ex:p ; sh:minCount 1 ] [ sh:path ex:not ; sh:hasValue ex:p ] ) .",
        "ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:not ex:p . ex:c a ex:T ; ex:not ex:q .",
        "c",
    ),
    Case(
        "not",
        of('sh:path ex:p ; sh:not [ sh:pattern "^none$" ; sh:flags "i" ]'),
        'ex:a a ex:T ; ex:p "one" . ex:b a ex:T ; ex:p "None" .',
        "b",
    ),
    Case(
        "not of a whole shape",
        "sh:targetClass ex:T ; sh:not [ sh:property [ sh:path ex:p ; sh:minCount 1 ; sh:datatype xsd:integer ] ] .",
        'ex:a a ex:T . ex:b a ex:T ; ex:p 1 . ex:c a ex:T ; ex:p "1" .',
        "b",
    ),
    Case(
        "node",
        of("sh:path ex:p ; sh:node ex:Pair")
        + " ex:Pair sh:property [ sh:path ex:q ; sh:minCount 2 ; sh:maxCount 2 ] , "
        "[ sh:path ex:r ; sh:uniqueLang true ; sh:nodeKind sh:Literal ; sh:minInclusive 3 ] .",
        "ex:a a ex:T ; ex:p ex:x . ex:x ex:q 1 , 2 . ex:b a ex:T ; ex:p ex:y . ex:y ex:q 1 . "
        "ex:c a ex:T ; ex:p ex:z . ex:z ex:q 1 , 2 , 3 . ex:d a ex:T ; ex:p ex:w . ex:w ex:q 1 , 2 ; ex:r 2 .",
        "b c d",
    ),
    Case(
        "node inside node",
        of("sh:path ex:p ; sh:node ex:Outer")
        + " ex:Outer sh:property [ sh:path ex:q ; sh:node ex:Inner ] . ex:Inner sh:class ex:C ; sh:hasValue ex:x .",
        "ex:x a ex:C . ex:y a ex:C . ex:a a ex:T ; ex:p ex:m . ex:m ex:q ex:x . "
        "ex:b a ex:T ; ex:p ex:n . ex:n ex:q ex:y .",
        "b",
    ),
    Case(
        "sequence path",
        of("sh:path ( ex:p ex:q ) ; sh:minCount 1 ; sh:datatype xsd:integer"),
        'ex:a a ex:T ; ex:p [ ex:q 1 ] . ex:b a ex:T ; ex:p [] . ex:c a ex:T ; ex:p [ ex:q "x" ] .',
        "b c",
    ),
    Case(
        "inverse path",
        of("sh:path [ sh:inversePath ex:p ] ; sh:minCount 1"),
        "ex:a a ex:T . ex:x ex:p ex:a . ex:b a ex:T ; ex:p ex:x .",
        "b",
    ),
    Case(
        "inverse step in a sequence",
        of("sh:path ( [ sh:inversePath ex:p ] ex:q ) ; sh:minCount 1"),
        "ex:a a ex:T . ex:x ex:p ex:a ; ex:q 1 . ex:b a ex:T . ex:y ex:p ex:b .",
        "b",
    ),
    Case(
        "alternative path",
        of("sh:path [ sh:alternativePath ( ex:p ex:q ) ] ; sh:minCount 1"),
        "ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:q 1 . ex:c a ex:T .",
        "c",
    ),
    Case(
        "value constraint on the node itself",
        "sh:targetClass ex:T ; sh:nodeKind sh:BlankNode .",
        "ex:a a ex:T .",
        "a",
    ),
    Case(
        "target class takes subclasses",
        of("sh:path ex:p ; sh:minCount 1"),
        "ex:S rdfs:subClassOf ex:R . ex:R rdfs:subClassOf ex:T . ex:a a ex:S . ex:b a ex:U .",
        "a",
    ),
    Case(
        "targets of two kinds",
        "sh:targetSubjectsOf ex:s ; sh:targetObjectsOf ex:o ; sh:property slmsh:C01-p . "
        'slmsh:C01-p sh:severity sh:Violation ; sh:message "C01: m" ; sh:path ex:p ; sh:minCount 1 .',
        "ex:a ex:s 1 . ex:b ex:o ex:c . ex:d a ex:T .",
        "a c",
    ),
    Case(
        "SPARQL judges targets only",
        'sh:targetClass ex:T ; sh:sparql [ sh:message "C01: {?v}" ; '
        'sh:select "SELECT $this ?v WHERE { $this <http://example.org/p> ?v . FILTER(?v > 1) }" ] .',
        "ex:a a ex:T ; ex:p 1 . ex:b a ex:T ; ex:p 2 . ex:c ex:p 3 .",
        "b",
    ),
)

REFUSED = (
    ("sh:languageIn", of('sh:path ex:p ; sh:languageIn ( "en" )')),
    ("sh:equals", of("sh:path ex:p ; sh:equals ex:q")),
    ("sh:maxLength", of("sh:path ex:p ; sh:maxLength 3")),
    (
        "sh:qualifiedMinCount",
        of("sh:path ex:p ; sh:qualifiedValueShape [ sh:class ex:C ] ; sh:qualifiedMinCount 1"),
    ),
    ("sh:xone", "sh:targetClass ex:T ; sh:xone ( [ sh:class ex:C ] [ sh:class ex:D ] ) ."),
    ("sh:closed", "sh:targetClass ex:T ; sh:closed true ."),
    ("sh:deactivated", "sh:targetClass ex:T ; sh:class ex:C ; sh:deactivated true ."),
    ("sh:targetNode", "sh:targetNode ex:a ; sh:targetClass ex:T ; sh:class ex:C ."),
    ("is a path", of("sh:path [ sh:zeroOrMorePath ex:p ] ; sh:minCount 1")),
    ("duration", of("sh:path ex:p ; sh:datatype xsd:duration")),
    ("node kind", of("sh:path ex:p ; sh:nodeKind ex:Anything")),
    ("sh:maxLength", of("sh:path ex:p ; sh:node [ sh:maxLength 3 ]")),
    ("sh:equals", "sh:targetClass ex:T ; sh:or ( [ sh:path ex:p ; sh:equals ex:q ] ) ."),
    (
        "sh:sparql",
        'sh:targetClass ex:T ; sh:node [ sh:sparql [ sh:select "SELECT $this WHERE { $this ?p ?o }" ] ] .',
    ),
    ("one sh:select", 'sh:targetClass ex:T ; sh:sparql [ sh:message "C01: m" ; sh:ask "ASK {}" ] .'),
    (
        "sh:path",
        "sh:targetClass ex:T ; sh:property slmsh:C01-p . "
        'slmsh:C01-p sh:severity sh:Violation ; sh:message "C01: m" ; sh:minCount 1 .',
    ),
    ("blank node", of("sh:path ex:p ; sh:hasValue []")),
)


def shapes_of(folder: Path, shape: str) -> Shapes:
    (folder / "core.ttl").write_text(PREFIXES + HEAD + shape, encoding="utf-8")
    return load(folder)


def data_of(turtle: str) -> Data:
    store = ox.Store()
    store.load((PREFIXES + turtle).encode(), format=ox.RdfFormat.TURTLE)
    return Data(list(store))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_shapes_and_pyshacl_find_the_same_nodes(case: Case, tmp_path: Path) -> None:
    shapes, data = shapes_of(tmp_path, case.shape), data_of(case.data)
    by_query = SetValidator(shapes).constraints(data.run)
    by_pyshacl = RecordValidator(shapes).validate(data.store, data.focus())
    assert {finding.focus for finding in by_query.findings} == {EX + name for name in case.broken.split()}
    assert by_query.keys == by_pyshacl.keys
    assert {finding.path for finding in by_query.findings} == {finding.path for finding in by_pyshacl.findings}


@pytest.mark.parametrize(("reason", "shape"), REFUSED, ids=[reason for reason, _ in REFUSED])
def test_what_cannot_be_compiled_is_refused_by_name(reason: str, shape: str, tmp_path: Path) -> None:
    shapes = shapes_of(tmp_path, shape)
    with pytest.raises(ShapeError, match=reason):
        compile_shapes(shapes)


def test_the_error_names_the_constraint(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"^C01: uses sh:maxLength in .*C01-p, which cannot be compiled$"):
        compile_shapes(shapes_of(tmp_path, of("sh:path ex:p ; sh:maxLength 3")))


def test_notes_for_people_are_no_obstacle(tmp_path: Path) -> None:
    shapes = shapes_of(tmp_path, of('sh:path ex:p ; sh:minCount 1 ; sh:name "p" ; rdfs:seeAlso ex:why'))
    assert [query.component for query in compile_shapes(shapes)] == ["minCount"]


def test_a_query_says_what_it_is_for(tmp_path: Path) -> None:
    shapes = shapes_of(tmp_path, of("sh:path ( ex:p ex:q ) ; sh:minCount 1"))
    (query,) = compile_shapes(shapes)
    assert query.constraint == "C01"
    assert query.path == f"<{EX}p>/<{EX}q>"
    assert query.message == "C01: m"
    found = list(data_of("ex:a a ex:T .").run(query.text))
    assert [row["this"] for row in found] == [IRI(f"{EX}a")]
