"""Understudy's live learner in this process: predict, then learn, record after record.

    python records.py WAY FOLDER KNOWN ROWS

WAY is `features` (they are there already), `record` (names and texts, as a request brings them), or `model`, which asks
the project's champion, and teaches nobody. FOLDER holds records.csv and a project that has learned other rows, whose
recipe is taken; the learner goes on from the first KNOWN records.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from one_by_one import Record, one_by_one, read_records

from understudy.config import parse
from understudy.features import Features
from understudy.house import House
from understudy.learner.learner import learn
from understudy.learner.live import Learner
from understudy.learner.rows import Rows
from understudy.prediction import Predictor
from understudy.values import batch_of_records


def main(way: str, folder: Path, known: int, rows: int) -> None:
    """Learn the known rows at once, the others one by one."""
    project = parse(tomllib.loads((folder / "understudy.toml").read_text()), root=folder)
    champion = House(project).serving()
    features_of = seen_by(champion)
    records, labels = read_records(folder / "records.csv", known + rows)
    if way == "model":
        one_by_one(lambda record: float(champion.score_texts(record)), None, records[known:], labels[known:])
        return
    begun = Rows()
    begun.append(features_of(records[:known]), np.array(labels[:known], np.float64))
    learner = Learner(learn(begun, "logistic", 1))

    def predict(row: Features) -> float:
        return float(learner.predict_one(row)[0])

    if way == "features":
        ready = [features_of([record]) for record in records[known:]]
        one_by_one(predict, learner.learn_one, ready, labels[known:])
    else:
        seen: list[Features] = []

        def predict_record(record: Record) -> float:
            seen[:] = [champion.features(record)]
            return predict(seen[0])

        one_by_one(predict_record, lambda _, label: learner.learn_one(seen[0], label), records[known:], labels[known:])


def seen_by(predictor: Predictor) -> Callable[[Sequence[Record]], Features]:
    """Return what turns records into the features that a model sees, as a prediction does."""
    recipe, target = predictor.model.recipe, predictor.model.target.name
    columns = [(column.name, column.arrow) for column in predictor.columns if column.name != target]
    return lambda records: recipe.features(predictor.observe(batch_of_records(records, columns)[0]))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
