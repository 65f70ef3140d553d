"""Ask, then teach, one record after the other, looking at the clock each time: any learner, in any environment."""

from __future__ import annotations

import csv
import itertools
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

Row = TypeVar("Row")
Record = dict[str, str]
TARGET = "clicked"


def read_records(file: Path, rows: int) -> tuple[list[Record], list[int]]:
    """Read the first rows of a CSV: attributes as text, and the labels."""
    with file.open() as lines:
        records = list(itertools.islice(csv.DictReader(lines), rows))
    return records, [int(record.pop(TARGET)) for record in records]


def one_by_one(
    predict: Callable[[Row], float],
    learn: Callable[[Row, int], object] | None,
    rows: Sequence[Row],
    labels: Iterable[int],
) -> None:
    """Predict every row's chance, then learn its label; print microseconds of both, and the log loss, as JSON.

    Without `learn` rows are predicted only. The loss is that of the answers, each given before the row was learned: a
    learner that only looks busy shows there.
    """
    clock = time.perf_counter_ns
    asked, taught, loss = [], [], 0.0
    for row, label in zip(rows, labels, strict=True):
        began = clock()
        chance = predict(row)
        answered = clock()
        if learn is not None:
            learn(row, label)
        ended = clock()
        asked.append(answered - began)
        taught.append(ended - began)
        loss -= math.log(min(max(chance if label else 1 - chance, 1e-7), 1))
    figures = {"log_loss": loss / len(asked)}
    for name, spent in {"predict": sorted(asked), **({} if learn is None else {"both": sorted(taught)})}.items():
        for share, place in (("p50", 0.5), ("p99", 0.99)):
            figures[f"{name} {share}"] = spent[math.ceil(len(spent) * place) - 1] / 1000
        figures[f"{name} mean"] = sum(spent) / len(spent) / 1000
    print(json.dumps(figures))
