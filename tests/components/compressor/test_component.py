import json

from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of, check_component
from roadworthy.components.compressor.component import Compressor
from roadworthy.models.compression.recipe import Prune, Quantize, Recipe, Step

RECIPE = Recipe(name="pruned-int8", steps=(Step(prune=Prune(sparsity=0.5)), Step(quantize=Quantize())))


def compressor(recipe=RECIPE, **settings):
    return Compressor(model=channel_of(Model), examples=channel_of(Examples), recipe=recipe, **settings)


def test_it_keeps_the_component_contract():
    check_component(compressor())


def test_its_node_carries_the_recipes_name():
    assert compressor().id == "Compressor.pruned-int8"


def test_its_recipe_parameter_reads_back_as_the_same_recipe():
    assert Recipe.model_validate_json(compressor().exec_properties["recipe"]) == RECIPE


def test_a_default_is_part_of_the_cache_key():
    steps = json.loads(compressor().exec_properties["recipe"])["steps"]
    assert steps[0]["prune"]["epochs"] == Prune(sparsity=0.5).epochs
