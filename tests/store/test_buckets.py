"""Buckets: a key holds the object of before or of after, whole; listings are those of a plain model."""

import contextlib
import hashlib
import io
import random
import signal
import subprocess
import sys
import threading
import time
import uuid

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.errors import StoreError
from understudy.store.bucket_listing import Query, page_of
from understudy.store.bucket_records import RESERVED_NAMES, BucketError, Details
from understudy.store.bucket_rows import new_object, place_object
from understudy.store.bucket_tables import bucket_objects
from understudy.store.buckets import Buckets
from understudy.store.catalog import Catalog
from understudy.store.local import LocalObjects
from understudy.store.uploads import SMALLEST_PART, Uploads

PUT_FOR_EVER = """
import itertools, sys
from pathlib import Path
from understudy.store.buckets import Buckets
from understudy.store.catalog import Catalog
from understudy.store.local import LocalObjects
folder = Path(sys.argv[1])
buckets = Buckets(Catalog.open(f"sqlite:///{folder}/catalog.db"), LocalObjects(folder / "objects"))
for number in itertools.count():
    buckets.put_bytes("here", "k", bytes([number % 256]) * 300_000)
    print(number, flush=True)
"""

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture
def buckets(catalog, tmp_path):
    """Open buckets on each database in turn, with one bucket called `here`."""
    opened = Buckets(catalog, LocalObjects(tmp_path / "objects"))
    opened.create("here")
    return opened


@pytest.fixture
def uploads(buckets):
    """Give the uploads of these buckets."""
    return Uploads(buckets)


def blobs(buckets):
    """Names of all blobs on the disk."""
    return list(buckets.objects.iter_names("blobs/"))


def read(buckets, key, bucket="here"):
    """Bytes that a key holds."""
    file, _ = buckets.open(bucket, key)
    with file:
        return file.read()


def refused(code):
    """Expect a BucketError of this code."""
    return pytest.raises(BucketError, check=lambda error: error.code == code)


def fill(buckets, bucket, keys):
    """Make rows of objects without bytes."""
    with buckets.catalog.writing() as connection:
        for number, key in enumerate(keys):
            place_object(connection, new_object(bucket, key, f"{bucket}/{number}", 1, "0" * 32, Details()))


def test_object_is_read_back_as_put(buckets):
    """What was put is what is read, with its size, ETag and details; another put replaces it and its blob."""
    details = Details({"content-type": "text/csv"}, {"a": "b"}, {"t": "1"}, {"crc32": "x"})
    put = buckets.put_bytes("here", "k", b"one", details)
    assert read(buckets, "k") == b"one"
    assert buckets.info("here", "k") == put
    assert (put.size, put.etag, put.details) == (3, hashlib.md5(b"one").hexdigest(), details)
    buckets.put_bytes("here", "k", b"three")
    assert read(buckets, "k") == b"three"
    assert len(blobs(buckets)) == 1


def test_nothing_is_found_where_nothing_was_put(buckets):
    """A key without an object, and a bucket that does not exist, are errors with Amazon's names."""
    with refused("NoSuchKey"):
        buckets.info("here", "k")
    with refused("NoSuchKey"):
        buckets.open("here", "k")
    for call in (buckets.get, buckets.remove, lambda name: buckets.put_bytes(name, "k", b"")):
        for name in ("nowhere", "nul\0byte"):
            with refused("NoSuchBucket"):
                call(name)
    assert blobs(buckets) == []


@pytest.mark.parametrize(
    "key", ["..", "../x", "/", "a/", "a", "a/b", "//", "a b", "%2F", "é", "😀", "\0", "\n", "k" * 1024]
)
def test_any_key_is_possible(buckets, key):
    """No key leaves the store, and none keeps another from being: they name rows, not files."""
    for other in ("a", "a/b", key):
        buckets.put_bytes("here", other, other.encode())
    assert read(buckets, key) == key.encode()
    assert set(buckets.iter_keys("here")) == {"a", "a/b", key}


def test_key_has_a_length(buckets):
    """A key has 1 to 1,024 bytes of UTF-8, whatever its number of characters."""
    with refused("KeyTooLongError"):
        buckets.put_bytes("here", "é" * 513, b"")
    with refused("InvalidArgument"):
        buckets.put_bytes("here", "", b"")
    assert blobs(buckets) == []


