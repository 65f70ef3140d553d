"""Every command of the promised command line: its document, its channel, its exit code."""

import json
import os
import sqlite3

import pytest

from acceptance.stage import (
    CALLS,
    Project,
    append_csv,
    calls,
    calls_project,
    done,
    failed,
    process,
    understudy,
    write_csv,
)
from understudy.server.presence import announced

COMMANDS = (
    "init", "learn", "extract", "transform", "load", "predict", "evaluate", "status", "history", "show", "promote",
    "rollback", "unpin", "rebuild", "gate",
)  # fmt: skip


def refuse_equals(project):
    """Let the gate admit only what is better for sure; the same rows again are not."""
    file = project.folder / "understudy.toml"
    file.write_text(file.read_text() + '[promotion]\nrule = "better"\n')


LEARNED = {
    "run_id", "project", "rows", "training_data_source_id", "evaluation_data_source_id", "model_id", "model_type",
    "fingerprint", "evaluation_id", "metrics", "baseline", "verdict", "endpoint", "seconds",
}  # fmt: skip
ENTRY = {"at", "by", "run_id", "model_id", "status", "reasons", "champion_before", "champion"}


def test_console_script_learns_and_answers(tmp_path):
    """The installed script, as a process of its own: one document on stdout, progress on stderr, exit code 0."""
    project = calls_project(tmp_path / "p")
    learned = process("learn", "--project", project.folder, "--json")
    assert done(learned)["verdict"]["status"] == "ADMITTED"
    assert "train" in learned.err
    answered = process("predict", "age=60", "job=nurse", "--json", cwd=project.folder)
    assert done(answered)["predictions"][0]["label"] == "yes"
    assert answered.err == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command):
    """`--help` and `--version` are understood after the command's name, too."""
    told = understudy(command, "--help")
    assert told.code == 0
    assert f"understudy {command}" in told.out
    assert understudy(command, "--version").out.startswith("understudy ")


def test_learn_prints_the_promised_document(learned_once):
    """`learn --json` holds every promised key, and its numbers add up."""
    _, document = learned_once
    assert set(document) >= LEARNED
    rows = document["rows"]
    assert rows["extracted"] == 400 == rows["training"] + rows["evaluation"] + rows["rejected"]
    assert set(document["metrics"]) == {"auc", "accuracy", "f1", "precision", "recall", "log_loss"}
    assert document["model_type"] == "BINARY"
    assert document["fingerprint"].startswith("sha256:")
    assert set(document["verdict"]) >= {"status", "reasons", "champion_before", "champion"}
    assert document["verdict"]["champion_before"] is None
    assert document["verdict"]["champion"] == document["model_id"]
    assert set(document["endpoint"]) == {"name", "url"}
    assert set(document["seconds"]) == {
        "extract", "transform", "statistics", "train", "evaluate", "promote", "total"
    }  # fmt: skip


def test_screen_of_learn_ends_with_what_to_paste(learned):
    """The text form ends with the two lines that never change; the progress stands on the other channel."""
    told = learned.run("learn")
    assert told.code == 0
    first, second = [line.strip() for line in told.out.splitlines() if line.strip()][-2:]
    assert first == "export AWS_ML_MODEL_ID=calls"
    assert second.startswith("export AWS_ML_PREDICTION_URL=http")
    assert "extract" in told.err


def test_learn_names_the_server_that_runs(learned):
    """Where a server of the folder runs, on whatever port, the line to paste has its address."""
    with announced(learned.folder / ".understudy", "http://127.0.0.1:4711"):
        told = learned.run("learn", "--dry-run")
    assert told.out.endswith("export AWS_ML_PREDICTION_URL=http://127.0.0.1:4711\n")


def test_first_command_on_a_machine_says_what_it_waits_for(tmp_path):
    """Where kernels must be compiled a command says so, once, beside its document; the next one has no reason to."""
    write_csv(tmp_path / "calls.csv", calls(100))
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    first, second = (
        process("init", tmp_path / name, "--from", tmp_path / "calls.csv", "--json", env=environment) for name in "ab"
    )
    assert first.err.startswith("note: compiling kernels")
    assert first.err.count("\n") == 1
    assert done(first)["target"] == done(second)["target"] == "answer"
    assert second.err == ""


def test_quiet_says_nothing(learned):
    """With --quiet neither channel has anything to say."""
    told = learned.run("learn", "--quiet")
    assert (told.code, told.out, told.err) == (0, "", "")


