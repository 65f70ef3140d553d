"""Objects: whole or absent, unchanged for ever, whatever happens while they are written."""

import hashlib
import random
import signal
import subprocess
import sys
import time
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import ConfigError, CorruptObject, StoreError
from understudy.store.objects import LocalObjects, open_objects

WRITE_FOR_EVER = """
import hashlib, itertools, sys
from pathlib import Path
from understudy.store.objects import LocalObjects
objects = LocalObjects(Path(sys.argv[1]))
for number in itertools.count(int(sys.argv[2])):
    data = hashlib.sha256(str(number).encode()).digest() * 20_000
    objects.put_content("uploads", data)
    objects.put_folder(f"models/ml-{number}", {"a": data[:50_000], "b": data[:50_000]})
    print(number, flush=True)
"""


@pytest.fixture(scope="session")
def s3_server():
    """Run an S3 that is not ours; give its address."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch):
    """Give another client of that S3, and let the environment name its address and keys."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test-key",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
    }.items():
        monkeypatch.setenv(name, value)
    return pytest.importorskip("boto3").client("s3", region_name="us-east-1")


@pytest.fixture
def bucket(s3):
    """Make an empty bucket; give its name."""
    name = f"objects-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def local_objects(tmp_path):
    """Open an empty store in a folder."""
    return LocalObjects(tmp_path / "objects")


@pytest.fixture
def remote_objects(bucket, tmp_path):
    """Open an empty store in S3."""
    return open_objects(f"s3://{bucket}/some/prefix", tmp_path / "cache")


@pytest.fixture(params=["local", "remote"])
def objects(request):
    """Open an empty store, in each kind of place in turn."""
    return request.getfixturevalue(f"{request.param}_objects")


def leftovers(objects):
    """Names of all staging folders that are still there."""
    staging = (objects.root if isinstance(objects, LocalObjects) else objects.cache) / ".staging"
    return [path.name for path in staging.iterdir()] if staging.exists() else []


def test_object_is_read_back_as_written(objects):
    """What was put is what is read, under its name, with nothing else left behind."""
    objects.put_bytes("models/ml-1/weights", b"\x00weights")
    assert objects.read("models/ml-1/weights") == b"\x00weights"
    assert objects.exists("models/ml-1/weights")
    assert not objects.exists("models/ml-2")
    assert leftovers(objects) == []


def test_same_bytes_again_change_nothing_and_others_are_refused(objects):
    """Objects never change: writing is idempotent, and a second content under one name is an error."""
    objects.put_bytes("a", b"one")
    objects.put_bytes("a", b"one")
    objects.put_folder("f", {"x": b"1"})
    objects.put_folder("f", {"x": b"1"})
    for change in (
        lambda: objects.put_bytes("a", b"two"),
        lambda: objects.put_folder("f", {"x": b"2"}),
        lambda: objects.put_folder("f", {"x": b"1", "y": b""}),
        lambda: objects.put_bytes("f", b"one"),
        lambda: objects.put_folder("a", {"x": b"1"}),
    ):
        with pytest.raises(StoreError, match="exists already with other content"):
            change()
    assert objects.read("a") == b"one"
    assert objects.read("f/x") == b"1"


def test_file_is_moved_in_and_kept_outside_when_it_cannot_be(objects, tmp_path):
    """A file that was put is gone from where it was; one that was refused is still there."""
    (tmp_path / "dump").write_bytes(b"rows")
    objects.put_file("uploads/dump", tmp_path / "dump")
    assert objects.read("uploads/dump") == b"rows"
    assert not (tmp_path / "dump").exists()
    (tmp_path / "other").write_bytes(b"others")
    with pytest.raises(StoreError):
        objects.put_file("uploads/dump", tmp_path / "other")
    assert (tmp_path / "other").read_bytes() == b"others"


def test_file_of_another_file_system_is_copied_in(objects, small_disk):
    """Where no link can be made the bytes are copied."""
    (small_disk / "dump").write_bytes(b"rows")
    objects.put_file("uploads/dump", small_disk / "dump")
    assert objects.read("uploads/dump") == b"rows"
    assert not (small_disk / "dump").exists()


