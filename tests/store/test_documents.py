"""Documents that are nested to break the process that reads them: refused at once, before the engine sees them."""

from __future__ import annotations

import time

import pyoxigraph as ox
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AppError, BadFile
from app.store import documents

BASE = "https://example.org/"
RDF = "<r:RDF xmlns:r='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:e='urn:e:'>"
KINDS = {
    "RDF/XML": ("application/rdf+xml", RDF, "<e:a><e:b>", "", "</e:b></e:a>", "</r:RDF>", 2),
    "RDF/XML with comments": (
        "application/rdf+xml",
        RDF,
        "<e:a><e:b><!-- </e:a></e:a> -->",
        "",
        "</e:b></e:a>",
        "</r:RDF>",
        2,
    ),
    "RDF/XML with attributes": ("application/rdf+xml", RDF, "<e:a e:x='/>'><e:b>", "", "</e:b></e:a>", "</r:RDF>", 2),
    "JSON-LD": ("application/ld+json", "", '{"urn:b":', "1", "}", "", 1),
    "JSON-LD with brackets in strings": ("application/ld+json", "", '{"urn:}]\\"}":', "1", "}", "", 1),
    "JSON-LD lists": ("application/ld+json", '{"urn:b":', '{"@list":[', "1", "]}", "}", 2),
    "N-Triples": ("application/n-triples", "<urn:a> <urn:b> ", "<<( <urn:a> <urn:b> ", "<urn:c>", " )>>", " .", 1),
    "Turtle with comments": ("text/turtle", "<urn:a> <urn:b> ", "<<( # )>>\n <urn:a> <urn:b> ", "1", " )>>", " .", 1),
}


def nested(kind: str, times: int) -> tuple[bytes, str]:
    media_type, start, opening, middle, closing, end, _ = KINDS[kind]
    return f"{start}{opening * times}{middle}{closing * times}{end}".encode(), media_type


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("times", [1_001, 20_000, 500_000])
def test_deep_documents_are_refused(kind: str, times: int) -> None:
    data, media_type = nested(kind, times)
    started = time.monotonic()
    with pytest.raises(BadFile, match="nested more than 1000 deep"):
        documents.read(data, media_type, base=BASE, graph=None)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    "kind", ["RDF/XML", "RDF/XML with comments", "RDF/XML with attributes", "JSON-LD", "JSON-LD lists"]
)
def test_documents_may_be_nested_as_deep_as_anybody_writes_them(kind: str) -> None:
    data, media_type = nested(kind, 450)
    assert len(documents.read(data, media_type, base=BASE, graph=None)) >= 450


@pytest.mark.parametrize(
    "part", [b"<", b"<a '", b'<a "', b"<!--", b"<![CDATA[", b"<?", b"</", b"<a/", b"<!", b"'", b"<a>"]
)
def test_rubbish_is_read_quickly(part: bytes) -> None:
    started = time.monotonic()
    for media_type in ("application/rdf+xml", "application/ld+json"):
        with pytest.raises(AppError):
            documents.read(part * (4_000_000 // len(part)), media_type, base=BASE, graph=None)
    assert time.monotonic() - started < 20


@given(text=st.text(st.sampled_from("<>/!?-[]\"' a="), max_size=40))
def test_a_document_s_depth_is_never_underrated(text: str) -> None:
    """Whatever stands between tags that parse: as many open at least as the parser has open."""
    data = (
        RDF + "<e:a><e:b>" * 501 + f"<!--{text.replace('--', '').rstrip('-')}-->" + "</e:b></e:a>" * 501 + "</r:RDF>"
    ).encode()
    assert list(ox.parse(data, format=ox.RdfFormat.RDF_XML, base_iri=BASE))
    with pytest.raises(BadFile, match="deep"):
        documents.read(data, "application/rdf+xml", base=BASE, graph=None)
