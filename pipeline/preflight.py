"""What can be known to be wrong before anything heavy is imported or written."""

from pathlib import Path

from roadworthy.components.ingest.scan import scan
from roadworthy.models.backbones import check_backbone_name
from roadworthy.models.backbones.weights_file import check_weights_file
from roadworthy.models.config import IMAGENET
from roadworthy.pipeline.config import RunConfig, load_config
from roadworthy.serving.errors import ConfigError, DataError, WeightsError


def load_checked(path: Path) -> RunConfig:
    """Reads a config and checks that what it names is there.

    Raises:
        ConfigError: as `load_config`, or an unknown backbone.
        DataError: nothing says to fetch the data, and its folder is missing, empty, of one class, or has a class with
            a single image.
        WeightsError: the weights file is missing, or has another SHA-256 sum than the config says.
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
    backbone = config.model.backbone
    if backbone.weights in (None, IMAGENET):
        return
    if not Path(backbone.weights).is_file():
        raise WeightsError(
            f"{path}: model.backbone.weights must be imagenet, none or a file. Received: {backbone.weights}."
        )
    if not backbone.weights.endswith((".h5", ".pth")):
        raise WeightsError(
            f"{path}: model.backbone.weights must be a .weights.h5 file, or a .pth file for efficientnet-lite0. "
            f"Received: {backbone.weights}."
        )
    try:
        check_weights_file(Path(backbone.weights), sha256=backbone.weights_sha256)
    except WeightsError as error:
        raise WeightsError(f"{path}: model.backbone.weights: {error}") from error
