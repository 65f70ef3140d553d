"""Champion's and challenger's answers to the same rows, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from understudy.errors import InvalidInput
from understudy.schema import ModelType

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What one model said about n rows.

    `values` is float64[n]: the score of the positive class (BINARY), the index of the predicted class (MULTICLASS) or
    the predicted value (REGRESSION). `probability` is float64[n], the score of the row's true class; MULTICLASS only.
    """

    values: Floats
    probability: Floats | None = None

    def at(self, rows: slice) -> Answers:
        """Return the answers to some of the rows."""
        return Answers(self.values[rows], None if self.probability is None else self.probability[rows])

    def followed_by(self, other: Answers) -> Answers:
        """Return these answers and then the other's."""
        probability = None
        if self.probability is not None and other.probability is not None:
            probability = np.concatenate([self.probability, other.probability])
        return Answers(np.concatenate([self.values, other.values]), probability)

    @property
    def missing(self) -> int:
        """How many rows have no finite answer."""
        silent = ~np.isfinite(self.values)
        if self.probability is not None:
            silent |= ~np.isfinite(self.probability)
        return int(silent.sum())


@dataclass(frozen=True)
class Measured:
    """A metric on n rows: its value, the pull of each row (float64[n], mean 0), and the degrees of freedom."""

    value: float
    influence: Floats
    freedom: int


@dataclass(frozen=True)
class Paired:
    """Two models' answers to the same n held-out rows, and the truth.

    `labels` is float64[n]: 1 or 0 (BINARY), the index of the class (MULTICLASS) or the value (REGRESSION).
    """

    model_type: ModelType
    labels: Floats
    champion: Answers
    challenger: Answers
    measured: dict[str, tuple[Measured | None, Measured | None]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Champion and challenger by each metric asked so far: ranking millions of rows is done once."""

    def __post_init__(self) -> None:
        counts = {len(self.labels), len(self.champion.values), len(self.challenger.values)}
        if len(counts) > 1:
            raise InvalidInput(
                f"{len(self.labels):,} labels stand beside {len(self.champion.values):,} answers of the champion and "
                f"{len(self.challenger.values):,} of the challenger",
                "Give one label and one answer of each model for every row.",
            )

    @classmethod
    def binary(cls, labels: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike) -> Paired:
        """Pair the scores of the positive class, 0 to 1; labels are 1 or 0."""
        return cls(ModelType.BINARY, _floats(labels), Answers(_floats(champion)), Answers(_floats(challenger)))

    @classmethod
    def regression(cls, labels: npt.ArrayLike, champion: npt.ArrayLike, challenger: npt.ArrayLike) -> Paired:
        """Pair predicted values, in the target's unit."""
        return cls(ModelType.REGRESSION, _floats(labels), Answers(_floats(champion)), Answers(_floats(challenger)))

    @classmethod
    def multiclass(
        cls,
        labels: npt.ArrayLike,
        champion: tuple[npt.ArrayLike, npt.ArrayLike],
        challenger: tuple[npt.ArrayLike, npt.ArrayLike],
    ) -> Paired:
        """Pair (index of the predicted class, score of the true class) of each model; labels are indices from 0."""
        return cls(
            ModelType.MULTICLASS,
            _floats(labels),
            Answers(_floats(champion[0]), _floats(champion[1])),
            Answers(_floats(challenger[0]), _floats(challenger[1])),
        )

    @property
    def rows(self) -> int:
        """How many rows both models answered."""
        return len(self.labels)

    def swapped(self) -> Paired:
        """Return the same rows with champion and challenger in each other's place."""
        return Paired(self.model_type, self.labels, self.challenger, self.champion)

    def head(self, rows: int) -> Paired:
        """Return the first rows."""
        first = slice(0, rows)
        return Paired(self.model_type, self.labels[first], self.champion.at(first), self.challenger.at(first))

    def followed_by(self, other: Paired) -> Paired:
        """Return these rows and then the other's."""
        return Paired(
            self.model_type,
            np.concatenate([self.labels, other.labels]),
            self.champion.followed_by(other.champion),
            self.challenger.followed_by(other.challenger),
        )


def _floats(values: npt.ArrayLike) -> Floats:
    return np.ascontiguousarray(values, np.float64)
