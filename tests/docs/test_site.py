"""The site: built strictly, every page in its navigation, no link broken, nothing fetched from another host."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.checkout import ROOT, files


def _site() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slmkg_site", ROOT / "scripts" / "docs" / "site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


site = _site()


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "made"
    site.stage(folder)
    site.build(folder, "zensical")
    return (folder / "html").resolve()


def test_the_site_is_built_without_a_warning_or_a_fault(html: Path) -> None:
    assert list(site.faults(html)) == []
    assert len(list(html.rglob("*.html"))) > 70


def test_every_page_of_the_docs_is_in_the_navigation(html: Path) -> None:
    """But for those that are lists of a folder, and what only they name."""
    named = set()
    for section in site.navigation():
        for value in section.values():
            named |= {value} if isinstance(value, str) else {page for one in value for page in one.values()}
    pages = {path.relative_to(ROOT).as_posix() for path in files(".md", under="docs")}
    outside = {page for page in pages - named if not page.startswith(("docs/decisions/0", "docs/measurements/2"))}
    assert outside == set()
    assert (html / "docs" / "tutorial.html").exists()


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ('<a href="gone.html">x</a>', "gone.html leads nowhere"),
        ('<a href="#gone">x</a>', "#gone has no such place"),
        ('<script src="https://cdn.example.org/x.js"></script>', "fetches https://cdn.example.org/x.js"),
        ('<link rel="preconnect" href="//fonts.example.org">', "fetches //fonts.example.org"),
        ('<a href="https://example.org">x</a><p id="here"></p><a href="#here">y</a>', None),
    ],
)
def test_a_fault_is_noticed(tmp_path: Path, page: str, fault: str | None) -> None:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert list(site.faults(tmp_path)) == ([f"page.html: {fault}"] if fault else [])


def test_a_foreign_font_in_a_style_sheet_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("@font-face{src:url(https://fonts.example.org/a.woff2)}", encoding="utf-8")
    assert list(site.faults(tmp_path)) == ["style.css: fetches from another host"]


def test_a_link_out_of_the_checkout_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[x](../../elsewhere.md)\n", encoding="utf-8")
    monkeypatch.setattr(site, "ROOT", tmp_path)
    with pytest.raises(site.SiteError, match=r"elsewhere\.md"):
        site.pages()
