"""Scores of frozen weights: keys are found, whatever stands beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.learner.scoring import KeyIndex


@settings(max_examples=60, deadline=None)
@given(known=st.lists(st.integers(0, 2**64 - 1), max_size=80, unique=True), bits=st.sampled_from([0, 40, 60]))
def test_every_key_is_found_and_no_other(known, bits):
    """Keys spread by their first bits, or all beginning alike, stand where a plain search finds them."""
    keys = np.unique(np.array(known, np.uint64) >> np.uint64(bits))
    wanted = np.concatenate([keys, keys + np.uint64(1), np.array([0, 2**64 - 1], np.uint64)])
    place = {key: number for number, key in enumerate(keys.tolist())}
    assert KeyIndex(keys).places(wanted).tolist() == [place.get(key, -1) for key in wanted.tolist()]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100_000])
def test_only_the_held_keys_are_looked_up(count):
    """The place of a held key stands where the key does."""
    rng = np.random.default_rng(count)
    keys = np.unique(rng.integers(0, 2**64, count, dtype=np.uint64))
    held = np.flatnonzero(rng.random(len(keys)) < 0.5).astype(np.int32)
    assert KeyIndex(keys).places_of(keys, held)[held].tolist() == held.tolist()
