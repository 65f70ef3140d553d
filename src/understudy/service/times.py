"""Times: the catalog's text, the wire's epoch seconds, and what clients write into filters.

>>> epoch("2017-02-11T17:28:30.483921Z")
1486834110.483
>>> text_of(parsed("1486834110.483")), text_of(parsed("2017-02-11 17:28:30+00:00"))
('2017-02-11T17:28:30.483000Z', '2017-02-11T17:28:30.000000Z')
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"(\d{1,11})(?:\.(\d{1,9}))?")

_LAST = datetime(9999, 12, 31, 23, 59, 59, 998000, tzinfo=UTC)
"""The last time that has a millisecond after it."""

MILLISECOND = timedelta(milliseconds=1)
"""What the wire cannot tell apart."""


def epoch(text: str | None) -> float | None:
    """Return a time of the catalog as seconds since 1970, cut to the millisecond; None for none."""
    if text is None:
        return None
    return (datetime.fromisoformat(text) - _EPOCH) // MILLISECOND / 1000


def parsed(text: str) -> datetime:
    """Read epoch seconds, with or without a fraction, or ISO 8601 (UTC unless it says otherwise).

    The result is cut to the millisecond, as times are shown; the end of all time is one earlier. Raises ValueError.
    """
    text = text.strip()
    if seconds := _SECONDS.fullmatch(text):
        since = timedelta(seconds=int(seconds[1]), milliseconds=int((seconds[2] or "0").ljust(3, "0")[:3]))
    else:
        time = datetime.fromisoformat(text)
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    try:
        return min(_EPOCH + since // MILLISECOND * MILLISECOND, _LAST)
    except OverflowError as error:
        raise ValueError(text) from error


def is_day(text: str) -> bool:
    """Tell whether a text has eight digits like a day, 20170211: seconds since 1970 have more by now."""
    return re.fullmatch(r"\d{8}", text.strip(), re.ASCII) is not None


def text_of(time: datetime) -> str:
    """Return a time as the catalog writes it, so that the two compare as text."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
