"""Reads the examples of a page, makes one shell script of them, and says where an answer is not the one that is shown.

How examples are written stands in CONTRIBUTING.md. Nothing is run here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"(?P<marks>(?:^ *<!-- example: [^\n]* -->\n)*)^(?P<indent> *)```(?P<language>\w+)\n(?P<body>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
_MARK = re.compile(
    r"<!-- example: (?P<what>not run|fails with|saved as|after|instead of|numbers differ)(?:,? (?P<value>.*))? -->"
)
_README = re.compile(r"<!-- example -->.*?<!-- /example -->", re.DOTALL)
_NEVER = re.compile(
    r"(?:^|[;&|(\n])\s*(?:\w+=\S*\s+)*(?:\S*/)?"
    r"(?:sudo|su|docker|systemctl|journalctl|apt-get|pip|npm|git|make|oxigraph|lm_eval"
    r"|slmkg (?:serve|worker|mcp|evaluate|orkg|measure run))\b"
)
"""Commands that change the machine, reach out, stay in front or take long: the tests must not meet them by accident."""
END = "\x01"
"""Stands alone on a line before the exit code of a command."""


class MarkError(Exception):
    """A mark above an example means nothing."""


@dataclass(frozen=True, slots=True)
class Example:
    """A fenced block: its page and line, its text, and what its marks say."""

    page: str
    line: int
    language: str
    body: str
    not_run: str | None = None
    code: int = 0
    saved_as: str | None = None
    after: tuple[str, ...] = ()
    instead: tuple[tuple[str, str], ...] = ()
    numbers_differ: bool = False

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Step:
    """One command and what it prints; `None` where nothing is shown."""

    place: str
    command: str
    shown: str | None
    code: int = 0
    numbers_differ: bool = False


def read(path: Path, name: str) -> list[Example]:
    """The fenced blocks of a page, but for those that scripts/build_readme_examples.py holds."""
    text = _README.sub(lambda found: re.sub(r"[^\n]", "", found[0]), path.read_text(encoding="utf-8"))
    return [_example(name, text, found) for found in _FENCE.finditer(text)]


def _example(page: str, text: str, found: re.Match[str]) -> Example:
    line = text.count("\n", 0, found.start("indent")) + 1
    cut = len(found["indent"])
    body = "".join(one[cut:] if one[:cut].isspace() else one for one in found["body"].splitlines(keepends=True))
    not_run, code, saved_as, after, instead, numbers_differ = None, 0, None, [], [], False
    for mark in found["marks"].splitlines():
        said = _MARK.fullmatch(mark.strip())
        if said is None:
            raise MarkError(f"{page}:{line}: {mark}")
        match said["what"]:
            case "not run":
                not_run = said["value"]
            case "fails with":
                code = int(said["value"])
            case "saved as":
                saved_as = said["value"]
            case "after":
                after.append(said["value"])
            case "instead of":
                instead.append(tuple(said["value"].split(", ", 1)))
            case _:
                numbers_differ = True
    return Example(
        page, line, found["language"], body, not_run, code, saved_as, tuple(after), tuple(instead), numbers_differ
    )


def steps(examples: list[Example]) -> Iterator[Step]:
    """What to run, in the order of the page. All of a page's Python is one program, run where its last part stands."""
    python = [one for one in examples if one.language == "python" and not one.not_run and not one.saved_as]
    for example in examples:
        if example.not_run:
            continue
        for command in example.after:
            yield Step(example.place, command, None)
        if example.saved_as:
            yield Step(example.place, _saved(example.saved_as, example.body), None)
        elif example.language == "console":
            yield from _commands(example)
        elif python and example is python[-1]:
            program = "\n\n".join(one.body for one in python)
            yield Step(example.place, f"{_saved('example.py', program)}\n.venv/bin/python example.py", None)


def _saved(name: str, body: str) -> str:
    return f"cat >'{name}' <<'END_OF_FILE'\n{body}END_OF_FILE"


def _commands(example: Example) -> Iterator[Step]:
    """The commands of a console block. A command goes on after a backslash and inside single quotes."""
    lines = example.body.splitlines()
    parts: list[tuple[str, list[str]]] = []
    while lines:
        line = lines.pop(0)
        if line.startswith("$ "):
            command = line[2:]
            while lines and (command.endswith("\\") or command.count("'") % 2):
                command += "\n" + lines.pop(0)
            parts.append((command, []))
        elif parts:
            parts[-1][1].append(line)
        else:
            raise MarkError(f"{example.place}: it does not begin with `$ `")
    for printed, shown in parts:
        command = printed
        for word, made in example.instead:
            command = command.replace(word, f"$({made})")
        if _NEVER.search(command):
            raise MarkError(f"{example.place}: mark it `<!-- example: not run, REASON -->`; it is never run: {command}")
        last = shown is parts[-1][1]
        text = "\n".join(shown) if shown else None
        yield Step(example.place, command, text, example.code if last else 0, example.numbers_differ)


def script(todo: list[Step]) -> str:
    """One shell script that runs all steps; a line with END and the exit code follows each one's output."""
    return "set -o pipefail\n" + "".join(
        f"{{ {step.command}\n}} </dev/null\nprintf '\\n\\001%d\\n' $?\n" for step in todo
    )


def wrong(todo: list[Step], printed: str) -> list[str]:
    """What differs between the steps as shown and what the script printed."""
    answers = re.findall(rf"(.*?)\n?\n{END}(\d+)\n", "\n" + printed, re.DOTALL)
    found = (
        [f"only {len(answers)} of {len(todo)} steps came to an end:\n{printed}"] if len(answers) != len(todo) else []
    )
    for step, (answer, code) in zip(todo, answers, strict=False):
        text = answer.removeprefix("\n")
        if int(code) != step.code:
            found.append(f"{step.place}: {step.command}\nended with {code} instead of {step.code}:\n{text}")
        elif step.shown is not None and not fits(step.shown, text, step.numbers_differ):
            found.append(f"{step.place}: {step.command}\nshown:\n{step.shown}\nprinted:\n{text}")
    return found


def fits(shown: str, printed: str, numbers_differ: bool = False) -> bool:
    """Whether a program printed what a page shows.

    `…` stands for anything in a line, a line of its own for any lines. Blanks at the end of a line do not count.
    """
    lines = [_plain(line, numbers_differ) for line in shown.strip("\n").splitlines()]
    pattern = "".join(r"(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + r"\n" for line in lines)
    text = "".join(_plain(line, numbers_differ) + "\n" for line in printed.strip("\n").splitlines())
    return re.fullmatch(pattern, text) is not None


def _plain(line: str, numbers_differ: bool) -> str:
    line = line.rstrip()
    if numbers_differ:
        line = re.sub(r"(?<![^\W_])[0-9a-f]{8,}(?![^\W_])", "0", line)
        line = re.sub(r"\d[\d.,:+-]*(?<=\d)", "0", line)
    return line