@pytest.mark.parametrize("name", ["abc", "a.b.c", "aml.packt", "aml-sample-data", "1-2", "a" * 63])
def test_good_names_make_buckets(buckets, name):
    """Every name that Amazon allows for a bucket makes one, once."""
    buckets.create(name)
    assert [bucket.name for bucket in buckets.find()] == sorted(["here", name])
    with refused("BucketAlreadyOwnedByYou"):
        buckets.create(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 64,
        "Abc",
        "a_b",
        "-abc",
        "abc-",
        ".abc",
        "a..b",
        "1.2.3.4",
        "xn--abc",
        "abc-s3alias",
        "a/b",
        "é" * 3,
        *sorted(RESERVED_NAMES),
    ],
)
def test_bad_names_make_no_bucket(buckets, name):
    """A name that Amazon refuses, or that is a path of this server, makes no bucket."""
    with refused("InvalidBucketName"):
        buckets.create(name)


def test_only_empty_buckets_go(buckets, uploads):
    """A bucket that holds an object stays; an empty one goes with its uploads in progress."""
    buckets.put_bytes("here", "k", b"x")
    with refused("BucketNotEmpty"):
        buckets.remove("here")
    buckets.delete("here", ["k", "never"])
    upload = uploads.create("here", "k", Details())
    part(buckets, uploads, upload, 1, b"x")
    buckets.remove("here")
    assert buckets.find() == []
    assert blobs(buckets) == []


def test_settings_are_kept_and_dropped(buckets):
    """A document about a bucket is kept as it came until it is replaced or dropped."""
    buckets.set("here", "policy", "{}")
    buckets.set("here", "tagging", "<x/>")
    buckets.set("here", "policy", '{"a": 1}')
    buckets.set("here", "tagging", None)
    buckets.set("here", "never", None)
    assert buckets.get("here").settings == {"policy": '{"a": 1}'}


def test_condition_is_held_in_the_transaction(buckets):
    """A put whose condition refuses changes nothing and leaves nothing."""
    buckets.put_bytes("here", "k", b"one")

    def refuse(held):
        assert held.size == 3
        raise BucketError("PreconditionFailed", "no")

    with buckets.draft() as draft, refused("PreconditionFailed"):
        draft.write(b"two")
        buckets.put("here", "k", draft, condition=refuse)
    with refused("PreconditionFailed"):
        buckets.delete("here", ["k"], refuse)
    assert read(buckets, "k") == b"one"
    assert len(blobs(buckets)) == 1


def test_reader_goes_on_while_its_object_is_replaced(buckets):
    """Who opened an object reads it to its end, whatever is put or removed meanwhile."""
    buckets.put_bytes("here", "k", b"one")
    file, _ = buckets.open("here", "k")
    buckets.put_bytes("here", "k", b"two")
    buckets.delete("here", ["k"])
    with file:
        assert file.read() == b"one"


def test_opening_meets_a_replacement(buckets, monkeypatch):
    """An object that is replaced between the look at its row and the opening of its blob opens as the new one."""
    buckets.put_bytes("here", "k", b"one")
    reader = buckets.objects.reader

    def replaced_first(name):
        monkeypatch.setattr(buckets.objects, "reader", reader)
        buckets.put_bytes("here", "k", b"two")
        return reader(name)

    monkeypatch.setattr(buckets.objects, "reader", replaced_first)
    assert read(buckets, "k") == b"two"


def test_lost_blob_is_an_error(buckets):
    """An object whose bytes are gone from the disk is an error of the store, not an endless search."""
    info = buckets.put_bytes("here", "k", b"one")
    buckets.objects.delete(info.blob)
    with pytest.raises(StoreError):
        buckets.open("here", "k")


def test_programs_write_into_buckets(buckets, tmp_path):
    """A file or a block that writes becomes an object; a block that fails leaves nothing."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert buckets.put_file("here", "f", path).size == 3_000_000
    assert path.exists()
    with buckets.writer("here", "w") as file, io.BufferedWriter(file) as buffered:
        buffered.write(b"abc")
    assert read(buckets, "w") == b"abc"
    with pytest.raises(ZeroDivisionError), buckets.writer("here", "x") as file:
        file.write(bytes(1 // 0))
    assert list(buckets.iter_keys("here")) == ["f", "w"]
    assert len(blobs(buckets)) == 2


def test_tags_change_alone(buckets):
    """Replacing an object's tags leaves its bytes, its other details and its time."""
    put = buckets.put_bytes("here", "k", b"x", Details(metadata={"a": "b"}))
    changed = buckets.change("here", "k", tags={"t": "1"})
    assert changed.details == Details(metadata={"a": "b"}, tags={"t": "1"})
    assert (changed.modified_at, read(buckets, "k")) == (put.modified_at, b"x")
    with refused("NoSuchKey"):
        buckets.change("here", "never", tags={})


# Listing

