"""Commands, joins, and the project file's own words for sources."""

import pytest

from understudy.config import Extract
from understudy.errors import ConfigError, ExtractError
from understudy.extract import open_source, open_sources


def _rows(extraction):
    with extraction:
        return [tuple(row.values()) for batch in extraction for row in batch.to_pylist()]


def _write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text)


def test_command_gives_its_output(tmp_path):
    """A command runs in the project's folder, and its standard output is read as CSV."""
    _write(tmp_path, a="id\n1\n2\n")
    assert _rows(open_source(Extract(command="cat a.csv | sed s,2,3,"), tmp_path)) == [("1",), ("3",)]
    assert _rows(open_source(Extract(command="cat a.csv"), tmp_path)) == [("1",), ("2",)]


@pytest.mark.parametrize("command", ["echo nope >&2; exit 3", "echo id; echo 1; echo nope >&2; exit 3"])
def test_failing_command_is_an_error_even_after_its_rows(tmp_path, command):
    """A command that ends badly gave perhaps half of its rows: its last words and its exit code are the message."""
    with pytest.raises(ExtractError, match="ended with 3: nope"):
        _rows(open_source(Extract(command=command), tmp_path))


def test_command_left_early_is_ended(tmp_path):
    """Closing an extraction ends a command that would write for ever."""
    with open_source(Extract(command="echo id; yes"), tmp_path) as extraction:
        assert next(iter(extraction)).num_rows > 0


def test_sources_are_joined_by_id(tmp_path):
    """Every row of the first source stands once, with the others' cells beside it, or nulls."""
    _write(tmp_path, people="id,name\n1,Ann\n2,Bob\n3.0,Cid\n,Dan\n", visits="visits,id\n7,3\n9,1.0\n,8\n5,\n")
    specs = [Extract(name="people", files="people.csv", join="id"), Extract(name="visits", files="visits.csv")]
    extraction = open_sources(specs, tmp_path)
    assert extraction.columns == ["id", "name", "visits"]
    assert _rows(extraction) == [("1", "Ann", "9"), ("2", "Bob", None), ("3", "Cid", "7"), (None, "Dan", None)]
    assert extraction.warnings == [
        "1 rows of the source 'visits' have no 'id' and were left out",
        "2 of 4 rows have no partner in the source 'visits'",
    ]
    assert extraction.sources == ["people.csv", "visits.csv"]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("id,v\n1,2\n1,3\n", "more than one row with id '1'"),
        ("key,v\n1,2\n", "'b' has no column 'id'"),
        ("id,name\n1,2\n", "both have a column 'name'"),
    ],
)
def test_sources_that_do_not_fit_are_refused(tmp_path, other, message):
    """An id twice, no id at all, or one name for two columns is an error that names source and column."""
    _write(tmp_path, a="id,name\n1,Ann\n", b=other)
    with pytest.raises(ExtractError, match=message):
        open_sources([Extract(name="a", files="a.csv", join="id"), Extract(name="b", files="b.csv")], tmp_path)


def test_several_sources_need_a_column_to_join_on(tmp_path):
    """Two sources without `join` are a mistake in the project file."""
    with pytest.raises(ConfigError, match="2 sources and 0 join columns"):
        open_sources([Extract(files="a.csv"), Extract(files="b.csv")], tmp_path)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("DBPW=s3cret ./dump.sh", "`./dump.sh`"),
        ("A=1 DBPW='s3cret with blanks' ./dump.sh --key=s3cret", "`./dump.sh`"),
        ('DBPW="s3cret" ./dump.sh; exit 3', "`./dump.sh`"),
        ("$(s3cret)", "`extract.command`"),
    ],
)
def test_secrets_of_a_command_stay_out_of_sources_and_messages(tmp_path, command, shown):
    """Only the program's name is shown: assignments and arguments may hold expanded variables."""
    (tmp_path / "dump.sh").write_text("#!/bin/sh\necho id; echo 1; exit 3\n")
    (tmp_path / "dump.sh").chmod(0o700)
    with pytest.raises(ExtractError) as caught:
        _rows(extraction := open_source(Extract(command=command), tmp_path))
    assert shown in str(caught.value)
    if "dump" in shown:
        assert extraction.sources == [shown]
        assert "s3cret" not in str(caught.value)
