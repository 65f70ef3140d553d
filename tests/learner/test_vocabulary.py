import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput
from understudy.features import FeatureColumns, Features, Number
from understudy.learner.vocabulary import Vocabulary


def one_row(keys, values=None):
    """Make one row of these keys."""
    values = np.ones(len(keys)) if values is None else values
    return Features(np.array([0, len(keys)]), np.array(keys, np.uint64), np.array(values, np.float32))


@given(st.lists(st.integers(0, 2**64 - 1), max_size=60), st.integers(1, 7))
@settings(max_examples=50, deadline=None)
def test_ids_follow_first_occurrence_whatever_the_batches(keys, size):
    """A key's id is its rank of first occurrence, however the keys are cut into batches."""
    vocabulary = Vocabulary()
    ids = [
        vocabulary.index(one_row(keys[first : first + size]), grow=True).ids.tolist()
        for first in range(0, len(keys), size)
    ]
    ranks = {key: rank for rank, key in enumerate(dict.fromkeys(keys), 1)}
    assert [i for batch in ids for i in batch] == [ranks[key] for key in keys]
    assert vocabulary.counts[1:].tolist() == [keys.count(key) for key in ranks]


def test_vocabulary_grows_far_beyond_its_first_size():
    """A hundred thousand keys keep their ids through every growth of the table."""
    keys = np.random.default_rng(0).integers(0, 2**64, 100_000, dtype=np.uint64)
    vocabulary = Vocabulary()
    first = vocabulary.index(one_row(keys), grow=True).ids
    again = vocabulary.index(one_row(keys), grow=False).ids
    assert (first == np.arange(1, len(keys) + 1)).all()
    assert (first == again).all()


def test_keys_beyond_the_limit_are_dropped_and_counted():
    """A full vocabulary leaves new keys out and says how often."""
    vocabulary = Vocabulary(limit=2)
    indexed = vocabulary.index(one_row([5, 6, 7, 5]), grow=True)
    assert indexed.ids.tolist() == [1, 2, 1]
    assert indexed.indptr.tolist() == [0, 3]
    assert vocabulary.dropped == 1


def test_unknown_keys_are_left_out_without_growing():
    """Looking up changes nothing and leaves unknown keys out."""
    vocabulary = Vocabulary()
    vocabulary.index(one_row([5]), grow=True)
    assert vocabulary.index(one_row([9, 5]), grow=False).ids.tolist() == [1]
    assert vocabulary.size == 2


@pytest.mark.parametrize("first", [1.0, 1e9, 1e-9])
def test_scale_follows_usual_values_after_an_odd_first_one(first):
    """A feature's scale comes within a factor of 4 of its usual values, whatever value came first."""
    vocabulary = Vocabulary()
    values = np.concatenate([[first], np.random.default_rng(1).normal(size=1000) * 3])
    vocabulary.index(Features(np.arange(1002), np.full(1001, 7, np.uint64), values.astype(np.float32)), grow=True)
    assert 3 / 4 < vocabulary.scales[1] < 3 * 4


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_value_that_is_not_finite_is_refused_before_anything_changes(bad):
    """NaN and infinity are refused with the row's number, and the vocabulary stays as it was."""
    vocabulary = Vocabulary()
    with pytest.raises(InvalidInput, match="row 0"):
        vocabulary.index(one_row([5, 6], [1.0, bad]), grow=True)
    assert vocabulary.size == 1


def test_tokens_are_stretched_by_rarity_and_numbers_not():
    """A rare word pulls more than a frequent one, all words' occurrences together as before, a number as it is."""
    vocabulary = Vocabulary()
    for row in range(100):
        words = [1, *([2] if row % 4 == 0 else []), *([3] if row == 50 else [])]
        vocabulary.index(one_row(words, [0.5] * len(words)), grow=True)
    intercept, number, frequent, rare = vocabulary.stretches(100)
    assert intercept == number == 1
    assert 0 < frequent < 1 < rare
    assert (25 * frequent**2 + rare**2) / 26 == pytest.approx(1)


@given(st.lists(st.floats(width=32, allow_infinity=False), max_size=80))
@settings(max_examples=200, deadline=None)
def test_scale_of_a_column_is_that_of_its_values_one_by_one(values):
    """A column of numbers, taken at once, leaves the scale that its numbers leave as single features."""
    column = np.array(values, np.float32)
    whole, single = Vocabulary(), Vocabulary()
    whole.index_columns(FeatureColumns(len(column), (Number(7, 8, column.astype(np.float64)),)), 0)
    known = column[~np.isnan(column) & (column != 0)]
    single.index(Features(np.arange(len(known) + 1), np.full(len(known), 7, np.uint64), known), grow=True)
    assert whole.scales[1:2].tolist() == single.scales[1:2].tolist() or not len(known)


def test_where_a_batch_ends_changes_no_scale():
    """Of many rows the same ones tell the scale, in whatever batches they come."""
    numbers = np.random.default_rng(3).normal(size=40_000) * np.geomspace(1, 50, 40_000)
    found = set()
    for size in (40_000, 7_001, 16_384):
        vocabulary = Vocabulary()
        for first in range(0, len(numbers), size):
            part = numbers[first : first + size]
            vocabulary.index_columns(FeatureColumns(len(part), (Number(7, 8, part),)), first)
        found.add(float(vocabulary.scales[1]))
    assert len(found) == 1
    assert found.pop() > 20
