"""A sample is bounded, evenly spread, and the same however the stream was cut."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput
from understudy.sample import LEAST_ROWS, EvenSample


def _sampled(sizes, limit):
    sample, row = EvenSample(limit), 0
    for size in sizes:
        sample.add(pa.RecordBatch.from_pydict({"row": pa.array(range(row, row + size), pa.int64())}))
        row += size
    return sample.table().column("row").to_pylist()


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 50))
def test_sample_does_not_hang_on_where_batches_end(sizes, limit):
    """However a stream is cut, the sample is every 2**k-th row of it, with the least k that fits."""
    total, stride = sum(sizes), 1
    while -(-total // stride) > limit:
        stride *= 2
    assert _sampled(sizes, limit) == list(range(0, total, stride))


def test_sample_of_wide_rows_is_bounded_by_cells():
    """Rows of 2,000 columns are sampled down to the fewest rows that a sample may have."""
    wide = pa.RecordBatch.from_pydict({f"c{i}": pa.nulls(LEAST_ROWS + 1, pa.int64()) for i in range(2_000)})
    sample = EvenSample()
    sample.add(wide)
    assert sample.table().num_rows == (LEAST_ROWS + 2) // 2


def test_sample_of_nothing_is_refused():
    """Without any batch there is no schema, so no table."""
    with pytest.raises(InvalidInput, match="no rows"):
        EvenSample().table()
