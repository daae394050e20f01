"""Fine-tuning in plain Keras 3, for the steps that need nothing of TF-MOT."""

import sys
from typing import Any

import keras

from roadworthy.models.batch_norm import BATCHES, reestimate
from roadworthy.models.compression.recipe import TrainingStep
from roadworthy.models.compression.training_images import TrainingImages


def fine_tune(
    model: keras.Model,
    settings: TrainingStep,
    images: TrainingImages,
    *,
    loss: str | keras.losses.Loss = "sparse_categorical_crossentropy",
) -> None:
    """Trains every layer of a model in place, by Adam along a cosine.

    Args:
        model: takes float32 [batch, height, width, channels] in [0, 255]; its output fits the loss.
        settings: epochs and learning rate.
        images: the training split.
        loss: of the model's output and int64 labels [batch].

    Raises:
        DataError: the training split is empty.
    """
    steps = images.steps()
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, decay_steps=steps * settings.epochs)
    model.trainable = True
    # XLA's convolutions are many times slower on a CPU than TensorFlow's own.
    model.compile(keras.optimizers.Adam(rate), loss=loss, metrics=["sparse_categorical_accuracy"], jit_compile=False)
    model.fit(
        images.augmented(),
        steps_per_epoch=steps,
        epochs=settings.epochs,
        shuffle=False,
        # A bar for people; one line an epoch for log files.
        verbose=1 if sys.stdout.isatty() else 2,
    )


def settle(model: keras.Model, images: TrainingImages) -> None:
    """Sets the statistics of batch normalisation to those of the weights as they are, in place."""
    batches: Any = images.batches().take(BATCHES).as_numpy_iterator()
    reestimate(model, (batch for batch, _ in batches))
