"""Messages of several lines as the original had them: in one."""

from __future__ import annotations


def in_one_line(*parts: str) -> str:
    r"""Return all lines as sentences behind one another.

    >>> in_one_line("no column 'a'\nof 3", "Correct it."), in_one_line("gone", "")
    ("no column 'a'. of 3. Correct it.", 'gone')
    """
    *before, last = [line.strip() for part in parts for line in part.splitlines() if line.strip()] or [""]
    return " ".join((*(line if line.endswith((".", ":")) else f"{line}." for line in before), last))
