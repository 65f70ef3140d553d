"""Requests that are nearly right, sent to a real port: 28 operations by the original's shapes, and S3."""

import http.client
import json
import random
from collections import Counter
from urllib.parse import quote

import botocore.session
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from service.test_operations import Anything

ORIGINAL = botocore.session.get_session().get_service_model("machinelearning")
OPERATIONS = ORIGINAL.operation_names

_QUERIES = (
    "",
    "acl",
    "policy",
    "tagging",
    "uploads",
    "uploadId=x",
    "uploadId=x&partNumber=1",
    "versions",
    "versioning",
    "delete",
    "list-type=2",
    "list-type=2&max-keys=-1",
    "list-type=2&max-keys=1&continuation-token=%00",
    "prefix=%FF&delimiter=/",
    "max-keys=99999999999999999999",
    "encoding-type=url&marker=%F0%9F%98%80",
    "location",
    "cors",
    "torrent",
    "restore",
    "select&select-type=2",
    "response-content-type=a%0Ab",
    "partNumber=0",
    "versionId=null",
    "versionId=7",
    "a=1&a=2&=&&",
)
_KEYS = ("", "a", "a/b", "../../etc/passwd", "%", "//", "é", "a b+c", "k" * 1100, "\0", ".", "a\n", "😀", "x.manifest")
_HEADERS = (
    {},
    {"Range": "bytes=0-0"},
    {"Range": "bytes=-0"},
    {"Range": "bytes=9-1"},
    {"Range": "lines=1"},
    {"If-Match": "*"},
    {"If-None-Match": "*"},
    {"If-Modified-Since": "yesterday"},
    {"x-amz-copy-source": "/fuzz/a"},
    {"x-amz-copy-source": "%"},
    {"x-amz-server-side-encryption": "AES256"},
    {"x-amz-server-side-encryption": "x"},
    {"Content-MD5": "x"},
    {"x-amz-checksum-crc32": "AAAAAA=="},
    {"x-amz-checksum-sha256": "?"},
    {"x-amz-acl": "public"},
    {"x-amz-meta-a": "é" * 20},
    {"x-amz-meta-b": "x" * 3000},
    {"x-amz-tagging": "a=1&a=2"},
    {"Expires": "never"},
    {"x-amz-decoded-content-length": "-1"},
    {"Content-Encoding": "aws-chunked"},
    {"x-amz-metadata-directive": "REPLACE"},
)
_BODIES = (
    b"",
    b"x",
    b"<Delete><Object><Key>a</Key></Object></Delete>",
    b"<Delete>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
    b"\xff" * 100,
    b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n",
)


class Fuzz:
    """A client that sends anything, over one connection for as long as the server keeps it."""

    def __init__(self, server, seed):
        variables = server.environment
        self._credentials = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self._anything = Anything(seed)
        self.random = random.Random(seed)
        self.counts = Counter()
        """How often each door gave each status; `lost` for a connection that broke off."""
        self.worst = []
        """Requests that were answered by a 5xx, or not at all."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def operation(self):
        """Ask for one of the 28 operations, sometimes in broken JSON."""
        name = self.random.choice(OPERATIONS)
        members = self._anything.value(ORIGINAL.operation_model(name).input_shape)
        body = self._broken(json.dumps(members).encode())
        headers = {"X-Amz-Target": f"AmazonML_20141212.{name}", "Content-Type": "application/x-amz-json-1.1"}
        self._send("amazon", "POST", "/", headers, body, SigV4Auth(self._credentials, "machinelearning", "us-east-1"))

    def storage(self):
        """Ask S3 for something odd."""
        method = self.random.choice(("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"))
        bucket = self.random.choice(("fuzz", "fuzz", "fuzz", "none", "UPPER", "a", ""))
        path = f"/{bucket}/{quote(self.random.choice(_KEYS))}" if bucket else "/"
        query = self.random.choice(_QUERIES)
        headers = dict(self.random.choice(_HEADERS))
        signer = S3SigV4Auth(self._credentials, "s3", "us-east-1")
        self._send("s3", method, path + ("?" + query if query else ""), headers, self.random.choice(_BODIES), signer)

    def _broken(self, body):
        chance = self.random.random()
        if chance < 0.05:
            return body[: self.random.randrange(len(body) + 1)]
        if chance < 0.1 and body:
            place = self.random.randrange(len(body))
            return body[:place] + bytes([self.random.randrange(256)]) + body[place + 1 :]
        if chance < 0.11:
            return b"[" * 100_000
        return body

    def _send(self, door, method, path, headers, body, signer):
        request = AWSRequest(method=method, url=f"{self._server.url}{path}", headers=headers, data=body)
        signer.add_auth(request)
        signed = {name: value.encode() if isinstance(value, str) else value for name, value in request.headers.items()}
        target = request.prepare().url.removeprefix(self._server.url)
        try:
            self._connection.request(method, target, body, signed)
            response = self._connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            status = f"lost ({type(error).__name__})"
        self.counts[door, status] += 1
        if not isinstance(status, int) or status >= 500:
            self.worst.append((status, method, target, headers, body[:300]))
