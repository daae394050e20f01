"""LiteRT models of any maker: arrays in, arrays out, as TF Serving does with `--prefer_tflite_model`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from roadworthy.serving.contract import EXAMPLES_SIGNATURE, LITERT_FILE
from roadworthy.serving.servables.base import Signature, TensorSpec, check_inputs, find_signature
from roadworthy.serving.servables.interpreters import InterpreterPool
from roadworthy.serving.servables.litert_signatures import network_signature, other_signatures
from roadworthy.serving.status import RequestError


class LiteRTTensorsServable:
    """A `.tflite` file without a card; a `Servable`."""

    card: Final = None

    def __init__(self, version_dir: Path, *, threads: int | None = None, at_once: int | None = None) -> None:
        """Loads the model.

        Args:
            version_dir: folder with `model.tflite`.
            threads: threads an answer may use; None is all cores for a request that is alone, else one.
            at_once: requests that may be answered at once, >= 1; None is one a core.

        Raises:
            ServeError: the file is missing or broken.
        """
        path = version_dir / LITERT_FILE
        self._pool = InterpreterPool(path, threads=threads, at_once=at_once)
        with self._pool.use() as interpreter:
            network = network_signature(interpreter, path)
            self._signatures = {EXAMPLES_SIGNATURE: network, **other_signatures(interpreter)}
            # The details come in the order of the specs.
            self._inputs = _indices(network.inputs, interpreter.get_input_details())
            self._outputs = _indices(network.outputs, interpreter.get_output_details())

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """`serving_default`, and what else the file names."""
        return self._signatures

    @property
    def at_once(self) -> int:
        """How many requests it works on at a time."""
        return self._pool.at_once

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Answers one request, in whatever batch size it has; see `Servable.predict`."""
        found = find_signature(self._signatures, signature)
        check_inputs(found, inputs)
        fitted = {name: _fitted(found.inputs[name], array) for name, array in inputs.items()}
        try:
            with self._pool.use() as interpreter:
                answer = self._run(interpreter, signature, fitted)
        except (ValueError, RuntimeError) as error:
            shapes = ", ".join(f"{name}: {list(array.shape)}" for name, array in inputs.items())
            raise RequestError(f"The model must be able to run on its inputs. Received: {shapes}: {error}") from error
        return {name: answer[name] for name in (found.outputs if outputs is None else outputs)}

    def batch_sizes(self, signature: str) -> Sequence[int]:
        """None: requests are answered one by one; see `Servable.batch_sizes`."""
        return ()

    def close(self) -> None:
        """Frees the interpreters."""
        self._pool.close()

    def _run(self, interpreter: Any, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if signature != EXAMPLES_SIGNATURE:
            answer: dict[str, np.ndarray] = interpreter.get_signature_runner(signature)(**inputs)
            return answer
        # Where the shapes are those of the last request, this and the next line do nothing.
        for name, array in inputs.items():
            interpreter.resize_tensor_input(self._inputs[name], array.shape)
        interpreter.allocate_tensors()
        for name, array in inputs.items():
            interpreter.set_tensor(self._inputs[name], array)
        interpreter.invoke()
        return {name: interpreter.get_tensor(index) for name, index in self._outputs.items()}


def _indices(specs: Mapping[str, TensorSpec], details: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {name: detail["index"] for name, detail in zip(specs, details, strict=True)}


def _fitted(spec: TensorSpec, array: np.ndarray) -> np.ndarray:
    """An array with as many dimensions as the network has, of which those of size one may be missing or too many.

    LiteRT's kernels take their number for granted, and some of them a first element.
    """
    wanted = spec.shape or ()
    if array.size and array.ndim == len(wanted):
        return array
    if array.size and [size for size in array.shape if size != 1] == [size for size in wanted if size != 1]:
        return array.reshape([size or 1 for size in wanted])
    sizes = ["?" if size is None else size for size in wanted]
    raise RequestError(
        f"input {spec.name} must have {len(wanted)} dimensions, as {sizes} has, and no empty one. "
        f"Received: {list(array.shape)}."
    )
