"""JPEG and PNG bytes to pixels without TensorFlow, equal to what `tf.io.decode_jpeg` and `tf.image.resize` give.

A model is trained and exported on TensorFlow's decoder and resize. A LiteRT file holds neither, so the server does
both here; `tests/serving/test_images.py` holds the two ways together.
"""

import functools
import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from roadworthy.serving.contract import LUMA, MAX_IMAGE_PIXELS
from roadworthy.serving.errors import DataError

_JPEG_MAGIC: Final = b"\xff\xd8\xff"
_PNG_MAGIC: Final = b"\x89PNG\r\n\x1a\n"
# The chunk that ends every PNG: its name and checksum, which never differ.
_PNG_END: Final = b"IEND\xaeB`\x82"
# Output rows resized at a time: a photo is turned to float32 band by band, never as a whole.
_BAND_ROWS: Final = 32
# Longer sides come from photos, where the weights take little of the time and much memory to keep.
_REMEMBERED_PIXELS: Final = 2048
# What Pillow's parsers raise on bytes that are not a whole image.
_BROKEN: Final = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError)


@dataclass(frozen=True)
class ImageLimits:
    """How much of images is decoded.

    Attributes:
        image_pixels: most pixels of one image, > 0.
        request_pixels: most pixels of all images of a request together, > 0; None is no bound.
    """

    image_pixels: int = MAX_IMAGE_PIXELS
    request_pixels: int | None = None

    @property
    def largest(self) -> int:
        """Most pixels of an image that is alone in its request."""
        return min(self.image_pixels, self.request_pixels or self.image_pixels)


DEFAULT_LIMITS: Final = ImageLimits()


