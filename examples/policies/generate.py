"""Make the database of `examples/policies`: insurance numbers as typed, and the policy that each belongs to.

A provider prints the numbers of all its plans in one format: a length, perhaps leading letters, a range for each digit.
Plans of one provider differ only in a few digits whose ranges overlap, so no rule of length or prefix tells them apart.
Everything hangs on the seed: the same seed makes the same database.
"""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import NamedTuple

PROVIDERS = (
    "Alder", "Beacon", "Cedar", "Dover", "Ember", "Falcon", "Garnet", "Harbor", "Indigo", "Jasper", "Kite", "Linden",
    "Marble", "Nordic", "Orchid", "Pine", "Quarry", "Rowan", "Saxon", "Thorn", "Upland", "Vesper", "Willow", "Yarrow",
    "Zephyr",
)  # fmt: skip
PLANS = ("Basic", "Family", "Plus", "Senior")
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"

SEED = 7
"""The seed of the policies' formats and of all numbers in the database."""


class Format(NamedTuple):
    """What a number of one policy looks like: a choice of characters for each place."""

    policy: str
    places: tuple[str, ...]

    def number(self, chance: random.Random) -> str:
        """Print one number."""
        return "".join(chance.choice(place) for place in self.places)


def formats(chance: random.Random) -> list[Format]:
    """Invent the formats of all policies, provider by provider."""
    found = []
    for provider in PROVIDERS:
        prefix = [chance.choice(LETTERS) for _ in range(chance.choice((0, 0, 0, 1, 2)))]
        shared = [_span(chance, 5, 10) for _ in range(chance.randint(7, 10))]
        telling = chance.sample(range(len(shared)), 3)
        for plan in PLANS:
            own = {place: _span(chance, 2, 4) for place in telling}
            digits = [own.get(place, span) for place, span in enumerate(shared)]
            found.append(Format(f"{provider} {plan}", (*prefix, *digits)))
    return found


def _span(chance: random.Random, narrow: int, wide: int) -> str:
    """Choose neighbouring digits, between `narrow` and `wide` of them."""
    width = chance.randint(narrow, wide)
    first = chance.randint(0, 10 - width)
    return "0123456789"[first : first + width]


def generate(database: Path, rows: int = 20_000, seed: int = SEED) -> None:
    """Write the table `insurance_numbers` of a fresh SQLite database."""
    chance = random.Random(seed)
    policies = formats(chance)
    common = [1 / (rank + 1) ** 0.4 for rank in range(len(policies))]
    chosen = chance.choices(chance.sample(policies, len(policies)), common, k=rows)
    database.unlink(missing_ok=True)
    with sqlite3.connect(database) as connection:
        connection.execute("create table insurance_numbers (id integer primary key, number text, policy text)")
        connection.executemany(
            "insert into insurance_numbers (number, policy) values (?, ?)",
            ((policy.number(chance), policy.policy) for policy in chosen),
        )
    connection.close()


if __name__ == "__main__":
    generate(Path(__file__).parent / "app.db")
