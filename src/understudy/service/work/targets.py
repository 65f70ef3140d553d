"""Targets: what a model learns from the rows of a schema, and which cells it can use."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.errors import SchemaError
from understudy.metrics.numbers import LARGEST
from understudy.schema import TARGET_TYPES, ModelType, Schema
from understudy.target import Target
from understudy.values import read_texts

Flags = npt.NDArray[np.bool_]


def target_of(schema: Schema, model_type: str) -> Target:
    """Return what a model of a type learns from the rows of a schema; raises SchemaError where they do not fit.

    The classes of MULTICLASS are left to the rows.
    """
    kind = ModelType(model_type)
    if schema.target is None:
        raise SchemaError("the training data source's schema names no target", "Name it under targetAttributeName.")
    found = schema.type_of(schema.target)
    if found is not TARGET_TYPES[kind]:
        raise SchemaError(
            f"the target {schema.target!r} is {found}, which a {kind} model does not predict",
            f"A {kind} model needs a {TARGET_TYPES[kind]} target.",
        )
    return Target(schema.target, kind, ("0", "1") if kind is ModelType.BINARY else ())


def usable_cells(target: Target, cells: pa.Array) -> Flags:
    """Tell which cells hold a target: something for MULTICLASS, else what can be read, but no number beyond measure."""
    if target.type is ModelType.MULTICLASS:
        return np.asarray(pc.not_equal(read_texts(cells), "").to_numpy(zero_copy_only=False))
    return np.asarray(np.abs(target.codes(cells)) < LARGEST)
