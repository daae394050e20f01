import shutil
import subprocess
import sys

import numpy as np
import pytest

from contracts.pictures import encode, pixels
from roadworthy.serving.contract import (
    CARD_PATH,
    EXAMPLES_INPUT,
    EXAMPLES_SIGNATURE,
    IMAGE_INPUT,
    IMAGE_SIGNATURE,
    LITERT_FILE,
)
from roadworthy.serving.errors import ServeError
from roadworthy.serving.images import ImageLimits
from roadworthy.serving.manifest import write_manifest
from roadworthy.serving.servables.litert import LiteRTServable
from roadworthy.serving.servables.open import open_servable
from roadworthy.serving.servables.saved_model import SavedModelServable
from roadworthy.serving.status import RequestError


@pytest.fixture
def copy(exported, tmp_path):
    return lambda variant: shutil.copytree(exported[variant], tmp_path / variant)


@pytest.fixture(scope="module", params=["first", "litert"])
def servable(exported, request):
    opened = open_servable(exported[request.param])
    yield opened
    opened.close()


def rows(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ServeError, match=r"must hold saved_model.pb or model.tflite"):
        open_servable(tmp_path)


@pytest.mark.parametrize(("variant", "file"), [("first", "saved_model.pb"), ("litert", "model.tflite")])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda _: b"", lambda _: b"no model at all"])
def test_a_damaged_model_is_named(copy, variant, file, damage):
    folder = copy(variant)
    (folder / file).write_bytes(damage((folder / file).read_bytes()))
    with pytest.raises(ServeError, match=variant):
        open_servable(folder)


@pytest.mark.parametrize(("variant", "file"), [("first", "saved_model.pb"), ("litert", "model.tflite")])
def test_a_changed_byte_is_seen_by_the_manifest_before_the_model_is_loaded(copy, variant, file):
    folder = copy(variant)
    write_manifest(folder)
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(data)
    with pytest.raises(ServeError, match=f"{file} must be as manifest.json lists it"):
        open_servable(folder)


def test_a_litert_model_with_a_broken_card_is_refused(copy):
    folder = copy("litert")
    (folder / CARD_PATH).write_text("{}")
    with pytest.raises(ServeError, match=r"roadworthy.json must be a model card"):
        open_servable(folder)


@pytest.mark.parametrize(("preferred", "served"), [(False, SavedModelServable), (True, LiteRTServable)])
def test_of_a_folder_with_both_the_litert_model_is_served_where_it_is_preferred(copy, exported, preferred, served):
    folder = copy("first")
    shutil.copy(exported["litert"] / LITERT_FILE, folder / LITERT_FILE)
    servable = open_servable(folder, prefer_litert=preferred)
    assert type(servable) is served
    servable.close()


def test_a_saved_model_alone_is_served_though_litert_is_preferred(exported):
    servable = open_servable(exported["first"], prefer_litert=True)
    assert type(servable) is SavedModelServable
    servable.close()


def test_a_card_that_does_not_fit_its_litert_model_is_refused(copy):
    folder = copy("litert")
    card = (folder / CARD_PATH).read_text()
    (folder / CARD_PATH).write_text(card.replace('"image_height": 32', '"image_height": 64'))
    with pytest.raises(ServeError, match=r"must be float32\[1, 64, 32, 3\] for its card"):
        open_servable(folder)


def test_an_unknown_signature_is_refused(servable, png):
    with pytest.raises(RequestError, match='Serving signature key "nope" not found') as refused:
        servable.predict("nope", {IMAGE_INPUT: rows(png)})
    assert refused.value.code == "FAILED_PRECONDITION"


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        (IMAGE_SIGNATURE, {}, "Missing but required: {image_bytes}"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: rows(b""), "more": rows(b"")}, "Sent extra: {more}"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: np.ones(1, np.float32)}, "must have dtype string. Received: float32"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: np.array(b"x", object)}, r"must have shape \[batch\]. Received: \[\]"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: rows(b"x").reshape(1, 1)}, r"must have shape \[batch\]. Received: \[1, 1\]"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: rows()}, "at least one row. Received: 0"),
        (IMAGE_SIGNATURE, {IMAGE_INPUT: rows(b"text")}, "image 0 of the request: An image must be a JPEG or PNG"),
        (EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: rows(b"\xff\xff")}, "row 0 must be a serialized tf.Example"),
        (EXAMPLES_SIGNATURE, {EXAMPLES_INPUT: rows(b"")}, "one bytes value for image/encoded. Received: 0"),
    ],
)
def test_wrong_inputs_are_refused_with_their_reason(servable, signature, inputs, message):
    with pytest.raises(RequestError, match=message) as refused:
        servable.predict(signature, inputs)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_a_truncated_image_in_a_batch_is_named_by_its_index(servable, png):
    with pytest.raises(RequestError, match=r"image 1 of the request: .* truncated"):
        servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: rows(png, png[: len(png) // 2])})


@pytest.fixture(scope="module", params=["first", "litert"])
def narrow(exported, request):
    """Takes images of 40 x 48 pixels, and three of them in a request."""
    opened = open_servable(exported[request.param], limits=ImageLimits(image_pixels=2_000, request_pixels=6_000))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([(40, 48)] * 4, r"at most 6,000 pixels together. Received: 7,680 in the first 4 of 4"),
        ([(40, 51)], r"image 0 of the request: An image must have at most 2,000 pixels. Received: 51 x 40"),
        ([(40, 48), (40, 51)], r"image 1 of the request: An image must have at most 2,000 pixels"),
    ],
)
def test_images_of_too_many_pixels_are_refused_one_by_one_and_together(narrow, images, message):
    sent = rows(*(encode(pixels(0, height=height, width=width)) for height, width in images))
    with pytest.raises(RequestError, match=message) as refused:
        narrow.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: sent})
    assert refused.value.code == "INVALID_ARGUMENT"


def test_images_within_the_limits_are_answered(narrow, png):
    assert len(narrow.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: rows(png, png, png)})["label"]) == 3


def test_litert_runs_without_tensorflow(exported, png, tmp_path):
    image = tmp_path / "image.png"
    image.write_bytes(png)
    code = f"""
import sys, pathlib, numpy as np
from roadworthy.serving.servables.open import open_servable
rows = np.array([pathlib.Path({str(image)!r}).read_bytes()], dtype=object)
open_servable(pathlib.Path({str(exported["litert"])!r})).predict("image_bytes", {{"image_bytes": rows}})
print("tensorflow" in sys.modules)
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "False"


def test_without_tensorflow_a_saved_model_says_what_to_install_and_litert_answers(exported):
    program = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tensorflow': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Without())\n"
        "from pathlib import Path\nfrom roadworthy.serving.errors import ServeError\n"
        "from roadworthy.serving.servables.open import open_servable\n"
        "print(*open_servable(Path(sys.argv[1])).signatures)\n"
        "try: open_servable(Path(sys.argv[2]))\nexcept ServeError as error: print(error)"
    )
    arguments = [sys.executable, "-c", program, str(exported["litert"]), str(exported["first"])]
    signatures, said = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()

    assert signatures.split() == [EXAMPLES_SIGNATURE, IMAGE_SIGNATURE]
    assert "needs TensorFlow. Received: an environment without it. pip install 'roadworthy[serving-tensorflow]'" in said
