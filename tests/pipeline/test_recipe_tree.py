import pytest
from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of
from roadworthy.models.compression.presets import PRESETS
from roadworthy.models.compression.recipe import Recipe
from roadworthy.pipeline.config import RunConfig
from roadworthy.pipeline.recipe_tree import recipe_nodes

PRUNE, CLUSTER, QUANTIZE = {"prune": {}}, {"cluster": {}}, {"quantize": {}}


def nodes_of(recipes, tmp_path):
    config = RunConfig.model_validate(
        {"name": "shop", "output": "out", "data": {"path": "photos"}, "compress": {"recipes": recipes}},
        context={"base": tmp_path},
    )
    trained = channel_of(Model)
    return trained, recipe_nodes(config, trained, channel_of(Examples))


def recipe(name, *steps):
    return {"name": name, "steps": list(steps)}


def starts_from(node) -> str:
    return node.inputs["parent"].producer_component_id


def test_recipes_that_begin_alike_share_a_node(tmp_path):
    trained, nodes = nodes_of([recipe("a", PRUNE, QUANTIZE), recipe("b", PRUNE, CLUSTER, QUANTIZE)], tmp_path)

    assert list(nodes) == ["Compressor.a.1-prune", "Compressor.a", "Compressor.b.2-cluster", "Compressor.b"]
    assert [starts_from(node) for node in nodes.values()] == [
        trained.producer_component_id,
        "Compressor.a.1-prune",
        "Compressor.a.1-prune",
        "Compressor.b.2-cluster",
    ]


def test_a_recipe_that_another_goes_on_from_is_its_start(tmp_path):
    _, nodes = nodes_of([recipe("pruned-int8", PRUNE, QUANTIZE), recipe("pruned", PRUNE)], tmp_path)

    assert list(nodes) == ["Compressor.pruned", "Compressor.pruned-int8"]
    assert starts_from(nodes["Compressor.pruned-int8"]) == "Compressor.pruned"
    assert nodes["Compressor.pruned"].exec_properties["variant"] == "pruned"


def test_a_step_on_the_way_is_no_variant(tmp_path):
    _, nodes = nodes_of([recipe("a", PRUNE, QUANTIZE)], tmp_path)

    assert nodes["Compressor.a.1-prune"].exec_properties["variant"] == ""


def test_every_preset_fits_into_one_tree(tmp_path):
    _, nodes = nodes_of(list(PRESETS.values()), tmp_path)

    assert {f"Compressor.{name}" for name in PRESETS} <= set(nodes)
    assert len(nodes) < sum(len(preset.steps) for preset in PRESETS.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_bears_its_name(name):
    assert isinstance(PRESETS[name], Recipe)
    assert PRESETS[name].name == name
