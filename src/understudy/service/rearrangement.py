"""DataRearrangement: which rows of the data a data source takes (reference 3.7).

>>> Rearrangement.from_json('{"splitting": {"percentBegin": 0, "percentEnd": 70, "complement": "true"}}')
Rearrangement(begin=0, end=70, complement=True, strategy='sequential', seed='')
"""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

import msgspec

from understudy.service.faults import InvalidInputException

Strategy = Literal["sequential", "random"]

_KEYS = ("percentBegin", "percentEnd", "complement", "strategy", "strategyParams", "randomSeed")
_EXAMPLE = 'Write for example {"splitting": {"percentBegin": 0, "percentEnd": 70, "strategy": "random"}}.'


class Rearrangement(msgspec.Struct, frozen=True):
    """The rows whose percentage lies in [begin, end), or with `complement` all others."""

    begin: int = 0
    end: int = 100
    complement: bool = False
    strategy: Strategy = "sequential"
    """`sequential` gives rows their percentage by position, `random` by seed and byte offset."""
    seed: str = ""

    @classmethod
    def from_json(cls, text: str | None) -> Rearrangement:
        """Read the JSON text; None and an empty one take all rows. Raises InvalidInputException.

        The seed may stand under `strategyParams`, in `splitting`, or beside it: Amazon's own material has all three.
        """
        if text is None or not text.strip():
            return cls()
        document = _object(_parsed(text), "DataRearrangement", ("splitting", "randomSeed"))
        splitting = _object(document.get("splitting"), "splitting of DataRearrangement", _KEYS)
        begin, end = _percent(splitting, "percentBegin", 0), _percent(splitting, "percentEnd", 100)
        if begin >= end:
            raise InvalidInputException(
                f"DataRearrangement takes the rows from {begin} to {end} percent, which are none",
                "percentBegin must be below percentEnd; `complement` takes the rows outside of them.",
            )
        params = _object(splitting.get("strategyParams"), "strategyParams of DataRearrangement", ("randomSeed",))
        return cls(begin, end, _complement(splitting), _strategy(splitting), _seed(params, splitting, document))

    @property
    def takes_all(self) -> bool:
        """Whether every row is taken."""
        return (self.begin, self.end, self.complement) == (0, 100, False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputException(f"DataRearrangement is not JSON: {error}", _EXAMPLE) from None


def _object(value: Any, what: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a JSON object that has none but the known keys; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputException(f"{what} is {_shown(value)}, not an object", _EXAMPLE)
    unknown = [key for key in value if key not in keys]
    if unknown:
        raise InvalidInputException(f"{what} has the unknown key {_shown(unknown[0])}", f"Known are {', '.join(keys)}.")
    return value


def _percent(splitting: dict[str, Any], key: str, default: int) -> int:
    value = splitting.get(key, default)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or not 0 <= value <= 100:
        raise InvalidInputException(
            f"{key} of DataRearrangement is {_shown(value)}", "Give a whole number from 0 to 100."
        )
    return int(value)


def _complement(splitting: dict[str, Any]) -> bool:
    value = splitting.get("complement", False)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise InvalidInputException(f"complement of DataRearrangement is {_shown(value)}", "Write true or false.")


def _strategy(splitting: dict[str, Any]) -> Strategy:
    value = splitting.get("strategy", "sequential")
    for strategy in get_args(Strategy):
        if value == strategy:
            chosen: Strategy = strategy
            return chosen
    raise InvalidInputException(
        f"strategy of DataRearrangement is {_shown(value)}", f"Use {' or '.join(get_args(Strategy))}."
    )


def _seed(*places: dict[str, Any]) -> str:
    """Return the first seed that is given."""
    seed = next((place["randomSeed"] for place in places if place.get("randomSeed") is not None), "")
    if isinstance(seed, bool) or not isinstance(seed, (str, int)):
        raise InvalidInputException(f"randomSeed of DataRearrangement is {_shown(seed)}", "Give text.")
    return str(seed)


def _shown(value: object) -> str:
    return repr(value)[:80]
