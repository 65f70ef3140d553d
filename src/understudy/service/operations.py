"""The one table of the 28 operations: what each is asked with, which function answers, which faults it declares.

>>> OPERATIONS["GetMLModel"].request.__name__, len(OPERATIONS)
('GetMLModelInput', 28)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from understudy.service import creating, deleting, endpoints, getting, listing, predicting, shapes, tagging, updating
from understudy.service.context import Call, Service
from understudy.service.faults import (
    Fault,
    IdempotentParameterMismatchException,
    InternalServerException,
    InvalidInputException,
    InvalidTagException,
    LimitExceededException,
    PredictorNotMountedException,
    ResourceNotFoundException,
    TagLimitExceededException,
)
from understudy.service.reading import read_request
from understudy.service.shapes import Shape
from understudy.service.views import Answer

S = TypeVar("S", bound=Shape)

Faults = tuple[type[Fault], ...]

LIST: Faults = (InvalidInputException, InternalServerException)
CREATE: Faults = (*LIST, IdempotentParameterMismatchException)
KNOWN: Faults = (*LIST, ResourceNotFoundException)
PREDICT: Faults = (*KNOWN, LimitExceededException, PredictorNotMountedException)
DELETE_TAGS: Faults = (*KNOWN, InvalidTagException)
ADD_TAGS: Faults = (*DELETE_TAGS, TagLimitExceededException)


@dataclass(frozen=True)
class Operation(Generic[S]):
    """One operation of the original."""

    request: type[S]
    """What it is asked with; its name is the operation's and `Input`."""
    function: Callable[[Service, Call, S], Answer]
    faults: Faults
    """What it may answer other than success."""

    @property
    def name(self) -> str:
        """The operation's name on the wire."""
        return self.request.__name__.removesuffix("Input")

    def run(self, service: Service, call: Call, document: object) -> Answer:
        """Read a request's JSON and answer it; raises one of the declared faults, or StoreError."""
        return self.function(service, call, read_request(document, self.request))


_TABLE: tuple[Operation[Any], ...] = (
    Operation(shapes.CreateDataSourceFromS3Input, creating.create_data_source_from_s3, CREATE),
    Operation(shapes.CreateDataSourceFromRedshiftInput, creating.create_data_source_from_redshift, CREATE),
    Operation(shapes.CreateDataSourceFromRDSInput, creating.create_data_source_from_rds, CREATE),
    Operation(shapes.CreateMLModelInput, creating.create_ml_model, CREATE),
    Operation(shapes.CreateEvaluationInput, creating.create_evaluation, CREATE),
    Operation(shapes.CreateBatchPredictionInput, creating.create_batch_prediction, CREATE),
    Operation(shapes.CreateRealtimeEndpointInput, endpoints.create_realtime_endpoint, KNOWN),
    Operation(shapes.GetDataSourceInput, getting.get_data_source, KNOWN),
    Operation(shapes.GetMLModelInput, getting.get_ml_model, KNOWN),
    Operation(shapes.GetEvaluationInput, getting.get_evaluation, KNOWN),
    Operation(shapes.GetBatchPredictionInput, getting.get_batch_prediction, KNOWN),
    Operation(shapes.DescribeDataSourcesInput, listing.describe_data_sources, LIST),
    Operation(shapes.DescribeMLModelsInput, listing.describe_ml_models, LIST),
    Operation(shapes.DescribeEvaluationsInput, listing.describe_evaluations, LIST),
    Operation(shapes.DescribeBatchPredictionsInput, listing.describe_batch_predictions, LIST),
    Operation(shapes.UpdateDataSourceInput, updating.update_data_source, KNOWN),
    Operation(shapes.UpdateMLModelInput, updating.update_ml_model, KNOWN),
    Operation(shapes.UpdateEvaluationInput, updating.update_evaluation, KNOWN),
    Operation(shapes.UpdateBatchPredictionInput, updating.update_batch_prediction, KNOWN),
    Operation(shapes.DeleteDataSourceInput, deleting.delete_data_source, KNOWN),
    Operation(shapes.DeleteMLModelInput, deleting.delete_ml_model, KNOWN),
    Operation(shapes.DeleteEvaluationInput, deleting.delete_evaluation, KNOWN),
    Operation(shapes.DeleteBatchPredictionInput, deleting.delete_batch_prediction, KNOWN),
    Operation(shapes.DeleteRealtimeEndpointInput, endpoints.delete_realtime_endpoint, KNOWN),
    Operation(shapes.AddTagsInput, tagging.add_tags, ADD_TAGS),
    Operation(shapes.DeleteTagsInput, tagging.delete_tags, DELETE_TAGS),
    Operation(shapes.DescribeTagsInput, tagging.describe_tags, KNOWN),
    Operation(shapes.PredictInput, predicting.predict, PREDICT),
)

OPERATIONS: dict[str, Operation[Any]] = {operation.name: operation for operation in _TABLE}
"""Every operation by its name on the wire."""
