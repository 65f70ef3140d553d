"""The S3 door, driven by a real boto3 client against a real server."""

import base64
import contextlib
import hashlib
import io
import json
import random
import socket
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from server.s3_server import S3Server
from understudy.server import checksums
from understudy.server.signature import presign
from understudy.store.uploads import Uploads

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
    return server.client(signature_version="s3v4")


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


def test_plain_body_is_kept_however_it_travels(server, bucket):
    """Chunks, trailers, no checksum or an unsigned body: what is kept is the plain body."""
    for number, config in enumerate(
        (
            {"request_checksum_calculation": "when_required"},
            {"s3": {"addressing_style": "path", "payload_signing_enabled": True}},
            {"signature_version": "s3v4"},
        )
    ):
        client = server.client(**config)
        client.put_object(Bucket=bucket, Key=f"{number}", Body=io.BytesIO(b"hello"))
        assert body_of(client, bucket, f"{number}") == b"hello"
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = server.client().put_object(Bucket=bucket, Key=algorithm, Body=b"hello", ChecksumAlgorithm=algorithm)
        head = server.client().head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
        assert put[f"Checksum{algorithm}"] == head[f"Checksum{algorithm}"]
        assert head["ChecksumType"] == "FULL_OBJECT"


def test_trailing_checksum_is_held(server, bucket):
    """A body in chunks with its checksum behind it is unwrapped, checked and kept without the wrapping."""
    wrapped = {"ContentEncoding": "gzip,aws-chunked", "Body": b"hello"}
    status, _ = raw_put(server, bucket, "t", b"hello", zlib.crc32(b"hello"))
    assert status == 200
    assert body_of(server.client(), bucket, "t") == b"hello"
    assert "ContentEncoding" not in server.client().head_object(Bucket=bucket, Key="t")
    status, body = raw_put(server, bucket, "t", b"other", zlib.crc32(b"hello"))
    assert status == 400
    assert b"BadDigest" in body
    assert body_of(server.client(), bucket, "t") == b"hello"
    server.client().put_object(Bucket=bucket, Key="t", **wrapped)
    assert server.client().head_object(Bucket=bucket, Key="t")["ContentEncoding"] == "gzip"


def test_wrong_checksums_keep_nothing(s3, server, bucket):
    """A body that is not the one its MD5, CRC or SHA-256 is of is refused, and the object of before stays."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    before = server.blobs()
    md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5=md5) == "BadDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="none") == "InvalidDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumCRC32="AAAAAA==") == "BadDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumCRC32="A") == "InvalidRequest"
    assert body_of(s3, bucket, "k") == b"before"
    assert server.blobs() == before
    assert server.staged() == []


@pytest.mark.parametrize("algorithm", ["crc32c", "crc64nvme"])
def test_checksum_of_a_document_keeps_nobody_waiting(server, s3, bucket, algorithm, monkeypatch):
    """What may load a compiler runs in a thread, for a small document, too; its checksum is held against it."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    threads, advance = [], checksums._advance

    def advanced(*given):
        threads.append(threading.current_thread())
        return advance(*given)

    monkeypatch.setattr(checksums, "_advance", advanced)
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    right = checksums.SUMS[algorithm]()
    right.update(document)
    for value, status in ((bytes(len(right.digest())), 400), (right.digest(), 200)):
        headers = {f"x-amz-checksum-{algorithm}": base64.b64encode(value).decode()}
        digest = hashlib.sha256(document).hexdigest()
        assert raw(server, "POST", f"/{bucket}?delete", document, digest, headers)[0] == status
    assert [thread.name.partition("_")[0] for thread in threads[1:]] == ["s3", "s3"]
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"


def test_headers_are_kept(s3, bucket):
    """The content headers, storage class and encryption that an object was put with come back with it."""
    given = {
        "ContentType": "text/csv",
        "CacheControl": "no-cache",
        "ContentDisposition": 'attachment; filename="a.csv"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "StorageClass": "REDUCED_REDUNDANCY",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "arn:aws:kms:us-east-1:1:key/2",
        "Metadata": {"one": "1", "two-words": "a, b"},
    }
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"", **given, ACL="bucket-owner-full-control")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", given["SSEKMSKeyId"])
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b""
    for answer in (got, s3.head_object(Bucket=bucket, Key="k")):
        assert {name: answer[name] for name in given} == given
    answer = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="text/plain", ResponseContentDisposition="é")
    assert (answer["ContentType"], answer["Body"].read()) == ("text/plain", b"")
    assert code_of(s3.get_object, Bucket=bucket, Key="k", ResponseContentType="a\r\nX: y") == "InvalidArgument"
    s3.put_object(Bucket=bucket, Key="plain", Body=b"")
    assert s3.head_object(Bucket=bucket, Key="plain")["ContentType"] == "binary/octet-stream"


