"""A server that only answers: what uvicorn can do by itself, with uvloop and httptools, as Understudy uses it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

BODY = (
    b'{"Prediction":{"predictedLabel":"1","predictedScores":{"1":0.8732},'
    b'"details":{"Algorithm":"SGD","PredictiveModelType":"BINARY"}}}'
)
HEADERS = [(b"content-type", b"application/x-amz-json-1.1"), (b"content-length", str(len(BODY)).encode())]


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """Read the body to its end, and answer as if there had been a model."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
