"""Words, runs, pairs and punctuation, against plain Python (reference 5.4)."""

import itertools
import json
import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.recipe import FittedRecipe, fit, parse
from understudy.recipe.transformations import punctuation
from understudy.schema import Attribute, AttributeType, Schema

SCHEMA = Schema((Attribute("t", AttributeType.TEXT), Attribute("c", AttributeType.CATEGORICAL)))

AWKWARD = (
    "aAbé.,-!?«»_$ \t\n\u00a0\u1680\u2003\u2028\u202f\u205f\u3000\x1c\x1f\x85\u200b\ufeffİßǅΣς東京、。กขİ😀𐄀\u0301"
)
"""Letters of several scripts, marks of several kinds, every width of UTF-8, and white space of every kind."""

texts = st.text(st.sampled_from(AWKWARD) | st.characters(exclude_categories=["Cs"]), max_size=30)


def _recipe(output: str) -> FittedRecipe:
    sample = pa.table({"t": ["x"], "c": ["x"]})
    return fit(parse(json.dumps({"outputs": [output]}), SCHEMA), SCHEMA, sample)


def _tokens(output: str, text: str, category: str = "") -> set[str]:
    """Name the features of one text, and hold the compiled kernels to the same keys."""
    batch = pa.RecordBatch.from_pydict({"t": ["before it", text, ""], "c": ["", category, ""]})
    fitted = _recipe(output)
    features, named = fitted.features(batch), fitted.explain(batch)
    assert [[key for _, key, _ in row] for row in named] == [
        features.keys[a:b].tolist() for a, b in itertools.pairwise(features.indptr)
    ]
    return {name for name, _, _ in named[1]}


def _said(runs: list[str]) -> set[str]:
    return {f"t: {run}" for run in runs}


def _quoted(words: list[str]) -> str:
    return " ".join(f'"{word}"' for word in words)


def _strip(word: str) -> str:
    while word and unicodedata.category(word[0]).startswith("P"):
        word = word[1:]
    while word and unicodedata.category(word[-1]).startswith("P"):
        word = word[:-1]
    return word


@given(texts)
def test_text_gives_its_words(text: str):
    """A text's tokens are what Python's split gives, whatever the white space."""
    assert _tokens("t", text) == _said([_quoted([word]) for word in text.split()])


@given(texts, st.integers(2, 10))
def test_ngram_gives_all_runs_up_to_n(text: str, n: int):
    """All runs of 1 to n neighbouring words, single words included."""
    words = text.split()
    runs = [words[i : i + k] for k in range(1, n + 1) for i in range(len(words) - k + 1)]
    assert _tokens(f"ngram(t,{n})", text) == _said([_quoted(run) for run in runs])


@given(texts, st.integers(2, 10))
def test_osb_pairs_the_first_word_of_each_window(text: str, n: int):
    """The first word of a window with each later one, an underscore for each step between them."""
    words = text.split()
    pairs = [
        f'"{window[0]}{"_" * distance}{window[distance]}"'
        for window in (words[i : i + n] for i in range(len(words)))
        for distance in range(1, len(window))
    ]
    assert _tokens(f"osb(t,{n})", text) == _said(pairs)


@given(texts)
def test_no_punct_strips_the_ends_of_words(text: str):
    """Punctuation goes from the ends of words, stays inside them, and a word of nothing else disappears."""
    words = [stripped for word in text.split() if (stripped := _strip(word))]
    assert _tokens("no_punct(t)", text) == _said([_quoted([word]) for word in words])


def test_punctuation_is_what_unicode_says():
    """Every code point there is, not only those below where punctuation ends today."""
    marks = [point for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point)).startswith("P")]
    assert np.flatnonzero(punctuation()).tolist() == marks


@given(texts)
def test_lowercase_goes_by_unicode(text: str):
    """Lower case is Arrow's, one character for one."""
    words = pc.utf8_lower(pa.scalar(text)).as_py().split()
    assert _tokens("lowercase(t)", text) == _said([_quoted([word]) for word in words])


@given(texts, st.integers(1, 10))
def test_character_ngram_gives_runs_of_each_word(text: str, n: int):
    """All runs of n characters of each word with a blank at either end, which a single character does without."""
    marked = [f" {word} " if n > 1 else word for word in text.split()]
    runs = [word[i : i + n] for word in marked for i in range(max(len(word) - n, 0) + 1)]
    assert _tokens(f"character_ngram(t,{n})", text) == _said([f'"{run}"' for run in runs])


@given(texts)
def test_cartesian_takes_text_word_by_word(text: str):
    """A text of k different words and a category give k features."""
    expected = {f't: "{word}" & c = Rome' for word in text.split()}
    assert _tokens("cartesian(t,c)", text, "Rome") == expected


@pytest.mark.parametrize(
    ("output", "text", "expected"),
    [
        ("ngram(t,2)", "salt, oil, bread", ['"salt,"', '"oil,"', '"bread"', '"salt," "oil,"', '"oil," "bread"']),
        ("no_punct(t)", "- well-known! (it's)", ['"well-known"', '"it\'s"']),
        ("osb(t,3)", "sell old red cars", ['"sell_old"', '"sell__red"', '"old_red"', '"old__cars"', '"red_cars"']),
        ("lowercase(t)", "ÀÉ STRASSE Straße", ['"àé"', '"strasse"', '"straße"']),
        ("character_ngram(t,2)", "東京", ['" 東"', '"東京"', '"京 "']),
    ],
)
def test_example_of_the_documentation_holds(output: str, text: str, expected: list[str]):
    """The examples of Amazon's guide, and one without spaces between words."""
    assert _tokens(output, text) == _said(expected)


def test_repeated_tokens_collapse_into_a_row_of_length_one():
    """Each of k distinct tokens of one output has the value 1/sqrt(k), however often it stands there."""
    features = _recipe("t").features(pa.RecordBatch.from_pydict({"t": ["b a a b a c d"]}))
    assert features.values.tolist() == [0.5] * 4


@settings(max_examples=30, deadline=None)
@given(st.lists(texts, max_size=8), st.data())
def test_batch_boundaries_do_not_matter(cells: list[str], data: st.DataObject):
    """Texts cut into two batches at any place give the rows of one batch."""
    fitted = _recipe("ngram(no_punct(lowercase(t)),3)")
    batch = pa.RecordBatch.from_pydict({"t": pa.array(cells, pa.string())})
    cut = data.draw(st.integers(0, len(cells)))
    whole, left, right = (fitted.features(part) for part in (batch, batch.slice(0, cut), batch.slice(cut)))
    assert whole.keys.tolist() == left.keys.tolist() + right.keys.tolist()
    assert np.diff(whole.indptr).tolist() == np.diff(left.indptr).tolist() + np.diff(right.indptr).tolist()


def test_long_text_has_no_repeated_key():
    """A text of thousands of words beside a short one keeps each word once and in order of first occurrence."""
    words = [f"w{i * i % 3001}" for i in range(9000)]
    batch = pa.RecordBatch.from_pydict({"t": ["x y", " ".join(words), "w1 w1"]})
    named = _recipe("t").explain(batch)[1]
    assert [name for name, _, _ in named] == [f't: "{word}"' for word in dict.fromkeys(words)]
    assert [key for _, key, _ in named] == _recipe("t").features(batch).keys[2:-1].tolist()
