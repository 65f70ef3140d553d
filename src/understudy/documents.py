"""Records as plain JSON values, for the catalog and for `--json`."""

from __future__ import annotations

import math
from typing import Any

import msgspec


def plain(value: Any) -> Any:
    """Return records, tuples and NumPy numbers as dicts, lists and numbers; what is not finite becomes None.

    >>> import numpy as np
    >>> plain({"auc": np.float64(0.5), "lower": float("nan"), "rows": (np.int64(3),)})
    {'auc': 0.5, 'lower': None, 'rows': [3]}
    """
    return _finite(msgspec.to_builtins(value, enc_hook=_number))


def _number(value: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - most documents hold plain numbers alone, and commands that print them are quick

    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no place in a document")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
