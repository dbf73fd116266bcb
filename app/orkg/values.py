"""What the ORKG's API says and takes, as typed values. They hold what was sent, and read nothing into it.

Names are ours where the API's would mislead: an ORKG *column* (a source: most often the contribution of a paper) is our
model, an ORKG *row* is a path of predicates. A value that lacks a member, or has one of another type, cannot be made
from an answer: `app.orkg.reading` says so with a pointer. Members that are new are passed over.

Times are the texts that were sent (ISO 8601 with an offset, to nanoseconds); `instant` sorts them. Identifiers are
opaque: their first letter says nothing of their kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, Field

T = TypeVar("T")

NOBODY = "00000000-0000-0000-0000-000000000000"
"""How an unknown person, organisation or observatory is written."""

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)")


def instant(text: str) -> tuple[datetime, int]:
    """A time as something that sorts: the second in UTC, and nanoseconds. ValueError for what is no time."""
    found = _INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time with an offset")
    second, fraction, offset = found.groups()
    whole = datetime.fromisoformat(second + ("+00:00" if offset == "Z" else offset))
    return whole.astimezone(UTC), int((fraction or "0").ljust(9, "0"))


def _time(text: str) -> str:
    instant(text)
    return text


Id: TypeAlias = Annotated[str, Field(pattern=r"^[a-zA-Z0-9:_-]+$", max_length=255)]
"""An identifier: of a resource (R…), predicate (P…), class (C…), literal (L…) or statement (S…), or a word."""
Time: TypeAlias = Annotated[str, AfterValidator(_time)]
"""A time as it was sent."""
Identifiers: TypeAlias = Mapping[str, tuple[str, ...]]
"""Identifiers by their kind, such as `doi` or `orcid`."""


class Method(StrEnum):
    """How a statement came to be. UNKNOWN means that it was not recorded, not that a person wrote it."""

    UNKNOWN = "UNKNOWN"
    MANUAL = "MANUAL"
    AUTOMATIC = "AUTOMATIC"
    AI_GENERATED = "AI_GENERATED"
    AI_REVIEWED = "AI_GENERATED_WITH_MANUAL_REVIEW"


class PathKind(StrEnum):
    """What a row stands for. Rosetta Stone statements and their values stand on the first and second level only."""

    PREDICATE = "PREDICATE"
    ROSETTA = "ROSETTA_STONE_STATEMENT"
    ROSETTA_VALUE = "ROSETTA_STONE_STATEMENT_VALUE"


class SourceKind(StrEnum):
    """What a column of a comparison is: a thing (a contribution, most often) or a Rosetta Stone statement."""

    THING = "THING"
    ROSETTA = "ROSETTA_STONE_STATEMENT"


@dataclass(frozen=True, slots=True)
class Named:
    """A thing of which an answer tells identifier and label only."""

    id: Id
    label: str


# Things and statements


@dataclass(frozen=True, slots=True)
class Ref:
    """What one slot of a table holds. A literal has no identifier here: the API hides it, always.

    `datatype` (of literals) is a prefixed name such as `xsd:integer`, or an IRI.
    """

    kind: Annotated[Literal["resource_ref", "literal_ref", "predicate_ref", "class_ref"], Field(alias="_class")]
    label: str
    id: Id | None = None
    datatype: str | None = None
    classes: tuple[str, ...] = ()
    uri: str | None = None

    @property
    def literal(self) -> bool:
        """Whether it is a literal: characters, and nothing that has an identifier."""
        return self.kind == "literal_ref"


@dataclass(frozen=True, slots=True)
class Thing:
    """A resource, literal, predicate, class or list with what is recorded of it."""

    kind: Annotated[Literal["resource", "literal", "predicate", "class", "list"], Field(alias="_class")]
    id: Id
    created_at: Time
    created_by: str
    label: str
    extraction_method: Method = Method.UNKNOWN
    classes: tuple[str, ...] = ()
    datatype: str | None = None
    uri: str | None = None
    description: str | None = None
    formatted_label: str | None = None
    visibility: str | None = None
    elements: tuple[Id, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """One triple, with who made it, when and how. `index` is the place in a list, for elements of lists only."""

    id: Id
    subject: Thing
    predicate: Thing
    object: Thing
    created_at: Time
    created_by: str
    extraction_method: Method = Method.UNKNOWN
    modifiable: bool = True
    index: int | None = None

    @property
    def triple(self) -> tuple[str, str, str]:
        """Identifiers of subject, predicate and object."""
        return self.subject.id, self.predicate.id, self.object.id

    @property
    def method(self) -> Method:
        """How the value came to be: what the statement says, or else its literal."""
        if self.extraction_method is Method.UNKNOWN and self.object.kind == "literal":
            return self.object.extraction_method
        return self.extraction_method


@dataclass(frozen=True, slots=True)
class Bundle:
    """Statements that can be reached from a thing, by an endpoint that is on its way out."""

    root: Id
    statements: tuple[Statement, ...]


# Comparisons and their tables


@dataclass(frozen=True, slots=True)
class SourceRef:
    """One column of a comparison: the thing that is compared."""

    id: Id
    type: SourceKind = SourceKind.THING


@dataclass(frozen=True, slots=True)
class Author:
    """A person as an author. `id` is set where the person is a resource."""

    name: str
    id: Id | None = None
    identifiers: Identifiers = field(default_factory=dict)
    homepage: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """When and where something was published.

    Of published comparisons the year may be the month and the month missing, by a defect of the service: use the
    time of creation of those.
    """

    published_month: int | None = None
    published_year: int | None = None
    published_in: Named | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a comparison or paper. `changelog` is the description that the version had; no text of changes."""

    id: Id
    label: str
    created_at: Time
    created_by: str
    changelog: str | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """The editable head of a comparison or paper, and its frozen versions in any order."""

    head: Version
    published: tuple[Version, ...] = ()

    @property
    def newest_first(self) -> tuple[Version, ...]:
        """The frozen versions by the time they were made."""
        return tuple(sorted(self.published, key=lambda one: instant(one.created_at), reverse=True))


