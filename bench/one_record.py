"""One record in process: predict, then learn, over and over, beside river and Vowpal Wabbit.

    .venv/bin/python bench/one_record.py [--rows 20000] [--known 5000] [--rounds 5] [--quick]

Records of the click log: eight numbers, twelve categories. *From a record* begins with names and texts, as a request
brings them, for the prediction and again for the learning; *from features* begins with what the learner itself takes.
All know the first records already; the log loss is that of the answers, each given before its record was learned. Last
stands a project's model, which learned other rows before and only predicts: what the server asks.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from clicks import write_clicks
from measuring import (
    BENCH,
    OUR_PYTHON,
    PEERS,
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
)

NAME = "one_record"
TITLE = "One record in process"
BEGINNINGS = {"features": "from features", "record": "from a record"}
LEARNERS = {
    "understudy": "Understudy",
    "vowpal": "Vowpal Wabbit",
    "river_adagrad": "river, AdaGrad",
    "river_sgd": "river, SGD",
}
MODEL = "understudy model"
WAYS = {f"{who} {where}": f"{name}, {said}" for where, said in BEGINNINGS.items() for who, name in LEARNERS.items()}
WAYS[MODEL] = "Understudy's model, from a record"
PROJECT_ROWS = 30_000
"""Rows that the project learns, for its recipe."""


def turn(way: str, folder: Path, known: int, rows: int) -> Figures:
    """Let one learner go through all rows, in a process of its own."""
    who, _, where = way.partition(" ")
    ours = [OUR_PYTHON, BENCH / "ours" / "records.py", where]
    command = ours if who == "understudy" else [PEERS / "python", BENCH / "peers" / "records.py", way]
    spent = spend(*command, folder, known, rows)
    return {**spent.document, "peak_mib": spent.peak_mib}


def measure(run: Run, folder: Path) -> None:
    """Make the rows, let a project choose a recipe, take turns."""
    known, rows = run.sizes["known"], run.sizes["rows"]
    write_clicks(folder / "clicks.csv", PROJECT_ROWS)
    write_clicks(folder / "records.csv", known + rows, seed=2)
    spend(UNDERSTUDY, "learn", "--quiet", "--project", project(folder / "clicks.csv", "clicked"))
    turn("understudy record", folder, 1_000, 100)  # kernels are compiled once, and not for the clock
    run.take_turns(run.sizes["rounds"], {way: partial(turn, way, folder, known, rows) for way in WAYS})


def tables(run: Run) -> list[Table]:
    """Show microseconds, median and 99th percentile of all records, and how they compare."""
    rows = []
    for way, name in WAYS.items():
        if way in run.figures:
            spent = [
                told(run.all_of(way, f"{what} {share}")) for what in ("predict", "both") for share in ("p50", "p99")
            ]
            loss = number(run.figures[way][0]["log_loss"], 4)
            rows.append([name, *spent, told(_times(run, way)), loss])
    header = ("microseconds", "predict p50", "p99", "predict and learn p50", "p99", "times ours p50", "log loss")
    sizes = run.sizes
    title = f"{sizes['rows']:,} records after {sizes['known']:,} known ones; {sizes['rounds']} rounds"
    return [Table(title, header, rows, absences(run, WAYS))]


def _times(run: Run, way: str) -> list[float]:
    """Compare with Understudy from the same beginning."""
    return [] if way == MODEL else run.ratios("both p50", way, f"understudy {way.partition(' ')[2]}")


def bars(run: Run) -> list[Bar]:
    """Draw predict and learn of every peer."""
    return [
        Bar("One record, predict and learn", name, times)
        for way, name in WAYS.items()
        if not way.startswith("understudy") and (times := _times(run, way))
    ]


def main() -> None:
    """Measure, print, keep."""
    perform(
        NAME,
        __doc__,
        measure,
        tables,
        rows=Size(20_000, 1_000, "records to go through"),
        known=Size(5_000, 1_000, "rows learned before"),
        rounds=Size(5, 2, "rounds"),
    )


if __name__ == "__main__":
    main()
