"""Optimisers with their learning rate over a phase, all of them Keras' own."""

import keras

from roadworthy.models.config import OptimizerSettings


def learning_rate(
    settings: OptimizerSettings, *, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """The rate over a phase: a linear rise over the warm-up, then a half cosine down to 0, or constant.

    The first step already has a rate above 0, so that none is wasted.

    Args:
        settings: peak rate, shape and share of warm-up.
        steps: optimiser steps of the phase, at least 1.
    """
    peak = settings.learning_rate
    warmup = min(round(settings.warmup_fraction * steps), steps - 1)
    start = peak / (warmup + 1)
    if settings.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=start if warmup else peak,
            decay_steps=steps - warmup,
            warmup_target=peak if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        return keras.optimizers.schedules.PolynomialDecay(start, decay_steps=warmup, end_learning_rate=peak)
    return peak


def build_optimizer(settings: OptimizerSettings, *, steps: int) -> keras.optimizers.Optimizer:
    """Builds the optimiser of one phase.

    AdamW's decay leaves out biases and batch normalisation, which it would only pull away from what they measure.

    Args:
        settings: the kind, its rate and its constants.
        steps: optimiser steps of the phase, at least 1.
    """
    rate = learning_rate(settings, steps=steps)
    match settings.name:
        case "adam":
            return keras.optimizers.Adam(rate)
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
            return optimizer
        case "sgd":
            return keras.optimizers.SGD(rate, momentum=settings.momentum)
