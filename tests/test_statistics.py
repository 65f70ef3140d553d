"""Statistics: insights per attribute, the same for every batching and merge, exact where they say so."""

from __future__ import annotations

import csv
import gzip
import itertools
import math
from collections import Counter
from fractions import Fraction
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput, SchemaError
from understudy.schema import Attribute, AttributeType, Schema
from understudy.statistics import Distribution, Insights, SplitStatistics, Statistics, frequent
from understudy.statistics.folding import ordered_keys
from understudy.statistics.frequent import CAPACITY
from understudy.statistics.sums import ExactSum, Moments
from understudy.values import coded_batch, plain_batch, read_texts

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
TYPES = {
    "amount": AttributeType.NUMERIC,
    "member": AttributeType.BINARY,
    "town": AttributeType.CATEGORICAL,
    "note": AttributeType.TEXT,
    "y": AttributeType.CATEGORICAL,
}
SCHEMA = Schema(tuple(Attribute(name, kind) for name, kind in TYPES.items()), target="y")
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def observations(rows, seed=3):
    """Rows of every type, in which town and note tell about the target, and amount has gaps."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, rows)
    amounts = np.where(rng.random(rows) < 0.1, None, np.round(rng.lognormal(3, 2, rows), 3).astype(object))
    return pa.RecordBatch.from_pydict({
        "amount": pa.array([None if a is None else str(a) for a in amounts], pa.string()),
        "member": pa.array([("yes", "No", "perhaps")[k] for k in rng.integers(0, 3, rows)]),
        "town": pa.array([f"town {k} {r}" for k, r in zip(kinds, rng.integers(0, 40, rows), strict=True)]),
        "note": pa.array([("Row, number {}", "Hello! {}:", "{}")[k].format(rng.integers(0, 99)) for k in kinds]),
        "y": pa.array([("a", "b", None)[k] for k in kinds]),
    })  # fmt: skip


def collected(batches, schema=SCHEMA):
    seen = Statistics(schema)
    for batch in batches:
        seen.add(batch)
    return seen


def of_column(name, values, kind, target=None):
    """Return the insight of a single column, with or without a target beside it."""
    attributes = [Attribute(name, kind)] + ([Attribute("y", AttributeType.CATEGORICAL)] if target else [])
    columns = {name: pa.array(values)} | ({"y": pa.array(target)} if target else {})
    schema = Schema(tuple(attributes), target="y" if target else None)
    return collected([pa.RecordBatch.from_pydict(columns)], schema).insights().of(name)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6))
def test_insights_do_not_depend_on_batches(cuts):
    """The same rows in batches of any lengths give the same document, byte for byte."""
    rows = observations(300)
    edges = sorted({0, 300, *cuts})
    cut = collected(rows.slice(a, b - a) for a, b in itertools.pairwise(edges))
    assert msgspec.json.encode(cut.insights()) == msgspec.json.encode(collected([rows]).insights())


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["1", "-2.5", "1e3", "1000", "x", "NA", "inf", None]) | st.floats().map(str),
            st.sampled_from(["yes", "No", "7", "1", None]),
            st.sampled_from(["Rome", "Bern", "nan", "0", None]) | st.text("ab", min_size=1),
            st.sampled_from(["one two", "two, Two!", "?", None]) | st.from_regex("[ab]( ?[ab]){0,8}", fullmatch=True),
            st.sampled_from(["a", "b", "c", None]),
        ),
        max_size=40,
    )
)
def test_coded_columns_give_the_insights_of_plain_ones(rows):
    """Columns of text tell the same whether they travel plain, coded, or coded with cells that no row holds."""
    columns = zip(*rows, strict=True) if rows else [[]] * len(TYPES)
    plain = pa.RecordBatch.from_arrays([pa.array(list(column), pa.string()) for column in columns], list(TYPES))
    coded = coded_batch(plain)
    assert collected([coded]).insights() == collected([plain]).insights()
    for step in (2, 16):
        some = coded.filter(pa.array(np.arange(len(rows)) % step == 0))
        assert collected([some]).insights() == collected([plain_batch(some)]).insights()


KINDS = {
    "text": lambda rng, rows: pa.array(rng.choice(["3", "07", "x", "no", None], rows).tolist(), pa.string()),
    "near": lambda rng, rows: pa.array(rng.integers(-3, 4, rows), mask=rng.random(rows) < 0.2),
    "far": lambda rng, rows: pa.array(rng.integers(-(2**53), 2**53, rows), mask=rng.random(rows) < 0.2),
    "last": lambda _, rows: pa.array([2**63 - 1] * rows),
    "ends": lambda rng, rows: pa.array(rng.choice([-(2**63), 2**63 - 1], rows)),
    "narrow": lambda rng, rows: pa.array(rng.integers(0, 9, rows), pa.int8()),
    "floats": lambda rng, rows: pa.array(np.round(rng.normal(size=rows), 1) + 0.0, mask=rng.random(rows) < 0.2),
    "infinite": lambda rng, rows: pa.array(rng.choice([np.inf, 1.5], rows)),
    "truths": lambda rng, rows: pa.array(rng.random(rows) < 0.5, mask=rng.random(rows) < 0.2),
    "nothing": lambda _, rows: pa.nulls(rows, pa.int64()),
}


@pytest.mark.parametrize("target", [None, *KINDS])
@pytest.mark.parametrize("kind", AttributeType)
def test_cells_of_any_type_tell_what_their_text_tells(kind, target):
    """Integers near and far, numbers, truth values and nulls give the insights that their cells give as text."""
    rng = np.random.default_rng(8)
    rows = pa.RecordBatch.from_pydict({name: make(rng, 400) for name, make in KINDS.items()})
    texts = [pa.array(read_texts(column).to_pylist(), pa.string(), mask=column.is_null()) for column in rows.columns]
    if kind is AttributeType.NUMERIC:
        texts[rows.schema.names.index("truths")] = rows.column("truths").cast(pa.int8()).cast(pa.string())
    spelled = pa.RecordBatch.from_arrays(texts, rows.schema.names)
    schema = Schema(tuple(Attribute(name, kind) for name in KINDS), target=target)
    assert collected([rows.slice(3)], schema).insights() == collected([spelled.slice(3)], schema).insights()


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.integers(0, 3), min_size=300, max_size=300), cuts=st.lists(st.integers(0, 300), max_size=3))
def test_parts_tell_what_their_rows_tell_alone(parts, cuts):
    """Statistics of parts are those of each part's rows by themselves; a row of no part is left out."""
    rows, parts = coded_batch(observations(300)), np.array(parts, np.uint8)
    split = SplitStatistics(SCHEMA, parts=3)
    for start, stop in itertools.pairwise(sorted({0, 300, *cuts})):
        split.add(rows.slice(start, stop - start), parts[start:stop])
    for part, seen in enumerate(split.parts):
        assert seen.insights() == collected([rows.filter(pa.array(parts == part))]).insights()


