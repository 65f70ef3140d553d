"""Models: the same rows make the same model, and its document says all that others need."""

import random
import re

import pytest

from service.work.stage import schema
from understudy.errors import InvalidInput, NotFound, RecipeError, SchemaError, TrainingError
from understudy.house import model_object
from understudy.model import Model
from understudy.service.work import models

KINDS = {"BINARY": "BINARY", "MULTICLASS": "CATEGORICAL", "REGRESSION": "NUMERIC"}


def text(kind, **more):
    """Write the schema of the calls."""
    return schema("age:NUMERIC", "job:CATEGORICAL", f"y:{KINDS[kind]}", target="y", **more)


def calls(kind, rows=300, seed=1, words=("0", "1")):
    """Write calls of a bank as CSV: what is predicted hangs on age and job."""
    chance = random.Random(seed)
    lines = ["age,job,y"]
    for _ in range(rows):
        age, job = chance.randint(18, 80), chance.choice(("nurse", "pilot", "farmer"))
        label = {
            "BINARY": words[(age > 50) != (job == "pilot")],
            "MULTICLASS": job if age > 30 else "young",
            "REGRESSION": age * 2 + 100 * (job == "pilot"),
        }[kind]
        lines.append(f"{age},{job},{label}")
    return "\n".join(lines) + "\n"


def learned(stage, kind, entity_id="ml", data=None, **more):
    """Learn a model of calls."""
    location = stage.put(f"{entity_id}.csv", calls(kind) if data is None else data)
    stage.data_source(f"ds-{entity_id}", location, text(kind))
    return stage.model(entity_id, f"ds-{entity_id}", kind, **more)


@pytest.mark.parametrize("kind", KINDS)
def test_model_answers_records(stage, kind):
    """The store opens each type of model by its id, and it answers records of strings."""
    document = learned(stage, kind)
    predictor = stage.store.predictor("ml")
    (answer,), unknown = predictor.predict([{"age": "60", "job": "nurse", "hat": "red"}])
    assert unknown == ["hat"]
    assert answer.value == pytest.approx(120, abs=8) if kind == "REGRESSION" else answer.label in {"1", "nurse"}
    assert predictor.model.fingerprint == document["fingerprint"]
    assert document["size_in_bytes"] == predictor.model.size_in_bytes
    assert document["columns"] == [{"name": name, "type": "string"} for name in ("age", "job", "y")]
    assert document["transform"] is None


def test_document_tells_where_a_model_came_from(stage):
    """Lineage has the data with their etags, the rows' digest, schema, recipe, parameters and versions."""
    document = learned(stage, "BINARY")
    lineage = document["lineage"]
    assert lineage["training_data_source_id"] == "ds-ml"
    assert lineage["files"] == [
        {"url": "s3://data/ml.csv", "etag": stage.buckets.info("data", "ml.csv").etag, "size": len(calls("BINARY"))}
    ]
    assert lineage["digest"].startswith("sha256:")
    assert lineage["parameters"]["sgd.maxPasses"] == "10"
    assert lineage["recipe"] is None
    assert "understudy" in lineage["versions"]
    assert document["schema"] == text("BINARY")
    assert document["recipe"] == document["training"]["recipe"]
    assert document["training_summary"]["classes"].keys() == {"0", "1"}
    assert document["training_rows"] == document["training_summary"]["rows"] == 300


def test_same_rows_make_the_same_model(stage):
    """Files cut otherwise and truth values spelled otherwise make the same fingerprint; other rows another."""
    one = learned(stage, "BINARY", "one")
    spelled = learned(stage, "BINARY", "two", calls("BINARY", words=("No", "TRUE")))
    head, *lines = calls("BINARY").splitlines(keepends=True)
    stage.put("in/1.csv", head + "".join(lines[:100]))
    stage.put("in/2.csv", head + "".join(lines[100:]))
    stage.data_source("ds-three", "s3://data/in/", text("BINARY"))
    cut = stage.model("three", "ds-three", "BINARY")
    other = learned(stage, "BINARY", "four", calls("BINARY", seed=2))
    assert one["fingerprint"] == spelled["fingerprint"] == cut["fingerprint"]
    assert one["lineage"]["digest"] == cut["lineage"]["digest"]
    assert one["fingerprint"] != other["fingerprint"]


