"""Ruby: Amazon's gems for S3 and for signatures, as Debian has them."""

import json
import subprocess
from pathlib import Path

import pytest

from clients.article import check
from clients.conftest import absent, need

pytestmark = pytest.mark.xdist_group("clients")

FOLDER = Path(__file__).with_name("ruby")


@pytest.fixture
def ruby():
    """Return where ruby is; skip without it or the gems."""
    found = need("ruby", "make clients")
    if subprocess.run([found, "-e", 'require "aws-sdk-s3"'], capture_output=True, check=False).returncode:
        absent("the gem aws-sdk-s3 is not here: make clients")
    return found


def test_article_runs_unchanged(ruby, run, rows):
    """The article's requests, signed by Amazon's own signer, and S3 by Amazon's own client."""
    told = run(ruby, FOLDER / "article.rb", rows)
    check(json.loads(told), "article-ruby")