def test_parts_with_many_distinct_values_tell_what_their_rows_tell_alone():
    """Beyond the tables' capacity, too, parts tell what their rows by themselves do: values, words, numbers."""
    rng = np.random.default_rng(7)
    rows = coded_batch(pa.RecordBatch.from_pydict({
        "x": pa.array(np.round(rng.normal(size=90_000), 4).astype(str)),
        "v": pa.array((rng.zipf(1.2, 90_000) % 10**6).astype(str)),
        "t": pa.array([f"{one} {other}" for one, other in rng.zipf(1.3, (90_000, 2)) % 10**5]),
        "y": pa.array(rng.choice(["a", "b", None], 90_000).tolist()),
    }))  # fmt: skip
    kinds = (AttributeType.NUMERIC, AttributeType.CATEGORICAL, AttributeType.TEXT, AttributeType.CATEGORICAL)
    schema = Schema(tuple(map(Attribute, "xvty", kinds)), target="y")
    parts = (rng.random(90_000) < 0.3).astype(np.uint8)
    split = SplitStatistics(schema)
    for start in range(0, 90_000, 30_000):
        split.add(rows.slice(start, 30_000), parts[start : start + 30_000])
    for part, seen in enumerate(split.parts):
        assert seen.insights() == collected([rows.filter(pa.array(parts == part))], schema).insights()


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=6), order=st.randoms(use_true_random=False))
def test_merged_insights_are_those_of_one_pass(cuts, order):
    """Parts of the rows, collected apart and merged in any order, give the document of one pass."""
    rows = observations(300)
    edges = sorted({0, 300, *cuts})
    parts = [collected([rows.slice(a, b - a)]) for a, b in itertools.pairwise(edges)]
    order.shuffle(parts)
    merged = Statistics(SCHEMA)
    for part in parts:
        merged.merge(part)
    assert msgspec.json.encode(merged.insights()) == msgspec.json.encode(collected([rows]).insights())


