import json

import pytest
from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of, check_component
from roadworthy.components.compressor.component import STEPS, Compressor
from roadworthy.components.compressor.executor import steps_of
from roadworthy.models.compression.recipe import Distill, Fold, Prune, QuantizationAwareTraining, Quantize, Step
from roadworthy.models.config import BackboneSettings, ModelSettings

PRUNED_INT8 = (Step(prune=Prune(sparsity=0.5)), Step(quantize=Quantize()))


def compressor(steps=PRUNED_INT8, **settings):
    return Compressor(
        model=channel_of(Model, uri="/pruned"),
        trained=channel_of(Model, uri="/trained"),
        examples=channel_of(Examples),
        steps=steps,
        **settings,
    )


def test_it_keeps_the_component_contract():
    check_component(compressor(variant="pruned-int8"))


@pytest.mark.parametrize("step", [Step(prune=Prune()), Step(quantize=Quantize(qat=QuantizationAwareTraining()))])
def test_the_last_step_takes_the_epochs_of_the_run(step):
    before = compressor([Step(fold=Fold()), step])
    node = compressor([Step(fold=Fold()), step], epochs=7)

    assert [one.training and one.training.epochs for one in steps_of(node.exec_properties)] == [None, 7]
    assert steps_of(before.exec_properties)[1] == step


@pytest.mark.parametrize(("step", "epochs"), [(Step(prune=Prune()), 1001), (Step(fold=Fold()), 2)])
def test_epochs_out_of_range_or_of_a_step_without_any_are_refused(step, epochs):
    with pytest.raises(ValueError, match="epochs"):
        steps_of(compressor([step], epochs=epochs).exec_properties)


def test_its_steps_read_back_as_the_same_steps():
    assert STEPS.validate_json(compressor().exec_properties["steps"]) == PRUNED_INT8


def test_a_student_of_random_weights_reads_back_as_one():
    student = ModelSettings(backbone=BackboneSettings(name="MobileNetV3Small", weights=None))
    (read,) = STEPS.validate_json(compressor([Step(distill=Distill(student=student))]).exec_properties["steps"])
    assert read.distill.student.backbone.weights == "none"


def test_a_default_is_part_of_the_cache_key():
    steps = json.loads(compressor().exec_properties["steps"])
    assert steps[0]["prune"]["epochs"] == Prune(sparsity=0.5).epochs
