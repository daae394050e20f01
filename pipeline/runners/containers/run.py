"""Executes a PipelineSpec task by task, with order, conditions, cache, retries, importers and resolvers of a cloud."""

import datetime
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio

from roadworthy.pipeline.runners.containers.conditions import holds
from roadworthy.pipeline.runners.containers.records import Record, Records, cache_key
from roadworthy.pipeline.runners.containers.task import (
    ContainerFailed,
    Surroundings,
    executor_input,
    outputs_of,
    read_output,
    resolved,
    run_process,
)
from roadworthy.pipeline.runners.local import NodeEvent, RunResult, State

Outputs = dict[str, Any]


def run_containers(
    spec: Mapping[str, Any],
    *,
    root: str,
    records: Path,
    logs: Path,
    parameters: Mapping[str, int | str],
    on_event: Callable[[NodeEvent], None],
    run_id: str | None = None,
) -> RunResult:
    """Runs every task of a compiled pipeline in dependency order.

    Args:
        spec: the PipelineSpec, JSON-able.
        root: folder for artifacts, on this machine or in a bucket.
        records: folder of this machine in which executions are kept, for the cache and for resolvers.
        logs: a folder with a log file a task is made in it.
        parameters: values of the pipeline's parameters; those left out have their defaults.
        on_event: called when a task starts and again when it ends.
        run_id: the run's name; None: the time.

    Returns:
        Where each task's outputs are, cached ones included.

    Raises:
        RoadworthyError: a container found a fault of the user's.
        ContainerFailed: a container failed.
        ValueError: the spec has something that can't be executed here.
    """
    run_id = run_id or f"{datetime.datetime.now(tz=datetime.UTC):%Y%m%dT%H%M%S%f}"
    run = _Run(spec, Surroundings(run_id, root, logs / run_id), Records(records), parameters, on_event)
    started = time.monotonic()
    events = tuple(run.task(name) for name in run.order())
    outputs = {
        task: {key: tuple(one.uri for one in listed.artifacts) for key, listed in made.items()}
        for task, made in run.outputs.items()
    }
    return RunResult(run_id, time.monotonic() - started, events, outputs)