def test_merge_keeps_its_promise_when_bins_and_target_are_folded():
    """Numbers and correlations come out the same with more distinct values than bins, whatever the order of merges."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=60_000) * 10.0 ** rng.integers(-3, 4, 60_000)
    rows = pa.RecordBatch.from_pydict({"x": x, "y": np.round(x, 2) + rng.normal(size=60_000)})
    kinds = tuple(Attribute(name, AttributeType.NUMERIC) for name in "xy")
    schema = Schema(kinds, target="y")
    whole = collected([rows], schema).insights()
    parts = [collected([rows.slice(start, 7_000)], schema) for start in range(0, 60_000, 7_000)]
    backwards = Statistics(schema)
    for part in reversed(parts):
        backwards.merge(part)
    assert backwards.insights() == whole
    assert whole.of("x").distinct is None


def test_many_distinct_values_do_not_depend_on_batches():
    """Beyond the table's capacity counts are approximate, but a batch's end still leaves no trace."""
    rng = np.random.default_rng(5)
    values = np.where(rng.random(100_000) < 0.2, rng.integers(0, 5, 100_000), rng.integers(0, 10**9, 100_000))
    rows = pa.RecordBatch.from_pydict({"v": pa.array(values).cast(pa.string())})
    schema = Schema((Attribute("v", AttributeType.CATEGORICAL),))
    whole = collected([rows], schema).insights().of("v")
    ragged = collected([rows.slice(a, b - a) for a, b in itertools.pairwise([0, 1, 40_000, 40_001, 100_000])], schema)
    assert ragged.insights().of("v") == whole
    truth = Counter(rows.column("v").to_pylist())
    assert not whole.exact
    assert whole.least_frequent is None
    assert whole.distinct == pytest.approx(len(truth), rel=0.05)
    assert [each.value for each in whole.values[:5]] == [value for value, _ in truth.most_common(5)]
    assert all(truth[each.value] - whole.count_error <= each.count <= truth[each.value] for each in whole.values)


def forgetting(rows, capacity):
    """Count values row by row, as `frequent` says: the rarer half is forgotten when a new value finds no room."""
    counts, missed, error = Counter(), {}, 0
    for value in rows:
        if value not in counts and len(counts) == capacity:
            most = sorted(counts[each] + missed[each] for each in counts)
            error = max(error, most[capacity // 2 - 1])
            counts = Counter({each: counts[each] for each in counts if counts[each] + missed[each] > error})
        if value not in counts:
            missed[value] = error
        counts[value] += 1
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))), error


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 30), max_size=200),
    cuts=st.lists(st.integers(0, 200), max_size=4),
    capacity=st.integers(2, 12),
)
def test_more_values_than_room_are_counted_row_by_row(values, cuts, capacity):
    """Where values are forgotten, counts and their error are those of one row after the other, in any batches."""
    rows = pa.RecordBatch.from_pydict({"v": pa.array([None if v == 0 else f"v{v}" for v in values], pa.string())})
    schema = Schema((Attribute("v", AttributeType.CATEGORICAL),))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frequent, "CAPACITY", capacity)
        patch.setattr(frequent, "_TEXTS", 3 * capacity)
        edges = sorted({0, len(values), *(cut for cut in cuts if cut < len(values))})
        seen = collected((rows.slice(a, b - a) for a, b in itertools.pairwise(edges)), schema)
        counts, error = forgetting([value or "" for value in rows.column("v").to_pylist()], capacity)
        assert seen.value_counts("v") == counts
        assert seen.insights().of("v").count_error == error


def test_merge_of_many_distinct_values_keeps_the_frequent_ones():
    """Merged tables that overflow keep every frequent value, with a count that is short by no more than said."""
    rng = np.random.default_rng(6)
    schema = Schema((Attribute("v", AttributeType.CATEGORICAL),))
    values = np.where(rng.random(90_000) < 0.2, rng.integers(0, 5, 90_000), rng.integers(0, 10**9, 90_000))
    rows = pa.RecordBatch.from_pydict({"v": pa.array(values).cast(pa.string())})
    merged = Statistics(schema)
    for start in range(0, 90_000, 30_000):
        merged.merge(collected([rows.slice(start, 30_000)], schema))
    found, truth = merged.insights().of("v"), Counter(rows.column("v").to_pylist())
    assert {each.value for each in found.values[:5]} == {value for value, _ in truth.most_common(5)}
    assert all(truth[each.value] - found.count_error <= each.count <= truth[each.value] for each in found.values)
    assert len(merged.value_counts("v")) <= CAPACITY


def test_numeric_insight_counts_and_measures():
    """Missing and invalid cells are counted apart, and all figures are those of the readable rest."""
    found = of_column("x", ["1", "2", None, "x", "10", "2"], AttributeType.NUMERIC)
    assert (found.missing, found.invalid, found.distinct) == (1, 1, 3)
    assert (found.minimum, found.maximum, found.mean, found.median) == (1.0, 10.0, 3.75, 2.0)
    assert found.sd == pytest.approx(np.std([1, 2, 10, 2], ddof=1))
    assert sum(found.histogram.counts) == sum(found.bands.counts) == 4
    assert found.correlation is None


def test_insight_of_nothing_has_no_figures():
    """A column without one readable cell gives a document with None, not with infinities."""
    found = of_column("x", pa.array([None, None], pa.string()), AttributeType.NUMERIC)
    assert (found.missing, found.mean, found.sd, found.minimum, found.median) == (2, None, None, None, None)
    assert b"Infinity" not in msgspec.json.encode(found)


def test_insight_of_extreme_numbers_stays_finite():
    """The largest numbers of both signs in one column overflow neither bins nor moments nor the document."""
    found = of_column("x", np.array([-1.7e308, 0.0, 1.7e308]), AttributeType.NUMERIC)
    assert (found.mean, found.median, found.minimum, found.maximum) == (0.0, 0.0, -1.7e308, 1.7e308)
    assert found.sd == pytest.approx(1.7e308)
    assert np.isfinite(found.histogram.edges).all()
    assert sum(found.histogram.counts) == 3


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_sum_of_what_is_no_number_is_refused(value):
    """An infinite value or NaN among the values to sum up is an InvalidInput, not a wrong figure."""
    with pytest.raises(InvalidInput):
        ExactSum().add(np.array([1.0, value]))


def test_binary_insight_reads_every_spelling():
    """True and false are counted in Amazon ML's spellings, anything else is invalid."""
    found = of_column("b", ["yes", "N", "TRUE", "0", "7", None], AttributeType.BINARY)
    assert (found.true, found.false, found.invalid, found.missing, found.share_true) == (2, 2, 1, 1, 0.5)


