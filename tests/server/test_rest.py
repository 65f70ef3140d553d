"""The REST door: what it answers, whom it lets in, and how it refuses."""

import asyncio
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import msgspec
import pytest

from acceptance.stage import Project, append_csv, calls, calls_project
from server.rest_app import ADMIN, LEFT_TO_THE_USUAL_WAY, PREDICT, Client, door_of
from server.signing import ready
from understudy.errors import StoreError
from understudy.server import metrics
from understudy.server.http import Gone, Request
from understudy.server.rest import answer, at_once, endpoints, is_rest
from understudy.server.rest.problems import Problem
from understudy.server.rest.routes import ROUTES
from understudy.server.rest.shapes import ShownEvaluation
from understudy.server.threads import CHANGING, READING

RECORD = {"age": 70, "job": "pilot", "balance": 900.5, "note": "no time"}
MODELS = 2
ADMIN_ONLY = [route for route in ROUTES if route.role == "admin"]
KNOWN_ONLY = [route for route in ROUTES if route.role]


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Learn twice; the second model serves, whatever the gate says of it."""
    project = calls_project(tmp_path_factory.mktemp("learned"), more='[promotion]\nrule = "always"\n')
    first = project.do("learn")
    append_csv(project.folder / "calls.csv", calls(200, seed=2, first=401))
    return project, first, project.do("learn")


@pytest.fixture(scope="module")
def client(learned):
    """Ask the door of the project that learned; nothing is changed by asking so."""
    return Client(door_of(learned[0]))


@pytest.fixture
def fresh(tmp_path):
    """Ask the door of a project that has learned twice, to change who serves."""
    project = calls_project(tmp_path, rows=200, more='[promotion]\nrule = "always"\n')
    models = [project.do("learn")["model_id"]]
    append_csv(project.folder / "calls.csv", calls(200, seed=2, first=401))
    models.append(project.do("learn")["model_id"])
    return project, models, Client(door_of(project))


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    """Ask the door of a project that has learned nothing."""
    return Client(door_of(calls_project(tmp_path_factory.mktemp("new"))))


# Predictions


def test_predict_answers_as_the_command_does(learned, client):
    """The door answers what `predict --json` prints, digit for digit."""
    told = client.post("/v1/endpoints/calls/predict", {"records": [RECORD, {"age": 20}]})
    assert told.status == 200
    command = [learned[0].answer(**RECORD), learned[0].answer(age=20)]
    assert told.json == {"predictions": command}


def test_top_shows_the_best_classes(client):
    """`top` leaves the best classes only; without it all are shown, and null is as good as without."""
    scores = [
        client.post("/v1/endpoints/calls/predict", {"records": [RECORD], **more}).json["predictions"][0]["scores"]
        for more in ({"top": 1}, {}, {"top": None}, {"top": 99})
    ]
    assert [len(s) for s in scores] == [1, 2, 2, 2]


@pytest.mark.parametrize(
    ("path", "document", "short"),
    [
        ("/v1/endpoints/calls/predict", {"records": [RECORD], "top": 1}, True),
        ("/v1/endpoints/calls/predict", {"records": [{**RECORD, "unheard of": 1}]}, True),
        ("/v1/endpoints/calls/predict", {"records": []}, True),
        ("/invocations", {"instances": [RECORD]}, True),
        ("/v1/endpoints/calls/predict", {"records": [RECORD, RECORD]}, False),
        ("/v1/endpoints/calls/predict", {"records": [{"age": "old"}]}, False),
        ("/v1/endpoints/calls/predict", {"record": RECORD}, False),
        ("/v1/endpoints/none/predict", {"records": [RECORD]}, False),
        ("/v1/endpoints/calls/rollback", {}, False),
        ("/v1/nothing/predict", {"records": [RECORD]}, False),
        ("/invocations", {"instances": [RECORD, RECORD]}, False),
    ],
)
def test_one_record_is_answered_at_once(client, path, document, short):
    """One record goes the short way, and is counted; what is more, wrong or elsewhere is left to the usual way."""
    body = json.dumps(document).encode()
    request = Request("POST", path, "", {"authorization": f"Bearer {PREDICT}"}, None)
    with mock.patch.object(metrics, "record") as record, mock.patch.object(metrics, "count_predictions") as predictions:
        try:
            answered = at_once(client.door, request, body)
        except LEFT_TO_THE_USUAL_WAY:
            answered = None
    assert (answered is not None) == record.called == short
    assert predictions.called == (short and document != {"records": []})
    usual = client.post(path, document, token=PREDICT)
    if answered is not None:
        headers = {name.lower(): value for name, value in usual.headers.items()}
        headers["content-length"] = str(len(usual.body))
        assert (200, *ready(answered)) == (usual.status, headers, usual.body)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nobody's"},
        {"authorization": f"Bearer {PREDICT}", "content-type": "text/plain"},
        {"authorization": f"Bearer {PREDICT}", "content-encoding": "gzip"},
    ],
)
def test_nobody_else_is_answered_at_once(client, headers):
    """Without a token that is known, or with a body in another form, the short way gives no answer."""
    request = Request("POST", "/v1/endpoints/calls/predict", "", headers, None)
    with pytest.raises(Problem):
        at_once(client.door, request, json.dumps({"records": [RECORD]}).encode())


def test_no_records_no_answers(client):
    """An empty list is answered by an empty list."""
    assert client.post("/v1/endpoints/calls/predict", {"records": []}).json == {"predictions": []}


def test_the_target_of_a_record_is_not_looked_at(client):
    """A record may hold its target, of whatever type: the answer is the same."""
    answers = [
        client.post("/v1/endpoints/calls/predict", {"records": [{**RECORD, **more}]}).body
        for more in ({}, {"answer": "yes"}, {"answer": [1]})
    ]
    assert len(set(answers)) == 1


def test_unknown_attributes_are_named_in_a_header(client):
    """What the model does not know is ignored, and named for who looks, whatever characters it has."""
    told = client.post("/v1/endpoints/calls/predict", {"records": [{**RECORD, "hät\r\n": 1, "answer": "no"}]})
    assert told.status == 200
    assert told.headers["X-Understudy-Ignored"] == "h%C3%A4t%0D%0A"


def test_a_bad_value_is_named_with_its_record(client):
    """A value that cannot be read is refused with attribute, number of the record, and value."""
    error = client.post("/v1/endpoints/calls/predict", {"records": [RECORD, {"age": "old"}]}).error
    assert error["code"] == "InvalidInput"
    assert "'age'" in error["message"]
    assert "record 2" in error["message"]
    assert "'old'" in error["message"]


@pytest.mark.parametrize(("value", "found"), [([1], "a list"), ({"a": 1}, "an object")])
def test_a_nested_value_is_named_with_its_record(client, value, found):
    """A list or an object is no value of an attribute; where the model does not know the name, nobody looks."""
    error = client.post("/v1/endpoints/calls/predict", {"records": [RECORD, {"job": value}]}).error
    assert error["message"] == f"attribute 'job' of record 2 is {found}"
    assert client.post("/v1/endpoints/calls/predict", {"records": [{**RECORD, "hat": value}]}).status == 200


def test_ten_thousand_records_and_no_more(client):
    """A request may hold 10,000 records; one more is refused whole."""
    asked = [{"age": 30}] * 10_000
    assert len(client.post("/v1/endpoints/calls/predict", {"records": asked}).json["predictions"]) == 10_000
    told = client.post("/v1/endpoints/calls/predict", {"records": [*asked, {}]})
    assert told.status == 400
    assert "10000" in told.error["message"]


def test_many_records_leave_the_loop_free(learned):
    """Many records are answered in a thread of their own, and one that takes a batch; any other where it stands."""
    door = door_of(learned[0])
    predictor = door.serving.champion("calls").predictor
    threads = []
    whole = predictor.predict
    predictor.predict = lambda *words: threads.append(threading.current_thread()) or whole(*words)
    for records, asked in (([RECORD], 0), ([RECORD] * 2, 1), ([{**RECORD, "note": "word " * 200}], 2)):
        assert Client(door).post("/v1/endpoints/calls/predict", {"records": records}).status == 200
        assert len(threads) == asked
    assert threading.main_thread() not in threads


def test_predictions_wait_neither_for_the_catalog_nor_for_workers(learned):
    """With every thread of the others taken, many records are answered, and the counters told."""
    client, free = Client(door_of(learned[0])), threading.Event()

    async def asked():
        taken = [asyncio.ensure_future(each.run(free.wait)) for each in (READING, CHANGING) for _ in range(20)]
        asyncio.get_running_loop().set_default_executor(stopped := ThreadPoolExecutor(1))
        stopped.shutdown()
        try:
            return [
                (await asyncio.wait_for(answer(client.door, request), 10)).status
                for request in (_many_records(), _request("GET", "/metrics"))
            ]
        finally:
            free.set()
            await asyncio.gather(*taken)

    assert asyncio.run(asked()) == [200, 200]


def _request(method, path, body=b""):
    async def pieces():
        yield body

    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/json"}
    return Request(method, path, "", headers, pieces())


def _many_records():
    body = json.dumps({"records": [RECORD] * 5}).encode()
    return _request("POST", "/v1/endpoints/calls/predict", body)


def test_a_project_s_own_function_never_runs_on_the_loop(tmp_path):
    """A transform function may take any time, so others are answered meanwhile; its records are as extracted."""
    (tmp_path / "own.py").write_text(
        "import threading\nimport pyarrow as pa\n\n\n"
        "def wide(batch):\n"
        "    print(threading.current_thread() is threading.main_thread())\n"
        "    return batch.append_column('twice', pa.array([(v or 0) * 2 for v in batch.column('age').to_pylist()]))\n"
    )
    project = calls_project(tmp_path, rows=200, more='[transform]\nfunction = "own:wide"\n')
    project.do("learn")
    client = Client(door_of(project))
    told = client.post("/v1/endpoints/calls/predict", {"records": [{"age": 41}]})
    assert told.json["predictions"] == [project.answer(age=41)]
    assert client.post("/v1/endpoints/calls/predict", {"records": [{"age": 41, "job": ["nested"]}]}).status == 200


def test_an_endpoint_that_is_not_there(client):
    """Another name is answered 404, with where to look."""
    told = client.post("/v1/endpoints/other/predict", {"records": []})
    assert (told.status, told.error["code"]) == (404, "NotFound")


def test_an_endpoint_without_a_champion(new):
    """Before the first promotion a prediction is answered 409, and the facts say so without an error."""
    told = new.post("/v1/endpoints/calls/predict", {"records": []})
    assert (told.status, told.error["code"]) == (409, "NoChampion")
    assert new.get("/v1/endpoints/calls").json["champion"] is None
    assert new.get("/v1/endpoints/calls/history").json == {"promotions": []}
    assert new.post("/v1/endpoints/calls/rollback").status == 409


# MLflow and SageMaker


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["age", "job"], "data": [[70, "pilot"], [20, "admin"]]}},
        {"dataframe_split": {"index": [0, 1], "columns": ["age", "job"], "data": [[70, "pilot"], [20, "admin"]]}},
        {"dataframe_records": [{"age": 70, "job": "pilot"}, {"age": 20, "job": "admin"}], "params": {}},
        {"instances": [{"age": 70, "job": "pilot"}, {"age": 20, "job": "admin"}]},
        {"inputs": [{"age": 70, "job": "pilot"}, {"age": 20, "job": "admin"}]},
        {"inputs": {"age": [70, 20], "job": ["pilot", "admin"]}},
    ],
)
def test_invocations_read_every_form(client, body):
    """MLflow's and SageMaker's forms of the same records have the same answer: a label for each."""
    told = client.post("/invocations", body)
    assert (told.status, told.json) == (200, {"predictions": ["yes", "no"]})


def test_invocations_read_csv(client):
    """CSV with a header line has the answer that JSON has; an empty cell is missing."""
    told = client.post("/invocations", body=b"age,job\n70,pilot\r\n20,\n\n", content_type="text/csv; charset=utf-8")
    assert told.json == {"predictions": ["yes", "no"]}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "no records"),
        ({"instances": [], "inputs": []}, "exactly one"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1], [1, 2]]}}, "record 2 has 2 values for 1 columns"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": []}}, "'age' is there twice"),
        ({"inputs": {"age": [1], "job": []}}, "0 and 1 values"),
        ({"dataframe_split": {"columns": ["ag", "jb"], "data": [[1, 2]]}}, "columns are 'ag', 'jb', none of which"),
        ({"instances": [[1, 2]]}, "expected an object"),
        ({"instances": [{}, {"age": [41]}]}, "attribute 'age' of record 2 is a list"),
        ({"inputs": {"job": [{"name": "nurse"}]}}, "attribute 'job' of record 1 is an object"),
        ({"instances": [{}] * 10_001}, "10,001 records"),
    ],
)
def test_invocations_refuse_what_is_no_table(client, body, said):
    """What is no table is refused, saying where."""
    told = client.post("/invocations", body)
    assert told.status == 400
    assert said in told.error["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"age\n\xff\n", "UTF-8"),
        (b'age\n"1', "CSV"),
        (b"age,job\n1\n", "record 1"),
        (b"a,a\n", "twice"),
    ],
)
def test_invocations_refuse_what_is_no_csv(client, body, said):
    """What is no CSV is refused, saying what is wrong."""
    told = client.post("/invocations", body=body, content_type="text/csv")
    assert told.status == 400
    assert said in told.error["message"]


@pytest.mark.parametrize("body", [b"41,nurse,1250.5\n", b"41,nurse,1250.5\n70,pilot,12\n"])
def test_invocations_refuse_csv_without_a_header(client, body):
    """A record where the names should stand is refused with the names; a header without records asks nothing."""
    told = client.post("/invocations", body=body, content_type="text/csv")
    assert (told.status, told.error["code"]) == (400, "InvalidInput")
    assert told.error["hint"] == "The first line must name the attributes: id, age, job, balance, note."
    assert client.post("/invocations", body=b"age,job\n", content_type="text/csv").json == {"predictions": []}


def test_invocations_without_an_endpoint(tmp_path):
    """A server of no project says what makes an endpoint."""
    door = door_of(calls_project(tmp_path))
    door.houses = []
    told = Client(door).post("/invocations", {"instances": [RECORD]})
    assert (told.status, told.error["hint"]) == (404, "`understudy learn` makes the first.")


def test_invocations_of_several_endpoints(learned, tmp_path):
    """With several endpoints a header or the query chooses; nobody guesses."""
    other = calls_project(tmp_path)
    other.write((other.folder / "understudy.toml").read_text().replace('"calls"', '"other"', 1))
    client = Client(door_of(learned[0], other))
    body = {"instances": [RECORD]}
    assert client.post("/invocations", body).status == 400
    assert client.post("/invocations", body, x_understudy_endpoint="calls").json == {"predictions": ["yes"]}
    assert client.post("/invocations?endpoint=calls", body).json == {"predictions": ["yes"]}
    assert client.post("/invocations?endpoint=other", body).error["code"] == "NoChampion"
    assert client.post("/invocations?endpoint=none", body).error["code"] == "NotFound"
    assert [e["name"] for e in client.get("/v1/endpoints").json["endpoints"]] == ["calls", "other"]


def test_values_of_a_regression(tmp_path):
    """A regression is answered with values, as the command does, and by /invocations with bare ones."""
    project = calls_project(tmp_path, more='[promotion]\nrule = "always"\n')
    file = project.folder / "understudy.toml"
    file.write_text(file.read_text().replace('"answer"', '"balance"'))
    project.do("learn")
    client = Client(door_of(project))
    answer = project.answer(age=41)
    assert client.post("/v1/endpoints/calls/predict", {"records": [{"age": 41}]}).json == {"predictions": [answer]}
    assert client.post("/invocations", {"instances": [{"age": 41}]}).json == {"predictions": [answer["value"]]}


# Facts


def test_endpoint_tells_who_serves(learned, client):
    """The facts of an endpoint are those of `status`, alone and in the list."""
    told = client.get("/v1/endpoints/calls").json
    champion = learned[0].do("status")["endpoint"]["champion"]
    assert told == {
        "name": "calls",
        "champion": {name: champion[name] for name in ("model_id", "fingerprint", "since")},
        "challenger": None,
        "learning": {"enabled": False, "observations_learned": 0},
    }
    assert client.get("/v1/endpoints").json == {"endpoints": [told]}


def test_history_is_the_command_s(learned, client):
    """The history is what `history --json` prints."""
    assert client.get("/v1/endpoints/calls/history").json == learned[0].do("history")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("runs", "run_id"),
        ("models", "model_id"),
        ("data-sources", "training_data_source_id"),
        ("data-sources", "evaluation_data_source_id"),
        ("evaluations", "evaluation_id"),
    ],
)
def test_objects_are_shown_whole(learned, client, path, field):
    """An object is shown as `show ID --json` does; under another kind's path it is not found."""
    project, _, document = learned
    entity_id = document[field]
    assert client.get(f"/v1/{path}/{entity_id}").json == project.do("show", entity_id)
    assert client.get(f"/v1/batch-predictions/{entity_id}").status == 404


