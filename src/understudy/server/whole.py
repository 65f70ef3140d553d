r"""Requests that came whole, in one piece and of the plainest form: read without a parser, their heads remembered.

What a client asks again and again differs in its body alone; signed, in its signature, too, for as long as a second
lasts. So a head is read once, without its signature, and what hangs on nothing else is remembered with it. Whatever is
not of the plainest form is nobody's here: HTTP's parser decides what that means.

>>> asked = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
>>> read_whole(asked).body, read_whole(asked + asked), read_whole(asked.replace(b"Host", b"Content-Length"))
(b'{}', None, None)
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from understudy.server.http import Request
from understudy.server.signature import Signable, signable

LONGEST_HEAD = 4096
"""Bytes of a head that is read here, which are remembered, too."""
_REMEMBERED = 512

_MARK = b"Signature="
_SIGNATURE = 64
"""Characters of a signature of version 4."""
_PLACE = b"0" * _SIGNATURE
"""What stands in a remembered head where the signature was."""

_HEAD = re.compile(
    rb"POST (/[!\"$->@-~]*) HTTP/1\.1"  # a path without a query
    rb"((?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+: [!-~](?:[ -~]*[!-~])?)+)"
)
_UNUSUAL = frozenset({"transfer-encoding", "expect", "upgrade", "te", "trailer"})


@dataclass(frozen=True)
class Head:
    """The head of a POST; where it is signed, zeros stand in the place of the signature."""

    request: Request
    """Without a body."""
    length: int
    """Bytes that the body has."""

    @cached_property
    def signable(self) -> Signable:
        """What the signature of this head is verified by, for Amazon ML; raises SignatureError."""
        return signable(self.request, "machinelearning")


class Whole(NamedTuple):
    """A request that came whole."""

    head: Head
    signature: str
    """Empty where the head has none."""
    body: bytes


def read_whole(data: bytes) -> Whole | None:
    """Read a POST out of what has come; None where that is not exactly one, or not of the plainest form."""
    head, _, body = data.partition(b"\r\n\r\n")
    before, mark, after = head.partition(_MARK)
    signature = after[:_SIGNATURE]
    if mark:
        if len(signature) != _SIGNATURE or not signature.isalnum():
            return None
        head = b"".join((before, mark, _PLACE, after[_SIGNATURE:]))
    if len(head) > LONGEST_HEAD:
        return None
    known = _read_head(head)
    if known is None or known.length != len(body):
        return None
    return Whole(known, signature.decode(), body)


@lru_cache(_REMEMBERED)
def _read_head(data: bytes) -> Head | None:
    found = _HEAD.fullmatch(data)
    if found is None or data.count(_MARK) > 1:
        return None
    lines = found[2].decode().split("\r\n")[1:]
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = headers.get("content-length", "")
    if (
        len(headers) < len(lines)  # a name that stands there twice
        or not _UNUSUAL.isdisjoint(headers)
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
        or not (length.isdecimal() and len(length) < 10)
        or (_MARK in data and not headers.get("authorization", "").endswith((_MARK + _PLACE).decode()))
    ):
        return None
    return Head(Request("POST", found[1].decode(), "", headers, _nothing()), int(length))


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield
