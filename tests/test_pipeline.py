"""The pipeline in this process: what it tells its watcher, keeps, remembers and forgets."""

import gzip
import shutil

import numpy as np
import pyarrow as pa
import pytest

from acceptance.stage import ROOT, append_csv, calls, calls_project, shared, write_csv
from understudy import pipeline, training
from understudy.config import load
from understudy.errors import TrainingError, UnderstudyError
from understudy.house import House
from understudy.pipeline.observations import kept_observations
from understudy.spool import read_rows


class Watcher:
    """Writes down what the pipeline says."""

    def __init__(self):
        self.stages, self.rows, self.notes = [], {}, []

    def stage(self, name, total=None):
        """Begin a stage."""
        self.stages.append((name, total))
        self.rows[name] = 0

    def advance(self, rows):
        """Count rows."""
        self.rows[self.stages[-1][0]] += rows

    def note(self, text):
        """Keep a note."""
        self.notes.append(text)


@pytest.fixture
def project(tmp_path):
    """Give a project with 400 calls that has not learned."""
    return calls_project(tmp_path)


def test_stages_are_told_in_the_order_of_the_sentence(project):
    """Extract, transform, statistics, train, evaluate, promote; each counts its rows."""
    watcher = Watcher()
    document = pipeline.learn(load(project.folder), watcher)
    assert [name for name, _ in watcher.stages] == [
        "extract", "transform", "statistics", "train", "evaluate", "promote",
    ]  # fmt: skip
    totals = dict(watcher.stages)
    assert watcher.rows["extract"] == watcher.rows["transform"] == totals["transform"] == 400
    assert watcher.rows["train"] == totals["train"] == document["rows"]["training"]
    assert watcher.rows["evaluate"] == totals["evaluate"] == document["rows"]["evaluation"]


def test_seconds_add_up(project):
    """The total is the sum of the stages."""
    seconds = pipeline.learn(load(project.folder))["seconds"]
    assert seconds.pop("total") == pytest.approx(sum(seconds.values()))


def test_observations_are_kept_with_targets_as_1_and_0(project):
    """`load` keeps every row of the run as an object; whoever reads it gets a BINARY target as 1 and 0."""
    document = pipeline.learn(load(project.folder))
    house = House(load(project.folder))
    location = house.catalog.get(document["training_data_source_id"]).document["location"]
    assert location.startswith("uploads/")
    lineage = house.catalog.get(document["model_id"]).document["lineage"]
    with kept_observations(house.objects, location, lineage["target"]) as kept:
        rows = pa.Table.from_batches([batch for batch, _ in kept.batches()])
    assert rows.num_rows == 400
    labels = {1: "yes", 0: "no"}
    assert [labels[value] for value in rows["answer"].to_pylist()] == [row[-1] for row in calls(400)]


def test_held_out_rows_stay_held_out(project):
    """A row that was held out once is held out in every later run, whatever rows come before it."""

    def held_out():
        pipeline.learn(load(project.folder), dry_run=True)
        work = project.folder / ".understudy" / "work"
        ids = pa.Table.from_batches(list(read_rows(work / "observations.arrow"))).column("id").to_pylist()
        parts = np.fromfile(work / "parts.u8", np.uint8)
        return {row for row, part in zip(ids, parts, strict=True) if part == 1}, set(ids)

    first, known = held_out()
    write_csv(project.folder / "calls.csv", calls(300, seed=4, first=401) + calls(400))
    second, _ = held_out()
    assert first == second & known
    assert len(second) > len(first) > 80


def test_old_observations_are_forgotten_and_the_champion_kept(project):
    """`[store] keep` bounds what stays: of runs that changed nothing the last two, and whatever the champion needs."""
    champion = pipeline.learn(load(project.folder))
    file = project.folder / "understudy.toml"
    file.write_text(file.read_text() + '[promotion]\nrule = "never"\n[store]\nkeep = { runs = 2, models = 2 }\n')
    runs = [champion["run_id"]]
    for number in range(4):
        append_csv(project.folder / "calls.csv", calls(50, seed=number + 2, first=401 + 50 * number))
        runs.append(pipeline.learn(load(project.folder))["run_id"])
    house = House(load(project.folder))
    kept = [runs[0], *runs[-2:]]
    assert sorted(house.objects.iter_names("uploads/")) == sorted(f"uploads/{run}.arrows" for run in kept)
    assert len(set(house.objects.iter_names("models/"))) == 2 * len(kept)
    assert house.serving().model_id == champion["model_id"]
    assert project.do("rebuild", champion["model_id"])["same"]