def test_evaluation_is_of_its_shape(learned, client):
    """An evaluation can be read as the record that the document of the routes describes, metrics and all."""
    shown = client.get(f"/v1/evaluations/{learned[2]['evaluation_id']}").json
    assert msgspec.convert(shown, ShownEvaluation).metrics["auc"] == shown["metrics"]["auc"] > 0


@pytest.mark.parametrize("path", ["runs", "models"])
def test_lists_are_paged_newest_first(learned, client, path):
    """Pages of one, followed to the end, hold everything once, newest first."""
    field = path[:-1] + "_id"
    whole = client.get(f"/v1/{path}").json
    assert whole["next"] is None
    assert [item[field] for item in whole[path]] == [document[field] for document in reversed(learned[1:])]
    found, page = [], client.get(f"/v1/{path}?limit=1").json
    while page["next"] is not None:
        found += page[path]
        page = client.get(f"/v1/{path}?limit=1&before={page['next']}").json
    assert found + page[path] == whole[path]


def test_objects_made_at_one_moment_are_all_listed(tmp_path, monkeypatch):
    """Where a page ends amid objects of one microsecond, in one catalog or in two, the next holds the others."""
    monkeypatch.setattr("understudy.store.catalog.now", lambda: "2026-11-23T07:00:00.000000Z")
    projects = [calls_project(tmp_path / name, rows=5) for name in ("one", "two")]
    file = projects[1].folder / "understudy.toml"
    file.write_text(file.read_text().replace('name = "calls"', 'name = "other"'))
    client = Client(door_of(*projects))
    made = {f"ml-{number}" for number in range(6)}
    for number, model_id in enumerate(sorted(made)):
        client.door.houses[number % 2].catalog.create("model", model_id, {})
    for limit in (1, 2, 4):
        found, following = [], ""
        while following is not None:
            page = client.get(f"/v1/models?limit={limit}{following and f'&before={following}'}").json
            found += [model["model_id"] for model in page["models"]]
            following = page["next"]
        assert (len(found), set(found)) == (6, made)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit: expected an integer >= 1"),
        ("limit=many", "limit: expected an integer, got text"),
        ("limit=99999999999999999999999", "limit: expected an integer <= 1000"),
        ("before=run-none", "before: no run has the id"),
        ("before=%00", "before: nothing has the id"),
        ("limits=1", "unknown field 'limits'"),
    ],
)
def test_a_query_that_cannot_be_read(client, query, said):
    """A parameter that does not fit is refused by its name."""
    told = client.get(f"/v1/runs?{query}")
    assert told.status == 400
    assert said in told.error["message"]


