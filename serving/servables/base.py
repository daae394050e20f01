"""What every exported model looks like to those who ask it, whatever runs it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from roadworthy.serving.contract import ModelCard
from roadworthy.serving.status import RequestError
from roadworthy.serving.tensors import dtype_of

PREDICT_METHOD: Final = "tensorflow/serving/predict"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: the key a request or an answer has it under.
        dtype: TensorFlow's name, e.g. ``float32`` or ``string``.
        shape: sizes, None where any is taken; None as a whole when even the rank is open.
        tensor: what the model's graph calls it, for those who describe the model; empty where there is no graph.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    tensor: str = ""


@dataclass(frozen=True)
class Signature:
    """One way to ask a model: its inputs and outputs by name, and the kind of request it was saved for."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method: str = PREDICT_METHOD


class Servable(Protocol):
    """An exported model that is loaded and can be asked from several threads at once."""

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The model's signatures by name."""
        ...

    @property
    def card(self) -> ModelCard | None:
        """What Roadworthy wrote beside the model; None for a SavedModel of another maker."""
        ...

    @property
    def at_once(self) -> int | None:
        """How many requests it works on at a time, >= 1; None takes as many as come, and may gather them."""
        ...

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Answers one request.

        Args:
            signature: a name of `signatures`.
            inputs: one array for each input of the signature; strings as object arrays of bytes.
            outputs: names of the outputs wanted, all of them the signature's; None is every one.

        Returns:
            One array for each output wanted, strings as object arrays of bytes.

        Raises:
            RequestError: an unknown signature, or inputs that it doesn't take; carries a code.
        """
        ...

    def batch_sizes(self, signature: str) -> Sequence[int]:
        """The sizes, ascending, that batches of a signature's requests are padded to; empty when they are not."""
        ...

    def close(self) -> None:
        """Frees the model; it must not be asked afterwards."""
        ...


def find_signature(signatures: Mapping[str, Signature], name: str) -> Signature:
    """The signature of that name.

    Raises:
        RequestError: FAILED_PRECONDITION, there is none.
    """
    if name not in signatures:
        raise RequestError(
            f'Serving signature key "{name}" not found. The model has: {", ".join(sorted(signatures))}.',
            code="FAILED_PRECONDITION",
        )
    return signatures[name]


def check_inputs(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    """Checks names and data types; what shapes a model takes is for the model to say.

    Raises:
        RequestError: INVALID_ARGUMENT, an input is missing, unknown or of another type.
    """
    if inputs.keys() != signature.inputs.keys():
        raise RequestError(
            f"input size does not match signature: {len(inputs)}!={len(signature.inputs)} "
            f"len({_names(inputs)}) != len({_names(signature.inputs)}). "
            f"Sent extra: {_names(inputs.keys() - signature.inputs.keys())}. "
            f"Missing but required: {_names(signature.inputs.keys() - inputs.keys())}."
        )
    for name, array in inputs.items():
        wanted, received = signature.inputs[name].dtype, dtype_of(array).name
        if wanted != received:
            raise RequestError(f"input {name} must have dtype {wanted}. Received: {received}.")


def _names(names: Iterable[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"
