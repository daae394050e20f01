"""Clones a Keras 3 model into tf_keras, the only Keras that TF-MOT takes; nested models come out flat."""

import inspect
from typing import Any

import keras
import tf_keras

from roadworthy.models.bridge.activation import REWRITTEN
from roadworthy.models.bridge.graph import leaves, run
from roadworthy.models.bridge.layer import translate, unsupported
from roadworthy.models.bridge.operation import apply_operation
from roadworthy.models.bridge.weights import copy_to_tf_keras


def to_tf_keras(model: keras.Model) -> tf_keras.Model:
    """Makes the tf_keras twin of a Keras 3 model: same layers, same weights, no models nested in it.

    A layer's name in the twin is its path in the model, e.g. `backbone/stem_conv`. Layers called more than once stay
    shared. A `training` flag fixed in the graph is dropped, since the twin is made to be fine-tuned. Prove the two
    equal with `check_equal` before relying on the twin.

    Args:
        model: built functional or Sequential Keras 3 model of any depth of nesting.

    Returns:
        A functional tf_keras model, not compiled.

    Raises:
        UnsupportedLayer: a layer can't be translated; the message names it, its class and what to do.
        ModelError: a layer's weights don't fit its twin.
    """
    translator = _Translator(model)
    inputs = [
        tf_keras.Input(batch_shape=tensor.shape, dtype=str(tensor.dtype), name=tensor.name) for tensor in model.inputs
    ]
    outputs = run(model, inputs[0] if len(inputs) == 1 else inputs, apply=translator.apply)
    twin = tf_keras.Model(inputs, outputs, name=model.name)
    copy_to_tf_keras(model, twin)
    return twin


class _Translator:
    """Translates each layer once, at its first call, so that shared layers stay shared."""

    def __init__(self, model: keras.Model) -> None:
        self._paths = {id(leaf): path for path, leaf in leaves(model).items()}
        self._twins: dict[int, tf_keras.layers.Layer] = {}
        self._calls: dict[int, int] = {}

    def apply(self, leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        path = self._paths[id(leaf)]
        given = {key: value for key, value in kwargs.items() if not _is_default(leaf, key, value)}
        if not isinstance(leaf, keras.layers.Layer):
            return apply_operation(leaf, *args, *given.values(), path=self._call_name(leaf, path))
        if set(given) - {"training"}:
            raise unsupported(path, leaf, reason=f"it is called with {sorted(given)}")
        return self._layer(leaf, path, args)

    def _layer(self, leaf: keras.layers.Layer, path: str, args: tuple[Any, ...]) -> Any:
        activation = getattr(leaf, "activation", None)
        rewritten = REWRITTEN.get(activation) if activation else None
        if rewritten and type(leaf) is keras.layers.Activation:
            return rewritten(args[0], self._call_name(leaf, path))
        twin = self._twins.get(id(leaf)) or translate(leaf, path=path)
        self._twins[id(leaf)] = twin
        output = twin(*args)
        return rewritten(output, self._call_name(leaf, f"{path}/activation")) if rewritten else output

    def _call_name(self, leaf: keras.Operation, name: str) -> str:
        """A name for the layers that stand for a stateless part, new at every call of a shared layer."""
        self._calls[id(leaf)] = count = self._calls.get(id(leaf), 0) + 1
        return name if count == 1 else f"{name}_{count}"


def _is_default(leaf: keras.Operation, key: str, value: Any) -> bool:
    """Whether an argument of a call says nothing: it is unset, or what the layer takes it for anyway."""
    parameter = inspect.signature(leaf.call).parameters.get(key)
    return value is None or (parameter is not None and isinstance(value, bool | str) and value == parameter.default)