characters = st.sampled_from(["a", "b", "/", "//", ".", "~", "é", "\uffff", "😀", "\0", "%", " "])
keys = st.lists(characters, min_size=1, max_size=5).map("".join)


def expected(held, query):
    """List as S3's documentation says, slowly: entries in order, each with whether it is a common prefix."""
    entries = {}
    for key in sorted(held, key=str.encode):
        place = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        entry = key if place < 0 else key[: place + len(query.delimiter)]
        if key.startswith(query.prefix) and key.encode() > query.after.encode() and entry != query.after:
            entries[entry] = place >= 0
    return entries


def all_pages(buckets, bucket, query):
    """Page through a listing; return its entries, each with whether it is a common prefix."""
    entries, after = {}, query.after
    while True:
        page = buckets.page(bucket, Query(query.prefix, query.delimiter, after, query.limit))
        found = {entry.key: False for entry in page.entries} | dict.fromkeys(page.common_prefixes, True)
        assert len(found) == query.limit if page.next else len(found) <= query.limit
        assert not found.keys() & entries.keys()
        entries |= found
        if not page.next:
            return entries
        assert page.next == max(found, key=str.encode)
        after = page.next


@shared
@given(
    held=st.sets(keys, max_size=25),
    prefix=st.one_of(st.just(""), keys),
    delimiter=st.sampled_from(["", "/", "//", "a", "é", "/a"]),
    after=st.one_of(st.just(""), keys),
    limit=st.integers(1, 30),
)
def test_listing_is_that_of_a_plain_model(buckets, held, prefix, delimiter, after, limit):
    """Whatever the keys, prefix, delimiter, start and page size: each entry is listed once, in the order of bytes."""
    bucket = uuid.uuid4().hex
    buckets.create(bucket)
    fill(buckets, bucket, held)
    query = Query(prefix, delimiter, after, limit)
    listed = all_pages(buckets, bucket, query)
    assert sorted(listed.items(), key=lambda item: item[0].encode()) == list(expected(held, query).items())
    assert list(buckets.iter_keys(bucket, prefix)) == list(expected(held, Query(prefix)))


def test_page_of_nothing(buckets):
    """A page of no entries says that none follow, as S3's does."""
    fill(buckets, "here", ["a"])
    page = buckets.page("here", Query(limit=0))
    assert (page.entries, page.common_prefixes, page.next) == ([], [], "")


def test_large_bucket_lists_without_reading_all(buckets):
    """A page reads about as many rows as it answers, and steps over the keys that a common prefix folds."""
    row = {"bucket": "here", "size": 1, "etag": "0" * 32, "modified_at": "2026-01-01T00:00:00.000000Z", "details": {}}
    names = [f"{folder:02}/{number:04}" for folder in range(20) for number in range(1000)]
    with buckets.catalog.writing() as connection:
        connection.execute(bucket_objects.insert(), [row | {"key": name.encode(), "blob": name} for name in names])
        fetched = []
        sa.event.listen(connection, "after_cursor_execute", lambda *event: fetched.append(event[3]))
        folded = page_of(connection, "here", Query(delimiter="/"))
        assert len(fetched) <= 21  # each of them reads 100 rows at most
        deep = page_of(connection, "here", Query(prefix="03/", after="03/0500", limit=100))
        assert len(fetched) <= 22
    assert folded.common_prefixes == [f"{folder:02}/" for folder in range(20)]
    assert [entry.key for entry in deep.entries] == [f"03/{number:04}" for number in range(501, 601)]


# Uploads in parts


def part(buckets, uploads, upload, number, data):
    """Upload a part."""
    with buckets.draft() as draft:
        draft.write(data)
        return uploads.put_part(upload, number, draft, {})


def complete(buckets, uploads, upload, wanted):
    """Complete an upload with parts by number and ETag."""
    parts = uploads.chosen(upload, wanted)
    with buckets.draft(hashed=False) as draft:
        uploads.assemble(upload, parts, draft, lambda _: None)
        return uploads.complete(upload, parts, draft, {})


def test_parts_become_one_object(buckets, uploads):
    """The parts that are named become the object, in order, and nothing else is left of the upload."""
    upload = uploads.create("here", "k", Details(metadata={"a": "b"}))
    first = bytes(SMALLEST_PART)
    part(buckets, uploads, upload, 3, b"replaced")
    parts = [
        part(buckets, uploads, upload, number, data) for number, data in ((3, b"end"), (1, first), (7, b"left out"))
    ]
    info = complete(buckets, uploads, upload, [(1, parts[1].etag), (3, parts[0].etag)])
    assert read(buckets, "k") == first + b"end"
    md5s = b"".join(hashlib.md5(data).digest() for data in (first, b"end"))
    assert info.etag == f"{hashlib.md5(md5s).hexdigest()}-2"
    assert info.details.parts == [SMALLEST_PART, 3]
    assert info.details.metadata == {"a": "b"}
    assert len(blobs(buckets)) == 1
    with refused("NoSuchUpload"):
        uploads.get("here", "k", upload.id)


