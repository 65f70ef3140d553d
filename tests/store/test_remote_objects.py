"""Objects in S3: what only a store that is far away has to promise, and the whole loop on one."""
# ruff: noqa: F811 (pytest hands fixtures over under the names that they are imported by)

import http.server
import os
import signal
import threading
import time
from datetime import timedelta

import pytest

from acceptance.stage import append_csv, calls, calls_project, failed
from store.test_objects import bucket, remote_objects, s3, s3_server  # noqa: F401 - fixtures
from understudy.config import load
from understudy.errors import CorruptObject, StoreError
from understudy.house import House
from understudy.store import remote
from understudy.store.objects import open_objects

BIG = bytes(range(256)) * 100_000
"""More than one part of an upload."""


@pytest.fixture
def stopped():
    """Give the address of a port where nobody listens."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def refusing():
    """Run a server that refuses everything; give its address."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def keys(s3, bucket):
    """Names of all keys in a bucket that hold something."""
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return [key["Key"] for key in found if not key["Key"].endswith("/")]


def test_object_is_a_key_below_the_prefix(remote_objects, s3, bucket):
    """A file's key is its name, so that other tools find it; nothing else is left in the bucket."""
    remote_objects.put_bytes("uploads/a b ü%.bin", BIG)
    assert keys(s3, bucket) == ["some/prefix/uploads/a b ü%.bin"]
    assert s3.get_object(Bucket=bucket, Key="some/prefix/uploads/a b ü%.bin")["Body"].read() == BIG
    assert remote_objects.read("uploads/a b ü%.bin") == BIG


def test_bucket_without_a_prefix_is_a_store(bucket, tmp_path):
    """The whole bucket may be the store."""
    objects = open_objects(f"s3://{bucket}/", tmp_path)
    objects.put_folder("models/ml-1", {"a": b"1"})
    assert list(objects.iter_names()) == ["models/ml-1/a"]


def test_folder_is_seen_by_nobody_before_it_is_whole(remote_objects, bucket, tmp_path, monkeypatch):
    """While its files arrive, and after a writer died between two of them, there is no folder and no file of it."""
    reader = open_objects(f"s3://{bucket}/some/prefix", tmp_path / "other")
    put, seen = remote_objects._bucket.put, []

    def watched(key, data):
        seen.append((reader.exists("models/ml-1"), reader.exists("models/ml-1/a"), list(reader.iter_names())))
        if key.endswith("/b"):
            raise ConnectionResetError
        put(key, data)

    with monkeypatch.context() as dying:
        dying.setattr(remote_objects._bucket, "put", watched)
        with pytest.raises(ConnectionResetError):
            remote_objects.put_folder("models/ml-1", {"a": b"1", "b": b"2"})
    assert seen == [(False, False, [])] * 3
    with pytest.raises(StoreError, match="No such object"):
        reader.cached("models/ml-1")
    remote_objects.put_folder("models/ml-1", {"b": b"other"})
    assert list(reader.iter_names()) == ["models/ml-1/b"]


def test_folder_is_gone_before_its_files_go(remote_objects, bucket, tmp_path, monkeypatch):
    """A process that dies while it deletes a folder leaves no half of it to be read."""

    def dead(_):
        raise ConnectionResetError

    remote_objects.put_folder("models/ml-1", {"a": b"1", "b": b"2"})
    with monkeypatch.context() as dying:
        dying.setattr(remote_objects._bucket, "delete_below", dead)
        with pytest.raises(ConnectionResetError):
            remote_objects.delete("models/ml-1")
    assert list(remote_objects.iter_names()) == []
    assert not remote_objects.exists("models/ml-1")


def test_sweep_takes_what_is_old_and_spares_what_may_live(remote_objects, s3, bucket, monkeypatch):
    """What was begun today may be at work on another machine; what is older than a day is a leftover."""
    with monkeypatch.context() as dying:
        dying.setattr(remote_objects._bucket, "delete", lambda _: None)
        remote_objects.put_folder("models/whole", {"a": b"1"})
    s3.put_object(Bucket=bucket, Key="some/prefix/models/half/.parts/a", Body=b"1")
    s3.put_object(Bucket=bucket, Key="some/prefix/.staging/models%2Fhalf", Body=b"")
    assert remote_objects.sweep() == 0
    monkeypatch.setattr(remote, "ABANDONED_AFTER", timedelta(seconds=-5))
    assert remote_objects.sweep() == 2
    assert keys(s3, bucket) == ["some/prefix/models/whole/.folder", "some/prefix/models/whole/.parts/a"]