@pytest.mark.parametrize("entity_id", ["ml-none", "%00", "a%2Fb", "%FF", "x" * 5000, "%F0%9F%98%80"])
def test_ids_that_nothing_has(client, entity_id):
    """An id that nothing has is answered 404, whatever characters it is made of."""
    for path in ("runs", "models", "data-sources", "evaluations", "batch-predictions", "endpoints"):
        assert client.get(f"/v1/{path}/{entity_id}").error["code"] == "NotFound"


def test_one_catalog_is_listed_once(learned):
    """Two projects that share a catalog do not double its lists."""
    project = learned[0]
    client = Client(door_of(project, project))
    assert len(client.get("/v1/models").json["models"]) == MODELS


def test_weights_are_paged_by_key(learned, client):
    """Pages of a model's weights, followed to the end, are its weights; a key that is none is refused."""
    path = f"/v1/models/{learned[2]['model_id']}/weights"
    whole = client.get(f"{path}?limit=10000").json
    model = client.door.serving.champion("calls").predictor.model
    assert [int(feature["key"], 16) for feature in whole["features"]] == model.weights.keys.tolist()
    assert [feature["weights"] for feature in whole["features"]] == model.weights.weights.tolist()
    assert (whole["outputs"], whole["count"], whole["next"]) == (["yes"], len(whole["features"]), None)
    found, page = [], client.get(f"{path}?limit=70").json
    while page["next"] is not None:
        found += page["features"]
        page = client.get(f"{path}?limit=70&after={page['next']}").json
    assert found + page["features"] == whole["features"]
    for wrong in ("after=zz", "after=" + "A" * 16, "limit=10001"):
        assert client.get(f"{path}?{wrong}").status == 400
    assert client.get("/v1/models/none/weights").status == 404


