"""Training: the same rows make the same model, and the model knows what the rows taught."""

import math

import numpy as np
import pyarrow as pa
import pytest

from understudy.config import parse_parameters
from understudy.errors import RecipeError, TrainingError
from understudy.recipe import suggest
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.target import Target
from understudy.training import Task, train

COLOURS = ("blue", "green", "red")


def world(kind, rows=600, seed=3):
    """Rows as stored observations: a number and a colour that decide the target, and a weight."""
    random = np.random.default_rng(seed)
    x, colour = random.random(rows), random.integers(0, 3, rows)
    likes = {
        ModelType.BINARY: pa.array(((x > 0.5) | (colour == 2)).astype(np.int64)),
        ModelType.MULTICLASS: pa.array([COLOURS[c] if v > 0.2 else "none" for c, v in zip(colour, x, strict=True)]),
        ModelType.REGRESSION: pa.array(3 * x + 10 * colour),
    }
    weights = pa.array(np.where(colour == 1, 0.0, 1.0))
    columns = [pa.array(x), pa.array([COLOURS[c] for c in colour]), weights, likes[kind]]
    return pa.RecordBatch.from_arrays(columns, names=["x", "colour", "weight", "y"])


def task(kind, recipe=None, row_weight=None, **parameters):
    """Tell what is to be learned of the world."""
    target_type = {"BINARY": "BINARY", "MULTICLASS": "CATEGORICAL", "REGRESSION": "NUMERIC"}[kind]
    types = {"x": "NUMERIC", "colour": "CATEGORICAL", "weight": "NUMERIC", "y": target_type}
    attributes = tuple(Attribute(name, AttributeType(type_)) for name, type_ in types.items())
    schema = Schema(attributes, target="y", row_weight=row_weight, excluded=() if row_weight else ("weight",))
    classes = {"BINARY": ("no", "yes"), "MULTICLASS": (*COLOURS[:2], "none", "red"), "REGRESSION": ()}[kind]
    settings = parse_parameters({f"sgd.{key}": value for key, value in parameters.items()})
    return Task(schema.names, schema, Target("y", kind, classes), recipe, settings)


def learn(asked, rows, folder, cuts=1):
    """Train on rows that come in so many batches."""
    folder.mkdir(exist_ok=True)
    table = pa.Table.from_batches([rows])
    size = math.ceil(rows.num_rows / cuts)
    done = []
    result = train(asked, table, lambda: iter(table.to_batches(size)), folder, done.append)
    assert sum(done) == rows.num_rows
    return result


@pytest.mark.parametrize("kind", ModelType)
def test_model_knows_what_it_was_taught(tmp_path, kind):
    """Each type of model answers new rows of the same world far better than guessing."""
    model, training = learn(task(kind), world(kind), tmp_path)
    unseen = world(kind, seed=4)
    scores, truth = model.score(unseen), unseen.column("y").to_pylist()
    if kind is ModelType.REGRESSION:
        assert np.abs(scores - np.array(truth)).mean() < 1
    else:
        codes = model.target.of_stored.codes(unseen.column("y"))
        said = scores >= 0.5 if kind is ModelType.BINARY else scores.argmax(axis=1)
        assert (said == codes).mean() > 0.8
    assert training.fit["passes"] >= 1
    assert training.fit["log"]


def test_same_rows_make_the_same_model(tmp_path):
    """Bit for bit, in whatever batches the rows come."""
    rows = world(ModelType.MULTICLASS)
    made = {learn(task(ModelType.MULTICLASS), rows, tmp_path / str(c), c)[0].fingerprint for c in (1, 1, 3, 50)}
    assert len(made) == 1


def test_parameters_and_rows_make_another(tmp_path):
    """What the model hangs on changes its fingerprint."""
    rows = world(ModelType.BINARY)
    asked = [
        task(ModelType.BINARY),
        task(ModelType.BINARY, l1RegularizationAmount=0.01),
        task(ModelType.BINARY, l2RegularizationAmount=0.1),
    ]
    made = [learn(each, rows, tmp_path / str(i))[0].fingerprint for i, each in enumerate(asked)]
    made.append(learn(asked[0], rows.slice(1), tmp_path / "less")[0].fingerprint)
    assert len(set(made)) == 4


