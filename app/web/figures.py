"""Charts on pages: the picture's address, which never changes, and links to the chart in other forms. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from app.web.reading import Asked
from app.web.tables import CHART, PICTURES

_NAMES = {CHART: "Vega-Lite", "svg": "SVG", "png": "PNG"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart on a page. `links` follow the page; the others lie below its revision, so that browsers keep them."""

    picture: str
    specification: str
    title: str
    links: tuple[tuple[str, str], ...]


def figure(page: Asked, name: str, given: Mapping[str, str] | str, title: str) -> Figure:
    """The chart of the answer at `/api/v1/{name}` with these parameters, or with this query string."""
    query = given if isinstance(given, str) else urlencode({k: v for k, v in given.items() if v}, quote_via=quote)
    asked = f"?{query}" if query else ""
    address = f"/api/v1/{name}"
    return Figure(
        f"/r/{page.revision}{address}.svg{asked}",
        f"/r/{page.revision}{address}.{CHART}{asked}",
        title,
        tuple((_NAMES[ending], f"{page.root}{address}.{ending}{asked}") for ending in (CHART, *PICTURES)),
    )
