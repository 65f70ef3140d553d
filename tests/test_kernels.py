"""Where compiled kernels are kept when neither the package's own folder nor the user's cache can be written."""

import os
import stat
from pathlib import Path

import pytest

from understudy.cli import kernels


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """Let nothing be writable of what Numba would take by itself."""
    monkeypatch.setenv(kernels.VARIABLE, "")  # so that it is put back
    monkeypatch.delenv(kernels.VARIABLE)
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path / "package")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    monkeypatch.setattr(kernels, "_writable", lambda path: path.name == "kernels")


def chosen(folder):
    """Return where kernels are kept for a project's folder; None where Numba is left to itself."""
    kernels.place_kernels(folder)
    return os.environ.get(kernels.VARIABLE)


def test_numba_is_left_alone_where_it_finds_a_place(tmp_path, monkeypatch):
    """Where a place of Numba's own can be written, or a person named one, nothing is said to it."""
    monkeypatch.setattr(kernels, "_writable", lambda path: path.name == "numba")
    assert chosen(tmp_path) is None
    monkeypatch.setenv(kernels.VARIABLE, "/somewhere")
    assert chosen(tmp_path) == "/somewhere"


def test_kernels_are_kept_in_the_project(tmp_path):
    """A private folder of the project keeps them for the next command, whether the folder or its file was named."""
    (tmp_path / ".understudy").mkdir(mode=0o700)
    assert chosen(tmp_path) == str(tmp_path / ".understudy" / "kernels")
    assert stat.S_IMODE((tmp_path / ".understudy" / "kernels").stat().st_mode) == 0o700


@pytest.mark.parametrize("how", ["missing", "open", "link"])
def test_folder_that_others_could_fill_is_not_taken(tmp_path, how):
    """Kernels are code: a folder that others may write, or a link to one, is passed by; none is made by looking."""
    home = tmp_path / "project" / ".understudy"
    home.parent.mkdir()
    if how == "open":
        home.mkdir()
        home.chmod(0o770)
    elif how == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        home.symlink_to(tmp_path / "elsewhere")
    place = Path(chosen(home.parent))
    assert not place.is_relative_to(tmp_path / "project")
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert home.exists() == (how != "missing")
    place.rmdir()


def test_folder_is_tried_before_it_is_trusted(tmp_path, monkeypatch):
    """What is missing is made; a file in its way makes it impossible, whatever rights say."""
    monkeypatch.undo()
    assert kernels._writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert not kernels._writable(tmp_path / "file" / "b")
