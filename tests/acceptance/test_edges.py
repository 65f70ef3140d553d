"""What happens at the edges: links and devices, shared stores, schema files, labels and types that change."""

import csv
import json
import sqlite3
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.stage import CALLS, Project, append_csv, calls, calls_project, done, failed, write_csv

SCHEMA = {
    "version": "1.0",
    "targetAttributeName": "answer",
    "rowId": "id",
    "dataFormat": "CSV",
    "dataFileContainsHeader": False,
    "attributes": [
        {"attributeName": "id", "attributeType": "CATEGORICAL"},
        {"attributeName": "age", "attributeType": "NUMERIC"},
        {"attributeName": "job", "attributeType": "CATEGORICAL"},
        {"attributeName": "balance", "attributeType": "NUMERIC"},
        {"attributeName": "note", "attributeType": "CATEGORICAL"},
        {"attributeName": "answer", "attributeType": "BINARY"},
    ],
}


@pytest.fixture
def headerless(tmp_path):
    """Give a project whose file has no header line and whose target and row id stand in the schema file alone."""
    project = Project(tmp_path / "bare")
    with (project.folder / "calls.csv").open("w", newline="") as out:
        csv.writer(out).writerows(calls(300))
    (project.folder / "calls.schema").write_text(json.dumps(SCHEMA))
    return project.write('name = "bare"\n[extract]\nfiles = "calls.csv"\n[data]\nschema = "calls.schema"\n')


def test_target_and_row_id_may_stand_in_the_schema_file_alone(headerless):
    """The row id of the schema file keys the split, and its target is in no row's key."""
    assert headerless.do("extract")["keyed_by"] == ["id"]
    assert headerless.do("learn")["rows"]["extracted"] == 300


def test_headerless_rows_are_predicted_and_evaluated_by_the_schemas_names(headerless):
    """A file without a header line gets an answer for every line, the first one too."""
    headerless.do("learn")
    file = headerless.folder / "calls.csv"
    assert len(headerless.do("predict", "--file", file)["predictions"]) == 300
    assert headerless.do("evaluate", "--file", file)["rows"] == 300


def test_file_without_any_known_column_is_refused(learned, tmp_path):
    """Rows that share no column with the model get an error, not one answer for all."""
    write_csv(tmp_path / "other.csv", [(1, 2)], ("length", "width"))
    assert "'length'" in failed(learned.run("predict", "--file", tmp_path / "other.csv"), 1)


def test_odd_cells_of_a_file_are_counted_aloud(learned, tmp_path):
    """Texts in a NUMERIC column count as missing, and the command says how many they were."""
    write_csv(tmp_path / "odd.csv", [(1, "abc", "nurse"), (2, 40, "pilot")], ("id", "age", "job"))
    told = learned.run("predict", "--file", tmp_path / "odd.csv", "--json")
    assert len(told.json["predictions"]) == 2
    assert "1 cells of NUMERIC attributes" in told.err


def test_output_is_written_through_a_link(learned, tmp_path):
    """A link stays a link, and what it points to gets the answers."""
    target, link = tmp_path / "real.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    link.symlink_to(target)
    learned.do("predict", "--file", learned.folder / "calls.csv", "--output", link)
    assert link.is_symlink()
    assert len(target.read_text().splitlines()) == 400


def test_output_never_replaces_its_own_input(learned):
    """Reading and writing one file is refused before anything is touched."""
    file = learned.folder / "calls.csv"
    before = file.read_bytes()
    failed(learned.run("predict", "--file", file, "--output", file), 2)
    assert file.read_bytes() == before


def test_output_of_an_unknown_ending_is_refused(learned, tmp_path):
    """No CSV hides under the name of a spreadsheet."""
    failed(learned.run("predict", "--file", learned.folder / "calls.csv", "--output", tmp_path / "a.xlsx"), 2)
    assert not (tmp_path / "a.xlsx").exists()


def test_quiet_predictions_say_nothing_beside_the_answers(learned, tmp_path):
    """--quiet silences notes and counts alike."""
    out = tmp_path / "a.csv"
    told = learned.run("predict", "--file", learned.folder / "calls.csv", "--output", out, "--quiet")
    assert (told.code, told.out, told.err) == (0, "", "")


