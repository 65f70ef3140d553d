"""The gate on a file, whole and as a stream."""

import numpy as np
import pyarrow as pa
import pytest

from understudy.errors import InvalidInput
from understudy.promotion import Paired, Rule, RuleName, Status, first_decision, judge_file


def binary_table(rows, seed=1, gain=0.3):
    """Make a file whose challenger knows more than the champion."""
    random = np.random.default_rng(seed)
    labels = random.random(rows) < 0.4
    noise = random.random((2, rows)) * 0.6
    return pa.table(
        {
            "label": np.where(labels, "yes", "no"),
            "champion": noise[0] + 0.1 * labels,
            "challenger": noise[1] + gain * labels,
        }
    )


def test_binary_file_is_judged_by_auc():
    """Two labels and scores from 0 to 1 are a binary file."""
    report = judge_file(binary_table(2000))
    assert (report.status, report.metric, report.rows) == (Status.ADMITTED, "auc", 2000)
    assert report.interval[0] < report.difference < report.interval[1]


def test_stream_ends_early_when_the_difference_is_plain():
    """A plain difference is found long before the end, at a look of the doubling grid."""
    report = judge_file(binary_table(20_000), Rule("auc", RuleName.BETTER))
    assert report.decided_at_row in {50 * 2**k for k in range(6)}


def test_stream_of_equals_stays_undecided_under_better():
    """A model compared with itself is never found better."""
    table = binary_table(1000)
    equal = table.set_column(2, "challenger", table["champion"])
    report = judge_file(equal, Rule("auc", RuleName.BETTER))
    assert (report.status, report.decided_at_row) == (Status.REFUSED, None)


def test_looking_often_does_not_raise_the_error():
    """Of 300 streams of equals, looked at as they grow, at most 5 % (and chance) are ever called different."""
    decided = 0
    for seed in range(300):
        random = np.random.default_rng(seed)
        labels = random.random(1500) < 0.5
        paired = Paired.binary(labels, *(0.3 * labels + 0.7 * random.random((2, 1500))))
        decided += first_decision(paired, Rule("auc", RuleName.BETTER))[0] is not None
    assert decided <= 300 * 0.05 + 3 * (300 * 0.05 * 0.95) ** 0.5


def test_file_by_class_is_judged_by_macro_f1():
    """Columns by class make a multiclass file, whatever the order of the classes."""
    random = np.random.default_rng(2)
    names = ["red", "green", "blue"]
    labels = random.integers(0, 3, 600)
    weak = random.dirichlet([1, 1, 1], 600)
    strong = (weak + np.eye(3)[labels]) / 2
    columns = {f"champion:{name}": weak[:, i] for i, name in enumerate(names)}
    columns |= {f"challenger:{name}": strong[:, i] for i, name in reversed(list(enumerate(names)))}
    report = judge_file(pa.table({"label": [names[i] for i in labels], **columns}))
    assert (report.status, report.metric, report.challenger) == (Status.ADMITTED, "macro_f1", 1.0)


def test_file_of_values_is_judged_by_rmse():
    """Numbers as labels are a regression file, and less error is a positive difference."""
    truth = np.arange(300.0)
    noise = np.random.default_rng(3).normal(0, 1, 300)
    report = judge_file(pa.table({"label": truth, "champion": truth + 2 * noise, "challenger": truth + noise}))
    assert report.metric == "rmse"
    assert report.difference > 0


def test_label_called_true_counts_as_positive():
    """Of two labels the true-like one is the positive class, also where it sorts first."""
    table = pa.table({"label": ["yes", "zzz"] * 50, "champion": [0.9, 0.1] * 50, "challenger": [0.9, 0.1] * 50})
    assert judge_file(table).champion == 1.0


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"y": [1], "champion": [1.0], "challenger": [1.0]}, "no column 'label'"),
        ({"label": [1, 0], "champion": [0.5, 0.5]}, "no column 'challenger'"),
        ({"label": [1, 0], "champion": ["a", "b"], "challenger": [0.5, 0.5]}, "'champion' is not all numbers"),
        (
            {"label": [1, 0], "champion": [0.5, None], "challenger": [0.5, 0.5]},
            "row 2 of column 'champion'",
        ),
        ({"label": ["a", "b"], "champion": [0.5, 1.5], "challenger": [0.5, 0.5]}, "scores from 0 to 1"),
        ({"label": ["a"], "champion:a": [1.5], "challenger:a": [0.5]}, "'champion:a' holds 1.5"),
        ({"label": ["b"], "champion:a": [0.5], "challenger:a": [0.5]}, "label 'b' has no column"),
        ({"label": [1, None], "champion": [0.5, 0.5], "challenger": [0.5, 0.5]}, "1 rows have no label"),
        ({"label": pa.array([], pa.int64()), "champion": [], "challenger": []}, "no rows"),
    ],
)
def test_bad_file_is_refused_with_what_was_found(columns, found):
    """A file that cannot be judged says why, in terms of its rows and columns."""
    with pytest.raises(InvalidInput, match=found):
        judge_file(pa.table(columns))
