"""The S3 door and requests that no client sends: none of them makes a failure of the server."""

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.server.http import Gone, Request
from understudy.server.keys import Key
from understudy.server.s3 import S3Door, answer
from understudy.server.s3.bodies import in_slow_thread
from understudy.server.s3.routing import SUBRESOURCES
from understudy.server.signature import Signed
from understudy.store.bucket_records import BucketError
from understudy.store.buckets import Buckets
from understudy.store.catalog import Catalog
from understudy.store.local import LocalObjects

METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"]
PATHS = [
    "/",
    "//",
    "/abc",
    "/abc/",
    "/abc/k",
    "/abc/k%00",
    "/abc//",
    "/nowhere/k",
    "/%00/k",
    "/%ff",
    "/abc/%ff",
    "/ÿ/k",
    "/docs",
    "/new",
]
PARAMETERS = [
    "list-type",
    "max-keys",
    "prefix",
    "delimiter",
    "marker",
    "continuation-token",
    "start-after",
    "encoding-type",
    "key-marker",
    "upload-id-marker",
    "max-uploads",
    "max-parts",
    "part-number-marker",
    "partNumber",
    "versionId",
    "fetch-owner",
    "response-content-type",
    "max-buckets",
]
HEADERS = [
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "content-md5",
    "content-type",
    "content-encoding",
    "content-length",
    "x-amz-copy-source",
    "x-amz-copy-source-range",
    "x-amz-copy-source-if-match",
    "x-amz-metadata-directive",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-type",
    "x-amz-checksum-crc32",
    "x-amz-checksum-mode",
    "x-amz-trailer",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-meta-a",
    "x-amz-decoded-content-length",
    "x-amz-sdk-checksum-algorithm",
]
DATES = [
    "Thu, 01 Jan 1970 00:00:00 +99999999999999999999",
    "Thu, 01 Jan 99999999999 00:00:00 GMT",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "Fri, 31 Dec 9999 23:59:59 -2359",
]
VALUES = [
    *[
        "",
        "0",
        "1",
        "-1",
        "2",
        "10001",
        "x",
        "*",
        "null",
        "é",
        "/",
        "true",
        "url",
        "NaN",
        "COPY",
        "REPLACE",
        "SHA256",
        "crc32",
        "COMPOSITE",
        "AES256",
        "a=b&a=c",
    ],
    *['"x"', "/abc/k", "abc/k?versionId=x", "bytes=0-0", "bytes=-", "ETag,ObjectParts,Checksum", "========"],
    "9" * 5000,
    "\0",
    "\n",
    "Thu, 01 Jan 1970 00:00:00 GMT",
    "Thu, 99 Jan 99999 99:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 +9999",
    *DATES,
]
SENDABLE = [value for value in VALUES if not {"\0", "\n"} & set(value)]
BODIES = [
    b"",
    b"x",
    b"{}",
    b'{"\\ud800": 1}',
    b"\xed\xa0\x80",
    b"<!DOCTYPE x><x/>",
    b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
    b"<Delete><Object/></Delete>",
    b"<Delete><Object><Key>k</Key></Object><Quiet>x</Quiet></Delete>",
    b"<CompleteMultipartUpload><Part><PartNumber>x</PartNumber></Part></CompleteMultipartUpload>",
    b"<CreateBucketConfiguration><LocationConstraint>\xc3\xa9</LocationConstraint></CreateBucketConfiguration>",
    b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    b"<ServerSideEncryptionConfiguration>&#1;</ServerSideEncryptionConfiguration>",
    b"<OwnershipControls/>",
]
SIGNED = Signed(Key("id", "s", "n", "admin"), "", "", "UNSIGNED-PAYLOAD", b"", "")

parameters = st.tuples(st.sampled_from([*SUBRESOURCES, *PARAMETERS]), st.sampled_from(VALUES))


@pytest.fixture
def door(tmp_path):
    """Open a door of the test's own."""
    with _opened(tmp_path) as door:
        yield door


@pytest.fixture(scope="module")
def battered_door(tmp_path_factory):
    """Open the door that takes one odd request after the other."""
    with _opened(tmp_path_factory.mktemp("odd")) as door:
        yield door


@settings(max_examples=500)
@given(
    method=st.sampled_from(METHODS),
    path=st.sampled_from(PATHS),
    query=st.lists(parameters, max_size=3),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(SENDABLE), max_size=3),
    body=st.sampled_from(BODIES),
)
def test_no_request_makes_a_failure_of_the_server(battered_door, method, path, query, headers, body):
    """Whatever a signed request holds, the answer is below 500 and can be sent."""
    with contextlib.suppress(BucketError):  # one of the requests before may have deleted it
        battered_door.buckets.create("abc")
    response = asyncio.run(_answered(battered_door, Request(method, path, urlencode(query), headers, _stream(body))))
    assert response.status < 500
    for name, value in response.headers.items():
        assert not set("\r\n\0") & set(name + value)
        value.encode("latin-1")


