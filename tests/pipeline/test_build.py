from pathlib import Path

import pytest
from tfx.dsl.compiler.compiler import Compiler
from tfx.utils import import_utils

from roadworthy.models.finetuning.run_fn import run_fn
from roadworthy.pipeline.build import RUN_FN, build_pipeline
from roadworthy.pipeline.config import RunConfig, load_config

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
        "Compressor.pruned-int8",
        "Scorecard",
        "LatestBlessed",
        "BaselineScore",
        "Gate",
        "ModelRootPusher",
    ]


def test_every_recipe_is_a_node_of_its_own(config):
    recipes = config.compress.recipes
    more = recipes[0].model_copy(update={"name": "another"})
    changed = config.model_copy(update={"compress": config.compress.model_copy(update={"recipes": (*recipes, more)})})

    compressors = {name for name in nodes(build_pipeline(changed)) if name.startswith("Compressor")}
    assert compressors == {"Compressor.int8", "Compressor.pruned-int8", "Compressor.another"}


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
