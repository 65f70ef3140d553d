"""What a command loads: it starts as quickly as what it needs, and nothing else is loaded for it."""

import gc
import subprocess
import sys

import pytest

from acceptance.stage import calls_project
from understudy.cli.options import at_work

COMMAND = """
import sys
target, sys.argv = sys.argv[1], ["understudy", *sys.argv[2:]]
from understudy.cli import main
try:
    main()
finally:
    with open(target, "w") as file:
        file.write("\\n".join(sys.modules))
"""

SERVER = """
import sys
target = sys.argv[1]
import understudy.server.serve
import understudy.server.worker
with open(target, "w") as file:
    file.write("\\n".join(sys.modules))
"""

COMPILER = {"numba", "llvmlite.binding"}
ARRAYS = {"numpy", "pyarrow"}
DATABASES = {"sqlalchemy", "psycopg", "pymysql", "adbc_driver_manager"}
SERVERS = {"uvicorn", "uvloop", "prometheus_client", "jinja2"}
SCREEN = {"rich"}
JOBS = {
    f"understudy.{name}"
    for name in (
        "pipeline",
        "service.work",
        "extract",
        "statistics",
        "inference",
        "evaluation",
        "promotion",
        "training",
    )
}


def loaded(program, target, *words):
    """Return what a program has loaded when it ends, in a process of its own: the names of modules and packages."""
    subprocess.run([sys.executable, "-c", program, target, *map(str, words)], check=True, capture_output=True)
    names = target.read_text().split()
    return {*names, *(name.partition(".")[0] for name in names)}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Give a project that has learned."""
    made = calls_project(tmp_path_factory.mktemp("loading"))
    made.do("learn")
    return made


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["learn", "--help"], ["serve", "--help"]])
def test_help_loads_nothing_of_the_house(words, tmp_path):
    """Help and version need the options alone: no library of data, databases, screens or servers, none of our own."""
    names = loaded(COMMAND, tmp_path / "names", *words)
    assert not names & {*COMPILER, *ARRAYS, *DATABASES, *SERVERS, *SCREEN, "msgspec"}
    ours = {name for name in names if name.startswith("understudy.")}
    assert {name for name in ours if not name.startswith("understudy.cli")} == {
        "understudy.errors",
        "understudy.folders",
    }


def test_keys_need_no_database(tmp_path):
    """`env` and `token` read small files, so that a shell can evaluate the one without being waited for."""
    for words in (["env"], ["token"]):
        names = loaded(COMMAND, tmp_path / "names", *words, "--project", tmp_path)
        assert not names & {*COMPILER, *ARRAYS, *DATABASES, *SERVERS, *SCREEN}


@pytest.mark.parametrize("command", ["status", "history", "show"])
def test_looking_needs_no_model(command, project, tmp_path):
    """Who looks into the catalog loads no model, and none of the libraries that a model needs."""
    words = [project.champion] if command == "show" else []
    names = loaded(COMMAND, tmp_path / "names", command, *words, "--project", project.folder)
    assert not names & {*COMPILER, *ARRAYS, *SERVERS, "understudy.model", "understudy.pipeline"}


def test_record_is_answered_without_the_compiler(project, tmp_path):
    """A single record is scored by plain Python: no kernel, no way of reading files or databases, is loaded for it."""
    names = loaded(COMMAND, tmp_path / "names", "predict", "age=30", "--project", project.folder)
    assert "understudy.model" in names
    assert not names & {*COMPILER, *SERVERS, "understudy.extract", "understudy.pipeline", "understudy.statistics"}


def test_worker_loads_what_answers(tmp_path):
    """Before workers are forked all is loaded that an answer needs: no compiler, no page about the API, no jobs."""
    names = loaded(SERVER, tmp_path / "names")
    assert names >= {"uvicorn.lifespan.off", "understudy.server.rest.routes"}
    assert not names & {*COMPILER, *SCREEN, *JOBS, "jinja2", "pyarrow.compute", "pymysql", "adbc_driver_manager"}


def test_process_of_jobs_loads_what_computes_with_the_first_job(tmp_path):
    """A server that does no jobs holds nothing of what they need but the list of their kinds."""
    names = loaded(SERVER.replace("import understudy.server.worker", "import understudy.server.runner"), tmp_path / "n")
    assert "understudy.service.work" in names
    assert not names & {*COMPILER, *SCREEN, *(JOBS - {"understudy.service.work"})}


def test_garbage_is_looked_for_once_work_begins(tmp_path):
    """While a command loads, Python does not look for garbage; from where work begins it does, but not in all that."""
    gc.disable()
    try:
        at_work()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.enable()
        gc.unfreeze()
    tell = COMMAND.replace('"\\n".join(sys.modules)', "str(__import__('gc').isenabled())")
    for words, looking in ((["--help"], "False"), (["status", "--project", tmp_path], "True")):
        run = [sys.executable, "-c", tell, tmp_path / "looking", *map(str, words)]
        subprocess.run(run, check=True, capture_output=True)
        assert (tmp_path / "looking").read_text() == looking
