"""What a run may forget: folders of deleted models, and never one that somebody is about to name."""

import threading

import pytest

from understudy.config import Place
from understudy.house import Storehouse, clear_models

FINGERPRINT = {"fingerprint": "sha256:abc"}
FOLDER = "models/abc"


@pytest.fixture
def store(tmp_path):
    """Give a store with the folder of a deleted model."""
    opened = Storehouse(Place(root=tmp_path), create=True)
    opened.catalog.create("model", "old", FINGERPRINT, status="DELETED")
    opened.objects.put_folder(FOLDER, {"weights": b"x"})
    yield opened
    opened.catalog.close()


def test_folders_of_deleted_models_go(store):
    """A folder that only deleted models name is deleted, one that the catalog does not know stays."""
    store.objects.put_folder("models/unknown", {"weights": b"x"})
    clear_models(store)
    assert not store.objects.exists(FOLDER)
    assert store.objects.exists("models/unknown")


@pytest.mark.parametrize("status", ["COMPLETED", "INPROGRESS"])
def test_folder_of_another_model_stays(store, status):
    """Who is kept, or in the making, and is the same model keeps the folder."""
    store.catalog.create("model", "new", FINGERPRINT, status=status)
    clear_models(store)
    assert store.objects.exists(FOLDER)


def test_model_announced_meanwhile_keeps_its_folder(store, monkeypatch):
    """A job that announces the same model after the catalog was read still finds the folder."""
    find = store.catalog.find

    def found(kind, *, status):
        models = find(kind, status=status)
        if status == "DELETED":
            store.catalog.create("model", "new", FINGERPRINT, status="INPROGRESS")
        return models

    monkeypatch.setattr(store.catalog, "find", found)
    clear_models(store)
    assert store.objects.exists(FOLDER)


def test_nobody_announces_a_model_while_its_folder_goes(store, monkeypatch):
    """Announcing the same model waits until the folder is gone, so that who announced it writes it again."""
    delete, held = store.objects.delete, []
    announcing = threading.Thread(
        target=store.catalog.create, args=("model", "new", FINGERPRINT), kwargs={"status": "INPROGRESS"}
    )

    def deleted(name):
        announcing.start()
        announcing.join(0.2)
        held.append(announcing.is_alive())
        delete(name)

    monkeypatch.setattr(store.objects, "delete", deleted)
    clear_models(store)
    announcing.join()
    assert held == [True]
    assert not store.objects.exists(FOLDER)
