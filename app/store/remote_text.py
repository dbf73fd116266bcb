"""Rewrites SPARQL text so that it asks the physical graphs of one revision and speaks of logical ones. Never sends it.

A revision's graphs have physical names in the engine. The default graph and FROM become lists of physical graphs that
travel beside the text. What stands in the text itself is replaced token by token:

    GRAPH ex:g { P }      GRAPH <physical name of ex:g> { P }
    GRAPH ?g { P }        { VALUES (?g ?hidden) { (logical physical) … } GRAPH ?hidden { P } }
    isBlank(E)            also true of the IRIs that stand for blank nodes (only where the graph holds blank nodes)

so that `?g` has the logical name wherever it is used: in filters, in joins with what the graph says of its graphs, in
aggregates. A FILTER inside `P` that speaks of `?g` moves out to where `?g` is bound, as the embedded engine does.
Relative IRIs become absolute first: engines take them to be relative to addresses of their own.
Text that cannot be read passes unchanged: the engine refuses it with its own words. What could make an engine write
or call out is refused here, also behind the guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyoxigraph as ox

from app import vocab
from app.errors import QueryRefused
from app.model.rdf import IRI

_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_NAME = r"[^\W\d_][\w.\-\u00b7]*"
_LOCAL = (
    r"(?:[\w:]|%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?#@%])(?:[\w:.\-\u00b7]|%[0-9A-Fa-f]{2}|\\[_~.\-!$&'()*+,;=/?#@%])*"
)
_TOKEN = re.compile(
    r"(?P<space>\s+|\#[^\n]*)"
    r'|(?P<string>"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*\'\'\''
    r'|"(?:[^"\\\n\r]|\\.)*"|\'(?:[^\'\\\n\r]|\\.)*\')'
    r'|(?P<iri><[^<>"{}|^`\\\x00-\x20]*>)'
    r"|(?P<variable>[?$]\w+)"
    r"|(?P<blank>_:\w[\w.\-]*)"
    rf"|(?P<name>(?:{_NAME})?:(?:{_LOCAL})?)"
    r"|(?P<tag>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)"
    r"|(?P<escape>\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})"
    r"|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_FORMS = {"SELECT", "ASK", "CONSTRUCT", "DESCRIBE"}
_SCHEME = re.compile(r"<[A-Za-z][A-Za-z0-9+.\-]*:")
_PAIRS = {"{": "}", "(": ")"}
_FORBIDDEN = {"SERVICE", "DEFINE", "INSERT", "DELETE", "LOAD", "CLEAR", "DROP", "CREATE", "COPY", "MOVE", "ADD"}
"""Words that no query needs. Virtuoso runs updates that are sent as queries, and reads settings from DEFINE."""
_INTERNAL = ("bif:", "sql:")
"""Virtuoso's own functions, which reach files and the network."""
_AGGREGATES = {"COUNT", "SUM", "MIN", "MAX", "AVG", "SAMPLE", "GROUP_CONCAT"}
_SKOLEM_TESTS = {"ISBLANK", "ISIRI", "ISURI"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SPARQL text: spaces and comments are tokens too, so that the pieces make up the text."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        """The keyword in capitals, or nothing."""
        return self.text.upper() if self.kind == "word" else ""


@dataclass(frozen=True, slots=True)
class Clauses:
    """What a query says of its dataset (logical names), and its form (`SELECT`, `ASK` … or nothing)."""

    form: str
    default: tuple[str, ...]
    named: tuple[str, ...]

    @property
    def chosen(self) -> bool:
        """Whether the text has FROM clauses."""
        return bool(self.default or self.named)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Text for the engine, the physical graphs that its GRAPH patterns may see, and its hidden variables."""

    text: str
    named: tuple[str, ...]
    hidden: frozenset[str]


def _check(token: Token) -> None:
    """QueryRefused for what would make an engine write or call out, whatever the reading of its context."""
    if token.word in _FORBIDDEN or (
        token.kind in {"name", "iri"} and token.text.lstrip("<").lower().startswith(_INTERNAL)
    ):
        raise QueryRefused(f"{token.text} is not allowed", advice="Ask with SPARQL 1.1 query only.")


@dataclass(slots=True)
class _Rewriting:
    """The state of one rewriting."""

    graphs: Mapping[str, str]
    nowhere: str
    resolve: Callable[[str], str | None]
    skolem: str | None
    prefix: str
    named: dict[str, None] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)

    def walk(self, tokens: Sequence[Token]) -> str:
        """The text of these tokens, rewritten."""
        parts: list[str] = []
        place = 0
        while place < len(tokens):
            word = tokens[place].word
            _check(tokens[place])
            taken = None
            if word == "GRAPH":
                taken = self._graph(tokens, place)
            elif word in _SKOLEM_TESTS and self.skolem:
                taken = self._skolem_test(tokens, place)
            if taken is None:
                parts.append(tokens[place].text)
                place += 1
            else:
                parts.append(taken[0])
                place = taken[1]
        return "".join(parts)

    def _graph(self, tokens: Sequence[Token], place: int) -> tuple[str, int] | None:
        """Rewrite `GRAPH name { … }`; return the text and the place after it."""
        name = _next(tokens, place + 1)
        opening = _next(tokens, name + 1)
        closing = _closing(tokens, opening)
        if closing is None:
            return None
        inside, between = tokens[opening + 1 : closing], "".join(token.text for token in tokens[name + 1 : opening])
        if tokens[name].kind == "variable":
            return self._graph_variable(tokens[name].text[1:], between, inside), closing + 1
        logical = self.resolve(tokens[name].text) if tokens[name].kind in {"iri", "name"} else None
        if logical is None:
            return None
        physical = self.graphs.get(logical, self.nowhere)
        self.named[physical] = None
        return f"GRAPH {IRI(physical)}{between} {{{self.walk(inside)}}}", closing + 1

    def _graph_variable(self, variable: str, between: str, inside: Sequence[Token]) -> str:
        hidden = f"{self.prefix}{len(self.hidden)}"
        self.hidden.append(hidden)
        self.named.update(dict.fromkeys(self.graphs.values()))
        pairs = " ".join(f"({IRI(logical)} {IRI(physical)})" for logical, physical in self.graphs.items())
        kept, moved = _filters_about(variable, inside)
        filters = "".join(f" {self.walk(constraint)}" for constraint in moved)
        return (
            f"{{ VALUES (?{variable} ?{hidden}) {{ {pairs} }}"
            f" GRAPH ?{hidden}{between} {{{self.walk(kept)}}}{filters} }}"
        )

    def _skolem_test(self, tokens: Sequence[Token], place: int) -> tuple[str, int] | None:
        opening = _next(tokens, place + 1)
        closing = _closing(tokens, opening)
        if closing is None or tokens[opening].text != "(":
            return None
        inside = self.walk(tokens[opening + 1 : closing])
        starts = f'STRSTARTS(STR({inside}), "{self.skolem}")'
        if tokens[place].word == "ISBLANK":
            return f"(ISBLANK({inside}) || (ISIRI({inside}) && {starts}))", closing + 1
        return f"(ISIRI({inside}) && !{starts})", closing + 1


