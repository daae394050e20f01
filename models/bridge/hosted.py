"""What tf_keras lacks and has no weights, computed by Keras 3 itself: both run on TensorFlow."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
import tf_keras
from tf_keras.src.engine.keras_tensor import KerasTensor

from roadworthy.models.bridge.layer import unsupported

Tensor = Any


def may_be_hosted(operation: keras.Operation) -> bool:
    """Whether Keras 3 can compute it inside a tf_keras model: its own code, no weights to train, no code of others."""
    activation = getattr(operation, "activation", None)
    return (
        type(operation).__module__.startswith("keras.src.")
        and not isinstance(operation, keras.layers.Lambda | keras.layers.Wrapper)
        and not getattr(operation, "weights", None)
        # Someone's own function is written down by its name alone, which may be that of another.
        and (activation is None or activation in vars(keras.activations).values())
    )


def host(operation: keras.Operation, args: Sequence[Any], kwargs: Mapping[str, Any], *, path: str) -> Tensor:
    """Calls an operation as a layer of a tf_keras model.

    Args:
        operation: one that `may_be_hosted`.
        args: its arguments: tensors of tf_keras, alone or in lists, and constants.
        kwargs: likewise, by name.
        path: the layer's name.

    Raises:
        UnsupportedLayer: Keras 3 can't write the operation down, or can't compute it on such tensors.
    """
    call = (tuple(args), dict(kwargs))
    flat = keras.tree.flatten(call)
    places = [place for place, value in enumerate(flat) if isinstance(value, KerasTensor)]
    tensors = [flat[place] for place in places]
    try:
        layer = Hosted(
            operation=keras.saving.serialize_keras_object(operation),
            constants=keras.saving.serialize_keras_object(keras.tree.map_structure(_constant, call)),
            places=places,
            name=path,
        )
        return layer(tensors if len(tensors) > 1 else tensors[0])
    except (TypeError, ValueError, NotImplementedError) as error:
        raise unsupported(path, operation, reason=str(error)) from error


def hold(value: Any, *, beside: Tensor, path: str) -> Tensor:
    """Makes a tensor of a tf_keras model from a constant, which tf_keras would turn into lists when it clones a call.

    Args:
        value: an array.
        beside: any tensor of the model.
        path: the layer's name.
    """
    array = keras.ops.convert_to_numpy(value)
    return Held(constant=keras.saving.serialize_keras_object(array), name=path)(beside)


class Hosted(tf_keras.layers.Layer):
    """One call of a Keras 3 operation.

    Args:
        operation: as Keras 3 serialises it.
        constants: its positional arguments and those by name, likewise, with None in place of every tensor.
        places: where among the flattened arguments the tensors go.
    """

    def __init__(self, operation: dict[str, Any], constants: Any, places: list[int], **options: Any) -> None:
        super().__init__(autocast=False, **options)
        self._written = {"operation": operation, "constants": constants, "places": places}
        self._operation = keras.saving.deserialize_keras_object(operation)
        self._takes_training = "training" in inspect.signature(self._operation.call).parameters
        self._constants = keras.saving.deserialize_keras_object(constants)
        self._places = places

    @property
    def kind(self) -> str:
        """The Keras 3 class."""
        return type(self._operation).__name__

    def get_config(self) -> dict[str, Any]:
        """The call beside the base's options."""
        return {**super().get_config(), **self._written}

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Computes tensors of any shapes and dtypes, in training too where that makes a difference."""
        values = keras.tree.flatten(self._constants)
        for place, tensor in zip(self._places, tf.nest.flatten(inputs), strict=True):
            values[place] = tensor
        args, kwargs = keras.tree.pack_sequence_as(self._constants, values)
        if not self._takes_training:
            return self._operation(*args, **kwargs)
        return tf_keras.backend.in_train_phase(
            lambda: self._operation(*args, **{**kwargs, "training": True}),
            lambda: self._operation(*args, **{**kwargs, "training": False}),
            training=training,
        )


class Held(tf_keras.layers.Layer):
    """A constant.

    Args:
        constant: an array as Keras 3 serialises it.
    """

    def __init__(self, constant: dict[str, Any], **options: Any) -> None:
        super().__init__(autocast=False, **options)
        self._written = constant
        self._constant = keras.saving.deserialize_keras_object(constant)

    def get_config(self) -> dict[str, Any]:
        """The constant beside the base's options."""
        return {**super().get_config(), "constant": self._written}

    def call(self, inputs: Any) -> Any:
        """The constant, whatever the input."""
        del inputs
        return tf.constant(self._constant)


def _constant(value: Any) -> Any:
    return None if isinstance(value, KerasTensor) else value
