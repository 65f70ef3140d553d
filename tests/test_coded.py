"""A column of text that travels coded says the very same as the plain one."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.values import (
    CODED,
    canonical_array,
    canonical_type,
    coded_batch,
    conform_batch,
    plain_batch,
    read_numbers,
    read_texts,
    read_truths,
    row_keys,
)
from understudy.values.coded import coded, coded_array, coded_schema

WORDS = ["1", "1.0", "-0", "007", "+1", "1e5", "1e400", "", " ", " x ", "x", "NA", "n/a", "?", "inf", "TRUE", "t", "no"]
WORDS += ["12345678901234567890", "9007199254740993", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00"]
TEXTS = st.one_of(
    st.none(),
    st.sampled_from(WORDS),
    st.text(max_size=4),
    st.floats().map(repr),
)
COLUMNS = st.lists(TEXTS, max_size=30)


def _raw(cells):
    """Return a dictionary as another program may write it: in order, with doubles, nulls and cells of no row."""
    values = pa.array([*cells, "unused", None, *cells], pa.string())
    return pa.DictionaryArray.from_arrays(pa.array(range(len(cells), 0, -1), pa.int8()), values)


def _same(found, expected):
    np.testing.assert_array_equal(found.values, expected.values)
    assert (found.missing, found.invalid) == (expected.missing, expected.invalid)


@settings(deadline=None)
@given(COLUMNS)
def test_canonical_form_of_a_dictionary_is_that_of_its_cells(cells):
    """Any dictionary of text becomes cells in canonical form that all differ, none null or empty, whatever it held."""
    raw = _raw(cells)
    found = canonical_array(raw)
    assert found.type == CODED == canonical_type(raw.type)
    assert found.to_pylist() == canonical_array(raw.dictionary_decode()).to_pylist()
    values = found.dictionary.to_pylist()
    assert len(set(values)) == len(values)
    assert all(values)
    assert canonical_array(found).equals(found)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pa.array([1, 2]), pa.int64()),
        (pa.array([0.1, math.nan], pa.float32()), pa.float64()),
        (pa.array([True, False]), pa.bool_()),
        (pa.array([2**64 - 1, 1], pa.uint64()), CODED),
        (pa.array([b"a", b"\xff"]), CODED),
        (pa.array([" a", "a "], pa.large_string()), CODED),
    ],
)
def test_dictionaries_of_other_types_are_read_by_what_they_hold(values, kind):
    """A dictionary of numbers is a column of numbers; one of anything that becomes text travels coded."""
    array = pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.uint8()), values)
    found = canonical_array(array)
    assert found.type == kind == canonical_type(array.type)
    assert found.to_pylist() == canonical_array(array.dictionary_decode()).to_pylist()


@settings(deadline=None)
@given(COLUMNS, st.integers(0, 5))
def test_coded_cells_read_as_plain_ones(cells, start):
    """Numbers, truth values, texts and keys of a coded column, or of a slice of one, are those of the plain column."""
    plain = canonical_array(pa.array(cells, pa.string())).slice(start)
    array = coded_array(canonical_array(pa.array(cells, pa.string()))).slice(start)
    assert array.type == CODED
    _same(read_numbers(array), read_numbers(plain))
    _same(read_truths(array), read_truths(plain))
    assert read_texts(array).equals(read_texts(plain))
    one, other = (pa.RecordBatch.from_arrays([each], ["a"]) for each in (array, plain))
    np.testing.assert_array_equal(row_keys(one, ["a"]), row_keys(other, ["a"]))
    for kind in (pa.string(), pa.int64(), pa.float64(), pa.bool_(), CODED):
        assert conform_batch(one, [("a", kind)])[0].to_pylist() == conform_batch(other, [("a", kind)])[0].to_pylist()
        assert conform_batch(one, [("a", kind)])[0].schema.types == [kind]


@given(COLUMNS)
def test_codes_say_where_cells_stand(cells):
    """Each row's code leads to its cell, and one past the last cell where it has none."""
    plain = canonical_array(pa.array(cells, pa.string()))
    for array in (plain, coded_array(plain), pa.chunked_array([plain.slice(0, 3), plain.slice(3)])):
        values, codes = coded(array)
        assert codes.dtype == np.int32
        assert [[*values.to_pylist(), None][code] for code in codes] == plain.to_pylist()


def test_batches_are_coded_and_made_plain_again():
    """Only columns of text change; plain is what a function of the user's gets."""
    batch = pa.RecordBatch.from_pydict({"a": ["x", None, "x"], "n": [1, 2, 3]})
    array = coded_batch(batch)
    assert array.schema == coded_schema(batch.schema) == pa.schema([("a", CODED), ("n", pa.int64())])
    assert array.column("a").dictionary.to_pylist() == ["x"]
    assert plain_batch(array).equals(batch)
    assert plain_batch(batch) is batch


def test_other_types_conform_to_coded_text():
    """A column of numbers whose files differ becomes text, and that travels coded, nulls kept."""
    found, _ = conform_batch(pa.RecordBatch.from_pydict({"a": [1.0, None, 1.0]}), [("a", CODED), ("b", CODED)])
    assert found.to_pylist() == [{"a": "1", "b": None}, {"a": None, "b": None}, {"a": "1", "b": None}]
    assert found.schema.types == [CODED, CODED]
