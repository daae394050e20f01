"""Magnitude pruning with fine-tuning by TF-MOT: the smallest weights of each kernel become zero and stay so."""

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
import tf_keras

from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.patterns import block_sparsity, is_two_of_four, sparsity
from roadworthy.models.compression.recipe import Prune
from roadworthy.models.compression.tf_mot import load_tf_mot
from roadworthy.models.compression.tf_mot_tuning import choose, fine_tune_wrapped, kernel_of, take_back, tf_keras_twin
from roadworthy.serving.errors import ModelError

PRUNED_LAYERS: Final = (tf_keras.layers.Conv2D, tf_keras.layers.Dense)
SPARSITY_TOLERANCE: Final = 0.01

# Sparsity rises over this share of the steps; the rest lets the weights that are left recover.
RAMP_SHARE: Final = 0.5
# A mask update sorts every kernel, as costly as a training step, so there are few of them.
MASK_UPDATES: Final = 10
TWO_OF_FOUR: Final = (2, 4)


def prune(model: keras.Model, settings: Prune, bench: Bench) -> Made:
    """Prunes the kernels of Conv2D and Dense layers while fine-tuning on the training split.

    Args:
        model: classifier whose output is probabilities [batch, classes]; its weights are changed in place.
        settings: sparsity, schedule, pattern, layers, epochs and learning rate.
        bench: the training split.

    Returns:
        The same Keras 3 model, pruned.

    Raises:
        UnsupportedLayer: the bridge can't take a layer.
        ModelError: nothing in it can be pruned, or a kernel did not reach the sparsity or the pattern.
        DataError: the training split is empty.

    Reference: Zhu and Gupta 2017, "To prune, or not to prune", https://arxiv.org/abs/1710.01878.
    """
    twin = tf_keras_twin(model, bench.images)
    chosen = choose(twin, settings, why_not=lambda layer: why_not(layer, settings), doing="pruning")
    tf_mot = load_tf_mot().sparsity.keras
    options = _options(settings, tf_mot, steps=settings.epochs * bench.images.steps())
    masked = fine_tune_wrapped(
        twin,
        lambda layer: tf_mot.prune_low_magnitude(layer, **options),
        settings,
        bench.images,
        chosen=chosen,
        callbacks=[tf_mot.UpdatePruningStep()],
    )
    stripped = tf_mot.strip_pruning(masked)
    kernels = {name: kernel_of(stripped.get_layer(name)) for name in sorted(chosen.names)}
    for name, kernel in kernels.items():
        check_kernel(name, kernel, settings)
    take_back(stripped, model, bench.images)
    return Made(model, skipped=chosen.skipped, notes=(_reached(list(kernels.values())),))


def why_not(layer: tf_keras.layers.Layer, settings: Prune) -> str | None:
    """Why a layer's kernel is not pruned; None if it can be."""
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        return "a depthwise kernel has few weights: zeroing them costs accuracy and saves next to nothing"
    # Subclasses are other layers.
    if type(layer) not in PRUNED_LAYERS:
        return f"{type(layer).__name__} has no kernel that is pruned"
    if settings.pattern == "block" and not isinstance(layer, tf_keras.layers.Dense):
        return "TF-MOT prunes blocks of dense kernels only"
    return None


def check_kernel(name: str, kernel: np.ndarray, settings: Prune) -> None:
    """Holds a pruned kernel to the sparsity and the pattern that were asked for.

    Raises:
        ModelError: it has fewer zeros than `sparsity` less 0.01, rounded to a whole weight or block, or zeros in
            other places than the pattern's.
    """
    if settings.pattern == "2:4":
        if not is_two_of_four(kernel):
            raise ModelError(f"Layer {name!r} must have two zeros in every four weights. Received: fewer in some.")
        return
    blocks = settings.pattern == "block"
    reached = block_sparsity(kernel, settings.block_size) if blocks else sparsity(kernel)
    parts = kernel.size / (np.prod(settings.block_size) if blocks else 1)
    if reached < settings.sparsity - SPARSITY_TOLERANCE - 1 / parts:
        raise ModelError(
            f"The kernel of layer {name!r} must reach a sparsity of {settings.sparsity:g} by pruning. "
            f"Received: {reached:.4f}. Give the recipe's prune step more epochs."
        )


def _options(settings: Prune, tf_mot: Any, *, steps: int) -> dict[str, Any]:
    """TF-MOT's own options for a schedule and a pattern."""
    options: dict[str, Any] = {"pruning_schedule": _schedule(settings, tf_mot, steps=steps)}
    if settings.pattern == "2:4":
        options["sparsity_m_by_n"] = TWO_OF_FOUR
    if settings.pattern == "block":
        options["block_size"] = settings.block_size
    return options


def _schedule(settings: Prune, tf_mot: Any, *, steps: int) -> Any:
    """When masks are renewed and how sparse. TF-MOT counts steps from 1 and looks only at multiples of `frequency`."""
    # Which two of four are smallest can change; how many are zero can't.
    if settings.schedule == "constant" or settings.pattern == "2:4":
        return tf_mot.ConstantSparsity(settings.sparsity, begin_step=0, frequency=max(1, steps // MASK_UPDATES))
    ramp_steps = max(1, int(RAMP_SHARE * steps))
    frequency = max(1, ramp_steps // MASK_UPDATES)
    return tf_mot.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=settings.sparsity,
        begin_step=0,
        end_step=ramp_steps - ramp_steps % frequency,
        frequency=frequency,
    )


def _reached(kernels: Sequence[np.ndarray]) -> str:
    zeros = sum(int(np.count_nonzero(kernel == 0)) for kernel in kernels)
    return f"{zeros / sum(kernel.size for kernel in kernels):.1%} of the weights of {len(kernels)} kernels are zero."
