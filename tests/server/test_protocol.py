"""The short way of predictions: below ASGI, in order, and only where nothing is unusual."""

import asyncio
import contextlib
import gc
import socket
import struct
import weakref

import pytest
import uvicorn
from uvicorn.server import ServerState

from understudy.server import protocol
from understudy.server.http import Unfinished
from understudy.server.protocol import Protocol

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nContent-Length: 3\r\n\r\n"
ASKED = HEAD + b"abc"
HEADERS = [(b"host", b"x"), (b"x-one", b"1"), (b"content-length", b"3")]


class Application:
    """Answers at once what it is told to, everything else through ASGI, and remembers how it was asked."""

    def __init__(self, at_once=True, wait=0.0):
        self.answers_at_once = at_once
        self.wait = wait
        self.seen = []

    def at_once(self, data):
        """Answer without ASGI."""
        if self.answers_at_once and data == HEAD:
            raise Unfinished
        if not self.answers_at_once or data != ASKED:
            return None
        self.seen.append(("at once", data))
        return b"content-length: 3\r\n\r\nabc"

    async def __call__(self, scope, receive, send):
        """Answer through ASGI: the body back, each letter a capital."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.seen.append(("ASGI", scope["raw_path"], list(scope["headers"]), body))
        await asyncio.sleep(self.wait)
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body.upper()})


def told(application, *pieces, pause=0.01, **options):
    """Send pieces over one connection; return all that is answered until nothing more comes, and whether it ended."""

    async def run():
        options.setdefault("timeout_keep_alive", 3600)
        config = uvicorn.Config(application, ws="none", lifespan="off", log_config=None, proxy_headers=False, **options)
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"today")]
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Protocol(config=config, server_state=state, app_state={}), "127.0.0.1"
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        answered, ended = b"", False
        with contextlib.suppress(TimeoutError):
            while not ended:
                piece = await asyncio.wait_for(reader.read(65536), 0.3)
                answered, ended = answered + piece, not piece
        writer.close()
        server.close()
        return answered, ended, state.total_requests

    return asyncio.run(run())


def test_whole_request_is_answered_at_once():
    """Head and body in one piece never come to ASGI; the answer has the server's own headers, the connection stays."""
    application = Application()
    answered, ended, requests = told(application, ASKED)
    assert answered == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\n\r\nabc"
    assert (ended, requests) == (False, 1)
    assert application.seen == [("at once", ASKED)]


@pytest.mark.parametrize("cut", [1, 7, 16, 20, *range(len(ASKED) - 8, len(HEAD)), *range(len(HEAD) + 1, len(ASKED))])
def test_request_in_pieces_goes_through_asgi(cut):
    """Wherever a request is cut in two, it is answered once and whole; and so is the one after it, at once again."""
    application = Application()
    answered, ended, requests = told(application, ASKED[:cut], ASKED[cut:], ASKED, pause=0.005)
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\n\r\n"
    assert answered == head + b"ABC" + head + b"abc"
    assert (ended, requests) == (False, 2)
    assert application.seen == [("ASGI", b"/", HEADERS, b"abc"), ("at once", ASKED)]


def test_head_that_comes_alone_is_held_for_its_body():
    """As many clients send it, a request is answered at once when its body is here, again and again."""
    application = Application()
    answered, ended, requests = told(application, HEAD, b"abc", HEAD, b"abc", ASKED)
    assert answered == b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\n\r\nabc" * 3
    assert (ended, requests) == (False, 3)
    assert application.seen == [("at once", ASKED)] * 3


@pytest.mark.parametrize("body", [(b"a", b"bc"), (b"abcPOST /", ASKED[6:]), (b"xyz",), (b"abc" + ASKED,)])
def test_what_was_held_and_is_not_answered_at_once_goes_through_asgi(body):
    """A body in pieces, with the next request behind it, or one that a model does not answer: nothing is lost."""
    application = Application()
    answered, ended, requests = told(application, HEAD, *body)
    letters = b"".join(body)[:3]
    assert application.seen[0] == ("ASGI", b"/", HEADERS, letters)
    assert answered.split(b"\r\n\r\n")[1][:3] == letters.upper()
    assert (ended, requests, len(application.seen)) == (False, *[1 + (len(b"".join(body)) > 3)] * 2)


def test_head_is_held_for_a_while_only(monkeypatch):
    """A body that does not come soon is waited for by ASGI, with its limits."""
    monkeypatch.setattr(protocol, "HELD_SECONDS", 0.02)
    application = Application()
    answered, ended, requests = told(application, HEAD, b"", b"", b"abc", ASKED, pause=0.06)
    assert answered.count(b"HTTP/1.1 200 OK") == 2
    assert (ended, requests) == (False, 2)
    assert application.seen == [("ASGI", b"/", HEADERS, b"abc"), ("at once", ASKED)]


