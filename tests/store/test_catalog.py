"""The catalog: every call whole or not at all, on every database, whatever happens meanwhile."""

import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import msgspec
import pytest
import sqlalchemy as sa

from understudy.errors import Busy, ConfigError, NotFound, StoreError
from understudy.store.catalog import Catalog, Promotion, new_id
from understudy.store.tables import VERSION

PROMOTE_FOR_EVER = """
import sys
from understudy.store.catalog import Catalog, Promotion, new_id
catalog = Catalog.open(sys.argv[1])
while True:
    model = catalog.create("model", new_id("ml"), {}, status="COMPLETED").id
    before = catalog.endpoint("policies").champion
    catalog.record(Promotion("policies", "learn", model, "ADMITTED", (), before, model))
    print(model, flush=True)
"""


def with_models(catalog, *ids):
    """Create models of these ids."""
    for model_id in ids:
        catalog.create("model", model_id, {}, status="COMPLETED")


def admitted(model_id, before):
    """Return a promotion that lets `model_id` serve in place of `before`."""
    return Promotion("policies", "learn", model_id, "ADMITTED", ("better",), before, model_id, run_id="run-1")


def test_entity_is_found_as_it_was_created(catalog):
    """What was written is what is read, unicode and nesting included."""
    document = {"classes": ["é", "b"], "nested": {"rate": 0.1, "none": None, "count": 2**60}}
    made = catalog.create("model", "ml-1", document, status="INPROGRESS", project="policies")
    assert catalog.get("ml-1") == made
    assert made.document == document


def test_entity_is_updated_in_place(catalog):
    """An update replaces what it is given, leaves the rest, and moves the time on."""
    made = catalog.create("run", "run-1", {"step": 1})
    done = catalog.update("run-1", status="COMPLETED")
    assert (done.status, done.document, done.created_at) == ("COMPLETED", {"step": 1}, made.created_at)
    assert done.updated_at >= made.updated_at
    assert catalog.update("run-1", document={"step": 2}) == catalog.get("run-1")
    assert (catalog.get("run-1").status, catalog.get("run-1").document) == ("COMPLETED", {"step": 2})


def test_unknown_id_is_wrong_usage(catalog):
    """Asking for an id that does not exist names it."""
    for call in (catalog.get, catalog.update):
        with pytest.raises(NotFound, match="'ml-none'"):
            call("ml-none")


def test_taken_id_is_refused(catalog):
    """Two entities cannot share an id; the first stays."""
    catalog.create("run", "run-1", {"first": True})
    with pytest.raises(StoreError, match="contradiction"):
        catalog.create("run", "run-1", {"first": False})
    assert catalog.get("run-1").document == {"first": True}


def test_entities_are_listed_newest_first(catalog):
    """A list holds one kind, newest first, at most as many as asked for."""
    for number in range(5):
        catalog.create("run", f"run-{number}", {}, project="even" if number % 2 == 0 else "odd")
    with_models(catalog, "ml-1")
    assert [run.id for run in catalog.find("run", limit=2)] == ["run-4", "run-3"]
    assert [run.id for run in catalog.find("run", project="odd")] == ["run-3", "run-1"]


def test_promotion_flips_and_is_remembered(catalog):
    """An admitted model serves from the moment that its promotion is recorded."""
    with_models(catalog, "ml-1")
    assert catalog.endpoint("policies").champion is None
    recorded = catalog.record(admitted("ml-1", None))
    state = catalog.endpoint("policies")
    assert (state.champion, state.since, state.run_id, state.pinned) == ("ml-1", recorded.at, "run-1", False)
    assert catalog.promotions("policies") == [recorded]


def test_refusal_is_remembered_and_changes_nothing(catalog):
    """A refused challenger gets its line of history; the champion stays as it was."""
    with_models(catalog, "ml-1", "ml-2")
    catalog.record(admitted("ml-1", None))
    before = catalog.endpoint("policies")
    catalog.record(Promotion("policies", "learn", "ml-2", "REFUSED", ("worse", "by 0.1"), "ml-1", "ml-1"))
    assert catalog.endpoint("policies") == before
    assert [entry.status for entry in catalog.promotions("policies")] == ["ADMITTED", "REFUSED"]
    assert catalog.promotions("policies")[1].reasons == ("worse", "by 0.1")
    assert catalog.promotions("other") == []


