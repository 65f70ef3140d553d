"""Create: what can be checked is checked at once, the rest is a job's. The id answers at once (reference 1.4, 2.2)."""

from __future__ import annotations

from collections.abc import Callable

from understudy.config import parse_parameters
from understudy.errors import ConfigError
from understudy.prediction import THRESHOLD
from understudy.schema import ModelType
from understudy.service import secrets, views
from understudy.service.champions import champion
from understudy.service.checking import check_same_target, check_schema, check_training, usable
from understudy.service.context import Call, Service
from understudy.service.entities import Kind, a, present
from understudy.service.faults import IdempotentParameterMismatchException, InvalidInputException
from understudy.service.places import check_data, check_location, check_output, staged, text_at
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
from understudy.service.views import ALGORITHM, Answer
from understudy.store.catalog import Entity

PARAMETERS = {
    "algorithm": ALGORITHM,
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
        check_data(service, spec.data_location_s3, "DataLocationS3")
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
    sql = {"identifier": spec.database_information.cluster_identifier}
    return _create_from_query(service, call, request, spec, {"source": "redshift", "sql": sql})


def create_data_source_from_rds(service: Service, call: Call, request: CreateDataSourceFromRDSInput) -> Answer:
    """Make a data source of what a query to an RDS database gives: a MySQL one that `[serve.databases]` names."""
    spec = request.rds_data
    sql = {
        "identifier": spec.database_information.instance_identifier,
        "resource_role": spec.resource_role,
        "service_role": spec.service_role,
        "subnet_id": spec.subnet_id,
        "security_group_ids": spec.security_group_ids,
    }
    return _create_from_query(service, call, request, spec, {"source": "rds", "sql": sql})


def _create_from_query(
    service: Service,
    call: Call,
    request: CreateDataSourceFromRDSInput | CreateDataSourceFromRedshiftInput,
    spec: RDSDataSpec | RedshiftDataSpec,
    origin: Answer,
) -> Answer:
    """Make a data source of what a query gives; `origin` says to which service's database."""

    def document() -> Answer:
        check_location(service, spec.s3_staging_location, "S3StagingLocation")
        _check_database(service, origin["sql"]["identifier"])
        return {
            "source": origin["source"],
            "location": staged(spec.s3_staging_location, request.data_source_id),
            "sql": {**origin["sql"], "role_arn": request.role_arn, **_query(spec)},
            **_described(service, spec.data_schema, spec.data_schema_uri, "DataSchemaUri"),
            **_rows(spec.data_rearrangement, statistics=request.compute_statistics),
        }

    password = spec.database_credentials.password
    _create(service, call, "data_source", request.data_source_id, request.data_source_name, request, document, password)
    return {"DataSourceId": request.data_source_id}


def create_ml_model(service: Service, call: Call, request: CreateMLModelInput) -> Answer:
    """Train a model on a data source that has statistics; without a recipe one is chosen by the evidence."""

    def document() -> Answer:
        if request.recipe is not None and request.recipe_uri is not None:
            raise InvalidInputException("both Recipe and RecipeUri are given", "Give one of the two, or neither.")
        recipe = request.recipe
        if request.recipe_uri is not None:
            recipe = text_at(service, request.recipe_uri, "RecipeUri")
        source = usable(service, "data_source", request.training_data_source_id, "TrainingDataSourceId")
        check_training(source, request.ml_model_type, recipe)
        return {
            "model_type": request.ml_model_type.value,
            "training_data_source_id": source.id,
            "parameters": _parameters(request.parameters),
            "recipe": recipe,
            "recipe_location": request.recipe_uri,
            "input_location": views.location(source),
            "threshold": THRESHOLD if request.ml_model_type is ModelType.BINARY else None,
            "threshold_set_at": None,
            "endpoint": None,
        }

    _create(service, call, "model", request.ml_model_id, request.ml_model_name, request, document)
    return {"MLModelId": request.ml_model_id}


def create_evaluation(service: Service, call: Call, request: CreateEvaluationInput) -> Answer:
    """Judge a model, or the champion of an endpoint of that name, on a data source that has the target."""

    def document() -> Answer:
        model, source = _model_and_source(
            service, request.ml_model_id, request.evaluation_data_source_id, "EvaluationDataSourceId"
        )
        check_same_target(service, model, source)
        return {"model_id": model.id, "data_source_id": source.id, "input_location": views.location(source)}

    _create(service, call, "evaluation", request.evaluation_id, request.evaluation_name, request, document)
    return {"EvaluationId": request.evaluation_id}


def create_batch_prediction(service: Service, call: Call, request: CreateBatchPredictionInput) -> Answer:
    """Predict every row of a data source, by a model or the champion of an endpoint of that name, into files in S3."""

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
    if password is None:
        entity, new = service.catalog.create_once(kind, entity_id, made, name=name)
    else:
        entity, new = _create_with_password(service, kind, entity_id, made, name, password)
    if not new:
        _refuse_other(kind, entity, asked)


def _create_with_password(
    service: Service, kind: Kind, entity_id: str, made: Answer, name: str, password: str
) -> tuple[Entity, bool]:
    """Add an object whose job needs a password; of several Creates at a time the first one's is kept."""
    with secrets.one_at_a_time(service.secrets):
        known = present(service, kind, entity_id)
        if known is not None and known.status != "DELETED":
            return known, False
        secrets.keep(service.secrets, kind, entity_id, password)
        entity, new = service.catalog.create_once(kind, entity_id, made, name=name)
        if not new:
            secrets.forget(service.secrets, kind, entity_id)
        return entity, new


def _refuse_other(kind: Kind, known: Entity, asked: Answer) -> None:
    """Let an id mean one object; raises IdempotentParameterMismatchException."""
    if known.status == "DELETED":
        raise IdempotentParameterMismatchException(
            f"the id {known.id!r} was that of {a(kind)} that once answered for an endpoint", "Choose another id."
        )
    before = known.document.get("request", {})
    if before != asked:
        differing = sorted(name for name in {*before, *asked} if before.get(name) != asked.get(name))
        raise IdempotentParameterMismatchException(
            f"the id {known.id!r} is that of {a(kind)} made with another {' and '.join(differing)}",
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
    """Return what is known of a data source's schema: its text, or where its text is, or both."""
    if (schema is None) == (location is None):
        found = "neither DataSchema nor" if schema is None else "both DataSchema and"
        raise InvalidInputException(f"{found} {member} is given", "Give one of the two; nothing is inferred here.")
    text = schema if location is None else text_at(service, location, member)
    if text is not None:
        check_schema(text, "DataSchema" if location is None else member)
    return {"schema": text, "schema_location": location}


def _rows(rearrangement: str | None, *, statistics: bool) -> Answer:
    """Return which rows a data source takes, and whether they are to be summarised."""
    Rearrangement.from_json(rearrangement)
    return {"rearrangement": rearrangement, "compute_statistics": statistics}


def _check_database(service: Service, identifier: str) -> None:
    """Refuse a database that the place does not name; raises InvalidInputException."""
    if identifier not in service.store.place.serve.databases:
        raise InvalidInputException(
            f"this server knows no database {identifier!r}",
            f'Add it to the project file: [serve.databases] {identifier} = "postgresql://host:5432".',
        )


def _query(spec: RDSDataSpec | RedshiftDataSpec) -> Answer:
    """Return what is kept of a query: all but the password."""
    return {
        "database": spec.database_information.database_name,
        "username": spec.database_credentials.username,
        "query": spec.select_sql_query,
        "staging": spec.s3_staging_location,
    }


def _parameters(given: dict[str, str]) -> dict[str, str]:
    """Return the training parameters with the original's defaults, in the caller's spelling."""
    if given.get("algorithm", ALGORITHM) != ALGORITHM:
        raise InvalidInputException(f"the parameter algorithm is {given['algorithm']!r}", f"There is only {ALGORITHM}.")
    parameters = {**PARAMETERS, **given}
    try:
        parse_parameters({name: value for name, value in parameters.items() if name != "algorithm"})
    except ConfigError as error:
        raise InvalidInputException(
            error.message.replace("train.parameters has", "Parameters has"), error.hint
        ) from None
    return parameters


def _model_and_source(service: Service, model_id: str, source_id: str, member: str) -> tuple[Entity, Entity]:
    model = usable(service, "model", _model_meant(service, model_id), "MLModelId")
    return model, usable(service, "data_source", source_id, member)


def _model_meant(service: Service, model_id: str) -> str:
    """Return a model's id; for an endpoint's name that of who serves under it at this moment."""
    serving = champion(service, model_id) if present(service, "model", model_id) is None else None
    return model_id if serving is None else serving.id
