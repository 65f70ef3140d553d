"""The REST door: /v1 and what stands beside it, from one table of routes (docs/rest.md)."""

from __future__ import annotations

from understudy.server.rest.dispatch import answer, at_once, is_rest
from understudy.server.rest.door import RestDoor

__all__ = ["RestDoor", "answer", "at_once", "is_rest"]
