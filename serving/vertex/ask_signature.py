"""Strings asked of a signature by its name: Vertex AI passes on as it is what TF Serving takes and gives over REST."""

import base64
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from roadworthy.serving.client import Outputs
from roadworthy.serving.client.errors import UnreadableAnswer
from roadworthy.serving.json_tensors import write_json
from roadworthy.serving.json_values import parse_json
from roadworthy.serving.status import RequestError
from roadworthy.serving.vertex.ask import check_size
from roadworthy.serving.vertex.clients import Clients
from roadworthy.serving.vertex.errors import telling_asker

# What an output is called here where a signature has but one, whose name the answer leaves out.
ONLY_OUTPUT: Final = "outputs"


def ask_signature(
    clients: Clients, endpoint: str, strings: Sequence[bytes], *, signature: str, timeout_s: float
) -> Outputs:
    """Sends strings to an endpoint, in one request.

    Args:
        clients: of the place.
        endpoint: resource name.
        strings: one a row of the signature's one input.
        signature: its name.
        timeout_s: longest time of the request, > 0.

    Returns:
        Every output, a row a string.

    Raises:
        AskError: it was refused, or answered with something else than a row for each string.
    """
    from google.cloud.aiplatform_v1 import RawPredictRequest

    instances = [{"b64": base64.b64encode(one).decode()} for one in strings]
    body = write_json({"signature_name": signature, "instances": instances})
    check_size(len(body), len(strings))
    short = endpoint.rpartition("/")[2]
    with telling_asker(short, clients.place):
        answer = clients.predictions.raw_predict(
            RawPredictRequest(endpoint=endpoint, http_body={"content_type": "application/json", "data": body}),
            timeout=timeout_s,
            retry=None,
        )
    try:
        rows = parse_json(answer.data)["predictions"]
        found = [row if isinstance(row, dict) and "b64" not in row else {ONLY_OUTPUT: row} for row in rows]
        if len(found) == len(strings):
            return Outputs({name: _array([row[name] for row in found]) for name in found[0]})
    except (RequestError, LookupError, TypeError, ValueError):
        pass
    raise UnreadableAnswer(
        f"endpoint {short} must answer with a row for each of {len(strings)} inputs. Received: {answer.data[:200]!r}.",
        code="INTERNAL",
    )


def _array(values: list[Any]) -> np.ndarray:
    decoded = _decoded(values)
    array = np.array(decoded)
    # As bytes of a length, strings would lose the zeros they end with.
    return np.array(decoded, object) if array.dtype.kind == "S" else array


def _decoded(value: Any) -> Any:
    """A JSON value with its strings as bytes."""
    if isinstance(value, list):
        return [_decoded(one) for one in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"], validate=True)
    return value.encode() if isinstance(value, str) else value
