"""Charts over HTTP: endings, tags, pictures that can be read in the dark, limits that a stranger cannot get around."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import pytest

from app.compare.charts import DARK
from app.errors import DrawingTimeout, TooBusy, TooManyRequests
from app.web.answers import AnswerCache
from app.web.drawing import WAITING, WAITING_EACH, Drawing
from app.web.revisions import FOR_EVER
from tests.web.conftest import Client, problem_of
from tests.web.test_pages import elements

SCORE = "accuracy(benchmark=mmlu;shots=5)"
CHARTS = (
    f"/api/v1/compare@?properties=parameters,{SCORE}",
    "/api/v1/observations@?where=metric:prefill-throughput|decode-throughput",
    "/api/v1/leaderboards/winogrande@?with=shots:5",
    f"/api/v1/pareto@?x=parameters&y={SCORE}",
    "/api/v1/trends@?property=attentionType&by=half",
    "/api/v1/facets@?properties=license,parameters",
    "/api/v1/fit@?memory=2GB&context=2k",
)
SVG = "{http://www.w3.org/2000/svg}"
PAGES = {
    f"/compare?properties=parameters,{SCORE}": "/r/1/api/v1/compare.svg",
    "/models/qwen1.5-0.5b": "/r/1/api/v1/observations.svg",
    "/models/phi-2": "/r/1/api/v1/fit.svg",
    "/benchmarks/mmlu": "/r/1/api/v1/leaderboards/mmlu.svg",
    "/trends?property=trainingTokens": "/r/1/api/v1/trends.svg",
    "/fit": "/r/1/api/v1/fit.svg",
}


def spec(number: int = 0, **changes: Any) -> str:
    told = {
        "title": {"text": [f"chart {number} <script>alert(1)</script>"]},
        "description": "a & b",
        "data": {"values": [{"a": number}]},
        "mark": "point",
        "encoding": {"x": {"field": "a", "type": "quantitative"}},
    }
    return json.dumps(told | changes)


@pytest.fixture
def drawing() -> Iterator[Drawing]:
    made = Drawing(AnswerCache(10_000_000), seconds=60)
    yield made
    made.stop()


@pytest.mark.parametrize("address", CHARTS)
def test_a_chart_comes_as_specification_and_as_pictures(client: Client, address: str) -> None:
    told = client.get(address.replace("@", ".vl.json"))
    assert told.status_code == 200, told.text
    assert told.headers["content-type"] == "application/vnd.vegalite.v6+json"
    chart = told.json()
    source = chart["usermeta"]["slmkg"]["source"]
    assert source.startswith("http://slmkg.test/r/1/api/v1/")
    assert client.get(source).headers["content-type"] == "application/json"

    drawn = client.get(address.replace("@", ".svg"))
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.headers["x-revision"] == "1"
    root = ElementTree.fromstring(drawn.content)
    assert root.tag == f"{SVG}svg"
    assert root.findtext(f"{SVG}title") == " ".join(chart["title"]["text"])
    assert root.findtext(f"{SVG}desc") == chart["description"]
    shown = {one.text for one in root.iter(f"{SVG}text")}
    assert set(chart["title"]["text"]) <= shown
    assert not {one.tag.removeprefix(SVG) for one in root.iter()} & {"script", "image", "foreignObject", "a", "use"}

    head = client.request("HEAD", address.replace("@", ".svg"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == drawn.headers["etag"]


def test_a_png_has_twice_the_pixels_of_the_svg(client: Client) -> None:
    root = ElementTree.fromstring(client.get("/api/v1/trends.svg?property=license").content)
    picture = client.get("/api/v1/trends.png?property=license")
    assert picture.headers["content-type"] == "image/png"
    assert "content-encoding" not in picture.headers
    assert picture.content.startswith(b"\x89PNG\r\n\x1a\n")
    wide, high = struct.unpack(">II", picture.content[16:24])
    assert (wide, high) == (2 * int(root.attrib["width"]), 2 * int(root.attrib["height"]))


def test_pictures_are_tagged_and_kept_for_ever_below_a_revision(client: Client) -> None:
    address = "/api/v1/trends.svg?property=license"
    for ending in ("svg", "png", "vl.json"):
        there = address.replace("svg", ending)
        first = client.get(there)
        again = client.get(there, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(f"/r/1{there}").headers["cache-control"] == FOR_EVER
        assert first.headers["cache-control"] == "public, no-cache"
    tags = {client.get(address.replace("svg", ending)).headers["etag"] for ending in ("svg", "png", "vl.json", "json")}
    assert len(tags) == 4
    plain = client.get(address, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]


def test_a_picture_brings_its_styles_and_may_do_nothing_else(client: Client) -> None:
    drawn = client.get("/api/v1/trends.svg?property=license")
    policy = drawn.headers["content-security-policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    style = ElementTree.fromstring(drawn.content).findtext(f"{SVG}style") or ""
    assert style.startswith("@media (prefers-color-scheme:dark)")
    known = set(DARK)
    used = {
        value
        for one in ElementTree.fromstring(drawn.content).iter()
        for name in ("fill", "stroke")
        if (value := one.attrib.get(name, "none")).startswith("#")
    }
    assert used <= known, "a colour that stays as it is in the dark"
    assert all(colour in style for colour in used)


def test_pictures_are_given_to_who_asks_for_pictures_and_not_to_browsers_on_their_way(client: Client) -> None:
    address = "/api/v1/trends?property=license"
    for accept, media in (
        ("image/svg+xml", "image/svg+xml"),
        ("image/png,*/*;q=0.1", "image/png"),
        ("application/vnd.vegalite.v6+json", "application/vnd.vegalite.v6+json"),
        ("text/html,application/xml;q=0.9,image/avif,image/png,image/svg+xml,*/*;q=0.8", "application/json"),
        ("*/*", "application/json"),
    ):
        assert client.get(address, headers={"Accept": accept}).headers["content-type"] == media, accept


@pytest.mark.parametrize(
    ("address", "status", "parameter"),
    [
        ("/api/v1/compare@?properties=license", 400, "properties"),
        ("/api/v1/compare@?properties=nonsense", 400, "properties"),
        ("/api/v1/pareto@?x=license&y=parameters", 400, "x"),
        ("/api/v1/trends@?property=parameters&by=week", 400, "by"),
        ("/api/v1/trends@?property=parameters&width=100000", 400, "width"),
        ("/api/v1/fit@?memory=<svg/onload=alert(1)>", 400, "memory"),
        ("/api/v1/leaderboards/nonsense@", 404, None),
        ("/api/v1/leaderboards/mmlu.vl@", 404, None),
        ("/api/v1/facets@?revision=99", 404, None),
        ("/api/v1/facets@x", 404, None),
    ],
)
@pytest.mark.parametrize("ending", [".vl.json", ".svg", ".png"])
def test_rubbish_is_a_problem_and_no_picture(
    client: Client, address: str, ending: str, status: int, parameter: str | None
) -> None:
    response = client.get(address.replace("@", ending))
    problem = problem_of(response)
    assert (problem["status"], problem.get("parameter")) == (status, parameter)
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("address", PAGES)
def test_pages_show_their_chart_and_link_to_it_in_every_form(client: Client, address: str) -> None:
    html = client.get(address).text
    pictures = [a for tag, a in elements(html) if tag == "img"]
    links = [str(a.get("href", "")) for tag, a in elements(html) if tag == "a"]
    assert any(str(one["src"]).startswith(PAGES[address]) for one in pictures)
    for one in pictures[:2]:
        assert one["alt"]
        drawn = client.get(str(one["src"]))
        assert drawn.status_code == 200, drawn.text
        assert drawn.headers["cache-control"] == FOR_EVER
        text = " ".join(found.text or "" for found in ElementTree.fromstring(drawn.content).iter(f"{SVG}text"))
        assert "Nothing to draw" not in text
        for ending in (".vl.json", ".svg", ".png"):
            assert str(one["src"]).removeprefix("/r/1").replace(".svg", ending) in links


def test_each_ranking_of_a_page_has_a_chart_of_its_own(client: Client) -> None:
    told = client.json("/api/v1/leaderboards/mmlu")["rankings"]
    sources = [str(a["src"]) for tag, a in elements(client.get("/benchmarks/mmlu").text) if tag == "img"]
    assert len(sources) == len(told) > 1
    for source, one in zip(sources, told, strict=True):
        (panel,) = client.json(source.replace(".svg", ".vl.json"))["vconcat"]
        shown = [row["model"] for row in panel["data"]["values"]]
        assert shown == [entry["model"] for entry in one["entries"]]


def test_no_chart_is_shown_where_there_is_nothing_to_draw(client: Client) -> None:
    for address in ("/compare?properties=license", "/fit?memory=1kB", "/compare?where=parameters:1..2"):
        assert not [tag for tag, _ in elements(client.get(address).text) if tag == "img"]


def test_a_text_stays_a_text(drawing: Drawing) -> None:
    svg = asyncio.run(drawing.picture(spec(), "svg", "one"))
    root = ElementTree.fromstring(svg)
    assert root.findtext(f"{SVG}title") == "chart 0 <script>alert(1)</script>"
    assert not list(root.iter(f"{SVG}script"))


def test_a_picture_that_takes_too_long_is_killed_and_the_next_one_drawn(drawing: Drawing) -> None:
    hasty = Drawing(AnswerCache(1_000_000), seconds=1e-6)
    with pytest.raises(DrawingTimeout):
        asyncio.run(hasty.picture(spec(), "svg", "one"))
    assert hasty._process is None
    hasty._seconds = 60
    assert asyncio.run(hasty.picture(spec(), "svg", "one")).startswith(b"<svg")
    hasty.stop()
    assert hasty._process is None


@pytest.mark.heavy
def test_a_picture_that_needs_too_much_memory_ends_its_process_and_no_other(drawing: Drawing) -> None:
    many = {"sequence": {"start": 0, "stop": 100_000_000, "as": "a"}}
    with pytest.raises(DrawingTimeout, match="memory"):
        asyncio.run(drawing.picture(spec(data=many), "svg", "one"))
    assert asyncio.run(drawing.picture(spec(), "svg", "one")).startswith(b"<svg")


def test_a_process_that_somebody_killed_is_replaced(drawing: Drawing) -> None:
    asyncio.run(drawing.picture(spec(1), "svg", "one"))
    assert drawing._process is not None
    os.kill(drawing._process.pid, signal.SIGKILL)
    assert asyncio.run(drawing.picture(spec(2), "svg", "one")).startswith(b"<svg")


def test_the_process_ends_with_the_service(drawing: Drawing) -> None:
    asyncio.run(drawing.picture(spec(), "svg", "one"))
    process, wire = drawing._process, drawing._wire
    assert process is not None
    assert wire is not None
    wire.close()
    assert process.wait(timeout=30) == 0


def test_nothing_is_loaded_from_anywhere(drawing: Drawing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/rows.json"
        with pytest.raises(RuntimeError, match="cannot be drawn"):
            asyncio.run(drawing.picture(spec(data={"url": address}), "svg", "one"))
        with pytest.raises(BlockingIOError):
            server.accept()


def test_one_client_waits_for_a_few_pictures_only_and_all_together_for_some(drawing: Drawing) -> None:
    async def ask(clients: list[str]) -> list[bytes | BaseException]:
        asked = (drawing.picture(spec(number), "svg", client) for number, client in enumerate(clients))
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask(["greedy"] * (WAITING_EACH + 2) + ["other"]))
    assert [type(one) for one in found] == [bytes] * WAITING_EACH + [TooManyRequests] * 2 + [bytes]
    many = [str(number // WAITING_EACH) for number in range(WAITING + 1)]
    drawing._cache = AnswerCache(0)
    found = asyncio.run(ask(many))
    assert [type(one) for one in found] == [bytes] * WAITING + [TooBusy]
    assert drawing._waiting.total() == 0
    assert drawing._tasks == {}


def test_what_many_ask_for_is_drawn_once_and_kept(drawing: Drawing) -> None:
    async def ask() -> list[bytes]:
        return await asyncio.gather(*(drawing.picture(spec(), "svg", "one") for _ in range(3 * WAITING_EACH)))

    assert len(set(asyncio.run(ask()))) == 1
    drawing.stop()
    asyncio.run(ask())
    assert drawing._process is None, "it was drawn again"


def test_who_hangs_up_disturbs_nobody(drawing: Drawing) -> None:
    async def ask() -> bytes:
        gone = asyncio.create_task(drawing.picture(spec(1), "svg", "one"))
        await asyncio.sleep(0)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        other = await drawing.picture(spec(2), "svg", "two")
        assert drawing._waiting["one"] == 0
        return other

    assert b"chart 2" in asyncio.run(ask())
