"""The tables of the project file: a record for each table, a field for each key, its default beside it.

What one table can know about itself it checks on its own; what takes two tables, `ProjectFile` checks.
"""

from __future__ import annotations

import codecs
import math
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from understudy.config.values import Settings, check_cron, parse_duration, parse_parameters
from understudy.errors import ConfigError
from understudy.schema import AttributeType, ModelType

PROMOTION_METRICS: dict[ModelType, tuple[str, ...]] = {
    ModelType.BINARY: ("auc", "log_loss", "accuracy"),
    ModelType.MULTICLASS: ("macro_f1", "log_loss", "accuracy"),
    ModelType.REGRESSION: ("rmse", "r2"),
}
"""The metrics that a gate can compare, by the type of the model; the first is the default."""

_NAME = re.compile(r"[a-z0-9-]{1,63}")
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the project file: fixed once read, and closed to unknown keys."""


class Extract(_Table, frozen=True, kw_only=True):
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


class Transform(_Table, frozen=True, kw_only=True):
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


class Split(_Table, frozen=True, kw_only=True):
    """`[data.split]`: which rows are learned from and which are held out."""

    strategy: Literal["stable", "random", "sequential"] = "stable"
    """By the hash of the row's id, by chance per row number, or by position."""
    train: Annotated[int, Meta(ge=1, le=99)] = 70
    """Percentage of rows that are learned from."""
    seed: str = ""
    """Chooses another split of the same kind."""


class Data(_Table, frozen=True, kw_only=True):
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


class Train(_Table, frozen=True, kw_only=True):
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


class Promotion(_Table, frozen=True, kw_only=True):
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


class Schedule(_Table, frozen=True, kw_only=True):
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


class Keep(_Table, frozen=True, kw_only=True):
    """`[store.keep]`: how many of each stay; what a champion needs stays anyway."""

    runs: Count = 4
    """Runs whose observations are kept."""
    models: Count = 50
    """Models that are kept."""


class Store(_Table, frozen=True, kw_only=True):
    """`[store]`: where everything is remembered."""

    catalog: str = "sqlite:///.understudy/catalog.db"
    """sqlite or postgresql."""
    objects: str = ".understudy/objects"
    """A folder, or s3://bucket/prefix."""
    keep: Keep = Keep()
    """What stays when newer runs come."""


class Serve(_Table, frozen=True, kw_only=True):
    """`[serve]`: the one port of `understudy serve`; flags override."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    public_url: str | None = None
    """How clients reach this server, where it stands behind another."""
    workers: Count | None = None
    """Processes that answer; left out: one for each core."""
    jobs: Count | None = None
    """Jobs that run at a time; left out: one for each core."""
    buckets: tuple[str, ...] = ()
    """Buckets of a real S3 that data may be read from and results written to, beside the store's own."""
    databases: dict[str, str] = {}
    """Databases by the identifier of their RDS instance or Redshift cluster: postgresql or mysql, without a user."""


class Predictions(_Table, frozen=True, kw_only=True):
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


class SnapshotEvery(_Table, frozen=True, kw_only=True):
    """`[learning.snapshot_every]`: a snapshot is taken when either is reached."""

    rows: Count = 1000
    """Observations learned since the last snapshot."""
    seconds: Annotated[float, Meta(gt=0)] = 1.0
    """Time since the last snapshot."""


class Learning(_Table, frozen=True, kw_only=True):
    """`[learning]`: whether labelled queries teach the challenger."""

    enabled: bool = False
    """Off unless switched on."""
    snapshot_every: SnapshotEvery = SnapshotEvery()
    """How often the challenger's state becomes a model."""


class PlaceFile(_Table, frozen=True, kw_only=True):
    """What stands in an `understudy.toml` that is no project's, defaults filled in."""

    store: Store = Store()
    serve: Serve = Serve()


class ProjectFile(PlaceFile, frozen=True, kw_only=True):
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


class _Rooted:
    """What can tell where the paths of a project file lead."""

    __slots__ = ()

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


class Project(ProjectFile, _Rooted, frozen=True, kw_only=True):
    """A project: its file, and the folder that its paths are relative to."""

    root: Path


class Place(PlaceFile, _Rooted, frozen=True, kw_only=True):
    """A folder that is no project's: what `understudy serve` needs of it to be Amazon ML and S3 alone."""

    root: Path
    name: str = ""


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
