import { GetMLModelCommand, MachineLearningClient, PredictCommand } from "@aws-sdk/client-machine-learning";
import { HeadBucketCommand, S3Client } from "@aws-sdk/client-s3";

const ml = new MachineLearningClient({});
const model = await ml.send(new GetMLModelCommand({ MLModelId: "ml-policies" }));
const answer = await ml.send(new PredictCommand({
  MLModelId: "ml-policies",
  Record: { letter: "Q", digits: "7" },
  PredictEndpoint: model.EndpointInfo.EndpointUrl,
}));
console.log(answer.Prediction.predictedLabel);

const s3 = new S3Client({ forcePathStyle: true });
console.log((await s3.send(new HeadBucketCommand({ Bucket: "policies" }))).$metadata.httpStatusCode);
