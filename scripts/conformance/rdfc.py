"""Runs the W3C's tests of RDF Dataset Canonicalization (RDFC-1.0) on `app.store.canonical`, from a folder given.

    python -m scripts.conformance.rdfc FOLDER     FOLDER: `tests` of a checkout of w3c/rdf-canon

Tests with another hash function than SHA-256 are left out: we make no such hash. Exits with 1 when one fails.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pyoxigraph as ox

from app.errors import InputError
from app.store.canonical import canonical

_SECONDS = 10.0


def run(folder: Path) -> dict[str, list[str]]:
    """Names of the tests that passed and that failed."""
    found: dict[str, list[str]] = {"passed": [], "failed": []}
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            name, kind = row["test"], row["rdfc10"]
            if kind.upper() != "FALSE" and row["hashAlgorithm"] in {"", "SHA256"}:
                found["passed" if _passes(folder / "rdfc10" / name, kind) else "failed"].append(name)
    return found


def _passes(stem: Path, kind: str) -> bool:
    """Whether the canonical form is the expected one; a negative test expects a refusal."""
    quads = ox.parse(path=f"{stem}-in.nq", format=ox.RdfFormat.N_QUADS)
    try:
        text = canonical(quads, seconds=_SECONDS).text()
    except InputError:
        return "Negative" in kind
    return "Negative" not in kind and text == Path(f"{stem}-rdfc10.nq").read_bytes()


def main() -> int:
    """Run all tests and print how many passed."""
    found = run(Path(sys.argv[1]))
    for name in found["failed"]:
        print(f"failed: {name}")
    print(f"RDFC-1.0: {len(found['passed'])} of {sum(map(len, found.values()))} tests passed")
    return 1 if found["failed"] or not found["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
