"""Create: what can be checked is checked at once, the rest is a job's. The id answers at once (reference 1.4, 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.config import parse_parameters
from understudy.errors import ConfigError
from understudy.schema import ModelType
from understudy.service import secrets, views
from understudy.service.checking import (
    check_has_target,
    check_location,
    check_output,
    check_schema,
    check_training,
    usable,
)
from understudy.service.context import Call, Service
from understudy.service.entities import NAMES, Kind, present
from understudy.service.faults import IdempotentParameterMismatchException, InvalidInputException
from understudy.service.rearrangement import Rearrangement
from understudy.service.shapes import (
    CreateBatchPredictionInput,
    CreateDataSourceFromRDSInput,
    CreateDataSourceFromRedshiftInput,
    CreateDataSourceFromS3Input,
    CreateEvaluationInput,
    CreateMLModelInput,
    RDSDataSpec,
    RedshiftDataSpec,
    Shape,
    wire,
)
from understudy.service.views import Answer
from understudy.store.catalog import Entity

PARAMETERS = {
    "algorithm": "sgd",
    "sgd.maxPasses": "10",
    "sgd.maxMLModelSizeInBytes": "33554432",
    "sgd.shuffleType": "none",
    "sgd.l1RegularizationAmount": "0.0",
    "sgd.l2RegularizationAmount": "0.0",
}
"""What a request leaves out of its training parameters (reference 6.2)."""


def create_data_source_from_s3(service: Service, call: Call, request: CreateDataSourceFromS3Input) -> Answer:
    """Make a data source of files in S3."""

    def document() -> Answer:
        spec = request.data_spec
        check_location(service, spec.data_location_s3, "DataLocationS3")
        return {
            "source": "s3",
            "location": spec.data_location_s3,
            **_described(service, spec.data_schema, spec.data_schema_location_s3, "DataSchemaLocationS3"),
            **_rows(spec.data_rearrangement, statistics=request.compute_statistics),
        }

    _create(service, call, "data_source", request.data_source_id, request.data_source_name, request, document)
    return {"DataSourceId": request.data_source_id}


def create_data_source_from_redshift(
    service: Service, call: Call, request: CreateDataSourceFromRedshiftInput
) -> Answer:
    """Make a data source of what a query to Redshift gives: a PostgreSQL database that `[serve.databases]` names."""
    spec = request.data_spec
    sql = {"identifier": spec.database_information.cluster_identifier, "role_arn": request.role_arn}

    def document() -> Answer:
        return _of_query(service, "redshift", spec, sql, statistics=request.compute_statistics)

    password = spec.database_credentials.password
    _create(service, call, "data_source", request.data_source_id, request.data_source_name, request, document, password)
    return {"DataSourceId": request.data_source_id}


def create_data_source_from_rds(service: Service, call: Call, request: CreateDataSourceFromRDSInput) -> Answer:
    """Make a data source of what a query to an RDS database gives: a MySQL one that `[serve.databases]` names."""
    spec = request.rds_data
    sql = {
        "identifier": spec.database_information.instance_identifier,
        "role_arn": request.role_arn,
        "resource_role": spec.resource_role,
        "service_role": spec.service_role,
        "subnet_id": spec.subnet_id,
        "security_group_ids": spec.security_group_ids,
    }

    def document() -> Answer:
        return _of_query(service, "rds", spec, sql, statistics=request.compute_statistics)

    password = spec.database_credentials.password
    _create(service, call, "data_source", request.data_source_id, request.data_source_name, request, document, password)
    return {"DataSourceId": request.data_source_id}


def create_ml_model(service: Service, call: Call, request: CreateMLModelInput) -> Answer:
    """Train a model on a data source that has statistics; without a recipe one is chosen by the evidence."""

    def document() -> Answer:
        if request.recipe is not None and request.recipe_uri is not None:
            raise InvalidInputException("both Recipe and RecipeUri are given", "Give one of the two, or neither.")
        if request.recipe_uri is not None:
            check_location(service, request.recipe_uri, "RecipeUri")
        source = usable(service, "data_source", request.training_data_source_id, "TrainingDataSourceId")
        check_training(source, request.ml_model_type, request.recipe)
        return {
            "model_type": request.ml_model_type.value,
            "training_data_source_id": source.id,
            "parameters": _parameters(request.parameters),
            "recipe": request.recipe,
            "recipe_location": request.recipe_uri,
            "input_location": views.location(source),
            "threshold": views.THRESHOLD if request.ml_model_type is ModelType.BINARY else None,
            "threshold_set_at": None,
            "endpoint": None,
        }

    _create(service, call, "model", request.ml_model_id, request.ml_model_name, request, document)
    return {"MLModelId": request.ml_model_id}


def create_evaluation(service: Service, call: Call, request: CreateEvaluationInput) -> Answer:
    """Judge a model on a data source that has the target."""

    def document() -> Answer:
        model, source = _model_and_source(
            service, request.ml_model_id, request.evaluation_data_source_id, "EvaluationDataSourceId"
        )
        check_has_target(source, "an evaluation")
        return {"model_id": model.id, "data_source_id": source.id, "input_location": views.location(source)}

    _create(service, call, "evaluation", request.evaluation_id, request.evaluation_name, request, document)
    return {"EvaluationId": request.evaluation_id}


def create_batch_prediction(service: Service, call: Call, request: CreateBatchPredictionInput) -> Answer:
    """Predict every row of a data source, into files in S3."""

    def document() -> Answer:
        model, source = _model_and_source(
            service, request.ml_model_id, request.batch_prediction_data_source_id, "BatchPredictionDataSourceId"
        )
        check_output(service, request.output_uri)
        return {
            "model_id": model.id,
            "data_source_id": source.id,
            "output_uri": request.output_uri,
            "input_location": views.location(source),
        }

    name = request.batch_prediction_name
    _create(service, call, "batch_prediction", request.batch_prediction_id, name, request, document)
    return {"BatchPredictionId": request.batch_prediction_id}


# --- once for each id ------------------------------------------------------------------------------------------------


def _create(
    service: Service,
    call: Call,
    kind: Kind,
    entity_id: str,
    name: str,
    request: Shape,
    document: Callable[[], Answer],
    password: str | None = None,
) -> None:
    """Add an object unless the same request made it before; `document` checks, and says what is kept of it.

    What made an object once goes on being answered, whatever became of what it referred to.
    """
    asked = _without_passwords(wire(request))
    known = present(service, kind, entity_id)
    if known is not None and known.status != "DELETED":
        _refuse_other(kind, known, asked)
        return
    made = {"request": asked, "created_by": call.user, **document()}
    if password is not None:
        secrets.keep(service.secrets, kind, entity_id, password)
    entity, new = service.catalog.create_once(kind, entity_id, made, name=name)
    if not new:
        _refuse_other(kind, entity, asked)


def _refuse_other(kind: Kind, known: Entity, asked: Answer) -> None:
    """Let an id mean one object; raises IdempotentParameterMismatchException."""
    if known.status == "DELETED":
        raise IdempotentParameterMismatchException(
            f"the id {known.id!r} was that of a {NAMES[kind]} that once answered for an endpoint", "Choose another id."
        )
    before = known.document.get("request", {})
    if before != asked:
        differing = sorted(name for name in {*before, *asked} if before.get(name) != asked.get(name))
        raise IdempotentParameterMismatchException(
            f"the id {known.id!r} is that of a {NAMES[kind]} made with another {' and '.join(differing)}",
            "Choose another id, or send the parameters of before.",
        )


def _without_passwords(document: Answer) -> Answer:
    return {
        name: _without_passwords(value) if isinstance(value, dict) else value
        for name, value in document.items()
        if name != "Password"
    }


# --- what is kept ----------------------------------------------------------------------------------------------------


def _described(service: Service, schema: str | None, location: str | None, member: str) -> Answer:
    """Return what is known of a data source's schema: its text, or where its text is."""
    if (schema is None) == (location is None):
        found = "neither DataSchema nor" if schema is None else "both DataSchema and"
        raise InvalidInputException(f"{found} {member} is given", "Give one of the two; nothing is inferred here.")
    check_schema(schema, "DataSchema")
    if location is not None:
        check_location(service, location, member)
    return {"schema": schema, "schema_location": location}


