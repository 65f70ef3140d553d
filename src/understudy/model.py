"""The immutable model: weights, fitted recipe, schema and classes; its fingerprint is the hash of exactly these.

On disk a model is a folder of two files, `manifest.json` and `weights.safetensors`; neither can hold code. Lineage,
names and thresholds stand in the catalog.
"""

from __future__ import annotations

import hashlib
import mmap
import operator
import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import safetensors.numpy

from understudy.errors import CorruptObject, RecipeError
from understudy.features import Features
from understudy.learner.losses import probabilities
from understudy.learner.scoring import KeyIndex, SingleRows, decision_by_column, probability
from understudy.recipe import FittedRecipe
from understudy.recipe.single import Plan
from understudy.schema import ModelType, Schema
from understudy.target import Target
from understudy.values.single import Reader

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

MANIFEST, WEIGHTS = "manifest.json", "weights.safetensors"

Scores = npt.NDArray[np.float64]


class Weights(msgspec.Struct, frozen=True):
    """What was learned: m features, known by their keys, and their weights for each of the outputs."""

    keys: npt.NDArray[np.uint64]
    """uint64[m], ascending."""
    weights: npt.NDArray[np.float32]
    """float32[m, outputs]."""
    intercept: npt.NDArray[np.float64]
    """float64[outputs]."""


class _Manifest(msgspec.Struct, frozen=True):
    """The part of a model that is text."""

    format: int
    target: Target
    columns: tuple[str, ...]
    """Names of the extracted columns; their types depend on the source and stand in the lineage."""
    attributes: str
    """Amazon ML schema JSON of the observations."""
    recipe: dict[str, Any]


class Model:
    """A model is a value: nothing about it ever changes, and equal models have equal fingerprints."""

    def __init__(
        self, target: Target, columns: tuple[str, ...], schema: Schema, recipe: FittedRecipe, weights: Weights
    ) -> None:
        self.target = target
        self.columns = columns
        self.schema = schema
        self.recipe = recipe
        self.weights = weights

    def score(self, observations: pa.RecordBatch) -> Scores:
        """Score n observations.

        Returns
        -------
        BINARY: float64[n], the probability of the positive class. MULTICLASS: float64[n, classes], each row summing
        to 1. REGRESSION: float64[n], in the target's own unit.
        """
        learned = self.weights
        linear = decision_by_column(self.recipe.columns(observations), self._index, learned.weights, learned.intercept)
        if self.target.type is ModelType.REGRESSION:
            return linear[:, 0]
        if self.target.type is ModelType.BINARY:
            return probabilities(linear, "logistic")[:, 0]
        return probabilities(linear, "softmax")

    def record_features(self, readers: Mapping[str, Reader]) -> Callable[[Mapping[str, Any]], Features]:
        """Compile what makes one record's features, to the bit as its recipe does of a batch; see `record_scorer`.

        It is for whoever learns them, by kernels, so that it may use one, too.
        """
        from understudy.recipe.program import program  # noqa: PLC0415 - scores go without kernels

        at_once = program(self.recipe, readers)
        outputs = Plan(self.recipe, readers, int, _PACKED.pack, b"".join).outputs

        def planned(record: Mapping[str, Any]) -> Features:
            found = np.frombuffer(b"".join(outputs(record)), _FEATURE)
            return Features(np.array([0, len(found)]), found["key"].copy(), found["value"].copy())

        def features(record: Mapping[str, Any]) -> Features:
            found = at_once.features(record) if at_once is not None else None
            return planned(record) if found is None else found

        return features

    def record_scorer(
        self, readers: Mapping[str, Reader], *, texts: bool = False
    ) -> Callable[[Mapping[str, Any]], float | Scores]:
        """Compile what scores one record at a time, to the bit as `score` does, and much sooner.

        `readers` make cells of the values of the columns by name; an attribute without one is null. `texts` promises
        that records hold nothing but texts. The scorer returns a float, for MULTICLASS float64[classes], and raises
        Unfit where the record must go through a batch.
        """
        learned = self.weights
        rows = SingleRows(learned.keys, learned.weights, learned.intercept)
        if self.target.type is ModelType.MULTICLASS:
            features = Plan(self.recipe, readers, rows.place, _pair, tuple, texts=texts).outputs
            return lambda record: probabilities(rows.totals(features(record))[None], "softmax")[0]
        summands = Plan(self.recipe, readers, rows.weight, operator.mul, tuple, texts=texts).outputs
        if self.target.type is ModelType.BINARY:
            return lambda record: probability(rows.total(summands(record)))
        return lambda record: rows.total(summands(record))

    @cached_property
    def _index(self) -> KeyIndex:
        return KeyIndex(self.weights.keys)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of everything that a prediction hangs on, as `sha256:...`."""
        return _fingerprint(self._manifest(), self._tensors())

    @property
    def size_in_bytes(self) -> int:
        """Bytes of the model's files."""
        return len(self._manifest()) + sum(tensor.nbytes for tensor in self._tensors().values())

    def files(self) -> dict[str, bytes]:
        """Return the model's folder, file by file."""
        return {MANIFEST: self._manifest(), WEIGHTS: safetensors.numpy.save(self._tensors())}

    @classmethod
    def from_files(cls, files: dict[str, bytes], *, fingerprint: str) -> Model:
        """Read a model's folder; raises CorruptObject where it does not have the fingerprint that it should."""
        missing = {MANIFEST, WEIGHTS} - set(files)
        if missing:
            raise CorruptObject(f"the model {fingerprint} has no {' and no '.join(sorted(missing))}", _REMEDY)
        return cls._read(files[MANIFEST], memoryview(files[WEIGHTS]), fingerprint)

    @classmethod
    def open(cls, folder: Path, *, fingerprint: str) -> Model:
        """Read a model's folder as `from_files` does, its weights mapped: processes that open it share their memory.

        Raises CorruptObject, and OSError where a file cannot be read.
        """
        try:
            with (folder / WEIGHTS).open("rb") as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:
            raise CorruptObject(f"the model {fingerprint} has weights of 0 bytes", _REMEDY) from None
        return cls._read((folder / MANIFEST).read_bytes(), memoryview(mapped), fingerprint)

    @classmethod
    def _read(cls, manifest_bytes: bytes, weights: memoryview, fingerprint: str) -> Model:
        try:
            tensors = _tensors_in(weights)
            if _fingerprint(manifest_bytes, tensors) != fingerprint:  # before a damaged manifest is understood at all
                raise CorruptObject(f"the model {fingerprint} does not have that fingerprint any more", _REMEDY)
            manifest = msgspec.json.decode(manifest_bytes, type=_Manifest)
            model = cls(
                manifest.target,
                manifest.columns,
                Schema.from_json(manifest.attributes),
                FittedRecipe.from_document(manifest.recipe),
                Weights(tensors["keys"], tensors["weights"], tensors["intercept"]),
            )
        except (KeyError, ValueError, RecipeError, msgspec.DecodeError) as error:
            raise CorruptObject(f"the model {fingerprint} cannot be read: {error}", _REMEDY) from None
        if manifest.format > FORMAT:
            raise CorruptObject(f"the model {fingerprint} was written by a newer version", "Upgrade Understudy.")
        return model

    def _manifest(self) -> bytes:
        manifest = _Manifest(FORMAT, self.target, self.columns, self.schema.to_json(), self.recipe.to_document())
        return msgspec.json.format(msgspec.json.encode(manifest, order="sorted"))

    def _tensors(self) -> dict[str, npt.NDArray[Any]]:
        learned = self.weights
        return {"keys": learned.keys, "weights": learned.weights, "intercept": learned.intercept}


