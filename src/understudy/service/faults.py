"""The original's exceptions (reference 1.3), which `UnderstudyError` is the root of.

    Fault
    ├── InvalidInputException                 400   code   the request cannot be met as it stands
    ├── ResourceNotFoundException             400   code   the named object does not exist
    ├── IdempotentParameterMismatchException  400   code   the id is taken by something else
    ├── PredictorNotMountedException          400          the model has no realtime endpoint
    ├── LimitExceededException                400   code   too many operations at a time
    ├── InvalidTagException                   400          a tag's key or value has characters that it may not have
    ├── TagLimitExceededException             400          more tags than an object may have
    └── InternalServerException               500   code   our own fault; clients try again

The name of a class is its name on the wire. The original documents no value of `code`: it repeats the status.
"""

from __future__ import annotations

from typing import ClassVar

from understudy.errors import UnderstudyError
from understudy.service.sentences import in_one_line

MAX_MESSAGE = 2048
"""Characters of a message on the wire (reference 1.2)."""


class Fault(UnderstudyError):
    """An answer other than success, as the original names it."""

    status: ClassVar[int] = 400
    code: ClassVar[int | None] = None

    @property
    def text(self) -> str:
        """What was found and expected, and what to do, in one line."""
        return in_one_line(self.message, self.hint)[:MAX_MESSAGE]

    def document(self) -> dict[str, object]:
        """Return the error's body (reference 1.2)."""
        body: dict[str, object] = {"__type": type(self).__name__, "message": self.text}
        return body if self.code is None else {**body, "code": self.code}


class InvalidInputException(Fault):
    """The request cannot be met as it stands."""

    code = 400


class ResourceNotFoundException(Fault):
    """The named object does not exist."""

    code = 400


class IdempotentParameterMismatchException(Fault):
    """The id is taken by an object that was asked for with other parameters."""

    code = 400


class PredictorNotMountedException(Fault):
    """The model has no realtime endpoint."""


class LimitExceededException(Fault):
    """Too many operations at a time."""

    code = 400


class InvalidTagException(Fault):
    """A tag's key or value has characters that it may not have."""


class TagLimitExceededException(Fault):
    """More tags than an object may have."""


class InternalServerException(Fault):
    """Our own fault; clients try again."""

    status = 500
    code = 500
