"""Rows of buckets, read and written on the caller's connection, so that its transaction holds them together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.store.bucket_records import Bucket, BucketError, Details, ObjectInfo, Part, Upload, key_bytes
from understudy.store.bucket_tables import bucket_objects, bucket_parts, bucket_uploads, buckets
from understudy.store.catalog import now


def bucket_row(connection: sa.Connection, name: str) -> Bucket:
    """Return a bucket; raises BucketError where there is none."""
    query = sa.select(buckets).where(buckets.c.name == name)
    row = connection.execute(query).mappings().one_or_none() if _is_text(name) else None
    if row is None:
        raise BucketError("NoSuchBucket", f"The specified bucket does not exist: {name!r}.")
    return Bucket(**row)


def object_row(connection: sa.Connection, bucket: str, key: str) -> ObjectInfo | None:
    """Return what a key holds, None where that is nothing."""
    row = connection.execute(sa.select(bucket_objects).where(_at(bucket, key))).mappings().one_or_none()
    return _object(row) if row else None


def place_object(connection: sa.Connection, info: ObjectInfo) -> str | None:
    """Let a key hold an object; return the blob that it held before."""
    held = object_row(connection, info.bucket, info.key)
    values = msgspec.structs.asdict(info) | {"key": key_bytes(info.key), "details": msgspec.to_builtins(info.details)}
    if held is None:
        connection.execute(bucket_objects.insert().values(values))
        return None
    connection.execute(bucket_objects.update().where(_at(info.bucket, info.key)).values(values))
    return held.blob


def delete_object(connection: sa.Connection, bucket: str, key: str) -> str | None:
    """Let a key hold nothing; return the blob that it held."""
    query = bucket_objects.delete().where(_at(bucket, key)).returning(bucket_objects.c.blob)
    blob: str | None = connection.execute(query).scalar_one_or_none()
    return blob


def upload_row(connection: sa.Connection, bucket: str, key: str, upload_id: str) -> Upload | None:
    """Return an upload in progress, None where there is none of that id for the key."""
    query = sa.select(bucket_uploads).where(bucket_uploads.c.id == upload_id)
    row = connection.execute(query).mappings().one_or_none() if _is_text(upload_id) else None
    if row is None or row["bucket"] != bucket or row["key"] != key_bytes(key):
        return None
    return as_upload(row)


def insert_upload(connection: sa.Connection, upload: Upload) -> None:
    """Add an upload."""
    changes = {"key": key_bytes(upload.key), "details": msgspec.to_builtins(upload.details)}
    connection.execute(bucket_uploads.insert().values(msgspec.structs.asdict(upload) | changes))


def delete_uploads(connection: sa.Connection, upload_ids: Iterable[str]) -> list[str]:
    """Remove uploads with their parts; return the parts' blobs."""
    ids = list(upload_ids)
    query = bucket_parts.delete().where(bucket_parts.c.upload_id.in_(ids)).returning(bucket_parts.c.blob)
    blobs = list(connection.execute(query).scalars())
    connection.execute(bucket_uploads.delete().where(bucket_uploads.c.id.in_(ids)))
    return blobs


def part_rows(connection: sa.Connection, upload_id: str, after: int, limit: int | None) -> list[Part]:
    """Return an upload's parts with numbers above `after`, in order."""
    columns = [bucket_parts.c[name] for name in Part.__struct_fields__]
    query = sa.select(*columns).where(bucket_parts.c.upload_id == upload_id, bucket_parts.c.number > after)
    rows = connection.execute(query.order_by(bucket_parts.c.number).limit(limit)).mappings()
    return [Part(**row) for row in rows]


def place_part(connection: sa.Connection, upload_id: str, part: Part) -> str | None:
    """Add a part to an upload, or replace the one of its number; return the replaced one's blob."""
    at = (bucket_parts.c.upload_id == upload_id) & (bucket_parts.c.number == part.number)
    blob: str | None = connection.execute(
        bucket_parts.delete().where(at).returning(bucket_parts.c.blob)
    ).scalar_one_or_none()
    connection.execute(bucket_parts.insert().values(upload_id=upload_id, **msgspec.structs.asdict(part)))
    return blob


def named_blobs(connection: sa.Connection, among: list[str]) -> set[str]:
    """Return those of the blobs that a row names."""
    columns = (bucket_objects.c.blob, bucket_parts.c.blob)
    return {
        blob for column in columns for blob in connection.execute(sa.select(column).where(column.in_(among))).scalars()
    }


def new_object(bucket: str, key: str, blob: str, size: int, etag: str, details: Details) -> ObjectInfo:
    """Return an object as of now."""
    return ObjectInfo(bucket, key, blob, size, etag, now(), details)


def as_upload(row: sa.RowMapping) -> Upload:
    """Read an upload from a whole row."""
    details = msgspec.convert(row["details"], Details)
    return Upload(**{**row, "key": row["key"].decode(), "details": details})


def _object(row: sa.RowMapping) -> ObjectInfo:
    return ObjectInfo(**{**row, "key": row["key"].decode(), "details": msgspec.convert(row["details"], Details)})


def _is_text(value: str) -> bool:
    """Tell whether PostgreSQL can compare text with a value; with a zero byte it refuses to."""
    return "\0" not in value


def _at(bucket: str, key: str) -> sa.ColumnElement[Any]:
    return (bucket_objects.c.bucket == bucket) & (bucket_objects.c.key == key_bytes(key))
