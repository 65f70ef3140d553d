"""The port: which door a request goes to, and that every request is answered whole, or not at all, in HTTP's words."""

import asyncio
import dataclasses
import logging
import uuid

import pytest

from server.signing import arrived
from understudy.server import app as app_module
from understudy.server import http as http_module
from understudy.server.app import App, Doors, door_of
from understudy.server.http import Request, Response, TooLarge, Unfinished

SIGNED = "AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=00"


def _is_rest(path):
    return path.startswith("/v1/")


@pytest.mark.parametrize(
    ("method", "url", "headers", "door"),
    [
        ("POST", "/", {"X-Amz-Target": "AmazonML_20141212.Predict"}, "amazon"),
        ("POST", "/", {"X-Amz-Target": "Other.Thing", "Authorization": SIGNED.format("s3")}, "amazon"),
        ("POST", "/", {"Authorization": SIGNED.format("machinelearning")}, "amazon"),
        ("GET", "/bucket/key", {"Authorization": SIGNED.format("machinelearning")}, "amazon"),
        ("POST", "/", {}, "amazon"),
        ("PUT", "/", {}, "amazon"),
        ("GET", "/", {"Authorization": SIGNED.format("s3")}, "s3"),
        ("GET", "/v1/endpoints", {"Authorization": SIGNED.format("s3")}, "s3"),
        ("PUT", "/bucket/key", {"X-Amz-Target": "AmazonML_20141212.Predict"}, "s3"),
        ("GET", "/bucket/key?X-Amz-Credential=AKIA%2F20261123%2Fus-east-1%2Fs3%2Faws4_request", {}, "s3"),
        ("GET", "/bucket/key", {"Authorization": "AWS AKIA:c2ln"}, "s3"),
        ("GET", "/bucket/key", {}, "s3"),
        ("GET", "/v2/endpoints", {}, "s3"),
        ("GET", "/", {}, "rest"),
        ("HEAD", "/", {}, "rest"),
        ("GET", "/v1/endpoints", {}, "rest"),
        ("GET", "/v1/endpoints", {"Authorization": "Bearer secret"}, "rest"),
        ("GET", "/v2/endpoints", {"Authorization": "bearer secret"}, "rest"),
        ("POST", "/", {"Authorization": "Bearer secret"}, "rest"),
        ("POST", "/", {"Authorization": SIGNED.format("sts")}, "amazon"),
        ("GET", "/%76%31/endpoints", {}, "rest"),
        ("DELETE", "/v1/nothing", {}, "rest"),
    ],
)
def test_every_request_has_one_door(method, url, headers, door):
    """What a request is signed for decides, a token means REST; else the path decides, and what is nobody's is S3's."""
    assert door_of(arrived(method, f"http://here{url}", headers), _is_rest) == door


class Caller:
    """Speaks ASGI with an app whose REST door a test writes."""

    def __init__(self, door):
        async def other(_request):
            raise AssertionError("another door")

        self.app = App(Doors(other, other, door, lambda path: True))
        self.sent = []

    def ask(self, *messages, method="GET", headers=(), path="/v1/x"):
        """Let a request arrive; return what was sent."""
        arriving = iter(messages or [{"type": "http.request", "body": b""}])

        async def receive():
            message = next(arriving, None)
            if message is None:
                await asyncio.sleep(60)
            return message

        async def send(message):
            self.sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": b"a=1", "headers": list(headers)}
        asyncio.run(self.app(scope, receive, send))
        return self.sent

    @property
    def status(self):
        """The answer's status."""
        return self.sent[0]["status"]

    @property
    def headers(self):
        """The answer's headers; none may be there twice."""
        pairs = [(name.decode(), value.decode()) for name, value in self.sent[0]["headers"]]
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    @property
    def body(self):
        """The answer's body."""
        assert not self.sent[-1].get("more_body")
        return b"".join(message.get("body", b"") for message in self.sent[1:])


def answering(response):
    """Return a caller of a door that always gives one response."""

    async def door(_request):
        return response

    return Caller(door)


def reading(limit=100):
    """Return a caller of a door that gives back the body that it reads."""

    async def door(request: Request):
        return Response(200, await request.read(limit))

    return Caller(door)


def part(body, *, more=True):
    """Return a piece of a body as it arrives."""
    return {"type": "http.request", "body": body, "more_body": more}


