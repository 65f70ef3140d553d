"""Requests that came whole: what is read without a parser means what the parser says, and all else is left to it."""

import re
import tracemalloc

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from understudy.server.http import Unfinished
from understudy.server.whole import LONGEST_AWAITED, LONGEST_HEAD, MOST_HEADERS, read_whole

SIGNATURE = "0123456789abcdef" * 4
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIA/20261126/us-east-1/machinelearning/aws4_request, SignedHeaders=host, Signature={}"
)
PLAIN = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nX-One: 1 2\r\nContent-Length: 3\r\n\r\nabc"
SIGNED = PLAIN.replace(b"/v1/x", b"/").replace(
    b"X-One: 1 2", b"X-Amz-Date: 20261126T080000Z\r\nAuthorization: " + AUTHORIZATION.format(SIGNATURE).encode()
)


class Parsed:
    """What HTTP's parser makes of what has come."""

    def __init__(self, data):
        self.url, self.headers, self.body, self.requests, self.usual = b"", [], b"", 0, False
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)
        self.method, self.version = self._parser.get_method(), self._parser.get_http_version()

    def on_url(self, url):
        """Take the path."""
        self.url += url

    def on_header(self, name, value):
        """Take a header."""
        self.headers.append((name.lower().decode(), value.decode("latin-1")))

    def on_headers_complete(self):
        """See how the connection goes on; when the message is complete, the parser has forgotten."""
        self.usual = self._parser.should_keep_alive() and not self._parser.should_upgrade()

    def on_body(self, body):
        """Take a piece of the body."""
        self.body += body

    def on_message_complete(self):
        """Count a request."""
        self.requests += 1


def test_plain_request_is_read():
    """Path, headers and body of a request in its plainest form."""
    whole = read_whole(PLAIN)
    request = whole.head.request
    assert (request.method, request.raw_path, request.raw_query) == ("POST", "/v1/x", "")
    assert request.headers == {"host": "x", "x-one": "1 2"}
    assert (whole.own, whole.signature, whole.body) == ({b"content-length": b"3"}, "", b"abc")


def test_heads_are_remembered_without_their_signatures():
    """Requests that differ in body and signature alone share their head, in which no signature stands."""
    other = SIGNED.replace(SIGNATURE.encode(), SIGNATURE[::-1].encode()).replace(b"abc", b"xyz")
    assert other != SIGNED
    first, second = read_whole(SIGNED), read_whole(other)
    assert first.head is second.head
    assert first.head.request.headers["authorization"] == AUTHORIZATION.format("0" * 64)
    assert (first.signature, first.body, second.signature, second.body) == (SIGNATURE, b"abc", SIGNATURE[::-1], b"xyz")


def test_heads_are_remembered_without_what_is_each_request_s_own():
    """Neither a length nor an SDK's id, which is new in each request, makes a head a new one."""
    named = b"x\r\nAmz-Sdk-Invocation-Id: %b\r\ntraceparent: %b"
    first = read_whole(SIGNED.replace(b"x", named % (b"one", b"00-1"), 1))
    second = read_whole(
        SIGNED.replace(b"x", named % (b"two", b"00-2"), 1).replace(b": 3\r\n\r\nabc", b": 4\r\n\r\nabcd")
    )
    assert first.head is second.head is read_whole(SIGNED).head
    assert first.own == {b"amz-sdk-invocation-id": b"one", b"traceparent": b"00-1", b"content-length": b"3"}
    assert (second.own[b"amz-sdk-invocation-id"], second.own[b"content-length"]) == (b"two", b"4")


def test_head_that_comes_alone_may_be_waited_for():
    """Its body is told to be missing where it is a small one, and nothing of it is here."""
    for whole in (PLAIN, SIGNED):
        with pytest.raises(Unfinished):
            read_whole(whole.removesuffix(b"abc"))
    assert read_whole(PLAIN.removesuffix(b"bc")) is None
    assert read_whole(PLAIN.removesuffix(b"\r\n\r\nabc")) is None
    assert read_whole(PLAIN.removesuffix(b"abc").replace(b": 3", b": %d" % (LONGEST_AWAITED + 1))) is None
    assert read_whole(PLAIN.removesuffix(b"abc").replace(b"X-One: 1 2", b"Expect: 100-continue")) is None


