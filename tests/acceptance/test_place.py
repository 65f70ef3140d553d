"""Commands in a folder without a project: Amazon ML and S3 alone."""

import pytest

from acceptance.stage import done, ended, failed, spawn, understudy
from understudy.config import Place
from understudy.house import Storehouse


@pytest.fixture
def place(tmp_path):
    """Give a folder in which something was made through Amazon ML's API."""
    catalog = Storehouse(Place(root=tmp_path), create=True).catalog
    catalog.create("data_source", "ds-1", {"number_of_files": 3}, status="COMPLETED")
    catalog.create("data_source", "ds-2", {}, status="DELETED")
    catalog.create("model", "ml-1", {}, status="INPROGRESS")
    catalog.close()
    return tmp_path


@pytest.mark.parametrize("file", ["", "[serve]\nport = 80\n"])
def test_place_tells_what_it_keeps(place, file):
    """`status` counts what is there and says that no server runs; the promised keys are all there, and null."""
    if file:
        (place / "understudy.toml").write_text(file)
    document = done(understudy("status", "--json", "--project", place))
    kept = {"data_source": 1, "model": 1, "evaluation": 0, "batch_prediction": 0}
    promised = dict.fromkeys(("project", "endpoint", "last_run", "next_run", "server"))
    assert document == {**promised, "objects": kept}
    told = understudy("status", "--project", place).out
    assert "no project here" in told
    assert "none runs from here" in told


def test_place_shows_what_it_keeps(place):
    """`show` prints what was made through the API, whole."""
    assert done(understudy("show", "ds-1", "--json", "--project", place))["number_of_files"] == 3
    assert "number of files" in understudy("show", "ds-1", "--project", place).out
    assert "ml-none" in failed(understudy("show", "ml-none", "--project", place), 2)


def test_looking_makes_nothing(tmp_path):
    """A folder that nobody served from is empty before and after."""
    assert done(understudy("status", "--json", "--project", tmp_path))["objects"]["model"] == 0
    assert "there is no catalog yet" in failed(understudy("show", "ml-1", "--project", tmp_path), 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["learn"], ["predict", "a=1"], ["history"], ["rollback"]])
def test_what_needs_a_project_says_so(place, words):
    """Whatever learns, predicts or changes hands says that the file is no project's."""
    (place / "understudy.toml").write_text("[serve]\nport = 80\n")
    assert "is no project" in failed(understudy(*words, "--project", place), 2)


def test_server_says_that_it_is_ready_and_that_it_stops(tmp_path):
    """Three lines say where it answers, what it serves and what to do next; one more that it has heard to stop."""
    serving = spawn("serve", "--port", "0", "--workers", "1", cwd=tmp_path)
    first, second, third = (serving.stderr.readline().rstrip() for _ in range(3))
    serving.terminate()
    told = ended(serving)
    assert first.startswith("Understudy answers at http://127.0.0.1:")
    assert second == f"  no project in {tmp_path}: Amazon ML and S3 alone"
    assert third.startswith('  in another terminal: eval "$(understudy env)"')
    assert (told.code, told.err) == (0, "Stopping; a second Ctrl-C ends at once\n")
