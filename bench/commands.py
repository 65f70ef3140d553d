"""What a person waits for: commands from their start to their end, and a server from its start until it is ready.

    .venv/bin/python bench/commands.py [--rounds 7] [--quick]

Each is a fresh process in a fresh project; kernels were compiled once before. Banking is the example's file with all
its rows; Ames lies beside the checkout, or is left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from load import http_request
from measuring import (
    ROOT,
    UNDERSTUDY,
    Bar,
    Figures,
    Run,
    Size,
    Table,
    absences,
    environment,
    perform,
    spend,
    told,
    warm,
)
from servers import Server

NAME = "commands"
TITLE = "Commands"
BANKING = ROOT / "examples" / "banking" / "banking.csv.gz"
AMES = ROOT.parent / "shared" / "data" / "ames_housing" / "ames_housing.csv.gz"
FILES = {"banking": (BANKING, "y"), "ames": (AMES, "SalePrice")}
READY = http_request("GET", "/readyz", {"Host": "127.0.0.1"}, b"")
HELP, SERVE = "understudy --help", "understudy serve"
WAYS = {
    HELP: "`understudy --help`",
    SERVE: "`understudy serve`, start to ready",
    "banking": "`understudy learn`, banking, 41,188 rows",
    "ames": "`understudy learn`, Ames, 2,930 rows",
}


def learn(name: str, folder: Path) -> Figures:
    """Learn a file as nobody has before."""
    file, target = FILES[name]
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / file.name).symlink_to(file)
    (place / "understudy.toml").write_text(
        f'name = "{name}"\n[extract]\nfiles = "{file.name}"\n[data]\ntarget = "{target}"\n'
    )
    return spend(UNDERSTUDY, "learn", "--json", "--quiet", "--project", place).figures


def become_ready(folder: Path) -> Figures:
    """Start a server of a project with a champion; ask it until it is ready."""
    command = [UNDERSTUDY, "serve", "--project", folder, "--workers", 1, "--port"]
    server = Server(lambda port: [*command, port], folder / "serve.log", environment())
    try:
        seconds = server.start(lambda: [READY])
        return {"wall": seconds, "cpu": server.cpu(), "peak_mib": server.memory()}
    finally:
        server.stop()


def measure(run: Run, folder: Path) -> None:
    """Let kernels be compiled, then take turns."""
    warm(folder)
    turns: dict[str, Callable[[], Figures]] = {
        HELP: lambda: spend(UNDERSTUDY, "--help").figures,
        SERVE: partial(become_ready, folder / "warm"),
    }
    for name, (file, _) in FILES.items():
        if file.exists():
            turns[name] = partial(learn, name, folder)
        else:
            run.absent[name] = f"{file.name} is not there"
    run.take_turns(run.sizes["rounds"], turns)


def tables(run: Run) -> list[Table]:
    """Show wall clock, processor and memory."""
    rows = [
        [name, *(told(run.all_of(way, quantity)) for quantity in ("wall", "cpu", "peak_mib"))]
        for way, name in WAYS.items()
        if way in run.figures
    ]
    notes = ["A server's CPU and memory are those of all its processes when it is ready.", *absences(run, WAYS)]
    return [Table(f"Fresh processes; {run.sizes['rounds']} rounds", ("", "wall s", "CPU s", "peak MiB"), rows, notes)]


def bars(_: Run) -> list[Bar]:
    """Draw nothing: there is nobody to compare with."""
    return []


def main() -> None:
    """Measure, print, keep."""
    perform(NAME, __doc__, measure, tables, rounds=Size(7, 2, "rounds"))


if __name__ == "__main__":
    main()