# Who serves, changed by hand


def test_promote_answers_once_it_is_settled(fresh):
    """A model serves once the promotion is answered; the answer is the line that the history gained."""
    project, models, client = fresh
    told = client.post("/v1/endpoints/calls/promote", {"model_id": models[0]})
    assert told.status == 200
    assert told.json == project.do("history")["promotions"][-1]
    assert told.json["by"] == "promote"
    assert client.get("/v1/endpoints/calls").json["champion"]["model_id"] == models[0]
    answers = client.post("/v1/endpoints/calls/predict", {"records": [RECORD]}).json["predictions"]
    assert answers[0]["model_id"] == models[0]


def test_rollback_and_unpin(fresh):
    """Rollback returns to the champion before and pins; unpin answers with the status, its pin lifted."""
    project, models, client = fresh
    told = client.post("/v1/endpoints/calls/rollback", {})
    assert told.json == project.do("history")["promotions"][-1]
    assert (told.json["by"], told.json["champion"]) == ("rollback", models[0])
    assert project.do("status")["endpoint"]["pinned"]
    assert client.post("/v1/endpoints/calls/unpin", {}).json == project.do("status")
    assert not project.do("status")["endpoint"]["pinned"]
    told = client.post("/v1/endpoints/calls/rollback")
    assert told.status == 409
    assert "no former champion" in told.error["message"]


