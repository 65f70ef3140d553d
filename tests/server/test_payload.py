"""Uploads: the plain bytes of every way to send them, and a clear refusal of everything else."""

import asyncio
import contextlib
import hashlib
import io
from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4Auth
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from server.signing import CREDENTIALS, ID, arrived, drained, make_keys, signed_by, stream
from understudy.server.canonical import sign
from understudy.server.checksums import Checks
from understudy.server.http import Request
from understudy.server.payload import PayloadError, plain, stored_encoding
from understudy.server.signature import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED_CHUNKS_TRAILER,
    UNSIGNED_PAYLOAD,
    Signed,
    verify,
)

MAY_2013 = datetime(2013, 5, 24, tzinfo=UTC)
NOTHING = hashlib.sha256(b"").hexdigest()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Give the one known key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def signed(keys):
    """Give a function that makes a verified signature with a declared payload."""

    def make(payload):
        scope = "20130524/us-east-1/s3/aws4_request"
        return Signed(keys.default(), "20130524T000000Z", scope, payload, b"key", "0" * 64)

    return make


def upload(headers, *pieces):
    """Return an upload as a server sees it."""
    return Request("PUT", "/b/k", "", headers, stream(*pieces))


def cut(data, size):
    """Cut bytes into pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


def refusal(request, signed):
    """Return the code of the refusal that reading an upload ends with."""
    with pytest.raises(PayloadError) as caught:
        drained(plain(request, signed))
    assert caught.value.status == (403 if caught.value.code == "SignatureDoesNotMatch" else 400)
    return caught.value.code


# Published examples of the S3 API reference


def example(keys, names, seed, payload, headers, body):
    """Verify the seed signature of a published upload; return its payload."""
    scope = "20130524/us-east-1/s3/aws4_request"
    headers = {
        "x-amz-date": "20130524T000000Z", "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "content-encoding": "aws-chunked", "x-amz-decoded-content-length": "66560", "x-amz-content-sha256": payload,
        "authorization": f"AWS4-HMAC-SHA256 Credential={ID}/{scope},SignedHeaders={names},Signature={seed}",
    } | headers  # fmt: skip
    request = arrived("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", headers, *cut(body, 10_000))
    return plain(request, verify(request, keys, "s3", MAY_2013))


SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SEED_TRAILER = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
CHUNKS = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + b"a" * 65_536
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + b"a" * 1024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)  # fmt: skip
CHUNKS_TRAILER = (
    b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + b"a" * 65_536
    + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + b"a" * 1024
    + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)  # fmt: skip


def test_signed_chunks_of_the_s3_manual(keys):
    """The chunked upload that the S3 API reference prints is read and verified, chunk by chunk."""
    names = (
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
        "x-amz-storage-class"
    )
    payload = example(keys, names, SEED, SIGNED_CHUNKS, {"content-length": "66824"}, CHUNKS)
    assert drained(payload) == b"a" * 66_560
    assert payload.trailers == {}


def test_signed_trailer_of_the_s3_manual(keys):
    """The upload with a trailer that the S3 API reference prints is read; its signed checksum is right."""
    names = (
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;"
        "x-amz-trailer"
    )
    headers = {"x-amz-trailer": "x-amz-checksum-crc32c"}
    payload = example(keys, names, SEED_TRAILER, SIGNED_CHUNKS_TRAILER, headers, CHUNKS_TRAILER)
    checks = Checks.of(headers)
    checks.update(drained(payload))
    checks.verify(payload.trailers)
    assert payload.trailers == {"x-amz-checksum-crc32c": "sOO8/Q=="}


# Whole bodies


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_whole_body_is_checked_against_its_digest(keys, pieces):
    """What botocore signs as a whole comes through in any pieces; another body is a mismatch at its end."""
    body = b"".join(pieces)
    request = signed_by(S3SigV4Auth(CREDENTIALS, "s3", "us-east-1"), "PUT", "http://localhost/b/k", {}, body)
    found = verify(request, keys, "s3", datetime.now(UTC))
    assert drained(plain(upload(request.headers, *pieces), found)) == body
    longer = {name: value for name, value in request.headers.items() if name != "content-length"}
    assert refusal(upload(longer, *pieces, b"!"), found) == "XAmzContentSHA256Mismatch"


def test_unsigned_body_passes(signed):
    """An unsigned body is given as it comes."""
    assert drained(plain(upload({}, b"one", b"", b"two"), signed(UNSIGNED_PAYLOAD))) == b"onetwo"


@pytest.mark.parametrize("declared", ["2", "4", "99999999999999999999999", "three"])
def test_length_must_be_the_announced_one(signed, declared):
    """A body of another length than Content-Length or, in chunks, x-amz-decoded-content-length, is incomplete."""
    assert refusal(upload({"content-length": declared}, b"abc"), signed(UNSIGNED_PAYLOAD)) == "IncompleteBody"
    chunked = upload({"x-amz-decoded-content-length": declared}, b"3\r\nabc\r\n0\r\n\r\n")
    assert refusal(chunked, signed(UNSIGNED_CHUNKS_TRAILER)) == "IncompleteBody"


# Chunks


@given(st.binary(max_size=300), st.integers(1, 50), st.integers(1, 40))
def test_unsigned_chunks_of_botocore(signed, body, chunk, piece):
    """What botocore wraps comes out plain, however the network cuts it; its trailer is the right checksum."""
    headers = {"x-amz-trailer": "x-amz-checksum-crc32", "x-amz-decoded-content-length": str(len(body))}
    wire = AwsChunkedWrapper(io.BytesIO(body), Crc32Checksum, "x-amz-checksum-crc32", chunk).read()
    payload = plain(upload(headers, *cut(wire, piece)), signed(UNSIGNED_CHUNKS_TRAILER))
    checks = Checks.of(headers)
    checks.update(drained(payload))
    checks.verify(payload.trailers)
    assert checks.values == payload.trailers


def test_unsigned_chunks_without_a_trailer(signed):
    """Chunks may come without trailers, and with extensions that mean nothing here."""
    request = upload({}, b"3;odd=1\r\nabc\r\n", b"0\r\n\r\n")
    assert drained(plain(request, signed(UNSIGNED_CHUNKS_TRAILER))) == b"abc"


def chunk_signed(found, previous, data):
    """Return a chunk with its signature, and that signature."""
    text = (
        f"AWS4-HMAC-SHA256-PAYLOAD\n{found.timestamp}\n{found.scope}\n{previous}\n{NOTHING}\n"
        f"{hashlib.sha256(data).hexdigest()}"
    )
    signature = sign(found.signing_key, text)
    return f"{len(data):x};chunk-signature={signature}\r\n".encode() + data + b"\r\n" * bool(data), signature


def wire_of(found, chunks):
    """Return a signed stream without trailers, complete."""
    wire, previous = b"", found.signature
    for data in (*chunks, b""):
        chunk, previous = chunk_signed(found, previous, data)
        wire += chunk
    return wire + b"\r\n"


CHUNK_LISTS = st.lists(st.binary(min_size=1, max_size=40), max_size=4)


@given(CHUNK_LISTS, st.integers(1, 100))
def test_signed_chunks_come_out_plain(signed, chunks, piece):
    """Signed chunks are given in order, whatever pieces they arrive in."""
    found = signed(SIGNED_CHUNKS)
    request = upload({}, *cut(wire_of(found, chunks), piece))
    assert drained(plain(request, found)) == b"".join(chunks)


@given(CHUNK_LISTS, st.integers(0), st.integers(1, 255))
def test_no_byte_of_a_signed_stream_can_be_changed(signed, chunks, place, change):
    """A byte exchanged anywhere in a signed stream is a refusal and never another body."""
    found = signed(SIGNED_CHUNKS)
    wire = bytearray(wire_of(found, chunks))
    wire[place % len(wire)] ^= change
    request = upload({}, bytes(wire))
    with contextlib.suppress(PayloadError):
        # A size may be written in capital letters: other bytes, the same body.
        assert drained(plain(request, found)) == b"".join(chunks)


@given(CHUNK_LISTS, st.integers(0))
def test_cut_stream_is_incomplete(signed, chunks, place):
    """A stream that ends anywhere before its end is incomplete, or unfinished in a chunk."""
    found = signed(SIGNED_CHUNKS)
    wire = wire_of(found, chunks)
    assert refusal(upload({}, wire[: place % len(wire)]), found) == "IncompleteBody"


def test_chunks_cannot_change_places(signed):
    """Each signature is over the one before, so chunks cannot be exchanged, repeated or left out."""
    found = signed(SIGNED_CHUNKS)
    first, previous = chunk_signed(found, found.signature, b"one")
    second, previous = chunk_signed(found, previous, b"two")
    end = chunk_signed(found, previous, b"")[0] + b"\r\n"
    assert drained(plain(upload({}, first + second + end), found)) == b"onetwo"
    for wire in (second + first + end, first + first + second + end, first + end):
        assert refusal(upload({}, wire), found) == "SignatureDoesNotMatch"


def test_signed_stream_needs_its_signatures(signed):
    """Unsigned chunks in a stream that was declared as signed are refused."""
    assert refusal(upload({}, b"3\r\nabc\r\n0\r\n\r\n"), signed(SIGNED_CHUNKS)) == "SignatureDoesNotMatch"


GARBLED = {
    "no size": b"\r\n",
    "not hexadecimal": b"xyz\r\nabc\r\n0\r\n\r\n",
    "underscore": b"1_0\r\n",
    "sign": b"+3\r\nabc\r\n0\r\n\r\n",
    "negative": b"-3\r\nabc\r\n0\r\n\r\n",
    "blank": b" 3\r\nabc\r\n0\r\n\r\n",
    "huge size": b"f" * 17 + b"\r\n",
    "giant line": b"0" * 10_000_000,
    "giant line with an end": b"3;" + b"x" * 100_000 + b"\r\nabc\r\n0\r\n\r\n",
    "no carriage return": b"3\nabc\r\n0\r\n\r\n",
    "longer than its size": b"3\r\nabcdef\r\n0\r\n\r\n",
    "shorter than its size": b"6\r\nabc\r\n0\r\n\r\n",
    "more behind the end": b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n",
}


@pytest.mark.parametrize("wire", GARBLED.values(), ids=GARBLED)
def test_garbled_chunks_are_refused(signed, wire):
    """A stream that is not aws-chunked is an invalid request or, where it ends too early, incomplete."""
    for pieces in (cut(wire, 7) if len(wire) < 1000 else cut(wire, 65_536), [wire]):
        code = refusal(upload({}, *pieces), signed(UNSIGNED_CHUNKS_TRAILER))
        assert code in {"InvalidRequest", "IncompleteBody"}


@given(st.lists(st.binary(max_size=30), max_size=4), st.sampled_from([SIGNED_CHUNKS, UNSIGNED_CHUNKS_TRAILER]))
def test_nonsense_is_refused_and_nothing_else(signed, pieces, payload):
    """Arbitrary bytes in place of a chunked stream end in a PayloadError."""
    assert refusal(upload({}, *pieces), signed(payload))


# Trailers


TRAILER = b"3\r\nabc\r\n0\r\n%s\r\n\r\n"


@pytest.mark.parametrize(
    ("announced", "line"),
    [
        ("", b"x-amz-checksum-crc32:AAAAAA=="),
        ("x-amz-checksum-crc32", b"x-amz-checksum-sha1:AAAA"),
        ("x-amz-checksum-crc32,x-more", b"x-amz-checksum-crc32:AAAAAA=="),
        ("x-amz-checksum-crc32", b"no colon"),
        ("x-amz-checksum-crc32", b"odd name:1"),
        ("x", b"x:\x00"),
        ("x", b"\r\n".join(b"x%d:1" % number for number in range(40))),
    ],
)
def test_trailers_must_be_the_announced_ones(signed, announced, line):
    """A trailer that x-amz-trailer does not announce, one that is missing, and one of no form are malformed."""
    request = upload({"x-amz-trailer": announced}, TRAILER % line)
    assert refusal(request, signed(UNSIGNED_CHUNKS_TRAILER)) == "MalformedTrailerError"


def test_trailers_are_read_with_lower_case_names(signed):
    """Names of trailers come in lower case, values without white space around them."""
    payload = plain(
        upload({"x-amz-trailer": "X-Note, x-two"}, TRAILER % b"X-NOTE:  a b \r\nx-two:2"),
        signed(UNSIGNED_CHUNKS_TRAILER),
    )
    drained(payload)
    assert payload.trailers == {"x-note": "a b", "x-two": "2"}


@pytest.mark.parametrize("signature", [b"", b"x-amz-trailer-signature:" + b"0" * 64 + b"\r\n"])
def test_trailers_of_a_signed_stream_are_signed(signed, signature):
    """In a signed stream the trailer's own signature must be there and hold."""
    found = signed(SIGNED_CHUNKS_TRAILER)
    wire = chunk_signed(found, found.signature, b"")[0] + b"x-amz-checksum-crc32:AAAAAA==\r\n" + signature + b"\r\n"
    assert refusal(upload({"x-amz-trailer": "x-amz-checksum-crc32"}, wire), found) == "SignatureDoesNotMatch"


def test_memory_does_not_grow_with_chunks(signed):
    """A chunk's bytes are given as they arrive, before the chunk has ended."""

    async def body():
        yield b"3d0900\r\n"
        for _ in range(4000):
            yield b"x" * 1000
        yield b"\r\n0\r\n\r\n"

    async def sizes():
        payload = plain(Request("PUT", "/b/k", "", {}, body()), signed(UNSIGNED_CHUNKS_TRAILER))
        return [len(piece) async for piece in payload]

    assert asyncio.run(sizes()) == [1000] * 4000


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({}, None),
        ({"content-encoding": "aws-chunked"}, None),
        ({"content-encoding": "AWS-Chunked,gzip"}, "gzip"),
        ({"content-encoding": "gzip, br"}, "gzip, br"),
        ({"content-encoding": ""}, None),
    ],
)
def test_stored_encoding_is_the_objects_own(sent, kept):
    """What is kept of Content-Encoding does not name the transfer's chunks."""
    assert stored_encoding(sent) == kept
