"""Times as ORKG writes them: ISO 8601 with an offset and up to nanoseconds; kept as whole nanoseconds since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

SECOND = 1_000_000_000
_ZONE = timezone(timedelta(hours=1))
_WRITTEN = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")

START = int(datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp()) * SECOND
"""When the double's clock starts. It moves by a millisecond with each write, and when it is told to."""


def written(moment: int) -> str:
    """A moment as ORKG writes it: no fraction, or one of three, six or nine digits."""
    whole, fraction = divmod(moment, SECOND)
    text = datetime.fromtimestamp(whole, _ZONE).strftime("%Y-%m-%dT%H:%M:%S")
    if fraction:
        digits = f"{fraction:09d}"
        text += "." + (digits[:3] if digits.endswith("000000") else digits[:6] if digits.endswith("000") else digits)
    return text + "+01:00"


def read(text: str) -> int:
    """A moment from what ORKG writes. Raises ValueError for anything else."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise ValueError(f"no time: {text!r}")
    whole, fraction, zone = found.groups()
    moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return int(moment.timestamp()) * SECOND + int((fraction or "").ljust(9, "0"))
