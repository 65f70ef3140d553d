"""The project file `understudy.toml`: every table and key, typed and checked (docs/project-file.md).

A record per table and a field per key; the default of a key is the default of its field. What one table can know about
itself it checks on its own; what takes two tables, `ProjectFile` checks.

>>> parse_duration("90d").days
90
>>> parse_parameters({"sgd.maxPasses": "20", "sgd.shuffleType": "none"}).shuffle
False
"""

from __future__ import annotations

import codecs
import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from understudy.errors import ConfigError
from understudy.schema import AttributeType, ModelType

FILE_NAME = "understudy.toml"

PROMOTION_METRICS: dict[ModelType, tuple[str, ...]] = {
    ModelType.BINARY: ("auc", "log_loss", "accuracy"),
    ModelType.MULTICLASS: ("macro_f1", "log_loss", "accuracy"),
    ModelType.REGRESSION: ("rmse", "r2"),
}
"""The metrics that a gate can compare, by the type of the model; the first is the default."""

MIB = 1024 * 1024

_NAME = re.compile(r"[a-z0-9-]{1,63}")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smhdw])")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the project file: fixed once read, and closed to unknown keys."""


class Extract(_Table):
    """`[extract]`: where rows come from; exactly one of `url` with `query`, `files`, or `command`."""

    name: str | None = None
    """What this source is called when there are several."""
    url: str | None = None
    """A database: sqlite, postgresql or mysql."""
    query: str | None = None
    """The SQL that selects the rows."""
    files: str | tuple[str, ...] | None = None
    """A path, glob, list of them, or s3://bucket/prefix/."""
    command: str | None = None
    """A command that writes CSV to its standard output."""
    join: str | None = None
    """The column that several sources have in common."""
    max_rejected: Share = 0.1
    """The share of unreadable rows above which a run fails."""
    encoding: str = "utf-8"
    """How the text of files and commands is encoded."""

    def __post_init__(self) -> None:
        ways = [name for name in ("url", "files", "command") if getattr(self, name)]
        if len(ways) != 1 or (self.query is not None) != (ways == ["url"]):
            keys = [name for name in ("url", "query", "files", "command") if getattr(self, name) is not None]
            raise ConfigError(
                f"[extract] has {' and '.join(keys) or 'no source'}; expected exactly one way to get rows",
                "Give `url` with `query`, or `files`, or `command`.",
            )
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ConfigError(f"extract.encoding is {self.encoding!r}", "Name an encoding such as utf-8.") from None


class Transform(_Table):
    """`[transform]`: the project's own function, and the recipe."""

    function: str | None = None
    """`module:function` beside the project file; record batch to record batch."""
    recipe: str | None = None
    """The path of an Amazon ML recipe; left out: suggested from the statistics."""

    def __post_init__(self) -> None:
        if self.function is not None and not _FUNCTION.fullmatch(self.function):
            raise ConfigError(
                f"transform.function is {self.function!r}; expected module:function",
                'Write for example function = "features:expand" for `def expand` in features.py.',
            )


class Split(_Table):
    """`[data.split]`: which rows are learned from and which are held out."""

    strategy: Literal["stable", "random", "sequential"] = "stable"
    """By the hash of the row's id, by chance per row number, or by position."""
    train: Annotated[int, Meta(ge=1, le=99)] = 70
    """Percentage of rows that are learned from."""
    seed: str = ""
    """Chooses another split of the same kind."""


class Data(_Table):
    """`[data]`: what the observations' attributes are, after the transform."""

    target: str | None = None
    """The attribute to predict."""
    row_id: str | None = None
    """Identifies a row; never a feature; keys the stable split."""
    schema: str | None = None
    """The path of an Amazon ML schema; left out: inferred."""
    types: dict[str, AttributeType] = {}
    """Corrections to the inferred types."""
    exclude: tuple[str, ...] = ()
    """Attributes that are not learned from."""
    split: Split = Split()
    """Which rows are held out."""
    positive: str | int | float | bool | None = None
    """The target's value that counts as 1; BINARY only."""


class Settings(msgspec.Struct, frozen=True):
    """Training parameters, read and checked; None leaves the choice to the learner."""

    max_passes: int | None = None
    """Passes over the training rows."""
    shuffle: bool = True
    """Whether the seed shuffles the rows."""
    l1: float | None = None
    """L1 penalty; 0 switches it off."""
    l2: float | None = None
    """L2 penalty; 0 switches it off."""
    max_size_bytes: int = 100 * MIB
    """Size of the model above which its weakest features are trimmed."""


