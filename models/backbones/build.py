"""From a backbone's settings to the network. A new backbone is one file and one line here."""

from collections.abc import Callable, Mapping
from typing import Final

import keras

from roadworthy.models.backbones import efficientnet_lite0, keras_applications
from roadworthy.models.backbones.names import EFFICIENTNET_LITE0, KERAS_APPLICATIONS, check_backbone_name
from roadworthy.models.config import BackboneSettings

Builder = Callable[..., keras.Model]

BACKBONES: Final[Mapping[str, Builder]] = {
    EFFICIENTNET_LITE0: efficientnet_lite0.build,
    **dict.fromkeys(KERAS_APPLICATIONS, keras_applications.build),
}


def build_backbone(settings: BackboneSettings, *, image_size: int) -> keras.Model:
    """Builds a backbone and loads its weights.

    Args:
        settings: which network, and where its weights come from.
        image_size: side of the square input, pixels.

    Returns:
        A flat functional model from `image`, float32 [batch, size, size, 3] in [0, 255], to a feature map
        [batch, rows, columns, channels]; the family's own preprocessing is its first layers.

    Raises:
        ConfigError: the name is unknown, or the network can't take images this small.
        WeightsError: the weights are missing, damaged or not the pinned ones.
    """
    check_backbone_name(settings.name)
    return BACKBONES[settings.name](settings, image_size=image_size)
