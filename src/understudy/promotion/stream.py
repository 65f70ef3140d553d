"""The gate by itself on a file of labels and two models' answers, also read as a stream.

A stream may be stopped as soon as it is clear. So that looking often costs nothing, it is looked at when the rows have
doubled, and the j-th look spends 6 / (pi j)^2 of the allowed error: all looks together stay within 1 - confidence,
however long the stream is (the union bound; Robbins 1970 for the idea of confidence sequences).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import InvalidInput
from understudy.metrics import DEFAULT_METRIC
from understudy.promotion.comparison import Comparison, compare
from understudy.promotion.gate import Rule, RuleName, Status, Verdict, judge
from understudy.promotion.paired import Floats, Paired

FIRST_LOOK = 50
"""Rows before the first look."""


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `understudy gate` prints: the verdict on the whole file, and where a stream of it would have ended."""

    status: Status
    reasons: tuple[str, ...]
    metric: str
    rows: int
    champion: float | None
    challenger: float | None
    difference: float | None
    interval: tuple[float, float] | None
    decided_at_row: int | None
    """Rows read when the verdict of the stream was reached at a sure look; None where the rows ended before."""
    rule: RuleName
    margin: float
    confidence: float


def judge_file(table: pa.Table, rule: Rule | None = None, metric: str | None = None) -> GateReport:
    """Judge a table with the columns `label`, `champion`, `challenger`, or `champion:CLASS` and `challenger:CLASS`.

    Two distinct labels and scores from 0 to 1 make it BINARY, columns by class MULTICLASS, all else REGRESSION. Without
    a rule it is `not_worse` by `metric` or else the type's default metric. Raises InvalidInput.
    """
    paired = read_pairs(table)
    rule = rule or Rule(metric or DEFAULT_METRIC[paired.model_type])
    verdict = judge(paired, None, rule)
    decided_at, _ = first_decision(paired, rule)
    found = verdict.looks.pooled
    return GateReport(
        status=verdict.status,
        reasons=verdict.reasons,
        metric=rule.metric,
        rows=paired.rows,
        champion=found.champion if found else None,
        challenger=found.challenger if found else None,
        difference=found.difference if found else None,
        interval=(found.lower, found.upper) if found else None,
        decided_at_row=decided_at,
        rule=rule.rule,
        margin=rule.margin,
        confidence=rule.confidence,
    )


def first_decision(paired: Paired, rule: Rule) -> tuple[int | None, Verdict]:
    """Read the rows as a stream: return the row of the first sure look and its verdict.

    Where no look was sure, the row is None and the verdict is that on all rows.
    """
    for number, rows in enumerate(_looks(paired.rows), 1):
        confidence = 1 - (1 - rule.confidence) * 6 / (math.pi * number) ** 2
        found = compare(paired.head(rows), rule.metric, confidence)
        if found is not None and _sure(found, rule):
            return rows, judge(paired.head(rows), None, msgspec.structs.replace(rule, confidence=confidence))
    return None, judge(paired, None, rule)


def _looks(rows: int) -> Iterator[int]:
    look = FIRST_LOOK
    while look < rows:
        yield look
        look *= 2
    yield rows


def _sure(found: Comparison, rule: Rule) -> bool:
    """Say whether the interval lies wholly on one side of what the rule asks."""
    match rule.rule:
        case RuleName.NOT_WORSE:
            return found.lower > -rule.margin or found.upper < -rule.margin
        case RuleName.BETTER:
            return found.lower > 0 or found.upper < 0
        case _:
            return False


def read_pairs(table: pa.Table) -> Paired:
    """Read labels and both models' answers from a table; raises InvalidInput."""
    if "label" not in table.column_names:
        raise InvalidInput(
            f"the file has no column 'label' but {', '.join(map(repr, table.column_names)) or 'none at all'}",
            "Give the columns label, champion and challenger; for classes champion:CLASS and challenger:CLASS.",
        )
    if not table.num_rows:
        raise InvalidInput("the file has a header but no rows", "Give at least two labelled rows.")
    if table["label"].null_count:
        raise InvalidInput(f"{table['label'].null_count:,} rows have no label", "Leave out rows without a label.")
    classes = [name.removeprefix("champion:") for name in table.column_names if name.startswith("champion:")]
    return _multiclass(table, classes) if classes else _two_columns(table)


def _two_columns(table: pa.Table) -> Paired:
    champion, challenger = _numbers(table, "champion"), _numbers(table, "challenger")
    labels = _texts(table["label"])
    names = sorted(set(labels.tolist()))
    probabilities = all(scores.min() >= 0 and scores.max() <= 1 for scores in (champion, challenger))
    if len(names) == 2 and probabilities:
        return Paired.binary(labels == _positive(names), champion, challenger)
    if not _all_numbers(names):
        raise InvalidInput(
            f"the labels {', '.join(map(repr, names[:3]))} are no numbers, and these are not two classes with scores "
            "from 0 to 1",
            "For two classes give scores of the positive one from 0 to 1; for more, columns champion:CLASS.",
        )
    return Paired.regression(_numbers(table, "label"), champion, challenger)


def _positive(names: list[str]) -> str:
    """Return which of two labels counts as 1: the true-like one, else the one that sorts last."""
    true_like = [name for name in names if name.lower() in {"1", "1.0", "y", "yes", "t", "true"}]
    return true_like[0] if len(true_like) == 1 else names[-1]


def _multiclass(table: pa.Table, classes: list[str]) -> Paired:
    labels = _texts(table["label"])
    places = {name: place for place, name in enumerate(classes)}
    strangers = sorted(set(labels.tolist()) - set(classes))
    if strangers:
        raise InvalidInput(
            f"the label {strangers[0]!r} has no column 'champion:{strangers[0]}'", "Give a score for every class."
        )
    true = np.array([places[label] for label in labels.tolist()])
    return Paired.multiclass(
        true, *(_best_and_true(table, model, classes, true) for model in ("champion", "challenger"))
    )


def _best_and_true(
    table: pa.Table, model: str, classes: list[str], true: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Floats]:
    """Return each row's best class and the score of its true one, holding one column at a time."""
    best, highest = np.zeros(len(true), np.int64), np.full(len(true), -np.inf)
    of_true = np.zeros(len(true))
    for place, name in enumerate(classes):
        column = f"{model}:{name}"
        scores = _numbers(table, column)
        if scores.min() < 0 or scores.max() > 1:
            raise InvalidInput(
                f"column {column!r} holds {scores.min():g} to {scores.max():g}", "Give probabilities from 0 to 1."
            )
        better = scores > highest
        best[better], highest[better] = place, scores[better]
        of_true[true == place] = scores[true == place]
    return best, of_true


def _numbers(table: pa.Table, name: str) -> Floats:
    """Return a column as float64[n]; raises InvalidInput where it is missing or holds anything but finite numbers."""
    if name not in table.column_names:
        raise InvalidInput(f"the file has no column {name!r}", "Give one for each of champion and challenger.")
    try:
        numbers: Floats = pc.cast(table[name], pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"column {name!r} is not all numbers: {error}", "Write a number in every row.") from None
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        cell = table[name][int(bad[0])].as_py()
        found = "nothing" if cell is None else cell
        raise InvalidInput(
            f"row {bad[0] + 1:,} of column {name!r} holds {found}", "Write a finite number in every row."
        )
    return numbers


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    return np.asarray(pc.cast(column, pa.string()).to_pylist(), dtype=str)


def _all_numbers(names: list[str]) -> bool:
    try:
        return all(math.isfinite(float(name)) for name in names)
    except ValueError:
        return False