def test_what_cannot_be_kept_is_refused(s3, bucket):
    """Headers that promise what is not done here are refused with Amazon's names, and nothing is kept."""
    put = {"Bucket": bucket, "Key": "k", "Body": b""}
    assert code_of(s3.put_object, **put, Metadata={"a": "x" * 2048}) == "MetadataTooLarge"
    assert code_of(s3.put_object, **put, ServerSideEncryption="ROT13") == "InvalidEncryptionAlgorithmError"
    assert code_of(s3.put_object, **put, StorageClass="CELLAR") == "InvalidStorageClass"
    assert code_of(s3.put_object, **put, SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32) == "NotImplemented"
    assert code_of(s3.put_object, **put, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=0) == "InvalidRequest"
    assert code_of(s3.put_object, **{**put, "Key": "k" * 1025}) == "KeyTooLongError"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=8-", b"89", "bytes 8-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-100", b"0123456789", "bytes 0-9/10"),
        ("bytes=4-2", b"0123456789", None),
        ("bytes=0-1,3-4", b"0123456789", None),
        ("lines=0-1", b"0123456789", None),
    ],
)
def test_ranges(s3, bucket, header, expected, content_range):
    """A range of an object is answered with 206 and where it lies; what is no range, with the whole."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=header)
    assert got["Body"].read() == expected
    assert got.get("ContentRange") == content_range
    assert got["ResponseMetadata"]["HTTPStatusCode"] == (206 if content_range else 200)
    assert s3.head_object(Bucket=bucket, Key="k", Range=header)["ContentLength"] == len(expected)


def test_range_beyond_the_end(s3, bucket):
    """A range that holds no byte of the object is InvalidRange, with 416."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    for key, header in (("k", "bytes=10-"), ("k", "bytes=-0"), ("empty", "bytes=0-")):
        assert code_of(s3.get_object, Bucket=bucket, Key=key, Range=header) == "InvalidRange"
    assert code_of(s3.head_object, Bucket=bucket, Key="k", Range="bytes=10-") == "416"


def test_conditions_of_reading(s3, bucket):
    """Reading is done, refused or unneeded as the conditions say, an ETag before a time."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ETag"]
    at = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    earlier, later = at - timedelta(hours=1), at + timedelta(hours=1)
    for conditions, code in (
        ({"IfMatch": etag}, None),
        ({"IfMatch": '"a", ' + etag}, None),
        ({"IfMatch": "*"}, None),
        ({"IfMatch": '"other"'}, "PreconditionFailed"),
        ({"IfNoneMatch": '"other"'}, None),
        ({"IfNoneMatch": etag}, "304"),
        ({"IfModifiedSince": earlier}, None),
        ({"IfModifiedSince": at}, "304"),
        ({"IfUnmodifiedSince": at}, None),
        ({"IfUnmodifiedSince": earlier}, "PreconditionFailed"),
        ({"IfMatch": etag, "IfUnmodifiedSince": earlier}, None),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": later}, None),
    ):
        if code is None:
            assert body_of(s3, bucket, "k", **conditions) == b"x"
            s3.head_object(Bucket=bucket, Key="k", **conditions)
        else:
            assert code_of(s3.get_object, Bucket=bucket, Key="k", **conditions) == code
            assert code_of(s3.head_object, Bucket=bucket, Key="k", **conditions) == code.replace(
                "PreconditionFailed", "412"
            )


def test_conditions_of_writing(s3, bucket):
    """A put may ask that the key holds nothing, or an object of a certain ETag."""
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one", IfNoneMatch="*")["ETag"]
    put = {"Bucket": bucket, "Key": "k", "Body": b"two"}
    assert code_of(s3.put_object, **put, IfNoneMatch="*") == "PreconditionFailed"
    assert code_of(s3.put_object, **put, IfMatch='"other"') == "PreconditionFailed"
    assert code_of(s3.put_object, **{**put, "Key": "never"}, IfMatch=etag) == "NoSuchKey"
    assert body_of(s3, bucket, "k") == b"one"
    s3.put_object(**put, IfMatch=etag)
    assert body_of(s3, bucket, "k") == b"two"


def test_copies(s3, bucket):
    """A copy has the bytes and details of its source, or new ones where it is told to replace them."""
    s3.put_object(Bucket=bucket, Key="a", Body=b"x", ContentType="text/csv", Metadata={"m": "1"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a"}
    copy = s3.copy_object(Bucket=bucket, Key="b", CopySource=source, ServerSideEncryption="AES256")
    head = s3.head_object(Bucket=bucket, Key="b")
    assert (head["ContentType"], head["Metadata"], head["TagCount"]) == ("text/csv", {"m": "1"}, 1)
    assert head["ServerSideEncryption"] == "AES256"
    assert copy["CopyObjectResult"]["ETag"] == head["ETag"]
    s3.copy_object(
        Bucket=bucket,
        Key="a",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"n": "2"},
        TaggingDirective="REPLACE",
        ChecksumAlgorithm="SHA256",
    )
    head = s3.head_object(Bucket=bucket, Key="a", ChecksumMode="ENABLED")
    assert (head["ContentType"], head["Metadata"]) == ("binary/octet-stream", {"n": "2"})
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"x").digest()).decode()
    assert "TagCount" not in head
    assert code_of(s3.copy_object, Bucket=bucket, Key="a", CopySource=source) == "InvalidRequest"
    assert code_of(s3.copy_object, Bucket=bucket, Key="c", CopySource={**source, "Key": "never"}) == "NoSuchKey"
    assert code_of(s3.copy_object, Bucket=bucket, Key="c", CopySource="nothing") == "InvalidArgument"
    assert (
        code_of(s3.copy_object, Bucket=bucket, Key="c", CopySource=source, CopySourceIfMatch="x")
        == "PreconditionFailed"
    )
    assert code_of(s3.copy_object, Bucket="nowhere", Key="c", CopySource=source) == "NoSuchBucket"


def test_many_are_removed_at_once(s3, bucket):
    """Up to 1,000 keys go with one request; each is answered, also where it held nothing."""
    held = ["a", "b c", "é<&>"]
    for key in held:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = [{"Key": key} for key in (*held, "never", "x" * 1025)] + [{"Key": "a", "VersionId": "other"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert [entry["Key"] for entry in answer["Deleted"]] == [*held, "never"]
    assert [error["Code"] for error in answer["Errors"]] == ["KeyTooLongError", "NoSuchVersion"]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}], "Quiet": True})
    assert "Deleted" not in quiet
    many = [{"Key": str(number)} for number in range(1001)]
    assert code_of(s3.delete_objects, Bucket=bucket, Delete={"Objects": many}) == "MalformedXML"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


# Listing


@pytest.fixture(scope="module")
def filled(server, s3):
    """Make a bucket with keys to list."""
    s3.create_bucket(Bucket="filled")
    for key in FILLED:
        server.buckets.put_bytes("filled", key, b"x")
    return "filled"


FILLED = sorted(
    [f"a/{n}" for n in range(7)] + [f"b/{n}/c" for n in range(7)] + ["+ +", "z", "é/ü", "%", "a&b<"], key=str.encode
)


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_pages_give_every_key_once(s3, filled, operation, size):
    """Both versions of the listing give each key and each common prefix once, in order, whatever the page's size."""
    pages = list(s3.get_paginator(operation).paginate(Bucket=filled, PaginationConfig={"PageSize": size}))
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == FILLED
    pages = list(
        s3.get_paginator(operation).paginate(Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": size})
    )
    assert [entry["Key"] for page in pages for entry in page.get("Contents", [])] == ["%", "+ +", "a&b<", "z"]
    assert [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])] == ["a/", "b/", "é/"]


