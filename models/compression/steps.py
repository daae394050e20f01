"""Every kind of step, by its key in a recipe. A new kind is a line here, a module, and its settings in `recipe.py`."""

from collections.abc import Callable
from typing import Any, Final

import keras

from roadworthy.models.compression.channels.step import channels
from roadworthy.models.compression.cluster import cluster
from roadworthy.models.compression.distill import distill
from roadworthy.models.compression.fold import fold
from roadworthy.models.compression.litert import litert
from roadworthy.models.compression.made import Bench, Made
from roadworthy.models.compression.prune import prune
from roadworthy.models.compression.quantize import quantize

# A step may change the model it is given in place; its settings are of the class that `recipe.py` has for its kind.
StepFunction = Callable[[keras.Model, Any, Bench], Made]

STEPS: Final[dict[str, StepFunction]] = {
    "distill": distill,
    "channels": channels,
    "prune": prune,
    "cluster": cluster,
    "fold": fold,
    "litert": litert,
    "quantize": quantize,
}
