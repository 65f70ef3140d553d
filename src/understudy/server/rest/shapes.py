"""What is asked and answered under /v1, as typed records; their descriptions are what /docs and /openapi.json show."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from understudy.endpoint import HistoryEntry
from understudy.prediction import Prediction

RECORDS = 10_000
"""Records that one request may hold."""

Record = dict[str, Any]
"""A record as extracted: values by attribute."""
Records = Annotated[
    list[Record],
    Meta(
        max_length=RECORDS,
        description="Records as extracted; the target is not asked for, what is unknown is ignored.",
    ),
]
ModelId = Annotated[str, Meta(min_length=1, max_length=200, description="The id of a model.")]


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A request that must not hold keys which nobody reads."""


class Nothing(Closed, frozen=True):
    """An empty object."""


class Predict(Closed, frozen=True):
    """Records to be answered."""

    records: Records
    top: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="Show the best N classes only.")] = None


class Predictions(msgspec.Struct, frozen=True):
    """Answers, one for each record, in order."""

    predictions: list[Prediction]


class Champion(msgspec.Struct, frozen=True):
    """Who serves."""

    model_id: str
    fingerprint: Annotated[str, Meta(description="The hash of everything that a prediction hangs on.")]
    since: Annotated[str | None, Meta(description="When it became champion, ISO 8601 in UTC.")]


class Learning(msgspec.Struct, frozen=True):
    """Per-query learning."""

    enabled: Annotated[bool, Meta(description="Whether labelled queries teach a challenger.")] = False
    observations_learned: Annotated[int, Meta(ge=0)] = 0


class EndpointAnswer(msgspec.Struct, frozen=True):
    """A stable name, and who serves under it."""

    name: str
    champion: Champion | None
    challenger: Annotated[dict[str, Any] | None, Meta(description="Who rehearses; null while nobody does.")]
    learning: Learning


class Endpoints(msgspec.Struct, frozen=True):
    """All endpoints of this server."""

    endpoints: list[EndpointAnswer]


class History(msgspec.Struct, frozen=True):
    """Every promotion, oldest first, refusals included."""

    promotions: list[HistoryEntry]


class Promote(Closed, frozen=True):
    """A model that is to serve."""

    model_id: ModelId


class Status(msgspec.Struct, frozen=True):
    """What `understudy status --json` tells."""

    project: str
    endpoint: dict[str, Any]
    last_run: dict[str, Any] | None
    next_run: str | None


class Labelled(Closed, frozen=True):
    """A label that has come to be known, for a record or for a prediction that was given."""

    label: str | int | float
    record: Record | None = None
    prediction_id: str | None = None
    id: Annotated[str | None, Meta(description="Yours; an observation of the same id is taken once.")] = None


class Observe(Closed, frozen=True):
    """Labels to learn from."""

    observations: Annotated[list[Labelled], Meta(max_length=RECORDS)]


class Observed(msgspec.Struct, frozen=True):
    """What became of the observations."""

    accepted: int
    duplicates: int
    rejected: list[dict[str, Any]]


class Page(Closed, frozen=True):
    """Which part of a list is wanted."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at most.")] = 100
    before: Annotated[str, Meta(max_length=200, description="The id after which to go on: the answer's `next`.")] = ""


class RunSummary(msgspec.Struct, frozen=True):
    """A run in a few words."""

    run_id: str
    status: str
    at: Annotated[str, Meta(description="When it began, ISO 8601 in UTC.")]
    finished_at: str | None
    verdict: Literal["ADMITTED", "REFUSED", "HELD"] | None
    model_id: str | None
    message: Annotated[str | None, Meta(description="Why it failed.")]


Next = Annotated[str | None, Meta(description="What to give as `before` for the next page; null at the end.")]


class Runs(msgspec.Struct, frozen=True):
    """Runs, newest first."""

    runs: list[RunSummary]
    next: Next


class ModelSummary(msgspec.Struct, frozen=True):
    """A model in a few words."""

    model_id: str
    status: str
    created_at: str
    fingerprint: str | None
    model_type: str | None
    metrics: dict[str, Any]
    run_id: str | None


class Models(msgspec.Struct, frozen=True):
    """Models, newest first."""

    models: list[ModelSummary]
    next: Next


class Keys(Closed, frozen=True):
    """Which part of a model's features is wanted."""

    limit: Annotated[int, Meta(ge=1, le=10_000, description="How many at most.")] = 100
    after: Annotated[
        str, Meta(pattern="^([0-9a-f]{16})?$", description="The key after which to go on: the answer's `next`.")
    ] = ""


class Feature(msgspec.Struct, frozen=True):
    """A feature, and what was learned of it."""

    key: Annotated[str, Meta(description="Its 64-bit hash, as 16 hexadecimal digits.")]
    weights: Annotated[list[float], Meta(description="One for each output.")]


