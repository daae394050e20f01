"""Requests that a version answers before its first client, so that what they make the runtime allocate is there then.

Reference: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from roadworthy.serving import protos
from roadworthy.serving.contract import EXAMPLES_SIGNATURE
from roadworthy.serving.errors import RoadworthyError, ServeError
from roadworthy.serving.servables.base import Servable, find_signature
from roadworthy.serving.server.examples import rows_of
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import TensorError, from_protos
from roadworthy.serving.tfrecord import read_records

WARM_UP_PATH: Final = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS: Final = 1000


def warm_up(servable: Servable, version_dir: Path, *, iterations: int = 1) -> int:
    """Sends a version its own warm-up records: a TFRecord of PredictionLog, whose requests alone are used.

    Args:
        servable: the version, loaded and not yet in use.
        version_dir: its folder; without `assets.extra/tf_serving_warmup_requests` nothing happens.
        iterations: how often each request is sent, >= 1.

    Returns:
        How many records there were.

    Raises:
        ServeError: the file is damaged, has more than 1,000 records, or the model refuses one of them; as in
            TF Serving, such a version is not served.
    """
    path = version_dir / WARM_UP_PATH
    if not path.exists():
        return 0
    count = 0
    try:
        for count, record in enumerate(read_records(path), start=1):
            if count > MAX_RECORDS:
                raise ServeError(f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {path}")
            for _ in range(iterations):
                _send(servable, _parsed(record))
    except ServeError:
        raise
    except (RoadworthyError, TensorError, OSError) as error:
        raise ServeError(f"{path}, record {count}: must be a request the model answers. Received: {error}") from error
    return count


def _parsed(record: bytes) -> Any:
    try:
        return protos.PredictionLog.FromString(record)
    except DecodeError as error:
        raise RequestError("Failed to parse warmup record: it is no PredictionLog.") from error


def _send(servable: Servable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind not in {"predict_log", "classify_log", "regress_log", "multi_inference_log"}:
        raise RequestError(f"Unsupported log_type for warmup: {kind}", code="UNIMPLEMENTED")
    request = getattr(log, kind).request
    if kind == "predict_log":
        inputs = from_protos(request.inputs)
        wanted = list(request.output_filter) or None
        _predict(servable, request.model_spec.signature_name or EXAMPLES_SIGNATURE, inputs, wanted)
        return
    for task in request.tasks if kind == "multi_inference_log" else [request]:
        _send_examples(servable, task.model_spec.signature_name or EXAMPLES_SIGNATURE, request.input)


def _send_examples(servable: Servable, name: str, given: Any) -> None:
    """Classify and Regress give a signature's one input their examples; the answer's form is of no matter here."""
    signature = find_signature(servable.signatures, name)
    if len(signature.inputs) != 1:
        raise RequestError(f"signature {name} must have one input for examples. Received: {sorted(signature.inputs)}.")
    (key,) = signature.inputs
    _predict(servable, name, {key: rows_of(given)})


def _predict(servable: Servable, name: str, inputs: Mapping[str, np.ndarray], wanted: list[str] | None = None) -> None:
    """Sends a request as it is, then once in each size that batches come in, since each is work of its own to plan."""
    servable.predict(name, inputs, wanted)
    if all(array.ndim and len(array) for array in inputs.values()):
        for size in servable.batch_sizes(name):
            servable.predict(name, {key: _repeated(array, size) for key, array in inputs.items()}, wanted)


def _repeated(array: np.ndarray, size: int) -> np.ndarray:
    """So many rows, the array's own over and over."""
    return array[np.arange(size) % len(array)]
