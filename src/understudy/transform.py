"""The project's own function over batches: its source kept as data, run in isolation, proven row-wise.

A run stores the source of the function's module and of the project's own modules that it imports. A model is always run
with the source of its own run, so two versions live in one process, and neither is found in `sys.modules`.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import hashlib
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from understudy.errors import ConfigError, TransformError
from understudy.later import pc
from understudy.values import CODED, canonical_batch, coded_batch, plain_batch, read_texts

PROOF_ROWS = 200
"""Rows of a sample that are run one by one at most."""

_STANDARD_OUTPUT = threading.RLock()
"""Held while standard output is turned aside: it is one for the whole process, and threads must restore it in order."""

_CONTRACT = "It gets a pyarrow.RecordBatch and returns one, as many rows in the same order."


class TransformSource(msgspec.Struct, frozen=True):
    """A transform function and all of the project's own code behind it."""

    function: str
    """`module:function`."""
    modules: dict[str, str]
    """Source by path below the project's root, with forward slashes."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, as sha256:..."""
        return "sha256:" + hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()


# Collecting ----------------------------------------------------------------------------------------------------------


def collect(root: Path, function: str) -> TransformSource:
    """Read the source of `module:function` below `root`, and of every module below `root` that it imports.

    Imports are read from the source, wherever they stand in it; nothing is run.

    Raises
    ------
    ConfigError : `function` is not module:function, or there is no such module.
    TransformError : a module does not parse, or has no such function.

    """
    module, _, name = function.partition(":")
    if not module or not name.isidentifier():
        raise ConfigError(f"transform.function is {function!r}; expected module:function", "Write features:expand.")
    start = _path_of(root, module)
    if start is None:
        raise ConfigError(
            f"transform.function is {function!r}, but {root} has no {module.replace('.', '/')}.py",
            "Correct the name, or write the module beside the project file.",
        )
    modules: dict[str, str] = {}
    waiting = [module]
    while waiting:
        _collect_one(root, waiting.pop(), modules, waiting)
    if not _defines(_parsed(modules[start], start), name):
        raise TransformError(f"{start} defines no {name!r}", f"Write `def {name}(batch): ...` there.")
    return TransformSource(function, dict(sorted(modules.items())))


