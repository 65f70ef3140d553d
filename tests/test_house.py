"""A project's store, opened: models by their ids, who serves, and what is said when something is missing."""

import pytest

from acceptance.stage import calls_project
from understudy.config import load
from understudy.errors import CorruptObject, NoChampion, NotFound, StoreError
from understudy.house import House, model_object


@pytest.fixture
def learned(tmp_path):
    """Give a project that has learned, its house, and what it learned."""
    project = calls_project(tmp_path)
    document = project.do("learn")
    return House(load(tmp_path)), document


def test_model_is_opened_by_its_id(learned):
    """The predictor of an id has the fingerprint that the catalog names."""
    house, document = learned
    predictor = house.predictor(document["model_id"])
    assert predictor.model_id == document["model_id"]
    assert predictor.model.fingerprint == document["fingerprint"]
    assert [column.name for column in predictor.columns] == ["id", "age", "job", "balance", "note", "answer"]


def test_champion_serves(learned):
    """Who was admitted is who serves."""
    house, document = learned
    assert house.champion().model_id == house.serving().model_id == document["model_id"]


def test_unknown_and_other_ids_are_said(learned):
    """An id that is unknown, or of another kind, is NotFound."""
    house, document = learned
    with pytest.raises(NotFound, match="ml-none"):
        house.predictor("ml-none")
    with pytest.raises(NotFound, match="not a model"):
        house.predictor(document["evaluation_id"])


@pytest.mark.parametrize("file", ["manifest.json", "weights.safetensors"])
def test_damaged_model_never_serves(learned, file):
    """One changed byte on the disk, and the model is an error instead of an answer."""
    house, document = learned
    path = house.objects.path(model_object(document["fingerprint"])) / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptObject):
        house.serving()


def test_lost_model_is_said(learned):
    """A model whose folder is gone is one clear error of the store."""
    house, document = learned
    house.objects.delete(model_object(document["fingerprint"]))
    with pytest.raises(StoreError, match="cannot be read"):
        house.serving()


def test_nothing_is_made_by_looking(tmp_path):
    """Before the first run there is no champion, no catalog, and no folder appears."""
    calls_project(tmp_path)
    house = House(load(tmp_path))
    assert not house.catalog_exists
    with pytest.raises(NoChampion, match="no champion"):
        house.serving()
    assert not (tmp_path / ".understudy").exists()
