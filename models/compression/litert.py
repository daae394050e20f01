"""Conversion to LiteRT as a model is, in float32."""

import keras

from roadworthy.models.compression.clusters_in_file import told_apart
from roadworthy.models.compression.convert import convert, network
from roadworthy.models.compression.flatbuffer import check_zeros_kept
from roadworthy.models.compression.kept import find_clusters, find_zeros
from roadworthy.models.compression.kernels import kernel_rows
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import LiteRT


def litert(model: keras.Model, settings: LiteRT, bench: Bench) -> Made:
    """Converts a classifier to a LiteRT model that computes in float32.

    Args:
        model: Keras 3 model from float32 [batch, height, width, channels] in [0, 255] to scores [batch, classes].
        settings: none so far.
        bench: the steps taken before, whose clusters it tells of.

    Raises:
        ModelError: LiteRT lacks an operator, which the message names, or zeros were lost.
    """
    flatbuffer = convert(network(model, whole_pixels=False), None)
    rows = kernel_rows(model)
    check_zeros_kept(flatbuffer, before=[rows[path] for path in find_zeros(model, bench.earlier)])
    return Made(model, litert=flatbuffer, notes=told_apart(flatbuffer, model, find_clusters(model, bench.earlier)))
