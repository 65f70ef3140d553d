"""Uploads in parts: begin, upload or copy parts, look, complete, abort."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from understudy.server.checksums import PREFIX, SUMS, Checks, Sum
from understudy.server.http import Response
from understudy.server.payload import Payload
from understudy.server.s3.answers import OWNER, empty, no_content, xml_response
from understudy.server.s3.bodies import in_thread
from understudy.server.s3.calls import Call
from understudy.server.s3.conditions import replacing_condition, stretch
from understudy.server.s3.details import checksum_fields, details_of, encryption, quoted, timestamp
from understudy.server.s3.listing import MOST, encoder, prefix_fields, query_of
from understudy.server.s3.writing import algorithm_of, base64_of, copy_pieces, named, open_source, received
from understudy.server.s3.xml import Fields, Node, parse
from understudy.store.bucket_records import BucketError, ObjectInfo, Part, Upload
from understudy.store.uploads import PART_NUMBERS

_TYPES = {"", "FULL_OBJECT", "COMPOSITE"}
_NO_WHOLE = {"sha1", "sha256"}
_NO_COMPOSITE = {"crc64nvme"}


def create_upload(call: Call) -> Response:
    """Begin an upload in parts."""
    algorithm = algorithm_of(call.headers)
    kind = _checksum_type(algorithm, call.headers.get("x-amz-checksum-type", "").upper())
    upload = call.uploads.create(call.bucket, call.key, details_of(call.headers), algorithm, kind)
    headers = {"x-amz-checksum-algorithm": algorithm.upper(), "x-amz-checksum-type": kind} if algorithm else {}
    fields = [("Bucket", call.bucket), ("Key", call.key), ("UploadId", upload.id)]
    return xml_response("InitiateMultipartUploadResult", fields, headers | encryption(upload.details))


async def put_part(call: Call, payload: Payload) -> Response:
    """Let a part of an upload hold the body."""
    number = _part_number(call)
    checks = Checks.of(call.headers)
    upload = await in_thread(_upload, call)
    total = _part_sum(upload, checks)
    async with received(call, payload, checks, *([total.update] if total else [])) as draft:
        checksums = named(checks) or _values(upload, total)
        part = await in_thread(call.uploads.put_part, upload, number, draft, checksums, checks.md5)
    headers = {f"{PREFIX}{name}": value for name, value in part.checksums.items()}
    return empty(200, {"ETag": quoted(part.etag), **headers, **encryption(upload.details)})


def copy_part(call: Call) -> Response:
    """Let a part of an upload hold the bytes of another object, or a range of them."""
    number, upload = _part_number(call), _upload(call)
    file, source = open_source(call)
    with file, call.buckets.draft() as draft:
        start, length = _source_range(call, source)
        file.seek(start)
        total = SUMS[upload.checksum_algorithm]() if upload.checksum_algorithm else None
        copy_pieces(file, length, [draft.write, total.update] if total else [draft.write])
        part = call.uploads.put_part(upload, number, draft, _values(upload, total))
    fields = [
        ("LastModified", timestamp(part.modified_at)),
        ("ETag", quoted(part.etag)),
        *checksum_fields(part.checksums),
    ]
    return xml_response("CopyPartResult", fields, encryption(upload.details))


def list_parts(call: Call) -> Response:
    """Answer the parts that an upload has so far."""
    upload = _upload(call)
    after, limit = call.number("part-number-marker", 0, PART_NUMBERS), call.number("max-parts", MOST, MOST)
    found = call.uploads.parts(upload, after, limit + 1)
    page = found[:limit]
    fields: Fields = [
        ("Bucket", call.bucket),
        ("Key", encoder(call)(call.key)),
        ("UploadId", upload.id),
        ("Initiator", OWNER),
        ("Owner", OWNER),
        ("StorageClass", upload.details.headers.get("x-amz-storage-class", "STANDARD")),
        ("PartNumberMarker", after),
        ("NextPartNumberMarker", page[-1].number if page else None),
        ("MaxParts", limit),
        ("IsTruncated", bool(page) and len(found) > limit),
        *_checksum_fields(upload),
        *(("Part", _part_fields(part)) for part in page),
    ]
    return xml_response("ListPartsResult", fields)


def list_uploads(call: Call) -> Response:
    """Answer the uploads in progress in a bucket."""
    marker, id_marker = call.query.get("key-marker", ""), call.query.get("upload-id-marker", "")
    query = query_of(call, marker, "max-uploads")
    page = call.uploads.find(call.bucket, query, id_marker)
    encode = encoder(call)
    fields: Fields = [
        ("Bucket", call.bucket),
        ("KeyMarker", encode(marker)),
        ("UploadIdMarker", id_marker),
        ("NextKeyMarker", encode(page.next[0]) if page.next else None),
        ("NextUploadIdMarker", page.next[1] if page.next else None),
        ("Prefix", encode(query.prefix)),
        ("Delimiter", encode(query.delimiter) or None),
        ("EncodingType", call.query.get("encoding-type") or None),
        ("MaxUploads", query.limit),
        ("IsTruncated", page.next is not None),
        *(("Upload", _upload_fields(upload, encode(upload.key))) for upload in page.uploads),
        *prefix_fields(page.common_prefixes, encode),
    ]
    return xml_response("ListMultipartUploadsResult", fields)


def complete_upload(call: Call) -> Response:
    """Make the object of the parts that the client names; doing it again answers the same."""
    try:
        info = _completed(call)
    except BucketError as error:
        again = _completed_before(call) if error.code == "NoSuchUpload" else None
        if again is None:
            raise
        info = again
    fields: Fields = [
        ("Location", f"/{quote(call.bucket)}/{quote(call.key)}"),
        ("Bucket", call.bucket),
        ("Key", call.key),
        ("ETag", quoted(info.etag)),
        *checksum_fields(info.details.checksums),
        ("ChecksumType", info.details.checksum_type if info.details.checksums else None),
    ]
    return xml_response("CompleteMultipartUploadResult", fields, encryption(info.details))


def abort_upload(call: Call) -> Response:
    """End an upload and remove its parts."""
    call.uploads.abort(_upload(call))
    return no_content()


def _completed(call: Call) -> ObjectInfo:
    upload, condition = _upload(call), replacing_condition(call.headers)
    wanted = list(parse(call.body, "CompleteMultipartUpload").all("Part"))
    if not wanted:
        raise BucketError("MalformedXML", "CompleteMultipartUpload has at least one Part.")
    parts = call.uploads.chosen(upload, [(_number(part), part.get("ETag").strip().strip('"')) for part in wanted])
    _compare_parts(wanted, parts)
    _compare_size(call.headers, parts)
    algorithm = upload.checksum_algorithm or _announced(call.headers)
    total = SUMS[algorithm]() if algorithm and upload.checksum_type != "COMPOSITE" else None
    with call.buckets.draft(hashed=False) as draft:
        call.uploads.assemble(upload, parts, draft, total.update if total else lambda _: None)
        checksums = {algorithm: base64_of(total) if total else _composite(algorithm, parts)} if algorithm else {}
        _compare_whole(call.headers, checksums)
        return call.uploads.complete(upload, parts, draft, checksums, condition)


def _completed_before(call: Call) -> ObjectInfo | None:
    """Return the object where this very upload made it: a client asks again when it has lost the answer."""
    try:
        info = call.buckets.info(call.bucket, call.key)
    except BucketError:
        return None
    return info if info.details.upload_id == call.query["uploadId"] else None


def _upload(call: Call) -> Upload:
    return call.uploads.get(call.bucket, call.key, call.query["uploadId"])


def _part_number(call: Call) -> int:
    number = call.number("partNumber", 0, PART_NUMBERS + 1)
    if not 1 <= number <= PART_NUMBERS:
        raise BucketError("InvalidArgument", f"Part number must be an integer between 1 and {PART_NUMBERS}, inclusive.")
    return number


def _number(part: Node) -> int:
    text = part.get("PartNumber").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise BucketError("MalformedXML", f"A part's number is {text[:20]!r}.")
    return int(text)


def _checksum_type(algorithm: str, kind: str) -> str:
    """Return the type of an upload's checksum; raises BucketError for one that its algorithm cannot have."""
    if kind not in _TYPES or (kind and not algorithm):
        raise BucketError("InvalidRequest", "Value for x-amz-checksum-type header is invalid, or names no algorithm.")
    unfit = _NO_WHOLE if kind == "FULL_OBJECT" else _NO_COMPOSITE
    if kind and algorithm in unfit:
        raise BucketError(
            "InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    default = "FULL_OBJECT" if algorithm in _NO_COMPOSITE else "COMPOSITE"
    return (kind or default) if algorithm else ""


def _part_sum(upload: Upload, checks: Checks) -> Sum | None:
    """Return what to compute of a part beyond what its request announces, for the upload's checksum."""
    algorithm, announced = upload.checksum_algorithm, set(checks.expected)
    if not algorithm or f"{PREFIX}{algorithm}" in announced:
        return None
    if announced:
        raise BucketError("InvalidRequest", f"Checksum Type mismatch occurred, expected checksum Type: {algorithm}.")
    return SUMS[algorithm]()


def _values(upload: Upload, total: Sum | None) -> dict[str, str]:
    return {upload.checksum_algorithm: base64_of(total)} if total else {}


def _source_range(call: Call, source: ObjectInfo) -> tuple[int, int]:
    header = call.headers.get("x-amz-copy-source-range")
    if header is None:
        return 0, source.size
    found = stretch(header, source.size)
    if found is None or not header.endswith(f"-{sum(found) - 1}"):  # a range of a copy must not reach beyond its source
        raise BucketError("InvalidArgument", f"The x-amz-copy-source-range {header!r} does not lie in the source.")
    return found


def _compare_parts(wanted: Sequence[Node], parts: Sequence[Part]) -> None:
    for node, part in zip(wanted, parts, strict=True):
        for name, value in part.checksums.items():
            if node.get(f"Checksum{name.upper()}", value) != value:
                raise BucketError("InvalidPart", f"Part {part.number} has another {name.upper()} than the one named.")


def _compare_size(headers: Mapping[str, str], parts: Sequence[Part]) -> None:
    size = str(sum(part.size for part in parts))
    if headers.get("x-amz-mp-object-size", size) != size:
        raise BucketError("InvalidRequest", f"The provided x-amz-mp-object-size does not match: the parts have {size}.")


def _compare_whole(headers: Mapping[str, str], checksums: Mapping[str, str]) -> None:
    for name, value in checksums.items():
        announced = headers.get(f"{PREFIX}{name}", value)
        if announced not in {value, value.partition("-")[0]}:
            raise BucketError("BadDigest", f"The {name.upper()} you specified did not match the calculated checksum.")


def _announced(headers: Mapping[str, str]) -> str:
    return next((name for name in SUMS if f"{PREFIX}{name}" in headers), "")


def _composite(algorithm: str, parts: Sequence[Part]) -> str:
    """Return the checksum of the parts' checksums, and how many they are."""
    total = SUMS[algorithm]()
    for part in parts:
        total.update(base64.b64decode(part.checksums[algorithm]))
    return f"{base64_of(total)}-{len(parts)}"


def _checksum_fields(upload: Upload) -> Fields:
    return [
        ("ChecksumAlgorithm", upload.checksum_algorithm.upper() or None),
        ("ChecksumType", upload.checksum_type or None),
    ]


def _part_fields(part: Part) -> Fields:
    return [
        ("PartNumber", part.number),
        ("LastModified", timestamp(part.modified_at)),
        ("ETag", quoted(part.etag)),
        ("Size", part.size),
        *checksum_fields(part.checksums),
    ]


def _upload_fields(upload: Upload, key: str) -> Fields:
    return [
        ("Key", key),
        ("UploadId", upload.id),
        ("Initiator", OWNER),
        ("Owner", OWNER),
        ("StorageClass", upload.details.headers.get("x-amz-storage-class", "STANDARD")),
        ("Initiated", timestamp(upload.started_at)),
        *_checksum_fields(upload),
    ]
