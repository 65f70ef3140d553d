"""A service to ask: a catalog in memory, buckets that exist by name, models that answer, and the original's shapes."""

import functools
import io
from datetime import UTC, datetime
from types import SimpleNamespace

import botocore.loaders
import botocore.model
import msgspec

from understudy.config import Place
from understudy.config.tables import Serve, Store
from understudy.house import Storehouse
from understudy.schema import ModelType
from understudy.service.context import Call, Service
from understudy.service.operations import OPERATIONS
from understudy.serving import Served
from understudy.store.bucket_records import BucketError, ObjectInfo
from understudy.target import Target

NOW = datetime(2026, 11, 23, 7, 0, 0, 123000, tzinfo=UTC)

SCHEMA = """{"version": "1.0", "targetAttributeName": "y", "dataFormat": "CSV", "dataFileContainsHeader": true,
 "attributes": [{"attributeName": "x", "attributeType": "NUMERIC"},
                {"attributeName": "colour", "attributeType": "CATEGORICAL"},
                {"attributeName": "y", "attributeType": "BINARY"}]}"""

UNLABELLED = SCHEMA.replace('"targetAttributeName": "y", ', "")


class Shelves:
    """Buckets that hold small objects."""

    def __init__(self, **buckets):
        self.objects = {name: dict.fromkeys(keys, b"x,colour,y\n") for name, keys in buckets.items()}

    def put(self, url, text):
        """Let an object hold a text, or bytes."""
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self.objects[bucket][key] = text.encode() if isinstance(text, str) else text

    def get(self, name):
        """Raise where there is no such bucket."""
        if name not in self.objects:
            raise BucketError("NoSuchBucket", f"no bucket {name!r}")

    def info(self, bucket, key):
        """Return what is known of an object."""
        self.get(bucket)
        if key not in self.objects[bucket]:
            raise BucketError("NoSuchKey", f"no key {key!r}")
        return ObjectInfo(bucket, key, "blob", len(self.objects[bucket][key]), "etag", "")

    def open(self, bucket, key):
        """Open an object."""
        info = self.info(bucket, key)
        return io.BytesIO(self.objects[bucket][key]), info

    def iter_keys(self, bucket, prefix=""):
        """Yield the keys that begin with a prefix."""
        self.get(bucket)
        yield from (key for key in sorted(self.objects[bucket]) if key.startswith(prefix))


class Memory:
    """Models in memory."""

    def __init__(self):
        self.by_id, self.by_name = {}, {}

    def mounted(self, model_id):
        """Return who answers by an id."""
        return self.by_id.get(model_id)

    def champion(self, name):
        """Return who answers by a name."""
        return self.by_name.get(name)


