"""Requests that came whole: what is read without a parser means what the parser says, and all else is left to it."""

import httptools
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from understudy.server.whole import LONGEST_HEAD, read_whole

SIGNATURE = "0123456789abcdef" * 4
AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=AKIA/20261126/us-east-1/s/aws4_request, SignedHeaders=host, Signature={}"
PLAIN = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nX-One: 1 2\r\nContent-Length: 3\r\n\r\nabc"
SIGNED = PLAIN.replace(b"X-One: 1 2", b"Authorization: " + AUTHORIZATION.format(SIGNATURE).encode())


class Parsed:
    """What HTTP's parser makes of what has come."""

    def __init__(self, data):
        self.url, self.headers, self.body, self.requests = b"", [], b"", 0
        parser = httptools.HttpRequestParser(self)
        parser.feed_data(data)
        self.method, self.version = parser.get_method(), parser.get_http_version()
        self.usual = parser.should_keep_alive() and not parser.should_upgrade()

    def on_url(self, url):
        """Take the path."""
        self.url += url

    def on_header(self, name, value):
        """Take a header."""
        self.headers.append((name.lower().decode(), value.decode("latin-1")))

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
    assert request.headers == {"host": "x", "x-one": "1 2", "content-length": "3"}
    assert (whole.signature, whole.body) == ("", b"abc")


def test_heads_are_remembered_without_their_signatures():
    """Requests that differ in body and signature alone share their head, in which no signature stands."""
    other = SIGNED.replace(SIGNATURE.encode(), SIGNATURE[::-1].encode()).replace(b"abc", b"xyz")
    first, second = read_whole(SIGNED), read_whole(other)
    assert first.head is second.head
    assert first.head.request.headers["authorization"] == AUTHORIZATION.format("0" * 64)
    assert (first.signature, first.body, second.signature, second.body) == (SIGNATURE, b"abc", SIGNATURE[::-1], b"xyz")


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
        (b"Host: x", b"Connection: close"),
        (b"Host: x", b"Connection: upgrade\r\nUpgrade: websocket"),
        (b"Host: x", b"Transfer-Encoding: chunked"),
        (b"Content-Length: 3", b"Content-Length: 2"),
        (b"Content-Length: 3", b"Content-Length: 4"),
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


LINES = """Host: x|A: 1|a: 2|Connection: keep-alive|Connection: close|B:|C:  1| D: 1|E: \t1|F: a:b; c
Content-Length: 3|content-length: 3|Content-Length: 03|Transfer-Encoding: chunked"""
PIECES = st.sampled_from([line.encode() for line in LINES.replace("\n", "|").split("|")])


@given(st.lists(PIECES, max_size=5), st.binary(max_size=4), st.sampled_from([b"/", b"/a%20b", b"*", b"/a b", b"//"]))
@example([b"Content-Length: 3"], b"abc", b"/")
def test_what_is_read_means_what_the_parser_says(lines, body, path):
    """Whatever is read here, HTTP's parser finds one whole request in it, of the same path, headers and body."""
    data = b"\r\n".join([b"POST %b HTTP/1.1" % path, *lines, b"", body])
    whole = read_whole(data)
    if whole is not None:
        parsed = Parsed(data)
        assert (parsed.requests, parsed.usual, parsed.method, parsed.version) == (1, True, b"POST", "1.1")
        assert (parsed.url.decode(), parsed.body) == (whole.head.request.raw_path, whole.body)
        assert parsed.headers == list(whole.head.request.headers.items())
