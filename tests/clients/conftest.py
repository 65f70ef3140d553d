"""One server for all clients; each sees nothing but what `understudy env` says."""

import os
import shutil
import subprocess

import pytest

from acceptance.served import served
from clients.article import write_rows


@pytest.fixture(scope="package")
def server():
    """Serve Amazon ML alone."""
    with served() as running:
        yield running


@pytest.fixture(scope="package")
def variables(server):
    """Return the variables that turn a client of Amazon's into one of this server."""
    return server.environment


@pytest.fixture(scope="package")
def rows(tmp_path_factory):
    """Return a folder with the article's rows and their schema."""
    return write_rows(tmp_path_factory.mktemp("rows"))


@pytest.fixture
def run(variables, tmp_path):
    """Return a function that runs a client's program with those variables, and returns what it printed."""
    own = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}

    def ran(*words, **more):
        done = subprocess.run(
            [str(word) for word in words],
            env={**own, "HOME": str(tmp_path), **variables, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return ran


def need(program, what):
    """Return where a program is; skip, or fail where tests must not skip, if it is nowhere."""
    found = shutil.which(program)
    return found or absent(f"{program} is not here: {what}")


def need_ruby():
    """Return where a ruby with Amazon's gems is; skip or fail where there is none."""
    found = need("ruby", "make clients")
    if subprocess.run([found, "-e", 'require "aws-sdk-s3"'], capture_output=True, check=False).returncode:
        absent("the gem aws-sdk-s3 is not here: make clients")
    return found


def absent(message):
    """Skip, or fail where tests must not skip."""
    if os.environ.get("UNDERSTUDY_REQUIRE_SERVERS") == "1":
        pytest.fail(message)
    pytest.skip(message)
