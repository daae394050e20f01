"""Magnitude pruning with fine-tuning by TF-MOT: the smallest weights of each kernel become zero and stay so."""

import logging
import math
import sys
from typing import Any, Final

import keras
import numpy as np
import tf_keras

from roadworthy.models.batch_norm import BATCHES, reestimate
from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.bridge.weights import copy_to_keras
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import Prune
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.serving.errors import ModelError

# Depthwise kernels are a few weights a channel: zeroing them costs accuracy and saves next to nothing.
PRUNED_LAYERS: Final = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)
SPARSITY_TOLERANCE: Final = 0.01

# Sparsity rises over this share of the steps; the rest lets the weights that are left recover.
RAMP_SHARE: Final = 0.7
# A mask update sorts every kernel, as costly as a training step, so there are few of them.
MASK_UPDATES: Final = 10

_log = logging.getLogger(__name__)


def prune(model: keras.Model, settings: Prune, bench: Bench) -> Made:
    """Prunes the kernels of Conv2D and Dense layers while fine-tuning on the training split.

    Args:
        model: classifier whose output is probabilities [batch, classes]; its weights are changed in place.
        settings: sparsity, epochs and learning rate.
        bench: the training split.

    Returns:
        The same Keras 3 model, pruned.

    Raises:
        UnsupportedLayer: the bridge can't take a layer.
        ModelError: nothing in it can be pruned, or a kernel did not reach the sparsity.
        DataError: the training split is empty.

    Reference: Zhu and Gupta 2017, "To prune, or not to prune", https://arxiv.org/abs/1710.01878.
    """
    images = bench.images
    steps = settings.epochs * math.ceil(images.count() / images.batch_size)
    twin = to_tf_keras(model)
    check_equal(model, twin, images=_first_batch(images), seed=images.seed)
    stripped = _fine_tune(twin, settings, images, steps=steps)
    check_sparsity(stripped, sparsity=settings.sparsity)
    copy_to_keras(stripped, model)
    # The stripped model is made of the twin's own layers, whose outputs the check knows.
    check_equal(model, twin, seed=images.seed)
    reestimate(model, (batch for batch, _ in images.batches().take(BATCHES).as_numpy_iterator()))
    return Made(model)


def check_sparsity(model: tf_keras.Model, *, sparsity: float) -> None:
    """Holds every prunable kernel of a stripped model to the sparsity that was asked for.

    Raises:
        ModelError: a kernel has fewer zeros than `sparsity` less 0.01, rounded to a whole weight.
    """
    for layer in _prunable(model):
        kernel = layer.kernel.numpy()
        reached = float(np.mean(kernel == 0))
        if reached < sparsity - SPARSITY_TOLERANCE - 1 / kernel.size:
            raise ModelError(
                f"The kernel of layer {layer.name!r} must reach a sparsity of {sparsity:g} by pruning. "
                f"Received: {reached:.4f}. Give the recipe's prune step more epochs."
            )


def _prunable(model: tf_keras.Model) -> list[tf_keras.layers.Layer]:
    # Subclasses, DepthwiseConv2D among them, are other layers.
    layers = [layer for layer in model.layers if type(layer) in PRUNED_LAYERS]
    if not layers:
        raise ModelError(
            "A model must have a Conv2D or Dense layer to be pruned. "
            f"Received: {sorted({type(layer).__name__ for layer in model.layers})}."
        )
    return layers


def _first_batch(images: TrainingImages) -> np.ndarray:
    batch: np.ndarray = next(images.batches().as_numpy_iterator())[0]
    return batch


def _fine_tune(twin: tf_keras.Model, settings: Prune, images: TrainingImages, *, steps: int) -> tf_keras.Model:
    sparsity = load_tf_mot().sparsity.keras
    masked = _mask(twin, _schedule(sparsity, settings.sparsity, steps=steps), sparsity)
    rate = tf_keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps)
    masked.compile(tf_keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    masked.fit(
        images.batches(),
        epochs=settings.epochs,
        callbacks=[sparsity.UpdatePruningStep()],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    return sparsity.strip_pruning(masked)


def _mask(twin: tf_keras.Model, schedule: Any, sparsity: Any) -> tf_keras.Model:
    prunable = {layer.name for layer in _prunable(twin)}
    skipped = [layer.name for layer in twin.layers if layer.weights and layer.name not in prunable]
    _log.info("Pruning the kernels of %d layers; left alone: %s", len(prunable), ", ".join(skipped) or "none")
    for layer in twin.layers:
        layer.trainable = True

    def wrap(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        return sparsity.prune_low_magnitude(layer, pruning_schedule=schedule) if layer.name in prunable else layer

    return tf_keras.models.clone_model(twin, clone_function=wrap)


def _schedule(sparsity: Any, target: float, *, steps: int) -> Any:
    """Polynomial rise from 0 to the target. TF-MOT counts steps from 1 and looks only at multiples of `frequency`."""
    ramp_steps = max(1, int(RAMP_SHARE * steps))
    frequency = max(1, ramp_steps // MASK_UPDATES)
    return sparsity.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=target,
        begin_step=0,
        end_step=ramp_steps - ramp_steps % frequency,
        frequency=frequency,
    )
