"""A process of a server that answers requests: models in memory, doors in front of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import uvicorn
import uvicorn.lifespan.off  # uvicorn itself loads it when it serves, each worker for itself

from understudy.house import Storehouse
from understudy.server.app import App
from understudy.server.board import Board
from understudy.server.doors import open_doors
from understudy.server.prompt import be_prompt
from understudy.server.protocol import Protocol
from understudy.server.settings import Opened, Settings
from understudy.serving import Serving, wait_until

_new_event_loop: Callable[[], asyncio.AbstractEventLoop]
try:
    import uvloop

    _new_event_loop = uvloop.new_event_loop
except ImportError:  # there is none on Windows
    _new_event_loop = asyncio.new_event_loop

_LOG = logging.getLogger(__name__)

REFRESH_SECONDS = 0.1
"""How often a worker looks whether who serves has changed."""
SETTLE_SECONDS = 5.0
"""How long a change waits for a worker before that worker is replaced."""
LOADING_SECONDS = 120.0
"""How long it waits for one that is loading a large model: to replace that one would only begin anew."""
IDLE_SECONDS = 3600
"""How long a connection may be idle: a client that would use it again must not find it closed."""
GOODBYE_SECONDS = 1.0
"""How long answers announce the end of their connections before connections are closed."""


def answer_requests(settings: Settings, board: Board, number: int, listener: socket.socket) -> None:
    """Answer requests on a socket that listens until SIGTERM."""
    be_prompt()
    opened = Opened(settings, keep_open=True)
    serving = Serving(opened.stores[0], opened.houses, partial(board.load, number))
    _catch_up(serving, board, number)
    threading.Thread(target=_keep_fresh, args=(serving, board, number), daemon=True).start()

    def settle(store: Storehouse) -> None:
        wait_for_all(board, serving, store)

    def ready() -> bool:
        return board.is_ready() and not app.draining

    app = App(open_doors(settings, opened, serving, settle, ready))
    server = _Server(app, _config(settings, app))
    with asyncio.Runner(loop_factory=_new_event_loop) as loop:
        loop.run(server.serve(sockets=[listener]))


def wait_for_all(board: Board, serving: Serving, store: Storehouse) -> None:
    """Wait until every worker answers by the present state of a store's catalog; replace those that do not come.

    Where no worker can follow, the fault is not theirs: none is replaced, and those who served before go on.
    """
    place, revision = serving.stores.index(store), store.catalog.serving_revision()

    def late() -> list[int]:
        return board.late(place, revision)

    if wait_until(lambda: not late(), SETTLE_SECONDS):
        return
    wait_until(lambda: late() == board.late(place, revision, but_loading=True), LOADING_SECONDS)
    if set(late()) < set(board.answering()):
        _replace_each(board, late)
    if late():
        _LOG.error("a change of who serves is on record, but processes %s still answer as before", late())


def _replace_each(board: Board, late: Callable[[], Sequence[int]]) -> None:
    """Replace those who are late one after the other, so that the others answer meanwhile; never the one that asks."""
    for pid in late():
        if pid == os.getpid() or pid not in late():
            continue
        _LOG.error("worker process %s does not follow and is replaced", pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(partial(_is_replaced, board, pid), LOADING_SECONDS)


def _is_replaced(board: Board, pid: int) -> bool:
    answering = board.answering()
    return pid not in answering and len(answering) == board.workers


def _catch_up(serving: Serving, board: Board, number: int) -> None:
    """Answer nobody before this worker stands on the board and has looked once more.

    Whoever changes the catalog after that look finds the worker on the board, and waits for it.
    """
    while True:
        serving.refresh()
        if serving.revisions:
            board.publish(number, serving.revisions)
            if not serving.refresh():
                return
        time.sleep(REFRESH_SECONDS)


def _keep_fresh(serving: Serving, board: Board, number: int) -> None:
    while True:
        time.sleep(REFRESH_SECONDS)
        try:
            serving.refresh()
        except Exception:  # noqa: BLE001 - a worker that no longer looked would answer by an old model for ever
            _LOG.exception("a mistake of Understudy's own while it looked who serves")
        board.publish(number, serving.revisions)


def _config(settings: Settings, app: App) -> uvicorn.Config:
    certificate, key = settings.tls or (None, None)
    return uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing here asks who the client is
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=str(key) if key else None,
    )


class _Server(uvicorn.Server):
    """A server that announces the end of connections before it closes them."""

    def __init__(self, app: App, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.draining = True
        await asyncio.sleep(GOODBYE_SECONDS)
        await super().shutdown(sockets)
