"""What a server does before it has any process, seen from within."""

import os
import threading
import time

import pytest

from understudy.config import Place
from understudy.errors import StoreError, UnderstudyError
from understudy.server import serve
from understudy.server.settings import settings_for
from understudy.store.local import LocalObjects


@pytest.fixture
def settings(tmp_path):
    """Give the settings of a server of a folder that is no project's."""
    return settings_for([Place(root=tmp_path)], port=0)


def test_sweep_before_the_start_leaves_no_thread(settings, tmp_path, monkeypatch):
    """A store of objects may start threads: the process that forks all others has none of them."""

    def sweep(_objects):
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        (tmp_path / "swept-by").write_text(str(os.getpid()))
        return 0

    monkeypatch.setattr(LocalObjects, "sweep", sweep)
    before = threading.active_count()
    serve._prepare(settings)
    assert threading.active_count() == before
    assert (tmp_path / "swept-by").read_text() != str(os.getpid())


def test_store_that_cannot_be_swept_is_said(settings, monkeypatch):
    """Objects that cannot be reached end the start, with an error."""

    def sweep(_objects):
        raise StoreError("the objects are away")

    monkeypatch.setattr(LocalObjects, "sweep", sweep)
    with pytest.raises(UnderstudyError, match="cannot be cleared away"):
        serve._prepare(settings)


def test_folder_that_others_can_read_is_warned_of(settings, tmp_path, capsys):
    """A folder from before, open to all users of the machine, is served as it is, and told of."""
    serve._prepare(settings)
    assert capsys.readouterr().err == ""
    (tmp_path / ".understudy").chmod(0o755)
    serve._prepare(settings)
    assert f"chmod 700 {tmp_path / '.understudy'}" in capsys.readouterr().err


def test_counters_of_a_server_that_starts_are_left_alone(tmp_path, monkeypatch):
    """A folder that was made a moment ago may not be locked yet; one that is old and nobody's is cleared away."""
    monkeypatch.setattr(serve, "_SHARED_MEMORY", tmp_path)
    new, old = tmp_path / "understudy-metrics-new", tmp_path / "understudy-metrics-old"
    new.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - 300,) * 2)
    with serve._metrics_folder(tmp_path) as own:
        assert own.is_dir()
        assert new.is_dir()
        assert not old.exists()
