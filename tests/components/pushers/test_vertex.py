import pytest
import tensorflow as tf
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, PushedModel

from contracts.component import channel_of, check_compiled, check_driver, check_executor, check_spec
from contracts.vertex.colours import colour_images, push_settings, write_colours
from roadworthy.components.gate.blessing import write_blessing
from roadworthy.components.pushers.vertex import VertexPusher
from roadworthy.components.pushers.vertex_executor import VertexPusherExecutor
from roadworthy.serving.contract import IMAGE_KEY
from roadworthy.serving.errors import DeployError


@pytest.fixture
def push(vertex, monkeypatch):
    monkeypatch.setenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", f"https://{vertex.address}/")
    return push_settings()


@pytest.fixture
def examples(tmp_path):
    (tmp_path / "examples" / "Split-test").mkdir(parents=True)
    path = str(tmp_path / "examples" / "Split-test" / "data.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for image in colour_images():
            example = tf.train.Example()
            example.features.feature[IMAGE_KEY].bytes_list.value.append(image)
            writer.write(example.SerializeToString())
    made = artifact(Examples, tmp_path / "examples")
    made.split_names = '["test"]'
    return made


def artifact(kind, folder):
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def run(tmp_path, examples, push, name, *, blessed=True, mixed_up=False):
    model = artifact(Model, tmp_path / name)
    write_colours(tmp_path / name / "Format-Serving", mixed_up=mixed_up)
    blessing = artifact(ModelBlessing, tmp_path / f"{name}-blessing")
    write_blessing(blessing, model if blessed else None)
    pushed = artifact(PushedModel, tmp_path / f"{name}-pushed")
    VertexPusherExecutor().Do(
        {"model": [model], "model_blessing": [blessing], "infra_blessing": [], "examples": [examples]},
        {"pushed_model": [pushed]},
        {"push": push.model_dump_json(), "split": "test", "run_id": f"run-{name}"},
    )
    return pushed


def test_it_keeps_the_component_contract():
    inputs = {"model": channel_of(Model), "model_blessing": channel_of(ModelBlessing), "examples": channel_of(Examples)}
    pusher = VertexPusher(**inputs, push=push_settings())
    check_spec(pusher)
    deployment = check_compiled(pusher)
    check_executor(pusher, deployment)
    check_driver(pusher, deployment)


def test_a_blessed_model_gets_the_traffic_and_a_worse_one_fails_the_node(tmp_path, push, examples, vertex):
    pushed = run(tmp_path, examples, push.model_copy(update={"commit": "abc123"}), "first")
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination").endswith("/endpoints/colours")
    assert pushed.get_string_custom_property("pushed_version") == "1"
    labels = push.target().look().versions[0].labels
    assert (labels["roadworthy-run"], labels["roadworthy-commit"]) == ("run-first", "abc123")
    with pytest.raises(DeployError, match="champion's label"):
        run(tmp_path, examples, push, "second", mixed_up=True)
    assert [(one.version, one.percent) for one in push.target().look().deployed] == [(1, 100)]


def test_without_a_blessing_vertex_ai_is_not_asked(tmp_path, push, examples, vertex):
    pushed = run(tmp_path, examples, push, "first", blessed=False)
    assert pushed.get_int_custom_property("pushed") == 0
    assert vertex.calls == []