def test_every_change_is_settled(learned, tmp_path):
    """Whatever changes who serves waits for the workers before it is acknowledged, and a refusal waits for none."""
    project = learned[0]
    settled = []
    client = Client(door_of(project, settle=settled.append))
    client.post("/v1/endpoints/calls/unpin")
    client.post("/v1/endpoints/calls/promote", {"model_id": "ml-none"})
    assert settled == [client.door.houses[0]]


def test_a_model_that_is_not_there_cannot_serve(fresh):
    """An id that is no model is answered 404; nothing changes."""
    project, _, client = fresh
    before = project.do("history")
    for model_id in ("ml-none", project.do("status")["last_run"]["run_id"], "\u0000"):
        assert client.post("/v1/endpoints/calls/promote", {"model_id": model_id}).status == 404
    assert project.do("history") == before


@pytest.mark.parametrize("status", ["PENDING", "INPROGRESS", "FAILED", "DELETED"])
def test_a_model_that_is_not_made_cannot_serve(new, status):
    """A model that is waiting, failed or gone has no files yet or any more: 404, and its weights are 409."""
    new.door.store.catalog.create("model", f"ml-{status}", {"run_id": "run-none"}, status=status)
    told = new.post("/v1/endpoints/calls/promote", {"model_id": f"ml-{status}"})
    assert told.error["code"] == "NotFound"
    assert new.get(f"/v1/models/ml-{status}").json["status"] == status
    assert new.get(f"/v1/models/ml-{status}/weights").status == 409