def clauses(text: str, base: str = vocab.BASE) -> tuple[Clauses, list[Token]]:
    """Read a query's form and FROM clauses; return them with the tokens that are left without the clauses.

    The tokens' IRIs are absolute: `base` is what they are relative to where the query names no other base.
    """
    tokens = _absolute(_tokens(text), base)
    resolve = _resolver(tokens)
    form, depth = "", 0
    default: list[str] = []
    named: list[str] = []
    left: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        depth += (token.text in _PAIRS) - (token.text in _PAIRS.values())
        if depth == 0 and not form and token.word in _FORMS:
            form = token.word
        if depth == 0 and form and token.word == "FROM":
            at = _next(tokens, place + 1)
            with_name = at < len(tokens) and tokens[at].word == "NAMED"
            if with_name:
                at = _next(tokens, at + 1)
            graph = resolve(tokens[at].text) if at < len(tokens) and tokens[at].kind in {"iri", "name"} else None
            if graph is not None:
                (named if with_name else default).append(graph)
                left.append(Token("space", " " + "\n" * sum(part.text.count("\n") for part in tokens[place:at])))
                place = at + 1
                continue
        left.append(token)
        place += 1
    return Clauses(form, tuple(default), tuple(named)), left


def rewrite(
    tokens: Sequence[Token], graphs: Mapping[str, str], *, nowhere: str, skolem: str | None = None
) -> Rewritten:
    """Rewrite a query's tokens for the named graphs that it may see (logical to physical names).

    `nowhere` is the name of a graph that holds nothing; `skolem` begins the IRIs that stand for blank nodes.
    """
    prefix = "hidden"
    words = {token.text for token in tokens if token.kind == "variable"}
    while any(variable[1:].startswith(prefix) for variable in words):
        prefix += "_"
    state = _Rewriting(graphs, nowhere, _resolver(tokens), skolem, prefix)
    return Rewritten(state.walk(tokens), tuple(state.named), frozenset(state.hidden))


def with_values(tokens: Sequence[Token], variable: str, block: str) -> list[Token]:
    """Join a VALUES block for one variable to a query, as a block at its end would be.

    Virtuoso knows a variable at the end only if it is selected; so the block goes into the outermost group where that
    means the same: in a query that does not aggregate, or groups by the variable.
    """
    at_end = [*tokens, Token("other", f"\n{block}\n")]
    opening = _outermost_group(tokens)
    closing = None if opening is None else _closing(tokens, opening)
    if opening is None or closing is None:
        return at_end
    head, tail = tokens[:opening], tokens[closing + 1 :]
    grouped = any(token.word == "GROUP" for token in tail)
    aggregated = grouped or any(token.word in _AGGREGATES for token in head)
    if aggregated and not (grouped and any(token.kind == "variable" and token.text[1:] == variable for token in tail)):
        return at_end
    inside = tokens[opening + 1 : closing]
    return [*head, Token("other", "{ {"), *inside, Token("other", f"}} {block} }}"), *tail]


