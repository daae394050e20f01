"""The image path of training, of `tf.data` and of an exported model is one, and equals the server's."""

import io
import struct
import zlib
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from PIL import Image

from roadworthy.models.export import export_saved_model
from roadworthy.models.images import decode_and_resize, decode_and_resize_batch
from roadworthy.serving import images as serving_images
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, SCORES, ModelCard

SIDE = 12


def encoded(pixels: np.ndarray, kind: str, mode: str) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, kind)
    return data.getvalue()


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def jpeg_header(photo: np.ndarray, width: int, height: int) -> bytes:
    """A real JPEG whose frame header claims another size."""
    data = bytearray(encoded(photo[:16, :16], "JPEG", "RGB"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], np.ndarray]:
    """The image signature of an exported model whose scores are its input's pixels."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    model = keras.Model(image, keras.layers.Flatten(name="scores")(image))
    labels = tuple(str(number) for number in range(SIDE * SIDE * 3))
    folder = tmp_path_factory.mktemp("pixels") / "1"
    export_saved_model(model, ModelCard(labels=labels, image_height=SIDE, image_width=SIDE), folder)
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[IMAGE_SIGNATURE]

    def run(data: bytes, *, keep: object = loaded) -> np.ndarray:
        return signature(**{IMAGE_INPUT: tf.constant([data])})[SCORES].numpy().reshape(SIDE, SIDE, 3)

    return run


def eager(data: bytes) -> np.ndarray:
    return decode_and_resize(tf.constant(data), height=SIDE, width=SIDE).numpy()


def in_tf_data(data: bytes) -> np.ndarray:
    dataset = tf.data.Dataset.from_tensors(data).map(lambda one: decode_and_resize(one, height=SIDE, width=SIDE))
    return next(dataset.as_numpy_iterator())


@pytest.fixture(params=["eager", "tf.data", "exported"])
def pixels_of(request: pytest.FixtureRequest, exported: Callable[[bytes], np.ndarray]) -> Callable[[bytes], np.ndarray]:
    return {"eager": eager, "tf.data": in_tf_data, "exported": exported}[request.param]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "L")],
)
@pytest.mark.parametrize("window", [(40, 31), (8, 20)], ids=["shrunk", "grown"])
def test_every_way_gives_the_pixels_that_the_server_gives_without_tensorflow(
    pixels_of: Callable[[bytes], np.ndarray], photo: np.ndarray, kind: str, mode: str, window: tuple[int, int]
) -> None:
    data = encoded(photo[100 : 100 + window[0], 200 : 200 + window[1]], kind, mode)
    expected = serving_images.resize(serving_images.decode_image(data), SIDE, SIDE)
    assert_allclose(pixels_of(data), expected, atol=1e-2)


def test_an_image_of_the_right_size_keeps_its_pixels(photo: np.ndarray) -> None:
    tile = photo[200 : 200 + SIDE, 300 : 300 + SIDE]
    assert_allclose(eager(encoded(tile, "PNG", "RGB")), tile, atol=1e-3)


def test_a_half_transparent_image_keeps_the_colour_below_its_alpha(photo: np.ndarray) -> None:
    tile = photo[200 : 200 + SIDE, 300 : 300 + SIDE]
    faded = np.dstack([tile, np.full((SIDE, SIDE), 7, np.uint8)])
    data = io.BytesIO()
    Image.fromarray(faded, "RGBA").save(data, "PNG")
    assert_allclose(eager(data.getvalue()), tile, atol=1e-3)


def test_a_batch_equals_its_images_one_by_one(photo: np.ndarray) -> None:
    files = [encoded(photo[:30, :40], "PNG", "RGB"), encoded(photo[50:70, 60:99], "JPEG", "RGB")]
    batch = decode_and_resize_batch(tf.constant(files), height=SIDE, width=SIDE)
    assert_allclose(batch, np.stack([eager(data) for data in files]))


def test_an_empty_batch_gives_no_images() -> None:
    assert decode_and_resize_batch(tf.constant([], tf.string), height=SIDE, width=SIDE).shape == (0, SIDE, SIDE, 3)


@pytest.mark.parametrize("data", [b"", b"a text file", b"\x89PNG\r\n\x1a\n", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"])
def test_bytes_of_no_jpeg_or_png_are_refused(pixels_of: Callable[[bytes], np.ndarray], data: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="JPEG or PNG"):
        pixels_of(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_image_is_refused(pixels_of: Callable[[bytes], np.ndarray], photo: np.ndarray, kind: str) -> None:
    data = encoded(photo[:64, :64], kind, "RGB")
    with pytest.raises(tf.errors.InvalidArgumentError):
        pixels_of(data[: len(data) // 2])


def test_a_png_too_large_is_refused_before_it_is_decoded(pixels_of: Callable[[bytes], np.ndarray]) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 50000000 pixels"):
        pixels_of(png_header(30_000, 30_000))


def test_a_jpeg_too_large_is_refused_before_it_is_decoded(
    pixels_of: Callable[[bytes], np.ndarray], photo: np.ndarray
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 50000000 pixels"):
        pixels_of(jpeg_header(photo, 30_000, 30_000))
