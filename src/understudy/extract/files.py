"""Files here or under s3:// -> one extraction: CSV, Parquet and JSON lines, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from understudy.aws import s3_client
from understudy.errors import ExtractError
from understudy.extract.delimited import read_csv
from understudy.extract.extraction import Extraction, Rejections, check_columns, next_rows
from understudy.extract.jsonlines import read_json_lines
from understudy.extract.window import Readable
from understudy.values import CODED, canonical_batch, canonical_type, coded_schema, conform_batch
from understudy.values.coding import Coder

_COMPRESSED = {".gz": "gzip", ".zst": "zstd"}
_PARQUET = {".parquet", ".pq"}
_JSON_LINES = {".jsonl", ".ndjson", ".json"}

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class _File:
    """One file: where it is, and what messages call it."""

    system: pyarrow.fs.FileSystem
    path: str
    name: str

    @property
    def ending(self) -> str:
        """The ending that tells the format, below that of the compression."""
        path = PurePosixPath(self.path.lower())
        return PurePosixPath(path.stem).suffix if path.suffix in _COMPRESSED else path.suffix

    def open(self) -> Readable:
        """Open the decompressed bytes."""
        compression = _COMPRESSED.get(PurePosixPath(self.path.lower()).suffix)
        stream: Readable = self.system.open_input_stream(self.path, compression=compression)
        return stream


@dataclass(frozen=True)
class _Part:
    """One file of an extraction: its columns, and its rows when they are wanted."""

    file: _File
    schema: pa.Schema
    batches: Callable[[], Batches]


def read_files(
    files: str | Sequence[str],
    root: Path,
    *,
    names: Sequence[str] | None = None,
    encoding: str = "utf-8",
    max_rejected: float = 0.1,
) -> Extraction:
    """Open files as one extraction.

    Parameters
    ----------
    files : paths, globs, folders, or s3://bucket/prefix/, relative to `root`; a glob's and a folder's files in order of
        their names. The ending tells the format: .parquet, .jsonl, else CSV; .gz and .zst are decompressed.
    names : column names of CSV files without a header line.
    encoding : of CSV files.
    max_rejected : share of unreadable lines above which the extraction fails.

    Raises
    ------
    ExtractError : no file is found, one cannot be read, or one lacks a column of the first, or has one more.

    """
    wanted = [files] if isinstance(files, str) else list(files)
    found = [file for pattern in wanted for file in _find(pattern, root)]
    rejected = Rejections()
    parts = [_part(file, names, encoding, rejected) for file in found]
    schema = _common_schema(parts)
    return Extraction(
        schema=schema,
        batches=_chained(parts, schema),
        sources=[file.name for file in found],
        rejected=rejected,
        max_rejected=max_rejected,
    )


def _find(pattern: str, root: Path) -> list[_File]:
    files = _find_in_s3(pattern) if pattern.startswith("s3://") else _find_here(pattern, root)
    if not files:
        raise ExtractError(f"no file matches {pattern!r} (in {root})", "Check the path.")
    return files


def _find_here(pattern: str, root: Path) -> list[_File]:
    path = root / pattern
    if path.is_dir():
        paths = _visible(path.iterdir())
    elif path.exists():
        paths = [path]
    else:
        base = Path(path.anchor) if Path(pattern).is_absolute() else root
        paths = _visible(base.glob(str(path.relative_to(base))))
    here = pyarrow.fs.LocalFileSystem()
    return [_File(here, str(inner), _name(inner, root)) for inner in sorted(paths)]


def _visible(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.is_file() and not path.name.startswith(".")]


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _find_in_s3(url: str) -> list[_File]:
    try:
        path = url.removeprefix("s3://")
        system = s3_client(path.partition("/")[0])
        (info,) = system.get_file_info([path.rstrip("/")])
        infos = [info]
        if info.type != pyarrow.fs.FileType.File:
            infos = system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True, allow_not_found=True))
    except (pa.ArrowException, OSError) as error:
        raise ExtractError(f"{url} cannot be listed: {_first_line(error)}", "Check the address and the keys.") from None
    found = sorted(info.path for info in infos if info.type == pyarrow.fs.FileType.File)
    return [_File(system, path, f"s3://{path}") for path in found]


@contextmanager
def _reading(file: _File) -> Iterator[None]:
    """Say which file it was where one cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ExtractError(
            f"{file.name} cannot be read: {_first_line(error)}", "Check the file; nothing was changed."
        ) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _part(file: _File, names: Sequence[str] | None, encoding: str, rejected: Rejections) -> _Part:
    """Look at a file's columns."""
    if file.ending in _PARQUET:
        with _reading(file):
            return _parquet_part(file)

    def read() -> tuple[list[str], Batches]:
        if file.ending in _JSON_LINES:
            return read_json_lines(file.open(), file.name, rejected)
        return read_csv(file.open(), file.name, rejected, names=names, encoding=encoding)

    with _reading(file):
        columns, _ = read()
    return _Part(file, pa.schema([(column, CODED) for column in columns]), lambda: read()[1])


def _parquet_part(file: _File) -> _Part:
    with pq.ParquetFile(file.system.open_input_file(file.path)) as opened:
        schema = pa.schema([(field.name, canonical_type(_storage(field.type))) for field in opened.schema_arrow])
    schema = coded_schema(schema)
    check_columns(schema.names, file.name)
    return _Part(file, schema, lambda: _parquet_batches(file))


def _storage(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _parquet_batches(file: _File) -> Batches:
    with pq.ParquetFile(file.system.open_input_file(file.path)) as opened:
        coder = Coder()
        for group in range(opened.num_row_groups):
            first = next(opened.iter_batches(next_rows(None), row_groups=[group]), None)
            for batch in opened.iter_batches(next_rows(first), row_groups=[group]):
                yield coder.batch(canonical_batch(batch))


def _common_schema(parts: list[_Part]) -> pa.Schema:
    """Return the columns that all parts have, in the first's order; a type that holds what each has."""
    first = parts[0]
    for part in parts[1:]:
        for column in sorted(set(first.schema.names) ^ set(part.schema.names)):
            verb = "has no" if column in first.schema.names else "has a"
            raise ExtractError(
                f"{part.file.name} {verb} column {column!r}, unlike {first.file.name}",
                "Let all files have the same columns, in any order.",
            )
    return pa.schema([(name, _wider({part.schema.field(name).type for part in parts})) for name in first.schema.names])


def _wider(kinds: set[pa.DataType]) -> pa.DataType:
    if len(kinds) == 1:
        return next(iter(kinds))
    return pa.float64() if kinds <= {pa.int64(), pa.float64()} else CODED


def _chained(parts: list[_Part], schema: pa.Schema) -> Batches:
    columns = [(field.name, field.type) for field in schema]
    for part in parts:
        with _reading(part.file):
            batches = part.batches()
        while True:
            with _reading(part.file):
                batch = next(batches, None)
            if batch is None:
                break
            yield conform_batch(batch, columns)[0]
