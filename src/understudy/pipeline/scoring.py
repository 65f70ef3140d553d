"""Held-out rows, scored by challenger and, where there is one, champion: each with its own transform function."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from understudy.ahead import ahead, starmap_side_by_side
from understudy.datasource import Part
from understudy.hashing import UInt64s
from understudy.metrics.binary import BinaryScores
from understudy.metrics.classes import ClassScores
from understudy.metrics.numbers import NumberScores
from understudy.model import Scores
from understudy.pipeline.progress import Progress
from understudy.pipeline.workspace import Workspace
from understudy.prediction import Predictor
from understudy.promotion import Answers, Paired
from understudy.schema import ModelType
from understudy.spool import read_rows
from understudy.target import Target
from understudy.values import read_texts

CHALLENGER = "challenger"

AnyScores = BinaryScores | ClassScores | NumberScores

Floats = npt.NDArray[np.float64]


def empty_scores(target: Target) -> AnyScores:
    """Return the accumulator that fits a target."""
    if target.type is ModelType.BINARY:
        return BinaryScores()
    return ClassScores(target.classes) if target.type is ModelType.MULTICLASS else NumberScores()


def held_out_rows(workspace: Workspace) -> Iterator[tuple[pa.RecordBatch, UInt64s]]:
    """Yield the extracted rows that are held out, with their keys."""
    first, parts = 0, workspace.read_parts()
    for batch in read_rows(workspace.extracted):
        held = parts[first : first + batch.num_rows] == Part.EVALUATION
        keys = workspace.read_keys(first, batch.num_rows)
        first += batch.num_rows
        if held.any():
            yield batch.filter(pa.array(held)), keys[held]


class _Told(NamedTuple):
    """What the gate asks of one model's answers to a batch (`promotion.Answers`), in half the memory."""

    values: npt.NDArray[np.float32] | Floats
    probability: npt.NDArray[np.float32] | None = None


class _Scored(NamedTuple):
    """Rows as all models see them."""

    cells: pa.Array
    """The target."""
    labels: Floats
    scores: Scores
    """The challenger's."""
    told: dict[str, _Told]
    """What the gate asks, by the part that a model plays."""
    keys: UInt64s


