"""What tests of signed requests share: known keys, and requests as botocore signs and an HTTP library sends them."""

import asyncio
from urllib.parse import urlsplit

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from understudy.server.http import Request
from understudy.server.keys import open_keys

ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials(ID, SECRET)


def make_keys(folder, access_key_id=ID, secret=SECRET):
    """Write a credentials file with one key; return the keys."""
    folder.mkdir(exist_ok=True)
    file = folder / "credentials"
    file.write_text(f"[default]\naws_access_key_id = {access_key_id}\naws_secret_access_key = {secret}\n")
    file.chmod(0o600)
    return open_keys(folder)


async def stream(*pieces):
    """Give pieces of a body."""
    for piece in pieces:
        yield piece


def arrived(method, url, headers=None, *body):
    """Return a request as a server sees it."""
    parts = urlsplit(url)
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return Request(method, parts.path or "/", parts.query, {"host": parts.netloc, **lower}, stream(*body))


def signed_by(signer, method, url, headers=None, body=b""):
    """Return a request that one of botocore's signers has signed, as a server sees it."""
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    signer.add_auth(request)
    prepared = request.prepare()
    return arrived(method, prepared.url, {name: as_text(value) for name, value in prepared.headers.items()}, body)


def written(request, body):
    """Return a request as its bytes come, its body with it."""
    headers = {**request.headers, "content-length": str(len(body))}
    lines = [f"{request.method} {request.raw_path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ready(answer):
    """Return the headers and the body of an answer of the short way."""
    head, _, body = answer.partition(b"\r\n\r\n")
    return dict(line.decode().split(": ", 1) for line in head.split(b"\r\n")), body


def as_text(value):
    """Return a header's value as text: one character for each byte."""
    return value.decode("latin-1") if isinstance(value, bytes) else value


async def collect(pieces):
    """Return all pieces joined."""
    return b"".join([piece async for piece in pieces])


def drained(pieces):
    """Return all pieces of an async iterator, joined."""
    return asyncio.run(collect(pieces))
