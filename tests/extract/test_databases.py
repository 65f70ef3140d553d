"""Databases stream one consistent snapshot, and the same rows are the same rows whatever they come out of."""

import csv
import gzip
import os
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest

from understudy.errors import ExtractError
from understudy.extract import read_database, read_files
from understudy.values import CODED, read_numbers, read_texts, row_keys

BANKING = Path(__file__).parents[2].parent / "shared" / "data" / "banking" / "banking.csv.gz"
POSTGRESQL = "postgresql://postgres@127.0.0.1/test"
MYSQL = "mysql://root@127.0.0.1/test"

_INSERT = "insert into {t} values " + ", ".join(f"({n})" for n in range(5_000))


def _absent(name, error):
    if os.environ.get("UNDERSTUDY_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{name} must run: {error}")
    pytest.skip(f"{name} is not running here: {error}")


class Server:
    """A database server with a table name of this test's own."""

    def __init__(self, url, connection):
        self.url, self.connection, self.table = url, connection, f"t_{uuid4().hex}"

    def execute(self, *arguments):
        """Run statements one by one."""
        cursor = self.connection.cursor()
        for statement in arguments:
            cursor.execute(statement.format(t=self.table))

    def fill(self, columns, rows):
        """Make the table and write rows."""
        self.execute(f"create table {{t}} ({columns})")
        marks = ", ".join(["%s"] * len(rows[0]))
        self.connection.cursor().executemany(f"insert into {self.table} values ({marks})", rows)

    def read(self, query, **url):
        """Read by a query that says {t} for the table."""
        return read_database(self.url, query.format(t=self.table), Path())


@pytest.fixture
def postgresql():
    try:
        connection = psycopg.connect(POSTGRESQL, connect_timeout=3, autocommit=True)
    except psycopg.OperationalError as error:
        _absent("PostgreSQL", error)
    connection.execute("set lock_timeout = '5s'")
    server = Server(POSTGRESQL, connection)
    yield server
    server.execute("drop table if exists {t}")
    connection.close()


@pytest.fixture
def mariadb():
    try:
        connection = pymysql.connect(host="127.0.0.1", user="root", database="test", autocommit=True, connect_timeout=3)
        connection.cursor().execute("set lock_wait_timeout = 5")
    except (pymysql.Error, RuntimeError) as error:
        _absent("MariaDB", error)
    server = Server(MYSQL, connection)
    yield server
    server.execute("drop table if exists {t}")
    connection.close()


class SQLite:
    """A SQLite file with the face of a server."""

    def __init__(self, folder):
        self.folder, self.url = folder, "sqlite:///app.db"
        self.connection = sqlite3.connect(folder / "app.db", isolation_level=None, check_same_thread=False)

    def fill(self, columns, rows):
        """Make the table and write rows, all at once."""
        self.connection.execute(f"create table t ({columns})")
        self.connection.execute("begin")
        self.connection.executemany(f"insert into t values ({', '.join('?' * len(rows[0]))})", rows)
        self.connection.execute("commit")

    def read(self, query):
        """Read by a query that says {t} for the table."""
        return read_database(self.url, query.format(t="t"), self.folder)


@pytest.fixture
def sqlite(tmp_path):
    database = SQLite(tmp_path)
    yield database
    database.connection.close()


def _table(extraction):
    with extraction:
        return pa.Table.from_batches(list(extraction), extraction.schema)


@pytest.fixture(scope="module")
def banking():
    """Give the first 2,000 rows of a real data set: names, kinds, rows as Python values, and as text."""
    if not BANKING.exists():
        pytest.skip("the data set banking is not here")
    with gzip.open(BANKING, "rt") as file:
        names, *texts = [row for row, _ in zip(csv.reader(file), range(2_001), strict=False)]
    kinds = [_python_kind([row[i] for row in texts]) for i in range(len(names))]
    return names, kinds, [tuple(kind(cell) for kind, cell in zip(kinds, row, strict=True)) for row in texts], texts


def _python_kind(cells):
    for kind in (int, float):
        try:
            list(map(kind, cells))
        except ValueError:
            continue
        return kind
    return str