def test_parts_are_held_against_the_rules(buckets, uploads):
    """Parts out of order, unknown, of another ETag or too small make no object, and the upload stays."""
    upload = uploads.create("here", "k", Details())
    one, two = part(buckets, uploads, upload, 1, b"1"), part(buckets, uploads, upload, 2, b"2")
    for code, wanted in (
        ("InvalidPartOrder", [(2, two.etag), (1, one.etag)]),
        ("InvalidPartOrder", [(1, one.etag), (1, one.etag)]),
        ("InvalidPart", [(1, two.etag)]),
        ("InvalidPart", [(9, one.etag)]),
        ("EntityTooSmall", [(1, one.etag), (2, two.etag)]),
    ):
        with refused(code):
            complete(buckets, uploads, upload, wanted)
    assert uploads.parts(uploads.get("here", "k", upload.id)) == [one, two]


def test_ended_upload_takes_nothing(buckets, uploads):
    """After an upload was aborted its parts are gone, and neither a part nor an end can be made of it."""
    upload = uploads.create("here", "k", Details())
    one = part(buckets, uploads, upload, 1, b"1")
    parts = uploads.chosen(upload, [(1, one.etag)])
    uploads.abort(upload)
    assert blobs(buckets) == []
    for call in (
        lambda: part(buckets, uploads, upload, 1, b"1"),
        lambda: uploads.abort(upload),
        lambda: uploads.get("here", "k", "nul\0byte"),
        lambda: uploads.get("here", "other", upload.id),
    ):
        with refused("NoSuchUpload"):
            call()
    with buckets.draft() as draft, refused("NoSuchUpload"):
        uploads.assemble(upload, parts, draft, lambda _: None)
    assert blobs(buckets) == []


def test_uploads_are_listed_page_by_page(buckets, uploads):
    """Uploads in progress are listed by key, then age, with common prefixes, each once over all pages."""
    made = [uploads.create("here", key, Details()) for key in ("b", "a/1", "b", "a/2", "c")]
    listed, prefixes, after = [], [], ("", "")
    while after is not None:
        page = uploads.find("here", Query(delimiter="/", after=after[0], limit=1), after[1])
        listed += [upload.id for upload in page.uploads]
        prefixes += page.common_prefixes
        after = page.next
    assert listed == [made[0].id, made[2].id, made[4].id]
    assert prefixes == ["a/"]
    assert [upload.key for upload in uploads.find("here", Query(prefix="a/")).uploads] == ["a/1", "a/2"]
    assert [upload.key for upload in uploads.find("here", Query(after="b")).uploads] == ["c"]


# Kills and races


def test_crash_between_blob_and_row_is_swept(buckets):
    """Bytes that were published but never named are removed by a sweep once they are old; what rows name stays."""
    buckets.put_bytes("here", "k", b"kept")
    orphan = buckets.draft()
    orphan.write(b"orphan")
    orphan.publish()
    staged = buckets.draft()
    staged.write(b"in flight")
    assert len(blobs(buckets)) == 2
    assert buckets.sweep() == 0
    assert buckets.sweep(older_than=0) == 1
    assert read(buckets, "k") == b"kept"
    buckets.put("here", "later", staged)
    assert read(buckets, "later") == b"in flight"


def test_sweep_leaves_what_is_not_ours(buckets):
    """A file that some program left among the blobs stays and stops nothing."""
    buckets.put_bytes("here", "k", b"kept")
    for name in (".DS_Store", "00/.nfs0001", "00/0000000000-x", "zz"):
        path = buckets.objects.root / "blobs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert buckets.sweep(older_than=0) == 0
    assert len(blobs(buckets)) == 5


def test_sweep_leaves_parts(buckets, uploads):
    """The parts of an upload in progress are no leftovers, however old."""
    upload = uploads.create("here", "k", Details())
    one = part(buckets, uploads, upload, 1, b"1")
    assert buckets.sweep(older_than=0) == 0
    complete(buckets, uploads, upload, [(1, one.etag)])
    assert read(buckets, "k") == b"1"