class Weights(msgspec.Struct, frozen=True):
    """What a model learned."""

    model_id: str
    outputs: Annotated[list[str], Meta(description="The classes; for BINARY the positive one, else the target.")]
    intercept: Annotated[list[float], Meta(description="One for each output.")]
    count: Annotated[int, Meta(ge=0, description="How many features there are.")]
    features: list[Feature]
    next: Annotated[str | None, Meta(description="What to give as `after` for the next page; null at the end.")]


class Shown(msgspec.Struct, frozen=True):
    """What `understudy show ID --json` tells: these fields, and all that is known of such an object."""

    kind: str
    id: str
    status: Annotated[str, Meta(description="PENDING, INPROGRESS, COMPLETED, FAILED or DELETED.")]
    created_at: str


class ShownEvaluation(Shown, frozen=True):
    """An evaluation: once COMPLETED it has all fields, null or empty where its model's type has no such part."""

    model_id: str | UnsetType = UNSET
    data_source_id: str | UnsetType = UNSET
    message: Annotated[str | UnsetType, Meta(description="What was odd, or why it failed; may be absent.")] = UNSET
    model_type: Literal["BINARY", "MULTICLASS", "REGRESSION"] | UnsetType = UNSET
    rows: Annotated[int | UnsetType, Meta(description="Rows judged.")] = UNSET
    metrics: Annotated[
        dict[str, float | None] | UnsetType,
        Meta(description="Each by its name, such as `auc`; null where the rows do not determine it."),
    ] = UNSET
    intervals: Annotated[
        dict[str, Any] | UnsetType, Meta(description="Lower and upper end of a metric at `confidence`.")
    ] = UNSET
    confidence: float | UnsetType = UNSET
    baseline: Annotated[
        dict[str, float | None] | UnsetType,
        Meta(description="The metrics of a model that knows the target in training and nothing else."),
    ] = UNSET
    alerts: Annotated[
        list[dict[str, Any]] | UnsetType, Meta(description="What speaks against the figures: `code` and `message`.")
    ] = UNSET
    threshold: Annotated[
        float | UnsetType | None, Meta(description="BINARY: the score from which on a row was called positive.")
    ] = UNSET
    confusion: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="Counts of predictions (columns) by labels (rows).")
    ] = UNSET
    per_class: Annotated[
        list[dict[str, Any]] | UnsetType, Meta(description="MULTICLASS: precision, recall, F1 and rows of each class.")
    ] = UNSET
    curves: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="BINARY: points of the ROC and precision-recall curves.")
    ] = UNSET
    histogram: Annotated[
        dict[str, Any] | UnsetType | None, Meta(description="BINARY: scores of positive and negative rows in bins.")
    ] = UNSET
    calibration: Annotated[
        list[dict[str, Any]] | UnsetType, Meta(description="BINARY: mean score and share of positive rows by groups.")
    ] = UNSET
    thresholds: Annotated[
        list[dict[str, Any]] | UnsetType, Meta(description="BINARY: what each threshold from 0.01 to 0.99 would bring.")
    ] = UNSET
    residuals: Annotated[dict[str, Any] | UnsetType | None, Meta(description="REGRESSION: label minus prediction.")] = (
        UNSET
    )


class ShownBatchPrediction(Shown, frozen=True):
    """A batch prediction, made through Amazon ML's API."""

    model_id: str | UnsetType = UNSET
    data_source_id: str | UnsetType = UNSET
    output_uri: Annotated[str | UnsetType, Meta(description="Below which place in S3 the answers are.")] = UNSET
    total: Annotated[int | UnsetType, Meta(description="Records read; there once it is COMPLETED.")] = UNSET
    invalid: Annotated[int | UnsetType, Meta(description="Those that could not be read; likewise.")] = UNSET
    message: Annotated[str | UnsetType, Meta(description="What was odd, or why it failed; may be absent.")] = UNSET


class Frame(msgspec.Struct, frozen=True):
    """A table: names of columns, and rows."""

    columns: list[str]
    data: Annotated[list[list[Any]], Meta(max_length=RECORDS)]


class Invocation(msgspec.Struct, frozen=True):
    """Records in one of the forms of MLflow and SageMaker: exactly one of the four fields."""

    dataframe_split: Frame | None = None
    dataframe_records: list[Record] | None = None
    instances: list[Record] | None = None
    inputs: Annotated[dict[str, list[Any]] | list[Record] | None, Meta(description="Or columns by name.")] = None


class Chosen(Closed, frozen=True):
    """Who is to answer."""

    endpoint: Annotated[str, Meta(description="An endpoint's name, where this server has several.")] = ""


class Invoked(msgspec.Struct, frozen=True):
    """A label or value for each record, in order."""

    predictions: list[str | float | None]


class Health(msgspec.Struct, frozen=True):
    """All is well."""

    status: Literal["ok"] = "ok"