def test_few_and_small_heads_are_remembered():
    """Whoever sends heads as large as can be, each another, makes a worker grow by some megabytes at most."""
    lines = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 120) for number in range(MOST_HEADERS - 1))
    largest = PLAIN.replace(b"X-One: 1 2\r\n", lines)
    assert LONGEST_HEAD - 300 < len(largest) < LONGEST_HEAD
    assert read_whole(largest.replace(b"Host", b"One-More: x\r\nHost")) is None
    tracemalloc.start()
    for number in range(1000):
        assert read_whole(largest.replace(b"Host: x", b"Host: %d" % number))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 3 << 20


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"POST", b"PUT"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"/v1/x", b"/v1/x?y=1"),
        (b"/v1/x", b"/v1/x#y"),
        (b"/v1/x", b"http://x/v1/x"),
        (b"/v1/x", b"/v1/\xc3\xa4"),
        (b"Host: x", b"Host:x"),
        (b"Host: x", b"Host:  x"),
        (b"Host: x", b"Host: x "),
        (b"Host: x", b"Host: x\r\n y"),
        (b"Host: x", b"Host: x\nY: z"),
        (b"Host: x", b"Host: x\0"),
        (b"Host: x", b"Host: \xe4"),
        (b"Host: x", b"Host : x"),
        (b"Host: x", b"Host: x\r\nhost: x"),
        (b"Host: x", b"Expect: 100-continue"),
        (b"Host: x", b"Proxy-Connection: close"),
        (b"Host: x", b"TE: trailers"),
        (b"Host: x", b"Trailer: X-One"),
        (b"Host: x", b"X-Request-Id: 1\r\nx-request-id: 2"),
        (b"Host: x", b"X-Request-Id: 1\r\nx-request-id: 2 3"),
        (b"Host: x", b"Connection: close"),
        (b"Host: x", b"Connection: upgrade\r\nUpgrade: websocket"),
        (b"Host: x", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 3", b"Content-Length: 2"),
        (b"Content-Length: 3", b"Content-Length: 4"),
        (b"Content-Length: 3", b"Content-Length: 3 3"),
        (b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 3 3"),
        (b"Content-Length: 3", b"Content-Length: +3"),
        (b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 3"),
        (b"Content-Length: 3\r\n", b""),
        (b"Host: x", b"Host: x\r\nLong: " + b"x" * LONGEST_HEAD),
        (b"Host: x", b"Other: Signature=" + SIGNATURE.encode()),
        (b"Host: x", b"Authorization: Signature=" + SIGNATURE[1:].encode()),
        (b"Host: x", b"Authorization: Signature=" + SIGNATURE[1:].encode() + b"-"),
        (b"Host: x", b"Authorization: Signature=" + SIGNATURE.encode() + b"0"),
        (b"Host: x", b"Authorization: " + b"Signature=" * 2 + SIGNATURE.encode()),
        (b"abc", b"abcPOST"),
        (PLAIN, PLAIN + PLAIN),
        (PLAIN, PLAIN[:30]),
        (PLAIN, b""),
    ],
)
def test_what_is_unusual_is_left_to_the_parser(before, after):
    """Another method or version, headers that may be read in two ways, the end of a connection, more than a request."""
    assert read_whole(PLAIN.replace(before, after)) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"POST /", b"POST /v1/x"),
        (b"machinelearning", b"s3"),
        (b"SignedHeaders=host", b"SignedHeaders=authorization;host"),
        (b"SignedHeaders=host", b"SignedHeaders=Authorization;host"),
        (b"SignedHeaders=host", b"SignedHeaders=x-one"),
        (b"X-Amz-Date: 20261126T080000Z", b"X-Other: 1"),
    ],
)
def test_signature_that_is_none_of_amazon_ml_s_is_left_to_the_parser(before, after):
    """One at another path, of another service, over itself, over less than must be signed, or without a time."""
    assert read_whole(SIGNED)
    assert read_whole(SIGNED.replace(before, after, 1)) is None


LINES = """Host: x|A: 1|a: 2|Connection: keep-alive|Connection: close|B:|C:  1| D: 1|E: \t1|F: a:b; c
Proxy-Connection: close|Proxy-Connection: keep-alive|Upgrade: x|Connection: upgrade|TE: trailers|Trailer: A
X-Request-Id: 1|x-request-id: 2|X-Request-Id: 1 2|traceparent: 3|amz-sdk-invocation-id:4|Expect: 100-continue
Content-Length: 3|content-length: 3|Content-Length: 03|Transfer-Encoding: chunked"""
LINE = st.sampled_from([line.encode() for line in LINES.replace("\n", "|").split("|")])


@given(st.lists(LINE, max_size=5), st.binary(max_size=4), st.sampled_from([b"/", b"/a%20b", b"*", b"/a b", b"//"]))
@example([b"Content-Length: 3"], b"abc", b"/")
def test_what_is_read_means_what_the_parser_says(lines, body, path):
    """Whatever is read here, HTTP's parser finds one whole request in it, of the same path, headers and body."""
    data = b"\r\n".join([b"POST %b HTTP/1.1" % path, *lines, b"", body])
    try:
        whole = read_whole(data)
    except Unfinished:
        data += b"x" * int(re.search(b"(?i)content-length: ([0-9]+)", data)[1])
        whole = read_whole(data)
        assert whole is not None
    if whole is not None:
        parsed = Parsed(data)
        assert (parsed.requests, parsed.usual, parsed.method, parsed.version) == (1, True, b"POST", "1.1")
        assert (parsed.url.decode(), parsed.body) == (whole.head.request.raw_path, whole.body)
        own = [(name.decode(), value.decode()) for name, value in whole.own.items()]
        assert sorted(parsed.headers) == sorted([*whole.head.request.headers.items(), *own])
