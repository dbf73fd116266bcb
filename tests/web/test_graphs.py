"""The Graph Store Protocol: which graph is meant, what is read and written in which format, and on what condition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pyoxigraph as ox
import pytest

from app.services import Services
from app.store.port import GRAPH_FORMATS
from tests.web.conftest import Client, problem_of
from tests.web.scratch import Service, at, keyed, scratch

G = "http://example.org/g"
ONE = '<http://e/s> <http://e/p> "one" .'
TWO = '<http://e/s> <http://e/p> "two" .'
REGISTRY = "https://w3id.org/slmkg/graph/registry"
WRITES = ("PUT", "POST", "DELETE", "PATCH")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with scratch(tmp_path_factory.mktemp("scratch")) as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    if "service" in request.fixturenames:
        assert request.getfixturevalue("service").update("DROP ALL").status_code == 200


# ---- the methods ----


def test_put_makes_and_replaces(service: Service) -> None:
    first = service.write("PUT", G, ONE)
    assert (first.status_code, first.content) == (201, b"")
    assert first.headers["location"] == f"{service.base}{at(G)}"
    assert first.headers["x-revision"] == str(service.revision())
    assert service.triples(G) == {ONE}
    second = service.write("PUT", G, TWO)
    assert (second.status_code, second.content) == (204, b"")
    assert "location" not in second.headers
    assert service.triples(G) == {TWO}


def test_post_adds(service: Service) -> None:
    assert service.write("POST", G, ONE).status_code == 201
    assert service.write("POST", G, TWO).status_code == 204
    assert service.triples(G) == {ONE, TWO}
    before = service.revision()
    again = service.write("POST", G, TWO)
    assert (again.status_code, again.headers["x-revision"]) == (204, str(before))
    assert service.revision() == before


def test_delete_removes_that_graph_and_no_other(service: Service) -> None:
    service.write("PUT", G, ONE)
    service.write("PUT", "http://e/other", ONE)
    assert service.send("DELETE", at(G)).status_code == 204
    gone = service.send("GET", at(G), key=None)
    assert problem_of(gone)["code"] == "not-found"
    assert problem_of(service.send("DELETE", at(G)))["code"] == "not-found"
    assert service.triples("http://e/other") == {ONE}


def test_head_tells_what_get_would(service: Service) -> None:
    service.write("PUT", G, ONE)
    got = service.send("GET", at(G), key=None)
    head = service.send("HEAD", at(G), key=None)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "content-length", "etag", "x-revision"):
        assert head.headers[name] == got.headers[name]
    assert service.send("HEAD", at("http://e/none"), key=None).status_code == 404


def test_patch_changes_that_graph_alone(service: Service) -> None:
    service.write("PUT", G, ONE)
    service.write("PUT", "http://e/other", ONE)
    swap = 'DELETE { ?s ?p "one" } INSERT { ?s ?p "two" } WHERE { ?s ?p "one" }'
    patched = service.write("PATCH", G, swap, "application/sparql-update")
    assert patched.status_code == 204, patched.text
    assert service.triples(G) == {TWO}
    assert service.triples("http://e/other") == {ONE}
    made = service.write("PATCH", "http://e/new", "INSERT DATA { <x> <p> 1 }", "application/sparql-update")
    assert made.status_code == 201
    assert service.triples("http://e/new") == {
        '<http://e/x> <http://e/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .'
    }
    elsewhere = "INSERT DATA { GRAPH <http://e/other> { <x> <p> 1 } }"
    refused = service.write("PATCH", G, elsewhere, "application/sparql-update")
    assert problem_of(refused)["code"] == "query-refused"
    unseen = "INSERT { ?s ?p 5 } WHERE { GRAPH <http://e/other> { ?s ?p ?o } }"
    before = service.revision()
    assert service.write("PATCH", G, unseen, "application/sparql-update").status_code == 204
    assert service.revision() == before, "other graphs are not seen"
    for body, kind in (("LOAD <http://127.0.0.1/x>", "application/sparql-update"), (ONE, "text/turtle")):
        assert service.write("PATCH", G, body, kind).status_code in {400, 415}
    default = service.write("PATCH", "/graphs?default", swap, "application/sparql-update")
    assert problem_of(default)["code"] == "bad-parameter"


# ---- empty graphs: they are not kept ----


def test_putting_nothing_removes_a_graph(service: Service) -> None:
    before = service.revision()
    assert service.write("PUT", G, "").status_code == 204
    assert service.write("PUT", G, "# no triples").status_code == 204
    assert service.send("PUT", at(G)).status_code == 204
    assert service.revision() == before
    assert service.send("GET", at(G)).status_code == 404
    service.write("PUT", G, ONE)
    assert service.write("PUT", G, "").status_code == 204
    assert service.send("GET", at(G)).status_code == 404


def test_posting_nothing_changes_nothing(service: Service) -> None:
    service.write("PUT", G, ONE)
    assert service.write("POST", G, "").status_code == 204
    assert service.triples(G) == {ONE}
    assert service.write("POST", "http://e/none", "").status_code == 204
    assert problem_of(service.write("POST", "/graphs", "# nothing"))["code"] == "bad-parameter"


# ---- which graph ----


def test_a_new_graph_gets_an_address_of_its_own(service: Service) -> None:
    made = [service.write("POST", "/graphs", "<> <http://e/p> 1 .") for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    first, second = (answer.headers["location"] for answer in made)
    assert first != second
    assert first.startswith(f"{service.base}/graphs/")
    expected = f'<{first}> <http://e/p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .'
    for where in (first, at(first), f"{service.base}/graphs?graph={quote(first, safe='')}"):
        answer = service.send("GET", where, headers={"Accept": "application/n-triples"}, key=None)
        assert answer.text.strip() == expected


def test_an_address_is_a_graph(service: Service) -> None:
    path = "/graphs/person/J%C3%BCrgen%201.ttl"
    assert service.write("PUT", path, "<#me> <http://e/p> <other> .").status_code == 201
    name = f"{service.base}{path}"
    expected = {f"<{name}#me> <http://e/p> <{service.base}/graphs/person/other> ."}
    assert service.triples(path) == expected
    assert service.triples(name) == expected, "the same graph by its name"
    listed = service.send("GET", "/sparql", params={"query": "SELECT ?g { GRAPH ?g { ?s ?p ?o } }"})
    assert [row["g"]["value"] for row in listed.json()["results"]["bindings"]] == [name]
    assert service.send("DELETE", path).status_code == 204


def test_a_name_is_decoded_once(service: Service) -> None:
    encoded, doubly = "http://e/%31", "http://e/%2531"
    assert service.write("PUT", f"/graphs?graph={encoded}", ONE).status_code == 201
    assert service.write("PUT", f"/graphs?graph={doubly}", TWO).status_code == 201
    assert service.triples("http://e/1") == {ONE}
    assert service.triples("http://e/%31") == {TWO}


def test_the_default_graph_of_a_throw_away_service_is_its_own(service: Service) -> None:
    service.write("PUT", G, ONE)
    assert service.triples("/graphs?default") == set()
    assert service.send("GET", "/graphs?default").status_code == 200, "there is always a default graph"
    assert service.write("PUT", "/graphs?default", TWO).status_code == 201
    assert service.triples("/graphs?default") == {TWO}
    assert service.triples(G) == {ONE}
    assert service.write("POST", "/graphs?default=", ONE).status_code == 204
    assert service.triples("/graphs?default") == {ONE, TWO}
    assert service.send("DELETE", "/graphs?default").status_code == 204
    assert service.triples("/graphs?default") == set()


@pytest.mark.parametrize(
    "address",
    [
        "/graphs",
        "/graphs?graph=relative",
        "/graphs?graph=",
        "/graphs?graph=http://e/a%20b",
        f"/graphs?graph={G}&default",
        f"/graphs?graph={G}&graph={G}",
        "/graphs?default=yes",
        f"/graphs?graf={G}",
        f"/graphs/x?graph={G}",
        "/graphs/x?default",
        "/graphs?graph=%FF",
    ],
)
def test_an_address_that_names_no_graph_or_several(service: Service, address: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert problem_of(service.send(method, address))["code"] == "bad-parameter", method


# ---- formats ----


@pytest.mark.parametrize("kind", GRAPH_FORMATS)
def test_every_format_goes_in_and_out(service: Service, kind: str) -> None:
    literal = '"a \\"b\\" ü 😀\\n"@en'
    turtle = f"<http://e/s> <http://e/p> {literal}, 5, [ <http://e/q> <http://e/o> ] ."
    assert service.write("PUT", G, turtle.encode()).status_code == 201
    document = service.send("GET", at(G), headers={"Accept": kind}, key=None)
    assert document.headers["content-type"].split(";")[0] == kind
    assert service.write("PUT", "http://e/copy", document.content, kind).status_code == 201
    graphs = []
    for name in (G, "http://e/copy"):
        lines = "\n".join(service.triples(name))
        graph = ox.Dataset(ox.parse(lines, format=ox.RdfFormat.N_TRIPLES))
        graph.canonicalize(ox.CanonicalizationAlgorithm.RDFC_1_0)
        graphs.append(graph)
    assert len(graphs[0]) == 4
    assert graphs[0] == graphs[1]


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/turtle; charset=utf-8"),
        ("*/*", "text/turtle; charset=utf-8"),
        ("text/turtle; charset=utf-8", "text/turtle; charset=utf-8"),
        ("application/rdf+xml;q=0.9, application/ld+json", "application/ld+json"),
        ("text/html, application/n-quads;q=0.5", "application/n-quads"),
        ("application/*;q=0.1, text/turtle;q=0", "application/n-triples"),
    ],
)
def test_accept_chooses(service: Service, accept: str, expected: str) -> None:
    service.write("PUT", G, ONE)
    answer = service.send("GET", at(G), headers={"Accept": accept})
    assert answer.headers["content-type"] == expected
    assert answer.headers["vary"] == "Accept"


def test_what_cannot_be_answered_or_read(service: Service) -> None:
    service.write("PUT", G, ONE)
    assert problem_of(service.send("GET", at(G), headers={"Accept": "image/png"}))["code"] == "not-acceptable"
    for kind in ("text/plain", "application/json", "", "multipart/form-data; boundary=x"):
        assert problem_of(service.write("PUT", G, TWO, kind))["code"] == "unsupported-media", kind
    utf16 = service.write("PUT", G, TWO.encode("utf-16"), "text/turtle; charset=utf-16")
    assert problem_of(utf16)["code"] == "unsupported-media"
    assert service.triples(G) == {ONE}


@pytest.mark.parametrize(
    ("kind", "body", "line"),
    [
        ("text/turtle", b"<http://e/a> <http://e/b> <http://e/c> .\n<http://e/a> nothing:here 1 .", 2),
        ("text/turtle", b"<http://e/a> <http://e/b>", 1),
        ("text/turtle", b'\n\n<http://e/a> <http://e/b> "\xff" .', 3),
        ("application/n-triples", b"<a> <b> <c> .", 1),
        ("application/ld+json", b'{"@id": "http://e/a",\n "http://e/b": }', 2),
        ("application/rdf+xml", b"\n<rdf", None),
        ("application/rdf+xml", "<rdf/>".encode("utf-16"), 1),
        ("application/trig", b"<http://e/other> { <http://e/a> <http://e/b> 1 }", None),
        ("application/n-quads", b"<http://e/a> <http://e/b> <http://e/c> <http://e/other> .", None),
        ("application/ld+json", b'{"@context": "http://127.0.0.1:9/context", "a": 1}', None),
    ],
)
def test_a_body_that_is_not_what_it_says(service: Service, kind: str, body: bytes, line: int | None) -> None:
    before = service.revision()
    told = problem_of(service.write("PUT", G, body, kind))
    assert told["code"] == "bad-file"
    assert told.get("line") == line
    assert line is None or told["column"] >= 1
    assert service.revision() == before


def test_a_document_may_name_its_own_graph(service: Service) -> None:
    body = f"<{G}> {{ <http://e/s> <http://e/p> 'one' }} <http://e/s> <http://e/p> 'two' ."
    assert service.write("PUT", G, body, "application/trig").status_code == 201
    assert service.triples(G) == {ONE, TWO}


def test_xml_entities_may_name_namespaces_but_not_grow(service: Service) -> None:
    head = '<?xml version="1.0"?><!DOCTYPE rdf:RDF [{}]>'
    rdf = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:e="http://e/">'
        '<rdf:Description rdf:about="{}"><e:p>one</e:p></rdf:Description></rdf:RDF>'
    )
    kind = "application/rdf+xml"
    plain = head.format('<!ENTITY e "http://e/">') + rdf.format("&e;s")
    assert service.write("PUT", G, plain, kind).status_code == 201
    assert service.triples(G) == {ONE}
    nested = head.format('<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">') + rdf.format("http://e/&b;")
    long = head.format(f'<!ENTITY a "{"a" * 10_000}">') + rdf.format("http://e/" + "&a;" * 200)
    outside = head.format('<!ENTITY a SYSTEM "file:///etc/hostname">') + rdf.format("http://e/&a;")
    for bomb in (nested, long, outside):
        assert problem_of(service.write("PUT", G, bomb, kind))["code"] == "bad-file"


def test_triple_terms_have_no_place(service: Service) -> None:
    body = "<http://e/s> <http://e/p> <<( <http://e/a> <http://e/b> <http://e/c> )>> ."
    assert problem_of(service.write("PUT", G, body))["code"] == "bad-parameter"


def test_blank_nodes_of_two_documents_never_meet(service: Service) -> None:
    for value in ("1", "2"):
        service.write("POST", G, f"_:x <http://e/p> {value} .")
    subjects = {line.split()[0] for line in service.triples(G)}
    assert len(subjects) == 2


# ---- several documents in one request ----


def form(*parts: tuple[str | None, str]) -> bytes:
    lines = []
    for number, (kind, content) in enumerate(parts):
        lines += ["--limit", f'Content-Disposition: form-data; name="n{number}"; filename="f{number}"']
        lines += [f"Content-Type: {kind}"] if kind else []
        lines += ["", content]
    return "\r\n".join([*lines, "--limit--", ""]).encode()


FORM = "multipart/form-data; boundary=limit"


def test_a_form_with_files_is_one_change(service: Service) -> None:
    body = form(
        ("text/turtle; charset=utf-8", ONE),
        ("application/ld+json", json.dumps({"@id": "http://e/s", "http://e/p": "two"})),
    )
    before = service.revision()
    assert service.write("POST", G, body, FORM).status_code == 201
    assert service.triples(G) == {ONE, TWO}
    assert service.revision() == before + 1


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        (form(("text/turtle", ONE), ("text/turtle", "broken")), FORM, "bad-file"),
        (form(("text/turtle", ONE), ("text/plain", TWO)), FORM, "unsupported-media"),
        (form((None, ONE)), FORM, "unsupported-media"),
        (form(("text/turtle", ONE))[:-12], FORM, "bad-file"),
        (b"no form at all", FORM, "bad-file"),
        (form(("text/turtle", ONE)), "multipart/form-data", "bad-file"),
        (form(*[("text/turtle", ONE)] * 101), FORM, "bad-file"),
    ],
)
def test_a_form_that_cannot_be_read_changes_nothing(service: Service, body: bytes, kind: str, code: str) -> None:
    assert problem_of(service.write("POST", G, body, kind))["code"] == code
    assert service.triples(G) == set()


# ---- conditions ----


def test_entity_tags(service: Service) -> None:
    service.write("PUT", G, ONE)
    answer = service.send("GET", at(G), key=None)
    tag = answer.headers["etag"]
    assert not tag.startswith("W/")
    unchanged = service.send("GET", at(G), headers={"If-None-Match": tag}, key=None)
    assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", tag)
    service.write("PUT", G, TWO)
    assert service.send("GET", at(G), headers={"If-None-Match": tag}, key=None).status_code == 200


def test_if_match_saves_the_work_of_others(service: Service) -> None:
    service.write("PUT", G, ONE)
    mine = {"If-Match": service.send("GET", at(G)).headers["etag"]}
    service.write("PUT", "http://e/other", ONE)
    assert service.write("PUT", G, TWO, headers=mine).status_code == 204, "another graph's change is none of this one"
    for method, body, kind in (
        ("PUT", ONE, "text/turtle"),
        ("POST", ONE, "text/turtle"),
        ("DELETE", "", "text/turtle"),
        ("PATCH", "CLEAR DEFAULT", "application/sparql-update"),
    ):
        stale = service.write(method, G, body, kind, headers=mine)
        assert (stale.status_code, problem_of(stale)["code"]) == (412, "condition-failed"), method
    assert service.triples(G) == {TWO}
    other = {"If-Match": service.send("GET", at("http://e/other")).headers["etag"]}
    assert service.write("PUT", G, ONE, headers=other).status_code == 412, "a tag of another graph"
    for rubbish in ('"x"', '"0-x"', '"999999-x"', '""', "no tag"):
        assert service.write("PUT", G, ONE, headers={"If-Match": rubbish}).status_code == 412, rubbish


def test_only_when_it_is_there_or_is_not(service: Service) -> None:
    there, missing = {"If-Match": "*"}, {"If-None-Match": "*"}
    assert service.write("PUT", G, ONE, headers=there).status_code == 412
    assert service.write("PUT", G, ONE, headers=missing).status_code == 201
    assert service.write("PUT", G, TWO, headers=missing).status_code == 412
    assert service.write("PUT", G, TWO, headers=there).status_code == 204
    assert service.triples(G) == {TWO}


# ---- who may, and how much ----


def test_reading_is_open_and_writing_is_not(service: Service) -> None:
    service.write("PUT", G, ONE)
    assert service.send("GET", at(G), key=None).status_code == 200
    for method in WRITES:
        assert problem_of(service.write(method, G, "rubbish", "rub/bish", key=None))["code"] == "unauthorized"
        assert problem_of(service.write(method, G, ONE, key=service.token + "x"))["code"] == "unauthorized"
    assert service.triples(G) == {ONE}


def test_other_methods_are_told(service: Service) -> None:
    answer = service.send("TRACE", at(G))
    assert answer.status_code == 405
    assert {"DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"} <= set(answer.headers["allow"].split(", "))


def test_browsers_are_told_that_they_may_write(service: Service) -> None:
    asked = {"Origin": "http://page", "Access-Control-Request-Method": "PUT"}
    answer = service.send("OPTIONS", at(G), headers=asked, key=None)
    assert set(WRITES) <= set(answer.headers["access-control-allow-methods"].split(", "))
    assert {"Authorization", "If-Match"} <= set(answer.headers["access-control-allow-headers"].split(", "))


def test_a_body_that_is_too_long(client: Client, own_services: Services) -> None:
    with keyed(own_services.settings.data_dir, max_update_bytes="1000") as service:
        before = service.revision()
        long = service.write("PUT", G, b"#" * 1001)
        assert problem_of(long)["code"] == "query-refused"

        default = service.write("PUT", "/graphs?default", ONE)
        assert problem_of(default)["code"] == "bad-parameter", "the default graph is the union"
        history = service.write("PUT", "https://w3id.org/slmkg/graph/history", ONE)
        assert problem_of(history)["code"] == "bad-parameter"
        lone = "<urn:x:lone> a <https://w3id.org/slmkg/ontology#Claim> ."
        told = problem_of(service.write("POST", REGISTRY, lone))
        assert told["code"] == "invalid-graph"
        assert any("urn:x:lone" in finding for finding in told["findings"])
        assert service.revision() == before

        device = "<https://w3id.org/slmkg/resource/device/b> a <https://w3id.org/slmkg/ontology#Device> ."
        device += '<https://w3id.org/slmkg/resource/device/b> <http://www.w3.org/2000/01/rdf-schema#label> "b"@en .'
        assert service.write("POST", REGISTRY, device).status_code == 204
        assert service.revision() == before + 1
        below = service.send("GET", f"/r/{before}{at(REGISTRY)}", headers={"Accept": "application/n-triples"})
        now = service.send("GET", at(REGISTRY), headers={"Accept": "application/n-triples"})
        assert len(now.text.splitlines()) == len(below.text.splitlines()) + 2
        assert below.headers["x-revision"] == str(before)


def test_without_readers_a_graph_is_read_in_a_thread(client: Client) -> None:
    """The application without its processes: as on an external engine."""
    answer = client.get(at(REGISTRY), headers={"Accept": "application/n-triples"})
    assert answer.status_code == 200
    assert len(answer.text.splitlines()) > 1000
    assert client.get(at("http://e/none")).status_code == 404
