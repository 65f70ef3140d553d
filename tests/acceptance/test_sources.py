"""Same rows, same model: whatever the rows come out of, and on however many threads."""

import csv
import json
import os
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.stage import Project, banking, calls_project, done, ended
from understudy.learner import learner

ROWS = 2_000
KINDS = {int: "bigint", float: "double precision", str: "varchar(40)"}


def _kind(cells):
    for kind in (int, float):
        try:
            list(map(kind, filter(None, cells)))
        except ValueError:
            continue
        return kind
    return str


@pytest.fixture(scope="module")
def calls_of_a_bank():
    """Names, kinds and rows of real calls: whole numbers, fractions, text, and NULL where the bank did not know."""
    names, texts = banking(ROWS)
    texts = [[None if cell == "unknown" else cell for cell in row] for row in texts]
    kinds = [_kind([row[i] for row in texts]) for i in range(len(names))]
    rows = [tuple(None if cell is None else kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in texts]
    assert set(kinds) == {int, float, str}
    assert any(None in row for row in rows)
    return names, kinds, rows, texts


def _fill_files(folder, names, rows, texts):
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *texts])
    pq.write_table(
        pa.table({n: list(c) for n, c in zip(names, zip(*rows, strict=True), strict=True)}), folder / "rows.parquet"
    )
    lines = [json.dumps({n: c for n, c in zip(names, row, strict=True) if c is not None}) for row in rows]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")


def _fill_sqlite(folder, names, rows):
    with sqlite3.connect(folder / "app.db") as connection:
        connection.execute(f"create table calls (place, {', '.join(map(_quoted, names))})")
        numbered = [(place, *row) for place, row in enumerate(rows)]
        connection.executemany(f"insert into calls values ({', '.join('?' * (len(names) + 1))})", numbered)
    connection.close()


def _fill_server(server, names, kinds, rows):
    columns = ", ".join(f"{_quoted(n, _mark(server))} {KINDS[kind]}" for n, kind in zip(names, kinds, strict=True))
    server.fill(f"place int, {columns}", [(place, *row) for place, row in enumerate(rows)])


def _quoted(name, mark='"'):
    return f"{mark}{name}{mark}"


def _mark(server):
    return "`" if server.url.startswith("mysql") else '"'


def _query(server, names):
    columns = ", ".join(_quoted(name, _mark(server)) for name in names)
    return f"url = '{server.url}'\nquery = '''select {columns} from {server.table} order by place'''"


def test_same_rows_make_the_same_model_out_of_every_source(tmp_path, calls_of_a_bank, postgresql, mariadb):
    """SQLite, PostgreSQL, MariaDB, CSV, Parquet and JSON lines: six sources, one digest of rows, one fingerprint."""
    names, kinds, rows, texts = calls_of_a_bank
    _fill_files(tmp_path, names, rows, texts)
    _fill_sqlite(tmp_path, names, rows)
    select = f"select {', '.join(map(_quoted, names))}"
    extracts = {name: f'files = "../rows.{name}"' for name in ("csv", "parquet", "jsonl")}
    extracts["sqlite"] = f"url = 'sqlite:///../app.db'\nquery = '{select} from calls order by place'"
    for name, server in (("postgresql", postgresql), ("mariadb", mariadb)):
        _fill_server(server, names, kinds, rows)
        extracts[name] = _query(server, names)
    learned = {}
    for name, extract in extracts.items():
        project = Project(tmp_path / name).write(f'name = "bank"\n[extract]\n{extract}\n[data]\ntarget = "y"\n')
        document = project.do("learn", "--dry-run")
        digest = project.do("show", document["training_data_source_id"])["digest"]
        learned[name] = (digest, document["fingerprint"], document["rows"], document["metrics"])
    assert learned["csv"][2]["extracted"] == ROWS
    assert all(found == learned["csv"] for found in learned.values()), {k: v[:2] for k, v in learned.items()}


@pytest.fixture
def fingerprint_of_calls(learned_once):
    """Give the fingerprint that the rows of the learned project must always give."""
    return learned_once[1]["fingerprint"]


def test_again_is_the_same(tmp_path, fingerprint_of_calls):
    """The same rows and project in another folder give the same fingerprint."""
    assert calls_project(tmp_path).do("learn")["fingerprint"] == fingerprint_of_calls


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_number_of_threads_changes_nothing(tmp_path, monkeypatch, fingerprint_of_calls, threads):
    """One, two or five threads of the learner make one model."""
    monkeypatch.setattr(learner.os, "cpu_count", lambda: threads)
    assert calls_project(tmp_path).do("learn")["fingerprint"] == fingerprint_of_calls


def test_number_of_cores_changes_nothing(tmp_path, fingerprint_of_calls):
    """A process that may use one core only makes the same model."""
    core = min(os.sched_getaffinity(0))
    process = calls_project(tmp_path).spawn("learn", "--json", preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    assert done(ended(process))["fingerprint"] == fingerprint_of_calls


def test_other_rows_are_another_model(tmp_path, fingerprint_of_calls):
    """A fingerprint that never changed would prove nothing: other rows give another."""
    assert calls_project(tmp_path, seed=2).do("learn")["fingerprint"] != fingerprint_of_calls


def test_two_ids_share_a_fingerprint(learned):
    """A run of the same rows makes a model of its own id, and the same fingerprint."""
    before = learned.do("status")["endpoint"]["champion"]
    again = learned.do("learn")
    assert again["fingerprint"] == before["fingerprint"]
    assert again["model_id"] != before["model_id"]


def test_batches_end_where_they_will(tmp_path, monkeypatch, fingerprint_of_calls):
    """Rows cut into files anyhow make the model of one file."""
    project = calls_project(tmp_path)
    header, *lines = (tmp_path / "calls.csv").read_text().splitlines()
    (tmp_path / "calls.csv").unlink()
    for place, part in enumerate(np.array_split(np.array(lines), 7)):
        (tmp_path / f"calls-{place}.csv").write_text("\n".join([header, *part]) + "\n")
    file = tmp_path / "understudy.toml"
    file.write_text(file.read_text().replace('"calls.csv"', '"calls-*.csv"'))
    assert project.do("learn")["fingerprint"] == fingerprint_of_calls
