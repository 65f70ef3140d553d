"""Which rows are held out, and the digest of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.config import Split
from understudy.datasource import RowDigest, held_out
from understudy.hashing import hash_words

KEYS = hash_words(np.arange(10_000, dtype=np.uint64), 3)


@pytest.mark.parametrize("strategy", ["stable", "random", "sequential"])
@pytest.mark.parametrize("train", [10, 70, 99])
def test_share_is_as_asked_for(strategy, train):
    """Every strategy trains on its percentage, give or take chance."""
    share = 1 - held_out(Split(strategy=strategy, train=train), KEYS, 0, len(KEYS)).mean()
    assert share == pytest.approx(train / 100, abs=0.015)


@given(st.integers(0, 9_999), st.integers(0, 9_999))
def test_stable_split_hangs_on_the_row_alone(first, other):
    """A row that was ever held out stays held out, whatever rows come and go around it."""
    rows = KEYS[[first, other]]
    out = held_out(Split(), rows, 77, 123_456)
    assert out.tolist() == held_out(Split(), KEYS, 0, len(KEYS))[[first, other]].tolist()


@pytest.mark.parametrize("strategy", ["stable", "random", "sequential"])
def test_batches_change_nothing(strategy):
    """A row's part does not hang on where a batch ends."""
    split = Split(strategy=strategy)
    whole = held_out(split, KEYS, 0, len(KEYS))
    parts = [held_out(split, KEYS[at : at + 777], at, len(KEYS)) for at in range(0, len(KEYS), 777)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_sequential_split_holds_out_the_last():
    """Rows in order of time: the last 30 % are judged on."""
    out = held_out(Split(strategy="sequential"), KEYS, 0, len(KEYS))
    assert not out[:7_000].any()
    assert out[7_000:].all()


@pytest.mark.parametrize("strategy", ["stable", "random"])
def test_seed_makes_another_split(strategy):
    """Two seeds agree on no more rows than chance would."""
    one, other = (held_out(Split(strategy=strategy, seed=seed), KEYS, 0, len(KEYS)) for seed in ("a", "b"))
    assert (one & other).mean() == pytest.approx(0.09, abs=0.015)


def test_digest_knows_order_and_not_batches():
    """The same rows in the same order, however they were cut: the same digest; another order, another."""

    def digest(*parts):
        made = RowDigest()
        for part in parts:
            made.add(part)
        return made.value(), made.rows

    assert digest(KEYS) == digest(KEYS[:10], KEYS[10:10], KEYS[10:])
    assert digest(KEYS)[1] == 10_000
    assert digest(KEYS)[0] != digest(KEYS[::-1])[0]
    assert digest(KEYS)[0] != digest(KEYS[:-1])[0]