def test_verdict_against_a_replaced_champion_is_refused_whole(catalog):
    """A verdict against a champion that no longer serves neither flips nor enters the history."""
    with_models(catalog, "ml-1", "ml-2", "ml-3")
    catalog.record(admitted("ml-1", None))
    catalog.record(admitted("ml-2", "ml-1"))
    refused = Promotion("policies", "learn", "ml-3", "REFUSED", (), "ml-1", "ml-1")
    for late in (admitted("ml-3", "ml-1"), refused):
        with pytest.raises(Busy, match="served by ml-2 now, not by ml-1"):
            catalog.record(late)
    assert catalog.endpoint("policies").champion == "ml-2"
    assert len(catalog.promotions("policies")) == 2


def test_champion_always_exists(catalog):
    """A promotion of a model that the catalog does not hold is refused whole."""
    with pytest.raises(StoreError, match="contradiction"):
        catalog.record(admitted("ml-ghost", None))
    assert catalog.endpoint("policies").champion is None
    assert catalog.promotions("policies") == []


@pytest.mark.parametrize("catalog_url", ["sqlite", "postgresql"], indirect=True)
def test_only_one_of_many_concurrent_flips_wins(catalog_url):
    """Of many promotions against one champion exactly one is recorded; the others hear that they came late."""
    catalog = Catalog.open(catalog_url)
    names = [f"ml-{number}" for number in range(4)]
    with_models(catalog, *names)
    outcomes = []

    def flip(name):
        other = Catalog.open(catalog_url)
        try:
            outcomes.append(other.record(admitted(name, None)).model_id)
        except Busy:
            outcomes.append(None)
        other.close()

    threads = [threading.Thread(target=flip, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for name in outcomes if name]
    assert len(outcomes) == 4
    assert winners == [catalog.endpoint("policies").champion]
    assert len(catalog.promotions("policies")) == 1
    catalog.close()


@pytest.mark.parametrize("catalog_url", ["sqlite", "postgresql"], indirect=True)
def test_catalog_is_made_once_by_concurrent_openings(catalog_url):
    """Several processes may open a new catalog at once; each gets it whole."""
    failures = []

    def opened():
        try:
            Catalog.open(catalog_url).close()
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=opened) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("catalog_url", ["sqlite", "postgresql"], indirect=True)
def test_catalog_of_a_newer_version_is_not_touched(catalog_url):
    """A catalog that a later version wrote is refused with what to do."""
    Catalog.open(catalog_url).close()
    engine = sa.create_engine(catalog_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"update schema_version set version = {VERSION + 1}")
    engine.dispose()
    with pytest.raises(StoreError, match=rf"version {VERSION + 1}; .*\n.*newer Understudy"):
        Catalog.open(catalog_url)


def test_ids_have_the_form_of_their_kind():
    """A run's id tells its time; the others have Amazon ML's form."""
    assert re.fullmatch(r"run-\d{8}T\d{6}-[0-9a-f]{6}", new_id("run"))
    assert re.fullmatch(r"ml-[A-Za-z0-9]{11}", new_id("ml"))
    assert len({new_id("ds") for _ in range(1000)}) == 1000


def test_missing_catalog_is_told_and_not_made(tmp_path):
    """Who only reads does not make a catalog, and hears which command does."""
    with pytest.raises(StoreError, match="understudy learn"):
        Catalog.open(f"sqlite:///{tmp_path}/none.db", create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["oracle://host/db", "mysql+pymysql://host/db", "nonsense"])
def test_url_of_no_catalog_is_a_configuration_error(url):
    """A url of another database, or none, is wrong configuration."""
    with pytest.raises(ConfigError, match=r"store\.catalog"):
        Catalog.open(url)


