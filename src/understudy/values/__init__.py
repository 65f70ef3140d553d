"""The one canonical form of every value, and cells read as numbers, truth values and text (docs/values.md).

Whatever a source calls its types, its rows reach the rest of the house as `string`, `int64`, `float64` or `bool`, in a
form that makes the same value the same bits: a date out of a database and its text out of a CSV file are one value.
A column of text may travel coded (`CODED`): what is asked of its cells is then answered once for each different one.

>>> import pyarrow as pa
>>> canonical_array(pa.array([" Rome ", "", "12.50", "007", "2024-05-01T10:00:00Z"])).to_pylist()
['Rome', None, '12.5', '007', '2024-05-01 10:00:00']
>>> read_numbers(pa.array(["1e3", "n/a", "1,000"]))
NumberCells(values=array([1000.,   nan,   nan]), missing=1, invalid=1)
"""

from __future__ import annotations

from understudy.values.canonical import canonical_array, canonical_batch, canonical_text, canonical_type
from understudy.values.cells import BATCH_ROWS, FALSE_WORDS, MISSING_WORDS, TRUE_WORDS
from understudy.values.coded import CODED, coded_batch, coded_schema, plain_batch, plain_schema
from understudy.values.keys import row_hashes, row_keys
from understudy.values.reading import read_numbers, read_texts, read_truths
from understudy.values.records import batch_of_records, conform_batch
from understudy.values.single import text_of_record

__all__ = [
    "BATCH_ROWS",
    "CODED",
    "FALSE_WORDS",
    "MISSING_WORDS",
    "TRUE_WORDS",
    "batch_of_records",
    "canonical_array",
    "canonical_batch",
    "canonical_text",
    "canonical_type",
    "coded_batch",
    "coded_schema",
    "conform_batch",
    "plain_batch",
    "plain_schema",
    "read_numbers",
    "read_texts",
    "read_truths",
    "row_hashes",
    "row_keys",
    "text_of_record",
]
