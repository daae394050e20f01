from pathlib import Path

import pytest
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types.channel import Channel
from tfx.types.standard_artifacts import Model

from roadworthy.pipeline.runners.local import NodeFailed, run_local
from roadworthy.serving.errors import DataError


@component
def Write(text: OutputArtifact[Model], words: Parameter[str]):  # noqa: N802
    Path(text.uri, "text").write_text(words)


@component
def Shout(text: InputArtifact[Model], loud: OutputArtifact[Model]):  # noqa: N802
    words = Path(text.uri, "text").read_text()
    if not words:
        raise DataError("text must have words. Received: none.")
    Path(loud.uri, "text").write_text(words.upper())


def two_nodes(tmp_path: Path, words: str) -> Pipeline:
    write = Write(words=words)
    return Pipeline(
        pipeline_name="speech",
        pipeline_root=str(tmp_path / "artifacts"),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")),
        components=[write, Shout(text=write.outputs["text"])],
        enable_cache=True,
    )


def run(tmp_path: Path, words: str):
    events = []
    result = run_local(two_nodes(tmp_path, words), on_event=events.append)
    return result, [(event.node, event.state) for event in events]


def test_nodes_run_in_order_and_their_outputs_are_found(tmp_path):
    result, events = run(tmp_path, "hello")

    assert events == [("Write", "running"), ("Write", "done"), ("Shout", "running"), ("Shout", "done")]
    assert (Path(result.output("Shout", "loud")) / "text").read_text() == "HELLO"


def test_a_second_run_is_cached_and_finds_the_first_ones_outputs(tmp_path):
    first, _ = run(tmp_path, "hello")

    second, events = run(tmp_path, "hello")

    assert [state for _, state in events] == ["running", "cached", "running", "cached"]
    assert second.output("Shout", "loud") == first.output("Shout", "loud")


def test_a_changed_parameter_runs_again(tmp_path):
    run(tmp_path, "hello")

    result, events = run(tmp_path, "goodbye")

    assert [state for _, state in events] == ["running", "done", "running", "done"]
    assert (Path(result.output("Shout", "loud")) / "text").read_text() == "GOODBYE"


def test_a_nodes_own_error_comes_through_and_its_outputs_are_gone(tmp_path):
    events = []
    with pytest.raises(DataError, match="text must have words"):
        run_local(two_nodes(tmp_path, ""), on_event=events.append)

    assert [(event.node, event.state) for event in events][-1] == ("Shout", "failed")
    assert list((tmp_path / "artifacts" / "Shout" / "loud").glob("*")) == []


def test_a_run_goes_on_after_the_node_that_failed(tmp_path):
    with pytest.raises(DataError):
        run_local(two_nodes(tmp_path, ""), on_event=lambda event: None)
    (text,) = (tmp_path / "artifacts" / "Write" / "text").glob("*")
    (text / "text").write_text("mended")

    result, events = run(tmp_path, "")

    assert events[1] == ("Write", "cached")
    assert (Path(result.output("Shout", "loud")) / "text").read_text() == "MENDED"


def test_inputs_that_are_missing_stop_the_run(tmp_path):
    shout = Shout(text=Channel(type=Model))
    pipeline = Pipeline(
        pipeline_name="speech",
        pipeline_root=str(tmp_path / "artifacts"),
        metadata_connection_config=metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite")),
        components=[shout],
    )
    events = []

    with pytest.raises(NodeFailed, match="Shout could not resolve its inputs"):
        run_local(pipeline, on_event=events.append)

    assert [event.state for event in events] == ["running", "failed"]
