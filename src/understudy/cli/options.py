"""Options that every command takes, and how a command prints what it did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from understudy import __version__
from understudy.cli.kernels import place_kernels

if TYPE_CHECKING:
    from rich.console import RenderableType

    from understudy.config import Place, Project


def _print_version(asked: bool) -> None:
    if asked:
        print(f"understudy {__version__}")
        raise typer.Exit


def placing_kernels(folder: Path) -> Path:
    """Choose where compiled kernels are kept as soon as the folder is known: whatever a command loads comes later."""
    place_kernels(folder)
    return folder


ProjectFolder = Annotated[
    Path,
    typer.Option(
        "--project", metavar="DIR", help="Folder of the project file.", show_default="here", callback=placing_kernels
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]
Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
]

HERE = Path()


def load_project(folder: Path) -> Project:
    """Read the project file in `folder`."""
    from understudy.config import load  # noqa: PLC0415 - `--help` must not wait for it

    return load(folder)


def load_place(folder: Path) -> Place | Project:
    """Read the project file in `folder`, or take the folder as Amazon ML and S3 alone."""
    from understudy.config import load_place  # noqa: PLC0415

    return load_place(folder)


def notes(*, quiet: bool) -> Callable[[str], None]:
    """Return what prints a note on standard error, or nothing when quiet."""
    return (lambda _: None) if quiet else lambda text: print(f"note: {text}", file=sys.stderr)


def emit(document: Any, *, as_json: bool, quiet: bool, render: Callable[[Any], RenderableType]) -> None:
    """Print what a command did: the document as JSON, or its screen; nothing when quiet."""
    if as_json:
        import msgspec  # noqa: PLC0415

        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    elif not quiet:
        from understudy.screen import make_console  # noqa: PLC0415

        make_console(sys.stdout).print(render(document))
