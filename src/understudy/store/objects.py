"""Objects: whole files and folders under a name, written once and never changed; in a folder or in S3."""

from __future__ import annotations

from pathlib import Path

from understudy.errors import ConfigError
from understudy.store.contract import Objects
from understudy.store.local import LocalObjects

__all__ = ["LocalObjects", "Objects", "open_objects"]


def open_objects(location: str, cache: Path) -> Objects:
    """Return the objects kept at `location`; nothing is reached or made yet.

    Parameters
    ----------
    location : a folder, or s3://bucket/prefix.
    cache : where copies of far objects are kept on this machine.

    Raises
    ------
    ConfigError : `location` is another kind of place, or names no bucket.

    """
    scheme, separator, path = location.partition("://")
    if not separator:
        return LocalObjects(Path(location))
    if scheme != "s3" or not path.strip("/"):
        raise ConfigError(f"store.objects is {location!r}", "It is a folder, or s3://bucket/prefix.")
    from understudy.store.remote import RemoteObjects  # noqa: PLC0415 - it loads Arrow, for whose S3 files it is

    return RemoteObjects(location, cache)
