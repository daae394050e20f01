"""TF Serving's batching flags: the file of a `BatchingParameters` in protobuf's text format."""

from pathlib import Path
from typing import Any, Final

from roadworthy.serving import protos
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.server.text_proto import read_text_proto

# Fields of the message that may be unset, and what they are here.
_OPTIONAL: Final = {
    "max_batch_size": "max_batch_size",
    "batch_timeout_micros": "timeout_us",
    "max_enqueued_batches": "max_enqueued_batches",
    "num_batch_threads": "threads",
    "enable_large_batch_splitting": "split_large",
    "max_execution_batch_size": "max_execution_batch_size",
}


def read_batching(*, enabled: bool, file: Path | None) -> Batching | None:
    """How to batch, as the two flags say; None is not at all.

    Args:
        enabled: whether to batch.
        file: a `BatchingParameters`; what it leaves out, and all without a file, is as upstream's default.

    Raises:
        ServeError: a file without batching, one that can't be read, or numbers that don't go together.
    """
    if not enabled:
        if file is None:
            return None
        raise ServeError(
            "--batching_parameters_file is set without setting --enable_batching to true. "
            f"Received: {file}. Add --enable_batching, or leave out the file."
        )
    if file is None:
        return Batching()
    message = read_text_proto(file, protos.BatchingParameters)
    try:
        return _of_message(message)
    except ServeError as error:
        raise ServeError(f"{file}: {error}") from error


def _of_message(message: Any) -> Batching:
    given = {ours: getattr(message, theirs).value for theirs, ours in _OPTIONAL.items() if message.HasField(theirs)}
    return Batching(
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        **given,
    )
