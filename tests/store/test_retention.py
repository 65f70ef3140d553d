"""Retention: what may go, and what never does."""

from hypothesis import given
from hypothesis import strategies as st

from understudy.store.retention import Inventory, KeptModel, removable


def weeks(count):
    """Make a model per run, newest first."""
    return [f"run-{n}" for n in range(count, 0, -1)], [KeptModel(f"ml-{n}", f"run-{n}") for n in range(count, 0, -1)]


def test_few_runs_and_models_all_stay():
    """Below the limits nothing goes."""
    runs, models = weeks(4)
    gone = removable(Inventory(runs, models, [], set()), keep_runs=4, keep_models=50)
    assert (gone.models, gone.runs) == ((), ())


def test_old_models_go_and_their_observations_with_them():
    """Beyond the last models a model goes that never served, and its run's observations go with it."""
    runs, models = weeks(6)
    gone = removable(Inventory(runs, models, [], set()), keep_runs=1, keep_models=3)
    assert gone.models == ("ml-3", "ml-2", "ml-1")
    assert gone.runs == ("run-3", "run-2", "run-1")


def test_observations_of_a_kept_model_stay_beyond_the_last_runs():
    """Every run that a kept model came from keeps its observations, so the model can be rebuilt."""
    runs, models = weeks(10)
    gone = removable(Inventory(runs, models, ["ml-2"], {"ml-2"}), keep_runs=4, keep_models=1)
    assert "run-2" not in gone.runs
    assert gone.runs == ("run-6", "run-5", "run-4", "run-3", "run-1")


def test_champions_stay_longer_than_models_that_never_served():
    """A model that served outlives newer ones that did not."""
    runs, models = weeks(10)
    gone = removable(Inventory(runs, models, ["ml-1"], set()), keep_runs=1, keep_models=2)
    assert gone.models == tuple(f"ml-{n}" for n in range(8, 1, -1))


def test_run_without_a_model_keeps_only_its_turn():
    """A run that made no model is kept among the last runs and then goes."""
    gone = removable(Inventory(["run-2", "run-1"], [], [], set()), keep_runs=1, keep_models=1)
    assert gone.runs == ("run-1",)


@given(
    count=st.integers(0, 30),
    served=st.sets(st.integers(1, 30)),
    safe=st.sets(st.integers(1, 30)),
    keep_runs=st.integers(1, 10),
    keep_models=st.integers(1, 10),
)
def test_protected_and_recent_never_go(count, served, safe, keep_runs, keep_models):
    """Whatever the history: the protected, the last models, the last runs, and the kept models' runs all stay."""
    runs, models = weeks(count)
    champions = [f"ml-{n}" for n in sorted(served, reverse=True)]
    protected = {f"ml-{n}" for n in safe}
    gone = removable(Inventory(runs, models, champions, protected), keep_runs=keep_runs, keep_models=keep_models)
    assert not protected & set(gone.models)
    assert not {model.model_id for model in models[:keep_models]} & set(gone.models)
    assert not set(runs[:keep_runs]) & set(gone.runs)
    kept = [model for model in models if model.model_id not in gone.models]
    assert not {model.run_id for model in kept} & set(gone.runs)
    assert len(kept) <= 2 * keep_models + len(protected)
