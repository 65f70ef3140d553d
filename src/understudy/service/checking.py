"""What a Create can know to be wrong at once: schemas, recipes, places in S3, and the objects it refers to."""

from __future__ import annotations

import re

from understudy.errors import RecipeError, SchemaError
from understudy.recipe.language import parse
from understudy.schema import AttributeType, ModelType, Schema
from understudy.service import views
from understudy.service.context import Service
from understudy.service.entities import LISTS, NAMES, Kind, present
from understudy.service.faults import InvalidInputException
from understudy.store.catalog import Entity

MODEL_TYPES = {
    AttributeType.BINARY: ModelType.BINARY,
    AttributeType.CATEGORICAL: ModelType.MULTICLASS,
    AttributeType.NUMERIC: ModelType.REGRESSION,
}
"""What kind of model learns a target of each type (reference 3.4); TEXT is no target."""

_BAD_OUTPUT = re.compile(r":|//|/\./|/\.\./")


def check_schema(text: str | None, member: str) -> Schema | None:
    """Read a schema's JSON; None where there is none. Raises InvalidInputException."""
    if text is None:
        return None
    try:
        return Schema.from_json(text)
    except SchemaError as error:
        raise InvalidInputException(f"{member}: {error.message}", error.hint) from None
    except RecursionError:
        raise InvalidInputException(f"{member} is nested too deeply", "See docs/schema.md for its form.") from None


def check_recipe(text: str, schema: Schema) -> None:
    """Hold a recipe against the schema of its data; raises InvalidInputException."""
    try:
        parse(text, schema)
    except RecipeError as error:
        raise InvalidInputException(f"Recipe: {error.message}", error.hint) from None


def check_location(service: Service, url: str, member: str) -> None:
    """Let only those places in S3 be read or written that this server may use; raises InvalidInputException."""
    bucket = url.removeprefix("s3://").partition("/")[0]
    if not service.may_use_bucket(bucket):
        raise InvalidInputException(
            f"{member} is {url!r}, but there is no bucket {bucket!r} here",
            f"Create it on this server, or list it under [serve] buckets = [{bucket!r}] to use the one of a real S3.",
        )


def check_output(service: Service, url: str) -> None:
    """Hold the place for results against the original's rules; raises InvalidInputException."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    found = _BAD_OUTPUT.search(f"/{key}" if key else "")
    if found:
        raise InvalidInputException(
            f"OutputUri is {url!r}, whose key contains {found[0]!r}", "Leave ':', '//', '/./' and '/../' out of it."
        )
    check_location(service, f"s3://{bucket}/{key}", "OutputUri")


def usable(service: Service, kind: Kind, entity_id: str, member: str) -> Entity:
    """Return an object that another is to be made of: one that is COMPLETED, or may become so.

    Raises InvalidInputException.
    """
    entity = present(service, kind, entity_id)
    if entity is None:
        raise InvalidInputException(
            f"{member} is {entity_id!r}, but no {NAMES[kind]} has that id", f"{LISTS[kind]} names those that exist."
        )
    if entity.status in {"FAILED", "DELETED"}:
        reason = entity.document.get("message")
        raise InvalidInputException(
            f"{member} is {entity_id!r}, a {NAMES[kind]} that is {entity.status}{f': {reason}' if reason else ''}",
            f"Name a {NAMES[kind]} that is COMPLETED, or still PENDING or INPROGRESS.",
        )
    return entity


def check_training(source: Entity, model_type: ModelType, recipe: str | None) -> None:
    """Hold what is to be learned against the data source to learn from, so far as its schema is known by now.

    Raises InvalidInputException.
    """
    if not source.document.get("compute_statistics", True):
        raise InvalidInputException(
            f"the data source {source.id!r} was made without statistics, which training needs",
            "Create a data source with ComputeStatistics true.",
        )
    schema = check_schema(views.schema_text(source), f"the schema of data source {source.id!r}")
    if schema is None:
        return
    _check_target(source, schema, model_type)
    if recipe is not None:
        check_recipe(recipe, schema)


def check_has_target(source: Entity, purpose: str) -> Schema | None:
    """Return a data source's schema, so far as it is known; raises InvalidInputException where it has no target."""
    schema = check_schema(views.schema_text(source), f"the schema of data source {source.id!r}")
    if schema is not None and schema.target is None:
        raise InvalidInputException(
            f"the schema of data source {source.id!r} names no target, which {purpose} needs",
            "Create a data source whose schema has a targetAttributeName.",
        )
    return schema


def _check_target(source: Entity, schema: Schema, model_type: ModelType) -> None:
    check_has_target(source, "training")
    assert schema.target is not None
    kind = schema.type_of(schema.target)
    fitting = MODEL_TYPES.get(kind)
    if fitting is not model_type:
        hint = f"Ask for {fitting}" if fitting else "Declare it BINARY, CATEGORICAL or NUMERIC"
        raise InvalidInputException(
            f"MLModelType is {model_type}, but the target {schema.target!r} of data source {source.id!r} is {kind}",
            f"{hint}, or correct the schema.",
        )