@pytest.mark.parametrize("ruin", [lambda f: f.write_bytes(b"ruined"), lambda f: f.unlink()])
def test_a_model_that_cannot_be_read_does_not_serve(fresh, ruin):
    """A model whose files are damaged or gone is refused with 409; the champion goes on."""
    project, models, client = fresh
    fingerprint = client.get(f"/v1/models/{models[0]}").json["fingerprint"].removeprefix("sha256:")
    (folder,) = project.folder.rglob(f"{fingerprint}*")
    ruin(folder / "weights.safetensors")
    told = client.post("/v1/endpoints/calls/promote", {"model_id": models[0]})
    assert told.status == 409
    assert client.get("/v1/endpoints/calls").json["champion"]["model_id"] == models[1]


def test_a_flip_that_comes_between(fresh, monkeypatch):
    """A flip that another one overtakes is refused with 409."""
    project, models, client = fresh
    whole = endpoints.facts.promote

    def overtaken(house, model_id):
        state = house.catalog.endpoint("calls")
        monkeypatch.setattr(type(house.catalog), "endpoint", lambda *_: state)
        Project(project.folder).do("rollback")
        return whole(house, model_id)

    monkeypatch.setattr(endpoints.facts, "promote", overtaken)
    told = client.post("/v1/endpoints/calls/promote", {"model_id": models[0]})
    assert (told.status, told.error["code"]) == (409, "Busy")


def test_observations_are_not_taken(client):
    """While nothing learns per query, a right body is answered 409 and a wrong one 400."""
    right = {"observations": [{"record": RECORD, "label": "yes"}, {"prediction_id": "p", "label": 1, "id": "a"}]}
    told = client.post("/v1/endpoints/calls/observe", right)
    assert (told.status, told.error["code"]) == (409, "LearningDisabled")
    for wrong in ({}, [], {"observations": {}}, {"observations": [{"record": {}}]}, {"observations": [{"label": []}]}):
        assert client.post("/v1/endpoints/calls/observe", wrong).status == 400
    assert client.post("/v1/endpoints/none/observe", right).status == 404


# Who may ask


@pytest.mark.parametrize("route", KNOWN_ONLY, ids=lambda route: route.operation)
def test_strangers_are_sent_away(client, route):
    """Without a token, or with an unknown one, the answer is 401 with how to ask, whatever else is wrong."""
    path = route.path.format(name="none", id="none")
    for token, more in (("", {}), ("wrong", {}), ("", {"authorization": f"Basic {ADMIN}"})):
        told = client.ask(route.method, path, token=token, body=b"{", **more)
        assert told.status == 401
        assert told.headers["WWW-Authenticate"].startswith("Bearer ")
        assert told.error["code"] == "Unauthorized"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_the_role_predict_may_predict(client, route):
    """The role predict is let in where predictions are asked for, and nowhere that an admin's is asked for."""
    path = route.path.format(name="calls", id="none")
    told = client.ask(route.method, path, {}, token=PREDICT)
    assert (told.status == 403) == (route.role == "admin")


def test_what_the_role_predict_may_do():
    """An admin's role is needed for all but predictions, who serves, and the counters."""
    assert {route.operation for route in ROUTES if route.role == "predict"} == {
        "predict", "invoke", "list_endpoints", "get_endpoint", "get_metrics",
    }  # fmt: skip
    assert {route.operation for route in ROUTES if route.role is None} == {
        "ping", "healthz", "readyz", "get_openapi", "get_docs",
    }  # fmt: skip