def test_listing_says_what_it_lists(s3, filled):
    """A listing gives back its question, says how many it found and whether more follow."""
    page = s3.list_objects_v2(Bucket=filled, Prefix="b/", Delimiter="/", MaxKeys=2, StartAfter="b/1/", FetchOwner=True)
    assert (page["Prefix"], page["Delimiter"], page["MaxKeys"], page["StartAfter"]) == ("b/", "/", 2, "b/1/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == ["b/2/", "b/3/"]
    assert (page["KeyCount"], page["IsTruncated"]) == (2, True)
    page = s3.list_objects(Bucket=filled, Marker="b/5/c", MaxKeys=2)
    assert [entry["Key"] for entry in page["Contents"]] == ["b/6/c", "z"]
    assert "NextMarker" not in page
    assert page["Contents"][0]["Owner"]["ID"]
    entry = s3.list_objects_v2(Bucket=filled, Prefix="z", FetchOwner=True)["Contents"][0]
    head = s3.head_object(Bucket=filled, Key="z")
    assert (entry["ETag"], entry["Size"], entry["LastModified"]) == (head["ETag"], 1, head["LastModified"])
    assert s3.list_objects_v2(Bucket=filled, MaxKeys=0)["IsTruncated"] is False


def test_wrong_questions_are_refused(s3, filled):
    """A number, token or encoding that is none is InvalidArgument."""
    assert code_of(s3.list_objects_v2, Bucket=filled, MaxKeys=-1) == "InvalidArgument"
    assert code_of(s3.list_objects_v2, Bucket=filled, ContinuationToken="é") == "InvalidArgument"
    assert code_of(s3.list_objects_v2, Bucket=filled, EncodingType="rot13") == "InvalidArgument"
    assert code_of(s3.list_objects_v2, Bucket="nowhere") == "NoSuchBucket"


def test_bucket_is_emptied_by_its_versions(server, s3, bucket):
    """The recipe that empties any bucket, versions and all, works where each key has the one version `null`."""
    for key in ("a", "b/c", "é"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(entry["Key"], entry["VersionId"], entry["IsLatest"]) for entry in versions] == [
        (key, "null", True) for key in ("a", "b/c", "é")
    ]
    assert code_of(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    server.resource().Bucket(bucket).object_versions.delete()
    s3.delete_bucket(Bucket=bucket)
    assert code_of(s3.head_bucket, Bucket=bucket) == "404"


# Uploads in parts


def test_upload_in_parts(s3, bucket, tmp_path):
    """A file of 20 MiB goes up in parts by boto3's own transfer and comes back whole, also by parts."""
    data = random.Random(1).randbytes(20 << 20)
    s3.upload_fileobj(io.BytesIO(data), bucket, "big", ExtraArgs={"ContentType": "text/csv"})
    s3.download_file(bucket, "big", tmp_path / "big")
    assert (tmp_path / "big").read_bytes() == data
    head = s3.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert head["ContentType"] == "text/csv"
    assert head["ChecksumCRC32"].endswith("-3")
    second = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert (second["PartsCount"], second["ContentRange"]) == (3, f"bytes {8 << 20}-{(16 << 20) - 1}/{20 << 20}")
    assert second["Body"].read() == data[8 << 20 : 16 << 20]
    assert code_of(s3.get_object, Bucket=bucket, Key="big", PartNumber=4) == "InvalidPartNumber"
    attributes = s3.get_object_attributes(Bucket=bucket, Key="big", ObjectAttributes=["ObjectSize", "ObjectParts"])
    assert (attributes["ObjectSize"], attributes["ObjectParts"]["TotalPartsCount"]) == (20 << 20, 3)


def test_large_object_is_copied_in_parts(s3, bucket):
    """Parts of an upload may be ranges of other objects."""
    data = random.Random(2).randbytes(6 << 20)
    s3.put_object(Bucket=bucket, Key="source", Body=data)
    source = {"Bucket": bucket, "Key": "source"}
    upload = {"Bucket": bucket, "Key": "copy"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]
    parts = []
    for number, piece in enumerate((f"bytes=0-{(5 << 20) - 1}", f"bytes={5 << 20}-{len(data) - 1}"), 1):
        copied = s3.upload_part_copy(**upload, PartNumber=number, CopySource=source, CopySourceRange=piece)
        parts.append({"PartNumber": number, "ETag": copied["CopyPartResult"]["ETag"]})
    beyond = {"CopySource": source, "CopySourceRange": f"bytes=0-{len(data)}", "PartNumber": 3}
    assert code_of(s3.upload_part_copy, **upload, **beyond) == "InvalidArgument"
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert body_of(s3, bucket, "copy") == data


def test_upload_is_looked_at_and_aborted(s3, bucket):
    """Uploads in progress and their parts are listed page by page; an aborted one is gone with its parts."""
    upload = {"Bucket": bucket, "Key": "a b/é"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    for number in (1, 2, 3):
        s3.upload_part(**upload, PartNumber=number, Body=b"x" * number)
    pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}))
    assert [part["Size"] for page in pages for part in page["Parts"]] == [1, 2, 3]
    found = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [(entry["Key"], entry["UploadId"]) for entry in found] == [(upload["Key"], upload["UploadId"])]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    assert [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])] == ["a b/"]
    s3.abort_multipart_upload(**upload)
    for call in (s3.list_parts, s3.abort_multipart_upload):
        assert code_of(call, **upload) == "NoSuchUpload"
    assert code_of(s3.upload_part, **upload, PartNumber=1, Body=b"") == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_end_of_an_upload_is_answered_again(s3, bucket):
    """A client that asks again for the end of its upload, having lost the answer, gets the same answer."""
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    first = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert s3.complete_multipart_upload(**upload, MultipartUpload=parts)["ETag"] == first["ETag"]
    s3.delete_object(Bucket=bucket, Key="k")
    assert code_of(s3.complete_multipart_upload, **upload, MultipartUpload=parts) == "NoSuchUpload"


