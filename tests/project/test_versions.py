"""One version everywhere, and a citation that tools can read."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import yaml

from app import __version__
from tests.project.checkout import text


def citation() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text("CITATION.cff"))
    return loaded


def test_one_version() -> None:
    assert "version" in tomllib.loads(text("pyproject.toml"))["project"]["dynamic"], "it stands in app/__init__.py"
    services = yaml.safe_load(text("docker-compose.yml"))["services"].values()
    images = {one["image"].partition(":")[2] for one in services if one["image"].startswith("slmkg")}
    assert {citation()["version"], *images} == {__version__}
    assert json.loads(text("package.json"))["version"] == re.sub(r"\.dev\d+$", "", __version__)
    assert f"## [{__version__}]" in text("CHANGELOG.md")


def test_a_version_has_a_date_and_notes() -> None:
    """Changelog, citation and notes say the same day."""
    day = citation()["date-released"]
    heading = rf"^## \[{re.escape(__version__)}\](?: - | \()(\d{{4}}-\d\d-\d\d)"
    released = re.search(heading, text("CHANGELOG.md"), re.MULTILINE)
    assert released is not None
    assert released[1] == day.isoformat()
    notes = text(f"docs/releases/{re.sub(r'[.]dev[0-9]+$', '', __version__)}.md")
    assert f"{day.day} {day:%B %Y}" in notes


def test_the_citation_has_what_the_format_requires() -> None:
    found = citation()
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type", "license"} <= found.keys()
    assert found["type"] in {"software", "dataset"}
    assert all("name" in author or "family-names" in author for author in found["authors"])
    for reference in found["references"]:
        assert {"type", "title", "authors"} <= reference.keys()


def test_the_citation_uses_known_keys_only() -> None:
    known = {
        *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers", "keywords"),
        *("license", "license-url", "message", "preferred-citation", "references", "repository", "repository-artifact"),
        *("repository-code", "title", "type", "url", "version"),
    }
    assert citation().keys() <= known


def test_one_licence_for_the_code() -> None:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert project["license"] == citation()["license"] == "Apache-2.0"
    assert text("LICENSE").strip().startswith("Apache License\n                           Version 2.0, January 2004")
    assert "END OF TERMS AND CONDITIONS" in text("LICENSE")


def test_the_changelog_keeps_its_form() -> None:
    headings = re.findall(r"^### (.+)$", text("CHANGELOG.md"), re.MULTILINE)
    assert headings
    assert set(headings) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
