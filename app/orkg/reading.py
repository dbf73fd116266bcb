"""Answers of the ORKG's API into values. An answer of another shape raises OrkgChanged with a pointer to the place."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from app.errors import OrkgChanged
from app.orkg.values import (
    Bundle,
    Comparison,
    Contents,
    Contribution,
    Contributor,
    Page,
    Paper,
    Statement,
    TablePath,
    Thing,
    TimelineEntry,
    User,
)

T = TypeVar("T")


class Shape(Generic[T]):
    """How one kind of answer is read."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)

    def read(self, body: bytes, address: str) -> T:
        """The answer as a value; OrkgChanged for text that is no JSON, or JSON of another shape."""
        try:
            return self._adapter.validate_json(body, strict=True)
        except ValidationError as error:
            first, *others = error.errors(include_url=False, include_context=False, include_input=False)
            pointer = "".join(f"/{part}" for part in first["loc"])
            more = f", and {len(others)} place(s) more" if others else ""
            raise OrkgChanged(address, f"{first['msg']}{more}", pointer=pointer) from error

    def write(self, value: T) -> bytes:
        """The value as `read` reads it."""
        return self._adapter.dump_json(value, by_alias=True)


COMPARISON: Final = Shape[Comparison](Comparison)
COMPARISONS: Final = Shape[Page[Comparison]](Page[Comparison])
CONTENTS: Final = Shape[Contents](Contents)
TABLE_PATHS: Final = Shape[tuple[TablePath, ...]](tuple[TablePath, ...])
PAPER: Final = Shape[Paper](Paper)
PAPERS: Final = Shape[Page[Paper]](Page[Paper])
CONTRIBUTION: Final = Shape[Contribution](Contribution)
STATEMENT: Final = Shape[Statement](Statement)
STATEMENTS: Final = Shape[Page[Statement]](Page[Statement])
BUNDLE: Final = Shape[Bundle](Bundle)
THING: Final = Shape[Thing](Thing)
THINGS: Final = Shape[Page[Thing]](Page[Thing])
TIMELINE: Final = Shape[Page[TimelineEntry]](Page[TimelineEntry])
CONTRIBUTOR: Final = Shape[Contributor](Contributor)
USER: Final = Shape[User](User)
