"""Understudy's learner alone, on features that others get, too.

python classes.py features FOLDER       policies.csv and test.csv, by a fixed recipe, to arrays
python classes.py learn FOLDER PASSES   from arrays to weights and their log loss on the test rows; prints JSON
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from understudy.features import Features
from understudy.learner.learner import Fit, Settings, learn
from understudy.learner.losses import probabilities
from understudy.learner.rows import Rows
from understudy.learner.scoring import decision
from understudy.recipe import fit, parse
from understudy.schema import Attribute, AttributeType, Schema

Floats = npt.NDArray[np.float64]

RECIPE = {
    "groups": {},
    "assignments": {},
    "outputs": ["ALL_CATEGORICAL", "quantile_bin(base_10,50)", "normalize(ALL_NUMERIC)"],
}
"""Every digit and the length as they are; the number's value in bins and as it is."""
TARGET, NUMBER = "policy", "base_10"
PARTS = {"train": "policies.csv", "test": "test.csv"}


def write_features(folder: Path) -> None:
    """Turn both files into features, bins cut on the first one."""
    tables = {part: _read(folder / file) for part, file in PARTS.items()}
    kinds = dict.fromkeys(tables["train"].column_names, AttributeType.CATEGORICAL)
    kinds[NUMBER] = AttributeType.NUMERIC
    schema = Schema(tuple(Attribute(name, kind) for name, kind in kinds.items()), target=TARGET)
    recipe = fit(parse(json.dumps(RECIPE), schema), schema, tables["train"].slice(0, 100_000))
    labels = np.unique(tables["train"][TARGET].to_numpy(zero_copy_only=False).astype(str))
    for part, table in tables.items():
        (batch,) = table.combine_chunks().to_batches()
        features = recipe.features(batch)
        cells = table[TARGET].to_numpy(zero_copy_only=False).astype(str)
        columns = {"indptr": features.indptr, "keys": features.keys, "values": features.values}
        for name, column in {**columns, "labels": np.searchsorted(labels, cells)}.items():
            np.save(folder / f"{part}.{name}.npy", column)


def _read(file: Path) -> pa.Table:
    """Read everything as text, as the product does."""
    names = file.open().readline().strip().replace('"', "").split(",")
    types = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    return pa.csv.read_csv(file, convert_options=types)


def learn_features(folder: Path, passes: int) -> None:
    """Learn as `understudy learn` does, once the rows are features."""
    features, labels = _load(folder, "train")
    classes = int(labels.max()) + 1
    _learn(_first(features, 200), labels[:200], classes, 1)  # loads the kernels, as an import does others' code
    began = time.perf_counter()
    fitted = _learn(features, labels, classes, passes)
    seconds = time.perf_counter() - began
    features, labels = _load(folder, "test")
    chances = probabilities(decision(features, fitted.keys, fitted.weights, fitted.intercept), fitted.loss)
    loss = -np.log(np.maximum(chances[np.arange(len(labels)), labels.astype(np.int64)], 1e-7)).mean()
    accuracy = (chances.argmax(1) == labels).mean()
    told = {"seconds": seconds, "passes": fitted.passes, "log_loss": float(loss), "accuracy": float(accuracy)}
    print(json.dumps(told))


def _learn(features: Features, labels: Floats, classes: int, passes: int) -> Fit:
    """Take up the rows, choose rate and regularisation, learn."""
    rows = Rows()
    rows.append(features, labels)
    return learn(rows, "softmax", classes, Settings(max_passes=passes))


def _first(features: Features, rows: int) -> Features:
    end = features.indptr[rows]
    return Features(features.indptr[: rows + 1], features.keys[:end], features.values[:end])


def _load(folder: Path, part: str) -> tuple[Features, Floats]:
    columns = {name: np.load(folder / f"{part}.{name}.npy") for name in ("indptr", "keys", "values", "labels")}
    return Features(columns["indptr"], columns["keys"], columns["values"]), columns["labels"].astype(np.float64)


if __name__ == "__main__":
    if sys.argv[1] == "features":
        write_features(Path(sys.argv[2]))
    else:
        learn_features(Path(sys.argv[2]), int(sys.argv[3]))
