"""Operations that copy bytes may take minutes: a quick one is answered as any other, a slow one is kept alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from understudy.server.http import Response
from understudy.server.s3.xml import DECLARATION

SECONDS = 10.0
"""How long a client hears nothing, at most."""


async def patiently(work: Coroutine[Any, Any, Response]) -> Response:
    """Return the response of work that is quick; else one that begins now and ends as the work's does.

    Its status is 200 before the outcome is known, and white space keeps the connection, as with Amazon: clients look
    for an error in the document. The work goes on when the client does not; asking again then finds it done.
    """
    task = asyncio.ensure_future(work)
    if (await asyncio.wait([task], timeout=SECONDS))[0]:
        return task.result()
    return Response(200, _kept_alive(task), {"Content-Type": "application/xml"})


async def _kept_alive(task: asyncio.Future[Response]) -> AsyncIterator[bytes]:
    yield DECLARATION
    while not (await asyncio.wait([task], timeout=SECONDS))[0]:
        yield b" "
    body = task.result().body
    assert isinstance(body, bytes)
    yield body.removeprefix(DECLARATION)
