"""Ruby: Amazon's gems for S3 and for signatures, as Debian has them."""

import json
from pathlib import Path

import pytest

from clients.article import check
from clients.conftest import need_ruby

pytestmark = pytest.mark.xdist_group("clients")

FOLDER = Path(__file__).with_name("ruby")


def test_article_runs_unchanged(run, rows):
    """The article's requests, signed by Amazon's own signer, and S3 by Amazon's own client."""
    told = run(need_ruby(), FOLDER / "article.rb", rows)
    check(json.loads(told), "article-ruby")
