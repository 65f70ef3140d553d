"""Addresses as boto3 presigns them by default: accepted when whole and in time, else refused in AWS's words."""

import dataclasses
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from server.signing import ID, SECRET, arrived, make_keys, signed_by
from understudy.server.signature import UNSIGNED_PAYLOAD, Reason, SignatureError, is_version_2, verify


def now():
    """Return the time that boto3 presigns at, too."""
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Give the one known key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def s3():
    """Give a client of boto3 as everybody makes one."""
    client = boto3.client(
        "s3", endpoint_url="http://h:8080", region_name="us-east-1", aws_access_key_id=ID, aws_secret_access_key=SECRET
    )
    yield client
    client.close()


def url_of(s3, operation="get_object", seconds=60, **parameters):
    """Return an address presigned by boto3."""
    return s3.generate_presigned_url(
        operation, Params={"Bucket": "data", "Key": "a b/é.csv", **parameters}, ExpiresIn=seconds
    )


def reason(request, keys, at=None):
    """Return why a request is refused."""
    with pytest.raises(SignatureError) as error:
        verify(request, keys, "s3", at or now())
    assert SECRET not in error.value.message
    return error.value.reason


def test_address_that_boto3_makes_by_default_is_accepted(s3, keys):
    """Without any option boto3 presigns by version 2 in us-east-1; such an address is as good as one of version 4."""
    request = arrived("GET", url_of(s3))
    assert is_version_2(request)
    signed = verify(request, keys, "s3", now())
    assert (signed.key.id, signed.payload, signed.hoisted) == (ID, UNSIGNED_PAYLOAD, {})


@given(key=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip("/. ")))
def test_any_key_may_be_presigned(s3, keys, key):
    """Whatever a key is made of, the address that boto3 makes for it is accepted."""
    request = arrived("GET", url_of(s3, Key=key, ResponseContentType="text/csv; charset=utf-8"))
    assert verify(request, keys, "s3", now()).key.id == ID


def test_address_of_a_bucket_is_accepted(s3, keys):
    """An address of a whole bucket, which boto3 signs with a slash more than it sends, is as good as any other."""
    url = s3.generate_presigned_url("list_objects_v2", {"Bucket": "data", "Prefix": "a"})
    assert verify(arrived("GET", url), keys, "s3", now()).key.id == ID
    assert reason(arrived("GET", url.replace("/data", "/other")), keys) is Reason.MISMATCH


def test_upload_may_be_presigned_with_its_type(s3, keys):
    """A presigned PUT that names a content type is accepted from a client that sends it."""
    url = url_of(s3, "put_object", ContentType="text/csv")
    assert verify(arrived("PUT", url, {"Content-Type": "text/csv"}), keys, "s3", now()).key.id == ID


def test_headers_of_an_address_are_handed_on(s3, keys):
    """What boto3 moves from headers into the address is told as headers, in the bytes that headers travel in."""
    url = url_of(s3, "put_object", ContentType="text/csv", ContentMD5="md5", Metadata={"a": "b c"}, Tagging="t=é")
    expected = {"content-type": "text/csv", "content-md5": "md5", "x-amz-meta-a": "b c", "x-amz-tagging": "t=Ã©"}
    assert verify(arrived("PUT", url), keys, "s3", now()).hoisted == expected


def test_security_token_is_signed_and_otherwise_ignored(keys):
    """An address that was presigned with a session token is accepted like any other."""
    signer = HmacV1QueryAuth(Credentials(ID, SECRET, token="session"))
    request = signed_by(signer, "GET", "http://h:8080/data/k")
    alone = dataclasses.replace(request, headers={})
    assert "x-amz-security-token=session" in alone.raw_query
    assert verify(alone, keys, "s3", now()).key.id == ID


def test_signed_header_has_one_value(s3, keys):
    """A header that stands in the address cannot be sent with another value, nor be added where none was signed."""
    url = url_of(s3, "put_object", ContentType="text/csv", Metadata={"a": "b"})
    for header in ("content-type", "x-amz-meta-a"):
        assert reason(arrived("PUT", url, {header: "other"}), keys) is Reason.UNSIGNED_HEADER
    for header in ("content-type", "content-md5", "x-amz-meta-b"):
        assert reason(arrived("PUT", url_of(s3, "put_object"), {header: "other"}), keys) is Reason.MISMATCH
        assert reason(arrived("PUT", f"{url_of(s3, 'put_object')}&{header}=other"), keys) is Reason.MISMATCH


@pytest.mark.parametrize(
    "added", ["x-amz-meta-a=1&X-Amz-Meta-A=1", "x-amz-meta-a=%0d%0aSet-Cookie:%20a", "x-amz-meta-a:%20b%0d%0ac=1"]
)
def test_what_is_no_header_is_refused(s3, keys, added):
    """A parameter that could not have been a header, or stands there twice, is refused before it is used."""
    assert reason(arrived("PUT", f"{url_of(s3, 'put_object')}&{added}"), keys) is Reason.MALFORMED_QUERY


def test_parameters_beside_the_signature_are_told(s3, keys):
    """Version 2 signs some parameters only: those that anybody may have added are told."""
    url = url_of(s3, "upload_part", UploadId="u", PartNumber=2)
    assert "attributes" not in verify(arrived("GET", url_of(s3)), keys, "s3", now()).unsigned
    assert "attributes" in verify(arrived("GET", url_of(s3) + "&attributes"), keys, "s3", now()).unsigned
    assert not {"uploadId", "partNumber"} & verify(arrived("PUT", url), keys, "s3", now()).unsigned


def test_part_of_an_upload_may_be_presigned(s3, keys):
    """Parameters that say what is meant are part of what is signed."""
    url = url_of(s3, "upload_part", UploadId="u", PartNumber=2)
    assert verify(arrived("PUT", url), keys, "s3", now()).key.id == ID
    assert reason(arrived("PUT", url.replace("partNumber=2", "partNumber=3")), keys) is Reason.MISMATCH


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda url: url.replace("/data/", "/other/"), Reason.MISMATCH),
        (lambda url: url.replace("Signature=", "Signature=A"), Reason.MISMATCH),
        (lambda url: url.replace("Expires=", "Expires=9"), Reason.MISMATCH),
        (lambda url: url + "&acl", Reason.MISMATCH),
        (lambda url: url.replace(ID, "AKIANOBODY"), Reason.UNKNOWN_KEY),
        (lambda url: url.replace("Expires=", "Expires=x"), Reason.MALFORMED_QUERY),
        (lambda url: url.replace("Expires=", "Ends="), Reason.MALFORMED_QUERY),
    ],
)
def test_changed_address_is_refused(s3, keys, change, expected):
    """An address that was changed in any place is refused, with AWS's reason."""
    assert reason(arrived("GET", change(url_of(s3))), keys) is expected


def test_other_method_is_refused(s3, keys):
    """An address to read from is none to write to."""
    assert reason(arrived("PUT", url_of(s3)), keys) is Reason.MISMATCH


def test_expired_address_is_refused(s3, keys):
    """An address is good for as long as was asked for."""
    request = arrived("GET", url_of(s3, seconds=60))
    assert verify(request, keys, "s3", now() + timedelta(seconds=50)).key.id == ID
    assert reason(request, keys, now() + timedelta(seconds=120)) is Reason.EXPIRED
