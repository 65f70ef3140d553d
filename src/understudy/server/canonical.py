"""The texts that Signature Version 4 signs: a request in its one canonical form, and what is made of it.

Clients disagree in small ways about that form, so it comes in several readings. All readings of one request mean the
same path, query and host, so a signature over any of them vouches for what was sent.
"""

from __future__ import annotations

import hashlib
import hmac
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"

_PORT_TWICE = re.compile(r"(.*):([0-9]+):\2")


def canonical_requests(
    method: str,
    raw_path: str,
    query: str,
    headers: Mapping[str, str],
    signed_headers: Sequence[str],
    payload: str,
    service: str,
) -> Iterator[str]:
    """Yield a request's canonical form in every reading, the likeliest first.

    `query` is as it was sent, without the signature; `headers` are by lower-case name; `payload` is the declared hash.
    """
    lines = "".join([f"\n{name}:{headers.get(name, '')}" for name in signed_headers])
    if "  " in lines or "\t" in lines or ": " in lines or " \n" in lines or lines.endswith(" "):
        lines = "".join([f"\n{name}:{_folded(headers.get(name, ''))}" for name in signed_headers])
    end = f"\n\n{';'.join(signed_headers)}\n{payload}"
    sent = _folded(headers.get("host", ""))
    hosts = _hosts(sent) if "host" in signed_headers else [sent]
    if raw_path == "/" and not query and len(hosts) == 1:  # how all but S3 is asked
        yield f"{method}\n/\n{lines}{end}"
        return
    for path, arguments, host in product(_paths(raw_path, service), _queries(query), hosts):
        others = lines if host == sent else f"{lines}\n".replace(f"\nhost:{sent}\n", f"\nhost:{host}\n")[:-1]
        yield f"{method}\n{path}\n{arguments}{others}{end}"


def string_to_sign(timestamp: str, scope: str, canonical: str) -> str:
    """Return what is signed: algorithm, time, scope and the canonical request's digest."""
    return f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashlib.sha256(wire(canonical)).hexdigest()}"


@lru_cache(maxsize=64)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Return the key that signs a day's requests to one service of one region."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: str) -> str:
    """Return a text's signature, hexadecimal: its HMAC-SHA256.

    A client signs every request of a day with one key, so that what HMAC makes of the key alone is made once: hashes
    that have begun with its inner and outer form (RFC 2104).
    """
    inner, outer = _begun(key)
    inner, outer = inner.copy(), outer.copy()
    inner.update(text.encode())
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(64)
def _begun(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    assert len(key) <= _BLOCK  # a longer one would be hashed first; signing keys have 32 bytes
    block = key.ljust(_BLOCK, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))


_BLOCK = 64
"""Bytes that SHA-256 works on at a time."""


def wire(text: str) -> bytes:
    """Return the bytes of a text that is signed: headers come as one character for each byte."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def without(query: str, name: str) -> str:
    """Return a raw query without the parameter `name`.

    >>> without("a=1&b=2&a=3", "a")
    'b=2'
    """
    return "&".join(part for part in query.split("&") if part.partition("=")[0] != name)


def _paths(raw: str, service: str) -> list[str]:
    """Return a path's readings: S3 signs it as it was sent, or encoded our way; others encode it a second time."""
    raw = raw or "/"
    if raw == "/":
        return [raw]
    if service == "s3":
        return _different(raw, quote(unquote_to_bytes(raw), safe="/"))
    plain = posixpath.normpath(raw).replace("//", "/", 1)
    return [quote(plain + "/" if raw.endswith("/") and plain != "/" else plain, safe="/")]


def _queries(raw: str) -> list[str]:
    """Return a query's readings, sorted: as it was sent, and encoded our way, where a plus is a space.

    >>> _queries("b=1&a=x/y+z&c")
    ['a=x%2Fy%20z&b=1&c=', 'a=x/y+z&b=1&c=']
    """
    if not raw:
        return [raw]
    pairs = [(name, value) for name, _, value in (part.partition("=") for part in raw.split("&") if part)]
    return _different(_sorted((_encoded(name), _encoded(value)) for name, value in pairs), _sorted(pairs))


def _sorted(pairs: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encoded(part: str) -> str:
    return quote(unquote_to_bytes(part.replace("+", " ")), safe="")


def _hosts(sent: str) -> list[str]:
    """Return a host's readings: boto 2 sends name:port:port and signs name:port."""
    if sent.count(":") < 2:
        return [sent]
    return _different(sent, _PORT_TWICE.sub(r"\1:\2", sent))


def _different(*readings: str) -> list[str]:
    return list(dict.fromkeys(readings))


def _folded(value: str) -> str:
    """Return a header's value with each stretch of blanks as one; a no-break space may be half a letter in UTF-8."""
    if "  " not in value and "\t" not in value and value[:1] != " " != value[-1:]:
        return value
    return " ".join(part for part in value.replace("\t", " ").split(" ") if part)
