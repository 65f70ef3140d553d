"""What a person sees: whole, aligned, readable without colour, at 80 columns and at 120."""

from __future__ import annotations

import copy
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from understudy.inference import infer
from understudy.screen import charts, learned, stages, tables, words

LEARNED = {
    "run_id": "run-1",
    "project": "policies",
    "rows": {"extracted": 20_000, "training": 14_012, "evaluation": 5_988, "rejected": 0},
    "model_id": "ml-7f3a9c21d0b4",
    "model_type": "MULTICLASS",
    "metrics": {"macro_f1": 0.91, "accuracy": 0.93, "log_loss": 0.21},
    "baseline": {"macro_f1": 0.01},
    "verdict": {
        "status": "ADMITTED",
        "reasons": ["The first model beats the baseline."],
        "champion_before": None,
        "champion": "ml-7f3a9c21d0b4",
    },
    "endpoint": {"name": "policies", "url": "http://127.0.0.1:8080"},
    "seconds": {"extract": 0.4, "transform": 0.0, "train": 1.1, "total": 1.5},
}


def rendered(shown: RenderableType, width: int = 80, **options: object) -> str:
    """Return what a console without colour prints."""
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, color_system=None, **options).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def a_run(**changes: object) -> dict[str, object]:
    return {**copy.deepcopy(LEARNED), **changes}


def test_learn_summary_holds_every_fact_of_the_document():
    """Rows, metrics beside the baseline, verdict, reasons, champion and time are all there."""
    text = rendered(learned.learn_summary(LEARNED))
    for fact in ("20,000 rows", "14,012 training", "5,988 evaluation", "0.9100", "0.0100", "ADMITTED", "1.5 s"):
        assert fact in text
    assert "The first model beats the baseline." in text
    assert "ml-7f3a9c21d0b4 serves now, the first champion." in text


def test_learn_summary_shows_intervals_where_there_are_some():
    """A 95 % interval stands beside its metric, and no empty column where none was computed."""
    text = rendered(learned.learn_summary(a_run(intervals={"macro_f1": [0.902, 0.918]})))
    assert "0.9020 to 0.9180" in text
    assert "interval" not in rendered(learned.learn_summary(LEARNED))


@pytest.mark.parametrize(
    ("status", "champion", "sentence"),
    [
        ("REFUSED", "ml-old", "ml-old goes on serving."),
        ("HELD", "ml-old", "ml-old goes on serving."),
        ("ADMITTED", "ml-7f3a9c21d0b4", "ml-7f3a9c21d0b4 serves now, in place of ml-old."),
    ],
)
def test_learn_summary_says_who_serves_after_each_verdict(status: str, champion: str, sentence: str):
    """Whatever the verdict, the reader learns which model answers from now on."""
    verdict = {"status": status, "reasons": [], "champion_before": "ml-old", "champion": champion}
    assert sentence in rendered(learned.learn_summary(a_run(verdict=verdict)))


def test_learn_summary_says_that_nobody_serves_after_a_first_refusal():
    """A first model below the baseline leaves no champion, and that is said."""
    verdict = {"status": "REFUSED", "reasons": [], "champion_before": None, "champion": None}
    assert "Nobody serves yet." in rendered(learned.learn_summary(a_run(verdict=verdict)))


def test_verdict_says_what_would_settle_it():
    """Whoever is held reads what to do or to wait for under the reasons, and nothing where there is nothing."""
    verdict = {"status": "HELD", "reasons": ["too few rows"], "champion_before": "ml-old", "champion": "ml-old"}
    held = a_run(verdict=verdict | {"what_would_settle": "more held-out rows"})
    assert "too few rows\n  what would settle it: more held-out rows\n" in rendered(learned.learn_summary(held))
    assert "what would settle it: more held-out rows" in rendered(
        learned.gate_panel({**held["verdict"], "champion": 0.9})
    )
    assert "settle" not in rendered(learned.learn_summary(a_run(verdict=verdict | {"what_would_settle": None})))


