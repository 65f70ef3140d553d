"""What all benchmarks share: fresh processes, contenders that take turns, ratios of pairs, tables, kept results.

How a figure comes about. Every contender, Understudy among them, is a process of its own, started anew in each round;
its time and memory are what the kernel charges it with (`wait4`), start and imports included. Contenders take turns,
A B C A B C, so that whatever else the machine does meets all of them alike. A ratio is formed within a round, from
neighbours, and what is told is the median of the rounds with the least and the greatest. Absolute times hang on the
machine and the hour; ratios are worth quoting.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
RESULTS = BENCH / "results"
PEERS = ROOT / ".venv-bench" / "bin"
"""Where the peers are installed: their pins are not the product's."""
PLAIN = ROOT / ".venv-plain"
"""Where the product is installed as users have it: Numba loads SciPy, cffi and YAML wherever tests brought them."""
OUR_PYTHON = PLAIN / "bin" / "python" if (PLAIN / ".runtime").exists() else Path(sys.executable)
UNDERSTUDY = OUR_PYTHON.with_name("understudy")
OURS = "understudy"
"""What the names of our own contenders begin with: a benchmark without them is none."""
OURS_RUN_ON = ("understudy", "numpy", "numba", "pyarrow", "uvicorn")
PEERS_ARE = ("vowpalwabbit", "scikit-learn", "river", "polars", "mlflow", "fastapi", "numpy")

Figures = dict[str, float]
"""What one contender's one turn gave, by the names of quantities."""


# Fresh processes -----------------------------------------------------------------------------------------------------


class Failed(Exception):
    """A command did not end well; says its last words."""


class Spent(NamedTuple):
    """What a process cost, and what it printed."""

    wall: float
    """Seconds from its start to its end."""
    cpu: float
    """Seconds of processor, its own and the kernel's for it, over all threads."""
    peak_mib: float
    """The most memory it held at a time; of several processes, the largest one's."""
    printed: str

    @property
    def figures(self) -> Figures:
        """Wall, CPU and peak memory."""
        return {"wall": self.wall, "cpu": self.cpu, "peak_mib": self.peak_mib}

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document that it printed, after whatever else it said."""
        document: dict[str, Any] = json.loads(self.printed[self.printed.index("{") :])
        return document


def spend(*command: object, folder: Path | None = None) -> Spent:
    """Run a command as a fresh process; raises Failed where it does not end with 0."""
    with tempfile.TemporaryDirectory(prefix="understudy-spent-") as aside:
        charged, out, err = (Path(aside) / name for name in ("charged.json", "out", "err"))
        launcher = [sys.executable, "-I", "-S", BENCH / "launch.py", charged, *command]
        with out.open("wb") as told, err.open("wb") as complained:
            words = [str(word) for word in launcher]
            done = subprocess.run(words, stdout=told, stderr=complained, cwd=folder, env=environment(), check=False)
        if done.returncode:
            raise Failed(_last_words(err.read_text(errors="replace")) or f"{command[0]} ended without a word")
        return Spent(**json.loads(charged.read_text()), printed=out.read_text())


def _last_words(text: str) -> str:
    """Return the last two lines that say something."""
    return " ".join([line.strip() for line in text.splitlines() if line.strip()][-2:])


def environment() -> dict[str, str]:
    """Return what contenders see: every library may use both cores, and OpenBLAS the kernels that fit the processor.

    Kernels lie apart from those of the tests: two environments would compile them anew in turns.
    """
    threads = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores()))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # or the product alone, installed by a link, is compiled anew
    kernels = {"NUMBA_CACHE_DIR": str(PLAIN / "kernels")} if OUR_PYTHON.is_relative_to(PLAIN) else {}
    return {**inherited, **threads, **kernels}


def cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def warm(folder: Path) -> None:
    """Let the product compile its kernels, once per machine: that is not what is measured."""
    file = folder / "warm" / "clicks.csv"
    file.parent.mkdir()
    spend(sys.executable, BENCH / "clicks.py", file, "--rows", 30_000)
    spend(UNDERSTUDY, "learn", "--quiet", "--project", project(file, "clicked"))


def project(file: Path, target: str, more: str = "") -> Path:
    """Write a project file beside a CSV, at its default but for the target; return the folder."""
    text = f'name = "{file.stem}"\n[extract]\nfiles = "{file.name}"\n[data]\ntarget = "{target}"\n{more}'
    (file.parent / "understudy.toml").write_text(text)
    return file.parent


# Turns ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """One run of one benchmark: what was asked, where, and every figure of every round."""

    benchmark: str
    sizes: dict[str, int]
    quick: bool
    at: str = ""
    machine: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    loads: list[float] = field(default_factory=list)
    """The machine's load average before each round: how quiet it was."""
    figures: dict[str, list[Figures]] = field(default_factory=dict)
    """By contender, the figures of each round, in order: those of one place are a pair."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What is the same in every round."""
    absent: dict[str, str] = field(default_factory=dict)
    """Contenders that could not be measured, and why."""

    def take_turns(self, rounds: int, contenders: Mapping[str, Callable[[], Figures]]) -> None:
        """Let each contender have its turn in each round; one that fails is out, and the reason is kept."""
        for number in range(1, rounds + 1):
            self.loads.append(round(os.getloadavg()[0], 2))
            for name, turn in contenders.items():
                if name in self.absent:
                    continue
                _whisper(f"round {number} of {rounds}: {name}")
                try:
                    self.figures.setdefault(name, []).append(turn())
                except Failed as failure:
                    if name.startswith(OURS):
                        sys.exit(f"{name} failed: {failure}")
                    self.absent[name] = str(failure)
                    self.figures.pop(name, None)
        _whisper("")

    def all_of(self, contender: str, quantity: str) -> list[float]:
        """Return a quantity in each round; none where the contender was not measured."""
        return [figures[quantity] for figures in self.figures.get(contender, []) if quantity in figures]

    def ratios(self, quantity: str, contender: str, to: str, of: str = "") -> list[float]:
        """Divide a contender's quantity by another's (`of`, if it is called otherwise there), round by round."""
        return pairwise(self.all_of(contender, quantity), self.all_of(to, of or quantity))


