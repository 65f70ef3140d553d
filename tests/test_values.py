"""Every value has one canonical form, and cells read alike whatever their source called their type."""

import math
import re
import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput
from understudy.hashing import hash_text, mix
from understudy.values import (
    batch_of_records,
    canonical_array,
    canonical_batch,
    canonical_text,
    canonical_type,
    coded_batch,
    conform_batch,
    read_numbers,
    read_texts,
    read_truths,
    row_hashes,
    row_keys,
    text_of_record,
)

ROME = timezone(timedelta(hours=2))

FORMS = [
    (pa.array([" Rome\u00a0", "", "  ", None]), ["Rome", None, None, None]),
    (pa.array(["12.50", "1.0", "-0.0", "-0", "0.50", "-3.10"]), ["12.5", "1", "0", "0", "0.5", "-3.1"]),
    (pa.array(["007", "007.50", "1e5", "+1.0", ".50", "5.", "1.2.0"]),
     ["007", "007.50", "1e5", "+1.0", ".50", "5.", "1.2.0"]),
    (pa.array(["2024-05-01T10:00:00", "2024-05-01 10:00:00.000"]), ["2024-05-01 10:00:00"] * 2),
    (pa.array(["2024-05-01T10:00:00Z", "2024-05-01 12:00:00+02"]), ["2024-05-01 10:00:00"] * 2),
    (pa.array(["2024-05-01 10:00:00.5", "2024-05-01", "2024-99-01T10:00:00+02"]),
     ["2024-05-01 10:00:00.500000", "2024-05-01", "2024-99-01T10:00:00+02"]),
    (pa.array([datetime(2024, 5, 1, 12, tzinfo=ROME)]), ["2024-05-01 10:00:00"]),
    (pa.array([datetime(2024, 5, 1, 12, 0, 0, 500_000)], pa.timestamp("ns")), ["2024-05-01 12:00:00.500000"]),
    (pa.array([date(2024, 5, 1)]), ["2024-05-01"]),
    (pa.array([date(2024, 5, 1)], pa.date64()), ["2024-05-01"]),
    (pa.array([time(10, 30), time(1, 2, 3, 4)]), ["10:30:00", "01:02:03.000004"]),
    (pa.array([Decimal("12.50"), Decimal("0"), Decimal("0.0000000010")], pa.decimal128(30, 12)),
     ["12.5", "0", "0.000000001"]),
    (pa.array([b"Rome", b"\xff\x00"]), ["Rome", "ff00"]),
    (pa.array([UUID(int=1).bytes], pa.uuid()), ["00000000-0000-0000-0000-000000000001"]),
    (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    (pa.array([" a "], pa.large_string()), ["a"]),
    (pa.array([" a "], pa.string_view()), ["a"]),
    (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
    (pa.array([7], pa.uint8()), [7]),
    (pa.array([0.1, -0.0], pa.float32()), [0.1, 0.0]),
    (pa.array([1.5, math.nan, -0.0]), [1.5, None, 0.0]),
    (pa.array([True, None]), [True, None]),
    (pa.array([[1, 2], []]), ["[1,2]", "[]"]),
    (pa.array([{"a": Decimal("1.50"), "b": date(2024, 5, 1)}]), ['{"a":"1.50","b":"2024-05-01"}']),
    (pa.nulls(2), [None, None]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("array", "expected"), FORMS, ids=lambda v: str(v.type)[:20] if isinstance(v, pa.Array) else ""
)
def test_array_of_any_type_gets_canonical_form(array, expected):
    """Any Arrow type becomes string, int64, float64 or bool in one form, and stays so when canonicalised again."""
    canonical = canonical_array(array)
    assert canonical.to_pylist() == expected
    assert str(canonical.to_pylist()) == str(expected)
    assert canonical.type == (
        pa.string() if isinstance(array.type, pa.BaseExtensionType) else canonical_type(array.type)
    )
    assert canonical_array(canonical).equals(canonical)


def test_slice_gets_the_form_of_its_cells():
    """A sliced array, whose buffers begin elsewhere, is read from its own first cell on."""
    whole = pa.array([" a", "1.0", None, "2024-05-01T00:00:00", ""])
    assert canonical_array(whole.slice(1, 3)).to_pylist() == ["1", None, "2024-05-01 00:00:00"]


CELLS = st.one_of(
    st.text(max_size=8),
    st.text("0123456789.-+eE ", max_size=10),
    st.floats().map(repr),
    st.datetimes(timezones=st.sampled_from([None, UTC, ROME])).map(lambda moment: moment.isoformat()),
    st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?\Z"),
)


@settings(deadline=None)
@given(st.lists(CELLS, max_size=20))
def test_canonical_text_agrees_with_canonical_array(cells):
    """One text alone gets the form that it gets within a column, and that form is final."""
    forms = [canonical_text(cell) for cell in cells]
    assert canonical_array(pa.array(cells, pa.string())).to_pylist() == forms
    assert [form if form is None else canonical_text(form) for form in forms] == forms


def _number(text):
    """Say what a text is worth by the words of the documentation; the slow twin of `read_numbers`."""
    plain = text.lstrip("+-") if text[:1] in "+-" and text[1:2] not in "+-" else text
    if not plain or plain[0] not in "0123456789." or not set(plain) <= set("0123456789.eE+-"):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return math.nan if math.isinf(value) else value


DECIMALS = st.one_of(
    CELLS,
    st.text("0123456789.-+eE", max_size=24),
    st.builds("{}{}e{}".format, st.sampled_from(["", "-"]), st.integers(0, 2**70), st.integers(-400, 400)),
    st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map("{:.17g}".format),
    st.sampled_from(["9007199254740992", "9007199254740993", "1e22", "1e23", "-0e0", "-.0", "1e-0000000000001"]),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(DECIMALS, max_size=20))
def test_numbers_read_as_python_reads_them(cells):
    """A text in decimal syntax is, to the bit, the float64 nearest to it; any other is NaN."""
    texts = [text for text in map(canonical_text, cells) if text]
    found = read_numbers(pa.array(texts, pa.string())).values
    expected = np.array([_number(text) for text in texts], np.float64)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[found == 0]), np.signbit(expected[found == 0]))


def test_number_cells_tell_missing_from_invalid():
    """The spellings of nothing count as missing, what is no number as invalid; both are NaN."""
    cells = read_numbers(
        pa.array([None, "", "NA", "n/a", "NaN", "null", "None", "?", "-", "inf", "0x1", "1,000", "x", "1e400"])
    )
    assert (cells.missing, cells.invalid) == (9, 5)
    assert np.isnan(cells.values).all()


def test_numbers_read_alike_from_every_type():
    """The same number reads the same from int64, float64, bool and text."""
    for array in (pa.array([1, None]), pa.array([1.0, None]), pa.array([True, None]), pa.array(["1e0", None])):
        cells = read_numbers(array)
        np.testing.assert_array_equal(cells.values, [1.0, math.nan])
        assert (cells.missing, cells.invalid) == (1, 0)
    assert read_numbers(pa.array([math.inf])).invalid == 1


def test_truths_read_by_the_lists_of_the_service():
    """The ten spellings of a truth value read 1 and 0 in any case; anything else is invalid."""
    cells = read_truths(pa.array(["1", "y", "YES", "t", "True", "0", "n", "No", "f", "FALSE", "2", None]))
    np.testing.assert_array_equal(cells.values, [1.0] * 5 + [0.0] * 5 + [math.nan] * 2)
    assert (cells.missing, cells.invalid) == (1, 1)
    assert read_truths(pa.array([0, 1, 2])).values.tolist()[:2] == [0.0, 1.0]
    assert read_truths(pa.array([0.0, 1.0])).values.tolist() == [0.0, 1.0]


def test_texts_are_shortest_decimals():
    """A number's text is what a careful person would write: no ".0", no exponent below 1e16."""
    texts = read_texts(pa.array([1.0, 0.1, 1e15, 1e-7, 1e16, 1e22, 0.1 + 0.2, None]))
    assert texts.to_pylist() == [
        "1",
        "0.1",
        "1000000000000000",
        "0.0000001",
        "1e+16",
        "1e+22",
        "0.30000000000000004",
        "",
    ]
    assert read_texts(pa.array([5, None])).to_pylist() == ["5", ""]
    assert read_texts(pa.array([True, False])).to_pylist() == ["true", "false"]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_texts_of_numbers_read_back_to_the_bit(value):
    """A float64's text is read back as that float64, and a record's value gets the very same text."""
    text = read_texts(canonical_array(pa.array([value])))
    assert read_numbers(text).values[0] == value
    assert text_of_record(value) == text[0].as_py()


def _key(cell):
    return int(row_keys(pa.RecordBatch.from_pydict({"a": pa.array([cell])}), ["a"])[0])


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_row_key_of_an_integer_is_that_of_its_text(value):
    """An id has one key as int64 and as text, however long; a float64 joins them where it is exact."""
    assert _key(value) == _key(str(value))
    if float(value) == value:
        assert _key(float(value)) == _key(value)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_row_key_of_a_float_is_that_of_its_text(value):
    """A float64 has one key however it is written."""
    assert _key(value) == _key(repr(value)) == _key(read_texts(pa.array([value + 0.0]))[0].as_py())


def test_row_keys_tell_different_values_apart():
    """Ids next to each other, codes with leading zeros and texts have keys of their own."""
    cells = ["1", "01", "1x", "x", "2", "12345678901234567", "12345678901234568", "0.1", "-1", "", "+1"]
    assert len({_key(cell) for cell in cells}) == len(cells)


def test_row_keys_never_change():
    """Keys are stored and compared for years: which part a row is in hangs on them."""
    cells = ["Rome", "5191", "12345678901234567", "1e300", "007", "t", "FALSE", "0.30000000000000004", "", "-0e0"]
    assert [_key(cell) for cell in cells] == [
        5114102155995484886, 7498561739674148791, 66720044414645529, 5027391032895458409, 12811704586181231553,
        17007661385661610710, 17753355858493289546, 10586141128444140671, 17153130279449758988, 17753355858493289546,
    ]  # fmt: skip
    whole = pa.RecordBatch.from_pydict({"a": [1.5], "b": ["x"], "c": [None]})
    assert int(row_keys(whole, ["a", "b", "c"])[0]) == 9850488105484670374


def _hash(cell, seed):
    """Hash a cell of text by the words of the documentation; the slow twin of the kernel."""
    value = _number(cell or "")
    if not cell or cell[0] == "+" or re.match(r"-?0\d", cell):
        value = math.nan
    if cell and cell.lower() in ("t", "true", "f", "false"):
        value = float(cell[0] in "tT")
    if abs(value) < 2**53:
        return mix(seed ^ mix(struct.unpack("Q", struct.pack("d", value + 0.0))[0]))
    if not math.isnan(value):
        cell = str(int(cell) if cell.lstrip("-").isdigit() else int(float(cell)))
    return hash_text(cell, seed) if cell else 0


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(DECIMALS, st.sampled_from(["t", "TRUE", "f", "falsE", "fals", "trueX", "Tr"])), max_size=20))
def test_row_keys_are_sums_of_hashes_of_cells(cells):
    """Compiled and plain code give the same 64 bits for every text, number or word."""
    cells = [canonical_text(cell) for cell in cells]
    found = row_keys(pa.RecordBatch.from_pydict({"a": pa.array(cells, pa.string())}), ["a"])
    seed = hash_text("a", 0x6B6579)
    assert found.tolist() == [mix(0x6B6579 ^ mix(_hash(cell, seed))) for cell in cells]


