"""A run's config as what a deployment needs: the far side, the ramp, the images to check with."""

import io
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from roadworthy.components.pushers.vertex_push import VertexPush
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.deploy_config import DeploySettings
from roadworthy.serving.errors import ConfigError, DataError
from roadworthy.serving.rollout.ramp import Ramp

if TYPE_CHECKING:
    from roadworthy.serving.rollout.actions import Target


def deploy_settings(config: RunConfig) -> DeploySettings:
    """The `deploy` section.

    Raises:
        ConfigError: there is none.
    """
    if config.deploy is None:
        raise ConfigError(f"{config.name}: a deploy section must say where to. Received: none.")
    return config.deploy


def vertex_push(config: RunConfig) -> VertexPush:
    """The `cloud` and `deploy` sections as one value.

    Raises:
        ConfigError: one of them is missing, or the project.
    """
    deploy, cloud = deploy_settings(config), config.cloud
    if cloud is None or cloud.project is None:
        raise ConfigError(f"{config.name}: cloud.project must be given to deploy to Vertex AI. Received: none.")
    shared = deploy.model_dump(
        include={"container", "machine", "private", "explanation", "ramp", "call_s", "operation_s", "poll_s"}
    )
    return VertexPush(
        **shared,
        prediction_address=deploy.prediction_address,
        project=cloud.project,
        region=cloud.region,
        id=deploy.id or config.name,
        staging=deploy.staged(cloud),
        image=cloud.image,
        service_account=cloud.service_account,
        serving_account=cloud.serving_account,
        kms_key=cloud.kms_key,
        labels=cloud.labels,
        commit=_commit(config.output),
    )


def target_of(config: RunConfig, version_dir: Path | None = None, *, run: str | None = None) -> "Target":
    """The far side of a config.

    Args:
        config: with a `deploy` section.
        version_dir: the model to roll out; None where nothing is uploaded.
        run: id of the run that made it.

    Raises:
        RoadworthyError: the config or the model won't do there.
    """
    deploy = deploy_settings(config)
    if deploy.to == "vertex":
        target: Target = vertex_push(config).target(version_dir, run=run)
        return target
    from roadworthy.serving.rollout.model_root import ModelRootTarget

    if config.push is None or deploy.fleet is None:
        missing = "push.model_root" if config.push is None else "deploy.fleet"
        raise ConfigError(f"{config.name}: {missing} must be given to deploy to TF Serving. Received: none.")
    return ModelRootTarget(
        config.push.model_root,
        config.name,
        config_file=deploy.fleet.config_file,
        server=deploy.fleet.server,
        version_dir=version_dir,
        available_s=deploy.operation_s,
    )


def held_images(folder: Path, ramp: Ramp) -> Sequence[bytes]:
    """Images to check with, evenly chosen from all below a folder.

    Raises:
        DataError: there is none, or one can't be read.
    """
    from roadworthy.pipeline.bulk.files import IMAGE_SUFFIXES, find_files

    files = sorted(find_files([str(folder)], stdin=io.StringIO(), suffixes=IMAGE_SUFFIXES)) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder} must hold JPEG or PNG files to check with. Received: none.")
    count = min(len(files), ramp.held_images)
    try:
        return [Path(files[place * len(files) // count]).read_bytes() for place in range(count)]
    except OSError as error:
        raise DataError(f"{folder} must hold readable images. Received: {error}") from error


def _commit(folder: Path) -> str | None:
    """The commit that is checked out where the config lies; None without git or a checkout."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607
            cwd=folder if folder.is_dir() else folder.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
