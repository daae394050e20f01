"""Executor of `ModelRootPusher`: pushes what the gate blessed."""

from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from roadworthy.components.artifacts import Artifacts
from roadworthy.components.gate.blessing import is_blessed
from roadworthy.components.pushers.bucket import REMOTE, publish_remote
from roadworthy.components.pushers.pushed import PUSHED_FILE, Pushed
from roadworthy.components.serving_check.infra_blessing import has_model, is_infra_blessed
from roadworthy.serving.repository import publish

# The custom properties TFX's own Pusher sets.
PUSHED: Final = "pushed"
DESTINATION: Final = "pushed_destination"
VERSION: Final = "pushed_version"


class ModelRootPusherExecutor(BaseExecutor):
    """Publishes a blessed model below a model root."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes the version, and `pushed.json` into the output artifact."""
        version_dir = blessed_version(input_dict)
        pushed = _push(version_dir, exec_properties) if version_dir else Pushed()
        artifact = artifact_utils.get_single_instance(output_dict["pushed_model"])
        (Path(artifact.uri) / PUSHED_FILE).write_text(pushed.model_dump_json(indent=2) + "\n")
        artifact.set_int_custom_property(PUSHED, int(pushed.version is not None))
        if pushed.version is not None:
            artifact.set_string_custom_property(DESTINATION, pushed.path)
            artifact.set_string_custom_property(VERSION, str(pushed.version))


def blessed_version(input_dict: Artifacts) -> Path | None:
    """The folder to push; None without the gate's blessing or, where there was a rehearsal, without its."""
    model = artifact_utils.get_single_instance(input_dict["model"])
    if not is_blessed(artifact_utils.get_single_instance(input_dict["model_blessing"])):
        return None
    if rehearsed := input_dict.get("infra_blessing"):
        infra_blessing = artifact_utils.get_single_instance(rehearsed)
        if not is_infra_blessed(infra_blessing):
            return None
        if has_model(infra_blessing):
            return Path(path_utils.stamped_model_path(infra_blessing.uri))
    return Path(path_utils.serving_model_dir(model.uri))


def _push(version_dir: Path, exec_properties: dict[str, Any]) -> Pushed:
    model_root, name = exec_properties["model_root"], exec_properties["name"]
    if REMOTE in model_root:
        return publish_remote(version_dir, model_root=model_root, name=name)
    published = publish(version_dir, model_root=Path(model_root), name=name)
    return Pushed(path=str(published.path), version=published.version, already=published.already)
