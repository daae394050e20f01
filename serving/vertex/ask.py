"""Images asked of an endpoint, with the messages that every TensorFlow container there takes."""

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from roadworthy.serving import protos
from roadworthy.serving.client.errors import InvalidRequest, UnreadableAnswer
from roadworthy.serving.contract import IMAGE_KEY, LABEL, SCORES
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.errors import telling_asker

# https://cloud.google.com/vertex-ai/docs/predictions/get-online-predictions: of a public endpoint.
MAX_REQUEST_BYTES: Final = 1_500_000


@dataclass(frozen=True)
class Reply:
    """What an endpoint answered.

    Attributes:
        version: of the model that answered.
        predictions: one an instance, as JSON values.
        seconds: the request took.
    """

    version: int
    predictions: tuple[dict[str, Any], ...]
    seconds: float


def instance_of(image: bytes) -> dict[str, str]:
    """An image as an instance of `serving_default`, the signature that every container answers by: a `tf.Example`."""
    example = protos.Example()
    example.features.feature[IMAGE_KEY].bytes_list.value.append(image)
    return {"b64": base64.b64encode(example.SerializeToString()).decode()}


def check_size(size_bytes: int, count: int) -> None:
    """Refuses what Vertex AI would.

    Raises:
        InvalidRequest: the request is too long.
    """
    if size_bytes > MAX_REQUEST_BYTES:
        raise InvalidRequest(
            f"A request to Vertex AI must have at most {MAX_REQUEST_BYTES:,} bytes. Received: {size_bytes:,}, "
            f"with {count} inputs. Send fewer or smaller ones at a time.",
            code="INVALID_ARGUMENT",
        )


def ask_endpoint(clients: Clients, endpoint: str, images: Sequence[bytes], *, timeout_s: float) -> Reply:
    """Sends images to an endpoint, in one request.

    Args:
        clients: of the place.
        endpoint: resource name.
        images: bytes of JPEG or PNG files.
        timeout_s: longest time of the request, > 0.

    Raises:
        AskError: it was refused, or answered with something else than scores and a label for each image.
    """
    from google.cloud.aiplatform_v1 import PredictRequest
    from google.protobuf import json_format, struct_pb2

    request = PredictRequest.pb(PredictRequest(endpoint=endpoint))
    for image in images:
        request.instances.append(json_format.ParseDict(instance_of(image), struct_pb2.Value()))
    check_size(request.ByteSize(), len(images))
    started = time.monotonic()
    short = endpoint.rpartition("/")[2]
    with telling_asker(short, clients.place):
        answer = clients.predictions.predict(PredictRequest.wrap(request), timeout=timeout_s, retry=None)
    seconds = time.monotonic() - started
    found = tuple(json_format.MessageToDict(one) for one in type(answer).pb(answer).predictions)
    if len(found) != len(images) or not all(isinstance(one, dict) and {LABEL, SCORES} <= one.keys() for one in found):
        raise UnreadableAnswer(
            f"endpoint {short} must answer with {SCORES} and {LABEL} for each of {len(images)} images. Received: "
            f"{len(found)} predictions{f', the first {found[0]!r}'[:200] if found else ''}.",
            code="INTERNAL",
        )
    return Reply(int(answer.model_version_id or 0), found, seconds)
