from pathlib import Path

import pytest

from roadworthy.components.gate.budgets import Budgets, GateSettings
from roadworthy.pipeline.config import load_config
from roadworthy.pipeline.parameters import parameters_of, read_values
from roadworthy.serving.errors import ConfigError

CONFIG = Path(__file__).parents[1] / "testdata" / "compiled" / "cloud.yaml"


@pytest.fixture(scope="module")
def parameters():
    config = load_config(CONFIG)
    return parameters_of(config, config.cloud)


def test_values_take_the_defaults_place(parameters):
    values = read_values(["full_epochs=9", "max_size=30%", "data_root=gs://other/photos"], parameters)

    assert values == {**parameters, "full_epochs": 9, "max_size": "30%", "data_root": "gs://other/photos"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("epochs=3", "NAME=VALUE with one of data_root,"),
        ("full_epochs", "Received: full_epochs"),
        ("full_epochs=many", "Received: many"),
        ("full_epochs=-1", "at least 0"),
        ("epochs_pruned_int8_1_prune=0", "at least 1"),
        ("max_size=30 potatoes", "must have one of the units"),
        ("max_quality_drop=[", "max_quality_drop"),
        ("max_quality_drop=!!bool x", "Received: !!bool x"),
    ],
)
def test_what_a_parameter_can_not_take_is_told(parameters, word, said):
    with pytest.raises(ConfigError) as caught:
        read_values([word], parameters)
    assert said in str(caught.value)


def test_every_step_that_fine_tunes_has_its_epochs_and_no_other(parameters):
    values = read_values(["epochs_pruned_int8_1_prune=7"], parameters)

    assert {name: value for name, value in values.items() if name.startswith("epochs_")} == {
        "epochs_pruned_int8_1_prune": 7
    }


def test_a_run_without_training_is_refused(parameters):
    with pytest.raises(ConfigError, match="some training"):
        read_values(["head_epochs=0", "full_epochs=0"], parameters)


def test_budgets_come_out_as_they_went_in(parameters):
    written = {name: str(parameters[name]) for name in Budgets.model_fields}

    assert GateSettings().with_budgets(written) == load_config(CONFIG).gate
