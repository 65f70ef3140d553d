"""The boundary: every way of failing has its exit code and message, and nobody sees a traceback."""

import json
import subprocess

import pytest

from acceptance.stage import SCRIPT, calls_project, failed, understudy
from understudy import pipeline
from understudy.errors import StoreError


@pytest.fixture
def raising(monkeypatch, tmp_path):
    """Give a project whose `learn` raises what a test wants, and the outcome."""

    def outcome(error, *words):
        def learn(*_, **__):
            raise error

        monkeypatch.setattr(pipeline, "learn", learn)
        return calls_project(tmp_path).run("learn", *words)

    return outcome


def test_error_of_ours_has_message_hint_and_code(raising):
    """An UnderstudyError is its message and its hint, on standard error alone."""
    told = raising(StoreError("the disk is full", "Free some space."))
    assert (told.code, told.out) == (1, "")
    assert told.err == "understudy: the disk is full\n  Free some space.\n"


def test_error_with_json_is_a_document(raising):
    """With --json the same stands on standard output as a document."""
    told = raising(StoreError("the disk is full", "Free some space."), "--json")
    assert json.loads(told.out) == {
        "error": {"code": "StoreError", "message": "the disk is full", "hint": "Free some space."}
    }


def test_mistake_of_ours_is_not_the_users(raising, monkeypatch):
    """An unforeseen exception is called our mistake; the traceback is for who asks for it."""
    told = raising(ZeroDivisionError("oops"))
    assert told.code == 1
    assert "Understudy's own" in told.err
    assert "Traceback" not in told.err
    monkeypatch.setenv("UNDERSTUDY_DEBUG", "1")
    assert "Traceback" in raising(ZeroDivisionError("oops")).err


def test_keyboard_and_memory_have_their_own_words(raising):
    """Ctrl-C is 130 as in shells; too little memory is exit code 1; both in one message."""
    assert failed(raising(KeyboardInterrupt()), 130) == "stopped by you; the champion still serves"
    assert "memory" in failed(raising(MemoryError()), 1)


def test_reader_that_leaves_early_is_no_error(tmp_path):
    """`understudy ... | head` ends without a word."""
    project = calls_project(tmp_path)
    project.do("learn")
    command = f"'{SCRIPT}' predict --file calls.csv --output - | head -1"
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "label" in json.loads(done.stdout)
    assert done.stderr == ""


def test_help_names_every_command():
    """The first page names what there is; without words it is shown, too."""
    told = understudy("--help")
    assert told.code == 0
    for command in ("init", "learn", "predict", "status", "history", "rollback", "gate"):
        assert command in told.out
    assert understudy().out.strip() == told.out.strip()


def test_version_is_that_of_the_package():
    """`--version` is one line."""
    from understudy import __version__  # noqa: PLC0415 - beside its only use

    assert understudy("--version").out == f"understudy {__version__}\n"


@pytest.mark.parametrize("words", [["lern"], ["learn", "extra"], ["show"], ["predict", "--top", "many", "a=1"]])
def test_usage_that_cannot_be_read_exits_2(words):
    """A wrong command, a word too many, a word too few, a word for a number."""
    told = understudy(*words)
    failed(told, 2)
    assert understudy(*words, "--json").json["error"]["code"] == "UsageError"
