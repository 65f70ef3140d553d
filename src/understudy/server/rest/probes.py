"""What load balancers, schedulers and Prometheus ask."""

from __future__ import annotations

from typing import Any

from understudy.server import metrics
from understudy.server.http import Response
from understudy.server.rest.problems import Problem
from understudy.server.rest.route import Call
from understudy.server.rest.shapes import Health


async def healthz(_: Call[Any, Any]) -> Health:
    """Say that this process answers."""
    return Health()


async def readyz(call: Call[Any, Any]) -> Health:
    """Say whether requests can be answered."""
    _require_ready(call)
    return Health()


async def ping(call: Call[Any, Any]) -> Health:
    """Say whether a prediction could be answered."""
    _require_ready(call)
    if not any(call.door.serving.champion(name) for name in call.door.by_name):
        raise Problem(503, "NoChampion", "no endpoint has a champion yet", "`understudy learn` makes the first.")
    return Health()


def get_metrics(_: Call[Any, Any]) -> Response:
    """Return the counters as Prometheus reads them."""
    text, media_type = metrics.exposition()
    return Response(200, text, {"Content-Type": media_type})


def _require_ready(call: Call[Any, Any]) -> None:
    if not call.door.ready():
        raise Problem(503, "NotReady", "the server is starting or ending", "Ask again in a moment.")
