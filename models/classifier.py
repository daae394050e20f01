"""The image classifier: a backbone with a new head, preprocessing inside."""

from typing import Final

import keras

from roadworthy.models.backbones.build import build_backbone
from roadworthy.models.config import ModelSettings
from roadworthy.serving.contract import SCORES

POOL: Final = "head_pool"
DROPOUT: Final = "head_dropout"
HEAD_LAYERS: Final = frozenset({POOL, DROPOUT, SCORES})


def build_classifier(settings: ModelSettings, *, classes: int) -> keras.Model:
    """Builds a backbone with its weights and a softmax head with random ones.

    The model is one flat functional graph: whoever prunes, converts or bridges it sees every layer.

    Args:
        settings: backbone, image size and dropout.
        classes: number of labels, at least 2.

    Returns:
        A model from `image`, float32 [batch, size, size, 3] in [0, 255], to `scores`, float32 [batch, classes] in
        [0, 1].

    Raises:
        ConfigError: the backbone is unknown, or can't take images this small.
        WeightsError: its weights are missing, damaged or not the pinned ones.
    """
    backbone = build_backbone(settings.backbone, image_size=settings.image_size)
    features = keras.layers.GlobalAveragePooling2D(name=POOL)(backbone.output)
    if settings.dropout > 0:
        features = keras.layers.Dropout(settings.dropout, name=DROPOUT)(features)
    # Softmax stays in float32 whatever the dtype policy, as half precision can't hold small scores.
    scores = keras.layers.Dense(classes, activation="softmax", name=SCORES, dtype="float32")(features)
    return keras.Model(backbone.inputs[0], scores, name="classifier")


def freeze_backbone(model: keras.Model, *, frozen: bool) -> None:
    """Freezes or frees all layers below the head; a frozen batch normalisation keeps its statistics as well."""
    for layer in model.layers:
        if layer.name not in HEAD_LAYERS:
            layer.trainable = not frozen
