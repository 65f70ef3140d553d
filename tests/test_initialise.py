"""The project file that `understudy init` writes: readable, loadable, correctable, never overwritten."""

from __future__ import annotations

import errno
import sqlite3
import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy import config
from understudy.cli.beginning import begin
from understudy.errors import ConfigError, ExtractError, StoreError, UsageError
from understudy.inference import Guess, Inference, infer
from understudy.initialise import Source, find_source, fitting_name, project_text, write_project
from understudy.schema import Attribute, AttributeType, Schema


@pytest.fixture
def sample() -> pa.Table:
    return pa.table(
        {
            "id": [str(i) for i in range(60)],
            "colour of car": ["red", "green", "blue"] * 20,
            "speed": ["1", "2", "3", "4", "x"] + [str(i) for i in range(55)],
            "nothing": pa.array([None] * 60, pa.string()),
            "class": ["1", "2", "3"] * 20,
        }
    )


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "app.db"
    with sqlite3.connect(file) as connection:
        connection.execute('create table "insurance numbers" (id integer, policy text)')
    connection.close()
    return file


def test_written_file_loads_and_says_what_was_guessed(tmp_path: Path, sample: pa.Table):
    """The project file is valid, holds the guesses that matter, and lists the others as comments to uncomment."""
    inference = infer(sample, target="class")
    text = write_project(tmp_path / "My Cars", source=Source(files="cars.csv"), inference=inference)
    project = config.load(tmp_path / "My Cars")
    assert project.name == "my-cars"
    assert project.extract[0].files == "cars.csv"
    assert (project.data.target, project.data.row_id, project.data.exclude) == ("class", "id", ("nothing",))
    assert project.data.types == {"speed": AttributeType.NUMERIC}
    assert project.train.type == "MULTICLASS"
    assert '# "colour of car" = "CATEGORICAL"  # 3 distinct values' in text


def test_doubtful_guesses_stand_first(tmp_path: Path, sample: pa.Table):
    """What a user should look at comes before what is plain."""
    text = write_project(tmp_path, inference=infer(sample, target="class"))
    assert text.index("speed =") < text.index('"colour of car" =')


def test_guess_is_corrected_by_removing_a_sign(tmp_path: Path, sample: pa.Table):
    """A commented guess becomes a correction when its # is removed."""
    text = write_project(tmp_path, inference=infer(sample, target="class"))
    file = tmp_path / config.FILE_NAME
    file.write_text(text.replace('# "colour of car" = "CATEGORICAL"', '"colour of car" = "TEXT"'))
    assert config.load(tmp_path).data.types["colour of car"] is AttributeType.TEXT


def test_existing_project_file_is_never_overwritten(tmp_path: Path):
    """A second `init` is refused and leaves every byte as it was."""
    write_project(tmp_path, name="first")
    before = (tmp_path / config.FILE_NAME).read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        write_project(tmp_path, name="second")
    assert (tmp_path / config.FILE_NAME).read_bytes() == before


def test_folder_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder without a right to write is no mistake of ours, and a file is no folder."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file is no folder"):
        write_project(tmp_path / "file")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(StoreError, match=r"understudy.toml cannot be written: Permission denied"):
        write_project(tmp_path / "new")


def test_template_without_a_source_loads(tmp_path: Path):
    """Without data to look at, what is written is a valid example to fill in."""
    write_project(tmp_path, name="policies")
    assert config.load(tmp_path).data.target == "label"


def test_gitignore_is_written_only_where_there_is_none(tmp_path: Path):
    """What Understudy keeps stays out of the repository; a project's own .gitignore is left alone."""
    write_project(tmp_path / "a")
    assert (tmp_path / "a" / ".gitignore").read_text() == ".understudy/\n"
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".gitignore").write_text("*.pyc\n")
    write_project(tmp_path / "b")
    assert (tmp_path / "b" / ".gitignore").read_text() == "*.pyc\n"


@pytest.mark.parametrize(
    ("file", "expected"), [("project/rows.csv", "rows.csv"), ("data/rows.csv", "../data/rows.csv")]
)
def test_file_in_or_beside_the_project_is_named_relative_to_it(tmp_path: Path, file: str, expected: str):
    """A project that moves together with its data keeps working."""
    path = tmp_path / file
    path.parent.mkdir()
    path.write_text("a\n1\n")
    assert find_source(str(path), tmp_path / "project") == Source(files=expected)


def test_file_elsewhere_is_named_absolutely(tmp_path: Path):
    """Data that live far from the project are found from wherever it is."""
    path = tmp_path / "far" / "rows.csv"
    path.parent.mkdir()
    path.write_text("a\n1\n")
    assert find_source(str(path), tmp_path / "one" / "two" / "project") == Source(files=path.as_posix())


def test_database_with_one_table_becomes_its_query(tmp_path: Path, database: Path):
    """One table needs no naming; its name is quoted where SQL wants that."""
    source = find_source(f"sqlite:///{database}", tmp_path)
    assert source == Source(url="sqlite:///app.db", query='select * from "insurance numbers"')


def test_database_with_several_tables_lists_them(tmp_path: Path, database: Path):
    """With several tables the user is asked for one, and is shown how to name it."""
    with sqlite3.connect(database) as connection:
        connection.execute("create table people (id integer)")
    connection.close()
    with pytest.raises(ConfigError, match="2 tables") as caught:
        find_source(f"sqlite:///{database}", tmp_path)
    assert "insurance numbers, people" in caught.value.hint
    assert find_source(f"sqlite:///{database}#people", tmp_path).query == "select * from people"