class Train(_Table):
    """`[train]`: what kind of model is learned, and how."""

    type: ModelType | None = None
    """Left out: from the target."""
    parameters: dict[str, int | float | str] = {}
    """Amazon ML's `sgd.*` parameters (reference 6.2)."""

    def __post_init__(self) -> None:
        parse_parameters(self.parameters)

    def settings(self) -> Settings:
        """Return the parameters as a plain record."""
        return parse_parameters(self.parameters)


class Promotion(_Table):
    """`[promotion]`: what a challenger must show to become champion."""

    metric: str | None = None
    """What is compared; left out: auc, macro_f1 or rmse by type."""
    rule: Literal["not_worse", "better", "always", "never"] = "not_worse"
    """What the comparison must show."""
    margin: float = 0.01
    """How much worse still counts as not worse, in the metric's unit."""
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    """Confidence of the lower bound."""
    minimum: float | None = None
    """A floor for the challenger's metric; a ceiling for losses."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.margin) and self.margin >= 0):
            raise ConfigError(f"promotion.margin is {self.margin}", "Give a number of at least 0.")
        if self.minimum is not None and not math.isfinite(self.minimum):
            raise ConfigError(f"promotion.minimum is {self.minimum}", "Give a finite number, or leave it out.")
        known = sorted({metric for metrics in PROMOTION_METRICS.values() for metric in metrics})
        if self.metric is not None and self.metric not in known:
            raise ConfigError(f"promotion.metric is {self.metric!r}", f"Use one of {', '.join(known)}.")


class Schedule(_Table):
    """`[schedule]`: when `understudy serve` learns again."""

    every: str | None = None
    """A duration such as 1w."""
    cron: str | None = None
    """Minute, hour, day of month, month, day of week."""

    def __post_init__(self) -> None:
        if (self.every is None) == (self.cron is None):
            raise ConfigError("[schedule] takes exactly one of `every` and `cron`", 'Write for example every = "1w".')
        if self.every is not None:
            parse_duration(self.every, "schedule.every")
        if self.cron is not None:
            check_cron(self.cron)


class Keep(_Table):
    """`[store.keep]`: how many of each stay; what a champion needs stays anyway."""

    runs: Count = 4
    """Runs whose observations are kept."""
    models: Count = 50
    """Models that are kept."""


class Store(_Table):
    """`[store]`: where everything is remembered."""

    catalog: str = "sqlite:///.understudy/catalog.db"
    """sqlite or postgresql."""
    objects: str = ".understudy/objects"
    """A folder, or s3://bucket/prefix."""
    keep: Keep = Keep()
    """What stays when newer runs come."""


class Serve(_Table):
    """`[serve]`: the one port of `understudy serve`; flags override."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    public_url: str | None = None
    """How clients reach this server, where it stands behind another."""
    workers: Count | None = None
    """Processes that answer; left out: one for each core."""


class Predictions(_Table):
    """`[predictions]`: how long predictions are remembered."""

    keep: str | None = None
    """A duration such as 90d; left out: not kept."""

    def __post_init__(self) -> None:
        if self.keep is not None:
            parse_duration(self.keep, "predictions.keep")

    @property
    def kept_for(self) -> timedelta | None:
        """How long a prediction is kept; None where none is."""
        return None if self.keep is None else parse_duration(self.keep, "predictions.keep")


class SnapshotEvery(_Table):
    """`[learning.snapshot_every]`: a snapshot is taken when either is reached."""

    rows: Count = 1000
    """Observations learned since the last snapshot."""
    seconds: Annotated[float, Meta(gt=0)] = 1.0
    """Time since the last snapshot."""


class Learning(_Table):
    """`[learning]`: whether labelled queries teach the challenger."""

    enabled: bool = False
    """Off unless switched on."""
    snapshot_every: SnapshotEvery = SnapshotEvery()
    """How often the challenger's state becomes a model."""