def test_slow_end_is_kept_alive(s3, bucket, monkeypatch):
    """While an upload's parts are put together the client hears something, and then the outcome, good or bad."""
    monkeypatch.setattr("understudy.server.s3.patience.SECONDS", 0.02)
    assemble = Uploads.assemble
    monkeypatch.setattr(Uploads, "assemble", lambda *args: (time.sleep(0.2), assemble(*args)))
    upload = {"Bucket": bucket, "Key": "k"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    failing = {"MultipartUpload": parts, "ChecksumCRC32": "AAAAAA=="}
    assert code_of(s3.complete_multipart_upload, **upload, **failing) == "BadDigest"
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    assert done["ETag"] == s3.head_object(Bucket=bucket, Key="k")["ETag"]


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("CRC32", "FULL_OBJECT"), ("SHA256", "COMPOSITE"), ("SHA1", "COMPOSITE")]
)
def test_checksum_of_the_whole_is_held(s3, bucket, algorithm, kind):
    """The checksum of an object uploaded in parts is answered, given back, and held against the client's."""
    upload = {"Bucket": bucket, "Key": "k"}
    made = s3.create_multipart_upload(**upload, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    upload["UploadId"] = made["UploadId"]
    name = f"Checksum{algorithm}"
    parts = []
    for number, data in ((1, b"x" * (5 << 20)), (2, b"y")):
        part = s3.upload_part(**upload, PartNumber=number, Body=data, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": part["ETag"], name: part[name]})
    wrong = [parts[0], {**parts[1], name: parts[0][name]}]
    assert code_of(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": wrong}) == "InvalidPart"
    whole = {"MultipartUpload": {"Parts": parts}, "ChecksumType": kind}
    assert code_of(s3.complete_multipart_upload, **upload, **whole, **{name: parts[0][name]}) == "BadDigest"
    assert code_of(s3.complete_multipart_upload, **upload, **whole, MpuObjectSize=1) == "InvalidRequest"
    done = s3.complete_multipart_upload(**upload, **whole)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (done[name], kind)
    if algorithm == "CRC32":
        crc = zlib.crc32(b"x" * (5 << 20) + b"y")
        assert head[name] == base64.b64encode(crc.to_bytes(4, "big")).decode()


def test_checksum_types_fit_their_algorithms(s3, bucket):
    """An upload whose checksum cannot be of the type it names is refused."""
    for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")):
        wanted = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
        assert code_of(s3.create_multipart_upload, Bucket=bucket, Key="k", **wanted) == "InvalidRequest"


# Buckets


@pytest.mark.parametrize("name", ["dots.in.name", "aml-sample-data", "aml.packt"])
def test_buckets_come_and_go(s3, name):
    """A bucket is made, found, listed and removed; making it again is no error in the oldest region."""
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    s3.create_bucket(Bucket=name)
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert body_of(s3, name, "k") == b"x"
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert code_of(s3.head_bucket, Bucket=name) == "404"
    assert code_of(s3.delete_bucket, Bucket=name) == "NoSuchBucket"


def test_region_is_given_back(s3):
    """A bucket that was made in a region says so, and making it again there is an error, as with Amazon."""
    made = {"Bucket": "in-ireland", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    s3.create_bucket(**made)
    assert s3.get_bucket_location(Bucket="in-ireland")["LocationConstraint"] == "eu-west-1"
    assert code_of(s3.create_bucket, **made) == "BucketAlreadyOwnedByYou"
    assert code_of(s3.create_bucket, Bucket="docs") == "InvalidBucketName"


def test_buckets_are_listed_page_by_page(s3):
    """The list of buckets can be asked for in pages and by prefix."""
    for name in ("paged-1", "paged-2", "paged-3"):
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix="paged-", PaginationConfig={"PageSize": 2})
    assert [[entry["Name"] for entry in page["Buckets"]] for page in pages] == [["paged-1", "paged-2"], ["paged-3"]]


def test_policy_is_given_back(s3, bucket):
    """A bucket's policy, such as the one that lets Amazon ML read, comes back as it was put."""
    statement = {"Effect": "Allow", "Principal": {"Service": "machinelearning.amazonaws.com"}, "Action": "s3:GetObject"}
    policy = json.dumps({"Statement": [statement]})
    assert code_of(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    for bad in ("[]", "{", "x" * 30_000, "[" * 20_000):
        assert code_of(s3.put_bucket_policy, Bucket=bucket, Policy=bad) == "MalformedPolicy"
    s3.delete_bucket_policy(Bucket=bucket)
    assert code_of(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"


def test_settings_are_given_back(s3, bucket):
    """Encryption, tags, ownership and the block of public access come back as they were put."""
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    missing = "ServerSideEncryptionConfigurationNotFoundError"
    assert code_of(s3.get_bucket_encryption, Bucket=bucket) == missing
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"] == rules
    s3.delete_bucket_encryption(Bucket=bucket)
    assert code_of(s3.get_bucket_encryption, Bucket=bucket) == missing
    tags = [{"Key": "a&b", "Value": "<1>"}, {"Key": "c", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    owner = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=owner)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == owner
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block


def test_what_harmless_clients_ask_is_answered(s3, bucket):
    """Questions about what is not here are answered as for a new bucket; wishes for it are refused by name."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_object_acl(Bucket=bucket, Key="k")["Grants"][0]["Grantee"]["Type"] == "CanonicalUser"
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="bucket-owner-full-control")
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.get_bucket_notification_configuration(Bucket=bucket)
    for call, code in (
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_bucket_replication, "ReplicationConfigurationNotFoundError"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
    ):
        assert code_of(call, Bucket=bucket) == code
        assert code_of(call, Bucket="nowhere") == "NoSuchBucket"
    enabled = {"Status": "Enabled"}
    assert code_of(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=enabled) == "NotImplemented"
    s3.delete_bucket_cors(Bucket=bucket)
    rules = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=rules)
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_object_tags(s3, bucket):
    """An object's tags come with its put or later, are given back, and are at most ten."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=x%20y")
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "x y"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags[:1]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags[:1]
    many = [{"Key": str(number), "Value": ""} for number in range(11)]
    assert code_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging={"TagSet": many}) == "BadRequest"
    twice = {"TagSet": [tags[0], tags[0]]}
    assert code_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=twice) == "InvalidTag"
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


# The door


def test_presigned_addresses(s3, server, bucket):
    """A presigned address puts and gets without a key at hand, with the overrides it was signed with."""
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b+é"})
    assert fetch(server, "PUT", put, b"hello")[0] == 200
    get = {"Bucket": bucket, "Key": "a b+é", "ResponseContentType": "text/plain"}
    status, body, headers = fetch(server, "GET", s3.generate_presigned_url("get_object", get))
    assert (status, body, headers["content-type"]) == (200, b"hello", "text/plain")
    assert fetch(server, "GET", put)[0] == 403


PUT_WITH = {
    "ContentType": "text/csv",
    "Metadata": {"a": "b c"},
    "ServerSideEncryption": "AES256",
    "CacheControl": "no-cache",
}
SENT_WITH = {
    "Content-Type": "text/csv",
    "x-amz-meta-a": "b c",
    "x-amz-server-side-encryption": "AES256",
    "Cache-Control": "no-cache",
}


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_put_keeps_what_was_signed(server, s3, bucket, version):
    """An object put by an address has the type, metadata and encryption that this was made with, in either version."""
    put = {"Bucket": bucket, "Key": "k", **PUT_WITH}
    url = server.client(signature_version=version).generate_presigned_url("put_object", put)
    assert fetch(server, "PUT", url, b"hello", SENT_WITH | {"Content-Type": "text/plain"})[0] == 403
    assert fetch(server, "PUT", url, b"hello", SENT_WITH)[0] == 200
    got = s3.get_object(Bucket=bucket, Key="k")
    assert {name: got[name] for name in PUT_WITH} == PUT_WITH
    # By version 2 the address itself has them, all but those that S3 never signs; by version 4 they must be sent.
    status = fetch(server, "PUT", url, b"again", {"Cache-Control": "no-cache"})[0]
    assert status == (200 if version == "s3" else 403)
    got = s3.get_object(Bucket=bucket, Key="k")
    assert {name: got[name] for name in PUT_WITH} == PUT_WITH


@pytest.fixture
def copies(s3, bucket):
    """Put a source and a target; give what to presign: a copy onto the target, and one to a part of an upload to it."""
    source = {"CopySource": {"Bucket": bucket, "Key": "source"}}
    s3.put_object(Bucket=bucket, Key="source", Body=b"hello")
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    upload = {"Bucket": bucket, "Key": "k", **source}
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = {**upload, "UploadId": upload_id, "PartNumber": 1, "CopySourceRange": "bytes=1-2"}
    return [("copy_object", upload), ("upload_part_copy", part)]


def test_presigned_copy_copies(server, s3, bucket, copies):
    """An address of version 2 that copies does so, an object or a part, without any header."""
    for operation, target in copies:
        status, body, _ = fetch(server, "PUT", server.client().generate_presigned_url(operation, target))
        assert (status, b"Result>" in body) == (200, True)
    assert body_of(s3, bucket, "k") == b"hello"
    upload_id = copies[1][1]["UploadId"]
    assert [part["Size"] for part in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload_id)["Parts"]] == [2]


def test_presigned_copy_without_its_headers_is_refused(server, s3, bucket, copies):
    """An address of version 4 that copies does so with the headers that it names, and without them changes nothing."""
    sent = {"x-amz-copy-source": f"{bucket}/source"}
    part_sent = sent | {"x-amz-copy-source-range": "bytes=1-2"}
    for (operation, target), headers in zip(copies, (sent, part_sent), strict=True):
        url = s3.generate_presigned_url(operation, target)
        before = server.blobs()
        assert fetch(server, "PUT", url)[0] == 403
        assert server.blobs() == before
        status, body, _ = fetch(server, "PUT", url, headers=headers)
        assert (status, b"Result>" in body) == (200, True)
    assert body_of(s3, bucket, "k") == b"hello"


def test_copy_that_stands_in_the_query_is_a_copy(server, s3, bucket):
    """An address of version 4 with its headers in the query, as SDKs of other languages make it, does what they say."""
    s3.put_object(Bucket=bucket, Key="source", Body=b"hello")
    query = f"x-amz-copy-source={bucket}%2Fsource&x-amz-metadata-directive=REPLACE&x-amz-meta-a=b"
    url = f"http://127.0.0.1:{server.port}/{bucket}/copy?{query}"
    url = presign(server.keys.default(), "PUT", url, "s3", 60, datetime.now(UTC))
    assert fetch(server, "PUT", url)[0] == 200
    assert body_of(s3, bucket, "copy") == b"hello"
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"a": "b"}
    assert fetch(server, "PUT", url.replace("meta-a", "meta-b"))[0] == 403


@pytest.mark.parametrize(
    ("operation", "method", "word"),
    [
        ("list_objects", "GET", "publicAccessBlock"),
        ("create_bucket", "PUT", "ownershipControls"),
        ("delete_bucket", "DELETE", "policyStatus"),
        ("get_object", "GET", "attributes"),
        ("delete_object", "DELETE", "renameObject"),
    ],
)
def test_address_cannot_be_made_another_operation(server, bucket, operation, method, word):
    """A word that version 2 does not sign, added to an address, does not turn it into another operation."""
    target = {"Bucket": bucket} | ({"Key": "k"} if operation.endswith("object") else {})
    url = server.client().generate_presigned_url(operation, target)
    status, body, _ = fetch(server, method, f"{url}&{word}")
    assert (status, f"?{word}".encode() in body) == (403, True)


def test_presigned_digest_is_held(server, s3, bucket):
    """A body other than the one whose MD5 or checksum was signed is refused, and the object of before stays."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    md5 = base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    sha256 = base64.b64encode(hashlib.sha256(b"hello").digest()).decode()
    for announced in ({"ContentMD5": md5}, {"ChecksumSHA256": sha256}):
        put = {"Bucket": bucket, "Key": "k", **announced}
        url = server.client().generate_presigned_url("put_object", put)
        status, body, _ = fetch(server, "PUT", url, b"other")
        assert (status, b"<Code>BadDigest</Code>" in body) == (400, True)
        assert body_of(s3, bucket, "k") == b"before"
    assert fetch(server, "PUT", url, b"hello")[0] == 200
    assert body_of(s3, bucket, "k") == b"hello"


def test_key_for_predictions_sees_nothing(server, bucket):
    """A key that may only ask for predictions is denied everything here."""
    client = server.client(server.keys.make("app", "predict"))
    assert code_of(client.list_buckets) == "AccessDenied"
    assert code_of(client.get_object, Bucket=bucket, Key="k") == "AccessDenied"
    assert code_of(client.put_object, Bucket=bucket, Key="k", Body=b"") == "AccessDenied"


def test_errors_are_documents(s3, server, bucket):
    """An error is S3's XML with code, resource and request id; that of HEAD has no body."""
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "<never>"})
    status, body, headers = fetch(server, "GET", url)
    assert (status, headers["content-type"]) == (404, "application/xml")
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>')
    assert f"<RequestId>{headers['x-amz-request-id']}</RequestId>".encode() in body
    assert f"<Resource>/{bucket}/%3Cnever%3E</Resource>".encode() in body
    url = s3.generate_presigned_url("head_object", {"Bucket": bucket, "Key": "never"})
    assert fetch(server, "HEAD", url)[:2] == (404, b"")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<Delete>",
        b"<Other/>",
        b"<Delete/>",
        b'<!DOCTYPE d [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>',
        b'<!DOCTYPE d SYSTEM "file:///etc/passwd"><Delete/>',
        b"<Delete>" + b"<a>" * 1000 + b"</a>" * 1000 + b"</Delete>",
        b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
        b"\xff\xfe\x00",
    ],
)
def test_bad_documents_are_refused(server, bucket, document):
    """A document that is none, of another kind, or that declares entities is MalformedXML and nothing else."""
    status, body = raw(server, "POST", f"/{bucket}?delete", document)
    assert status == 400
    assert b"<Code>MalformedXML</Code>" in body


