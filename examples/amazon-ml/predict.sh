url=$(aws machinelearning get-ml-model --ml-model-id ml-policies --query EndpointInfo.EndpointUrl --output text)
aws machinelearning predict --ml-model-id ml-policies --record letter=Q,digits=7 --predict-endpoint "$url" \
  --query Prediction.predictedLabel --output text
