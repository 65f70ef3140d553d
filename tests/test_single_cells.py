"""One cell read alone, and as one of a column: the same numbers, truth values and texts."""

import math
import struct

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from understudy.values import canonical_array, read_numbers, read_texts, read_truths
from understudy.values.single import (
    CELL_OF_RECORD,
    holds_no_number,
    number_reader,
    number_text_of_record,
    read_number,
    read_text,
    read_truth,
    rounded,
)

ODD = ("nan", "N/A", "?", "inf", "-inf", "1e999", "-1e999", "1e-999", "5e-324", "0x1F", "1_000", "٣", "+7", "-.5e+3")
texts = st.text(max_size=12) | st.floats().map(repr) | st.integers().map(str) | st.sampled_from(ODD)
words = st.sampled_from(["1", "y", "YES", "T", "True", "0", "n", "No", "F", "FALSE", "\u212a", "İ", "\u017f"])

columns = (
    st.lists(texts | words | st.none(), max_size=8).map(lambda cells: canonical_array(pa.array(cells, pa.string())))
    | st.lists(st.floats() | st.none(), max_size=8).map(lambda cells: canonical_array(pa.array(cells, pa.float64())))
    | st.lists(st.integers(-(2**63), 2**63 - 1) | st.none(), max_size=8).map(lambda cells: pa.array(cells, pa.int64()))
    | st.lists(st.booleans() | st.none(), max_size=8).map(lambda cells: pa.array(cells, pa.bool_()))
)


@given(columns)
def test_cells_read_alone_as_in_their_column(array):
    """Of each of the four types: the number to the bit, what counts as no number, the truth value and the text."""
    cells = array.to_pylist()
    numbers = read_numbers(array)
    assert np.array([read_number(cell) for cell in cells]).tobytes() == numbers.values.tobytes()
    assert sum(map(holds_no_number, cells)) == numbers.invalid
    truths = [math.nan if (truth := read_truth(cell)) is None else float(truth) for cell in cells]
    np.testing.assert_array_equal(truths, read_truths(array).values)
    assert [read_text(cell) for cell in cells] == read_texts(array).to_pylist()


values = (
    texts | words | st.floats() | st.integers() | st.integers(10**300, 10**310) | st.booleans() | st.none()
) | st.lists(st.integers(), max_size=2)


def or_refused(read, value):
    """Return what is read of a value, text where it is refused."""
    try:
        return read(value)
    except ValueError:
        return "refused"


@given(values, st.sampled_from([*CELL_OF_RECORD.values(), number_text_of_record]))
def test_number_is_read_of_a_value_as_of_its_cell(value, read):
    """In one step or two, by any reader: the same number, or the same refusal."""
    expected = or_refused(lambda value: read_number(read(value)), value)
    np.testing.assert_array_equal(or_refused(number_reader(read), value), expected)


@given(st.floats(width=32) | st.floats(-1e38, 1e38) | st.just(1e300))
def test_rounded_is_numpys_float32(number):
    """Rounding to 32 bits is that of numpy, to the bit; what is beyond them is infinite."""
    with np.errstate(over="ignore"):
        assert struct.pack("d", rounded(number)) == struct.pack("d", float(np.float32(number)))