def test_folder_appears_whole(objects):
    """A folder of files, nested ones included, gets its name in one step."""
    objects.put_folder("models/ml-1", {"model.json": b"{}", "code/features.py": b"x = 1"})
    assert list(objects.iter_names()) == ["models/ml-1/code/features.py", "models/ml-1/model.json"]
    assert list(objects.iter_names("models/ml-1/co")) == ["models/ml-1/code/features.py"]
    assert objects.exists("models/ml-1")
    assert objects.exists("models/ml-1/code/features.py")
    assert not objects.exists("models/ml-1/features.py")


def test_writing_that_fails_leaves_nothing(objects):
    """An exception while an object is made leaves neither the object nor its beginnings."""

    def fail_half_way():
        with objects.writing("a") as path:
            path.write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert not objects.exists("a")
    assert leftovers(objects) == []


def test_foreign_error_while_writing_stays_itself(objects):
    """A lost database connection inside the block is not told as a fault of the store."""
    with pytest.raises(ConnectionRefusedError), objects.writing("a"):
        raise ConnectionRefusedError(111, "Connection refused")


def test_written_stream_is_read_from_any_place(objects):
    """What was written piece by piece is read from the beginning, the middle and the end."""
    with objects.writer("blobs/a") as file:
        file.write(b"0123")
        file.write(b"456789")
    with objects.reader("blobs/a") as file:
        assert file.seekable()
        assert file.read(2) == b"01"
        assert file.seek(-3, 2) == 7
        assert file.read() == b"789"
        assert file.seek(4) == 4
        assert file.read(1) == b"4"
    objects.put_bytes("blobs/empty", b"")
    assert objects.read("blobs/empty") == b""


def test_object_is_given_as_a_file_of_this_machine(objects):
    """Files, folders and files of folders can be had as paths, for a block or to stay."""
    name = objects.put_content("uploads", b"rows", ".bin")
    objects.put_folder("models/ml-1", {"a": b"1", "code/b": b"2"})
    with objects.local(name) as path:
        assert path.read_bytes() == b"rows"
    with objects.local("models/ml-1") as folder:
        assert (folder / "code/b").read_bytes() == b"2"
    with objects.local("models/ml-1/a") as path:
        assert path.read_bytes() == b"1"
    assert objects.cached(name).read_bytes() == b"rows"
    assert objects.cached("models/ml-1") == objects.cached("models/ml-1")
    assert (objects.cached("models/ml-1") / "a").read_bytes() == b"1"
    assert leftovers(objects) == []


def test_names_are_listed_in_order_by_prefix(objects):
    """A prefix selects by the beginning of the whole name, as in S3."""
    for name in ("uploads/b", "uploads/a", "uploads-old/c", "models/m/x"):
        objects.put_bytes(name, b"")
    assert list(objects.iter_names("uploads/")) == ["uploads/a", "uploads/b"]
    assert list(objects.iter_names("up")) == ["uploads-old/c", "uploads/a", "uploads/b"]
    assert list(objects.iter_names("none/")) == []


def test_deleted_object_is_gone_and_deleting_again_is_nothing(objects):
    """Files and folders are removed whole; removing what is not there is no error."""
    objects.put_folder("models/ml-1", {"a": b"1"})
    objects.put_bytes("uploads/a", b"1")
    for _ in range(2):
        objects.delete("models/ml-1")
        objects.delete("uploads/a")
    assert list(objects.iter_names()) == []
    assert leftovers(objects) == []


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../a", "a/../../b", "a//b", "a/", ".staging/x", "a\0b", ".", "a/.folder", "a/.parts/b"]
)
def test_name_that_leaves_the_store_is_refused(objects, name):
    """No name reaches outside the store's folder, or into its workings."""
    for use in (
        lambda name: objects.put_bytes(name, b""),
        objects.exists,
        objects.read,
        objects.delete,
        objects.cached,
    ):
        with pytest.raises(StoreError, match="no name for an object"):
            use(name)


