"""What a fitted recipe learns of numbers, and how it reads cells."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import RecipeError
from understudy.recipe import FittedRecipe, fit, parse
from understudy.recipe.transformations import CLIP, learn_bins
from understudy.schema import Attribute, AttributeType, Schema

SCHEMA = Schema(
    (
        Attribute("age", AttributeType.NUMERIC),
        Attribute("job", AttributeType.CATEGORICAL),
        Attribute("member", AttributeType.BINARY),
    )
)


def _fit(output: str, numbers: list[float | None]) -> FittedRecipe:
    sample = pa.table({"age": pa.array(numbers, pa.float64())})
    return fit(parse(json.dumps({"outputs": [output]}), SCHEMA), SCHEMA, sample)


def _named(fitted: FittedRecipe, **columns: list[object]) -> list[list[tuple[str, float]]]:
    batch = pa.RecordBatch.from_pydict(columns)
    return [[(name, round(value, 5)) for name, _, value in row] for row in fitted.explain(batch)]


def _names(fitted: FittedRecipe, **columns: list[object]) -> list[str]:
    return [name for row in _named(fitted, **columns) for name, _ in row]


def test_number_on_an_edge_lies_to_its_left():
    """A bin holds its upper edge; numbers beyond the training range fall into the first or the last bin."""
    fitted = _fit("quantile_bin(age,4)", [10, 20, 30, 40, 50, 60, 70, 80])
    names = _names(fitted, age=[-1e9, 20, 20.5, 40, 60, 60.1, 1e9])
    assert names == ["age <= 20", "age <= 20", *["age in (20, 40]"] * 2, "age in (40, 60]", "age > 60", "age > 60"]


def test_missing_and_invalid_numbers_share_a_bin_of_their_own():
    """What is no number is binned apart, also where training saw none."""
    fitted = _fit("quantile_bin(age,2)", [1, 2, 3, 4])
    assert _names(fitted, age=[None, "n/a", "", "1"]) == [*["age is missing"] * 3, "age <= 2"]


def test_fewer_distinct_values_give_fewer_bins():
    """500 bins of ten distinct values are ten, one for each; of one value there is one."""
    fitted = _fit("quantile_bin(age,500)", [float(i % 10) for i in range(100)])
    assert len(set(_names(fitted, age=[float(i) for i in range(10)]))) == 10
    assert _names(_fit("quantile_bin(age,500)", [7, 7, None]), age=[7, 8, None]) == [
        *["age is known"] * 2,
        "age is missing",
    ]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60, unique=True), st.integers(2, 20)
)
def test_bins_hold_equal_numbers_of_training_rows(numbers: list[float], count: int):
    """With distinct values the fullest and the emptiest bin differ by one row at most, and no bin is empty."""
    edges = learn_bins(np.array(numbers), count)
    sizes = np.bincount(np.searchsorted(edges, numbers, side="left"), minlength=len(edges) + 1)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("output", ["age", "normalize(age)"])
def test_number_has_mean_0_and_variance_1(output: str):
    """A number, normalised aloud or not, is scaled by the training rows; at its mean it is no feature."""
    fitted = _fit(output, [1, 2, 3, 4, 5])
    root = round(2**-0.5, 5)
    assert _named(fitted, age=[2, 3, 4]) == [[("age", -root)], [], [("age", root)]]
    assert _named(fitted, age=[None]) == [[("age is missing", 1.0)]]


def test_number_and_its_normal_form_are_one_feature():
    """`age` beside `normalize(age)` is learned once."""
    sample = pa.table({"age": [1.0, 2.0]})
    fitted = fit(parse('{"outputs": ["age", "normalize(age)"]}', SCHEMA), SCHEMA, sample)
    assert [output.text for output in fitted.outputs] == ["normalize(age)"]


def test_constant_number_is_no_feature_but_its_absence_is():
    """Zero variance gives nothing, not even where rounding would; a missing value still shows."""
    fitted = _fit("age", [0.1] * 7 + [None])
    assert _named(fitted, age=[0.1, 5.0, None]) == [[], [], [("age is missing", 1.0)]]


def test_number_beyond_the_training_rows_counts_as_the_end_of_their_range():
    """A straight line is not drawn further than rows were seen, however large a number is."""
    fitted = _fit("age", [1, 2, 3, 4, 5])
    ends = _named(fitted, age=[5, 1])
    assert ends == [[("age", round(2**0.5, 5))], [("age", -round(2**0.5, 5))]]
    assert _named(fitted, age=[1.7e308, -1.7e308]) == ends


def test_outlier_ends_at_the_clip():
    """A typing error of any size among the training rows moves a score no further than the clip."""
    fitted = _fit("age", [0] * 999 + [1, 1e300])
    assert _named(fitted, age=[1e300]) == [[("age", CLIP)]]


def test_huge_and_tiny_numbers_are_scaled_alike():
    """Squares beyond the range of floats do not spoil the scale."""
    for unit in (1e-200, 1.0, 1e200):
        fitted = _fit("age", [1 * unit, 2 * unit, 3 * unit])
        assert _named(fitted, age=[3 * unit]) == [[("age", round(1.5**0.5, 5))]]


def test_empty_category_is_a_value():
    """Null and empty are one category of their own; any other text is itself."""
    fitted = _fit("job", [])
    assert _names(fitted, job=["teacher", "", None]) == ["job = teacher", "job is empty", "job is empty"]


def test_truth_values_are_read_in_every_spelling():
    """Spellings of true and false are one value each; anything else is missing (reference 3.3)."""
    fitted = _fit("member", [])
    names = _names(fitted, member=["YES", "t", "False", "female", None])
    assert names == ["member = 1", "member = 1", "member = 0", "member is missing", "member is missing"]


def test_cells_count_by_value_whatever_their_type():
    """Numbers, truth values and codes have the same features as text and as typed cells."""
    recipe = parse('{"outputs": ["ALL_INPUTS", "cartesian(job,quantile_bin(age,2))"]}', SCHEMA)
    fitted = fit(recipe, SCHEMA, pa.table({"age": ["1", "2", "3"]}))
    typed = fitted.features(pa.RecordBatch.from_pydict({"age": [1, 3], "job": [7, 8], "member": [True, False]}))
    plain = fitted.features(pa.RecordBatch.from_pydict({"age": ["1", "3.0"], "job": ["7", "8"], "member": ["1", "0"]}))
    assert typed.keys.tolist() == plain.keys.tolist()
    assert typed.values.tolist() == plain.values.tolist()


def test_equal_values_of_two_outputs_have_different_keys():
    """The key of a value belongs to its output."""
    schema = Schema((Attribute("a", AttributeType.CATEGORICAL), Attribute("b", AttributeType.CATEGORICAL)))
    fitted = fit(parse('{"outputs": ["a", "b"]}', schema), schema, pa.table({"a": ["x"], "b": ["x"]}))
    assert len(set(fitted.features(pa.RecordBatch.from_pydict({"a": ["x"], "b": ["x"]})).keys.tolist())) == 2


def test_document_keeps_every_float_exactly():
    """Edges and scales survive JSON to the last bit."""
    numbers = [1 / 3, 1e-17, 2e300, -5e-324, 0.1 + 0.2]
    fitted = _fit("quantile_bin(age,5)", numbers)
    document = json.loads(json.dumps(fitted.to_document()))
    assert document["learned"] == {"quantile_bin(age,5)": sorted(numbers)[:-1]}
    assert FittedRecipe.from_document(document).to_document() == fitted.to_document()


def test_deepest_recipe_is_read_back():
    """Whatever nesting the language allows, its document can be read again."""
    names = ["age", *(f"a{i}" for i in range(29))]
    assignments = {f"a{i}": f"normalize({name})" for i, name in enumerate(names)}
    text = json.dumps({"assignments": assignments, "outputs": ["quantile_bin(a29,2)"]})
    fitted = fit(parse(text, SCHEMA), SCHEMA, pa.table({"age": [1.0, 2.0, 4.0]}))
    assert FittedRecipe.from_document(fitted.to_document()).to_document() == fitted.to_document()


def test_recipe_of_another_schema_is_refused():
    """Fitting with a schema that reads an attribute otherwise is an error that names it."""
    other = SCHEMA.with_types({"age": AttributeType.TEXT})
    with pytest.raises(RecipeError, match="'age' as NUMERIC, the schema as TEXT"):
        fit(parse('{"outputs": ["age"]}', SCHEMA), other, pa.table({"age": ["1"]}))


def test_document_of_another_version_is_refused():
    """A recipe stored in a form of the past is not read as if it were today's."""
    document = _fit("normalize(age)", [1, 2, 4]).to_document()
    with pytest.raises(RecipeError, match="version 1"):
        FittedRecipe.from_document(document | {"version": 1})
