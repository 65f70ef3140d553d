"""Write docs/amazon-ml-operations.md: the 28 operations as the table of `understudy.service.operations` has them."""

from __future__ import annotations

import enum
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta

from understudy.service.operations import OPERATIONS, Operation
from understudy.service.shapes import Shape

PAGE = Path(__file__).parent.parent / "docs" / "amazon-ml-operations.md"

HEAD = """\
# Amazon ML: the operations

Written by `make docs` from the table that answers requests. All are `POST /` with
`X-Amz-Target: AmazonML_20141212.<Operation>`, signed for the service `machinelearning`; every SDK of Amazon's does
this where `AWS_ENDPOINT_URL` names this server. Members that an operation does not know are ignored; null counts as
left out.

Every operation may also answer `InvalidInputException` where the request cannot be met as it stands, and
`InternalServerException` where the mistake is the server's.
"""

EVERYWHERE = ("InvalidInputException", "InternalServerException")
"""Faults that every operation declares; told once."""

KINDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *coverage(), *("\n".join(section(operation)) for operation in OPERATIONS.values())])


def coverage() -> Iterator[str]:
    """Yield the table of all operations."""
    yield from ("| Operation | Does |", "|---|---|")
    for name, operation in OPERATIONS.items():
        yield f"| [`{name}`](#{name.lower()}) | {summary(operation)} |"
    yield ""


def section(operation: Operation[Any]) -> Iterator[str]:
    """Yield the lines about one operation."""
    yield f"## {operation.name}\n"
    yield f"{' '.join((operation.function.__doc__ or '').split())}\n"
    yield from ("| Member | Holds |", "|---|---|", *members(operation.request), "")
    faults = [fault.__name__ for fault in operation.faults if fault.__name__ not in EVERYWHERE]
    if faults:
        yield f"Faults: {', '.join(f'`{fault}`' for fault in faults)}.\n"


def summary(operation: Operation[Any]) -> str:
    """Return the first sentence about an operation."""
    return (operation.function.__doc__ or "").split("\n")[0]


def members(shape: type[Shape], within: str = "") -> Iterator[str]:
    """Yield a line for each member of a structure, and for those of the structures in it."""
    for field in msgspec.structs.fields(shape):
        name = f"{within}{field.encode_name}"
        kind, metas = taken_apart(field.type)
        inner = get_args(kind)[0] if get_origin(kind) is list else kind
        needed = "" if not field.required else ", required"
        yield f"| `{name}` | {held(kind, metas)}{needed} |"
        if isinstance(inner, type) and issubclass(inner, Shape):
            yield from members(inner, f"{name}{'[]' if inner is not kind else ''}.")


def held(kind: Any, metas: list[Meta]) -> str:
    """Say in a few words what a member may hold."""
    if isinstance(kind, enum.EnumMeta):
        return ", ".join(f"`{each.value}`" for each in kind)  # type: ignore[var-annotated]
    if get_origin(kind) is list:
        return f"list{limits(metas, 'entries')}"
    if get_origin(kind) is dict:
        return "map of text to text"
    if isinstance(kind, type) and issubclass(kind, Shape):
        return "structure"
    if kind in KINDS:
        return f"{KINDS[kind]}{limits(metas, 'characters' if kind is str else '')}"
    return ", ".join(f"`{each}`" for each in get_args(kind))


def limits(metas: list[Meta], unit: str) -> str:
    """Say between which bounds a value must lie, and what it must look like."""
    said = ""
    for meta in metas:
        low, high = (meta.ge, meta.le) if not unit else (meta.min_length, meta.max_length)
        if high is not None:
            said += f", {low or 0:,} to {high:,} {unit}".rstrip()
        if meta.pattern is not None:
            pattern = meta.pattern.removeprefix(r"\A(?:").removesuffix(r")\Z").replace("|", r"\|")
            said += f", `{pattern}`"
    return said


def taken_apart(kind: Any) -> tuple[Any, list[Meta]]:
    """Return a type without `Annotated` and `| None`, and what was annotated."""
    metas: list[Meta] = []
    while True:
        if get_origin(kind) in (Union, types.UnionType):
            (kind,) = (each for each in get_args(kind) if each is not type(None))
        elif get_origin(kind) is Annotated:
            kind, *more = get_args(kind)
            metas += more
        else:
            return kind, metas


if __name__ == "__main__":
    PAGE.write_text(reference())