def test_request_reaches_the_door_as_it_was_sent():
    """Path and query stay encoded; a header that came twice is one, its values joined; the body comes in pieces."""
    seen = []

    async def door(request):
        seen.append((request, await request.read(100)))
        return Response(200)

    caller = Caller(door)
    raw = [(b"x-one", b"a"), (b"x-two", b"b"), (b"x-one", "ü".encode("latin-1"))]
    caller.ask(part(b"ab"), part(b""), part(b"c", more=False), headers=raw, method="POST", path="/v1/%41")
    ((request, body),) = seen
    assert (request.method, request.raw_path, request.raw_query) == ("POST", "/v1/%41", "a=1")
    assert request.headers == {"x-one": "a,ü", "x-two": "b"}
    assert body == b"abc"


def test_answer_is_sent_whole_with_its_length():
    """Bytes go out in one piece with a length; header names go out in lower case, once each."""
    caller = answering(Response(201, b"hello", {"Content-Type": "text/plain"}))
    caller.ask()
    assert (caller.status, caller.body) == (201, b"hello")
    assert caller.headers == {"content-type": "text/plain", "content-length": "5"}


def test_answer_to_head_keeps_its_own_length():
    """A door that answers HEAD says the length that GET would have."""
    caller = answering(Response(200, b"", {"Content-Length": "12345"}))
    caller.ask(method="HEAD")
    assert caller.headers == {"content-length": "12345"}


@pytest.mark.parametrize("status", [204, 304])
def test_answer_that_can_have_no_body_has_no_length(status):
    """204 and 304 carry neither."""
    caller = answering(Response(status))
    caller.ask()
    assert caller.headers == {}


@pytest.mark.parametrize("own", [{}, {"Connection": "close"}, {"connection": "keep-alive"}])
def test_end_of_a_connection_is_announced(own):
    """While a server drains, every answer says `Connection: close`, once, whatever the door said."""
    caller = answering(Response(200, b"", own))
    caller.app.draining = True
    caller.ask()
    assert caller.headers["connection"] == "close"


class Stream:
    """A body in pieces that knows whether it was closed."""

    def __init__(self, *pieces, fails=False):
        self._pieces, self._fails, self.closed = list(pieces), fails, False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self._pieces:
            return self._pieces.pop(0)
        if self._fails:
            raise OSError("the disk is gone")
        raise StopAsyncIteration

    async def aclose(self):
        """Give back what is held open."""
        self.closed = True


def test_stream_is_sent_piece_by_piece_and_closed():
    """A body that is a stream goes out as it comes, and gives back its file."""
    body = Stream(b"one", b"two")
    caller = answering(Response(200, body, {"Content-Length": "6"}))
    caller.ask()
    assert caller.body == b"onetwo"
    assert len(caller.sent) == 4
    assert body.closed


def test_stream_that_fails_cuts_the_connection_and_is_closed(caplog):
    """Half an answer is never ended as if it were whole: the server that calls the app sees the error."""
    body = Stream(b"one", fails=True)
    with pytest.raises(OSError, match="the disk is gone"):
        answering(Response(200, body)).ask()
    assert body.closed
    assert "broke off" in caplog.text


def test_client_that_takes_nothing_is_let_go(monkeypatch):
    """A piece that nobody takes for too long ends the answer, and the file is closed."""
    monkeypatch.setattr(app_module, "PIECE_SECONDS", 0.05)
    body = Stream(b"one")
    caller = answering(Response(200, body))

    async def run():
        async def send(message):
            if message["type"] == "http.response.body":
                await asyncio.sleep(10)

        scope = {"type": "http", "method": "GET", "path": "/v1/x", "query_string": b"", "headers": []}
        await caller.app(scope, None, send)

    with pytest.raises(TimeoutError):
        asyncio.run(run())
    assert body.closed


def test_client_that_is_gone_gets_no_answer():
    """Whoever hangs up amid a body is sent nothing, and nothing is called a mistake."""
    caller = reading()
    caller.ask(part(b"ab"), {"type": "http.disconnect"})
    assert caller.sent == []


def test_client_that_stalls_is_told(monkeypatch):
    """A body that stops arriving is answered 408, and the connection ends."""
    monkeypatch.setattr(http_module, "PIECE_SECONDS", 0.05)
    caller = reading()
    caller.ask(part(b"ab"))
    assert caller.status == 408
    assert caller.headers["connection"] == "close"
    assert b"RequestTimeout" in caller.body


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("parts", [[b"abc"], [b"a", b"", b"bc"], [b"", b"abc"], [b""]])
def test_body_is_read_whenever_it_comes(parts, late):
    """All at once or piece by piece, there at once or later: the body is whole, read at a stroke or as a stream."""

    async def receive():
        if late:
            await asyncio.sleep(0)
        piece = waiting.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    async def stream():
        return b"".join([piece async for piece in http_module.Arriving(receive)])

    for read in (lambda: http_module.Request("POST", "/", "", {}, http_module.Arriving(receive)).read(10), stream):
        waiting = list(parts)
        assert asyncio.run(read()) == b"".join(parts)


