"""What Understudy promises, shown: one small table per promise.

    .venv/bin/python bench/shows.py [sources] [kills] [stages] [rebuild] [rows]      all of them where none is named

sources   one fingerprint out of every source, on any number of threads, and after a kill
kills     fifty kills at random moments: the champion answers, nothing half-made is left
stages    extract, transform, load make the model of `learn`
rebuild   a model made again from its lineage
rows      one, three and ten million rows: seconds per stage and peak memory
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
from clicks import write_clicks

ROOT = Path(__file__).resolve().parent.parent
BANKING = ROOT / "examples" / "banking" / "banking.csv.gz"
SCRIPT = Path(sys.executable).with_name("understudy")
POSTGRESQL, MARIADB = "postgresql://postgres@127.0.0.1/test", "mysql://root@127.0.0.1/test"
TABLE = "understudy_show"
ROWS = (1_000_000, 3_000_000, 10_000_000)
KILLS = 50

Row = list[str | None]


def understudy(*words: object, cores: int | None = None) -> dict[str, Any]:
    """Run a command with --json; return its document. `cores` limits the processors that it may use."""

    def limit() -> None:
        if cores is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])

    command = [str(word) for word in (SCRIPT, *words, "--json")]
    done = subprocess.run(command, capture_output=True, check=False, text=True, preexec_fn=limit)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def table(title: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table, each line as soon as it is known."""
    print(f"\n## {title}\n\n| {' | '.join(header)} |")
    print("|" + "---|" * len(list(header)))
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def project(folder: Path, extract: str, target: str = "y", row_id: str = "") -> Path:
    """Write a project file; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = f'row_id = "{row_id}"\n' if row_id else ""
    (folder / "understudy.toml").write_text(
        f'name = "show"\n[extract]\n{extract}\n[data]\ntarget = "{target}"\n{identity}'
    )
    return folder


def banking() -> tuple[list[str], list[Row]]:
    """Return the names and rows of the banking example; what the bank did not know is NULL."""
    with gzip.open(BANKING, "rt") as file:
        names, *rows = csv.reader(file)
    return names, [[None if cell == "unknown" else cell for cell in row] for row in rows]


# Sources -------------------------------------------------------------------------------------------------------------


def typed(names: list[str], rows: list[Row]) -> tuple[list[str], list[list[Any]]]:
    """Return the SQL types of the columns, and the rows with numbers as numbers."""
    kinds = [_kind([row[place] for row in rows]) for place in range(len(names))]
    sql = {int: "bigint", float: "double precision", str: "varchar(60)"}
    cells = [[None if cell is None else kind(cell) for kind, cell in zip(kinds, row, strict=True)] for row in rows]
    return [sql[kind] for kind in kinds], cells


def _kind(cells: list[str | None]) -> Callable[[str], Any]:
    for kind in (int, float):
        try:
            for cell in cells:
                kind(cell or 0)
        except ValueError:
            continue
        return kind
    return str


def write_sources(folder: Path) -> dict[str, str]:
    """Put the same rows into every source; return the `[extract]` of each."""
    names, texts = banking()
    types, rows = typed(names, texts)
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([names, *texts])
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), folder / "rows.parquet")
    with (folder / "rows.jsonl").open("w") as file:
        file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)
    extracts = {kind: f"files = '{folder}/rows.{kind}'" for kind in ("csv", "parquet", "jsonl")}
    numbered = [[place, *row] for place, row in enumerate(rows)]
    for name, (url, connect, mark, hole) in _databases(folder).items():
        quoted = [f"{mark}{column}{mark}" for column in names]
        try:
            connection = connect()
        except (psycopg.OperationalError, pymysql.Error) as error:
            print(f"{name} is not running here: {error}")
            continue
        cursor = connection.cursor()
        cursor.execute(f"drop table if exists {TABLE}")
        declared = ", ".join(f"{column} {kind}" for column, kind in zip(quoted, types, strict=True))
        cursor.execute(f"create table {TABLE} (place bigint, {declared})")
        cursor.executemany(f"insert into {TABLE} values ({', '.join([hole] * len(numbered[0]))})", numbered)
        connection.commit()
        connection.close()
        extracts[name] = f"url = '{url}'\nquery = '''select {', '.join(quoted)} from {TABLE} order by place'''"
    return extracts


def _databases(folder: Path) -> dict[str, tuple[str, Callable[[], Any], str, str]]:
    """Return url, connection, quotation mark and placeholder of each kind of database."""
    mariadb = {"host": "127.0.0.1", "user": "root", "database": "test"}
    return {
        "sqlite": (f"sqlite:///{folder}/app.db", lambda: sqlite3.connect(folder / "app.db"), '"', "?"),
        "postgresql": (POSTGRESQL, lambda: psycopg.connect(POSTGRESQL), '"', "%s"),
        "mariadb": (MARIADB, lambda: pymysql.connect(**mariadb), "`", "%s"),
    }


def show_sources(folder: Path) -> None:
    """Learn the same rows from every source, on one core, and after a kill."""
    extracts = write_sources(folder)

    def rows() -> Iterable[tuple[object, ...]]:
        seen = set()
        for name, extract in extracts.items():
            place = project(folder / name, extract)
            document = understudy("learn", "--project", place, "--dry-run")
            digest = understudy("show", document["training_data_source_id"], "--project", place)["digest"]
            seen.add((digest, document["fingerprint"]))
            yield name, "all", digest[7:19], document["fingerprint"][7:19], f"{document['seconds']['total']:.1f}"
        place = project(folder / "one-core", extracts["csv"])
        document = understudy("learn", "--project", place, "--dry-run", cores=1)
        yield "csv", "one core", "", document["fingerprint"][7:19], f"{document['seconds']['total']:.1f}"
        place = project(folder / "killed", extracts["csv"])
        kill_learning(place, document["seconds"]["total"] * 0.7)
        document = understudy("learn", "--project", place, "--dry-run")
        yield "csv", "after a kill", "", document["fingerprint"][7:19], f"{document['seconds']['total']:.1f}"
        yield "different", "", len({digest for digest, _ in seen}), len({made for _, made in seen}), ""

    table("Same rows, same model (banking)", ("source", "cores", "rows' digest", "fingerprint", "s"), rows())
    for name in extracts.keys() & _databases(folder).keys():
        connection = _databases(folder)[name][1]()
        connection.cursor().execute(f"drop table {TABLE}")
        connection.commit()
        connection.close()


# Kills ---------------------------------------------------------------------------------------------------------------


def kill_learning(place: Path, seconds: float) -> bool:
    """Kill `learn` after some seconds; tell whether it was still at work."""
    learning = subprocess.Popen([SCRIPT, "learn", "--quiet", "--project", place], stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    learning.send_signal(signal.SIGKILL)
    return learning.wait() == -signal.SIGKILL


def show_kills(folder: Path) -> None:
    """Kill `learn` fifty times at random moments, on growing rows; look at the champion after every one."""
    names, texts = banking()
    numbered = [[str(place), *row] for place, row in enumerate(texts)]
    place = project(folder, 'files = "rows.csv"', row_id="id")
    _write_rows(place, names, numbered[:4_000])
    began = time.monotonic()
    champion = understudy("learn", "--project", place)["model_id"]
    whole = time.monotonic() - began
    record = json.dumps(dict(zip(names, texts[0], strict=True)))
    known = {champion: _answer(place, record)}
    chance, found = random.Random(11), Counter[str]()
    for number in range(KILLS):
        _write_rows(place, names, numbered[: 4_000 + 20 * number])
        found["killed at work" if kill_learning(place, chance.uniform(0.3, whole * 1.05)) else "done before"] += 1
        answer = _answer(place, record)
        same = known.setdefault(answer["model_id"], answer) == answer
        found["champion answers as ever" if same else "WRONG ANSWER"] += 1
        found["half-made objects served"] += _half_made(place)
    found["models that served"] = len(known)
    last = understudy("learn", "--project", place)
    fresh = project(folder / "fresh", f"files = '{place}/rows.csv'", row_id="id")
    same = understudy("learn", "--project", fresh)["fingerprint"] == last["fingerprint"]
    found["the next run is that of a fresh project"] = int(same)
    found["left in staging after it"] = len(list((place / ".understudy/objects/.staging").glob("*")))
    found["runs left INPROGRESS after it"] = _in_progress(place)
    table(f"{KILLS} kills while learning", ("what", "times"), found.items())


def _write_rows(place: Path, names: list[str], rows: list[Row]) -> None:
    with (place / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", *names], *rows])


def _answer(place: Path, record: str) -> dict[str, Any]:
    answer: dict[str, Any] = understudy("predict", record, "--project", place)["predictions"][0]
    return answer


def _half_made(place: Path) -> int:
    """Count models of the catalog whose folder is not whole."""
    models = place / ".understudy/objects/models"
    return sum(len(list(folder.iterdir())) != 2 for folder in models.iterdir())


def _in_progress(place: Path) -> int:
    with sqlite3.connect(place / ".understudy/catalog.db") as connection:
        (count,) = connection.execute("select count(*) from entities where status = 'INPROGRESS'").fetchone()
    connection.close()
    return int(count)


# Stages, rebuild -----------------------------------------------------------------------------------------------------


def show_stages(folder: Path) -> None:
    """Learn the banking example at once and in three stages."""
    whole, staged = (project(folder / name, f"files = '{BANKING}'") for name in ("whole", "staged"))

    def rows() -> Iterable[tuple[object, ...]]:
        document = understudy("learn", "--project", whole)
        yield "learn", document["fingerprint"][7:19], f"{document['seconds']['total']:.1f}"
        understudy("extract", "--project", staged)
        understudy("transform", "--project", staged)
        document = understudy("load", "--project", staged)
        yield "extract, transform, load", document["fingerprint"][7:19], f"{document['seconds']['total']:.1f}"

    table("Three stages are one (banking)", ("by", "fingerprint", "s"), rows())


def show_rebuild(folder: Path) -> None:
    """Make a model again from its lineage, after its source is gone."""
    (folder / "rows.csv.gz").write_bytes(BANKING.read_bytes())
    place = project(folder, 'files = "rows.csv.gz"')
    model = understudy("learn", "--project", place)["model_id"]
    (folder / "rows.csv.gz").unlink()
    document = understudy("rebuild", model, "--project", place)
    rows = [(name, document[name][7:19]) for name in ("fingerprint", "rebuilt")]
    table(
        "A model made again, its source gone (banking)", ("which", "fingerprint"), [*rows, ("same", document["same"])]
    )


# Rows ----------------------------------------------------------------------------------------------------------------


def show_rows(folder: Path) -> None:
    """Learn click logs of growing length; the file lies beside the project and goes afterwards."""
    warm = project(folder / "warm", 'files = "clicks.csv"', target="clicked")
    write_clicks(warm / "clicks.csv", 50_000)
    understudy("learn", "--project", warm)  # kernels are compiled once per machine; that is not what is measured

    def rows() -> Iterable[tuple[object, ...]]:
        for count in ROWS:
            place = project(folder / f"{count}", 'files = "clicks.csv"', target="clicked")
            log = write_clicks(place / "clicks.csv", count)
            size = (place / "clicks.csv").stat().st_size
            document, wall, peak = measured(place)
            seconds = document["seconds"]
            stages = ("extract", "transform", "statistics", "train", "evaluate", "promote")
            yield (
                f"{count:,}",
                f"{size / 2**20:,.0f}",
                *(f"{seconds[stage]:.1f}" for stage in stages),
                f"{wall:.1f}",
                f"{wall / count * 1e6:.1f}",
                f"{peak:,.0f}",
                f"{document['metrics']['log_loss']:.4f}",
                f"{log.log_loss:.4f}",
            )
            (place / "clicks.csv").unlink()

    header = (
        "rows", "MiB", "extract", "transform", "statistics", "train", "evaluate", "promote", "wall s", "s per million",
        "peak MiB", "log loss", "lowest",
    )  # fmt: skip
    table("Click logs", header, rows())


def measured(place: Path) -> tuple[dict[str, Any], float, float]:
    """Run `learn`; return its document, seconds of wall clock, and its peak resident memory in MiB."""
    began = time.monotonic()
    with (place / "learned.json").open("w+") as out:
        learning = subprocess.Popen([SCRIPT, "learn", "--json", "--quiet", "--project", place], stdout=out)
        _, status, usage = os.wait4(learning.pid, 0)
        learning.returncode = os.waitstatus_to_exitcode(status)
        if learning.returncode:
            raise SystemExit(f"learn ended with {learning.returncode}")
        out.seek(0)
        return json.load(out), time.monotonic() - began, usage.ru_maxrss / 1024


SHOWS = {
    "sources": show_sources,
    "kills": show_kills,
    "stages": show_stages,
    "rebuild": show_rebuild,
    "rows": show_rows,
}


def main() -> None:
    """Show what was asked for, or everything."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("shows", nargs="*", help=", ".join(SHOWS))
    asked = options.parse_args()
    unknown = set(asked.shows) - set(SHOWS)
    if unknown:
        options.error(f"there is no show called {', '.join(sorted(unknown))}; there are {', '.join(SHOWS)}")
    for name, show in SHOWS.items():
        if name in asked.shows or not asked.shows:
            with tempfile.TemporaryDirectory(prefix="understudy-show-") as folder:
                show(Path(folder))


if __name__ == "__main__":
    main()
