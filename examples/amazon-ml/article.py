"""The bank's calls by Amazon Machine Learning, as one wrote it in 2017. Nothing here knows of Understudy."""

import csv
import gzip
import json
import sys
from pathlib import Path

import boto3

NUMERIC = {"age", "campaign", "cons_conf_idx", "cons_price_idx", "duration", "emp_var_rate", "euribor3m"}
NUMERIC |= {"nr_employed", "pdays", "previous"}
CALLS = Path(__file__).parent.parent / "banking" / "banking.csv.gz"


def main(file: Path) -> None:
    """Upload the calls, learn who takes the deposit, judge, predict."""
    data = gzip.decompress(file.read_bytes())
    first, *_ = csv.DictReader(data.decode().splitlines())
    schema = {
        "version": "1.0",
        "targetAttributeName": "y",
        "dataFormat": "CSV",
        "dataFileContainsHeader": True,
        "attributes": [{"attributeName": name, "attributeType": type_of(name)} for name in first],
    }
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="banking")
    s3.put_object(Bucket="banking", Key="calls.csv", Body=data, ServerSideEncryption="AES256")

    # --- begin: shown on the pages ---
    ml = boto3.client("machinelearning")
    for part, complement in (("training", False), ("evaluation", True)):
        split = {"percentBegin": 0, "percentEnd": 70, "strategy": "random", "complement": complement}
        ml.create_data_source_from_s3(
            DataSourceId=f"ds-{part}",
            DataSpec={
                "DataLocationS3": "s3://banking/calls.csv",
                "DataSchema": json.dumps(schema),
                "DataRearrangement": json.dumps({"splitting": split}),
            },
            ComputeStatistics=True,
        )
    ml.create_ml_model(MLModelId="ml-1", MLModelType="BINARY", TrainingDataSourceId="ds-training")
    ml.create_evaluation(
        EvaluationId="ev-1", EvaluationName="calls", MLModelId="ml-1", EvaluationDataSourceId="ds-evaluation"
    )
    ml.get_waiter("evaluation_available").wait(FilterVariable="Name", EQ="calls", WaiterConfig={"Delay": 1})
    print(ml.get_evaluation(EvaluationId="ev-1")["PerformanceMetrics"]["Properties"])

    endpoint = ml.create_realtime_endpoint(MLModelId="ml-1")["RealtimeEndpointInfo"]
    answer = ml.predict(MLModelId="ml-1", Record=first, PredictEndpoint=endpoint["EndpointUrl"])
    print(answer["Prediction"])
    # --- end ---


def type_of(name: str) -> str:
    """Return the type of a column."""
    return "NUMERIC" if name in NUMERIC else "BINARY" if name == "y" else "CATEGORICAL"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CALLS)
