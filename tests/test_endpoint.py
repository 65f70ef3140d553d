"""The stable name: flips, the way back, and the pin."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from understudy.endpoint import Endpoint
from understudy.errors import Busy, NotFound, UnderstudyError, UsageError
from understudy.store.catalog import Catalog

MODELS = [f"ml-{letter}" for letter in "abcdef"]


@contextlib.contextmanager
def new_endpoint():
    """Make an endpoint without a champion, in a catalog of six models."""
    with contextlib.closing(Catalog.open("sqlite://")) as catalog:
        for model_id in MODELS:
            catalog.create("model", model_id, {"run_id": f"run-of-{model_id}"}, status="COMPLETED")
        catalog.create("model", "ml-failed", {}, status="FAILED")
        catalog.create("run", "run-1", {}, status="COMPLETED")
        yield Endpoint(catalog, "policies")


@pytest.fixture
def endpoint():
    """Make an endpoint without a champion, in a catalog of six models."""
    with new_endpoint() as made:
        yield made


def learn(endpoint, model_id, status="ADMITTED"):
    """Record a verdict as `learn` does."""
    champion = endpoint.champion()
    return endpoint.record(
        model_id=model_id,
        run_id=f"run-of-{model_id}",
        status=status,
        reasons=["because"],
        champion_before=champion.champion if champion else None,
    )


def serving(endpoint):
    """Name the champion."""
    return endpoint.champion().champion


def test_new_endpoint_has_neither_champion_nor_history(endpoint):
    """Before the first promotion nobody serves, and that is no error."""
    assert endpoint.champion() is None
    assert endpoint.history() == []
    assert endpoint.pinned is False


def test_admitted_model_serves_and_refused_does_not(endpoint):
    """Only an ADMITTED verdict changes who serves; every verdict enters the history."""
    learn(endpoint, "ml-a")
    learn(endpoint, "ml-b", "REFUSED")
    learn(endpoint, "ml-c", "HELD")
    assert serving(endpoint) == "ml-a"
    assert endpoint.champion().run_id == "run-of-ml-a"
    assert [(entry.model_id, entry.status, entry.champion) for entry in endpoint.history()] == [
        ("ml-a", "ADMITTED", "ml-a"),
        ("ml-b", "REFUSED", "ml-a"),
        ("ml-c", "HELD", "ml-a"),
    ]


def test_history_entry_has_the_promised_keys(endpoint):
    """An entry shows what `history --json` promises, in that order."""
    entry = structs.asdict(learn(endpoint, "ml-a"))
    assert list(entry) == ["at", "by", "run_id", "model_id", "status", "reasons", "champion_before", "champion"]
    assert entry | {"at": ""} == {
        "at": "",
        "by": "learn",
        "run_id": "run-of-ml-a",
        "model_id": "ml-a",
        "status": "ADMITTED",
        "reasons": ("because",),
        "champion_before": None,
        "champion": "ml-a",
    }


def test_promotion_by_hand_flips_and_says_so(endpoint):
    """A person may let any model serve; the entry names the hand and the model's run."""
    learn(endpoint, "ml-a")
    entry = endpoint.promote("ml-b")
    assert (entry.by, entry.status, entry.run_id) == ("promote", "ADMITTED", "run-of-ml-b")
    assert (entry.champion_before, entry.champion) == ("ml-a", "ml-b")
    assert endpoint.history()[-1] == entry


@pytest.mark.parametrize("model_id", ["ml-none", "ml-failed", "run-1"])
def test_promotion_of_what_is_no_usable_model_is_wrong_usage(endpoint, model_id):
    """An unknown id, a failed model and another kind of thing are refused with exit code 2."""
    with pytest.raises(NotFound, match=model_id) as caught:
        endpoint.promote(model_id)
    assert caught.value.exit_code == 2
    assert endpoint.history() == []


def test_rollback_walks_back_one_champion_at_a_time(endpoint):
    """A second rollback goes one further back instead of returning to the model just left."""
    for model_id in ("ml-a", "ml-b", "ml-c"):
        learn(endpoint, model_id)
    assert endpoint.former_champions() == ["ml-b", "ml-a"]
    first, second = endpoint.rollback(), endpoint.rollback()
    assert (first.by, first.champion_before, first.champion) == ("rollback", "ml-c", "ml-b")
    assert (second.champion_before, second.champion) == ("ml-b", "ml-a")


