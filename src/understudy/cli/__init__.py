"""The command line: commands that call and print, and the one place where errors become exit codes.

Progress and messages go to standard error. With --json standard output holds one JSON document and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from understudy.errors import UnderstudyError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run the command that the arguments ask for, and exit with its code."""
    from understudy.cli.app import app  # noqa: PLC0415 - errors of usage need nothing of the house

    try:
        app()
    except UnderstudyError as error:
        _say(type(error).__name__, error.message, error.hint)
        sys.exit(error.exit_code)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            _say("Interrupted", "stopped by you; the champion still serves")
        raise
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
