"""The training split as compression steps draw on it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import tensorflow as tf

from roadworthy.models.config import AugmentationSettings
from roadworthy.models.finetuning.dataset import augmented_batches, count_examples, image_batches
from roadworthy.serving.errors import DataError

NO_AUGMENTATION: Final = AugmentationSettings(flip=False, crop=0, brightness=0, contrast=0, saturation=0)


@dataclass(frozen=True)
class TrainingImages:
    """Where the training split is, and how a model takes its images.

    Attributes:
        files: globs of gzip TFRecord files.
        height: rows the model takes, pixels.
        width: columns the model takes, pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images a training step.
        seed: of every shuffle.
        augmentation: what `augmented` changes; the other readers give images as they are.
    """

    files: Sequence[str]
    height: int
    width: int
    batch_size: int
    seed: int
    channels: int = 3
    augmentation: AugmentationSettings = NO_AUGMENTATION

    def count(self) -> int:
        """How many images there are, at least 1.

        Raises:
            DataError: there is none.
        """
        count = count_examples(self.files)
        if count == 0:
            raise DataError(f"The training split must hold at least one image. Received: none in {list(self.files)}.")
        return count

    def steps(self) -> int:
        """Batches an epoch, the last of which may be a smaller one.

        Raises:
            DataError: there is no image.
        """
        return math.ceil(self.count() / self.batch_size)

    def augmented(self) -> tf.data.Dataset:
        """Endless full batches for training, as `batches` gives them but augmented as the parent's were."""
        return augmented_batches(
            self.files,
            height=self.height,
            width=self.width,
            channels=self.channels,
            batch_size=self.batch_size,
            augmentation=self.augmentation,
            seed=self.seed,
        )

    def batches(self) -> tf.data.Dataset:
        """One shuffled epoch: (float32 [batch, height, width, channels] in [0, 255], int64 [batch]); each time anew."""
        return self._read(batch_size=self.batch_size)

    def sample(self, count: int) -> tf.data.Dataset:
        """At most `count` images from all over the split, one a batch: float32 [1, …, channels].

        Raises:
            DataError: there is none.
        """
        self.count()
        return self._read(batch_size=1).take(count).map(lambda image, _: image)

    def _read(self, *, batch_size: int) -> tf.data.Dataset:
        return image_batches(
            self.files,
            height=self.height,
            width=self.width,
            channels=self.channels,
            batch_size=batch_size,
            shuffle_seed=self.seed,
        )
