"""Attributes, their types and the target; Amazon ML's schema JSON, read and written (reference 3.2).

>>> schema = Schema.from_json('{"version": "1.0", "dataFormat": "CSV", "dataFileContainsHeader": true, "attributes":'
...                           ' [{"attributeName": "age", "attributeType": "NUMERIC"}]}')
>>> schema.attributes[0].type.value
'NUMERIC'
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from understudy.errors import SchemaError

MAX_TEXT = 131_071
"""Characters of a schema's JSON (reference 2.1, `DataSchema`)."""


class AttributeType(StrEnum):
    """How an attribute's values are read (reference 3.3)."""

    BINARY = "BINARY"
    CATEGORICAL = "CATEGORICAL"
    NUMERIC = "NUMERIC"
    TEXT = "TEXT"


class ModelType(StrEnum):
    """What a model predicts: one of two labels, one of many, or a number (reference 3.4)."""

    BINARY = "BINARY"
    MULTICLASS = "MULTICLASS"
    REGRESSION = "REGRESSION"


TARGET_TYPES = {
    ModelType.BINARY: AttributeType.BINARY,
    ModelType.MULTICLASS: AttributeType.CATEGORICAL,
    ModelType.REGRESSION: AttributeType.NUMERIC,
}
"""What the target of each type of model must be (reference 3.4); TEXT is no target."""

_KEYS = (
    "version",
    "targetAttributeName",
    "rowId",
    "rowWeight",
    "dataFormat",
    "dataFileContainsHeader",
    "attributes",
    "excludedAttributeNames",
    "targetFieldName",
    "recordAnnotationFieldName",
    "recordWeightFieldName",
    "excludedVariableNames",
)
"""What a schema may say, in the newer spelling and in the older one."""


class Attribute(msgspec.Struct, frozen=True):
    """One column of the observations."""

    name: str
    type: AttributeType


