"""What the 28 operations are asked with: a record for each input of the original (reference 2), and its parts.

Fields are spelled as Python does and named on the wire as Amazon does: `ml_model_id` is `MLModelId` there. Members that
a record does not know are ignored. `reading.read_request` makes a record of a request's JSON.

>>> wire(GetMLModelInput(ml_model_id="ml-one", verbose=True))
{'MLModelId': 'ml-one', 'Verbose': True}
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from understudy.schema import ModelType
from understudy.service.constraints import (
    BatchPredictionFilterVariable,
    ComparatorValue,
    DataSchema,
    DataSourceFilterVariable,
    EDPResourceRole,
    EDPSecurityGroupId,
    EDPServiceRole,
    EDPSubnetId,
    EntityId,
    EntityName,
    EvaluationFilterVariable,
    MLModelFilterVariable,
    PageLimit,
    RDSDatabaseName,
    RDSDatabasePassword,
    RDSDatabaseUsername,
    RDSInstanceIdentifier,
    RDSSelectSqlQuery,
    Recipe,
    RedshiftClusterIdentifier,
    RedshiftDatabaseName,
    RedshiftDatabasePassword,
    RedshiftDatabaseUsername,
    RedshiftSelectSqlQuery,
    RoleARN,
    S3Url,
    SortOrder,
    TaggableResourceType,
    TagKey,
    TagValue,
    VipURL,
)

_CAPITALS = frozenset({"ml", "s3", "rds", "arn", "eq", "ne", "gt", "ge", "lt", "le"})


def wire_name(field: str) -> str:
    """Return a field's name on the wire.

    >>> wire_name("ml_model_id"), wire_name("data_location_s3"), wire_name("role_arn"), wire_name("output_uri")
    ('MLModelId', 'DataLocationS3', 'RoleARN', 'OutputUri')
    """
    return "".join(word.upper() if word in _CAPITALS else word.capitalize() for word in field.split("_"))


class Shape(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name):
    """A structure of the wire; a member that was not given has its default."""


def wire(shape: Shape) -> dict[str, Any]:
    """Return a structure as it stands on the wire, without the members that have their default."""
    document: dict[str, Any] = msgspec.to_builtins(shape)
    return document


# --- data sources ----------------------------------------------------------------------------------------------------


class S3DataSpec(Shape, frozen=True, kw_only=True):
    """Where rows lie in S3, and what they mean."""

    data_location_s3: S3Url
    data_rearrangement: str | None = None
    data_schema: DataSchema | None = None
    data_schema_location_s3: S3Url | None = None


class CreateDataSourceFromS3Input(Shape, frozen=True, kw_only=True):
    """Asks for a data source over files in S3."""

    data_source_id: EntityId
    data_source_name: EntityName = ""
    data_spec: S3DataSpec
    compute_statistics: bool = False


class RedshiftDatabase(Shape, frozen=True, kw_only=True):
    """A database of a Redshift cluster."""

    database_name: RedshiftDatabaseName
    cluster_identifier: RedshiftClusterIdentifier


class RedshiftDatabaseCredentials(Shape, frozen=True, kw_only=True):
    """Who asks a Redshift database."""

    username: RedshiftDatabaseUsername
    password: RedshiftDatabasePassword

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"  # a password must not reach a log


class RedshiftDataSpec(Shape, frozen=True, kw_only=True):
    """A query to Redshift, and what its rows mean."""

    database_information: RedshiftDatabase
    select_sql_query: RedshiftSelectSqlQuery
    database_credentials: RedshiftDatabaseCredentials
    s3_staging_location: S3Url
    data_rearrangement: str | None = None
    data_schema: DataSchema | None = None
    data_schema_uri: S3Url | None = None


class CreateDataSourceFromRedshiftInput(Shape, frozen=True, kw_only=True):
    """Asks for a data source over a query to Redshift."""

    data_source_id: EntityId
    data_source_name: EntityName = ""
    data_spec: RedshiftDataSpec
    role_arn: RoleARN
    compute_statistics: bool = False


class RDSDatabase(Shape, frozen=True, kw_only=True):
    """A database of an RDS instance."""

    instance_identifier: RDSInstanceIdentifier
    database_name: RDSDatabaseName


class RDSDatabaseCredentials(Shape, frozen=True, kw_only=True):
    """Who asks an RDS database."""

    username: RDSDatabaseUsername
    password: RDSDatabasePassword

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username!r})"  # a password must not reach a log


class RDSDataSpec(Shape, frozen=True, kw_only=True):
    """A query to an RDS database, and what its rows mean."""

    database_information: RDSDatabase
    select_sql_query: RDSSelectSqlQuery
    database_credentials: RDSDatabaseCredentials
    s3_staging_location: S3Url
    data_rearrangement: str | None = None
    data_schema: DataSchema | None = None
    data_schema_uri: S3Url | None = None
    resource_role: EDPResourceRole
    service_role: EDPServiceRole
    subnet_id: EDPSubnetId
    security_group_ids: list[EDPSecurityGroupId]


class CreateDataSourceFromRDSInput(Shape, frozen=True, kw_only=True):
    """Asks for a data source over a query to an RDS database."""

    data_source_id: EntityId
    data_source_name: EntityName = ""
    rds_data: RDSDataSpec
    role_arn: RoleARN
    compute_statistics: bool = False


class GetDataSourceInput(Shape, frozen=True, kw_only=True):
    """Asks for a data source."""

    data_source_id: EntityId
    verbose: bool = False


class UpdateDataSourceInput(Shape, frozen=True, kw_only=True):
    """Asks for another name of a data source."""

    data_source_id: EntityId
    data_source_name: EntityName


class DeleteDataSourceInput(Shape, frozen=True, kw_only=True):
    """Asks for a data source to be deleted."""

    data_source_id: EntityId


# --- models ----------------------------------------------------------------------------------------------------------


class CreateMLModelInput(Shape, frozen=True, kw_only=True):
    """Asks for a model."""

    ml_model_id: EntityId
    ml_model_name: EntityName = ""
    ml_model_type: ModelType
    parameters: dict[str, str] = {}
    training_data_source_id: EntityId
    recipe: Recipe | None = None
    recipe_uri: S3Url | None = None


class GetMLModelInput(Shape, frozen=True, kw_only=True):
    """Asks for a model."""

    ml_model_id: EntityId
    verbose: bool = False


class UpdateMLModelInput(Shape, frozen=True, kw_only=True):
    """Asks for another name or score threshold of a model."""

    ml_model_id: EntityId
    ml_model_name: EntityName | None = None
    score_threshold: float | None = None


class DeleteMLModelInput(Shape, frozen=True, kw_only=True):
    """Asks for a model to be deleted."""

    ml_model_id: EntityId


class CreateRealtimeEndpointInput(Shape, frozen=True, kw_only=True):
    """Asks for a model's realtime endpoint."""

    ml_model_id: EntityId


