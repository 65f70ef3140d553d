"""`init`: look at the data, guess, and write a project file that says what was guessed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import replace

from understudy.config import Extract, nearest
from understudy.errors import ConfigError
from understudy.extract import open_source
from understudy.extract.extraction import ENCODING_HINT, NOT_UTF8
from understudy.inference import Inference, guess_target, infer
from understudy.initialise import DATABASE_VARIABLE, Source, find_source, write_project
from understudy.sample import EvenSample
from understudy.values import read_numbers, read_texts

_UNNAMED = re.compile(r"Var\d+")
"""What a column is called whose cell in the header line is empty."""
_HEADERLESS = (
    "the columns are called {}, which look like values: if the file has no header line, add one, or name the columns "
    "in a schema file ([data] schema)"
)


def begin(
    directory: Path, source: str | None, target: str | None, encoding: str, note: Callable[[str], None]
) -> tuple[dict[str, Any], Inference | None, str]:
    """Write a project file into `directory`; return what was done, the guesses, and why this target was guessed."""
    here = directory.resolve() == Path.cwd()
    learn = "understudy learn" if here else f"understudy learn --project {shlex.quote(str(directory))}"
    file = str(directory / "understudy.toml")
    if source is None:
        write_project(directory)
        return {"file": file, "next": learn, "guesses": []}, None, ""
    found = replace(find_source(source, directory), encoding=encoding)
    # The project's folder may not be there yet.
    sample = _sample(replace(find_source(source, Path()), encoding=encoding), Path(), note)
    if target is not None and target not in sample.column_names:
        raise ConfigError(f"there is no column {target!r}", nearest(target, sample.column_names))
    if found.files is not None and _looks_headerless(sample):
        note(_HEADERLESS.format(", ".join(map(repr, sample.column_names[:6]))))
    name, reason = (target, "") if target else guess_target(sample)
    inference = infer(sample, target=name)
    write_project(directory, source=found, inference=inference, target_reason=reason)
    if found.holds_password:
        note(f"{file} takes the password from the environment: set {DATABASE_VARIABLE}")
    guesses = [
        {"name": g.name, "type": g.type.value, "reason": g.reason, "doubtful": g.doubtful, "excluded": g.excluded}
        for g in inference.guesses
    ]
    return {"file": file, "target": name, "next": learn, "guesses": guesses}, inference, reason


def _looks_headerless(sample: pa.Table) -> bool:
    """Tell whether all columns that are called anything are called a number, or what stands in one of their cells."""
    named = [name for name in sample.column_names if not _UNNAMED.fullmatch(name)]
    return all(_is_number(name) or pc.any(pc.equal(read_texts(sample[name]), name)).as_py() for name in named)


def _is_number(name: str) -> bool:
    return not np.isnan(read_numbers(pa.array([name])).values[0])


def _sample(source: Source, directory: Path, note: Callable[[str], None]) -> pa.Table:
    spec = Extract(url=source.url, query=source.query, files=source.files, encoding=source.encoding)
    sample = EvenSample()
    with open_source(spec, directory) as extraction:
        for batch in extraction:
            sample.add(batch)
    if any(line.reason == NOT_UTF8 for line in extraction.rejected.samples):
        note(f"{extraction.rejected.count:,} lines could not be read. {ENCODING_HINT}")
    return sample.table()
