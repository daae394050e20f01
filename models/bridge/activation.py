"""Activations that tf_keras lacks or defines otherwise, rebuilt from layers that it has."""

from collections.abc import Callable
from typing import Any, Final

import keras
import tf_keras

Tensor = Any


def _relu6(x: Tensor, name: str) -> Tensor:
    return tf_keras.layers.ReLU(max_value=6.0, name=name)(x)


def _leaky_relu(x: Tensor, name: str) -> Tensor:
    return tf_keras.layers.LeakyReLU(alpha=0.2, name=name)(x)


def _silu(x: Tensor, name: str) -> Tensor:
    return tf_keras.layers.Activation("swish", name=name)(x)


def _hard_sigmoid(x: Tensor, name: str) -> Tensor:
    """`relu6(x + 3) / 6`, as in Keras 3; tf_keras's own hard_sigmoid is `clip(0.2 x + 0.5, 0, 1)`."""
    shifted = tf_keras.layers.Rescaling(1.0, offset=3.0, name=f"{name}/shift")(x)
    return tf_keras.layers.Rescaling(1 / 6, name=name)(_relu6(shifted, f"{name}/relu6"))


def _hard_silu(x: Tensor, name: str) -> Tensor:
    return tf_keras.layers.Multiply(name=name)([x, _hard_sigmoid(x, f"{name}/hard_sigmoid")])


# By the function itself: someone's own function may bear the same name.
REWRITTEN: Final[dict[Callable[..., Any], Callable[[Tensor, str], Tensor]]] = {
    keras.activations.hard_sigmoid: _hard_sigmoid,
    keras.activations.hard_silu: _hard_silu,
    keras.activations.leaky_relu: _leaky_relu,
    keras.activations.relu6: _relu6,
    keras.activations.silu: _silu,
}
