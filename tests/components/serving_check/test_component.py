import pytest
from tfx.components.infra_validator import executor as infra_validator
from tfx.components.pusher import executor as pusher
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model, ModelBlessing

from contracts.component import channel_of, check_component
from contracts.digits import write_litert
from roadworthy.components.gate.blessing import write_blessing
from roadworthy.components.serving_check import infra_blessing
from roadworthy.components.serving_check.component import ChosenInfraValidator, ServingCheck
from roadworthy.components.serving_check.executor import NOTHING_CHOSEN, ServingCheckExecutor
from roadworthy.components.serving_check.infra_validator import InfraValidatorExecutor
from roadworthy.components.serving_check.rehearsal import REHEARSAL_FILE, Rehearsal
from roadworthy.components.serving_check.settings import RehearsalSettings
from roadworthy.serving.server.warm_up import WARM_UP_PATH


def artifact(kind, folder):
    folder.mkdir(parents=True, exist_ok=True)
    made = kind()
    made.uri = str(folder)
    return made


def inputs(tmp_path, *, blessed):
    model = artifact(Model, tmp_path / "model")
    blessing = artifact(ModelBlessing, tmp_path / "blessing")
    if blessed:
        write_litert(tmp_path / "model" / "Format-Serving")
    write_blessing(blessing, model if blessed else None)
    return {"model": [model], "model_blessing": [blessing]}


def rehearsed(given, tmp_path, examples_uri):
    examples = artifact(Examples, examples_uri)
    examples.split_names = '["test"]'
    blessing = artifact(InfraBlessing, tmp_path / "rehearsal")
    ServingCheckExecutor().Do(
        {**given, "examples": [examples]},
        {"blessing": [blessing]},
        {"name": "digits", "split": "test", "settings": RehearsalSettings(requests=4).model_dump_json()},
    )
    return blessing, Rehearsal.model_validate_json((tmp_path / "rehearsal" / REHEARSAL_FILE).read_text())


@pytest.mark.parametrize("settings", [RehearsalSettings(), RehearsalSettings(by="kubernetes")])
def test_it_keeps_the_component_contract(settings):
    component = ServingCheck if settings.by == "roadworthy" else ChosenInfraValidator
    channels = {
        "model": channel_of(Model),
        "model_blessing": channel_of(ModelBlessing),
        "examples": channel_of(Examples, uri="/examples"),
    }
    check_component(component(**channels, name="digits", settings=settings))


def test_our_names_are_those_of_tfx():
    assert infra_blessing.BLESSED_FILE == infra_validator._BLESSED_FILENAME
    assert infra_blessing.NOT_BLESSED_FILE == infra_validator._NOT_BLESSED_FILENAME
    assert infra_blessing.BLESSED == infra_validator._BLESSED_KEY
    assert infra_blessing.HAS_MODEL == pusher._INFRA_BLESSING_MODEL_FLAG_KEY


def test_a_model_that_passes_is_blessed_and_kept_with_its_warm_up(tmp_path, examples_uri):
    blessing, rehearsal = rehearsed(inputs(tmp_path, blessed=True), tmp_path, examples_uri)
    assert rehearsal.faults == ()
    assert infra_blessing.is_infra_blessed(blessing)
    assert (tmp_path / "rehearsal" / infra_blessing.BLESSED_FILE).is_file()
    # TFX's own Pusher finds the same folder.
    stamped = pusher.Executor().GetModelPath({"infra_blessing": [blessing]})
    assert stamped == str(tmp_path / "rehearsal" / "stamped_model")
    assert (tmp_path / "rehearsal" / "stamped_model" / WARM_UP_PATH).stat().st_size > 0
    assert not (tmp_path / "rehearsal" / "served").exists()


@pytest.mark.parametrize("executor", [ServingCheckExecutor, InfraValidatorExecutor])
def test_without_a_chosen_model_nothing_is_blessed(executor, tmp_path):
    blessing = artifact(InfraBlessing, tmp_path / "rehearsal")
    executor().Do(inputs(tmp_path, blessed=False), {"blessing": [blessing]}, {})
    assert not infra_blessing.is_infra_blessed(blessing)
    assert (tmp_path / "rehearsal" / infra_blessing.NOT_BLESSED_FILE).is_file()


def test_why_nothing_was_rehearsed_is_told(tmp_path, examples_uri):
    _, rehearsal = rehearsed(inputs(tmp_path, blessed=False), tmp_path, examples_uri)
    assert rehearsal.faults == (NOTHING_CHOSEN,)
