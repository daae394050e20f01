"""Quantisation-aware training by TF-MOT, on a model as earlier steps left it."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tf_keras

from roadworthy.models.batch_norm import BATCHES
from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.bridge.weights import copy_to_keras
from roadworthy.models.compression.convert import PIXEL_MAX
from roadworthy.models.compression.kept import Keep, Kept, KeptZeros, find_zeros
from roadworthy.models.compression.made import Bench
from roadworthy.models.compression.qat_layers import special_config, why_float
from roadworthy.models.compression.qat_ranges import (
    PREFIX,
    fix_pixel_range,
    measure,
    quantized_weights,
    scale_depthwise_by_channel,
    share_scales,
    short_name,
    wrapped,
)
from roadworthy.models.compression.recipe import QuantizationAwareTraining
from roadworthy.models.compression.record import Skipped
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.serving.errors import ModelError


@dataclass(frozen=True)
class Trained:
    """What quantisation-aware training makes.

    Attributes:
        twin: the tf_keras model with the rounding of int8 in its graph; the converter reads the ranges from it.
        skipped: the layers that were trained in float.
    """

    twin: tf_keras.Model
    skipped: tuple[Skipped, ...]


def train_quantized(
    model: keras.Model, settings: QuantizationAwareTraining, bench: Bench, *, clusters: Mapping[str, Kept]
) -> Trained:
    """Fine-tunes a classifier with the rounding of int8 in the graph; its own weights become the rounded ones.

    Zeros that a prune step made are kept by TF-MOT's prune-preserving scheme; clusters, and the zeros of layers that
    are trained in float, by putting them back after every step.

    Args:
        model: Keras 3 classifier; its weights are changed in place.
        settings: epochs and learning rate.
        bench: the training split, and the steps taken before.
        clusters: those to keep, by layer path.

    Raises:
        UnsupportedLayer: the bridge can't take a layer.
        ModelError: TF-MOT can quantise no layer of it.
        DataError: the training split is empty.

    References:
        Jacob et al. 2018, https://arxiv.org/abs/1712.05877.
        https://www.tensorflow.org/model_optimization/guide/combine/collaborative_optimization
    """
    images = bench.images
    steps = images.steps()
    twin = to_tf_keras(model)
    check_equal(model, twin, images=_first_batch(images), seed=images.seed)
    scheme = _scheme(pruned=bench.has("prune"))
    reasons = why_float(twin, _registries(scheme))
    quantized = _with_rounding(twin, scheme, reasons)
    share_scales(quantized, [path for path, kept in clusters.items() if kept.whole and path not in reasons])
    scale_depthwise_by_channel(quantized)
    measure(quantized, _batches(images))
    in_float = {path: zeros for path, zeros in find_zeros(model, bench.earlier).items() if path in reasons}
    # Clusters hold their own zeros.
    _fit(quantized, settings, images, steps=steps, kept=in_float | dict(clusters))
    measure(quantized, _batches(images))
    fix_pixel_range(quantized, most=PIXEL_MAX)
    _copy(quantized, twin)
    copy_to_keras(twin, model)
    return Trained(quantized, tuple(Skipped(layer=name, reason=reason) for name, reason in reasons.items()))


def _scheme(*, pruned: bool) -> Any:
    keras_api = load_tf_mot().quantization.keras
    if pruned:
        return keras_api.collab_opts.Default8BitPrunePreserveQuantizeScheme()
    return keras_api.default_8bit.Default8BitQuantizeScheme()


def _registries(scheme: Any) -> list[Any]:
    """Whom to ask for a layer's scheme; the prune-preserving one claims every layer without weights."""
    return [load_tf_mot().quantization.keras.default_8bit.Default8BitQuantizeRegistry(), scheme.get_quantize_registry()]


def _with_rounding(twin: tf_keras.Model, scheme: Any, reasons: Mapping[str, str]) -> tf_keras.Model:
    """The twin with TF-MOT's wrappers around every layer that is not in `reasons`."""
    if not any(_has_quantized_kernel(layer, reasons) for layer in twin.layers):
        received = [f"{path} ({reason})" for path, reason in reasons.items()] or [layer.name for layer in twin.layers]
        raise ModelError(
            "A model must have a convolution or dense layer that TF-MOT can quantise for quantisation-aware training. "
            f"Received: {', '.join(received)}. Leave qat out of the quantize step."
        )
    keras_api = load_tf_mot().quantization.keras

    def annotate(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = special_config(layer, reasons)
        if layer.name in reasons and config is None:
            return layer
        registered = None if config is None else tf_keras.utils.get_registered_object(config)()
        return keras_api.quantize_annotate_layer(layer, registered)

    for layer in twin.layers:
        layer.trainable = True
    # TF-MOT builds layers anew by the names of their classes.
    with keras_api.quantize_scope({type(layer).__name__: type(layer) for layer in twin.layers}):
        annotated = tf_keras.models.clone_model(twin, clone_function=annotate)
        return keras_api.quantize_apply(annotated, scheme)


def _has_quantized_kernel(layer: tf_keras.layers.Layer, reasons: Mapping[str, str]) -> bool:
    return layer.name not in reasons and (hasattr(layer, "kernel") or hasattr(layer, "depthwise_kernel"))


def _fit(
    quantized: tf_keras.Model,
    settings: QuantizationAwareTraining,
    images: TrainingImages,
    *,
    steps: int,
    kept: Mapping[str, Kept | KeptZeros],
) -> None:
    rate = tf_keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps * settings.epochs)
    quantized.compile(tf_keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    quantized.fit(
        images.augmented(),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        callbacks=[Keep([(_kernel(quantized, path), each) for path, each in kept.items()])],
        verbose=1 if sys.stdout.isatty() else 2,
    )


def _kernel(quantized: tf_keras.Model, path: str) -> Any:
    """The variable that training changes; a wrapper puts its rounded value in the layer's place."""
    layer = _layer(quantized, path)
    rounded = [weight for weight, _, _ in getattr(layer, "_weight_vars", [])]
    return rounded[0] if rounded else wrapped(layer).kernel


def _layer(quantized: tf_keras.Model, path: str) -> tf_keras.layers.Layer:
    names = {layer.name: layer for layer in quantized.layers}
    return names.get(PREFIX + path) or names[path]


def _copy(quantized: tf_keras.Model, twin: tf_keras.Model) -> None:
    """Gives the twin's layers the trained weights, kernels rounded."""
    for layer in twin.layers:
        there = _layer(quantized, layer.name)
        if getattr(there, "_weight_vars", []):
            trained = quantized_weights(there)
            for weight in layer.weights:
                weight.assign(trained[short_name(weight)])
        else:
            # By order: attention has several weights of one short name.
            layer.set_weights(wrapped(there).get_weights())


def _batches(images: TrainingImages) -> Iterator[np.ndarray]:
    for batch, _ in images.batches().take(BATCHES).as_numpy_iterator():
        yield batch


def _first_batch(images: TrainingImages) -> np.ndarray:
    return next(_batches(images))
