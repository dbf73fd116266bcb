"""Documents with places: every value knows its JSON pointer and its file, and says clearly when it is not as needed.

Numbers keep their characters. What a format does not name is never looked at, so unknown members do no harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from app.errors import BadFile
from app.ingest.huggingface.places import Listed, Node, Number, Scalar

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_HALF = re.compile(r"\\u[dD][89a-fA-F]")
_LONGEST = 40
"""Characters of a number: more are no measurement."""
_POWER = 40
_SHOWN = 40


class Constant(str):
    """NaN or an infinity: some tools write them; they are never a figure."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a document: its file, its JSON pointer, and its line in formats of one record on each line."""

    file: str
    pointer: str
    value: Any
    line: int | None = None

    def refuse(self, problem: str, advice: str) -> NoReturn:
        """BadFile at this place."""
        raise BadFile(self.file, problem, line=self.line, field=self.pointer or "/", advice=advice)

    @property
    def locator(self) -> str:
        """Where it stands: file, line in formats of lines, and pointer."""
        return f"{self.file}#{self.pointer}" if self.line is None else f"{self.file}, line {self.line}#{self.pointer}"

    def at(self, *keys: str) -> Part | None:
        """The member below these keys; None where one is missing or null."""
        found = self
        for key in keys:
            if not isinstance(found.value, Mapping) or found.value.get(key) is None:
                return None
            found = Part(self.file, f"{found.pointer}/{_escaped(key)}", found.value[key], self.line)
        return found

    def need(self, *keys: str) -> Part:
        """The member below these keys; BadFile where it is missing."""
        found = self.at(*keys)
        if found is None:
            self.refuse(f"has no member {'/'.join(keys)}", "Give the file as the tool wrote it.")
        return found

    def text(self) -> str:
        """A text; BadFile."""
        if not isinstance(self.value, str) or isinstance(self.value, Number | Constant):
            self.refuse(f"is no text: {self.shown}", "Give the file as the tool wrote it.")
        return self.value

    def number(self) -> Decimal:
        """A finite number, exactly as its characters say; BadFile."""
        found = self.maybe_number()
        if found is None:
            self.refuse(f"is no number: {self.shown}", "Give the file as the tool wrote it.")
        return found

    def whole(self) -> int:
        """A whole number that is not negative; BadFile."""
        found = self.maybe_number()
        if found is None or found != found.to_integral_value() or found < 0:
            self.refuse(f"is no whole number: {self.shown}", "Give the file as the tool wrote it.")
        return int(found)

    def maybe_number(self) -> Decimal | None:
        """The number, also where a text holds nothing else; None for anything else."""
        if isinstance(self.value, bool) or not isinstance(self.value, str):
            return None
        return as_number(self.value)

    def truth(self) -> bool:
        """A truth value; BadFile."""
        if not isinstance(self.value, bool):
            self.refuse(f"is neither true nor false: {self.shown}", "Give the file as the tool wrote it.")
        return self.value

    def members(self) -> Iterator[tuple[str, Part]]:
        """Members of an object by key; BadFile."""
        if not isinstance(self.value, Mapping):
            self.refuse("is no object", "Give the file as the tool wrote it.")
        for key, value in self.value.items():
            yield key, Part(self.file, f"{self.pointer}/{_escaped(key)}", value, self.line)

    def items(self) -> list[Part]:
        """Items of a list; BadFile."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str):
            self.refuse("is no list", "Give the file as the tool wrote it.")
        return [Part(self.file, f"{self.pointer}/{index}", one, self.line) for index, one in enumerate(self.value)]

    @property
    def shown(self) -> str:
        """The value for people, cut where it is long."""
        text = self.value if isinstance(self.value, str) else json.dumps(self.value, default=str)
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def word(part: Part, *keys: str) -> str | None:
    """The text, or the characters of the number, below these keys; None where there is none, or an empty one."""
    found = part.at(*keys)
    if found is None or not isinstance(found.value, str) or not found.value.strip():
        return None
    return str(found.value).strip()


def count(part: Part, *keys: str) -> int | None:
    """The whole number below these keys; None where there is none. BadFile for anything else."""
    found = part.at(*keys)
    return None if found is None else found.whole()


def facts(part: Part | None, *, prefix: str = "", longest: int = 200) -> dict[str, str]:
    """Texts, numbers and truth values below an object, by their path; long texts and empty ones are left out."""
    if part is None:
        return {}
    found: dict[str, str] = {}
    for key, member in part.members():
        if isinstance(member.value, Mapping):
            found.update(facts(member, prefix=f"{prefix}{key}.", longest=longest))
        elif isinstance(member.value, bool):
            found[f"{prefix}{key}"] = "true" if member.value else "false"
        elif isinstance(member.value, str) and 0 < len(member.value.strip()) <= longest:
            found[f"{prefix}{key}"] = member.value.strip()
    return found


def as_number(text: str) -> Decimal | None:
    """The finite number that the characters are; None for anything else."""
    stripped = text.strip()
    if isinstance(text, Constant) or len(stripped) > _LONGEST or _NUMBER.fullmatch(stripped) is None:
        return None
    found = Decimal(stripped)
    return found if not found or abs(found.adjusted()) <= _POWER else None


def parse(text: str, file: str, *, line: int | None = None) -> Part:
    """A JSON document; BadFile with line and column. A repeated key is refused: nobody knows which one counts."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BadFile(file, f"has the key {twice!r} twice in one object", line=line, advice="Keep one of them.")
        return found

    try:
        value = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Constant, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        at = error.lineno if line is None else line
        raise BadFile(
            file, f"is not JSON: {error.msg}", line=at, column=error.colno, advice="Check it at that place."
        ) from error
    except RecursionError as error:
        raise BadFile(file, "is nested too deep", line=line, advice="Give the file as the tool wrote it.") from error
    if _HALF.search(text) and not _is_text(value):
        raise BadFile(file, "holds half a character (\\ud800 to \\udfff)", line=line, advice="Write the text again.")
    return Part(file, "", value, line)


def _is_text(value: Any) -> bool:
    """Whether every text in a document can be written."""
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_lines(text: str, file: str) -> list[Part]:
    """JSON Lines: a document for each line that is not empty; BadFile with the line."""
    return [parse(line, file, line=number) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def from_node(node: Node, file: str) -> Part:
    """A YAML document that was read with places."""
    return Part(file, "", _plain(node))


def _plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        if isinstance(node.value, str) and not node.is_text:
            return Number(node.value)
        return node.value
    if isinstance(node, Listed):
        return [_plain(item) for item in node.items]
    return {key: _plain(value) for key, value in node.members.items()}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
