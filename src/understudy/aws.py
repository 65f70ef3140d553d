"""A client of S3, or of a server that speaks its language, by the usual AWS environment.

pyarrow's client reads keys, session token, region and profile by itself; it passes over the endpoint and the
certificates, which are read here.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import pyarrow.fs

_CONNECT_SECONDS = 5
_REQUEST_SECONDS = 20
_ATTEMPTS = 3


def s3_client(bucket: str) -> Any:
    """Return a `pyarrow.fs.S3FileSystem`, not connected yet; raises OSError or ArrowException as pyarrow does.

    A bucket's own region is asked for only where neither region nor endpoint is said.
    """
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return pyarrow.fs.S3FileSystem(
        **(_place(endpoint) if endpoint else {}),
        region=region if region or endpoint else pyarrow.fs.resolve_s3_region(bucket),
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
        tls_ca_file_path=os.environ.get("AWS_CA_BUNDLE"),
    )


def _place(endpoint: str) -> dict[str, str]:
    """Take an endpoint apart; buckets are then named in the path, which every server understands."""
    url = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    return {"scheme": url.scheme, "endpoint_override": f"{url.netloc}{url.path}".rstrip("/")}