def test_put_that_a_sweep_overtook_is_refused(buckets, monkeypatch):
    """A put whose bytes were swept between disk and row is an error, never acknowledged and lost."""
    draft = buckets.draft()
    draft.write(b"slow")
    publish = draft.publish

    def publish_and_sweep():
        publish()
        tomorrow = time.time() + 86_400
        monkeypatch.setattr(time, "time", lambda: tomorrow)
        assert buckets.sweep() == 1

    monkeypatch.setattr(draft, "publish", publish_and_sweep)
    with refused("RequestTimeout"):
        buckets.put("here", "k", draft)
    with refused("NoSuchKey"):
        buckets.info("here", "k")


def test_lock_is_not_held_for_what_lies_far_away(buckets, monkeypatch):
    """A put asks nothing of the objects while it holds the catalog's lock; a sweep removes one blob in each lock."""
    events = []
    writing, delete = buckets.catalog.writing, buckets.objects.delete
    monkeypatch.setattr(buckets.objects, "exists", lambda _: pytest.fail("asked"))
    buckets.put_bytes("here", "k", b"x")
    for _ in range(3):
        with buckets.draft() as draft:
            draft.write(b"orphan")
            draft.publish()
    monkeypatch.setattr(buckets.catalog, "writing", lambda: events.append("lock") or writing())
    monkeypatch.setattr(buckets.objects, "delete", lambda name: events.append("delete") or delete(name))
    assert buckets.sweep(older_than=0) == 3
    assert events == ["lock", "delete"] * 3


def test_failed_database_leaves_the_object_of_before(buckets, monkeypatch):
    """When the catalog fails at the end of a put, the old object stays and the new bytes are left to the sweep."""
    buckets.put_bytes("here", "k", b"before")
    with monkeypatch.context() as patch:
        patch.setattr("understudy.store.buckets.place_object", raise_database_error)
        with pytest.raises(StoreError, match="connection lost"):
            buckets.put_bytes("here", "k", b"after")
    assert read(buckets, "k") == b"before"
    assert len(blobs(buckets)) == 2
    assert buckets.sweep(older_than=0) == 1


def raise_database_error(*_):
    """Fail as a database does."""
    raise sa.exc.OperationalError("commit", {}, Exception("connection lost"))


def test_full_disk_leaves_the_object_of_before(small_disk):
    """Where the disk takes no more, the put is an error in the store's words, and nothing of it stays."""
    with contextlib.closing(Catalog.open("sqlite://")) as catalog:
        buckets = Buckets(catalog, LocalObjects(small_disk / "objects"))
        buckets.create("here")
        buckets.put_bytes("here", "k", b"before")
        with pytest.raises(StoreError, match="no space left"):
            buckets.put_bytes("here", "k", bytes(2_000_000))
        assert read(buckets, "k") == b"before"
        assert len(blobs(buckets)) == 1
        buckets.put_bytes("here", "k", bytes(65_536))


@pytest.mark.kills
def test_killed_putter_leaves_whole_objects(tmp_path):
    """Whenever a process that puts is killed, the key holds one of its objects whole, and a sweep leaves only that."""
    with contextlib.closing(Catalog.open(f"sqlite:///{tmp_path}/catalog.db")) as catalog:
        buckets = Buckets(catalog, LocalObjects(tmp_path / "objects"))
        buckets.create("here")
        for seed in range(5):
            process = subprocess.Popen([sys.executable, "-c", PUT_FOR_EVER, tmp_path], stdout=subprocess.PIPE)
            process.stdout.readline()
            time.sleep(random.Random(seed).random() / 10)
            process.send_signal(signal.SIGKILL)
            acknowledged = int(([b"0", *process.communicate()[0].split()])[-1])
            data = read(buckets, "k")
            assert len(data) == 300_000
            assert len(set(data)) == 1
            assert data[0] in {acknowledged % 256, (acknowledged + 1) % 256}
            buckets.sweep(older_than=0)
            assert blobs(buckets) == [buckets.info("here", "k").blob]


def test_concurrent_puts_end_with_one_whole_object(tmp_path):
    """Many writers to one key end with the object of one of them, whole, and one blob."""
    catalog = Catalog.open(f"sqlite:///{tmp_path}/catalog.db")
    buckets = Buckets(catalog, LocalObjects(tmp_path / "objects"))
    buckets.create("here")
    bodies = [bytes([number]) * 100_000 for number in range(8)]
    threads = [
        threading.Thread(target=buckets.put_bytes, args=("here", "k", body)) for body in bodies for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = read(buckets, "k")
    assert data in bodies
    assert buckets.info("here", "k").etag == hashlib.md5(data).hexdigest()
    assert len(blobs(buckets)) == 1
    catalog.close()