def test_changed_bytes_are_found(remote_objects, s3, bucket):
    """Other bytes in the bucket than those that were written are an error wherever a digest is known."""
    name = remote_objects.put_content("code", b"x = 1", ".json")
    remote_objects.put_folder("models/ml-1", {"a": b"1"})
    s3.put_object(Bucket=bucket, Key=f"some/prefix/{name}", Body=b"x = 2")
    s3.put_object(Bucket=bucket, Key="some/prefix/models/ml-1/.parts/a", Body=b"2")
    for use in (remote_objects.read, remote_objects.verify, remote_objects.cached):
        with pytest.raises(CorruptObject, match=name):
            use(name)
    with pytest.raises(CorruptObject, match="models/ml-1/a"):
        remote_objects.cached("models/ml-1")
    s3.put_object(Bucket=bucket, Key="some/prefix/models/ml-1/.folder", Body=b"{")
    with pytest.raises(CorruptObject, match="models/ml-1"):
        remote_objects.exists("models/ml-1")


def test_copy_outlives_the_server_and_heals(remote_objects, bucket, tmp_path, monkeypatch, stopped):
    """A copy is read again without the server, and fetched again when its bytes changed."""
    remote_objects.put_folder("models/ml-1", {"a": b"1"})
    code = remote_objects.put_content("code", b"x = 1")
    assert remote_objects.read(code) == b"x = 1"
    copy = remote_objects.cached("models/ml-1") / "a"
    copy.write_bytes(b"2")
    assert (remote_objects.cached("models/ml-1") / "a").read_bytes() == b"1"
    monkeypatch.setenv("AWS_ENDPOINT_URL", stopped)
    later = open_objects(f"s3://{bucket}/some/prefix", tmp_path / "cache")
    assert (later.cached("models/ml-1") / "a").read_bytes() == b"1"
    assert later.read(code) == b"x = 1"


def test_copies_go_with_their_objects(remote_objects, bucket, tmp_path):
    """A deleted object's copy goes at once here, and with the next sweep on other machines."""
    other = open_objects(f"s3://{bucket}/some/prefix", tmp_path / "other")
    remote_objects.put_folder("models/ml-1", {"a": b"1"})
    remote_objects.put_bytes("keys/a", b"1")
    copies = [objects.cached(name) for objects in (remote_objects, other) for name in ("models/ml-1", "keys/a")]
    remote_objects.delete("models/ml-1")
    remote_objects.delete("keys/a")
    assert [copy.exists() for copy in copies] == [False, False, True, True]
    assert other.sweep() == 2
    assert not any(copy.exists() for copy in copies)


def test_interrupt_leaves_a_whole_object_or_none(remote_objects, monkeypatch):
    """Ctrl-C while bytes are on their way does not complete half of them."""
    send = remote_objects._bucket._send

    def interrupted(key, data):
        time.sleep(0.1)  # until the other thread waits for this one
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        send(key, data)

    monkeypatch.setattr(remote_objects._bucket, "_send", interrupted)
    with pytest.raises(KeyboardInterrupt):
        remote_objects.put_bytes("blobs/a", BIG)
    assert remote_objects.read("blobs/a") == BIG


def test_upload_that_fails_half_way_leaves_nothing(remote_objects, s3, bucket, monkeypatch):
    """A large object whose second part the server does not take is no object, and can be written later."""
    refusal = pytest.importorskip("moto.s3.exceptions").EntityTooSmall
    backend = pytest.importorskip("moto.s3.models").S3Backend
    upload_part, tries = backend.upload_part, []

    def failing(self, *words, **named):
        part = named.get("part_id", words[2] if len(words) > 2 else None)
        tries.append(part)
        if part == 2:
            raise refusal
        return upload_part(self, *words, **named)

    with monkeypatch.context() as failure:
        failure.setattr(backend, "upload_part", failing)
        with pytest.raises(StoreError, match="blobs/a cannot be reached: "):
            remote_objects.put_bytes("blobs/a", BIG)
    assert 1 in tries
    assert 2 in tries
    assert keys(s3, bucket) == []
    assert not remote_objects.exists("blobs/a")
    remote_objects.put_bytes("blobs/a", BIG)
    assert remote_objects.read("blobs/a") == BIG


def test_same_bytes_are_told_from_others_of_the_same_length(remote_objects):
    """Large objects are compared to their last byte."""
    remote_objects.put_bytes("blobs/a", BIG)
    remote_objects.put_bytes("blobs/a", BIG)
    for other in (BIG[:-1] + b"x", BIG[:-1], BIG + b"x"):
        with pytest.raises(StoreError, match="exists already"):
            remote_objects.put_bytes("blobs/a", other)


def told(error):
    """Return an error's whole text, in which no key may stand."""
    assert "test-key" not in str(error.value)
    assert "test-secret" not in str(error.value)
    return str(error.value)


