"""Makes one tf_keras layer from one Keras 3 layer: the same class, with its config in the older dialect."""

import inspect
import textwrap
from typing import Any, Final

import keras
import tf_keras

from roadworthy.models.bridge.activation import REWRITTEN
from roadworthy.models.bridge.registry import registered
from roadworthy.serving.errors import UnsupportedLayer

REASON_LENGTH: Final = 400

# Keras 3 renamed these options.
RENAMED_OPTIONS: Final = {"LeakyReLU": {"negative_slope": "alpha"}}

# Layers whose older config also holds the shapes they were built with, which the constructor does not ask for.
WITH_SHAPES_IN_CONFIG: Final = frozenset({"MultiHeadAttention"})

# Layers of the same name that hold others, or someone's own code, which belong to the Keras they were made for.
REFUSED: Final = frozenset({"Bidirectional", "Lambda", "RNN", "SpectralNormalization", "TimeDistributed", "Wrapper"})


def translate(layer: keras.layers.Layer, *, path: str) -> tf_keras.layers.Layer:
    """Makes the tf_keras layer that computes what a Keras 3 layer does; its weights are still to be copied.

    Args:
        layer: a layer of `keras.layers`, not a subclass of one, or of a registered class.
        path: the new layer's name.

    Raises:
        UnsupportedLayer: tf_keras has no such layer, or not with these options; the message says which.
    """
    known = registered(layer)
    if known is not None:
        return known.translate(layer, path)
    kind = type(layer).__name__
    twin = getattr(tf_keras.layers, kind, None)
    if type(layer) is not getattr(keras.layers, kind, None) or twin is None or kind in REFUSED:
        raise unsupported(path, layer, reason="tf_keras has no layer that is known to do the same")
    options = {RENAMED_OPTIONS.get(kind, {}).get(key, key): value for key, value in layer.get_config().items()}
    if "activation" in options:
        options["activation"] = _activation(layer, path=path)
    try:
        plain = {key: _plain(value) for key, value in options.items()}
        known_options = _known(plain, twin) | {"name": path}
        return twin(**known_options) if kind in WITH_SHAPES_IN_CONFIG else twin.from_config(known_options)
    except (TypeError, ValueError) as error:
        raise unsupported(path, layer, reason=str(error)) from error


def unsupported(path: str, layer: keras.Operation, *, reason: str) -> UnsupportedLayer:
    """The error for a layer that can't cross: names it, its class, why, and what to do."""
    return UnsupportedLayer(
        f"Layer {path!r} can't be translated from Keras 3 to tf_keras, which TF-MOT needs: {_short(reason)}. "
        f"Received: {type(layer).__module__}.{type(layer).__qualname__}. "
        "Teach the bridge this layer with roadworthy.models.bridge.registry.register_layer, replace it with plain "
        "keras.layers, or leave steps that need TF-MOT, such as prune, out of the recipe."
    )


def _short(reason: str) -> str:
    """A library's first paragraph: a trace or a whole config may follow."""
    return textwrap.shorten(reason.partition("\n\nCall arguments")[0], REASON_LENGTH, placeholder=" …").rstrip(".")


def _activation(layer: keras.layers.Layer, *, path: str) -> str:
    if layer.activation in REWRITTEN:
        return "linear"
    name = getattr(layer.activation, "__name__", None)
    # Keras writes someone's own function down by its name alone, even where that is the name of another.
    if layer.activation is not getattr(keras.activations, name or "", None):
        raise unsupported(path, layer, reason=f"its activation {name!r} is none of keras.activations")
    return str(name)


def _plain(value: Any) -> Any:
    """A config value without Keras 3's module paths; dtype policies become their names.

    Initialisers, regularisers and constraints stay objects by class name and config.
    """
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if value["class_name"] == "DTypePolicy":
        return value["config"]["name"]
    module = value["module"].rpartition(".")[2]
    twin = getattr(getattr(tf_keras, module, None), value["class_name"], None)
    if twin is None:
        raise ValueError(f"tf_keras has no {module}.{value['class_name']}")
    return {"class_name": value["class_name"], "config": _known(value["config"], twin)}


def _known(options: dict[str, Any], twin: type) -> dict[str, Any]:
    """Keeps the options `twin` takes; one it has never heard of may only be unset."""
    names = {"name", "trainable", "dtype"} if issubclass(twin, tf_keras.layers.Layer) else set()
    for ancestor in inspect.getmro(twin):
        if "__init__" in vars(ancestor):
            names |= set(inspect.signature(vars(ancestor)["__init__"]).parameters)
    dropped = {key: value for key, value in options.items() if key not in names}
    used = {key: value for key, value in dropped.items() if _is_set(key, value, dropped)}
    if used:
        raise ValueError(f"tf_keras's {twin.__name__} has no option {used}")
    return {key: value for key, value in options.items() if key in names}


def _is_set(key: str, value: Any, dropped: dict[str, Any]) -> bool:
    # renorm_momentum=0.99 beside renorm=False says nothing: a switch that is off silences what it governs.
    governed = any(key.startswith(f"{switch}_") and state is False for switch, state in dropped.items())
    return value not in (None, False) and not governed
