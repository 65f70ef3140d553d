"""The gate, week by week: a poisoned week is held, a clean one is not, a new world is believed once confirmed."""

import shutil

import pytest

from acceptance.stage import append_csv, calls, calls_project

WEEK = 1_000


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    """Give a project with 2,000 calls and a champion; its weeks follow one another in these tests' own copies."""
    project = calls_project(tmp_path_factory.mktemp("loop"), rows=2 * WEEK)
    project.do("learn")
    return project


@pytest.fixture
def weeks(loop, tmp_path):
    """Give a function that appends a week of calls and learns."""
    shutil.copytree(loop.folder, tmp_path / "p")
    project = type(loop)(tmp_path / "p")

    def week(number, **how):
        append_csv(project.folder / "calls.csv", calls(WEEK, seed=number, first=WEEK * number + 1, **how))
        return project.do("learn")["verdict"]

    week.project = project
    return week


def test_clean_week_is_not_held(weeks):
    """More of the same is admitted or refused by the figures, and never doubted."""
    verdicts = [weeks(number) for number in (2, 3)]
    assert [verdict["status"] for verdict in verdicts if verdict["status"] == "HELD"] == []


def test_poisoned_week_is_held(weeks):
    """A week of flipped labels is in the held-out rows, too; the gate holds it, and the champion answers as before."""
    champion = weeks.project.champion
    before = weeks.project.answer(age=61, job="nurse")
    verdict = weeks(2, flip=True)
    assert verdict["status"] == "HELD"
    assert verdict["reasons"]
    assert verdict["what_would_settle"]
    assert weeks.project.champion == champion
    assert weeks.project.answer(age=61, job="nurse") == before


def test_confirmed_drift_is_admitted(weeks):
    """A world that truly changed is believed as soon as rows newer than the doubt say the same."""
    verdicts = [weeks(number, drift=True) for number in (2, 3, 4, 5)]
    assert "ADMITTED" in [verdict["status"] for verdict in verdicts]
    assert weeks.project.answer(age=25, job="nurse")["label"] == "yes"


def test_poison_is_not_confirmed_by_clean_weeks(weeks):
    """After a held week clean ones do not carry its labels in: whoever serves then labels clean calls rightly."""
    assert weeks(2, flip=True)["status"] == "HELD"
    weeks(3)
    weeks(4)
    assert weeks.project.answer(age=61, job="nurse")["label"] == "yes"
    assert weeks.project.answer(age=25, job="farmer")["label"] == "no"