def test_head_that_is_held_is_awaited_no_more(monkeypatch):
    """The time that a head may take has an end where it came, late, its body yet to come."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.12)
    answered, ended, requests = told(Application(), b"", HEAD, b"abc", pause=0.08)
    assert (answered.count(b"abc"), ended, requests) == (1, False, 1)


def test_idle_clock_spares_who_has_sent_a_head():
    """A connection whose head is held is not idle: it is not closed while the body is awaited."""
    answered, _, requests = told(Application(), ASKED, HEAD, b"abc", pause=0.08, timeout_keep_alive=0.12)
    assert (answered.count(b"abc"), requests) == (2, 2)


def test_server_that_ends_answers_what_was_held():
    """A head that is held when connections are closed goes the usual way first, which waits for its body."""

    async def run():
        config = uvicorn.Config(application, ws="none", lifespan="off", log_config=None, proxy_headers=False)
        config.load()
        made = Protocol(config=config, server_state=ServerState(), app_state={})
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: made, "127.0.0.1")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(HEAD)
        while not made._held:
            await asyncio.sleep(0.001)
        made.shutdown()
        writer.write(b"abc")
        answered = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        server.close()
        return answered

    application = Application()
    assert asyncio.run(run()).endswith(b"\r\n\r\nABC")
    assert application.seen == [("ASGI", b"/", HEADERS, b"abc")]


@pytest.mark.parametrize("sent", [ASKED, ASKED.replace(b"abc", b"xyz"), HEAD], ids=["at once", "ASGI", "held"])
def test_connection_that_breaks_off_is_forgotten(sent):
    """A client that resets its connection leaves nothing in memory, no clock that holds it included."""

    async def run():
        config = uvicorn.Config(Application(), ws="none", lifespan="off", log_config=None, proxy_headers=False)
        config.load()
        config.timeout_keep_alive = 3600
        state, alive, lost = ServerState(), [], []

        class Watched(Protocol):
            def connection_lost(self, exc):
                super().connection_lost(exc)
                lost.append(type(exc))

        def connected():
            made = Watched(config=config, server_state=state, app_state={})
            alive.append(weakref.ref(made))
            return made

        loop = asyncio.get_running_loop()
        server = await loop.create_server(connected, "127.0.0.1")
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        await asyncio.sleep(0.05)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        while not lost:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        gc.collect()
        server.close()
        return lost, [ref() for ref in alive]

    assert asyncio.run(run()) == ([ConnectionResetError], [None])


def test_request_that_is_not_answered_at_once_goes_through_asgi():
    """What the application leaves to ASGI comes there as if there had been no short way."""
    application = Application(at_once=False)
    answered, ended, requests = told(application, ASKED)
    assert answered.endswith(b"\r\n\r\nABC")
    assert (ended, requests) == (False, 1)
    assert application.seen == [("ASGI", b"/", HEADERS, b"abc")]


def test_requests_on_one_connection_are_answered_in_their_order():
    """None is answered at once before one that is still under way, or that came with others in one piece."""
    application = Application(wait=0.05)
    slow = ASKED.replace(b"POST /", b"POST /slow").replace(b"abc", b"xyz")
    answered, _, requests = told(application, ASKED, slow + ASKED, ASKED)
    bodies = [part[:3] for part in answered.split(b"\r\n\r\n")[1:]]
    assert bodies == [b"abc", b"XYZ", b"ABC", b"ABC"]
    assert [way for way, *_ in application.seen] == ["at once", "ASGI", "ASGI", "ASGI"]
    assert requests == 4


def test_body_is_never_taken_for_a_request():
    """What comes while a request's body is awaited is its body, whatever it looks like, answered already or not."""

    class Hasty(Application):
        async def __call__(self, scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    head = b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(ASKED + ASKED)
    for application in (Application(), Hasty()):
        answered, *_ = told(application, head, ASKED, ASKED, ASKED)
        assert answered.count(b"HTTP/1.1 200 OK") == 2
        assert answered.endswith(b"\r\n\r\nabc")
        assert application.seen[-1:] == [("at once", ASKED)]
        assert [seen for seen in application.seen if seen[0] == "at once"] == [("at once", ASKED)]


def test_trailers_are_no_headers():
    """What follows a body in chunks does not come to its headers."""
    application = Application()
    chunked = (
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n"
    )
    answered, *_ = told(application, chunked)
    assert answered.endswith(b"\r\n\r\nABC")
    assert application.seen == [("ASGI", b"/", [(b"host", b"x"), (b"transfer-encoding", b"chunked")], b"abc")]


def test_body_that_is_no_http_is_refused():
    """A request whose body breaks HTTP is answered 400 once, and the connection ends."""
    application = Application()
    broken = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n"
    answered, ended, _ = told(application, broken)
    assert answered.startswith(b"HTTP/1.1 400")
    assert answered.count(b"HTTP/1.1") == 1
    assert ended


def test_idle_connection_is_closed_after_an_answer_at_once():
    """The time that a connection may be idle runs after either way, from the latest answer on."""
    answered, ended, requests = told(Application(), *[ASKED] * 5, pause=0.05, timeout_keep_alive=0.15)
    assert (answered.count(b"abc"), requests) == (5, 5)
    assert ended
    answered, ended, _ = told(Application(), ASKED, ASKED[:-1], ASKED[-1:], pause=0.01, timeout_keep_alive=0.1)
    assert answered.endswith(b"ABC")
    assert ended
