"""Projects that have learned, made once for the tests that only look; each test that changes one gets its own copy."""

import shutil

import pytest

from acceptance.stage import Project, calls_project
from extract.test_databases import mariadb, postgresql  # noqa: F401 - the same servers as the extract's own tests


def pytest_collection_modifyitems(items):
    """Keep the tests of one module that share a server on one worker of pytest: each other would start one more."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()) and item.path.parent.name == "acceptance":
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="package")
def learned_once(tmp_path_factory):
    """Give a project that has learned once, not to be changed; with the document of `learn`."""
    project = calls_project(tmp_path_factory.mktemp("learned") / "calls")
    return project, project.do("learn")


@pytest.fixture
def learned(learned_once, tmp_path):
    """Give a copy of the project that has learned once."""
    shutil.copytree(learned_once[0].folder, tmp_path / "calls")
    return Project(tmp_path / "calls")
