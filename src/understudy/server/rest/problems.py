"""What cannot be answered as asked: one form for all of it, and one table of which error has which status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from understudy.errors import (
    Busy,
    CorruptObject,
    InvalidInput,
    NoChampion,
    NotFound,
    StoreError,
    UnderstudyError,
    UsageError,
)
from understudy.server.http import Response, json_response

STATUS: dict[type[UnderstudyError], int] = {
    NotFound: 404,
    UsageError: 400,
    InvalidInput: 400,
    NoChampion: 409,
    Busy: 409,
    CorruptObject: 409,
    StoreError: 500,
    UnderstudyError: 409,
}
"""The status of each class of errors; one that is not named has that of the nearest class above it."""

REASONS: dict[int, str] = {
    400: "The request cannot be read: malformed, a wrong type, an unknown key, or a value that does not fit.",
    401: "No token, or one that is not known.",
    403: "The token's role may not do this.",
    404: "There is no such path, endpoint or id.",
    405: "The path knows other methods; the header `Allow` names them.",
    409: "It cannot be done as things stand: no champion, another flip came between, a model that cannot be read.",
    413: "The body is larger than this path takes.",
    415: "The body is of a kind that this path does not read.",
    500: "Understudy failed; nothing was changed. The server's log has the details.",
    503: "Not ready. Only the two probes, `/ping` and `/readyz`, answer so.",
}
"""What each status of an error means, in a sentence."""


class Error(msgspec.Struct, frozen=True):
    """What went wrong, and what to do."""

    code: str
    message: str
    hint: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every answer that is no success has this form."""

    error: Error


class Problem(Exception):
    """A request that is refused by the door itself."""

    def __init__(
        self, status: int, code: str, message: str, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = Error(code, message, hint)
        self.headers = headers or {}

    def response(self) -> Response:
        """Return the answer."""
        return json_response(ErrorAnswer(self.error), self.status, self.headers)


def problem_of(error: UnderstudyError) -> Problem:
    """Return one of Understudy's own errors as an answer; its code is the error's class."""
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return Problem(status, type(error).__name__, error.message, error.hint)
