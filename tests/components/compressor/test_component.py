import json

from tfx.types.standard_artifacts import Examples, Model

from contracts.component import channel_of, check_component
from roadworthy.components.compressor.component import STEPS, Compressor
from roadworthy.models.compression.recipe import Distill, Prune, Quantize, Step
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


def test_its_steps_read_back_as_the_same_steps():
    assert STEPS.validate_json(compressor().exec_properties["steps"]) == PRUNED_INT8


def test_a_student_of_random_weights_reads_back_as_one():
    student = ModelSettings(backbone=BackboneSettings(name="MobileNetV3Small", weights=None))
    (read,) = STEPS.validate_json(compressor([Step(distill=Distill(student=student))]).exec_properties["steps"])
    assert read.distill.student.backbone.weights == "none"


def test_a_default_is_part_of_the_cache_key():
    steps = json.loads(compressor().exec_properties["steps"])
    assert steps[0]["prune"]["epochs"] == Prune(sparsity=0.5).epochs
