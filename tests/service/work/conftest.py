"""What these tests share."""

import pytest

from service.work.stage import Stage


@pytest.fixture
def stage(tmp_path):
    """Give a store with a bucket `data`."""
    opened = Stage(tmp_path)
    yield opened
    opened.close()
