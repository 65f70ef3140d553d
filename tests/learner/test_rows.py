import numpy as np
import pytest

from learner.worlds import features_of, rows_of, take
from understudy.errors import InvalidInput, UsageError
from understudy.learner.rows import Rows


def visited(rows, number):
    """Return the row numbers of a pass in the order in which it visits them."""
    return np.concatenate([block.numbered[order] for block, order in rows.passing(number)])


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
