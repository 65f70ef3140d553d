"""Insurance numbers of a hundred policies, any amount of them: a table of digits whose best possible loss is known.

    .venv/bin/python bench/policies.py FILE.csv [--rows 500000] [--seed 1]

Every policy prints its numbers in a format: how long, which leading letters, a range of digits for each place; the
formats are the same whatever the seed. Places are independent once the policy is known, so the chance of each policy
given a number is exact, and so is the lowest log loss. The columns are those of `examples/policies`: the policy, the
number's length, its value in base 36, and 20 digits, letters counted on from 10, empty behind the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

POLICIES = 100
PLACES = 20
CHARACTERS = 36
SEED = 7
"""The seed of the formats."""
PART = 50_000

Floats = npt.NDArray[np.float64]


class Numbers(NamedTuple):
    """What is known of numbers that were written."""

    rows: int
    accuracy: float
    """Share of rows whose likeliest policy is theirs."""
    log_loss: float
    """Mean loss of the true chances: no model can be better, but by luck."""


def formats() -> tuple[Floats, Floats]:
    """Return how common each policy is, and its chances of each character (the last one: none) at each place."""
    random = np.random.default_rng(SEED)
    commonness = 1 / np.arange(1, POLICIES + 1) ** 0.5
    chances = np.zeros((POLICIES, PLACES, CHARACTERS + 1))
    for policy in range(POLICIES):
        length, letters = int(random.integers(8, 12)), int(random.choice((0, 0, 0, 1, 2)))
        for place in range(PLACES):
            first = int(random.integers(0, 4))
            last = min(first + int(random.integers(4, 10)), 9)
            if place >= length:
                chances[policy, place, CHARACTERS] = 1
            elif place < letters:
                chances[policy, place, random.integers(10, 16)] = 1
            else:
                chances[policy, place, first : last + 1] = 1 / (last + 1 - first)
    return commonness / commonness.sum(), chances


def write_policies(file: Path, rows: int, seed: int = 1) -> Numbers:
    """Write a CSV of `rows` rows; return what is known of it."""
    commonness, chances = formats()
    right = loss = 0.0
    names = ["policy", "length", "base_10", *(f"digit_{place + 1}" for place in range(PLACES))]
    options = pa.csv.WriteOptions(quoting_style="none")
    writer = None
    for number, first in enumerate(range(0, rows, PART)):
        random = np.random.default_rng((seed, number))
        policies = random.choice(POLICIES, min(PART, rows - first), p=commonness)
        digits = _digits(random, chances, policies)
        true = _true_chances(commonness, chances, digits)
        right += (true.argmax(1) == policies).sum()
        loss -= np.log(true[np.arange(len(policies)), policies]).sum()
        table = pa.table(_columns(policies, digits), names)
        writer = writer or pa.csv.CSVWriter(file, table.schema, write_options=options)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return Numbers(rows, right / rows, loss / rows)


def _digits(random: np.random.Generator, chances: Floats, policies: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Draw the characters of every number by its policy's chances."""
    upto = chances.cumsum(2)
    drawn = random.random((len(policies), PLACES))
    digits = np.empty((len(policies), PLACES), np.int64)
    for policy in range(POLICIES):
        rows = np.flatnonzero(policies == policy)
        digits[rows] = (drawn[rows][:, :, None] >= upto[policy][None]).sum(2).clip(max=CHARACTERS)
    return digits


def _true_chances(commonness: Floats, chances: Floats, digits: npt.NDArray[np.int64]) -> Floats:
    """Return the chances of every policy given each number (Bayes)."""
    with np.errstate(divide="ignore"):
        logarithms = np.log(commonness)[None] + sum(
            np.log(chances[:, place]).T[digits[:, place]] for place in range(PLACES)
        )
    likely = np.exp(logarithms - logarithms.max(1, keepdims=True))
    true: Floats = likely / likely.sum(1, keepdims=True)
    return true


def _columns(policies: npt.NDArray[np.int64], digits: npt.NDArray[np.int64]) -> list[pa.Array]:
    """Return the columns of the CSV."""
    there = digits < CHARACTERS
    base_10 = np.zeros(len(digits))
    for place in range(PLACES):
        base_10 = np.where(there[:, place], base_10 * CHARACTERS + digits[:, place], base_10)
    names = pa.array([f"Policy {policy:02d}" for policy in range(POLICIES)])
    cells = [pa.array(digits[:, place], mask=~there[:, place]) for place in range(PLACES)]
    return [names.take(pa.array(policies)), pa.array(there.sum(1)), pa.array(base_10), *cells]


def main() -> None:
    """Write numbers and say what is known of them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("file", type=Path)
    options.add_argument("--rows", type=int, default=500_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    numbers = write_policies(asked.file, asked.rows, asked.seed)
    print(
        f"{numbers.rows:,} rows, the true chances are right in {numbers.accuracy:.4f}, their log loss "
        f"{numbers.log_loss:.4f}"
    )


if __name__ == "__main__":
    main()
