"""What can be known to be wrong before anything heavy is imported or written."""

from pathlib import Path

from roadworthy.components.ingest.scan import scan
from roadworthy.models.backbones import check_backbone_name
from roadworthy.models.config import IMAGENET
from roadworthy.pipeline.config import RunConfig, load_config
from roadworthy.serving.errors import ConfigError, DataError, WeightsError


def load_checked(path: Path) -> RunConfig:
    """Reads a config and checks that what it names is there.

    Raises:
        ConfigError: as `load_config`, or an unknown backbone.
        DataError: nothing says to fetch the data, and its folder is missing, empty, of one class, or has a class with
            a single image.
        WeightsError: the weights file is missing.
    """
    config = load_config(path)
    try:
        check_backbone_name(config.model.backbone.name)
    except ConfigError as error:
        raise ConfigError(f"{path}: model.backbone.name: {error}") from error
    _check_data(path, config)
    _check_weights(path, config)
    return config


def _check_data(path: Path, config: RunConfig) -> None:
    """Looks at names and counts only; the images themselves are read by the run."""
    folder = config.data.path
    if config.data.fetch is not None or "{" in str(folder):
        return
    try:
        scan(folder)
    except DataError as error:
        raise DataError(f"{path}: data.path: {error}") from error


def _check_weights(path: Path, config: RunConfig) -> None:
    weights = config.model.backbone.weights
    if weights not in (None, IMAGENET) and not Path(weights).is_file():
        raise WeightsError(f"{path}: model.backbone.weights must be imagenet, null or a file. Received: {weights}.")
