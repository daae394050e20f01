"""The step channels: removes whole channels, then fine-tunes what is left."""

import keras

from roadworthy.models.compression.channels.coupling import couple
from roadworthy.models.compression.channels.narrow import narrow
from roadworthy.models.compression.channels.plan import Cut, make_plan
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.recipe import Channels
from roadworthy.models.compression.tuning import fine_tune, settle
from roadworthy.models.measure.multiply_adds import multiply_adds


def channels(model: keras.Model, settings: Channels, bench: Bench) -> Made:
    """Removes the weakest channels of each group of coupled layers, and fine-tunes the narrower network.

    Unlike a zero, a channel that is gone makes the SavedModel itself smaller and faster. The model's inputs and
    outputs keep theirs.

    Args:
        model: classifier whose output is probabilities [batch, classes]; left as it is.
        settings: the share to remove, what the rest is a multiple of, which layers, epochs and learning rate.
        bench: the training split.

    Returns:
        A narrower model of the same layers at the same paths.

    Raises:
        UnsupportedLayer: a model in it is subclassed.
        ModelError: nothing can be removed.
        DataError: the training split is empty.
    """
    coupling = couple(model)
    plan = make_plan(model, coupling, settings)
    narrowed = narrow(model, coupling, plan.stays)
    fine_tune(narrowed, settings, bench.images)
    settle(narrowed, bench.images)
    return Made(narrowed, skipped=plan.skipped, notes=(_sizes(model, narrowed), _summary(plan.cuts)))


def _sizes(before: keras.Model, after: keras.Model) -> str:
    return (
        f"{before.count_params():,} parameters became {after.count_params():,}, "
        f"{multiply_adds(before):,} multiply-adds an image {multiply_adds(after):,}."
    )


def _summary(cuts: tuple[Cut, ...]) -> str:
    told = ", ".join(f"{cut.group.makers[0]} {len(cut.group.roots)} to {cut.left}" for cut in cuts)
    return f"Cut {len(cuts)} groups of coupled channels, each by its first layer: {told}."
