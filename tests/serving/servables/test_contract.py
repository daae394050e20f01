"""Every format keeps the contract, and the formats agree."""

import numpy as np
import pytest

from contracts.model import check_model
from roadworthy.serving.contract import IMAGE_INPUT, IMAGE_SIGNATURE, LABEL, SCORES
from roadworthy.serving.servables.open import open_servable


@pytest.mark.parametrize("variant", ["first", "litert", "int8", "int8-borders", "uint8-borders"])
@pytest.mark.parametrize("file_format", ["png", "jpeg"])
def test_every_format_keeps_the_contract(exported, variant, file_format, request):
    check_model(exported[variant], request.getfixturevalue(file_format))


def ask(version_dir, *images):
    servable = open_servable(version_dir)
    answer = servable.predict(IMAGE_SIGNATURE, {IMAGE_INPUT: np.array(images, dtype=object)})
    servable.close()
    return answer


def test_saved_model_and_litert_of_one_model_agree(exported, png, jpeg):
    saved, lite = ask(exported["first"], png, jpeg), ask(exported["litert"], png, jpeg)
    np.testing.assert_allclose(saved[SCORES], lite[SCORES], atol=1e-3)
    assert saved[LABEL].tolist() == lite[LABEL].tolist()


@pytest.mark.parametrize("border", ["int8", "uint8"])
def test_integers_at_the_borders_change_no_answer(exported, border, png, jpeg):
    floats, integers = ask(exported["int8"], png, jpeg), ask(exported[f"{border}-borders"], png, jpeg)
    np.testing.assert_allclose(integers[SCORES], floats[SCORES], atol=1 / 256)
    assert integers[SCORES].dtype == np.float32
    assert integers[LABEL].tolist() == floats[LABEL].tolist()


def test_two_models_disagree_so_that_a_swap_can_be_seen(exported, png):
    assert np.abs(ask(exported["first"], png)[SCORES] - ask(exported["second"], png)[SCORES]).max() > 0.01