def test_file_that_is_no_catalog_is_one_clear_error(tmp_path):
    """A file of other bytes is refused by name, without a traceback and without being changed."""
    (tmp_path / "catalog.db").write_bytes(b"nothing like a database " * 100)
    with pytest.raises(StoreError, match=r"catalog\.db is no SQLite file"):
        Catalog.open(f"sqlite:///{tmp_path}/catalog.db")
    assert (tmp_path / "catalog.db").read_bytes() == b"nothing like a database " * 100


def test_locked_catalog_is_busy(tmp_path, monkeypatch):
    """A catalog whose write lock another process keeps is told as such; reading goes on."""
    monkeypatch.setattr("understudy.store.tables._BUSY_SECONDS", 0.1)
    url = f"sqlite:///{tmp_path}/catalog.db"
    catalog = Catalog.open(url)
    blocker = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    blocker.execute("begin immediate")
    with pytest.raises(Busy, match="is locked by another process"):
        with_models(catalog, "ml-1")
    assert catalog.find("model") == []
    blocker.close()


def test_password_of_the_catalog_is_never_shown():
    """Errors name the catalog without its password."""
    with pytest.raises(StoreError) as caught:
        Catalog.open("postgresql://someone:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_catalog_on_a_full_disk_is_read_and_refuses_to_write(tmp_path, small_disk, fill, end):
    """With no free space the champion can still be asked for, after a clean end and after a kill; writing fails."""
    catalog = Catalog.open(f"sqlite:///{tmp_path}/catalog.db")
    open_reader = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    if end == "killed":
        open_reader.execute("begin")
        open_reader.execute("select * from endpoints").fetchall()  # keeps the log, as a kill does
    with_models(catalog, "ml-1")
    catalog.record(admitted("ml-1", None))
    left = [file for file in tmp_path.glob("catalog.db*") if not file.name.endswith("-shm")]
    assert len(left) == (1 if end == "closed" else 2)
    for file in left:
        shutil.copy(file, small_disk)
    open_reader.close()
    fill(small_disk)

    catalog = Catalog.open(f"sqlite:///{small_disk}/catalog.db", create=False)
    assert catalog.endpoint("policies").champion == "ml-1"
    with pytest.raises(StoreError):
        catalog.create("run", "run-1", {"text": "x" * 100_000})
    assert catalog.endpoint("policies").champion == "ml-1"
    assert catalog.find("run") == []


def test_catalog_on_a_read_only_disk_is_read(small_disk):
    """A disk that has become read-only still answers who serves."""
    url = f"sqlite:///{small_disk}/catalog.db"
    catalog = Catalog.open(url)
    with_models(catalog, "ml-1")
    catalog.record(admitted("ml-1", None))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    catalog = Catalog.open(url, create=False)
    assert catalog.endpoint("policies").champion == "ml-1"
    with pytest.raises(StoreError):
        with_models(catalog, "ml-2")


def killed_while_promoting(url, seconds):
    """Promote in another process, kill it after `seconds`, and return the last champion that it reported."""
    process = subprocess.Popen([sys.executable, "-c", PROMOTE_FOR_EVER, url], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    reported = (first + process.stdout.read()).split()
    process.wait()
    process.stdout.close()
    return reported[-1]


def test_kill_leaves_a_champion_that_exists(tmp_path):
    """After kills at random moments the catalog opens, nothing reported is lost, and history and champion agree."""
    url = f"sqlite:///{tmp_path}/catalog.db"
    moments = random.Random(11)
    for _ in range(10):
        reported = killed_while_promoting(url, moments.uniform(0, 0.05))
        catalog = Catalog.open(url)
        champion = catalog.endpoint("policies").champion
        history = catalog.promotions("policies")
        assert catalog.get(champion).kind == "model"
        assert history[-1].champion == champion
        assert reported in [entry.model_id for entry in history]
        assert [entry.champion_before for entry in history[1:]] == [entry.champion for entry in history[:-1]]
        catalog.close()


VERSION_1 = """
create table schema_version (version integer not null);
create table entities (sequence {serial}, id text not null unique, kind text not null, project text not null,
  created_at text not null, updated_at text not null, status text not null, document json not null);
create index entities_by_kind on entities (kind, project, sequence);
create table promotions (sequence {serial}, endpoint text not null, at text not null, by text not null, run_id text,
  model_id text not null, status text not null, reasons json not null, champion_before text, champion text,
  document json not null);
create index promotions_by_endpoint on promotions (endpoint, sequence);
create table endpoints (name text primary key, champion text references entities (id), since text, run_id text,
  pinned boolean not null, document json not null);
insert into schema_version values (1);
insert into entities (id, kind, project, created_at, updated_at, status, document) values
  ('ml-1', 'model', 'policies', '2026-01-01', '2026-01-02', 'COMPLETED', '{{"classes": ["é"]}}');
insert into endpoints values ('policies', 'ml-1', '2026-01-02', 'run-1', {true}, '{{}}');
"""


def test_catalog_of_the_first_version_is_brought_up_to_date(catalog_url):
    """An older catalog opens with everything that was in it, and takes what the new version knows."""
    if catalog_url == "sqlite://":
        pytest.skip("a catalog in memory is never older than the program")
    postgresql = catalog_url.startswith("postgresql")
    words = {
        "serial": "serial primary key" if postgresql else "integer primary key",
        "true": "true" if postgresql else 1,
    }
    engine = sa.create_engine(catalog_url)
    with engine.begin() as connection:
        for statement in VERSION_1.format(**words).split(";")[:-1]:
            connection.exec_driver_sql(statement)
    engine.dispose()
    catalog = Catalog.open(catalog_url)
    assert catalog.get("ml-1").document == {"classes": ["é"]}
    state = catalog.endpoint("policies")
    assert (state.champion, state.since, state.pinned) == ("ml-1", "2026-01-02", True)
    catalog.create("data_source", "ml-1", {})
    catalog.create("model", "ml-2", {}, status="COMPLETED")
    catalog.record(admitted("ml-2", "ml-1"))
    assert catalog.endpoint("policies").champion == "ml-2"
    catalog.close()


def test_id_is_unique_within_its_kind_only(catalog):
    """A data source and a model may share an id; each is found by its kind."""
    catalog.create("model", "same", {"what": "model"})
    catalog.create("data_source", "same", {"what": "source"})
    assert catalog.get("same", "data_source").document == {"what": "source"}
    with pytest.raises(StoreError):
        catalog.create("model", "same", {})


def test_created_once_is_created_once(catalog):
    """The second creation of an id gives the first entity back; a deleted one makes way, but not one with a history."""
    first, new = catalog.create_once("model", "ml-1", {"take": 1}, name="first")
    assert new
    assert catalog.create_once("model", "ml-1", {"take": 2}) == (first, False)
    catalog.retag("model", "ml-1", lambda _: {"team": "a"})
    catalog.retire("ml-1")
    again, new = catalog.create_once("model", "ml-1", {"take": 2})
    assert (new, again.document, catalog.tags("model", "ml-1")) == (True, {"take": 2}, {})
    catalog.amend("model", "ml-1", lambda e: msgspec.structs.replace(e, status="COMPLETED"))
    with_models(catalog, "ml-2")
    catalog.record(admitted("ml-1", None))
    catalog.record(admitted("ml-2", "ml-1"))
    assert catalog.retire("ml-1")
    assert catalog.create_once("model", "ml-1", {})[1] is False


def test_amendment_is_whole_or_not_at_all(catalog):
    """What amends sees the present state; when it raises, nothing is changed; what concerns serving is counted."""
    catalog.create("model", "ml-1", {"n": 1})
    before = catalog.serving_revision()

    def fail(_):
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        catalog.amend("model", "ml-1", fail)
    assert catalog.amend("model", "ml-1", lambda _: None).document == {"n": 1}
    assert catalog.serving_revision() == before
    catalog.amend("model", "ml-1", lambda e: msgspec.structs.replace(e, document={"n": 2}), serving=True)
    assert catalog.get("ml-1", "model").document == {"n": 2}
    assert catalog.serving_revision() > before


def test_page_is_ordered_and_filtered_by_one_field(catalog):
    """A page holds what meets all conditions, in the order of the field, byte by byte; deleted ones only on demand."""
    for name, model in (("b", "ml-x"), ("B", "ml-y"), ("a", "ml-x"), ("ä", "ml-x")):
        catalog.create("evaluation", f"ev-{name}", {"model_id": model}, name=name)
    catalog.create("evaluation", "ev-gone", {"model_id": "ml-x"}, status="DELETED", name="gone")

    def names(*conditions, **options):
        return [e.name for e, _ in catalog.page("evaluation", "name", conditions, **options)]

    assert names() == ["B", "a", "b", "ä"]
    assert names(descending=True) == ["ä", "b", "a", "B"]
    assert names(("GE", "a"), ("LT", "b")) == ["a"]
    assert names(("Prefix", "a")) == ["a"]
    assert names(limit=2) == ["B", "a"]
    assert [e.name for e, _ in catalog.page("evaluation", ("model_id",), [("EQ", "ml-x")])] == ["b", "a", "ä"]
    assert [e.name for e, _ in catalog.page("evaluation", "status", [("EQ", "DELETED")])] == ["gone"]


@pytest.mark.parametrize("descending", [False, True])
def test_page_goes_on_after_a_place(catalog, descending):
    """What was deleted or made meanwhile moves no other entity to another page; equal values keep their order."""
    for number in range(6):
        catalog.create("evaluation", f"ev-{number}", {"model_id": f"ml-{number // 3}"})
    whole = [e.id for e, _ in catalog.page("evaluation", ("model_id",), descending=descending)]
    first = catalog.page("evaluation", ("model_id",), descending=descending, limit=2)
    gone = first[0][0].id
    catalog.amend("evaluation", gone, lambda entity: msgspec.structs.replace(entity, status="DELETED"))
    catalog.create("evaluation", "ev-new", {"model_id": "ml-1" if descending else "ml-0"})
    rest = catalog.page("evaluation", ("model_id",), descending=descending, after=first[-1][1])
    assert [e.id for e, _ in rest if e.id != "ev-new"] == whole[2:]


def test_page_takes_a_missing_value_for_another(catalog):
    """An entity without the field is ordered and filtered by what stands for it."""
    catalog.create("model", "ml-a", {"endpoint": {"status": "READY"}})
    catalog.create("model", "ml-b", {"endpoint": None})
    by = ("endpoint", "status")
    found = lambda *conditions: [e.id for e, _ in catalog.page("model", by, conditions, missing="NONE")]  # noqa: E731
    assert found() == ["ml-b", "ml-a"]
    assert (found(("Prefix", "NO")), found(("GT", "NONE"))) == (["ml-b"], ["ml-a"])


def test_catalog_kept_open_serves_many_threads(tmp_path):
    """Connections that stay open see what other processes write, and what several threads write is all there."""
    url = f"sqlite:///{tmp_path}/catalog.db"
    kept, other = Catalog.open(url, keep_open=True), Catalog.open(url)
    threads = [
        threading.Thread(target=lambda n=n: [kept.create("run", f"run-{n}-{i}", {}) for i in range(10)])
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.find("run")) == len(other.find("run")) == 40
    other.create("model", "ml-1", {})
    assert kept.get("ml-1").kind == "model"
    for catalog in (kept, other):
        catalog.close()


def test_connection_made_without_writing_is_not_kept(tmp_path, small_disk, fill):
    """A catalog on a full disk is read, and written as soon as there is space, by the same process."""
    url = f"sqlite:///{small_disk}/catalog.db"
    first = Catalog.open(url)
    with_models(first, "ml-1")
    first.close()
    fill(small_disk)
    kept = Catalog.open(url, keep_open=True)
    assert kept.get("ml-1").kind == "model"
    (small_disk / "filler").unlink()
    with_models(kept, "ml-2")
    assert kept.get("ml-2").kind == "model"
    kept.close()