def test_categorical_insight_lists_ten_values_and_the_rest():
    """The ten most frequent values stand with their counts, equals in order of value, and the rest is other."""
    values = [f"v{k:02}" for k in range(12) for _ in range(k + 1)]
    found = of_column("c", values, AttributeType.CATEGORICAL)
    assert (found.distinct, found.most_frequent, found.least_frequent, found.exact) == (12, "v11", "v00", True)
    assert [each.value for each in found.values] == [f"v{k:02}" for k in range(11, 1, -1)]
    assert found.other == 3


def test_text_insight_ignores_case_and_punctuation():
    """A capitalised word and the same word before a full stop are one word; an empty record has none."""
    found = of_column("t", ["The cat sat.", "the CAT, the cat", None], AttributeType.TEXT)
    assert (found.words, found.distinct_words, found.words_per_row, found.word_lengths) == (7, 3, (0, 4), (3, 3))
    rows = {word.word: word.rows for word in found.prominent}
    assert rows == {"the": 2, "cat": 2, "sat": 1}


def test_prominent_words_are_those_that_tell_about_the_target():
    """With a target, the word that separates its classes stands first, and common words tell nothing."""
    texts = ["win money now", "see you now", "money for you", "lunch now"] * 50
    found = of_column("t", texts, AttributeType.TEXT, ["spam", "ham", "spam", "ham"] * 50)
    assert found.prominent[0].word == "money"
    assert found.prominent[0].prominence == pytest.approx(1.0, abs=0.01)
    assert {word.word: word.prominence for word in found.prominent}["now"] < 0.4
    assert found.correlation == found.prominent[0].prominence


def test_correlation_is_one_for_a_copy_and_near_zero_for_noise():
    """Correlation is the share of the target's entropy: all of it for a copy, next to none for chance."""
    rng = np.random.default_rng(2)
    target = rng.integers(0, 4, 5_000)
    labels = [str(value) for value in target]
    for kind in (AttributeType.NUMERIC, AttributeType.CATEGORICAL):
        assert of_column("copy", labels, kind, labels).correlation == pytest.approx(1.0, abs=0.01)
    noise = rng.normal(size=5_000)
    assert of_column("noise", noise, AttributeType.NUMERIC, labels).correlation < 0.03


