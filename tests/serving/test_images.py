import io
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.pictures import encode, pixels, png_bomb
from roadworthy.serving.contract import MAX_IMAGE_PIXELS
from roadworthy.serving.errors import DataError
from roadworthy.serving.images import check_image, decode_image, inspect_image, resize


def tensorflow_decode(data):
    import tensorflow as tf

    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()


def png_with_transparency():
    image = Image.fromarray(pixels(1)).convert("P", palette=Image.Palette.ADAPTIVE)
    return encode(image, transparency=3)


def animated_png():
    frames = [Image.fromarray(pixels(seed)) for seed in range(3)]
    return encode(frames[0], save_all=True, append_images=frames[1:])


PNGS = {
    "rgb": encode(pixels(1)),
    "rgba": encode(np.dstack([pixels(1), pixels(2)[..., 0]])),
    "grey": encode(pixels(1)[..., 0]),
    "grey alpha": encode(Image.fromarray(pixels(1)).convert("LA")),
    "palette": encode(Image.fromarray(pixels(1)).convert("P")),
    "palette with transparency": png_with_transparency(),
    "animated": animated_png(),
    "one bit": encode(Image.fromarray(pixels(1)).convert("1")),
    "grey of 16 bits": encode(Image.fromarray(pixels(1)[..., 0].astype(np.uint16) * 257 - 99)),
}


def deep_png(channels):
    """Pillow can't write 16 bits a channel of colour; TensorFlow can."""
    import tensorflow as tf

    deep = np.random.default_rng(0).integers(0, 1 << 16, (20, 30, channels)).astype(np.uint16)
    return tf.io.encode_png(deep).numpy()


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_decodes_exactly_as_in_tensorflow(channels):
    data = deep_png(channels)
    np.testing.assert_array_equal(decode_image(data), tensorflow_decode(data))


@pytest.mark.parametrize("name", PNGS)
def test_a_png_decodes_exactly_as_in_tensorflow(name):
    np.testing.assert_array_equal(decode_image(PNGS[name]), tensorflow_decode(PNGS[name]))


@pytest.mark.parametrize(
    "options",
    [{"quality": 95}, {"quality": 30}, {"subsampling": 0}, {"progressive": True}],
    ids=str,
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_decodes_as_in_tensorflow_to_one_step(options, mode):
    data = encode(Image.fromarray(pixels(2)).convert(mode), "JPEG", **options)
    difference = decode_image(data).astype(int) - tensorflow_decode(data)
    assert np.abs(difference).max() <= 1


@settings(max_examples=25)
@given(
    rows=st.integers(1, 70),
    columns=st.integers(1, 70),
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    seed=st.integers(0, 99),
)
def test_resize_is_that_of_tensorflow(rows, columns, height, width, seed):
    import tensorflow as tf

    image = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)
    expected = tf.image.resize(image, (height, width), method="bilinear", antialias=True)
    np.testing.assert_allclose(resize(image, height, width), expected, atol=1e-2)


def test_resize_to_the_same_size_changes_nothing():
    np.testing.assert_array_equal(resize(pixels(3), 40, 48), pixels(3).astype(np.float32))


def test_inspect_tells_format_and_size_from_the_header_alone(png, jpeg):
    assert inspect_image(png) == ("png", 48, 40)
    assert inspect_image(jpeg) == ("jpeg", 48, 40)
    assert inspect_image(png[:60]) == ("png", 48, 40)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_a_truncated_image_is_refused(file_format, part, request):
    data = request.getfixturevalue(file_format)
    for read in (decode_image, check_image):
        with pytest.raises(DataError, match="whole JPEG or PNG"):
            read(data[: int(len(data) * part)])


def test_a_png_without_its_end_is_refused_as_in_tensorflow(png):
    with pytest.raises(DataError, match="without its end"):
        decode_image(png[:-12])


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am no image", b"GIF89a" + bytes(40), b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_image_is_refused_with_its_reason(data):
    with pytest.raises(DataError, match="Received: "):
        decode_image(data)


def test_another_format_that_pillow_knows_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(pixels(1)).save(buffer, "WEBP")
    with pytest.raises(DataError, match="JPEG or PNG"):
        decode_image(buffer.getvalue())


@pytest.mark.parametrize("read", [inspect_image, check_image, decode_image])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(read):
    bomb = png_bomb()
    started = time.perf_counter()
    with pytest.raises(DataError, match=f"{MAX_IMAGE_PIXELS:,} pixels. Received: 30,000 x 30,000"):
        read(bomb)
    assert time.perf_counter() - started < 0.5


@settings(max_examples=150)
@given(st.data())
def test_damaged_bytes_give_pixels_or_a_data_error(data):
    whole = bytearray(data.draw(st.sampled_from([PNGS["rgb"], PNGS["palette"], encode(pixels(1), "JPEG")])))
    for position in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        whole[position] = data.draw(st.integers(0, 255))
    try:
        check_image(bytes(whole))
    except DataError as error:
        with pytest.raises(DataError, match=re.escape(str(error))):
            decode_image(bytes(whole))
    else:
        assert decode_image(bytes(whole)).shape[2] == 3
