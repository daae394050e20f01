"""Each change does what its name says, within its bounds, differently for each image, the same for the same seed."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from roadworthy.models.augmentation import (
    augmentation,
    random_brightness,
    random_contrast,
    random_crop,
    random_flip,
    random_saturation,
)
from roadworthy.models.config import AugmentationSettings

Change = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

SEED = tf.constant([3, 5], tf.int64)
OFF = AugmentationSettings(flip=False, crop=0, brightness=0, contrast=0, saturation=0)
CHANGES: dict[str, Change] = {
    "flip": random_flip,
    "crop": partial(random_crop, largest=0.4),
    "brightness": partial(random_brightness, largest=0.3),
    "contrast": partial(random_contrast, largest=0.5),
    "saturation": partial(random_saturation, largest=0.8),
}


@pytest.fixture(scope="module")
def images(photo: np.ndarray) -> tf.Tensor:
    """The same tile 32 times, so that differences are the seed's."""
    return tf.constant(np.repeat(photo[None, 150:182, 300:340], 32, axis=0).astype(np.float32))


@pytest.fixture(params=CHANGES)
def change(request: pytest.FixtureRequest) -> Change:
    return CHANGES[request.param]


def test_a_change_keeps_shape_dtype_and_range(change: Change, images: tf.Tensor) -> None:
    changed = change(images, SEED)
    assert changed.shape == images.shape
    assert changed.dtype == tf.float32
    assert 0 <= float(tf.reduce_min(changed)) <= float(tf.reduce_max(changed)) <= 255


def test_a_change_is_the_same_for_the_same_seed_in_eager_and_in_tf_data(change: Change, images: tf.Tensor) -> None:
    in_data = next(tf.data.Dataset.from_tensors(images).map(lambda batch: change(batch, SEED)).as_numpy_iterator())
    assert_allclose(in_data, change(images, SEED), atol=1e-3)


def test_a_change_differs_from_seed_to_seed_and_from_image_to_image(change: Change, images: tf.Tensor) -> None:
    changed = change(images, SEED).numpy()
    assert np.abs(changed - change(images, SEED + 1)).max() > 1
    assert np.abs(changed - changed[:1]).max() > 1


def test_a_flip_mirrors_about_half_of_the_images(images: tf.Tensor) -> None:
    flipped = random_flip(images, SEED).numpy()
    mirrored = [np.array_equal(one, image[:, ::-1]) for one, image in zip(flipped, images.numpy(), strict=True)]
    kept = [np.array_equal(one, image) for one, image in zip(flipped, images.numpy(), strict=True)]
    assert all(np.logical_xor(mirrored, kept))
    assert 6 < sum(mirrored) < 26


def test_a_crop_shows_a_window_no_smaller_than_allowed() -> None:
    ramp = np.tile(np.arange(41, dtype=np.float32)[None, None, :, None], (64, 41, 1, 3))
    seen = random_crop(tf.constant(ramp), SEED, largest=0.25).numpy()[:, 20, :, 0]
    widths = seen[:, -1] - seen[:, 0]
    assert widths.min() > 0.7 * 40
    assert widths.min() < 0.85 * 40
    assert widths.max() > 0.95 * 40


def test_brightness_shifts_all_pixels_of_an_image_alike() -> None:
    grey = tf.fill((64, 4, 4, 3), 128.0)
    shift = random_brightness(grey, SEED, largest=0.2).numpy() - 128
    assert_array_equal(shift, np.broadcast_to(shift[:, :1, :1, :1], shift.shape))
    assert 0.15 * 255 < np.abs(shift).max() <= 0.2 * 255


def test_contrast_keeps_the_mean_and_scales_the_deviation() -> None:
    pixels = np.random.default_rng(0).uniform(100, 150, (64, 8, 8, 3)).astype(np.float32)
    changed = random_contrast(tf.constant(pixels), SEED, largest=0.3).numpy()
    assert_allclose(changed.mean((1, 2)), pixels.mean((1, 2)), atol=1e-2)
    factors = changed.std((1, 2, 3)) / pixels.std((1, 2, 3))
    assert 0.69 < factors.min() < 0.85
    assert 1.15 < factors.max() < 1.31


def test_saturation_leaves_grey_alone() -> None:
    grey = tf.fill((8, 4, 4, 3), 77.0)
    assert_allclose(random_saturation(grey, SEED, largest=1.0), grey, atol=1e-3)


def test_saturation_moves_colours_from_or_to_their_luma() -> None:
    colour = np.full((64, 1, 1, 3), (100.0, 120.0, 140.0), np.float32)
    luma = colour @ np.array([0.299, 0.587, 0.114], np.float32)
    changed = random_saturation(tf.constant(colour), SEED, largest=0.5).numpy()
    factors = (changed - luma[..., None]) / (colour - luma[..., None])
    assert_allclose(factors, np.broadcast_to(factors[..., :1], factors.shape), atol=1e-3)
    assert 0.49 < factors.min() < factors.max() < 1.51


def test_all_switched_off_is_no_change_at_all() -> None:
    assert augmentation(OFF) is None


@pytest.mark.parametrize("key", CHANGES)
def test_one_switched_on_changes_images(key: str, images: tf.Tensor) -> None:
    augment = augmentation(OFF.model_copy(update={key: True if key == "flip" else 0.5}))
    assert augment is not None
    assert np.abs(augment(images, SEED) - images).max() > 1


def test_a_share_of_nothing_is_the_identity(images: tf.Tensor) -> None:
    assert_allclose(random_crop(images, SEED, largest=0.0), images, atol=1e-3)
    assert_allclose(random_brightness(images, SEED, largest=0.0), images, atol=1e-3)