def test_dry_run_says_what_would_be_and_that_nothing_was_changed():
    """A verdict that was not carried out does not read as if it were."""
    verdict = {"status": "ADMITTED", "reasons": ["better"], "champion_before": "ml-old", "champion": "ml-old"}
    text = rendered(learned.learn_summary(a_run(verdict=verdict), dry_run=True))
    assert "would be ADMITTED  ml-7f3a9c21d0b4" in text
    assert "A dry run: nothing was changed; ml-old serves as before." in text


@pytest.mark.parametrize("width", [80, 120])
def test_notes_break_between_words_beside_their_heading(width: int):
    """A long note is wrapped at blanks, its further lines indented as far as its first."""
    remark = "weekday: CATEGORICAL, seven different values which a learner had better take as such " * 3
    out = io.StringIO()
    document = a_run(remarks=[remark], alerts=[{"message": remark}])
    learned.print_learned(Console(file=out, width=width, highlight=False), document)
    noted = out.getvalue().split("note: ")[1].rstrip().splitlines()
    assert len(noted) > 1
    assert all(line.startswith("      ") for line in noted[1:])
    assert " ".join(" ".join(noted).split()) == remark.strip()
    assert max(map(len, out.getvalue().splitlines())) <= width


def test_label_with_a_line_break_stays_on_its_line():
    """What data holds is shown as it is spelled in code where it would break a line or move the cursor."""
    verdict = {"status": "HELD", "reasons": ["labels yes\nno, \x1b[2J"], "champion_before": None, "champion": None}
    document = a_run(verdict=verdict, remarks=["labels 'a\tb'"])
    out = io.StringIO()
    learned.print_learned(Console(file=out, width=80, highlight=False), document)
    assert "  labels yes\\nno, \\x1b[2J " in out.getvalue()
    assert "note: labels 'a\\tb'" in out.getvalue()
    predicted = {"predictions": [{"label": "yes\nno", "scores": {"yes\nno": 1.0}}]}
    assert "yes\\nno" in rendered(tables.predictions_table(predicted))
    assert "yes\\nno" in rendered(charts.heat_map([[1, 0], [0, 1]], ["yes\nno", "b"], {}))


def test_export_lines_need_somebody_who_serves():
    """There is nothing to paste where nobody would answer."""
    verdict = {"status": "REFUSED", "reasons": [], "champion_before": None, "champion": None}
    out = io.StringIO()
    learned.print_learned(Console(file=out, width=80), a_run(verdict=verdict))
    assert "export" not in out.getvalue()


def test_export_lines_stay_whole_on_a_narrow_terminal():
    """The two lines to paste are never wrapped or cut, however long the address."""
    url = "https://understudy.example.org/" + "a" * 100
    out = io.StringIO()
    document = a_run(endpoint={"name": "policies", "url": url})
    learned.print_learned(Console(file=out, width=40, highlight=False), document)
    assert out.getvalue().splitlines()[-2:] == [
        "export AWS_ML_MODEL_ID=policies",
        f"export AWS_ML_PREDICTION_URL={url}",
    ]


def test_errors_of_a_regression_are_written_in_the_unit_of_the_target():
    """An RMSE of 29,853.25 dollars is not drowned in decimals, an R2 keeps four."""
    text = rendered(learned.learn_summary(a_run(model_type="REGRESSION", metrics={"rmse": 29853.25, "r2": 0.8361})))
    assert "29,853\n" in text + "\n"
    assert "0.8361" in text


def test_heat_map_puts_the_most_frequent_class_first_and_shares_into_cells():
    """Each cell is the share of its true class in per cent, readable without colour, with rows and F1 beside."""
    shown = charts.heat_map([[8, 2], [5, 95]], ["rare", "usual"], {"rare": {"f1": 0.7}, "usual": {"f1": 0.964}})
    lines = rendered(shown).splitlines()
    assert lines[-2].split() == ["usual", "95", "5", "100", "0.964"]
    assert lines[-1].split() == ["rare", "20", "80", "10", "0.700"]


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 150), st.sampled_from([80, 120]), st.integers(0, 9))
def test_heat_map_fits_any_number_of_classes(classes: int, width: int, seed: int):
    """From two classes to more than a hundred the map fits the terminal and accounts for every row."""
    counts = np.random.default_rng(seed).integers(0, 40, (classes, classes))
    labels = [f"class number {place}" for place in range(classes)]
    lines = rendered(charts.heat_map(counts.tolist(), labels, {}), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert sum(int(line.split()[-1].replace(",", "")) for line in lines[3:]) == counts.sum()


def test_heat_map_marks_right_and_wrong_in_different_colours():
    """On a colour terminal the diagonal and the confusions are shaded apart, and little shares not at all."""
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system="truecolor")
    console.print(charts.heat_map([[60, 38, 2], [0, 9, 0], [0, 0, 1]], ["a", "b", "c"], {}))
    row = next(line for line in out.getvalue().splitlines() if line.startswith("a"))
    assert row.count("\x1b[30;48;2;") == 2


