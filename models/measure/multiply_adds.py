"""Counts the multiply-adds of one image's way through a network."""

import math
from typing import Any, Final

import keras

from roadworthy.models.bridge.graph import run

_COUNTED: Final = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def multiply_adds(model: keras.Model) -> int:
    """Counts the multiplications, each with its addition, of the kernels of convolutions and dense layers.

    Biases, activations, normalisation and layers of other kinds are not counted; a shared layer is at every call.

    Args:
        model: functional or Sequential Keras 3 model of a fixed image size.
    """
    total = 0

    def count(leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        nonlocal total
        output = leaf.compute_output_spec(*args, **kwargs)
        if isinstance(leaf, keras.layers.Layer) and args:
            total += _of_call(leaf, args[0], output)
        return output

    images = [keras.KerasTensor(tensor.shape, tensor.dtype) for tensor in model.inputs]
    run(model, images[0] if len(images) == 1 else images, apply=count)
    return total


def _of_call(layer: keras.layers.Layer, given: Any, output: Any) -> int:
    """Every weight of a kernel meets each position of the map once: of the output, of a transposed one the input."""
    if not isinstance(layer, _COUNTED):
        return 0
    sides = slice(2, None) if getattr(layer, "data_format", None) == "channels_first" else slice(1, -1)
    places = given if isinstance(layer, keras.layers.Conv2DTranspose) else output
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
    return int(kernels * math.prod(places.shape[sides]))
