"""The target: labels become numbers to learn from, whatever the source calls them."""

import math

import numpy as np
import pyarrow as pa
import pytest

from understudy.schema import ModelType
from understudy.target import Target, sorted_labels


def _codes(target, cells):
    return [None if math.isnan(code) else code for code in target.codes(pa.array(cells)).tolist()]


def test_two_labels_may_be_called_anything():
    """The second label counts as 1; what is empty or neither cannot be used."""
    target = Target("answer", ModelType.BINARY, ("cat", "dog"))
    assert _codes(target, ["dog", "cat", "", None, "cow"]) == [1, 0, None, None, None]
    assert target.outputs == 1


def test_truth_values_may_be_spelled_in_many_ways():
    """Where the labels are truth values, Amazon ML's other spellings of them count, too."""
    target = Target("y", ModelType.BINARY, ("0", "1"))
    assert _codes(target, ["1", "true", "Yes", "T", "0", "false", "n", "maybe"]) == [1, 1, 1, 1, 0, 0, 0, None]


@pytest.mark.parametrize(
    "cells", [pa.array([True, False]), pa.array([1, 0]), pa.array([1.0, 0.0]), pa.array(["1", "0"])]
)
def test_type_of_the_column_does_not_matter(cells):
    """Truth values, whole numbers, fractions and text are the same labels."""
    labels = ("false", "true") if pa.types.is_boolean(cells.type) else ("0", "1")
    assert Target("y", ModelType.BINARY, labels).codes(cells).tolist() == [1.0, 0.0]


def test_classes_are_their_places():
    """One of many labels is its place among them; an unknown one cannot be used."""
    target = Target("kind", ModelType.MULTICLASS, ("a", "b", "c"))
    assert _codes(target, ["c", "a", "z", None]) == [2, 0, None, None]
    assert target.outputs == 3


def test_numbers_are_themselves():
    """A regression learns from the number; a word or an infinite one is no target."""
    target = Target("price", ModelType.REGRESSION)
    assert _codes(target, ["1.5", "-2e3", "", "dear"]) == [1.5, -2000, None, None]
    assert target.outputs == 1


def test_stored_observations_hold_1_and_0():
    """A BINARY target is stored as 1 and 0, others as they are; the stored target reads them back."""
    target = Target("answer", ModelType.BINARY, ("no", "yes"))
    cells = pa.array(["yes", "no", None])
    stored = target.stored(cells)
    assert stored.to_pylist() == [1, 0, None]
    np.testing.assert_array_equal(target.of_stored.codes(stored), target.codes(cells))
    for numbers in ([1, 0], [], [1, 2, -1], [1, None]):
        cells = pa.array(numbers, pa.int64())
        np.testing.assert_array_equal(target.of_stored.codes(cells), target.of_stored.codes(cells.cast(pa.string())))
    kinds = Target("kind", ModelType.MULTICLASS, ("a",))
    assert kinds.stored(cells) is cells
    assert kinds.of_stored == kinds


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["b", "10", "9"], ("10", "9", "b")),
        (["1.0", "-3", "1"], ("-3", "1", "1.0")),
        ([], ()),
    ],
)
def test_labels_sort_as_numbers_where_all_are(labels, expected):
    """Numbers sort by value, anything else as text, so the order hangs on no row."""
    assert sorted_labels(labels) == expected
