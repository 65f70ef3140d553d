"""Splits: by position or by chance, every row falls on exactly one side, wherever blocks end."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy.service.rearrangement import Rearrangement
from understudy.service.work.selection import Selection, overlap

ranges = st.tuples(st.integers(0, 99), st.integers(1, 100)).filter(lambda pair: pair[0] < pair[1])
strategies = st.sampled_from(["sequential", "random"])


def taken(asked, offsets, cuts=()):
    """Tell which of the records a selection takes, asked block by block."""
    chosen = Selection(asked, len(offsets))
    return np.concatenate([chosen(block) for block in np.split(offsets, sorted(cuts))])


@given(ranges, strategies, st.text(max_size=3), st.integers(0, 500), st.lists(st.integers(0, 500), max_size=5))
def test_complementary_pair_takes_every_row_once(pair, strategy, seed, rows, cuts):
    """A range and its complement are all rows and share none, wherever blocks end."""
    offsets = np.cumsum(np.arange(rows) % 7 + 1)
    one = taken(Rearrangement(*pair, False, strategy, seed), offsets, [cut for cut in cuts if cut <= rows])
    other = taken(Rearrangement(*pair, True, strategy, seed), offsets)
    assert (one ^ other).all()


@given(st.integers(1, 99), strategies, st.integers(0, 500))
def test_neighbouring_ranges_take_every_row_once(cut, strategy, rows):
    """Ranges are half open: 0 to 70 and 70 to 100 are all rows and share none."""
    offsets = np.arange(rows) * 11
    first = taken(Rearrangement(0, cut, False, strategy), offsets)
    second = taken(Rearrangement(cut, 100, False, strategy), offsets)
    assert (first ^ second).all()


def test_positions_are_rounded_down():
    """70 % of 1,046 records are the first 732, as the service had it."""
    chosen = taken(Rearrangement(0, 70), np.arange(1046))
    assert chosen[:732].all()
    assert not chosen[732:].any()


def test_chance_takes_about_its_share_and_hangs_on_seed_and_offset():
    """A random split takes its share of the rows, others with another seed, the same with the same."""
    offsets = np.arange(20_000) * 40
    chosen = taken(Rearrangement(20, 50, False, "random", "a"), offsets)
    assert abs(chosen.mean() - 0.3) < 0.02
    assert (chosen == taken(Rearrangement(20, 50, False, "random", "a"), offsets, [1, 700])).all()
    assert (chosen != taken(Rearrangement(20, 50, False, "random", "b"), offsets)).mean() > 0.3
    assert (chosen != taken(Rearrangement(20, 50, False, "random", "a"), offsets + 1)).mean() > 0.3


@given(ranges, ranges, st.booleans(), st.booleans(), strategies)
def test_overlap_is_told(one, other, first, second, strategy):
    """Two selections that share rows are said to overlap, and those of one kind that share none are not."""
    a, b = Rearrangement(*one, first, strategy), Rearrangement(*other, second, strategy)
    offsets = np.arange(10_000) * 3
    assert bool((taken(a, offsets) & taken(b, offsets)).any()) == overlap(a, b)
    if strategy == "random":  # by another seed, whatever takes anything may share rows with it
        reseeded = Rearrangement(*other, second, strategy, "other seed")
        assert overlap(a, reseeded) == bool(taken(a, offsets).any() and taken(b, offsets).any())
