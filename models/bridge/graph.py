"""Walks a functional or Sequential Keras 3 model down to its leaf layers, however deep models are nested in it."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras.src.models.functional import Functional

from roadworthy.serving.errors import UnsupportedLayer

Apply = Callable[..., Any]


def leaves(model: keras.Model) -> dict[str, keras.Operation]:
    """Lists the layers and operations that compute something, nested models flattened.

    Args:
        model: built functional or Sequential Keras 3 model.

    Returns:
        Layer by path, e.g. `backbone/stem_conv`, in the models' own order; a shared layer once, at its first path.

    Raises:
        UnsupportedLayer: a model in it is subclassed, so its layers' wiring can't be read.
    """
    paths: dict[str, keras.Operation] = {}
    seen: set[int] = set()
    for path, operation in _walk(model, prefix=""):
        if id(operation) not in seen:
            seen.add(id(operation))
            paths[path] = operation
    return paths


def run(model: keras.Model, inputs: Any, *, apply: Apply) -> Any:
    """Runs a model with `apply(operation, *args, **kwargs)` in place of every leaf; nested models are entered.

    Args:
        model: functional or Sequential Keras 3 model.
        inputs: what stands for the model's inputs: any values that `apply` understands.
        apply: computes one leaf's output; called in the graph's order.

    Returns:
        What stands for the model's outputs, in the model's own structure.
    """
    _require_wiring(model, path=model.name)
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            inputs = _visit(layer, apply)(inputs)
        return inputs
    # The walk `keras.models.clone_model` itself rides on; keras has no public one, and its version is pinned.
    return model._run_through_graph(inputs, operation_fn=lambda operation: _visit(operation, apply))


def _visit(operation: keras.Operation, apply: Apply) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if isinstance(operation, keras.Model):
            return run(operation, args[0], apply=apply)
        return apply(operation, *args, **kwargs)

    return call


def _walk(model: keras.Model, *, prefix: str) -> Iterator[tuple[str, keras.Operation]]:
    _require_wiring(model, path=prefix.rstrip("/") or model.name)
    for operation in model.layers if isinstance(model, keras.Sequential) else model.operations:
        path = prefix + operation.name
        if isinstance(operation, keras.Model):
            yield from _walk(operation, prefix=f"{path}/")
        elif not isinstance(operation, keras.layers.InputLayer):
            yield path, operation


def _require_wiring(model: keras.Model, *, path: str) -> None:
    if isinstance(model, keras.Sequential) and model.built:
        return
    if isinstance(model, Functional) and type(model).call is Functional.call:
        return
    raise UnsupportedLayer(
        f"Model {path!r} must be a built functional or Sequential model, so that its layers can be read one by one. "
        f"Received: {type(model).__module__}.{type(model).__qualname__}. "
        "Build it with keras.Model(inputs, outputs), or give a Sequential its input shape."
    )
