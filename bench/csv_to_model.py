"""From a CSV to a model that has been judged: the whole command, beside what peers take for as many rows.

    .venv/bin/python bench/csv_to_model.py [--rows 1000000] [--rounds 5] [--quick]

Understudy is given one file of all rows, at its default settings: it guesses types, chooses a recipe, learns from 70 %
and judges by 30 %. A peer is given its parts ready: the first 70 % of the same rows to learn from, once, and 30 % of
another seed to score, so that everybody reads, learns and scores as many rows. What a peer cannot do by itself is done
for it by polars, and counted; labels of -1 and 1 are written for Vowpal Wabbit beforehand, and not counted. All log
losses are of the peers' test rows, which nobody learned from; Understudy scores them by `understudy predict`, beside
the clock.
"""

from __future__ import annotations

import csv
import itertools
import math
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from clicks import write_clicks
from measuring import (
    BENCH,
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
    warm,
)

NAME = "csv_to_model"
TITLE = "CSV to model"
TARGET = "clicked"
LEARNED = 0.7
WAYS = {
    "understudy": "Understudy, whole `learn`",
    "vowpal_csv": "Vowpal Wabbit `--csv`, one pass",
    "vowpal_text": "Vowpal Wabbit, one pass, binned, text by polars",
    "sklearn": "scikit-learn, hashing, averaged SGD, binned",
    "polars": "polars, reading alone",
}
CORE = ("extract", "statistics", "train", "evaluate")
"""The stages that stand between a CSV and a scored model: what a peer does, too. Rows become features in the same
reading that gathers statistics, so these cannot be left out."""


def write_rows(folder: Path, rows: int) -> float:
    """Write everybody's files; return the lowest log loss that the test rows allow."""
    learned = round(rows * LEARNED)
    write_clicks(folder / "clicks.csv", rows)
    with (folder / "clicks.csv").open() as whole, (folder / "train.csv").open("w") as part:
        part.writelines(itertools.islice(whole, learned + 1))
    lowest = write_clicks(folder / "test.csv", rows - learned, seed=2).log_loss
    for name in ("train", "test"):
        _write_for_vowpal(folder / f"{name}.csv", folder / f"{name}.vw.csv")
    return lowest


def _write_for_vowpal(file: Path, own: Path) -> None:
    """Copy a file with the name and the labels that Vowpal Wabbit wants."""
    with file.open() as rows, own.open("w") as copy:
        copy.write(next(rows).replace('"', "").replace(TARGET, "_label"))
        copy.writelines(f"-{row.replace('0', '1', 1)}" if row.startswith("0") else row for row in rows)


def understudy(folder: Path, place: Path) -> Figures:
    """Learn in a project of its own, as nobody has learned in it before; leave it for whoever wants to predict."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "clicks.csv").symlink_to(folder / "clicks.csv")
    spent = spend(UNDERSTUDY, "learn", "--json", "--quiet", "--project", project(place / "clicks.csv", TARGET))
    document = spent.document
    stages = {f"stage {name}": seconds for name, seconds in document["seconds"].items() if name != "total"}
    core = sum(document["seconds"][stage] for stage in CORE)
    return {**spent.figures, **stages, "core": core, "own log loss": document["metrics"]["log_loss"]}


def peer(way: str, folder: Path) -> Figures:
    """Learn and score by a way of a peer."""
    return spend(PEERS / "python", BENCH / "peers" / "from_csv.py", way, folder).figures


def log_loss(labels: Iterable[bool], scores: Iterable[float]) -> float:
    """Return the mean loss of scores that are probabilities; none is taken for certain."""
    losses = [
        -math.log(min(max(score if label else 1 - score, 1e-7), 1)) for label, score in zip(labels, scores, strict=True)
    ]
    return sum(losses) / len(losses)


def log_losses(folder: Path, place: Path, ways: Iterable[str]) -> dict[str, float]:
    """Judge everybody's scores of the test rows."""
    with (folder / "test.csv").open() as rows:
        labels = [row.startswith("1") for row in itertools.islice(rows, 1, None)]
    output = folder / "understudy.csv"
    spend(UNDERSTUDY, "predict", "--quiet", "--file", folder / "test.csv", "--output", output, "--project", place)
    with output.open() as rows:
        found = {"understudy": log_loss(labels, [float(row["score:1"]) for row in csv.DictReader(rows)])}
    for way in ways:
        if (folder / f"{way}.scores").exists():
            found[way] = log_loss(labels, map(float, (folder / f"{way}.scores").read_text().split()))
    return found


