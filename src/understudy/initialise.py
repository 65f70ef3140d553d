"""A project file for a newcomer: every guess with its reason, the doubtful ones first, all easy to correct.

`understudy init` finds the source (`find_source`), samples it, lets `inference` guess, and calls `write_project`.

>>> print(project_text("policies").splitlines()[1])
name = "policies"  # the endpoint's stable name
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import sqlalchemy as sa

from understudy.config import FILE_NAME, nearest
from understudy.errors import ConfigError, ExtractError, StoreError, UsageError
from understudy.inference import Guess, Inference

DATABASE_VARIABLE = "DB_PASSWORD"
"""The environment variable that a written address takes its password from."""

_PASSWORD = re.compile(r"(?<=://)([^:/@]*):(?!\$\{)[^@]+@|(?<=[?&])(password)=[^&#]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"} | dict.fromkeys(
    ("mysql", "mariadb"), "mysql+pymysql"
)


class Source(msgspec.Struct, frozen=True):
    """Where rows come from, in the words of the project file's `[extract]`."""

    files: str | None = None
    """A path, glob or s3:// address."""
    url: str | None = None
    """A database."""
    query: str | None = None
    """The SQL that selects the rows."""
    encoding: str = "utf-8"
    """How the text of files is encoded."""

    @property
    def holds_password(self) -> bool:
        """Whether the address holds a password."""
        return self.url is not None and _PASSWORD.search(self.url) is not None

    def lines(self) -> list[str]:
        """Return the lines of `[extract]`; the password stays outside."""
        url = None if self.url is None else _without_password(self.url)
        encoding = None if self.encoding == "utf-8" else self.encoding
        given = {"url": url, "query": self.query, "files": self.files, "encoding": encoding}
        lines = [f"{key} = {_string(value)}" for key, value in given.items() if value is not None]
        if self.holds_password:
            lines.insert(0, f"# Set {DATABASE_VARIABLE} in the environment to the password, spelled as in an address.")
        return lines


def find_source(source: str, directory: Path) -> Source:
    """Understand what `init --from` names: a file, a glob, an s3:// address, or a database with one table.

    Parameters
    ----------
    source : a path relative to the current folder, or an address; `URL#table` names one of several tables.
    directory : the project's folder; paths in or beside it become relative to it.

    Raises
    ------
    ConfigError : there is no such file; the database has no table, several, or not the one named.
    ExtractError : the database cannot be reached.
    """
    if source.startswith("s3://"):
        return Source(files=source)
    if "://" in source:
        return _find_table(source, directory)
    if not glob.glob(source):  # noqa: PTH207 - a pattern may be absolute
        raise ConfigError(f"there is no file {source!r}", "Name a CSV, Parquet or JSON lines file, or a database URL.")
    if Path(source).is_dir():
        raise ConfigError(f"{source!r} is a folder", f"Name its files, for example '{source.rstrip('/')}/*.csv'.")
    return Source(files=_from_project(Path(source), directory))


def write_project(
    directory: Path,
    *,
    name: str | None = None,
    source: Source | None = None,
    inference: Inference | None = None,
    target_reason: str = "",
) -> str:
    """Write `understudy.toml` into a folder, which is made where it is missing; return the text.

    A `.gitignore` that keeps `.understudy/` out of the repository is written, too, unless there is one.

    Parameters
    ----------
    name : the endpoint's name; left out: the folder's, made to fit.
    source : where rows come from; left out: an example to fill in.
    inference : what the columns were taken for; its schema names the target.
    target_reason : why this target was guessed; empty where it was given.

    Raises
    ------
    ConfigError : the folder has a project file already. Nothing is changed then.
    UsageError : it is a file.
    StoreError : it cannot be written.
    """
    text = project_text(name or fitting_name(directory.resolve().name), source, inference, target_reason)
    file, ignore = directory / FILE_NAME, directory / ".gitignore"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as out:
            out.write(text)
        if not ignore.exists():
            ignore.write_text(".understudy/\n", encoding="utf-8")
    except FileExistsError:
        if not file.exists():
            raise UsageError(f"{directory} is no folder", "Name one that is, or that is not there yet.") from None
        raise ConfigError(f"{file} exists already", "Edit it, or remove it and run `understudy init` again.") from None
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}", "Check its folder and free space.") from None
    return text


