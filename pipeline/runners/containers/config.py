"""A config's compiled pipeline on this machine, in this machine's folders or in the config's buckets."""

from collections.abc import Callable, Sequence

from roadworthy.components.ingest.component import base_and_pattern
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.compiled.compile import compile_spec
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.parameters import DATA_ROOT, MODEL_ROOT, Value, cloud_of, parameters_of, read_values
from roadworthy.pipeline.platforms import PlatformName
from roadworthy.pipeline.runners.containers.run import run_containers
from roadworthy.pipeline.runners.local import NodeEvent, RunResult


def run_config(
    config: RunConfig,
    *,
    on_event: Callable[[NodeEvent], None],
    values: Sequence[str] = (),
    platform: PlatformName = "vertex",
    in_buckets: bool = False,
) -> RunResult:
    """Compiles a config and executes the result.

    Data and pushed models are where `data.path` and `push.model_root` say, artifacts below `output`; in buckets, where
    the `cloud` section says. Beam runs in the node itself, whatever `cloud.beam` says.

    Args:
        config: checked; without a `cloud` section it is compiled as with an empty one.
        on_event: called when a task starts and again when it ends.
        values: `name=value` words, in place of what the config gives the pipeline's parameters.
        platform: whose kind of pipeline to compile.
        in_buckets: read and write the buckets of the `cloud` section.

    Raises:
        RoadworthyError: as `compile_spec` and `run_containers`; or there are to be buckets and the config names none.
        ContainerFailed: a container failed.
    """
    here = config.output / "containers"
    local = config.model_copy(update={"cloud": _without_beam(config) if in_buckets else _cloud_of(config)})
    spec, _ = compile_spec(local, platform)
    return run_containers(
        spec,
        root=f"{cloud_of(local).pipeline_root}/{config.name}" if in_buckets else str(here),
        records=here / "buckets" if in_buckets else here,
        logs=config.output / "logs",
        parameters=read_values(values, parameters_of(local, cloud_of(local)) if in_buckets else _parameters(local)),
        on_event=on_event,
    )


def _without_beam(config: RunConfig) -> CloudSettings:
    return cloud_of(config).model_copy(update={"beam": None})


def _cloud_of(config: RunConfig) -> CloudSettings:
    """The config's section with something where a bucket has to be named, and no other machines for Beam."""
    given = config.cloud or CloudSettings(pipeline_root="gs://here/pipelines", image="roadworthy")
    _, pattern = base_and_pattern(str(config.data.path))
    data = "gs://here/data" if pattern == "." else f"gs://here/data/{pattern}"
    return given.model_copy(update={"data": data, "model_root": "gs://here/served", "beam": None})


def _parameters(config: RunConfig) -> dict[str, Value]:
    base, _ = base_and_pattern(str(config.data.path))
    found = parameters_of(config, _cloud_of(config)) | {DATA_ROOT: base}
    return found | ({MODEL_ROOT: str(config.push.model_root)} if config.push else {})
