"""One signature whose requests are answered in batches."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from roadworthy.serving.servables.base import Signature
from roadworthy.serving.servables.batching.parameters import Batching
from roadworthy.serving.servables.tensorflow_errors import refused
from roadworthy.serving.status import RequestError

# How the scheduler says that the rows of a batch can't be joined; the same from within a model names an operation.
_UNLIKE: Final = "Dimensions of inputs should match: shape[0]"


class BatchedSignature:
    """Sends requests through the batch scheduler, and keeps one request's fault from the others of its batch."""

    def __init__(self, call: Callable[..., Sequence[Any]], signature: Signature, batching: Batching) -> None:
        """Wraps a call.

        Args:
            call: from the signature's inputs, in its order, to all its outputs in its order.
            signature: what is called.
            batching: what the scheduler was told.
        """
        self._call = call
        self._signature = signature
        self._batching = batching

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes that batches are padded to, ascending; empty when they are not."""
        return self._batching.allowed_batch_sizes

    def answer(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray] | None:
        """Answers a request together with those that come at the same time.

        Args:
            arrays: one for each input, in the signature's order, each with the same number of rows.

        Returns:
            All outputs; None when the request must be answered on its own: it has no rows, or its batch failed,
            which may be the fault of any request in it.

        Raises:
            RequestError: INVALID_ARGUMENT, no rows, unequal numbers of them or too many; UNAVAILABLE, the queue is
                full; FAILED_PRECONDITION, the rows of the batch differ in shape and padding is off.
        """
        import tensorflow as tf

        if not self._rows(arrays):
            return None
        try:
            return dict(zip(self._signature.outputs, self._call(*arrays), strict=True))
        except tf.errors.UnavailableError as error:
            raise refused(error) from error
        except tf.errors.OpError as error:
            if _UNLIKE in str(error.message) and "ConcatOp" not in str(error.message):
                raise _unlike(self._signature) from error
        except (TypeError, ValueError):
            # Arrays that are no tensors; alone it is said why.
            pass
        return None

    def _rows(self, arrays: Sequence[np.ndarray]) -> int:
        """How many rows a request has; messages are upstream's, from batching_session.cc and the scheduler."""
        if any(array.ndim == 0 for array in arrays):
            raise RequestError("Batching Run() input tensors must have at least one dimension.")
        counts = {len(array) for array in arrays}
        if len(counts) > 1:
            raise RequestError("Batching Run() input tensors must have equal 0th-dimension size.")
        (count,) = counts
        if count > self._batching.max_batch_size:
            raise RequestError(
                f"Task size {count} is larger than maximum input batch size {self._batching.max_batch_size}"
            )
        return count


def _unlike(signature: Signature) -> RequestError:
    return RequestError(
        f"Tensors with name {', '.join(map(repr, signature.inputs))} from different tasks have different shapes and "
        "padding is turned off. Set pad_variable_length_inputs to true, or ensure that all tensors with the same name "
        "have equal dimensions starting with the first dim.",
        code="FAILED_PRECONDITION",
    )
