"""What a comparison lost between two pulls: one that is suddenly half empty is more likely broken than edited. Pure."""

from __future__ import annotations

from app.errors import OrkgChanged
from app.orkg.pull import Pulled

_TOO_MANY = 0.5
"""Share of the cells of a head whose loss nobody believes at once."""


def check_losses(before: Pulled | None, after: Pulled) -> None:
    """OrkgChanged where a frozen version says something else than before, or a head lost half of its cells."""
    known = {table.version: table for table in before.tables} if before is not None else {}
    for table in after.tables:
        old = known.get(table.version)
        if old is None or old.reconstructed or table.reconstructed:
            continue
        was, now = {cell.key for cell in old.cells}, {cell.key for cell in table.cells}
        address = f"{after.base}/api/comparisons/{table.version}/contents"
        if table.published and was != now:
            problem = (
                f"the frozen version has {len(was - now)} cells less and {len(now - was)} more than at the last pull"
            )
        elif len(was - now) > _TOO_MANY * len(was):
            problem = f"{len(was - now)} of the {len(was)} cells of the last pull are gone"
        else:
            continue
        advice = "Look at it on the ORKG's site; `--accept-losses` takes it as it is. Nothing was changed here."
        raise OrkgChanged(address, problem, pointer="/values", advice=advice)
