"""The process that does jobs: what it loads, and when it gives that back."""

import os
import time

import pytest

from understudy.config import Place
from understudy.server import runner
from understudy.server.settings import Opened, settings_for
from understudy.server.sweeping import sweep, sweep_is_due


@pytest.fixture
def settings(tmp_path):
    """Give the settings of a server without projects."""
    return settings_for([Place(root=tmp_path)])


def test_process_ends_when_nothing_needs_any_more_what_it_has_loaded(settings, monkeypatch):
    """After its last job, done or failed, it waits a while for the next and returns: what begins anew is small."""
    monkeypatch.setattr(runner, "_KEPT_SECONDS", 0.2)
    loaded = []
    monkeypatch.setattr(runner, "computing", lambda: loaded.append("what computes"))
    monkeypatch.setattr(runner, "warm_up", lambda: loaded.append("kernels"))
    catalog = Opened(settings).stores[0].catalog
    for number in range(2):
        catalog.create("data_source", f"ds-{number}", {})  # a job that can only fail
    runner.run_jobs(settings)
    assert loaded == ["what computes", "kernels"]
    assert {job.status for job in catalog.find("data_source")} == {"FAILED"}
    catalog.close()


def test_process_without_jobs_stays_and_loads_nothing(settings, monkeypatch):
    """As long as there is no job, it holds nothing that could be given back."""
    monkeypatch.setattr(runner, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "computing", None)
    waited = iter([True] * 5)
    opened = Opened(settings)
    working = runner._Runner(settings, opened, runner._works(opened))
    working.work(lambda _: next(waited, False))
    assert next(waited, None) is None
    assert not working.is_done
    opened.stores[0].catalog.close()


def test_sweep_is_due_by_the_hour_whoever_swept(settings, monkeypatch):
    """A process that lives for less than an hour sweeps when the last sweep, of any process, is an hour ago."""
    begun = []
    monkeypatch.setattr(runner.Jobs, "run_errand", lambda _, name, __: begun.append(name) or True)

    def live():
        begun.clear()
        opened = Opened(settings)
        steps = iter([True] * 5)
        runner._Runner(settings, opened, runner._works(opened)).work(lambda _: next(steps, False))
        opened.stores[0].catalog.close()
        return begun

    assert live() == ["sweep"]
    sweep(settings)
    assert live() == []
    stamp = settings.folder / "swept"
    for hours, due in ((0.9, False), (1.1, True), (-1.0, True)):
        os.utime(stamp, (then := time.time() - hours * 3600, then))
        assert sweep_is_due(settings) == due
        assert live() == ["sweep"] * due


def test_sweep_waits_for_a_place(settings, monkeypatch):
    """One for which no process is free now is begun as soon as one is, and then not again at once."""
    tried = []
    monkeypatch.setattr(runner.Jobs, "run_errand", lambda _, name, __: tried.append(name) or len(tried) == 3)
    steps = iter([True] * 5)
    opened = Opened(settings)
    runner._Runner(settings, opened, runner._works(opened)).work(lambda _: next(steps, False))
    opened.stores[0].catalog.close()
    assert tried == ["sweep"] * 3
