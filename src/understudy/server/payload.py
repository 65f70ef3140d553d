"""The plain bytes of an upload: checked against their digest, unwrapped where they come in signed or unsigned chunks.

Source: AWS, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", with and
without trailing headers. `aws-chunked` is, for each chunk, its size in hexadecimal, perhaps its signature, and its
bytes; a chunk of size 0 ends it; trailers and an empty line follow.

Memory is constant whatever the chunks' sizes, so a chunk's bytes are given before its signature, at its end, can be
checked: what was given counts only when the iteration has ended without an error.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import NoReturn

from understudy.server.canonical import sign
from understudy.server.http import Request
from understudy.server.signature import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_TRAILER,
    UNSIGNED_CHUNKS_TRAILER,
    UNSIGNED_PAYLOAD,
    Signed,
)

_LONGEST_LINE = 4096
"""Bytes of a chunk's head or of a trailer."""
_MOST_TRAILERS = 16
_HEAD = re.compile(rb"([0-9a-fA-F]{1,16})(?:;(.*))?")
_TRAILER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~\x80-\xff]*)")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_NOTHING = hashlib.sha256(b"").hexdigest()


class PayloadError(Exception):
    """A body is not what its headers say; `code` is S3's name for it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status that S3 gives it."""
        return 403 if self.code == "SignatureDoesNotMatch" else 400


class Payload:
    """The plain bytes of one upload, in pieces; to be read once, to the end.

    Iterating raises PayloadError where the body is not what was declared or signed. Nothing that it gave may be kept
    then.
    """

    def __init__(self, pieces: AsyncIterator[bytes], trailers: Mapping[str, str]) -> None:
        self._pieces = pieces
        self.trailers = trailers
        """What came behind the body, by lower-case name; complete when the iteration has ended."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces


def plain(request: Request, signed: Signed) -> Payload:
    """Return the plain bytes of a request's body, to be checked while they are read."""
    trailers: dict[str, str] = {}
    if signed.payload in {SIGNED_CHUNKS, SIGNED_CHUNKS_TRAILER, UNSIGNED_CHUNKS_TRAILER}:
        declared = request.headers.get("x-amz-decoded-content-length")
        return Payload(_measured(_chunked(request, signed, trailers), declared), trailers)
    pieces = _measured(request.body, request.headers.get("content-length"))
    return Payload(pieces if signed.payload == UNSIGNED_PAYLOAD else _digested(pieces, signed.payload), trailers)


def stored_encoding(headers: Mapping[str, str]) -> str | None:
    """Return the Content-Encoding to keep with an object: without `aws-chunked`, which is gone with the transfer.

    >>> stored_encoding({"content-encoding": "aws-chunked, gzip"}), stored_encoding({"content-encoding": "aws-chunked"})
    ('gzip', None)
    """
    encodings = [part.strip() for part in headers.get("content-encoding", "").split(",")]
    return ", ".join(part for part in encodings if part and part.lower() != "aws-chunked") or None


async def _measured(pieces: AsyncIterator[bytes], declared: str | None) -> AsyncGenerator[bytes]:
    """Give the pieces; raise where they are fewer or more bytes than declared."""
    total = 0
    async for piece in pieces:
        total += len(piece)
        yield piece
    if declared is not None and declared != str(total):
        raise PayloadError(
            "IncompleteBody",
            "You did not provide the number of bytes specified by the Content-Length HTTP header: "
            f"{declared[:20]} were announced, {total} came.",
        )


async def _digested(pieces: AsyncIterator[bytes], declared: str) -> AsyncGenerator[bytes]:
    digest = hashlib.sha256()
    async for piece in pieces:
        digest.update(piece)
        yield piece
    if digest.hexdigest() != declared.lower():
        raise PayloadError(
            "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed."
        )


async def _chunked(request: Request, signed: Signed, trailers: dict[str, str]) -> AsyncGenerator[bytes]:
    """Unwrap `aws-chunked`: give the bytes of the chunks, fill in the trailers, and see that nothing follows."""
    source = _Source(request.body)
    signatures = None if signed.payload == UNSIGNED_CHUNKS_TRAILER else _Signatures(signed)
    while True:
        size, signature = _head(await source.line())
        digest = hashlib.sha256()
        async for piece in source.stretch(size):
            if signatures is not None:
                digest.update(piece)
            yield piece
        if signatures is not None:
            signatures.check_chunk(digest.hexdigest(), signature)
        if size == 0:
            break
        if await source.line():
            _garbled("a chunk is longer than its size says")
    await _read_trailers(source, request.headers.get("x-amz-trailer", ""), signatures, trailers)


