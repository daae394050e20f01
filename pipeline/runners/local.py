"""Runs a pipeline in this process, node by node, and says what each node did.

TFX's LocalDagRunner logs and returns nothing. This one is the same loop over the same launcher; besides, it reports
every node's state, stops at a node whose inputs could not be resolved, and returns where the outputs are.
"""

import datetime
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import compiler, constants
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local import runner_utils
from tfx.orchestration.portable import launcher, runtime_parameter_utils

from roadworthy.pipeline.beam.lost import lost_workers_named

State = Literal["running", "done", "cached", "failed", "skipped"]
_FAILED: Final = metadata_store_pb2.Execution.FAILED
_CACHED: Final = metadata_store_pb2.Execution.CACHED


@dataclass(frozen=True)
class NodeEvent:
    """What a node is doing; `seconds` is the wall time since it started."""

    node: str
    state: State
    seconds: float = 0.0


@dataclass(frozen=True)
class RunResult:
    """What a finished run left behind: node id -> output key -> artifact folders, on this machine or in a bucket."""

    run_id: str
    seconds: float
    events: tuple[NodeEvent, ...]
    outputs: Mapping[str, Mapping[str, tuple[str, ...]]] = field(repr=False)

    def output(self, node: str, key: str) -> str:
        """The folder of a node's one artifact under an output key."""
        (uri,) = self.outputs[node][key]
        return uri


class NodeFailed(Exception):
    """TFX could not resolve a node's inputs; what it logged is in the run's log."""


def run_local(pipeline: tfx_pipeline.Pipeline, *, on_event: Callable[[NodeEvent], None]) -> RunResult:
    """Runs every node of a pipeline in dependency order.

    Args:
        pipeline: with a metadata connection of its own.
        on_event: called when a node starts and again when it ends.

    Returns:
        Where each node's outputs are, cached ones included.

    Raises:
        NodeFailed: a node's inputs could not be resolved.
        RoadworthyError: a node found a fault of the user's; other exceptions of a node come through as they are.
    """
    ir = compiler.Compiler().compile(pipeline)
    run_id = datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="milliseconds")
    runtime_parameter_utils.substitute_runtime_parameter(ir, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id})
    deployment = runner_utils.extract_local_deployment_config(ir)
    started = time.monotonic()
    events: list[NodeEvent] = []
    outputs: dict[str, Mapping[str, tuple[str, ...]]] = {}
    for node in ir.nodes:
        event, outputs[event.node] = _run_node(ir, deployment, node.pipeline_node, on_event)
        events.append(event)
    return RunResult(run_id, time.monotonic() - started, tuple(events), outputs)


def _run_node(
    ir: Any, deployment: Any, node: Any, on_event: Callable[[NodeEvent], None]
) -> tuple[NodeEvent, Mapping[str, tuple[str, ...]]]:
    connection = getattr(
        deployment.metadata_connection_config, deployment.metadata_connection_config.WhichOneof("connection_config")
    )
    node_id, started = node.node_info.id, time.monotonic()

    def report(state: State) -> NodeEvent:
        event = NodeEvent(node_id, state, time.monotonic() - started if state != "running" else 0.0)
        on_event(event)
        return event

    report("running")
    try:
        with lost_workers_named():
            info = launcher.Launcher(
                pipeline_node=node,
                mlmd_connection=metadata.Metadata(connection),
                pipeline_info=ir.pipeline_info,
                pipeline_runtime_spec=ir.runtime_spec,
                executor_spec=runner_utils.extract_executor_spec(deployment, node_id),
                custom_driver_spec=runner_utils.extract_custom_driver_spec(deployment, node_id),
            ).launch()
        state, outputs = _outcome(connection, info.execution_id)
    except BaseException:
        report("failed")
        raise
    if state == _FAILED:
        report("failed")
        raise NodeFailed(f"{node_id} could not resolve its inputs.")
    return report("cached" if state == _CACHED and outputs and not _is_resolver(node) else "done"), outputs


def _is_resolver(node: Any) -> bool:
    """A resolver's every execution is called cached in the store, though it looks anew each time."""
    return str(node.node_info.type.name).endswith("Resolver")


def _outcome(connection: Any, execution_id: int) -> tuple[int, Mapping[str, tuple[str, ...]]]:
    """The state of an execution in the metadata store, and the folders of its outputs."""
    with metadata.Metadata(connection) as handle:
        store = handle.store
        (execution,) = store.get_executions_by_id([execution_id])
        written = [
            event
            for event in store.get_events_by_execution_ids([execution_id])
            if event.type in (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.INTERNAL_OUTPUT)
        ]
        uris = {found.id: found.uri for found in store.get_artifacts_by_id([event.artifact_id for event in written])}
    outputs: dict[str, list[str]] = {}
    for event in written:
        outputs.setdefault(event.path.steps[0].key, []).append(uris[event.artifact_id])
    return execution.last_known_state, {key: tuple(paths) for key, paths in outputs.items()}
