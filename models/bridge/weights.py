"""Copies weights between a Keras 3 model and its tf_keras twin, matched by layer path and variable name."""

from typing import Any, Final

import keras
import tf_keras

from roadworthy.models.bridge.graph import leaves
from roadworthy.models.bridge.registry import registered
from roadworthy.serving.errors import ModelError

# Keras 3 name -> tf_keras name, where they differ.
_RENAMED_VARIABLES: Final = {
    "DepthwiseConv1D": {"kernel": "depthwise_kernel"},
    "DepthwiseConv2D": {"kernel": "depthwise_kernel"},
}


def copy_to_tf_keras(model: keras.Model, twin: tf_keras.Model) -> None:
    """Sets every weight of `twin`, made by `to_tf_keras`, to the Keras 3 model's.

    Raises:
        ModelError: a variable has no counterpart of the same shape; the message names it.
    """
    for path, layer in _layers_with_weights(model):
        there = twin.get_layer(path)
        for source, target in _pairs(layer, there, path=path):
            target.assign(source.numpy())
        if isinstance(there, tf_keras.layers.Normalization):
            # Its call uses constants derived from the weights when the layer was built.
            there.finalize_state()


def copy_to_keras(twin: tf_keras.Model, model: keras.Model) -> None:
    """Sets every weight of the Keras 3 model to its twin's, e.g. after TF-MOT has changed them.

    Raises:
        ModelError: a variable has no counterpart of the same shape; the message names it.
    """
    for path, layer in _layers_with_weights(model):
        for target, source in _pairs(layer, twin.get_layer(path), path=path):
            target.assign(source.numpy())


def _layers_with_weights(model: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    return [(path, leaf) for path, leaf in leaves(model).items() if getattr(leaf, "weights", None)]


def _pairs(layer: keras.layers.Layer, twin: tf_keras.layers.Layer, *, path: str) -> list[tuple[Any, Any]]:
    known = registered(layer)
    renamed = known.weights if known else _RENAMED_VARIABLES.get(type(layer).__name__, {})
    names = (_own_name(weight.path, layer.name) for weight in layer.weights)
    here = {renamed.get(name, name): weight for name, weight in zip(names, layer.weights, strict=True)}
    there = {_own_name(weight.name.partition(":")[0], path): weight for weight in twin.weights}
    if len(here) == len(there) == len(layer.weights) == 1:
        # Keras 3 makes up a name, and another for each layer, where a layer gives its weight none.
        here = dict(zip(there, here.values(), strict=True))
    shapes = [{name: tuple(weight.shape) for name, weight in side.items()} for side in (here, there)]
    if shapes[0] != shapes[1] or len(here) != len(layer.weights):
        raise ModelError(
            f"The weights of layer {path!r} must have the same names and shapes in Keras 3 and tf_keras. "
            f"Received: {shapes[0]} and {shapes[1]}. Leave steps that need TF-MOT, such as prune, out of the recipe."
        )
    return [(here[name], there[name]) for name in here]


def _own_name(full: str, layer_name: str) -> str:
    """A variable's name within its layer: `kernel`, or `query/kernel` where a layer has layers of its own."""
    scopes = full.split("/")
    own = layer_name.split("/")
    for start in range(len(scopes) - len(own), -1, -1):
        if scopes[start : start + len(own)] == own and start + len(own) < len(scopes):
            return "/".join(scopes[start + len(own) :])
    return scopes[-1]
