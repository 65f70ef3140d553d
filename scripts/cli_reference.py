"""Write docs/cli.md: every command with its arguments and options, as its own help tells them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from understudy.cli.app import app

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"

EVERYWHERE = ("--project", "--json", "--quiet", "--version", "--help")
"""Options that every command takes; told once."""

HEAD = """\
# The command line

Written by `make docs` from the commands' own help; `understudy COMMAND --help` says the same.

After every command's name: `--project DIR` (the folder of the project file; left out: here; `init` names the folder
itself), `--json` (one JSON document on standard output, nothing else there), `--quiet`, `--version`, `--help`. Progress
and messages go to standard error.

| Exit code | Means |
|---|---|
| 0 | done; a refused or held challenger is done, too |
| 1 | the work failed; the champion still serves |
| 2 | wrong usage or configuration; nothing has run |
| 3 | `--require-promotion` was given, and the challenger was refused or held |
| 130 | stopped by the keyboard; nothing was changed for those who ask for predictions |
"""


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *("\n".join(section(name, command)) for name, command in app.commands.items())])


def section(name: str, command: Any) -> Iterator[str]:
    """Yield the lines about one command."""
    yield f"## `understudy {name}`\n"
    yield f"{command.help}\n"
    told = [row for parameter in command.params if (row := said_of(parameter))]
    if told:
        yield from ("| | |", "|---|---|", *told, "")


def said_of(parameter: Any) -> str:
    """Return an argument or option as a line of a table; nothing for what all commands take."""
    if set(parameter.opts) & set(EVERYWHERE):
        return ""
    is_option = parameter.param_type_name == "option"
    spelled = parameter.opts[0] if is_option else parameter.metavar
    if is_option and not parameter.is_flag:
        spelled += f" {parameter.metavar or parameter.name.upper()}"
    default = f" Left out: `{parameter.default}`." if isinstance(parameter.default, str | float | Path) else ""
    return f"| `{spelled}` | {parameter.help}{default} |"


if __name__ == "__main__":
    PAGE.write_text(reference())
