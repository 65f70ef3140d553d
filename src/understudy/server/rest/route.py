"""One route as data: what it is called, who may ask, what it reads and answers; and one request that found it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from understudy.server.http import Ready, Request
from understudy.server.keys import Role
from understudy.server.rest.door import RestDoor
from understudy.server.rest.shapes import Nothing

Body = TypeVar("Body")
Query = TypeVar("Query")

JSON = "application/json"
KIB, MIB = 1 << 10, 1 << 20


class Call(NamedTuple, Generic[Body, Query]):
    """A request that found its route, read and checked."""

    door: RestDoor
    request: Request
    parameters: Mapping[str, str]
    """The path's parts by the names that the template gives them."""
    body: Body
    query: Query


@dataclass(frozen=True, kw_only=True)
class Route:
    """One line of the table, from which dispatch, /openapi.json and /docs come."""

    method: str
    path: str
    """Literal segments and {parameters}."""
    role: Role | None
    """Who may ask: predict lets every known token in, None everybody."""
    function: Callable[[Call[Any, Any]], Any]
    """Makes the answer: a record of type `answer`, or a Response. A coroutine runs on the loop, others in a thread."""
    summary: str
    at_once: Callable[[Call[Any, Any]], Ready | None] | None = None
    """Makes the answer where that takes hardly any time; None where `function` has to."""
    answer: type
    """The answer's shape; `str` and `bytes` for text of the media type `answers_as`."""
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] = Nothing
    answers_as: str = JSON
    also_reads: Mapping[str, Callable[[bytes], Any]] = field(default_factory=dict)
    """Readers of bodies that are no JSON, by media type."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that are read beside the usual ones, each with what it says."""
    limit: int = 64 * KIB
    """Bytes that the body may have."""
    refusals: tuple[int, ...] = ()
    """Statuses of refusals beside those that role, path, query and body bring with them."""
    example: Any = None
    """A body that is right."""
    answer_example: Any = None

    @property
    def operation(self) -> str:
        """What the operation is called, in metrics and in the document."""
        return self.function.__name__

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's parts."""
        return tuple(self.path.split("/")[1:])

    @property
    def parameters(self) -> list[str]:
        """Names of the path's parameters."""
        return [segment[1:-1] for segment in self.segments if segment.startswith("{")]

    @cached_property
    def waits(self) -> bool:
        """Whether the function is a coroutine."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def readers(self) -> Mapping[str, Callable[[bytes], Any]]:
        """Readers of bodies by media type."""
        return {JSON: msgspec.json.Decoder(self.body).decode, **self.also_reads}

    @property
    def statuses(self) -> list[int]:
        """All statuses that an answer of this route may have."""
        found = {200, *self.refusals}
        found |= {401} if self.role else set()
        found |= {403} if self.role == "admin" else set()
        found |= {404} if self.parameters else set()
        found |= {400} if self.query is not Nothing else set()
        found |= {400, 413, 415} if self.body else set()
        found |= {500} if self.role else set()
        return sorted(found)

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the path's parameters where a path is of this route's form; None where it is not."""
        if len(segments) != len(self.segments):
            return None
        parameters = {}
        for wanted, found in zip(self.segments, segments, strict=True):
            if wanted.startswith("{") and found:
                parameters[wanted[1:-1]] = found
            elif wanted != found:
                return None
        return parameters
