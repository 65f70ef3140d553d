import boto3

ml = boto3.client("machinelearning")
model = ml.get_ml_model(MLModelId="ml-policies")
answer = ml.predict(
    MLModelId="ml-policies",
    Record={"letter": "Q", "digits": "7"},
    PredictEndpoint=model["EndpointInfo"]["EndpointUrl"],
)
print(answer["Prediction"]["predictedLabel"])
