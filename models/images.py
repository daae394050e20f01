"""From an encoded image to the network's input, as TensorFlow ops: the same in training, in export and in a server.

`roadworthy.serving.images` does the same without TensorFlow; a test holds the two together.
"""

from typing import Final

import tensorflow as tf

from roadworthy.serving.contract import LUMA, MAX_IMAGE_PIXELS

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
# A PNG's width and height are two big-endian uint32 after its start, the first chunk's length and its name.
PNG_SIZE_OFFSET: Final = 16
PNG_SIZE_BYTES: Final = 8


def decode_and_resize(encoded: tf.Tensor, *, height: int, width: int, channels: int = 3) -> tf.Tensor:
    """Decodes one JPEG or PNG and resizes it to the network's input.

    The exact inverse DCT makes pixels equal to Pillow's. Grey and palette images become RGB; alpha is dropped.

    Args:
        encoded: string scalar, a whole JPEG or PNG file.
        height: rows of the result, pixels.
        width: columns of the result, pixels.
        channels: 3 for RGB; 1 for grey, which of a coloured image is its luma.

    Returns:
        float32 [height, width, channels] in [0, 255].

    Raises:
        tf.errors.InvalidArgumentError: when run on bytes that are neither JPEG nor PNG, damaged, or of an image with
            more than `MAX_IMAGE_PIXELS` pixels, which is refused before it is decoded.
    """
    with tf.control_dependencies(_refusals(encoded)):
        # Despite its name the op reads PNG as well.
        image = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    resized = tf.image.resize(image, (height, width), method="bilinear", antialias=True)
    if channels == 1:
        resized = tf.tensordot(resized, tf.constant(LUMA), 1)[..., tf.newaxis]
    return tf.ensure_shape(resized, (height, width, channels))


def decode_and_resize_batch(encoded: tf.Tensor, *, height: int, width: int, channels: int = 3) -> tf.Tensor:
    """Decodes and resizes a batch, as `decode_and_resize` does one image.

    Args:
        encoded: string [batch]; the batch may be empty.
        height: rows of the result, pixels.
        width: columns of the result, pixels.
        channels: 3 for RGB, 1 for grey.

    Returns:
        float32 [batch, height, width, channels] in [0, 255].
    """
    return tf.map_fn(
        lambda one: decode_and_resize(one, height=height, width=width, channels=channels),
        encoded,
        fn_output_signature=tf.TensorSpec((height, width, channels), tf.float32),
    )


def _refusals(encoded: tf.Tensor) -> list[tf.Operation]:
    """Assertions that pass for an image that may be decoded."""
    is_jpeg = tf.io.is_jpeg(encoded)
    is_png = tf.logical_and(
        tf.equal(tf.strings.substr(encoded, 0, len(PNG_START)), PNG_START),
        tf.strings.length(encoded) >= PNG_SIZE_OFFSET + PNG_SIZE_BYTES,
    )
    known = tf.debugging.Assert(is_jpeg | is_png, ["An image must be the bytes of a whole JPEG or PNG file."])
    with tf.control_dependencies([known] if known is not None else []):
        size = tf.cond(is_jpeg, lambda: _jpeg_size(encoded), lambda: _png_size(encoded))
    pixels = tf.reduce_prod(size)
    small = tf.debugging.Assert(
        pixels <= MAX_IMAGE_PIXELS, [f"An image must have at most {MAX_IMAGE_PIXELS} pixels. Received:", pixels]
    )
    # Eager assertions raise at once and give no operation.
    return [check for check in (known, small) if check is not None]


def _jpeg_size(encoded: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.io.extract_jpeg_shape(encoded)[:2], tf.int64)


def _png_size(encoded: tf.Tensor) -> tf.Tensor:
    data = tf.io.decode_raw(tf.strings.substr(encoded, PNG_SIZE_OFFSET, PNG_SIZE_BYTES), tf.uint8)
    digits = tf.reshape(tf.cast(data, tf.int64), (2, 4))
    return tf.reduce_sum(digits * tf.constant([1 << 24, 1 << 16, 1 << 8, 1], tf.int64), axis=1)
