"""What a server does before it has any process, seen from within."""

import dataclasses
import os
import threading
import time

import pytest

from understudy.config import Extract, Place, Project, Schedule
from understudy.errors import StoreError, UnderstudyError
from understudy.server import serve
from understudy.server.presence import announced
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
    with serve._sweeping(settings):
        pass
    assert threading.active_count() == before
    assert (tmp_path / "swept-by").read_text() != str(os.getpid())


def test_store_that_cannot_be_swept_is_said(settings, monkeypatch):
    """Objects that cannot be reached end the start, with an error."""

    def sweep(_objects):
        raise StoreError("the objects are away")

    monkeypatch.setattr(LocalObjects, "sweep", sweep)
    with pytest.raises(UnderstudyError, match="cannot be cleared away"), serve._sweeping(settings):
        pass


def test_folder_that_others_can_read_is_warned_of(settings, tmp_path, capsys):
    """A folder from before, open to all users of the machine, is served as it is, and told of."""
    serve._prepare(settings)
    assert capsys.readouterr().err == ""
    (tmp_path / ".understudy").chmod(0o755)
    serve._prepare(settings)
    assert f"chmod 700 {tmp_path / '.understudy'}" in capsys.readouterr().err


def test_greeting_of_a_place_says_what_is_served(settings, tmp_path, monkeypatch):
    """Where there is no project that is said, with the folder that was served, and how a client gets its variables."""
    first, second, third = serve.greeting(settings, "http://127.0.0.1:8080")
    assert first == "Understudy answers at http://127.0.0.1:8080"
    assert second == f"  no project in {tmp_path}: Amazon ML and S3 alone"
    assert f"understudy env --project {tmp_path}" in third
    assert "http://127.0.0.1:8080/docs" in third
    monkeypatch.chdir(tmp_path)
    assert 'eval "$(understudy env)"' in serve.greeting(settings, "http://127.0.0.1:8080")[2]


def test_greeting_of_projects_names_them_and_when_they_learn(tmp_path):
    """Every endpoint is named with its folder, and with its schedule where it has one; blanks in a path are quoted."""
    first, second = (
        Project(root=tmp_path / "a folder", name=name, extract=(Extract(files="x.csv"),), schedule=schedule)
        for name, schedule in (("shop", Schedule(every="1w")), ("bank", None))
    )
    _, served, todo = serve.greeting(settings_for([first, second]), "http://127.0.0.1:8080")
    folder = tmp_path / "a folder"
    assert served == f"  serves shop from {folder}, learning every 1w, bank from {folder}"
    assert f"--project '{folder}'" in todo


def test_second_server_of_a_folder_is_told_of_the_first(settings):
    """On the same port the first is named in place of the port's trouble; on another one both serve, with a note."""
    said = []
    with serve._listener(settings, said.append) as first:
        url = serve.url_of(settings, first.getsockname()[1])
        same = dataclasses.replace(settings, port=first.getsockname()[1])
        with announced(settings.folder, url):
            with pytest.raises(UnderstudyError, match=f"runs already at {url} \\(process {os.getpid()}\\)"):
                serve._listener(same, said.append)
            assert said == []
            serve._listener(settings, said.append).close()
    assert said == [f"note: a server of this folder runs already at {url} (process {os.getpid()}); both serve the same"]


def test_port_that_somebody_else_has_is_told_as_it_is(settings):
    """Where no server of the folder runs, the system's reason is said."""
    with serve._listener(settings, print) as first:
        same = dataclasses.replace(settings, port=first.getsockname()[1])
        with pytest.raises(UnderstudyError, match="cannot be listened on"):
            serve._listener(same, print)


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
