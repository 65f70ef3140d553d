"""Responses that several operations share."""

from __future__ import annotations

from collections.abc import Mapping

from understudy.server.http import Response
from understudy.server.s3.xml import Fields, Value, document

OWNER: Fields = [("ID", "understudy"), ("DisplayName", "understudy")]
"""Everything here has one owner."""


def xml_response(name: str, content: Value, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document of S3's."""
    return Response(200, document(name, content), {"Content-Type": "application/xml", **(headers or {})})


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response without a body."""
    return Response(status, b"", headers or {})


def no_content() -> Response:
    """Return what answers a removal."""
    return empty(204)
