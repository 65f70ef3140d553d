"""From the text of `understudy.toml` to a checked `Project` or `Place`, or to one error that says what is wrong."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

import msgspec

from understudy.config.tables import Place, PlaceFile, Project, ProjectFile
from understudy.config.values import nearest
from understudy.errors import ConfigError

FILE_NAME = "understudy.toml"

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "array": "a list",
    "object": "a table",
}
"""What people call the kinds of TOML's values."""

_BOUNDS = {"<=": "of at most", ">=": "of at least", "<": "below", ">": "above"}

_File = TypeVar("_File", bound=msgspec.Struct)

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def find(directory: Path) -> Path:
    """Return the project file in `directory` (or `directory` itself, where it is the file); raises ConfigError."""
    directory = _whole(directory)
    file = directory if directory.is_file() else directory / FILE_NAME
    if file.is_file():
        return file
    if not directory.exists():
        raise ConfigError(f"there is no folder {directory}", "Name the folder of a project file with --project.")
    raise ConfigError(
        f"there is no {FILE_NAME} in {directory}",
        "Write one with `understudy init`, or name its folder with --project.",
    )


def load(directory: Path) -> Project:
    """Read and check the project file in `directory`.

    Raises
    ------
    ConfigError : the file is missing, is not TOML, or a key is unknown, of a wrong type, out of range or contradicts
        another. The message names the key and, where it is known, the line. Or it is the file of a mere place.

    """
    file = find(directory)
    text, document = _read(file)
    if _is_place(document):
        raise ConfigError(
            f"{file} is no project: it has neither `name` nor [extract]",
            "`understudy serve` needs neither for Amazon ML and S3; all else does. See docs/project-file.md.",
        )
    return parse(document, root=file.parent, text=text)


def load_place(directory: Path) -> Place | Project:
    """Read a folder as `understudy serve` does: as a project, or else as Amazon ML and S3 alone.

    The latter is a folder without a project file, or with one that has tables of a place alone: [store] and [serve].
    Raises ConfigError as `load` does.
    """
    directory = _whole(directory)
    if directory.is_dir() and not (directory / FILE_NAME).exists():
        return Place(root=directory)
    file = find(directory)
    text, document = _read(file)
    if not _is_place(document):
        return parse(document, root=file.parent, text=text)
    return Place(root=file.parent, **msgspec.structs.asdict(_checked(document, PlaceFile, text)))


def parse(document: Mapping[str, object], *, root: Path, text: str = "") -> Project:
    """Check a project file's content as `load` does; `text`, where given, lets errors name lines."""
    return Project(root=root, **msgspec.structs.asdict(_checked(document, ProjectFile, text)))


def _whole(path: Path) -> Path:
    """Return a path as it can be told and kept: absolute, and without `..`."""
    path = path.absolute()
    return path.resolve() if ".." in path.parts else path


def _read(file: Path) -> tuple[str, dict[str, object]]:
    """Return the text of a project file, and what it says; raises ConfigError."""
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", "Check its permissions.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 (byte {error.start:,})", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}", "See docs/project-file.md for its form.") from None


def _is_place(document: Mapping[str, object]) -> bool:
    """Tell whether nothing in a file is a project's alone."""
    return not document.keys() & (set(ProjectFile.__struct_fields__) - set(PlaceFile.__struct_fields__))


def _checked(document: Mapping[str, object], form: type[_File], text: str) -> _File:
    """Return a file's content as a record of its form; raises ConfigError."""
    expanded = {key: _expand(value, key) for key, value in document.items()}
    if isinstance(expanded.get("extract"), dict):
        expanded["extract"] = [expanded["extract"]]
    try:
        return msgspec.convert(expanded, form)
    except ConfigError as error:
        raise _located(error, text) from None
    except msgspec.ValidationError as error:
        raise _explained(str(error), expanded, form, text) from None


