"""A model behind FastAPI as one writes it by hand, less the slow parts: no data frame, no thread for a request."""

from __future__ import annotations

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

model = joblib.load(os.environ["BY_HAND_MODEL"])
app = FastAPI()


class Question(BaseModel):
    """What is asked: attributes by name."""

    record: dict[str, str]


@app.post("/predict")
async def predict(question: Question) -> dict[str, float]:
    """Answer by the chance of the second class."""
    return {"score": float(model.predict_proba([question.record])[0, 1])}
