"""Random changes to training images. Each image of a batch draws its own; the same seed draws the same.

All functions take and give float32 [batch, height, width, 3], RGB in [0, 255], and a stateless seed, int [2].
"""

from collections.abc import Callable
from typing import Final

import tensorflow as tf

from roadworthy.models.config import AugmentationSettings
from roadworthy.serving.contract import LUMA

MAX_PIXEL: Final = 255.0

Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def augmentation(settings: AugmentationSettings) -> Augment | None:
    """Chains the changes that are switched on, geometry before colour.

    Returns:
        A function of (images, seed) that gives images of the same shape, or None when all are off.
    """
    steps: list[Augment] = []
    if settings.flip:
        steps.append(random_flip)
    if settings.crop:
        steps.append(lambda images, seed: random_crop(images, seed, largest=settings.crop))
    if settings.brightness:
        steps.append(lambda images, seed: random_brightness(images, seed, largest=settings.brightness))
    if settings.contrast:
        steps.append(lambda images, seed: random_contrast(images, seed, largest=settings.contrast))
    if settings.saturation:
        steps.append(lambda images, seed: random_saturation(images, seed, largest=settings.saturation))
    return _chain(steps) if steps else None


def random_flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors left and right with probability one half."""
    mirrored = _uniform(images, seed, -1.0, 1.0) < 0
    return tf.where(mirrored, images[:, :, ::-1, :], images)


def random_crop(images: tf.Tensor, seed: tf.Tensor, *, largest: float) -> tf.Tensor:
    """Cuts away up to the share `largest` of both sides, anywhere, and resizes back; the aspect is kept."""
    batch, height, width = tf.unstack(tf.shape(images)[:3])
    draws = tf.random.stateless_uniform((3, batch), seed)
    cut, zero = largest * draws[0], tf.zeros((batch,))
    left = cut * draws[1] * tf.cast(width - 1, tf.float32)
    top = cut * draws[2] * tf.cast(height - 1, tf.float32)
    # Rows of matrices from a place in the result to one in the image: x * (1 - cut) + left, and y likewise.
    transforms = tf.stack([1 - cut, zero, left, zero, 1 - cut, top, zero, zero], axis=1)
    cropped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.stack([height, width]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
    return tf.ensure_shape(cropped, images.shape)


def random_brightness(images: tf.Tensor, seed: tf.Tensor, *, largest: float) -> tf.Tensor:
    """Adds up to `largest` of the full range, or takes it away."""
    return _clip(images + MAX_PIXEL * _uniform(images, seed, -largest, largest))


def random_contrast(images: tf.Tensor, seed: tf.Tensor, *, largest: float) -> tf.Tensor:
    """Moves pixels from or to their image's mean colour by a factor in [1 - largest, 1 + largest]."""
    mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    return _blend(mean, images, 1 + _uniform(images, seed, -largest, largest))


def random_saturation(images: tf.Tensor, seed: tf.Tensor, *, largest: float) -> tf.Tensor:
    """Moves pixels from or to their own grey by a factor in [1 - largest, 1 + largest]."""
    grey = tf.reduce_sum(images * tf.constant(LUMA), axis=-1, keepdims=True)
    return _blend(grey, images, 1 + _uniform(images, seed, -largest, largest))


def _chain(steps: list[Augment]) -> Augment:
    def augment(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        # One seed for all would tie the changes together: the brightest images would always be mirrored.
        for step, step_seed in zip(steps, tf.unstack(tf.random.split(seed, len(steps))), strict=True):
            images = step(images, step_seed)
        return images

    return augment


def _uniform(images: tf.Tensor, seed: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed, low, high)


def _blend(anchor: tf.Tensor, images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    return _clip(anchor + factor * (images - anchor))


def _clip(images: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(images, 0.0, MAX_PIXEL)