@pytest.mark.parametrize("source", ["rows.csv", "sqlite:///none.db", "nosuch://host/db"])
def test_missing_source_is_an_error_of_usage(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch):
    """A file or database that does not exist is said to be missing, and no empty one is created."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError):
        find_source(source, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_file_that_is_no_database_is_said_to_be_unreadable(tmp_path: Path):
    """A file that SQLite cannot read fails as an extraction does, without a traceback."""
    (tmp_path / "broken.db").write_text("this is no database, only a long enough line of text " * 40)
    with pytest.raises(ExtractError, match="not a database"):
        find_source(f"sqlite:///{tmp_path / 'broken.db'}", tmp_path)


@pytest.mark.parametrize("url", ["postgresql://me:secret@host/db", "postgresql://me@host/db?password=secret"])
def test_password_never_reaches_the_file(url: str):
    """A variable stands in the password's place, and a comment says which one to set."""
    text = project_text("a", Source(url=url, query="select 1"))
    assert "${DB_PASSWORD}" in text
    assert "# Set DB_PASSWORD in the environment" in text
    assert "secret" not in text
    assert "DB_PASSWORD" not in project_text("a", Source(url="postgresql://host/db", query="select 1"))


def test_regression_gets_a_margin_in_the_unit_of_its_target():
    """One hundredth means nothing for house prices; a hundredth of their standard deviation does."""
    prices = [str(100_000 + 1_000 * i) for i in range(101)]
    text = project_text(
        "a", inference=infer(pa.table({"rooms": [str(i % 7) for i in range(101)], "price": prices}), target="price")
    )
    assert tomllib.loads(text)["promotion"] == {"margin": 290}
    assert "in the target's unit" in text


def test_encoding_is_written_where_it_is_not_the_usual_one():
    """`init --encoding` says it once, and `learn` reads by it."""
    assert tomllib.loads(project_text("a", Source(files="a.csv", encoding="cp1252")))["extract"]["encoding"] == "cp1252"
    assert "encoding" not in project_text("a", Source(files="a.csv"))


def test_file_in_another_encoding_begins_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that Excel wrote on Windows is read and guessed by the encoding that was named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes("größe,y\n".encode("cp1252") + b"1,0\n2,1\n3,0\n" * 30)
    document, inference, _ = begin(tmp_path / "p", "a.csv", "y", "cp1252", print)
    assert inference is not None
    assert [guess["name"] for guess in document["guesses"]] == ["größe", "y"]
    assert config.load(tmp_path / "p").extract[0].encoding == "cp1252"


def test_table_that_is_not_there_is_answered_by_those_that_are(tmp_path: Path, database: Path):
    """Where no name is near, all tables are named, and once."""
    with pytest.raises(ConfigError, match="no table 'nope'") as caught:
        find_source(f"sqlite:///{database}#nope", tmp_path)
    assert caught.value.hint.count("insurance numbers") == 1 + ("#insurance numbers" in caught.value.hint)


def test_name_that_is_nearly_right_is_told(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch):
    """A target or a table with a slip of the pen is answered by the name that was meant."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("age,survived\n" + "1,0\n2,1\n" * 30)
    with pytest.raises(ConfigError, match=r"no column 'survivd'\nDid you mean 'survived'\?"):
        begin(tmp_path / "p", "a.csv", "survivd", "utf-8", print)
    with pytest.raises(ConfigError, match="Did you mean 'insurance numbers'"):
        find_source(f"sqlite:///{database}#insurance number", tmp_path)


def test_folder_with_blanks_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The command that comes next can be pasted into a shell as it stands."""
    monkeypatch.chdir(tmp_path)
    assert begin(Path("my shop"), None, None, "utf-8", print)[0]["next"] == "understudy learn --project 'my shop'"


def test_database_of_another_kind_is_refused_by_name(tmp_path: Path):
    """A database without a driver here is told apart from a wrong address, without its password."""
    with pytest.raises(ConfigError, match=r"names 'oracle'\nUse sqlite, postgresql or mysql") as caught:
        find_source("oracle://me:secret@host/db", tmp_path)
    assert "secret" not in str(caught.value)
    with pytest.raises(ConfigError, match="is no database address") as caught:
        find_source("postgresql://me:secret@host:port/db", tmp_path)
    assert "secret" not in str(caught.value)


@given(st.text())
def test_any_text_makes_a_fitting_name(text: str):
    """Whatever a folder is called, the endpoint's name is 1 to 63 characters a-z, 0-9 and -."""
    name = fitting_name(text)
    assert 1 <= len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


wild = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15).filter(lambda text: "${" not in text)


@settings(max_examples=100, deadline=None)
@given(st.lists(wild, min_size=3, max_size=6, unique=True), wild, st.booleans())
def test_any_column_names_and_reasons_make_valid_toml(names: list[str], reason: str, doubtful: bool):
    """Quotes, backslashes, line breaks and signs of control in names and values never break the project file."""
    attributes = tuple(Attribute(name, AttributeType.TEXT) for name in names)
    guesses = tuple(Guess(name, AttributeType.TEXT, reason, doubtful, excluded=name == names[1]) for name in names)
    schema = Schema(attributes, target=names[0], excluded=(names[1],))
    document = tomllib.loads(project_text("a", inference=Inference(schema, guesses, 1)))
    assert document["data"]["target"] == names[0]
    assert document["data"]["exclude"] == [names[1]]
    assert document["data"]["types"] == (dict.fromkeys(names[2:], "TEXT") if doubtful else {})
