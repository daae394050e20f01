"""Nodes as a platform starts them: by KFP's ExecutorInput, on a file system that is none of this machine's folders."""

import json

import pytest
from tfx.dsl.io import fileio

from contracts.lengths import picture
from contracts.mean_colour import write_mean_colour
from roadworthy.components.pushers.bucket import publish_remote
from roadworthy.pipeline.container.arguments import read_invocation
from roadworthy.pipeline.container.drive import drive
from roadworthy.pipeline.container.execute import backups_near, execute, main
from roadworthy.serving.errors import DataError, Stopped

MODEL = "title: tfx.Model\ntype: object\n"
EXAMPLES = "title: tfx.Examples\ntype: object\n"
PUSHERS = "roadworthy.components.pushers"


@pytest.fixture
def root(request) -> str:
    return f"ram://{request.node.name}"


def artifact(uri: str, schema: str = MODEL, **metadata) -> dict:
    return {
        "artifacts": [{"name": f"names/{uri}", "uri": uri, "type": {"instanceSchema": schema}, "metadata": metadata}]
    }


def invoked(root: str, *, parameters: dict, outputs: dict, inputs: dict | None = None, types: dict | None = None):
    message = {
        "inputs": {"parameterValues": parameters, "artifacts": inputs or {}},
        "outputs": {"artifacts": outputs, "outputFile": f"{root}/task/executor_output.json"},
    }
    spec = {"parameters": {name: {"parameterType": kind} for name, kind in (types or {}).items()}}
    return [
        "--json_serialized_invocation_args",
        json.dumps(message),
        "--json_serialized_inputs_spec_args",
        json.dumps(spec),
    ]


def told(root: str) -> dict:
    with fileio.open(f"{root}/task/executor_output.json") as file:
        return json.loads(file.read())


def last_pushed(root: str) -> None:
    words = invoked(
        root,
        parameters={"model_root": f"{root}/served", "name": "colours", "run_id": "1"},
        outputs={"model": artifact(f"{root}/model")},
    )
    execute(["--executor_class_path", f"{PUSHERS}.last_pushed.LastPushedExecutor", *words])


def test_a_node_writes_into_a_bucket_and_says_so(root, tmp_path):
    publish_remote(write_mean_colour(tmp_path / "model"), model_root=f"{root}/served", name="colours")

    last_pushed(root)

    assert fileio.exists(f"{root}/model/Format-Serving/model.tflite")
    (made,) = told(root)["artifacts"]["model"]["artifacts"]
    assert (made["name"], made["uri"]) == (f"names/{root}/model", f"{root}/model")


def test_before_the_first_push_the_last_model_is_an_empty_artifact(root):
    last_pushed(root)

    assert not fileio.exists(f"{root}/model/Format-Serving")
    assert list(told(root)["artifacts"]) == ["model"]


def test_a_model_is_pushed_from_bucket_to_bucket(root, tmp_path):
    folder = write_mean_colour(tmp_path / "model")
    for path in folder.rglob("*"):
        if path.is_file():
            target = f"{root}/chosen/Format-Serving/{path.relative_to(folder).as_posix()}"
            fileio.makedirs(target.rpartition("/")[0])
            fileio.copy(str(path), target)
    words = invoked(
        root,
        inputs={
            "model": artifact(f"{root}/chosen"),
            "model_blessing": artifact(f"{root}/blessing", "title: tfx.ModelBlessing\ntype: object\n", blessed=1),
        },
        parameters={"model_root": f"{root}/served", "name": "colours", "run_id": "1"},
        outputs={"pushed_model": artifact(f"{root}/pushed", "title: tfx.PushedModel\ntype: object\n")},
    )

    execute(["--executor_class_path", f"{PUSHERS}.executor.ModelRootPusherExecutor", *words])

    assert fileio.exists(f"{root}/served/colours/1/manifest.json")
    (pushed,) = told(root)["artifacts"]["pushed_model"]["artifacts"]
    assert pushed["metadata"]["pushed_destination"] == f"{root}/served/colours/1"
    assert fileio.exists(f"{root}/pushed/pushed.json")


@pytest.mark.parametrize(("error", "code"), [(Stopped, 143), (DataError, 2)])
def test_a_container_ends_with_one_message_and_the_code_of_its_error(monkeypatch, capsys, error, code):
    def fail(_):
        raise error("what to do")

    monkeypatch.setattr("roadworthy.pipeline.container.execute.execute", fail)
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == code
    assert capsys.readouterr().err == "roadworthy: what to do\n"


def test_a_fault_of_ours_leaves_its_traceback_in_the_platforms_log_without_a_token_in_it(monkeypatch, capsys):
    def fail(_):
        raise RuntimeError("authorization: Bearer planted-token-of-the-test was refused")

    monkeypatch.setattr("roadworthy.pipeline.container.execute.execute", fail)
    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert "RuntimeError: authorization: Bearer … was refused" in (said := capsys.readouterr().err)
    assert "planted-token" not in said


def test_backups_outlive_an_attempt():
    assert backups_near("gs://b/shop/run-1/Trainer_17/model") == "gs://b/shop/run-1/backups"
    assert backups_near("gs://b/shop/run-1/Trainer_18/model/") == "gs://b/shop/run-1/backups"


def test_a_driver_says_what_the_data_is_and_the_node_sees_it(root, tmp_path):
    for day in (2, 10):
        for name in ("temple/1.png", "temple/2.png", "flower/1.png", "flower/2.png"):
            path = tmp_path / f"day-{day}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture(100 + day))
    words = invoked(
        root,
        parameters={
            "input_base": str(tmp_path),
            "input_config": json.dumps({"splits": [{"name": "images", "pattern": "day-{SPAN}"}]}),
        },
        outputs={"examples": artifact(f"{root}/examples", EXAMPLES)},
    )

    drive(read_invocation(words))

    values = told(root)["parameterValues"]
    assert values["span"] == 10
    assert len(values["input_fingerprint"]) == 64
    properties = read_invocation(words).exec_properties
    assert json.loads(properties["input_config"])["splits"][0]["pattern"] == "day-10"
