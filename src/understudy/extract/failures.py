"""What a database's errors become: one clear message without the password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL

from understudy.errors import ExtractError

MAX_CHARACTERS = 300


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
    """Return the error's text in one line."""
    text = str(error.args[1] if len(error.args) > 1 and isinstance(error.args[0], int) else error)
    text = " ".join(text.partition("\n\nQuery was:")[0].split())[:MAX_CHARACTERS] or type(error).__name__
    return text.replace(str(url.password), "***") if url.password else text