def test_same_rows_are_the_same_out_of_every_source(banking, sqlite, postgresql, mariadb, tmp_path):
    """Out of SQLite, PostgreSQL, MariaDB, CSV and Parquet come the same keys, numbers and texts."""
    names, kinds, rows, texts = banking
    sql = {int: "bigint", float: "double precision", str: "varchar(40)"}
    columns = ", ".join(f"{name}_ {sql[kind]}" for name, kind in zip(names, kinds, strict=True))
    numbered = [(place, *row) for place, row in enumerate(rows)]
    for server in (sqlite, postgresql, mariadb):
        server.fill(f"n_ int, {columns}", numbered)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([[f"{name}_" for name in names], *texts])
    columns = {f"{name}_": [row[i] for row in rows] for i, name in enumerate(names)}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    query = f"select {', '.join(columns)} from {{t}} order by n_"
    tables = [_table(server.read(query)) for server in (sqlite, postgresql, mariadb)]
    tables += [_table(read_files(name, tmp_path)) for name in ("a.csv", "a.parquet")]
    batches = [table.combine_chunks().to_batches()[0] for table in tables]
    first = batches[0]
    assert first.num_rows == 2_000
    for batch in batches[1:]:
        np.testing.assert_array_equal(row_keys(batch, list(columns)), row_keys(first, list(columns)))
        for name in columns:
            assert read_texts(batch.column(name)).equals(read_texts(first.column(name)))
            expected = read_numbers(first.column(name))
            found = read_numbers(batch.column(name))
            np.testing.assert_array_equal(found.values, expected.values)
            assert (found.missing, found.invalid) == (expected.missing, expected.invalid)
    assert len(np.unique(row_keys(first, list(columns)))) > 1_900


def test_postgresql_types_get_their_canonical_form(postgresql):
    """Numbers, dates, zones, identifiers, bytes, arrays and JSON come out in the documented form."""
    row = _table(
        postgresql.read(
            "select 1::int2 a, 0.1::float4 b, 12.50::numeric c, true d, ' x'::char(4) e, date '2020-01-01' f,"
            " timestamptz '2020-01-01 00:00+02' g, time '10:00' h, '6d4e6bb2-0000-0000-0000-000000000000'::uuid i,"
            " '{{\"a\": 1}}'::jsonb j, array[1,2] k, null l, 'NaN'::float8 m, ''::text n order by 1"
        )
    ).to_pylist()[0]
    assert list(row.values()) == [
        1, 0.1, "12.5", True, "x", "2020-01-01", "2019-12-31 22:00:00", "10:00:00",
        "6d4e6bb2-0000-0000-0000-000000000000", '{"a": 1}', "[1,2]", None, None, None,
    ]  # fmt: skip


def test_mariadb_types_get_their_canonical_form(mariadb):
    """The same for MariaDB: what the server writes as text is canonical already, or becomes so."""
    mariadb.fill(
        "a tinyint, b float, c decimal(10,2), d datetime(3), e date, f time, g varchar(9), h blob, i bit(1), j year,"
        " k double, l timestamp null",
        [(1, 0.1, "12.50", "2020-01-01 10:00:00.500", "2020-01-01", "10:00:00", " ü ", b"\xff", 1, 2020, 1e-7, None)],
    )
    row = _table(mariadb.read("select * from {t} order by 1")).to_pylist()[0]
    assert list(row.values()) == [
        1, 0.1, "12.5", "2020-01-01 10:00:00.500000", "2020-01-01", "10:00:00", "ü", "ff", 1, 2020, 1e-7, None,
    ]  # fmt: skip


def test_sqlite_columns_are_typed_by_all_their_rows(sqlite):
    """A surprising value in the last row decides as much as the first: a column's type hangs on no batch."""
    rows = [(1, 1, 1, None, "x")] * 70_000 + [(2, 0.5, "x", None, b"\xff")]
    sqlite.fill("a, b, c, d, e", rows)
    table = _table(sqlite.read("select * from {t} order by rowid -- all of them\n;"))
    assert table.schema.types == [pa.int64(), pa.float64(), CODED, CODED, CODED]
    assert list(table.slice(69_999).to_pylist()[0].values()) == [1, 1.0, "1", None, "x"]
    assert list(table.slice(70_000).to_pylist()[0].values()) == [2, 0.5, "x", None, "ff"]


def _grow_while_reading(server, insert):
    extraction = server.read("select a from {t} order by a")
    batches = iter(extraction)
    first = next(batches)
    writer = threading.Thread(target=insert)
    writer.start()
    writer.join(20)
    with extraction:
        return first.num_rows + sum(batch.num_rows for batch in batches)


def test_rows_written_meanwhile_are_not_seen(sqlite, postgresql, mariadb):
    """An extraction reads one snapshot: rows that are written while it runs belong to the next."""
    sqlite.connection.execute("pragma journal_mode = wal")
    sqlite.fill("a", [(n,) for n in range(5_000)])
    assert _grow_while_reading(sqlite, lambda: sqlite.connection.execute("insert into t values (-1), (9999)")) == 5_000
    for server in (postgresql, mariadb):
        server.execute("create table {t} (a int)", _INSERT)
        insert = lambda server=server: server.execute("insert into {t} values (-1), (9999)")  # noqa: E731
        assert _grow_while_reading(server, insert) == 5_000


def test_extraction_may_be_left_early(sqlite, postgresql, mariadb):
    """Leaving after the first batch closes the connection without reading the rest."""
    sqlite.fill("a", [(n,) for n in range(5_000)])
    with sqlite.read("select a from {t} order by a") as extraction:
        assert next(iter(extraction)).num_rows == 1_000
    for server in (postgresql, mariadb):
        server.execute("create table {t} (a int)", _INSERT)
        with server.read("select a from {t} order by a") as extraction:
            assert next(iter(extraction)).num_rows > 0


