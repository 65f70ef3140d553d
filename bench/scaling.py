"""How the whole command grows with its rows: one, three and ten million.

    .venv/bin/python bench/scaling.py [--million 1000000] [--rounds 3] [--quick]

Where time grows as the rows do, ten million take ten times as long as one; the goal is 10.5 times at most. Where memory
is bounded, it stays. Sizes take turns, so a ratio is formed within a round. `--million 10000` tries it at a hundredth.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from clicks import write_clicks
from measuring import (
    UNDERSTUDY,
    Bar,
    Figures,
    Run,
    Size,
    Table,
    absences,
    number,
    perform,
    project,
    spend,
    told,
    warm,
)

NAME = "scaling"
TITLE = "Ten times the rows"
TIMES = (1, 3, 10)
GOAL = 10.5


def learn(folder: Path, times: int) -> Figures:
    """Learn a file in a project of its own, as nobody has learned in it before."""
    place = folder / str(times)
    shutil.rmtree(place / ".understudy", ignore_errors=True)
    spent = spend(UNDERSTUDY, "learn", "--json", "--quiet", "--project", place)
    document = spent.document
    stages = {f"stage {name}": seconds for name, seconds in document["seconds"].items() if name != "total"}
    return {**spent.figures, **stages, "log_loss": document["metrics"]["log_loss"]}


def measure(run: Run, folder: Path) -> None:
    """Write all files, then take turns."""
    warm(folder)
    for times in TIMES:
        (folder / str(times)).mkdir()
        log = write_clicks(folder / str(times) / "clicks.csv", times * run.sizes["million"])
        project(folder / str(times) / "clicks.csv", "clicked")
        run.facts[f"lowest {times}"] = log.log_loss
    run.take_turns(run.sizes["rounds"], {f"understudy {times}": partial(learn, folder, times) for times in TIMES})


def tables(run: Run) -> list[Table]:
    """Show each size, its time for a million rows, and how much more it is than the smallest."""
    rows = []
    for times in TIMES:
        way, count = f"understudy {times}", times * run.sizes["million"]
        wall = run.all_of(way, "wall")
        rows.append(
            [
                f"{count:,}",
                told(wall),
                told([each / count * 1e6 for each in wall]),
                told(run.ratios("wall", way, "understudy 1")),
                told(run.all_of(way, "cpu")),
                told(run.all_of(way, "peak_mib")),
                number(run.figures[way][0]["log_loss"], 4),
                number(run.facts[f"lowest {times}"], 4),
            ]
        )
    header = ("rows", "wall s", "s per million", "times the smallest", "CPU s", "peak MiB", "log loss", "lowest")
    notes = [f"The goal: at most {GOAL} times the smallest for ten times its rows.", *absences(run, {})]
    stages = [name for name in run.figures["understudy 1"][0] if name.startswith("stage ")]
    return [
        Table(f"Whole `learn` of click logs; {run.sizes['rounds']} rounds", header, rows, notes),
        Table(
            "The same by stages, ns per row",
            ("stage", *(f"{times * run.sizes['million']:,} rows" for times in TIMES)),
            [[stage.removeprefix("stage "), *(_per_row(run, stage, times) for times in TIMES)] for stage in stages],
        ),
    ]


def _per_row(run: Run, stage: str, times: int) -> str:
    rows = times * run.sizes["million"]
    return told([seconds / rows * 1e9 for seconds in run.all_of(f"understudy {times}", stage)], 0)


def bars(_: Run) -> list[Bar]:
    """Draw nothing: there is nobody to compare with."""
    return []


def main() -> None:
    """Measure, print, keep."""
    million = Size(1_000_000, 10_000, "rows of the smallest file")
    perform(NAME, __doc__, measure, tables, million=million, rounds=Size(3, 1, "rounds"))


if __name__ == "__main__":
    main()
