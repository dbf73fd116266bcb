"""RDF Dataset Canonicalization: the same for every naming and order, the standard's escapes, and limits."""

from __future__ import annotations

import hashlib
import random

import pyoxigraph as ox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InputError
from app.model.rdf import IRI, Blank, Literal, Quad
from app.store.canonical import Canonical, canonical

BASE = "http://example.org/"
NQUADS = ox.RdfFormat.N_QUADS


def in_process(quads: frozenset[Quad]) -> str:
    """The engine's own algorithm, without our process and limits."""
    dataset = ox.Dataset(quads)
    dataset.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
    return "".join(sorted(f"{quad} .\n" for quad in dataset))


def parsed(text: str) -> frozenset[Quad]:
    return frozenset(ox.parse(text, format=NQUADS))


# Worked out by hand from the standard's algorithm; scripts/conformance/rdfc.py runs the whole W3C suite.
BY_HAND = {
    "": "",
    "<a:s> <a:p> _:x .": "<a:s> <a:p> _:c14n0 .\n",
    "_:x <a:p> _:x .\n_:x <a:p> _:x .": "_:c14n0 <a:p> _:c14n0 .\n",
    "<a:s> <a:p> _:b _:b .": "<a:s> <a:p> _:c14n0 _:c14n0 .\n",
    "_:z <a:p> _:y .\n_:y <a:p> _:z .": "_:c14n0 <a:p> _:c14n1 .\n_:c14n1 <a:p> _:c14n0 .\n",
    '<a:s> <a:p> "x"^^<http://www.w3.org/2001/XMLSchema#string> .': '<a:s> <a:p> "x" .\n',
    '<a:s> <a:p> "\\u0041\\t\\n\\"\\\\\\u0001\\u007F" .': '<a:s> <a:p> "A\\t\\n\\"\\\\\\u0001\\u007F" .\n',
    "<a:t> <a:p> <a:o> .\n<a:s> <a:p> <a:o> <a:g> .\n<a:s> <a:p> <a:o> .": (
        "<a:s> <a:p> <a:o> .\n<a:s> <a:p> <a:o> <a:g> .\n<a:t> <a:p> <a:o> .\n"
    ),
}


@pytest.mark.parametrize("given_text", BY_HAND)
def test_small_datasets_worked_out_by_hand(given_text: str) -> None:
    assert canonical(parsed(given_text)).text().decode() == BY_HAND[given_text]


def test_the_order_is_that_of_code_points() -> None:
    """A plane-1 character sorts after the private use area, which it would not in UTF-16."""
    quads = parsed('<a:s> <a:p> "\U0001f600" .\n<a:s> <a:p> "\uf8ff" .')
    assert canonical(quads).lines == ('<a:s> <a:p> "\uf8ff" .\n', '<a:s> <a:p> "\U0001f600" .\n')


def test_the_hash_is_that_of_the_text() -> None:
    form = canonical(parsed('<a:s> <a:p> "ü" .'))
    assert form.sha256() == hashlib.sha256('<a:s> <a:p> "ü" .\n'.encode()).hexdigest()
    assert Canonical(()).sha256() == hashlib.sha256(b"").hexdigest()


_blanks = st.sampled_from([Blank(f"n{number}") for number in range(6)])
_iris = st.sampled_from([IRI(BASE + name) for name in "abc"])
_literals = st.builds(Literal, st.text(max_size=4)) | st.integers(-3, 3).map(Literal)
_quads = st.frozensets(
    st.builds(
        Quad,
        _blanks | _iris,
        st.sampled_from([IRI(BASE + "p"), IRI(BASE + "q")]),
        _blanks | _iris | _literals,
        _iris | _blanks | st.just(ox.DefaultGraph()),
    ),
    max_size=12,
)


@settings(max_examples=200)
@given(_quads, st.randoms(use_true_random=False))
def test_names_of_blank_nodes_and_order_do_not_count(quads: frozenset[Quad], chance: random.Random) -> None:
    names = [f"other{number}" for number in range(6)]
    chance.shuffle(names)
    renamed = [_renamed(quad, dict(zip((f"n{n}" for n in range(6)), names, strict=True))) for quad in quads]
    chance.shuffle(renamed)
    assert in_process(frozenset(renamed)) == in_process(quads)


@settings(max_examples=12)
@given(_quads)
def test_our_process_gives_what_the_algorithm_gives(quads: frozenset[Quad]) -> None:
    form = canonical(quads)
    assert form.text().decode() == in_process(quads)
    assert canonical(parsed(form.text().decode())) == form, "canonical form is its own canonical form"


def test_a_graph_that_is_made_to_take_for_ever_is_refused() -> None:
    """Twelve blank nodes that all look alike: the algorithm would have to try every order of them."""
    nodes = [Blank(f"n{number}") for number in range(12)]
    quads = [Quad(a, IRI(BASE + "p"), b, ox.DefaultGraph()) for a in nodes for b in nodes if a != b]
    with pytest.raises(InputError, match="blank nodes cannot be told apart"):
        canonical(quads, seconds=1.0)


def test_trig_holds_the_same_quads() -> None:
    quads = parsed('<a:s> <a:p> _:x <a:g> .\n_:x <a:q> "1" .\n<a:s> <a:p> <a:o> <a:f> .')
    form = canonical(quads)
    again = frozenset(ox.parse(form.trig(), format=ox.RdfFormat.TRIG))
    assert canonical(again) == form


def _renamed(quad: Quad, names: dict[str, str]) -> Quad:
    def term(value: object) -> object:
        return Blank(names[value.value]) if isinstance(value, Blank) else value

    return Quad(term(quad.subject), quad.predicate, term(quad.object), term(quad.graph_name))  # type: ignore[arg-type]
