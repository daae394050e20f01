"""TensorFlow's profiler service, so that TensorBoard and `tf.profiler.experimental.client.trace` can look inside.

Upstream writes the trace to a folder that the request names. Here it goes back in the answer, which the client then
writes: no request chooses where this server writes.
"""

import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from roadworthy.serving import protos
from roadworthy.serving.status import RequestError

SERVICE: Final = "tensorflow.ProfilerService"
# The longest trace that is taken; all of it is held in memory.
MAX_DURATION_S: Final = 60.0
# The file's name tells the client what kind of trace it is.
_TRACE: Final = "xplane.pb"


# TensorFlow has one profiler a process.
_TURN: Final = threading.Lock()


def profile(request: Any) -> Any:
    """Answers a `ProfileRequest` with a `ProfileResponse`; takes as long as it asks for.

    Raises:
        RequestError: UNIMPLEMENTED, TensorFlow does nothing here; INVALID_ARGUMENT, a trace without an end;
            ALREADY_EXISTS, another is being taken.
    """
    if "tensorflow" not in sys.modules:
        raise RequestError("No SavedModel is served, so TensorFlow does nothing here.", code="UNIMPLEMENTED")
    seconds = request.duration_ms / 1000
    if not 0 < seconds <= MAX_DURATION_S:
        raise RequestError(f"duration_ms must be in (0, {MAX_DURATION_S * 1000:.0f}]. Received: {request.duration_ms}.")
    if not _TURN.acquire(blocking=False):
        raise RequestError("Another trace is being taken; ask again when it is over.", code="ALREADY_EXISTS")
    try:
        trace = take_trace(seconds)
    finally:
        _TURN.release()
    response = protos.ProfileResponse(empty_trace=not trace)
    if trace:
        response.tool_data.add(name=_TRACE, data=trace)
    return response


def take_trace(seconds: float) -> bytes:
    """What TensorFlow does in this process from now on, as a serialized XSpace; empty when there is nothing to tell."""
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            time.sleep(seconds)
        traces = list(Path(folder).rglob(f"*.{_TRACE}"))
        return traces[0].read_bytes() if traces else b""
