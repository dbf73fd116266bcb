"""Move every IRI of the project below another base, so that a fork can publish under its own domain.

Reads the present base from ontology/namespaces.tsv, rewrites it in the text files named by FOLDERS, FILES and
PATTERNS, and then regenerates ontology/vocab.ttl and app/vocab.py. Running it again with the same base
changes nothing; a run that was cut off is finished by running it again. Never touches program code other than
app/vocab.py and tests, and never a store: load the data again afterwards.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import build_vocab

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDERS: Final = ("ontology", "shapes", "data", "tests")
FILES: Final = ("README.md", "app/vocab.py")
PATTERNS: Final = ("app/**/*.rq",)
NAMESPACES: Final = "ontology/namespaces.tsv"
SKIPPED: Final = {"__pycache__", "node_modules"}
BASE_FORM: Final = re.compile(r"https?://[^\s<>\"{}|\\^`#?]+/")


def text_files(root: Path) -> Iterator[Path]:
    """Every file that may hold the base; namespaces.tsv comes last, so that a cut-off run can be repeated."""
    last = root / NAMESPACES
    found = {root / name for name in FILES}
    for folder in FOLDERS:
        found.update((root / folder).rglob("*"))
    for pattern in PATTERNS:
        found.update(root.glob(pattern))
    for path in sorted(found - {last}):
        if path.is_file() and not path.is_symlink() and not SKIPPED.intersection(path.parts):
            yield path
    yield last


def replaced(text: str, old: str, new: str) -> str:
    """Text with `old` turned into `new`; a place that already holds `new` stays as it is."""
    rest = f"(?!{re.escape(new.removeprefix(old))})" if new.startswith(old) else ""
    return re.sub(re.escape(old) + rest, lambda _: new, text)


def rebase(root: Path, new: str) -> list[Path]:
    """Rewrite the files below `root`; return those that changed."""
    namespaces = build_vocab.read_namespaces(root / NAMESPACES)
    old = namespaces.base
    for prefix, iri in namespaces.iris.items():
        if prefix not in namespaces.own and (iri.startswith(new) or new.startswith(iri)):
            raise build_vocab.SourceError(f"'{new}' and the foreign namespace {iri} overlap")
    changed: list[Path] = []
    if old == new:
        return changed
    for path in text_files(root):
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
        result = replaced(text, old, new)
        if result != text:
            path.write_bytes(result.encode("utf-8"))
            changed.append(path)
    return changed


def main(arguments: Sequence[str] | None = None) -> int:
    """Rebase and regenerate; exit 2 for a base that cannot be one."""
    parser = argparse.ArgumentParser(description="Move every IRI of the project below another base.")
    parser.add_argument("new_base", help="for example https://example.org/slm/")
    parser.add_argument("--root", type=Path, default=ROOT, help="repository root")
    options = parser.parse_args(arguments)
    new: str = options.new_base
    root: Path = options.root
    if not BASE_FORM.fullmatch(new):
        print(f"error: '{new}' is not an http or https IRI that ends with a slash", file=sys.stderr)
        return 2
    try:
        changed = rebase(root, new)
    except (build_vocab.SourceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for path in changed:
        print(f"rewrote {path.relative_to(root)}")
    if not changed:
        print(f"nothing to do: the base is {new}")
    status: int = build_vocab.main(["--root", str(root)])
    return status


if __name__ == "__main__":
    sys.exit(main())