def _whisper(text: str) -> None:
    """Tell a person on a terminal what is going on; the next word takes its place."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def pairwise(ours: Sequence[float], others: Sequence[float]) -> list[float]:
    """Divide what belongs together; rounds that only one of the two has are left out."""
    return [one / other for one, other in zip(ours, others, strict=False)]


class Spread(NamedTuple):
    """What is told of several rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Sum up at least one value."""
        return cls(statistics.median(values), min(values), max(values))


def percentile(ascending: Sequence[float], share: float) -> float:
    """Return the value that this share of all values does not exceed (nearest rank)."""
    return ascending[max(0, math.ceil(len(ascending) * share) - 1)]


# Tables --------------------------------------------------------------------------------------------------------------


class Table(NamedTuple):
    """Rows under a header; cells are text already."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Sentences below it."""

    @property
    def markdown(self) -> str:
        """The table as Markdown, its first column to the left, the others to the right."""
        lines = [self.header, ["---", *["--:"] * (len(self.header) - 1)], *self.rows]
        text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        notes = "\n".join(f"- {note}" for note in self.notes)
        return f"**{self.title}**\n\n{text}\n" + (f"\n{notes}\n" if notes else "")


class Bar(NamedTuple):
    """A line of the plot: how many times Understudy's cost a peer has, in each round."""

    group: str
    name: str
    times: Sequence[float]


def told(values: Sequence[float], digits: int | None = None) -> str:
    """Write a median with its spread; nothing where nothing was measured."""
    if not values:
        return ""
    median, least, greatest = Spread.of(values)
    middle, low, high = (number(value, digits) for value in (median, least, greatest))
    return middle if low == high else f"{middle} ({low} to {high})"


def number(value: float, digits: int | None = None) -> str:
    """Write a number with as many digits as it deserves: about three."""
    if digits is None:
        digits = next((digits for limit, digits in ((100, 0), (10, 1), (1, 2), (0.1, 3)) if abs(value) >= limit), 4)
    return f"{value:,.{digits}f}"


def absences(run: Run, names: Mapping[str, str]) -> list[str]:
    """Say who was not measured, and why."""
    return [f"{names.get(name, name)}: not measured, {reason}" for name, reason in run.absent.items()]


# Results -------------------------------------------------------------------------------------------------------------


class Size(NamedTuple):
    """A number that a benchmark may be asked for, and what it is for `--quick`."""

    usual: int
    quick: int
    help: str


def begin(benchmark: str, description: str | None, **sizes: Size) -> Run:
    """Read the command line; return a run that nothing has been measured for."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="small sizes: to see that it works, not to measure")
    for name, size in sizes.items():
        said = f"{size.help} ({size.usual:,}; {size.quick:,} with --quick)"
        options.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=said)
    asked = vars(options.parse_args())
    if not PEERS.exists():
        sys.exit(f"the peers are not installed in {PEERS.parent.name}: `make bench` does that")
    chosen = {name: asked[name] or (size.quick if asked["quick"] else size.usual) for name, size in sizes.items()}
    return Run(benchmark, chosen, asked["quick"], _now(), _machine(), _versions())


def perform(
    benchmark: str,
    description: str | None,
    measure: Callable[[Run, Path], None],
    tables: Callable[[Run], Sequence[Table]],
    **sizes: Size,
) -> None:
    """Be a benchmark's command: measure in a folder that goes afterwards, print, keep."""
    run = begin(benchmark, description, **sizes)
    with tempfile.TemporaryDirectory(prefix="understudy-bench-", ignore_cleanup_errors=True) as folder:
        measure(run, Path(folder))
    conclude(run, tables(run))


def conclude(run: Run, tables: Sequence[Table]) -> None:
    """Keep the run as a line of its benchmark's file, and print the tables."""
    file = results(quick=run.quick) / f"{run.benchmark}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as kept:
        kept.write(json.dumps(_rounded(dataclasses.asdict(run))) + "\n")
    for table in tables:
        print(f"\n{table.markdown}", flush=True)


def latest(benchmark: str, *, quick: bool = False) -> Run | None:
    """Return the last run that was kept; None where there is none."""
    file = results(quick=quick) / f"{benchmark}.jsonl"
    return Run(**json.loads(file.read_text().splitlines()[-1])) if file.exists() else None


def results(*, quick: bool) -> Path:
    """Return where results are kept; quick ones apart, and not for git."""
    return RESULTS / "quick" if quick else RESULTS


def _rounded(value: Any) -> Any:
    """Keep six digits of every number: more says nothing, and the files are kept for ever."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


def _now() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _machine() -> dict[str, Any]:
    said = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(": ")[2] for line in said if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": processor,
        "cores": cores(),
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


def _versions() -> dict[str, str]:
    """Tell the versions of the product, with its commit, and of all peers."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, check=False, capture_output=True)
    theirs, ours = _installed(PEERS / "python", PEERS_ARE), _installed(OUR_PYTHON, OURS_RUN_ON)
    return {**theirs, **ours, "commit": commit.stdout.decode().strip()}


def _installed(python: Path, names: Sequence[str]) -> dict[str, str]:
    """Tell the versions of packages where a Python is."""
    code = f"from importlib.metadata import version; print(*map(version, {names!r}))"
    told = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(names, told, strict=True))