def test_fingerprint_is_announced_before_the_folder_is_written(stage, monkeypatch):
    """Killed between the two, the document names the model whose folder may be there; done again, all is there."""
    stage.data_source("ds", stage.put("a.csv", calls("BINARY")), text("BINARY"))
    with monkeypatch.context() as patched:
        patched.setattr(stage.store, "keep_model", lambda _: pytest.fail("killed"))
        with pytest.raises(BaseException, match="killed"):
            stage.model("ml", "ds", "BINARY")
    announced = stage.store.catalog.get("ml", "model").document["fingerprint"]
    assert not stage.store.objects.exists(model_object(announced))
    assert stage.work("model", "ml")["fingerprint"] == announced
    assert stage.store.objects.exists(model_object(announced))


def test_records_without_a_target_are_not_learned(stage):
    """A missing or invalid target rejects the record, and the message counts them."""
    document = learned(stage, "BINARY", data=calls("BINARY") + "40,nurse,\n40,nurse,perhaps\n41,nurse\n")
    assert document["training_rows"] == 300
    assert "1 record was rejected" in document["message"]
    assert "2 records have no usable target and were not learned." in document["message"]


@pytest.mark.parametrize(
    ("kind", "data", "error", "message"),
    [
        ("BINARY", "age,job,y\n1,a,\n2,b,perhaps\n", InvalidInput, "none of 2 records has a 'y'"),
        ("BINARY", "age,job,y\n1,a,1\n2,b,yes\n", TrainingError, "all 2 training records are of the class '1'"),
        ("BINARY", "age,job,y\n1,a,1\n2,b,\n", TrainingError, "the only training record is of the class '1'"),
        ("MULTICLASS", "age,job,y\n1,a,x\n2,b,x\n", TrainingError, "are of the class 'x'"),
        ("REGRESSION", "age,job,y\n1,a,1e39\n2,b,inf\n", InvalidInput, "none of 2 records"),
    ],
    ids=["no target", "one truth", "one record", "one class", "no number"],
)
def test_nothing_to_learn_is_said(stage, kind, data, error, message):
    """Rows that teach nothing fail the model with a reason."""
    with pytest.raises(error, match=message):
        learned(stage, kind, data=data)


def test_type_must_fit_the_target(stage):
    """A model of another type than its target's is refused; so is one without a target."""
    stage.data_source("ds", stage.put("a.csv", calls("BINARY")), text("BINARY"))
    with pytest.raises(SchemaError, match="'y' is BINARY, which a REGRESSION model does not predict"):
        stage.model("ml-1", "ds", "REGRESSION")
    stage.data_source("ds-none", "s3://data/a.csv", schema("age:NUMERIC", "job:CATEGORICAL", "y:BINARY"))
    with pytest.raises(SchemaError, match="names no target"):
        stage.model("ml-2", "ds-none", "BINARY")


def test_recipe_is_the_given_one(stage):
    """A recipe comes as text or by its address, and one that does not parse fails with its place."""
    recipe = '{"outputs": ["ALL_CATEGORICAL", "quantile_bin(age, 5)"]}'
    given = learned(stage, "BINARY", "one", recipe=recipe)
    named = learned(stage, "BINARY", "two", recipe_location=stage.put("recipe.json", recipe))
    assert given["recipe"] == named["recipe"] == given["lineage"]["recipe"] == recipe
    assert given["fingerprint"] == named["fingerprint"]
    with pytest.raises(RecipeError, match="line 1"):
        learned(stage, "BINARY", "three", recipe='{"outputs": ["shout(age)"]}')


def test_names_that_are_never_features_are_said(stage):
    """A recipe that names the target is followed without it, and the message says so."""
    document = learned(stage, "BINARY", recipe='{"outputs": ["ALL_INPUTS", "y"]}')
    assert "The recipe names y, which is never a feature." in document["message"]


def test_parameters_are_followed():
    """No regularisation where both amounts are 0, no shuffling where none is asked for; nothing is chosen instead."""
    found = models.settings_of(
        {
            "algorithm": "sgd",
            "sgd.maxPasses": "3",
            "sgd.maxMLModelSizeInBytes": "100000",
            "sgd.shuffleType": "none",
            "sgd.l1RegularizationAmount": "0.0",
            "sgd.l2RegularizationAmount": "0.0",
        }
    )
    assert (found.max_passes, found.max_size_bytes, found.shuffle, found.l1, found.l2) == (3, 100_000, False, 0.0, 0.0)


def log_of(stage, document):
    """Return a model's log."""
    return stage.get(document["log"], "understudy-logs").decode()


