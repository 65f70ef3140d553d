"""Options that every command takes, and how a command prints what it did."""

from __future__ import annotations

import gc
import shutil
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from understudy import __version__
from understudy.cli.kernels import place_kernels

if TYPE_CHECKING:
    from rich.console import RenderableType

    from understudy.config import Place, Project

Command = TypeVar("Command", bound=Callable[..., Any])

HERE = Path()

FOLDER = click.Path(path_type=Path)


def placing_kernels(_context: click.Context, _parameter: click.Parameter, folder: Path) -> Path:
    """Choose where compiled kernels are kept as soon as the folder is known: whatever a command loads comes later."""
    place_kernels(folder)
    return folder


in_project = click.option(
    "--project",
    metavar="DIR",
    type=FOLDER,
    default=HERE,
    callback=placing_kernels,
    help="Folder of the project file; left out: here.",
)
as_json = click.option("--json", is_flag=True, help="Print one JSON document on standard output.")
quietly = click.option("--quiet", is_flag=True, help="Say nothing but errors.")
version = click.version_option(
    __version__, prog_name="understudy", message="%(prog)s %(version)s", help="Print the version and exit."
)


def common(command: Command) -> Command:
    """Give a command the options that nearly all take; it gets `project`, `json` and `quiet`."""
    return in_project(as_json(quietly(version(command))))


def at_work() -> None:
    """Let Python look for garbage again: a command has loaded what it needs, and begins (`understudy.cli.main`).

    What was loaded stays as long as the process does, so it is set aside and not looked at any more.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def load_project(folder: Path) -> Project:
    """Read the project file in `folder`, with which a command's work begins."""
    from understudy.config import load  # noqa: PLC0415 - `--help` must not wait for it

    at_work()
    return load(folder)


def load_place(folder: Path) -> Place | Project:
    """Read the project file in `folder`, or take the folder as Amazon ML and S3 alone."""
    from understudy.config import load_place  # noqa: PLC0415

    at_work()
    return load_place(folder)


def notes(*, quiet: bool) -> Callable[[str], None]:
    """Return what prints a note on standard error, or nothing when quiet."""
    return (lambda _: None) if quiet else _note


def _note(text: str) -> None:
    """Print a note, wrapped between words on a terminal; the screen's own means take too long to load for this."""
    line = f"note: {text}"
    if sys.stderr.isatty():
        width, indent = shutil.get_terminal_size().columns, " " * len("note: ")
        line = textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    print(line, file=sys.stderr)


def tell_of_compiling(say: Callable[[str], None]) -> None:
    """Let a command say why it seems to stand still when it is the first on a machine to need a kernel."""
    from understudy import compiling  # noqa: PLC0415

    compiling.when_compiling = lambda: say("compiling kernels: once on this machine, up to 20 seconds or so")


def emit(document: Any, *, as_json: bool, quiet: bool, render: Callable[[Any], RenderableType]) -> None:
    """Print what a command did: the document as JSON, or its screen; nothing when quiet."""
    if as_json:
        import msgspec  # noqa: PLC0415

        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    elif not quiet:
        from understudy.screen.words import make_console  # noqa: PLC0415

        make_console(sys.stdout).print(render(document))
