"""Kernels: functions that Numba compiles when they are first called.

Numba takes longer to load than most commands take, and a command that asks for one record, or looks into the catalog,
calls no kernel. So kernels are declared by what stands here under the names of Numba's own, with its options, but loads
it only once a kernel is called.
"""

from __future__ import annotations

import functools
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from understudy.later import Module

_MAKING = threading.RLock()
"""Held while a kernel is made of a function: threads that call it first at once must get the same one."""

_KERNELS: dict[int, Kernel] = {}
"""Kernels by the identity of what Numba made of them, which stands in their place."""

when_compiling: Callable[[], None] | None = None
"""Called once, when a kernel is compiled and not read from the cache: the first such takes a while."""

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
                for name, value in self._around():
                    if isinstance(value, Kernel):
                        around[name] = value.made  # Numba knows its own only
                self._made = self._make(self._function)
                _KERNELS[id(self._made)] = self
                _keep_fresh(self._made, self.stamp)
                if around.get(self._function.__name__) is self:
                    around[self._function.__name__] = self._made
        return self._made

    @functools.cached_property
    def stamp(self) -> str:
        """A digest of what is compiled into the kernel: its source file, constants, and all that it calls."""
        parts = [(name, _stamp(value)) for name, value in self._around()]
        whole = (_file_stamp(self._function.__code__.co_filename), parts)
        return hashlib.sha256(repr(whole).encode()).hexdigest()

    def _around(self) -> list[tuple[str, Any]]:
        """Return what the function reads from around it, but itself, by name."""
        around = self._function.__globals__
        named = [(name, around[name]) for name in sorted({*_names(self._function.__code__)} & around.keys())]
        return [(name, value) for name, value in named if _KERNELS.get(id(value), value) is not self]


def njit(function: Any = None, **options: Any) -> Any:
    """Declare a kernel, with the options of `numba.njit`.

    >>> @njit(nogil=True)
    ... def twice(number):
    ...     return number + number
    >>> twice(21)
    42
    """

    def make(function: Any) -> Any:
        return _numba().njit(**options)(function)

    return functools.partial(Kernel, make=make) if function is None else Kernel(function, make)


@functools.cache
def _numba() -> Any:
    """Load Numba, and listen for the first kernel that it compiles."""
    import numba  # noqa: PLC0415 - the reason of this module
    from numba.core import event  # noqa: PLC0415

    class FirstCompilation(event.Listener):  # type: ignore[misc]  # Numba has no types
        def on_start(self, _: Any) -> None:
            global when_compiling
            say, when_compiling = when_compiling, None
            if say is not None:
                say()

        def on_end(self, _: Any) -> None:
            """Ignore the end."""

    event.register("numba:compile", FirstCompilation())
    return numba


def intrinsic(function: Any) -> Any:
    """Declare an operation of kernels' own that is written in LLVM's language, as `numba.extending.intrinsic` does."""

    def make(function: Any) -> Any:
        from numba.extending import intrinsic as made  # noqa: PLC0415

        return made(function)

    return Kernel(function, make)


def _keep_fresh(made: Any, stamp: str) -> None:
    """Let Numba read a kernel from its cache only where all is as it was: by itself it looks at one source file."""
    file = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if file is not None:
        file._source_stamp = (file._source_stamp, stamp)


def _stamp(value: Any) -> str:
    """Tell apart what a kernel may find around it."""
    kernel = _KERNELS.get(id(value), value)
    if isinstance(kernel, Kernel):
        return kernel.stamp
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    if isinstance(value, int | float | str | tuple | np.generic):
        return repr(value)
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    return _file_stamp(getattr(module, "__file__", None) or "") if module else ""


@functools.cache
def _file_stamp(path: str) -> str:
    try:
        found = Path(path).stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns} {found.st_size}"


def _names(code: CodeType) -> Iterator[str]:
    """Yield the names that a function, with those inside it, reads from around it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
