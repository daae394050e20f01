import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.utils import import_utils

from roadworthy.components.pushers.vertex_push import VertexPush
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.models.config import TrainedModel
from roadworthy.models.finetuning import adopt
from roadworthy.models.finetuning.run_fn import run_fn
from roadworthy.pipeline.beam.arguments import beam_arguments
from roadworthy.pipeline.build import ADOPT_FN, RUN_FN, build_pipeline
from roadworthy.pipeline.cloud_config import CloudSettings
from roadworthy.pipeline.config import RunConfig, load_config
from roadworthy.pipeline.deploy_config import DeploySettings
from roadworthy.pipeline.place import local_place

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fashion.yaml"


@pytest.fixture(scope="module")
def config():
    return load_config(EXAMPLE)


@pytest.fixture(scope="module")
def pipeline(config):
    return build_pipeline(config)


def nodes(pipeline) -> list[str]:
    return [node.pipeline_node.node_info.id for node in Compiler().compile(pipeline).nodes]


def test_data_flows_from_ingest_to_push(pipeline):
    assert nodes(pipeline) == [
        "ImageFolderExampleGen",
        "StatisticsGen",
        "SchemaGen",
        "ExampleValidator",
        "DataCheck",
        "Trainer",
        "Compressor.int8",
        "Compressor.pruned-int8.1-prune",
        "Compressor.pruned-int8",
        "Scorecard",
        "LatestBlessed",
        "BaselineScore",
        "Gate",
        "ServingCheck",
        "ModelRootPusher",
    ]


def test_without_a_place_to_publish_there_is_no_pusher(config):
    assert "ModelRootPusher" not in nodes(build_pipeline(config.model_copy(update={"push": None})))


@pytest.mark.parametrize(
    ("rehearsal", "node"),
    [(None, "Gate"), (RehearsalSettings(by="docker"), "ChosenInfraValidator"), (RehearsalSettings(), "ServingCheck")],
)
def test_the_config_says_who_rehearses(config, rehearsal, node):
    assert nodes(build_pipeline(config.model_copy(update={"rehearsal": rehearsal})))[-2] == node


def test_a_run_may_end_with_the_deployment(config, tmp_path):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    cloud = CloudSettings(project="my-project", pipeline_root="gs://bucket/root", image="roadworthy:1")
    deploy = DeploySettings(in_pipeline=True)
    deployed = config.model_copy(update={"cloud": cloud, "deploy": deploy, "output": tmp_path})
    pusher = build_pipeline(deployed).components[-1]
    assert pusher.id == "VertexPusher"
    push = VertexPush.model_validate_json(pusher.exec_properties["push"])
    assert (push.project, push.id, push.staging) == ("my-project", "fashion", "gs://bucket/root/models")
    assert push.commit == head


def beam_of(pipeline) -> dict[str, list[str]]:
    """Beam's options of every node that has any."""
    specs = {node.id: getattr(node, "executor_spec", None) for node in pipeline.components}
    found = {name: list(getattr(spec, "beam_pipeline_args", ())) for name, spec in specs.items()}
    return {name: words for name, words in found.items() if words}


def test_the_data_nodes_alone_have_several_processes(config):
    several = config.model_copy(update={"beam": config.beam.model_copy(update={"workers": 3})})

    assert beam_of(build_pipeline(several)) == {
        **dict.fromkeys(("ImageFolderExampleGen", "StatisticsGen"), beam_arguments(3)),
        **dict.fromkeys(("Scorecard", "BaselineScore"), beam_arguments(1)),
    }


def test_a_runner_elsewhere_gets_no_option_of_this_machines(config):
    elsewhere = ("--runner=PortableRunner", "--job_endpoint=jobs:8099", "--environment_type=DOCKER")
    pipeline = build_pipeline(config, replace(local_place(config), beam=elsewhere))

    assert beam_of(pipeline)["StatisticsGen"] == beam_of(pipeline)["ImageFolderExampleGen"] == list(elsewhere)


def test_a_trained_model_takes_the_trainers_place(config, tmp_path):
    trained = TrainedModel(path=tmp_path / "model.keras", sha256="0" * 64)
    adopted = nodes(build_pipeline(config.model_copy(update={"trained": trained})))

    assert "Trainer" not in adopted
    assert adopted[5] == "TrainedModel"
    assert import_utils.import_class_by_path(ADOPT_FN) is adopt.run_fn


def test_the_trainer_finds_its_run_fn_by_path():
    module, _, name = RUN_FN.rpartition(".")

    assert import_utils.import_class_by_path(RUN_FN) is run_fn
    assert (module, name) == ("roadworthy.models.finetuning.run_fn", "run_fn")


def test_building_writes_nothing(tmp_path):
    config = RunConfig.model_validate(
        {"name": "shop", "output": "out", "data": {"path": "photos"}, "push": {"model_root": "served"}},
        context={"base": tmp_path},
    )

    build_pipeline(config)

    assert list(tmp_path.iterdir()) == []
