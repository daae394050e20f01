"""Holds a step's patterns of layers to the model they are meant for. Imports no TensorFlow."""

from collections.abc import Sequence
from difflib import get_close_matches

from roadworthy.models.compression.recipe import LayerStep
from roadworthy.serving.errors import ModelError


def check_patterns(settings: LayerStep, paths: Sequence[str]) -> None:
    """Refuses a pattern that chooses nothing: the layer it was meant for would be treated as all others.

    Args:
        settings: with patterns of paths.
        paths: of the model's layers.

    Raises:
        ModelError: a pattern of `layers` or `skip` fits none of them.
    """
    unused = settings.unused(paths)
    if unused:
        close = get_close_matches(unused[0], paths, n=1)
        hint = f"Did you mean {close[0]!r}?" if close else f"The first of its layers is {paths[0]!r}."
        raise ModelError(f"Every pattern of layers and skip must fit a layer of the model. Received: {unused}. {hint}")
