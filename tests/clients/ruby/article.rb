# frozen_string_literal: true

# The article in Ruby: S3 by Amazon's gem, and Amazon ML's requests as they stand on the wire, signed by Amazon's own
# signer, as aws-sdk-machinelearning sends them. Wanted: a folder with policies.csv and its schema.
# Printed: what was seen on the way, as one JSON document.
require "aws-sdk-s3"
require "aws-sigv4"
require "json"
require "net/http"
require "zlib"

FOLDER = ARGV.fetch(0)
BUCKET = "article-ruby"
SIGNER = Aws::Sigv4::Signer.new(
  service: "machinelearning",
  region: ENV.fetch("AWS_DEFAULT_REGION"),
  access_key_id: ENV.fetch("AWS_ACCESS_KEY_ID"),
  secret_access_key: ENV.fetch("AWS_SECRET_ACCESS_KEY")
)

def ask(operation, request, at = ENV.fetch("AWS_ENDPOINT_URL"))
  uri = URI("#{at}/")
  headers = {"Content-Type" => "application/x-amz-json-1.1", "X-Amz-Target" => "AmazonML_20141212.#{operation}"}
  body = JSON.generate(request)
  signature = SIGNER.sign_request(http_method: "POST", url: uri.to_s, headers: headers, body: body)
  answer = Net::HTTP.post(uri, body, headers.merge(signature.headers))
  raise "#{operation}: #{answer.code} #{answer.body}" unless answer.is_a?(Net::HTTPOK)

  JSON.parse(answer.body)
end

def wait(operation)
  until (status = ask(operation, FilterVariable: "Name", EQ: "ruby policies")["Results"][0]["Status"]) == "COMPLETED"
    raise "#{operation}: #{status}" if status == "FAILED"

    sleep 1
  end
end

s3 = Aws::S3::Client.new(endpoint: ENV.fetch("AWS_ENDPOINT_URL"), region: ENV.fetch("AWS_DEFAULT_REGION"))
s3.create_bucket(bucket: BUCKET)
File.open("#{FOLDER}/policies.csv") do |file|
  s3.put_object(bucket: BUCKET, key: "policies.csv", body: file, server_side_encryption: "AES256")
end

{"training" => false, "evaluation" => true}.each do |part, complement|
  splitting = {percentBegin: 0, percentEnd: 70, strategy: "random", complement: complement}
  splitting[:strategyParams] = {randomSeed: "2017"}
  ask(
    "CreateDataSourceFromS3",
    DataSourceId: "ds-ruby-#{part}",
    DataSourceName: "ruby #{part}",
    DataSpec: {
      DataLocationS3: "s3://#{BUCKET}/policies.csv",
      DataSchema: File.read("#{FOLDER}/policies.csv.schema"),
      DataRearrangement: JSON.generate(splitting: splitting)
    },
    ComputeStatistics: true
  )
end
ask(
  "CreateMLModel",
  MLModelId: "ml-ruby",
  MLModelName: "ruby policies",
  MLModelType: "MULTICLASS",
  TrainingDataSourceId: "ds-ruby-training",
  Parameters: {"sgd.maxPasses" => "20", "sgd.shuffleType" => "auto"}
)
ask(
  "CreateEvaluation",
  EvaluationId: "ev-ruby",
  EvaluationName: "ruby policies",
  MLModelId: "ml-ruby",
  EvaluationDataSourceId: "ds-ruby-evaluation"
)
wait("DescribeEvaluations")

ask("CreateRealtimeEndpoint", MLModelId: "ml-ruby")
model = ask("GetMLModel", MLModelId: "ml-ruby")
url = model["EndpointInfo"]["EndpointUrl"]
answer = ask("Predict", {MLModelId: "ml-ruby", Record: {letter: "Q", digits: "7"}, PredictEndpoint: url}, url)
gone = ask("DeleteRealtimeEndpoint", MLModelId: "ml-ruby")

ask(
  "CreateBatchPrediction",
  BatchPredictionId: "bp-ruby",
  BatchPredictionName: "ruby policies",
  MLModelId: "ml-ruby",
  BatchPredictionDataSourceId: "ds-ruby-evaluation",
  OutputUri: "s3://#{BUCKET}/answers/"
)
wait("DescribeBatchPredictions")
manifest = JSON.parse(s3.get_object(bucket: BUCKET, key: "answers/batch-prediction/bp-ruby.manifest").body.read)
result = s3.get_object(bucket: BUCKET, key: manifest.values.first.delete_prefix("s3://#{BUCKET}/"))

puts JSON.generate(
  encryption: s3.head_object(bucket: BUCKET, key: "policies.csv").server_side_encryption,
  metric: ask("GetEvaluation", EvaluationId: "ev-ruby")["PerformanceMetrics"]["Properties"]["MulticlassAvgFScore"],
  parameters: model["TrainingParameters"],
  endpoint_before: model["EndpointInfo"]["EndpointStatus"],
  endpoint_after: gone["RealtimeEndpointInfo"]["EndpointStatus"],
  prediction: answer["Prediction"],
  manifest: manifest,
  batch: Zlib.gunzip(result.body.read)
)
