"""A click log of any length, in constant memory: everything hangs on the seed, whatever the size of the parts.

    .venv/bin/python bench/clicks.py FILE.csv [--rows 1000000] [--seed 1]

One row is one shown advertisement: eight numbers (skewed, rounded, some missing), twelve categories whose values are as
common as words are (Zipf), from 10 to 1,000,000 of them, and whether it was clicked. The chance of a click is known, so
the lowest log loss that any model can reach is known, too; it is printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

PART = 100_000
"""Rows made at a time; part of what the seed means."""

VALUES = (10, 20, 50, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
"""How many values each category has."""

MISSING = (0.0, 0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
"""Share of each number's cells that are empty."""

PAIRS = ((2, 4), (3, 6))
"""Categories that mean something only together."""


class Log(NamedTuple):
    """What is known of a log that was written."""

    rows: int
    clicks: float
    """Share of rows that were clicked."""
    log_loss: float
    """Mean loss of the true chances: no model can be better, but by luck."""


def write_clicks(file: Path, rows: int, seed: int = 1) -> Log:
    """Write a CSV of `rows` rows; return what is known of it."""
    commonness = [_zipf(count) for count in VALUES]
    clicked = loss = 0.0
    writer = None
    for number, first in enumerate(range(0, rows, PART)):
        count = min(PART, rows - first)
        random = np.random.default_rng((seed, number))
        table, chance = _part(random, commonness)
        label = random.random(PART) < chance
        chance, label = chance[:count], label[:count]
        clicked += label.sum()
        loss -= np.where(label, np.log(chance), np.log1p(-chance)).sum()
        table = table.slice(0, count).add_column(0, "clicked", pa.array(label.astype(np.int8)))
        if writer is None:
            writer = pa.csv.CSVWriter(file, table.schema, write_options=pa.csv.WriteOptions(quoting_style="none"))
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return Log(rows, clicked / rows, loss / rows)


def _zipf(count: int) -> Floats:
    """Return the cumulated chances of `count` values, the n-th in proportion to 1 / n."""
    chances = 1 / np.arange(1, count + 1)
    return np.cumsum(chances / chances.sum())


def _part(random: np.random.Generator, commonness: list[Floats]) -> tuple[pa.Table, Floats]:
    """Make one part's attributes and the chances of a click."""
    leaning = np.full(PART, -2.0)
    columns: dict[str, pa.Array] = {}
    for place, share in enumerate(MISSING):
        hidden = random.standard_normal(PART)
        missing = random.random(PART) < share
        shown = np.round(np.exp(hidden + place / 3), 3) if place % 2 else np.round(hidden, 4)
        leaning += np.where(missing, 0.1, (0.4 - place / 10) * (np.abs(hidden) - 0.8 if place == 6 else hidden))
        columns[f"number_{place + 1}"] = pa.array(shown, mask=missing)
    drawn = [np.searchsorted(chances, random.random(PART)) for chances in commonness]
    for place, values in enumerate(drawn):
        leaning += 0.35 * _taste(values, place)
        columns[f"category_{place + 1}"] = _names(values, place)
    for place, (one, other) in enumerate(PAIRS):
        leaning += 0.3 * _taste(drawn[one] * VALUES[other] + drawn[other], 100 + place)
    return pa.table(columns), 1 / (1 + np.exp(-leaning))


def _taste(values: Places, place: int) -> Floats:
    """Give each value of a category a fixed taste, about evenly between -1.7 and 1.7."""
    mixed = (values.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(place * 7919)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xD6E8FEB86659FD93)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 * 3.4 - 1.7


def _names(values: Places, place: int) -> pa.Array:
    letter = chr(ord("a") + place)
    different, where = np.unique(values, return_inverse=True)
    names = pa.array([f"{letter}{value:x}" for value in different.tolist()])
    return names.take(pa.array(where))


def main() -> None:
    """Write a log and say what is known of it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    log = write_clicks(asked.file, asked.rows, asked.seed)
    print(f"{log.rows:,} rows, {log.clicks:.4f} clicked, log loss of the true chances {log.log_loss:.4f}")


if __name__ == "__main__":
    main()
