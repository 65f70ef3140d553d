"""How a peer learns a click log: one way per process, from CSV on disk to scores of rows that it has not seen.

    python from_csv.py WAY FOLDER        reads train.csv and test.csv (Vowpal Wabbit: its own), writes WAY.scores

Imports stand inside the ways, since whoever runs a way pays for what it imports, and for nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

TARGET = "clicked"
BITS = 22
"""4 million weights, as many as a million rows of this log have different features."""
BINS = 32
SAMPLE = 13_000
"""Rows that bins are cut by."""
CHUNK = 100_000
"""Rows that scikit-learn learns at a time."""


def polars(folder: Path) -> None:
    """Only read the file: what no way from CSV can be without."""
    import polars as pl  # noqa: PLC0415

    assert pl.read_csv(folder / "train.csv").height
    assert pl.read_csv(folder / "test.csv").height


def vowpal_csv(folder: Path) -> None:
    """Vowpal Wabbit's own CSV reader; numbers as they are, which is all that it offers."""
    _vowpal(folder, "--csv", "train.vw.csv", "test.vw.csv")


def vowpal_text(folder: Path) -> None:
    """Vowpal Wabbit's own text, made of binned numbers by polars as fast as that goes."""
    edges = None
    for part in ("train", "test"):
        rows = _read(folder / f"{part}.csv")
        edges = edges or _edges(rows)
        _write_text(rows, edges, folder / f"{part}.vw")
    _vowpal(folder, "", "train.vw", "test.vw")


def sklearn(folder: Path) -> None:
    """scikit-learn out of core: hashed features, an averaged SGDClassifier, chunk after chunk."""
    import numpy as np  # noqa: PLC0415
    from sklearn.feature_extraction import FeatureHasher  # noqa: PLC0415
    from sklearn.linear_model import SGDClassifier  # noqa: PLC0415

    hasher = FeatureHasher(1 << BITS, input_type="string", alternate_sign=False, dtype=np.float32)
    learner = SGDClassifier(loss="log_loss", alpha=1e-6, learning_rate="constant", eta0=0.05, average=True)
    rows = _read(folder / "train.csv")
    edges = _edges(rows)
    for part in rows.iter_slices(CHUNK):
        features = hasher.transform(_tokens(part, edges))
        learner.partial_fit(features, part[TARGET].to_numpy(), classes=(0, 1))
    scores = [
        learner.predict_proba(hasher.transform(_tokens(part, edges)))[:, 1]
        for part in _read(folder / "test.csv").iter_slices(CHUNK)
    ]
    np.savetxt(folder / "sklearn.scores", np.concatenate(scores), "%.6g")


def _vowpal(folder: Path, form: str, train: str, test: str) -> None:
    """Learn in one pass, then score: two runs of Vowpal Wabbit's driver in one process."""
    from vowpalwabbit import Workspace  # noqa: PLC0415

    way = "vowpal_csv" if form else "vowpal_text"
    model, scores = folder / f"{way}.model", folder / f"{way}.scores"
    learning = f"{form} --quiet -d {folder / train} -b {BITS} --loss_function logistic --link logistic -f {model}"
    Workspace(learning).finish()
    Workspace(f"{form} --quiet -d {folder / test} -t -i {model} -p {scores}").finish()


def _read(file: Path) -> pl.DataFrame:
    """Read categories as text and numbers as numbers."""
    import polars as pl  # noqa: PLC0415

    names = file.open().readline().replace('"', "").split(",")
    numbers = {name: pl.Float64 for name in names if name.startswith("number")}
    return pl.read_csv(file, schema_overrides=numbers)


def _edges(rows: pl.DataFrame) -> dict[str, list[float]]:
    """Cut each number at quantiles of the first rows."""
    import numpy as np  # noqa: PLC0415

    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    numbers = [name for name in rows.columns if name.startswith("number")]
    return {
        name: np.unique(np.quantile(rows[name][:SAMPLE].drop_nulls().to_numpy(), shares)).tolist() for name in numbers
    }


def _binned(rows: pl.DataFrame, edges: dict[str, list[float]]) -> pl.DataFrame:
    """Write every attribute as a token `name=value`; a missing number is a value, too."""
    import polars as pl  # noqa: PLC0415

    numbers = []
    for name, cuts in edges.items():
        places = pl.Series(cuts).search_sorted(rows[name]).set(rows[name].is_null(), len(cuts) + 1)
        words = pl.Series([f"{name}={place}" for place in range(len(cuts) + 2)])
        numbers.append(words.gather(places).alias(name))
    categories = [name for name in rows.columns if name not in (TARGET, *edges)]
    return rows.select(*numbers, *(pl.format(f"{name}={{}}", pl.col(name)) for name in categories))


def _tokens(rows: pl.DataFrame, edges: dict[str, list[float]]) -> Iterator[tuple[Any, ...]]:
    yield from _binned(rows, edges).iter_rows()


def _write_text(rows: pl.DataFrame, edges: dict[str, list[float]], file: Path) -> None:
    """Write Vowpal Wabbit's text: a label of 1 or -1, a bar, the tokens."""
    import polars as pl  # noqa: PLC0415

    label = pl.when(rows[TARGET] == 1).then(pl.lit("1 |f")).otherwise(pl.lit("-1 |f")).alias("label")
    lines = _binned(rows, edges).select(label, pl.all()).select(pl.concat_str(pl.all(), separator=" "))
    lines.write_csv(file, include_header=False, quote_style="never")


WAYS = {way.__name__: way for way in (polars, vowpal_csv, vowpal_text, sklearn)}


if __name__ == "__main__":
    WAYS[sys.argv[1]](Path(sys.argv[2]))
