"""A hundred classes: Understudy's learner and scikit-learn's multinomial L-BFGS on the very same features.

    .venv/bin/python bench/many_classes.py [--rows 500000] [--passes 10] [--iterations 100] [--rounds 3] [--quick]

Numbers of insurance policies (`bench/policies.py`) become features by one fixed recipe, beside the clock. Then each
learns from arrays in memory; log loss and accuracy are of other numbers. scikit-learn tells how low its loss is after
every iteration, so the time to Understudy's loss is exact; where it never gets there, its lowest loss is told.
The whole command is shown, too: it reads the CSV, guesses types, tries recipes, and judges 30 % of the rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

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
from policies import write_policies

NAME = "many_classes"
TITLE = "A hundred classes"
LEARNER, SKLEARN, COMMAND = "understudy learner", "sklearn", "understudy command"
WAYS = {
    LEARNER: "Understudy's learner",
    SKLEARN: "scikit-learn, multinomial L-BFGS",
    COMMAND: "Understudy, whole `learn` from CSV",
}
DIGITS = "CATEGORICAL"
"""What a digit of a number is: a sign, not a quantity."""


def learner(folder: Path, passes: int) -> Figures:
    """Learn from arrays in a process of its own."""
    spent = spend(OUR_PYTHON, BENCH / "ours" / "classes.py", "learn", folder, passes)
    return {**spent.figures, **spent.document}


def sklearn(folder: Path, iterations: int, run: Run) -> Figures:
    """Fit from the same arrays; find out when it was as good as Understudy."""
    spent = spend(PEERS / "python", "-W", "ignore", BENCH / "peers" / "classes.py", folder, iterations)
    found = spent.document
    at, loss, accuracy = min(found["curve"], key=lambda point: point[1])
    best = {"log_loss": loss, "accuracy": accuracy, "to its lowest": at}
    figures = {**spent.figures, **best, "seconds": found["fit"]}
    reached = when_reached(found["curve"], run.figures[LEARNER][-1]["log_loss"])
    return {**figures, "iterations": found["iterations"], **({"to ours": reached} if reached is not None else {})}


def when_reached(curve: Sequence[Sequence[float]], loss: float) -> float | None:
    """Return the seconds of the first point (seconds, loss, ...) whose loss is no higher; None where there is none."""
    return next((point[0] for point in curve if point[1] <= loss), None)


def command(folder: Path, place: Path, passes: int) -> Figures:
    """Run the whole command in a project of its own."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    (place / "policies.csv").symlink_to(folder / "policies.csv")
    types = "".join(f'digit_{digit} = "{DIGITS}"\n' for digit in range(1, 21))
    more = f'[data.types]\n{types}[train.parameters]\n"sgd.maxPasses" = {passes}\n'
    place = project(place / "policies.csv", "policy", more)
    spent = spend(UNDERSTUDY, "learn", "--json", "--quiet", "--project", place)
    document = spent.document
    metrics = {name: document["metrics"][name] for name in ("log_loss", "accuracy")}
    return {**spent.figures, "seconds": spent.wall, **metrics, "train": document["seconds"]["train"]}


def measure(run: Run, folder: Path) -> None:
    """Make the numbers and features, let kernels be compiled, take turns."""
    rows, passes = run.sizes["rows"], run.sizes["passes"]
    small = folder / "small"
    small.mkdir()
    for place, count in ((small, 2_000), (folder, rows)):
        write_policies(place / "policies.csv", count)
        numbers = write_policies(place / "test.csv", max(1_000, count // 5), seed=2)
        spend(OUR_PYTHON, BENCH / "ours" / "classes.py", "features", place)
    learner(small, 2)
    run.facts.update(lowest=numbers.log_loss, accuracy=numbers.accuracy)
    turns = {
        LEARNER: partial(learner, folder, passes),
        SKLEARN: partial(sklearn, folder, run.sizes["iterations"], run),
        COMMAND: partial(command, folder, folder / "project", passes),
    }
    run.take_turns(run.sizes["rounds"], turns)


def tables(run: Run) -> list[Table]:
    """Show what each takes, and how well it learns."""
    rows = []
    for way, name in WAYS.items():
        if way in run.figures:
            times = told(run.ratios("seconds", way, LEARNER)) if way == SKLEARN else ""
            rows.append([name, _work(run, way), told(run.all_of(way, "seconds")), times, *_quality(run, way)])
    header = ("", "work", "s", "times our learner", "peak MiB", "log loss", "accuracy")
    sizes = run.sizes
    title = f"{sizes['rows']:,} rows, 100 classes; {sizes['rounds']} rounds"
    notes = [
        f"No model can have a log loss below {run.facts['lowest']:.4f} or an accuracy above "
        f"{run.facts['accuracy']:.4f} on the test rows; the whole command is judged on 30 % of its own.",
        _to_our_loss(run),
        *absences(run, WAYS),
    ]
    return [Table(title, header, rows, [note for note in notes if note])]


def _work(run: Run, way: str) -> str:
    if way == SKLEARN:
        return f"{run.figures[way][0]['iterations']:.0f} iterations"
    passes = f"at most {run.sizes['passes']} passes"
    return f"{run.figures[way][0]['passes']:.0f} passes and the choice before" if way == LEARNER else passes


def _quality(run: Run, way: str) -> list[str]:
    found = run.figures[way][0]
    return [told(run.all_of(way, "peak_mib")), number(found["log_loss"], 4), number(found["accuracy"], 4)]


def _to_our_loss(run: Run) -> str:
    """Say when scikit-learn is as good as our learner."""
    if not (fits := run.all_of(SKLEARN, "to its lowest")):
        return ""
    if reached := run.all_of(SKLEARN, "to ours"):
        times = told(run.ratios("to ours", SKLEARN, LEARNER, "seconds"))
        return f"scikit-learn has our learner's log loss after {told(reached)} s: {times} times our time."
    times = told(run.ratios("to its lowest", SKLEARN, LEARNER, "seconds"))
    return (
        f"scikit-learn does not get down to our learner's log loss; its lowest is after {told(fits)} s, {times} times "
        "our time."
    )


def bars(run: Run) -> list[Bar]:
    """Draw the time to our loss, or to its own lowest where that is never reached."""
    group = f"100 classes, {run.sizes['rows']:,} rows"
    if times := run.ratios("to ours", SKLEARN, LEARNER, "seconds"):
        return [Bar(group, "scikit-learn L-BFGS, to equal log loss", times)]
    times = run.ratios("to its lowest", SKLEARN, LEARNER, "seconds")
    return [Bar(group, "scikit-learn L-BFGS, to its lowest, higher loss", times)] if times else []


def main() -> None:
    """Measure, print, keep."""
    perform(
        NAME,
        __doc__,
        measure,
        tables,
        rows=Size(500_000, 5_000, "rows to learn from"),
        passes=Size(10, 10, "passes at most"),
        iterations=Size(100, 60, "iterations of L-BFGS at most"),
        rounds=Size(3, 2, "rounds"),
    )


if __name__ == "__main__":
    main()
