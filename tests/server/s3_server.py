"""The S3 door behind a real server on a free port, for tests that drive real clients against it."""

import contextlib
import threading
import time
from datetime import UTC, datetime

import boto3
import uvicorn
from botocore.config import Config

from understudy.server.http import Request
from understudy.server.keys import open_keys
from understudy.server.s3 import S3Door, answer
from understudy.server.s3.errors import error_response
from understudy.server.signature import SignatureError, verify
from understudy.store.bucket_records import BucketError
from understudy.store.buckets import Buckets
from understudy.store.catalog import Catalog
from understudy.store.objects import LocalObjects


class HungUp(Exception):
    """The client went away before its body had come."""


class Application:
    """The least between ASGI and the door."""

    def __init__(self, door, keys):
        self.door = door
        self.keys = keys

    async def __call__(self, scope, receive, send):
        """Answer one request."""
        headers = {}
        for name, value in scope["headers"]:
            text = value.decode("latin-1")
            headers[name.decode()] = f"{headers[name.decode()]},{text}" if name.decode() in headers else text
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        request = Request(scope["method"], path, query, headers, _body(receive))
        with contextlib.suppress(HungUp):
            await _send(await self._answer(request), send)

    async def _answer(self, request):
        try:
            signed = verify(request, self.keys, "s3", datetime.now(UTC))
        except SignatureError as error:
            return error_response(BucketError("AccessDenied", str(error)), request.raw_path, "none")
        return await answer(self.door, request, signed)


class S3Server:
    """A running server, and the store behind it."""

    def __init__(self, folder):
        self.catalog = Catalog.open(f"sqlite:///{folder}/catalog.db")
        self.buckets = Buckets(self.catalog, LocalObjects(folder / "objects"))
        self.keys = open_keys(folder)
        self._resources = []
        application = Application(S3Door(self.buckets), self.keys)
        config = uvicorn.Config(application, port=0, lifespan="off", log_level="error", http="h11")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        for resource in self._resources:
            resource.meta.client.close()
        self._server.should_exit = True
        self._thread.join()
        self.catalog.close()

    @property
    def port(self):
        """The port it listens on."""
        return self._server.servers[0].sockets[0].getsockname()[1]

    def client(self, key=None, **config):
        """Return a real client, signing with a key or the default one."""
        return self.resource(key, **config).meta.client

    def resource(self, key=None, **config):
        """Return what boto3 has above a client."""
        key = key or self.keys.default()
        resource = boto3.resource(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            region_name="us-east-1",
            config=Config(**{"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}} | config),
        )
        self._resources.append(resource)
        return resource

    def blobs(self):
        """Return the names of all blobs on the disk."""
        return list(self.buckets.objects.iter_names("blobs/"))

    def staged(self):
        """Return what is being written now."""
        staging = self.buckets.objects.root / ".staging"
        return list(staging.iterdir()) if staging.exists() else []


async def _body(receive):
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HungUp
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _send(response, send):
    headers = dict(response.headers)
    if isinstance(response.body, bytes) and response.status not in {204, 304}:
        headers.setdefault("Content-Length", str(len(response.body)))
    encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    if isinstance(response.body, bytes):
        await send({"type": "http.response.body", "body": response.body})
        return
    try:
        async for piece in response.body:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        await response.body.aclose()
    await send({"type": "http.response.body"})
