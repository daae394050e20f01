"""A model's copy on the devices it is trained on; the model itself stays what is exported."""

from typing import Any

import keras

from roadworthy.models.finetuning.devices import Devices
from roadworthy.serving.contract import SCORES


def placed(model: keras.Model, devices: Devices) -> keras.Model:
    """The model with its variables on every device and its layers in the devices' precision.

    Scores stay in float32, as half precision can't hold small ones.

    Args:
        model: flat and functional, in float32; left as it is.
        devices: where to.

    Returns:
        A copy with the same weights, or the model itself where it is in place already.
    """
    if devices.are_plain:
        return model

    def copy(layer: keras.Layer) -> keras.Layer:
        config: dict[str, Any] = layer.get_config()
        if layer.name != SCORES:
            config["dtype"] = devices.precision
        return layer.__class__.from_config(config)

    with devices.strategy.scope():
        twin = keras.models.clone_model(model, clone_function=copy)
    twin.set_weights(model.get_weights())
    return twin
