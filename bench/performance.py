"""Write what was measured into docs/performance.md, and draw it: tables between markers, docs/performance.svg.

    .venv/bin/python bench/performance.py [--quick]

Nothing is measured here. The last run of every benchmark is taken from bench/results; what was never run is said to be
so. `--quick` shows the last quick runs on standard output, and writes nothing. The table of nanoseconds is made of
bench/results/nanoseconds.json, which `bench/nanoseconds.py` writes:

    {"at": "2026-11-26", "rows": 1000000, "measured": "how, in a sentence",
     "stages": [{"stage": "tokenise", "ns": 71, "floor": 40, "floor_is": "reading each byte once"}]}
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

import commands
import csv_to_model
import many_classes
import one_record
import scaling
import serving
from measuring import ROOT, Bar, Run, Table, latest, number, results
from plot import draw

PAGE, PLOT = ROOT / "docs" / "performance.md", ROOT / "docs" / "performance.svg"
UNMEASURED = "*Not measured yet.*\n"


class Benchmark(Protocol):
    """What every benchmark's module has."""

    NAME: str
    TITLE: str

    def tables(self, run: Run) -> list[Table]:
        """Say what a run found."""

    def bars(self, run: Run) -> list[Bar]:
        """Return what of it is drawn."""


BENCHMARKS = [
    cast("Benchmark", module) for module in (csv_to_model, many_classes, one_record, scaling, commands, serving)
]


class Stage(NamedTuple):
    """One thing that is done to every row."""

    stage: str
    ns: float
    """Nanoseconds per row."""
    floor: float | None = None
    """What it could not do without."""
    floor_is: str = ""


def fill(page: str, sections: dict[str, str]) -> str:
    """Put each section's text between its markers, `<!-- name -->` and `<!-- /name -->`; raises KeyError for others."""

    def filled(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n\n{sections[found[1]].strip()}\n\n<!-- /{found[1]} -->"

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- /\1 -->", filled, page, flags=re.DOTALL)


def section(benchmark: Benchmark, run: Run | None) -> str:
    """Write a benchmark's tables, and when they were measured."""
    if run is None:
        return UNMEASURED
    return "\n".join([*(table.markdown for table in benchmark.tables(run)), _when(run)])


def _when(run: Run) -> str:
    loads = f"load average before its rounds {min(run.loads):.2f} to {max(run.loads):.2f}" if run.loads else ""
    return f"<sub>{run.at}, commit {run.versions['commit']}, {loads}.</sub>\n"


def machine(runs: Sequence[Run]) -> str:
    """Say where and with what the latest run was made."""
    if not runs:
        return UNMEASURED
    run = max(runs, key=lambda run: run.at)
    said, versions = run.machine, dict(run.versions)
    commit = versions.pop("commit")
    where = f"{said['processor']}, {said['cores']} cores, {said['memory_gib']} GiB, {said['system']}"
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"{where}, Python {said['python']}. Understudy at {commit}. {named}.\n"


def nanoseconds(document: dict[str, Any] | None) -> str:
    """Write where each nanosecond per row goes, next to what it could not do without."""
    if document is None:
        return UNMEASURED
    stages = [Stage(**each) for each in document["stages"]]
    whole = sum(stage.ns for stage in stages)
    rows = [
        [
            each.stage,
            number(each.ns, 0),
            number(each.ns / whole * 100, 0),
            "" if each.floor is None else number(each.floor, 0),
            "" if not each.floor else number(each.ns / each.floor, 1),
            each.floor_is,
        ]
        for each in stages
    ]
    header = ("stage", "ns per row", "%", "floor", "times its floor", "the floor is")
    table = Table(f"{document['rows']:,} rows", header, [*rows, ["all", number(whole, 0), "100", "", "", ""]])
    return f"{document['measured']}\n\n{table.markdown}\n<sub>{document['at']}.</sub>\n"


def _nanoseconds_kept() -> dict[str, Any] | None:
    file = results(quick=False) / "nanoseconds.json"
    return cast("dict[str, Any]", json.loads(file.read_text())) if file.exists() else None


def main() -> None:
    """Write page and plot, or show quick runs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="show the quick runs instead, and write nothing")
    quick = options.parse_args().quick
    runs = {benchmark.NAME: latest(benchmark.NAME, quick=quick) for benchmark in BENCHMARKS}
    measured = [run for run in runs.values() if run is not None]
    sections = {benchmark.NAME: section(benchmark, runs[benchmark.NAME]) for benchmark in BENCHMARKS}
    sections |= {"machine": machine(measured), "nanoseconds": nanoseconds(_nanoseconds_kept())}
    page = fill(PAGE.read_text(), sections)
    bars = [bar for each in BENCHMARKS if (run := runs[each.NAME]) is not None for bar in each.bars(run)]
    if quick:
        print(page)
        return
    PAGE.write_text(page)
    PLOT.write_text(draw(bars))


if __name__ == "__main__":
    main()
