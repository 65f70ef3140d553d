import itertools

import numpy as np
import pytest

from learner.worlds import features_of, rows_of, same, take
from understudy.errors import InvalidInput, UsageError
from understudy.features import FeatureColumns, Number, Single, Tokens
from understudy.learner.learner import learn
from understudy.learner.rows import Rows


def visited(rows, number):
    """Return the row numbers of a pass in the order in which it visits them."""
    return np.concatenate([numbers[order] for numbers, order in rows.passing(number, lambda block: block.numbered)])


def in_batches(rows, features, labels, size):
    """Append these rows batch after batch."""
    for first in range(0, len(labels), size):
        part = np.arange(first, min(first + size, len(labels)))
        rows.append(take(features, part), labels[part])
    return rows


@pytest.mark.parametrize("shuffle", [True, False])
def test_pass_order_is_the_same_in_memory_and_in_files(tmp_path, shuffle):
    """Neither spilling nor batching changes which row comes when, nor what it holds."""
    features = features_of(np.random.default_rng(0).integers(0, 50, (3000, 4)))
    labels = np.arange(3000.0)
    kept = rows_of(features, labels, shuffle=shuffle)
    spilled = in_batches(Rows(tmp_path, shuffle=shuffle, memory=20_000), features, labels, 170)
    assert list(tmp_path.iterdir())
    for number in (1, 2):
        assert (visited(kept, number) == visited(spilled, number)).all()
    for block in spilled.blocks():
        assert (block.labels == block.numbered).all()
        for i in (0, len(block.labels) - 1):
            expected = kept.vocabulary.index(take(features, block.numbered[i : i + 1]), grow=False)
            assert (block.ids[block.indptr[i] : block.indptr[i + 1]] == expected.ids).all()


def test_every_pass_visits_every_row_once_in_an_order_of_its_own():
    """A shuffled pass is a permutation, and the next pass is another one."""
    rows = rows_of(features_of(np.zeros((500, 1))), np.zeros(500))
    first, second = visited(rows, 1), visited(rows, 2)
    assert sorted(first) == list(range(500))
    assert (first != second).any()


def test_sorted_file_comes_mixed():
    """After shuffling, the first tenth of a pass over a file sorted by class holds both classes in good proportion."""
    labels = np.repeat([0.0, 1.0], 1000)
    rows = rows_of(features_of(np.zeros((2000, 1))), labels)
    assert 0.3 < labels[visited(rows, 1)[:200]].mean() < 0.7


def test_rows_keep_file_order_without_shuffling():
    """With shuffling off, every pass reads the rows as they came."""
    rows = rows_of(features_of(np.zeros((500, 1))), np.zeros(500), shuffle=False)
    assert (visited(rows, 3) == np.arange(500)).all()


def test_row_that_is_not_finite_is_refused_and_none_is_kept():
    """A NaN label or a negative weight is refused with its row, and nothing of its batch is kept."""
    rows = rows_of(features_of(np.zeros((3, 1))), np.zeros(3))
    with pytest.raises(InvalidInput, match="label of row 4"):
        rows.append(features_of(np.zeros((2, 1))), np.array([1.0, np.nan]))
    with pytest.raises(InvalidInput, match="weight of row 3"):
        rows.append(features_of(np.zeros((2, 1))), np.zeros(2), np.array([-1.0, 1.0]))
    with pytest.raises(UsageError, match="2 rows came with 3 labels"):
        rows.append(features_of(np.zeros((2, 1))), np.zeros(3))
    assert rows.count == 3
    assert len(visited(rows, 1)) == 3


def test_spilled_rows_come_back_where_some_have_no_tokens(tmp_path):
    """Pieces without any token beside pieces with some: every row has its own again, and learning has the same bits."""
    rng = np.random.default_rng(4)
    sizes = np.where(rng.random(3000) < 0.9, 0, rng.integers(1, 4, 3000))
    sizes[:400] = 0
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    columns = FeatureColumns(
        3000,
        (
            Single(np.array([5, 6], np.uint64), rng.integers(0, 2, 3000).astype(np.int32)),
            Tokens(offsets, rng.integers(10, 60, offsets[-1]).astype(np.uint64)),
        ),
    )
    labels = rng.integers(0, 2, 3000).astype(float)
    kept, spilled = Rows(), Rows(tmp_path, memory=4_000)
    for rows in (kept, spilled):
        for first in range(0, 3000, 150):
            rows.append(part_of(columns, first, first + 150), labels[first : first + 150])
    for block in spilled.blocks():
        assert (np.diff(block.indptr) == sizes[block.numbered]).all()
        assert len(block.ids) == block.indptr[-1]
    assert same(learn(kept, "logistic", 1), learn(spilled, "logistic", 1))


def part_of(columns, first, last):
    """Return some of the rows of feature columns."""
    single, tokens = columns.columns
    offsets = tokens.offsets[first : last + 1]
    keys = tokens.keys[offsets[0] : offsets[-1]]
    return FeatureColumns(
        last - first, (Single(single.keys, single.codes[first:last]), Tokens(offsets - offsets[0], keys))
    )


@pytest.mark.parametrize("cuts", [[], [0], [100], [100, 150, 150], [50, 199], [200]])
def test_numbers_are_learned_whatever_the_last_batch_holds(cuts):
    """A last batch that is empty, all missing, or without a missing number takes no feature from the rows before."""
    numbers = np.concatenate([np.linspace(-1, 1, 100), np.full(50, np.nan), np.linspace(0.5, 1, 50)])
    labels = (np.nan_to_num(numbers, nan=2.0) > 0).astype(float)
    rows = Rows()
    for first, last in itertools.pairwise([0, *cuts, 200]):
        rows.append(FeatureColumns(last - first, (Number(7, 8, numbers[first:last]),)), labels[first:last])
    fit = learn(rows, "logistic", 1)
    assert fit.keys.tolist() == [7, 8]
    assert same(fit, learn(whole(numbers, labels), "logistic", 1))


def whole(numbers, labels):
    """Append the same rows at once."""
    rows = Rows()
    rows.append(FeatureColumns(len(labels), (Number(7, 8, numbers),)), labels)
    return rows


def test_rows_that_are_being_learned_take_no_more():
    """Appending after learning is refused: the vocabulary is closed."""
    rows = rows_of(features_of(np.zeros((30, 1))), np.arange(30) % 2.0)
    learn(rows, "logistic", 1)
    with pytest.raises(UsageError, match="being learned"):
        rows.append(features_of(np.zeros((1, 1))), np.zeros(1))