@dataclass(frozen=True, slots=True)
class SearchProtocol:
    """How the compared works were searched for (since version 0.99 of the service)."""

    inclusion_criteria: str | None = None
    exclusion_criteria: str | None = None
    search_engines: tuple[str, ...] = ()
    search_strings: tuple[str, ...] = ()
    research_questions: tuple[str, ...] = ()
    number_of_studies_originally_returned: int | None = None
    number_of_studies_retained: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison without its table: the editable head, or a frozen version (`published`)."""

    id: Id
    title: str
    description: str | None
    sources: tuple[SourceRef, ...]
    versions: Versions
    created_at: Time
    created_by: str
    visibility: str
    published: bool
    kind: Annotated[Literal["comparison"], Field(alias="_class")]
    type: str = "UNKNOWN"
    research_fields: tuple[Named, ...] = ()
    identifiers: Identifiers = field(default_factory=dict)
    publication_info: Publication = field(default_factory=Publication)
    authors: tuple[Author, ...] = ()
    search_protocol: SearchProtocol = field(default_factory=SearchProtocol)
    sdgs: tuple[Named, ...] = ()
    visualizations: tuple[Named, ...] = ()
    related_figures: tuple[Named, ...] = ()
    related_resources: tuple[Named, ...] = ()
    references: tuple[str, ...] = ()
    observatories: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    extraction_method: Method = Method.UNKNOWN
    is_anonymized: bool = False
    unlisted_by: str | None = None

    @property
    def withdrawn(self) -> bool:
        """Whether it was deleted: it stays readable."""
        return self.visibility == "DELETED"

    @property
    def doi(self) -> str | None:
        """The permanent identifier, where one was registered for this version."""
        return next(iter(self.identifiers.get("doi", ())), None)


@dataclass(frozen=True, slots=True)
class Path:
    """A row that was chosen: a predicate, and the chosen predicates of what it leads to."""

    id: Id
    label: str
    type: PathKind = PathKind.PREDICATE
    description: str | None = None
    children: tuple[Path, ...] = ()

    def walk(self, above: tuple[Path, ...] = ()) -> Iterator[tuple[Path, ...]]:
        """This path and all below it, each from the top down."""
        here = (*above, self)
        yield here
        for child in self.children:
            yield from child.walk(here)

    @property
    def depth(self) -> int:
        """Steps from the source to the deepest value."""
        return 1 + max((child.depth for child in self.children), default=0)


@dataclass(frozen=True, slots=True)
class TablePath:
    """A path that could be chosen, and how many of the sources have it."""

    id: Id
    label: str
    sources: int
    type: PathKind = PathKind.PREDICATE
    description: str | None = None
    children: tuple[TablePath, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One physical row of one path: for each column a value or None.

    Rows mean nothing across columns: read down a column. `children` belong to the value of the same row *and* column.
    """

    values: tuple[Ref | None, ...]
    children: Mapping[Id, tuple[Row, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contents:
    """The table of a comparison. `titles` are the papers of the columns, `subtitles` their contributions.

    A column whose source belongs to no paper has the source as its title and no subtitle.
    """

    selected_paths: tuple[Path, ...]
    titles: tuple[Ref, ...]
    subtitles: tuple[Ref | None, ...]
    values: Mapping[Id, tuple[Row, ...]]

    @property
    def empty(self) -> bool:
        """Whether it has neither rows nor values: of a comparison with sources this is no answer at all."""
        return not self.selected_paths and not self.values


# Papers, contributions, people


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper with its contributions."""

    id: Id
    title: str
    contributions: tuple[Named, ...]
    created_at: Time
    created_by: str
    kind: Annotated[Literal["paper"], Field(alias="_class")]
    identifiers: Identifiers = field(default_factory=dict)
    research_fields: tuple[Named, ...] = ()
    publication_info: Publication = field(default_factory=Publication)
    authors: tuple[Author, ...] = ()
    extraction_method: Method = Method.UNKNOWN
    visibility: str | None = None

    @property
    def doi(self) -> str | None:
        """The first DOI."""
        return next(iter(self.identifiers.get("doi", ())), None)


@dataclass(frozen=True, slots=True)
class Contribution:
    """A contribution with its first level: identifiers of objects by predicate, without their labels."""

    id: Id
    label: str
    classes: tuple[str, ...]
    properties: Mapping[Id, tuple[Id, ...]]
    created_at: Time
    created_by: str
    extraction_method: Method = Method.UNKNOWN
    visibility: str | None = None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Somebody changed something of a resource at some time; what, is not told."""

    created_by: str | Mapping[str, object]
    created_at: Time


@dataclass(frozen=True, slots=True)
class Contributor:
    """Somebody who has an account, as all may see them."""

    id: str
    display_name: str
    joined_at: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """The account that is signed in."""

    id: str
    display_name: str
    is_curation_allowed: bool = False
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PageInfo:
    """Which page an answer is. `size` is what the service made of the size that was asked for: 2500 at most."""

    size: int
    number: int
    total_elements: int
    total_pages: int


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list."""

    content: tuple[T, ...]
    page: PageInfo


# What is sent. `app.orkg.wire` writes these in the API's own words


@dataclass(frozen=True, slots=True)
class NewLiteral:
    """A literal that a new paper or contribution brings. `datatype` is a prefixed name."""

    label: str
    datatype: str = "xsd:string"


@dataclass(frozen=True, slots=True)
class NewResource:
    """A resource that a new paper or contribution brings."""

    label: str
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewPredicate:
    """A predicate that a new paper or contribution brings."""

    label: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Leaf:
    """The object of a new statement: an identifier, or the name (`#…`) of something new; with statements of its own."""

    id: str
    statements: Mapping[str, tuple[Leaf, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewContribution:
    """A contribution as it is to be. `statements` lead from predicates to objects; there must be one at least."""

    label: str
    statements: Mapping[str, tuple[Leaf, ...]]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NewParts:
    """What the statements of new contributions name with `#…`, by that name."""

    resources: Mapping[str, NewResource] = field(default_factory=dict)
    literals: Mapping[str, NewLiteral] = field(default_factory=dict)
    predicates: Mapping[str, NewPredicate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewPaper:
    """A paper as it is to be, with its contributions where `contents` has any. Exactly one research field."""

    title: str
    research_field: str
    doi: str | None = None
    authors: tuple[Author, ...] = ()
    published_month: int | None = None
    published_year: int | None = None
    published_in: str | None = None
    url: str | None = None
    contributions: tuple[NewContribution, ...] = ()
    parts: NewParts = field(default_factory=NewParts)


@dataclass(frozen=True, slots=True)
class NewComparison:
    """A comparison as it is to be: an editable draft, which has no rows until its contents are set."""

    title: str
    description: str
    sources: tuple[SourceRef, ...]
    research_fields: tuple[str, ...] = ()
    authors: tuple[Author, ...] = ()
    references: tuple[str, ...] = ()
    type: str = "UNKNOWN"
    is_anonymized: bool = False
