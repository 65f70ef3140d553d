"""Kernels: functions that Numba compiles when they are first called.

Numba takes longer to load than most commands take, and a command that asks for one record, or looks into the catalog,
calls no kernel. So kernels are declared by what stands here under the names of Numba's own, with its options, but loads
it only once a kernel is called.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

from understudy.later import Module

_MAKING = threading.RLock()
"""Held while a kernel is made of a function: threads that call it first at once must get the same one."""


types, cgutils = Module("numba.core.types"), Module("numba.core.cgutils")
"""What the bodies of intrinsics are written with."""


class Kernel:
    """A function that Numba compiles, or reads from its cache, when it is first called."""

    def __init__(self, function: Any, make: Callable[[Any], Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._make = make
        self._made: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Call what Numba made."""
        return (self._made or self.made)(*arguments)

    @property
    def made(self) -> Any:
        """What Numba makes of the function. From then on it stands in the place of this under the function's name."""
        with _MAKING:
            if self._made is None:
                around = self._function.__globals__
                for name in set(_names(self._function.__code__)):
                    if isinstance(around.get(name), Kernel) and around[name] is not self:
                        around[name] = around[name].made  # Numba knows its own only
                self._made = self._make(self._function)
                if around.get(self._function.__name__) is self:
                    around[self._function.__name__] = self._made
        return self._made


def njit(function: Any = None, **options: Any) -> Any:
    """Declare a kernel, with the options of `numba.njit`.

    >>> @njit(nogil=True)
    ... def twice(number):
    ...     return number + number
    >>> twice(21)
    42
    """

    def make(function: Any) -> Any:
        import numba  # noqa: PLC0415 - the reason of this module

        return numba.njit(**options)(function)

    return functools.partial(Kernel, make=make) if function is None else Kernel(function, make)


def intrinsic(function: Any) -> Any:
    """Declare an operation of kernels' own that is written in LLVM's language, as `numba.extending.intrinsic` does."""

    def make(function: Any) -> Any:
        from numba.extending import intrinsic as made  # noqa: PLC0415

        return made(function)

    return Kernel(function, make)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that a function, with those inside it, reads from around it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
