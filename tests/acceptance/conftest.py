"""Projects that have learned, made once for the tests that only look; each test that changes one gets its own copy."""

import shutil

import pytest

from acceptance.stage import Project, calls_project
from extract.test_databases import mariadb, postgresql  # noqa: F401 - the same servers as the extract's own tests


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
