"""Recipes worth trying for a data set, best guess first; the trainer keeps the first of about the least loss."""

from __future__ import annotations

import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from understudy.errors import SchemaError
from understudy.recipe.columns import Kind, read_column
from understudy.recipe.evidence import MAX_ROWS, Evidence
from understudy.recipe.expressions import quote
from understudy.schema import AttributeType, ModelType, Schema
from understudy.values import read_texts

MAX_SUGGESTIONS = 6
MAX_PAIRED = 12
"""Categorical attributes beyond which their pairs are too many to try."""

DEFAULT_BINS = 20
"""The bin count where no target can give evidence."""

UNSPACED_SHARE = 0.05
"""Share of characters from scripts without spaces between words above which a text is taken in character runs, too."""

SPACED_RUNS = (4,)
UNSPACED_RUNS = (1, 2)
"""Lengths of the runs of characters that are suggested for texts with and without spaces between words."""

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Suggestion:
    """A recipe to try: its JSON text, and in a sentence why."""

    text: str
    reason: str


def suggest(schema: Schema, sample: pa.Table, model_type: ModelType) -> list[Suggestion]:
    """Return up to six different recipes for the schema's features, best guess first.

    `sample` holds evenly spread training rows, the target among them; bin counts are chosen on at most 30,000 of them.
    Deterministic. Raises SchemaError where there is nothing to learn from.
    """
    names = {kind: [a.name for a in schema.features if a.type == kind.value] for kind in AttributeType}
    if not schema.features:
        hint = "Declare an attribute beside the target, the row id, the row weight and the excluded ones."
        raise SchemaError("the schema has no attribute to learn from", hint)
    table = _thinned(sample)
    found: dict[str, Suggestion] = {}
    for suggestion in _candidates(
        names, _bin_counts(schema, table, model_type), _unspaced(table, names[AttributeType.TEXT])
    ):
        found.setdefault(suggestion.text, suggestion)
    return list(found.values())[:MAX_SUGGESTIONS]


Names = Mapping[AttributeType, Sequence[str]]


def _candidates(names: Names, counts: Mapping[str, int], unspaced: Sequence[str]) -> Iterator[Suggestion]:
    numeric, texts, categories = (names[AttributeType[kind]] for kind in ("NUMERIC", "TEXT", "CATEGORICAL"))
    rich = _words(texts, pairs=True) + _runs(texts, unspaced)

    def recipe(counts: Mapping[str, int], words: Sequence[str] = rich, combined: Sequence[str] = ()) -> str:
        return _write(names, counts, [*words, *combined])

    yield Suggestion(recipe(counts), _first_reason(numeric, texts))
    if 2 <= len(categories) <= MAX_PAIRED:
        crossed = [f"cartesian({quote(a)},{quote(b)})" for a, b in itertools.combinations(categories, 2)]
        yield Suggestion(recipe(counts, combined=crossed), "pairs of categories, for effects that only occur together")
    if texts:
        single = _words(texts, pairs=False) + _runs(unspaced, unspaced)
        yield Suggestion(recipe(counts, single), "words one by one, for texts too few to learn more of")
        paired = _words(texts, pairs=True) + _runs(unspaced, unspaced)
        yield Suggestion(recipe(counts, paired), "words and neighbouring pairs, for texts of well-spelled words")
    if numeric:
        for count in (20, 10):
            yield Suggestion(
                recipe(dict.fromkeys(numeric, count)), f"{count} bins for each number, beside the number itself"
            )
        yield Suggestion(recipe({}), "numbers as they are, for effects that are straight lines")
        yield Suggestion(recipe(dict.fromkeys(numeric, 50)), "50 bins for each number, beside the number itself")


def _first_reason(numeric: Sequence[str], texts: Sequence[str]) -> str:
    parts = (
        ["each number in as many bins as predict best on held-out rows, beside the number itself"] if numeric else []
    )
    parts += ["words, neighbouring pairs of words, and runs of characters"] if texts else []
    return "; ".join(parts) or "every value as it is"


def _write(names: Names, counts: Mapping[str, int], others: Sequence[str]) -> str:
    """Write a recipe in the form of Amazon ML's own suggestions (reference 5.5)."""
    groups = defaultdict(list)
    for name, count in counts.items():
        groups[count].append(name)
    binned = {f"NUMERIC_VARS_QB_{count}": groups[count] for count in sorted(groups)}
    outputs = [f"ALL_{kind}" for kind in (AttributeType.BINARY, AttributeType.CATEGORICAL) if names[kind]]
    outputs += [f"quantile_bin({group},{group.rpartition('_')[2]})" for group in binned]
    outputs += ["normalize(ALL_NUMERIC)"] if names[AttributeType.NUMERIC] else []
    document = {
        "groups": {group: f"group({','.join(map(quote, members))})" for group, members in binned.items()},
        "assignments": {},
        "outputs": [*outputs, *others],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _words(texts: Sequence[str], *, pairs: bool) -> list[str]:
    cleaned = "no_punct(lowercase(ALL_TEXT))"
    return [f"ngram({cleaned},2)" if pairs else cleaned] if texts else []


def _runs(texts: Sequence[str], unspaced: Sequence[str]) -> list[str]:
    """Write the runs of characters of each text, short ones where a character is much of a word."""
    lengths = {name: UNSPACED_RUNS if name in unspaced else SPACED_RUNS for name in texts}
    return [f"character_ngram(lowercase({quote(name)}),{n})" for name in texts for n in lengths[name]]


def _thinned(sample: pa.Table) -> pa.Table:
    """Take at most `MAX_ROWS` evenly spread rows."""
    if sample.num_rows <= MAX_ROWS:
        return sample
    return sample.take(np.arange(MAX_ROWS) * sample.num_rows // MAX_ROWS)


def _array(table: pa.Table, name: str) -> pa.Array:
    return pa.nulls(table.num_rows, pa.string()) if name not in table.column_names else table[name].combine_chunks()


def _bin_counts(schema: Schema, table: pa.Table, model_type: ModelType) -> dict[str, int]:
    numeric = [a.name for a in schema.features if a.type is AttributeType.NUMERIC]
    if schema.target is None or not numeric:
        return dict.fromkeys(numeric, DEFAULT_BINS)
    evidence = Evidence(_array(table, schema.target), model_type)
    return {name: evidence.best_count(read_column(_array(table, name), Kind.NUMERIC).of_rows) for name in numeric}


def _unspaced(table: pa.Table, texts: Sequence[str]) -> list[str]:
    """Name the texts that are written, at least in part, without spaces between words."""
    return [name for name in texts if _unspaced_share(read_texts(_array(table, name).slice(0, 1_000))) > UNSPACED_SHARE]


def _unspaced_share(texts: pa.Array) -> float:
    joined = "".join(texts.to_pylist())
    return len(_UNSPACED.findall(joined)) / max(len(joined), 1)