class Stage:
    """A service, and how tests ask it."""

    def __init__(self, folder, houses=(), url="sqlite://"):
        serve = Serve(buckets=("real-bucket",), databases={"cluster-1": "postgresql://db", "instance-1": "mysql://db"})
        self.store = Storehouse(Place(root=folder, store=Store(catalog=url), serve=serve), create=True)
        self.memory = Memory()
        self.settled = 0
        self.shelves = Shelves(data=("rows.csv", "a.csv", "2016/a.csv", "2017/b.csv"))
        self.service = Service(self.store, self.shelves, self.memory, self._settle, houses)

    @property
    def catalog(self):
        """What exists."""
        return self.store.catalog

    def _settle(self):
        self.settled += 1

    def call(self, caller="default"):
        """Tell who calls."""
        return Call(
            caller=caller,
            role="admin",
            base_url="http://127.0.0.1:8080",
            now=NOW,
            presign=lambda bucket, key: f"http://127.0.0.1:8080/{bucket}/{key}?X-Amz-Signature=0",
        )

    def ask(self, operation, caller="default", **members):
        """Ask an operation and hold its answer against the original's shape."""
        sent = msgspec.json.decode(msgspec.json.encode(members))
        answer = OPERATIONS[operation].run(self.service, self.call(caller), sent)
        check(answer, original().operation_model(operation).output_shape)
        return msgspec.json.decode(msgspec.json.encode(answer))

    def fake_served(self, model_id):
        """Return somebody who answers 2.5 to everything."""
        target = Target("y", ModelType.REGRESSION)
        scores = {"score_texts": lambda record: 2.5, "score_texts_at_once": lambda record: 2.5}
        return Served(model_id, SimpleNamespace(model=SimpleNamespace(target=target), **scores))

    # What most tests begin with

    def source(self, source_id="ds-1", status="COMPLETED", schema=SCHEMA, statistics=True, **document):
        """Make a data source in a state that its job would have left."""
        spec = {"DataLocationS3": "s3://data/rows.csv", "DataSchema": schema}
        self.ask("CreateDataSourceFromS3", DataSourceId=source_id, DataSpec=spec, ComputeStatistics=statistics)
        self.finish("data_source", source_id, status, **document)

    def model(self, model_id="ml-1", status="COMPLETED", kind="BINARY", **document):
        """Make a model in a state that its job would have left."""
        target = {"BINARY": "BINARY", "MULTICLASS": "CATEGORICAL", "REGRESSION": "NUMERIC"}[kind]
        self.source(
            f"ds-of-{model_id}",
            schema=SCHEMA.replace('"y", "attributeType": "BINARY"', f'"y", "attributeType": "{target}"'),
        )
        self.ask("CreateMLModel", MLModelId=model_id, MLModelType=kind, TrainingDataSourceId=f"ds-of-{model_id}")
        self.finish("model", model_id, status, **document)

    def evaluation(self, evaluation_id="ev-1", status="COMPLETED", **document):
        """Make an evaluation of a new model."""
        self.model(f"ml-of-{evaluation_id}")
        self.source(f"ds-for-{evaluation_id}")
        self.ask(
            "CreateEvaluation",
            EvaluationId=evaluation_id,
            MLModelId=f"ml-of-{evaluation_id}",
            EvaluationDataSourceId=f"ds-for-{evaluation_id}",
        )
        self.finish("evaluation", evaluation_id, status, **document)

    def batch(self, batch_id="bp-1", status="COMPLETED", **document):
        """Make a batch prediction of a new model."""
        self.model(f"ml-of-{batch_id}")
        self.source(f"ds-for-{batch_id}", schema=UNLABELLED)
        self.ask(
            "CreateBatchPrediction",
            BatchPredictionId=batch_id,
            MLModelId=f"ml-of-{batch_id}",
            BatchPredictionDataSourceId=f"ds-for-{batch_id}",
            OutputUri="s3://data/out/",
        )
        self.finish("batch_prediction", batch_id, status, **document)

    def finish(self, kind, entity_id, status="COMPLETED", **document):
        """Leave an object as its job would."""

        def finished(entity):
            return msgspec.structs.replace(
                entity,
                status=status,
                started_at="2026-11-23T07:00:01.000000Z",
                finished_at="2026-11-23T07:00:02.500000Z" if status in ("COMPLETED", "FAILED") else None,
                document={**entity.document, **document},
            )

        self.catalog.amend(kind, entity_id, finished)


@functools.cache
def original():
    """Return the original's service model."""
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("machinelearning", "service-2"))


def check(value, shape, place="answer"):
    """Hold a document against a shape of the original: members, types, lengths, values; nothing null, nothing more."""
    if shape.type_name == "structure":
        assert isinstance(value, dict), place
        assert set(value) <= set(shape.members), f"{place} has {set(value) - set(shape.members)}"
        for name, item in value.items():
            check(item, shape.members[name], f"{place}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), place
        for number, item in enumerate(value):
            check(item, shape.member, f"{place}[{number}]")
    elif shape.type_name == "map":
        assert isinstance(value, dict), place
        for name, item in value.items():
            check(name, shape.key, f"{place} key")
            check(item, shape.value, f"{place}[{name}]")
    else:
        _check_scalar(value, shape, place)


_TYPES = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (float, int),
    "timestamp": (float,),
}


def _check_scalar(value, shape, place):
    assert isinstance(value, _TYPES[shape.type_name]), f"{place} is {value!r}"
    assert isinstance(value, bool) == (shape.type_name == "boolean"), f"{place} is {value!r}"
    assert value in (shape.metadata.get("enum") or [value]), f"{place} is {value!r}"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if isinstance(value, str) else value
    assert low is None or size >= low, f"{place} is {value!r}"
    assert high is None or size <= high, f"{place} is {value!r}"
