"""The S3 door, driven by a real boto3 client against a real server."""

import io
import random

import pytest
from botocore.exceptions import ClientError

from server.s3_server import S3Server

ODD_KEYS = [
    "plain",
    "with space",
    "a+b",
    "50%",
    "%2F",
    "//",
    "/leading",
    "trailing/",
    "..",
    "../../etc/passwd",
    "a/./b",
    "a//b",
    "grün/日本語/😀",
    "q?x=1&y#z",
    "new\nline\ttab",
    "~(!)*'\"<&>;=,@$",
    "x" * 1024,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run a server for all tests of this file."""
    with S3Server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def s3(server):
    """Return a real client."""
    return server.client()


@pytest.fixture
def bucket(s3, request):
    """Make a bucket for one test."""
    name = f"b{random.getrandbits(60):x}"
    s3.create_bucket(Bucket=name)
    return name


def body_of(s3, bucket, key, **kwargs):
    """Return an object's bytes."""
    return s3.get_object(Bucket=bucket, Key=key, **kwargs)["Body"].read()


def code_of(call, *args, **kwargs):
    """Return the code of the error that a call ends with."""
    with pytest.raises(ClientError) as caught:
        call(*args, **kwargs)
    return caught.value.response["Error"]["Code"]


def test_object_is_read_back_as_put(s3, bucket):
    """What was put is what is got, with its length, type, metadata and ETag."""
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"hello", ContentType="text/plain", Metadata={"a": "b"})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"hello"
    assert got["ContentLength"] == 5
    assert got["ContentType"] == "text/plain"
    assert got["Metadata"] == {"a": "b"}
    assert got["ETag"] == put["ETag"] == '"5d41402abc4b2a76b9719d911017c592"'
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]
    head = s3.head_object(Bucket=bucket, Key="k")
    assert (head["ContentLength"], head["ETag"]) == (5, put["ETag"])


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_works(s3, bucket, key):
    """A key of any characters is put, listed, got, copied and removed under exactly its name."""
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert body_of(s3, bucket, key) == b"x"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert body_of(s3, bucket, "copy") == b"x"
    s3.delete_object(Bucket=bucket, Key=key)
    assert code_of(s3.get_object, Bucket=bucket, Key=key) == "NoSuchKey"


def test_upload_in_parts(s3, bucket):
    """A file of 20 MiB goes up in parts by boto3's own transfer and comes back whole."""
    data = random.Random(1).randbytes(20 << 20)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big")
    assert body_of(s3, bucket, "big") == data
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-3"')
