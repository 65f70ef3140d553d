import numpy as np

from understudy.freed import _trim, give_back


def test_memory_is_given_back_or_nothing_happens():
    """Whatever the C library, giving back raises nothing and leaves what is in use alone."""
    kept = np.arange(1000)
    give_back()
    _trim.cache_clear()
    give_back()
    assert kept.sum() == 499500
