"""The `tf.Example` of an image. Imports no TensorFlow, so that a Beam worker is ready in a second."""

from typing import Any, Final

from roadworthy.serving.contract import FILENAME_KEY, HEIGHT_KEY, IMAGE_KEY, LABEL_INDEX_KEY, LABEL_TEXT_KEY, WIDTH_KEY
from roadworthy.serving.images import check_image, inspect_image
from roadworthy.serving.protos import Example

FORMAT_KEY: Final = "image/format"


def example_of(data: bytes, *, path: str, label: int, label_text: str) -> Any:
    """Makes the `tf.Example` of one image; its bytes are kept as they are in the file.

    Args:
        data: content of a JPEG or PNG file.
        path: where it was, relative to the data folder.
        label: index of its class.
        label_text: name of its class.

    Raises:
        DataError: the bytes are not a JPEG or PNG image that can be decoded; the message is the reason.
    """
    image_format, width, height = inspect_image(data)
    check_image(data)
    values: dict[str, bytes | int] = {
        IMAGE_KEY: data,
        LABEL_INDEX_KEY: label,
        LABEL_TEXT_KEY: label_text.encode(),
        FILENAME_KEY: path.encode(),
        FORMAT_KEY: image_format.lower().encode(),
        HEIGHT_KEY: height,
        WIDTH_KEY: width,
    }
    example = Example()
    for key, value in values.items():
        feature = example.features.feature[key]
        (feature.bytes_list if isinstance(value, bytes) else feature.int64_list).value.append(value)
    return example


def serialized(example: Any) -> bytes:
    """An example as the bytes of a record; equal examples give equal bytes."""
    return bytes(example.SerializeToString(deterministic=True))
