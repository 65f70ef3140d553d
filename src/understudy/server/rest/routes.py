"""The table of routes: every path of the REST door stands here once.

What makes the two pages about the table is loaded when somebody asks for one.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import unquote

from understudy.endpoint import HistoryEntry
from understudy.server.http import Response
from understudy.server.rest import endpoints, examples, objects, predicting, probes, shapes, weights
from understudy.server.rest.route import MIB, Call, Route
from understudy.server.rest.shapes import Nothing

Json = dict[str, Any]


def get_openapi(call: Call[None, Nothing]) -> Json:
    """Return the table of routes for machines."""
    from understudy.server.rest import openapi

    return openapi.document(ROUTES, call.door.base_url)


def get_docs(call: Call[None, Nothing]) -> Response:
    """Return the table of routes for people: one page, without scripts or anything from elsewhere."""
    from understudy.server.rest import docs

    name = next(iter(call.door.by_name), examples.NAME)
    return docs.page(ROUTES, name, call.door.base_url, call.request.headers.get("host", ""))


def _shown(
    kind: str, path: str, function: objects.Show, summary: str, example: Json, answer: type = shapes.Shown
) -> Route:
    return Route(
        method="GET",
        path=path,
        role="admin",
        function=function,
        summary=summary,
        answer=answer,
        answer_example={"kind": kind, **example},
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/v1/endpoints/{name}/predict",
        role="predict",
        function=predicting.predict,
        at_once=predicting.predict_at_once,
        summary="Answer records by the champion",
        body=shapes.Predict,
        answer=shapes.Predictions,
        limit=6 * MIB,
        refusals=(409,),
        example={"records": [{"age": 41, "job": "nurse", "balance": 1250.5}], "top": 3},
        answer_example={"predictions": [examples.PREDICTION]},
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{name}/observe",
        role="admin",
        function=endpoints.observe,
        summary="Teach labels as they come to be known (not yet: always 409)",
        body=shapes.Observe,
        answer=shapes.Observed,
        limit=6 * MIB,
        refusals=(409,),
        example={"observations": [{"record": {"age": 41, "job": "nurse"}, "label": "yes", "id": "call-17"}]},
        answer_example={"accepted": 1, "duplicates": 0, "rejected": []},
    ),
    Route(
        method="GET",
        path="/v1/endpoints",
        role="predict",
        function=endpoints.list_endpoints,
        summary="List the endpoints and who serves",
        answer=shapes.Endpoints,
        answer_example={"endpoints": [examples.ENDPOINT]},
    ),
    Route(
        method="GET",
        path="/v1/endpoints/{name}",
        role="predict",
        function=endpoints.get_endpoint,
        summary="Tell who serves, and since when",
        answer=shapes.EndpointAnswer,
        answer_example=examples.ENDPOINT,
    ),
    Route(
        method="GET",
        path="/v1/endpoints/{name}/history",
        role="admin",
        function=endpoints.get_history,
        summary="Tell every promotion with its verdict and reasons",
        answer=shapes.History,
        answer_example={"promotions": [examples.ENTRY]},
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{name}/promote",
        role="admin",
        function=endpoints.promote,
        summary="Let a model serve, by hand",
        body=shapes.Promote,
        answer=HistoryEntry,
        refusals=(409,),
        example={"model_id": "ml-s9coBEzsAby"},
        answer_example=examples.ENTRY,
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{name}/rollback",
        role="admin",
        function=endpoints.roll_back,
        summary="Return to the champion before, and pin it",
        body=shapes.Nothing,
        answer=HistoryEntry,
        refusals=(409,),
        example={},
        answer_example={**examples.ENTRY, "by": "rollback", "reasons": ["rolled back from ml-0NqYBn4sWkd"]},
    ),
    Route(
        method="POST",
        path="/v1/endpoints/{name}/unpin",
        role="admin",
        function=endpoints.unpin,
        summary="Let the gate decide again after a rollback",
        body=shapes.Nothing,
        answer=shapes.Status,
        refusals=(409,),
        example={},
        answer_example=examples.STATUS,
    ),
    Route(
        method="GET",
        path="/v1/runs",
        role="admin",
        function=objects.list_runs,
        summary="List the runs, newest first",
        query=shapes.Page,
        answer=shapes.Runs,
        answer_example={"runs": [examples.RUN], "next": None},
    ),
    _shown(
        "run",
        "/v1/runs/{id}",
        objects.get_run,
        "Show a run: rows, metrics, verdict, seconds",
        {"id": "run-20261123T070000-a1b2c3", "status": "COMPLETED", "created_at": "2026-11-23T07:00:00.907523Z"},
    ),
    Route(
        method="GET",
        path="/v1/models",
        role="admin",
        function=objects.list_models,
        summary="List the models, newest first",
        query=shapes.Page,
        answer=shapes.Models,
        answer_example={"models": [examples.MODEL], "next": None},
    ),
    _shown(
        "model",
        "/v1/models/{id}",
        objects.get_model,
        "Show a model: fingerprint, classes, recipe, metrics, lineage",
        {"id": "ml-s9coBEzsAby", "status": "COMPLETED", "created_at": "2026-11-23T07:00:02.817536Z"},
    ),
    Route(
        method="GET",
        path="/v1/models/{id}/weights",
        role="admin",
        function=weights.get_weights,
        summary="Show a model's weights",
        query=shapes.Keys,
        answer=shapes.Weights,
        refusals=(409,),
        answer_example=examples.WEIGHTS,
    ),
    _shown(
        "data_source",
        "/v1/data-sources/{id}",
        objects.get_data_source,
        "Show a data source: schema, split, statistics",
        {"id": "ds-m0VXdxUutqj", "status": "COMPLETED", "created_at": "2026-11-23T07:00:02.828630Z", "rows": 279},
    ),
    _shown(
        "evaluation",
        "/v1/evaluations/{id}",
        objects.get_evaluation,
        "Show an evaluation: metrics, confusion matrix, curves, alerts",
        examples.EVALUATION,
        shapes.ShownEvaluation,
    ),
    _shown(
        "batch_prediction",
        "/v1/batch-predictions/{id}",
        objects.get_batch_prediction,
        "Show a batch prediction",
        examples.BATCH_PREDICTION,
        shapes.ShownBatchPrediction,
    ),
    Route(
        method="POST",
        path="/invocations",
        role="predict",
        function=predicting.invoke,
        at_once=predicting.invoke_at_once,
        summary="Answer records in the shape of MLflow's and SageMaker's containers",
        body=shapes.Invocation,
        query=shapes.Chosen,
        also_reads={"text/csv": predicting.read_csv},
        headers={predicting.CHOOSES: "An endpoint's name, where this server has several."},
        answer=shapes.Invoked,
        limit=6 * MIB,
        refusals=(404, 409),
        example={"dataframe_records": [{"age": 41, "job": "nurse", "balance": 1250.5}]},
        answer_example={"predictions": ["yes"]},
    ),
    Route(
        method="GET",
        path="/ping",
        role=None,
        function=probes.ping,
        summary="Say whether a prediction could be answered",
        answer=shapes.Health,
        refusals=(503,),
        answer_example={"status": "ok"},
    ),
    Route(
        method="GET",
        path="/healthz",
        role=None,
        function=probes.healthz,
        summary="Say that this process answers",
        answer=shapes.Health,
        answer_example={"status": "ok"},
    ),
    Route(
        method="GET",
        path="/readyz",
        role=None,
        function=probes.readyz,
        summary="Say whether requests can be answered",
        answer=shapes.Health,
        refusals=(503,),
        answer_example={"status": "ok"},
    ),
    Route(
        method="GET",
        path="/metrics",
        role="predict",
        function=probes.get_metrics,
        summary="Return the counters as Prometheus reads them",
        answer=str,
        answers_as="text/plain",
        answer_example='understudy_predictions_total{endpoint="calls"} 17.0',
    ),
    Route(
        method="GET",
        path="/openapi.json",
        role=None,
        function=get_openapi,
        summary="Return this table as an OpenAPI 3.1 document",
        answer=dict,
    ),
    Route(
        method="GET",
        path="/docs",
        role=None,
        function=get_docs,
        summary="Show this table as a page",
        answer=str,
        answers_as="text/html",
    ),
)

SEGMENTS = frozenset(route.segments[0] for route in ROUTES)
"""First segments of all paths."""


@dataclass(frozen=True)
class Found:
    """What stands at a path."""

    routes: dict[str, Route]
    """By method; empty where nothing does."""
    parameters: dict[str, str]

    @cached_property
    def allow(self) -> str:
        """The methods that the path knows, for the header Allow."""
        return ", ".join(sorted({*self.routes, *({"HEAD"} if "GET" in self.routes else ())}))

    def route(self, method: str) -> Route | None:
        """Return the route of a method; HEAD is answered as GET is."""
        return self.routes.get("GET" if method == "HEAD" else method)


@lru_cache(1024)
def find(raw_path: str) -> Found:
    """Look a path up, as it was sent: an encoded slash is part of its segment."""
    segments = tuple(unquote(segment) for segment in raw_path.split("/")[1:])
    matches = [(route, route.match(segments)) for route in ROUTES]
    fitting = [(route, parameters) for route, parameters in matches if parameters is not None]
    return Found({route.method: route for route, _ in fitting}, fitting[0][1] if fitting else {})
