import pytest

from roadworthy.components.trainer.executor import with_epochs
from roadworthy.models.config import ModelSettings, PhaseSettings, TrainingRun, TrainSettings

RUN = TrainingRun(model=ModelSettings(), train=TrainSettings(full=PhaseSettings(epochs=7)), seed=1)


def test_epochs_of_a_run_take_the_configs_place():
    changed = with_epochs(RUN, {"head": 0, "full": 2})

    assert (changed.train.head.epochs, changed.train.full.epochs) == (0, 2)
    assert changed.model_copy(update={"train": RUN.train}) == RUN


def test_none_leaves_a_phase_as_it_is():
    assert with_epochs(RUN, {"head": None, "full": None}) == RUN


def test_no_training_at_all_is_refused():
    with pytest.raises(ValueError, match="must train"):
        with_epochs(RUN, {"head": 0, "full": 0})
