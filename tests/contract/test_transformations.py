"""Every transformation of the recipe language keeps the same promises."""

import json

import numpy as np
import pyarrow as pa
import pytest

from understudy.recipe import FittedRecipe, fit, parse
from understudy.recipe.columns import Kind
from understudy.recipe.transformations import TRANSFORMATIONS, Transformation
from understudy.schema import Attribute, AttributeType, Schema

SCHEMA = Schema(
    (
        Attribute("number", AttributeType.NUMERIC),
        Attribute("other", AttributeType.NUMERIC),
        Attribute("city", AttributeType.CATEGORICAL),
        Attribute("flag", AttributeType.BINARY),
        Attribute("text", AttributeType.TEXT),
    )
)

ROWS = pa.table(
    {
        "number": ["1", "2.5", None, "abc", "-4e3", "7", "7", "0"],
        "other": pa.array([3, 1, 2, None, 5, 4, 9, 9], pa.int64()),
        "city": ["Rome", "", None, "Köln", "Rome", "東京", "a_b", "O'Hara"],
        "flag": ["yes", "No", None, "maybe", "1", "0", "T", "f"],
        "text": [
            "the the cat",
            "",
            None,
            "\u2003Salt, oil,\u00a0bread!\n",
            "- ( «",
            "東京都 に行く",
            "ÀÉÎ ß İstanbul",
            "😀! 😀",
        ],
    }
)

UNSEEN = pa.table(
    {
        "number": ["1e308", "-1e308", "nan", "5e-324"],
        "other": pa.array([2**62, -(2**62), None, 0], pa.int64()),
        "city": ["Oslo", " ", "\U0001f600", "Rome\u0301"],
        "flag": ["true", "", "2", "FALSE"],
        "text": ["new words", "\x1c\x85\u3000", "\u0301 a\u0301", "¡hola! ¿qué?"],
    }
)

INPUTS = {Kind.NUMERIC: ["number", "other"], Kind.TEXT: ["text"]}
EVERYTHING = ["number", "other", "city", "flag", "text"]


def _output(name: str, transformation: Transformation) -> str:
    """Write a call of a transformation with inputs that it takes and its least argument but one."""
    if transformation.variadic:
        return f"{name}(city,quantile_bin(number,3),flag,ngram(text,2))"
    (kind,) = transformation.takes
    argument = f",{transformation.argument[0] + 1}" if transformation.argument else ""
    return f"{name}({INPUTS[kind][0]}{argument})"


@pytest.fixture(params=sorted(TRANSFORMATIONS))
def fitted(request: pytest.FixtureRequest) -> FittedRecipe:
    """Each transformation in turn, alone in a recipe and fitted on the rows."""
    output = _output(request.param, TRANSFORMATIONS[request.param])
    return fit(parse(json.dumps({"outputs": [output]}), SCHEMA), SCHEMA, ROWS)


def _batch(table: pa.Table) -> pa.RecordBatch:
    return table.combine_chunks().to_batches()[0]


def _rows(fitted: FittedRecipe, batch: pa.RecordBatch) -> list[list[tuple[int, float]]]:
    features = fitted.features(batch)
    pairs = list(zip(features.keys.tolist(), features.values.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(features.indptr, features.indptr[1:], strict=False)]


@pytest.mark.parametrize("table", [ROWS, UNSEEN], ids=["seen", "unseen"])
def test_one_by_one_equals_batch(fitted: FittedRecipe, table: pa.Table):
    """An observation has the same features alone, in a slice and in a batch."""
    batch = _batch(table)
    whole = _rows(fitted, batch)
    assert whole == [row for i in range(batch.num_rows) for row in _rows(fitted, batch.slice(i, 1))]
    assert whole[1:3] == _rows(fitted, batch.slice(1, 2))


@pytest.mark.parametrize("table", [ROWS, UNSEEN], ids=["seen", "unseen"])
def test_plain_twin_agrees_to_the_bit(fitted: FittedRecipe, table: pa.Table):
    """What explains a feature in words has the same keys and values in the same order as the compiled kernels."""
    batch = _batch(table)
    assert [[(key, value) for _, key, value in row] for row in fitted.explain(batch)] == _rows(fitted, batch)


@pytest.mark.parametrize("table", [ROWS, UNSEEN], ids=["seen", "unseen"])
def test_features_are_finite_and_no_key_stands_twice(fitted: FittedRecipe, table: pa.Table):
    """Whatever the cells hold, values are finite and a row has each key at most once."""
    for row in _rows(fitted, _batch(table)):
        assert all(np.isfinite(value) for _, value in row)
        assert len({key for key, _ in row}) == len(row)


def test_features_are_pure(fitted: FittedRecipe):
    """Making features changes neither the recipe nor the batch."""
    batch = _batch(ROWS)
    document = fitted.to_document()
    first = _rows(fitted, batch)
    _rows(fitted, _batch(UNSEEN))
    assert _rows(fitted, batch) == first
    assert fitted.to_document() == document
    assert batch.equals(_batch(ROWS))


def test_fitting_is_deterministic_whatever_the_chunks(fitted: FittedRecipe):
    """The same rows in other chunks teach a recipe the same."""
    chunked = pa.concat_tables([ROWS.slice(0, 3), ROWS.slice(3)])
    again = fit(parse(fitted.text, SCHEMA), SCHEMA, chunked)
    assert again.to_document() == fitted.to_document()


def test_document_round_trips_through_json(fitted: FittedRecipe):
    """A recipe read back from its document makes the same features."""
    back = FittedRecipe.from_document(json.loads(json.dumps(fitted.to_document())))
    assert back.to_document() == fitted.to_document()
    assert _rows(back, _batch(UNSEEN)) == _rows(fitted, _batch(UNSEEN))


def test_absent_column_reads_as_null(fitted: FittedRecipe):
    """A batch without the columns gives the features of one whose columns are null."""
    absent = pa.RecordBatch.from_pydict({"unrelated": ["x", "y"]})
    null = pa.RecordBatch.from_pydict({name: pa.nulls(2, pa.string()) for name in EVERYTHING})
    assert _rows(fitted, absent) == _rows(fitted, null)


def test_empty_batch_has_no_features(fitted: FittedRecipe):
    """A batch without rows is no special case."""
    features = fitted.features(_batch(ROWS).slice(0, 0))
    assert (features.rows, len(features.keys)) == (0, 0)


def test_fit_on_no_rows_still_makes_features(fitted: FittedRecipe):
    """A recipe fitted on nothing, or on nulls alone, answers every later row."""
    nulls = pa.table({name: pa.nulls(3, pa.string()) for name in EVERYTHING})
    for sample in (ROWS.slice(0, 0), nulls):
        empty = fit(parse(fitted.text, SCHEMA), SCHEMA, sample)
        assert all(np.isfinite(value) for row in _rows(empty, _batch(UNSEEN)) for _, value in row)
