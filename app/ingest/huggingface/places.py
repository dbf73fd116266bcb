"""JSON and YAML with the place of every value: its key path and exact characters. Refuses what no honest file holds.

Numbers keep their characters. Limits of size, depth and count, repeated keys, aliases (bombs) and NaN are refused with
line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import yaml

from app.errors import BadFile

MAX_BYTES = 1_000_000
MAX_CARD = 200_000
"""Characters of a card's front matter."""
_DEPTH = 20
_NODES = 20_000
_DIGITS = 30
_SPACE = re.compile(r"[ \t\r\n]*")
_OPENING = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, truth value or null. `raw` holds its characters, `quote` those from its key to its end."""

    path: str
    value: str | bool | None
    is_text: bool
    quote: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object or mapping, by key."""

    path: str
    members: Mapping[str, Node]
    quote: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Listed:
    """An array or sequence."""

    path: str
    items: tuple[Node, ...]
    quote: str
    line: int
    column: int


Node: TypeAlias = Scalar | Mapped | Listed


class Number(str):
    """The characters of a JSON number."""

    __slots__ = ()


def read_json(text: str, name: str) -> Mapped:
    """Read a JSON object; BadFile with line and column."""
    if len(text) > MAX_BYTES:
        raise BadFile(name, f"is longer than {MAX_BYTES} characters", advice="A configuration file is short.")
    _check_depth(text, name)
    reader = _Reader(text, name)
    try:
        json.loads(text, parse_constant=reader.constant)  # the whole grammar; places are found afterwards
    except json.JSONDecodeError as error:
        raise BadFile(
            name, f"is not JSON: {error.msg}", line=error.lineno, column=error.colno, advice="Check it at that place."
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadFile(
            name, "holds a number that is too long, or nesting that is too deep", advice="Check it."
        ) from error
    node, _ = reader.node("", reader.after_space(0), reader.after_space(0))
    if not isinstance(node, Mapped):
        raise BadFile(name, "holds no JSON object", line=1, column=1, advice="A configuration is one object: {…}.")
    return node


def _check_depth(text: str, name: str) -> None:
    depth = 0
    for match in _OPENING.finditer(text):
        mark = match.group()
        depth += (mark in "[{") - (mark in "]}") if len(mark) == 1 else 0
        if depth > _DEPTH:
            line, column = _place(text, match.start())
            raise BadFile(name, f"is nested deeper than {_DEPTH}", line=line, column=column, advice="Check it.")


class _Reader:
    """Walks valid JSON and keeps places."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.count = 0
        self.decoder = json.JSONDecoder(parse_int=Number, parse_float=Number, parse_constant=self.constant)

    def constant(self, word: str) -> NoReturn:
        """NaN and infinities are no JSON."""
        self.fail(self.text.find(word), f"holds {word}, which is no JSON")

    def fail(self, position: int, problem: str) -> NoReturn:
        line, column = _place(self.text, max(position, 0))
        raise BadFile(self.name, problem, line=line, column=column, advice="Correct the file, or leave the key out.")

    def after_space(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def node(self, path: str, start: int, quoted_from: int) -> tuple[Node, int]:
        """The value that begins at a place, and where it ends."""
        self.count += 1
        if self.count > _NODES:
            self.fail(start, f"holds more than {_NODES} values")
        opening = self.text[start]
        if opening == "{":
            return self._object(path, start, quoted_from)
        if opening == "[":
            return self._array(path, start, quoted_from)
        value, end = self.decoder.raw_decode(self.text, start)
        if isinstance(value, Number) and len(re.sub(r"\D", "", value)) > _DIGITS:
            self.fail(start, f"holds a number of more than {_DIGITS} digits")
        line, column = _place(self.text, start)
        is_text = isinstance(value, str) and not isinstance(value, Number)
        return Scalar(path, value, is_text, self.text[quoted_from:end], line, column), end

    def _object(self, path: str, start: int, quoted_from: int) -> tuple[Node, int]:
        members: dict[str, Node] = {}
        position = self.after_space(start + 1)
        while self.text[position] != "}":
            key_at = position
            key, position = self.decoder.raw_decode(self.text, position)
            if key in members:
                self.fail(key_at, f"has the key {key!r} twice")
            position = self.after_space(self.after_space(position) + 1)
            members[key], position = self.node(f"{path}/{_pointer(key)}", position, key_at)
            position = self._next(position)
        line, column = _place(self.text, start)
        return Mapped(path, members, self.text[quoted_from : position + 1], line, column), position + 1

    def _array(self, path: str, start: int, quoted_from: int) -> tuple[Node, int]:
        items: list[Node] = []
        position = self.after_space(start + 1)
        while self.text[position] != "]":
            node, position = self.node(f"{path}/{len(items)}", position, position)
            items.append(node)
            position = self._next(position)
        line, column = _place(self.text, start)
        return Listed(path, tuple(items), self.text[quoted_from : position + 1], line, column), position + 1

    def _next(self, position: int) -> int:
        position = self.after_space(position)
        return self.after_space(position + 1) if self.text[position] == "," else position


def read_card(text: str, name: str) -> Mapped:
    """Read the front matter of a model card; BadFile with line and column."""
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        raise BadFile(name, "has no front matter", line=1, advice="A card begins with a line `---` and YAML after it.")
    ends = (number for number, line in enumerate(lines[1:], start=1) if line.rstrip() == "---")
    end = next(ends, None)
    if end is None:
        raise BadFile(name, "has front matter without an end", line=1, advice="End it with a line `---`.")
    front = "\n".join(lines[1:end])
    if len(front) > MAX_CARD:
        raise BadFile(name, f"has front matter of more than {MAX_CARD} characters", line=1, advice="Shorten it.")
    if not front.strip():
        raise BadFile(name, "has empty front matter", line=2, advice="Fill it, or leave it out.")
    node = _yaml(front, name)
    if not isinstance(node, Mapped):
        raise BadFile(name, "has front matter that is no mapping", line=2, column=1, advice="Write `key: value` lines.")
    return node


def read_yaml(text: str, name: str) -> Node:
    """Read a YAML document by the same rules; BadFile with line and column. Lines of its nodes count from 2."""
    if len(text) > MAX_CARD:
        raise BadFile(name, f"has more than {MAX_CARD} characters", line=1, advice="Shorten it.")
    try:
        return _yaml(text, name)
    except BadFile as error:
        line = None if error.line is None else error.line - 1
        raise BadFile(name, error.problem, line=line, column=error.column, advice=error.advice) from error


def _yaml(front: str, name: str) -> Node:
    try:
        _check_events(front, name)
        root = yaml.compose(front, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "it cannot be read"
        line, column = (mark.line + 2, mark.column + 1) if mark is not None else (None, None)
        raise BadFile(name, f"is not YAML: {problem}", line=line, column=column, advice="Check it there.") from error
    if root is None:
        raise BadFile(name, "holds no value", line=2, column=1, advice="Fill it, or leave it out.")
    return _yaml_node(root, "", root.start_mark.index, front, name)


def _check_events(front: str, name: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(front, Loader=yaml.BaseLoader)):
        line, column = _mark(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise BadFile(name, "holds an anchor or alias", line=line, column=column, advice="Write the value out.")
        tag = getattr(event, "tag", None)
        if tag:
            raise BadFile(name, f"holds the tag {tag}", line=line, column=column, advice="Leave it out.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            raise BadFile(name, f"is nested deeper than {_DEPTH}", line=line, column=column, advice="Check it.")
        if count > _NODES:
            raise BadFile(name, f"holds more than {_NODES} values", line=line, column=column, advice="Shorten it.")
        if isinstance(event, yaml.DocumentStartEvent) and event.explicit:
            raise BadFile(name, "holds two documents", line=line, column=column, advice="Keep one.")


def _yaml_node(node: Any, path: str, quoted_from: int, front: str, name: str) -> Node:
    line, column = node.start_mark.line + 2, node.start_mark.column + 1
    quote = front[quoted_from : node.end_mark.index].rstrip()
    if isinstance(node, yaml.ScalarNode):
        plain = node.style is None
        null = plain and node.value.lower() in {"", "null", "~"}
        return Scalar(path, None if null else node.value, not plain or not _is_number(node.value), quote, line, column)
    if isinstance(node, yaml.SequenceNode):
        items = [
            _yaml_node(item, f"{path}/{index}", item.start_mark.index, front, name)
            for index, item in enumerate(node.value)
        ]
        return Listed(path, tuple(items), quote, line, column)
    members: dict[str, Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise BadFile(name, "has a key that is no text", line=line, column=column, advice="Write `key: value`.")
        if key.value in members:
            at = key.start_mark
            raise BadFile(
                name,
                f"has the key {key.value!r} twice",
                line=at.line + 2,
                column=at.column + 1,
                advice="Keep one of them.",
            )
        members[key.value] = _yaml_node(value, f"{path}/{_pointer(key.value)}", key.start_mark.index, front, name)
    return Mapped(path, members, quote, line, column)


def _mark(mark: Any) -> tuple[int, int]:
    """Line and column in the card, whose front matter begins in its second line."""
    return mark.line + 2, mark.column + 1


def walk(node: Node) -> Iterator[Scalar]:
    """Every scalar below a node, in order."""
    if isinstance(node, Scalar):
        yield node
    else:
        for child in node.members.values() if isinstance(node, Mapped) else node.items:
            yield from walk(child)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text, re.ASCII) is not None


def _pointer(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
