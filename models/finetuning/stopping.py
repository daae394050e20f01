"""Early stopping as `keras.callbacks.EarlyStopping` does it, with a state that a backup can hold."""

from dataclasses import dataclass

import keras
import numpy as np

from roadworthy.models.config import EarlyStopping


@dataclass
class Best:
    """The best epoch so far.

    Attributes:
        loss: its validation loss.
        weights: the model's weights after it, as `get_weights` gives them; none before the first epoch.
        waited: epochs since then.
    """

    loss: float = float("inf")
    weights: tuple[np.ndarray, ...] = ()
    waited: int = 0

    def take(self, model: keras.Model, *, loss: float, min_delta: float) -> None:
        """Looks at one more epoch; the first is the best so far whatever its loss."""
        if loss < self.loss - min_delta or not self.weights:
            self.loss, self.weights, self.waited = loss, tuple(model.get_weights()), 0
        else:
            self.waited += 1

    def is_final(self, settings: EarlyStopping) -> bool:
        """Whether nothing better is to be waited for."""
        return self.waited >= settings.patience

    def restore(self, model: keras.Model) -> None:
        """Gives the model the best epoch's weights."""
        if self.weights:
            model.set_weights(self.weights)
