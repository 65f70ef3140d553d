require "aws-sdk-s3"
require "aws-sigv4"
require "json"
require "net/http"

URL = ENV.fetch("AWS_ENDPOINT_URL")
SIGNER = Aws::Sigv4::Signer.new(
  service: "machinelearning",
  region: ENV.fetch("AWS_DEFAULT_REGION"),
  access_key_id: ENV.fetch("AWS_ACCESS_KEY_ID"),
  secret_access_key: ENV.fetch("AWS_SECRET_ACCESS_KEY")
)

def ask(operation, request)
  headers = {"Content-Type" => "application/x-amz-json-1.1", "X-Amz-Target" => "AmazonML_20141212.#{operation}"}
  body = JSON.generate(request)
  signature = SIGNER.sign_request(http_method: "POST", url: "#{URL}/", headers: headers, body: body)
  JSON.parse(Net::HTTP.post(URI("#{URL}/"), body, headers.merge(signature.headers)).body)
end

answer = ask("Predict", {MLModelId: "ml-policies", Record: {letter: "Q", digits: "7"}, PredictEndpoint: URL})
puts answer["Prediction"]["predictedLabel"]

s3 = Aws::S3::Client.new(endpoint: URL, force_path_style: true)
puts s3.head_bucket(bucket: "policies").successful?
