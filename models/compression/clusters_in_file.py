"""Tells where a LiteRT file has more values of a clustered kernel than its model."""

from collections.abc import Iterator, Mapping

import keras
import numpy as np

from roadworthy.models.compression.flatbuffer import kernels
from roadworthy.models.compression.kept import Kept
from roadworthy.models.compression.kernels import kernel_rows


def told_apart(flatbuffer: bytes, model: keras.Model, clusters: Mapping[str, Kept]) -> tuple[str, ...]:
    """A sentence on the layers whose clusters are no longer one for all channels; none if there are no such layers.

    The converter multiplies a kernel by the scales of the normalisation behind it, which makes as many values of a
    cluster as there are channels, where they can't be moved to the scales of int8.

    Args:
        flatbuffer: a LiteRT model.
        model: the one it was converted from.
        clusters: what of it was clustered, by layer path.
    """
    apart = list(_apart(flatbuffer, model, clusters))
    if not apart:
        return ()
    return (
        f"Every channel has values of its own in the file where the model has the same in all: {', '.join(apart)}. "
        "LiteRT folds the normalisation behind it into a kernel; only the scales of int8 can take it up.",
    )


def _apart(flatbuffer: bytes, model: keras.Model, clusters: Mapping[str, Kept]) -> Iterator[str]:
    rows, stored = kernel_rows(model), kernels(flatbuffer)
    for path, kept in clusters.items():
        values = [len(np.unique(kernel.rows)) for kernel in stored if kernel.rows.shape == rows[path].shape]
        # Kernels of one shape can't be told apart; the one of fewest values speaks for the layer.
        if kept.whole and values and min(values) > len(np.unique(rows[path])):
            yield f"{path} ({min(values)} for {len(np.unique(rows[path]))})"
