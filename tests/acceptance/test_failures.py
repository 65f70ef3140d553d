"""A bad week: whatever is wrong with the rows, there is one clear message, and the champion serves on."""

import sqlite3

import pytest

from acceptance.stage import CALLS, Project, calls, calls_project, failed, write_csv


@pytest.fixture
def before(learned):
    """Give the champion's answer, which no failure may change."""
    return learned.answer(age=61, job="nurse")


def _still_serves(project, before):
    assert project.answer(age=61, job="nurse") == before
    status = project.do("status")
    assert status["endpoint"]["champion"]["model_id"] == before["model_id"]
    return status["last_run"]


def _bad_files():
    rows = calls(300)
    return {
        "no rows": ([], CALLS, "no rows"),
        "a column has vanished": ([row[1:2] + row[2:] for row in rows], CALLS[1:], "'id'"),
        "a feature has vanished": ([row[:1] + row[2:] for row in rows], CALLS[:1] + CALLS[2:], "'age'"),
        "the target has vanished": ([row[:-1] for row in rows], CALLS[:-1], "'answer'"),
        "one label only": ([(*row[:-1], "yes") for row in rows], CALLS, "only 'yes'"),
        "no label at all": ([(*row[:-1], "") for row in rows], CALLS, "answer"),
        "two columns of one name": (rows, ("id", "age", "age", "balance", "note", "answer"), "'age'"),
    }


@pytest.mark.parametrize("what", _bad_files())
def test_bad_rows_fail_with_one_message(learned, before, what):
    """Rows that cannot be learned from: exit code 1 or 2, the reason by name, the champion untouched."""
    rows, names, message = _bad_files()[what]
    write_csv(learned.folder / "calls.csv", rows, names)
    told = learned.run("learn")
    assert message in failed(told, told.code)
    assert told.code in {1, 2}
    last = _still_serves(learned, before)
    assert last["status"] == "FAILED"
    assert message in last["message"]


def test_file_that_is_gone_fails_with_its_name(learned, before):
    """No file: exit code 1, the champion untouched."""
    (learned.folder / "calls.csv").unlink()
    assert "calls.csv" in failed(learned.run("learn"), 1)
    _still_serves(learned, before)


def test_file_that_is_mostly_broken_is_not_believed(learned, before):
    """More than a tenth of the lines cannot be read: the run fails rather than learn the rest."""
    rows = calls(300)
    write_csv(learned.folder / "calls.csv", [(*row, "extra", "cells") if row[0] % 4 == 0 else row for row in rows])
    told = learned.run("learn")
    assert failed(told, 1)
    _still_serves(learned, before)


def test_some_broken_lines_are_counted(learned):
    """A few lines that cannot be read are rejected, counted and shown; the sum adds up."""
    rows = calls(400)
    rows[10] = (*rows[10], "extra")
    rows[20] = (*rows[20][:-1], "")
    write_csv(learned.folder / "calls.csv", rows)
    document = learned.do("learn")
    counted = document["rows"]
    assert (counted["extracted"], counted["rejected"]) == (400, 2)
    assert counted["training"] + counted["evaluation"] == 398
    assert document["rejected_samples"][0]["line"] == 12
    told = learned.run("learn")
    said = " ".join(told.out.split())
    assert "note: 1 line could not be read, the first: calls.csv line 12: 7 fields where 6 are expected" in said
    assert told.err.split()[:3] == ["extract", "400", "rows"]


@pytest.fixture
def database(tmp_path):
    """Give a project that has learned from `select *` of an SQLite table."""
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute(f"create table calls ({', '.join(CALLS)})")
        connection.executemany("insert into calls values (?, ?, ?, ?, ?, ?)", calls(400))
    connection.close()
    project = Project(tmp_path).write(
        'name = "calls"\n[extract]\nurl = "sqlite:///app.db"\nquery = "select * from calls order by id"\n'
        '[data]\ntarget = "answer"\nrow_id = "id"\n'
    )
    project.do("learn")
    return project


def _execute(project, statement):
    with sqlite3.connect(project.folder / "app.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("alter table calls drop column age", "'age'"),
        ("alter table calls drop column answer", "'answer'"),
        ("alter table calls rename to gone", "calls"),
        ("delete from calls", "no rows"),
        ("update calls set answer = null", "answer"),
        ("update calls set answer = 'yes'", "only 'yes'"),
    ],
)
def test_broken_database_fails_with_one_message(database, statement, message):
    """A dropped column, a lost table, no rows, no labels: the champion answers as before."""
    before = database.answer(age=61, job="nurse")
    _execute(database, statement)
    told = database.run("learn")
    assert message in failed(told, told.code)
    assert told.code in {1, 2}
    _still_serves(database, before)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:pa55word@127.0.0.1:1/none", "127.0.0.1:1"),
        ("mysql://me:pa55word@127.0.0.1:1/none", "127.0.0.1:1"),
        ("sqlite:///none.db", "none.db"),
    ],
)
def test_unreachable_database_is_named_without_its_password(database, url, message):
    """A database that does not answer: exit code 1, no secret in any line, the champion untouched."""
    before = database.answer(age=61, job="nurse")
    file = database.folder / "understudy.toml"
    file.write_text(file.read_text().replace("sqlite:///app.db", url))
    told = database.run("learn")
    assert message in failed(told, 1)
    assert "pa55word" not in told.err
    _still_serves(database, before)


def test_wrong_sql_is_shown_with_the_databases_words(database):
    """A query that the database refuses: exit code 1."""
    file = database.folder / "understudy.toml"
    before = database.answer(age=61, job="nurse")
    file.write_text(file.read_text().replace("select *", "selec *"))
    assert "selec" in failed(database.run("learn"), 1)
    _still_serves(database, before)


def test_target_that_never_was_names_the_nearest(tmp_path):
    """A wrong target in the project file is wrong configuration, with the attribute that was meant."""
    project = calls_project(tmp_path)
    file = tmp_path / "understudy.toml"
    file.write_text(file.read_text().replace('"answer"', '"anwser"'))
    told = project.run("learn")
    assert "anwser" in failed(told, 2)
    assert "'answer'" in told.err
    assert project.champion is None


def test_first_run_that_fails_leaves_nothing_to_serve(tmp_path):
    """Without a champion a failure leaves none, and the next good run makes the first."""
    project = calls_project(tmp_path)
    good = (tmp_path / "calls.csv").read_text()
    write_csv(tmp_path / "calls.csv", [(*row[:-1], "yes") for row in calls(300)])
    failed(project.run("learn"), 1)
    assert project.champion is None
    assert project.objects == []
    (tmp_path / "calls.csv").write_text(good)
    assert project.do("learn")["verdict"]["champion_before"] is None
