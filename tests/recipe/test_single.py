"""One record by a plan, and the same record as a batch: the same keys, values and scores to the bit."""

import json
import struct
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import InvalidInput
from understudy.model import Model, Weights
from understudy.recipe import fit, makers, parse, single
from understudy.recipe.expressions import quote
from understudy.recipe.makers import LONG, MANY
from understudy.recipe.single import BRIEF, Plan, Unfit
from understudy.recipe.transformations import TRANSFORMATIONS
from understudy.schema import Attribute, AttributeType, ModelType, Schema
from understudy.target import Target
from understudy.values import batch_of_records
from understudy.values.single import CELL_OF_RECORD

NUMERIC, CATEGORICAL, BINARY, TEXT = (AttributeType[name] for name in ("NUMERIC", "CATEGORICAL", "BINARY", "TEXT"))

ODD_TEXTS = (
    *("", " ", "nan", "NaN", "n/a", "NULL", "None", "?", "-", "inf", "-Infinity", "0x1F", "1,000", "1_000", "١٢"),
    *("1", "1.0", " 12.50 ", "-0", "-0.0", "007", "+7", "1e5", ".5", "5.", "1e400", "-1e400", "1e-400", "5e-324"),
    *("9" * 30, "0.1" + "0" * 40 + "1", "true", "FALSE", "Yes", "t", "0", "\u212aelvin", "İstanbul", "ΣΑΣ", "ß ǅ"),
    *("2024-05-01T10:00:00+02:00", "a b a", "The «quick» fox, isn't!", "\U0001d11e", "東京都 に行く", "😀! 😀 \x85x"),
)
texts = st.sampled_from(ODD_TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=24)
integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
numbers = integers | st.floats() | st.floats(-9, 9)
plain = texts | numbers | st.booleans() | st.none()
anything = plain | st.lists(plain, max_size=3) | st.dictionaries(st.text(max_size=3), plain, max_size=2)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)

FITTING = {
    pa.string(): anything,
    pa.int64(): integers | integers.map(str) | st.booleans() | st.sampled_from(["3.0", " 7", "n/a", None, 2.0]),
    pa.float64(): numbers | st.floats(allow_nan=False).map(repr) | st.booleans() | st.sampled_from(["+1e3", "?", None]),
    pa.bool_(): st.booleans() | st.sampled_from(["Yes", "f", "1", 0, 1.0, None, "-"]),
}
"""Values that mostly fit a column of the type."""


def outputs_of(schema, depth=2):
    """Give the texts of any outputs of all transformations over the attributes of a schema."""
    named = {kind: [quote(a.name) for a in schema.attributes if a.type is kind] for kind in AttributeType}
    number, text = (st.sampled_from(named[kind]) if named[kind] else st.nothing() for kind in (NUMERIC, TEXT))
    plain_categories = [*named[CATEGORICAL], *named[BINARY]]
    category = st.sampled_from(plain_categories) if plain_categories else st.nothing()
    for _ in range(depth):
        number |= number.map("normalize({})".format)
        text |= st.builds("{}({})".format, st.sampled_from(["lowercase", "no_punct"]), text)
    binned = st.builds("quantile_bin({},{})".format, number, st.integers(2, 9))
    runs = st.builds("{}({},{})".format, st.sampled_from(["ngram", "osb", "character_ngram"]), text, st.integers(2, 4))
    crossed = discrete = category | binned | text | runs
    for _ in range(depth):
        inputs = st.lists(discrete | crossed, min_size=2, max_size=3)
        crossed = inputs.map(lambda found: f"cartesian({','.join(found)})")
    return st.lists(number | discrete | crossed, min_size=1, max_size=8)


@st.composite
def worlds(draw):
    """Give a schema, a recipe fitted on a few rows, the columns and their types, and records to be answered."""
    found = draw(
        st.lists(st.tuples(names, st.sampled_from(AttributeType)), min_size=1, max_size=6, unique_by=lambda a: a[0])
    )
    schema = Schema(tuple(Attribute(name, kind) for name, kind in found))
    recipe = parse(json.dumps({"outputs": draw(outputs_of(schema))}), schema)
    cells = {name: draw(st.lists(texts, min_size=4, max_size=4)) for name in schema.names}
    fitted = fit(recipe, schema, pa.table({name: pa.array(cell, pa.string()) for name, cell in cells.items()}))
    columns = [(name, draw(st.sampled_from(list(FITTING)))) for name in schema.names if draw(st.integers(0, 9))]
    columns = columns or [(schema.names[0], pa.string())]  # a batch without columns has no rows
    values = {
        name: st.none() | FITTING[kind] | (anything if draw(st.integers(0, 19)) == 0 else st.nothing())
        for name, kind in columns
    }
    asked = st.fixed_dictionaries({}, optional=values | {"unheard of": anything})
    return schema, fitted, columns, draw(st.lists(asked, min_size=1, max_size=4))


def key_and_value(key, value):
    """Keep what is known of a feature."""
    return key, value


def plan_of(fitted, columns):
    """Compile a plan whose parts are keys and values."""
    return Plan(fitted, {name: CELL_OF_RECORD[kind] for name, kind in columns}, int, key_and_value, tuple)


def parts_of(plan, record):
    """Return keys and values of a record's features, one after the other."""
    return list(chain.from_iterable(plan.outputs(record)))


def batched(record, columns):
    """Return a record as a batch; None where it is refused."""
    try:
        return batch_of_records([record], columns)[0]
    except InvalidInput:
        return None


def bits(numbers):
    """Return the bits of floats."""
    return [struct.pack("d", number) for number in numbers]


