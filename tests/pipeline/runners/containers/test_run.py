"""A small PipelineSpec of the tests' own, whose containers are Python one-liners."""

import json
import sys
from pathlib import Path

import pytest

from roadworthy.pipeline.runners.containers.run import run_containers
from roadworthy.pipeline.runners.containers.task import ContainerFailed
from roadworthy.serving.errors import RoadworthyError

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}
# Writes the word beside whatever the input holds, and tells the platform of a property.
WRITE = """
import json, pathlib, sys
told, word = json.loads(sys.argv[1]), sys.argv[2]
inputs = told.get("inputs", {}).get("artifacts", {}).values()
read = [one["uri"] for listed in inputs for one in listed.get("artifacts", [])]
before = "".join(pathlib.Path(uri, "text").read_text() for uri in read)
made = told["outputs"]["artifacts"]["text"]["artifacts"][0]
folder = pathlib.Path(made["uri"])
folder.mkdir(parents=True)
(folder / "text").write_text(before + word)
told_back = {"artifacts": {"text": {"artifacts": [{"uri": made["uri"], "metadata": {"letters": len(before + word)}}]}}}
pathlib.Path(told["outputs"]["outputFile"]).write_text(json.dumps(told_back))
print("wrote", word)
"""
REFUSE = "import sys; print('roadworthy: words must be kind. Received: none.', file=sys.stderr); sys.exit(2)"


def container(*command: str) -> dict:
    return {"container": {"image": "none", "command": ["python", "-c"], "args": list(command)}}


def writer(word: str) -> dict:
    return container(WRITE, "{{$}}", word)


def spec(executors: dict, tasks: dict) -> dict:
    """Components that are all alike; tasks by name, each with what it says beside its component."""
    ports = {
        "inputDefinitions": {"artifacts": {"before": {"artifactType": MODEL, "isOptional": True}}},
        "outputDefinitions": {"artifacts": {"text": {"artifactType": MODEL}}},
    }
    return {
        "pipelineInfo": {"name": "words"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tests",
        "components": {name: {"executorLabel": name, **ports} for name in executors},
        "deploymentSpec": {"executors": executors},
        "root": {
            "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING", "defaultValue": "default"}}},
            "dag": {"tasks": {name: {"componentRef": {"name": name}, **more} for name, more in tasks.items()}},
        },
    }


def after(producer: str, **more) -> dict:
    source = {"taskOutputArtifact": {"producerTask": producer, "outputArtifactKey": "text"}}
    return {"inputs": {"artifacts": {"before": source}}, "dependentTasks": [producer], **more}


@pytest.fixture
def run(tmp_path):
    def run(document: dict, **parameters):
        events = []
        result = run_containers(
            document,
            root=str(tmp_path / "root"),
            records=tmp_path / "root",
            logs=tmp_path / "logs",
            parameters=parameters,
            on_event=lambda event: events.append((event.node, event.state)),
        )
        return result, [event for event in events if event[1] != "running"]

    return run


def text(result, task: str) -> str:
    return Path(result.output(task, "text"), "text").read_text()


def test_tasks_run_after_what_they_read(run):
    result, events = run(spec({"b": writer("one "), "a": writer("two")}, {"a": after("b"), "b": {}}))

    assert events == [("b", "done"), ("a", "done")]
    assert text(result, "a") == "one two"


def test_parameters_and_placeholders_reach_the_command_line(run, tmp_path):
    words = writer("{{$.inputs.parameters['word']}} {{$.pipeline_job_name}} {{$.pipeline_root}}")
    task = {"inputs": {"parameters": {"word": {"componentInputParameter": "word"}}}}

    result, _ = run(spec({"a": words}, {"a": task}), word="given")

    assert text(result, "a") == f"given {result.run_id} {tmp_path / 'root'}"
    assert text(run(spec({"a": words}, {"a": task}))[0], "a").startswith("default ")


def test_a_parameter_that_the_pipeline_has_not_is_refused(run):
    with pytest.raises(ValueError, match="no parameter words"):
        run(spec({"a": writer("x")}, {"a": {}}), words="x")


def test_a_task_whose_condition_does_not_hold_is_skipped_and_so_is_what_reads_it(run):
    condition = "(inputs.artifacts['before'].artifacts[0].metadata['letters'] == {}.0)"
    tasks = {
        "a": {},
        "b": after("a", triggerPolicy={"condition": condition.format(4)}),
        "c": after("b"),
        "d": after("a", triggerPolicy={"condition": condition.format(3)}),
    }

    _, events = run(spec({name: writer("abc") for name in "abcd"}, tasks))

    assert dict(events) == {"a": "done", "b": "skipped", "c": "skipped", "d": "done"}