class ProjectFile(_Table):
    """What stands in `understudy.toml`, defaults filled in."""

    name: str
    """The endpoint's stable name: [a-z0-9-], 1 to 63 characters."""
    extract: tuple[Extract, ...]
    """One source, or several with names and a common column."""
    transform: Transform = Transform()
    data: Data = Data()
    train: Train = Train()
    promotion: Promotion = Promotion()
    schedule: Schedule | None = None
    store: Store = Store()
    serve: Serve = Serve()
    predictions: Predictions = Predictions()
    learning: Learning = Learning()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"name is {self.name!r}; expected 1 to 63 of a-z, 0-9 and -",
                "It becomes part of the endpoint's address.",
            )
        _check_sources(self.extract)
        metric, kind = self.promotion.metric, self.train.type
        if metric is not None and kind is not None and metric not in PROMOTION_METRICS[kind]:
            raise ConfigError(
                f"promotion.metric is {metric!r}, which does not judge a {kind} model",
                f"Use one of {', '.join(PROMOTION_METRICS[kind])}, or correct train.type.",
            )
        if self.data.positive is not None and kind not in {None, ModelType.BINARY}:
            raise ConfigError(f"data.positive is given, but train.type is {kind}", "Leave one of them out.")

    @property
    def join(self) -> str | None:
        """The column that joins several sources; None where there is one source."""
        return next((source.join for source in self.extract if source.join), None)


class Project(ProjectFile):
    """A project: its file, and the folder that its paths are relative to."""

    root: Path

    def path(self, text: str) -> Path:
        """Return a path of the project file as an absolute one."""
        return self.root / text

    def location(self, text: str) -> str:
        """Return a path, glob or s3:// address of the project file in a form that no longer depends on the root."""
        return text if "://" in text else str(self.path(text))

    def database_url(self, url: str) -> str:
        """Return a database url with the file of a relative sqlite one made absolute."""
        scheme, separator, file = url.partition(":///")
        if not scheme.startswith("sqlite") or not separator or not file or file.startswith(("/", ":memory:")):
            return url
        return f"{scheme}:///{self.path(file)}"


def find(directory: Path) -> Path:
    """Return the project file in `directory` (or `directory` itself, where it is the file); raises ConfigError."""
    file = directory if directory.is_file() else directory / FILE_NAME
    if not file.is_file():
        raise ConfigError(
            f"there is no {FILE_NAME} in {directory.absolute()}",
            "Write one with `understudy init`, or name its folder with --project.",
        )
    return file.absolute()


def load(directory: Path) -> Project:
    """Read and check the project file in `directory`.

    Raises
    ------
    ConfigError : the file is missing, is not TOML, or a key is unknown, of a wrong type, out of range or contradicts
        another. The message names the key and, where it is known, the line.
    """
    file = find(directory)
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}", "Check its permissions.") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 (byte {error.start:,})", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}", "See docs/project-file.md for its form.") from None
    return parse(document, root=file.parent, text=text)


def parse(document: Mapping[str, Any], *, root: Path, text: str = "") -> Project:
    """Check a project file's content as `load` does; `text`, where given, lets errors name lines."""
    expanded = {key: _expand(value, key) for key, value in document.items()}
    if isinstance(expanded.get("extract"), dict):
        expanded["extract"] = [expanded["extract"]]
    try:
        file = msgspec.convert(expanded, ProjectFile)
    except msgspec.ValidationError as error:
        raise _explained(str(error), expanded, text) from None
    return Project(root=root, **{field: getattr(file, field) for field in file.__struct_fields__})


def parse_duration(text: str, where: str = "duration") -> timedelta:
    """Read a duration: a whole number and s, m, h, d or w; raises ConfigError naming `where`."""
    found = _DURATION.fullmatch(text)
    if not found:
        raise ConfigError(f"{where} is {text!r}", 'Write a whole number and a unit: "30m", "12h", "90d" or "1w".')
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_parameters(parameters: Mapping[str, int | float | str]) -> Settings:
    """Read Amazon ML's training parameters (reference 6.2); numbers may be written as text.

    Raises
    ------
    ConfigError : a parameter is unknown or out of range, or both penalties are above 0.
    """
    known = ("maxPasses", "shuffleType", "l1RegularizationAmount", "l2RegularizationAmount", "maxMLModelSizeInBytes")
    for key in parameters:
        if key not in {f"sgd.{name}" for name in known}:
            raise ConfigError(
                f"train.parameters has the unknown parameter {key!r}", _nearest(key, [f"sgd.{name}" for name in known])
            )
    shuffle = str(parameters.get("sgd.shuffleType", "auto"))
    if shuffle not in {"auto", "none"}:
        raise ConfigError(f"sgd.shuffleType is {shuffle!r}", 'Use "auto" or "none".')
    l1 = _number(parameters, "sgd.l1RegularizationAmount", 0, math.inf)
    l2 = _number(parameters, "sgd.l2RegularizationAmount", 0, math.inf)
    if l1 and l2:
        raise ConfigError("both L1 and L2 regularization are above 0", "Give one of the two; set the other to 0.")
    passes = _number(parameters, "sgd.maxPasses", 1, 10_000, whole=True)
    size = _number(parameters, "sgd.maxMLModelSizeInBytes", 100_000, 2**31, whole=True)
    return Settings(
        max_passes=None if passes is None else int(passes),
        shuffle=shuffle == "auto",
        l1=l1,
        l2=l2,
        max_size_bytes=100 * MIB if size is None else int(size),
    )