@settings(max_examples=60, deadline=None)
@given(values=st.lists(FINITE, min_size=1, max_size=60))
def test_sums_are_exact(values):
    """A sum is the true sum rounded once, for any finite values."""
    exact = sum(map(Fraction, values))
    column = np.array(values)
    if abs(exact) <= Fraction(np.finfo(float).max):
        total = ExactSum()
        total.add(column)
        assert total.value == float(exact)
    moments = Moments()
    moments.add(column)
    assert moments.mean == float(exact / len(values))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.floats(-1e150, 1e150), min_size=2, max_size=40))
def test_standard_deviation_is_exact(values):
    """The standard deviation loses nothing to cancellation, however far the values are from zero."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / (len(exact) - 1)
    moments = Moments()
    moments.add(np.array(values))
    assert moments.sd == pytest.approx(math.sqrt(variance), rel=1e-15)


@settings(max_examples=60, deadline=None)
@given(cells=st.lists(st.tuples(FINITE, st.integers(0, 60_000)), min_size=1, max_size=30))
def test_counted_numbers_are_those_numbers_many_times(cells):
    """A number with a count is as many such numbers: in sums and squares, at the ends, in every quantile."""
    whole, parts = Distribution(), Distribution()
    for value, count in cells:
        pair = np.array([value, np.nan])
        whole.add(np.repeat(value, count))
        held = np.arange(1 if count else 0, dtype=np.int32)
        parts.add_counted(pair, ordered_keys(pair), np.array([count, 7], np.int32), held)
    figures = [(seen.moments.count, seen.moments.mean, seen.moments.sd, seen.minimum) for seen in (whole, parts)]
    assert repr(figures[0]) == repr(figures[1])
    shares = [0.0, 0.3, 1.0]
    assert repr(whole.quantiles(shares)) == repr(parts.quantiles(shares))


@settings(max_examples=40, deadline=None)
@given(values=st.lists(FINITE.filter(lambda x: abs(x) < 1e300), min_size=1, max_size=80))
def test_quantiles_of_few_values_are_exact(values):
    """As long as every distinct value has a bin, quantiles are those of the sorted values."""
    seen = Distribution()
    seen.add(np.array(values))
    shares = [0.0, 0.1, 0.5, 0.9, 1.0]
    ordered = np.sort(values)
    place = np.array(shares) * (len(values) - 1)
    low, high = ordered[np.floor(place).astype(int)], ordered[np.ceil(place).astype(int)]
    part = place - np.floor(place)
    assert seen.quantiles(shares).tolist() == pytest.approx((low * (1 - part) + high * part).tolist(), rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 1.5e9])
def test_quantiles_of_many_values_are_close_in_rank(offset):
    """With far more distinct values than bins a quantile is off by at most 0.2 % of the rows, near zero or far away."""
    values = offset + np.random.default_rng(4).normal(size=200_000) * 1_000
    seen = Distribution()
    seen.add(values)
    shares = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99]
    reached = [np.mean(values <= value) for value in seen.quantiles(shares)]
    assert not seen.exact
    assert reached == pytest.approx(shares, abs=0.002)


def test_absent_column_is_refused_with_its_name():
    """A schema that names a column which the rows lack is a SchemaError, and nothing is counted."""
    seen = Statistics(SCHEMA)
    with pytest.raises(SchemaError, match="'town'"):
        seen.add(observations(5).drop_columns(["town"]))
    assert seen.rows == 0


def test_insights_survive_json():
    """The document read back is the document written."""
    found = collected([observations(200)]).insights()
    assert msgspec.json.decode(msgspec.json.encode(found), type=Insights) == found


def test_banking_insights_agree_with_plain_counts():
    """On the banking rows counts, means and the most telling attribute are those that plain Python finds."""
    path = DATA / "banking" / "banking.csv.gz"
    if not path.exists():
        pytest.skip("the banking rows are not beside this checkout")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    numeric = {"age", "duration", "campaign", "euribor3m"}
    names = [*sorted(numeric), "job", "month", "y"]
    kinds = (Attribute(n, AttributeType.NUMERIC if n in numeric else AttributeType.CATEGORICAL) for n in names)
    batch = pa.RecordBatch.from_pydict({name: [row[name] for row in rows] for name in names})
    found = collected([batch], Schema(tuple(kinds), target="y")).insights()
    ages = [int(row["age"]) for row in rows]
    assert found.of("age").mean == sum(ages) / len(ages)
    assert {v.value: v.count for v in found.of("y").values} == dict(Counter(row["y"] for row in rows))
    assert max(found.attributes, key=lambda each: each.correlation or 0).name == "duration"
