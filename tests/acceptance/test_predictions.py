"""Predictions as they are promised: records and files, any column order, unknown and missing attributes."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from acceptance.stage import CALLS, Project, calls, done, failed, write_csv

RECORD = {"id": 7, "age": 60, "job": "nurse", "balance": 250.5, "note": "no time"}


def test_one_record_gets_label_and_both_scores(learned_once):
    """A label, a score for each of both labels, who answered, and no id where nothing is kept."""
    project, learned = learned_once
    answer = project.answer(**RECORD)
    assert set(answer) == {"label", "scores", "model_id", "prediction_id"}
    assert answer["label"] == "yes"
    assert set(answer["scores"]) == {"yes", "no"}
    assert abs(sum(answer["scores"].values()) - 1) < 1e-9
    assert answer["model_id"] == learned["model_id"]
    assert answer["prediction_id"] is None


def test_words_and_json_are_the_same_record(learned_once):
    """KEY=VALUE words answer as the JSON object does, to the last bit."""
    project, _ = learned_once
    words = [f"{key}={value}" for key, value in RECORD.items()]
    assert project.do("predict", *words)["predictions"] == [project.answer(**RECORD)]


def test_target_may_be_absent_or_present(learned_once):
    """The label of a record changes nothing about its answer, and is not reported as unknown."""
    project, _ = learned_once
    told = project.run("predict", json.dumps({**RECORD, "answer": "no"}), "--json")
    assert done(told)["predictions"] == [project.answer(**RECORD)]
    assert "note:" not in told.err


def test_unknown_attributes_are_ignored_and_reported(learned_once):
    """What the model never saw changes nothing, and is named on standard error."""
    project, _ = learned_once
    told = project.run("predict", json.dumps({**RECORD, "shoe_size": 43}), "--json")
    assert done(told)["predictions"] == [project.answer(**RECORD)]
    assert "shoe_size" in told.err


def test_missing_attributes_count_as_empty(learned_once):
    """A record may lack attributes; null and absent are the same."""
    project, _ = learned_once
    assert project.answer(job="nurse") == project.answer(job="nurse", age=None, note="")


def test_word_for_a_number_is_named(learned_once):
    """A NUMERIC attribute that holds a word is refused with its name and value."""
    project, _ = learned_once
    message = failed(project.run("predict", "age=old"), 1)
    assert "'age'" in message
    assert "'old'" in message


@pytest.mark.parametrize("words", [[], ["nonsense"], ["=3"], ["{broken"], ["[1]"], ["age=1", "--top", "0"]])
def test_record_that_is_none_is_wrong_usage(learned_once, words):
    """What cannot be read as a record exits 2."""
    told = learned_once[0].run("predict", *words)
    assert told.code == 2
    assert "Traceback" not in told.err


def test_top_keeps_the_best(learned_once):
    """`--top 1` gives the likeliest class alone."""
    project, _ = learned_once
    (answer,) = project.do("predict", json.dumps(RECORD), "--top", 1)["predictions"]
    assert list(answer["scores"]) == [answer["label"]]


def test_any_model_may_be_asked(learned):
    """`--model` asks another model than the champion."""
    first = learned.champion
    write_csv(learned.folder / "calls.csv", calls(800))
    second = learned.do("learn")["model_id"]
    asked = [
        learned.do("predict", "age=60", "--model", model)["predictions"][0]["model_id"] for model in (first, second)
    ]
    assert asked == [first, second]


@pytest.fixture
def rows(tmp_path):
    """Give the same 50 unlabelled records as CSV, Parquet and JSON lines."""
    records = [row[:-1] for row in calls(50, seed=9)]
    write_csv(tmp_path / "rows.csv", records, CALLS[:-1])
    columns = dict(zip(CALLS[:-1], map(list, zip(*records, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    lines = [json.dumps(dict(zip(CALLS[:-1], record, strict=True))) for record in records]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def _answers(project, file):
    return project.do("predict", "--file", file)["predictions"]


def test_file_is_answered_like_its_records(learned_once, rows):
    """CSV, Parquet and JSON lines hold the same records: the same answers, in order, as one by one."""
    project, _ = learned_once
    expected = [project.answer(**json.loads(line)) for line in (rows / "rows.jsonl").read_text().splitlines()[:5]]
    answers = [_answers(project, rows / name) for name in ("rows.csv", "rows.parquet", "rows.jsonl")]
    assert len(answers[0]) == 50
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][:5] == expected


def _read(file):
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text().splitlines()]
    return (pq.read_table(file) if file.suffix == ".parquet" else pa.csv.read_csv(file)).to_pylist()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.jsonl"])
def test_answers_go_to_a_file(learned_once, rows, name):
    """`--output` writes one row for each record, with the row id, the label and every score."""
    project, learned = learned_once
    told = project.run("predict", "--file", rows / "rows.csv", "--output", rows / name, "--json")
    assert done(told) == {"rows": 50, "output": str(rows / name), "model_id": learned["model_id"]}
    written, answers = _read(rows / name), _answers(project, rows / "rows.csv")
    assert [row["label"] for row in written] == [answer["label"] for answer in answers]
    if name == "out.jsonl":
        assert written == answers
        return
    assert [int(row["id"]) for row in written] == list(range(1, 51))
    for row, answer in zip(written, answers, strict=True):
        assert row["score:yes"] == pytest.approx(answer["scores"]["yes"], abs=1e-9)


def test_file_of_one_records_answer_has_columns_for_the_best(learned_once, rows):
    """With `--top` a CSV has the best labels and scores side by side."""
    project, _ = learned_once
    told = project.run("predict", "--file", rows / "rows.csv", "--output", rows / "best.csv", "--top", 2)
    assert told.code == 0
    assert list(_read(rows / "best.csv")[0]) == ["id", "label", "score", "label_2", "score_2"]


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl"])
def test_dash_reads_standard_input_and_writes_standard_output(learned_once, rows, name):
    """`--file - --output -` is a filter: records in, JSON lines out."""
    project, _ = learned_once
    told = project.run("predict", "--file", "-", "--output", "-", stdin=(rows / name).read_bytes())
    assert told.code == 0
    assert [json.loads(line) for line in told.out.splitlines()] == _answers(project, rows / name)


def test_columns_may_come_in_any_order(learned_once, rows):
    """Columns are known by name; unknown and missing ones are noted."""
    project, _ = learned_once
    with (rows / "rows.csv").open() as file:
        records = list(csv.DictReader(file))
    out = io.StringIO()
    writer = csv.DictWriter(out, ["extra", *reversed(CALLS[:-1])])
    writer.writeheader()
    writer.writerows({**record, "extra": "x"} for record in records)
    (rows / "mixed.csv").write_text(out.getvalue())
    told = project.run("predict", "--file", rows / "mixed.csv", "--json")
    assert done(told)["predictions"] == _answers(project, rows / "rows.csv")
    assert "extra" in told.err


def test_broken_lines_of_a_file_are_noted(learned_once, rows):
    """A line that cannot be read gets no answer, and is named with its number."""
    project, _ = learned_once
    with (rows / "rows.csv").open("a") as file:
        file.write("1,2,3,4,5,6,7,8\n")
    told = project.run("predict", "--file", rows / "rows.csv", "--json")
    assert len(done(told)["predictions"]) == 50
    assert "line 52" in told.err


def test_file_and_record_together_are_wrong_usage(learned_once, rows):
    """One of them must go."""
    assert "--file" in failed(learned_once[0].run("predict", "age=1", "--file", rows / "rows.csv"), 2)


def test_output_that_cannot_be_written_is_one_message(learned_once, rows):
    """A folder that is not there: exit code 1, and no half-made file."""
    project, _ = learned_once
    told = project.run("predict", "--file", rows / "rows.csv", "--output", rows / "none" / "out.csv")
    assert "cannot be written" in failed(told, 1)


def test_prediction_changes_nothing(learned, rows):
    """Not one byte of the project changes by predicting."""

    def state():
        return {str(p): p.read_bytes() for p in sorted(learned.folder.rglob("*")) if p.is_file()}

    before = state()
    _answers(learned, rows / "rows.csv")
    learned.answer(**RECORD)
    assert state() == before


def test_scores_rank_new_calls(learned_once, tmp_path):
    """The answers are worth something: three of four unseen calls are labelled rightly."""
    project, _ = learned_once
    unseen = calls(300, seed=77)
    write_csv(tmp_path / "new.csv", [row[:-1] for row in unseen], CALLS[:-1])
    answers = _answers(Project(project.folder), tmp_path / "new.csv")
    right = sum(answer["label"] == row[-1] for answer, row in zip(answers, unseen, strict=True))
    assert right > 225
