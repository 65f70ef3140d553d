"""The catalog's tables of buckets: what is in them by key, and the multipart uploads in progress.

Keys are bytes (UTF-8): SQLite and PostgreSQL both compare those byte by byte, which is the order that S3 lists in.
"""

from __future__ import annotations

import sqlalchemy as sa

from understudy.store.tables import metadata

buckets = sa.Table(
    "buckets",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("created_at", sa.Text, nullable=False),
    sa.Column("region", sa.Text, nullable=False),
    sa.Column("settings", sa.JSON, nullable=False),
)

bucket_objects = sa.Table(
    "bucket_objects",
    metadata,
    sa.Column("bucket", sa.Text, sa.ForeignKey("buckets.name"), primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("blob", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("modified_at", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
)

bucket_uploads = sa.Table(
    "bucket_uploads",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("bucket", sa.Text, sa.ForeignKey("buckets.name"), nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("started_at", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("checksum_algorithm", sa.Text, nullable=False),
    sa.Column("checksum_type", sa.Text, nullable=False),
    sa.Index("bucket_uploads_by_key", "bucket", "key", "id"),
)

bucket_parts = sa.Table(
    "bucket_parts",
    metadata,
    sa.Column("upload_id", sa.Text, sa.ForeignKey("bucket_uploads.id"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("blob", sa.Text, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("etag", sa.Text, nullable=False),
    sa.Column("modified_at", sa.Text, nullable=False),
    sa.Column("checksums", sa.JSON, nullable=False),
)
