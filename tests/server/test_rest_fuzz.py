"""Every operation asked with data that is right and data that is wrong, over real connections."""

import contextlib
import threading
import time

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from acceptance.stage import calls_project
from server.rest_app import ADMIN, asgi, door_of
from understudy.server.rest import openapi
from understudy.server.rest.routes import ROUTES

EXAMPLES = 25

CASES = [
    pytest.param(route, mode, id=f"{route.operation}-{mode.value}")
    for route in ROUTES
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or route.role  # nothing can be wrong with a request that says nothing
]


@contextlib.contextmanager
def served(application):
    """Serve an application from a thread of this process; give its address."""
    config = uvicorn.Config(application, port=0, log_level="critical", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def rest(tmp_path_factory):
    """Read the document of a server that has learned."""
    project = calls_project(tmp_path_factory.mktemp("fuzzed"))
    learned = project.do("learn")
    with served(asgi(door_of(project))) as address:
        schema = schemathesis.openapi.from_dict(_told(openapi.document(ROUTES, address), learned))
        schema.config.update(base_url=address)
        yield schema


def _told(document, learned):
    """Tell the document which names, ids and attributes there are, or nearly all requests would ask for nothing."""
    known = {"name": ["calls"], "id": [value for name, value in learned.items() if name.endswith("_id")]}
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for parameter in (parameter for operation in operations for parameter in operation["parameters"]):
        if parameter["in"] == "path":
            parameter["schema"] = {"enum": known[parameter["name"]]}
    schemas = document["components"]["schemas"]
    attributes = {name: {} for name in ("age", "job", "balance", "note", "answer")}
    schemas["Predict"]["properties"]["records"]["items"]["properties"] = attributes
    schemas["Promote"]["properties"]["model_id"]["enum"] = [learned["model_id"], "ml-none"]
    return document


@pytest.mark.parametrize(("route", "mode"), CASES)
def test_every_operation(rest, route, mode):
    """Whatever is asked, the answer is no failure, of a status and shape that the document promises, and complete."""
    operation = rest[route.path][route.method]
    # A record may hold any value, yet one that its attribute cannot be is refused; and any text at all is CSV.
    excluded = [positive_data_acceptance, *([negative_data_rejection] if route.also_reads else [])]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    def ask(case):
        case.call_and_validate(headers={"Authorization": f"Bearer {ADMIN}"}, excluded_checks=excluded, timeout=30)

    ask()