def _outermost_group(tokens: Sequence[Token]) -> int | None:
    """The place where the query's pattern opens; None when it has none, or when it is CONSTRUCT's template too."""
    form = next((token.word for token in tokens if token.word in _FORMS), "")
    place = _next(tokens, next((at for at, token in enumerate(tokens) if token.word in _FORMS), len(tokens)) + 1)
    if form == "CONSTRUCT":
        template = _closing(tokens, place)
        place = len(tokens) if template is None else template + 1
    return next((at for at in range(place, len(tokens)) if tokens[at].text == "{"), None)


def _tokens(text: str) -> list[Token]:
    """Split text into tokens; character escapes outside strings are resolved first, as SPARQL demands."""
    tokens = list(_split(text))
    if not any(token.kind == "escape" for token in tokens):
        return tokens
    decoded = "".join(_decoded(token.text) if token.kind == "escape" else token.text for token in tokens)
    return list(_split(decoded))


def _absolute(tokens: list[Token], base: str) -> list[Token]:
    """Tokens without relative IRIs, each resolved as the prologue before it says.

    BASE itself has no use then and goes: Virtuoso refuses a second one.
    """
    done: list[Token] = []
    declared: int | None = None
    in_prologue = True
    for token in tokens:
        new = token
        if token.kind == "iri" and _SCHEME.match(token.text) is None:
            new = Token("iri", _resolved(token.text, base) or token.text)
        if declared is not None and token.kind == "iri":
            base = new.text[1:-1]
            done[declared] = new = Token("space", " ")
        in_prologue = in_prologue and token.word not in _FORMS
        if token.kind != "space":
            declared = len(done) if in_prologue and token.word == "BASE" else None
        done.append(new)
    return done


def _resolved(iri: str, base: str) -> str | None:
    """A relative IRI in full, by RFC 3986; None where that is impossible."""
    try:
        (triple,) = ox.parse(f"<x:s> <x:p> {iri} .", format=ox.RdfFormat.TURTLE, base_iri=base)
    except (SyntaxError, ValueError):
        return None
    return str(triple.object)


def _split(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        yield Token(match.lastgroup or "other", match.group())


def _decoded(escape: str) -> str:
    point = int(escape[2:], 16)
    return chr(point) if point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF else escape


def _next(tokens: Sequence[Token], place: int) -> int:
    """The place of the next token that is no space; the length when there is none."""
    while place < len(tokens) and tokens[place].kind == "space":
        place += 1
    return place


def _closing(tokens: Sequence[Token], opening: int) -> int | None:
    """The place of the bracket that closes the one at `opening`; None when there is none."""
    if opening >= len(tokens) or tokens[opening].text not in _PAIRS:
        return None
    open_, close = tokens[opening].text, _PAIRS[tokens[opening].text]
    depth = 0
    for place in range(opening, len(tokens)):
        depth += (tokens[place].text == open_) - (tokens[place].text == close)
        if depth == 0:
            return place
    return None


def _resolver(tokens: Sequence[Token]) -> Callable[[str], str | None]:
    """Reads an IRI or a prefixed name as the query's prologue does: Turtle has the same prologue and the same names."""
    prologue: list[str] = []
    for token in tokens:
        if token.word in _FORMS:
            break
        prologue.append(token.text)
    head = "".join(prologue)

    def resolve(name: str) -> str | None:
        try:
            (triple,) = ox.parse(f"{head}\n<x:s> <x:p> {name} .", format=ox.RdfFormat.TURTLE)
        except (SyntaxError, ValueError):
            return None
        return triple.object.value if isinstance(triple.object, IRI) else None

    return resolve


def _filters_about(variable: str, tokens: Sequence[Token]) -> tuple[list[Token], list[Sequence[Token]]]:
    """Split a group's tokens into what stays and the filters, directly in it, that speak of the variable."""
    kept: list[Token] = []
    moved: list[Sequence[Token]] = []
    depth, place = 0, 0
    while place < len(tokens):
        token = tokens[place]
        depth += (token.text in _PAIRS) - (token.text in _PAIRS.values())
        end = _end_of_filter(tokens, place) if depth == 0 and token.word == "FILTER" else None
        constraint = tokens[place:end] if end is not None else ()
        if any(part.kind == "variable" and part.text[1:] == variable for part in constraint):
            moved.append(constraint)
            kept.append(Token("other", "FILTER(true)"))
            place += len(constraint)
            continue
        kept.append(token)
        place += 1
    return kept, moved


def _end_of_filter(tokens: Sequence[Token], place: int) -> int | None:
    """The place after a FILTER: it ends with the first bracket that closes."""
    for at in range(place + 1, len(tokens)):
        if tokens[at].text in _PAIRS:
            closing = _closing(tokens, at)
            return None if closing is None else closing + 1
    return None
