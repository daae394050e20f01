"""One training or validation step on all replicas of a model at once."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from roadworthy.models.finetuning.devices import Devices
from roadworthy.models.finetuning.notice import Notice

_SUM: Final = tf.distribute.ReduceOp.SUM


class Replicas:
    """A model and its optimizer on some devices; every step is one call, whatever the devices are.

    The sums a step gives are of all replicas: float32 [3], the losses, the right answers and the images. With them goes
    around how many workers were told to end, so that all hear of it after the same step.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        devices: Devices,
        notice: Notice,
        *,
        batch_size: int,
    ) -> None:
        """Takes a model and an optimizer that were made in the scope of the devices' strategy.

        Args:
            model: gives scores [batch, classes] of images [batch, height, width, channels].
            optimizer: built for the model's trainable weights.
            devices: what to run on.
            notice: what this worker was told, and where to say what the others were.
            batch_size: images a training step, over all replicas.
        """
        self._model = model
        self._optimizer = optimizer
        self._strategy = devices.strategy
        self._batch_size = batch_size
        self._replicas = devices.replicas
        self._notice = notice
        self._said: tf.Tensor | None = None
        # Variables are looked at once, when a step is traced: a phase that freezes others makes replicas of its own.
        self._train = tf.function(lambda batch, told: self._everywhere(self._train_replica, batch, told))
        self._validate = tf.function(lambda batch, told: self._everywhere(self._validate_replica, batch, told))

    def train(self, batches: Iterator[Any]) -> tf.Tensor:
        """One step of the optimizer on the next batch of images and labels; gives the sums before it."""
        return self._heard(self._train(next(batches), self._told()))

    def validate(self, batches: Iterable[Any]) -> np.ndarray:
        """The sums over all batches of images, labels and weights."""
        sums = np.zeros(3)
        for batch in batches:
            sums += self._heard(self._validate(batch, self._told())).numpy()
        return sums

    def _everywhere(self, step: Any, batch: Any, told: tf.Tensor) -> tf.Tensor:
        def say(told: tf.Tensor, *batch: Any) -> tf.Tensor:
            return tf.concat([step(*batch), told], axis=0)

        return self._strategy.reduce(_SUM, self._strategy.run(say, args=(told, *batch)), axis=None)

    def _told(self) -> tf.Tensor:
        return tf.constant([self._notice.is_given], tf.float32)

    def _heard(self, sums: tf.Tensor) -> tf.Tensor:
        """The sums without what was said; where that counts it is looked at a step later, when it costs no waiting."""
        if self._notice.is_shared:
            if self._said is not None:
                self._notice.hear(float(self._said))
            self._said = sums[-1]
        return sums[:-1]

    def _train_replica(self, images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        model, optimizer = self._model, self._optimizer
        with tf.GradientTape() as tape:
            scores = model(images, training=True)
            losses = keras.losses.sparse_categorical_crossentropy(labels, scores)
            # The optimizer adds up the replicas' gradients, so each of them is a share of the mean's.
            loss = tf.reduce_sum(losses) / self._batch_size + sum(model.losses) / self._replicas
            scaled = optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, model.trainable_weights)
        optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))
        return _sums(losses, labels, scores, tf.ones_like(losses))

    def _validate_replica(self, images: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        scores = self._model(images, training=False)
        return _sums(keras.losses.sparse_categorical_crossentropy(labels, scores), labels, scores, weights)


def _sums(losses: tf.Tensor, labels: tf.Tensor, scores: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    right = tf.cast(tf.equal(tf.argmax(scores, axis=-1, output_type=labels.dtype), labels), tf.float32)
    return tf.stack([tf.reduce_sum(weights * losses), tf.reduce_sum(weights * right), tf.reduce_sum(weights)])
