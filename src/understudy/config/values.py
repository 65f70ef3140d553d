"""Durations, cron expressions and training parameters: what a value of the project file says, checked.

>>> parse_duration("90d").days
90
>>> parse_parameters({"sgd.maxPasses": "20", "sgd.shuffleType": "none"}).shuffle
False
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from understudy.errors import ConfigError

MIB = 1024 * 1024

_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)


class Settings(msgspec.Struct, frozen=True):
    """Training parameters, read and checked; None leaves the choice to the learner."""

    max_passes: int | None = None
    """Passes over the training rows."""
    shuffle: bool = True
    """Whether the seed shuffles the rows."""
    l1: float | None = None
    """L1 penalty; 0 switches it off."""
    l2: float | None = None
    """L2 penalty; 0 switches it off."""
    max_size_bytes: int = 100 * MIB
    """Size of the model above which its weakest features are trimmed."""


def parse_duration(text: str, where: str = "duration") -> timedelta:
    """Read a duration: a whole number and s, m, h, d or w; raises ConfigError naming `where`."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ConfigError(f"{where} is {text!r}", 'Write a whole number and a unit: "30m", "12h", "90d" or "1w".')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_parameters(parameters: Mapping[str, int | float | str]) -> Settings:
    """Read Amazon ML's training parameters (reference 6.2); numbers may be written as text.

    Raises
    ------
    ConfigError : a parameter is unknown or out of range, or both penalties are above 0.

    """
    known = ("maxPasses", "shuffleType", "l1RegularizationAmount", "l2RegularizationAmount", "maxMLModelSizeInBytes")
    for key in parameters:
        if key not in {f"sgd.{name}" for name in known}:
            raise ConfigError(
                f"train.parameters has the unknown parameter {key!r}", nearest(key, [f"sgd.{name}" for name in known])
            )
    shuffle = str(parameters.get("sgd.shuffleType", "auto"))
    if shuffle not in {"auto", "none"}:
        raise ConfigError(f"sgd.shuffleType is {shuffle!r}", 'Use "auto" or "none".')
    l1 = _number(parameters, "sgd.l1RegularizationAmount", 0, math.inf)
    l2 = _number(parameters, "sgd.l2RegularizationAmount", 0, math.inf)
    if l1 and l2:
        raise ConfigError("both L1 and L2 regularization are above 0", "Give one of the two; set the other to 0.")
    passes = _number(parameters, "sgd.maxPasses", 1, 10_000, whole=True)
    size = _number(parameters, "sgd.maxMLModelSizeInBytes", 100_000, 2**31, whole=True)
    return Settings(
        max_passes=None if passes is None else int(passes),
        shuffle=shuffle == "auto",
        l1=l1,
        l2=l2,
        max_size_bytes=100 * MIB if size is None else int(size),
    )


def check_cron(text: str) -> None:
    """Check a cron expression's form: five fields of *, numbers, names, ranges, steps and lists; raises ConfigError."""
    fields = text.split()
    if len(fields) != len(_CRON):
        raise ConfigError(
            f"schedule.cron is {text!r}, which has {len(fields)} fields instead of 5",
            'Give minute, hour, day of month, month and day of week: "0 3 * * 1".',
        )
    for field, (name, low, high, names) in zip(fields, _CRON, strict=True):
        if not all(_cron_part_is_valid(part.lower(), low, high, names) for part in field.split(",")):
            raise ConfigError(f"schedule.cron {text!r}: the {name} is {field!r}", f"Use *, or {low} to {high}.")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that names the known word nearest to `word`, or else all of them."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[close[0]]!r}?" if close else f"Known are {', '.join(by_lower.values())}."


def _cron_part_is_valid(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [names.index(end) + low if end in names else int(end) if end.isdecimal() else -1 for end in span.split("-")]
    return len(ends) <= 2 and all(low <= end <= high for end in ends) and ends == sorted(ends)


def _number(
    parameters: Mapping[str, int | float | str], key: str, low: float, high: float, *, whole: bool = False
) -> float | None:
    """Read one numeric parameter within [low, high]; None where it is not given."""
    if key not in parameters:
        return None
    try:
        number = float(parameters[key])
    except ValueError:
        number = math.nan
    if not (low <= number <= high and math.isfinite(number)) or (whole and number != int(number)):
        kind = "whole number" if whole else "number"
        bound = f"from {low:,} to {high:,}" if math.isfinite(high) else f"of at least {low:,}"
        raise ConfigError(f"{key} is {parameters[key]!r}", f"Give a {kind} {bound}.")
    return number
