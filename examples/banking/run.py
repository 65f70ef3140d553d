"""Learn from a bank's calls, live through the weeks that follow, and see what learning again was worth.

The calls stand in the order of their dates, so the world changes here as it did. Every week is predicted before it is
learned: by the champion, and by the first model, which never learns again. Each run starts from nothing.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import fmean

from understudy.config import load
from understudy.house import House
from understudy.pipeline import learn
from understudy.prediction import Predictor

HERE = Path(__file__).parent
UNDERSTUDY = Path(sys.executable).with_name("understudy")

FIRST = 8_238
"""Calls that the bank knows on the first day, a fifth of all."""
WEEK = 2_060
"""Calls in a week; sixteen of them are all that follow."""

Call = dict[str, str]
"""A row of the bank's table by column; `y` is 1 where the customer took the deposit."""


def main(weeks: int) -> None:
    """Learn the first calls, let so many weeks pass, and learn for the last time."""
    shutil.rmtree(HERE / ".understudy", ignore_errors=True)
    calls = read_calls()
    with closing(create_database(list(calls[0]))) as database:
        print(f"The bank knows {FIRST:,} calls.")
        insert(database, calls[:FIRST])
        learn_by_command()
        live_through([calls[start : start + WEEK] for start in range(FIRST, len(calls), WEEK)][:weeks], database)
        print("The last week has passed.")
        learn_by_command()


def live_through(weeks: Sequence[Sequence[Call]], database: sqlite3.Connection) -> None:
    """Predict each week, put its calls into the database, and learn again; the last week's learning is left to do."""
    project = load(HERE)
    first = House(project).serving()
    served, frozen = [], []
    print(f"\nWeeks pass. Right answers of the champion, and of {first.model_id}, which never learns again:\n")
    print("week  calls  said yes  champion  first model  verdict after it")
    for number, week in enumerate(weeks, 1):
        served.append(accuracy(House(project).serving(), week))
        frozen.append(accuracy(first, week))
        insert(database, week)
        verdict = learn(project)["verdict"]["status"] if number < len(weeks) else "below"
        yes = fmean(call["y"] == "1" for call in week)
        gain = ("+" if served[-1] > frozen[-1] else "-") * round(100 * abs(served[-1] - frozen[-1]))
        figures = f"{number:4}{len(week):7,}{yes:10.0%}{served[-1]:10.3f}{frozen[-1]:13.3f}"
        print(f"{figures}  {verdict:<9} {gain}".rstrip(), flush=True)
    print(f"mean{fmean(served):27.3f}{fmean(frozen):13.3f}            (one sign for each 0.01 of difference)\n")


def accuracy(model: Predictor, calls: Sequence[Call]) -> float:
    """Return the share of calls that a model answers rightly."""
    answers, _ = model.predict([{**call, "y": ""} for call in calls])
    return fmean(answer.label == call["y"] for answer, call in zip(answers, calls, strict=True))


def learn_by_command() -> None:
    """Learn as everybody would; what it says goes to the screen."""
    print("\n$ understudy learn\n", flush=True)
    if failed := subprocess.run([UNDERSTUDY, "learn", "--project", HERE], check=False).returncode:
        sys.exit(failed)


def read_calls() -> list[Call]:
    """Read all calls, in the order of their dates."""
    with gzip.open(HERE / "banking.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def create_database(columns: Sequence[str]) -> sqlite3.Connection:
    """Make the bank's database anew: one table, still empty; SQLite stores as a number what is one."""
    (HERE / "app.db").unlink(missing_ok=True)
    database = sqlite3.connect(HERE / "app.db")
    listed = ", ".join(f'"{column}" numeric' for column in columns)
    database.execute(f"create table calls (id integer primary key, {listed})")
    return database


def insert(database: sqlite3.Connection, calls: Sequence[Call]) -> None:
    """Add calls to the table."""
    places = ", ".join("?" for _ in calls[0])
    names = ", ".join(f'"{column}"' for column in calls[0])
    with database:
        database.executemany(f"insert into calls ({names}) values ({places})", [tuple(call.values()) for call in calls])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weeks", type=int, default=16, help="how many of the sixteen weeks pass (default: all)")
    main(parser.parse_args().weeks)
