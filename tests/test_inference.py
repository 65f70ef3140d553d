"""The guess of a schema: what a careful user would call right, on real data and on the traps between them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import ConfigError, InvalidInput, SchemaError
from understudy.inference import Guess, guess_target, infer, model_type_of, positive_label
from understudy.schema import AttributeType, ModelType
from understudy.values import canonical_batch

DATA = Path(__file__).parents[2] / "shared" / "data"

B, C, N, T, X = "BINARY", "CATEGORICAL", "NUMERIC", "TEXT", "excluded"


def _columns(**kinds: str) -> dict[str, str]:
    """Turn kind="name name ..." into {name: kind}."""
    return {name: kind for kind, names in kinds.items() for name in names.split()}


EXPECTED: dict[str, tuple[str, str, dict[str, str]]] = {
    "banking/banking.csv.gz": (
        "y",
        B,
        _columns(
            NUMERIC="age duration campaign pdays previous emp_var_rate cons_price_idx cons_conf_idx euribor3m"
            " nr_employed",
            CATEGORICAL="job marital education default housing loan contact month day_of_week poutcome",
        ),
    ),
    "titanic/titanic.csv": (
        "survived",
        B,
        _columns(
            NUMERIC="age sibsp parch fare body",
            CATEGORICAL="pclass sex embarked boat",
            TEXT="name ticket cabin home.dest",
        ),
    ),
    "sms_spam/spam.csv": ("v1", B, _columns(TEXT="v2")),
    "adult/adult_train.csv.gz": (
        "income",
        B,
        _columns(
            NUMERIC="age fnlwgt education_num capital_gain capital_loss hours_per_week",
            CATEGORICAL="workclass education marital_status occupation relationship race sex native_country",
        ),
    ),
    "amazon_access/train.csv.gz": (
        "ACTION",
        B,
        _columns(
            CATEGORICAL="RESOURCE MGR_ID ROLE_ROLLUP_1 ROLE_ROLLUP_2 ROLE_DEPTNAME ROLE_TITLE ROLE_FAMILY_DESC"
            " ROLE_FAMILY ROLE_CODE"
        ),
    ),
    "criteo_tiny/train.tiny.csv.gz": (
        "Label",
        B,
        _columns(
            NUMERIC=" ".join(f"I{i}" for i in range(1, 14)),
            CATEGORICAL=" ".join(f"C{i}" for i in range(1, 27)),
            excluded="Id",
        ),
    ),
    "elec2/elec2.csv.gz": (
        "class",
        B,
        _columns(NUMERIC="date period nswprice nswdemand vicprice vicdemand transfer", CATEGORICAL="day"),
    ),
    "iris/iris.csv": ("species", C, _columns(NUMERIC="sepal_length sepal_width petal_length petal_width")),
    "seeds/seeds_dataset.csv": (
        "seedType",
        C,
        _columns(
            NUMERIC="area perimeter compactness lengthOfKernel widthOfKernel asymmetryCoefficient lengthOfKernelGroove",
            excluded="ID",
        ),
    ),
    "letter/letter.csv.gz": (
        "lettr",
        C,
        _columns(
            NUMERIC="x_box y_box width high onpix x_bar y_bar x2bar y2bar xybar x2ybr xy2br x_ege xegvy y_ege yegvx"
        ),
    ),
    "ag_news/ag_news_test.csv.gz": ("class", C, _columns(TEXT="title description")),
    "airplane_delay/airplane_delay_2008.csv.gz": (
        "ArrDelay",
        N,
        _columns(
            NUMERIC="DayofMonth DepTime CRSDepTime DepDelay Distance TaxiIn TaxiOut",
            CATEGORICAL="DayOfWeek UniqueCarrier FlightNum TailNum Origin Dest",
        ),
    ),
    "ames_housing/ames_housing.csv.gz": (
        "SalePrice",
        N,
        _columns(
            NUMERIC="LotFrontage LotArea OverallQual OverallCond YearBuilt YearRemod/Add MasVnrArea BsmtFinSF1"
            " BsmtFinSF2"
            " BsmtUnfSF TotalBsmtSF 1stFlrSF 2ndFlrSF LowQualFinSF GrLivArea BsmtFullBath BsmtHalfBath FullBath"
            " HalfBath"
            " BedroomAbvGr KitchenAbvGr TotRmsAbvGrd Fireplaces GarageYrBlt GarageCars GarageArea WoodDeckSF"
            " OpenPorchSF"
            " EnclosedPorch 3SsnPorch ScreenPorch PoolArea MiscVal YrSold",
            CATEGORICAL="MSSubClass MSZoning Street Alley LotShape LandContour Utilities LotConfig LandSlope"
            " Neighborhood"
            " Condition1 Condition2 BldgType HouseStyle RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType ExterQual"
            " ExterCond Foundation BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinType2 Heating HeatingQC"
            " Electrical"
            " KitchenQual Functional FireplaceQu GarageType GarageFinish GarageQual GarageCond PavedDrive PoolQC Fence"
            " MiscFeature MoSold SaleType SaleCondition",
            BINARY="CentralAir",
            excluded="Order",
        ),
    ),
    "california_housing/housing.csv.gz": (
        "median_house_value",
        N,
        _columns(
            NUMERIC="longitude latitude housing_median_age total_rooms total_bedrooms population households"
            " median_income",
            CATEGORICAL="ocean_proximity",
        ),
    ),
}


def _rows(file: str) -> pa.Table:
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{file} is not here")
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    names = pa_csv.read_csv(path, parse_options=parsing).column_names
    as_text = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    table = pa_csv.read_csv(path, parse_options=parsing, convert_options=as_text)
    return pa.Table.from_batches([canonical_batch(batch) for batch in table.to_batches()])


def _judged(values: list[str | None], name: str = "column", **others: list[str]) -> Guess:
    return infer(pa.table({name: values, **others})).guesses[0]


@pytest.mark.parametrize("file", EXPECTED)
def test_inference_agrees_with_a_careful_user_on_real_data(file: str):
    """Every column of fourteen public data sets gets the type that somebody who looked at it would declare."""
    target, kind, expected = EXPECTED[file]
    inference = infer(_rows(file), target=target)
    found = {guess.name: X if guess.excluded else guess.type.value for guess in inference.guesses}
    assert found == {**expected, target: kind}


@pytest.mark.parametrize(
    ("file", "row_id"),
    [("seeds/seeds_dataset.csv", "ID"), ("ames_housing/ames_housing.csv.gz", "Order"), ("iris/iris.csv", None)],
)
def test_unique_identifier_is_proposed_as_row_id(file: str, row_id: str | None):
    """A column that names the rows is proposed as the row id, and the schema leaves that decision to the user."""
    inference = infer(_rows(file), target=EXPECTED[file][0])
    assert (inference.row_id, inference.schema.row_id) == (row_id, None)


@pytest.mark.parametrize(
    ("file", "target"),
    [(file, expected[0]) for file, expected in EXPECTED.items() if not file.startswith("california")],
)
def test_target_is_guessed_on_real_data(file: str, target: str):
    """By name, by being the only column of its kind or by being last, the right column is found."""
    assert guess_target(_rows(file))[0] == target


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("zip", [f"{i % 50 + 10_000}" for i in range(200)], C),
        ("plant", [f"{i % 50:05}" for i in range(200)], C),
        ("customer_id", [f"{i % 50}" for i in range(200)], C),
        ("account_number", [f"{i % 150 + 7000}" for i in range(400)], C),
        ("number_of_rooms", [f"{i % 12}" for i in range(200)], N),
        ("month", [f"{i % 12 + 1}" for i in range(200)], C),
        ("months_employed", [f"{i % 300}" for i in range(600)], N),
        ("card", [f"{4_000_000_000_000_000 + i % 60}" for i in range(200)], C),
        ("weight", [f"{i / 7:.3f}" for i in range(150)], N),
        ("amount", ["12", "?", "NA", "N/A", "-", None] * 40 + ["13", "14"], N),
        ("flag", ["Yes", "no", None, "NA"] * 50, B),
        ("flag", ["1", "0"] * 50, B),
        ("sex", ["male", "female"] * 50, C),
        ("dwelling", ["Private house", "Block of flats", "Caravan"] * 50, C),
        ("alley", ["NA"] * 180 + ["Pave", "Grvl"] * 10, C),
        ("signed", ["2020-01-15", "2021-06-30", "2022-02-01"] * 50, C),
        ("user", [f"user{i % 90}" for i in range(200)], C),
    ],
)
def test_column_is_read_as_meant(name: str, values: list[str | None], kind: str):
    """Codes, measures, truth values and holes are told apart by name and values."""
    guess = _judged(values, name)
    assert (guess.type.value, guess.excluded) == (kind, False)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("order_id", [f"{i * 7919 % 100_003}" for i in range(300)]),
        ("position", [str(1000 + i) for i in range(300)]),
        ("token", [f"{i * 2654435761 % 2**32:08x}" for i in range(300)]),
        ("created", [f"2020-{i // 28 % 12 + 1:02}-{i % 28 + 1:02}" for i in range(300)]),
        ("page", [f"https://example.org/{i}" for i in range(300)]),
        ("nothing", [None] * 300),
    ],
)
def test_column_that_cannot_teach_is_excluded_with_a_reason(name: str, values: list[str | None]):
    """Identifiers, dates that will not come again, addresses and empty columns are left out, and it is said why."""
    guess = _judged(values, name)
    assert guess.excluded
    assert guess.reason


def test_unique_measure_in_small_data_is_no_identifier():
    """A hundred rows may all have different weights, and different incomes in whole euros: both are measures."""
    draw = random.Random(7)
    incomes = [str(value) for value in draw.sample(range(9_000, 90_000), 100)]
    assert not _judged([f"{draw.random():.9f}" for _ in range(100)], "weight").excluded
    assert _judged(incomes, "income") == Guess("income", AttributeType.NUMERIC, _judged(incomes, "income").reason)


def test_unique_text_is_no_identifier():
    """Different sentences in every row are something to learn from."""
    words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "nobody", "looks"]
    draw = random.Random(1)
    texts = [" ".join(draw.choices(words, k=9)) + f" {i}" for i in range(200)]
    assert _judged(texts, "remark") == Guess("remark", AttributeType.TEXT, "200 distinct texts of 10 words on average")


@pytest.mark.parametrize(
    "signs", ["今天天气很好我们去公园散步吃饭", "これはとても良い製品ですねありがとう", "สินค้าดีมากขอบคุณครับส่งเร็ว"]
)
def test_text_without_spaces_is_text(signs: str):
    """Chinese, Japanese and Thai sentences are text though nothing stands between their words."""
    draw = random.Random(3)
    assert _judged(["".join(draw.choices(signs, k=12)) for _ in range(100)]).type is AttributeType.TEXT


def test_few_sentences_without_spaces_are_text_though_some_repeat():
    """Sixteen Japanese remarks in twenty rows are text to look at; sixteen long place names in many rows are not."""
    texts = [
        f"{word}が{how}"
        for word in ("料理", "接客", "値段", "場所")
        for how in ("とても良い", "少し残念", "普通でした", "最高でした")
    ]
    guess = _judged([*texts, *texts[:4]])
    assert (guess.type, guess.doubtful) == (AttributeType.TEXT, True)
    assert _judged(texts * 10).type is AttributeType.CATEGORICAL


def test_only_column_to_learn_from_is_never_the_row_id():
    """A unique number beside nothing but the target is learned from, and somebody should look at it."""
    draw = random.Random(1)
    table = {"number": [str(draw.randrange(10**6, 10**7)) for _ in range(60)], "y": ["a", "b"] * 30}
    inference = infer(pa.table(table), target="y")
    assert (inference.row_id, inference.schema.excluded, inference.guesses[0].doubtful) == (None, (), True)
    beside = infer(pa.table({"id": [str(i) for i in range(60)], **table}), target="y")
    assert (beside.row_id, beside.schema.excluded) == ("id", ("id",))


def test_columns_left_out_are_told_with_their_reasons():
    """When only a running number stands beside the target, the guess says why nothing is left to learn from."""
    inference = infer(pa.table({"id": [str(i) for i in range(60)], "y": ["a", "b"] * 30}), target="y")
    assert inference.left_out == "id: identifies the row: unique, and named like an id"


def test_json_documents_are_text_however_deep():
    """Documents are text to be taken apart, and one nested beyond reason does no harm."""
    documents = [f'{{"number": {i}, "tags": ["a", "b"]}}' for i in range(60)]
    assert _judged([*documents, "[" * 200_000 + "]" * 200_000]).reason.startswith("JSON documents")


def test_few_stray_texts_leave_a_number_and_are_mentioned():
    """Three odd cells among hundreds of numbers do not turn a measure into categories, but somebody should look."""
    guess = _judged([str(i % 37) for i in range(400)] + ["lots", "lots", "few"])
    assert guess.type is AttributeType.NUMERIC
    assert guess.doubtful
    assert "3 cells are no number, such as 'lots'" in guess.reason


def test_constant_column_is_kept_and_doubted():
    """A value that never varies is kept, since it may vary next week, and pointed out."""
    guess = _judged(["DE"] * 100)
    assert (guess.doubtful, guess.excluded) == (True, False)
    assert "always 'DE'" in guess.reason


def _large_numbers(rows: int = 4000) -> np.ndarray:
    draw = np.random.default_rng(5)
    return draw.choice(draw.choice(np.arange(1, 30_000), 60, replace=False) * 10, rows)


def test_target_unmasks_codes_written_as_round_numbers():
    """Where equal numbers share an answer and neighbouring ones do not, the numbers are codes."""
    numbers = _large_numbers()
    risky = set(np.unique(numbers)[::3].tolist())
    answers = ["yes" if number in risky else "no" for number in numbers]
    sample = pa.table({"role": [str(n) for n in numbers], "y": answers})
    assert infer(sample, target="y").guesses[0].type is AttributeType.CATEGORICAL
    assert infer(sample.select(["role"])).guesses[0].type is AttributeType.NUMERIC


def test_smooth_relation_to_the_target_keeps_a_number():
    """The same numbers stay a measure where more of them means more of the target."""
    numbers = _large_numbers()
    noise = np.random.default_rng(6).normal(0, 30_000, len(numbers))
    answers = ["yes" if n + e > 150_000 else "no" for n, e in zip(numbers, noise, strict=True)]
    sample = pa.table({"salary": [str(n) for n in numbers], "y": answers})
    assert infer(sample, target="y").guesses[0].type is AttributeType.NUMERIC


def test_declared_type_holds_whatever_the_values_say():
    """A correction in the project file is never overruled, nor is its column excluded."""
    sample = pa.table({"id": [str(i) for i in range(50)], "y": ["a", "b"] * 25})
    guess = infer(sample, target="y", declared={"id": AttributeType.NUMERIC}).guesses[0]
    assert (guess.type, guess.excluded) == (AttributeType.NUMERIC, False)


def test_target_is_never_excluded():
    """Even a target that looks like an identifier stays the target."""
    sample = pa.table({"x": ["1", "2"] * 20, "id": [str(i) for i in range(40)]})
    assert infer(sample, target="id").schema.excluded == ()


def test_typed_columns_of_databases_and_parquet_are_judged_like_text():
    """Numbers and truth values that come with a type get the guesses that their spelling in a CSV would get."""
    numbers, truths = [i % 37 for i in range(300)], [i % 3 == 0 for i in range(300)]
    typed = pa.table({"age": numbers, "member": truths, "zip": [10_000 + i % 60 for i in range(300)]})
    assert [guess.type.value for guess in infer(typed).guesses] == [N, B, C]


def test_unknown_name_is_refused():
    """A target, row id or corrected column that does not exist is named together with those that do."""
    with pytest.raises(SchemaError, match=r"'ag'.*'age'"):
        infer(pa.table({"age": ["1", "2"]}), target="ag")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["ham", "spam"] * 5, ModelType.BINARY),
        (["3", "8"] * 5, ModelType.BINARY),
        (["yes", "Y", "no", "0"] * 5, ModelType.BINARY),
        (["yes", "no", "?", None] * 5, ModelType.BINARY),
        ([str(i % 3) for i in range(90)], ModelType.MULTICLASS),
        ([str(i % 20) for i in range(200)], ModelType.MULTICLASS),
        ([str(i % 20) for i in range(199)], ModelType.REGRESSION),
        ([str(i % 21) for i in range(2100)], ModelType.REGRESSION),
        ([f"{i % 3}.5" for i in range(90)], ModelType.REGRESSION),
        (["a", "b", "c"], ModelType.MULTICLASS),
    ],
)
def test_target_values_decide_the_model(values: list[str | None], kind: ModelType):
    """Two values are BINARY whatever they are called; numbers REGRESSION unless few and frequent; else MULTICLASS."""
    assert model_type_of(pa.array(values))[0] is kind


def test_target_that_never_varies_is_refused():
    """A target with one value leaves nothing to learn, and the error says which value it is."""
    with pytest.raises(InvalidInput, match="only 'no'"):
        model_type_of(pa.array(["no", None, "no"]))


@pytest.mark.parametrize(
    ("values", "declared", "positive"),
    [
        (["yes", "no"], None, "yes"),
        (["0", "1"], None, "1"),
        (["F", "T"], None, "T"),
        (["spam", "ham"], None, "spam"),
        (["9", "10"], None, "10"),
        (["ham", "spam"], "ham", "ham"),
        (["1", "2"], 1, "1"),
        (["1", "2"], 1.0, "1"),
        (["false", "true"], False, "false"),
    ],
)
def test_positive_label_is_declared_true_like_or_last(values: list[str], declared: str | float | None, positive: str):
    """What counts as 1 is what the project file says, else the spelling of true, else what sorts last."""
    assert positive_label(values, declared) == positive


def test_positive_label_that_is_no_label_is_refused():
    """A misspelt positive label is an error of the project file that names the two labels."""
    with pytest.raises(ConfigError, match=r"'span'.*'ham' and 'spam'"):
        positive_label(["ham", "spam"], "span")


cells = st.one_of(
    st.none(), st.text(max_size=12), st.integers().map(str), st.sampled_from(["NA", "?", "yes", "0", "1e5"])
)


@settings(max_examples=150, deadline=None)
@given(st.lists(cells, min_size=1, max_size=40), st.text(max_size=8))
def test_any_column_gets_one_reasoned_guess(values: list[str | None], name: str):
    """Whatever the cells and the name hold, inference ends with one type and one reason, the same each time."""
    sample = pa.table({name: pa.array(values, pa.string())})
    inference = infer(sample)
    assert len(inference.guesses) == 1
    assert inference.guesses[0].reason
    assert infer(pa.table({name: pa.chunked_array([values[:1], values[1:]], pa.string())})) == inference
