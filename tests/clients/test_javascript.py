"""JavaScript: Amazon's SDK v3, whose clients see the variables and nothing else."""

import json
from pathlib import Path

import pytest

from clients.article import check
from clients.conftest import absent, need

pytestmark = pytest.mark.xdist_group("clients")

FOLDER = Path(__file__).with_name("javascript")


@pytest.fixture
def node():
    """Return where node is; skip without it or the SDK."""
    if not (FOLDER / "node_modules").is_dir():
        absent("the SDK for JavaScript is not here: make clients")
    return need("node", "make clients")


def test_article_runs_unchanged(node, run, rows):
    """The article's calls, a streamed upload, and the SDK's own waiters."""
    told = run(node, FOLDER / "article.mjs", rows)
    check(json.loads(told), "article-javascript")
