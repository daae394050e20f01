"""Every kind of step, by its key in a recipe. A new kind is a line here, a module, and its settings in `recipe.py`."""

from collections.abc import Callable
from typing import Any, Final

import keras

from roadworthy.models.compression.prune import prune
from roadworthy.models.compression.quantize import quantize
from roadworthy.models.compression.training_images import TrainingImages

# A step gives the Keras 3 model to go on with or, if its settings say that it converts, the bytes of a LiteRT model.
StepFunction = Callable[[keras.Model, Any, TrainingImages], keras.Model | bytes]

STEPS: Final[dict[str, StepFunction]] = {
    "prune": prune,
    "quantize": quantize,
}
