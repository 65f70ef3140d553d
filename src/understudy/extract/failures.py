"""What a database's errors become: one clear message without the password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

from sqlalchemy.engine import URL

from understudy.errors import ExtractError

MAX_CHARACTERS = 300

_PREFIX = re.compile(r"^([A-Z]+(_[A-Z]+)*: +|\[libpq\] |Failed to [a-z ]+: )+")
"""What drivers put before the database's own words, which are enough."""

_EXCERPT = re.compile(r"\nLINE \d+: .*\n *\^")
"""The query's line and the mark under it, which make no sense within one line."""


@contextmanager
def connecting(url: URL, shown: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn a driver's errors into "cannot connect"."""
    try:
        yield
    except kinds as error:
        raise ExtractError(
            f"cannot connect to {shown}: {_said(error, url)}", "Check address, user and password, and that it runs."
        ) from None


@contextmanager
def querying(url: URL, shown: str, *kinds: type[Exception]) -> Iterator[None]:
    """Turn a driver's errors into "could not answer the query"."""
    try:
        yield
    except kinds as error:
        raise ExtractError(
            f"{shown} could not answer the query: {_said(error, url)}", "Correct extract.query; nothing was changed."
        ) from None


def _said(error: Exception, url: URL) -> str:
    """Return the database's own words in one line."""
    text = _without(
        url.password, str(error.args[1] if len(error.args) > 1 and isinstance(error.args[0], int) else error)
    )
    text = _EXCERPT.sub("", text.partition("\n\nQuery was:")[0])
    return _PREFIX.sub("", " ".join(text.split()))[:MAX_CHARACTERS] or type(error).__name__


def _without(password: object, text: str) -> str:
    """Hide a password in a text, in every spelling that an address may give it."""
    for spelling in (
        str(password),
        quote(str(password), safe=""),
        quote(str(password), safe=" +"),
        quote_plus(str(password)),
    ):
        text = text.replace(spelling, "***") if password else text
    return text