def test_failed_run_is_on_record(project):
    """A run that failed is FAILED with its message, and the next one is a run of its own."""
    write_csv(project.folder / "calls.csv", [(*row[:-1], "yes") for row in calls(100)])
    with pytest.raises(UnderstudyError) as caught:
        pipeline.learn(load(project.folder))
    house = House(load(project.folder))
    (run,) = house.catalog.find("run", project="calls")
    assert (run.status, run.document["message"]) == ("FAILED", caught.value.message)
    write_csv(project.folder / "calls.csv", calls(400))
    pipeline.learn(load(project.folder))
    assert sorted(r.status for r in house.catalog.find("run", project="calls")) == ["COMPLETED", "FAILED"]


def test_another_split_or_parameters_make_another_model(project):
    """What the project file says is in the model: split, seed and parameters change the fingerprint."""
    file = project.folder / "understudy.toml"
    plain = file.read_text()
    made = set()
    for more in (
        "",
        'split = { seed = "b" }\n',
        "split = { train = 50 }\n",
        '[train]\nparameters = { "sgd.l2RegularizationAmount" = 0.01 }\n',
    ):
        file.write_text(plain + more)
        made.add(pipeline.learn(load(project.folder), dry_run=True)["fingerprint"])
    assert len(made) == 4


REAL = {
    "iris/iris.csv": ("species", "", "MULTICLASS", ("macro_f1", 0.9)),
    "seeds/seeds_dataset.csv": ("seedType", 'exclude = ["ID"]\n', "MULTICLASS", ("macro_f1", 0.85)),
    "titanic/titanic.csv": ("survived", 'schema = "titanic.csv.schema"\n', "BINARY", ("auc", 0.8)),
}


@pytest.mark.parametrize("name", REAL)
def test_real_rows_are_learned(tmp_path, name):
    """Small real data sets, with defaults: the right type of model, and clearly better than guessing."""
    target, more, kind, (metric, least) = REAL[name]
    source = shared(name)
    for file in source.parent.glob(f"{source.name}*"):
        shutil.copy(file, tmp_path)
    (tmp_path / "understudy.toml").write_text(
        f'name = "real"\n[extract]\nfiles = "{source.name}"\n[data]\ntarget = "{target}"\n{more}'
    )
    document = pipeline.learn(load(tmp_path))
    assert document["model_type"] == kind
    assert document["metrics"][metric] > least
    assert document["verdict"]["status"] == "ADMITTED"


def test_head_of_the_banking_example_is_learned(tmp_path):
    """3,000 calls of the example: who says yes is found with an AUC above 0.8."""
    with gzip.open(ROOT / "examples" / "banking" / "banking.csv.gz", "rt") as file:
        (tmp_path / "head.csv").write_text("".join(line for line, _ in zip(file, range(3_001), strict=False)))
    (tmp_path / "understudy.toml").write_text('name = "bank"\n[extract]\nfiles = "head.csv"\n[data]\ntarget = "y"\n')
    document = pipeline.learn(load(tmp_path))
    assert document["rows"]["extracted"] == 3_000
    assert document["metrics"]["auc"] > 0.8


def test_rows_of_a_run_that_learned_nothing_are_not_kept(project, monkeypatch):
    """Rows are kept while learning goes on; where it fails, they go again."""

    def failing(*_):
        raise TrainingError("nothing to learn", "Give more rows.")

    monkeypatch.setattr(training.Trainer, "finish", failing)
    with pytest.raises(TrainingError):
        pipeline.learn(load(project.folder))
    objects = House(load(project.folder)).objects
    assert not [*objects.iter_names("uploads/"), *objects.iter_names("keys/")]