def test_evaluation_gives_the_function_its_trained_types(tmp_path):
    """Rows of a CSV file judge a model whose function learned from a database's numbers."""
    project = Project(tmp_path / "typed")
    database = sqlite3.connect(project.folder / "app.db")
    database.execute("create table calls (id integer, age integer, job text, balance real, note text, answer text)")
    database.executemany("insert into calls values (?, ?, ?, ?, ?, ?)", calls(300))
    database.commit()
    (project.folder / "features.py").write_text(
        "import pyarrow.compute as pc\n"
        "def twice(batch):\n"
        "    return batch.append_column('double', pc.add(batch.column('age'), batch.column('age')))\n"
    )
    project.write(
        'name = "typed"\n[extract]\nurl = "sqlite:///app.db"\nquery = "select * from calls order by id"\n'
        '[transform]\nfunction = "features:twice"\n[data]\ntarget = "answer"\nrow_id = "id"\n'
    )
    project.do("learn")
    write_csv(tmp_path / "labelled.csv", calls(100, seed=5))
    assert project.do("evaluate", "--file", tmp_path / "labelled.csv")["rows"] == 100


def test_fraction_in_a_column_of_integers_is_not_cut(tmp_path):
    """A number that was whole in training and is not any more is read as it is."""
    project = Project(tmp_path / "whole")
    rows = [(number, number % 2, "yes" if number % 2 else "no") for number in range(300)]
    table = pa.Table.from_pylist([dict(zip(("id", "rate", "answer"), row, strict=True)) for row in rows])
    pq.write_table(table, project.folder / "whole.parquet")
    project.write(
        'name = "whole"\n[extract]\nfiles = "whole.parquet"\n[data]\ntarget = "answer"\nrow_id = "id"\n'
        '[data.types]\nrate = "NUMERIC"\n'
    )
    project.do("learn")
    pq.write_table(pa.table({"id": [1], "rate": [0.9]}), tmp_path / "one.parquet")
    (by_file,) = project.do("predict", "--file", tmp_path / "one.parquet")["predictions"]
    assert by_file["label"] == "yes"


def test_another_spelling_of_a_label_is_the_same_label(tmp_path):
    """One `Yes` among thousands of yes and no changes neither the labels nor the gate."""
    project = calls_project(tmp_path / "spelled")
    project.do("learn")
    append_csv(project.folder / "calls.csv", [(9001, 60, "nurse", 10.0, "", "Yes")])
    document = project.do("learn")
    assert document["rows"]["rejected"] == 0
    assert document["verdict"]["looks"]["pooled"] is not None
    assert set(project.answer(age=60, job="nurse")["scores"]) == {"yes", "no"}


def test_another_question_is_held_with_the_way_out(tmp_path):
    """A target that turned from numbers to many more is said to be another question, and a person may promote it."""
    project = Project(tmp_path / "turned")
    rows = [(number, number % 7, number % 20) for number in range(400)]
    write_csv(project.folder / "n.csv", rows, ("id", "x", "y"))
    project.write('name = "turned"\n[extract]\nfiles = "n.csv"\n[data]\ntarget = "y"\nrow_id = "id"\n')
    first = project.do("learn", "--dry-run")
    assert first["model_type"] == "MULTICLASS"
    project.do("promote", first["model_id"])
    append_csv(project.folder / "n.csv", [(number, number % 7, number % 40) for number in range(400, 800)])
    verdict = project.do("learn")["verdict"]
    assert verdict["status"] == "HELD"
    assert "another question" in verdict["reasons"][0]
    assert "understudy promote" in verdict["what_would_settle"]


def test_projects_that_share_a_store_never_delete_each_others_models(tmp_path):
    """A champion outlives the clearing up of another project that once made the same model."""
    shared = (
        f'[store]\ncatalog = "sqlite:///{tmp_path}/c.db"\nobjects = "{tmp_path}/objects"\n'
        "keep = { runs = 1, models = 1 }\n"
    )
    one, two = (calls_project(tmp_path / name, more=shared) for name in ("one", "two"))
    two.write((two.folder / "understudy.toml").read_text().replace('name = "calls"', 'name = "others"'))
    one.do("learn", "--dry-run")
    two.do("learn")
    before = two.answer(age=60, job="nurse")
    write_csv(one.folder / "calls.csv", calls(350, seed=2))
    one.do("learn", "--dry-run")
    assert two.answer(age=60, job="nurse") == before


