"""The REST door for tests: asked in this process, or mounted as an ASGI application."""

import asyncio
import json
from dataclasses import dataclass
from unittest import mock
from urllib.parse import unquote

import msgspec

from server.signing import ready
from understudy.config import load
from understudy.errors import UnderstudyError
from understudy.house import House
from understudy.server import metrics
from understudy.server.http import Request
from understudy.server.rest import RestDoor, answer, at_once
from understudy.server.rest.problems import Problem
from understudy.serving import Serving

LEFT_TO_THE_USUAL_WAY = (Problem, UnderstudyError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What the short way may raise where something is wrong with a request."""

ADMIN, PREDICT = "the-secret-of-a-key", "ust_a-token"


@dataclass
class Caller:
    """Who asks."""

    name: str
    role: str


CALLERS = {ADMIN: Caller("default", "admin"), PREDICT: Caller("shop", "predict")}


class Keys:
    """One admin and one who may predict."""

    def bearer(self, text):
        """Return who asks."""
        return CALLERS.get(text)


def door_of(*projects, ready=lambda: True, settle=None, **options):
    """Open the door of projects, all of whose champions are loaded."""
    houses = [House(load(project.folder), create=True) for project in projects]
    serving = Serving(houses[0], houses)
    serving.refresh()
    settled = settle or (lambda store: serving.refresh())
    return RestDoor(houses, houses[0], serving, Keys(), settled, ready, **options)


@dataclass
class Answer:
    """What a request was answered."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        """The document."""
        return json.loads(self.body)

    @property
    def error(self):
        """The error, whole and in its one form."""
        assert set(self.json) == {"error"}
        assert set(self.json["error"]) == {"code", "message", "hint"}
        return self.json["error"]


class Client:
    """Asks a door."""

    def __init__(self, door, token=ADMIN):
        self.door = door
        self.token = token

    def ask(self, method, path, document=None, *, body=None, token=None, **headers):
        """Send one request; `document` as JSON, or `body` as it stands."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token if token is None else token
        if token:
            sent.setdefault("authorization", f"Bearer {token}")
        if document is not None:
            body = json.dumps(document).encode()
            sent.setdefault("content-type", "application/json")
        raw_path, _, query = path.partition("?")
        request = Request(method, raw_path, query, sent, _pieces(body or b""))
        response = asyncio.run(answer(self.door, request))
        if method == "POST" and not query:
            assert self._at_once(request, body or b"") in {None, (response.status, response.body)}
        return Answer(response.status, dict(response.headers), response.body)

    def _at_once(self, request, body):
        """Ask by the short way, which answers alike where it answers; nothing is counted."""
        with mock.patch.object(metrics, "record"), mock.patch.object(metrics, "count_predictions"):
            try:
                answered = at_once(self.door, request, body)
            except LEFT_TO_THE_USUAL_WAY:
                return None
        return None if answered is None else (200, ready(answered)[1])

    def get(self, path, **options):
        """GET."""
        return self.ask("GET", path, **options)

    def post(self, path, document=None, **options):
        """POST."""
        return self.ask("POST", path, document, **options)


async def _pieces(body, size=1000):
    for start in range(0, len(body), size):
        yield body[start : start + size]


def asgi(door):
    """Return the door as an ASGI application."""

    async def application(scope, receive, send):
        if scope["type"] != "http":
            return
        response = await answer(door, _request(scope, receive))
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    return application


def _request(scope, receive):
    headers = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers[key] = f"{headers[key]},{value.decode('latin-1')}" if key in headers else value.decode("latin-1")
    raw_path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    assert unquote(raw_path) == scope["path"]
    return Request(scope["method"], raw_path, scope["query_string"].decode("latin-1"), headers, _received(receive))


async def _received(receive):
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")
