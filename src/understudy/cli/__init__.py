"""The command line: commands that call and print, and the one place where errors become exit codes.

Progress and messages go to standard error. With --json standard output holds one JSON document and nothing else.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback

from understudy.errors import UnderstudyError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Be the process of one command: run it, and exit with its code.

    What is loaded at the start is no garbage, and what is left at the end goes with the process: to look for garbage
    in it would take a short command a third of its time. `options.at_work` tells when looking is of use.
    """
    gc.disable()
    try:
        run()
    finally:
        gc.freeze()


def run() -> None:
    """Run the command that the arguments ask for, and exit with its code."""
    import click  # noqa: PLC0415 - its loading, too, is within `main`

    from understudy.cli.app import app  # noqa: PLC0415

    try:
        sys.exit(app.main(prog_name="understudy", standalone_mode=False))
    except UnderstudyError as error:
        _say(type(error).__name__, error.message, error.hint)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "understudy"
        _say("UsageError", error.format_message(), f"`{command} --help` tells what there is.")
        sys.exit(error.exit_code)
    except click.Abort:
        _say("Interrupted", "stopped by you; the champion still serves")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        _say("OutOfMemory", "the machine has not enough memory for this", "The champion still serves.")
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the boundary: a mistake of ours must not look like one of the user's
        if os.environ.get("UNDERSTUDY_DEBUG"):
            traceback.print_exc()
        _say(
            "InternalError",
            f"a mistake of Understudy's own: {type(error).__name__}: {error}",
            "The champion still serves. UNDERSTUDY_DEBUG=1 shows where it happened; please report it.",
        )
        sys.exit(1)


def _say(code: str, message: str, hint: str = "") -> None:
    """Print an error: as text on standard error and, where --json was asked for, as a document on standard output."""
    print(f"understudy: {message}", file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)
    if "--json" in sys.argv[1:]:
        print(json.dumps({"error": {"code": code, "message": message, "hint": hint}}, ensure_ascii=False))
