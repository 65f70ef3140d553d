"""`understudy serve`, put together: what is made before any process starts, and what each of them runs."""

from __future__ import annotations

import contextlib
import gc
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

from understudy.config import Project
from understudy.errors import UnderstudyError
from understudy.folders import PRIVATE, open_to_others
from understudy.forking import forked
from understudy.server.board import Board
from understudy.server.keys import open_keys
from understudy.server.presence import announced, await_orphans, other
from understudy.server.settings import Opened, Settings
from understudy.server.supervisor import Supervisor, listening
from understudy.server.sweeping import sweep
from understudy.store.lock import is_held, try_lock

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client shares its numbers between processes."""

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made below it
_METRICS = "understudy-metrics-"
_YOUNG_SECONDS = 60.0
"""A folder that changed so lately may be another server's that has not locked it yet."""


def serve(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; raises UnderstudyError where that cannot be begun."""
    listener = _listener(settings, say)
    address = url_of(settings, listener.getsockname()[1])
    _prepare(settings)
    with _metrics_folder(settings.folder) as folder, announced(settings.folder, address):
        os.environ[METRICS_FOLDER] = str(folder)  # prometheus-client decides at its import how it counts
        with _sweeping(settings):
            # Loaded while another process sweeps, and before those are forked that share what is loaded.
            from understudy.server.worker import answer_requests  # noqa: PLC0415
        gc.freeze()  # what is loaded is no garbage, and who looked for some in it would copy the memory that all share
        gc.enable()
        board = Board(settings.workers, settings.catalogs)
        Supervisor(
            board,
            answer=lambda number: answer_requests(settings, board, number, listener),
            work=partial(_do_jobs, settings),
        ).run(
            when_ready=lambda: say("\n".join(greeting(settings, address))),
            when_stopping=lambda: say("Stopping; a second Ctrl-C ends at once"),
        )


def _do_jobs(settings: Settings) -> None:
    """Be the process that does jobs, which alone loads what they need."""
    from understudy.server.runner import run_jobs  # noqa: PLC0415

    run_jobs(settings)


def greeting(settings: Settings, address: str) -> list[str]:
    """Return what is said when a server is ready: where it answers, what it serves, and what to do next."""
    here = settings.place.root
    served = [_endpoint(project) for project in settings.projects]
    folder = "" if here == Path.cwd() else f" --project {shlex.quote(str(here))}"
    return [
        f"Understudy answers at {address}",
        f"  serves {', '.join(served)}" if served else f"  no project in {here}: Amazon ML and S3 alone",
        f'  in another terminal: eval "$(understudy env{folder})"; what REST answers: {address}/docs',
    ]


def _endpoint(project: Project) -> str:
    """Tell a project, where it lies, and when it learns."""
    schedule = project.schedule
    when = "" if schedule is None else f"every {schedule.every}" if schedule.every else f"by cron {schedule.cron!r}"
    return f"{project.name} from {project.root}" + (f", learning {when}" if when else "")


def _listener(settings: Settings, say: Callable[[str], None]) -> socket:
    """Return a socket that listens; where a server of the same folder runs already, say so."""
    await_orphans(settings.folder)
    first = other(settings.folder)
    told = f"a server of this folder runs already at {first.url} (process {first.pid})" if first else ""
    try:
        listener = listening(settings.host, settings.port)
    except UnderstudyError as error:
        if first is None or urlsplit(first.url).port != settings.port:
            raise
        raise UnderstudyError(told, f"Stop it first, or take another port. {error.message}.") from None
    if told:
        say(f"note: {told}; both serve the same")
    return listener


def url_of(settings: Settings, port: int) -> str:
    """Return the address at which this server listens."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls else 'http'}://{host}:{port}"


def _prepare(settings: Settings) -> None:
    """Make what every process takes for granted, before there is any: catalogs and a key."""
    opened = Opened(settings)
    for store in opened.stores:
        str(store.catalog)  # made where it is missing
        store.catalog.close()
    keys = open_keys(settings.folder)
    keys.default()
    for warning in (*keys.warnings(), *_open_folders(settings)):
        print(f"warning: {warning}", file=sys.stderr)


@contextlib.contextmanager
def _sweeping(settings: Settings) -> Iterator[None]:
    """Clear away what killed writers left behind while a block runs, in another process; raises UnderstudyError."""
    process = forked(lambda: sweep(settings))
    try:
        yield
    finally:
        _, failed = os.waitpid(process, 0)
    if failed:
        raise UnderstudyError("what killed writers left behind cannot be cleared away", "The reason stands above.")


def _open_folders(settings: Settings) -> Iterator[str]:
    """Say which folders others on this machine can look into."""
    for folder in {place.root / PRIVATE: None for place in settings.places}:
        if open_to_others(folder):
            close = f"chmod 700 {shlex.quote(str(folder))}"
            yield f"{folder} is open to other users, with all that is stored there: `{close}`"


@contextlib.contextmanager
def _metrics_folder(otherwise: Path) -> Iterator[Path]:
    """Give an empty folder for the counters, and clear those of killed servers away.

    It lies in memory where that can be: on a full disk, to count into a mapped file would be a process's death.
    """
    place = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else otherwise
    for left in place.glob(f"{_METRICS}*"):
        if os.access(left, os.W_OK) and _age(left) > _YOUNG_SECONDS and not is_held(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_METRICS, dir=place))
    descriptor = os.open(folder, os.O_RDONLY)
    try_lock(descriptor)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:  # another server was faster
        return 0.0