def test_row_keys_join_what_is_the_same():
    """Null is empty, and a truth value is 1 or 0, in whatever spelling a database gives it."""
    assert _key("") == _key(None)
    assert _key(True) == _key("t") == _key("TRUE") == _key(1) == _key("1.0")
    assert _key(False) == _key("f") == _key(0)


def test_row_keys_do_not_hang_on_the_order_of_columns():
    """Columns may come in any order; but which value stands in which column counts."""
    batch = pa.RecordBatch.from_pydict({"a": ["1", "2"], "b": ["2", "1"]})
    np.testing.assert_array_equal(row_keys(batch, ["a", "b"]), row_keys(batch, ["b", "a"]))
    assert row_keys(batch, ["a", "b"])[0] != row_keys(batch, ["a", "b"])[1]


@settings(deadline=None)
@given(st.lists(st.tuples(DECIMALS, st.sampled_from(["t", "True", "f", "FALSE", "x", None])), max_size=20))
def test_keys_of_several_choices_are_those_of_each(rows):
    """Hashing every cell once for several choices of columns gives the keys of each choice, coded or plain."""
    columns = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    batch = canonical_batch(pa.RecordBatch.from_pydict({k: pa.array(v, pa.string()) for k, v in columns.items()}))
    batch = batch.append_column("n", pa.array(range(len(rows)), pa.int64()))
    choices = [["n"], ["a", "b"], ["b", "n", "a"], [], ["a"]]
    for form in (batch, coded_batch(batch)):
        for found, columns in zip(row_hashes(form, choices), choices, strict=True):
            np.testing.assert_array_equal(found, row_keys(batch, columns))


