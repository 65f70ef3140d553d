"""Suggested recipes: they parse, they follow the evidence, and Amazon ML's own recipes are read as well."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from understudy.errors import SchemaError
from understudy.recipe import fit, parse, suggest
from understudy.schema import Attribute, AttributeType, ModelType, Schema

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data sets are not here")


def _schema(target: str | None = "y", **types: str) -> Schema:
    return Schema(tuple(Attribute(name, AttributeType(kind)) for name, kind in types.items()), target=target)


def _waves(rows: int) -> pa.Table:
    """Make Amazon's non-linear example: y = cos(1.5πx) + cos(5πx) + noise (reference 5.5)."""
    generator = np.random.Generator(np.random.PCG64(0))
    x = generator.random(rows)
    y = np.cos(1.5 * np.pi * x) + np.cos(5 * np.pi * x) + generator.normal(0, 0.1, rows)
    return pa.table({"x": x, "y": y})


def _bins(text: str) -> list[int]:
    return [int(group.rpartition("_")[2]) for group in json.loads(text)["groups"]]


def test_suggestions_parse_and_differ():
    """Every suggestion is a different recipe of the language, with a reason, at most six, and in Amazon ML's form."""
    schema = _schema(n="NUMERIC", c="CATEGORICAL", d="CATEGORICAL", b="BINARY", t="TEXT", y="BINARY")
    sample = pa.table({"n": [1.0, 2.0, None], "c": ["a", "b", ""], "t": ["x y", "", "z"], "y": ["1", "0", "1"]})
    suggestions = suggest(schema, sample, ModelType.BINARY)
    assert 2 <= len(suggestions) <= 6
    assert len({suggestion.text for suggestion in suggestions}) == len(suggestions)
    for suggestion in suggestions:
        assert suggestion.reason
        assert list(json.loads(suggestion.text)) == ["groups", "assignments", "outputs"]
        parsed = parse(suggestion.text, schema)
        assert {v.name for output in parsed.outputs for v in output.variables} == {"n", "c", "d", "b", "t"}
        assert fit(parsed, schema, sample).features(sample.to_batches()[0]).rows == 3


def test_waves_ask_for_many_bins_and_noise_for_few():
    """A number that swings is cut finely, one that says nothing coarsely."""
    waves = _waves(1000)
    noise = np.random.Generator(np.random.PCG64(1)).random(1000)
    schema = _schema(x="NUMERIC", z="NUMERIC", y="NUMERIC")
    best = json.loads(suggest(schema, waves.append_column("z", pa.array(noise)), ModelType.REGRESSION)[0].text)
    counts = {members: int(name.rpartition("_")[2]) for name, members in best["groups"].items()}
    assert counts["group(x)"] >= 50
    assert counts["group(z)"] == 5


def test_bins_of_the_suggestion_follow_the_curve():
    """The mean of each suggested bin predicts unseen points of the waves within 0.16, noise of 0.1 included."""
    learned, unseen = _waves(1000), _waves(1500).slice(1000)
    schema = _schema(x="NUMERIC", y="NUMERIC")
    bins = _bins(suggest(schema, learned, ModelType.REGRESSION)[0].text)[0]
    fitted = fit(parse(f'{{"outputs": ["quantile_bin(x,{bins})"]}}', schema), schema, learned)
    known, asked = (fitted.features(table.combine_chunks().to_batches()[0]).keys for table in (learned, unseen))
    truth = learned["y"].to_numpy()
    guesses = np.array([truth[known == key].mean() for key in asked])
    assert np.sqrt(np.mean((guesses - unseen["y"].to_numpy()) ** 2)) < 0.16


@pytest.mark.parametrize("model_type", ModelType)
def test_suggestion_is_deterministic_whatever_the_chunks(model_type: ModelType):
    """The same sample in other chunks suggests the same recipes."""
    schema = _schema(x="NUMERIC", y="NUMERIC")
    waves = _waves(400)
    target = waves["y"].to_numpy() if model_type is ModelType.REGRESSION else (waves["y"].to_numpy() > 0).astype(int)
    sample = pa.table({"x": waves["x"], "y": target})
    chunked = pa.concat_tables([sample.slice(0, 7), sample.slice(7)])
    assert suggest(schema, sample, model_type) == suggest(schema, chunked, model_type)


def test_text_without_spaces_is_taken_in_characters():
    """Chinese, Japanese and Thai texts get short runs of characters, other texts longer ones."""
    schema = _schema(ja="TEXT", en="TEXT", y="BINARY")
    sample = pa.table({"ja": ["東京都に行く", "京都"], "en": ["to Tokyo", "Kyoto"], "y": ["1", "0"]})
    outputs = json.loads(suggest(schema, sample, ModelType.BINARY)[0].text)["outputs"]
    assert [o for o in outputs if "character" in o] == [
        "character_ngram(lowercase(ja),1)",
        "character_ngram(lowercase(ja),2)",
        "character_ngram(lowercase(en),4)",
    ]


def test_pairs_are_suggested_for_few_categories_only():
    """Pairs of categories are offered up to twelve attributes."""
    for count, offered in ((1, False), (12, True), (13, False)):
        schema = _schema(**{f"c{i}": "CATEGORICAL" for i in range(count)}, y="BINARY")
        texts = [s.text for s in suggest(schema, pa.table({"y": ["1", "0"]}), ModelType.BINARY)]
        assert any("cartesian" in text for text in texts) is offered
        assert "cartesian" not in texts[0]


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_sample_of_hardly_any_rows_still_suggests(rows: int):
    """Without evidence, or without a target, there is still a recipe."""
    sample = _waves(3).slice(0, rows)
    for target, model_type in (("y", ModelType.REGRESSION), ("y", ModelType.MULTICLASS), (None, ModelType.BINARY)):
        schema = _schema(target, x="NUMERIC", y="NUMERIC")
        assert parse(suggest(schema, sample, model_type)[0].text, schema).outputs


def test_schema_without_features_is_refused():
    """Nothing to learn from is said, not suggested."""
    with pytest.raises(SchemaError, match="no attribute to learn from"):
        suggest(_schema(y="BINARY"), pa.table({"y": ["1"]}), ModelType.BINARY)


@needs_data
@pytest.mark.parametrize(
    ("schema", "recipe", "rows"),
    [
        ("banking/banking.csv.schema", "banking/recipe.json", "banking/banking.csv.gz"),
        ("titanic/ch6_titanic_train.csv.schema", "titanic/default_recipe.json", "titanic/ch6_titanic_train.csv"),
        (
            "titanic/extended_titanic_train.csv.schema",
            "titanic/extended_recipe.json",
            "titanic/extended_titanic_train.csv",
        ),
    ],
)
def test_recipe_of_a_real_user_makes_features(schema: str, recipe: str, rows: str):
    """Recipes that Amazon ML took are taken, and every row of their data gets features."""
    read = Schema.from_json((DATA / schema).read_text())
    raw = (DATA / rows).read_bytes()
    table = pa.csv.read_csv(pa.BufferReader(gzip.decompress(raw) if rows.endswith("gz") else raw)).slice(0, 2000)
    table = pa.table({name: column.cast(pa.string()) for name, column in zip(read.names, table.columns, strict=True)})
    fitted = fit(parse((DATA / recipe).read_text(), read), read, table)
    features = fitted.features(table.combine_chunks().to_batches()[0])
    assert np.diff(features.indptr).min() > 0
    assert len(np.unique(features.keys)) > len(fitted.outputs)
