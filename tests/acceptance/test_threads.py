"""What threads must not change: what is learned, where a function runs, how a command ends."""

import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from acceptance.stage import Project, calls, ended, failed, write_csv


def _numbers(rows):
    """Two numbers, one of which is missing now and then, and what hangs on them."""
    rng = np.random.default_rng(1)
    x, z = rng.normal(size=rows), rng.normal(size=rows)
    y = 3 * x - 2 * z + rng.normal(size=rows) / 10
    return {
        "x": np.round(x, 4).tolist(),
        "z": [None if n < 0.1 else round(v, 4) for n, v in zip(rng.random(rows), z, strict=True)],
        "y": np.round(y, 4).tolist(),
    }


@pytest.mark.parametrize("split", ['{ strategy = "sequential", train = 60 }', '{ strategy = "stable", train = 70 }'])
def test_numbers_are_learned_alike_from_csv_and_parquet(tmp_path, split):
    """Several batches, the last without training rows or not: the numbers are learned, and from any source alike."""
    columns = _numbers(150_000)
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table(columns), tmp_path / "data" / "rows.parquet", row_group_size=20_000)
    lines = zip(*([("" if cell is None else cell) for cell in column] for column in columns.values()), strict=True)
    text = "\n".join(",".join(map(str, line)) for line in lines)
    (tmp_path / "data" / "rows.csv").write_text(f"x,z,y\n{text}\n")
    found = []
    for kind in ("csv", "parquet"):
        project = Project(tmp_path / kind)
        (project.folder / "recipe.json").write_text('{"groups": {}, "assignments": {}, "outputs": ["x", "z"]}')
        project.write(
            f'name = "{kind}"\n[extract]\nfiles = "../data/rows.{kind}"\n[transform]\nrecipe = "recipe.json"\n'
            f'[data]\ntarget = "y"\nsplit = {split}\n'
        )
        found.append(project.do("learn"))
        assert project.do("rebuild", found[-1]["model_id"])["same"]
    assert found[0]["metrics"]["rmse"] < 1
    assert found[0]["fingerprint"] == found[1]["fingerprint"]


def test_every_second_row_without_a_target_leaves_enough_to_learn_from(tmp_path):
    """A sample for recipes is one of training rows, however those without a target lie among them."""
    project = Project(tmp_path / "panel")
    lines = [f"{n % 97},{'' if n % 2 else (n % 97) * 2}" for n in range(210_000)]
    (project.folder / "rows.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    project.write(
        'name = "panel"\n[extract]\nfiles = "rows.csv"\n[data]\ntarget = "y"\n'
        'split = { strategy = "random", train = 70 }\n[train]\ntype = "REGRESSION"\n'
    )
    document = project.do("learn")
    assert document["rows"]["training"] > 70_000
    assert document["metrics"]["rmse"] < 10


def test_function_may_be_bound_to_the_thread_that_loaded_it(tmp_path):
    """A function with a connection of its own, which no other thread may use, learns, judges and predicts."""
    project = Project(tmp_path / "bound")
    write_csv(project.folder / "calls.csv", calls(300))
    (project.folder / "features.py").write_text(
        "import sqlite3\nimport pyarrow as pa\n"
        "known = sqlite3.connect(':memory:')\n"
        "def looked_up(batch):\n"
        "    (one,) = known.execute('select 1').fetchone()\n"
        "    return batch.append_column('one', pa.array([one] * batch.num_rows, pa.int64()))\n"
    )
    project.write(
        'name = "bound"\n[extract]\nfiles = "calls.csv"\n[transform]\nfunction = "features:looked_up"\n'
        '[data]\ntarget = "answer"\nrow_id = "id"\n'
    )
    assert project.do("learn")["verdict"]["status"] == "ADMITTED"


@pytest.mark.parametrize("name", ["parts.u8", "keys.u64", "sample.parquet"])
def test_full_disk_is_named_wherever_it_is_met(tmp_path, name):
    """Each file between the stages that cannot be written is named, with what to do, and is no mistake of ours."""
    project = Project(tmp_path / "full")
    write_csv(project.folder / "calls.csv", calls(300))
    project.write('name = "full"\n[extract]\nfiles = "calls.csv"\n[data]\ntarget = "answer"\nrow_id = "id"\n')
    work = project.folder / ".understudy" / "work"
    work.mkdir(parents=True)
    (work / name).symlink_to("/dev/full")
    message = failed(project.run("learn"), 1)
    assert name in message
    assert "space" in message


@pytest.mark.parametrize("deaf", ["", "trap '' TERM; "])
@pytest.mark.parametrize(
    "what", ["{deaf}echo $$ > started; exec sleep 60", "echo a,b; ({deaf}sleep 60) & echo $! > started"]
)
def test_interrupt_ends_a_command_and_what_it_left_behind(tmp_path, what, deaf):
    """Ctrl-C ends a command that has not told its columns, or what holds its output after its end; deaf or not."""
    project = Project(tmp_path / "slow")
    project.write(f'name = "slow"\n[extract]\ncommand = "{what.format(deaf=deaf)}"\n[data]\ntarget = "b"\n')
    learning, started = project.spawn("learn", "--quiet"), project.folder / "started"
    while not (started.exists() and started.read_text().endswith("\n")):
        assert learning.poll() is None
        time.sleep(0.05)
    time.sleep(0.5)  # until the command is waited for, and not just begun; or is gone
    learning.send_signal(signal.SIGINT)
    assert ended(learning).code == 130
    assert not Path("/proc", started.read_text().strip()).exists()


def test_one_interrupt_ends_learning_while_a_source_is_silent(tmp_path):
    """Ctrl-C while the source gives nothing: the command ends within seconds, not when the source does."""
    project = Project(tmp_path / "slow")
    project.write(
        'name = "slow"\n[extract]\ncommand = "echo a,b; yes 1,2 | head -400000; sleep 60"\n[data]\ntarget = "b"\n'
    )
    learning = project.spawn("learn", "--quiet")
    time.sleep(2.5)
    began = time.monotonic()
    learning.send_signal(signal.SIGINT)
    told = ended(learning)
    assert told.code != 0
    assert time.monotonic() - began < 20