def test_the_word_bearer_has_no_case(client):
    """`bearer` is read in any case, as HTTP has it."""
    assert client.get("/v1/endpoints", authorization=f"bEARER  {PREDICT}", token="").status == 200


# Probes and counters


def test_probes(learned, new):
    """A server is well while it answers, ready when it says so, and answers /ping where there is a champion."""
    starting = Client(door_of(learned[0], ready=lambda: False), token="")
    assert [starting.get(path).status for path in ("/healthz", "/readyz", "/ping")] == [200, 503, 503]
    ready = Client(door_of(learned[0]), token="")
    assert [ready.get(path).status for path in ("/healthz", "/readyz", "/ping")] == [200, 200, 200]
    assert [new.get(path, token="").status for path in ("/readyz", "/ping")] == [200, 503]
    assert starting.get("/readyz").error["code"] == "NotReady"
    assert new.get("/ping").error["code"] == "NoChampion"


def test_requests_are_counted_by_operation(client):
    """Each request counts under its operation and status; what is nowhere counts as one operation."""
    client.get("/v1/nowhere/at/all")
    client.post("/v1/endpoints/calls/predict", {"records": [{}, {}]})
    told = client.get("/metrics")
    assert told.headers["Content-Type"].startswith("text/plain")
    text = told.body.decode()
    assert 'understudy_requests_total{door="rest",operation="unknown",status="404"}' in text
    assert 'understudy_requests_total{door="rest",operation="predict",status="200"}' in text
    assert 'understudy_predictions_total{endpoint="calls"}' in text
    assert "nowhere" not in text


# How it refuses


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        ("/v1", True), ("/v1/", True), ("/v1/whatever", True), ("/ping", True), ("/metrics", True), ("/docs", True),
        ("/openapi.json", True), ("/invocations", True), ("/healthz", True), ("/readyz", True),
        ("/", False), ("", False), ("v1", False), ("//v1", False), ("/v1x", False), ("/v2", False), ("/b/v1", False),
    ],
)  # fmt: skip
def test_which_paths_are_rest(path, belongs):
    """The first segment decides whether a path is this door's."""
    assert is_rest(path) is belongs


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/runs/", "/v1/runs//", "/v1/endpoints/calls/fly", "/docs/x", "/%FF", "/v1//runs"]
)
def test_paths_that_are_not_there(client, path):
    """What is not in the table is answered 404 in the one form."""
    told = client.get(path)
    assert (told.status, told.error["code"]) == (404, "NotFound")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_other_methods_are_named(client, route):
    """Another method is answered 405 with the methods that there are."""
    told = client.ask("DELETE", route.path)
    allowed = told.headers["Allow"].split(", ")
    assert told.status == 405
    assert route.method in allowed
    assert ("HEAD" in allowed) == ("GET" in allowed)


def test_head_is_get_without_the_body(client):
    """HEAD has the status and headers that GET has, and no body; a path for POST alone does not take it."""
    whole, head = client.get("/v1/endpoints"), client.ask("HEAD", "/v1/endpoints")
    assert (head.status, head.body) == (whole.status, b"")
    assert head.headers == {**whole.headers, "Content-Length": str(len(whole.body))}
    assert client.ask("HEAD", "/v1/models/none").status == 404
    assert client.ask("HEAD", "/invocations").status == 405


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"records": [{"age": NaN}]}', "not JSON"),
        (b'{"records": [{"age": Infinity}]}', "not JSON"),
        (b'{"records": [{"age": 1e999}]}', "number out of range"),
        (b'{"records": [{"age": ' + b"9" * 5000 + b"}]}", "out of range"),
        (b'{"records": [{"job": "\\ud800"}]}', "not JSON"),
        (b'{"records": [{"job": "\xff"}]}', "UTF-8"),
        (b'{"records": [{"job": ' + b"[" * 100_000, "nested too deeply"),
        (b"[" * 100_000, "expected an object, got a list"),
        (b"[]", "expected an object, got a list"),
        (b"null", "expected an object, got null"),
        (b"{}", "missing required field 'records'"),
        (b'{"records": 1}', "records: expected a list, got an integer"),
        (b'{"records": [[]]}', "expected an object, got a list"),
        (b'{"records": [], "top": 0}', "top: expected an integer >= 1"),
        (b'{"records": [], "top": "3"}', "top: expected an integer or null, got text"),
        (b'{"records": [], "top": 2.5}', "top: expected an integer or null, got a number"),
    ],
)
def test_bodies_that_cannot_be_read(client, body, said):
    """A body that cannot be read is refused in plain words that say where it is wrong."""
    told = client.post("/v1/endpoints/calls/predict", body=body, content_type="application/json")
    assert told.status == 400
    assert said in told.error["message"]