def _head(line: bytes) -> tuple[int, str]:
    """Return a chunk's size and signature; empty where it has none."""
    found = _HEAD.fullmatch(line)
    if found is None:
        _garbled(f"a chunk begins with {line[:40]!r}")
    return int(found[1], 16), (found[2] or b"").decode("latin-1").removeprefix("chunk-signature=")


async def _read_trailers(
    source: _Source, announced: str, signatures: _Signatures | None, trailers: dict[str, str]
) -> None:
    while line := await source.line():
        found = _TRAILER.fullmatch(line)
        if found is None or len(trailers) == _MOST_TRAILERS:
            _malformed_trailer(f"a trailer reads {line[:40]!r}")
        trailers[found[1].decode().lower()] = found[2].decode("latin-1").strip()
    await source.end()
    signature = trailers.pop(_TRAILER_SIGNATURE, "")
    names = {name.strip().lower() for name in announced.split(",")} - {""}
    if trailers.keys() != names:
        _malformed_trailer(f"x-amz-trailer announces {sorted(names)}, the body has {sorted(trailers)}")
    if signatures is not None and names:
        signatures.check_trailers(trailers, signature)


class _Signatures:
    """The chain of signatures over the chunks of a stream, each over the one before."""

    def __init__(self, signed: Signed) -> None:
        self._key = signed.signing_key
        self._where = f"{signed.timestamp}\n{signed.scope}"
        self._previous = signed.signature

    def check_chunk(self, digest: str, signature: str) -> None:
        """Refuse a chunk of another signature than its bytes have; raises PayloadError."""
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{_NOTHING}\n{digest}", signature)

    def check_trailers(self, trailers: Mapping[str, str], signature: str) -> None:
        """Refuse trailers of another signature than theirs; raises PayloadError."""
        text = "".join(f"{name}:{value}\n" for name, value in trailers.items())
        self._check("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text.encode("latin-1")).hexdigest(), signature)

    def _check(self, algorithm: str, signed: str, signature: str) -> None:
        ours = sign(self._key, f"{algorithm}\n{self._where}\n{self._previous}\n{signed}")
        if not hmac.compare_digest(ours.encode(), signature.encode()):
            raise PayloadError(
                "SignatureDoesNotMatch",
                "The signature we calculated for a chunk or trailer of the body does not match the one it came with.",
            )
        self._previous = ours


class _Source:
    """Lines and stretches of a body that arrives in pieces of any size."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = aiter(pieces)
        self._piece = b""
        self._at = 0

    async def line(self) -> bytes:
        """Return the next line without its end; raises PayloadError where it is cut off or too long."""
        line = b""
        while not line.endswith(b"\n"):
            await self._wait()
            end = self._piece.find(b"\n", self._at, self._at + _LONGEST_LINE) + 1
            line += self._take(end or self._at + _LONGEST_LINE)
            if len(line) > _LONGEST_LINE:
                _garbled("a line of the chunked body is too long")
        if not line.endswith(b"\r\n"):
            _garbled("a line of the chunked body ends without a carriage return")
        return line[:-2]

    async def stretch(self, size: int) -> AsyncGenerator[bytes]:
        """Give the next `size` bytes as they arrive; raises PayloadError where they are cut off."""
        while size:
            await self._wait()
            piece = self._take(self._at + size)
            size -= len(piece)
            yield piece

    async def end(self) -> None:
        """See that there is nothing more; raises PayloadError."""
        try:
            await self._wait()
        except PayloadError:
            return
        _garbled("bytes follow the end of the chunked body")

    async def _wait(self) -> None:
        """Have at least one byte at hand."""
        while self._at >= len(self._piece):
            piece = await anext(self._pieces, None)
            if piece is None:
                raise PayloadError("IncompleteBody", "The request body terminated unexpectedly.")
            self._piece, self._at = piece, 0

    def _take(self, end: int) -> bytes:
        taken = self._piece[self._at : end]
        self._at += len(taken)
        return taken


def _garbled(what: str) -> NoReturn:
    raise PayloadError("InvalidRequest", f"The body is not aws-chunked as its headers say: {what}.")


def _malformed_trailer(what: str) -> NoReturn:
    raise PayloadError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema: "
        f"{what}.",
    )