def check_cron(text: str) -> None:
    """Check a cron expression's form: five fields of *, numbers, names, ranges, steps and lists; raises ConfigError."""
    fields = text.split()
    if len(fields) != len(_CRON):
        raise ConfigError(
            f"schedule.cron is {text!r}, which has {len(fields)} fields instead of 5",
            'Give minute, hour, day of month, month and day of week: "0 3 * * 1".',
        )
    for field, (name, low, high, names) in zip(fields, _CRON, strict=True):
        if not all(_cron_part_is_valid(part.lower(), low, high, names) for part in field.split(",")):
            raise ConfigError(f"schedule.cron {text!r}: the {name} is {field!r}", f"Use *, or {low} to {high}.")


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)


def _cron_part_is_valid(part: str, low: int, high: int, names: tuple[str, ...]) -> bool:
    span, slash, step = part.partition("/")
    if slash and not (step.isdecimal() and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [names.index(end) + low if end in names else int(end) if end.isdecimal() else -1 for end in span.split("-")]
    return len(ends) <= 2 and all(low <= end <= high for end in ends) and ends == sorted(ends)


def _check_sources(sources: tuple[Extract, ...]) -> None:
    if not sources:
        raise ConfigError("[extract] is empty", "Say where rows come from; see docs/project-file.md.")
    if len(sources) == 1:
        return
    names = [source.name for source in sources]
    if not all(names) or len(set(names)) < len(names):
        raise ConfigError("several [[extract]] need a `name` each, all different", f"Found: {names}.")
    joins = {source.join for source in sources if source.join}
    if len(joins) != 1:
        found = ", ".join(sorted(joins)) or "none"
        raise ConfigError(f"several [[extract]] need one column to join by; found {found}", 'Write join = "id".')


def _number(
    parameters: Mapping[str, int | float | str], key: str, low: float, high: float, *, whole: bool = False
) -> float | None:
    """Read one numeric parameter within [low, high]; None where it is not given."""
    if key not in parameters:
        return None
    try:
        number = float(parameters[key])
    except ValueError:
        number = math.nan
    if not (low <= number <= high and math.isfinite(number)) or (whole and number != int(number)):
        kind = "whole number" if whole else "number"
        bound = f"from {low:,} to {high:,}" if math.isfinite(high) else f"of at least {low:,}"
        raise ConfigError(f"{key} is {parameters[key]!r}", f"Give a {kind} {bound}.")
    return number


def _expand(value: Any, where: str) -> Any:
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


def _explained(problem: str, document: Mapping[str, Any], text: str) -> ConfigError:
    """Turn msgspec's words into ours: key, what was found, what was expected, line."""
    what, _, path = problem.partition(" - at `")
    table = re.sub(r"\[\d+\]", "", path.rstrip("`").removeprefix("key in ").removeprefix("$").removeprefix("."))
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        record = dict(_records(ProjectFile))[table]
        where = f"[{table}]" if table else FILE_NAME
        return ConfigError(
            f"{where} has the unknown key {unknown[1]!r}{_line(text, table, unknown[1])}",
            _nearest(unknown[1], record.__struct_fields__),
        )
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        return ConfigError(f"{FILE_NAME} has no `{missing[1]}`", "See docs/project-file.md for an example.")
    parent, _, key = table.rpartition(".")
    found = _value_at(document, path.rstrip("`"))
    expected = what.partition(", got ")[0].replace("`", "")
    return ConfigError(f"{table}{_line(text, parent, key)} is {found!r}: {expected}", "See docs/project-file.md.")


def _records(record: type[msgspec.Struct], path: str = "") -> Iterable[tuple[str, type[msgspec.Struct]]]:
    """Yield every table's dotted path and record."""
    yield path, record
    for field in msgspec.structs.fields(record):
        for kind in (field.type, *get_args(field.type)):
            if isinstance(kind, type) and issubclass(kind, _Table):
                yield from _records(kind, f"{path}.{field.name}".lstrip("."))


def _value_at(document: Any, path: str) -> Any:
    """Return what stands at a path like $.data.split.train or $.extract[0].url."""
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        document = document[name] if name else document[int(index)]
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


def _nearest(word: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"Known are {', '.join(known)}."
