"""Records in, answers out: by name, with what is missing empty and what is wrong said."""

import numpy as np
import pyarrow as pa
import pytest

from test_training import learn, task, world
from understudy.errors import InvalidInput
from understudy.prediction import FEW, Column, Predictor
from understudy.schema import ModelType
from understudy.values import batch_of_records

COLUMNS = tuple(Column(name, "string" if name == "colour" else "double") for name in ("x", "colour", "weight", "y"))


@pytest.fixture(scope="module")
def predictors(tmp_path_factory):
    """Give a predictor for each type of model."""
    folder = tmp_path_factory.mktemp("models")
    models = {kind: learn(task(kind), world(kind), folder / kind)[0] for kind in ModelType}
    return {kind: Predictor("ml-1", model, COLUMNS) for kind, model in models.items()}


def test_answers_have_their_documented_form(predictors):
    """Label and scores of both or all classes, or a value; who answered stands beside."""
    for kind, predictor in predictors.items():
        (answer,), unknown = predictor.predict([{"x": 0.9, "colour": "blue"}])
        document = answer.document()
        assert document.pop("model_id") == "ml-1"
        assert document.pop("prediction_id") is None
        assert unknown == []
        if kind is ModelType.REGRESSION:
            assert set(document) == {"value"}
            assert document["value"] == pytest.approx(2.7, abs=1)
        else:
            assert set(document["scores"]) == set(predictor.model.target.classes)
            assert document["label"] == max(document["scores"], key=document["scores"].get)
            assert sum(document["scores"].values()) == pytest.approx(1)


def test_records_are_answered_in_order(predictors):
    """One answer for each record, the same as alone; no records, no answers."""
    predictor = predictors[ModelType.REGRESSION]
    records = [{"x": i / 10, "colour": "red"} for i in range(10)]
    together, _ = predictor.predict(records)
    assert together == [predictor.predict([record])[0][0] for record in records]
    values = [answer.value for answer in together]
    assert values == sorted(values)


def test_top_keeps_the_best_in_order(predictors):
    """The best N, best first; more than there are is all."""
    predictor = predictors[ModelType.MULTICLASS]
    (answer,), _ = predictor.predict([{"x": 0.9, "colour": "green"}], top=2)
    assert next(iter(answer.scores)) == answer.label == "green"
    assert list(answer.scores.values()) == sorted(answer.scores.values(), reverse=True)
    assert len(answer.scores) == 2
    (answer,), _ = predictor.predict([{"x": 0.9, "colour": "green"}], top=99)
    assert len(answer.scores) == 4


def test_unknown_attributes_are_named_but_not_the_target(predictors):
    """What the model does not know changes nothing; the target is no surprise."""
    predictor = predictors[ModelType.BINARY]
    plain, _ = predictor.predict([{"x": 0.9, "colour": "blue"}])
    answers, unknown = predictor.predict([{"x": 0.9, "colour": "blue", "size": 3, "y": "whatever"}])
    assert answers == plain
    assert unknown == ["size"]


def test_values_may_be_text_or_numbers(predictors):
    """A form sends text, a program numbers: the same record."""
    predictor = predictors[ModelType.BINARY]
    assert predictor.predict([{"x": "0.90"}]) == predictor.predict([{"x": 0.9}])


def test_unreadable_number_is_named(predictors):
    """Attribute, record and value stand in the message."""
    with pytest.raises(InvalidInput, match=r"'x' of record 2 .*'tall'"):
        predictors[ModelType.BINARY].predict([{"x": 1}, {"x": "tall"}])


@pytest.mark.parametrize("attribute", ["colour", "x"])
def test_bytes_that_are_no_text_are_named(predictors, attribute):
    """A command line may hold bytes that are not UTF-8, which arrive as lone surrogates: a mistake of the user's."""
    for predict in (
        predictors[ModelType.BINARY].predict,
        lambda records: predictors[ModelType.BINARY].features(*records),
    ):
        with pytest.raises(InvalidInput, match=f"{attribute!r}.*udcff"):
            predict([{attribute: "\udcff"}])


def test_rows_of_another_extract_are_brought_into_form(predictors):
    """Columns in another order, type or number give the scores of the trained form."""
    predictor = predictors[ModelType.BINARY]
    rows = world(ModelType.BINARY, rows=50, seed=8)
    texts = [rows.column("colour"), rows.column("x").cast(pa.string()), pa.array(["?"] * 50)]
    foreign = pa.RecordBatch.from_arrays(texts, names=["colour", "x", "extra"])
    np.testing.assert_allclose(predictor.score(foreign), predictor.score(rows.drop_columns(["weight", "y"])))


@pytest.mark.parametrize("kind", ModelType)
def test_record_alone_is_answered_as_among_many(predictors, kind):
    """One record is scored by itself, many in a batch: the same answers to the bit."""
    predictor = predictors[kind]
    cells = [None, 0.1, "0.90", 1, True, "n/a", 7.5e300]
    records = [{"x": cell, "colour": colour} for cell in cells for colour in ("red", "Blue", None, 3, "")]
    assert len(records) > FEW
    alone = [predictor.predict([record], top=2)[0][0] for record in records]
    assert predictor.predict(records, top=2)[0] == alone


def test_observation_of_texts_is_scored_as_its_batch(predictors):
    """By the schema alone, whatever the extract's types were: what is no number is missing, long text or short."""
    model = predictors[ModelType.MULTICLASS].model
    for x, colour in (("0.9", "blue"), ("tall", "blue"), ("1e3", "x" * 5000)):
        batch = pa.RecordBatch.from_pydict({"x": [x], "colour": [colour]})
        scores = predictors[ModelType.MULTICLASS].score_texts({"x": x, "colour": colour, "y": "red"})
        np.testing.assert_array_equal(scores, model.score(batch)[0])


def test_features_of_a_record_are_those_of_its_batch(predictors):
    """What a learner is taught of one record has the keys and values of the batch, in their order; long text, too."""
    predictor = predictors[ModelType.BINARY]
    columns = [(column.name, column.arrow) for column in COLUMNS if column.name != "y"]
    for record in ({"x": 0.9, "colour": "blue"}, {"x": "0.1"}, {"colour": "x" * 5000}, {}):
        features = predictor.features(record)
        expected = predictor.model.recipe.features(batch_of_records([record], columns)[0])
        for name in ("indptr", "keys", "values"):
            found, wanted = getattr(features, name), getattr(expected, name)
            assert (found.dtype, found.tolist()) == (wanted.dtype, wanted.tolist())
    with pytest.raises(InvalidInput, match=r"'x' of record 1 .*'tall'"):
        predictor.features({"x": "tall"})


def test_text_that_should_be_a_number_is_refused(predictors):
    """A column of text that the model takes for numbers: the message names attribute, record and text."""
    model = predictors[ModelType.BINARY].model
    predictor = Predictor("ml-1", model, tuple(Column(column.name, "string") for column in COLUMNS))
    assert predictor.predict([{"x": "0.9"}])[0] == predictors[ModelType.BINARY].predict([{"x": 0.9}])[0]
    with pytest.raises(InvalidInput, match="'x' is NUMERIC, but record 1 holds 'tall'"):
        predictor.predict([{"x": "tall"}])


def test_missing_column_counts_as_empty(predictors):
    """A column that is not there is the same as one without a single value."""
    predictor = predictors[ModelType.BINARY]
    rows = world(ModelType.BINARY, rows=20, seed=8).select(["colour"])
    empty = rows.append_column("x", pa.nulls(20, pa.float64()))
    np.testing.assert_array_equal(predictor.score(rows), predictor.score(empty))
