"""Lock files pin versions with hashes, hold no address, and cover what pyproject.toml asks for."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import combinations

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.checkout import ROOT, text

LOCKS = ("runtime", "build", "dev", "engines", "telemetry", "measure", "node")
_PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ \\;]+)(?: ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


def pins(lock: str) -> dict[str, str]:
    """Package versions of a lock file; fails on any line that is neither a pin nor a hash."""
    found: dict[str, str] = {}
    hashes = 0
    for line in text(f"requirements/{lock}.txt").splitlines():
        pin = _PIN.match(line)
        if pin:
            assert not found or hashes, f"{list(found)[-1:]} has no hash"
            found[canonicalize_name(pin["name"])] = pin["version"]
            hashes = 0
        elif _HASH.match(line):
            hashes += 1
        else:
            assert not line or line.startswith("#"), line
            assert "/" not in line, line
    assert hashes
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_is_a_pin_or_a_hash(lock: str) -> None:
    assert pins(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_address(lock: str) -> None:
    for line in text(f"requirements/{lock}.txt").splitlines():
        assert "://" not in line
        assert not line.startswith(("--", "-i", "-f", "-e"))


def test_the_locks_cover_what_pyproject_asks_for() -> None:
    project = tomllib.loads(text("pyproject.toml"))
    wanted = {
        "runtime": project["project"]["dependencies"],
        "build": project["build-system"]["requires"],
        "dev": project["dependency-groups"]["dev"],
        "engines": project["dependency-groups"]["engines"],
        "telemetry": project["project"]["optional-dependencies"]["telemetry"],
        "measure": project["project"]["optional-dependencies"]["measure"],
        "node": project["dependency-groups"]["node"],
    }
    missing = []
    for lock, requirements in wanted.items():
        pinned = pins(lock)
        for requirement in map(Requirement, requirements):
            version = pinned.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                missing.append(f"{lock}: {requirement} (found {version}); run `make lock`")
    assert missing == []


def test_one_version_of_each_package_in_all_locks() -> None:
    for one, other in combinations((pins(lock) for lock in LOCKS), 2):
        assert {name: one[name] for name in one.keys() & other.keys()} == {
            name: other[name] for name in one.keys() & other.keys()
        }


def test_browser_packages_are_locked_by_hash_without_address() -> None:
    lock = json.loads(text("package-lock.json"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for name, entry in packages.items():
        assert entry["integrity"].startswith("sha512-"), name
        assert "resolved" not in entry, name
    for kind in ("dependencies", "devDependencies"):
        assert lock["packages"][""][kind] == json.loads(text("package.json"))[kind]


def test_npm_writes_no_address_and_runs_no_script() -> None:
    options = text(".npmrc").splitlines()
    assert "omit-lockfile-registry-resolved=true" in options
    assert "ignore-scripts=true" in options
    assert not any("registry=" in option for option in options)


def test_no_other_lock_format() -> None:
    assert not [name for name in ("poetry.lock", "uv.lock", "Pipfile.lock", "yarn.lock") if (ROOT / name).exists()]
