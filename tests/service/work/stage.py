"""What these tests play on: a store with buckets, and entities as the operations would make them."""

import json
from pathlib import Path
from tempfile import mkdtemp

import msgspec

from understudy.config import Place, Serve
from understudy.house import Storehouse
from understudy.service.work import WORK, Workshop
from understudy.service.work.s3 import make_bucket
from understudy.store.buckets import Buckets

PARAMETERS = {
    "algorithm": "sgd",
    "sgd.maxPasses": "10",
    "sgd.maxMLModelSizeInBytes": "33554432",
    "sgd.shuffleType": "auto",
    "sgd.l1RegularizationAmount": "0.0",
    "sgd.l2RegularizationAmount": "1e-6",
}

RANDOM_70 = {"percentBegin": 0, "percentEnd": 70, "strategy": "random", "strategyParams": {"randomSeed": "a"}}


def schema(*attributes, target=None, row_id=None, header=True, excluded=()):
    """Write a schema: attributes as `name:TYPE`."""
    pairs = [attribute.rsplit(":", 1) for attribute in attributes]
    return json.dumps(
        {
            "version": "1.0",
            "targetAttributeName": target,
            "rowId": row_id,
            "dataFormat": "CSV",
            "dataFileContainsHeader": header,
            "attributes": [{"attributeName": name, "attributeType": kind} for name, kind in pairs],
            "excludedAttributeNames": list(excluded),
        }
    )


class Stage:
    """A store, its buckets, and the work done in it."""

    def __init__(self, folder, place=None, **serve):
        self.folder = Path(folder)
        self.store = Storehouse(place or Place(root=self.folder, serve=Serve(**serve)), create=True)
        self.buckets = Buckets(self.store.catalog, self.store.objects)
        make_bucket(self.buckets, "data")

    def close(self):
        """Close the catalog."""
        self.store.catalog.close()

    def put(self, key, data):
        """Upload bytes or text."""
        self.buckets.put_bytes("data", key, data if isinstance(data, bytes) else data.encode())
        return f"s3://data/{key}"

    def get(self, key, bucket="data"):
        """Download bytes."""
        with self.buckets.open(bucket, key)[0] as file:
            return file.read()

    @property
    def keys(self):
        """The keys of all uploaded and written objects."""
        return list(self.buckets.iter_keys("data"))

    def workshop(self):
        """Give a workshop with an empty folder."""
        return Workshop(self.store, self.buckets, Path(mkdtemp(dir=self.folder)))

    def work(self, kind, entity_id):
        """Do the work of an entity, and put what it gives on record, as the jobs do."""
        workshop = self.workshop()
        found = WORK[kind].compute(workshop, self.store.catalog.get(entity_id, kind))
        assert msgspec.json.decode(msgspec.json.encode(found)) == found, "documents are plain JSON"

        def completed(entity):
            return msgspec.structs.replace(entity, status="COMPLETED", document={**entity.document, **found})

        return self.store.catalog.amend(kind, entity_id, completed).document

    def create(self, kind, entity_id, **document):
        """Put an entity on record as an operation would, and do its work as a job does."""
        request = {"request": {}, "created_by": "me", **document}
        self.store.catalog.create(kind, entity_id, request, status="INPROGRESS")
        return self.work(kind, entity_id)

    def data_source(self, entity_id, location, schema=None, *, splitting=None, statistics=False, **more):
        """Make a data source of CSV in S3."""
        document = {
            "location": location,
            "schema": schema,
            "schema_location": None,
            "rearrangement": json.dumps({"splitting": splitting}) if splitting else None,
            "compute_statistics": statistics,
            "source": "s3",
            **more,
        }
        return self.create("data_source", entity_id, **document)

    def model(self, entity_id, source, model_type, *, recipe=None, parameters=None, **more):
        """Make a model of a data source."""
        document = {
            "model_type": model_type,
            "training_data_source_id": source,
            "parameters": {**PARAMETERS, **(parameters or {})},
            "recipe": recipe,
            "recipe_location": None,
            "input_location": "s3://data/",
            **more,
        }
        return self.create("model", entity_id, **document)

    def evaluation(self, entity_id, model, source):
        """Judge a model on a data source."""
        return self.create("evaluation", entity_id, model_id=model, data_source_id=source, input_location="s3://data/")

    def batch(self, entity_id, model, source, output="s3://data/out"):
        """Answer all records of a data source."""
        return self.create(
            "batch_prediction", entity_id, model_id=model, data_source_id=source, output_uri=output, input_location=""
        )
