import threading
import time

import pytest

from understudy.ahead import ahead, starmap_side_by_side


def test_items_come_in_order():
    """What is made ahead comes in the order in which it was made."""
    assert list(ahead(iter(range(1000)))) == list(range(1000))


def test_error_comes_after_the_items_before_it():
    """An error in the iterator is raised where the items are used, once those before it have come."""

    def failing():
        yield 1
        yield 2
        raise ValueError("the source broke")

    seen = []
    with pytest.raises(ValueError, match="the source broke"):
        seen.extend(iter_into(seen, ahead(failing())))
    assert seen == [1, 2]


def iter_into(seen, items):
    """Put items into a list one by one."""
    for item in items:
        seen.append(item)
    return []


def test_who_stops_early_stops_the_thread_and_closes_the_iterator():
    """After the first item the maker is stopped, its cleanup has run, and no thread is left."""
    closed = threading.Event()

    def endless():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    before = threading.active_count()
    items = ahead(endless())
    assert next(items) == 0
    items.close()
    assert closed.is_set()
    assert threading.active_count() == before


def test_no_more_is_made_than_asked_for():
    """A slow user finds at most so many items made, and one in the making."""
    made = []

    def noted():
        for number in range(100):
            made.append(number)
            yield number

    items = ahead(noted(), most=3)
    next(items)
    time.sleep(0.05)
    assert len(made) <= 5
    items.close()


def test_functions_side_by_side_give_their_results_in_order():
    """Whatever takes longest, results come in the order of the items; what one raises is raised in its place."""

    def slow_at_first(number):
        time.sleep(0.02 if number == 0 else 0)
        if number == 7:
            raise ValueError("the seventh")
        return number * number

    seen = []
    with pytest.raises(ValueError, match="the seventh"):
        seen.extend(
            iter_into(seen, starmap_side_by_side(slow_at_first, ((number,) for number in range(20)), threads=3))
        )
    assert seen == [0, 1, 4, 9, 16, 25, 36]