_PACKED, _FEATURE = struct.Struct("=Qf"), np.dtype([("key", np.uint64), ("value", np.float32)])
"""A feature as bytes, which are less work to gather than numbers, and how numpy reads them."""


def _pair(known: int, value: float) -> tuple[int, float]:
    return known, value


def _fingerprint(manifest: bytes, tensors: dict[str, npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256(manifest)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}".encode())
        digest.update(tensor.reshape(-1).view(np.uint8).data)
    return f"sha256:{digest.hexdigest()}"


class _Tensor(msgspec.Struct, frozen=True):
    """One entry of a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


_DTYPES: dict[str, np.dtype[Any]] = {"U64": np.dtype("<u8"), "F32": np.dtype("<f4"), "F64": np.dtype("<f8")}


def _tensors_in(data: memoryview) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a safetensors file as views of its bytes; raises ValueError, KeyError or DecodeError.

    The library's own reader copies them, and what is copied is not shared between processes.
    """
    begin = 8 + int.from_bytes(data[:8], "little")
    header = msgspec.json.decode(data[8:begin], type=dict[str, msgspec.Raw])
    entries = {name: msgspec.json.decode(raw, type=_Tensor) for name, raw in header.items() if name != "__metadata__"}
    return {name: _view(data[begin:], entry) for name, entry in entries.items()}


def _view(data: memoryview, entry: _Tensor) -> npt.NDArray[Any]:
    first, last = entry.data_offsets
    values: npt.NDArray[Any] = np.frombuffer(data[first:last], dtype=_DTYPES[entry.dtype])
    return values.reshape(entry.shape)


_REMEDY = "Restore its folder from a backup, or return to another model with `understudy promote`."
