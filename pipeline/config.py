"""One YAML file describes a run: read once, checked whole, frozen, passed on. Imports neither TensorFlow nor TFX."""

import difflib
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from roadworthy.components.gate.budgets import GateSettings
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.models.compression.recipe import Prune, Quantize, Recipe, Step
from roadworthy.models.config import ModelSettings, Settings, TrainedModel, TrainingRun, TrainSettings, beside_config
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.deploy_config import DeploySettings
from roadworthy.pipeline.yaml_slip import NO_VALUE, slip
from roadworthy.serving.contract import LABEL_TEXT_KEY
from roadworthy.serving.errors import ConfigError
from roadworthy.serving.redact import names_a_secret

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


Section = TypeVar("Section", bound=BaseModel)
ConfigPath = Annotated[Path, AfterValidator(beside_config)]


class FetchSettings(Settings):
    """A public dataset that is written to `data.path` before the run, unless it is there already."""

    dataset: Literal["fashion-mnist", "mnist"]
    images_per_class: int | None = Field(None, ge=2, description="The first so many of each class; null: all of them.")


class SplitSettings(Settings):
    """Shares of the images, as whole numbers; an image's content decides which split it falls in."""

    train: int = Field(6, ge=1, le=1000)
    val: int = Field(1, ge=1, le=1000)
    test: int = Field(3, ge=1, le=1000)


class DataSettings(Settings):
    """Labelled images: one folder a class."""

    path: ConfigPath = Field(description="Folder with one folder a class; may hold {SPAN}. Relative to this file.")
    fetch: FetchSettings | None = None
    splits: SplitSettings = SplitSettings()
    max_bad_fraction: float = Field(0.01, ge=0, lt=1, description="Share of unreadable images above which a run stops.")

    @model_validator(mode="after")
    def _fetch_needs_one_folder(self) -> "DataSettings":
        if self.fetch is not None and "{" in str(self.path):
            raise ValueError(f"must name one folder when data.fetch is given. Received: {self.path}.")
        return self


class BeamSettings(Settings):
    """How Beam runs the data nodes on this machine."""

    workers: int = Field(1, ge=1, le=256, description="1 runs in this process; more start worker processes.")


class CompressSettings(Settings):
    """The variants to make of the trained model."""

    recipes: tuple[Recipe, ...] = Field(min_length=1)

    @field_validator("recipes")
    @classmethod
    def _names_differ(cls, recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
        names = [recipe.name for recipe in recipes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"must have a name of its own for every recipe. Named twice: {', '.join(twice)}.")
        for place, recipe in enumerate(recipes):
            for earlier in recipes[:place]:
                if recipe.steps == earlier.steps:
                    raise ValueError(f"must differ in their steps. Received: {earlier.name} and {recipe.name} alike.")
        return recipes


class ScorecardSettings(Settings):
    """How variants are measured."""

    latency_calls: int = Field(200, ge=20, le=100_000, description="Timed calls at batch 1, of each model.")
    threads: int = Field(2, ge=1, le=256, description="Threads one call may use.")
    batch: int = Field(32, ge=1, le=4096, description="Images a call while throughput is measured.")
    slices: tuple[str, ...] = Field((LABEL_TEXT_KEY,), description="Features of the examples to slice quality by.")


class PushSettings(Settings):
    """Where a blessed model is published."""

    model_root: ConfigPath = Field(description="MODEL_ROOT/<name>/<version>/ is written. Relative to this file.")


class RunConfig(Settings):
    """A whole run, from labelled images to a published model."""

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,60}$", description="Names the pipeline and the served model.")
    output: ConfigPath = Field(description="Folder for artifacts, metadata and logs. Relative to this file.")
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataSettings
    beam: BeamSettings = BeamSettings()
    trained: TrainedModel | None = Field(None, description="Compress this model; null: fine-tune one.")
    model: ModelSettings = ModelSettings()
    train: TrainSettings = TrainSettings()
    compress: CompressSettings = CompressSettings(
        recipes=(
            Recipe(name="int8", steps=(Step(quantize=Quantize()),)),
            Recipe(name="pruned-int8", steps=(Step(prune=Prune(sparsity=0.5)), Step(quantize=Quantize()))),
        )
    )
    scorecard: ScorecardSettings = ScorecardSettings()
    gate: GateSettings = GateSettings()
    rehearsal: RehearsalSettings | None = Field(
        RehearsalSettings(), description="The chosen model on a real server, before it is pushed; null: without."
    )
    push: PushSettings | None = Field(None, description="Where a blessed model goes; null: nowhere.")
    cloud: CloudSettings | None = Field(None, description="Where --on vertex and --on kubeflow run it.")
    deploy: DeploySettings | None = Field(None, description="Where a model is served, and how its traffic rises.")

    def training_run(self) -> TrainingRun:
        """What the Trainer's `run_fn` needs of this config."""
        return TrainingRun(model=self.model, train=self.train, seed=self.seed)