def inspect_image(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> tuple[str, int, int]:
    """Reads the header of an image and decodes nothing.

    Args:
        data: bytes of a JPEG or PNG file.
        max_pixels: most pixels it may have.

    Returns:
        Format (``jpeg`` or ``png``), width and height in pixels.

    Raises:
        DataError: not a JPEG or PNG, a broken header, or more than `max_pixels` pixels.
    """
    image = _open(data, max_pixels)
    return ("png" if isinstance(image, PngImageFile) else "jpeg", *image.size)


def decode_image(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """Decodes an image to RGB; alpha is dropped, grey is repeated, 16 bits are cut to 8, as TensorFlow does.

    Args:
        data: bytes of a JPEG or PNG file.
        max_pixels: most pixels it may have.

    Returns:
        uint8[height, width, 3].

    Raises:
        DataError: not a JPEG or PNG, truncated or broken, or more than `max_pixels` pixels.
    """
    image = _decoded(data, max_pixels)
    # Pillow would clip 16-bit grey at 255 rather than drop its low byte.
    if image.mode.startswith("I"):
        high = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(high[:, :, None], 3, axis=2)
    return np.array(image)


def check_image(data: bytes, *, max_pixels: int = MAX_IMAGE_PIXELS) -> None:
    """Raises what `decode_image` raises, in less than half its time: a broken image often has a good header.

    Args:
        data: bytes of a JPEG or PNG file.
        max_pixels: most pixels it may have.

    Raises:
        DataError: as `decode_image`.
    """
    _decoded(data, max_pixels)


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes with a triangle kernel widened by the scale when shrinking.

    Numerically `tf.image.resize(image, (height, width), method="bilinear", antialias=True)`.

    Args:
        image: uint8 or float32 [rows, columns, channels].
        height: rows wanted, > 0.
        width: columns wanted, > 0.

    Returns:
        float32[height, width, channels] in the range of the input.

    Reference: tensorflow/core/kernels/image/scale_and_translate_op.cc, ComputeSpansCore.
    """
    rows, columns, _ = image.shape
    if (rows, columns) == (height, width):
        return image.astype(np.float32)
    down, across = _weights(rows, height), _weights(columns, width)
    if rows <= height and columns <= _REMEMBERED_PIXELS:
        return _enlarge(image, down, across)
    return _shrink(image, down, across)


def _enlarge(image: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Across first: what has to be turned around between the two products still has few rows."""
    rows, columns, channels = image.shape
    sideways = image.transpose(1, 0, 2).reshape(columns, -1).astype(np.float32)
    widened = (across @ sideways).reshape(len(across), rows, channels).transpose(1, 0, 2)
    return (down @ widened.reshape(rows, -1)).reshape(len(down), len(across), channels)


def _shrink(image: np.ndarray, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Down first, band by band."""
    columns, channels = image.shape[1:]
    height, width = len(down), len(across)
    resized = np.empty((height, width, channels), np.float32)
    for top in range(0, height, _BAND_ROWS):
        weights = down[top : top + _BAND_ROWS]
        used = np.flatnonzero(weights.any(axis=0))
        first, last = used[0], used[-1] + 1
        band = image[first:last].astype(np.float32).reshape(last - first, -1)
        narrowed = (weights[:, first:last] @ band).reshape(len(weights), columns, channels)
        # One product for the whole band; a stack of small ones, row by row, takes several times as long.
        turned = across @ narrowed.transpose(1, 0, 2).reshape(columns, -1)
        resized[top : top + _BAND_ROWS] = turned.reshape(width, len(weights), channels).transpose(1, 0, 2)
    return resized


def to_grey(image: np.ndarray) -> np.ndarray:
    """The luma of an image: float32[height, width, 3] to float32[height, width, 1] in the same range."""
    grey: np.ndarray = image @ np.array(LUMA, np.float32)[:, None]
    return grey


def _weights(size: int, wanted: int) -> np.ndarray:
    return _remembered_weights(size, wanted) if size <= _REMEMBERED_PIXELS else _triangle_weights(size, wanted)


def _triangle_weights(size: int, wanted: int) -> np.ndarray:
    """The share of each source pixel in each wanted one, float32[wanted, size]; every row sums to 1."""
    scale = size / wanted
    reach = max(scale, 1.0)
    centres = (np.arange(wanted) + 0.5) * scale
    distances = np.abs(np.arange(size) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(0.0, 1.0 - distances)
    shares: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    shares = shares.astype(np.float32)
    shares.setflags(write=False)
    return shares


# A server resizes to one size over and over, and mostly from the same few.
_remembered_weights = functools.lru_cache(maxsize=16)(_triangle_weights)


def _decoded(data: bytes, max_pixels: int) -> Image:
    """The image as RGB, or as grey of 16 bits."""
    image = _open(data, max_pixels)
    # Pillow does without, TensorFlow doesn't.
    if isinstance(image, PngImageFile) and _PNG_END not in data:
        raise DataError(
            "An image must be a whole JPEG or PNG file. Received: a PNG that is truncated, without its end."
        )
    try:
        image.load()
        # A copy of a photo takes as long as decoding it, since its memory has to be found first.
        return image if image.mode == "RGB" or image.mode.startswith("I") else image.convert("RGB")
    except _BROKEN as error:
        raise DataError(f"An image must be a whole JPEG or PNG file. Received: a broken one ({error}).") from error


def _open(data: bytes, max_pixels: int) -> JpegImageFile | PngImageFile:
    """Parses the header with the one plugin that fits, so that no other of Pillow's formats can be reached."""
    try:
        image = _plugin(data)(io.BytesIO(data))
    except _BROKEN as error:
        raise DataError(f"An image must be a whole JPEG or PNG file. Received: a broken header ({error}).") from error
    width, height = image.size
    if width * height > max_pixels:
        raise DataError(
            f"An image must have at most {max_pixels:,} pixels. Received: {width:,} x {height:,}. Send a smaller one."
        )
    return image


def _plugin(data: bytes) -> type[JpegImageFile] | type[PngImageFile]:
    if data.startswith(_JPEG_MAGIC):
        return JpegImageFile
    if data.startswith(_PNG_MAGIC):
        return PngImageFile
    raise DataError(f"An image must be a JPEG or PNG file. Received: {len(data)} bytes that start with {data[:8]!r}.")