def fitting_name(text: str) -> str:
    """Make a stable name of 1 to 63 characters a-z, 0-9 and - from any text.

    >>> fitting_name("My Policies (2017)"), fitting_name("Ü")
    ('my-policies-2017', 'model')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "model"


def project_text(
    name: str,
    source: Source | None = None,
    inference: Inference | None = None,
    target_reason: str = "",
) -> str:
    """Return the text of a project file; `write_project` says what the parameters mean."""
    sections = [
        [
            "# What to learn, where its rows come from, and when. Every key: docs/project-file.md",
            f"name = {_string(name)}  # the endpoint's stable name",
        ],
        ["[extract]", *(source or Source(files="data/*.csv")).lines()],
        _data(inference, target_reason),
        _types(inference),
        _train(inference),
        _promotion(inference),
        ["# [schedule]", '# every = "1w"  # `understudy serve` then learns by itself'],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _data(inference: Inference | None, target_reason: str) -> list[str]:
    if inference is None:
        return [
            "[data]",
            'target = "label"  # the column to predict',
            '# row_id = "id"  # identifies a row; never a feature',
        ]
    schema = inference.schema
    lines = ["[data]"]
    target = next((guess for guess in inference.guesses if guess.name == schema.target), None)
    if target is None:
        lines.append('# target = "..."  # the column to predict: name it')
    else:
        guessed = f"guessed, {target_reason}. " if target_reason else ""
        lines.append(f"target = {_string(target.name)}  # {guessed}{_comment(target.reason)}")
    row_id = schema.row_id or inference.row_id
    if row_id is not None:
        lines.append(
            f"row_id = {_string(row_id)}  # identifies a row; never a feature; decides which rows are held out"
        )
    excluded = [guess for guess in inference.guesses if guess.excluded and guess.name != row_id]
    if not excluded:
        return [*lines, "exclude = []  # columns that a model should not learn from"]
    entries = [(f"  {_string(guess.name)},", _comment(guess.reason)) for guess in excluded]
    return [*lines, "exclude = [  # columns that a model should not learn from", *_aligned(entries), "]"]


def _types(inference: Inference | None) -> list[str]:
    """List every guess as a line of TOML: what is doubtful is set, what is plain stands behind a #."""
    if inference is None:
        return []
    aside = {inference.schema.target, inference.schema.row_id or inference.row_id, *inference.schema.excluded}
    guesses = [guess for guess in inference.guesses if guess.name not in aside]
    doubtful = [guess for guess in guesses if guess.doubtful]
    plain = [guess for guess in guesses if not guess.doubtful]
    lines = ["[data.types]  # BINARY, CATEGORICAL, NUMERIC or TEXT"]
    if doubtful:
        lines += ["# Doubtful: please look at these and correct them.", *_type_lines(doubtful, "")]
    if plain:
        lines += [
            f"# Guessed from {inference.rows:,} rows, anew each time. To overrule one, remove its # and edit.",
            *_type_lines(plain, "# "),
        ]
    return lines


def _type_lines(guesses: Iterable[Guess], prefix: str) -> list[str]:
    return _aligned((f'{prefix}{_key(guess.name)} = "{guess.type}"', _comment(guess.reason)) for guess in guesses)


def _train(inference: Inference | None) -> list[str]:
    """Name the model's type; set it only where the target's values left a doubt."""
    if inference is None or inference.model_type is None:
        return []
    doubtful = any(guess.doubtful for guess in inference.guesses if guess.name == inference.schema.target)
    line = f'type = "{inference.model_type}"  # BINARY, MULTICLASS or REGRESSION; left out: from the target'
    return ["[train]", line if doubtful else f"# {line}"]