def uses(objects):
    """Give everything that reaches the server."""
    return (
        lambda: objects.exists("models/ml-1"),
        lambda: objects.read("models/ml-1"),
        lambda: objects.put_bytes("a", b"1"),
        lambda: list(objects.iter_names()),
        lambda: objects.delete("a"),
        objects.sweep,
    )


def test_missing_bucket_is_said(s3, tmp_path):
    """A bucket that does not exist is named, with what to do, whatever is asked of it."""
    for use in uses(open_objects("s3://no-such-bucket/prefix", tmp_path)):
        with pytest.raises(StoreError) as error:
            use()
        assert "s3://no-such-bucket/prefix" in told(error)
        assert "there is no such bucket" in told(error)


def test_refusal_is_said(s3, refusing, tmp_path, monkeypatch):
    """Wrong or missing keys are an error that names the variables to check."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", refusing)
    for use in uses(open_objects("s3://bucket/prefix", tmp_path)):
        with pytest.raises(StoreError) as error:
            use()
        assert "access was refused" in told(error)
        assert "AWS_ACCESS_KEY_ID" in told(error)


def test_server_out_of_reach_is_said_in_time(s3, stopped, tmp_path, monkeypatch):
    """Tries are bounded, and the error names the address and what to check; S3's own variable goes first."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stopped)
    with pytest.raises(StoreError) as error:
        open_objects("s3://bucket/prefix", tmp_path).exists("a")
    assert "the server cannot be reached" in told(error)
    assert "AWS_ENDPOINT_URL" in told(error)


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "http://", "//"])
def test_address_that_is_none_is_said(s3, tmp_path, monkeypatch, address):
    """An endpoint that cannot be one is an error of the store like any other."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    with pytest.raises(StoreError, match="AWS_ENDPOINT_URL"):
        open_objects("s3://bucket/prefix", tmp_path).exists("a")


def test_server_lost_on_the_way_is_said(remote_objects, monkeypatch):
    """What fails after the first contact is told in the same words."""

    class Lost:
        def __getattr__(self, _):
            raise OSError("AWS Error SLOW_DOWN during PutObject operation: test-secret")

    monkeypatch.setitem(remote_objects._bucket.__dict__, "_system", Lost())
    for use in uses(remote_objects):
        with pytest.raises(StoreError) as error:
            use()
        assert "the server answered SLOW_DOWN" in told(error)


def test_whole_loop_runs_on_a_bucket(bucket, s3, tmp_path, monkeypatch, stopped):
    """Learning, predicting, rebuilding and forgetting do the same in S3 as in a folder, to the last bit."""
    here = calls_project(tmp_path / "here").do("learn")
    store = f'[store]\nobjects = "s3://{bucket}/calls"\nkeep = {{ runs = 1, models = 1 }}\n'
    project = calls_project(tmp_path / "there", more=store)
    first = project.do("learn")
    assert first["fingerprint"] == here["fingerprint"]
    assert not (project.folder / ".understudy/objects").exists()
    assert (project.folder / ".understudy/learn.lock").exists()
    assert project.answer(id=1, age=70, job="nurse", balance=5, note="")["label"] == "yes"
    assert project.do("rebuild", first["model_id"])["same"]
    for number in range(3):
        append_csv(project.folder / "calls.csv", calls(50, seed=number + 2, first=401 + 50 * number))
        last = project.do("learn")
    objects = House(load(project.folder)).objects
    assert f"uploads/{last['run_id']}.arrows" in list(objects.iter_names("uploads/"))
    assert len(list(objects.iter_names("uploads/"))) < 4
    assert len(list(objects.iter_names("models/"))) == 2 * len(list(objects.iter_names("uploads/")))
    assert project.do("rebuild", project.champion)["same"]
    answer = project.answer(id=1, age=70, job="nurse", balance=5, note="")
    monkeypatch.setenv("AWS_ENDPOINT_URL", stopped)
    assert project.answer(id=1, age=70, job="nurse", balance=5, note="") == answer
    assert "the server cannot be reached" in failed(project.run("learn"), 1)


def test_two_catalogs_share_a_prefix_and_keep_their_models(bucket, s3, tmp_path):
    """Retention takes only what its own catalog once named; another project's models are not its to delete."""
    store = f'[store]\nobjects = "s3://{bucket}/shared"\nkeep = {{ runs = 1, models = 1 }}\n'
    one, other = (calls_project(tmp_path / name, seed=seed, more=store) for name, seed in (("one", 1), ("other", 2)))
    one.do("learn")
    for number in range(3):
        append_csv(other.folder / "calls.csv", calls(50, seed=number + 2, first=401 + 50 * number))
        other.do("learn")
    assert one.do("rebuild", one.champion)["same"]
    assert House(load(one.folder)).objects.exists(f"models/{House(load(one.folder)).serving().model.fingerprint[7:]}")
