"""What a Create can know to be wrong at once: schemas, recipes, and the objects it refers to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from understudy.errors import RecipeError, SchemaError
from understudy.recipe.language import parse
from understudy.recipe.source import Literal, Node, Source
from understudy.recipe.syntax import read_expression
from understudy.schema import TARGET_TYPES, ModelType, Schema
from understudy.service import views
from understudy.service.context import Service
from understudy.service.entities import LISTS, NAMES, Kind, a, present
from understudy.service.faults import InvalidInputException
from understudy.store.catalog import Entity


def check_schema(text: str, member: str) -> Schema:
    """Read the schema that a request brings, or whose place it names; raises InvalidInputException."""
    return _read(Schema.from_request, text, member)


def known_schema(source: Entity) -> Schema | None:
    """Return the schema of a data source so far as it is known by now; raises InvalidInputException."""
    text = views.schema_text(source)
    return None if text is None else _read(Schema.from_json, text, f"the schema of data source {source.id!r}")


def _read(read: Callable[[str], Schema], text: str, what: str) -> Schema:
    try:
        return read(text)
    except SchemaError as error:
        raise InvalidInputException(f"{what}: {error.message}", error.hint) from None
    except RecursionError:
        raise InvalidInputException(f"{what} is nested too deeply", "See docs/schema.md for its form.") from None


def check_recipe(text: str, schema: Schema | None) -> None:
    """Hold a recipe against the schema of its data, or where that is unknown against its grammar.

    Raises InvalidInputException.
    """
    try:
        if schema is None:
            _check_grammar(text)
        else:
            parse(text, schema)
    except RecipeError as error:
        raise InvalidInputException(f"Recipe: {error.message}", error.hint) from None


def _check_grammar(text: str) -> None:
    source = Source(text)
    root = source.read()
    if root.form != "object":
        source.fail(f"the recipe is a {root.form}, not an object", "See docs/recipes.md for its form.", root.start)
    for literal in _literals(root):
        read_expression(source, literal)


def _literals(node: Node) -> Iterator[Literal]:
    """Yield the expressions of a recipe: every string that is no name."""
    if node.form == "string":
        yield node.value
    elif node.form == "list":
        yield from itertools.chain.from_iterable(map(_literals, node.value))
    elif node.form == "object":
        yield from itertools.chain.from_iterable(_literals(value) for _, value in node.value)


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
        reason = views.reason(entity)
        raise InvalidInputException(
            f"{member} is {entity_id!r}, {a(kind)} that is {entity.status}{f': {reason}' if reason else ''}",
            f"Name {a(kind)} that is COMPLETED, or still PENDING or INPROGRESS.",
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
    schema = known_schema(source)
    if schema is not None:
        _check_target(source, schema, model_type)
    if recipe is not None:
        check_recipe(recipe, schema)


def check_has_target(source: Entity, purpose: str) -> Schema | None:
    """Return a data source's schema, so far as it is known; raises InvalidInputException where it has no target."""
    schema = known_schema(source)
    if schema is not None and schema.target is None:
        raise InvalidInputException(
            f"the schema of data source {source.id!r} names no target, which {purpose} needs",
            "Create a data source whose schema has a targetAttributeName.",
        )
    return schema


def check_same_target(service: Service, model: Entity, source: Entity) -> None:
    """Hold the target of a data source against that of a model to be judged on it, so far as both are known.

    Raises InvalidInputException.
    """
    schema, learned = check_has_target(source, "an evaluation"), _learned_schema(service, model)
    if schema is None or learned is None or learned.target in {None, schema.target}:
        return
    raise InvalidInputException(
        f"the target of data source {source.id!r} is {schema.target!r}, but the ML model {model.id!r} predicts "
        f"{learned.target!r}",
        "Create a data source whose schema has the model's target.",
    )


def _learned_schema(service: Service, model: Entity) -> Schema | None:
    """Return the schema that a model was, or will be, trained with, so far as it is known."""
    text = views.model_schema_text(model)
    if text is not None:
        return _read(Schema.from_json, text, f"the schema of ML model {model.id!r}")
    source = present(service, "data_source", views.training_data_source_id(model))
    return None if source is None else known_schema(source)


def _check_target(source: Entity, schema: Schema, model_type: ModelType) -> None:
    check_has_target(source, "training")
    assert schema.target is not None
    kind = schema.type_of(schema.target)
    fitting = next((learner for learner, target in TARGET_TYPES.items() if target is kind), None)
    if fitting is not model_type:
        hint = f"Ask for {fitting}" if fitting else "Declare it BINARY, CATEGORICAL or NUMERIC"
        raise InvalidInputException(
            f"MLModelType is {model_type}, but the target {schema.target!r} of data source {source.id!r} is {kind}",
            f"{hint}, or correct the schema.",
        )
