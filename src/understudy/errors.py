"""Every error that Understudy raises on purpose.

    UnderstudyError                the work failed; the champion still serves          exit code 1
    ├── ExtractError               rows could not be had: database, query, file
    ├── InvalidInput               data that cannot be used as it stands
    ├── TrainingError              no model could be made from these rows
    ├── StoreError                 the catalog or the objects could not be read or written
    │   ├── CorruptObject          stored bytes do not match their fingerprint
    │   └── Busy                   another process holds the lock
    ├── NoChampion                 a prediction was asked for before any model was admitted
    └── UsageError                 wrong usage or configuration                        exit code 2
        ├── ConfigError            the project file
        ├── SchemaError            a schema that contradicts itself or the data
        ├── RecipeError            a recipe that does not parse or fit the schema; has a position
        ├── TransformError         the project's transform function breaks its contract
        └── NotFound               an id that the catalog does not know

A message says what was found, where, and what was expected; the hint says what to do.
"""

from __future__ import annotations

from typing import ClassVar


class UnderstudyError(Exception):
    """The work failed; the champion still serves."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class ExtractError(UnderstudyError):
    """Rows could not be had from the database, the query or the file."""


class InvalidInput(UnderstudyError):
    """Data that cannot be used as it stands."""


class TrainingError(UnderstudyError):
    """No model could be made from these rows."""


class StoreError(UnderstudyError):
    """The catalog or the objects could not be read or written."""


class CorruptObject(StoreError):
    """Stored bytes do not match their fingerprint."""


class Busy(StoreError):
    """Another process holds the lock."""


class NoChampion(UnderstudyError):
    """A prediction was asked for before any model was admitted."""


class UsageError(UnderstudyError):
    """Wrong usage or configuration."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """The project file cannot be used as it stands."""


class SchemaError(UsageError):
    """A schema that contradicts itself or the data."""


class RecipeError(UsageError):
    """A recipe that does not parse or does not fit the schema.

    `line` and `column` (1-based) point into the recipe's text where it is known; 0 where it is not.
    """

    def __init__(self, message: str, hint: str = "", *, line: int = 0, column: int = 0) -> None:
        where = f" (line {line}, column {column})" if line else ""
        super().__init__(f"{message}{where}", hint)
        self.line = line
        self.column = column


class TransformError(UsageError):
    """The project's transform function breaks its contract."""


class NotFound(UsageError):
    """An id that the catalog does not know."""