def test_rows_without_a_target_are_counted_and_shown(tmp_path):
    """Rejected rows are named by number, so that somebody can look them up."""
    project = calls_project(tmp_path / "gaps")
    append_csv(project.folder / "calls.csv", [(9001, 60, "nurse", 10.0, "", "")])
    document = project.do("learn")
    assert document["rows"]["rejected"] == 1
    assert document["rejected_samples"][0]["line"] == 401


def test_vanished_column_stops_the_extract_stage(learned):
    """The stage refuses before it writes anything, so no later stage can go on with the rows."""
    rows = [(row[0], row[1], *row[3:]) for row in calls(400)]
    write_csv(learned.folder / "calls.csv", rows, (*CALLS[:2], *CALLS[3:]))
    assert "'job'" in failed(learned.run("extract"), 1)
    failed(learned.run("transform"), 2)


def test_column_that_is_meant_to_vanish_goes_by_hand(learned):
    """A renamed column is an accident to `learn`; a dry run makes a model without it, and a person lets that serve."""
    write_csv(learned.folder / "calls.csv", calls(400), (*CALLS[:3], "balances", *CALLS[4:]))
    told = learned.run("learn")
    assert "'balance'" in failed(told, 1)
    assert "`understudy learn --dry-run`" in told.err
    before, dry = learned.champion, learned.run("learn", "--dry-run", "--json")
    assert "no longer gives 'balance'" in dry.err
    assert learned.champion == before
    learned.do("promote", done(dry)["model_id"])
    assert learned.do("learn")["verdict"]["status"] == "ADMITTED"


def test_misspelt_names_are_caught_early(tmp_path):
    """A misspelt row id stops the extract; a misspelt exclusion does not let a column slip in."""
    project = calls_project(tmp_path / "misspelt")
    text = (project.folder / "understudy.toml").read_text()
    project.write(text.replace('row_id = "id"', 'row_id = "idd"'))
    assert "'idd'" in failed(project.run("extract"), 2)
    project.write(text + 'exclude = ["balanc"]\n')
    assert "'balanc'" in failed(project.run("learn"), 2)


def test_column_with_the_reserved_name_is_refused(tmp_path):
    """A column called as our own is an error of the data with a name, and the run is marked FAILED."""
    project = calls_project(tmp_path / "reserved")
    write_csv(project.folder / "calls.csv", calls(100), (*CALLS[:4], "__part__", CALLS[5]))
    assert "__part__" in failed(project.run("learn"), 1)
    assert project.do("status")["last_run"]["status"] == "FAILED"


def test_killed_run_is_not_shown_as_under_way(tmp_path):
    """A run whose process is gone reads FAILED, whatever its last word was."""
    project = calls_project(tmp_path / "killed", rows=3000)
    process = project.spawn("learn", "--quiet")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        told = project.run("status", "--json")  # the catalog is being made
        if told.code == 0 and (told.json["last_run"] or {}).get("status") == "INPROGRESS":
            break
    process.kill()
    process.communicate()
    last = project.do("status")["last_run"]
    assert last["status"] == "FAILED"
    assert "interrupted" in last["message"]


def test_target_far_from_zero_keeps_its_digits(tmp_path):
    """A target such as a time in seconds is learned as well as the same target counted from 0."""
    errors = []
    for offset in (0, 1_700_000_000):
        project = Project(tmp_path / str(offset))
        rows = [(number, number % 11, offset + 10 * (number % 11) + (number * 7919 % 13) / 6) for number in range(600)]
        write_csv(project.folder / "t.csv", rows, ("id", "x", "y"))
        project.write('name = "t"\n[extract]\nfiles = "t.csv"\n[data]\ntarget = "y"\nrow_id = "id"\n')
        errors.append(project.do("learn")["metrics"]["rmse"])
    assert errors[1] == pytest.approx(errors[0], rel=0.05)


def test_row_id_that_is_not_there_is_not_missed(learned, tmp_path):
    """Only what an answer hangs on is called missing; a row id is no feature."""
    write_csv(tmp_path / "new.csv", [row[1:5] for row in calls(3)], CALLS[1:5])
    told = learned.run("predict", "--file", tmp_path / "new.csv", "--json")
    assert len(told.json["predictions"]) == 3
    assert "lack" not in told.err
