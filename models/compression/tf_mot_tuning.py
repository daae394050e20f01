"""What every TF-MOT step that fine-tunes has in common: over the bridge, wrapped, trained, stripped, back again."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tf_keras

from roadworthy.models.bridge.equality import check_equal
from roadworthy.models.bridge.translation import to_tf_keras
from roadworthy.models.bridge.weights import copy_to_keras
from roadworthy.models.compression.layer_patterns import check_patterns
from roadworthy.models.compression.recipe import LayerStep
from roadworthy.models.compression.record import Skipped
from roadworthy.models.compression.training_images import TrainingImages
from roadworthy.models.compression.tuning import settle
from roadworthy.serving.errors import ModelError

# Tells why a layer can't be taken, or gives None if it can.
WhyNot = Callable[[tf_keras.layers.Layer], str | None]


@dataclass(frozen=True)
class Chosen:
    """The layers a step takes, and those it leaves alone."""

    layers: tuple[tf_keras.layers.Layer, ...]
    skipped: tuple[Skipped, ...]

    @property
    def names(self) -> frozenset[str]:
        """The taken layers' names, which are the paths of the Keras 3 layers."""
        return frozenset(layer.name for layer in self.layers)


def tf_keras_twin(model: keras.Model, images: TrainingImages) -> tf_keras.Model:
    """A tf_keras model that is proved to answer as the Keras 3 model does, on random images and on real ones.

    Raises:
        UnsupportedLayer: the bridge can't take a layer.
        ModelError: the two answer differently.
        DataError: the training split is empty.
    """
    images.count()
    batch: np.ndarray = next(images.batches().as_numpy_iterator())[0]
    twin = to_tf_keras(model)
    check_equal(model, twin, images=batch, seed=images.seed)
    for layer in twin.layers:
        layer.trainable = True
    return twin


def choose(twin: tf_keras.Model, settings: LayerStep, *, why_not: WhyNot, doing: str) -> Chosen:
    """Divides the layers that have weights into those to take and those to leave.

    Args:
        twin: the model.
        settings: with the patterns of paths.
        why_not: why the step can't take a layer.
        doing: what is done to them, for the message.

    Raises:
        ModelError: nothing is left to take; the message lists why. Or a pattern fits no layer.
    """
    taken, skipped = [], []
    for layer in twin.layers:
        if not layer.weights:
            continue
        reason = why_not(layer) or (
            None if settings.chooses(layer.name) else "the recipe's layers and skip leave it out"
        )
        if reason is None:
            taken.append(layer)
        else:
            skipped.append(Skipped(layer=layer.name, reason=reason))
    if not taken:
        listed = "; ".join(f"{one.layer}: {one.reason}" for one in skipped) or "no layer has weights"
        raise ModelError(f"A model must have a layer for {doing}. Received: {listed}.")
    check_patterns(settings, [layer.name for layer in twin.layers if not isinstance(layer, tf_keras.layers.InputLayer)])
    return Chosen(tuple(taken), tuple(skipped))


def fine_tune_wrapped(
    twin: tf_keras.Model,
    wrap: Callable[[tf_keras.layers.Layer], tf_keras.layers.Layer],
    settings: LayerStep,
    images: TrainingImages,
    *,
    chosen: Chosen,
    callbacks: Sequence[Any] = (),
) -> tf_keras.Model:
    """Trains a model whose chosen layers are wrapped, by Adam along a cosine; gives the wrapped model."""
    steps = images.steps()
    names = chosen.names
    wrapped = tf_keras.models.clone_model(
        twin, clone_function=lambda layer: wrap(layer) if layer.name in names else layer
    )
    rate = tf_keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps * settings.epochs)
    wrapped.compile(tf_keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    wrapped.fit(
        images.augmented(),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        callbacks=list(callbacks),
        # A bar for people; one line an epoch for log files.
        verbose=1 if sys.stdout.isatty() else 2,
    )
    return wrapped


def take_back(stripped: tf_keras.Model, model: keras.Model, images: TrainingImages) -> None:
    """Copies trained weights into the Keras 3 model, proves that it answers like them, and settles its statistics."""
    copy_to_keras(stripped, model)
    # Stripped layers may be the ones that were wrapped, with a graph behind them that is no longer theirs.
    clean = tf_keras.models.clone_model(stripped)
    clean.set_weights(stripped.get_weights())
    check_equal(model, clean, seed=images.seed)
    settle(model, images)


def kernel_of(layer: tf_keras.layers.Layer) -> np.ndarray:
    """A layer's kernel."""
    kernel: np.ndarray = layer.kernel.numpy()
    return kernel
