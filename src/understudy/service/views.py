"""Objects of the catalog as Get and Describe show them (reference 2.3). Members without a value are left out.

What a project made is shown as well: its rows lie in the store, under `s3://<project>/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from understudy.prediction import THRESHOLD
from understudy.schema import Schema
from understudy.service.context import LOG_BUCKET, ROOT, Call
from understudy.service.sentences import in_one_line
from understudy.service.times import epoch
from understudy.store.catalog import Entity

Answer = dict[str, Any]
"""A document of the wire."""

PEAK_REQUESTS = 200
"""What the original promises of an endpoint, in requests per second; nothing here holds it to that."""

ALGORITHM = "sgd"
"""The algorithm of every model."""

METRICS = {"auc": "BinaryAUC", "macro_f1": "MulticlassAvgFScore", "rmse": "RegressionRMSE"}
"""The one metric of each type of model that the original gave, by our name for it."""

MAX_MESSAGE = 10_240
"""Characters of a Message (reference 2.1)."""

ONCE = "Delete it, or use another id: the same Create does not run again."
"""What the Message of a failed object ends with."""


def data_source(entity: Entity) -> Answer:
    """Return an item of the list of data sources."""
    document = entity.document
    computed = document.get("compute_statistics", True)
    return _present(
        {
            "DataSourceId": entity.id,
            "DataLocationS3": location(entity),
            "DataRearrangement": document.get("rearrangement"),
            "DataSizeInBytes": document.get("size_in_bytes"),
            "NumberOfFiles": document.get("files"),
            "RedshiftMetadata": _redshift(document),
            "RDSMetadata": _rds(document),
            "RoleARN": document.get("sql", {}).get("role_arn"),
            "ComputeStatistics": computed,
            **_common(entity),
            **({} if computed else {"ComputeTime": None}),
        }
    )


def model(entity: Entity, call: Call, *, serves: bool = False) -> Answer:
    """Return an item of the list of models; `serves` says that it answers although it has no endpoint of its own."""
    document = entity.document
    binary = document["model_type"] == "BINARY"
    return _present(
        {
            "MLModelId": entity.id,
            "TrainingDataSourceId": training_data_source_id(entity),
            "SizeInBytes": document.get("size_in_bytes"),
            "EndpointInfo": endpoint_info(entity, call, serves=serves),
            "TrainingParameters": document.get("parameters") or _project_parameters(document),
            "InputDataLocationS3": document.get("input_location"),
            "Algorithm": ALGORITHM,
            "MLModelType": document["model_type"],
            "ScoreThreshold": document.get("threshold", THRESHOLD) if binary else None,
            "ScoreThresholdLastUpdatedAt": epoch(document.get("threshold_set_at")),
            **_common(entity),
        }
    )


def evaluation(entity: Entity) -> Answer:
    """Return an item of the list of evaluations."""
    document = entity.document
    return _present(
        {
            "EvaluationId": entity.id,
            "MLModelId": document["model_id"],
            "EvaluationDataSourceId": document["data_source_id"],
            "InputDataLocationS3": document.get("input_location"),
            "PerformanceMetrics": _performance(document.get("metrics") or {}),
            **_common(entity),
        }
    )


def batch_prediction(entity: Entity) -> Answer:
    """Return an item of the list of batch predictions."""
    document = entity.document
    return _present(
        {
            "BatchPredictionId": entity.id,
            "MLModelId": document["model_id"],
            "BatchPredictionDataSourceId": document["data_source_id"],
            "InputDataLocationS3": document.get("input_location"),
            "OutputUri": document["output_uri"],
            "TotalRecordCount": document.get("total"),
            "InvalidRecordCount": document.get("invalid"),
            **_common(entity),
        }
    )


def log(entity: Entity, call: Call) -> Answer:
    """Return what only Get shows of any object: where its log is."""
    key = entity.document.get("log")
    return {} if key is None else {"LogUri": call.presign(LOG_BUCKET, key)}


def verbose_data_source(entity: Entity, shown: Answer) -> Answer:
    """Return a data source with its schema and its query."""
    whole = {**shown, **_present({"DataSourceSchema": schema_text(entity)})}
    for metadata in ("RedshiftMetadata", "RDSMetadata"):
        if metadata in shown:
            whole[metadata] = {**shown[metadata], "SelectSqlQuery": entity.document["sql"]["query"]}
    return whole


def verbose_model(entity: Entity, shown: Answer) -> Answer:
    """Return a model with its recipe and its schema."""
    document = entity.document
    recipe = document.get("recipe") or (document.get("training") or {}).get("recipe")
    return {**shown, **_present({"Recipe": recipe, "Schema": model_schema_text(entity)})}


def endpoint_info(entity: Entity, call: Call, *, serves: bool = False) -> Answer:
    """Return a model's EndpointInfo; what is not COMPLETED has no endpoint."""
    endpoint = entity.document.get("endpoint")
    if entity.status != "COMPLETED" or not (endpoint or serves):
        return {"PeakRequestsPerSecond": 0, "EndpointStatus": "NONE"}
    created = endpoint["created_at"] if endpoint else entity.created_at
    return {
        "PeakRequestsPerSecond": PEAK_REQUESTS,
        "CreatedAt": epoch(created),
        "EndpointUrl": call.base_url,
        "EndpointStatus": endpoint["status"] if endpoint else "READY",
    }


