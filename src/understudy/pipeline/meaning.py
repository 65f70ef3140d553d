"""What the observations mean: schema and target, from the project file, a schema file, or a careful guess."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from understudy.config import Project
from understudy.errors import ConfigError, InvalidInput, SchemaError, TrainingError
from understudy.inference import infer, model_type_of, positive_label
from understudy.pipeline.extracting import read_schema
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.target import Target, sorted_labels
from understudy.values import FALSE_WORDS, TRUE_WORDS, read_texts

_MODEL_OF = {
    AttributeType.BINARY: ModelType.BINARY,
    AttributeType.CATEGORICAL: ModelType.MULTICLASS,
    AttributeType.NUMERIC: ModelType.REGRESSION,
}


class Meaning(msgspec.Struct, frozen=True):
    """What the observations mean."""

    schema: Schema
    target: Target
    remarks: tuple[str, ...]
    """What was inferred aloud."""


def settle(project: Project, sample: pa.Table) -> Meaning:
    """Decide schema and target from the project and a sample of observations.

    Raises
    ------
    ConfigError : the project names attributes that do not exist, or no target.
    InvalidInput : a declared attribute is not among the observations.
    TrainingError : the target has fewer than two labels.
    """
    declared = read_schema(project) if project.data.schema else None
    target_name = _target_name(project, declared, sample.column_names)
    _check_names(project, sample.column_names)
    if declared is not None:
        schema, remarks = _declared_schema(project, declared, sample), list[str]()
    else:
        schema, remarks = _inferred_schema(project, sample, target_name)
    schema = _with_parts(project, schema, target_name)
    target, reason = _settle_target(project, schema, sample.column(target_name), declared is not None)
    kind = {model: kind for kind, model in _MODEL_OF.items()}[target.type]
    said = [f"{target_name} makes it {target.type.value}: {reason}"] if reason else []
    return Meaning(schema.with_types({target_name: kind}), target, (*remarks, *said))


def _target_name(project: Project, declared: Schema | None, names: list[str]) -> str:
    name = project.data.target or (declared.target if declared else None)
    if name is None:
        raise ConfigError("the project names no target", 'Write target = "..." under [data] in understudy.toml.')
    if name not in names:
        raise ConfigError(
            f"the target {name!r} is none of the observations' attributes: {_listed(names)}", _nearest(name, names)
        )
    return name


def _check_names(project: Project, names: list[str]) -> None:
    for name in project.data.types:
        if name not in names:
            raise ConfigError(
                f"data.types names {name!r}, which is none of the attributes: {_listed(names)}", _nearest(name, names)
            )
    for name in project.data.exclude:
        if name not in names and difflib.get_close_matches(name, names, n=1, cutoff=0.8):
            raise ConfigError(
                f"data.exclude names {name!r}, which is none of the attributes: {_listed(names)}", _nearest(name, names)
            )


def _declared_schema(project: Project, declared: Schema, sample: pa.Table) -> Schema:
    missing = [a.name for a in declared.attributes if a.name not in sample.column_names and a.name != declared.target]
    missing = [name for name in missing if name not in project.data.exclude]
    if missing:
        raise InvalidInput(
            f"{_listed(missing)} of {project.data.schema} {'is' if len(missing) == 1 else 'are'} not among the "
            f"observations' attributes: {_listed(sample.column_names)}",
            "Correct the schema or the extract; nothing was changed.",
        )
    return declared


def _inferred_schema(project: Project, sample: pa.Table, target: str) -> tuple[Schema, list[str]]:
    guess = infer(sample, target=target, row_id=project.data.row_id, declared=project.data.types)
    if not guess.schema.features:
        raise ConfigError(
            f"there is no attribute to learn from; left out are {'; '.join(guess.left_out.splitlines())}",
            "Declare the type of one under [data.types] to learn from it.",
        )
    return guess.schema, [f"{g.name}: {g.type.value}, {g.reason}" for g in guess.guesses if g.doubtful]


def _with_parts(project: Project, schema: Schema, target: str) -> Schema:
    """Lay the project file's target, row id, corrections and exclusions over a schema."""
    attributes = schema.attributes
    if target not in schema.names:
        attributes = (*attributes, Attribute(target, AttributeType.CATEGORICAL))
    names = [a.name for a in attributes]
    excluded = {*schema.excluded, *(name for name in project.data.exclude if name in names)} - {target}
    row_id = project.data.row_id if project.data.row_id in names else schema.row_id
    return msgspec.structs.replace(
        schema,
        attributes=attributes,
        target=target,
        row_id=row_id,
        excluded=tuple(name for name in names if name in excluded),
    ).with_types(project.data.types)


def _settle_target(project: Project, schema: Schema, cells: pa.ChunkedArray, declared: bool) -> tuple[Target, str]:
    name = schema.target
    assert name is not None
    if project.train.type is not None:
        kind, reason = project.train.type, ""
    elif declared or name in project.data.types:
        kind, reason = _declared_kind(schema.type_of(name), name), ""
    else:
        kind, reason = model_type_of(cells.combine_chunks())
    if kind is not ModelType.BINARY:
        return Target(name, kind), reason
    return Target(name, kind, _binary_labels(project, name, cells)), reason


def _declared_kind(kind: AttributeType, name: str) -> ModelType:
    if kind not in _MODEL_OF:
        raise SchemaError(
            f"the target {name!r} is declared {kind.value}", "A target is BINARY, CATEGORICAL or NUMERIC."
        )
    return _MODEL_OF[kind]


def _binary_labels(project: Project, name: str, cells: pa.ChunkedArray) -> tuple[str, str]:
    """Return the negative and the positive label as they stand in the data."""
    labels = [label for label in pc.unique(read_texts(cells.combine_chunks())).to_pylist() if label]
    declared = None if project.data.positive is None else read_texts(pa.array([project.data.positive]))[0].as_py()
    if len(labels) > 2:
        labels = _spellings(cells) or labels
    if len(labels) != 2:
        raise TrainingError(
            f"the target {name!r} is BINARY, but its rows hold {len(labels)} labels: "
            f"{_listed(sorted_labels(labels)[:6])}",
            "Two are needed to learn a difference; check the extract, or the type of the target.",
        )
    if declared is not None and declared not in labels:
        raise ConfigError(f"data.positive is {declared!r}, but the labels are {_listed(labels)}", "Name one of them.")
    positive = positive_label(labels, declared)
    return next(label for label in labels if label != positive), positive


def _spellings(cells: pa.ChunkedArray) -> list[str]:
    """Return the commonest spellings of false and true where all labels are Amazon ML's truth values; else nothing."""
    found = pc.value_counts(read_texts(cells.combine_chunks())).to_pylist()
    common = [entry["values"] for entry in sorted(found, key=lambda entry: -entry["counts"]) if entry["values"]]
    falses = [label for label in common if label.lower() in FALSE_WORDS]
    trues = [label for label in common if label.lower() in TRUE_WORDS]
    return [falses[0], trues[0]] if falses and trues and len(falses) + len(trues) == len(common) else []


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = ", ".join(repr(name) for name in names[:12])
    return f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else "Correct the name in understudy.toml."