@pytest.mark.parametrize(
    "age",
    [
        1e308,
        -1e308,
        10**300,
        -(10**30),
        5e-324,
        "1e400",
        "nan",
        "inf",
        [],
        {},
        [[{"a": [None]}]],
        True,
        "\u0000",
        "٣",
        "",
    ],
)
def test_odd_values_are_no_failure(client, age):
    """Whatever JSON value a record holds, it is answered or refused: never a failure of the server's."""
    for record in ({"age": age}, {"job": age}, {"note": age}, {"id": age}):
        assert client.post("/v1/endpoints/calls/predict", {"records": [record]}).status in (200, 400)


def test_an_unknown_key_has_a_nearest_known(client):
    """A key that nobody reads is refused, with the one that was meant."""
    error = client.post("/v1/endpoints/calls/predict", {"record": []}).error
    assert "unknown field 'record'" in error["message"]
    assert error["hint"] == "Did you mean 'records'?"


def test_bodies_that_are_too_large(client):
    """6 MiB of records and 64 KiB of anything else are taken; one byte more is 413, said or not said beforehand."""
    for path, limit in (("/v1/endpoints/calls/predict", 6 << 20), ("/v1/endpoints/calls/promote", 64 << 10)):
        assert client.post(path, body=b" " * limit).status == 400
        assert client.post(path, body=b" " * (limit + 1)).status == 413
        assert client.post(path, body=b"{}", content_length=str(limit + 1)).error["code"] == "TooLarge"


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "text/csv"},
        {"content_type": ""},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
)
def test_bodies_of_another_kind(client, headers):
    """A body of a kind that is not read is 415, with the kind that is."""
    told = client.post("/v1/endpoints/calls/predict", body=b'{"records": []}', **headers)
    assert told.status == 415
    assert "application/json" in told.error["hint"]


def test_a_body_without_a_kind_is_json(client):
    """Where no kind is said JSON is taken; a charset is no matter."""
    for headers in ({}, {"content_type": "Application/JSON; charset=UTF-8"}):
        assert client.post("/v1/endpoints/calls/predict", body=b'{"records": []}', **headers).status == 200


def test_our_own_mistakes_tell_nothing(client, monkeypatch, caplog):
    """What nobody foresaw is logged whole and answered 500 without any detail."""
    monkeypatch.setattr(client.door.serving, "champion", _fails(RuntimeError("a detail")))
    told = client.get("/v1/endpoints")
    assert told.status == 500
    assert "detail" not in told.error["message"]
    assert told.error["code"] == "InternalError"
    assert "a detail" in caplog.text


def test_a_store_that_fails_is_told(client, monkeypatch, caplog):
    """A catalog that cannot be read is a 500 that says so, in the log too; predictions do not notice."""
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(type(client.door.houses[0].catalog), "page", _fails(StoreError("no disk", "Get one.")))
    told = client.get("/v1/runs")
    assert (told.status, told.error) == (500, {"code": "StoreError", "message": "no disk", "hint": "Get one."})
    assert "no disk" in caplog.text
    assert client.post("/v1/endpoints/calls/predict", {"records": [RECORD]}).status == 200


def test_predictions_never_ask_the_catalog(client, monkeypatch):
    """A prediction is answered where no catalog could be read at all."""
    catalog = type(client.door.houses[0].catalog)
    for name in ("reading", "writing"):
        monkeypatch.setattr(catalog, name, _fails(AssertionError("the catalog was asked")))
    assert client.post("/v1/endpoints/calls/predict", {"records": [RECORD]}).status == 200
    assert client.post("/invocations", {"instances": [RECORD]}).status == 200
    assert client.get("/ping").status == 200


def test_a_body_that_breaks_off_is_the_port_s_business(client):
    """Where the rest of a body will not come nobody is left to be answered, and nothing is logged as a mistake."""

    async def gone():
        yield b"{"
        raise Gone

    request = Request("POST", "/invocations", "", {"authorization": f"Bearer {ADMIN}"}, gone())
    with pytest.raises(Gone):
        asyncio.run(answer(client.door, request))


def test_answers_are_json_alone(client):
    """What is answered under /v1 is one JSON document in UTF-8."""
    told = client.get("/v1/endpoints")
    assert told.headers["Content-Type"] == "application/json"
    assert json.loads(told.body.decode("utf-8"))


def _fails(error):
    def fail(*_, **__):
        raise error

    return fail
