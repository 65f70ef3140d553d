"""Iterators that work in threads of their own: what is heavy in them runs beside what is heavy in their user.

>>> list(ahead(iter("abc")))
['a', 'b', 'c']
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_DONE = object()

GRACE = 1.0
"""Seconds that a thread is given to end."""


def ahead(items: Iterator[Item], most: int = 2) -> Generator[Item, None, None]:
    """Yield the items in order, made in a thread, at most so many before they are asked for.

    What the iterator raises is raised here, after the items before it. Whoever stops early stops the thread, too, but
    does not wait longer than GRACE for it: it may hang on a source that is closed only then.
    """
    made: queue.Queue[Any] = queue.Queue(most)
    stopped = threading.Event()
    thread = threading.Thread(target=_make, args=(items, made, stopped), daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _DONE:
                return
            yield item
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):
            while True:
                made.get_nowait()  # a thread that waits for room finds some
        thread.join(GRACE)


def starmap_side_by_side(
    function: Callable[..., Result], items: Iterator[tuple[Any, ...]], threads: int = 2
) -> Iterator[Result]:
    """Yield function(*item) of each item in order, so many of them made at a time.

    >>> list(starmap_side_by_side(pow, iter([(2, 3), (3, 2)])))
    [8, 9]
    """
    with ThreadPoolExecutor(threads) as pool:
        made: deque[Future[Result]] = deque()
        for item in items:
            made.append(pool.submit(function, *item))
            if len(made) > threads:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()


def _make(items: Iterator[Any], made: queue.Queue[Any], stopped: threading.Event) -> None:
    try:
        for item in items:
            if stopped.is_set():
                return
            made.put((item, None))
    except BaseException as error:  # noqa: BLE001 - it is raised where the items are used
        made.put((None, error))
    else:
        made.put((_DONE, None))
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
