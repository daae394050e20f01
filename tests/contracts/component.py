"""What every TFX component of Roadworthy keeps, checked on one instance of it."""

import json

from google.protobuf.message import Message
from tfx.dsl.compiler.compiler import Compiler
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_driver import BaseDriver as ClassicDriver
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.orchestration.portable.base_driver import BaseDriver
from tfx.proto.orchestration import executable_spec_pb2, pipeline_pb2
from tfx.types import Artifact
from tfx.types.channel import BaseChannel, OutputChannel
from tfx.types.channel_utils import get_individual_channels
from tfx.types.component_spec import ComponentSpec
from tfx.utils import import_utils

EXECUTORS = (executable_spec_pb2.PythonClassExecutableSpec, executable_spec_pb2.BeamExecutableSpec)


def channel_of(artifact_type: type[Artifact], *, uri: str = "/imported") -> BaseChannel:
    """An input for a component under test, as an importer node would provide it.

    Two inputs of one type need two different `uri`s, since the importer's id comes from both.
    """
    importer_id = f"Import{artifact_type.TYPE_NAME}{uri}".replace("/", "_")
    return Importer(source_uri=uri, artifact_type=artifact_type).with_id(importer_id).outputs["result"]


def check_component(component: BaseComponent) -> None:
    """Checks that a component is typed, compiles, is found again by path, and has plain parameters."""
    assert isinstance(component, BaseComponent)
    check_spec(component)
    check_parameters(component)
    deployment = check_compiled(component)
    check_executor(component, deployment)
    check_driver(component, deployment)


def check_spec(component: BaseComponent) -> None:
    """Inputs and outputs are channels of concrete artifact types, under the names the spec declares."""
    assert isinstance(component.spec, ComponentSpec)
    for declared, channels in (
        (component.spec.INPUTS, component.inputs),
        (component.spec.OUTPUTS, component.outputs),
    ):
        assert set(channels) <= set(declared)
        for name, channel in channels.items():
            assert issubclass(channel.type, Artifact), f"{name} is not typed."
            assert issubclass(channel.type, declared[name].type), f"{name} is not of the type the spec declares."
            assert channel.type.TYPE_NAME, f"{name} is of an artifact type without a name."


def check_parameters(component: BaseComponent) -> None:
    """Parameters reach the executor through metadata and JSON, unchanged."""
    for name, value in component.exec_properties.items():
        if isinstance(value, Message) or value is None:
            continue
        assert json.loads(json.dumps(value)) == value, f"parameter {name} does not survive JSON."


def check_compiled(component: BaseComponent) -> pipeline_pb2.IntermediateDeploymentConfig:
    """The component compiles in a pipeline with its upstream nodes; returns where its executor and driver are named."""
    compiled = Compiler().compile(
        Pipeline(
            pipeline_name="contract",
            pipeline_root="/contract",
            components=[*upstream_of(component), component],
            metadata_connection_config=metadata.sqlite_metadata_connection_config(":memory:"),
        )
    )
    nodes = {node.pipeline_node.node_info.id: node.pipeline_node for node in compiled.nodes}
    assert component.id in nodes
    assert set(nodes[component.id].outputs.outputs) == set(component.outputs)
    assert set(nodes[component.id].inputs.inputs) == set(component.inputs)
    deployment = pipeline_pb2.IntermediateDeploymentConfig()
    assert compiled.deployment_config.Unpack(deployment)
    return deployment


def check_executor(component: BaseComponent, deployment: pipeline_pb2.IntermediateDeploymentConfig) -> None:
    """The executor is found by its import path, as a worker on another machine finds it."""
    path = class_path(deployment, component.id)
    found = import_utils.import_class_by_path(path)
    assert issubclass(found, BaseExecutor), f"{path} is not an executor."
    assert path.startswith(("roadworthy.", "tfx.")), f"{path} is not installed with Roadworthy."


def check_driver(component: BaseComponent, deployment: pipeline_pb2.IntermediateDeploymentConfig) -> None:
    """A custom driver, where there is one, is found by its import path."""
    if component.id in deployment.custom_driver_specs:
        spec = executable_spec_pb2.PythonClassExecutableSpec()
        assert deployment.custom_driver_specs[component.id].Unpack(spec)
        driver = import_utils.import_class_by_path(spec.class_path)
        assert issubclass(driver, BaseDriver | ClassicDriver), f"{spec.class_path} is not a driver."


def class_path(deployment: pipeline_pb2.IntermediateDeploymentConfig, node_id: str) -> str:
    """The import path of a node's executor."""
    packed = deployment.executor_specs[node_id]
    for kind in EXECUTORS:
        spec = kind()
        if packed.Unpack(spec):
            inner = getattr(spec, "python_executor_spec", spec)
            return str(inner.class_path)
    raise AssertionError(f"{node_id} has an executor of a kind that can't be imported: {packed.type_url}.")


def upstream_of(node: BaseNode) -> list[BaseNode]:
    """The nodes that produce the inputs of `node`, and theirs, producers first."""
    found: dict[str, BaseNode] = {}
    for channel in node.inputs.values():
        for output in get_individual_channels(channel):
            assert isinstance(output, OutputChannel), f"{node.id} has an input no node produces; use channel_of()."
            found |= {above.id: above for above in [*upstream_of(output.producer_component), output.producer_component]}
    return list(found.values())