@dataclass
class _Run:
    """A pipeline that is being executed."""

    document: Mapping[str, Any]
    around: Surroundings
    records: Records
    given: Mapping[str, int | str]
    on_event: Callable[[NodeEvent], None]
    outputs: dict[str, Outputs] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = json_format.ParseDict(dict(self.document), pipeline_spec_pb2.PipelineSpec())
        self.tasks = self.spec.root.dag.tasks
        self.deployment = json_format.ParseDict(
            json_format.MessageToDict(self.spec.deployment_spec), pipeline_spec_pb2.PipelineDeploymentConfig()
        )
        definitions = self.spec.root.input_definitions.parameters
        if unknown := sorted(set(self.given) - set(definitions)):
            raise ValueError(f"The pipeline has no parameter {', '.join(unknown)}.")
        self.parameters = {
            name: _value(self.given[name]) if name in self.given else definition.default_value
            for name, definition in definitions.items()
        }

    def order(self) -> Iterator[str]:
        """Names of tasks, each after those it depends on."""
        return iter(
            TopologicalSorter({name: sorted(_upstream(self.tasks[name])) for name in sorted(self.tasks)}).static_order()
        )

    def task(self, name: str) -> NodeEvent:
        """Runs one task and says what became of it."""
        started = time.monotonic()

        def report(state: State) -> NodeEvent:
            event = NodeEvent(name, state, time.monotonic() - started if state != "running" else 0.0)
            self.on_event(event)
            return event

        report("running")
        try:
            state, self.outputs[name] = self._made(name)
        except BaseException:
            report("failed")
            raise
        return report(state)

    def _made(self, name: str) -> tuple[State, Outputs]:
        task = self.tasks[name]
        component = self.spec.components[task.component_ref.name]
        executor = self.deployment.executors[component.executor_label]
        artifacts = self._input_artifacts(task)
        if self._left_out(task, artifacts):
            return "skipped", {}
        match executor.WhichOneof("spec"):
            case "resolver":
                return "done", self._resolved(executor.resolver, artifacts)
            case "importer":
                return "done", self._imported(name, component, executor.importer, task)
            case "container":
                command, args, hook = executor.container.command, executor.container.args, executor.container.lifecycle
                return self._executed(name, component, [*command, *args], hook.pre_cache_check, artifacts)
            case "custom_job":
                pools = json_format.MessageToDict(executor.custom_job.custom_job)["jobSpec"]["workerPoolSpecs"]
                container = pools[0]["containerSpec"]
                return self._executed(name, component, [*container["command"], *container["args"]], None, artifacts)
        raise ValueError(f"{name} must have a container, a custom job, a resolver or an importer.")

    def _executed(
        self, name: str, component: Any, words: list[str], hook: Any, artifacts: Outputs
    ) -> tuple[State, Outputs]:
        task, log = self.tasks[name], self.around.logs / f"{name}.log"
        message = executor_input(
            name, component, parameters=self._input_parameters(task), artifacts=artifacts, around=self.around
        )
        fileio.makedirs(self.around.folder(name))
        if hook is not None and hook.command:
            run_process(resolved([*hook.command, *hook.args], message, name, self.around), log)
            _add_driven(message)
        key = cache_key({"words": words}, message)
        if task.caching_options.enable_cache and (cached := self.records.cached(name, key)) is not None:
            return "cached", cached
        self._attempts(resolved(words, message, name, self.around), log, task.retry_policy.max_retry_count)
        outputs = outputs_of(message)
        kept = {output: json_format.MessageToDict(listed)["artifacts"] for output, listed in outputs.items()}
        self.records.add(self.around.run_id, Record(task=name, cache_key=key, outputs=kept))
        return "done", outputs

    @staticmethod
    def _attempts(words: list[str], log: Path, retries: int) -> None:
        for left in range(retries, -1, -1):
            try:
                run_process(words, log)
                return
            except ContainerFailed:
                if not left:
                    raise

    def _resolved(self, resolver: Any, artifacts: Outputs) -> Outputs:
        """What a query finds; nothing where it asks about an input that is itself not there."""
        found = {}
        for key, query in resolver.output_artifact_queries.items():
            if any(not listed.artifacts for listed in artifacts.values()):
                found[key] = pipeline_spec_pb2.ArtifactList()
                continue
            message = executor_input(
                "resolver", pipeline_spec_pb2.ComponentSpec(), parameters={}, artifacts=artifacts, around=self.around
            )
            (words,) = resolved([query.filter], message, "resolver", self.around)
            found[key] = self.records.latest(words)
        return found

    def _imported(self, name: str, component: Any, importer: Any, task: Any) -> Outputs:
        ((key, spec),) = component.output_definitions.artifacts.items()
        uri = importer.artifact_uri
        value = (
            self._input_parameters(task)[uri.runtime_parameter]
            if uri.WhichOneof("value") == "runtime_parameter"
            else uri.constant
        )
        listed = pipeline_spec_pb2.ArtifactList()
        artifact = listed.artifacts.add()
        artifact.name, artifact.uri = f"{self.around.run_id}/{name}/{key}", value.string_value
        artifact.type.CopyFrom(spec.artifact_type)
        artifact.metadata.CopyFrom(importer.metadata)
        return {key: listed}

    def _left_out(self, task: Any, artifacts: Outputs) -> bool:
        """Whether its condition does not hold, or a task it depends on was left out."""
        if any(self._was_left_out(upstream) for upstream in _upstream(task)):
            return True
        condition = task.trigger_policy.condition
        plain = {key: json_format.MessageToDict(listed) for key, listed in artifacts.items()}
        return bool(condition) and not holds(condition, plain)

    def _was_left_out(self, name: str) -> bool:
        component = self.spec.components[self.tasks[name].component_ref.name]
        return bool(component.output_definitions.artifacts) and not self.outputs[name]

    def _input_artifacts(self, task: Any) -> Outputs:
        found = {}
        for key, source in task.inputs.artifacts.items():
            producer = source.task_output_artifact
            made = self.outputs[producer.producer_task]
            found[key] = made.get(producer.output_artifact_key, pipeline_spec_pb2.ArtifactList())
        return found

    def _input_parameters(self, task: Any) -> dict[str, Any]:
        return {
            name: self.parameters[source.component_input_parameter]
            if source.WhichOneof("kind") == "component_input_parameter"
            else source.runtime_value.constant
            for name, source in task.inputs.parameters.items()
        }


def _upstream(task: Any) -> set[str]:
    producers = {source.task_output_artifact.producer_task for source in task.inputs.artifacts.values()}
    return producers | set(task.dependent_tasks)


def _add_driven(message: Any) -> None:
    """What a driver found out counts for the cache, as on Vertex AI."""
    for name, value in read_output(message).parameter_values.items():
        message.inputs.parameter_values[name].CopyFrom(value)


def _value(value: int | str) -> Any:
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    return struct_pb2.Value(number_value=value)