def test_body_that_is_here_but_too_large_is_refused():
    """A body without a declared length is held to the limit also where no waiting was needed."""

    async def receive():
        return {"type": "http.request", "body": b"abc", "more_body": False}

    with pytest.raises(http_module.TooLarge):
        asyncio.run(http_module.Request("POST", "/", "", {}, http_module.Arriving(receive)).read(2))


def test_request_id_is_a_random_uuid():
    """Ids are UUIDs of version 4, as Amazon's services have them, and none comes twice."""
    ids = {http_module.request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in ids)
    assert {uuid.UUID(text).variant for text in ids} == {uuid.RFC_4122}


def test_body_that_trickles_is_told(monkeypatch):
    """A body that keeps coming, but slower than it may, is answered 408, however small its pieces."""
    monkeypatch.setattr(http_module, "BODY_SECONDS", 0.1)

    async def door(request):
        async def trickle():
            while True:
                await asyncio.sleep(0.01)
                yield b"x"

        return Response(200, await dataclasses.replace(request, body=trickle()).read(10**6))

    caller = Caller(door)
    caller.ask()
    assert caller.status == 408


def test_large_bodies_are_read_a_few_at_a_time(monkeypatch):
    """However many clients send large bodies, a worker holds a few; others wait, small ones pass, all are answered."""
    monkeypatch.setattr(app_module, "LARGE_BODIES", 2)
    monkeypatch.setattr(http_module, "BODY_SECONDS", 0.3)  # all together take longer: to wait counts for nobody
    held, most, ended = set(), [], []

    async def door(request):
        return Response(200, b"%d" % len(await request.read(10**6)))

    caller = Caller(door)

    async def ask(number, size):
        pieces = [b"x" * (size // 2)] * 2

        async def receive():
            if len(pieces) == 1:  # the first is read, and the place is had that more of it needs
                held.add(number)
                most.append(len(held))
                await asyncio.sleep(0.1)
                held.remove(number)
            return part(pieces.pop(), more=bool(pieces))

        async def send(message):
            if message["type"] == "http.response.body":
                ended.append(int(message["body"]))

        scope = {"type": "http", "method": "POST", "path": "/v1/x", "query_string": b"", "headers": []}
        await caller.app(scope, receive, send)

    async def run():
        await asyncio.gather(*(ask(number, size) for number, size in enumerate([400_000] * 10 + [100])))

    asyncio.run(run())
    assert 100 in ended[:3]
    assert sorted(ended) == [100] + [400_000] * 10
    assert max(most) <= 3  # two large ones, and the small one


def test_body_that_is_too_large_is_told():
    """A body beyond the limit is answered 413 before it is read, where its length was said or when it shows."""
    for headers in ([(b"content-length", b"101")], []):
        caller = reading()
        caller.ask(part(b"x" * 101), headers=headers)
        assert caller.status == 413
        assert caller.headers["connection"] == "close"


@pytest.mark.parametrize("error", [KeyError("a secret"), RecursionError(), MemoryError(), TooLarge])
def test_mistake_of_ours_is_logged_and_never_told(error, caplog):
    """Whatever a door raises, the client gets a whole answer without the details, and the log has them."""

    async def door(_request):
        raise error

    caller = Caller(door)
    with caplog.at_level(logging.ERROR):
        caller.ask()
    assert b"secret" not in caller.body
    assert b"Traceback" not in caller.body
    assert caller.headers["connection"] == "close"
    if error is not TooLarge:
        assert caller.status == 500
        assert "a mistake of Understudy's own at GET /v1/x" in caplog.text


def test_what_is_not_answered_at_once_says_why_to_those_who_look(caplog):
    """A request that fails the short way goes the usual one, which answers for it; a mistake of ours can be found."""

    def fails(_whole):
        raise KeyError("mistaken")

    app = App(Doors(*[answering(Response(200)).app] * 3, is_rest=lambda path: True, at_once=fails))
    asked = b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
    with caplog.at_level(logging.DEBUG):
        assert app.at_once(asked) is None
    assert "mistaken" in caplog.text
    with pytest.raises(Unfinished):
        app.at_once(asked.removesuffix(b"{}"))
    app.draining = True
    assert app.at_once(asked.removesuffix(b"{}")) is None


def test_other_protocols_are_refused():
    """A WebSocket is none of this server's."""
    with pytest.raises(TypeError, match="websocket"):
        asyncio.run(answering(Response(200)).app({"type": "websocket"}, None, None))
