"""The project file `understudy.toml`, typed and checked (docs/project-file.md).

`values` reads what one value says, `tables` names every table and key, `reading` goes from the file to a `Project` or
`Place`.
"""

from understudy.config.reading import FILE_NAME, find, load, load_place, parse
from understudy.config.tables import (
    PROMOTION_METRICS,
    Data,
    Extract,
    Keep,
    Learning,
    Place,
    Predictions,
    Project,
    Promotion,
    Schedule,
    Serve,
    SnapshotEvery,
    Split,
    Store,
    Train,
    Transform,
)
from understudy.config.values import Settings, nearest, parse_duration, parse_parameters

__all__ = [
    "FILE_NAME",
    "PROMOTION_METRICS",
    "Data",
    "Extract",
    "Keep",
    "Learning",
    "Place",
    "Predictions",
    "Project",
    "Promotion",
    "Schedule",
    "Serve",
    "Settings",
    "SnapshotEvery",
    "Split",
    "Store",
    "Train",
    "Transform",
    "find",
    "load",
    "load_place",
    "nearest",
    "parse",
    "parse_duration",
    "parse_parameters",
]