def _rows(rearrangement: str | None, *, statistics: bool) -> Answer:
    """Return which rows a data source takes, and whether they are to be summarised."""
    Rearrangement.from_json(rearrangement)
    return {"rearrangement": rearrangement, "compute_statistics": statistics}


def _of_query(
    service: Service, source: str, spec: RDSDataSpec | RedshiftDataSpec, sql: dict[str, Any], *, statistics: bool
) -> Answer:
    """Return what is kept of a data source over a query."""
    check_location(service, spec.s3_staging_location, "S3StagingLocation")
    if sql["identifier"] not in service.store.place.serve.databases:
        raise InvalidInputException(
            f"this server knows no database {sql['identifier']!r}",
            f'Add it to the project file: [serve.databases] {sql["identifier"]} = "postgresql://host:5432".',
        )
    query = {
        "database": spec.database_information.database_name,
        "username": spec.database_credentials.username,
        "query": spec.select_sql_query,
        "staging": spec.s3_staging_location,
    }
    return {
        "source": source,
        "location": spec.s3_staging_location,
        "sql": {**sql, **query},
        **_described(service, spec.data_schema, spec.data_schema_uri, "DataSchemaUri"),
        **_rows(spec.data_rearrangement, statistics=statistics),
    }


def _parameters(given: dict[str, str]) -> dict[str, str]:
    """Return the training parameters with the original's defaults, in the caller's spelling."""
    if given.get("algorithm", "sgd") != "sgd":
        raise InvalidInputException(f"the parameter algorithm is {given['algorithm']!r}", "There is only sgd.")
    parameters = {**PARAMETERS, **given}
    try:
        parse_parameters({name: value for name, value in parameters.items() if name != "algorithm"})
    except ConfigError as error:
        raise InvalidInputException(
            error.message.replace("train.parameters has", "Parameters has"), error.hint
        ) from None
    return parameters


def _model_and_source(service: Service, model_id: str, source_id: str, member: str) -> tuple[Entity, Entity]:
    return usable(service, "model", model_id, "MLModelId"), usable(service, "data_source", source_id, member)
