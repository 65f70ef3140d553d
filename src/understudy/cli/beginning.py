"""`init`: look at the data, guess, and write a project file that says what was guessed."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec.structs import replace

from understudy.config import Extract, nearest
from understudy.errors import ConfigError
from understudy.extract import open_source
from understudy.extract.extraction import ENCODING_HINT, NOT_UTF8
from understudy.inference import Inference, guess_target, infer
from understudy.initialise import DATABASE_VARIABLE, Source, find_source, write_project
from understudy.sample import EvenSample


def begin(
    directory: Path, source: str | None, target: str | None, encoding: str = "utf-8"
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
    sample = _sample(replace(find_source(source, Path()), encoding=encoding), Path())
    if target is not None and target not in sample.column_names:
        raise ConfigError(f"there is no column {target!r}", nearest(target, sample.column_names))
    name, reason = (target, "") if target else guess_target(sample)
    inference = infer(sample, target=name)
    write_project(directory, source=found, inference=inference, target_reason=reason)
    if found.holds_password:
        print(f"note: {file} takes the password from the environment: set {DATABASE_VARIABLE}", file=sys.stderr)
    guesses = [
        {"name": g.name, "type": g.type.value, "reason": g.reason, "doubtful": g.doubtful, "excluded": g.excluded}
        for g in inference.guesses
    ]
    return {"file": file, "target": name, "next": learn, "guesses": guesses}, inference, reason


def _sample(source: Source, directory: Path) -> pa.Table:
    spec = Extract(url=source.url, query=source.query, files=source.files, encoding=source.encoding)
    sample = EvenSample()
    with open_source(spec, directory) as extraction:
        for batch in extraction:
            sample.add(batch)
    if any(line.reason == NOT_UTF8 for line in extraction.rejected.samples):
        print(f"note: {extraction.rejected.count:,} lines could not be read. {ENCODING_HINT}", file=sys.stderr)
    return sample.table()
