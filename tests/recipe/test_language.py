"""The recipe language: what parses, to what, and what is said of a mistake and where."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import RecipeError
from understudy.recipe import parse
from understudy.recipe.expressions import quote
from understudy.schema import Attribute, AttributeType, Schema

TYPES = {
    "id": AttributeType.CATEGORICAL,
    "age": AttributeType.NUMERIC,
    "1stFlrSF": AttributeType.NUMERIC,
    "job": AttributeType.CATEGORICAL,
    "it's, (a) \\ name": AttributeType.CATEGORICAL,
    "title": AttributeType.TEXT,
    "body": AttributeType.TEXT,
    "flag": AttributeType.BINARY,
    "secret": AttributeType.TEXT,
    "y": AttributeType.BINARY,
}
SCHEMA = Schema(
    tuple(Attribute(name, kind) for name, kind in TYPES.items()), target="y", row_id="id", excluded=("secret",)
)


def _texts(*outputs: str, **sections: dict[str, str]) -> list[str]:
    """Parse a recipe and write its output variables as text."""
    recipe = parse(json.dumps({**sections, "outputs": list(outputs)}), SCHEMA)
    return [output.text for output in recipe.outputs]


def _mistake(text: str, schema: Schema = SCHEMA) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        parse(text, schema)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("ALL_TEXT", ["title", "body"]),
        ("ALL_NUMERIC", ["age", "'1stFlrSF'"]),
        ("ALL_CATEGORICAL", ["job", "'it\\'s, (a) \\\\ name'"]),
        ("ALL_BINARY", ["flag"]),
        ("quantile_bin(ALL_NUMERIC,50)", ["quantile_bin(age,50)", "quantile_bin('1stFlrSF',50)"]),
        (" ngram( lowercase(no_punct( title )) , 2 ) ", ["ngram(lowercase(no_punct(title)),2)"]),
        ("cartesian('job', title, quantile_bin(age,10))", ["cartesian(job,title,quantile_bin(age,10))"]),
        ("cartesian(flag,ALL_TEXT)", ["cartesian(flag,title)", "cartesian(flag,body)"]),
        ("osb(body,10)", ["osb(body,10)"]),
        ("character_ngram(body,1)", ["character_ngram(body,1)"]),
    ],
)
def test_output_stands_for_its_variables(output: str, expected: list[str]):
    """Groups, predefined ones included, give one output variable for each member; nesting is kept."""
    assert _texts(output) == expected


def test_all_inputs_leaves_out_what_is_never_a_feature():
    """ALL_INPUTS is every attribute but target, row id and excluded ones, in the schema's order."""
    assert _texts("ALL_INPUTS") == ["age", "'1stFlrSF'", "job", "'it\\'s, (a) \\\\ name'", "title", "body", "flag"]


def test_groups_and_assignments_build_on_earlier_ones():
    """A group adds and removes members; an assignment may use what stands before it, and be used in turn."""
    texts = _texts(
        "bi",
        "cartesian(bi,job)",
        "BOTH",
        groups={"BOTH": "group(ALL_TEXT,age)", "REST": "group_remove(BOTH,'title',ALL_NUMERIC)"},
        assignments={"low": "lowercase(REST)", "bi": "ngram(low,2)"},
    )
    bi = "ngram(lowercase(body),2)"
    assert texts == [bi, f"cartesian({bi},job)", "title", "body", "age"]


def test_quoted_name_is_an_attribute_even_where_an_assignment_has_it():
    """A quoted name reaches past an assignment of the same name."""
    assert _texts("title", "'title'", assignments={"title": "lowercase(title)"}) == ["lowercase(title)", "title"]


def test_duplicate_outputs_collapse():
    """The same output variable twice is learned once."""
    assert _texts("age", "ALL_NUMERIC", "'age'") == ["age", "'1stFlrSF'"]


def test_target_named_aloud_is_dropped_and_reported():
    """What is never a feature is left out with all that is made of it, and `ignored` names what the text named."""
    recipe = parse('{"outputs": ["y", "lowercase(secret)", "cartesian(id,job)", "age", "ALL_INPUTS"]}', SCHEMA)
    assert recipe.ignored == ("y", "secret", "id")
    assert {variable.name for output in recipe.outputs for variable in output.variables}.isdisjoint(
        {"y", "secret", "id"}
    )


