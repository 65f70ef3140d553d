"""The project's own function: it runs on records as extracted, each model keeps its own version, and it is row-wise."""

import runpy
import shutil
import sqlite3

import pytest

from acceptance.stage import ROOT, Project, calls_project, failed

POLICIES = ROOT / "examples" / "policies"


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """Give the example with 2,000 insurance numbers, learned once."""
    folder = tmp_path_factory.mktemp("policies")
    for file in POLICIES.iterdir():
        if file.suffix in {".toml", ".py", ".json"}:
            shutil.copy(file, folder)
    runpy.run_path(str(folder / "generate.py"))["generate"](folder / "app.db", rows=2_000)
    project = Project(folder)
    return project, project.do("learn")


def test_policies_are_told_apart_by_their_numbers(policies):
    """A hundred policies, known by a number's digits: far better than guessing, from the raw number."""
    project, learned = policies
    assert learned["model_type"] == "MULTICLASS"
    assert learned["verdict"]["status"] == "ADMITTED"
    assert learned["metrics"]["accuracy"] > 0.5 > 10 * learned["baseline"]["accuracy"]
    with sqlite3.connect(project.folder / "app.db") as connection:
        rows = connection.execute("select number, policy from insurance_numbers limit 50").fetchall()
    connection.close()
    answers = [project.answer(number=number)["label"] for number, _ in rows]
    assert sum(answer == policy for answer, (_, policy) in zip(answers, rows, strict=True)) > 30


def test_answer_to_a_number_needs_no_target(policies):
    """A record holds the number alone; the best three of a hundred policies come back."""
    project, _ = policies
    (answer,) = project.do("predict", "number=48213", "--top", 3)["predictions"]
    assert len(answer["scores"]) == 3
    assert list(answer["scores"].values()) == sorted(answer["scores"].values(), reverse=True)


FIRST = """
import pyarrow as pa

def make(batch):
    ages = [int(age or 0) for age in batch.column("age").to_pylist()]
    return batch.append_column("decade", pa.array([age // 10 for age in ages], pa.int64()))
"""
SECOND = FIRST.replace("decade", "score_of_years").replace("// 10", "* 3")


@pytest.fixture
def project(tmp_path):
    """Make calls with a function that adds an attribute."""
    (tmp_path / "features.py").write_text(FIRST)
    return calls_project(tmp_path, more='[transform]\nfunction = "features:make"\n')


def test_each_model_keeps_its_own_version_of_the_function(project):
    """After the code changed, the old model answers by its old code, bit for bit; the gate compares each by its own."""
    first = project.do("learn")["model_id"]
    before = project.answer(age=61, job="pilot")
    (project.folder / "features.py").write_text(SECOND)
    assert project.answer(age=61, job="pilot") == before
    second = project.do("learn")
    assert second["verdict"]["champion_before"] == first
    shown = [project.do("show", model) for model in (first, second["model_id"])]
    assert shown[0]["transform"] != shown[1]["transform"]
    assert shown[0]["fingerprint"] != shown[1]["fingerprint"]
    (project.folder / "features.py").unlink()
    (old,) = project.do("predict", "--model", first, "age=61", "job=pilot")["predictions"]
    (new,) = project.do("predict", "--model", second["model_id"], "age=61", "job=pilot")["predictions"]
    assert old == before
    assert new["scores"] != old["scores"]
    assert project.do("rebuild", first)["same"]


def test_changed_function_makes_the_workspace_stale(project):
    """`load` never mixes observations of one version with the code of another."""
    project.do("extract")
    project.do("transform")
    (project.folder / "features.py").write_text(SECOND)
    assert "changed since" in failed(project.run("load"), 2)
    project.do("transform")
    assert project.do("load")["verdict"]["status"] == "ADMITTED"


BROKEN = {
    "hangs on its batch": "ages = batch.column('age').to_pylist(); "
    "return batch.append_column('mean', pa.array([sum(float(a or 0) for a in ages) / len(ages)] * len(ages)))",
    "counts calls": "state.append(1); return batch.append_column('n', pa.array([len(state)] * batch.num_rows))",
    "needs the target": "return batch.append_column('leak', batch.column('answer'))",
    "drops rows": "return batch.slice(0, 1)",
    "returns nothing": "pass",
    "fails": "return batch.column('nothing')",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_function_that_breaks_its_contract_exits_2(project, body):
    """A function that is not row-wise, or fails, stops the run with one message; the champion stays."""
    champion = project.do("learn")["model_id"]
    (project.folder / "features.py").write_text(f"import pyarrow as pa\nstate = []\ndef make(batch):\n    {body}\n")
    failed(project.run("learn"), 2)
    assert project.champion == champion
    assert project.answer(age=61)["model_id"] == champion


def test_module_that_is_missing_exits_2(project):
    """No such file is wrong configuration, by name."""
    (project.folder / "features.py").unlink()
    assert "features" in failed(project.run("learn"), 2)