class DeleteRealtimeEndpointInput(Shape, frozen=True, kw_only=True):
    """Asks for a model's realtime endpoint to be taken away."""

    ml_model_id: EntityId


class PredictInput(Shape, frozen=True, kw_only=True):
    """Asks for the prediction of one record."""

    ml_model_id: EntityId
    record: dict[str, str]
    predict_endpoint: VipURL


# --- evaluations -----------------------------------------------------------------------------------------------------


class CreateEvaluationInput(Shape, frozen=True, kw_only=True):
    """Asks for an evaluation."""

    evaluation_id: EntityId
    evaluation_name: EntityName = ""
    ml_model_id: EntityId
    evaluation_data_source_id: EntityId


class GetEvaluationInput(Shape, frozen=True, kw_only=True):
    """Asks for an evaluation."""

    evaluation_id: EntityId


class UpdateEvaluationInput(Shape, frozen=True, kw_only=True):
    """Asks for another name of an evaluation."""

    evaluation_id: EntityId
    evaluation_name: EntityName


class DeleteEvaluationInput(Shape, frozen=True, kw_only=True):
    """Asks for an evaluation to be deleted."""

    evaluation_id: EntityId


# --- batch predictions -----------------------------------------------------------------------------------------------


class CreateBatchPredictionInput(Shape, frozen=True, kw_only=True):
    """Asks for the predictions of a data source's rows."""

    batch_prediction_id: EntityId
    batch_prediction_name: EntityName = ""
    ml_model_id: EntityId
    batch_prediction_data_source_id: EntityId
    output_uri: S3Url


class GetBatchPredictionInput(Shape, frozen=True, kw_only=True):
    """Asks for a batch prediction."""

    batch_prediction_id: EntityId


class UpdateBatchPredictionInput(Shape, frozen=True, kw_only=True):
    """Asks for another name of a batch prediction."""

    batch_prediction_id: EntityId
    batch_prediction_name: EntityName


class DeleteBatchPredictionInput(Shape, frozen=True, kw_only=True):
    """Asks for a batch prediction to be deleted."""

    batch_prediction_id: EntityId


# --- lists -----------------------------------------------------------------------------------------------------------


class DescribeInput(Shape, frozen=True, kw_only=True):
    """What the four lists have in common; `filter_variable` is each list's own."""

    eq: ComparatorValue | None = None
    gt: ComparatorValue | None = None
    lt: ComparatorValue | None = None
    ge: ComparatorValue | None = None
    le: ComparatorValue | None = None
    ne: ComparatorValue | None = None
    prefix: ComparatorValue | None = None
    sort_order: SortOrder = "asc"
    next_token: str | None = None
    limit: PageLimit = 100


class DescribeDataSourcesInput(DescribeInput, frozen=True, kw_only=True):
    """Asks for a page of the data sources."""

    filter_variable: DataSourceFilterVariable | None = None


class DescribeMLModelsInput(DescribeInput, frozen=True, kw_only=True):
    """Asks for a page of the models."""

    filter_variable: MLModelFilterVariable | None = None


class DescribeEvaluationsInput(DescribeInput, frozen=True, kw_only=True):
    """Asks for a page of the evaluations."""

    filter_variable: EvaluationFilterVariable | None = None


class DescribeBatchPredictionsInput(DescribeInput, frozen=True, kw_only=True):
    """Asks for a page of the batch predictions."""

    filter_variable: BatchPredictionFilterVariable | None = None


# --- tags ------------------------------------------------------------------------------------------------------------


class Tag(Shape, frozen=True, kw_only=True):
    """A tag; one without a value is a key alone."""

    key: TagKey | None = None
    value: TagValue | None = None


class AddTagsInput(Shape, frozen=True, kw_only=True):
    """Asks for tags to be put on an object."""

    tags: Annotated[list[Tag], Meta(max_length=100)]
    resource_id: EntityId
    resource_type: TaggableResourceType


class DeleteTagsInput(Shape, frozen=True, kw_only=True):
    """Asks for tags to be taken off an object."""

    tag_keys: Annotated[list[TagKey], Meta(max_length=100)]
    resource_id: EntityId
    resource_type: TaggableResourceType


class DescribeTagsInput(Shape, frozen=True, kw_only=True):
    """Asks for the tags of an object."""

    resource_id: EntityId
    resource_type: TaggableResourceType