def _collect_one(root: Path, module: str, modules: dict[str, str], waiting: list[str]) -> None:
    """Read one module and its packages, where they are the project's own and not yet read; note what they import."""
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        path = _path_of(root, name)
        if path is None or path in modules:
            continue
        try:
            modules[path] = (root / path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise TransformError(f"{path} cannot be read: {error}", "Save it as UTF-8.") from None
        waiting += _imports(_parsed(modules[path], path), name, path.endswith("__init__.py"))


def _path_of(root: Path, module: str) -> str | None:
    """Return the path below `root` that holds a module; None where none does."""
    base = module.replace(".", "/")
    return next((path for path in (f"{base}/__init__.py", f"{base}.py") if (root / path).is_file()), None)


def _parsed(source: str, path: str) -> ast.Module:
    try:
        return ast.parse(source, path)
    except SyntaxError as error:
        raise TransformError(
            f"{path}, line {error.lineno}, column {error.offset}: {error.msg}", "Correct it."
        ) from None


def _imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[str]:
    """Yield the full names of what may be modules in a module's import statements."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ([base] if base else [])
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _defines(tree: ast.Module, name: str) -> bool:
    """Tell whether a module binds `name` somewhere: by def, assignment or import."""
    for node in ast.walk(tree):
        bound = getattr(node, "name", None) if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
        if isinstance(node, ast.alias):
            bound = node.asname or node.name
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound = node.id
        if bound in (name, "*"):
            return True
    return False


# Running -------------------------------------------------------------------------------------------------------------


class Transform:
    """A loaded function: canonical batch in, canonical batch of as many rows out."""

    def __init__(self, source: TransformSource, function: Callable[[pa.RecordBatch], object]) -> None:
        self.source = source
        self._function = function

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Transform one batch; raises TransformError where the function fails or breaks its contract.

        The function never sees coded columns. Where the batch has some, the result's columns of text are coded, too.
        """
        with _running(self.source):
            result = self._function(plain_batch(batch))
        observations = canonical_batch(self._checked(result, batch.num_rows))
        return coded_batch(observations) if CODED in batch.schema.types else plain_batch(observations)

    def _checked(self, result: object, rows: int) -> pa.RecordBatch:
        name = self.source.function
        if not isinstance(result, pa.RecordBatch):
            raise TransformError(
                f"{name} returned a {type(result).__name__}; expected a pyarrow.RecordBatch",
                "Return pa.RecordBatch.from_arrays(...) or the batch it was given.",
            )
        if result.num_rows != rows:
            raise TransformError(
                f"{name} returned {result.num_rows:,} rows for {rows:,}; expected as many as it was given",
                "Leave rows out in the query, not in the transform function.",
            )
        names = result.schema.names
        doubles = sorted({column for column in names if names.count(column) > 1})
        if doubles or not names:
            found = f"more than one column {doubles[0]!r}" if doubles else "no columns"
            raise TransformError(f"{name} returned {found}", "Return every column once.")
        return result


def load(source: TransformSource) -> Transform:
    """Run the stored modules' top level, in isolation, and return the function; raises TransformError."""
    import pyarrow.compute  # noqa: F401, PLC0415 - a function may look for it as `pa.compute` without loading it

    module, _, name = source.function.partition(":")
    with _running(source):
        function = getattr(_Importer(source).module(module), name, None)
    if not callable(function):
        raise TransformError(f"{source.function} is no function", f"Write `def {name}(batch): ...`.")
    return Transform(source, function)


@contextlib.contextmanager
def _running(source: TransformSource) -> Iterator[None]:
    """Run the project's code: what it raises becomes a TransformError, what it prints goes to standard error.

    Standard output belongs to the command's own document.
    """
    with _STANDARD_OUTPUT, contextlib.redirect_stdout(sys.stderr):
        try:
            yield
        except SystemExit as error:
            message = f"{_place(source, error)}: the transform function called sys.exit"
            raise TransformError(message, f"Raise an exception, or return a batch. {_CONTRACT}") from None
        except Exception as error:  # noqa: BLE001 - the project's code may raise whatever it likes
            raise _failure(source, error) from None


class _Importer:
    """Serves `import` inside stored modules: the stored ones first, everything else as Python does."""

    def __init__(self, source: TransformSource) -> None:
        self._sources = {_module_name(path): (path, text) for path, text in source.modules.items()}
        self._prefix = f"understudy_transform_{source.digest[7:23]}_{id(self):x}"
        self._loaded: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self.import_name}

    def import_name(
        self,
        name: str,
        scope: Mapping[str, Any] | None = None,
        _locals: Mapping[str, Any] | None = None,
        wanted: tuple[str, ...] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Stand in for the built-in `__import__`."""
        if level:
            package = (scope or {})["__package__"].split(".")
            name = ".".join([*package[: len(package) - level + 1], *([name] if name else [])])
        if not self._has(name.partition(".")[0]):
            return builtins.__import__(name, scope, _locals, wanted or (), 0)
        module = self.module(name)
        if not wanted:
            return self.module(name.partition(".")[0])
        for part in wanted if hasattr(module, "__path__") else ():
            if self._has(f"{name}.{part}"):
                self.module(f"{name}.{part}")
        return module

    def module(self, name: str) -> ModuleType:
        """Return a stored module, its packages first, each run once."""
        if name in self._loaded:
            return self._loaded[name]
        parent, _, last = name.rpartition(".")
        if parent:
            self.module(parent)
        if not self._has(name):
            raise ModuleNotFoundError(f"No module named {name!r} was stored with this transform", name=name)
        module = self._run(name)
        if parent:
            setattr(self._loaded[parent], last, module)
        return module

    def _has(self, name: str) -> bool:
        """Tell whether a name is stored: a module, a package, or a folder above one."""
        return name in self._sources or any(stored.startswith(f"{name}.") for stored in self._sources)

    def _run(self, name: str) -> ModuleType:
        path, text = self._sources.get(name, (name.replace(".", "/") + "/__init__.py", ""))
        module = ModuleType(f"{self._prefix}.{name}")
        is_package = path.endswith("__init__.py")
        module.__package__ = name if is_package else name.rpartition(".")[0]
        module.__file__ = path
        if is_package:
            module.__path__ = []
        vars(module)["__builtins__"] = self._builtins
        self._loaded[name] = module
        # dataclasses look their module up while they are made: it is there for that time, under a name of its own.
        sys.modules[module.__name__] = module
        try:
            exec(compile(text, path, "exec", dont_inherit=True), vars(module))  # noqa: S102 - what this module is for
        except BaseException:
            del self._loaded[name]
            raise
        finally:
            del sys.modules[module.__name__]
        return module


def _module_name(path: str) -> str:
    parts = PurePosixPath(path).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _failure(source: TransformSource, error: Exception) -> TransformError:
    """Say in one line where in the project's own code an error came from."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
    if isinstance(error, SyntaxError):
        return TransformError(f"{error.filename}, line {error.lineno}: {error.msg}", "Correct it.")
    return TransformError(f"{_place(source, error)}: {said}", _CONTRACT)


def _place(source: TransformSource, error: BaseException) -> str:
    """Return file and line of the project's own code that an error came through last."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in source.modules]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else source.function


# The proof -----------------------------------------------------------------------------------------------------------


def prove_row_wise(transform: Transform, sample: pa.RecordBatch, target: str | None) -> None:
    """Show on a sample that a row's observation hangs on that row alone, and not on the target.

    The sample (its first `PROOF_ROWS` rows) is run as one batch, one by one, backwards, and without the target column.

    Raises
    ------
    TransformError : two of these differ; names row and column.

    """
    sample = sample.slice(0, PROOF_ROWS)
    whole = transform(sample)
    for row in range(sample.num_rows):
        _compare(transform, whole.slice(row, 1), transform(sample.slice(row, 1)), row, "on its own")
    backwards = pa.array(np.arange(sample.num_rows)[::-1])
    _compare(transform, whole, transform(sample.take(backwards)).take(backwards), 0, "in a batch in reverse order")
    if target is None or target not in sample.schema.names:
        return
    try:
        blind = transform(sample.drop_columns([target]))
    except TransformError as error:
        raise TransformError(
            f"without the target column {target!r}, {error.message}",
            f"Rows to be predicted have no target: use it only `if {target!r} in batch.schema.names`.",
        ) from None
    kept = [name for name in whole.schema.names if name != target]
    blind = blind.select([name for name in blind.schema.names if name != target])
    _compare(transform, whole.select(kept), blind, 0, f"without the target column {target!r}")


def _compare(transform: Transform, expected: pa.RecordBatch, found: pa.RecordBatch, first: int, how: str) -> None:
    name = transform.source.function
    hint = "Let it look at each row alone: no totals, no state between calls, no random numbers."
    if expected.schema.names != found.schema.names:
        raise TransformError(
            f"{name} gives the columns {expected.schema.names} in a batch, and {found.schema.names} {how}", hint
        )
    for column in expected.schema.names:
        texts, others = read_texts(expected.column(column)), read_texts(found.column(column))
        differing = pc.indices_nonzero(pc.not_equal(texts, others))
        if len(differing):
            row = differing[0].as_py()
            raise TransformError(
                f"{name} gives {texts[row].as_py()!r} for column {column!r} of row {first + row + 1} in a batch, and "
                f"{others[row].as_py()!r} {how}",
                hint,
            )