@settings(max_examples=300)
@given(worlds())
def test_plan_gives_the_features_of_the_batch(world):
    """Whatever recipe, columns and values: the same keys and values in the same order; what is refused is unfit."""
    _, fitted, columns, records = world
    plan = plan_of(fitted, columns)
    for record in [*records, *records]:  # made first, remembered then
        batch = batched(record, columns)
        try:
            found = parts_of(plan, record)
        except Unfit:
            assert batch is None or len(fitted.features(batch).keys) > MANY
            continue
        features = fitted.features(batch)
        assert [key for key, _ in found] == features.keys.tolist()
        assert bits(value for _, value in found) == bits(features.values.tolist())


NOTHING_LEARNED = Weights(np.empty(0, np.uint64), np.empty((0, 1), np.float32), np.zeros(1))


@given(worlds(), st.booleans())
def test_model_describes_a_record_as_its_batch(world, only_texts):
    """By a program where that will do, by the plan where not: the same features to the bit."""
    schema, fitted, columns, records = world
    columns = [(name, pa.string() if only_texts else kind) for name, kind in columns]
    model = Model(Target("unheard of", ModelType.REGRESSION, ()), schema.names, schema, fitted, NOTHING_LEARNED)
    describe = model.record_features({name: CELL_OF_RECORD[kind] for name, kind in columns})
    for record in records:
        try:
            found = describe(record)
        except Unfit:
            continue
        expected = fitted.features(batched(record, columns))
        assert found.indptr.tolist() == expected.indptr.tolist()
        assert found.keys.tolist() == expected.keys.tolist()
        assert found.values.tobytes() == expected.values.tobytes()


@settings(max_examples=200)
@given(worlds(), st.sampled_from(ModelType), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_scorer_of_records_gives_the_bits_of_the_batch(world, kind, classes, seed):
    """Of any type of model, whatever part of the features it knows: a record's score is that of its batch."""
    schema, fitted, columns, records = world
    random = np.random.default_rng(seed)
    target = Target("unheard of", kind, tuple(map(str, range(classes if kind is ModelType.MULTICLASS else 2))))
    batches = [batch for record in records if (batch := batched(record, columns)) is not None]
    keys = sorted({key for batch in batches for key in fitted.features(batch).keys.tolist() if random.random() < 0.8})
    weights = random.normal(0, 3, (len(keys), target.outputs)).astype(np.float32)
    learned = Weights(np.array(keys, np.uint64), weights, random.normal(0, 3, target.outputs))
    model = Model(target, schema.names, schema, fitted, learned)
    score = model.record_scorer({name: CELL_OF_RECORD[type_] for name, type_ in columns})
    for record in [*records, *records]:
        try:
            found = score(record)
        except Unfit:
            continue
        expected = model.score(batched(record, columns))[0]
        assert bits(np.atleast_1d(found)) == bits(np.atleast_1d(expected))


SCHEMA = Schema((Attribute("t", TEXT), Attribute("u", TEXT), Attribute("c", CATEGORICAL), Attribute("n", NUMERIC)))
COLUMNS = [(name, pa.string()) for name in SCHEMA.names]


def small_plan(*outputs):
    """Compile a plan of a small schema."""
    sample = pa.table({"t": ["a"], "u": ["b"], "c": ["c"], "n": ["1"]})
    return plan_of(fit(parse(json.dumps({"outputs": outputs}), SCHEMA), SCHEMA, sample), COLUMNS)


def test_every_transformation_is_compiled():
    """Whatever the language may call, a plan can."""
    assert {*makers._MAKE, "cartesian"} == set(TRANSFORMATIONS)


@pytest.mark.parametrize(
    "record",
    [
        {"t": "x" * (LONG + 1)},
        {"c": "x" * (LONG + 1)},
        {"t": " ".join(map(str, range(20))), "u": " ".join(map(str, range(20)))},
    ],
)
def test_what_a_batch_does_sooner_is_unfit(record):
    """Long texts and a great many combinations are left to the kernels."""
    plan = small_plan("t", "c", "cartesian(t,u)")
    with pytest.raises(Unfit):
        parts_of(plan, record)
    assert parts_of(plan, {"t": "short", "u": "text"})


def test_memory_is_bounded(monkeypatch):
    """However many values come by, a plan remembers so many, and none that is long; it answers all alike."""
    monkeypatch.setattr(single, "ROOM", 64)
    plan = small_plan("t", "c", "cartesian(t,c)")
    records = [{"t": f"{i} word", "c": "long" * BRIEF + str(i)} for i in range(200)]
    found = [parts_of(plan, record) for record in records]
    assert found == [parts_of(plan, record) for record in records]
    assert all(len(column) <= 16 for column in plan._columns)
    assert all(len(value) <= BRIEF for column in plan._columns for value in column if isinstance(value, str))
    assert all(len(cross._memo) <= 16 for cross in plan._crosses)


def test_values_of_two_types_are_told_apart():
    """True, 1 and 1.0 are one to a dictionary, but three texts."""
    plan = small_plan("c")
    (true,), (one,), (text,) = (parts_of(plan, {"c": value}) for value in (True, 1, "1"))
    assert parts_of(plan, {"c": 1.0}) == [one] == [text] != [true]
    assert [parts_of(plan, {"c": value}) for value in (True, 1, 10**20, 1e20)] == [
        parts_of(plan, {"c": value}) for value in ("true", "1", "1" + "0" * 20, "1e+20")
    ]


def test_text_reads_by_arrows_unicode():
    """Lower case goes character by character, also where Python's goes by neighbours."""
    plan = small_plan("lowercase(t)")
    assert parts_of(plan, {"t": "ΣΑΣ"}) == parts_of(plan, {"t": "\u03c3\u03b1\u03c3"})
