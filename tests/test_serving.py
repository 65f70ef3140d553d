"""Models in memory: refreshed from the catalogs, swapped whole, and kept where the new ones cannot be read."""

import shutil
from unittest import mock

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from acceptance.conftest import learned, learned_once  # noqa: F401 - a project that has learned
from acceptance.stage import calls, calls_project, write_csv
from understudy import serving as module
from understudy.config import Place, load
from understudy.errors import StoreError
from understudy.house import House, Storehouse
from understudy.model import Model, Weights
from understudy.prediction import Column, Predictor
from understudy.recipe import fit, parse
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.serving import Serving, wait_until, warm_up
from understudy.target import Target

RECORD = {"age": 61, "job": "nurse"}


@pytest.fixture
def house(learned):  # noqa: F811 - a fixture by its name
    """Give the opened store of a project that has learned."""
    opened = House(load(learned.folder))
    yield opened
    opened.catalog.close()


@pytest.fixture
def serving(house):
    """Give what serves that project, refreshed once."""
    made = Serving(house, [house])
    assert made.refresh()
    return made


def _second_model(project):
    """Learn a second model and let it serve; return who served before and who does now."""
    before = project.champion
    write_csv(project.folder / "calls.csv", calls(500))
    made = project.do("learn", "--dry-run")["model_id"]
    return before, project.do("promote", made)["champion"]


def _damage(project, house, model_id):
    """Let a model's weights be no longer those of its fingerprint."""
    fingerprint = house.model_entity(model_id).document["fingerprint"].removeprefix("sha256:")
    file = project.folder / ".understudy" / "objects" / "models" / fingerprint / "weights.safetensors"
    file.rename(file.with_suffix(".whole"))
    file.write_bytes(b"\0" * 100)
    return file


def _mount(house, model_id, endpoint, **document):
    def changed(model):
        return msgspec.structs.replace(model, document={**model.document, "endpoint": endpoint, **document})

    house.catalog.amend("model", model_id, changed, serving=True)


def test_nobody_answers_before_the_first_look(house):
    """Before a refresh there is no revision and no model; a name that no project has, has none ever."""
    fresh = Serving(house, [house])
    assert fresh.revisions == ()
    assert fresh.champion("calls") is fresh.mounted("ml-x") is fresh.champion("other") is None


def test_champion_answers_as_the_command_line_does(serving, learned):  # noqa: F811
    """The champion in memory is the catalog's, since when it says, and gives the same answer."""
    served = serving.champion("calls")
    status = learned.do("status")["endpoint"]["champion"]
    assert (served.model_id, served.since) == (status["model_id"], status["since"])
    (answer,), _ = served.predictor.predict([RECORD])
    assert answer.document() == learned.answer(**RECORD)


def test_promotion_swaps_and_what_is_loaded_stays(serving, house, learned):  # noqa: F811
    """After a flip the next refresh answers by the new champion; without a change nothing is read or loaded again."""
    old = serving.champion("calls")
    assert not serving.refresh()
    assert serving.champion("calls") is old
    before, after = _second_model(learned)
    assert serving.champion("calls").model_id == before
    assert serving.refresh()
    assert serving.champion("calls").model_id == after
    assert serving.revisions == (house.catalog.serving_revision(),)


def test_champion_that_cannot_be_read_leaves_the_old_one(serving, house, learned, monkeypatch, caplog):  # noqa: F811
    """A damaged new champion changes nothing for those who ask; once it is whole again it serves by itself."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    before, after = _second_model(learned)
    file = _damage(learned, house, after)
    assert serving.refresh()
    assert serving.champion("calls").model_id == before
    assert "champion of 'calls' cannot be loaded" in caplog.text
    file.with_suffix(".whole").rename(file)
    serving.refresh()
    assert serving.champion("calls").model_id == after
    assert not serving.refresh()


def test_revision_is_not_answered_by_before_what_changed_is_loaded(serving, house, learned, monkeypatch):  # noqa: F811
    """Whoever waits for a flip is not told that a worker follows while that answers by the model before."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    (known,) = serving.revisions
    _, after = _second_model(learned)
    file = _damage(learned, house, after)
    serving.refresh()
    serving.refresh()
    assert serving.revisions == (known,)
    file.with_suffix(".whole").rename(file)
    serving.refresh()
    assert serving.revisions == (house.catalog.serving_revision(),)


def test_model_that_stays_missing_holds_up_no_other_change(serving, house, learned, monkeypatch):  # noqa: F811
    """What changes later is followed, however long another model cannot be read; so it is by a new worker."""
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    first, after = _second_model(learned)
    _damage(learned, house, after)
    serving.refresh()
    _mount(house, first, {"status": "READY"})
    for _ in range(2):
        serving.refresh()
        assert serving.revisions == (house.catalog.serving_revision(),)
    fresh = Serving(house, [house])
    fresh.refresh()
    assert fresh.revisions == (house.catalog.serving_revision(),)


def test_each_champion_that_cannot_be_read_counts_for_itself(serving, house, learned):  # noqa: F811
    """A second flip to a model that cannot be read is not followed either."""
    _, second = _second_model(learned)
    write_csv(learned.folder / "calls.csv", calls(600))
    third = learned.do("learn", "--dry-run")["model_id"]
    _damage(learned, house, second)
    serving.refresh()
    learned.do("promote", third)
    _damage(learned, house, third)
    serving.refresh()
    assert serving.revisions[0] < house.catalog.serving_revision()


