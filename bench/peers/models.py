"""Fit scikit-learn on a CSV and save it twice: for a server by hand, and as MLflow wants it.

python models.py FILE.csv TARGET BY_HAND.joblib MLFLOW_FOLDER
"""

from __future__ import annotations

import sys

import joblib
import mlflow
import pandas as pd
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def main(file: str, target: str, by_hand: str, mlflow_folder: str) -> None:
    """Fit the same regression behind two encoders, each the fastest for what its server is given."""
    rows = pd.read_csv(file, dtype=str)
    labels = rows.pop(target)
    joblib.dump(make_pipeline(DictVectorizer(), LogisticRegression()).fit(rows.to_dict("records"), labels), by_hand)
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(rows, labels)
    mlflow.sklearn.save_model(
        pipeline, mlflow_folder, pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
