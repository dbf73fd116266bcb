"""Which of our models a column of an ORKG comparison is: candidates by name, size, maker and the paper's DOI.

A suggestion, and never more: a person confirms it. What fits several models, or is contradicted by the paper, is a
question with candidates.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from app import vocab
from app.ingest.bulk import quantities
from app.ingest.bulk.names import Names, loose
from app.ingest.bulk.verdicts import Refused
from app.model.graphs import CURATED
from app.model.rdf import IRI, Literal
from app.orkg.table import Column
from app.store.port import Snapshot

_NAMELESS = re.compile(r"contribution\s*\d*", re.IGNORECASE)
"""What a contribution is called by whoever does not name it."""
_MARKS = "*†‡§¶ "
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([MB])\b")
_ARXIV = re.compile(r"10\.48550/arxiv\.(.+)", re.IGNORECASE)
_VERSION = re.compile(r"v\d+$")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What the rows of a column say that helps to know the model: names, sizes and makers, as they are written."""

    names: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    makers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """The model of a column, or (None) the question which it is, with candidates. `why` is for people."""

    model: str | None
    candidates: tuple[str, ...]
    why: str


class Matcher:
    """Knows the models of a revision by name, size, maker and paper."""

    def __init__(self, snapshot: Snapshot, names: Names) -> None:
        self._names = names
        self._sizes: dict[str, set[str]] = defaultdict(set)
        self._makers: dict[str, set[str]] = defaultdict(set)
        self._of_paper: dict[str, set[str]] = defaultdict(set)
        models = {model.iri.value: slug for slug, model in names.models.items()}
        for quad in snapshot.quads(CURATED):
            slug = models.get(quad.subject.value) if isinstance(quad.subject, IRI) else None
            if slug is None:
                continue
            if quad.predicate.value == vocab.slm.nominalSize and isinstance(quad.object, Literal):
                self._sizes[slug].add(quad.object.value)
            elif quad.predicate.value == vocab.slm.maker and isinstance(quad.object, IRI):
                self._makers[slug].add(quad.object.value)
            elif quad.predicate.value == vocab.slm.describedIn and isinstance(quad.object, IRI):
                self._of_paper[_VERSION.sub("", quad.object.value)].add(slug)
        self._spellings: dict[str, set[str]] = defaultdict(set)
        self._squeezed: dict[str, set[str]] = defaultdict(set)
        for name, things in names.model_names.loose.items():
            known = {models[iri] for iri in things if iri in models}
            self._spellings[name] |= known
            self._squeezed[name.replace(" ", "")] |= known

    def match(self, column: Column, told: Told) -> Match:
        """The model of a column, or the question which."""
        if column.uri is not None:
            for slug, model in self._names.models.items():
                if model.iri.value == column.uri:
                    return Match(slug, (slug,), "its IRI is ours")
        of_paper = self._of_paper.get(_address(column.doi), set()) if column.doi else set()
        texts = [text for text in (column.label, *told.names) if not _NAMELESS.fullmatch(text.strip())]
        written = (*told.sizes, *map(_size_in, (*texts, column.paper_title or "")))
        sizes = {size for text in written if (size := _size(text))}
        found, how = self._named(texts or [column.paper_title or ""], sizes)
        if len(found) != 1:
            found, how = self._narrowed(found, how, of_paper, sizes, told.makers)
        if len(found) == 1:
            (slug,) = found
            if of_paper and slug not in of_paper:
                also = tuple(sorted({slug, *of_paper}))
                return Match(None, also[:_SHOWN], f"{how} it is {slug}, by the DOI of its paper another one")
            known = self._sizes.get(slug, set())
            if sizes and known and not sizes & known:
                how += f"; it says {', '.join(sorted(sizes))}, ours is {', '.join(sorted(known))}"
            return Match(slug, (slug,), how)
        if not found:
            near = [slug for text in texts for slug in self._near(text)]
            return Match(None, tuple(dict.fromkeys(near))[:_SHOWN], "no model of ours has this name")
        return Match(None, tuple(sorted(found))[:_SHOWN], f"{how} it may be {len(found)} models")

    def _named(self, texts: Iterable[str], sizes: set[str]) -> tuple[set[str], str]:
        """Models that a text names: exactly, with a size behind it, or by a part of their name."""
        wanted = [text.strip().rstrip(_MARKS) for text in texts if text.strip()]
        for text in wanted:
            found = self._spelt(text) or self._spelt(_without_size(text))
            if found:
                return set(found), "by its name"
        for text in wanted:
            for size in sorted(sizes):
                found = self._spelt(f"{_without_size(text)} {size}")
                if found:
                    return set(found), "by its name and size"
        for text in wanted:
            name = loose(_without_size(text))
            found = {slug for known, slugs in self._spellings.items() if name and _holds(known, name) for slug in slugs}
            if found:
                return found, "by a part of its name"
        return set(), "by its name"

    def _spelt(self, name: str) -> set[str]:
        """Models of this name, up to case and the marks between its parts; else also up to where its parts begin."""
        plain = loose(name)
        return self._spellings.get(plain) or self._squeezed.get(plain.replace(" ", "")) or set()

    def _narrowed(
        self, found: set[str], how: str, of_paper: set[str], sizes: set[str], makers: Iterable[str]
    ) -> tuple[set[str], str]:
        """Fewer candidates: those of the paper, of the size, of the maker, as far as each leaves any."""
        if not found and of_paper:
            found, how = set(of_paper), "by the DOI of its paper"
        for what, fitting in (
            ("the DOI of its paper", {slug for slug in found if slug in of_paper}),
            ("size", {slug for slug in found if self._sizes.get(slug, set()) & sizes}),
            ("maker", {slug for slug in found if self._makers.get(slug, set()) & self._organisations(makers)}),
        ):
            if len(found) > 1 and fitting and fitting != found:
                found, how = fitting, f"{how} and {what}"
        return found, how

    def _organisations(self, names: Iterable[str]) -> set[str]:
        found = set()
        for name in names:
            try:
                found.add(self._names.thing("organisation", name).value)
            except Refused:
                continue
        return found

    def _near(self, text: str) -> list[str]:
        close = self._names.model_names.close(_without_size(text))
        return [slug for name in close for slug in sorted(self._spellings.get(loose(name), ()))]


def _holds(known: str, name: str) -> bool:
    """Whether a name has another one among its parts, whole words only."""
    return f" {name} " in f" {known} "


def _size_in(text: str) -> str:
    found = _SIZE.findall(text)
    return "".join(found[-1]) if found else ""


def _size(text: str) -> str:
    try:
        return quantities.size(text) if text else ""
    except Refused:
        return ""


def _without_size(text: str) -> str:
    """A name without a size at its end."""
    bare = re.sub(r"[\s_-]*\(?\d+(?:\.\d+)?\s?[MB]\)?$", "", text.strip()).rstrip(_MARKS)
    return bare or text


def _address(doi: str) -> str:
    """The address under which our registry knows the document of a DOI."""
    found = _ARXIV.fullmatch(doi.strip())
    return f"https://arxiv.org/abs/{_VERSION.sub('', found[1])}" if found else f"https://doi.org/{doi.strip()}"
