"""What the platform tells a container: KFP's ExecutorInput and the types of the component's inputs, as JSON."""

import argparse
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils as tfx_entrypoint
from tfx.utils import name_utils

from roadworthy.components.data_check.artifacts import DataVerdict
from roadworthy.components.scorecard.artifacts import BaselineArtifact, ScorecardArtifact

Artifacts = dict[str, list[Any]]


@dataclass(frozen=True)
class Invocation:
    """One execution of a node, as the platform asks for it.

    Attributes:
        inputs: artifacts by key; a key may have none.
        outputs: likewise, one each.
        exec_properties: parameters, with what a driver found out.
        output_file: where the platform reads what became of the outputs.
        names: the platform's names of artifacts by the ids TFX calls them by.
        executor: import path of the executor.
        drive_first: whether no driver ran before this container, so that it has to.
        more: further arguments, Beam's among them.
    """

    inputs: Artifacts
    outputs: Artifacts
    exec_properties: dict[str, Any]
    output_file: str
    names: MutableMapping[int, str] = field(default_factory=dict)
    executor: str = ""
    drive_first: bool = False
    more: tuple[str, ...] = ()


def read_invocation(argv: Sequence[str]) -> Invocation:
    """Parses the command line that TFX's compiler writes for a node."""
    known, more = _parser().parse_known_args(argv)
    register_artifact_types()
    message = json_format.Parse(
        known.json_serialized_invocation_args, pipeline_spec_pb2.ExecutorInput(), ignore_unknown_fields=True
    )
    spec = json_format.Parse(
        known.json_serialized_inputs_spec_args, pipeline_spec_pb2.ComponentInputsSpec(), ignore_unknown_fields=True
    )
    _add_driven(message)
    names: dict[int, str] = {}
    return Invocation(
        inputs=tfx_entrypoint.parse_raw_artifact_dict(message.inputs.artifacts, names),
        outputs=tfx_entrypoint.parse_raw_artifact_dict(message.outputs.artifacts, names),
        exec_properties=tfx_entrypoint.parse_execution_properties(
            message.inputs.parameter_values, message.inputs.parameters, spec
        ),
        output_file=message.outputs.output_file,
        names=names,
        executor=known.executor_class_path,
        drive_first=known.drive_first,
        more=tuple(more),
    )


def register_artifact_types() -> None:
    """Makes our own artifact types known by the titles they have in a compiled pipeline.

    TFX takes a title it does not know for an import path, which can't have more than one dot.
    """
    for kind in (DataVerdict, ScorecardArtifact, BaselineArtifact):
        compiler_utils.TITLE_TO_CLASS_PATH[kind.TYPE_NAME] = name_utils.get_full_name(kind)


def write_outputs(invocation: Invocation, *, parameters: Mapping[str, str | float] | None = None) -> None:
    """Tells the platform what the outputs are now, and what a driver found out."""
    message = pipeline_spec_pb2.ExecutorOutput()
    for key, artifacts in tfx_entrypoint.translate_executor_output(invocation.outputs, invocation.names).items():
        message.artifacts[key].CopyFrom(artifacts)
    for key, value in (parameters or {}).items():
        if isinstance(value, str):
            message.parameter_values[key].string_value = value
        else:
            message.parameter_values[key].number_value = value
    fileio.makedirs(invocation.output_file.rpartition("/")[0])
    with fileio.open(invocation.output_file, "w") as file:
        file.write(json_format.MessageToJson(message, sort_keys=True))


def _add_driven(message: Any) -> None:
    """Adds what a driver that ran before left in the output file."""
    if not fileio.exists(message.outputs.output_file):
        return
    with fileio.open(message.outputs.output_file) as file:
        driven = json_format.Parse(file.read(), pipeline_spec_pb2.ExecutorOutput(), ignore_unknown_fields=True)
    for key, value in driven.parameter_values.items():
        message.inputs.parameter_values[key].CopyFrom(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--executor_class_path", default="")
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    parser.add_argument("--drive_first", action="store_true")
    return parser
