"""Which layers of a model TF-MOT can train with the rounding of int8, and why not the others."""

from collections.abc import Container, Sequence
from typing import Any, Final

import tensorflow as tf
import tf_keras

from roadworthy.models.bridge.hosted import Hosted

# Of a convolution or dense layer; TF-MOT refuses any other.
_FUSED_ACTIVATIONS: Final = frozenset({"linear", "relu", "swish", "gelu", "softmax", "sigmoid", "tanh"})
# Of an Activation layer.
_ACTIVATIONS: Final = _FUSED_ACTIVATIONS | {"relu6"}
# LiteRT's int8 versions of these have one scale for input and output.
_SAME_RANGE: Final = (tf_keras.layers.AveragePooling2D, tf_keras.layers.UpSampling2D)
_FOLDS_INTO: Final = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D, tf_keras.layers.Dense)


def why_float(twin: tf_keras.Model, registries: Sequence[Any]) -> dict[str, str]:
    """Finds the layers that stay in float while the rest is trained with the rounding of int8.

    Args:
        twin: flat functional model.
        registries: those of TF-MOT that each have to know a layer's class.

    Returns:
        The reason by layer name, in the model's order; layers that can be quantised are not in it.
    """
    reasons: dict[str, str] = {}
    for layer in twin.layers:
        if not isinstance(layer, tf_keras.layers.InputLayer):
            reason = _reason(layer, registries, reasons)
            if reason:
                reasons[layer.name] = reason
    return reasons


def special_config(layer: tf_keras.layers.Layer, floats: Container[str]) -> str | None:
    """The name of TF-MOT's config for a layer that needs another than its own, or that has none.

    Args:
        layer: of the model that `why_float` was asked about.
        floats: the names of the layers that stay in float.
    """
    if layer.name in floats:
        if not _takes_one_argument(layer):
            return None
        # What a quantised layer reads has to be quantised, or that layer could not be computed in int8 itself.
        feeds = any(node.outbound_layer.name not in floats for node in layer.outbound_nodes)
        # Without a config, TF-MOT would round the output of a layer before one that has a config, or fail at it.
        return "Default8BitOutputQuantizeConfig" if feeds else "NoOpQuantizeConfig"
    # A range of its own for the output, as TF-MOT has it, can't be converted.
    return "NoOpQuantizeConfig" if type(layer) in _SAME_RANGE else None


def _takes_one_argument(layer: tf_keras.layers.Layer) -> bool:
    """Whether TF-MOT's wrapper, which hands on one, can go around a layer; it can't around attention."""
    node = layer.inbound_nodes[0]
    return len(node.call_args) == 1 and len(node.keras_inputs) == len(tf.nest.flatten(node.call_args))


def _reason(layer: tf_keras.layers.Layer, registries: Sequence[Any], floats: dict[str, str]) -> str | None:
    kind = layer.kind if isinstance(layer, Hosted) else type(layer).__name__
    if len(layer.inbound_nodes) > 1:
        return "it is called more than once, and TF-MOT follows one call only"
    if isinstance(layer, tf_keras.layers.BatchNormalization):
        return _reason_of_norm(layer, floats)
    if kind == "SeparableConv2D":
        return "TF-MOT would split it into two layers of other names"
    if not all(registry.supports(layer) for registry in registries):
        return f"TF-MOT has no QAT scheme for {kind}"
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    known = _ACTIVATIONS if isinstance(layer, tf_keras.layers.Activation) else _FUSED_ACTIVATIONS
    return None if activation in known else f"TF-MOT has no QAT scheme for the activation {activation}"


def _reason_of_norm(layer: tf_keras.layers.Layer, floats: dict[str, str]) -> str | None:
    """TF-MOT quantises a normalisation only as part of what it can be folded into."""
    before = layer.inbound_nodes[0].inbound_layers
    folds = (
        type(before) in _FOLDS_INTO
        and before.activation.__name__ == "linear"
        and len(before.outbound_nodes) == 1
        and before.name not in floats
    )
    return None if folds else "it follows no convolution or dense layer that it could be folded into"
