"""Operations about an object: read, look, remove, tag."""

from __future__ import annotations

import contextlib

from understudy.server.http import Response
from understudy.server.s3.answers import empty, no_content, xml_response
from understudy.server.s3.bodies import FileBody
from understudy.server.s3.calls import Call
from understudy.server.s3.conditions import failed, reading_status, replacing_condition, stretch
from understudy.server.s3.details import (
    checksum_fields,
    checksum_headers,
    described,
    stamped,
    tag_fields,
    tags_from,
)
from understudy.server.s3.xml import Fields, Node, parse
from understudy.store.bucket_records import KEY_BYTES, BucketError, ObjectInfo

_MOST_REMOVED = 1000


def get_object(call: Call) -> Response:
    """Answer an object's bytes, or a range of them, as a stream."""
    with contextlib.ExitStack() as stack:
        file, info = call.buckets.open(call.bucket, call.key)
        stack.callback(file.close)
        status, start, length, headers = _reading(call, info)
        if status == 304:
            return empty(304, headers)
        stack.pop_all()
    return Response(status, FileBody(file, start, length), headers)


def head_object(call: Call) -> Response:
    """Answer what `get_object` would, without the bytes; Content-Length says how many there would be."""
    status, _, _, headers = _reading(call, call.buckets.info(call.bucket, call.key))
    return empty(status, headers)


def delete_object(call: Call) -> Response:
    """Remove an object; that there is none is no error."""
    call.buckets.delete(call.bucket, [call.key], replacing_condition(call.headers))
    return no_content()


def delete_objects(call: Call) -> Response:
    """Remove up to 1,000 objects; each one's outcome is answered."""
    request = parse(call.body, "Delete")
    targets = list(request.all("Object"))
    if not 0 < len(targets) <= _MOST_REMOVED:
        raise BucketError("MalformedXML", f"Delete has 1 to {_MOST_REMOVED} objects, not {len(targets)}.")
    problems = [_problem(target) for target in targets]
    good = [target for target, problem in zip(targets, problems, strict=True) if problem is None]
    call.buckets.delete(call.bucket, [target.get("Key") for target in good])
    removed: Fields = [("Deleted", _named(target)) for target in good]
    errors: Fields = [
        ("Error", [*_named(target), ("Code", problem.code), ("Message", problem.message)])
        for target, problem in zip(targets, problems, strict=True)
        if problem is not None
    ]
    quiet = request.get("Quiet").strip() == "true"
    return xml_response("DeleteResult", [*([] if quiet else removed), *errors])


def get_object_tagging(call: Call) -> Response:
    """Answer an object's tags."""
    return xml_response("Tagging", tag_fields(call.buckets.info(call.bucket, call.key).details.tags))


def put_object_tagging(call: Call) -> Response:
    """Replace an object's tags."""
    call.buckets.change(call.bucket, call.key, tags=tags_from(parse(call.body, "Tagging")))
    return empty()


def delete_object_tagging(call: Call) -> Response:
    """Drop an object's tags."""
    call.buckets.change(call.bucket, call.key, tags={})
    return no_content()


def get_attributes(call: Call) -> Response:
    """Answer those of an object's attributes that are asked for."""
    info = call.buckets.info(call.bucket, call.key)
    details = info.details
    checksum: Fields = [*checksum_fields(details.checksums), ("ChecksumType", details.checksum_type)]
    attributes: dict[str, str | int | Fields | None] = {
        "ETag": info.etag,
        "Checksum": checksum if details.checksums else None,
        "ObjectParts": [("PartsCount", len(details.parts))] if details.parts else None,
        "StorageClass": details.headers.get("x-amz-storage-class", "STANDARD"),
        "ObjectSize": info.size,
    }
    asked = {name.strip() for name in call.headers.get("x-amz-object-attributes", "").split(",")}
    if not asked <= attributes.keys():
        raise BucketError("InvalidArgument", "Invalid attribute name specified.")
    fields: Fields = [(name, value) for name, value in attributes.items() if name in asked]
    return xml_response("GetObjectAttributesResponse", fields, {"Last-Modified": stamped(info)["Last-Modified"]})


def _reading(call: Call, info: ObjectInfo) -> tuple[int, int, int, dict[str, str]]:
    """Return status, start, length and headers for reading an object; raises BucketError where it may not be read."""
    status = reading_status(call.headers, info)
    if status == 304:
        return status, 0, 0, stamped(info)
    if status == 412:
        raise failed()
    headers = described(info, call.query)
    piece = _part(call, info, headers) if "partNumber" in call.query else _range(call, info)
    start, length = piece or (0, info.size)
    if piece:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{info.size}"
    elif call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        headers |= checksum_headers(info.details)
    headers["Content-Length"] = str(length)
    return 206 if piece else 200, start, length, headers


def _range(call: Call, info: ObjectInfo) -> tuple[int, int] | None:
    condition = call.headers.get("if-range")
    if condition is not None and condition not in stamped(info).values():
        return None
    return stretch(call.headers.get("range"), info.size)


def _part(call: Call, info: ObjectInfo, headers: dict[str, str]) -> tuple[int, int] | None:
    """Return where a part lies in an object; one that was uploaded whole has one part."""
    if "range" in call.headers:
        raise BucketError("InvalidRequest", "Cannot specify both Range header and partNumber query parameter.")
    number = call.number("partNumber", 1, 10_001)
    sizes = info.details.parts or [info.size]
    if not 1 <= number <= len(sizes):
        raise BucketError("InvalidPartNumber", "The requested partnumber is not satisfiable.")
    if info.details.parts:
        headers["x-amz-mp-parts-count"] = str(len(sizes))
    return (sum(sizes[: number - 1]), sizes[number - 1]) if info.size else None


def _problem(target: Node) -> BucketError | None:
    """Say why an object of a `Delete` document cannot be removed."""
    key = target.get("Key")
    if not 0 < len(key.encode()) <= KEY_BYTES:
        return BucketError("KeyTooLongError" if key else "InvalidArgument", "A key has 1 to 1024 bytes.")
    if target.get("VersionId", "null") not in {"null", ""}:
        return BucketError("NoSuchVersion", "The specified version does not exist.")
    return None


def _named(target: Node) -> Fields:
    return [("Key", target.get("Key")), ("VersionId", target.get("VersionId") or None)]
