import numpy as np

from learner.test_kernels import inverse_root
from understudy import compiling as nb
from understudy.learner.lanes import highest, lanes16, load, store, total
from understudy.learner.lanes import inverse_root as root_of_lanes


@nb.njit
def roots(numbers, out):
    """Estimate the inverse roots of sixteen numbers."""
    store(out.ctypes.data, root_of_lanes(load(lanes16(), numbers.ctypes.data)))


@nb.njit
def reduced(numbers):
    """Return the highest of sixteen numbers, and their sum."""
    lanes = load(lanes16(), numbers.ctypes.data)
    return highest(lanes), total(lanes)


def test_inverse_root_is_off_by_less_than_a_thousandth():
    """From sums of 1, where they start, to a billion, the estimate is within 7e-4 of the root, and that of its twin."""
    numbers = np.geomspace(1, 1e9, 16 * 500).astype(np.float32)
    out = np.empty_like(numbers)
    for first in range(0, len(numbers), 16):
        roots(numbers[first : first + 16], out[first : first + 16])
    np.testing.assert_allclose(out, inverse_root(numbers), rtol=1e-6)
    np.testing.assert_allclose(out, 1 / np.sqrt(numbers.astype(float)), rtol=7e-4)


def test_lanes_are_reduced_to_the_highest_and_to_their_sum():
    """One number is made of sixteen: the highest wherever it stands, and the sum of all."""
    for place in range(16):
        numbers = -np.arange(1, 17, dtype=np.float32)
        numbers[place] = 3
        assert reduced(numbers) == (3, numbers.sum())