def _expand(value: object, where: str) -> object:
    """Put environment variables in place of ${NAME} in every string of a TOML value."""
    if isinstance(value, dict):
        return {key: _expand(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def environment(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise ConfigError(
                f"{where} takes ${{{found[1]}}}, but that environment variable is not set", f"Set {found[1]}."
            )
        return os.environ[found[1]]

    return _VARIABLE.sub(environment, value)


def _explained(problem: str, document: Mapping[str, object], form: type[msgspec.Struct], text: str) -> ConfigError:
    """Turn "Expected `int`, got `str` - at `$.data.split.train`" into our words: key, line, found, expected."""
    tables = dict(_records(form))
    what, _, place = problem.partition(" - at `")
    path = place.rstrip("`").removeprefix("key in ")
    dotted = re.sub(r"\[.*?\]", "", path).removeprefix("$").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        return ConfigError(f"{FILE_NAME} has no `{missing[1]}`", "See docs/project-file.md for an example.")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        owner = f"[{dotted}]" if dotted else FILE_NAME
        return ConfigError(
            f"{owner} has the unknown key {unknown[1]!r}{_line(text, dotted, unknown[1])}",
            nearest(unknown[1], tables[dotted].__struct_fields__),
        )
    table, _, key = dotted.rpartition(".")
    found = _value_at(document, path)
    message = f"{dotted}{_line(text, table, key)} is {_written(found)}"
    if dotted == "train.parameters" and isinstance(found, dict) and "sgd" in found:
        return ConfigError(
            f"{FILE_NAME} has train.parameters without quotes: a dot parts a key there",
            'Put the key in quotes: "sgd.maxPasses" = 20.',
        )
    choices = _choices(get_type_hints(tables[table])[key])
    if what.startswith("Invalid enum value"):
        return ConfigError(message, nearest(re.findall("'(.*)'", what)[0], choices))
    return ConfigError(f"{message}; expected {_kind(what)}", "See docs/project-file.md.")


def _located(error: ConfigError, text: str) -> ConfigError:
    """Put the line into a message that begins with a key, such as "promotion.margin is -1"."""
    found = re.match(r"([a-z_.]+)\.(\w+)(?= is )", error.message)
    if found is None:
        return error
    table, key = ("train.parameters", found[0]) if found[1] == "sgd" else (found[1], found[2])
    return ConfigError(f"{found[0]}{_line(text, table, key)}{error.message[found.end() :]}", error.hint)


def _kind(what: str) -> str:
    """Say in plain words what is expected.

    >>> _kind("Expected `int` <= 99"), _kind("Expected `str | array | null`, got `int`")
    ('a whole number of at most 99', 'text or a list')
    """
    wanted = what.partition(", got ")[0].removeprefix("Expected ")
    kinds, bound = re.findall(r"\w+", wanted.split("`")[1]), wanted.split("`")[2].split()
    named = [_KINDS[kind] for kind in kinds if kind in _KINDS and not (kind == "int" and "float" in kinds)]
    said = " or ".join(filter(None, [", ".join(named[:-1]), named[-1]]))
    return f"{said} {_BOUNDS[bound[0]]} {float(bound[1]):g}" if bound else said


def _written(value: object) -> str:
    """Write a value much as it stands in the file."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_written(item)}" for key, item in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _choices(kind: object) -> list[str]:
    """Return the words that a type allows: an enum's values or a literal's."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return [word for part in get_args(kind) for word in ([part] if isinstance(part, str) else _choices(part))]


def _records(record: type[msgspec.Struct], path: str = "") -> Iterable[tuple[str, type[msgspec.Struct]]]:
    """Yield every table's dotted path and record."""
    yield path, record
    for field in msgspec.structs.fields(record):
        for kind in (field.type, *get_args(field.type)):
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                yield from _records(kind, f"{path}.{field.name}".lstrip("."))


def _value_at(document: object, path: str) -> object:
    """Return what stands at a path like $.data.split.train or $.extract[0].url."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        if isinstance(document, dict):
            document = document[name]
        elif isinstance(document, list):
            document = document[int(index)]
    return document


def _line(text: str, table: str, key: str) -> str:
    """Return " (line 7)" for the first place where `key` is set within `table`; empty where it cannot be told."""
    here = ""
    header = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?")
    setting = re.compile(rf"(^|[\s{{,.])[\"']?{re.escape(key)}[\"']?\s*=")
    for number, line in enumerate(text.splitlines(), 1):
        opened = header.fullmatch(line)
        here = opened[1] if opened else here
        named = opened is not None and here in {f"{table}.{key}".lstrip("."), key}
        inside = here == table or table.startswith(f"{here}.") or (not here)
        if named or (not opened and inside and setting.search(line)):
            return f" (line {number})"
    return ""
