"""The model is a value: saved, read, compared by its fingerprint, and never trusted blindly."""

import json
from unittest import mock

import numpy as np
import pytest

from test_training import learn, task, world
from understudy.errors import CorruptObject
from understudy.model import MANIFEST, WEIGHTS, Model
from understudy.schema import ModelType


@pytest.fixture(scope="module", params=list(ModelType))
def model(request, tmp_path_factory):
    """Give a model of each type."""
    return learn(task(request.param), world(request.param), tmp_path_factory.mktemp("model"))[0]


def test_saved_model_answers_the_same(model):
    """Read back, a model has the same fingerprint and gives the same scores to the last bit."""
    back = Model.from_files(model.files(), fingerprint=model.fingerprint)
    rows = world(model.target.type, seed=9)
    np.testing.assert_array_equal(back.score(rows), model.score(rows))
    assert back.fingerprint == model.fingerprint
    assert back.files() == model.files()
    assert back.target == model.target


def test_opened_model_answers_the_same(model, tmp_path):
    """Opened from its folder, weights mapped, a model is the same; a file of no bytes is noticed."""
    for file, data in model.files().items():
        (tmp_path / file).write_bytes(data)
    opened = Model.open(tmp_path, fingerprint=model.fingerprint)
    rows = world(model.target.type, seed=9)
    np.testing.assert_array_equal(opened.score(rows), model.score(rows))
    assert opened.files() == model.files()
    (tmp_path / WEIGHTS).write_bytes(b"")
    with pytest.raises(CorruptObject, match="0 bytes"):
        Model.open(tmp_path, fingerprint=model.fingerprint)


def test_scores_have_their_documented_shape(model):
    """Probabilities for two labels, rows that sum to 1 for many, plain numbers for a regression."""
    rows = world(model.target.type, rows=40, seed=9)
    scores = model.score(rows)
    if model.target.type is ModelType.MULTICLASS:
        assert scores.shape == (40, len(model.target.classes))
        np.testing.assert_allclose(scores.sum(axis=1), 1)
    else:
        assert scores.shape == (40,)
    if model.target.type is not ModelType.REGRESSION:
        assert scores.min() >= 0
        assert scores.max() <= 1


def test_rows_are_scored_one_by_one_as_together(model):
    """A row's score does not hang on its neighbours."""
    rows = world(model.target.type, rows=30, seed=9)
    alone = np.concatenate([model.score(rows.slice(i, 1)) for i in range(30)])
    np.testing.assert_array_equal(alone, model.score(rows))


def test_target_is_not_needed(model):
    """Observations to be predicted have no target."""
    rows = world(model.target.type, seed=9)
    np.testing.assert_array_equal(model.score(rows.drop_columns(["y"])), model.score(rows))


def test_folder_holds_no_code(model):
    """Two files: readable JSON, and safetensors; the size is that of what they hold."""
    files = model.files()
    assert set(files) == {MANIFEST, WEIGHTS}
    assert json.loads(files[MANIFEST])["format"] == 1
    assert b"pickle" not in files[WEIGHTS]
    assert 0 < model.size_in_bytes <= sum(map(len, files.values()))


def _flipped(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize("file", [MANIFEST, WEIGHTS])
def test_any_changed_byte_is_noticed(model, file):
    """Wherever the disk changes one bit, the model is refused and not served."""
    files = model.files()
    for place in np.linspace(0, len(files[file]) - 1, 25).astype(int):
        changed = {**files, file: _flipped(files[file], int(place))}
        with pytest.raises(CorruptObject):
            Model.from_files(changed, fingerprint=model.fingerprint)


@pytest.mark.parametrize("missing", [MANIFEST, WEIGHTS])
def test_missing_file_is_noticed(model, missing):
    """Half a folder is no model."""
    files = {name: data for name, data in model.files().items() if name != missing}
    with pytest.raises(CorruptObject):
        Model.from_files(files, fingerprint=model.fingerprint)


def test_newer_format_is_refused(model):
    """A folder of a later version is not half understood, though it has its fingerprint."""
    with mock.patch("understudy.model.FORMAT", 2):
        later = Model(model.target, model.columns, model.schema, model.recipe, model.weights)
        files, fingerprint = later.files(), later.fingerprint
        assert Model.from_files(files, fingerprint=fingerprint).fingerprint == fingerprint
    with pytest.raises(CorruptObject, match="newer"):
        Model.from_files(files, fingerprint=fingerprint)
