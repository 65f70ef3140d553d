"""What a bucket holds, in the order of its keys' bytes, page by page, common prefixes as one entry each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa

from understudy.store.bucket_records import Upload
from understudy.store.bucket_rows import as_upload
from understudy.store.bucket_tables import bucket_objects, bucket_uploads

_LAST_ID = "~"  # sorts behind every id

_FOLDED_ROWS = 100
"""How many rows are read at a time where a delimiter may fold them: few are wasted when a long prefix is left."""


class Query(msgspec.Struct, frozen=True):
    """Which of a bucket's keys to list."""

    prefix: str = ""
    delimiter: str = ""
    """Keys that hold it behind the prefix are folded into the part up to its first place; empty folds none."""
    after: str = ""
    """A key, or a common prefix that was listed; the listing begins behind it."""
    limit: int = 1000
    """How many entries at most, keys and common prefixes together."""


class Listed(msgspec.Struct, frozen=True):
    """A key in a listing."""

    key: str
    size: int
    etag: str
    modified_at: str


class Page(msgspec.Struct, frozen=True):
    """One answer to a query."""

    entries: list[Listed]
    common_prefixes: list[str]
    next: str
    """The last entry of this page where more follow, to be given as `after`; empty at the end."""


class UploadPage(msgspec.Struct, frozen=True):
    """Uploads in progress, by key and age."""

    uploads: list[Upload]
    common_prefixes: list[str]
    next: tuple[str, str] | None
    """The last entry's key and id where more follow; a common prefix has no id."""


def page_of(connection: sa.Connection, bucket: str, query: Query) -> Page:
    """Return a page of a bucket's keys.

    Reads about as many rows as it answers, and one more batch for each common prefix: never the keys folded under it.
    """
    if query.limit == 0:
        return Page([], [], "")
    found = list(itertools.islice(_iter_entries(connection, bucket, query), query.limit + 1))
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else ""
    return Page(
        [entry for entry in page if isinstance(entry, Listed)],
        [entry for entry in page if isinstance(entry, str)],
        last if isinstance(last, str) else last.key,
    )


def upload_page(connection: sa.Connection, bucket: str, query: Query, after_id: str = "") -> UploadPage:
    """Return uploads in progress behind the key `query.after`, or of that key behind the id `after_id`.

    Reads all uploads in progress below the prefix: they are few.
    """
    uploads: list[Upload] = []
    prefixes: list[str] = []
    last = ("", "")
    for upload, common in _iter_uploads(connection, bucket, query, after_id):
        if common in prefixes:
            continue
        if len(uploads) + len(prefixes) >= query.limit:
            return UploadPage(uploads, prefixes, last if query.limit else None)
        if common:
            prefixes.append(common)
        else:
            uploads.append(upload)
        last = (common, "") if common else (upload.key, upload.id)
    return UploadPage(uploads, prefixes, None)


def _iter_uploads(connection: sa.Connection, bucket: str, query: Query, after_id: str) -> Iterator[tuple[Upload, str]]:
    """Yield each upload behind the query's start with the common prefix that it is folded into, in order."""
    prefix, delimiter = query.prefix.encode(), query.delimiter.encode()
    columns = bucket_uploads.c
    rows = connection.execute(
        sa.select(bucket_uploads)
        .where(columns.bucket == bucket, *_range(columns.key, prefix, prefix))
        .order_by(columns.key, columns.id)
    )
    start = (query.after.encode(), after_id or _LAST_ID)
    for row in rows.mappings():
        common = _common_prefix(row["key"], prefix, delimiter)
        entry = (common, "") if common else (row["key"], row["id"])
        if not query.after or entry > start:
            yield as_upload(row), common.decode()


def _iter_entries(connection: sa.Connection, bucket: str, query: Query) -> Iterator[Listed | str]:
    """Yield keys and common prefixes in order, as long as they are asked for."""
    prefix, delimiter = query.prefix.encode(), query.delimiter.encode()
    count = _FOLDED_ROWS if delimiter else min(query.limit + 1, 1000)
    position = max(prefix, _behind(query.after.encode(), prefix, delimiter))
    while True:
        rows = _rows(connection, bucket, position, prefix, count)
        for row in rows:
            if row.key < position:  # folded into the common prefix before it
                continue
            common = _common_prefix(row.key, prefix, delimiter)
            yield common.decode() or Listed(row.key.decode(), row.size, row.etag, row.modified_at)
            position = _after_all(common) if common else row.key + b"\0"
        if len(rows) < count:
            return


def _rows(
    connection: sa.Connection, bucket: str, position: bytes, prefix: bytes, count: int
) -> Sequence[sa.Row[bytes, int, str, str]]:
    columns = bucket_objects.c
    return connection.execute(
        sa.select(columns.key, columns.size, columns.etag, columns.modified_at)
        .where(columns.bucket == bucket, *_range(columns.key, position, prefix))
        .order_by(columns.key)
        .limit(count)
    ).all()


def _range(column: sa.Column[bytes], position: bytes, prefix: bytes) -> list[sa.ColumnElement[bool]]:
    """Say: from `position` on, as long as the prefix lasts."""
    return [column >= position] + ([column < _after_all(prefix)] if prefix else [])


def _common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Return what a key is folded into, empty where it stands for itself."""
    place = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: place + len(delimiter)] if place >= 0 else b""


def _behind(after: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    """Return the first position behind an entry: behind all that is folded where it is a common prefix."""
    if not after:
        return b""
    folds = after.startswith(prefix) and _common_prefix(after, prefix, delimiter) == after
    return _after_all(after) if folds else after + b"\0"


def _after_all(prefix: bytes) -> bytes:
    """Return the first position behind everything that begins with a prefix; UTF-8 has no byte 0xFF to overflow."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
