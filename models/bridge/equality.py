"""Proves a Keras 3 model and its tf_keras twin equal, layer by layer, before anything is built on the twin."""

from collections.abc import Iterator
from typing import Any, Final

import keras
import numpy as np
import tf_keras

from roadworthy.models.bridge.graph import leaves, run
from roadworthy.serving.errors import ModelError

TOLERANCE: Final = 1e-4
# Inside, rounding errors add up, and a normalisation over a channel that hardly varies enlarges them: 3e-4 was seen in
# a fine-tuned EfficientNet-Lite0 whose scores agreed within 5e-6, 1e-3 deep in an EfficientNetV2S of random weights.
# A setting translated wrongly shows far above this.
INNER_FACTOR: Final = 30
# Spacing of the numbers beside 1. The two Kerases round at different places, so half precision is held to a few.
_SPACING: Final = {"float16": 2**-10, "bfloat16": 2**-7}


def check_equal(
    model: keras.Model,
    twin: tf_keras.Model,
    *,
    images: np.ndarray | None = None,
    seed: int = 0,
    tolerance: float = TOLERANCE,
) -> None:
    """Runs both models on random and on given inputs and compares the output of every layer.

    Every layer is compared, not only the last: softmax scores that are saturated would be equal whatever came before.

    Args:
        model: Keras 3 model.
        twin: what `to_tf_keras(model)` gave.
        images: real inputs of a model that has one, float32 [batch, …] as it takes them; random ones alone when None.
        seed: of the random inputs, uniform in [0, 255).
        tolerance: largest absolute difference allowed in the model's outputs, a thirtieth of what is allowed inside;
            for values beyond 1 in proportion to them. A model that computes in half precision may differ by twice the
            spacing of its numbers (float16: 0.002, bfloat16: 0.016), and by eight times inside.

    Raises:
        ModelError: an output differs; the message names the first such layer and by how much.
    """
    names = {path: _output_layer(twin, path) for path in leaves(model)}
    probe = tf_keras.Model(twin.inputs, {path: layer.get_output_at(0) for path, layer in names.items()})
    final = _final_paths(model)
    outer, inner = _allowed(model, tolerance)
    for source, batches in _batches(model, images, seed=seed):
        there = probe(batches if len(batches) > 1 else batches[0], training=False)
        for path, here in _outputs(model, batches):
            allowed = outer if path in final else inner
            _compare(here, there[path], place=f"layer {path!r}", source=source, tolerance=allowed)
        # As it is served: the walk from layer to layer is ours, and later calls of shared layers are not in it.
        answers = model(keras.tree.pack_sequence_as(model.input, batches), training=False)
        _compare(answers, twin(batches, training=False), place="the model's output", source=source, tolerance=outer)


def _allowed(model: keras.Model, tolerance: float) -> tuple[float, float]:
    """What is allowed in the model's outputs, and inside it."""
    spacing = max((_SPACING.get(getattr(leaf, "compute_dtype", ""), 0) for leaf in leaves(model).values()), default=0)
    return max(tolerance, 2 * spacing), max(INNER_FACTOR * tolerance, 8 * spacing)


def _output_layer(twin: tf_keras.Model, path: str) -> tf_keras.layers.Layer:
    """The layer that gives what the Keras 3 layer at `path` gives: its activation, if that had to be split off."""
    named = {layer.name: layer for layer in twin.layers}
    return named.get(f"{path}/activation") or named[path]


def _batches(model: keras.Model, images: np.ndarray | None, *, seed: int) -> Iterator[tuple[str, list[np.ndarray]]]:
    """An array for each input of the model, by where they come from."""
    draw = np.random.default_rng(seed)
    shapes = [[2, *(side or 1 for side in tensor.shape[1:])] for tensor in model.inputs]
    yield (
        "random",
        [
            draw.uniform(0, 255, shape).astype(str(tensor.dtype))
            for shape, tensor in zip(shapes, model.inputs, strict=True)
        ],
    )
    if images is not None:
        yield "given", [images]


def _final_paths(model: keras.Model) -> frozenset[str]:
    """The leaves that give the model's own outputs."""
    last: dict[int, str] = {}
    paths = {id(leaf): path for path, leaf in leaves(model).items()}

    def record(leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        output = leaf.compute_output_spec(*args, **kwargs)
        for tensor in keras.tree.flatten(output):
            last[id(tensor)] = paths[id(leaf)]
            held.append(tensor)
        return output

    # Held, so that no other tensor gets the id of one that is gone.
    held: list[Any] = []
    inputs = [keras.KerasTensor(tensor.shape, tensor.dtype) for tensor in model.inputs]
    outputs = run(model, inputs if len(inputs) > 1 else inputs[0], apply=record)
    return frozenset(last[id(tensor)] for tensor in keras.tree.flatten(outputs) if id(tensor) in last)


def _outputs(model: keras.Model, batches: list[np.ndarray]) -> list[tuple[str, Any]]:
    """What every leaf gives at its first call, in the order computed, by path."""
    paths = {id(leaf): path for path, leaf in leaves(model).items()}
    outputs: dict[str, Any] = {}

    def record(leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        # What Keras does with a `training` flag that is fixed in the graph when it is told not to train.
        output = leaf(*args, **kwargs | ({"training": False} if "training" in kwargs else {}))
        outputs.setdefault(paths[id(leaf)], output)
        return output

    given = [keras.ops.convert_to_tensor(batch) for batch in batches]
    run(model, given if len(given) > 1 else given[0], apply=record)
    return list(outputs.items())


def _compare(here: Any, there: Any, *, place: str, source: str, tolerance: float) -> None:
    """Compares one output or several in the same order."""
    for ours, theirs in zip(_arrays(here), _arrays(there), strict=True):
        scale = max(1.0, float(np.max(np.abs(ours))))
        difference = float(np.max(np.abs(ours - theirs))) if ours.shape == theirs.shape else float("inf")
        # Written so that NaN fails.
        if not difference <= tolerance * scale:
            raise ModelError(
                "The tf_keras model must answer as the Keras 3 model it was made from, within "
                f"{tolerance:g} of {scale:g}. Received: a difference of {difference:g} on {source} inputs, first at "
                f"{place} of shapes {ours.shape} and {theirs.shape}. "
                "Replace this layer, or leave steps that need TF-MOT out of the recipe."
            )


def _arrays(outputs: Any) -> list[np.ndarray]:
    """As numbers that can be subtracted, whatever they are: bool and uint8 can't."""
    return [keras.ops.convert_to_numpy(output).astype(np.float64) for output in keras.tree.flatten(outputs)]
