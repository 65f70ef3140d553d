"""The simple shapes of the original's requests: lengths, patterns, values (reference 2.1), under their own names.

A pattern must match the whole of a value. Those of tags use classes that Python's `re` lacks: `tagging` checks them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta


def whole(pattern: str) -> str:
    r"""Return a pattern that matches whole values only, wherever a search with it begins.

    >>> whole("[a-z]+|^$")
    '\\A(?:[a-z]+|^$)\\Z'
    """
    return rf"\A(?:{pattern})\Z"


EntityId = Annotated[str, Meta(min_length=1, max_length=64, pattern=whole("[a-zA-Z0-9_.-]+"))]
EntityName = Annotated[str, Meta(max_length=1024, pattern=whole(r".*\S.*|^$"))]
ComparatorValue = Annotated[str, Meta(max_length=1024, pattern=whole(r".*\S.*|^$"))]
DataSchema = Annotated[str, Meta(max_length=131_071)]
Recipe = Annotated[str, Meta(max_length=131_071)]
S3Url = Annotated[str, Meta(max_length=2048, pattern=whole("s3://([^/]+)(/.*)?"))]
VipURL = Annotated[str, Meta(max_length=2048)]
"""Clients send other hosts than Amazon's, and bare ones: the original's pattern is not asked for (reference 13)."""
PageLimit = Annotated[int, Meta(ge=1, le=100)]
RoleARN = Annotated[str, Meta(min_length=1, max_length=110)]
TagKey = Annotated[str, Meta(min_length=1, max_length=128)]
TagValue = Annotated[str, Meta(min_length=0, max_length=256)]

EDPResourceRole = Annotated[str, Meta(min_length=1, max_length=64)]
EDPSecurityGroupId = Annotated[str, Meta(min_length=1, max_length=255)]
EDPServiceRole = Annotated[str, Meta(min_length=1, max_length=64)]
EDPSubnetId = Annotated[str, Meta(min_length=1, max_length=255)]
RDSDatabaseName = Annotated[str, Meta(min_length=1, max_length=64)]
RDSDatabasePassword = Annotated[str, Meta(min_length=8, max_length=128)]
RDSDatabaseUsername = Annotated[str, Meta(min_length=1, max_length=128)]
RDSInstanceIdentifier = Annotated[str, Meta(min_length=1, max_length=63, pattern=whole("[a-z0-9-]+"))]
RDSSelectSqlQuery = Annotated[str, Meta(min_length=1, max_length=16_777_216)]
RedshiftClusterIdentifier = Annotated[str, Meta(min_length=1, max_length=63, pattern=whole("[a-z0-9-]+"))]
RedshiftDatabaseName = Annotated[str, Meta(min_length=1, max_length=64, pattern=whole("[a-z0-9]+"))]
RedshiftDatabasePassword = Annotated[str, Meta(min_length=8, max_length=64)]
RedshiftDatabaseUsername = Annotated[str, Meta(min_length=1, max_length=128)]
RedshiftSelectSqlQuery = Annotated[str, Meta(min_length=1, max_length=16_777_216)]

SortOrder = Literal["asc", "dsc"]
TaggableResourceType = Literal["BatchPrediction", "DataSource", "Evaluation", "MLModel"]
BatchPredictionFilterVariable = Literal[
    "CreatedAt", "LastUpdatedAt", "Status", "Name", "IAMUser", "MLModelId", "DataSourceId", "DataURI"
]
DataSourceFilterVariable = Literal["CreatedAt", "LastUpdatedAt", "Status", "Name", "DataLocationS3", "IAMUser"]
EvaluationFilterVariable = BatchPredictionFilterVariable
MLModelFilterVariable = Literal[
    "CreatedAt",
    "LastUpdatedAt",
    "Status",
    "Name",
    "IAMUser",
    "TrainingDataSourceId",
    "RealtimeEndpointStatus",
    "MLModelType",
    "Algorithm",
    "TrainingDataURI",
]
