"""Tags: keys with or without a value on any object (reference 2.6)."""

from __future__ import annotations

import unicodedata

from understudy.service.context import Call, Service
from understudy.service.entities import Kind, get, refuse_deleted
from understudy.service.faults import InvalidTagException, TagLimitExceededException
from understudy.service.shapes import AddTagsInput, DeleteTagsInput, DescribeTagsInput
from understudy.service.views import Answer
from understudy.store.catalog import Tags

LIMIT = 50
"""Tags of one object (reference 9)."""

KINDS: dict[str, Kind] = {
    "BatchPrediction": "batch_prediction",
    "DataSource": "data_source",
    "Evaluation": "evaluation",
    "MLModel": "model",
}

_SIGNS = frozenset("_.:/=+-@")
_CATEGORIES = ("L", "Z", "N")
"""Unicode's letters, separators and numbers."""


def add_tags(service: Service, call: Call, request: AddTagsInput) -> Answer:
    """Put tags on an object; one whose key is there already takes its place."""
    added: Tags = {}
    for tag in request.tags:
        if tag.key is None:
            raise InvalidTagException("a tag has no Key", "Give every tag a key; it may go without a value.")
        _check(tag.key, "key")
        _refuse_reserved(tag.key)
        _check(tag.value or "", "value")
        added[tag.key] = tag.value

    def extended(tags: Tags) -> Tags:
        together = {**tags, **added}
        if len(together) > max(LIMIT, len(tags)):
            raise TagLimitExceededException(
                f"the object would have {len(together)} tags", f"At most {LIMIT} are allowed; delete some first."
            )
        return together

    kind = KINDS[request.resource_type]
    refuse_deleted(kind, get(service, kind, request.resource_id))
    service.catalog.retag(kind, request.resource_id, extended)
    return _named(request)


def delete_tags(service: Service, call: Call, request: DeleteTagsInput) -> Answer:
    """Take tags off an object; keys that it does not have are ignored."""
    for key in request.tag_keys:
        _check(key, "key")
    kind = KINDS[request.resource_type]
    refuse_deleted(kind, get(service, kind, request.resource_id))
    gone = frozenset(request.tag_keys)
    service.catalog.retag(
        kind, request.resource_id, lambda tags: {key: value for key, value in tags.items() if key not in gone}
    )
    return _named(request)


def describe_tags(service: Service, call: Call, request: DescribeTagsInput) -> Answer:
    """Return all tags of an object."""
    kind = KINDS[request.resource_type]
    get(service, kind, request.resource_id)
    tags = service.catalog.tags(kind, request.resource_id)
    shown = [{"Key": key} if value is None else {"Key": key, "Value": value} for key, value in tags.items()]
    return {**_named(request), "Tags": shown}


def _check(text: str, part: str) -> None:
    """Hold a key or value against the original's pattern; raises InvalidTagException."""
    wrong = next(
        (sign for sign in text if sign not in _SIGNS and unicodedata.category(sign)[0] not in _CATEGORIES), None
    )
    if wrong is not None:
        raise InvalidTagException(
            f"the tag's {part} {text!r} contains {wrong!r}",
            f"Use letters, digits, white space and {' '.join(sorted(_SIGNS))}.",
        )


def _refuse_reserved(key: str) -> None:
    """Keep the keys that AWS keeps to itself; raises InvalidTagException."""
    if key.lower().startswith("aws:"):
        raise InvalidTagException(
            f"the tag's key {key!r} begins with 'aws:', which is AWS's own", "Choose another key."
        )


def _named(request: AddTagsInput | DeleteTagsInput | DescribeTagsInput) -> Answer:
    return {"ResourceId": request.resource_id, "ResourceType": request.resource_type}
