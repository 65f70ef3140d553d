"""Answers as they look, for /docs and /openapi.json."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

NAME = "calls"
"""The endpoint of all examples; the page puts the server's own in its place."""

CHAMPION: Json = {
    "model_id": "ml-s9coBEzsAby",
    "fingerprint": "sha256:f799a0f8...",
    "since": "2026-11-23T07:00:02.894078Z",
}
ENDPOINT: Json = {
    "name": NAME,
    "champion": CHAMPION,
    "challenger": None,
    "learning": {"enabled": False, "observations_learned": 0},
}
ENTRY: Json = {
    "at": "2026-11-23T07:00:02.894078Z",
    "by": "promote",
    "run_id": "run-20261123T070000-a1b2c3",
    "model_id": "ml-s9coBEzsAby",
    "status": "ADMITTED",
    "reasons": ["promoted by hand"],
    "champion_before": "ml-0NqYBn4sWkd",
    "champion": "ml-s9coBEzsAby",
}
PREDICTION: Json = {
    "label": "yes",
    "scores": {"no": 0.125, "yes": 0.875},
    "model_id": "ml-s9coBEzsAby",
    "prediction_id": None,
}
RUN: Json = {
    "run_id": "run-20261123T070000-a1b2c3",
    "status": "COMPLETED",
    "at": "2026-11-23T07:00:00.907523Z",
    "finished_at": "2026-11-23T07:00:02.918461Z",
    "verdict": "ADMITTED",
    "model_id": "ml-s9coBEzsAby",
    "message": None,
}
MODEL: Json = {
    "model_id": "ml-s9coBEzsAby",
    "status": "COMPLETED",
    "created_at": "2026-11-23T07:00:02.817536Z",
    "fingerprint": "sha256:f799a0f8...",
    "model_type": "BINARY",
    "metrics": {"auc": 0.875},
    "run_id": "run-20261123T070000-a1b2c3",
}
STATUS: Json = {
    "project": NAME,
    "endpoint": {"name": NAME, "champion": CHAMPION, "challenger": None, "pinned": False},
    "last_run": RUN,
    "next_run": None,
}
EVALUATION: Json = {
    "id": "ev-VUIhoJy3Ce7",
    "status": "COMPLETED",
    "created_at": "2026-11-23T07:00:02.868609Z",
    "model_id": "ml-s9coBEzsAby",
    "model_type": "BINARY",
    "rows": 121,
    "metrics": {"auc": 0.875, "accuracy": 0.8125},
    "intervals": {"auc": [0.8125, 0.9375]},
    "confidence": 0.95,
    "baseline": {"auc": 0.5, "accuracy": 0.625},
    "alerts": [],
}
BATCH_PREDICTION: Json = {
    "id": "bp-4fQ7sWk0aZc",
    "status": "COMPLETED",
    "created_at": "2026-11-23T08:10:00.112358Z",
    "model_id": "ml-s9coBEzsAby",
    "data_source_id": "ds-m0VXdxUutqj",
    "output_uri": "s3://calls-data/out/",
    "total": 400,
    "invalid": 1,
}
WEIGHTS: Json = {
    "model_id": "ml-s9coBEzsAby",
    "outputs": ["yes"],
    "intercept": [-0.25],
    "count": 293,
    "features": [{"key": "00a1f20c9b1c44d7", "weights": [0.75]}],
    "next": "00a1f20c9b1c44d7",
}
