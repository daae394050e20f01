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


@pytest.mark.parametrize("name", ["", "Int8", "../up", "a" * 42, "-x", "parent"])
def test_a_name_is_fit_for_a_folder_and_a_pipeline_node(name):
    with pytest.raises(ValidationError, match="name"):
        Recipe.model_validate({"name": name, "steps": [{"quantize": {}}]})


CHANNELS, DISTILL, PRUNE, CLUSTER, FOLD, QUANTIZE, QAT = (
    {"channels": {"remove": 0.5}},
    {"distill": {}},
    {"prune": {}},
    {"cluster": {}},
    {"fold": {}},
    {"quantize": {}},
    {"quantize": {"qat": {}}},
)


@pytest.mark.parametrize(
    "steps",
    [
        [CHANNELS, DISTILL, PRUNE, CLUSTER, QAT],
        [CHANNELS, DISTILL, CHANNELS, DISTILL, FOLD],
        [PRUNE, CLUSTER, FOLD, QUANTIZE],
        [{"distill": {"student": {}}}, CHANNELS],
    ],
)
def test_steps_that_keep_what_came_before_may_follow_each_other(steps):
    assert len(Recipe.model_validate({"name": "small", "steps": steps}).steps) == len(steps)


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([CLUSTER, PRUNE], "prune after cluster: it would undo the clusters"),
        ([PRUNE, PRUNE], "prune after prune: it would undo the zeros"),
        ([PRUNE, CHANNELS], "channels after prune: it would undo the zeros"),
        ([CLUSTER, DISTILL], "distill after cluster: it would undo the clusters"),
        ([PRUNE, {"cluster": {"clusters": 2}}], "at least 3 clusters after prune"),
        ([FOLD, PRUNE], "fold after every step that trains. Received: fold -> prune"),
        ([FOLD, QAT], "fold after every step that trains. Received: fold -> quantize"),
        ([FOLD, FOLD], "fold after fold"),
        ([QUANTIZE, FOLD], "quantize last"),
        ([CHANNELS, {"distill": {"student": {}}}], "distill with a new student first"),
    ],
)
def test_steps_that_contradict_each_other_are_refused(steps, reason):
    with pytest.raises(ValidationError, match=reason):
        Recipe.model_validate({"name": "small", "steps": steps})


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"prune": {"sparsity": 0.8, "pattern": "2:4"}}, "must be 0.5 with the pattern 2:4"),
        ({"prune": {"pattern": "block", "block_size": [1, 1]}}, "one above 1"),
        ({"prune": {"layers": []}}, "layers"),
        ({"cluster": {"clusters": 1}}, "clusters"),
        ({"channels": {"remove": 1}}, "remove"),
        ({"quantize": {"type": "float16", "qat": {}}}, "qat must be left out unless type is int8"),
        ({"quantize": {"type": "dynamic", "io": "int8"}}, "io must be left out unless type is int8"),
        ({"quantize": {"calibration_images": 0}}, "calibration_images"),
        ({"distill": {"temperature": 0}}, "temperature"),
        ({"distill": {"student": {}, "image_size": 48}}, "image_size must be left out beside a student"),
    ],
)
def test_settings_that_can_not_be_are_refused(step, reason):
    with pytest.raises(ValidationError, match=reason):
        Step.model_validate(step)


@pytest.mark.parametrize(
    ("layers", "skip", "chosen"),
    [(["*"], [], True), (["backbone/*"], [], True), (["head*"], [], False), (["*"], ["*/conv"], False)],
)
def test_patterns_choose_layers_by_path(layers, skip, chosen):
    assert Prune(layers=layers, skip=skip).chooses("backbone/conv") is chosen


@pytest.mark.parametrize("step", [CHANNELS, DISTILL, PRUNE, CLUSTER, FOLD, QUANTIZE, QAT])
def test_a_step_reads_back_from_its_json(step):
    made = Step.model_validate(step)
    assert Step.model_validate_json(made.model_dump_json(exclude_none=True)) == made


def test_every_kind_of_step_has_a_function():
    from roadworthy.models.compression.steps import STEPS

    assert set(STEPS) == set(Step.model_fields)