def test_group_of_an_absent_type_is_allowed():
    """Amazon's suggestions name ALL_CATEGORICAL without any such attribute."""
    schema = Schema((Attribute("x", AttributeType.NUMERIC),))
    assert [o.text for o in parse('{"outputs": ["ALL_CATEGORICAL", "x"]}', schema).outputs] == ["x"]


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ('{\n  "outputs": ["age",\n    "quantile_bin(title, 5)"]}', 3, 19, "takes NUMERIC, but title is TEXT"),
        ('{"outputs": ["ALL_NUMERIK"]}', 1, 15, "'ALL_NUMERIK'"),
        ('{"outputs": ["\\u0061ge", "agee"]}', 1, 27, "'agee'"),
        ('{"outputs": ["\\ud83d\\ude00", "age"]}', 1, 15, "😀"),
        ('{"outputs": ["lowercas(title)"]}', 1, 15, "no transformation 'lowercas'"),
        ('{"outputs": ["ngram(title,1)"]}', 1, 27, "the number 1"),
        ('{"outputs": ["osb(title,11)"]}', 1, 25, "the number 11"),
        ('{"outputs": ["quantile_bin(age,1001)"]}', 1, 32, "the number 1001"),
        ('{"outputs": ["quantile_bin(age)"]}', 1, 15, "is given 1 argument"),
        ('{"outputs": ["quantile_bin(5,age)"]}', 1, 30, "no whole number"),
        ('{"outputs": ["lowercase(title,body)"]}', 1, 15, "is given 2 arguments"),
        ('{"outputs": ["cartesian(job)"]}', 1, 15, "is given 1 argument"),
        ('{"outputs": ["cartesian(job,age)"]}', 1, 29, "age is NUMERIC"),
        ('{"outputs": ["lowercase(ngram(title,2))"]}', 1, 25, "is tokens"),
        ('{"outputs": ["normalize(ALL_INPUTS)"]}', 1, 25, "job is CATEGORICAL"),
        ('{"outputs": ["group(job,age)"]}', 1, 15, "outside 'groups'"),
        ('{"outputs": ["1stFlrSF"]}', 1, 15, "does not begin with a letter"),
        ('{"outputs": ["age job"]}', 1, 19, "follows a complete expression"),
        ('{"outputs": ["lowercase(title"]}', 1, 30, "the string ends"),
        ('{"outputs": ["lowercase(title;)"]}', 1, 25, "'title;'"),
        ('{"outputs": ["\'age"]}', 1, 15, "where a name was expected"),
        ('{"outputs": [""]}', 1, 15, "the string ends"),
        ('{"outputs": ["y"]}', 0, 0, "nothing"),
        ('{"outputs": []}', 1, 13, "empty"),
        ('{"outputs": "age"}', 1, 13, "not a list"),
        ('{"outputs": [["age"]]}', 1, 14, "not a string"),
        ('{"outputs": [3]}', 1, 14, "not a string"),
        ('{"groups": []}', 1, 1, "no section 'outputs'"),
        ('{"groups": [], "outputs": ["age"]}', 1, 12, "not an object"),
        ('{"groups": {"G": 1}, "outputs": ["age"]}', 1, 18, "not a string"),
        ('{"groups": {"G": "age"}, "outputs": ["age"]}', 1, 19, "is no group"),
        ('{"groups": {"G": "group(ALL_INPUTS)"}, "outputs": ["G"]}', 1, 25, "in 'outputs' only"),
        ('{"groups": {"G": "group(lowercase(title))"}, "outputs": ["G"]}', 1, 25, "inside a group"),
        ('{"groups": {"G": "group(H)", "H": "group(age)"}, "outputs": ["G"]}', 1, 25, "before this place"),
        ('{"groups": {"G": "group(age)", "G": "group(job)"}, "outputs": ["G"]}', 1, 33, "is taken"),
        ('{"groups": {"ALL_TEXT": "group(age)"}, "outputs": ["age"]}', 1, 14, "is taken"),
        ('{"assignments": {"2x": "age"}, "outputs": ["age"]}', 1, 19, "cannot name"),
        ('{"assignments": {"a": "lowercase(a)"}, "outputs": ["a"]}', 1, 34, "before this place"),
        ('{"outputs": ["age"], "groups": {}}', 1, 23, "wrong place"),
        ('{"outputs": ["age"], "outputs": ["job"]}', 1, 23, "wrong place"),
        ('{"groups": {}, "output": ["age"]}', 1, 17, "a section 'output'"),
        ('{\n// bins\n"outputs": ["age"]}', 2, 1, "comment"),
        ('{"outputs": ["age"],}', 1, 21, "not JSON"),
        ('["age"]', 1, 1, "is a list"),
    ],
)
def test_mistake_is_named_with_its_place(text: str, line: int, column: int, said: str):
    """Every mistake is a RecipeError that says what was found, with line and column in the JSON, and what to do."""
    error = _mistake(text)
    assert said in error.message
    if line:
        assert (error.line, error.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ('{"outputs": ["ALL_NUMERIK"]}', "ALL_NUMERIC"),
        ('{"outputs": ["titel"]}', "title"),
        ('{"outputs": ["n_gram(title,2)"]}', "ngram"),
        ('{"output": ["age"]}', "outputs"),
    ],
)
def test_unknown_name_suggests_the_nearest(text: str, nearest: str):
    """A misspelt name is answered with the name that was probably meant."""
    assert f"Did you mean {nearest!r}?" in _mistake(text).hint


