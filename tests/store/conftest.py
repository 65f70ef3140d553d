"""What the tests of the store share: small disks, and catalogs on every database."""

import contextlib
import os
import shutil
import subprocess
import uuid

import pytest
import sqlalchemy as sa

from understudy.store.catalog import Catalog

POSTGRESQL = "postgresql+psycopg://root@127.0.0.1:5432/test"


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of one megabyte."""
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    yield mount
    subprocess.run(["umount", "-l", mount], check=True)


@pytest.fixture
def fill():
    """Give a function that leaves no free space on a small disk."""

    def filled(disk):
        with (disk / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while filler.write(b"x" * 4096):
                pass
        assert shutil.disk_usage(disk).free == 0

    return filled


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def catalog_url(request, tmp_path):
    """Give the url of an empty catalog, on each database in turn."""
    if request.param == "memory":
        yield "sqlite://"
    elif request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/catalog.db"
    else:
        yield from _postgresql_schema()


@pytest.fixture
def postgresql_url():
    """Give the url of an empty catalog on PostgreSQL."""
    yield from _postgresql_schema()


@pytest.fixture
def catalog(catalog_url):
    """Open an empty catalog, on each database in turn."""
    opened = Catalog.open(catalog_url)
    yield opened
    opened.close()


def _postgresql_schema():
    engine = sa.create_engine(POSTGRESQL, isolation_level="AUTOCOMMIT")
    schema = f"understudy_{uuid.uuid4().hex[:12]}"
    try:
        with engine.connect() as connection:
            connection.execute(sa.schema.CreateSchema(schema))
    except sa.exc.OperationalError:
        if os.environ.get("UNDERSTUDY_REQUIRE_SERVERS") == "1":
            raise
        pytest.skip("needs PostgreSQL on 127.0.0.1:5432 with a database `test`")
    yield f"{POSTGRESQL}?options=-csearch_path%3D{schema}"
    with engine.connect() as connection:
        connection.execute(sa.schema.DropSchema(schema, cascade=True))
    engine.dispose()
