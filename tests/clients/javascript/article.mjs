// The article in JavaScript, by Amazon's SDK v3. Wanted: a folder with policies.csv and its schema.
// Printed: what was seen on the way, as one JSON document.
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import {
  CreateBatchPredictionCommand,
  CreateDataSourceFromS3Command,
  CreateEvaluationCommand,
  CreateMLModelCommand,
  CreateRealtimeEndpointCommand,
  DeleteRealtimeEndpointCommand,
  GetEvaluationCommand,
  GetMLModelCommand,
  MachineLearningClient,
  PredictCommand,
  waitUntilBatchPredictionAvailable,
  waitUntilEvaluationAvailable,
} from "@aws-sdk/client-machine-learning";
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const folder = process.argv[2];
const bucket = "article-javascript";
const name = "javascript policies";
const s3 = new S3Client({});
const ml = new MachineLearningClient({});

await s3.send(new CreateBucketCommand({ Bucket: bucket }));
const upload = {
  Bucket: bucket,
  Key: "policies.csv",
  Body: createReadStream(join(folder, "policies.csv")),
  ServerSideEncryption: "AES256",
};
await new Upload({ client: s3, params: upload }).done();

for (const [part, complement] of [["training", false], ["evaluation", true]]) {
  const splitting = { percentBegin: 0, percentEnd: 70, strategy: "random", complement };
  splitting.strategyParams = { randomSeed: "2017" };
  await ml.send(new CreateDataSourceFromS3Command({
    DataSourceId: `ds-javascript-${part}`,
    DataSourceName: `javascript ${part}`,
    DataSpec: {
      DataLocationS3: `s3://${bucket}/policies.csv`,
      DataSchema: readFileSync(join(folder, "policies.csv.schema"), "utf8"),
      DataRearrangement: JSON.stringify({ splitting }),
    },
    ComputeStatistics: true,
  }));
}
await ml.send(new CreateMLModelCommand({
  MLModelId: "ml-javascript",
  MLModelName: name,
  MLModelType: "MULTICLASS",
  TrainingDataSourceId: "ds-javascript-training",
  Parameters: { "sgd.maxPasses": "20", "sgd.shuffleType": "auto" },
}));
await ml.send(new CreateEvaluationCommand({
  EvaluationId: "ev-javascript",
  EvaluationName: name,
  MLModelId: "ml-javascript",
  EvaluationDataSourceId: "ds-javascript-evaluation",
}));
const often = { client: ml, maxWaitTime: 60, minDelay: 1, maxDelay: 1 };
const named = { FilterVariable: "Name", EQ: name };
await waitUntilEvaluationAvailable(often, named);

await ml.send(new CreateRealtimeEndpointCommand({ MLModelId: "ml-javascript" }));
const model = await ml.send(new GetMLModelCommand({ MLModelId: "ml-javascript" }));
const answer = await ml.send(new PredictCommand({
  MLModelId: "ml-javascript",
  Record: { letter: "Q", digits: "7" },
  PredictEndpoint: model.EndpointInfo.EndpointUrl,
}));
const gone = await ml.send(new DeleteRealtimeEndpointCommand({ MLModelId: "ml-javascript" }));

await ml.send(new CreateBatchPredictionCommand({
  BatchPredictionId: "bp-javascript",
  BatchPredictionName: name,
  MLModelId: "ml-javascript",
  BatchPredictionDataSourceId: "ds-javascript-evaluation",
  OutputUri: `s3://${bucket}/answers/`,
}));
await waitUntilBatchPredictionAvailable(often, named);
const manifest = JSON.parse(await (await object("answers/batch-prediction/bp-javascript.manifest")).transformToString());
const result = Object.values(manifest)[0].replace(`s3://${bucket}/`, "");

const evaluation = await ml.send(new GetEvaluationCommand({ EvaluationId: "ev-javascript" }));
const stored = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: "policies.csv" }));
console.log(JSON.stringify({
  encryption: stored.ServerSideEncryption,
  metric: evaluation.PerformanceMetrics.Properties.MulticlassAvgFScore,
  parameters: model.TrainingParameters,
  endpoint_before: model.EndpointInfo.EndpointStatus,
  endpoint_after: gone.RealtimeEndpointInfo.EndpointStatus,
  prediction: answer.Prediction,
  manifest,
  batch: gunzipSync(await (await object(result)).transformToByteArray()).toString(),
}));

async function object(key) {
  return (await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body;
}