COLUMNS = [("age", pa.int64()), ("height", pa.float64()), ("member", pa.bool_()), ("city", pa.string())]


def test_records_become_a_batch_with_the_trained_columns():
    """JSON values and strings fit the types of training; what is absent or empty is null; unused names come back."""
    records = [
        {"age": 3.0, "height": "1.50", "member": "yes", "city": " Rome ", "hat": 1},
        {"age": "3", "height": 2, "member": False, "city": 1.0},
        {"age": "NA", "height": "", "city": ["a"]},
        {"age": True, "height": "1e-1", "member": 1, "city": None, "shoe": 2},
    ]
    batch, unknown = batch_of_records(records, COLUMNS)
    assert batch.schema == pa.schema(COLUMNS)
    assert batch.column("age").to_pylist() == [3, 3, None, 1]
    assert batch.column("height").to_pylist() == [1.5, 2.0, None, 0.1]
    assert batch.column("member").to_pylist() == [True, False, None, True]
    assert batch.column("city").to_pylist() == ["Rome", "1", '["a"]', None]
    assert unknown == ["hat", "shoe"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", "old"),
        ("age", 3.5),
        ("age", 2**63),
        ("height", "inf"),
        ("height", math.inf),
        ("height", "1,5"),
        ("member", 2),
    ],
)
def test_record_is_refused_where_a_value_does_not_fit(name, value):
    """A value that its column cannot hold is refused, and the message names attribute, value and record."""
    with pytest.raises(InvalidInput, match=rf"'{name}' of record 2 is "):
        batch_of_records([{}, {name: value}], COLUMNS)


