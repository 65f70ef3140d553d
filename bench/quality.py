"""Default settings on every data set of ../shared/data: five random 70/30 splits, next to the linear baselines.

    .venv/bin/python bench/quality.py [NAME ...] [--seeds 5] [--write docs/quality.md]

The baselines are those of the data sets' README (scikit-learn, one split); Amazon ML's own figures are those of the
reference, section 10. Amazon's Titanic figure is the best of four hand-made recipes on one split.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from understudy.config import parse
from understudy.pipeline import learn

DATA = Path(__file__).parent.parent.parent / "shared" / "data"


class Case(NamedTuple):
    """One data set and what it is compared with."""

    name: str
    files: tuple[str, ...]
    target: str
    metric: str
    baseline: float
    goal: float
    amazon: float | None = None
    data: dict[str, Any] = {}  # noqa: RUF012 - a default that nobody changes


CASES = (
    Case("banking", ("banking/banking.csv.gz",), "y", "auc", 0.937, 0.943, 0.94),
    Case(
        "titanic",
        ("titanic/titanic.csv",),
        "survived",
        "auc",
        0.870,
        0.87,
        0.872,
        {"schema": "titanic/titanic.csv.schema"},
    ),
    Case("sms_spam", ("sms_spam/spam.csv",), "v1", "auc", 0.997, 0.99, 0.98),
    Case("adult", ("adult/adult_train.csv.gz", "adult/adult_test.csv.gz"), "income", "auc", 0.907, 0.913),
    Case("amazon_access", ("amazon_access/train.csv.gz",), "ACTION", "auc", 0.868, 0.868),
    Case("criteo_tiny", ("criteo_tiny/train.tiny.csv.gz",), "Label", "auc", 0.736, 0.736),
    Case("elec2", ("elec2/elec2.csv.gz",), "class", "auc", 0.827, 0.827),
    Case("iris", ("iris/iris.csv",), "species", "macro_f1", 0.976, 0.94, 0.94),
    Case("seeds", ("seeds/seeds_dataset.csv",), "seedType", "macro_f1", 0.956, 0.956),
    Case("letter", ("letter/letter.csv.gz",), "lettr", "accuracy", 0.781, 0.781),
    Case("ag_news", ("ag_news/ag_news_test.csv.gz",), "class", "accuracy", 0.871, 0.871),
    Case("airplane_delay", ("airplane_delay/airplane_delay_2008.csv.gz",), "ArrDelay", "rmse", 6.40, 6.40),
    Case("ames_housing", ("ames_housing/ames_housing.csv.gz",), "SalePrice", "rmse", 33_775, 26_000, 29_853),
    Case("california_housing", ("california_housing/housing.csv.gz",), "median_house_value", "rmse", 69_165, 69_165),
    Case("toy", (), "y", "rmse", 1.034, 0.16, 0.154),
)


def toy(folder: Path) -> str:
    """Write the reference's non-linear toy (10.1): y = cos(1.5 pi x) + cos(5 pi x) + N(0, 0.1), 1,000 rows."""
    random = np.random.default_rng(8)
    x = random.random(1000)
    y = np.cos(1.5 * np.pi * x) + np.cos(5 * np.pi * x) + random.normal(0, 0.1, 1000)
    file = folder / "toy.csv"
    file.write_text("x,y\n" + "".join(f"{a:.6f},{b:.6f}\n" for a, b in zip(x, y, strict=True)))
    return str(file)


def run(case: Case, seed: int, folder: Path) -> tuple[dict[str, Any], float]:
    """Learn one data set once in an empty project; return the document and the seconds that it took."""
    files = [str(DATA / file) for file in case.files] or [toy(folder)]
    data = {**case.data, "target": case.target, "split": {"strategy": "random", "train": 70, "seed": str(seed)}}
    if "schema" in data:
        data["schema"] = str(DATA / data["schema"])
    name = case.name.replace("_", "-")
    project = parse({"name": name, "extract": {"files": files}, "data": data}, root=folder)
    began = time.perf_counter()
    return learn(project), time.perf_counter() - began


def row(case: Case, seeds: int) -> str:
    """Run all seeds of one data set; return its line of the table."""
    found, seconds, base = [], [], math.nan
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            document, took = run(case, seed, Path(folder))
        found.append(document["metrics"][case.metric])
        base = document["baseline"].get(case.metric, math.nan)
        seconds.append(took)
    mean, spread = statistics.mean(found), statistics.stdev(found) if seeds > 1 else 0.0
    less = case.metric == "rmse"
    met = mean <= case.goal if less else mean >= case.goal
    digits = 0 if mean > 1000 else 4
    amazon = "" if case.amazon is None else f"{case.amazon:,.{digits}f}"
    return (
        f"| {case.name} | {case.metric} | {mean:,.{digits}f} | {spread:,.{digits}f} | {case.baseline:,.{digits}f} "
        f"| {case.goal:,.{digits}f} | {'yes' if met else 'NO'} | {amazon} | {base:,.{digits}f} "
        f"| {statistics.median(seconds):.1f} |"
    )


def heading(seeds: int) -> list[str]:
    """Say when, with what and how the table was made."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("understudy", "numpy", "numba", "pyarrow"))
    return [
        "# Quality with default settings",
        "",
        f"Made by `bench/quality.py` on {datetime.date.today()}: {versions}, Python {platform.python_version()}, "
        f"{os.cpu_count()} shared cores.",
        "",
        f"Each data set is learned by a whole `learn` with nothing but its target named (Titanic: with its schema), on "
        f"{seeds} random 70/30 splits; the score is that of the 30 %. *Spread* is the standard deviation over the "
        "splits, *seconds* the median of whole runs, *trivial* a model that knows no feature. scikit-learn's figures "
        "are of one split, Amazon ML's of its own; a goal missed by less than the spread may be the splits' doing.",
        "",
    ]


def main() -> None:
    """Print the table, and write it where asked."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="data sets; all where none is named")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--write", type=Path)
    asked = options.parse_args()
    if not DATA.exists():
        sys.exit(f"the data sets are not in {DATA}; nothing to measure")
    lines = [
        "| data set | metric | mean | spread | scikit-learn | goal | met | Amazon ML | trivial | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for case in CASES:
        if not asked.names or case.name in asked.names:
            lines.append(row(case, asked.seeds))
            print(lines[-1], flush=True)
    if asked.write:
        asked.write.write_text("\n".join([*heading(asked.seeds), *lines]) + "\n")


if __name__ == "__main__":
    main()
