r"""Requests of the plainest form that came whole: read without a parser, their heads remembered.

What a client asks again and again differs in its body, in the few headers that tell one request from another, and
signed, in its signature, too; also in its time, once a second. So a head is read once, without those, and what hangs on
nothing else is remembered with it. Whatever is not of the plainest form is nobody's here: HTTP's parser decides what
that means.

>>> asked = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
>>> read_whole(asked).body, read_whole(asked + asked), read_whole(asked.replace(b"Host", b"Content-Length"))
(b'{}', None, None)
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from understudy.server.http import Request, Unfinished
from understudy.server.signature import Signable, SignatureError, signable

LONGEST_HEAD = 4096
"""Bytes of a head that is read here."""
MOST_HEADERS = 32
_REMEMBERED = 128
"""Heads that are remembered, each with its headers: some megabytes, should somebody send the worst on purpose."""
LONGEST_AWAITED = 64 * 1024
"""Bytes of a body that is worth waiting for: about what comes in one piece."""

_MARK = b"Signature="
_SIGNATURE = 64
"""Characters of a signature of version 4."""
_PLACE = b"0" * _SIGNATURE
"""What stands in a remembered head where the signature was."""

_OWN_NAMES = ("content-length", "amz-sdk-invocation-id", "traceparent", "x-amzn-trace-id", "x-request-id")
"""Headers that tell one request from another: how long it is, and by which name it is found again."""
_OWN = re.compile(rb"\r\n(%b): ([!-~]+)(?![^\r])" % "|".join(_OWN_NAMES).encode(), re.IGNORECASE)

_HEAD = re.compile(
    rb"POST (/[!\"$->@-~]*) HTTP/1\.1"  # a path without a query
    rb"((?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+: [!-~](?:[ -~]*[!-~])?)+)"
)
_UNUSUAL = frozenset(
    {
        *_OWN_NAMES,  # those of the plainest form were taken out
        "transfer-encoding",  # the body ends elsewhere than its length says
        "trailer",  # headers are said to come behind it
        "te",  # codings of the transfer, too: nobody who asks plainly sends it
        "expect",  # an answer is awaited before the body is sent
        "upgrade",  # what follows may be no HTTP
        "proxy-connection",  # to the parser, another name of Connection
    }
)
"""Headers that change what comes behind a head, or what is to be answered."""


@dataclass(frozen=True)
class Head:
    """The head of a POST without the headers that are each request's own; zeros stand in a signature's place."""

    request: Request
    """Without a body."""
    signable: Signable | None
    """What the signature of this head is verified by, for Amazon ML; None where it has none."""


class Whole(NamedTuple):
    """A request that came whole."""

    head: Head
    own: Mapping[bytes, bytes]
    """The headers that are this request's own, by lower-case name."""
    signature: str
    """Empty where the head has none."""
    body: bytes


def read_whole(data: bytes) -> Whole | None:
    """Read a POST out of what has come; None where that is not exactly one, or not of the plainest form.

    Raises Unfinished where it is the head of one alone, whose body may come any moment.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    if len(head) > LONGEST_HEAD:
        return None
    before, mark, after = head.partition(_MARK)
    signature = after[:_SIGNATURE]
    if mark:
        if len(signature) != _SIGNATURE or not signature.isalnum():
            return None
        head = b"".join((before, mark, _PLACE, after[_SIGNATURE:]))
    read = _read(head)
    if read is None:
        return None
    known, own, length = read
    if length == len(body):
        return Whole(known, own, signature.decode(), body)
    if end and not body and length <= LONGEST_AWAITED:
        raise Unfinished
    return None


@lru_cache(_REMEMBERED)
def _read(data: bytes) -> tuple[Head, Mapping[bytes, bytes], int] | None:
    """Read a head; return what many have, the headers that are its own, and how long the body is.

    Remembered, too: plainer clients send nothing of their own but lengths, and those are few.
    """
    parts = _OWN.split(data)  # what lies between such headers, and of each its name and its value
    names, common = parts[1::3], b"".join(parts[::3])
    own = {name.lower(): value for name, value in zip(names, parts[2::3], strict=True)}
    length = own.get(b"content-length", b"")
    if len(own) < len(names) or not (length.isdigit() and len(length) < 10) or data.count(_MARK) > common.count(_MARK):
        return None
    known = _read_head(common)
    return None if known is None else (known, own, int(length))


@lru_cache(_REMEMBERED)
def _read_head(data: bytes) -> Head | None:
    """Read a head out of which each request's own was taken."""
    found = _HEAD.fullmatch(data)
    if found is None or data.count(_MARK) > 1:
        return None
    lines = found[2].decode().split("\r\n")[1:]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if (
        len(lines) > MOST_HEADERS
        or len(headers) < len(lines)  # a name that stands there twice
        or not _UNUSUAL.isdisjoint(headers)
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
    ):
        return None
    request = Request("POST", found[1].decode(), "", headers, _nothing())
    if _MARK not in data:
        return Head(request, None)
    vouched = _signable(request)
    return None if vouched is None else Head(request, vouched)


def _signable(request: Request) -> Signable | None:
    """Return what a signature is verified by; None where it is none of Amazon ML's, or says that it signs itself."""
    ends = (_MARK + _PLACE).decode()
    if request.raw_path != "/" or not request.headers.get("authorization", "").endswith(ends):
        return None
    with contextlib.suppress(SignatureError):
        found = signable(request, "machinelearning")
        return None if "authorization" in found.claim.signed_headers else found
    return None


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