@settings(max_examples=25, deadline=None)
@given(data=st.binary(min_size=1, max_size=100), position=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_changed_byte_is_found_on_reading(tmp_path_factory, data, position, flip):
    """One byte changed on disk is found when the object is read by the name that carries its digest."""
    objects = LocalObjects(tmp_path_factory.mktemp("objects"))
    name = objects.put_content("uploads", data, ".bin")
    assert objects.read(name) == data
    objects.verify(name)
    torn = bytearray(data)
    torn[position % len(data)] ^= flip
    objects.path(name).write_bytes(torn)
    for reading in (objects.read, objects.verify):
        with pytest.raises(CorruptObject, match=name):
            reading(name)


def test_missing_object_is_a_store_error(objects):
    """Reading what is not there names the object and what to do."""

    def read_local():
        with objects.local("models/ml-1"):
            pass

    for use in (objects.read, objects.verify, objects.reader, objects.cached, lambda _: read_local()):
        with pytest.raises(StoreError, match="models/ml-1 cannot be read: No such"):
            use("models/ml-1")


@pytest.mark.parametrize("location", ["gs://bucket/prefix", "s3://", "https://server/bucket"])
def test_place_of_another_kind_is_refused(location, tmp_path):
    """What is neither a folder nor a bucket is an error of the project file, which says what is."""
    with pytest.raises(ConfigError, match="s3://bucket/prefix"):
        open_objects(location, tmp_path)


def test_reading_creates_nothing(local_objects):
    """Looking into a store that does not exist leaves no trace, so it works on a read-only disk."""
    assert list(local_objects.iter_names()) == []
    assert not local_objects.exists("a")
    assert local_objects.sweep() == 0
    assert not local_objects.root.exists()


def test_sweep_spares_what_a_living_writer_makes(local_objects):
    """A sweep removes leftovers of the dead and nothing that is being written."""
    with local_objects.writing("a") as path:
        path.write_bytes(b"living")
        (local_objects.root / ".staging" / "dead").mkdir()
        assert local_objects.sweep() == 1
    assert local_objects.read("a") == b"living"


def test_full_disk_is_one_clear_message_and_changes_nothing(small_disk):
    """On a full disk the error says what was needed and free, nothing is left behind, and small objects still fit."""
    objects = LocalObjects(small_disk / "objects")
    objects.put_bytes("before", b"1")
    for put in (
        lambda: objects.put_bytes("big", b"x" * 2_000_000),
        lambda: objects.put_folder("big", {"a": b"x" * 600_000, "b": b"x" * 600_000}),
    ):
        with pytest.raises(
            StoreError, match=r"no space left .* bytes were needed and .* are free; nothing was changed"
        ):
            put()
    assert list(objects.iter_names()) == ["before"]
    assert leftovers(objects) == []
    objects.put_bytes("after", b"x" * 500_000)


def test_object_is_deleted_from_a_full_disk(small_disk, fill):
    """Room can be made when there is none: deleting needs no space."""
    objects = LocalObjects(small_disk / "objects")
    objects.put_folder("models/ml-1", {"a": b"x" * 500_000})
    fill(small_disk)
    objects.delete("models/ml-1")
    objects.put_bytes("a", b"x" * 400_000)


def test_kill_leaves_whole_objects_and_sweepable_rest(local_objects):
    """After kills at random moments every object is whole, and one sweep removes all that was half made."""
    moments = random.Random(7)
    started = 0
    for _ in range(10):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(local_objects.root), str(started)], stdout=subprocess.PIPE
        )
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        started += 1 + len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()
        for name in local_objects.iter_names("uploads/"):
            assert hashlib.sha256(local_objects.path(name).read_bytes()).hexdigest() in name
        for folder in (local_objects.root / "models").iterdir():
            assert {file.name: file.stat().st_size for file in folder.iterdir()} == {"a": 50_000, "b": 50_000}
    local_objects.sweep()
    assert leftovers(local_objects) == []
    assert len(list((local_objects.root / "models").iterdir())) >= started