def measure(run: Run, folder: Path) -> None:
    """Make the rows, take turns, judge the models of the last round."""
    warm(folder)
    run.facts["lowest"] = write_rows(folder, run.sizes["rows"])
    run.facts["mib"] = (folder / "clicks.csv").stat().st_size / 2**20
    place, ways = folder / "project", [way for way in WAYS if way != "understudy"]
    turns = {"understudy": partial(understudy, folder, place), **{way: partial(peer, way, folder) for way in ways}}
    run.take_turns(run.sizes["rounds"], turns)
    run.facts["log_loss"] = log_losses(folder, place, ways)


def tables(run: Run) -> list[Table]:
    """Set everybody's cost beside Understudy's, then where Understudy's own goes."""
    return [_costs(run), _stages(run)]


def _costs(run: Run) -> Table:
    rows = []
    for way, name in WAYS.items():
        if way in run.figures:
            rows.append([name, *_cells(run, way), _loss(run, way)])
        if way == "understudy":
            core = [f"its core: {', '.join(CORE)}", told(run.all_of(way, "core")), "", "", "", "1.00", ""]
            rows += [core] if run.figures.get(way) else []
    header = ("", "wall s", "CPU s", "peak MiB", "times our whole", "times our core", "log loss")
    title = f"{run.sizes['rows']:,} rows of a click log, {run.facts['mib']:,.0f} MiB; {run.sizes['rounds']} rounds"
    notes = [
        f"Log loss of the same test rows for all; no model can be below {run.facts['lowest']:.4f}. Each peer takes one "
        "pass; Understudy chooses among recipes, rates and amounts of regularisation, and takes the passes that help.",
        *absences(run, WAYS),
    ]
    return Table(title, header, rows, notes)


def _cells(run: Run, way: str) -> list[str]:
    costs = [told(run.all_of(way, "wall")), told(run.all_of(way, "cpu")), told(run.all_of(way, "peak_mib"))]
    return [*costs, told(run.ratios("wall", way, "understudy")), told(run.ratios("wall", way, "understudy", "core"))]


def _loss(run: Run, way: str) -> str:
    loss = run.facts["log_loss"].get(way)
    return "" if loss is None else number(loss, 4)


def _stages(run: Run) -> Table:
    """Show where the whole command's time goes; what no stage counts is the process: start, imports, end."""
    figures = run.figures.get("understudy", [])
    stages = [name.removeprefix("stage ") for name in (figures[0] if figures else ()) if name.startswith("stage ")]
    seconds = {stage: run.all_of("understudy", f"stage {stage}") for stage in stages}
    seconds["start, imports, end"] = [each["wall"] - sum(each[f"stage {s}"] for s in stages) for each in figures]
    wall = run.all_of("understudy", "wall")
    rows = [
        [
            stage,
            told(spent),
            told([part / whole * 100 for part, whole in zip(spent, wall, strict=True)], 0),
            told([part / run.sizes["rows"] * 1e9 for part in spent], 0),
        ]
        for stage, spent in seconds.items()
        if spent
    ]
    return Table("The whole command by its stages", ("stage", "s", "% of wall", "ns per row"), rows)


def bars(run: Run) -> list[Bar]:
    """Draw the peers' wall clock."""
    group = f"CSV to model, {run.sizes['rows']:,} rows"
    return [
        Bar(group, name, times)
        for way, name in WAYS.items()
        if way != "understudy" and (times := run.ratios("wall", way, "understudy"))
    ]


def main() -> None:
    """Measure, print, keep."""
    rows = Size(1_000_000, 20_000, "rows of the click log")
    perform(NAME, __doc__, measure, tables, rows=rows, rounds=Size(5, 2, "rounds"))


if __name__ == "__main__":
    main()
