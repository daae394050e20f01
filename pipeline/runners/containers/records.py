"""What earlier executions made, as one JSON file each: what resolvers and the cache look in."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from tfx.dsl.io import fileio

from roadworthy.models.config import Settings

_FOLDER: Final = "executions"
_CLAUSE: Final = re.compile(r"""(?P<key>[\w.]+)=(?P<value>"[^"]*"|[^\s"]+)""")

ArtifactList = pipeline_spec_pb2.ArtifactList


class Record(Settings):
    """One execution that ended well.

    Attributes:
        task: the node's name in the compiled pipeline.
        cache_key: what it was run on, as one hash.
        outputs: its artifacts by key, each as JSON.
    """

    task: str
    cache_key: str
    outputs: dict[str, list[dict[str, Any]]]


class Records:
    """The executions that are kept below a folder of this machine, the newest first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / _FOLDER

    def add(self, run_id: str, record: Record) -> None:
        """Keeps an execution, whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{run_id}-{record.task}.json"
        aside = path.with_suffix(".writing")
        aside.write_text(record.model_dump_json(indent=2) + "\n")
        aside.replace(path)

    def cached(self, task: str, cache_key: str) -> dict[str, Any] | None:
        """The outputs of the last execution of a task on the same inputs, as long as their folders are there."""
        for record in self._newest_first():
            if (record.task, record.cache_key) == (task, cache_key):
                outputs = {key: _lists(artifacts) for key, artifacts in record.outputs.items()}
                if all(fileio.exists(one.uri) for listed in outputs.values() for one in listed.artifacts):
                    return outputs
        return None

    def latest(self, query: str) -> Any:
        """The newest artifact that a resolver's filter describes, as a list of one or none."""
        wanted = _clauses(query)
        for record in self._newest_first():
            for artifacts in record.outputs.values():
                found = [artifact for artifact in artifacts if _fits(artifact, wanted)]
                if found:
                    return _lists(found[:1])
        return ArtifactList()

    def _newest_first(self) -> Iterator[Record]:
        paths = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in paths:
            yield Record.model_validate_json(path.read_text())


def cache_key(component: Mapping[str, Any], executor_input: Any) -> str:
    """A hash over a node's program, parameters and inputs, but not over where its outputs go."""
    inputs = json_format.MessageToDict(executor_input.inputs)
    document = json.dumps([component, inputs], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def title_of(artifact: Mapping[str, Any]) -> str:
    """The title of an artifact's type, such as tfx.Model."""
    kind = artifact.get("type", {})
    return str(kind.get("schemaTitle") or yaml.safe_load(kind.get("instanceSchema", "{}")).get("title", ""))


def _clauses(query: str) -> dict[str, str]:
    """`schema_title="tfx.Model" AND state=LIVE` as key -> value."""
    parts = query.split(" AND ")
    matches = [_CLAUSE.fullmatch(part.strip()) for part in parts]
    if not all(matches):
        raise ValueError(f"A resolver's filter must be of TFX's kind. Received: {query}.")
    return {match["key"]: match["value"].strip('"') for match in matches if match}


def _fits(artifact: Mapping[str, Any], wanted: Mapping[str, str]) -> bool:
    """Whether an artifact is what is wanted; every kept one is live, since nothing here deletes any."""
    return all(_holds(artifact, key, value) for key, value in wanted.items() if key != "state")


def _holds(artifact: Mapping[str, Any], key: str, value: str) -> bool:
    if key == "schema_title":
        return title_of(artifact) == value
    if key == "name":
        return bool(artifact.get("name") == value)
    match key.split("."):
        case ["metadata", name, "number_value"]:
            return bool(artifact.get("metadata", {}).get(name) == float(value))
        case ["metadata", name, "string_value"]:
            return bool(artifact.get("metadata", {}).get(name) == value)
    raise ValueError(f"A resolver's filter must ask for title, name or metadata. Received: {key}.")


def _lists(artifacts: list[dict[str, Any]]) -> Any:
    return json_format.ParseDict({"artifacts": artifacts}, ArtifactList())