def test_model_with_an_endpoint_is_mounted_until_it_has_none(serving, house, learned):  # noqa: F811
    """A model answers by its id while it has an endpoint, in the same memory if it served before; then no more."""
    before, after = _second_model(learned)
    predictor = serving.champion("calls").predictor
    _mount(house, before, {"status": "READY"})
    serving.refresh()
    assert serving.mounted(before).predictor is predictor
    assert serving.mounted(before).since is None
    _mount(house, before, None)
    serving.refresh()
    assert serving.mounted(before) is None
    assert serving.champion("calls").model_id == after


def test_champion_answers_by_its_own_id_too(serving, learned):  # noqa: F811
    """Whoever serves answers by the endpoint's name and by its id; after a promotion that is the new champion's."""
    first = learned.champion
    assert serving.mounted(first) is serving.champion("calls")
    before, after = _second_model(learned)
    serving.refresh()
    assert serving.mounted(before) is None
    assert serving.mounted(after) is serving.champion("calls")


def test_changed_threshold_arrives(serving, house, learned):  # noqa: F811
    """A cut-off that was moved counts from the next refresh on, and loads nothing anew."""
    before = serving.champion("calls")
    _mount(house, learned.champion, None, threshold=0.9)
    serving.refresh()
    after = serving.champion("calls")
    assert (before.threshold, after.threshold) == (0.5, 0.9)
    assert after.predictor is before.predictor


def test_one_damaged_model_takes_no_other_away(serving, house, learned):  # noqa: F811
    """Of several mounted models the one that cannot be read is missed alone; one that answers already goes on."""
    before, after = _second_model(learned)
    _mount(house, before, {"status": "READY"})
    serving.refresh()
    _damage(learned, house, before)
    _mount(house, after, {"status": "READY"})
    serving.refresh()
    assert serving.mounted(before).model_id == before
    assert serving.mounted(after).model_id == after
    fresh = Serving(house, [house])
    fresh.refresh()
    assert fresh.mounted(before) is None
    assert fresh.mounted(after).model_id == after


def test_catalog_that_cannot_be_read_changes_nothing(serving, house, caplog):
    """While the catalog fails, whoever answers goes on, and the log says so once."""
    before = serving.champion("calls")
    with mock.patch.object(type(house.catalog), "serving_revision", side_effect=StoreError("it is away")):
        assert not serving.refresh()
        assert not serving.refresh()
    assert serving.champion("calls") is before
    assert caplog.text.count("it is away") == 1


def test_stores_are_refreshed_each_for_itself(house, tmp_path):
    """Several projects and a folder without one: each name has its own champion, and one failing store stops none."""
    other = calls_project(tmp_path / "other", seed=2)
    (other.folder / "understudy.toml").write_text(
        (other.folder / "understudy.toml").read_text().replace('"calls"\n[', '"other"\n[')
    )
    second = House(load(other.folder), create=True)
    plain = Storehouse(Place(root=tmp_path / "plain"), create=True)
    serving = Serving(plain, [house, second])
    serving.refresh()
    assert serving.champion("calls")
    assert serving.champion("other") is None
    shutil.move(house.place.root / ".understudy" / "catalog.db", tmp_path / "away")
    (house.place.root / ".understudy" / "catalog.db").mkdir()
    made = other.do("learn")["model_id"]
    assert serving.refresh()
    assert serving.champion("other").model_id == made
    assert serving.champion("calls")
    assert len(serving.revisions) == 3
    plain.catalog.close()
    second.catalog.close()


def test_kernels_are_warmed_by_every_kind_of_attribute():
    """The model that loads the kernels uses every transformation of the recipe language."""
    from understudy.recipe.transformations import TRANSFORMATIONS  # noqa: PLC0415

    warm_up()
    asked = " ".join(module._EVERYTHING)
    assert not [name for name in TRANSFORMATIONS if f"{name}(" not in asked and name != "normalize"]


def test_model_in_memory_has_met_letters_beyond_ascii(tmp_path, monkeypatch):
    """The lower case of such a letter is Arrow's, which would be loaded amid the first request that holds one."""
    from understudy.recipe import makers  # noqa: PLC0415

    monkeypatch.setattr(makers, "_LOWER", makers._Lower())
    kinds = (Attribute("t", AttributeType.TEXT), Attribute("y", AttributeType.NUMERIC))
    schema = Schema(kinds, target="y")
    recipe = parse('{"outputs": ["lowercase(t)"]}', schema)
    sample = pa.table({"t": ["One", "two"], "y": ["1", "2"]})
    weights = Weights(np.zeros(1, np.uint64), np.zeros((1, 1), np.float32), np.zeros(1))
    model = Model(Target("y", ModelType.REGRESSION), schema.names, schema, fit(recipe, schema, sample), weights)
    module._warmed(Predictor("ml-1", model, (Column("t", "string"), Column("y", "string"))))
    assert {ord("Ä"): "ä"} == makers._LOWER


def test_loading_is_told_while_it_lasts(house):
    """Whoever waits for a large model can tell loading from standing still; a look that finds nothing new is none."""
    told = []
    serving = Serving(house, [house], told.append)
    serving.refresh()
    serving.refresh()
    assert told == [True, False]


def test_waiting_has_an_end():
    """Waiting tells whether what was waited for came."""
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0.02)