QUERIES = [
    ("selec 1", "could not answer the query"),
    ("select nothing from nowhere", "could not answer the query"),
    ("select 1 as a, 2 as a", "more than one column named 'a'"),
    ("select 1 as a where 1 = 0", "gave no rows"),
]


@pytest.mark.parametrize(("query", "message"), QUERIES)
@pytest.mark.parametrize("server", ["sqlite", "postgresql", "mariadb"])
def test_query_without_rows_is_one_clear_message(request, server, query, message):
    """Wrong SQL, double names and no rows are ExtractErrors, whatever the database."""
    database = request.getfixturevalue(server)
    if server == "mariadb":
        query = query.replace("where", "from dual where")
    with pytest.raises(ExtractError, match=message) as caught, database.read(query) as extraction:
        list(extraction)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://me:pa55word@127.0.0.1:1/test", "cannot connect to postgresql://me@127.0.0.1:1/test"),
        ("mysql://me:pa55word@127.0.0.1:1/test", "cannot connect to mysql://me@127.0.0.1:1/test"),
        ("mysql+pymysql://me:pa55word@127.0.0.1:1/test?password=pa55word", "unknown parameter 'password'"),
        ("sqlite:///nowhere.db", "there is no SQLite file"),
        ("oracle://me:pa55word@host/test", "names 'oracle'"),
        ("pa55word", "cannot be read as a database's URL"),
    ],
)
def test_unreachable_database_is_named_without_its_password(tmp_path, url, message):
    """The message says which database could not be had; the password is nowhere in it."""
    with pytest.raises(ExtractError, match=message) as caught:
        read_database(url, "select 1", tmp_path)
    assert "pa55word" not in str(caught.value)


def test_file_that_is_no_database_is_refused(tmp_path):
    """A file with other content at SQLite's path is one clear message."""
    (tmp_path / "app.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(ExtractError, match="file is not a database"):
        read_database("sqlite:///app.db", "select * from t", tmp_path)


def test_query_without_order_is_warned_about(sqlite):
    """Without `order by` the same rows may come in another order, and make another model."""
    assert not sqlite.read("select 1 as a ORDER\n BY 1").warnings
    assert "order by" in sqlite.read("select 1 as a").warnings[0]


def test_reading_cannot_write(sqlite, postgresql, mariadb):
    """A query that would change the database is refused."""
    sqlite.connection.execute("create table t (a)")
    with pytest.raises(ExtractError):
        sqlite.read("insert into {t} values (1) returning a")
    for server in (postgresql, mariadb):
        server.execute("create table {t} (a int)")
        with pytest.raises(ExtractError):
            server.read("insert into {t} values (1) returning a")
    assert sqlite.connection.execute("select count(*) from t").fetchone() == (0,)


def test_database_error_is_its_own_words(postgresql):
    """Neither a driver's words before the message nor the mark below the query make it into the one line."""
    with pytest.raises(ExtractError, match=r'the query: relation "nowhere" does not exist\n') as caught:
        postgresql.read("select nothing from nowhere").close()
    assert "^" not in caught.value.message


def test_parameters_of_a_mysql_address_are_honoured(tmp_path, mariadb):
    """A certificate that is not there stops the connection, and TLS switched off does not."""
    with read_database(MYSQL + "?ssl_disabled=true&connect_timeout=5", "select 1 as a", tmp_path) as extraction:
        assert [row for batch in extraction for row in batch.to_pylist()] == [{"a": 1}]
    with pytest.raises(ExtractError, match="cannot connect"):
        read_database(MYSQL + "?ssl_ca=nowhere.pem", "select 1 as a", tmp_path)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("ssl_cq=x", "unknown parameter 'ssl_cq'"),
        ("ssl_disabled=maybe", "expected true or false"),
        ("connect_timeout=soon", "expected a whole number of seconds"),
    ],
)
def test_wrong_parameter_of_a_mysql_address_is_told(tmp_path, parameter, message):
    """A parameter that would be passed over silently is an error before anything is reached."""
    with pytest.raises(ExtractError, match=message):
        read_database(f"mysql://me@127.0.0.1:1/test?{parameter}", "select 1", tmp_path)


@pytest.mark.parametrize("password", ["two xyzzy", "p%40ss+xyzzy", "pä xyzzy/&"])
def test_no_spelling_of_a_password_reaches_a_message(password):
    """However a password is spelled in an address, a server that cannot be reached or refuses it prints none of it."""
    for url in ("postgresql://u:{}@127.0.0.1:1/none", "mysql://u:{}@127.0.0.1:1/none"):
        with pytest.raises(ExtractError) as refused:
            read_database(url.format(quote(password, safe="")), "select 1", Path())
        told = str(refused.value)
        assert not any(spelling in told for spelling in (password, quote(password), quote(password, safe=""), "xyzzy"))
