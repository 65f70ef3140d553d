"""Threads of a worker for what may take its time, a few for each kind of work: no kind waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Threads:
    """Some threads, started when they are first needed: whoever makes this may still fork."""

    def __init__(self, name: str, number: int) -> None:
        self._executor = ThreadPoolExecutor(number, thread_name_prefix=name)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in one of the threads, as soon as one is free."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)


PREDICTING = Threads("predicting", 4)
"""For predictions that take longer than handing them over does, and for what monitors ask."""
READING = Threads("reading", 8)
"""For what reads and writes the catalog."""
CHANGING = Threads("changing", 8)
"""For changes of who serves: they wait until every worker follows."""