def test_long_documents_are_refused(server, bucket):
    """A document larger than any that S3 has is refused while it is read."""
    status, body = raw(server, "POST", f"/{bucket}?delete", b" " * (3 << 20))
    assert status == 400
    assert b"<Code>MaxMessageLengthExceeded</Code>" in body


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/{bucket}/%ff", 400, b"InvalidURI"),
        ("GET", "/nul%00byte", 404, b"NoSuchBucket"),
        ("GET", "/{bucket}/k?uploadId=%00", 404, b"NoSuchUpload"),
        ("GET", "/{bucket}?max-keys=99999999999999999999", 200, b"ListBucketResult"),
        ("GET", "/{bucket}?max-keys=x", 400, b"InvalidArgument"),
        ("GET", "/{bucket}?prefix=a&prefix=b", 400, b"InvalidArgument"),
        ("GET", "/{bucket}/k?uploadId=a&uploadId=a", 400, b"InvalidArgument"),
        ("GET", "/{bucket}/k?versionId=1", 404, b"NoSuchVersion"),
        ("GET", "/{bucket}/k?torrent", 400, b"NotImplemented"),
        ("PUT", "/{bucket}/k?partNumber=0&uploadId=x", 400, b"InvalidArgument"),
        ("PUT", "/{bucket}/k?partNumber=1", 400, b"InvalidArgument"),
        ("PATCH", "/{bucket}", 405, b"MethodNotAllowed"),
        ("POST", "/", 405, b"MethodNotAllowed"),
        ("DELETE", "/", 405, b"MethodNotAllowed"),
    ],
)
def test_odd_requests_are_answered(server, bucket, method, path, status, code):
    """Whatever is asked is answered with a name of Amazon's, never with a failure of the server."""
    found, body = raw(server, method, path.format(bucket=bucket), b"")
    assert (found, code in body) == (status, True)


