"""From the inputs of the contract's two signatures to the encoded images in them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError

from roadworthy.serving.contract import EXAMPLES_INPUT, EXAMPLES_SIGNATURE, IMAGE_INPUT, IMAGE_KEY, IMAGE_SIGNATURE
from roadworthy.serving.errors import DataError
from roadworthy.serving.images import ImageLimits, decode_image, inspect_image
from roadworthy.serving.protos import Example
from roadworthy.serving.status import RequestError

INPUT_NAMES: Final = {EXAMPLES_SIGNATURE: EXAMPLES_INPUT, IMAGE_SIGNATURE: IMAGE_INPUT}


def encoded_images(signature: str, inputs: Mapping[str, np.ndarray]) -> list[bytes]:
    """The encoded image of each row of a request.

    Args:
        signature: one of the contract's two.
        inputs: string[batch] under the signature's one input name.

    Raises:
        RequestError: INVALID_ARGUMENT, not a batch of strings, or a row that is no tf.Example with one image.
    """
    name = INPUT_NAMES[signature]
    rows = inputs[name]
    if rows.ndim != 1:
        raise RequestError(f"input {name} must have shape [batch]. Received: {list(rows.shape)}.")
    # TensorFlow's convolutions fail on a map over nothing, with a message that speaks of filters.
    if not len(rows):
        raise RequestError(f"input {name} must have at least one row. Received: 0.")
    if signature == IMAGE_SIGNATURE:
        return list(rows)
    return [_image_of_example(row, index) for index, row in enumerate(rows)]


def check_headers(images: list[bytes], limits: ImageLimits) -> int:
    """Refuses images that are no JPEG or PNG or too large to decode, by their headers alone.

    Returns:
        How many pixels the images have together.

    Raises:
        RequestError: INVALID_ARGUMENT, with the index and the reason of the first such image, or for all together.
    """
    pixels = 0
    for index, image in enumerate(images):
        try:
            _, width, height = inspect_image(image, max_pixels=limits.largest)
        except DataError as error:
            raise _refused(index, error) from error
        pixels += width * height
        if limits.request_pixels is not None and pixels > limits.request_pixels:
            raise RequestError(
                f"The images of a request must have at most {limits.request_pixels:,} pixels together. Received: "
                f"{pixels:,} in the first {index + 1} of {len(images)}. Send them in several requests."
            )
    return pixels


def decode(image: bytes, *, index: int, limits: ImageLimits) -> np.ndarray:
    """Decodes the image at an index of a request to uint8[height, width, 3].

    Raises:
        RequestError: INVALID_ARGUMENT, with the index and the reason.
    """
    try:
        return decode_image(image, max_pixels=limits.largest)
    except DataError as error:
        raise _refused(index, error) from error


def _refused(index: int, error: DataError) -> RequestError:
    return RequestError(f"image {index} of the request: {error}")


def _image_of_example(row: bytes, index: int) -> bytes:
    try:
        feature = Example.FromString(row).features.feature
    except DecodeError as error:
        raise RequestError(f"row {index} must be a serialized tf.Example. Received: {len(row)} other bytes.") from error
    values = feature[IMAGE_KEY].bytes_list.value if IMAGE_KEY in feature else []
    if len(values) != 1:
        raise RequestError(f"row {index} must have one bytes value for {IMAGE_KEY}. Received: {len(values)}.")
    return bytes(values[0])
