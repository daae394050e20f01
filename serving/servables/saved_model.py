"""SavedModels on TensorFlow's runtime, which is imported when the first one is opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from roadworthy.serving.contract import CARD_PATH, IMAGE_SIGNATURE, ModelCard
from roadworthy.serving.errors import ServeError
from roadworthy.serving.servables.base import Signature, TensorSpec, check_inputs, find_signature
from roadworthy.serving.servables.image_requests import INPUT_NAMES, check_headers, decode, encoded_images
from roadworthy.serving.status import RequestError


class SavedModelServable:
    """A SavedModel and the signatures it was saved with; a `Servable`."""

    def __init__(self, version_dir: Path, *, threads: int | None = None) -> None:
        """Loads the model.

        Args:
            version_dir: folder with `saved_model.pb`.
            threads: threads one operation may use; None leaves TensorFlow's own choice.

        Raises:
            ServeError: the model can't be loaded, or TensorFlow already runs with another number of threads.
        """
        self._tf = _tensorflow(threads)
        self.card = ModelCard.read(version_dir) if (version_dir / CARD_PATH).exists() else None
        try:
            # The loaded object owns the variables, so it has to live as long as its functions.
            self._model = self._tf.saved_model.load(str(version_dir))
            self._functions: dict[str, Any] = dict(self._model.signatures)
        except Exception as error:
            raise ServeError(f"{version_dir} must be a SavedModel. Received: {_first_line(error)}") from error
        self._signatures = {name: _signature(function) for name, function in self._functions.items()}

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """The model's signatures by name."""
        return self._signatures

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Answers one request; see `Servable.predict`."""
        check_inputs(find_signature(self._signatures, signature), inputs)
        images = self._checked_images(signature, inputs)
        errors = self._tf.errors
        try:
            tensors = {name: self._tf.constant(array) for name, array in inputs.items()}
            answer = self._functions[signature](**tensors)
            return {name: _array(tensor) for name, tensor in answer.items()}
        except errors.OpError as error:
            # Which image it was and why is not in TensorFlow's message; decoding them again here tells.
            for index, image in enumerate(images):
                decode(image, index=index)
            raise RequestError(_cause(error), code=_code(error)) from error
        except (TypeError, ValueError) as error:
            raise RequestError(_first_line(error)) from error

    def close(self) -> None:
        """Lets go of the model, so that TensorFlow frees its variables."""
        self._functions = {}
        self._model = None

    def _checked_images(self, signature: str, inputs: Mapping[str, np.ndarray]) -> list[bytes]:
        """The images of a request, headers checked, before TensorFlow's unbounded decoder sees them."""
        ours = self.card is not None or signature == IMAGE_SIGNATURE
        if not ours or INPUT_NAMES.get(signature) not in inputs:
            return []
        images = encoded_images(signature, inputs)
        check_headers(images)
        return images


def _tensorflow(threads: int | None) -> Any:
    import tensorflow as tf

    if threads is None or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return tf
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    except RuntimeError as error:
        raise ServeError(
            f"TensorFlow's threads must be set before it first runs. Received: {threads} when it already ran with "
            f"{tf.config.threading.get_intra_op_parallelism_threads() or 'its own choice'}. "
            "Open the model in a new process."
        ) from error
    return tf


def _signature(function: Any) -> Signature:
    inputs = function.structured_input_signature[1]
    return Signature(
        {name: _spec(name, spec) for name, spec in inputs.items()},
        {name: _spec(name, spec) for name, spec in function.structured_outputs.items()},
    )


def _spec(name: str, spec: Any) -> TensorSpec:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    return TensorSpec(name, spec.dtype.name, shape)


def _array(tensor: Any) -> np.ndarray:
    """TensorFlow gives a string scalar as bytes, everything else as an array."""
    value = tensor.numpy()
    return np.array(value, dtype=object) if isinstance(value, bytes) else np.asarray(value)


def _code(error: Any) -> str:
    """The gRPC name of TensorFlow's error; its classes are named after the codes."""
    name = type(error).__name__.removesuffix("Error")
    code = "".join(f"_{letter}" if letter.isupper() else letter for letter in name).lstrip("_").upper()
    return {"OP": "UNKNOWN"}.get(code, code)


def _cause(error: Any) -> str:
    """The line that says what was wrong, between where it was in Python and where in the graph."""
    before_node = str(error.message).split("\n\t [[", 1)[0].strip()
    return before_node.rsplit("\n", 1)[-1].strip() or type(error).__name__


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0] or type(error).__name__
