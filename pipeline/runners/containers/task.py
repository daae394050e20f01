"""One task of a compiled pipeline: its ExecutorInput, its container's process, and what that left behind."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format
from kfp.local import placeholder_utils
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio

from roadworthy.serving.errors import RoadworthyError

OUTPUT_FILE: Final = "executor_output.json"
_USER_FAULT: Final = 2
_SAID: Final = "roadworthy: "
_PLACEHOLDER: Final = "{{$"
_TAIL_BYTES: Final = 4000


class ContainerFailed(Exception):
    """A container's process ended with an exit code that is no fault of the user's; its log says why."""


@dataclass(frozen=True)
class Surroundings:
    """What placeholders of a run stand for.

    Attributes:
        run_id: the run's name, `{{$.pipeline_job_name}}`.
        root: folder of the pipeline's artifacts, `{{$.pipeline_root}}`, on this machine or in a bucket.
        logs: folder of the run's logs, a file a task.
    """

    run_id: str
    root: str
    logs: Path

    def folder(self, task: str) -> str:
        """Where a task's outputs go."""
        return f"{self.root}/{self.run_id}/{task}"


def executor_input(
    task: str, component: Any, *, parameters: Mapping[str, Any], artifacts: Mapping[str, Any], around: Surroundings
) -> Any:
    """The message a container gets as `{{$}}`.

    Args:
        task: its name.
        component: its ComponentSpec.
        parameters: values by name, placeholders not yet resolved.
        artifacts: ArtifactLists by key.
        around: the run.
    """
    message = pipeline_spec_pb2.ExecutorInput()
    folder = around.folder(task)
    message.outputs.output_file = f"{folder}/{OUTPUT_FILE}"
    for key, spec in component.output_definitions.artifacts.items():
        artifact = message.outputs.artifacts[key].artifacts.add()
        artifact.name, artifact.uri = f"{around.run_id}/{task}/{key}", f"{folder}/{key}"
        artifact.type.CopyFrom(spec.artifact_type)
        artifact.metadata.CopyFrom(spec.metadata)
    for key, listed in artifacts.items():
        message.inputs.artifacts[key].CopyFrom(listed)
    for name, value in parameters.items():
        given = message.inputs.parameter_values[name]
        given.CopyFrom(value)
        if _PLACEHOLDER in given.string_value:
            (given.string_value,) = resolved([given.string_value], message, task, around)
    return message


def resolved(words: Sequence[str], message: Any, task: str, around: Surroundings) -> list[str]:
    """A command line with its placeholders replaced, by KFP's own code."""
    return placeholder_utils.replace_placeholders(  # type: ignore[no-any-return]
        full_command=list(words),
        executor_input_dict=json_format.MessageToDict(message),
        pipeline_resource_name=around.run_id,
        task_resource_name=task,
        pipeline_root=around.root,
        unique_pipeline_id=around.run_id,
    )


def run_process(words: Sequence[str], log: Path) -> None:
    """Runs a container's command line, its output in a log file.

    Raises:
        RoadworthyError: it found a fault of the user's; the message is the container's.
        ContainerFailed: another exit code.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    python = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{python}{os.pathsep}{os.environ.get('PATH', '')}"}
    with log.open("ab") as sink:
        code = subprocess.run(  # noqa: S603
            list(words), stdout=sink, stderr=sink, stdin=subprocess.DEVNULL, env=environment, check=False
        ).returncode
    if code == 0:
        return
    said = _tail(log)
    if code == _USER_FAULT and _SAID in said:
        raise RoadworthyError(said.rpartition(_SAID)[2].strip())
    raise ContainerFailed(f"A container ended with exit code {code}. The end of {log}:\n{said}")


def read_output(message: Any) -> Any:
    """What a container told the platform."""
    with fileio.open(message.outputs.output_file) as file:
        return json_format.Parse(file.read(), pipeline_spec_pb2.ExecutorOutput(), ignore_unknown_fields=True)


def outputs_of(message: Any) -> dict[str, Any]:
    """A task's artifacts after it ended, as ArtifactLists by key."""
    told = read_output(message)
    outputs = {key: _copy(listed) for key, listed in message.outputs.artifacts.items()}
    for key, listed in told.artifacts.items():
        for artifact, said in zip(outputs[key].artifacts, listed.artifacts, strict=True):
            artifact.uri = said.uri or artifact.uri
            artifact.metadata.MergeFrom(said.metadata)
    return outputs


def _copy(listed: Any) -> Any:
    copied = pipeline_spec_pb2.ArtifactList()
    copied.CopyFrom(listed)
    return copied


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").strip()
