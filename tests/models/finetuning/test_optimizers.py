"""Rates rise, fall or stay as the settings say."""

import keras
import numpy as np
import pytest

from roadworthy.models.config import OptimizerSettings
from roadworthy.models.finetuning.optimizers import build_optimizer, learning_rate

PEAK = 0.5


def rates(steps: int, **settings: object) -> list[float]:
    rate = learning_rate(OptimizerSettings(learning_rate=PEAK, **settings), steps=steps)
    return [float(rate(step)) if callable(rate) else rate for step in range(steps)]


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_warm_up_rises_linearly_from_above_zero_to_the_peak(schedule: str) -> None:
    rise = rates(20, schedule=schedule, warmup_fraction=0.2)[:5]
    np.testing.assert_allclose(rise, PEAK * np.array([1, 2, 3, 4, 5]) / 5, rtol=1e-6)


def test_cosine_falls_along_half_a_wave_to_near_zero() -> None:
    fall = rates(100, schedule="cosine", warmup_fraction=0)
    np.testing.assert_allclose(fall, PEAK / 2 * (1 + np.cos(np.pi * np.arange(100) / 100)), atol=1e-6)


def test_constant_stays_at_the_peak_after_the_warm_up() -> None:
    assert rates(10, schedule="constant", warmup_fraction=0.3)[3:] == pytest.approx([PEAK] * 7)


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_phase_of_few_steps_has_rates_above_zero(schedule: str, steps: int) -> None:
    assert all(0 < rate <= PEAK for rate in rates(steps, schedule=schedule, warmup_fraction=0.9))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adam", keras.optimizers.Adam), ("adamw", keras.optimizers.AdamW), ("sgd", keras.optimizers.SGD)],
)
def test_an_optimizer_is_the_one_named_with_its_rate(name: str, kind: type) -> None:
    settings = OptimizerSettings(name=name, learning_rate=PEAK, schedule="constant", warmup_fraction=0)
    optimizer = build_optimizer(settings, steps=10)
    assert type(optimizer) is kind
    assert float(optimizer.learning_rate) == PEAK


def test_sgd_has_the_momentum_asked_for() -> None:
    assert build_optimizer(OptimizerSettings(name="sgd", momentum=0.7), steps=10).momentum == 0.7


def test_adamw_decays_kernels_but_no_biases_and_no_normalisation() -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, bias_initializer="ones")])
    model.add(keras.layers.BatchNormalization())
    settings = OptimizerSettings(weight_decay=0.5, learning_rate=0.1, schedule="constant", warmup_fraction=0)
    optimizer = build_optimizer(settings, steps=10)
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables], model.trainable_variables)
    changed = {v.name for v, old in zip(model.trainable_variables, before, strict=True) if np.any(v.numpy() != old)}
    assert changed == {"kernel"}
