"""The lease: one holder for one catalog, whatever folders share it, and nothing open that a fork would spoil."""

import pytest

from understudy.errors import Busy
from understudy.store.catalog import Catalog
from understudy.store.lease import leased


def test_folders_that_share_a_sqlite_file_share_its_lease(tmp_path):
    """Of two servers in two folders with one catalog, one holds the lease, by whatever path each knows the file."""
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    first, second = Catalog.open(f"sqlite:///{tmp_path}/c.db"), Catalog.open(f"sqlite:///{tmp_path}/link/c.db")
    with leased(first, tmp_path / "a" / "jobs.lock", "jobs") as held:
        assert held()
        with pytest.raises(Busy), leased(second, tmp_path / "b" / "jobs.lock", "jobs"):
            pass
    with leased(second, tmp_path / "b" / "jobs.lock", "jobs"):
        pass
    first.close()
    second.close()


def test_holder_of_a_sqlite_lease_has_no_connection_open(tmp_path, monkeypatch):
    """The holder forks: a connection to SQLite must not be open then."""
    catalog = Catalog.open(f"sqlite:///{tmp_path}/c.db")
    monkeypatch.setattr(Catalog, "session", lambda _: pytest.fail("a session was opened"))
    with leased(catalog, tmp_path / "jobs.lock", "jobs"):
        pass
    catalog.close()


def test_catalog_without_a_file_is_leased_by_the_folder(tmp_path):
    """Where there is no file to lie beside, the lock is the folder's."""
    catalog = Catalog.open("sqlite://")
    with leased(catalog, tmp_path / "jobs.lock", "jobs"):
        assert (tmp_path / "jobs.lock").exists()
    catalog.close()
