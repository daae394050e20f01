"""Which platform a config's runs are on, and what is sent there."""

import datetime
import re
from collections.abc import Sequence
from typing import Final

from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.parameters import cloud_of, parameters_of, read_values
from roadworthy.pipeline.platforms import PlatformName
from roadworthy.pipeline.runners.cloud.platform import Job, Platform
from roadworthy.serving.errors import ConfigError

_RUN_ID: Final = re.compile("[a-z0-9][a-z0-9-]{0,127}")


def open_platform(config: RunConfig, platform: PlatformName) -> Platform:
    """The platform, not yet connected to.

    Raises:
        ConfigError: the config's `cloud` section lacks what the platform needs.
    """
    cloud = cloud_of(config)
    if platform == "kubeflow":
        from roadworthy.pipeline.runners.cloud.kubeflow import Kubeflow

        return Kubeflow(cloud, name=config.name)
    from roadworthy.pipeline.runners.cloud.vertex import Vertex

    return Vertex(cloud, name=config.name)


def job_of(config: RunConfig, platform: PlatformName, *, values: Sequence[str], run_id: str | None = None) -> Job:
    """The compiled pipeline of a config with the values of one run.

    Args:
        config: checked, with a `cloud` section.
        platform: what will run it.
        values: `name=value` words for parameters that shall not have what the config says.
        run_id: small letters, digits and dashes; None: the config's name and the time.

    Raises:
        ConfigError: as `compile_spec` and `read_values`, or an unfit `run_id`.
    """
    from roadworthy.pipeline.compiled.compile import compile_spec

    run_id = run_id or f"{config.name}-{datetime.datetime.now(tz=datetime.UTC):%Y%m%d-%H%M%S}"
    if not _RUN_ID.fullmatch(run_id):
        raise ConfigError(f"--run-id must be small letters, digits and dashes, at most 128. Received: {run_id}.")
    parameters = read_values(values, parameters_of(config, cloud_of(config)))
    spec, kubernetes = compile_spec(config, platform)
    return Job(spec, kubernetes, parameters, run_id)
