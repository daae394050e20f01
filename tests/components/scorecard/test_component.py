import pytest
from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of, check_component
from roadworthy.components.scorecard.artifacts import ScorecardArtifact
from roadworthy.components.scorecard.component import BaselineScore, Scorecard
from roadworthy.components.scorecard.variants import input_key, variant_models

VARIANTS = ("int8", "pruned-int8")


def scorecard(names=VARIANTS):
    variants = {name: channel_of(Model, uri=f"/{name}") for name in names}
    return Scorecard(parent=channel_of(Model), examples=channel_of(Examples), variants=variants)


def test_the_scorecard_keeps_the_component_contract():
    check_component(scorecard())


def test_each_variant_is_an_input_of_its_own():
    assert set(scorecard().inputs) == {"parent", "examples", "variant_int8", "variant_pruned_int8"}


def test_scorecards_of_other_variants_do_not_change_each_other():
    first, second = scorecard(["int8"]), scorecard(["pruned-int8"])
    assert "variant_pruned_int8" not in first.spec.INPUTS
    assert "variant_int8" not in second.spec.INPUTS


def test_a_scorecard_without_variants_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        scorecard([])


@pytest.mark.parametrize("name", ["int8", "pruned-int8", "a-b-c", "x--y"])
def test_a_variants_name_is_had_back_from_its_input(name):
    assert variant_models({"parent": ["other"], input_key(name): ["model"]}) == {name: "model"}


@pytest.mark.parametrize("model", [True, False], ids=["with a model", "without"])
def test_the_baseline_keeps_the_component_contract(model):
    inputs = {"examples": channel_of(Examples), "scorecard": channel_of(ScorecardArtifact)}
    check_component(BaselineScore(**inputs, model=channel_of(Model) if model else None))
