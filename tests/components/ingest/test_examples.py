import io

import pytest

from roadworthy.components.ingest.examples import example_of, serialized
from roadworthy.serving.errors import DataError


def encoded(image, kind: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    image.convert(mode).save(buffer, format=kind)
    return buffer.getvalue()


def features_of(example) -> dict[str, list]:
    return {
        key: list(getattr(feature, feature.WhichOneof("kind")).value)
        for key, feature in example.features.feature.items()
    }


@pytest.mark.parametrize("kind", ["png", "jpeg"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_an_example_says_all_about_an_image(tiles, kind, mode):
    data = encoded(tiles[0].resize((30, 20)), kind, mode)

    assert features_of(example_of(data, path="été/a b.png", label=3, label_text="été")) == {
        "image/encoded": [data],
        "image/format": [kind.encode()],
        "image/height": [20],
        "image/width": [30],
        "image/filename": ["été/a b.png".encode()],
        "image/class/label": [3],
        "image/class/text": ["été".encode()],
    }


def test_an_image_whose_header_is_good_and_body_is_cut_is_refused(tiles):
    data = encoded(tiles[0], "png")

    with pytest.raises(DataError):
        example_of(data[: len(data) // 2], path="a/b.png", label=0, label_text="a")


def test_records_of_equal_examples_are_equal(tiles):
    data = encoded(tiles[0], "png")
    one, other = (example_of(data, path="a/b.png", label=0, label_text="a") for _ in range(2))

    assert serialized(one) == serialized(other)
