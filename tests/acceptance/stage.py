"""What acceptance tests play on: the command line, in this process or as one of its own, and small seeded data sets."""

import contextlib
import csv
import gzip
import io
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from understudy.cli import run

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
BANKING = ROOT / "examples" / "banking" / "banking.csv.gz"
SCRIPT = Path(sys.executable).with_name("understudy")

CALLS = ("id", "age", "job", "balance", "note", "answer")


class Told(NamedTuple):
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one document on standard output; anything beside it is an error."""
        return json.loads(self.out)


def understudy(*words, stdin=b""):
    """Run a command in this process, as the console script does; a process of its own would cost seconds."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    err, code = io.StringIO(), 0
    source = io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin)), encoding="utf-8")
    with (
        mock.patch.object(sys, "argv", ["understudy", *map(str, words)]),
        mock.patch.object(sys, "stdin", source),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run()
        except SystemExit as stop:
            code = int(stop.code or 0)
    return Told(code, out.buffer.getvalue().decode(), err.getvalue())


def spawn(*words, **options):
    """Start a command as a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([SCRIPT, *map(str, words)], **{**pipes, **options})


def ended(process):
    """Wait for a process; return what it told."""
    out, err = process.communicate(timeout=120)
    return Told(process.returncode, out, err)


def process(*words, **options):
    """Run a command as a process of its own."""
    return ended(spawn(*words, **options))


def done(told):
    """Return the document of a command that must have succeeded."""
    assert told.code == 0, told.err
    return told.json


def failed(told, code):
    """Return the one clear message of a command that must have failed with `code`: no traceback, no own mistake."""
    assert told.code == code, told
    assert "Traceback" not in told.err
    assert "Understudy's own" not in told.err
    messages = [line for line in told.err.splitlines() if line.startswith("understudy: ")]
    assert len(messages) == 1, told.err
    return messages[0].removeprefix("understudy: ")


class Project:
    """A project folder and its commands."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, text):
        """Write the project file."""
        (self.folder / "understudy.toml").write_text(text)
        return self

    def run(self, command, *words, stdin=b""):
        """Run a command in this process."""
        return understudy(command, *words, "--project", self.folder, stdin=stdin)

    def do(self, command, *words):
        """Run a command with --json that must succeed; return its document."""
        return done(self.run(command, *words, "--json"))

    def spawn(self, command, *words, **options):
        """Start a command as a process of its own."""
        return spawn(command, *words, "--project", self.folder, **options)

    @property
    def champion(self):
        """Who serves: model id, or None."""
        champion = self.do("status")["endpoint"]["champion"]
        return champion and champion["model_id"]

    def answer(self, **record):
        """Give the champion's answer to one record."""
        (answer,) = self.do("predict", json.dumps(record))["predictions"]
        return answer

    @property
    def objects(self):
        """Names of all stored objects."""
        root = self.folder / ".understudy" / "objects"
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def calls(rows, seed=1, first=1, flip=False, drift=False):
    """Make calls of a bank: who says yes hangs on age and job; flipped labels are poison, drift is a new world."""
    chance = random.Random(seed)
    made = []
    for number in range(first, first + rows):
        age, job = chance.randint(18, 80), chance.choice(("admin", "nurse", "farmer", "pilot"))
        balance = round(chance.gauss(1000, 600), 2)
        inclined = ((age > 50) != drift) + (job in ("nurse", "pilot")) - 1.2
        yes = chance.random() < (0.92 if inclined > 0 else 0.08)
        answer = "yes" if yes != flip else "no"
        note = chance.choice(("called back", "no time", "asked for a letter", ""))
        made.append((number, age, job, balance, note, answer))
    return made


def write_csv(file, rows, names=CALLS):
    """Write rows as CSV."""
    with Path(file).open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        writer.writerows(rows)


def append_csv(file, rows):
    """Append rows to a CSV file."""
    with Path(file).open("a", newline="") as out:
        csv.writer(out).writerows(rows)


def calls_project(folder, rows=400, seed=1, more=""):
    """Make a project that learns from calls.csv."""
    project = Project(folder)
    write_csv(project.folder / "calls.csv", calls(rows, seed))
    return project.write(
        f'name = "calls"\n[extract]\nfiles = "calls.csv"\n[data]\ntarget = "answer"\nrow_id = "id"\n{more}'
    )


def banking(rows):
    """Return the names and first rows, as text, of the banking example."""
    with gzip.open(BANKING, "rt") as file:
        names, *texts = [row for row, _ in zip(csv.reader(file), range(rows + 1), strict=False)]
    return names, texts


def shared(name):
    """Return a file of the shared data sets; skips where they are not."""
    if not (SHARED / name).exists():
        pytest.skip(f"the data set {name} is not here")
    return SHARED / name
