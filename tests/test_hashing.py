"""The 64-bit hash: kernels and plain twins agree, and the values never change."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from understudy.hashing import fractions, hash_numbers, hash_strings, hash_text, hash_words, mix

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
seeds = st.integers(0, 2**64 - 1)


@given(st.lists(texts, min_size=1, max_size=20), seeds)
def test_kernel_and_twin_agree_on_texts(values, seed):
    """Compiled and plain code give the same 64 bits for any text and seed."""
    assert hash_strings(pa.array(values), seed).tolist() == [hash_text(value, seed) for value in values]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20), seeds)
def test_kernel_and_twin_agree_on_words(words, seed):
    """The same for 64-bit words."""
    hashed = hash_words(np.array(words, np.uint64), seed)
    assert hashed.tolist() == [mix(seed ^ mix(word)) for word in words]


def test_values_never_change():
    """Row keys are stored and compared for years: these values are for ever."""
    assert [hash_text(text, 1) for text in ("", "a", "Rome", "Zürich, eight or more")] == [
        14534473883187923367, 13443556415683930378, 12962805916079933247, 8420557389358819295,
    ]  # fmt: skip
    assert hash_numbers(np.array([0.0, 1.5]), 1).tolist() == [14534473883187923367, 820722168204485855]


def test_null_counts_as_the_empty_text():
    """An empty cell and a missing one are the same row."""
    assert hash_strings(pa.array([None, ""]), 7).tolist() == [hash_text("", 7)] * 2


def test_slices_and_large_texts_hash_like_copies():
    """Where an array begins in its buffer, and how wide its offsets are, changes nothing."""
    whole = pa.array(["one", "two", None, "three"])
    expected = hash_strings(pa.array(["two", None, "three"]), 3).tolist()
    assert hash_strings(whole.slice(1), 3).tolist() == expected
    assert hash_strings(whole.slice(1).cast(pa.large_string()), 3).tolist() == expected
    assert hash_strings(pa.chunked_array([whole.slice(1, 1), whole.slice(2)]), 3).tolist() == expected
    assert len(hash_strings(pa.array([], pa.string()), 3)) == 0


def test_numbers_have_one_zero_and_one_nan():
    """-0.0 is 0.0, and whatever is not a number is one value."""
    other_nan = np.array([0x7FF8000000000001], np.uint64).view(np.float64)[0]
    hashed = hash_numbers(np.array([0.0, -0.0, np.nan, other_nan]), 5)
    assert hashed[0] == hashed[1]
    assert hashed[2] == hashed[3]
    assert hashed[0] != hashed[2]


def test_seed_and_length_matter():
    """Another seed is another hash; trailing zero bytes are not lost."""
    assert hash_text("a", 1) != hash_text("a", 2)
    assert hash_text("a", 1) != hash_text("a\0", 1)


def test_fractions_are_even():
    """Hashes of neighbours fill [0, 1) evenly: no tenth of it has more than 11 % of 20,000."""
    shares = fractions(hash_words(np.arange(20_000, dtype=np.uint64), 1))
    assert shares.min() >= 0
    assert shares.max() < 1
    counts, _ = np.histogram(shares, bins=10, range=(0, 1))
    assert counts.min() > 1_800
    assert counts.max() < 2_200


@given(texts, seeds)
def test_bytes_at_the_end_of_a_buffer_hash_like_others(text, seed):
    """Where a text ends with its buffer, its last bytes are read without a look beyond, and count the same."""
    data = text.encode()
    exact = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data))
    assert hash_strings(exact, seed).tolist() == [hash_text(text, seed)]
