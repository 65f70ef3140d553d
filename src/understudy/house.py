"""A project's store, opened: models by their ids, the code they were trained behind, and who serves.

Who only looks into the catalog loads nothing of what a model needs.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from understudy.config import Place, Project
from understudy.endpoint import Endpoint
from understudy.errors import NoChampion, NotFound, StoreError
from understudy.folders import PRIVATE
from understudy.store.catalog import Catalog, Entity
from understudy.store.contract import RESTORE
from understudy.store.objects import LocalObjects, Objects, open_objects

if TYPE_CHECKING:
    from understudy.model import Model
    from understudy.prediction import Predictor
    from understudy.transform import Transform, TransformSource


class Storehouse:
    """Catalog and objects of a folder, whether or not it is a project's."""

    def __init__(self, place: Place | Project, *, create: bool = False, keep_open: bool = False) -> None:
        """`create` and `keep_open` are said to the catalog (`Catalog.open`) when it is first asked for."""
        self.place = place
        self._create = create
        self._keep_open = keep_open

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog; raises StoreError where there is none yet and none may be made."""
        url = self.place.database_url(self.place.store.catalog)
        return Catalog.open(url, create=self._create, keep_open=self._keep_open)

    @cached_property
    def objects(self) -> Objects:
        """The objects."""
        return open_objects(self.place.location(self.place.store.objects), self._folder / "cache")

    @property
    def catalog_exists(self) -> bool:
        """Whether there is a catalog at all; one on a server is taken to exist."""
        scheme, _, file = self.place.database_url(self.place.store.catalog).partition(":///")
        return scheme != "sqlite" or Path(file).exists()

    @property
    def lock(self) -> Path:
        """The file that one learning process at a time holds locked.

        It lies beside a folder of objects, for all projects that share it; with objects elsewhere, in the project.
        """
        folder = self.objects.root.parent if isinstance(self.objects, LocalObjects) else self._folder
        return folder / "learn.lock"

    @property
    def _folder(self) -> Path:
        return self.place.root / PRIVATE

    def predictor(self, model_id: str) -> Predictor:
        """Return the model `model_id` behind its own transform function; raises NotFound and CorruptObject."""
        from understudy.prediction import Column, Predictor

        entity = self.model_entity(model_id)
        columns = msgspec.convert(entity.document["columns"], tuple[Column, ...])
        return Predictor(model_id, self.model(entity), columns, self._transform(entity))

    def model_entity(self, model_id: str) -> Entity:
        """Return what the catalog knows of a model; raises NotFound."""
        try:
            return self.catalog.get(model_id, "model")
        except NotFound:
            other = self.catalog.get(model_id).kind
            raise NotFound(
                f"{model_id!r} is a {other}, not a model", "`understudy history` names the models."
            ) from None

    def model(self, entity: Entity) -> Model:
        """Map a model's folder, verified against its fingerprint; a copy of it where the objects are far away."""
        from understudy.model import Model

        fingerprint = entity.document["fingerprint"]
        folder = self.objects.cached(model_object(fingerprint))
        try:
            return Model.open(folder, fingerprint=fingerprint)
        except OSError as error:
            raise StoreError(f"the model {folder} cannot be read: {error.strerror}", RESTORE) from None

    def _transform(self, entity: Entity) -> Transform | None:
        code = entity.document.get("transform")
        if code is None:
            return None
        from understudy.transform import TransformSource, load

        return load(msgspec.json.decode(self.objects.read(code), type=TransformSource))

    def keep_model(self, model: Model) -> None:
        """Write a model's folder; the same model again is no change."""
        self.objects.put_folder(model_object(model.fingerprint), model.files())

    def keep_transform(self, source: TransformSource | None) -> str | None:
        """Write the source of a transform function; return the object's name."""
        return self.objects.put_content("code", msgspec.json.encode(source), ".json") if source else None


class House(Storehouse):
    """Catalog and objects of one project, and its endpoint."""

    def __init__(self, project: Project, *, create: bool = False, keep_open: bool = False) -> None:
        super().__init__(project, create=create, keep_open=keep_open)
        self.project = project

    @property
    def endpoint(self) -> Endpoint:
        """The project's stable name."""
        return Endpoint(self.catalog, self.project.name)

    def champion(self) -> Predictor | None:
        """Return who serves; None before the first promotion."""
        state = self.endpoint.champion()
        return self.predictor(state.champion) if state and state.champion else None

    def serving(self) -> Predictor:
        """Return who serves; raises NoChampion before the first promotion."""
        try:
            champion = self.champion()
        except StoreError:
            if self.catalog_exists:
                raise
            champion = None
        if champion is None:
            raise NoChampion(
                f"endpoint {self.project.name!r} has no champion yet", "`understudy learn` makes and admits the first."
            )
        return champion


def model_object(fingerprint: str) -> str:
    """Return the name of the folder that holds the model of a fingerprint."""
    return f"models/{fingerprint.removeprefix('sha256:')}"


def clear_models(store: Storehouse) -> None:
    """Delete the folders of deleted models, unless another model that is kept, or in the making, is the same.

    Each is deleted in a transaction that holds the write lock and has seen that nobody needs it: who announces the same
    model meanwhile does so before, and is seen, or afterwards, and finds no folder.
    """
    stored = {name.rpartition("/")[0] for name in store.objects.iter_names("models/")}
    for folder in sorted(stored & (_folders(store, "DELETED") - _needed(store))):
        with store.catalog.writing():
            if folder not in _needed(store):
                store.objects.delete(folder)


def _needed(store: Storehouse) -> set[str]:
    return _folders(store, "COMPLETED") | _folders(store, "INPROGRESS")


def _folders(store: Storehouse, status: str) -> set[str]:
    """Name the folders of all models that have a status, whatever their project."""
    models = store.catalog.find("model", status=status)
    return {model_object(entity.document["fingerprint"]) for entity in models if "fingerprint" in entity.document}
