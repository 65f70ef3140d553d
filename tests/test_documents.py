"""Records become plain JSON values."""

import json
import math

import msgspec
import numpy as np
import pytest

from understudy.documents import plain
from understudy.schema import ModelType


class Inner(msgspec.Struct, frozen=True):
    """A record in a record."""

    score: float
    kind: ModelType


def test_records_become_dicts_and_lists():
    """Structs, tuples, enums and NumPy numbers have their JSON form, at any depth."""
    value = {"inner": (Inner(0.5, ModelType.BINARY),), "count": np.int64(3), "share": np.float32(0.25), "yes": np.True_}
    document = plain(value)
    assert document == {"inner": [{"score": 0.5, "kind": "BINARY"}], "count": 3, "share": 0.25, "yes": True}
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")])
def test_what_is_not_finite_becomes_null(value):
    """JSON has no NaN; the document says null, however deep it stands."""
    assert plain({"a": [value, {"b": value}], "c": Inner(float(value), ModelType.BINARY)}) == {
        "a": [None, {"b": None}],
        "c": {"score": None, "kind": "BINARY"},
    }


def test_what_has_no_place_is_said():
    """Something that is no record at all is a mistake with its type's name."""
    with pytest.raises(NotImplementedError, match="complex"):
        plain({"a": 1j})
