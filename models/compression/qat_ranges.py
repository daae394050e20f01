"""Ranges of int8 in a TF-MOT model, measured instead of waited for.

TF-MOT starts every activation's range at [-6, 6] and moves it by a thousandth a step, so that a fine-tuning of some
hundred steps would be spent in ranges that have nothing to do with the data.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import tensorflow as tf
import tf_keras

PREFIX: Final = "quant_"
_NARROWEST: Final = 1e-6


def measure(model: tf_keras.Model, batches: Iterable[np.ndarray]) -> None:
    """Sets every range, and every normalisation's statistics, to their averages over some batches, in place.

    Args:
        model: made by `quantize_apply`.
        batches: images as in training, float32 [batch, height, width, channels] in [0, 255].
    """
    norms = [layer for layer in map(wrapped, model.layers) if isinstance(layer, tf_keras.layers.BatchNormalization)]
    before = [norm.momentum for norm in norms]
    average = _AverageRange()
    with _measured_by(model, average):
        for count, batch in enumerate(batches):
            average.count = count
            for norm in norms:
                # Makes the moving average the mean of all batches so far.
                norm.momentum = count / (count + 1)
            model(batch, training=True)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


def fix_pixel_range(model: tf_keras.Model, *, most: float) -> None:
    """Sets the range of the input, if it is quantised, to [0, most], whatever the training images lack."""
    for layer in model.layers:
        if hasattr(layer, "quantizer_vars"):
            layer.quantizer_vars["min_var"].assign(0.0)
            layer.quantizer_vars["max_var"].assign(most)


def share_scales(model: tf_keras.Model, names: Collection[str]) -> None:
    """Gives all channels of some layers' kernels one scale, so that one value has one int8 value in all of them."""
    for name in names:
        wrapper = model.get_layer(PREFIX + name)
        # Dense kernels have one scale as it is.
        wrapper._weight_vars = [
            (weight, _WholeRange() if ranges["max_var"].shape.rank else quantizer, ranges)
            for weight, quantizer, ranges in wrapper._weight_vars
        ]


def scale_depthwise_by_channel(model: tf_keras.Model) -> None:
    """Gives every channel of depthwise kernels a scale of its own, as LiteRT has it; TF-MOT has one for all of them."""
    for wrapper in model.layers:
        if isinstance(wrapped(wrapper), tf_keras.layers.DepthwiseConv2D) and wrapper is not wrapped(wrapper):
            ((kernel, _, _),) = wrapper._weight_vars
            channels = kernel.shape[2] * kernel.shape[3]
            # Set as attributes, they are saved with the layer's other variables.
            wrapper.channel_min = tf.Variable(tf.fill([channels], -1.0), trainable=False, name="channel_min")
            wrapper.channel_max = tf.Variable(tf.fill([channels], 1.0), trainable=False, name="channel_max")
            ranges = {"min_var": wrapper.channel_min, "max_var": wrapper.channel_max}
            wrapper._weight_vars = [(kernel, _DepthwiseRange(), ranges)]


def quantized_weights(layer: tf_keras.layers.Layer) -> dict[str, np.ndarray]:
    """The weights of a layer by their short names; kernels as int8 has them."""
    values = {short_name(weight): weight.numpy() for weight in layer.weights}
    for weight, quantizer, ranges in getattr(layer, "_weight_vars", []):
        values[short_name(weight)] = quantizer(weight, training=False, weights=ranges).numpy()
    return values


def wrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    """The layer inside TF-MOT's wrapper, or the layer itself."""
    return getattr(layer, "layer", layer)


def short_name(weight: tf.Variable) -> str:
    """The last part of a variable's name, such as `kernel`."""
    return str(weight.name.rpartition("/")[2].partition(":")[0])


class _AverageRange:
    """A quantiser whose range is the average of what it has seen; a stand-in for TF-MOT's while measuring."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, inputs: Any, training: bool, weights: Mapping[str, tf.Variable], **_: Any) -> Any:
        low, high = weights["min_var"], weights["max_var"]
        # int8 has to hold zero, and a range has to have a width.
        for bound, seen in (
            (low, tf.minimum(tf.reduce_min(inputs), 0.0)),
            (high, tf.maximum(tf.reduce_max(inputs), _NARROWEST)),
        ):
            bound.assign((bound * self.count + seen) / (self.count + 1))
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)


class _WholeRange:
    """A quantiser of kernels that gives every channel the range of the largest weight of all."""

    def __call__(self, inputs: Any, training: bool, weights: Mapping[str, tf.Variable], **_: Any) -> Any:
        if training:
            most = tf.reduce_max(tf.abs(inputs)) * tf.ones_like(weights["max_var"])
            weights["min_var"].assign(-most)
            weights["max_var"].assign(most)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            inputs, weights["min_var"], weights["max_var"], narrow_range=True
        )


class _DepthwiseRange:
    """A quantiser of depthwise kernels that gives each channel the range of its own largest weight."""

    def __call__(self, inputs: Any, training: bool, weights: Mapping[str, tf.Variable], **_: Any) -> Any:
        rows, columns, channels, multiplier = inputs.shape
        flat = tf.reshape(inputs, (rows, columns, 1, channels * multiplier))
        if training:
            most = tf.reduce_max(tf.abs(flat), axis=(0, 1, 2))
            weights["min_var"].assign(-most)
            weights["max_var"].assign(most)
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            flat, weights["min_var"], weights["max_var"], narrow_range=True
        )
        return tf.reshape(rounded, inputs.shape)


@contextmanager
def _measured_by(model: tf_keras.Model, average: _AverageRange) -> Iterator[None]:
    """Puts one quantiser in the place of all that quantise activations, and puts them back."""
    wrappers = [layer for layer in model.layers if hasattr(layer, "_quantize_activations")]
    activations = [activation for wrapper in wrappers for activation in wrapper._quantize_activations]
    outputs = [(wrapper, wrapper._output_quantizers) for wrapper in wrappers if wrapper._output_quantizers]
    quantizers = [(activation, activation.quantizer) for activation in activations]
    for wrapper, _ in outputs:
        wrapper._output_quantizers = [average]
    for activation in activations:
        activation.quantizer = average
    try:
        yield
    finally:
        for wrapper, own in outputs:
            wrapper._output_quantizers = own
        for activation, quantizer in quantizers:
            activation.quantizer = quantizer
