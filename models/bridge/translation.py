"""Clones a Keras 3 model into tf_keras, the only Keras that TF-MOT takes; nested models come out flat."""

from typing import Any

import keras
import tf_keras

from roadworthy.models.bridge.activation import REWRITTEN
from roadworthy.models.bridge.arguments import call_twin
from roadworthy.models.bridge.graph import leaves, run
from roadworthy.models.bridge.hosted import host, may_be_hosted
from roadworthy.models.bridge.layer import translate
from roadworthy.models.bridge.operation import apply_operation
from roadworthy.models.bridge.weights import copy_to_tf_keras
from roadworthy.serving.errors import UnsupportedLayer


def to_tf_keras(model: keras.Model) -> tf_keras.Model:
    """Makes the tf_keras twin of a Keras 3 model: same layers, same weights, no models nested in it.

    A layer's name in the twin is its path in the model, e.g. `backbone/stem_conv`. Layers called more than once stay
    shared. Operations of `keras.ops` and layers without weights that tf_keras lacks are computed by Keras 3 inside it.
    A `training` flag fixed in the graph is dropped, as Keras 3 does wherever it is told whether it trains. Prove the
    two equal with `check_equal` before relying on the twin.

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
        self._twins: dict[int, tf_keras.layers.Layer | None] = {}
        self._calls: dict[int, int] = {}

    def apply(self, leaf: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        path = self._paths[id(leaf)]
        given = {key: value for key, value in kwargs.items() if key != "training"}
        if not isinstance(leaf, keras.layers.Layer):
            return apply_operation(leaf, args, given, path=self._call_name(leaf, path))
        activation = getattr(leaf, "activation", None)
        rewritten = REWRITTEN.get(activation) if activation else None
        if rewritten and type(leaf) is keras.layers.Activation:
            return rewritten(args[0], self._call_name(leaf, path))
        twin = self._twin(leaf, path)
        if twin is None:
            return host(leaf, args, given, path=self._call_name(leaf, path))
        output = call_twin(twin, leaf, args, given, path=path)
        return rewritten(output, self._call_name(leaf, f"{path}/activation")) if rewritten else output

    def _twin(self, leaf: keras.layers.Layer, path: str) -> tf_keras.layers.Layer | None:
        """The leaf's counterpart; None if tf_keras has none and the leaf can be hosted."""
        if id(leaf) not in self._twins:
            try:
                self._twins[id(leaf)] = translate(leaf, path=path)
            except UnsupportedLayer:
                if not may_be_hosted(leaf):
                    raise
                self._twins[id(leaf)] = None
        return self._twins[id(leaf)]

    def _call_name(self, leaf: keras.Operation, name: str) -> str:
        """A name for the layers that stand for a stateless part, new at every call of a shared layer."""
        self._calls[id(leaf)] = count = self._calls.get(id(leaf), 0) + 1
        return name if count == 1 else f"{name}_{count}"