def test_score_histogram_sets_ones_against_zeros():
    """Each bin of the score shows the actual 0s on the left and the actual 1s on the right, best scores on top."""
    lines = rendered(charts.score_histogram([1, 3], [40, 2])).splitlines()
    assert lines[1].split()[0] == "2"
    assert lines[1].split()[-1] == "3"
    assert lines[2].split()[0] == "40"
    assert lines[2].count("█") > lines[1].count("█")


def test_residual_histogram_says_which_side_is_too_low():
    """A positive residual is a prediction that was too low, and the picture says so."""
    lines = rendered(charts.residual_histogram([-10, -2, 2, 10], [1, 5, 3])).splitlines()
    assert ["too high" in lines[1], "exact" in lines[2], "too low" in lines[3]] == [True] * 3


def test_roc_of_a_perfect_model_leaves_chance_below():
    """The curve of a model that separates everything runs along the top, the one of chance along the dots."""
    perfect = rendered(charts.roc([(0, 0), (0, 1), (1, 1)], 1.0)).splitlines()
    chance = rendered(charts.roc([(0, 0), (1, 1)], 0.5))
    assert perfect[1].count("*") == 41
    assert "." not in chance.split("across")[0].replace("0.5000", "").replace("0.0", "").replace("1.0", "")


def test_bars_need_no_blocks_where_the_terminal_has_none():
    """A terminal that cannot show block characters gets number signs."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=out, width=80, highlight=False).print(
        tables.predictions_table({"predictions": [{"label": "a", "scores": {"a": 0.5, "b": 0.5}}]})
    )
    out.seek(0)
    assert out.read().count("##########") == 2


def test_predictions_show_the_best_scores_of_each_record():
    """Each record has its label and as many scores as asked for, best first; a regression has its value."""
    document = {
        "predictions": [{"label": "b", "scores": {"a": 0.2, "b": 0.7, "c": 0.1}}, {"label": "c", "scores": {"c": 1.0}}]
    }
    lines = rendered(tables.predictions_table(document, top=2)).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["1", "b", "0.7000"],
        ["a", "0.2000", lines[2].split()[2]],
        ["2", "c", "1.0000"],
    ]
    assert "215,000" in rendered(tables.predictions_table({"predictions": [{"value": 215_000.0}]}))


def test_history_lists_refusals_with_reasons_and_who_went_on():
    """Every promotion stands with its time, origin, verdict and reasons, refusals included."""
    entry = {"at": "2026-11-08T03:00:00+00:00", "by": "learn", "model_id": "ml-2", "status": "REFUSED"}
    entry |= {"reasons": ["AUC fell by 0.04."], "champion_before": "ml-1", "champion": "ml-1"}
    text = rendered(tables.history_table({"promotions": [entry]}))
    for fact in ("2026-11-08 03:00 UTC", "learn", "REFUSED", "ml-2", "AUC fell by 0.04.", "ml-1 goes on serving."):
        assert fact in text
    assert "No promotions yet" in rendered(tables.history_table({"promotions": []}))


def test_status_shows_ids_whole_and_the_fingerprint_on_one_line():
    """What is copied from a screen is there whole; where a fingerprint has no room, its beginning is, on one line."""
    champion = {
        "model_id": "ml-1",
        "fingerprint": "sha256:" + "ab" * 32,
        "since": "2026-11-01T03:00:00Z",
        "metrics": {"auc": 0.937},
    }
    document = {
        "endpoint": {"name": "policies", "champion": champion, "challenger": None},
        "last_run": None,
        "next_run": None,
    }
    assert champion["fingerprint"] in rendered(tables.status_panel(document), 120)
    text = rendered(tables.status_panel(document))
    assert "sha256:abababababab…\n" in text
    for fact in ("policies", "ml-1", "2026-11-01 03:00 UTC", "0.9370", "none", "not scheduled"):
        assert fact in text


def test_status_tells_the_verdict_of_the_last_run():
    """COMPLETED alone does not say whether the challenger was let in."""
    document = {
        "endpoint": {"name": "policies", "champion": None},
        "last_run": {"run_id": "run-2", "status": "COMPLETED", "verdict": "HELD", "at": "2026-11-08T03:00:00Z"},
    }
    assert "COMPLETED  HELD  run-2" in rendered(tables.status_panel(document))
    document["last_run"] |= {"verdict": "ADMITTED", "model_id": "ml-2"}
    assert "COMPLETED  ADMITTED, but does not serve  run-2" in rendered(tables.status_panel(document), 120)
    document["endpoint"]["champion"] = {"model_id": "ml-2"}
    assert "COMPLETED  ADMITTED  run-2" in rendered(tables.status_panel(document))


def test_short_lists_of_records_are_shown_and_long_ones_counted():
    """Alerts, rejected lines and a 2 x 2 matrix stand there in full; what is longer is counted."""
    document = {
        "alerts": [{"code": "rows", "message": "few rows"}],
        "rejected_samples": [
            {"file": "a.csv", "line": 1_200, "reason": "3 fields where 7 are expected", "text": "a,b,c"},
            {"file": "rows", "line": 17, "reason": "no answer", "text": ""},
        ],
        "matrix": [[20, 3], [4, 31]],
        "parts": [{"part_name": "a", "rows": 3}],
        "calibration": [{"score": 0.1}] * 15,
    }
    lines = rendered(tables.show_object(document)).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines[1:]] == [
        "few rows",
        "a.csv line 1,200: 3 fields where 7 are expected",
        "row 17 of those read: no answer",
        "20, 3",
        "4, 31",
        "part name a, rows 3",
        "15 entries",
    ]


def test_any_object_is_shown_whole():
    """Nested fields are indented under their names; nothing is an unread brace."""
    document = {
        "kind": "data_source",
        "id": "ds-1",
        "rows": 12_345,
        "split": {"train": 70, "seed": ""},
        "files": ["a", "b"],
        "x": None,
    }
    text = rendered(tables.show_object(document))
    for fact in ("data source", "ds-1", "12,345", "train", "70", "a, b", "none"):
        assert fact in text
    assert "{" not in text


def test_gate_panel_shows_the_interval_and_where_it_was_reached():
    """The gate by itself says verdict, interval and the row that decided it."""
    document = {
        "status": "HELD",
        "reasons": ["Too few rows."],
        "metric": "auc",
        "interval": [-0.02, 0.03],
        "decided_at_row": 1200,
    }
    text = rendered(learned.gate_panel(document))
    for fact in ("HELD", "Too few rows.", "-0.0200 to 0.0300", "1,200"):
        assert fact in text


def test_guesses_show_the_target_then_the_doubtful_columns():
    """What somebody should check comes first, each with its reason."""
    sample = pa.table({"a": ["1.5", "2.5", "3.5"] * 20, "b": ["x"] * 60, "y": ["no", "yes"] * 30})
    lines = rendered(tables.guesses_table(infer(sample, target="y"), "by its name"), 120).splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["target", "y"], ["look", "b"], ["a", "NUMERIC"]]


def test_insights_put_what_tells_most_first():
    """Attributes are listed by how much they say about the target."""
    attributes = [
        {
            "name": "age",
            "type": "NUMERIC",
            "missing": 3,
            "correlation": 0.04,
            "minimum": 17,
            "maximum": 98,
            "median": 38,
        },
        {"name": "outcome", "type": "CATEGORICAL", "distinct": 3, "correlation": 0.31, "most_frequent": "none"},
    ]
    lines = rendered(tables.insights_table(attributes), 120).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["outcome", "age"]
    assert "17 to 98, median 38" in lines[2]


def _clock() -> object:
    ticks = iter(range(100))
    return lambda: float(next(ticks))


def watched(**options: object) -> tuple[stages.Stages, io.StringIO]:
    out = io.StringIO()
    return stages.Stages(Console(file=out, width=80, highlight=False), clock=_clock(), **options), out


def test_stages_say_one_plain_line_each_off_a_terminal():
    """In a log each stage is one line with its rows and seconds, without bars or escape signs."""
    stages, out = watched()
    with stages:
        stages.stage("extract", total=20_000)
        stages.advance(20_000)
        stages.stage("train")
        stages.note("the query has no order by")
    assert out.getvalue().splitlines() == [
        "extract              20,000 rows   1.0 s",
        "note: the query has no order by",
        "train                              1.0 s",
    ]


def test_stage_that_fails_says_how_far_it_came():
    """After an error the last line tells which stage stopped, and the error goes on."""
    stages, out = watched()
    stages.stage("extract")
    stages.advance(7)
    with pytest.raises(ValueError, match="broken"), stages:
        raise ValueError("broken")
    assert out.getvalue().split() == ["extract", "7", "rows", "stopped", "after", "1.0", "s"]


def test_quiet_stages_say_nothing():
    """With --quiet neither stages nor notes are printed."""
    stages, out = watched(quiet=True)
    with stages:
        stages.stage("extract")
        stages.note("anything")
    assert out.getvalue() == ""


def test_console_off_a_terminal_is_plain_and_wide(monkeypatch):
    """A pipe gets no colour and enough columns for a table."""
    monkeypatch.delenv("COLUMNS", raising=False)
    out = io.StringIO()
    words.make_console(out).print(learned.gate_panel({"status": "ADMITTED", "reasons": ["word " * 22]}))
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()[1].split()) == 22


def test_failed_run_says_why():
    """Whoever asks for the status after a bad night reads what went wrong."""
    document = {
        "endpoint": {"name": "policies", "champion": None, "challenger": None},
        "last_run": {
            "run_id": "run-2",
            "status": "FAILED",
            "message": "calls.csv is empty",
            "at": "2026-11-08T03:00:00Z",
        },
    }
    lines = rendered(tables.status_panel(document)).splitlines()
    place = next(place for place, line in enumerate(lines) if "run-2" in line)
    assert lines[place + 1].strip() == "calls.csv is empty"


@pytest.mark.parametrize(("by", "said"), [("promote", "PROMOTED"), ("rollback", "ROLLED BACK"), ("learn", "ADMITTED")])
def test_history_tells_a_hand_from_the_gate(by: str, said: str):
    """What a person did by hand is not called admitted."""
    entry = {"at": "2026-11-08T03:00:00Z", "by": by, "model_id": "ml-2", "status": "ADMITTED", "reasons": []}
    assert f"{by:<9} {said:<11}  ml-2" in rendered(tables.history_table({"promotions": [entry]}))


def test_report_without_a_kind_is_called_by_its_caller():
    """A stage's report has its stage's name, not "object"."""
    assert rendered(tables.show_object({"rows": 3}, "extract")).splitlines()[0] == "extract"


def test_zero_has_no_sign():
    """A difference that rounds to nothing is not shown as less than nothing."""
    assert "-0.0000" not in rendered(
        learned.gate_panel({"status": "HELD", "reasons": [], "metric": "auc", "difference": -1e-9})
    )


def test_piped_output_is_as_wide_as_columns_says_and_ends_no_line_in_blanks(monkeypatch: pytest.MonkeyPatch):
    """COLUMNS holds for files and pipes, too, and what fills up a terminal's line stays out of them."""
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    console = words.make_console(out)
    console.print(tables.show_object({"kind": "model", "id": "ml-1", "a": "b", "long": "word " * 40}))
    lines = out.getvalue().splitlines()
    assert console.width == 60
    assert "b" in out.getvalue()
    assert all(line == line.rstrip() and len(line) <= 60 for line in lines)