@pytest.mark.parametrize(
    ("data", "names", "target", "metrics"),
    [
        ("multiclass", ("a", "b", "kind"), "kind", {"macro_f1", "accuracy", "log_loss"}),
        ("regression", ("a", "b", "price"), "price", {"rmse", "mae", "r2"}),
    ],
)
def test_metrics_are_those_of_the_type(tmp_path, data, names, target, metrics):
    """Three labels make MULTICLASS, numbers REGRESSION; each has its own metrics, scores or value."""
    project = Project(tmp_path)
    kinds = ("low", "mid", "high")
    rows = [(i % 50, i % 7, kinds[i % 50 // 17] if data == "multiclass" else i % 50 * 2.5 + i % 7) for i in range(300)]
    write_csv(tmp_path / "r.csv", rows, names)
    project.write(f'name = "p"\n[extract]\nfiles = "r.csv"\n[data]\ntarget = "{target}"\n')
    document = project.do("learn")
    assert set(document["metrics"]) == metrics
    assert document["model_type"] == data.upper()
    answer = project.answer(a=5, b=2)
    assert set(answer) - {"model_id", "prediction_id"} == (
        {"value"} if data == "regression" else {"label", "scores"}
    )  # fmt: skip
    if data == "multiclass":
        assert set(answer["scores"]) == set(kinds)
        assert abs(sum(answer["scores"].values()) - 1) < 1e-6
    else:
        assert abs(answer["value"] - 14.5) < 5


def test_status_tells_who_serves_and_how_the_last_run_went(learned_once):
    """`status --json` has the promised keys; `since` and the run belong to the champion."""
    project, learned = learned_once
    status = project.do("status")
    assert set(status) >= {"project", "endpoint", "last_run", "next_run"}
    assert set(status["endpoint"]) >= {"name", "champion", "challenger"}
    champion = status["endpoint"]["champion"]
    assert set(champion) == {"model_id", "fingerprint", "since", "run_id", "metrics"}
    assert champion["model_id"] == learned["model_id"]
    assert champion["fingerprint"] == learned["fingerprint"]
    assert champion["run_id"] == learned["run_id"] == status["last_run"]["run_id"]
    assert champion["metrics"] == learned["metrics"]


def test_project_that_never_learned_has_an_empty_status(tmp_path):
    """Before the first run, looking is no error and makes nothing."""
    project = calls_project(tmp_path)
    assert project.do("status")["endpoint"]["champion"] is None
    assert project.do("history") == {"promotions": []}
    assert not (tmp_path / ".understudy").exists()


def test_history_is_oldest_first_with_refusals(learned):
    """Every verdict stands in `history`, in the order of time, under the promised keys."""
    refuse_equals(learned)
    second = learned.do("learn")
    assert second["verdict"]["status"] != "ADMITTED"
    assert set(second) >= LEARNED
    entries = learned.do("history")["promotions"]
    assert [set(entry) for entry in entries] == [ENTRY, ENTRY]
    assert [entry["status"] for entry in entries] == ["ADMITTED", second["verdict"]["status"]]
    assert entries[0]["at"] <= entries[1]["at"]
    assert entries[1]["champion"] == entries[0]["model_id"] == second["verdict"]["champion_before"]
    assert entries[1]["run_id"] == second["run_id"]
    assert entries[1]["reasons"] == second["verdict"]["reasons"]
    assert entries[1]["reasons"]


def test_show_prints_any_object_whole(learned_once):
    """Run, model, data source and evaluation are shown by their ids; a model with fingerprint and lineage."""
    project, learned = learned_once
    kinds = {
        "run_id": "run",
        "model_id": "model",
        "training_data_source_id": "data_source",
        "evaluation_data_source_id": "data_source",
        "evaluation_id": "evaluation",
    }
    for key, kind in kinds.items():
        shown = project.do("show", learned[key])
        assert (shown["kind"], shown["id"]) == (kind, learned[key])
        assert project.run("show", learned[key]).code == 0
    model = project.do("show", learned["model_id"])
    assert model["fingerprint"] == learned["fingerprint"]
    assert model["lineage"]["run_id"] == learned["run_id"]
    assert project.do("show", learned["evaluation_id"])["metrics"] == learned["metrics"]
    rows = project.do("show", learned["training_data_source_id"])["rows"]
    assert rows == learned["rows"]["training"]


@pytest.mark.parametrize(
    "words",
    [
        ["show", "ml-none"],
        ["promote", "ml-none"],
        ["rebuild", "ml-none"],
        ["predict", "age=1", "--model", "ml-none"],
        ["evaluate", "--model", "ml-none"],
    ],
)
def test_unknown_id_is_wrong_usage(learned_once, words):
    """An id that nobody made is exit code 2, named in the message."""
    assert "ml-none" in failed(learned_once[0].run(*words), 2)


def test_id_of_another_kind_is_no_model(learned_once):
    """A run can not be promoted."""
    project, learned = learned_once
    assert "not a model" in failed(project.run("promote", learned["run_id"]), 2)


def test_value_given_twice_is_wrong_usage(learned_once):
    """Of two values for one attribute none wins silently."""
    assert "age is given twice, as '30' and as '40'" in failed(learned_once[0].run("predict", "age=30", "age=40"), 2)


def test_target_that_looks_like_a_text_is_remarked(tmp_path):
    """Thousands of labels with hardly a row each are learned as told, and doubted aloud."""
    project = Project(tmp_path)
    write_csv(tmp_path / "r.csv", [(i % 7, f"letter number {i}") for i in range(2_000)], ("a", "letter"))
    project.write('name = "p"\n[extract]\nfiles = "r.csv"\n[data]\ntarget = "letter"\n[train]\ntype = "MULTICLASS"\n')
    document = project.do("learn")
    labels = document["rows"]["training"]
    assert f"letter has {labels:,} labels in {labels:,} training rows: is it a text?" in document["remarks"]


def test_prediction_needs_a_champion(tmp_path):
    """`predict` before the first `learn` exits 1 and says what to do; nothing is made."""
    project = calls_project(tmp_path)
    told = project.run("predict", "age=41", "--json")
    assert "no champion" in failed(told, 1)
    assert told.json["error"]["code"] == "NoChampion"
    assert not (tmp_path / ".understudy").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["learn", "--project", "nowhere"], "nowhere"),
        (["learn", "--wrong"], "--wrong"),
        (["gate", "nowhere.csv"], "nowhere.csv"),
        (["init", "--from", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_wrong_usage_exits_2(tmp_path, monkeypatch, words, message):
    """What was asked for wrongly is exit code 2 with its name in the message."""
    monkeypatch.chdir(tmp_path)
    told = understudy(*words)
    assert told.code in {1, 2} if words[0] == "gate" else told.code == 2
    assert message in told.err
    assert "Traceback" not in told.err


def test_wrong_key_in_the_project_file_names_the_nearest(tmp_path):
    """An unknown key stops before anything is done."""
    project = calls_project(tmp_path, more='tagret = "x"\n')
    told = project.run("learn")
    assert "tagret" in failed(told, 2)
    assert "target" in told.err


def test_dry_run_promotes_nothing(tmp_path):
    """`--dry-run` prints the verdict that would be, and leaves champion and history alone."""
    project = calls_project(tmp_path)
    dry = project.do("learn", "--dry-run")
    assert dry["verdict"]["status"] == "ADMITTED"
    assert dry["verdict"]["champion"] is None
    assert project.champion is None
    assert project.do("history")["promotions"] == []
    assert project.do("learn")["fingerprint"] == dry["fingerprint"]
    told = project.run("learn", "--dry-run")
    assert "would be ADMITTED" in told.out
    assert f"A dry run: nothing was changed; {project.champion} serves as before." in told.out


def test_require_promotion_exits_3(learned):
    """A challenger that is not admitted is a success, but for who asked otherwise."""
    refuse_equals(learned)
    told = learned.run("learn", "--require-promotion", "--json")
    assert told.code == 3
    assert told.json["verdict"]["status"] in {"REFUSED", "HELD"}
    assert set(told.json) >= LEARNED


def test_rollback_pins_until_unpin(learned):
    """`rollback` returns to the champion before; the gate's next admission is held until `unpin`."""
    first = learned.champion
    append_csv(learned.folder / "calls.csv", calls(400, seed=2, first=401))
    second = learned.do("learn")
    assert second["verdict"]["status"] == "ADMITTED"
    entry = learned.do("rollback")
    assert set(entry) == ENTRY
    assert (entry["by"], entry["champion_before"], entry["champion"]) == ("rollback", second["model_id"], first)
    held = learned.do("learn")
    assert held["verdict"]["status"] == "HELD"
    assert any("pinned" in reason for reason in held["verdict"]["reasons"])
    assert held["verdict"]["champion"] == first == learned.champion
    assert "what would settle it: `understudy unpin` lets the gate decide again" in learned.run("learn").out
    assert "COMPLETED  HELD" in learned.run("status").out
    learned.do("unpin")
    assert learned.do("learn")["verdict"]["status"] == "ADMITTED"


def test_pin_is_told_where_it_is_set_and_lifted(learned):
    """`rollback` says that it pins, and `unpin` whether there was anything to lift; --json holds the document alone."""
    assert learned.run("unpin").out.startswith("It was not pinned")
    learned.do("promote", learned.do("learn", "--dry-run")["model_id"])
    assert "Pinned: the gate holds every verdict; `understudy unpin`" in learned.run("rollback").out
    assert learned.run("unpin").out.startswith("Unpinned")
    assert learned.do("unpin")["endpoint"]["pinned"] is False


def test_rollback_without_a_former_champion_changes_nothing(learned):
    """There is nothing to go back to: exit code 1, the champion stays."""
    before = learned.champion
    assert "no former champion" in failed(learned.run("rollback"), 1)
    assert learned.champion == before


def test_promote_by_hand_prints_its_entry(learned):
    """A refused model serves when a person says so."""
    refuse_equals(learned)
    refused = learned.do("learn")
    entry = learned.do("promote", refused["model_id"])
    assert set(entry) == ENTRY
    assert (entry["by"], entry["status"], entry["champion"]) == ("promote", "ADMITTED", refused["model_id"])
    assert learned.champion == refused["model_id"]
    assert learned.do("history")["promotions"][-1] == entry


def test_three_stages_are_learn(tmp_path):
    """`extract`, `transform`, `load` make the very model that `learn` makes, and the same kind of document."""
    whole = calls_project(tmp_path / "whole").do("learn")
    staged = calls_project(tmp_path / "staged")
    extracted = staged.do("extract")
    assert extracted["rows"] == 400
    observed = staged.do("transform")
    assert observed["training"] == whole["rows"]["training"]
    loaded = staged.do("load")
    assert loaded["fingerprint"] == whole["fingerprint"]
    assert set(loaded) == set(whole)
    assert loaded["rows"] == whole["rows"]
    assert staged.champion == loaded["model_id"]


def test_stage_without_the_one_before_is_wrong_usage(tmp_path):
    """`transform` and `load` say which command is missing."""
    project = calls_project(tmp_path)
    assert "understudy extract" in failed(project.run("transform"), 2)
    project.do("extract")
    assert "understudy transform" in failed(project.run("load"), 2)


def test_stale_workspace_is_refused(tmp_path):
    """After the project file changed, earlier stages must be run again."""
    project = calls_project(tmp_path)
    project.do("extract")
    project.do("transform")
    file = tmp_path / "understudy.toml"
    file.write_text(file.read_text() + 'exclude = ["age"]\n')
    assert "changed since" in failed(project.run("load"), 2)
    project.do("transform")
    assert project.do("load")["verdict"]["status"] == "ADMITTED"
    file.write_text(file.read_text().replace('target = "answer"', 'target = "job"'))
    assert "changed since" in failed(project.run("transform"), 2)


def test_rebuild_makes_the_same_model(learned_once):
    """From its stored observations a model comes out bit for bit."""
    project, learned = learned_once
    rebuilt = project.do("rebuild", learned["model_id"])
    assert rebuilt["same"]
    assert rebuilt["rebuilt"] == learned["fingerprint"]


def test_evaluate_without_a_file_is_the_models_own_evaluation(learned_once):
    """The champion's held-out rows, judged as in its run."""
    project, learned = learned_once
    assert project.do("evaluate")["metrics"] == learned["metrics"]


def test_evaluate_judges_any_labelled_rows(learned_once, tmp_path):
    """A file of new rows gets the same figures and its own count; rows without a label are left out."""
    project, learned = learned_once
    rows = calls(200, seed=5)
    write_csv(tmp_path / "new.csv", [*rows, (*rows[0][:-1], "")])
    judged = project.do("evaluate", "--file", tmp_path / "new.csv", "--model", learned["model_id"])
    assert judged["model_id"] == learned["model_id"]
    assert judged["rows"] == 200
    assert judged["metrics"]["auc"] > 0.8
    assert project.run("evaluate", "--file", tmp_path / "new.csv").code == 0
    write_csv(tmp_path / "blind.csv", [row[:-1] for row in rows], CALLS[:-1])
    assert "answer" in failed(project.run("evaluate", "--file", tmp_path / "blind.csv"), 1)


def _init_from(tmp_path, source, *words):
    folder = tmp_path / "made"
    document = done(understudy("init", folder, "--from", source, *words, "--json"))
    assert document["target"] == "answer"
    return Project(folder)


def test_init_from_a_file_is_ready_to_learn(tmp_path):
    """`init --from FILE` guesses target and types; `learn` needs nothing more."""
    write_csv(tmp_path / "calls.csv", calls(300))
    project = _init_from(tmp_path, tmp_path / "calls.csv", "--target", "answer")
    assert project.do("learn")["verdict"]["status"] == "ADMITTED"
    assert "exists already" in failed(understudy("init", project.folder, "--from", tmp_path / "calls.csv"), 2)


def test_init_notes_that_a_header_line_may_be_missing(tmp_path):
    """Columns that are called what their cells could be were hardly given names; true names go without a word."""
    first, *others = calls(300)
    write_csv(tmp_path / "headless.csv", others, first)
    told = understudy("init", tmp_path / "a", "--from", tmp_path / "headless.csv", "--json")
    assert "header line" in told.err
    assert done(told)["next"]
    write_csv(tmp_path / "calls.csv", calls(300))
    assert understudy("init", tmp_path / "b", "--from", tmp_path / "calls.csv").err == ""


def test_init_from_sqlite_is_ready_to_learn(tmp_path):
    """The same from a database with one table."""
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute(f"create table calls ({', '.join(CALLS)})")
        connection.executemany("insert into calls values (?, ?, ?, ?, ?, ?)", calls(300))
    connection.close()
    project = _init_from(tmp_path, f"sqlite:///{tmp_path}/app.db", "--target", "answer")
    assert project.do("learn")["verdict"]["status"] == "ADMITTED"


def test_init_from_postgresql_is_ready_to_learn(tmp_path, postgresql):
    """The same from a server, whose table is named after a #."""
    postgresql.fill("id int, age int, job text, balance float8, note text, answer text", calls(300))
    project = _init_from(tmp_path, f"{postgresql.url}#{postgresql.table}", "--target", "answer")
    assert project.do("learn")["verdict"]["status"] == "ADMITTED"


def test_init_without_data_writes_a_form_to_fill_in(tmp_path):
    """Without --from there is still a valid project file."""
    told = understudy("init", tmp_path / "new", "--json")
    assert (tmp_path / "new" / "understudy.toml").exists()
    assert set(done(told)) == {"file", "next", "guesses"}


def _scores(file, challenger):
    rows = [(i % 2, 0.7 if i % 2 != (i % 5 == 0) else 0.3, challenger(i)) for i in range(600)]
    write_csv(file, rows, ("label", "champion", "challenger"))


def test_gate_admits_and_refuses_a_file_of_scores(tmp_path):
    """The gate by itself: a verdict with its interval, and exit code 0 whatever it is."""
    _scores(tmp_path / "good.csv", lambda i: 0.9 if i % 2 else 0.1)
    good = done(understudy("gate", tmp_path / "good.csv", "--rule", "better", "--json"))
    assert good["status"] == "ADMITTED"
    assert good["interval"][0] > 0
    assert good["decided_at_row"] <= 600
    _scores(tmp_path / "bad.csv", lambda i: 0.1 if i % 2 else 0.9)
    bad = done(understudy("gate", tmp_path / "bad.csv", "--json"))
    assert bad["status"] == "REFUSED"
    assert bad["reasons"]
    assert understudy("gate", tmp_path / "bad.csv").code == 0


def test_gate_refuses_rules_and_files_it_does_not_know(tmp_path):
    """A wrong rule is wrong usage; a file without scores is one clear message."""
    _scores(tmp_path / "good.csv", lambda _: 0.5)
    assert "rule" in failed(understudy("gate", tmp_path / "good.csv", "--rule", "best"), 2)
    write_csv(tmp_path / "other.csv", [(1, 2)], ("a", "b"))
    told = understudy("gate", tmp_path / "other.csv")
    assert told.code in {1, 2}
    assert failed(told, told.code)


def test_error_with_json_is_a_document_too(tmp_path):
    """With --json even a failure leaves one document on standard output."""
    told = understudy("learn", "--project", tmp_path / "none", "--json")
    assert told.code == 2
    assert set(json.loads(told.out)["error"]) == {"code", "message", "hint"}
