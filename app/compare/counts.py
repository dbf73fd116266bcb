"""How much the graph holds, for the front page. Never writes."""

from __future__ import annotations

from app.compare.reader import Reader
from app.compare.values import Counts
from app.model.rdf import python_value


def count(reader: Reader) -> Counts:
    """Count models, claims, observations and the rest."""
    (row,) = reader.rows("counts")
    return Counts(**{name: int(python_value(term)) for name, term in row.items()})
