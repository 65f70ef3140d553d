"""`serve`: one port for Amazon ML's API, S3 and REST."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from understudy.config import load_place
from understudy.errors import UsageError
from understudy.server.settings import Settings, settings_for

_LOOPBACK = ("127.", "localhost", "::1")


def settings(
    folders: Sequence[Path],
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    certificate: Path | None,
    key: Path | None,
) -> Settings:
    """Read the projects and let the flags override them; raises UsageError and ConfigError."""
    if (certificate is None) != (key is None):
        raise UsageError("--tls-cert and --tls-key belong together", "Give both, or none.")
    tls = (certificate, key) if certificate and key else None
    for file in tls or ():
        if not file.is_file():
            raise UsageError(f"there is no file {file}", "Name the PEM files of certificate and key.")
    return settings_for(list(map(load_place, folders)), host=host, port=port, workers=workers, tls=tls)


def serve(settings: Settings, note: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; progress goes to standard error."""
    from understudy.server.serve import serve as run  # noqa: PLC0415 - flags are checked before all that is loaded

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
    )
    logging.getLogger("understudy").setLevel(logging.INFO)
    if settings.tls is None and not settings.host.startswith(_LOOPBACK):
        note(f"{settings.host} may be reached from elsewhere, and nothing is encrypted: give --tls-cert and --tls-key")
    run(settings, note)
