import os

import boto3
from botocore.config import Config

url = os.environ["AWS_ENDPOINT_URL"]
ml = boto3.client("machinelearning", endpoint_url=url)
s3 = boto3.client("s3", endpoint_url=url, config=Config(signature_version="s3v4", s3={"addressing_style": "path"}))
print(ml.get_ml_model(MLModelId="ml-policies")["EndpointInfo"]["EndpointStatus"])
print(s3.head_bucket(Bucket="policies")["ResponseMetadata"]["HTTPStatusCode"])