@pytest.mark.parametrize("date", DATES)
@pytest.mark.parametrize("name", ["if-modified-since", "if-unmodified-since"])
def test_date_that_nobody_can_mean_is_answered(door, name, date):
    """A condition whose date lies beyond all calendars is no failure, when an object is read or copied."""
    door.buckets.put_bytes("abc", "dated", b"x")
    read = asyncio.run(_answered(door, Request("GET", "/abc/dated", "", {name: date}, _stream(b""))))
    assert read.status in {200, 304, 412}
    headers = {"x-amz-copy-source": "/abc/dated", f"x-amz-copy-source-{name}": date}
    assert asyncio.run(_answered(door, Request("PUT", "/abc/l", "", headers, _stream(b"")))).status in {200, 412}


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/abc/mistaken", {}), ("PUT", "/abc/copy", {"x-amz-copy-source": "/abc/mistaken"})],
)
def test_mistake_of_our_own_is_an_error_of_s3(door, monkeypatch, caplog, method, path, headers):
    """What nobody foresaw is logged, answered as S3's InternalError, and leaves no file open."""
    opened = []
    door.buckets.put_bytes("abc", "mistaken", b"x")
    reader = door.buckets.objects.reader
    monkeypatch.setattr(door.buckets.objects, "reader", lambda name: opened.append(reader(name)) or opened[-1])
    for module in ("objects", "writing"):
        monkeypatch.setattr(f"understudy.server.s3.{module}.reading_status", lambda *_: 1 / 0)
    response = asyncio.run(_answered(door, Request(method, path, "", headers, _stream(b""))))
    assert (response.status, b"<Code>InternalError</Code>" in response.body) == (500, True)
    assert "ZeroDivisionError" in caplog.text
    assert [file.closed for file in opened] == [True]


def test_body_that_is_lost_is_left_to_the_port(door):
    """Where the client hangs up there is nobody to be answered: the door does not try."""
    with pytest.raises(Gone):
        asyncio.run(_answered(door, Request("PUT", "/abc/gone", "", {}, _lost())))


def test_storage_takes_no_threads_of_others(door):
    """Objects are put, copied and got without the threads that the rest of a worker shares."""

    async def run():
        shut = ThreadPoolExecutor(1)
        shut.shutdown()
        asyncio.get_running_loop().set_default_executor(shut)
        copy = {"x-amz-copy-source": "/abc/own"}
        return [
            (await _answered(door, Request(method, "/abc/own", "", headers, _stream(b"x")))).status
            for method, headers in (("PUT", {}), ("PUT", copy | {"x-amz-metadata-directive": "REPLACE"}), ("GET", {}))
        ]

    assert asyncio.run(run()) == [200, 200, 200]


def test_long_copies_keep_nobody_waiting(door):
    """While more copies are made than there are threads for them, objects are put and got."""

    async def run():
        done = threading.Event()
        copies = [asyncio.create_task(in_slow_thread(done.wait)) for _ in range(20)]
        await asyncio.sleep(0)
        statuses = [
            (await asyncio.wait_for(_answered(door, Request(method, "/abc/beside", "", {}, _stream(b"x"))), 10)).status
            for method in ("PUT", "GET")
        ]
        done.set()
        await asyncio.gather(*copies)
        return statuses

    assert asyncio.run(run()) == [200, 200]


def test_object_is_sent_in_small_pieces(door):
    """An object goes out in pieces that a slow reader takes in the time that the port gives each of them."""
    data = bytes(range(256)) * 5000
    door.buckets.put_bytes("abc", "large", data)

    async def run():
        response = await answer(door, Request("GET", "/abc/large", "", {"range": "bytes=7-"}, _stream(b"")), SIGNED)
        return [piece async for piece in response.body]

    pieces = asyncio.run(run())
    assert max(map(len, pieces)) <= 256 << 10
    assert b"".join(pieces) == data[7:]


@contextlib.contextmanager
def _opened(folder):
    """Open the door without a server, onto a bucket with an object."""
    with contextlib.closing(Catalog.open(f"sqlite:///{folder}/catalog.db")) as catalog:
        buckets = Buckets(catalog, LocalObjects(folder / "objects"))
        buckets.create("abc")
        buckets.put_bytes("abc", "k", b"x")
        yield S3Door(buckets)


async def _lost():
    yield b"x"
    raise Gone


async def _answered(door, request):
    response = await answer(door, request, SIGNED)
    if not isinstance(response.body, bytes):
        async for _ in response.body:
            pass
    return response


async def _stream(body):
    yield body
