"""Predictions: which deployed model answers by the endpoint's split, and what its container says.

Reference: https://cloud.google.com/vertex-ai/docs/reference/rpc/google.cloud.aiplatform.v1#predictionservice
"""

import json
from collections import defaultdict

from google.api import httpbody_pb2
from google.cloud import aiplatform_v1 as v1
from google.protobuf import json_format

from contracts.vertex.containers import Containers
from contracts.vertex.endpoints import Endpoints
from contracts.vertex.models import Models
from contracts.vertex.rules import Refused

# https://cloud.google.com/vertex-ai/docs/predictions/get-online-predictions: of shared public endpoints.
MAX_BYTES = 1_500_000


class Prediction:
    """PredictionService."""

    def __init__(self, endpoints: Endpoints, models: Models, containers: Containers) -> None:
        self._endpoints, self._models, self._containers = endpoints, models, containers
        self._owed: dict[str, float] = defaultdict(float)

    def Predict(self, request: v1.PredictRequest) -> v1.PredictResponse:
        raw = v1.PredictRequest.pb(request)
        if raw.ByteSize() > MAX_BYTES:
            raise Refused("INVALID_ARGUMENT", f"The request's size of {raw.ByteSize()} exceeds {MAX_BYTES} bytes.")
        deployed = self._next(request.endpoint)
        # What the container gets is JSON, as the API makes it of the instances.
        body = {"instances": [json_format.MessageToDict(one) for one in raw.instances]}
        answered = json.loads(self._containers.ask(deployed.id, json.dumps(body).encode()))
        response = v1.PredictResponse.pb(
            v1.PredictResponse(
                deployed_model_id=deployed.id,
                model=deployed.model,
                model_version_id=deployed.model_version_id,
                model_display_name=deployed.display_name,
            )
        )
        for prediction in answered["predictions"]:
            json_format.ParseDict(prediction, response.predictions.add())
        return v1.PredictResponse.wrap(response)

    def RawPredict(self, request: v1.RawPredictRequest) -> httpbody_pb2.HttpBody:
        deployed = self._next(request.endpoint)
        answered = self._containers.ask(deployed.id, request.http_body.data)
        return httpbody_pb2.HttpBody(content_type="application/json", data=answered)

    def _next(self, name: str) -> v1.DeployedModel:
        """The deployed model that has been asked least for its share, so that few requests show the split."""
        endpoint = self._endpoints.endpoint(name)
        split = dict(endpoint.traffic_split)
        if not split:
            raise Refused("FAILED_PRECONDITION", f"Endpoint {name} has no deployed model with traffic.")
        for key, share in split.items():
            self._owed[key] += share
        chosen = max(split, key=lambda key: self._owed[key])
        self._owed[chosen] -= 100
        return next(one for one in endpoint.deployed_models if one.id == chosen)
