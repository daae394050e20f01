"""Batches of images and labels, read from the gzip TFRecords of an `Examples` artifact."""

import json
import posixpath
from collections.abc import Sequence
from typing import Final, NamedTuple

import tensorflow as tf

from roadworthy.models.augmentation import augmentation as augmenter
from roadworthy.models.config import AugmentationSettings
from roadworthy.models.images import decode_and_resize
from roadworthy.serving.contract import IMAGE_KEY, LABEL_INDEX_KEY, LABELS_FILE
from roadworthy.serving.errors import DataError

SHUFFLE_BUFFER_BYTES: Final = 256 * 1024**2
MAX_SHUFFLE_RECORDS: Final = 20_000

_FEATURES: Final = {
    IMAGE_KEY: tf.io.FixedLenFeature((), tf.string),
    LABEL_INDEX_KEY: tf.io.FixedLenFeature((), tf.int64),
}


class Share(NamedTuple):
    """Which of the workers reads: it takes every `workers`-th image, beginning with its own number."""

    worker: int = 0
    workers: int = 1


ALL: Final = Share()


def image_batches(
    files: Sequence[str],
    *,
    height: int,
    width: int,
    channels: int = 3,
    batch_size: int,
    shuffle_seed: int | None = None,
    repeat: bool = False,
    skip: int = 0,
    share: Share = ALL,
) -> tf.data.Dataset:
    """Reads images and labels as batches; at most a shuffle buffer of encoded images is held in memory.

    Args:
        files: globs of gzip TFRecord files, such as `…/Split-train/*`.
        height: rows every image is resized to, pixels.
        width: columns every image is resized to, pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images a batch; without `repeat` the last batch may hold fewer.
        shuffle_seed: shuffles anew each epoch, the same way for the same seed; None keeps the files' order.
        repeat: goes on without end. Every batch is then full, and its shape says so.
        skip: images left out at the start, after shuffling; none of them is decoded.
        share: the part of the images that is read, after shuffling and skipping.

    Returns:
        A dataset of (float32 [batch, height, width, channels] in [0, 255], int64 [batch]).

    Raises:
        DataError: no file matches.
    """
    records = _records(files)
    if shuffle_seed is not None:
        records = records.shuffle(_shuffle_buffer(records), seed=shuffle_seed, reshuffle_each_iteration=True)
    if repeat:
        records = records.repeat()
    images = _read(records.skip(skip).shard(share.workers, share.worker), height=height, width=width, channels=channels)
    return images.batch(batch_size, drop_remainder=repeat).prefetch(tf.data.AUTOTUNE)


def weighted_batches(
    files: Sequence[str], *, height: int, width: int, batch_size: int, count: int, share: Share = ALL
) -> tf.data.Dataset:
    """Reads a split once, in full batches: black images of weight 0 fill up the last one.

    Args:
        files: globs of gzip TFRecord files.
        height: rows every image is resized to, pixels.
        width: columns every image is resized to, pixels.
        batch_size: images a batch.
        count: how many images and black ones there are together, over all shares; a multiple of the shares.
        share: the part of the images that is read.

    Returns:
        A dataset of (float32 [batch, height, width, 3] in [0, 255], int64 [batch], float32 [batch]).

    Raises:
        DataError: no file matches.
    """
    images = _read(_records(files).shard(share.workers, share.worker), height=height, width=width, channels=3)
    weighted = images.map(lambda image, label: (image, label, tf.ones(())))
    black = tf.data.Dataset.from_tensors((tf.zeros((height, width, 3)), tf.zeros((), tf.int64), tf.zeros(())))
    filled = weighted.concatenate(black.repeat()).take(count // share.workers)
    return filled.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def augmented_batches(
    files: Sequence[str],
    *,
    height: int,
    width: int,
    channels: int = 3,
    batch_size: int,
    augmentation: AugmentationSettings,
    seed: int,
    skip: int = 0,
    share: Share = ALL,
) -> tf.data.Dataset:
    """Endless full batches for training, shuffled and augmented anew each epoch; the same seed gives the same ones.

    Args:
        files: globs of gzip TFRecord files.
        height: rows every image is resized to, pixels.
        width: columns every image is resized to, pixels.
        channels: 3 for colour, 1 for grey.
        batch_size: images a batch.
        augmentation: what changes; nothing if all of it is off.
        seed: of shuffling and augmentation, at least 0.
        skip: images left out at the start; what follows is what would have followed them.
        share: the part of the images that is read.

    Returns:
        A dataset of (float32 [batch, height, width, channels] in [0, 255], int64 [batch]).

    Raises:
        DataError: no file matches.
    """
    batches = image_batches(
        files,
        height=height,
        width=width,
        channels=channels,
        batch_size=batch_size,
        shuffle_seed=seed,
        repeat=True,
        skip=skip,
        share=share,
    )
    augment = augmenter(augmentation)
    if augment is None:
        return batches

    def change(number: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        images, labels = batch
        drawn = skip // batch_size + number * share.workers + share.worker
        return augment(images, tf.stack([tf.constant(seed, tf.int64), drawn])), labels

    # The number of the batch, over all workers, is part of the seed: every epoch draws anew, and no two workers alike.
    return batches.enumerate().map(change, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def count_examples(files: Sequence[str]) -> int:
    """How many examples the files hold.

    Raises:
        DataError: no file matches.
    """
    return int(_records(files).reduce(tf.constant(0, tf.int64), lambda count, _: count + 1))


def read_labels(files: Sequence[str]) -> tuple[str, ...]:
    """Reads the label names, by label index, from `labels.json` beside the folder of the files' split.

    Raises:
        DataError: there is no such file, or it is not a list of at least two different names.
    """
    path = posixpath.join(posixpath.dirname(posixpath.dirname(files[0])), LABELS_FILE)
    try:
        with tf.io.gfile.GFile(path) as file:
            labels = json.load(file)
    except (tf.errors.OpError, ValueError) as error:
        raise DataError(f"{path} must list the label names as JSON. Received: {error}") from error
    if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels) and len(set(labels)) > 1):
        raise DataError(f"{path} must list at least two label names. Received: {labels!r}")
    if len(set(labels)) < len(labels):
        raise DataError(f"{path} must list every label name once. Received: {labels!r}")
    return tuple(labels)


def _read(records: tf.data.Dataset, *, height: int, width: int, channels: int) -> tf.data.Dataset:
    def read(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        example = tf.io.parse_single_example(serialized, _FEATURES)
        image = decode_and_resize(example[IMAGE_KEY], height=height, width=width, channels=channels)
        return image, example[LABEL_INDEX_KEY]

    return records.map(read, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _records(files: Sequence[str]) -> tf.data.Dataset:
    paths = sorted(path for pattern in files for path in tf.io.gfile.glob(pattern))
    if not paths:
        raise DataError(f"At least one TFRecord file must match {', '.join(files) or 'a pattern'}. Received: none.")
    return tf.data.TFRecordDataset(paths, compression_type="GZIP", num_parallel_reads=min(4, len(paths)))


def _shuffle_buffer(records: tf.data.Dataset, *, sample: int = 64) -> int:
    """Records that fit the buffer's bytes, going by the size of the first ones."""
    sizes = [len(record) for record in records.take(sample).as_numpy_iterator()]
    mean_bytes = max(1, sum(sizes) // max(1, len(sizes)))
    return max(1, min(MAX_SHUFFLE_RECORDS, SHUFFLE_BUFFER_BYTES // mean_bytes))
