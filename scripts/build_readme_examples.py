"""Runs the example requests of README.md against a running service and writes the answers into the page.

With --check it only compares. An example is a fenced block between `<!-- example -->` marks: a command after `$ `,
which goes on over several lines inside single quotes, and below it the answer. --base names the service to ask.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
PRINTED = "http://127.0.0.1:8000"
_EXAMPLE = re.compile(
    r"(?P<head><!-- example -->\n```console\n)"
    r"\$ (?P<command>[^\n']*(?:'[^']*'[^\n']*)*)\n"
    r"(?P<answer>.*?)"
    r"(?P<tail>```\n<!-- /example -->)",
    re.DOTALL,
)


class ExampleError(Exception):
    """A command of the README failed."""


def commands(page: str) -> list[str]:
    """The commands of a page, as printed."""
    return [found["command"] for found in _EXAMPLE.finditer(page)]


def answer(command: str, base: str) -> str:
    """What a command prints when it asks the service at `base`; addresses are printed as in the README."""
    done = subprocess.run(
        ["bash", "-c", command.replace(PRINTED, base)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise ExampleError(f"{command}\nfailed with {done.returncode}: {done.stdout}{done.stderr}")
    printed = done.stdout.replace("\r\n", "\n").replace(base, PRINTED)
    return printed if printed.endswith("\n") else printed + "\n"


def rewritten(page: str, base: str) -> str:
    """The page with every answer asked for anew."""
    return _EXAMPLE.sub(
        lambda found: f"{found['head']}$ {found['command']}\n{answer(found['command'], base)}{found['tail']}", page
    )


def main() -> int:
    """Write the answers, or say where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where an answer differs")
    parser.add_argument("--base", default=PRINTED, help="address of the service")
    given = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    number = len(commands(old))
    try:
        new = rewritten(old, given.base.rstrip("/"))
    except ExampleError as error:
        print(error, file=sys.stderr)
        return 1
    if old == new:
        print(f"README.md: {number} examples give the printed answers")
        return 0
    if given.check:
        sys.stderr.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "printed", "answered"))
        return 1
    README.write_text(new, encoding="utf-8")
    print(f"README.md: {number} examples written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