def test_rollback_after_a_new_champion_returns_to_the_one_before_it(endpoint):
    """A flip after a rollback starts from the model rolled back to; the one left behind is no longer on the way."""
    for model_id in ("ml-a", "ml-b"):
        learn(endpoint, model_id)
    endpoint.rollback()
    endpoint.promote("ml-c")
    assert endpoint.rollback().champion == "ml-a"


def test_rollback_passes_over_deleted_models(endpoint):
    """A former champion that was deleted cannot serve again; the next one back does."""
    for model_id in ("ml-a", "ml-b", "ml-c"):
        learn(endpoint, model_id)
    endpoint._catalog.retire("ml-b")
    assert endpoint.rollback().champion == "ml-a"


def test_rollback_with_nowhere_to_go_fails_and_changes_nothing(endpoint):
    """Without a former champion a rollback fails (exit code 1), and neither pins nor writes history."""
    learn(endpoint, "ml-a")
    with pytest.raises(UnderstudyError, match="no former champion") as caught:
        endpoint.rollback()
    assert not isinstance(caught.value, UsageError)
    assert (serving(endpoint), endpoint.pinned, len(endpoint.history())) == ("ml-a", False, 1)


def test_rollback_pins_until_unpinned(endpoint):
    """After a rollback an ADMITTED verdict is held, with the reason, until `unpin`."""
    learn(endpoint, "ml-a")
    learn(endpoint, "ml-b")
    endpoint.rollback()
    held = learn(endpoint, "ml-c")
    assert (held.status, held.champion) == ("HELD", "ml-a")
    assert held.reasons[0] == "because"
    assert "unpin" in held.reasons[1]
    assert endpoint.unpin().pinned is False
    assert learn(endpoint, "ml-c").champion == "ml-c"


def test_promotion_by_hand_works_on_a_pinned_endpoint(endpoint):
    """The pin holds the gate, not the person; it stays until it is lifted."""
    learn(endpoint, "ml-a")
    learn(endpoint, "ml-b")
    endpoint.rollback()
    assert endpoint.promote("ml-c").champion == "ml-c"
    assert endpoint.pinned


def test_verdict_against_a_replaced_champion_is_refused(endpoint):
    """A verdict that was reached against another champion is not carried out."""
    learn(endpoint, "ml-a")
    endpoint.promote("ml-b")
    with pytest.raises(Busy):
        endpoint.record(model_id="ml-c", run_id="run-2", status="ADMITTED", reasons=[], champion_before="ml-a")
    assert serving(endpoint) == "ml-b"


def test_endpoints_of_one_catalog_do_not_mix(endpoint):
    """Several names in one catalog have their own champions and histories."""
    learn(endpoint, "ml-a")
    other = Endpoint(endpoint._catalog, "claims")
    learn(other, "ml-b")
    assert (serving(endpoint), serving(other)) == ("ml-a", "ml-b")
    assert len(other.history()) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([*MODELS, "rollback", "unpin", "refused"]), max_size=15))
def test_champion_and_history_agree_whatever_is_done(steps):
    """After any sequence of flips and rollbacks: the last entry names the champion, and rollbacks retrace the flips."""
    line: list[str] = []
    with new_endpoint() as endpoint:
        for step in steps:
            take(step, endpoint, line)
            champion = endpoint.champion()
            assert (champion.champion if champion else None) == (line[-1] if line else None)
            assert endpoint.former_champions() == line[-2::-1]
        history = endpoint.history()
    assert [entry.champion_before for entry in history[1:]] == [entry.champion for entry in history[:-1]]


def take(step, endpoint, line):
    """Do one thing to an endpoint, and to the plain list of champions that it should follow."""
    if step == "rollback" and len(line) > 1:
        line.pop()
        endpoint.rollback()
    elif step == "rollback":
        with pytest.raises(UnderstudyError):
            endpoint.rollback()
    elif step == "unpin":
        endpoint.unpin()
    elif step == "refused":
        learn(endpoint, "ml-a", "REFUSED")
    else:
        if not line or line[-1] != step:
            line.append(step)
        endpoint.promote(step)
