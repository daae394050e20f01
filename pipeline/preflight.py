"""What can be known to be wrong before anything heavy is imported or written."""

from collections.abc import Callable, Iterator
from pathlib import Path

from roadworthy.components.ingest.scan import scan
from roadworthy.models.backbones import check_backbone_name
from roadworthy.models.backbones.weights_file import check_weights_file
from roadworthy.models.compression.recipe import Recipe
from roadworthy.models.config import IMAGENET, RANDOM, BackboneSettings, TrainedModel
from roadworthy.models.keras_file import check_keras_file
from roadworthy.models.module_file import check_module_file
from roadworthy.pipeline.config import RunConfig, load_config
from roadworthy.serving.errors import ConfigError, DataError, ModelError, WeightsError

# How messages call a key of the config, such as `data.path`: with its file, or as the command line calls it.
Told = Callable[[str], str]


def load_checked(path: Path) -> RunConfig:
    """Reads a config and checks that what it names is there.

    Raises:
        ConfigError: as `load_config`, or an unknown backbone.
        DataError: nothing says to fetch the data, and its folder is missing, empty, of one class, or has a class with
            a single image.
        WeightsError: the weights file, or the trained model's, is missing or has another SHA-256 sum than the config
            says.
        ModelError: the trained model's file is damaged, or holds code of its own.
    """
    return check_inputs(load_config(path), told=lambda key: f"{path}: {key}")


def check_inputs(config: RunConfig, *, told: Told) -> RunConfig:
    """Checks that what a config names is there.

    Args:
        config: of well-formed values.
        told: how messages call its keys.

    Returns:
        The config, with the sums of the trained model's file and of its module file if it names them.

    Raises:
        RoadworthyError: as `load_checked`.
    """
    for where, backbone in backbones(config):
        try:
            check_backbone_name(backbone.name)
        except ConfigError as error:
            raise ConfigError(f"{told(where + '.name')}: {error}") from error
        _check_weights(told, where, backbone)
    _check_data(told, config)
    return _with_sums(told, config)


def check_trained(config: RunConfig, *, told: Told) -> None:
    """Reads the trained model that a config names as the run will, so that a wrong one is refused before data is read.

    Imports TensorFlow, and runs the config's `module_file`.

    Args:
        config: checked by `check_inputs`; one that names no trained model passes.
        told: how messages call its keys.

    Raises:
        ModelError: the file holds no classifier of the data's classes, or a step that needs TF-MOT can't take a layer.
    """
    if config.trained is None:
        return
    from roadworthy.models.bridge.translation import to_tf_keras
    from roadworthy.models.finetuning.adopt import read_trained

    try:
        model = read_trained(config.trained, classes=len(scan(config.data.path).labels))
        if any(_bridges_first(recipe) for recipe in config.compress.recipes):
            to_tf_keras(model)
    except ModelError as error:
        raise type(error)(f"{told('trained.path')}: {error}") from error


def _bridges_first(recipe: Recipe) -> bool:
    """Whether TF-MOT takes the trained model as it is, not a student of it."""
    first = recipe.steps[0]
    return first.kind in {"prune", "cluster"} or (first.quantize is not None and first.quantize.qat is not None)


def backbones(config: RunConfig) -> Iterator[tuple[str, BackboneSettings]]:
    """The backbone that is trained, and the students of recipes, each with its key."""
    if config.trained is None:
        yield "model.backbone", config.model.backbone
    for place, recipe in enumerate(config.compress.recipes):
        for number, step in enumerate(recipe.steps):
            if step.distill is not None and step.distill.student is not None:
                key = f"compress.recipes[{place}].steps[{number}].distill.student.backbone"
                yield key, step.distill.student.backbone


def _with_sums(told: Told, config: RunConfig) -> RunConfig:
    """The config with the sums of the trained model's files, so that a changed file is compressed anew."""
    trained = config.trained
    if trained is None:
        return config
    try:
        sha256 = check_weights_file(trained.path, sha256=trained.sha256)
    except WeightsError as error:
        raise WeightsError(f"{told('trained.path')}: {error}") from error
    try:
        check_keras_file(trained.path)
    except ModelError as error:
        raise ModelError(f"{told('trained.path')}: {error}") from error
    sums = {"sha256": sha256, "module_sha256": _module_sum(told, trained)}
    return config.model_copy(update={"trained": trained.model_copy(update=sums)})


def _module_sum(told: Told, trained: TrainedModel) -> str | None:
    """The sum of the file that registers the model's layers, which is looked at but not run."""
    if trained.module_file is None:
        return None
    try:
        check_module_file(trained.module_file)
        return check_weights_file(trained.module_file, sha256=trained.module_sha256)
    except (ModelError, WeightsError) as error:
        raise type(error)(f"{told('trained.module_file')}: {error}") from error


def _check_data(told: Told, config: RunConfig) -> None:
    """Looks at names and counts only; the images themselves are read by the run."""
    folder = config.data.path
    if config.data.fetch is not None or "{" in str(folder):
        return
    try:
        scan(folder)
    except DataError as error:
        raise DataError(f"{told('data.path')}: {error}") from error


def _check_weights(told: Told, where: str, backbone: BackboneSettings) -> None:
    if backbone.weights in (RANDOM, IMAGENET):
        return
    if not Path(backbone.weights).is_file():
        raise WeightsError(
            f"{told(where + '.weights')} must be imagenet, none or a file. Received: {backbone.weights}."
        )
    if not backbone.weights.endswith((".h5", ".pth")):
        raise WeightsError(
            f"{told(where + '.weights')} must be a .weights.h5 file, or a .pth file for efficientnet-lite0. "
            f"Received: {backbone.weights}."
        )
    try:
        check_weights_file(Path(backbone.weights), sha256=backbone.weights_sha256)
    except WeightsError as error:
        raise WeightsError(f"{told(where + '.weights')}: {error}") from error
