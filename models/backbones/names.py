"""The names a config may give a backbone. Imports no TensorFlow."""

import difflib
from typing import Final

from roadworthy.serving.errors import ConfigError

EFFICIENTNET_LITE0: Final = "efficientnet-lite0"

# Written out, since listing `keras.applications` would import TensorFlow; a test holds the two equal.
KERAS_APPLICATIONS: Final = (
    *("ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *("EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3"),
    *("EfficientNetB4", "EfficientNetB5", "EfficientNetB6", "EfficientNetB7"),
    *("EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"),
    *("EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S"),
    *("InceptionResNetV2", "InceptionV3"),
    *("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small"),
    *("NASNetLarge", "NASNetMobile"),
    *("ResNet101", "ResNet101V2", "ResNet152", "ResNet152V2", "ResNet50", "ResNet50V2"),
    *("VGG16", "VGG19"),
    "Xception",
)


def known_backbones() -> tuple[str, ...]:
    """All names of backbones, ours first."""
    return (EFFICIENTNET_LITE0, *KERAS_APPLICATIONS)


def check_backbone_name(name: str) -> None:
    """Refuses a name that is no backbone's.

    Raises:
        ConfigError: the name is unknown; the message gives the closest known ones.
    """
    if name in known_backbones():
        return
    folded = {known.lower(): known for known in known_backbones()}
    closest = difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.4)
    hint = ", ".join(folded[match] for match in closest) or "efficientnet-lite0, or a class of keras.applications"
    raise ConfigError(f"A backbone must be one that is known. Received: {name}. Closest: {hint}.")
