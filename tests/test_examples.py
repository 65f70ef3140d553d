"""The examples run, from their own folders, as they are shipped."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"

WEEK = re.compile(r"^ +\d+  2,060 +\d+% +(0\.\d{3}) +(0\.\d{3})  (\w+)", re.MULTILINE)
"""Week, calls, share of yes; accuracy of champion and first model; verdict."""


def _ran(example, folder, *words):
    """Run an example in a copy of its folder; return what it printed."""
    shutil.copytree(EXAMPLES / example, folder, ignore=shutil.ignore_patterns(".understudy", "app.db", "__pycache__"))
    done = subprocess.run(
        [sys.executable, folder / "run.py", *words], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def banking(tmp_path_factory):
    """Return what the first two weeks of the bank print."""
    return _ran("banking", tmp_path_factory.mktemp("examples") / "banking", "--weeks", "2")


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    """Return what the policies print."""
    return _ran("policies", tmp_path_factory.mktemp("examples") / "policies")


@pytest.mark.xdist_group("banking")
def test_banking_learns_between_the_weeks(banking):
    """In the first week the champion is the first model; every week ends with a verdict about the next one."""
    first, second = WEEK.findall(banking)
    assert first[0] == first[1]
    assert {first[2], second[2]} <= {"ADMITTED", "REFUSED", "HELD", "below"}


@pytest.mark.xdist_group("banking")
def test_banking_ends_with_metrics_verdict_and_export_lines(banking):
    """The last screen is that of `learn`: how good, who serves, and the two lines to paste."""
    last = banking[banking.rindex("$ understudy learn") :]
    assert re.search(r"^Area under the ROC curve +0\.\d{4}", last, re.MULTILINE)
    assert re.search(r"^(ADMITTED|REFUSED|HELD)  ml-\w+$", last, re.MULTILINE)
    assert last.endswith("export AWS_ML_MODEL_ID=banking\nexport AWS_ML_PREDICTION_URL=http://127.0.0.1:8080\n")


@pytest.mark.xdist_group("policies")
def test_policies_are_neither_trivial_nor_hopeless(policies):
    """The mean F1 of the hundred policies says that a model is of use there and still errs."""
    assert 0.8 < float(re.search(r"^Mean F1 of the classes +(0\.\d+)", policies, re.MULTILINE)[1]) < 0.95


@pytest.mark.xdist_group("policies")
def test_policies_find_the_policy_of_a_typed_number_among_three(policies):
    """The policy that the customer has is one of the three likeliest."""
    asked, answered = policies.split("A new customer of ")[1].split(" types ")
    assert asked in answered