@dataclass
class HeldOut:
    """The held-out rows of a run as the models see them, in the space of the challenger's classes."""

    challenger: Predictor
    rivals: Mapping[str, Predictor] = field(default_factory=dict)
    """Whom it is compared with, by the part that they play."""
    scores: AnyScores = field(init=False)
    """The challenger's scores, for its evaluation; more is kept only where there are rivals, for the gate."""
    _keys: list[UInt64s] = field(default_factory=list)
    _labels: list[Floats | npt.NDArray[np.float32]] = field(default_factory=list)
    _answers: dict[str, list[_Told]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.target = self.challenger.model.target
        self.scores = empty_scores(self.target)
        self._for_gate = bool(self.rivals)
        self.rivals = {
            part: rival for part, rival in self.rivals.items() if comparable(rival.model.target, self.target)
        }
        others = [label for rival in self.rivals.values() for label in rival.model.target.classes]
        self._classes = list(dict.fromkeys([*self.target.classes, *others]))

    def scored(self, extracted: pa.RecordBatch, keys: UInt64s) -> _Scored:
        """Score rows, by all models; changes nothing, so that threads may do it side by side."""
        observations = self.challenger.observe(self.challenger.as_trained(extracted))
        cells = observations.column(self.target.name)
        scores, labels = self.challenger.model.score(observations), self._codes(cells)
        told = {CHALLENGER: self._told(labels, scores, self.target)} if self._for_gate else {}
        for part, rival in self.rivals.items():
            told[part] = self._told(labels, rival.score(extracted), rival.model.target)
        return _Scored(cells, labels, scores, told, keys)

    def add(self, rows: _Scored) -> None:
        """Take in rows that were scored."""
        _accumulate(self.scores, rows.cells, rows.labels, rows.scores)
        if not self._for_gate:
            return
        for part, told in rows.told.items():
            self._answers.setdefault(part, []).append(told)
        self._keys.append(rows.keys)
        whole = self.target.type is ModelType.REGRESSION
        self._labels.append(rows.labels if whole else rows.labels.astype(np.float32))

    def paired(self, part: str, chosen: npt.NDArray[np.bool_]) -> Paired | None:
        """Return a rival's and the challenger's answers to the chosen rows; None without the rival or without rows."""
        if part not in self.rivals or not chosen.any():
            return None
        labels = _chosen(self._labels, chosen)
        return Paired(self.target.type, labels, self._all(part, chosen), self._all(CHALLENGER, chosen))

    @property
    def rows(self) -> int:
        """How many rows were scored."""
        return self.scores.rows

    @property
    def row_keys(self) -> UInt64s:
        """Keys of all held-out rows, in order, for the gate."""
        if len(self._keys) != 1:
            self._keys = [np.concatenate([np.zeros(0, np.uint64), *self._keys])]
        return self._keys[0]

    def _codes(self, cells: pa.Array) -> Floats:
        if self.target.type is not ModelType.MULTICLASS:
            return self.target.codes(cells)
        places = pc.index_in(read_texts(cells), value_set=pa.array(self._classes, pa.string()))
        return np.asarray(pc.fill_null(places, len(self._classes))).astype(np.float64)

    def _told(self, labels: Floats, scores: Scores, target: Target) -> _Told:
        """Keep of a model's scores what the gate asks for; float32 is enough to tell probabilities apart."""
        if target.type is ModelType.REGRESSION:
            return _Told(scores)
        if target.type is ModelType.BINARY:
            swapped = target.classes != self.target.classes
            return _Told((1 - scores if swapped else scores).astype(np.float32))
        places = np.array([self._classes.index(label) for label in target.classes])
        granted = np.zeros((len(labels), len(self._classes) + 1), np.float32)
        granted[:, places] = scores
        right = granted[np.arange(len(labels)), labels.astype(np.int64)]
        return _Told(places[np.argmax(scores, axis=1)].astype(np.float32), right)

    def _all(self, part: str, chosen: npt.NDArray[np.bool_]) -> Answers:
        told = self._answers[part]
        probabilities = [answers.probability for answers in told if answers.probability is not None]
        return Answers(
            _chosen([answers.values for answers in told], chosen),
            _chosen(probabilities, chosen) if probabilities else None,
        )


def _chosen(parts: Sequence[npt.NDArray[np.floating]], chosen: npt.NDArray[np.bool_]) -> Floats:
    """Return the chosen of all parts' numbers, float64[m]; no more than these is copied."""
    ends = itertools.accumulate(map(len, parts))
    wanted = [part[chosen[end - len(part) : end]] for part, end in zip(parts, ends, strict=True)]
    return np.concatenate(wanted, dtype=np.float64)


def comparable(one: Target, other: Target) -> bool:
    """Tell whether two models answer the same question: the same type and, for BINARY, the same two labels."""
    if one.type is not other.type:
        return False
    return one.type is not ModelType.BINARY or set(one.classes) == set(other.classes)


def _accumulate(seen: AnyScores, cells: pa.Array, labels: Floats, scores: Scores) -> None:
    if isinstance(seen, ClassScores):
        seen.add(seen.codes(read_texts(cells)), scores)
    else:
        seen.add(labels, scores)


def score_held_out(
    workspace: Workspace, challenger: Predictor, rivals: Mapping[str, Predictor], progress: Progress
) -> HeldOut:
    """Let the challenger and its rivals score all held-out rows of the run."""
    held_out = HeldOut(challenger, rivals)
    functions = [model for model in (challenger, *rivals.values()) if model.transform is not None]
    with contextlib.closing(ahead(held_out_rows(workspace), most=1)) as held:
        # A project's function need not bear another thread, let alone two at a time.
        for rows in (itertools.starmap if functions else starmap_side_by_side)(held_out.scored, held):
            held_out.add(rows)
            progress.advance(len(rows.keys))
    return held_out
