"""Builds the documentation as a site, strictly: a warning, a broken link or anchor, or a foreign host is an error.

The pages are those of docs/ and whatever they link to in this checkout, copied as they lie, so that every link holds.
The navigation is docs/index.md. It writes to one folder (build/site) and fetches nothing.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "build" / "site"
INDEX = ROOT / "docs" / "index.md"
CONFIGURATION = ROOT / "docs" / "mkdocs.yml"
_LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_FOREIGN = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])(?:https?:)?//", re.IGNORECASE)


class SiteError(Exception):
    """The site cannot be built as it should be."""


def pages() -> set[Path]:
    """The files of the site: all of docs/, and what can be reached from there by links."""
    found: set[Path] = set()
    todo = [path for path in (ROOT / "docs").rglob("*") if path.is_file() and path != CONFIGURATION]
    while todo:
        path = todo.pop()
        if path in found:
            continue
        if not path.exists() or not path.is_relative_to(ROOT):
            raise SiteError(f"{path}: is linked to, and is no file of this checkout")
        if path.is_dir():
            continue
        found.add(path)
        if path.suffix == ".md":
            text = _FENCE.sub("", path.read_text(encoding="utf-8"))
            todo += [(path.parent / unquote(target)).resolve() for target in _LINK.findall(text)]
    return found


def navigation() -> list[dict[str, object]]:
    """The sections of docs/index.md with their pages, in its order; each page once, where it is named first."""
    nav: list[dict[str, object]] = [{"slmkg": "index.md"}, {"Documentation": "docs/index.md"}]
    seen = {"README.md", "docs/index.md"}
    text = INDEX.read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        entries = []
        for name, target in re.findall(r"\[([^\]]+)\]\(([^)#]+\.md)\)", body):
            page = (INDEX.parent / target).resolve().relative_to(ROOT).as_posix()
            if page not in seen:
                seen.add(page)
                entries.append({name: page})
        nav.append({title: entries})
    return nav


def stage(folder: Path) -> None:
    """Copy the pages and the configuration; README.md becomes the first page."""
    if folder.exists():
        shutil.rmtree(folder)
    for path in pages():
        name = "index.md" if path == ROOT / "README.md" else path.relative_to(ROOT).as_posix()
        target = folder / "pages" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for path in (folder / "pages").rglob("*.md"):
        text = path.read_text(encoding="utf-8")
        # the one page that has another name on the site
        path.write_text(re.sub(r"\]\(((?:\.\./)+)README\.md(?=[)#])", r"](\1index.md", text), encoding="utf-8")
    settings = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    settings |= {"docs_dir": "pages", "site_dir": "html", "nav": navigation()}
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def build(folder: Path, generator: str) -> None:
    """Let the generator write `html`; SiteError with what it says when it has anything to complain of."""
    program = shutil.which(generator) or str(Path(sys.executable).parent / generator)
    done = subprocess.run(
        [program, "build", "--strict", "--config-file", "mkdocs.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SiteError(f"{generator} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


class _Page(HTMLParser):
    """What a page names: places in it, links, and files that a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: set[str] = set()
        self.fetched: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given and (name == "id" or tag == "a")}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
        if "src" in given:
            self.fetched.add(given["src"])
        quiet = {"canonical", "prev", "next", "alternate", "author", "license"}
        if tag == "link" and not quiet & set(given.get("rel", "").split()):
            self.fetched.add(given.get("href", ""))


def faults(html: Path) -> Iterator[str]:
    """Links and anchors that lead nowhere, and whatever a browser would fetch from another host."""
    read: dict[Path, _Page] = {}
    for path in sorted(html.rglob("*.html")):
        read[path] = _Page()
        read[path].feed(path.read_text(encoding="utf-8"))
    for path, page in read.items():
        name = path.relative_to(html)
        yield from (f"{name}: fetches {one}" for one in sorted(page.fetched) if urlsplit(one).netloc)
        if path.name == "404.html":
            continue  # its links are from the root, since nobody knows where it is shown
        for link in sorted(page.links | page.fetched):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link in {"", "."}:
                continue
            target = path if not parts.path else (path.parent / unquote(parts.path)).resolve()
            if target.is_dir():
                target /= "index.html"
            if not target.exists():
                yield f"{name}: {link} leads nowhere"
            elif parts.fragment and target in read and unquote(parts.fragment) not in read[target].places:
                yield f"{name}: {link} has no such place"
    for path in sorted(html.rglob("*.css")):
        if _FOREIGN.search(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(html)}: fetches from another host"


def main() -> int:
    """Stage, build, look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="folder to write; what is in it goes away")
    parser.add_argument("--generator", default="zensical", choices=("zensical", "mkdocs"))
    given = parser.parse_args()
    try:
        stage(given.out)
        build(given.out, given.generator)
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1
    found = list(faults((given.out / "html").resolve()))
    print("\n".join(found), file=sys.stderr)
    number = len(list((given.out / "html").rglob("*.html")))
    print(f"{given.out / 'html' / 'index.html'}: {number} pages, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
