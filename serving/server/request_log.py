"""Request logging: some of the requests with their answers, as PredictionLogs in TFRecord files.

They are TF Serving's records, which TFDV reads for drift and skew, and which serve as warm-up requests.
"""

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.server.background import Background
from roadworthy.serving.server.model_config import Logging
from roadworthy.serving.server.observe import Call, Observer
from roadworthy.serving.server.record_files import RecordFiles
from roadworthy.serving.tensors import TensorError, to_proto

_LOG: Final = logging.getLogger(__name__)
# Of requests and answers that wait to be written; more are dropped.
_CAPACITY_BYTES: Final = 64 * 1024 * 1024
# Where a PredictionLog holds a method's messages.
_FIELDS: Final = {
    "Classify": "classify_log",
    "Regress": "regress_log",
    "MultiInference": "multi_inference_log",
}

# What is logged of a model; None is nothing.
Source = Callable[[str], Logging | None]


def log_below(folder: Path, *, rate: float) -> Source:
    """Every model's requests into one folder, each model with files of its own.

    Raises:
        ServeError: the folder can't be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".probe").touch()
        (folder / ".probe").unlink()
    except OSError as error:
        raise ServeError(
            f"--request_log_dir {folder} must be a folder that can be written. Received: {error.strerror}."
        ) from error
    # A model's name may hold anything; quoted, it stays in the folder.
    return lambda model: Logging(folder / quote(model, safe=""), rate)


class RequestLog(Observer):
    """Samples requests and leaves the writing to a thread; a request never waits for it."""

    def __init__(self, source: Source, *, files_of: Callable[[Path], RecordFiles] = RecordFiles) -> None:
        """Begins with no files.

        Args:
            source: what is logged of which model; asked for every request, so it must be quick.
            files_of: makes the files of a prefix.
        """
        self._source = source
        self._files_of = files_of
        self._files: dict[Path, RecordFiles] = {}
        self._lost = 0
        self._calls: Background[tuple[Call, Logging]] = Background(
            self._write, capacity=_CAPACITY_BYTES, name="request log"
        )

    @property
    def dropped(self) -> int:
        """How many sampled requests could not be written."""
        return self._calls.dropped + self._lost

    def done(self, call: Call) -> None:
        """Leaves a request that was answered, if it is one of the sample."""
        if call.code != "OK" or (call.outputs is None and call.messages is None):
            return
        asked = self._source(call.model)
        # As upstream's uniform sampler: a rate of 1 is every request, 0 none.
        if asked is not None and random.random() < asked.rate:  # noqa: S311
            self._calls.put((call, asked), weight=_size_bytes(call))

    def close(self) -> None:
        """Writes what is left, and ends the files."""
        self._calls.close()
        for files in self._files.values():
            files.rotate()

    def _write(self, calls: Sequence[tuple[Call, Logging]]) -> None:
        for call, asked in calls:
            files = self._files.setdefault(asked.prefix, self._files_of(asked.prefix))
            try:
                files.append(prediction_log(call, rate=asked.rate).SerializeToString())
            except (OSError, TensorError) as error:
                self._lost += 1
                _LOG.error("request log: one lost, %d so far: %s", self._lost, error)
        for files in self._files.values():
            files.rotate_if_old()


def prediction_log(call: Call, *, rate: float) -> Any:
    """The PredictionLog of a request that was answered."""
    log = protos.PredictionLog()
    if call.messages is not None:
        inside = getattr(log, _FIELDS[call.method])
        request, response = call.messages
        inside.request.CopyFrom(request)
        inside.response.CopyFrom(response)
    else:
        _fill(log.predict_log.request, call, log.predict_log.request.inputs, call.inputs)
        _fill(log.predict_log.response, call, log.predict_log.response.outputs, call.outputs)
    _tell_model(log.log_metadata, call)
    log.log_metadata.sampling_config.sampling_rate = rate
    log.log_metadata.timestamp_secs = int(time.time())
    return log


def _fill(message: Any, call: Call, tensors: Any, arrays: Mapping[str, np.ndarray] | None) -> None:
    _tell_model(message, call)
    for name, array in (arrays or {}).items():
        tensors[name].CopyFrom(to_proto(array))


def _tell_model(message: Any, call: Call) -> None:
    spec = message.model_spec
    spec.name, spec.signature_name, spec.version.value = call.model, call.signature, call.version


def _size_bytes(call: Call) -> int:
    """About as much memory as a request takes; the strings of an object array are counted one by one."""
    of_messages = sum(int(message.ByteSize()) for message in call.messages or ())
    arrays = [*(call.inputs or {}).values(), *(call.outputs or {}).values()]
    return of_messages + sum(
        sum(map(len, array.ravel())) if array.dtype == object else int(array.nbytes) for array in arrays
    )
