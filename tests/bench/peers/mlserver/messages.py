"""Between JSON and MLServer's gRPC messages, by its own classes: `request` or `response`, from stdin to stdout."""

import sys

from google.protobuf import json_format
from mlserver.grpc import dataplane_pb2

if sys.argv[1] == "request":
    request = json_format.Parse(sys.stdin.read(), dataplane_pb2.ModelInferRequest())
    sys.stdout.buffer.write(request.SerializeToString())
else:
    response = dataplane_pb2.ModelInferResponse.FromString(sys.stdin.buffer.read())
    print(json_format.MessageToJson(response))