def test_unchanged_tasks_come_from_the_cache_where_the_spec_allows_it(run):
    cached = {"cachingOptions": {"enableCache": True}}
    document = spec({"a": writer("one"), "b": writer("two")}, {"a": cached, "b": after("a")})
    first, _ = run(document)

    second, events = run(document)

    assert events == [("a", "cached"), ("b", "done")]
    assert second.output("a", "text") == first.output("a", "text")
    assert run(spec({"a": writer("else")}, {"a": cached}))[1] == [("a", "done")]


def test_a_resolver_finds_the_newest_artifact_and_none_before_there_is_any(run):
    queries = {"text": {"filter": 'schema_title="tfx.Model" AND state=LIVE AND metadata.letters.number_value=3'}}
    document = spec(
        {"last": {"resolver": {"outputArtifactQueries": queries}}, "a": writer("abc")},
        {"last": {}, "a": after("last")},
    )

    first, _ = run(document)
    second, _ = run(document)
    third, _ = run(document)

    assert first.outputs["last"]["text"] == ()
    assert second.output("last", "text") == first.output("a", "text")
    assert text(second, "a") == "abcabc"
    assert third.output("last", "text") == first.output("a", "text"), "The second wrote six letters."


def test_an_importer_brings_what_is_there_already(run, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "text").write_text("old ")
    importer = {"importer": {"artifactUri": {"constant": str(tmp_path / "old")}, "typeSchema": MODEL}}

    result, _ = run(spec({"old": importer, "a": writer("new")}, {"old": {}, "a": after("old")}))

    assert text(result, "a") == "old new"


def test_a_custom_jobs_container_runs_like_any_other(run):
    inner = writer("job")["container"]
    job = {"customJob": {"customJob": {"jobSpec": {"workerPoolSpecs": [{"containerSpec": inner}]}}}}

    assert text(run(spec({"a": job}, {"a": {}}))[0], "a") == "job"


def test_what_a_container_says_of_the_users_fault_comes_through(run):
    with pytest.raises(RoadworthyError, match=r"^words must be kind. Received: none.$"):
        run(spec({"a": container(REFUSE)}, {"a": {}}))


def test_a_container_that_fails_is_tried_again_as_often_as_the_spec_says(run, tmp_path):
    count = f"import pathlib, sys; p = pathlib.Path({str(tmp_path / 'tries')!r}); p.open('a').write('x'); sys.exit(3)"
    task = {"retryPolicy": {"maxRetryCount": 2}}

    with pytest.raises(ContainerFailed, match="exit code 3"):
        run(spec({"a": container(count)}, {"a": task}))
    assert (tmp_path / "tries").read_text() == "xxx"


def test_a_driver_runs_before_the_cache_is_looked_into(run):
    drive = (
        "import json, pathlib, sys; told = json.loads(sys.argv[1]);"
        "pathlib.Path(told['outputs']['outputFile']).write_text(json.dumps({'parameterValues': {'seen': sys.argv[2]}}))"
    )

    def driven(seen: str) -> dict:
        executor = writer("x")
        hook = {"command": ["python", "-c"], "args": [drive, "{{$}}", seen]}
        executor["container"]["lifecycle"] = {"preCacheCheck": hook}
        return spec({"a": executor}, {"a": {"cachingOptions": {"enableCache": True}}})

    states = [run(driven(seen))[1][0][1] for seen in ("monday", "monday", "tuesday")]

    assert states == ["done", "cached", "done"]


def test_logs_are_kept_a_file_a_task(run, tmp_path):
    result, _ = run(spec({"a": writer("hello")}, {"a": {}}))

    assert (tmp_path / "logs" / result.run_id / "a.log").read_text() == "wrote hello\n"


def test_the_python_of_a_container_is_this_one(run, tmp_path):
    say = f"import pathlib, sys; pathlib.Path({str(tmp_path / 'python')!r}).write_text(sys.prefix); sys.exit(3)"

    with pytest.raises(ContainerFailed):
        run(spec({"a": container(say)}, {"a": {}}))
    assert (tmp_path / "python").read_text() == sys.prefix


def test_nothing_of_a_half_written_record_is_left(run, tmp_path):
    run(spec({"a": writer("x")}, {"a": {}}))

    (record,) = (tmp_path / "root" / "executions").iterdir()
    assert json.loads(record.read_text())["task"] == "a"
