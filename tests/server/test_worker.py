"""What one worker does with connections, below HTTP's meaning."""

import asyncio
import contextlib
import os
import threading
from unittest import mock

import uvicorn
from uvicorn.server import ServerState

from understudy.server import worker
from understudy.server.protocol import Protocol

HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
TRAILER = b"X-Trailer: %s\r\n" % (b"x" * 1000)


def answered(*pieces, seen=None):
    """Send pieces to an application that reads a body and gives it back; return what comes until it closes or idles."""

    async def application(scope, receive, send):
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if seen is not None:
            seen.append(scope["headers"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def run():
        config = uvicorn.Config(application, http=Protocol, ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.001)
        answer = await _told(reader)
        writer.close()
        server.close()
        return answer

    return asyncio.run(run())


async def _told(reader):
    """Return all that comes until the end, or until nothing comes for a while; and whether it ended."""
    told = b""
    try:
        while piece := await asyncio.wait_for(reader.read(65536), 0.5):
            told += piece
    except TimeoutError:
        return told, False
    except ConnectionError:
        pass
    return told, True


def test_trailers_are_no_headers():
    """What follows a chunked body never reaches the request, and the body is whole."""
    seen = []
    told, closed = answered(HEAD + b"3\r\nabc\r\n", b"0\r\n" + TRAILER, TRAILER + b"\r\n", seen=seen)
    assert told.endswith(b"\r\n\r\nabc")
    assert not closed
    assert dict(seen[0]) == {b"host": b"x", b"transfer-encoding": b"chunked"}


def test_trailers_without_end_close_the_connection():
    """Nobody can fill a worker's memory behind a body: beyond the length of a head, the connection is closed."""
    told, closed = answered(HEAD + b"3\r\nabc\r\n0\r\n", *[TRAILER] * 200)
    assert (told, closed) == (b"", True)


def test_chunk_extensions_without_end_close_the_connection():
    """The same holds for what stands between the pieces of a body and is no body."""
    told, closed = answered(HEAD + b"3;x=", *[b"y" * 1000] * 200)
    assert (told, closed) == (b"", True)


def test_long_body_is_no_head():
    """A body of any length, in small chunks or in one, is read whole, and the connection goes on."""
    chunks = [b"3e8\r\n" + b"z" * 1000 + b"\r\n"] * 200
    told, closed = answered(HEAD, *chunks, b"0\r\n\r\n")
    assert told.count(b"z") == 200_000
    assert not closed
    plain = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n"
    told, closed = answered(plain, *[b"z" * 1000] * 200)
    assert told.count(b"z") == 200_000
    assert not closed


# A change of who serves


class Workers:
    """A board whose workers are only process ids; whoever is killed comes back as another."""

    def __init__(self, monkeypatch, revisions, loading=()):
        self.revisions, self.loading, self.killed = dict(revisions), set(loading), []
        self.workers = len(revisions)
        monkeypatch.setattr(worker, "SETTLE_SECONDS", 0.05)
        monkeypatch.setattr(worker, "LOADING_SECONDS", 0.5)
        monkeypatch.setattr(worker.os, "kill", self._kill)

    def _kill(self, pid, _signal):
        self.killed.append(pid)
        del self.revisions[pid]
        self.revisions[pid + 1000] = NOW

    def answering(self):
        """Name all."""
        return list(self.revisions)

    def late(self, _place, revision, *, but_loading=False):
        """Name those behind."""
        found = [pid for pid, its in self.revisions.items() if its < revision]
        return [pid for pid in found if pid not in self.loading] if but_loading else found

    def settle(self):
        """Wait for all, as the process that runs this test."""
        store = mock.Mock()
        store.catalog.serving_revision.return_value = NOW
        worker.wait_for_all(self, mock.Mock(stores=[store]), store)


NOW, BEFORE = 7, 6


def test_late_workers_are_replaced_but_not_the_one_that_asks(monkeypatch, caplog):
    """Whoever does not follow is killed, one at a time; whoever asks would lose its answer, and only says so."""
    workers = Workers(monkeypatch, {os.getpid(): BEFORE, 1: BEFORE, 2: BEFORE, 3: NOW})
    workers.settle()
    assert workers.killed == [1, 2]
    assert f"processes [{os.getpid()}] still answer as before" in caplog.text


def test_next_worker_is_replaced_only_when_the_one_before_is_back(monkeypatch):
    """There are never two workers away at a time."""
    workers = Workers(monkeypatch, {os.getpid(): NOW, 1: BEFORE, 2: BEFORE})
    seen = []
    monkeypatch.setattr(worker, "wait_until", lambda settled, _seconds: seen.append(len(workers.killed)) or settled())
    workers.settle()
    assert seen == [0, 0, 1, 2]


def test_model_that_nobody_can_load_costs_no_worker(monkeypatch, caplog):
    """Where no worker follows, those who served before go on, and the log has an error."""
    workers = Workers(monkeypatch, {os.getpid(): BEFORE, 1: BEFORE})
    workers.settle()
    assert workers.killed == []
    assert "still answer as before" in caplog.text


def test_worker_that_is_loading_is_waited_for(monkeypatch):
    """Loading that takes long makes nobody late: all are waited for, and none is replaced."""
    workers = Workers(monkeypatch, {os.getpid(): BEFORE, 1: BEFORE}, loading=(os.getpid(), 1))
    threading.Timer(0.2, lambda: workers.revisions.update({os.getpid(): NOW, 1: NOW})).start()
    workers.settle()
    assert workers.killed == []
    assert set(workers.revisions.values()) == {NOW}