def _promotion(inference: Inference | None) -> list[str]:
    """Give a regression a margin that fits its target: the default fits shares only."""
    if inference is None or not inference.deviation:
        return []
    margin = float(f"{inference.deviation / 100:.1e}")
    return ["[promotion]", f"margin = {margin:.12g}  # in the target's unit: 1 % of its standard deviation"]


def _without_password(url: str) -> str:
    """Put a variable in the place of an address's password.

    >>> _without_password("postgresql://me:secret@host/app")
    'postgresql://me:${DB_PASSWORD}@host/app'
    """
    variable = f"${{{DATABASE_VARIABLE}}}"
    return _PASSWORD.sub(lambda found: f"password={variable}" if found[2] else f"{found[1]}:{variable}@", url)


def _find_table(source: str, directory: Path) -> Source:
    address, _, wanted = source.partition("#")
    try:
        url = sa.make_url(address)
        url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() not in {"sqlite", "postgresql", "mysql", "mariadb"}:
            raise ConfigError(f"the address names {url.get_backend_name()!r}", "Use sqlite, postgresql or mysql.")
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            raise ConfigError(f"there is no database file {url.database!r}", "Check the path after sqlite:///.")
        engine = sa.create_engine(url)
        inspector = sa.inspect(engine)
        tables = sorted({*inspector.get_table_names(), *inspector.get_view_names()})
        table = _choose_table(tables, wanted, address)
        key = inspector.get_pk_constraint(table)["constrained_columns"] if table in inspector.get_table_names() else []
        engine.dispose()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError, ValueError):
        shown = _without_password(address)
        raise ConfigError(f"{shown!r} is no database address", "Use sqlite, postgresql or mysql.") from None
    except sa.exc.SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        reason = str(cause.args[1] if len(cause.args) > 1 else cause).splitlines()[0]
        raise ExtractError(f"the database cannot be read: {reason}", "Check address, user and password.") from None
    quote = engine.dialect.identifier_preparer.quote
    query = f"select * from {quote(table)}"  # noqa: S608 - quoted, and run by its owner
    if key:  # one order each time: the order of the rows is the order of learning
        query += f" order by {', '.join(map(quote, key))}"
    return Source(url=_url_from_project(address, url, directory), query=query)


def _choose_table(tables: list[str], wanted: str, address: str) -> str:
    if wanted in tables or (len(tables) == 1 and not wanted):
        return wanted or tables[0]
    if not tables:
        raise ConfigError("the database has no tables", "Create them first, or name another database.")
    found = f"has no table {wanted!r}" if wanted else f"has {len(tables)} tables"
    example = address.rsplit("@", 1)[-1]
    known = nearest(wanted, tables) if wanted else f"There are: {', '.join(tables)}."
    hint = f"{known} Name one after a #, as in {example}#{tables[0]}."
    raise ConfigError(f"the database {found}", hint)


def _url_from_project(address: str, url: sa.URL, directory: Path) -> str:
    if url.get_backend_name() != "sqlite" or not url.database:
        return address
    return f"sqlite:///{_from_project(Path(url.database), directory)}"


def _from_project(path: Path, directory: Path) -> str:
    """Return a path as the project file should name it: relative where it is in or beside the project's folder."""
    absolute, home = Path(os.path.abspath(path)), directory.resolve()  # noqa: PTH100 - resolve() would not keep globs
    if not absolute.is_relative_to(home.parent):
        return absolute.as_posix()
    return Path(os.path.relpath(absolute, home)).as_posix()


def _aligned(entries: Iterable[tuple[str, str]]) -> list[str]:
    """Set the comments of neighbouring lines in one column, unless a name is very long."""
    pairs = list(entries)
    width = min(max(len(text) for text, _ in pairs), 60)
    return [f"{text.ljust(width)}  # {comment}" for text, comment in pairs]


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """Write a TOML basic string; JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    """Keep a comment on its line, whatever the data hold."""
    return "".join(sign if sign.isprintable() else " " for sign in text)
