"""One record by a program, and the same record as a batch: the same keys and values to the bit, or none at all."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.recipe import fit, parse
from understudy.recipe.program import _SPELLINGS, program
from understudy.schema import Attribute, AttributeType, Schema
from understudy.values import batch_of_records
from understudy.values.cells import FALSE_WORDS, TRUE_WORDS
from understudy.values.single import CELL_OF_RECORD, number_text_of_record, text_of_record

from .test_single import anything, bits, names, outputs_of, texts

NUMERIC, CATEGORICAL, BINARY, TEXT = (AttributeType[name] for name in ("NUMERIC", "CATEGORICAL", "BINARY", "TEXT"))

decimals = st.decimals(-(10**20), 10**20, allow_nan=False).map(str) | st.floats().map(repr) | st.integers().map(str)
dates = st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
USUAL = {NUMERIC: decimals, CATEGORICAL: texts | decimals | dates, BINARY: st.sampled_from(list(_SPELLINGS))}
"""Cells as they mostly are."""
cells = st.one_of(*USUAL.values(), st.text("-+.0123456789eE \0", max_size=9))


@st.composite
def worlds(draw):
    """Give a recipe without texts, fitted on a few rows, a reader for each column, and records to be described."""
    kinds = st.sampled_from([NUMERIC, CATEGORICAL, BINARY])
    found = draw(st.lists(st.tuples(names, kinds), min_size=1, max_size=6, unique_by=lambda attribute: attribute[0]))
    schema = Schema(tuple(Attribute(name, kind) for name, kind in found))
    recipe = parse(json.dumps({"outputs": draw(outputs_of(schema))}), schema)
    rows = {name: draw(st.lists(cells, min_size=4, max_size=4)) for name in schema.names}
    fitted = fit(recipe, schema, pa.table({name: pa.array(column, pa.string()) for name, column in rows.items()}))
    strict = {a.name for a in schema.attributes if a.type is NUMERIC and draw(st.booleans())}
    readers = {name: number_text_of_record if name in strict else text_of_record for name in schema.names}
    values = {a.name: USUAL[a.type] if draw(st.integers(0, 3)) else cells | anything for a in schema.attributes}
    return fitted, readers, draw(st.lists(st.fixed_dictionaries(values), min_size=1, max_size=8))


@settings(max_examples=400)
@given(worlds())
def test_program_gives_the_features_of_the_batch(world):
    """Whatever recipe without texts, and whatever values: what the program does not pass on is as in the batch."""
    fitted, readers, records = world
    found = program(fitted, readers)
    for record in records:
        features = found.features(record)
        if features is None:
            continue
        for name, read in readers.items():
            read(record[name])  # refuses nothing that the program took
        expected = fitted.features(batch_of_records([record], [(name, pa.string()) for name in readers])[0])
        assert features.indptr.tolist() == expected.indptr.tolist()
        assert features.keys.tolist() == expected.keys.tolist()
        assert bits(features.values.tolist()) == bits(expected.values.tolist())


SCHEMA = Schema((Attribute("t", TEXT), Attribute("b", BINARY), Attribute("c", CATEGORICAL), Attribute("n", NUMERIC)))
READERS = {"b": text_of_record, "c": text_of_record, "n": number_text_of_record}


def small_program(*outputs, readers=READERS):
    """Compile a program of a small schema."""
    sample = pa.table({"t": ["a"], "b": ["y"], "c": ["c"], "n": ["1"]})
    return program(fit(parse(json.dumps({"outputs": outputs}), SCHEMA), SCHEMA, sample), readers)


ORDINARY = {"b": "yes", "c": "Zürich", "n": "12.50"}


@pytest.mark.parametrize(
    "change",
    [
        *({"c": cell} for cell in ("", "12.0", "007", "blue collar", "東京都", "2024-05-01", "x" * 600)),
        *({"n": cell} for cell in ("", "-1", "+.5", "1e3", "007", "0.1891", "9007199254740992")),
        *({"b": cell} for cell in ("", "Y", "0", "False", "TRUE")),
    ],
)
def test_ordinary_cells_are_not_passed_on(change):
    """Words, codes, numbers, truth values and empty cells are the program's own affair."""
    assert small_program("b", "c", "n", "quantile_bin(n,4)", "cartesian(b,c)").features(ORDINARY | change) is not None


@pytest.mark.parametrize(
    "change",
    [
        *({"c": cell} for cell in (" c", "c\u3000", "2024-05-01T10:00:00", "\0", "\ud800", None, 1, ["c"])),
        *({"n": cell} for cell in ("n/a", "much", " 1", "1e400", "0.1" + "0" * 30 + "1", 1.5)),
        *({"b": cell} for cell in ("perhaps", "yES", "1.0", True)),
    ],
)
def test_rare_cells_are_passed_on(change):
    """What must be stripped, rewritten, rounded with care, or refused, and what is no text, is left to the plan."""
    assert small_program("b", "c", "n").features(ORDINARY | change) is None


def test_attribute_that_is_missing_is_passed_on():
    """A record need not name all attributes; the plan knows what that means."""
    assert small_program("b", "c").features({"b": "yes", "n": "1"}) is None


def test_number_that_the_recipe_does_not_use_is_read_all_the_same():
    """A wrong value is refused whether or not the recipe has a use for it."""
    assert small_program("c").features(ORDINARY) is not None
    assert small_program("c").features(ORDINARY | {"n": "much"}) is None


def test_only_plain_recipes_over_texts_have_a_program():
    """Words of texts, columns of other types, and attributes that no column holds are left to the plan."""
    assert small_program("b", "quantile_bin(normalize(n),4)", "cartesian(c,cartesian(b,c))") is not None
    assert small_program("t", readers={**READERS, "t": text_of_record}) is None
    assert small_program("cartesian(c,t)", readers={**READERS, "t": text_of_record}) is None
    assert small_program("c", readers={**READERS, "n": CELL_OF_RECORD[pa.float64()]}) is None
    assert small_program("c", "b", readers={"c": text_of_record}) is None


def test_truth_values_have_all_their_spellings():
    """In lower and upper case, and with a capital, every word of Amazon ML's lists."""
    for words, word in ((TRUE_WORDS, "1"), (FALSE_WORDS, "0")):
        (key,) = small_program("b").features(ORDINARY | {"b": word}).keys
        for spelling in (spelling for each in words for spelling in (each, each.upper(), each.title())):
            assert small_program("b").features(ORDINARY | {"b": spelling}).keys.tolist() == [key]