def test_projects_recipe_is_taken(tmp_path):
    """A recipe that leaves a column out makes a model that does not see it; no suggestion competes."""
    recipe = '{"groups": {}, "assignments": {}, "outputs": ["colour"]}'
    model, training = learn(task(ModelType.BINARY, recipe), world(ModelType.BINARY), tmp_path)
    assert training.recipe == recipe
    assert training.trials == ()
    rows = world(ModelType.BINARY)
    blind = rows.set_column(0, "x", pa.array(np.zeros(rows.num_rows)))
    np.testing.assert_array_equal(model.score(rows), model.score(blind))


def test_suggested_recipes_compete(tmp_path):
    """Without a recipe the one with the lowest validation loss is taken, and all trials are told."""
    _, training = learn(task(ModelType.REGRESSION), world(ModelType.REGRESSION), tmp_path)
    losses = [trial.validation_loss for trial in training.trials]
    assert training.recipe
    assert all(math.isfinite(loss) for loss in losses)
    assert all(trial.reason for trial in training.trials)


def test_rows_without_weight_teach_nothing(tmp_path):
    """A row of weight 0 may say anything: the answers to all others stay as good."""
    rows = world(ModelType.BINARY)
    lying = pa.compute.if_else(pa.compute.equal(rows.column("weight"), 0), 1, rows.column("y"))
    model, _ = learn(task(ModelType.BINARY, row_weight="weight"), rows.set_column(3, "y", lying), tmp_path)
    counted = np.array(rows.column("weight")) > 0
    right = (model.score(rows) >= 0.5) == (np.array(rows.column("y")) == 1)
    assert right[counted].mean() > 0.85


def test_no_rows_are_no_model(tmp_path):
    """Nothing to learn from is an error of training."""
    rows = world(ModelType.BINARY)
    recipe = '{"groups": {}, "assignments": {}, "outputs": ["ALL_INPUTS"]}'
    with pytest.raises(TrainingError, match="no training rows"):
        train(task(ModelType.BINARY, recipe), pa.Table.from_batches([rows]), lambda: iter([]), tmp_path, lambda _: None)


def test_wrong_recipe_is_said(tmp_path):
    """A recipe that names what is not there stops before any row is read."""
    recipe = '{"groups": {}, "assignments": {}, "outputs": ["nothing"]}'
    with pytest.raises(RecipeError, match="nothing"):
        learn(task(ModelType.BINARY, recipe), world(ModelType.BINARY), tmp_path)


def test_what_a_recipe_may_not_name_is_told(tmp_path):
    """The target that the project's recipe names is no feature, and it is reported as ignored."""
    recipe = '{"outputs": ["colour", "y"]}'
    model, training = learn(task(ModelType.BINARY, recipe), world(ModelType.BINARY), tmp_path)
    assert training.ignored == ("y",)
    assert [output.text for output in model.recipe.outputs] == ["colour"]


def test_many_rows_let_the_best_recipes_compete_again(tmp_path):
    """With 20,000 rows there are two rounds of trials; the same rows choose the same recipe and model again."""
    rows = world(ModelType.REGRESSION, rows=20_000)
    made = [learn(task(ModelType.REGRESSION), rows, tmp_path / each) for each in ("once", "twice")]
    (model, training), (again, second) = made
    assert (model.fingerprint, training) == (again.fingerprint, second)
    assert len(training.trials) > 3


def test_suggestion_a_hair_better_does_not_displace_an_earlier_one(tmp_path):
    """Where the number says nothing, binning it otherwise saves less than the trials' own noise: the first is taken."""
    random = np.random.default_rng(1)
    rows = world(ModelType.BINARY, rows=4000)
    noisy = (random.random(4000) < 0.3) ^ np.array([colour == "red" for colour in rows.column("colour").to_pylist()])
    rows = rows.set_column(3, "y", pa.array(noisy.astype(np.int64)))
    _, training = learn(task(ModelType.BINARY), rows, tmp_path)
    first, *others = (trial.validation_loss for trial in training.trials)
    assert min(others) < first < 1.005 * min(others)
    table = pa.Table.from_batches([rows])
    assert training.recipe == suggest(task(ModelType.BINARY).schema, table, ModelType.BINARY)[0].text
