"""What cannot be answered as asked: one form for all of it, and one table of which error has which status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

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


class Error(msgspec.Struct, frozen=True):
    """What went wrong, and what to do."""

    code: Annotated[str, Meta(description="A word for programs.")]
    message: Annotated[str, Meta(description="What was found, where, and what was expected.")]
    hint: Annotated[str, Meta(description="What to do; may be empty.")]


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every answer that is no success has this form."""

    error: Error


class Refusal(msgspec.Struct, frozen=True):
    """What a status means, and how it may look."""

    meaning: str
    example: Error


HOW_TO_ASK = "Send `Authorization: Bearer ` and the secret that `understudy env` prints, or a token."

REFUSALS: dict[int, Refusal] = {
    400: Refusal(
        "The request cannot be read or used: malformed, a wrong type, an unknown key, a value that does not fit.",
        Error(
            "InvalidInput",
            "attribute 'age' is NUMERIC, but record 1 holds 'old'",
            "Give a number, or leave the attribute out.",
        ),
    ),
    401: Refusal("No token, or one that is not known.", Error("Unauthorized", "no token was sent", HOW_TO_ASK)),
    403: Refusal(
        "The token's role may not do this.",
        Error(
            "Forbidden",
            "'shop' has the role predict; this takes admin",
            "Ask with the secret of an access key, or with a token of that role.",
        ),
    ),
    404: Refusal(
        "There is no such path, endpoint or id.",
        Error("NotFound", "there is no endpoint 'cals'", "GET /v1/endpoints lists those of this server."),
    ),
    405: Refusal(
        "The path takes other methods; the header `Allow` names them.",
        Error("MethodNotAllowed", "'/v1/runs' does not take PUT", "It takes GET, HEAD."),
    ),
    409: Refusal(
        "It cannot be done as things stand: no champion, another flip came between, a model that cannot be read.",
        Error(
            "NoChampion",
            "endpoint 'calls' has no champion yet",
            "`understudy learn` makes and admits the first.",
        ),
    ),
    413: Refusal(
        "The body is larger than this path takes.",
        Error("TooLarge", "the body is larger than 6 MiB", "Send it in parts."),
    ),
    415: Refusal(
        "The body is of a kind that this path does not read.",
        Error(
            "UnsupportedMediaType",
            "the body is 'application/x-www-form-urlencoded'",
            "Send it plain, with `Content-Type: application/json`.",
        ),
    ),
    500: Refusal(
        "Understudy failed, or its catalog or objects did; its log has the details.",
        Error("InternalError", "Understudy failed to answer", "Its log has the details."),
    ),
    503: Refusal(
        "Not ready. Only the probes /ping and /readyz answer so.",
        Error("NotReady", "the server is starting or ending", "Ask again in a moment."),
    ),
}
"""Every status that is no success."""


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


def printable(text: str) -> str:
    """Return a text that may be an id; raises NotFound where no id could ever look so, before a database is asked."""
    if text.isprintable():
        return text
    raise NotFound(f"nothing has the id {text!r}", "Ids hold letters, digits and dashes.")