# Streams


def test_memory_stays_flat(s3, server, bucket):
    """An object of 64 MiB goes up and down in a few MiB of memory."""
    size = 64 << 20
    s3.put_object(Bucket=bucket, Key="warm", Body=b"x")
    tracemalloc.start()
    try:
        s3.put_object(Bucket=bucket, Key="k", Body=Zeros(size))
        left = size
        body = s3.get_object(Bucket=bucket, Key="k")["Body"]
        while piece := body.read(1 << 20):
            left -= len(piece)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left == 0
    assert peak < 16 << 20


class Zeros(io.RawIOBase):
    """A file of zeros that takes no memory."""

    def __init__(self, size):
        self.size, self.at = size, 0

    def readable(self):
        """Say that it can be read."""
        return True

    def seekable(self):
        """Say that it can be sought in."""
        return True

    def seek(self, offset, whence=0):
        """Go to a place."""
        self.at = offset + (0, self.at, self.size)[whence]
        return self.at

    def tell(self):
        """Say where it is."""
        return self.at

    def readinto(self, buffer):
        """Fill a buffer with zeros."""
        count = min(len(buffer), self.size - self.at)
        buffer[:count] = bytes(count)
        self.at += count
        return count


def test_upload_that_is_cut_off_leaves_nothing(s3, server, bucket):
    """When a client hangs up in the middle of its body, the object of before stays and no bytes are left."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    before = server.blobs()
    url = urlsplit(s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k"}))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = f"PUT {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Length: {8 << 20}\r\n\r\n"
        connection.sendall(head.encode() + bytes(4 << 20))
        wait_until(server.staged)
    wait_until(lambda: not server.staged())
    assert server.blobs() == before
    assert server.buckets.sweep(older_than=0) == 0
    assert body_of(s3, bucket, "k") == b"before"


def test_download_that_is_cut_off_harms_nobody(s3, server, bucket):
    """When a client hangs up in the middle of an answer, the next one gets the object whole."""
    s3.put_object(Bucket=bucket, Key="k", Body=bytes(8 << 20))
    url = urlsplit(s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}))
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
        connection.recv(1024)
    assert len(body_of(s3, bucket, "k")) == 8 << 20


def test_concurrent_puts_end_with_one_whole_object(server, bucket):
    """Many clients that put to one key leave the object of one of them, whole."""
    clients = [server.client() for _ in range(4)]
    bodies = [bytes([number]) * 300_000 for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            list(
                pool.map(
                    lambda pair: pair[0].put_object(Bucket=bucket, Key="k", Body=pair[1]),
                    zip(clients, bodies, strict=True),
                )
            )
    got = clients[0].get_object(Bucket=bucket, Key="k")
    data = got["Body"].read()
    assert data in bodies
    assert got["ETag"].strip('"') == hashlib.md5(data).hexdigest()


def wait_until(condition):
    """Wait for what is about to happen."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def fetch(server, method, url, body=None, headers=None):
    """Send a request to an address as it stands; return status, body and headers."""
    parts = urlsplit(url)
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request(method, f"{parts.path}?{parts.query}", body, headers or {})
        response = connection.getresponse()
        return response.status, response.read(), {name.lower(): value for name, value in response.getheaders()}


def raw(server, method, path, body, payload="UNSIGNED-PAYLOAD", headers=None):
    """Sign and send what no client would; return status and body."""
    key = server.keys.default()
    url = f"http://127.0.0.1:{server.port}{path}"
    request = AWSRequest(method, url, headers or {}, body)
    signer = S3SigV4Auth(Credentials(key.id, key.secret), "s3", "us-east-1")
    signer.payload = lambda _: payload
    signer.add_auth(request)
    with contextlib.closing(HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request(method, path, body, dict(request.headers.items()))
        response = connection.getresponse()
        return response.status, response.read()


def raw_put(server, bucket, key, data, crc):
    """Put a body in chunks with its CRC-32 behind it, as newer clients do over TLS."""
    checksum = base64.b64encode(crc.to_bytes(4, "big")).decode()
    body = b"%x\r\n%b\r\n0\r\nx-amz-checksum-crc32:%b\r\n\r\n" % (len(data), data, checksum.encode())
    headers = {
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-decoded-content-length": str(len(data)),
        "Content-Encoding": "aws-chunked",
    }
    return raw(server, "PUT", f"/{bucket}/{key}", body, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", headers)