def load_config(path: Path) -> RunConfig:
    """Reads and checks a run's YAML file.

    Paths in it are relative to the file's own folder and come back absolute.

    Raises:
        ConfigError: the file can't be read, is not YAML, or holds an unknown key, a wrong type or a value out of
            range. The message lists every fault with file, line, key and what was received.
    """
    return _load(path, RunConfig)


def load_recipes(path: Path) -> tuple[Recipe, ...]:
    """Reads and checks a YAML file with nothing but `recipes`, as in a run's `compress`.

    Raises:
        ConfigError: as `load_config`.
    """
    return _load(path, CompressSettings).recipes


def text_of(path: Path) -> str:
    """A config's text.

    Raises:
        ConfigError: it can't be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} must be a readable YAML file in UTF-8. Received: {error}.") from error


def _load(path: Path, section: type[Section]) -> Section:
    text = text_of(path)
    root = None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _refuse_repeated_keys(path, root)
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, *NO_VALUE) as error:
        # Not from the error, which quotes lines and values: beside a slip there may be a password.
        raise ConfigError(f"{path}{slip(error, root)}") from None
    if not isinstance(values, dict):
        kind = "nothing" if values is None else "a list" if isinstance(values, list) else "something else"
        raise ConfigError(f"{path} must hold keys and values, such as 'name: fashion'. Received: {kind}.")
    try:
        return section.model_validate(values, context={"base": path.resolve().parent})
    except ValidationError as error:
        faults = sorted(_causes(error.errors(include_url=False)), key=lambda fault: _line(root, fault["loc"]))
        raise ConfigError("\n".join(_fault(path, root, fault, section) for fault in faults)) from error


def json_schema() -> dict[str, Any]:
    """The config's JSON Schema, for editors and for checks without Python."""
    return {"$schema": SCHEMA_DIALECT, **RunConfig.model_json_schema()}


def _refuse_repeated_keys(path: Path, node: yaml.Node | None) -> None:
    """YAML itself would silently keep the last of two equal keys."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{path}:{line}: a key must be a word. Received: a list or a section.")
            if key.value in seen:
                raise ConfigError(
                    f"{path}:{line}: {key.value} must be given once. Received: twice in the same section."
                )
            seen.add(key.value)
            _refuse_repeated_keys(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(path, item)


def _causes(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leaves out lists called too short only because a fault further down took their items away."""
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short"
        or not any(
            len(other["loc"]) > len(fault["loc"]) and other["loc"][: len(fault["loc"])] == fault["loc"]
            for other in faults
        )
    ]


def _fault(path: Path, root: yaml.Node | None, fault: ErrorDetails, section: type[BaseModel]) -> str:
    loc = fault["loc"]
    where = f"{path}:{_line(root, loc)}: {_dotted(loc)}"
    match fault["type"]:
        case "missing":
            return f"{where} is required and was not given."
        case "extra_forbidden":
            return f"{where} is not a known key.{_closest(str(loc[-1]), _known_keys(loc[:-1], section))}"
        case "value_error":
            return f"{where} {fault['ctx']['error']}"
    rule = re.sub(r"^\w+ should", "must", fault["msg"]).replace(" after validation", "")
    shown = "…" if any(names_a_secret(str(part)) for part in loc) else _shown(fault["input"])
    return f"{where} {rule}. Received: {shown}.{_percent_hint(fault)}"


def _closest(key: str, known: Sequence[str]) -> str:
    matches = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else f" Known here: {', '.join(known)}."


def _percent_hint(fault: ErrorDetails) -> str:
    """A share given as a percentage is the commonest slip."""
    limit = fault.get("ctx", {}).get("lt", fault.get("ctx", {}).get("le"))
    try:
        value = float(fault["input"])
    except (TypeError, ValueError, OverflowError):
        return ""
    return f" Did you mean {value / 100:g}?" if limit == 1 and 1 < value <= 100 else ""  # noqa: PLR2004


def _shown(value: Any, *, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _dotted(loc: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _line(root: yaml.Node | None, loc: Sequence[int | str]) -> int:
    """The line of the deepest part of `loc` that the file has, from 1."""
    node, line = root, 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            pair = (node.value[part], node.value[part])
        else:
            pair = None
        if pair is None:
            break
        line, node = pair[0].start_mark.line + 1, pair[1]
    return line


def _known_keys(loc: Sequence[int | str], section: type[BaseModel]) -> list[str]:
    for part in loc:
        if isinstance(part, str) and part in section.model_fields:
            section = _section_in(section.model_fields[part].annotation) or section
    return sorted(section.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The first config section in a type such as `tuple[Recipe, ...]` or `Prune | None`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for arg in typing.get_args(annotation) if (found := _section_in(arg))), None)
