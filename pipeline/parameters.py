"""What of a compiled pipeline may change from run to run. Imports neither TensorFlow nor TFX."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import yaml
from pydantic import TypeAdapter, ValidationError

from roadworthy.components.gate.budgets import Budgets
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.recipe_steps import recipe_steps, variant_id
from roadworthy.pipeline.yaml_slip import NO_VALUE
from roadworthy.serving.errors import ConfigError

Value = int | str
DATA_ROOT: Final = "data_root"
MODEL_ROOT: Final = "model_root"
HEAD_EPOCHS: Final = "head_epochs"
FULL_EPOCHS: Final = "full_epochs"
RECIPE_EPOCHS: Final = "epochs_"
BUDGETS: Final = tuple(Budgets.model_fields)
PLACEHOLDER: Final = "{"


def cloud_of(config: RunConfig) -> CloudSettings:
    """The config's `cloud` section.

    Raises:
        ConfigError: it has none.
    """
    if config.cloud is None:
        raise ConfigError("cloud must be given to run elsewhere than here. Received: no such section in the config.")
    return config.cloud


def parameters_of(config: RunConfig, cloud: CloudSettings) -> dict[str, Value]:
    """The parameters of a config's compiled pipeline, each with the value that the config gives it.

    Args:
        config: with data in a bucket.
        cloud: its `cloud` section.

    Raises:
        ConfigError: the section names no data, or no model root though the config pushes.
    """
    values: dict[str, Value] = {DATA_ROOT: _before_placeholder(_given(cloud.data, "data"))}
    if config.trained is None:
        values |= {HEAD_EPOCHS: config.train.head.epochs, FULL_EPOCHS: config.train.full.epochs}
    values |= {
        epochs_of(node_id): steps[-1].training.epochs
        for node_id, steps in recipe_steps(config.compress.recipes).items()
        if steps[-1].training
    }
    values |= {name: _as_yaml(getattr(config.gate.budgets, name)) for name in BUDGETS}
    if config.push is not None:
        values[MODEL_ROOT] = _given(cloud.model_root, "model_root")
    return values


def epochs_of(node_id: str) -> str:
    """The parameter with the epochs of a recipe's step: `epochs_small_1_prune` for `Compressor.small.1-prune`."""
    return RECIPE_EPOCHS + re.sub("[^a-z0-9]", "_", node_id.removeprefix(variant_id("")))


def read_values(given: Sequence[str], parameters: Mapping[str, Value]) -> dict[str, Value]:
    """Values for a run from `name=value` words.

    Args:
        given: the words.
        parameters: of the pipeline, with the values they have otherwise.

    Returns:
        Every parameter with its value.

    Raises:
        ConfigError: a word without `=`, an unknown name, or a value that the parameter can't take.
    """
    values = dict(parameters)
    for word in given:
        name, equals, text = word.partition("=")
        if not equals or name not in parameters:
            raise ConfigError(f"--set must be NAME=VALUE with one of {', '.join(parameters)}. Received: {word}.")
        values[name] = _checked(name, text, parameters[name])
    if values.get(HEAD_EPOCHS) == values.get(FULL_EPOCHS) == 0:
        raise ConfigError("--set must leave some training. Received: head_epochs and full_epochs are both 0.")
    return values


def _checked(name: str, text: str, default: Value) -> Value:
    try:
        if name in BUDGETS:
            Budgets.model_validate({name: yaml.safe_load(text)})
        elif isinstance(default, int):
            number: int = TypeAdapter(int).validate_python(text)
            lowest = 1 if name.startswith(RECIPE_EPOCHS) else 0
            if number < lowest:
                raise ValueError(f"must be at least {lowest}")
            return number
    except (ValidationError, yaml.YAMLError, *NO_VALUE) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ConfigError(f"--set {name}: {said}. Received: {text}.") from error
    return text


def _before_placeholder(path: str) -> str:
    """What does not change from span to span: `gs://b/photos` of `gs://b/photos/day-{SPAN}`."""
    parts = path.split("/")
    first = next((index for index, part in enumerate(parts) if PLACEHOLDER in part), len(parts))
    return "/".join(parts[:first])


def _as_yaml(value: float | str | None) -> str:
    return "null" if value is None else str(value)


def _given(folder: str | None, key: str) -> str:
    if folder is None:
        raise ConfigError(
            f"cloud.{key} must name a gs:// folder to compile the pipeline or to run it in the cloud. Received: none."
        )
    return folder
