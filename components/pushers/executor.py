"""Executor of `ModelRootPusher`: pushes what the gate blessed."""

from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.components.gate.blessing import is_blessed
from roadworthy.components.pushers.pushed import PUSHED_FILE, Pushed
from roadworthy.serving.repository import publish

# The custom properties TFX's own Pusher sets.
_PUSHED: Final = "pushed"
_DESTINATION: Final = "pushed_destination"
_VERSION: Final = "pushed_version"


class ModelRootPusherExecutor(BaseExecutor):
    """Publishes a blessed model below a model root."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes the version, and `pushed.json` into the output artifact."""
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessed = is_blessed(artifact_utils.get_single_instance(input_dict["model_blessing"]))
        pushed = _push(Path(path_utils.serving_model_dir(model.uri)), exec_properties) if blessed else Pushed()
        artifact = artifact_utils.get_single_instance(output_dict["pushed_model"])
        (Path(artifact.uri) / PUSHED_FILE).write_text(pushed.model_dump_json(indent=2) + "\n")
        artifact.set_int_custom_property(_PUSHED, int(pushed.version is not None))
        if pushed.version is not None:
            artifact.set_string_custom_property(_DESTINATION, str(pushed.path))
            artifact.set_string_custom_property(_VERSION, str(pushed.version))


def _push(version_dir: Path, exec_properties: dict[str, Any]) -> Pushed:
    published = publish(version_dir, model_root=Path(exec_properties["model_root"]), name=exec_properties["name"])
    return Pushed(path=published.path, version=published.version, already=published.already)
