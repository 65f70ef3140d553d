"""Checksums of uploads: the published check values, the kernel and its twin, and what S3 says of each fault."""

import base64
import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.server.checksums import CASTAGNOLI, NVME, SUMS, Checks, Crc, plain_crc
from understudy.server.payload import PayloadError

CHECK = b"123456789"
PUBLISHED = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": hashlib.sha1(CHECK).hexdigest(),
    "sha256": hashlib.sha256(CHECK).hexdigest(),
}


def coded(data):
    """Return bytes in base64."""
    return base64.b64encode(data).decode()


def summed(kind, *pieces):
    """Return a checksum of pieces."""
    checksum = SUMS[kind]()
    for piece in pieces:
        checksum.update(piece)
    return checksum.digest()


def refusal(work, *arguments):
    """Return the code of a refusal."""
    with pytest.raises(PayloadError) as caught:
        work(*arguments)
    return caught.value.code


@pytest.mark.parametrize(("kind", "value"), PUBLISHED.items())
def test_check_values_are_the_published_ones(kind, value):
    """Every algorithm gives its catalogue's value for the nine digits."""
    assert summed(kind, CHECK).hex() == value


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_kernel_is_its_plain_twin(pieces):
    """The compiled CRCs equal the bit-by-bit ones, however the bytes are cut."""
    data = b"".join(pieces)
    for polynomial, bits in ((CASTAGNOLI, 32), (NVME, 64), (0xEDB88320, 32)):
        checksum = Crc(polynomial, bits)
        for piece in pieces:
            checksum.update(piece)
        assert int.from_bytes(checksum.digest()) == plain_crc(polynomial, bits, data)
    assert summed("crc32", *pieces) == zlib.crc32(data).to_bytes(4)


@pytest.mark.parametrize("kind", SUMS)
def test_checksum_in_a_header(kind):
    """A checksum in a header is compared, kept as it is answered, and a wrong one is a bad digest."""
    value = coded(bytes.fromhex(PUBLISHED[kind]))
    name = f"x-amz-checksum-{kind}"
    checks = Checks.of({name: value, "x-amz-sdk-checksum-algorithm": kind.upper()})
    checks.update(CHECK[:4])
    checks.update(CHECK[4:])
    checks.verify()
    assert checks.values == checks.expected == {name: value}
    wrong = Checks.of({name: value})
    wrong.update(CHECK + b"0")
    assert refusal(wrong.verify) == "BadDigest"


def test_checksum_in_a_trailer():
    """A checksum that comes behind the body is known by x-amz-trailer, and must come."""
    headers = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm": "CRC32"}
    checks = Checks.of(headers)
    assert checks.expected == {"x-amz-checksum-crc32": None}
    checks.update(CHECK)
    checks.verify({"x-amz-checksum-crc32": coded(bytes.fromhex(PUBLISHED["crc32"]))})
    assert refusal(checks.verify, {"x-amz-checksum-crc32": "AAAAAA=="}) == "BadDigest"
    assert refusal(checks.verify, {"x-amz-checksum-crc32": "AAAA"}) == "InvalidRequest"
    assert refusal(checks.verify) == "InvalidRequest"


def test_md5_is_compared_and_always_there():
    """Content-MD5 is compared where it is given; the MD5 for the ETag is computed anyway."""
    checks = Checks.of({"content-md5": coded(hashlib.md5(CHECK).digest())})
    checks.update(CHECK)
    checks.verify()
    assert checks.md5 == hashlib.md5(CHECK).hexdigest()
    assert checks.values == {}
    checks.update(b"0")
    assert refusal(checks.verify) == "BadDigest"
    plain = Checks.of({})
    plain.verify()
    assert plain.md5 == hashlib.md5(b"").hexdigest()


@pytest.mark.parametrize("value", ["", "abc", "AAAA", "ü", "AAAAAAAAAAAAAAAAAAAAAA==\n "])
def test_md5_that_is_none(value):
    """A Content-MD5 that is not 16 bytes in base64 is an invalid digest."""
    assert refusal(Checks.of, {"content-md5": value}) == "InvalidDigest"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": "AAAA"},
        {"x-amz-checksum-crc32": "!"},
        {"x-amz-checksum-xxhash64": "AAAAAAAAAAA="},
        {"x-amz-trailer": "x-amz-checksum-unknown"},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-trailer": "x-amz-checksum-sha1"},
        {"x-amz-sdk-checksum-algorithm": "CRC32"},
    ],
)
def test_checksums_that_cannot_be_meant(headers):
    """A checksum of a wrong form or kind, several at once, or one declared and not sent, are invalid requests."""
    assert refusal(Checks.of, headers) == "InvalidRequest"


def test_headers_beside_the_checksums_are_not_taken_for_one():
    """Algorithm, type and mode share the checksums' prefix and announce none."""
    names = ("algorithm", "type", "mode")
    checks = Checks.of({f"x-amz-checksum-{name}": "CRC32" for name in names} | {"x-amz-trailer": "x-other"})
    assert checks.expected == {}
