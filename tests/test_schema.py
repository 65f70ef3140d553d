"""Amazon ML's schema JSON, read, written, corrected and refused."""

import json

import pytest

from acceptance.stage import shared
from understudy.errors import SchemaError
from understudy.schema import MAX_TEXT, Attribute, AttributeType, Schema

OLD = """{"version": "1.0", "recordAnnotationFieldName": "id", "recordWeightFieldName": "w", "targetFieldName": "y",
 "dataFormat": "CSV", "dataFileContainsHeader": false, "attributes": [{"fieldName": "id", "fieldType": "CATEGORICAL"},
 {"fieldName": "w", "fieldType": "NUMERIC"}, {"fieldName": "y", "fieldType": "BINARY"}, {"fieldName": "t",
 "fieldType": "TEXT"}, {"fieldName": "x", "fieldType": "NUMERIC"}], "excludedVariableNames": ["x", "undeclared"]}"""


def test_older_spelling_is_read():
    """Field and variable names of the first version of the service mean the same."""
    schema = Schema.from_json(OLD)
    assert Schema.from_request(OLD) == schema
    assert schema.names == ("id", "w", "y", "t", "x")
    assert (schema.row_id, schema.row_weight, schema.target, schema.header) == ("id", "w", "y", False)
    assert schema.excluded == ("x", "undeclared")
    assert [a.name for a in schema.features] == ["t"]


def test_written_schema_reads_back_the_same():
    """The newer spelling says all that the older one said."""
    schema = Schema.from_json(OLD)
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    "name", ["banking/banking.csv.schema", "titanic/titanic.csv.schema", "seeds/seeds_dataset.csv.schema"]
)
def test_real_schemas_survive_a_round_trip(name):
    """Schemas that people wrote for the original are read, and written back as they were meant."""
    text = shared(name).read_text()
    schema = Schema.from_json(text)
    assert Schema.from_request(text) == schema
    assert Schema.from_json(schema.to_json()) == schema
    assert len(schema.names) == len(json.loads(text)["attributes"])


def test_types_can_be_corrected():
    """A correction changes one attribute's type and nothing else; one for an unknown name changes nothing."""
    schema = Schema((Attribute("a", AttributeType.NUMERIC), Attribute("b", AttributeType.TEXT)))
    corrected = schema.with_types({"a": AttributeType.CATEGORICAL, "z": AttributeType.TEXT})
    assert [a.type for a in corrected.attributes] == [AttributeType.CATEGORICAL, AttributeType.TEXT]
    assert schema.type_of("a") is AttributeType.NUMERIC
    with pytest.raises(KeyError):
        schema.type_of("z")


def _schema(**changes):
    document = {"attributes": [{"attributeName": "a", "attributeType": "NUMERIC"}], **changes}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "JSON list"),
        ("{}", "attributes"),
        (_schema(attributes=[]), "attributes"),
        (_schema(attributes=["a"]), "attribute 1"),
        (_schema(attributes=[{"attributeType": "TEXT"}]), "attributeName"),
        (_schema(attributes=[{"attributeName": "a", "attributeType": "DATE"}]), "'DATE'"),
        (_schema(attributes=[{"attributeName": "a", "attributeType": "TEXT"}] * 2), "more than once"),
        (_schema(targetAttributeName="z"), "target is 'z'"),
        (_schema(rowId=3), "rowId"),
        (_schema(rowId="z"), "rowId is 'z'"),
        (_schema(dataFileContainsHeader="yes"), "dataFileContainsHeader"),
        (_schema(excludedAttributeNames="a"), "excludedAttributeNames"),
        (" " * (MAX_TEXT + 1), "characters"),
    ],
)
def test_wrong_schema_says_what_is_wrong(text, message):
    """Every mistake is a SchemaError that names what was found."""
    with pytest.raises(SchemaError, match=message):
        Schema.from_json(text)


_ASKED = {"version": "1.0", "dataFormat": "CSV", "dataFileContainsHeader": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": None}, 'version is not given\nWrite "version": "1.0"'),
        ({"version": 1.0}, "version is 1.0"),
        ({"version": "2.0"}, "version is '2.0'"),
        ({"dataFormat": None}, "dataFormat is not given"),
        ({"dataFormat": "TSV"}, "dataFormat is 'TSV'"),
        ({"dataFileContainsHeader": ...}, "no 'dataFileContainsHeader'"),
        ({"dataFileContainsHeader": None}, "dataFileContainsHeader is None"),
        ({"targetAttribute": "a"}, "unknown key 'targetAttribute'\nDid you mean 'targetAttributeName'"),
        ({"excludedAtributeNames": []}, "Did you mean 'excludedAttributeNames'"),
        ({"zzz": 1}, "unknown key 'zzz'\nKnown are 'version'"),
        (
            {"targetFieldName": "a", "attributes": [{"fieldName": "a", "fieldType": "TEXT"}]},
            "target 'a' is TEXT, which cannot be predicted\nDeclare it BINARY or CATEGORICAL or NUMERIC",
        ),
    ],
)
def test_schema_of_a_request_has_the_whole_form(changes, message):
    """What the original asked for beyond the meaning is asked of requests; a project's own file may do without."""
    given = {key: value for key, value in {**_ASKED, **changes}.items() if value is not ...}
    with pytest.raises(SchemaError, match=message):
        Schema.from_request(_schema(**given))
    if changes != {"dataFileContainsHeader": None}:
        assert Schema.from_json(_schema(**given))


@pytest.mark.parametrize("text", ["{", "[]", "{}", _schema(rowId=3, **_ASKED)])
def test_wrong_schema_of_a_request_is_refused_as_well(text):
    """A request's schema is held against all that a file's is."""
    with pytest.raises(SchemaError):
        Schema.from_request(text)
