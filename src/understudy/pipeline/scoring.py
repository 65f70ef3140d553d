"""Held-out rows, scored by challenger and, where there is one, champion: each with its own transform function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.datasource import Part
from understudy.hashing import UInt64s
from understudy.metrics import BinaryScores, ClassScores, NumberScores
from understudy.model import Scores
from understudy.pipeline.observations import PART
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Workspace
from understudy.prediction import Predictor
from understudy.promotion import Answers, Paired
from understudy.schema import ModelType
from understudy.spool import read_rows
from understudy.target import Target
from understudy.values import read_texts

AnyScores = BinaryScores | ClassScores | NumberScores

Floats = npt.NDArray[np.float64]


def empty_scores(target: Target) -> AnyScores:
    """Return the accumulator that fits a target."""
    if target.type is ModelType.BINARY:
        return BinaryScores()
    return ClassScores(target.classes) if target.type is ModelType.MULTICLASS else NumberScores()


def held_out_rows(workspace: Workspace) -> Iterator[tuple[pa.RecordBatch, UInt64s]]:
    """Yield the extracted rows that are held out, with their keys."""
    first = 0
    parts = read_rows(workspace.observations, [PART])
    for batch, part in zip(read_rows(workspace.extracted), parts, strict=True):
        held = np.asarray(part.column(PART)) == Part.EVALUATION
        keys = workspace.read_keys(first, batch.num_rows)
        first += batch.num_rows
        if held.any():
            yield batch.filter(pa.array(held)), keys[held]


@dataclass
class HeldOut:
    """The held-out rows of a run as the models see them, in the space of the challenger's classes."""

    challenger: Predictor
    champion: Predictor | None
    scores: AnyScores = field(init=False)
    """The challenger's scores, for its evaluation."""
    keys: list[UInt64s] = field(default_factory=list)
    labels: list[Floats] = field(default_factory=list)
    answers: dict[str, list[Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.target = self.challenger.model.target
        self.scores = empty_scores(self.target)
        if self.champion is not None and not comparable(self.champion.model.target, self.target):
            self.champion = None
        self._classes = list(self.target.classes)
        if self.champion is not None and self.target.type is ModelType.MULTICLASS:
            self._classes += [c for c in self.champion.model.target.classes if c not in self.target.classes]

    def add(self, extracted: pa.RecordBatch, keys: UInt64s) -> None:
        """Score more rows."""
        observations = self.challenger.observe(extracted)
        cells = observations.column(self.target.name)
        scores = self.challenger.model.score(observations)
        labels = self._codes(cells)
        _accumulate(self.scores, read_texts(cells), labels, scores)
        self._keep("challenger", labels, scores, self.target)
        if self.champion is not None:
            self._keep("champion", labels, self.champion.score(extracted), self.champion.model.target)
        self.keys.append(keys)
        self.labels.append(labels)

    def paired(self, chosen: npt.NDArray[np.bool_]) -> Paired | None:
        """Return both models' answers to the chosen rows; None without a champion or without rows."""
        if self.champion is None or not chosen.any():
            return None
        labels = np.concatenate(self.labels)[chosen]
        return Paired(self.target.type, labels, self._answers("champion", chosen), self._answers("challenger", chosen))

    @property
    def row_keys(self) -> UInt64s:
        """Keys of all held-out rows, in order."""
        return np.concatenate(self.keys) if self.keys else np.zeros(0, np.uint64)

    def _codes(self, cells: pa.Array) -> Floats:
        if self.target.type is not ModelType.MULTICLASS:
            return self.target.codes(cells)
        places = pc.index_in(read_texts(cells), value_set=pa.array(self._classes, pa.string()))
        return np.asarray(pc.fill_null(places, len(self._classes))).astype(np.float64)

    def _keep(self, who: str, labels: Floats, scores: Scores, target: Target) -> None:
        if target.type is not ModelType.MULTICLASS:
            reversed_labels = target.type is ModelType.BINARY and target.classes != self.target.classes
            self.answers.setdefault(who, []).append(1 - scores if reversed_labels else scores)
            return
        places = np.array([self._classes.index(label) for label in target.classes])
        probability = np.zeros((len(labels), len(self._classes) + 1))
        probability[:, places] = scores
        self.answers.setdefault(who, []).append(places[np.argmax(scores, axis=1)].astype(np.float64))
        granted = probability[np.arange(len(labels)), labels.astype(np.int64)]
        self.answers.setdefault(f"{who} probability", []).append(granted)

    def _answers(self, who: str, chosen: npt.NDArray[np.bool_]) -> Answers:
        probability = self.answers.get(f"{who} probability")
        return Answers(
            np.concatenate(self.answers[who])[chosen],
            None if probability is None else np.concatenate(probability)[chosen],
        )


def comparable(one: Target, other: Target) -> bool:
    """Tell whether two models answer the same question: the same type and, for BINARY, the same two labels."""
    if one.type is not other.type:
        return False
    return one.type is not ModelType.BINARY or set(one.classes) == set(other.classes)


def _accumulate(seen: AnyScores, texts: pa.Array, labels: Floats, scores: Scores) -> None:
    if isinstance(seen, ClassScores):
        seen.add(seen.codes(texts), scores)
    else:
        seen.add(labels, scores)


def score_held_out(
    workspace: Workspace, challenger: Predictor, champion: Predictor | None, progress: Progress
) -> HeldOut:
    """Let challenger and champion score all held-out rows of the run."""
    held_out = HeldOut(challenger, champion)
    for extracted, keys in held_out_rows(workspace):
        held_out.add(extracted, keys)
        progress.advance(len(keys))
    return held_out
