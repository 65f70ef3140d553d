"""What commands and doors both tell and do, where the project itself is not enough to show it."""

import msgspec
import pytest

from acceptance.conftest import learned, learned_once  # noqa: F401 - a project that has learned
from understudy import facts
from understudy.config import load
from understudy.errors import UsageError
from understudy.house import House
from understudy.store.lock import exclusive


@pytest.fixture
def house(learned):  # noqa: F811 - a fixture by its name
    """Give the opened store of a project that has learned."""
    opened = House(load(learned.folder))
    yield opened
    opened.catalog.close()


def test_model_of_another_project_cannot_serve(house):
    """Projects that share a store cannot promote each other's models: those know other rows."""
    champion = house.endpoint.champion().champion
    model = house.model_entity(champion)
    house.catalog.amend("model", champion, lambda entity: msgspec.structs.replace(entity, project="other"))
    history = house.endpoint.history()
    with pytest.raises(UsageError, match="was learned by the project 'other', not by 'calls'"):
        facts.promote(house, model.id)
    assert house.endpoint.history() == history


def test_run_that_was_stopped_says_by_whom(house):
    """Ctrl-C is told in words, not by the name of an exception."""
    house.catalog.create("run", "run-1", {"message": "stopped by KeyboardInterrupt"}, status="FAILED", project="calls")
    assert facts.status(house)["last_run"]["message"] == "interrupted by the keyboard"


def test_run_that_has_not_finished_has_no_end(house):
    """A run under way, or whose process is gone, has no time at which it finished; one that is done has."""
    assert facts.status(house)["last_run"]["finished_at"] is not None
    house.catalog.create("run", "run-1", {}, status="INPROGRESS", project="calls")
    assert facts.status(house)["last_run"] == {
        "run_id": "run-1",
        "status": "FAILED",
        "at": house.catalog.get("run-1").created_at,
        "finished_at": None,
        "verdict": None,
        "model_id": None,
        "message": "the process was interrupted",
    }
    with exclusive(house.lock):
        assert facts.status(house)["last_run"]["status"] == "INPROGRESS"
        assert facts.status(house)["last_run"]["finished_at"] is None


def test_document_does_not_say_what_an_object_is(house):
    """Members of a document that are called kind, id or status never stand for the object's own."""
    house.catalog.create("evaluation", "ev-odd", {"kind": "x", "id": "y", "status": "z", "more": 1})
    shown = facts.show(house, "ev-odd")
    assert (shown["kind"], shown["id"], shown["status"], shown["more"]) == ("evaluation", "ev-odd", "PENDING", 1)
    assert next(iter(shown)) == "kind"
