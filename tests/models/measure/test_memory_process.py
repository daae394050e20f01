import pytest

from contracts.digits import digits, png
from roadworthy.models.measure.memory_process import measure_memory
from roadworthy.serving.errors import ModelError

IMAGES = [png(image) for image in digits()[0][:2]]


def test_litert_answers_without_tensorflows_memory(saved_model, litert):
    small, large = measure_memory(litert, IMAGES), measure_memory(saved_model, IMAGES)
    assert 20e6 < small < large / 2


def test_a_model_that_does_not_load_is_named(tmp_path):
    with pytest.raises(ModelError, match=f"(?s){tmp_path}.*must hold saved_model.pb or model.tflite"):
        measure_memory(tmp_path, IMAGES)
