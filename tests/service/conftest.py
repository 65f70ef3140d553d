"""What the tests of the service share."""

import pytest

from service.stage import Stage


@pytest.fixture
def stage(tmp_path):
    """Give a service over an empty catalog in memory."""
    made = Stage(tmp_path)
    yield made
    made.catalog.close()
