import pytest
from pydantic import ValidationError

from roadworthy.models.compression.recipe import Prune, Quantize, Recipe, Step


def test_steps_are_read_in_order():
    recipe = Recipe.model_validate({"name": "small", "steps": [{"prune": {"sparsity": 0.5}}, {"quantize": {}}]})
    assert [(step.kind, step.settings) for step in recipe.steps] == [
        ("prune", Prune(sparsity=0.5)),
        ("quantize", Quantize()),
    ]


def test_a_step_after_quantize_is_refused_before_anything_runs():
    with pytest.raises(ValidationError, match=r"must have the step quantize last\. Received: quantize -> prune"):
        Recipe.model_validate({"name": "small", "steps": [{"quantize": {}}, {"prune": {"sparsity": 0.5}}]})


@pytest.mark.parametrize("step", [{}, {"prune": None}, {"prune": {"sparsity": 0.5}, "quantize": {}}])
def test_a_step_has_exactly_one_key(step):
    with pytest.raises(ValidationError, match="exactly one of the keys"):
        Step.model_validate(step)


@pytest.mark.parametrize("sparsity", [0, 1, 80, -0.1, float("nan")])
def test_sparsity_is_a_share_between_none_and_all(sparsity):
    with pytest.raises(ValidationError, match="sparsity"):
        Prune(sparsity=sparsity)


@pytest.mark.parametrize("name", ["", "Int8", "../up", "a" * 42, "-x"])
def test_a_name_is_fit_for_a_folder_and_a_pipeline_node(name):
    with pytest.raises(ValidationError, match="name"):
        Recipe.model_validate({"name": name, "steps": [{"quantize": {}}]})


def test_every_kind_of_step_has_a_function():
    from roadworthy.models.compression.steps import STEPS

    assert set(STEPS) == set(Step.model_fields)
