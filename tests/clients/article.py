"""The article of 2017 that every client repeats: its rows, and what a client must have seen at its end."""

import csv
import json
import random
from pathlib import Path

ROWS = 2_000

FORMATS = {"Harbour": ("H", 6), "Indigo": ("I", 8), "Juniper": ("", 8), "Quarry": ("Q", 7)}
"""A policy's letter and how many digits its numbers have; customers leave letters out, and mistype."""

SCHEMA = {
    "version": "1.0",
    "rowId": "id",
    "targetAttributeName": "policy",
    "dataFormat": "CSV",
    "dataFileContainsHeader": True,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "letter", "attributeType": "CATEGORICAL"},
        {"attributeName": "digits", "attributeType": "NUMERIC"},
        {"attributeName": "first_digit", "attributeType": "CATEGORICAL"},
        {"attributeName": "policy", "attributeType": "CATEGORICAL"},
    ],
}


def write_rows(folder):
    """Write policies.csv and its schema into a folder."""
    chance = random.Random("policies")
    with (folder / "policies.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(attribute["attributeName"] for attribute in SCHEMA["attributes"])
        for number in range(ROWS):
            policy = chance.choice(list(FORMATS))
            letter, digits = FORMATS[policy]
            letter = letter if chance.random() < 0.8 else ""
            digits += chance.choice((0, 0, 0, 0, 0, 0, 1, -1))
            out.writerow((number, letter, digits, chance.randint(0, 9), policy))
    (folder / "policies.csv.schema").write_text(json.dumps(SCHEMA))
    return Path(folder)


def check(seen, bucket):
    """Hold what a client saw against what the article promises."""
    assert seen["encryption"] == "AES256"
    assert 0.75 < float(seen["metric"]) <= 1
    assert seen["parameters"]["sgd.maxPasses"] == "20"
    assert seen["parameters"]["sgd.shuffleType"] == "auto"
    assert seen["endpoint_before"] == "READY"
    assert seen["endpoint_after"] == "NONE"
    _check_prediction(seen["prediction"])
    _check_batch(seen["manifest"], seen["batch"], bucket)


def _check_prediction(prediction):
    """Expect a number with a Q and seven digits to be a Quarry's, and the classes' scores to sum to 1."""
    assert prediction["predictedLabel"] == "Quarry"
    assert prediction["predictedScores"].keys() == FORMATS.keys()
    assert abs(sum(prediction["predictedScores"].values()) - 1) < 1e-5
    assert prediction["details"] == {"Algorithm": "SGD", "PredictiveModelType": "MULTICLASS"}


def _check_batch(manifest, batch, bucket):
    """Expect the manifest to lead from the input to a result with a line for each record that was held out."""
    ((source, result),) = manifest.items()
    assert source == f"s3://{bucket}/policies.csv"
    assert result.startswith(f"s3://{bucket}/answers/batch-prediction/result/bp-")
    assert result.endswith("-policies.csv.gz")
    header, *records = csv.reader(batch.splitlines())
    assert header == ["tag", "trueLabel", *FORMATS]
    assert 0.25 * ROWS < len(records) < 0.35 * ROWS
    right = sum(record[1] == _likeliest(header, record) for record in records)
    assert right / len(records) > 0.75


def _likeliest(header, record):
    return max(zip(record[2:], header[2:], strict=True), key=lambda scored: float(scored[0]))[1]