class Schema(msgspec.Struct, frozen=True):
    """The columns of the observations in order, and the parts that some of them play."""

    attributes: tuple[Attribute, ...]
    target: str | None = None
    row_id: str | None = None
    row_weight: str | None = None
    excluded: tuple[str, ...] = ()
    """Attributes not to learn from. Real schemas also name columns here that they do not declare."""
    header: bool = True

    def __post_init__(self) -> None:
        names = [a.name for a in self.attributes]
        doubles = sorted(name for name, count in Counter(names).items() if count > 1)
        if doubles:
            raise SchemaError(f"the schema names {_quoted(doubles)} more than once", "Give each its own name.")
        parts = {"target": self.target, "rowId": self.row_id, "rowWeight": self.row_weight}
        for part, name in parts.items():
            if name is not None and name not in names:
                raise SchemaError(
                    f"the schema's {part} is {name!r}, which is none of its attributes {_quoted(names)}",
                    "Declare it under attributes, or correct the name.",
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes' names in column order."""
        return tuple(a.name for a in self.attributes)

    @property
    def features(self) -> tuple[Attribute, ...]:
        """The attributes that a model may learn from: neither target, row id, row weight nor excluded."""
        aside = {self.target, self.row_id, self.row_weight, *self.excluded}
        return tuple(a for a in self.attributes if a.name not in aside)

    def type_of(self, name: str) -> AttributeType:
        """Return the type of the attribute `name`; KeyError where there is none."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute.type
        raise KeyError(name)

    def with_types(self, types: dict[str, AttributeType]) -> Schema:
        """Return this schema with some attributes' types corrected."""
        attributes = tuple(Attribute(a.name, types.get(a.name, a.type)) for a in self.attributes)
        return msgspec.structs.replace(self, attributes=attributes)

    @classmethod
    def from_json(cls, text: str) -> Schema:
        """Read Amazon ML's schema JSON, newer or older spelling (reference 3.2); raises SchemaError."""
        return cls._of(_document(text))

    @classmethod
    def from_request(cls, text: str) -> Schema:
        """Read a schema as the original took it: nothing left out, nothing unknown, and a target to be predicted.

        Raises SchemaError.
        """
        document = _document(text)
        _check_form(document)
        schema = cls._of(document)
        if schema.target is not None and schema.type_of(schema.target) not in TARGET_TYPES.values():
            raise SchemaError(
                f"the schema's target {schema.target!r} is {schema.type_of(schema.target)}, which cannot be predicted",
                f"Declare it {' or '.join(TARGET_TYPES.values())}.",
            )
        return schema

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Schema:
        return cls(
            attributes=tuple(_attributes(document.get("attributes"))),
            target=_optional_name(document, "targetAttributeName", "targetFieldName"),
            row_id=_optional_name(document, "rowId", "recordAnnotationFieldName"),
            row_weight=_optional_name(document, "rowWeight", "recordWeightFieldName"),
            excluded=tuple(_excluded(document)),
            header=_header(document),
        )

    def to_json(self) -> str:
        """Write Amazon ML's schema JSON, newer spelling, two spaces of indent."""
        document = {
            "version": "1.0",
            "rowId": self.row_id,
            "rowWeight": self.row_weight,
            "targetAttributeName": self.target,
            "dataFormat": "CSV",
            "dataFileContainsHeader": self.header,
            "attributes": [{"attributeName": a.name, "attributeType": a.type.value} for a in self.attributes],
            "excludedAttributeNames": list(self.excluded),
        }
        return json.dumps(document, indent=2, ensure_ascii=False)


def _document(text: str) -> dict[str, Any]:
    if len(text) > MAX_TEXT:
        raise SchemaError(f"the schema has {len(text):,} characters", f"At most {MAX_TEXT:,} are allowed.")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SchemaError(f"the schema is not JSON: {error}", "See docs/schema.md for its form.") from None
    if not isinstance(document, dict):
        raise SchemaError(f"the schema is a JSON {type(document).__name__}, not an object", "See docs/schema.md.")
    return document


def _check_form(document: dict[str, Any]) -> None:
    """Hold a schema against the original's form, where the meaning would not suffer."""
    unknown = next((key for key in document if key not in _KEYS), None)
    if unknown is not None:
        close = difflib.get_close_matches(unknown, _KEYS, 1, 0.6)
        hint = f"Did you mean {close[0]!r}?" if close else f"Known are {_quoted(_KEYS)}."
        raise SchemaError(f"the schema has the unknown key {unknown[:80]!r}", hint)
    for key, value in (("version", "1.0"), ("dataFormat", "CSV")):
        if document.get(key) != value:
            raise SchemaError(f"the schema's {key} is {_shown(document.get(key))}", f'Write "{key}": "{value}".')
    if "dataFileContainsHeader" not in document:
        raise SchemaError("the schema has no 'dataFileContainsHeader'", "Say true or false.")


def _shown(value: Any) -> str:
    return "not given" if value is None else repr(value)[:80]


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _attributes(entries: Any) -> Iterable[Attribute]:
    if not isinstance(entries, list) or not entries:
        raise SchemaError("the schema has no list 'attributes'", "Declare every column, in column order.")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise SchemaError(f"attribute {number} of the schema is {entry!r}, not an object", "See docs/schema.md.")
        name = entry.get("attributeName", entry.get("fieldName"))
        kind = entry.get("attributeType", entry.get("fieldType"))
        if not isinstance(name, str) or not name:
            raise SchemaError(f"attribute {number} of the schema has no 'attributeName'", "Give it a name.")
        try:
            yield Attribute(name, AttributeType(str(kind)))
        except ValueError:
            raise SchemaError(
                f"attribute {name!r} has the type {kind!r}", f"Use one of {', '.join(AttributeType)}."
            ) from None


def _optional_name(document: dict[str, Any], *keys: str) -> str | None:
    for key in keys:
        name = document.get(key)
        if name is None:
            continue
        if not isinstance(name, str):
            raise SchemaError(f"the schema's {key} is {name!r}", "Name one attribute, or leave it out.")
        return name
    return None


def _excluded(document: dict[str, Any]) -> list[str]:
    names = document.get("excludedAttributeNames", document.get("excludedVariableNames"))
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SchemaError(f"the schema's excludedAttributeNames is {names!r}", "Give a list of attribute names.")
    return names


def _header(document: dict[str, Any]) -> bool:
    header = document.get("dataFileContainsHeader", True)
    if not isinstance(header, bool):
        raise SchemaError(f"the schema's dataFileContainsHeader is {header!r}", "Write true or false.")
    return header
