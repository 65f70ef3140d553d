"""Numbers of things, in messages.

>>> counted(1, "record"), counted(2_000, "record")
('1 record', '2,000 records')
"""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """Write how many things there are."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
