"""The short way of predictions: below ASGI, in order, and only where nothing is unusual."""

import asyncio
import contextlib

import pytest
import uvicorn
from uvicorn.server import ServerState

from understudy.server.protocol import Protocol

ASKED = b"POST / HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nContent-Length: 3\r\n\r\nabc"


class Application:
    """Answers at once what it is told to, everything else through ASGI, and remembers how it was asked."""

    def __init__(self, at_once=True, wait=0.0):
        self.answers_at_once = at_once
        self.wait = wait
        self.seen = []

    def at_once(self, data):
        """Answer without ASGI."""
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


@pytest.mark.parametrize("cut", [1, 7, 16, 20, *range(len(ASKED) - 8, len(ASKED))])
def test_request_in_pieces_goes_through_asgi(cut):
    """Wherever a request is cut in two, it is answered once and whole; and so is the one after it, at once again."""
    application = Application()
    answered, ended, requests = told(application, ASKED[:cut], ASKED[cut:], ASKED, pause=0.005)
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 3\r\n\r\n"
    assert answered == head + b"ABC" + head + b"abc"
    assert (ended, requests) == (False, 2)
    headers = [(b"host", b"x"), (b"x-one", b"1"), (b"content-length", b"3")]
    assert application.seen == [("ASGI", b"/", headers, b"abc"), ("at once", ASKED)]


def test_request_that_is_not_answered_at_once_goes_through_asgi():
    """What the application leaves to ASGI comes there as if there had been no short way."""
    application = Application(at_once=False)
    answered, ended, requests = told(application, ASKED)
    assert answered.endswith(b"\r\n\r\nABC")
    assert (ended, requests) == (False, 1)
    headers = [(b"host", b"x"), (b"x-one", b"1"), (b"content-length", b"3")]
    assert application.seen == [("ASGI", b"/", headers, b"abc")]


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