def test_log_is_read_by_the_book(stage):
    """The scan for `learner-id` that the book made finds rates, updates and figures of every learner."""
    log = log_of(stage, learned(stage, "BINARY"))
    rates, updates, losses = {}, {}, {}
    for line in log.splitlines():
        if "learner-id" not in line:
            continue
        name = int(re.search(r"learner-id=(\d+)", line)[1])
        if found := re.search(r"learning-rate=(\S+)", line):
            rates[name] = float(found[1])
        if found := re.search(r"updates=(\d{10}) min=(\d{7})", line):
            updates.setdefault(name, []).append(int(found[1]))
        if found := re.search(r"negative-log-likelihood=(\d\.\d{6}e[+-]\d\d) \(delta=", line):
            losses.setdefault(name, []).append(float(found[1]))
    assert sorted(rates) == [1050, 2101, 3535, 4202]
    assert [rates[name] for name in sorted(rates)] == [0.04, 0.2, 1.0, 4.0]
    assert all(updates[name][0] == 0 < updates[name][1] for name in rates)
    assert all(0 < loss < 2 for name in rates for loss in losses[name])


def test_log_has_the_form_of_the_original(stage):
    """A MIME text of two parts; from beginning to end the lines that the original's log has."""
    document = learned(stage, "BINARY")
    log = log_of(stage, document)
    assert re.match(r'Message-ID: <pr-ml@\S+>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="', log)
    assert "\n\nAmazon Machine Learning\n" in log
    lines = [line for line in log.splitlines() if re.match(r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d INFO:", line)]
    said = [line[24:] for line in lines]
    assert said[0] == "Begin training."
    assert said[1] == (
        "initial-training: l1=0.0 l2=1.0E-6 likelihood-function=logreg max-passes=10 "
        "max-model-size=33554432 (32.00 MB) readable=false"
    )
    for text in ("best learner:", "final consolidation:", "saved final learner:", "initial-training: finished"):
        assert text in said
    fresh = said.index("learner-id=1050 model-configuration:       learning-rate=0.04")
    assert said[fresh + 1 : fresh + 5] == [
        "learner-id=1050 model-convergence:         "
        "negative-log-likelihood=1.000000e+00 (delta=1.000000e+00) is-converged=no",
        "learner-id=1050 active-features:           "
        "updates=0000000000 min=0000000 max=0000000 mean=0000000 total-sum=0000000000",
        "learner-id=1050 active-features-quantiles: quantile-10=0000000 quantile-50=0000000 quantile-90=0000000",
        "learner-id=1050 model-status:              model-size=0 (0.00 MB) #params=0 #pruning-calls=0000000000",
    ]
    best = said[said.index("best learner:") + 2]
    assert re.fullmatch(
        r"learner-id=\d{4} model-performance:         "
        r"accuracy=\d\.\d{4} recall=\d\.\d{4} precision=\d\.\d{4} f1-score=\d\.\d{4} auc=\d\.\d{4}",
        best,
    )
    assert said[-2:] == [f"Foorprint size is {document['size_in_bytes']}", "Training complete."]
    assert document["log"] == "pr-ml/userlog/pr-ml"


@pytest.mark.parametrize(
    ("kind", "likelihood", "loss", "shown"),
    [
        ("MULTICLASS", "multinomial", "negative-log-likelihood=", "macro-f1-score="),
        ("REGRESSION", "squared", "half-squared-error=", "rmse="),
    ],
)
def test_logs_of_other_types_have_the_same_form(stage, kind, likelihood, loss, shown):
    """Figures that a type does not have stand under names of its own."""
    log = log_of(stage, learned(stage, kind))
    assert all(text in log for text in (f"likelihood-function={likelihood}", loss, shown, "Training complete."))


def test_smallest_data_train(stage):
    """Two records are enough for a model, and for its log."""
    document = learned(stage, "BINARY", data="age,job,y\n1,a,0\n2,b,1\n")
    assert document["training_rows"] == 2
    assert "best learner:" in log_of(stage, document)


def test_unknown_data_source_is_not_found(stage):
    """A model of a data source that never was fails by its name."""
    with pytest.raises(NotFound, match="ds-none"):
        stage.model("ml", "ds-none", "BINARY")


def test_stored_folder_is_the_model(stage):
    """What lies in the store has the fingerprint that the document names."""
    document = learned(stage, "REGRESSION")
    assert isinstance(stage.store.model(stage.store.catalog.get("ml", "model")), Model)
    assert stage.store.objects.exists(model_object(document["fingerprint"]))