def test_cell_of_another_source_is_null_where_it_does_not_fit():
    """One odd cell among the rows of another source costs that cell, not the rows."""
    odd = {"age": ["old", "3.5", "7"], "height": ["inf", "1,5", "2.5"], "member": ["2", "maybe", "yes"]}
    batch, _ = conform_batch(pa.RecordBatch.from_pydict(odd), COLUMNS)
    assert batch.select(["age", "height", "member"]).to_pylist() == [
        {"age": None, "height": None, "member": None},
        {"age": None, "height": None, "member": None},
        {"age": 7, "height": 2.5, "member": True},
    ]


@settings(deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={
    "age": st.integers(-(2**63), 2**63 - 1),
    "height": st.floats(allow_infinity=False),
    "member": st.booleans(),
    "city": st.one_of(st.text(max_size=5), st.floats(allow_infinity=False, allow_nan=False), st.integers()),
}), min_size=1, max_size=5))  # fmt: skip
def test_records_and_their_texts_make_the_same_batch(records):
    """A record in JSON values and the same record out of a CSV file are one and the same row."""
    batch, _ = batch_of_records(records, COLUMNS)
    texts = {name: pa.array([text_of_record(r.get(name)) for r in records], pa.string()) for name, _ in COLUMNS}
    conformed, unknown = conform_batch(canonical_batch(pa.RecordBatch.from_pydict(texts)), COLUMNS)
    assert conformed.equals(batch)
    assert not unknown
