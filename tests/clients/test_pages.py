"""What the pages show of clients is what the examples hold, and runs."""

import re
import shutil
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import pytest

from acceptance.stage import SCRIPT
from clients.conftest import absent, need, need_ruby

pytestmark = pytest.mark.xdist_group("clients")

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "amazon-ml"
SDK = Path(__file__).with_name("javascript") / "node_modules"
SNIPPETS = sorted({*EXAMPLES.glob("predict.*"), EXAMPLES / "older.py"})


def _shown(page):
    """Return all blocks of code of a page."""
    return re.findall(r"^```\w*\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="package")
def _policies(server, rows):
    """Let a model answer for the policies, as the snippets take for granted."""
    s3, ml = server.client("s3"), server.client("machinelearning")
    s3.create_bucket(Bucket="policies")
    for file in ("policies.csv", "policies.csv.schema"):
        s3.upload_file(str(rows / file), "policies", file)
    where = {
        "DataLocationS3": "s3://policies/policies.csv",
        "DataSchemaLocationS3": "s3://policies/policies.csv.schema",
    }
    ml.create_data_source_from_s3(DataSourceId="ds-policies", DataSpec=where, ComputeStatistics=True)
    ml.create_ml_model(
        MLModelId="ml-policies",
        MLModelName="policies",
        MLModelType="MULTICLASS",
        TrainingDataSourceId="ds-policies",
        Parameters={"sgd.shuffleType": "auto"},
    )
    often = {"Delay": 1, "MaxAttempts": 60}
    ml.get_waiter("ml_model_available").wait(FilterVariable="Name", EQ="policies", WaiterConfig=often)
    ml.create_realtime_endpoint(MLModelId="ml-policies")


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda file: file.name)
def test_page_shows_the_snippet_as_it_is(snippet):
    """docs/amazon-ml.md shows every snippet word for word."""
    assert snippet.read_text() in _shown("docs/amazon-ml.md")


@pytest.mark.usefixtures("_policies")
@pytest.mark.parametrize(
    ("snippet", "told"),
    [("predict.py", "Quarry"), ("older.py", "READY 200"), ("predict.mjs", "Quarry 200"), ("predict.rb", "Quarry true")],
)
def test_snippet_runs(snippet, told, run, tmp_path):
    """A snippet gets its answer from this server."""
    file = EXAMPLES / snippet
    if file.suffix == ".mjs":
        file = _beside_the_sdk(file, tmp_path)
    program = {".py": partial(str, sys.executable), ".mjs": partial(need, "node", "make clients"), ".rb": need_ruby}[
        file.suffix
    ]()
    assert run(program, file).split() == told.split()


@pytest.mark.usefixtures("_policies")
def test_shell_snippet_runs(run):
    """The shell's snippet gets its answer from this server."""
    need(SCRIPT.with_name("aws"), "pip install awscli")
    path = f"{SCRIPT.parent}:/usr/bin:/bin"
    assert run("sh", "-eu", EXAMPLES / "predict.sh", PATH=path).split() == ["Quarry"]


def test_readme_shows_the_article_and_what_it_prints():
    """README shows the article's calls word for word; they give the figures that stand there."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "run.py"], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    code = re.search(r"# --- begin.*?\n(.*)^ +# --- end", (EXAMPLES / "article.py").read_text(), re.M | re.S)[1]
    shown = "".join(_shown("README.md"))
    assert textwrap.dedent(code) in shown
    metric = re.search(r"'BinaryAUC': '(0\.\d{3})", done.stdout)[1]
    assert f"'BinaryAUC': '{metric}" in shown


def _beside_the_sdk(file, folder):
    """Copy a module to where it finds the SDK."""
    if not SDK.is_dir():
        absent("the SDK for JavaScript is not here: make clients")
    (folder / "node_modules").symlink_to(SDK)
    return Path(shutil.copy(file, folder))
