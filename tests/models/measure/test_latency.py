import itertools

import numpy as np
import pytest

from contracts.digits import digits, png
from roadworthy.models.measure.latency import latency_of, measure_latency
from roadworthy.models.measure.latency_process import measure_latency_apart
from roadworthy.serving.errors import DataError, ModelError

IMAGES = [png(image) for image in digits()[0][:3]]


def test_percentiles_are_in_milliseconds():
    latency = latency_of(np.arange(1, 102) / 1000, threads=3, batch=8, batch_seconds=np.array([0.1, 0.2, 9.0]))
    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms) == pytest.approx((51, 96, 100))
    assert (latency.calls, latency.threads, latency.batch) == (101, 3, 8)
    assert latency.images_per_s == pytest.approx(40)


@pytest.fixture
def answered(monkeypatch):
    """Every call that stand-ins of models get, as (name, images)."""
    calls = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def predict(self, signature, inputs):
            calls.append((self.name, inputs["image_bytes"].tolist()))
            return {}

        def close(self):
            pass

    monkeypatch.setattr("roadworthy.models.measure.latency.open_servable", lambda path, **_: Recorder(path.name))
    return calls


def test_models_take_turns_on_the_same_images(answered, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    latencies = measure_latency(folders, [b"1", b"2", b"3"], calls=2, threads=1, batch=3, warm_up=1)
    assert [latency.calls for latency in latencies] == [2, 2]
    of = {name: [images for called, images in answered if called == name] for name in "ab"}
    assert of["a"] == of["b"]
    # One warm-up and, before two timed ones, one that is not timed; then the same with three batches.
    assert [len(images) for images in of["a"]] == [1] * 4 + [3] * 5


def test_no_model_always_follows_the_same_one(answered, tmp_path):
    measure_latency([tmp_path / name for name in "abc"], [b"1"], calls=100, threads=1, batch=1)
    turns = [call[0] for call, before in zip(answered[1:], answered, strict=False) if call[0] != before[0]]
    assert len(set(itertools.pairwise(turns))) == 6


def test_a_litert_model_is_timed_on_real_images(litert):
    (latency,) = measure_latency([litert], IMAGES, calls=20, threads=1, batch=2)
    assert 0 < latency.p50_ms <= latency.p95_ms


def test_no_image_is_refused(litert):
    with pytest.raises(DataError, match="at least one image"):
        measure_latency([litert], [], calls=1, threads=1, batch=2)


def test_both_formats_are_timed_in_a_process_of_their_own_with_its_own_threads(saved_model, litert):
    latencies = measure_latency_apart([saved_model, litert], IMAGES, calls=20, threads=1, batch=2)
    assert [latency.threads for latency in latencies] == [1, 1]
    assert all(0 < latency.p50_ms <= latency.p95_ms for latency in latencies)


def test_a_model_that_does_not_load_is_named_with_the_cause(tmp_path):
    with pytest.raises(ModelError, match=f"(?s){tmp_path}.*must hold saved_model.pb or model.tflite"):
        measure_latency_apart([tmp_path], IMAGES, calls=1, threads=1, batch=2)
