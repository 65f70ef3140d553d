"""Folders of Understudy's own: for their owner alone, from the first moment on."""

import os
import stat

import pytest

from acceptance.stage import calls_project
from understudy.config import Place
from understudy.folders import open_to_others, private_folder
from understudy.house import Storehouse
from understudy.server.keys import open_keys


@pytest.fixture(autouse=True)
def _usual_mask():
    """Let new folders be open to others, as they usually are."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def _mode(folder):
    return stat.S_IMODE(folder.stat().st_mode)


def test_only_the_private_folder_is_closed(tmp_path):
    """A `.understudy` on the way opens to its owner alone; folders above it are made as any other."""
    private_folder(tmp_path / "a" / ".understudy" / "b")
    assert (_mode(tmp_path / "a"), _mode(tmp_path / "a" / ".understudy")) == (0o755, 0o700)
    assert not open_to_others(tmp_path / "a" / ".understudy")
    assert open_to_others(tmp_path / "a")
    assert not open_to_others(tmp_path / "nowhere")


def test_mode_of_a_folder_that_exists_is_left_alone(tmp_path):
    """Whoever opened a folder to others meant it."""
    folder = tmp_path / ".understudy"
    folder.mkdir(mode=0o755)
    private_folder(folder / "objects")
    assert _mode(folder) == 0o755


def _learn(folder):
    calls_project(folder, rows=60).run("extract")


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: str(Storehouse(Place(root=folder), create=True).catalog),
        lambda folder: Storehouse(Place(root=folder), create=True).objects.put_content("code", b"x", ".json"),
        lambda folder: open_keys(folder / ".understudy").default(),
        _learn,
    ],
    ids=["catalog", "objects", "keys", "workspace"],
)
def test_whoever_comes_first_makes_it_private(tmp_path, make):
    """Catalog, objects, keys and the rows of a run: whichever is made first, no other user can read it."""
    make(tmp_path)
    assert _mode(tmp_path / ".understudy") == 0o700
