"""Charts of answers: from the JSON of one answer to one Vega-Lite specification with its data inside.

Numbers are those of the answer, never worked out anew. Values that were not observed in the same way are told apart by
colour or stand in panels of their own; what is left out for want of room is said in the subtitle. Never draws: that is
for whoever shows the specification.
"""

from app.compare.charts.counts import counted
from app.compare.charts.dots import compared, observed
from app.compare.charts.frame import DARK, SCHEMA, Origin, Spec
from app.compare.charts.memory import fitting, size
from app.compare.charts.periods import followed
from app.compare.charts.ranking import ranked
from app.compare.charts.scatter import traded

__all__ = [
    "DARK",
    "SCHEMA",
    "Origin",
    "Spec",
    "compared",
    "counted",
    "fitting",
    "followed",
    "observed",
    "ranked",
    "size",
    "traded",
]
