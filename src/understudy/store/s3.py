"""A bucket of S3, or of a server that speaks its language: keys below one prefix, and what went wrong in our words."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.fs

from understudy.aws import s3_client
from understudy.errors import StoreError

_BUFFER = 4 << 20
"""Bytes that one request brings at least: each costs its way there and back."""

_RIGHTS = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (or the profile), and what they may do in this bucket."
_IN_WORDS = {
    "NO_SUCH_BUCKET": ("there is no such bucket", "Create it, or correct [store] objects."),
    "NETWORK_CONNECTION": ("the server cannot be reached", "Check the network, AWS_ENDPOINT_URL and AWS_REGION."),
    "UNKNOWN (HTTP status 301)": ("the bucket is in another region", "Let AWS_REGION name it."),
    "ACCESS_DENIED": ("access was refused", _RIGHTS),
    "INVALID_ACCESS_KEY_ID": ("the access key is not known there", _RIGHTS),
    "SIGNATURE_DOES_NOT_MATCH": ("the secret key does not fit the access key", _RIGHTS),
}


class Entry(msgspec.Struct, frozen=True):
    """One key of a listing."""

    key: str
    changed: datetime


class Bucket:
    """The keys below a prefix, `s3://bucket/prefix`; reached at the first use.

    Every method raises StoreError where the server cannot be reached or refuses, after a bounded number of tries.
    """

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self._base = self.location.removeprefix("s3://")

    def has(self, key: str) -> bool:
        """Tell whether there is an object under a key."""
        with self._told(key):
            info = self._system.get_file_info(self._path(key))
        return bool(info.type == pyarrow.fs.FileType.File)

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading from any place; raises FileNotFoundError where there is none."""
        with self._told(key):
            file = self._system.open_input_file(self._path(key))
        return io.BufferedReader(_Stream(file, partial(self._told, key)), _BUFFER)

    def put(self, key: str, data: Path | bytes) -> None:
        """Write a file's bytes, or these, under a key: all of them or none.

        Closing pyarrow's stream completes the upload, whatever was written until then, and nothing aborts it. So the
        bytes are handed over in one call, by a thread of its own, which no signal interrupts between the two.
        """
        with self._told(key), ThreadPoolExecutor(1) as pool:
            pool.submit(self._send, key, data).result()

    def list(self, folder: str = "") -> list[Entry]:
        """Return all objects whose key is below `folder`."""
        path = self._path(folder) if folder else self._base
        with self._told(folder):
            infos = self._system.get_file_info(pyarrow.fs.FileSelector(path, recursive=True, allow_not_found=True))
        files = [info for info in infos if info.type == pyarrow.fs.FileType.File]
        return [Entry(info.path.removeprefix(f"{self._base}/"), info.mtime) for info in files]

    def delete(self, key: str) -> None:
        """Remove an object; one that does not exist is no error."""
        with self._told(key), contextlib.suppress(FileNotFoundError):
            self._system.delete_file(self._path(key))

    def delete_below(self, folder: str) -> None:
        """Remove all objects whose key is below `folder`."""
        with self._told(folder), contextlib.suppress(FileNotFoundError):
            self._system.delete_dir(self._path(folder))

    @cached_property
    def _system(self) -> Any:
        """Connect; a bucket that does not exist is found here, where a missing key tells nothing about it."""
        bucket = self._base.partition("/")[0]
        system = s3_client(bucket)
        if system.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound:
            raise StoreError(f"{self.location} cannot be used: there is no such bucket", _IN_WORDS["NO_SUCH_BUCKET"][1])
        return system

    def _path(self, key: str) -> str:
        return f"{self._base}/{key}"

    def _send(self, key: str, data: Path | bytes) -> None:
        with _buffer(data) as buffer, self._system.open_output_stream(self._path(key)) as stream:
            stream.write(buffer)

    @contextlib.contextmanager
    def _told(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, pa.ArrowException) as error:
            raise self._failed(key, error) from None

    def _failed(self, key: str, error: Exception) -> StoreError:
        """Say what went wrong at a key; of the server's words only its code, which holds nothing confidential."""
        code = re.search(r"AWS Error (\w+(?: \(HTTP status \d+\))?)", str(error))
        if code:
            reason, hint = _IN_WORDS.get(code[1], (f"the server answered {code[1]}", "Try again."))
        else:
            reason, hint = str(error).partition("\n")[0], "Check [store] objects and AWS_ENDPOINT_URL."
        return StoreError(f"{self.location}/{key} cannot be reached: {reason}", hint)


class _Stream(io.RawIOBase):
    """An object of a bucket as Python's own kind of file."""

    def __init__(self, file: Any, told: Callable[[], contextlib.AbstractContextManager[None]]) -> None:
        self._file = file
        self._told = told

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._told():
            return int(self._file.readinto(buffer))

    def readall(self) -> bytes:
        with self._told():  # Python's own asks for a few thousand bytes at a time
            return bytes(self._file.read())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()


@contextlib.contextmanager
def _buffer(data: Path | bytes) -> Iterator[Any]:
    """Give bytes to send in one call; a file is mapped, not read."""
    if isinstance(data, bytes) or not data.stat().st_size:
        yield pa.py_buffer(data if isinstance(data, bytes) else b"")
        return
    with pa.memory_map(str(data)) as file:
        yield file.read_buffer()
