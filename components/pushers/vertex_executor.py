"""Executor of `VertexPusher`: what the gate blessed, to all traffic."""

import logging
from pathlib import Path
from typing import Any, Final

from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.types import artifact_utils

from roadworthy.components.artifacts import Artifacts, split_globs
from roadworthy.components.pushers.executor import DESTINATION, PUSHED, VERSION, blessed_version
from roadworthy.components.pushers.vertex_push import VertexPush
from roadworthy.serving.errors import DeployError
from roadworthy.serving.rollout.actions import Action
from roadworthy.serving.rollout.check import Checker
from roadworthy.serving.rollout.digest import digest_label
from roadworthy.serving.rollout.plan import deploying
from roadworthy.serving.rollout.run import Rollout
from roadworthy.serving.rollout.state import CHAMPION

_LOG: Final = logging.getLogger(__name__)


class VertexPusherExecutor(BaseExecutor):
    """Rolls a blessed model out on Vertex AI."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Sets TFX's custom properties of a push on the output artifact.

        Raises:
            DeployError: a check was missed and the version is taken back, or Vertex AI said no.
        """
        artifact = artifact_utils.get_single_instance(output_dict["pushed_model"])
        version_dir = blessed_version(input_dict)
        artifact.set_int_custom_property(PUSHED, int(version_dir is not None))
        if version_dir is None:
            return
        push = VertexPush.model_validate_json(exec_properties["push"])
        endpoint, version = _roll_out(push, version_dir, input_dict["examples"], exec_properties)
        artifact.set_string_custom_property(DESTINATION, endpoint)
        artifact.set_string_custom_property(VERSION, str(version))


def _roll_out(
    push: VertexPush, version_dir: Path, examples: list[Any], exec_properties: dict[str, Any]
) -> tuple[str, int]:
    """The endpoint's resource name and the version that has its traffic."""
    from roadworthy.models.measure.records import first_images

    images = first_images(split_globs(examples, exec_properties["split"]), count=push.ramp.held_images)
    target = push.target(version_dir, run=exec_properties["run_id"])
    plan = deploying(digest_label(version_dir), push.ramp)
    champion = Rollout(target, plan, Checker(images, push.ramp), tell=_log).run().holder(CHAMPION)
    if champion is None:
        raise DeployError(f"{target.endpoint} must have a champion after a rollout. Received: none.")
    return target.endpoint, champion.number


def _log(action: Action) -> None:
    _LOG.info("%s", action)