def location(source: Entity) -> str:
    """Return where a data source's rows lie."""
    place: str = source.document["location"]
    return f"s3://{source.project}/{place}" if source.project else place


def schema_text(source: Entity) -> str | None:
    """Return a data source's schema as JSON; None where only its job will know it."""
    if "attributes" in source.document:
        return msgspec.convert(source.document["attributes"], Schema).to_json()
    schema: str | None = source.document.get("schema")
    return schema


def model_schema_text(entity: Entity) -> str | None:
    """Return the schema that a model was trained with, as JSON; None before it is trained."""
    document = entity.document
    schema: str | None = document.get("schema") or document.get("lineage", {}).get("schema")
    return schema


def training_data_source_id(entity: Entity) -> str:
    """Return the data source that a model was trained on."""
    document = entity.document
    own = document.get("training_data_source_id")
    return str(own or document["lineage"]["training_data_source_id"])


def reason(entity: Entity) -> str | None:
    """Return what is odd about an object, or why it failed, in one line."""
    kept: str | None = entity.document.get("message")
    return None if kept is None else in_one_line(kept)


def _message(entity: Entity) -> str | None:
    """Return an object's Message; that of one that failed says that the same request does not mend it."""
    said = reason(entity)
    if entity.status != "FAILED":
        return said
    return in_one_line((said or "")[: MAX_MESSAGE - len(ONCE) - 2], ONCE)


def _common(entity: Entity) -> Answer:
    """Return what all four kinds of objects show."""
    document = entity.document
    return {
        "CreatedByIamUser": document.get("created_by", ROOT),
        "CreatedAt": epoch(entity.created_at),
        "LastUpdatedAt": epoch(entity.updated_at),
        "Name": entity.name or None,
        "Status": entity.status,
        "Message": _message(entity),
        "ComputeTime": document.get("compute_ms") if entity.status == "COMPLETED" else None,
        "FinishedAt": epoch(entity.finished_at),
        "StartedAt": epoch(entity.started_at),
    }


def _present(members: Answer) -> Answer:
    return {name: value for name, value in members.items() if value is not None}


def _performance(metrics: Mapping[str, float | None]) -> Answer | None:
    """Return the metric that the original gave, as text of full precision."""
    given = {
        METRICS[name]: repr(float(value)) for name, value in metrics.items() if name in METRICS and value is not None
    }
    return {"Properties": given} if given else None


def _project_parameters(document: Mapping[str, Any]) -> dict[str, str]:
    """Return what a project's file says of training; what it leaves out the learner chose."""
    given = document.get("lineage", {}).get("parameters", {}).get("parameters", {})
    return {"algorithm": ALGORITHM, **{name: str(value) for name, value in given.items()}}


def _redshift(document: Mapping[str, Any]) -> Answer | None:
    if document.get("source") != "redshift":
        return None
    sql = document["sql"]
    database = {"DatabaseName": sql["database"], "ClusterIdentifier": sql["identifier"]}
    return {"RedshiftDatabase": database, "DatabaseUserName": sql["username"]}


def _rds(document: Mapping[str, Any]) -> Answer | None:
    if document.get("source") != "rds":
        return None
    sql = document["sql"]
    return {
        "Database": {"InstanceIdentifier": sql["identifier"], "DatabaseName": sql["database"]},
        "DatabaseUserName": sql["username"],
        "ResourceRole": sql["resource_role"],
        "ServiceRole": sql["service_role"],
    }
