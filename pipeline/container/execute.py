"""Runs a node's executor as Vertex AI and Kubeflow start it: `python -m roadworthy.pipeline.container.execute …`.

TFX's own entry point does the same, but knows neither our artifact types nor our gate, imports TensorFlow Model
Analysis for every node, and leaves executors with the bucket's URIs.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.orchestration.portable import outputs_utils
from tfx.types.standard_artifacts import ModelBlessing
from tfx.types.standard_component_specs import MODEL_KEY
from tfx.utils import import_utils

from roadworthy.components.gate.blessing import CURRENT_MODEL_ID
from roadworthy.components.trainer.executor import FineTunerExecutor
from roadworthy.models.finetuning.run_fn import BACKUPS
from roadworthy.pipeline.beam.arguments import RUNNER
from roadworthy.pipeline.beam.lost import lost_workers_named
from roadworthy.pipeline.container.arguments import Invocation, read_invocation, write_outputs
from roadworthy.pipeline.container.artifacts import make_output_folders, on_this_machine
from roadworthy.pipeline.container.drive import drive
from roadworthy.pipeline.container.leaving import one_message

_RUNNER: Final = "--runner="
_LOCAL_RUNNERS: Final = ("DirectRunner", RUNNER)


def execute(argv: Sequence[str]) -> None:
    """Runs one executor, and tells the platform what its outputs are.

    Args:
        argv: the arguments TFX's compiler writes for a node.

    Raises:
        RoadworthyError: a fault of the user's; other exceptions of an executor come through as they are.
    """
    invocation = read_invocation(argv)
    if invocation.drive_first:
        drive(invocation)
        invocation = read_invocation(argv)
    executor = _executor(invocation)
    if isinstance(executor, FineTunerExecutor):
        executor.backup_dir = backups_near(invocation.outputs[MODEL_KEY][0].uri)
    with lost_workers_named():
        _do(executor, invocation)
    outputs_utils.tag_output_artifacts_with_version(invocation.outputs)
    _name_blessed_models(invocation)
    write_outputs(invocation)


def _do(executor: BaseExecutor, invocation: Invocation) -> None:
    if _works_on_uris(executor, invocation):
        executor.Do(invocation.inputs, invocation.outputs, invocation.exec_properties)
        return
    with on_this_machine(invocation.inputs, invocation.outputs):
        make_output_folders(invocation.outputs)
        executor.Do(invocation.inputs, invocation.outputs, invocation.exec_properties)


def backups_near(uri: str) -> str:
    """Where training keeps its backups: above the folder of this attempt, so that the next one finds them.

    A node's outputs are on its own machine till it ends. Of `RUN/Trainer_17/model` it is `RUN/backups`.
    """
    return f"{uri.rstrip('/').rsplit('/', 2)[0]}/{BACKUPS}"


def _executor(invocation: Invocation) -> BaseExecutor:
    kind = import_utils.import_class_by_path(invocation.executor)
    task_root = os.path.dirname(invocation.output_file)
    context: dict[str, Any] = {"unique_id": os.path.basename(task_root), "tmp_dir": os.path.join(task_root, ".temp")}
    if issubclass(kind, BaseBeamExecutor):
        return kind(BaseBeamExecutor.Context(beam_pipeline_args=list(invocation.more), **context))
    return kind(BaseExecutor.Context(extra_flags=list(invocation.more), **context))


def _works_on_uris(executor: BaseExecutor, invocation: Invocation) -> bool:
    """Whether Beam workers on other machines read and write the artifacts, which can't see a folder of this one."""
    # Of several the last one counts, as for Beam itself.
    runner = next((word.removeprefix(_RUNNER) for word in reversed(invocation.more) if word.startswith(_RUNNER)), None)
    return isinstance(executor, BaseBeamExecutor) and runner not in (None, *_LOCAL_RUNNERS)


def _name_blessed_models(invocation: Invocation) -> None:
    """A blessing names its model by TFX's id; a resolver of the platform looks for the platform's name."""
    for artifacts in invocation.outputs.values():
        for artifact in artifacts:
            if isinstance(artifact, ModelBlessing) and artifact.has_custom_property(CURRENT_MODEL_ID):
                named = invocation.names[artifact.get_int_custom_property(CURRENT_MODEL_ID)]
                artifact.set_string_custom_property(CURRENT_MODEL_ID, named)


def main() -> None:
    """Leaves with one message and 2 for a fault of the user's, or another code of its own."""
    with one_message():
        execute(sys.argv[1:])


if __name__ == "__main__":
    main()
