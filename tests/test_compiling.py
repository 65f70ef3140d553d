"""Kernels: compiled when they are first called, and not loaded before."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from understudy import compiling as nb
from understudy.compiling import Kernel

PACKAGE = Path(nb.__file__).parent


@nb.njit(inline="always")
def add_one(number):
    """Be called by kernels alone."""
    return number + 1


@nb.njit
def sum_of(values):
    """Call another kernel, within an expression that is a function of its own."""
    return sum([add_one(value) for value in values])


@nb.njit(nogil=True)
def first_of(values):
    """Be first called by several threads."""
    return values[0]


def test_numba_is_loaded_by_the_first_call():
    """To import modules that declare kernels loads no Numba; to call a kernel does."""
    program = """
import sys
from understudy.hashing import hash_text, hash_words
import understudy.extract, understudy.prediction, understudy.statistics, numpy
print("numba" in sys.modules)
hash_words(numpy.zeros(1, numpy.uint64), 1)
print("numba" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["False", "True"]


def test_first_compilation_is_told_once(tmp_path):
    """Who waits for kernels to be compiled is told so once, and never while they are read from the cache."""
    program = """
import numpy
from understudy import compiling
from understudy.hashing import hash_words
compiling.when_compiling = lambda: print("compiling")
hash_words(numpy.zeros(1, numpy.uint64), 1)
compiling.njit(lambda number: number + 1)(1)
"""
    cached = program.rpartition("compiling.njit")[0]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    def told(text):
        run = [sys.executable, "-c", text]
        return subprocess.run(run, check=True, capture_output=True, text=True, env=environment).stdout

    assert told(program) == "compiling\n"
    assert told(cached) == ""


def test_kernels_are_declared_by_this_module_alone():
    """Numba itself is named where it is handed kernels, where its types are extended, and where its version is told."""
    import_ = re.compile(r"^\s*(?:import|from) numba\b", re.MULTILINE)
    naming = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if import_.search(file.read_text())}
    assert naming == {"compiling.py", "learner/lanes.py", "pipeline/versions.py"}


def test_kernel_calls_kernels():
    """A kernel may call others that are declared likewise, from this module or another one."""
    assert sum_of(np.array([1, 2])) == 5


def test_name_of_a_kernel_that_was_called_is_the_compiled_one():
    """Whoever calls a kernel again by the name of its declaration calls what Numba made, with nothing between."""
    sum_of(np.array([1]))
    assert not isinstance(globals()["sum_of"], Kernel)
    assert not isinstance(globals()["add_one"], Kernel)


def test_threads_share_what_is_compiled():
    """Threads that call a kernel first at once get the same one: nothing is compiled twice."""
    kernel = first_of
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: kernel.made, range(4)))
    assert len(set(map(id, made))) == 1
    assert kernel(np.array([7])) == 7


def test_mistake_in_a_kernel_is_told_by_numba():
    """What Numba cannot compile is said by Numba, at the call."""
    from numba.core.errors import TypingError  # noqa: PLC0415 - to import this file must not load it

    @nb.njit
    def wrong(values):
        return values.no_such_thing

    with pytest.raises(TypingError, match="no_such_thing"):
        wrong(np.array([1]))


CALLER = """
from understudy import compiling as nb
from called import SCALE, step

@nb.njit(cache=True)
def walk(number):
    return step(number) * SCALE

print(walk(1), sum(nb._KERNELS[id(walk)].made.stats.cache_hits.values()))
"""
CALLED = """
from understudy import compiling as nb
SCALE = {scale}

@nb.njit
def step(number):
    return number + {far}
"""


def test_kernel_is_compiled_anew_when_what_it_calls_changes(tmp_path):
    """A kernel is read from the cache as long as it, its constants and all that it calls are as they were."""
    (tmp_path / "caller.py").write_text(CALLER)

    def walked(scale, far):
        text = CALLED.format(scale=scale, far=far)
        if not (tmp_path / "called.py").exists() or (tmp_path / "called.py").read_text() != text:
            (tmp_path / "called.py").write_text(text)
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        run = [sys.executable, "caller.py"]
        return subprocess.run(run, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment).stdout

    assert walked(1, 1) == "2 0\n"
    assert walked(1, 1) == "2 1\n"
    assert walked(1, 20) == "21 0\n"
    assert walked(30, 20) == "630 0\n"
    assert walked(30, 20) == "630 1\n"


def test_stamps_of_kernels_are_the_same_in_every_process():
    """Nothing that changes from process to process is in a stamp, for then every one would compile everything."""
    program = """
import gc, understudy.pipeline, understudy.recipe.program, understudy.learner.live
from understudy.compiling import Kernel
kernels = [each for each in gc.get_objects() if isinstance(each, Kernel)]
print(len(kernels), *sorted(each.stamp for each in kernels))
"""
    run = [sys.executable, "-c", program]
    one, other = (
        subprocess.run(
            run, check=True, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    )
    assert int(one.split()[0]) > 100
    assert one == other