def test_slashes_within_strings_are_no_comment():
    """An attribute may have `//` in its name."""
    schema = Schema((Attribute("a//b", AttributeType.NUMERIC),))
    assert parse('{"outputs": ["a//b"]}', schema).outputs[0].text == "a//b"


def test_recipe_too_large_is_refused():
    """More than 131,071 characters or 10,000 output variables are refused, before they cost memory."""
    _mistake(" " * 131_060 + '{"outputs": ["age"]}')
    wide = Schema(tuple(Attribute(f"c{i}", AttributeType.CATEGORICAL) for i in range(1000)))
    group = "ALL_CATEGORICAL"
    assert "10,000" in _mistake(f'{{"outputs": ["cartesian({group},{group},{group})"]}}', wide).message


def test_nesting_without_end_is_refused():
    """Neither deep nesting nor assignments that double each other can exhaust the interpreter."""
    _mistake('{"outputs": ["' + "lowercase(" * 5000 + "title" + ")" * 5000 + '"]}')
    _mistake("[" * 100_000)
    doubling = {f"a{i}": f"cartesian({name},{name})" for i, name in enumerate(["job", *(f"a{i}" for i in range(30))])}
    _mistake(json.dumps({"assignments": doubling, "outputs": ["a29"]}))
    chain = {f"a{i}": f"normalize({name})" for i, name in enumerate(["age", *(f"a{i}" for i in range(500))])}
    _mistake(json.dumps({"assignments": chain, "outputs": ["a499"]}))


@given(st.text(min_size=1, max_size=12))
def test_any_attribute_name_can_be_written(name: str):
    """A name of any characters, quoted as the language asks, stands for its attribute and is written back the same."""
    schema = Schema((Attribute(name, AttributeType.NUMERIC),))
    (output,) = parse(json.dumps({"outputs": [f"normalize({quote(name)})"]}), schema).outputs
    assert [variable.name for variable in output.variables] == [name]
    assert output.text == f"normalize({quote(name)})"


@given(st.text(alphabet="age,'()\\ 2\"{}[]:ngram\n/*", max_size=40))
def test_nonsense_never_ends_in_a_traceback(text: str):
    """Whatever an expression or a whole recipe holds, it parses or raises RecipeError."""
    for recipe in (text, json.dumps({"outputs": [text]}), json.dumps({"groups": {text: text}, "outputs": ["age"]})):
        try:
            parse(recipe, SCHEMA)
        except RecipeError as error:
            assert error.message  # noqa: PT017  either outcome is right
